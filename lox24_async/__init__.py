"""The asyncio client for the Bulk API of the LOX24 SMS gateway."""

from ._converter import make_converter
from ._retry import RetryPolicy
from .batch import CancelFailedError, CancelOutcome, CancelReport, CancelState
from .client import Lox24Client
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
from .models import Bulk, BulkStatus, JsonLdBulk, ServiceCode, VoiceLang

__all__ = [
    "APIStatusError",
    "AccountNotActivatedError",
    "AuthenticationError",
    "BadRequestError",
    "Bulk",
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
