"""Failures of the HTTP library as typed errors, without an object of that library in them."""

from typing import Final

import aiohttp
from aiohttp.http import HttpProcessingError

from lox24_async.errors import (
    ConnectionFailedError,
    Lox24Error,
    RequestTimeoutError,
    TransportError,
)

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for TCP connect and TLS handshake."""
_TLS_ERRORS: Final = (
    aiohttp.ClientSSLError,  # also the certificate and handshake errors
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ServerFingerprintMismatch,
)
NOT_LEFT_ERRORS: Final = (
    aiohttp.ClientConnectorError,  # also DNS and proxy
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
"""What aiohttp raises when no connection came about: nothing has left."""

FAILURES: Final = (aiohttp.ClientError, OSError, HttpProcessingError, aiohttp.EofStream)
"""What aiohttp raises when there is no complete answer."""


def timed_out(seconds: float, *, connecting: bool) -> Lox24Error:
    """Return the error of an attempt whose time is over."""
    if connecting:
        return ConnectionFailedError(f"no connection within {seconds:g} s")
    return RequestTimeoutError(f"no complete answer within {seconds:g} s", attempts=1)


def translate(error: Exception, *, connecting: bool = False) -> Lox24Error:
    """Turn a failure of the HTTP library into ours; ``attempts`` says whether it had left.

    Args:
        error: The failure.
        connecting: Whether it is known that no connection was there yet.
    """
    if isinstance(error, _TLS_ERRORS):  # first: they are connector and OS errors as well
        return ConnectionFailedError(f"TLS failed: {_reason(error)}", tls=True)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectionFailedError(f"no connection within {CONNECT_TIMEOUT:g} s")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ConnectionFailedError("the host's name could not be resolved")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ConnectionFailedError(f"the proxy refused to connect: HTTP {error.status}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectionFailedError(f"no connection: {_reason(error)}")
    if connecting:
        return ConnectionFailedError("no connection: the server hung up at once, or spoke first")
    if isinstance(error, TimeoutError):
        return RequestTimeoutError("no complete answer in time", attempts=1)
    if isinstance(error, aiohttp.ClientPayloadError):
        return TransportError("the answer was cut short", attempts=1)
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        # aiohttp invents a status 400 here; the server never said it.
        return TransportError("what came was no valid HTTP", attempts=1)
    return TransportError("the connection was lost before an answer came", attempts=1)


def without_frames(error: BaseException) -> BaseException:
    """Take away from an error, and from what led to it, the frames that hold the token."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _reason(error: Exception) -> str:
    cause: object = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
    for name in ("verify_message", "reason", "strerror"):
        if said := getattr(cause, name, None):
            return str(said)
    return type(cause).__name__
