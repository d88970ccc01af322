"""The asyncio client for the Bulk API of the LOX24 SMS gateway."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._operations.batch import CancelStream
    from ._operations.listing import BulkStream
    from ._operations.messages import MessageStream
    from ._wire.converter import make_converter
    from .client import Lox24Client
    from .drafts import BulkDraft
    from .errors import (
        AccountNotActivatedError,
        APIStatusError,
        AuthenticationError,
        BadRequestError,
        ClientClosedError,
        ConfigurationError,
        ConflictError,
        ConnectionFailedError,
        Headers,
        HeldBackError,
        InsufficientFundsError,
        IntermediaryError,
        InvalidBulkIdError,
        IPBlockedError,
        JournalError,
        Lox24Error,
        NotCancelableError,
        NotFoundError,
        RequestTimeoutError,
        ResponseDecodeError,
        ServerError,
        TransportError,
        UnprocessableError,
        Violation,
    )
    from .filters import BulkFilter, BulkOrder
    from .guards import HostGuard, ProcessGuard, RedisGuard
    from .journal import CancelJournal, JournalRun
    from .models import (
        Bulk,
        BulkMessage,
        BulkPage,
        BulkStatus,
        JsonLdBulk,
        ServiceCode,
        VoiceLang,
    )
    from .report import (
        BulkTotals,
        CancelFailedError,
        CancelOutcome,
        CancelReport,
        CancelState,
        MatchReport,
        Measurement,
        MessageCount,
    )
    from .retry import Attempt, Pause, RetryPolicy

__all__ = [
    "APIStatusError",
    "AccountNotActivatedError",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "Bulk",
    "BulkDraft",
    "BulkFilter",
    "BulkMessage",
    "BulkOrder",
    "BulkPage",
    "BulkStatus",
    "BulkStream",
    "BulkTotals",
    "CancelFailedError",
    "CancelJournal",
    "CancelOutcome",
    "CancelReport",
    "CancelState",
    "CancelStream",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "Headers",
    "HeldBackError",
    "HostGuard",
    "IPBlockedError",
    "InsufficientFundsError",
    "IntermediaryError",
    "InvalidBulkIdError",
    "JournalError",
    "JournalRun",
    "JsonLdBulk",
    "Lox24Client",
    "Lox24Error",
    "MatchReport",
    "Measurement",
    "MessageCount",
    "MessageStream",
    "NotCancelableError",
    "NotFoundError",
    "Pause",
    "ProcessGuard",
    "RedisGuard",
    "RequestTimeoutError",
    "ResponseDecodeError",
    "RetryPolicy",
    "ServerError",
    "ServiceCode",
    "TransportError",
    "UnprocessableError",
    "Violation",
    "VoiceLang",
    "make_converter",
]

__version__ = "0.2.0"

_HOMES: Final = {
    name: home
    for home, names in {
        "_operations.batch": ("CancelStream",),
        "_operations.listing": ("BulkStream",),
        "_operations.messages": ("MessageStream",),
        "_wire.converter": ("make_converter",),
        "client": ("Lox24Client",),
        "drafts": ("BulkDraft",),
        "errors": (
            "APIStatusError",
            "AccountNotActivatedError",
            "AuthenticationError",
            "BadRequestError",
            "ClientClosedError",
            "ConfigurationError",
            "ConflictError",
            "ConnectionFailedError",
            "Headers",
            "HeldBackError",
            "IPBlockedError",
            "InsufficientFundsError",
            "IntermediaryError",
            "InvalidBulkIdError",
            "JournalError",
            "Lox24Error",
            "NotCancelableError",
            "NotFoundError",
            "RequestTimeoutError",
            "ResponseDecodeError",
            "ServerError",
            "TransportError",
            "UnprocessableError",
            "Violation",
        ),
        "filters": ("BulkFilter", "BulkOrder"),
        "guards": ("HostGuard", "ProcessGuard", "RedisGuard"),
        "journal": ("CancelJournal", "JournalRun"),
        "models": (
            "Bulk",
            "BulkMessage",
            "BulkPage",
            "BulkStatus",
            "JsonLdBulk",
            "ServiceCode",
            "VoiceLang",
        ),
        "report": (
            "BulkTotals",
            "CancelFailedError",
            "CancelOutcome",
            "CancelReport",
            "CancelState",
            "MatchReport",
            "Measurement",
            "MessageCount",
        ),
        "retry": ("Attempt", "Pause", "RetryPolicy"),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    # On first use, so that the command line's help and pytest's start do not wait for aiohttp.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
