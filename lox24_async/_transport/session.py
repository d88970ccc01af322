"""The session manager: one request in, its result out, over one pool of connections.

It makes, borrows and closes sessions of aiohttp, and keeps to itself what they raise.
"""

import asyncio
from http import HTTPStatus
from ssl import SSLContext
from typing import Any, Final, TypeVar

from aiohttp import ClientSession

from lox24_async._checks import check_kind
from lox24_async._config import Secret, proxy_hint
from lox24_async._log import log
from lox24_async._wire.replies import Reply, read_reply, read_request_id
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

from .connector import Progress, current_progress
from .direct_lane import DirectLane, InsideChangedError
from .failures import timed_out, translate
from .headers import OwnHeaders
from .patched import is_patched
from .pool import Pool, new_session
from .session_lane import SessionLane
from .timeouts import Timeouts

__all__ = ["ClientSession", "SessionManager"]

R = TypeVar("R")

_OWNER_CLOSED: Final = "the session that was handed in is closed"


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
        self._token = token
        self._borrowed = session
        self._proxy = proxy
        self._ssl = True if ssl is None else ssl
        headers = OwnHeaders(token, user_agent)
        self._headers = headers
        self._session_lane = SessionLane(base_url, headers, proxy=proxy, ssl=self._ssl)
        self._pool: Pool | None = None
        self._timeouts = Timeouts(attempt_timeout)
        self._closing: set[asyncio.Task[None]] = set()

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
        progress = Progress()
        failure: Lox24Error
        swallowed = False
        timeout = self._timeouts.begin(seconds)
        try:
            if pool.lane is None or not DirectLane.works or self._is_watched(pool.session):
                current_progress.set(progress)
                reply = await self._session_lane.send(pool.session, request)
            else:
                try:
                    reply = await pool.lane.send(request, progress)
                except InsideChangedError as change:
                    reply = await self._change_lanes(change, pool, request, progress)
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
                else self._typed(error, pool, progress)
            )
        finally:
            self._timeouts.end(timeout)
            self._leave_pool(pool)
        if swallowed:
            raise asyncio.CancelledError  # the caller's cancel wins, whatever came of it within
        _stamp(failure, request, progress)
        try:
            raise failure  # out here: an aiohttp error, which holds the token, is no context
        finally:
            del failure

    def _typed(self, error: Exception, pool: Pool, progress: Progress) -> Lox24Error:
        """Return our error for what a lane has raised."""
        if progress.connecting and pool.session.closed:
            return ClientClosedError("the client was closed")
        failure = translate(error, self._token.redact, connecting=progress.connecting)
        if failure.attempts and not isinstance(failure, RequestTimeoutError):
            self._retire(pool)  # its other idle connections may be as stale
        return failure

    @property
    def is_mocked(self) -> bool:
        """Whether a mock, and not LOX24, may answer what is sent now."""
        return is_patched()

    @staticmethod
    def _is_watched(session: ClientSession) -> bool:
        """Whether somebody would miss a request that goes past our session."""
        return bool(session.trace_configs) or is_patched()

    async def _change_lanes(
        self, change: InsideChangedError, pool: Pool, request: Request[Any], progress: Progress
    ) -> Reply:
        """Send by the session what the direct lane could not, now and for good."""
        if DirectLane.works:
            DirectLane.works = False
            log.warning(
                "this version of aiohttp is not as lox24_async knows it (%s); from now on its"
                " session is used, which takes more time",
                change,
            )
        if change.sent:
            raise change  # it may be on the wire: no second one unseen
        current_progress.set(progress)
        return await self._session_lane.send(pool.session, request)

    # --- the pool

    def _enter_pool(self) -> Pool:
        if self._pool is None:
            self._pool = self._new_pool()
        if self._pool.session.closed:
            raise ClientClosedError(_OWNER_CLOSED)
        self._pool.users += 1
        return self._pool

    def _new_pool(self) -> Pool:
        if self._borrowed is not None:
            return Pool(self._borrowed)
        session = new_session()
        if self._proxy is not None:
            return Pool(session)
        lane = DirectLane(session.connector, self._base_url, self._headers, ssl=self._ssl)
        return Pool(session, lane)

    def _leave_pool(self, pool: Pool) -> None:
        pool.users -= 1
        if self._borrowed is None and pool is not self._pool and not pool.users:
            self._close_later(pool)

    def drop_connections(self) -> None:
        """Use none of today's connections for a later request: one is out of step.

        A borrowed session keeps its connections, they are its owner's; from now on each of
        our requests asks that its connection be closed after the answer.
        """
        if self._borrowed is not None:
            self._session_lane.more_headers = {"Connection": "close"}
        elif self._pool is not None:
            self._retire(self._pool)

    def _retire(self, pool: Pool) -> None:
        if self._borrowed is None and pool is self._pool:
            self._pool = None
            pool.retire()
            if not pool.users:
                self._close_later(pool)

    def _close_later(self, pool: Pool) -> None:
        task = asyncio.get_running_loop().create_task(pool.session.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close what this manager made. What is still in flight loses its connection."""
        self._timeouts.close()
        pool, self._pool = self._pool, None
        if pool is not None and self._borrowed is None:
            pool.retire()
            await pool.session.close()
        if self._closing:
            await asyncio.wait(self._closing)


def _stamp(failure: Lox24Error, request: Request[Any], progress: Progress) -> None:
    """Write into an error what is known of the request that it ended."""
    if isinstance(failure, TransportError):
        failure.answered = 200 <= progress.status < 300
    failure.bulk_id = request.bulk_id
    failure.outcome_unknown = bool(failure.attempts) and request.changes


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
