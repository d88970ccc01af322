"""The session manager: one request in, its result out, over one pool of connections.

It makes, borrows and closes sessions of aiohttp, and keeps to itself what they raise.
"""

import asyncio
from contextvars import ContextVar
from http import HTTPStatus
from io import BytesIO
from ssl import SSLContext
from typing import Any, Final, TypeVar

import aiohttp
from aiohttp import ClientSession
from yarl import URL

from lox24_async._checks import check_kind
from lox24_async._config import Secret, proxy_hint
from lox24_async._log import log
from lox24_async._wire.json import MOST_VALUES, count_values
from lox24_async._wire.replies import KEPT_OF_CUT, Reply, body_limit, read_reply, read_request_id
from lox24_async._wire.requests import Request
from lox24_async.errors import (
    ClientClosedError,
    ConfigurationError,
    ConnectionFailedError,
    IntermediaryError,
    Lox24Error,
    RequestTimeoutError,
    TransportError,
)

from .failures import CONNECT_TIMEOUT, NOT_LEFT_ERRORS, LostError, lost, timed_out, translate
from .timeouts import Timeouts

__all__ = ["ClientSession", "SessionManager"]

R = TypeVar("R")

_OWNER_CLOSED: Final = "the session that was handed in is closed"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)


async def _no_resend(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except NOT_LEFT_ERRORS:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise LostError(lost(error)) from None


# For each request, since a borrowed session cannot be asked in advance. A PUT without a body
# would get an invented Content-Type.
_OPTIONS: Final[Any] = {"skip_auto_headers": ("Content-Type",), "middlewares": (_no_resend,)}


class _Progress:
    """How far an attempt has come."""

    __slots__ = ("connecting",)

    def __init__(self) -> None:
        self.connecting = False


_progress: ContextVar[_Progress] = ContextVar("lox24_async.progress")


class _Connector(aiohttp.TCPConnector):
    """Tells an attempt that is still connecting from one that has left."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout
    ) -> Any:
        progress = _progress.get()
        progress.connecting = True
        connection = await super().connect(req, traces, timeout)
        while connection.protocol is not None and connection.protocol.should_close:
            # Something came in while it was idle; it would pass for the answer to come.
            connection.close()
            connection = await super().connect(req, traces, timeout)
        progress.connecting = False
        return connection


class _Pool:
    """A session and how many use it. A retired one closes when the last is done."""

    def __init__(self, session: ClientSession) -> None:
        self.session = session
        self.users = 0


class SessionManager:
    """Sends requests; belongs to one event loop and one process.

    Args:
        base_url: In normal form.
        token: Set on each request, never on the session: session defaults go in clear into
            a proxy's ``CONNECT``.
        attempt_timeout: Seconds that most attempts may take.
        session: The caller's own session: used, never changed, never closed.
        proxy: URL of an HTTP proxy; the environment's are ignored.
        ssl: How to check the server's certificate; ``None``: as usual.
        user_agent: The header of that name.

    Raises:
        ConfigurationError: a session or SSL context that cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        token: Secret,
        *,
        attempt_timeout: float,
        session: ClientSession | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        user_agent: str = "lox24-async",
    ) -> None:
        if session is not None:
            check_kind("session", session, ClientSession)
            _check_class(type(session))
            if session.trust_env and base_url.startswith("http:"):
                raise ConfigurationError(
                    "the session trusts the environment's proxies; over plain http one would"
                    " see the token"
                )
        if ssl is not None:
            check_kind("ssl", ssl, SSLContext)
        self._base_url = base_url
        self._base = URL(base_url, encoded=True)
        self._prefix = self._base.raw_path.rstrip("/")
        self._token = token
        self._borrowed = session
        self._proxy = proxy
        self._user_agent = user_agent
        self._ssl = True if ssl is None else ssl
        self._pool: _Pool | None = None
        self._timeouts = Timeouts(attempt_timeout)
        self._closing: set[asyncio.Task[None]] = set()
        self._more_headers: dict[str, str] = {}

    async def exchange(self, request: Request[R], seconds: float) -> R:
        """Send a request and make the result of its answer.

        Args:
            request: What to send.
            seconds: For all of it, from connect to the last byte.

        Raises:
            TransportError: no complete answer, typed by cause, or another request's.
            APIStatusError: the status is no success.
            ResponseDecodeError: a success that is not what was asked for.
            ClientClosedError: a borrowed session was closed by its owner.
        """
        try:
            reply = await self._send(request, seconds)
        except ConnectionFailedError as error:
            if not error.tls and self._proxy is None:
                error.message += proxy_hint()
            raise
        redact = self._token.redact
        if log.is_debug():
            request_id = read_request_id(reply, redact)
            log.debug("%s: %d, request id %s", request, reply.status, request_id)
        try:
            return read_reply(request, reply, self._base_url, redact)
        except IntermediaryError:
            raise
        except TransportError:  # the answer was another request's
            self.drop_connections()
            raise

    async def _send(self, request: Request[Any], seconds: float) -> Reply:
        pool = self._enter_pool()
        progress = _Progress()
        _progress.set(progress)
        failure: Lox24Error
        swallowed = False
        response: aiohttp.ClientResponse | None = None
        timeout = self._timeouts.begin(seconds)
        try:
            response = await pool.session.request(
                request.method,
                self._url(request.path),
                headers=self._headers(request),
                data=None if request.body is None else BytesIO(request.body),
                allow_redirects=False,
                raise_for_status=False,
                auto_decompress=False,
                timeout=_TIMEOUT,
                proxy=self._proxy,
                ssl=self._ssl,
                **_OPTIONS,
            )
            content = response.content
            limit = body_limit(request, response.status)
            all_here = content.is_eof()  # most often it came at once
            body, whole = (
                _cut(content.read_nowait(), limit) if all_here else await _read(response, limit)
            )
            reply = Reply(response.status, response.headers, body, whole)
            if reply.status == HTTPStatus.REQUEST_TIMEOUT:
                self._retire(pool)  # said to an idle line, before our request: out of step
            return reply
        except asyncio.CancelledError as cancelled:
            if pool.session.closed and not timeout.is_cancel():
                # Nobody asked for this: aiohttp's way to say that its pool was closed.
                failure = ClientClosedError(_OWNER_CLOSED)
            elif timeout.is_timeout():
                failure = timed_out(seconds, connecting=progress.connecting)
            else:
                # The frames below hold the token; a traceback must not show it.
                raise cancelled.with_traceback(None) from None
        except Exception as error:  # noqa: BLE001  whatever foreign code within it raises
            late, swallowed = timeout.is_timeout(), timeout.is_cancel()
            failure = (
                timed_out(seconds, connecting=progress.connecting)
                if late
                else translate(error, self._token.redact)
            )
            if failure.attempts and not isinstance(failure, RequestTimeoutError):
                self._retire(pool)  # its other idle connections may be as stale
        finally:
            if response is not None:
                response.release()  # closes the connection if something is left in it
                response = None
            self._timeouts.end(timeout)
            self._leave_pool(pool)
        if swallowed:
            raise asyncio.CancelledError  # the caller's cancel wins, whatever came of it within
        failure.bulk_id = request.bulk_id
        failure.outcome_unknown = bool(failure.attempts) and request.changes
        try:
            raise failure  # out here: an aiohttp error, which holds the token, is no context
        finally:
            del failure

    def _url(self, path: str) -> URL:
        if "?" in path:
            return URL(self._base_url + path, encoded=True)  # as it stands, brackets and all
        return self._base.with_path(self._prefix + path, encoded=True)  # quicker by 5 µs

    def _headers(self, request: Request[Any]) -> dict[str, str]:
        headers = {
            "Accept": request.accept,
            "Accept-Encoding": "identity",  # a small compressed body may be a huge one
            "User-Agent": self._user_agent,
            "X-LOX24-AUTH-TOKEN": self._token.reveal(),
            **self._more_headers,
        }
        if request.method == "GET":
            headers["Cache-Control"] = "no-store"  # yesterday's status is a lie
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    # --- the pool

    def _enter_pool(self) -> _Pool:
        if self._pool is None:
            self._pool = _Pool(self._borrowed or _new_session())
        if self._pool.session.closed:
            raise ClientClosedError(_OWNER_CLOSED)
        self._pool.users += 1
        return self._pool

    def _leave_pool(self, pool: _Pool) -> None:
        pool.users -= 1
        if self._borrowed is None and pool is not self._pool and not pool.users:
            self._close_later(pool)

    def drop_connections(self) -> None:
        """Use none of today's connections for a later request: one is out of step.

        A borrowed session keeps its connections, they are its owner's; from now on each of
        our requests asks that its connection be closed after the answer.
        """
        if self._borrowed is not None:
            self._more_headers = {"Connection": "close"}
        elif self._pool is not None:
            self._retire(self._pool)

    def _retire(self, pool: _Pool) -> None:
        if self._borrowed is None and pool is self._pool:
            self._pool = None
            if not pool.users:
                self._close_later(pool)

    def _close_later(self, pool: _Pool) -> None:
        task = asyncio.get_running_loop().create_task(pool.session.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close what this manager made. What is still in flight loses its connection."""
        self._timeouts.close()
        pool, self._pool = self._pool, None
        if pool is not None and self._borrowed is None:
            await pool.session.close()
        if self._closing:
            await asyncio.wait(self._closing)


def _new_session() -> ClientSession:
    return ClientSession(
        connector=_Connector(limit=0),  # bounded by our own queue, which comes before
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def _check_class(kind: type[ClientSession]) -> None:
    """Refuse a session of a class that makes requests in its own way.

    Raises:
        ConfigurationError: it may answer out of a cache, or send again by itself.
    """
    own = (base for base in kind.__mro__ if not issubclass(ClientSession, base))
    if any("_request" in vars(base) for base in own):
        raise ConfigurationError(
            f"the session's class {kind.__name__} makes requests in its own way (out of a cache,"
            " say): hand in a plain aiohttp.ClientSession"
        )


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """Return the body, and whether that is all of it."""
    content = response.content
    body = await content.readany()
    if content.at_eof():
        return _cut(body, limit)
    parts, values = bytearray(body), count_values(body)
    while part := await content.readany():
        parts += part
        values += count_values(part)
        if len(parts) > limit or values > MOST_VALUES:
            response.close()
            return bytes(parts[:KEPT_OF_CUT]), False
    return bytes(parts), True


def _cut(body: bytes, limit: int) -> tuple[bytes, bool]:
    return (body, True) if len(body) <= limit else (body[:KEPT_OF_CUT], False)
