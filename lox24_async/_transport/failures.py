"""Failures of the HTTP library as typed errors, without an object of that library in them."""

import errno
import re
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
from aiohttp.http import HttpProcessingError

from lox24_async._printable import one_line
from lox24_async.errors import (
    ConnectionFailedError,
    Lox24Error,
    RequestTimeoutError,
    TransportError,
)

Redact = Callable[[str], str]

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
_PROXY_REFUSALS: Final = frozenset({401, 403, 407})
_LOSSES: Final[Mapping[int | None, str]] = {
    errno.ECONNRESET: "reset by peer",
    errno.ECONNABORTED: "aborted",
    errno.EPIPE: "broken pipe",
    errno.ETIMEDOUT: "no sign of life from the peer",
}
# In the error's text, for aiohttp makes errors of its own of what it gets.
_TLS_REASON: Final = re.compile(r"\[SSL: ([A-Z0-9_]+)\]", re.ASCII)
_VERSION: Final = re.compile(r"(SSLV3|TLSV1|TLSV13)_(ALERT_)?", re.ASCII)
# Under TLS 1.3 a server judges the client's side of the handshake when that side takes it for
# finished and has sent its request, which the server then never reads. RFC 8446, section 6.2.
_HANDSHAKE_ALERTS: Final = frozenset(
    {
        "access denied",
        "bad certificate",
        "bad certificate status response",
        "certificate expired",
        "certificate required",
        "certificate revoked",
        "certificate unknown",
        "decrypt error",
        "handshake failure",
        "insufficient security",
        "missing extension",
        "no application protocol",
        "no certificate",
        "protocol version",
        "unknown ca",
        "unknown psk identity",
        "unrecognized name",
        "unsupported certificate",
        "unsupported extension",
    }
)
_ERROR_SHOWN: Final = 200  # characters


class LostError(aiohttp.ClientConnectionError):
    """A lost connection, in a form that aiohttp does not answer by sending again.

    It resends an idempotent request once by itself, unseen and uncounted; but what we report
    as attempts must be what was on the wire.

    Args:
        failure: What was lost, and why.
    """

    def __init__(self, failure: Lox24Error) -> None:
        super().__init__()
        self.failure = failure


FAILURES: Final = (aiohttp.ClientError, OSError, HttpProcessingError, aiohttp.EofStream)
"""What aiohttp raises when there is no complete answer."""


def timed_out(seconds: float, *, connecting: bool) -> Lox24Error:
    """Return the error of an attempt whose time is over."""
    if connecting:
        return ConnectionFailedError(f"no connection within {seconds:g} s")
    return RequestTimeoutError(f"no complete answer within {seconds:g} s", attempts=1)


def translate(error: Exception, redact: Redact, *, connecting: bool = False) -> Lox24Error:
    """Turn what a lane raised into ours; ``attempts`` says whether the request had left.

    Args:
        error: The failure.
        redact: Blots the token out of a foreign text.
        connecting: Whether it is known that no connection was there yet.
    """
    if isinstance(error, LostError):
        return error.failure
    if not isinstance(error, FAILURES):
        return _foreign(error, redact)
    if isinstance(error, _TLS_ERRORS):  # first: they are connector and OS errors as well
        return ConnectionFailedError(f"TLS failed: {_reason(error)}", tls=True)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ConnectionFailedError(f"no connection within {CONNECT_TIMEOUT:g} s")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ConnectionFailedError("the host's name could not be resolved")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ConnectionFailedError(
            f"the proxy refused to connect: HTTP {error.status}",
            proxy=error.status in _PROXY_REFUSALS,
        )
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return ConnectionFailedError(f"no connection to the proxy: {_reason(error)}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return ConnectionFailedError(f"no connection: {_reason(error)}")
    if connecting:
        return ConnectionFailedError("no connection: the server hung up at once, or spoke first")
    if isinstance(error, TimeoutError) and not isinstance(error, ConnectionError):
        return RequestTimeoutError("no complete answer in time", attempts=1)
    if isinstance(error, aiohttp.ClientPayloadError):
        reset = ConnectionResetError.__name__ in str(error)
        said = f": {_LOSSES[errno.ECONNRESET]}" if reset else ""
        return TransportError(f"the answer was cut short{said}", attempts=1)
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        # aiohttp invents a status 400 here; the server never said it.
        return TransportError("what came was no valid HTTP", attempts=1)
    return lost(error)


def _foreign(error: Exception, redact: Redact) -> Lox24Error:
    """Return the error of an attempt that foreign code within the session broke off.

    A trace callback, say, or an instrumented session. What it raised is not handed on: the
    frames in its traceback hold the request's headers. Whether the request had left is not
    known.
    """
    try:
        said = one_line(redact(str(error)), _ERROR_SHOWN)
    except Exception:  # noqa: BLE001  its __str__ is foreign as well
        said = ""
    what = type(error).__name__ + (f": {said}" if said else "")
    return TransportError(f"code within the session (a trace callback?) raised {what}", attempts=1)


def lost(error: Exception) -> Lox24Error:
    """Return the error of a connection that ended before the answer, with the reason."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        why = "closed by the peer without an answer"
    elif found := _TLS_REASON.search(str(error)):
        version = _VERSION.match(found[1])
        why = found[1][version.end() if version else 0 :].replace("_", " ").lower()
        if version and why in _HANDSHAKE_ALERTS:
            return ConnectionFailedError(f"TLS failed: the server's alert: {why}", tls=True)
        why = f"TLS {'alert' if version and version[2] else 'error'}: {why}"
    else:
        number, why = getattr(error, "errno", None), getattr(error, "strerror", None) or ""
        if number in _LOSSES:
            why = _LOSSES[number]
        elif not why and isinstance(error, ConnectionResetError):
            why = "closed by the peer while the request was written"
    said = f": {one_line(why, _ERROR_SHOWN)}" if why else ""
    return TransportError(f"the connection was lost before an answer came{said}", attempts=1)


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
