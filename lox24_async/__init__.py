"""The asyncio client for the Bulk API of the LOX24 SMS gateway."""

from ._converter import make_converter
from ._retry import RetryPolicy
from .batch import CancelFailedError, CancelOutcome, CancelReport, CancelState
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
from .matching import MatchReport
from .models import Bulk, BulkStatus, JsonLdBulk, ServiceCode, VoiceLang
from .pages import BulkPage
from .queries import BulkFilter, BulkOrder

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
