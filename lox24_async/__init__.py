"""The asyncio client for the Bulk API of the LOX24 SMS gateway."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._operations.batch import CancelStream
    from ._operations.listing import BulkStream
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
        InsufficientFundsError,
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
    from .journal import CancelJournal, JournalRun
    from .models import Bulk, BulkPage, BulkStatus, JsonLdBulk, ServiceCode, VoiceLang
    from .report import (
        CancelFailedError,
        CancelOutcome,
        CancelReport,
        CancelState,
        MatchReport,
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
    "BulkOrder",
    "BulkPage",
    "BulkStatus",
    "BulkStream",
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
    "IPBlockedError",
    "InsufficientFundsError",
    "InvalidBulkIdError",
    "JournalError",
    "JournalRun",
    "JsonLdBulk",
    "Lox24Client",
    "Lox24Error",
    "MatchReport",
    "NotCancelableError",
    "NotFoundError",
    "Pause",
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

__version__ = "0.1.0"

_HOMES: Final = {
    name: home
    for home, names in {
        "_operations.batch": ("CancelStream",),
        "_operations.listing": ("BulkStream",),
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
            "IPBlockedError",
            "InsufficientFundsError",
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
        "journal": ("CancelJournal", "JournalRun"),
        "models": ("Bulk", "BulkPage", "BulkStatus", "JsonLdBulk", "ServiceCode", "VoiceLang"),
        "report": (
            "CancelFailedError",
            "CancelOutcome",
            "CancelReport",
            "CancelState",
            "MatchReport",
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
