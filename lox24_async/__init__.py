"""The asyncio client for the Bulk API of the LOX24 SMS gateway."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._converter import make_converter
    from ._refusals import Pause
    from ._retry import RetryPolicy
    from .answers import Headers, Violation
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
        InsufficientFundsError,
        InvalidBulkIdError,
        IPBlockedError,
        Lox24Error,
        NotCancelableError,
        NotFoundError,
        RequestTimeoutError,
        ResponseDecodeError,
        ServerError,
        TransportError,
        UnprocessableError,
    )
    from .matching import MatchReport
    from .models import Bulk, BulkStatus, JsonLdBulk, ServiceCode, VoiceLang
    from .pages import BulkPage
    from .queries import BulkFilter, BulkOrder
    from .report import CancelFailedError, CancelOutcome, CancelReport, CancelState

__all__ = [
    "APIStatusError",
    "AccountNotActivatedError",
    "AuthenticationError",
    "BadRequestError",
    "Bulk",
    "BulkDraft",
    "BulkFilter",
    "BulkOrder",
    "BulkPage",
    "BulkStatus",
    "CancelFailedError",
    "CancelOutcome",
    "CancelReport",
    "CancelState",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "Headers",
    "IPBlockedError",
    "InsufficientFundsError",
    "InvalidBulkIdError",
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
        "answers": ("Headers", "Violation"),
        "_converter": ("make_converter",),
        "_refusals": ("Pause",),
        "_retry": ("RetryPolicy",),
        "report": ("CancelFailedError", "CancelOutcome", "CancelReport", "CancelState"),
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
            "IPBlockedError",
            "InsufficientFundsError",
            "InvalidBulkIdError",
            "Lox24Error",
            "NotCancelableError",
            "NotFoundError",
            "RequestTimeoutError",
            "ResponseDecodeError",
            "ServerError",
            "TransportError",
            "UnprocessableError",
        ),
        "matching": ("MatchReport",),
        "models": ("Bulk", "BulkStatus", "JsonLdBulk", "ServiceCode", "VoiceLang"),
        "pages": ("BulkPage",),
        "queries": ("BulkFilter", "BulkOrder"),
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
