"""The engine room of a client: its queue, its guard, its sessions, and where it lives."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable
from functools import partial
from typing import Final, TypeVar

from attrs import frozen

from ._call import Call
from ._config import Secret, origin_of
from ._facts import PROCESS_CLOCK, facts_for
from ._guard import Guard
from ._retry import Retrier, RetryPolicy
from ._session import SessionManager
from ._waiting import Slots, WaitingRoom
from ._wire import Request, read_bulk, read_request_id
from .errors import TransportError
from .models import Bulk

log = logging.getLogger("lox24_async")

BulkT = TypeVar("BulkT", bound=Bulk)

_GRACE: Final = 5.0  # seconds that requests in flight get when the client is closed
_LEASE_MARGIN: Final = 5.0  # seconds that a probe may take beyond its attempt's time


@frozen
class _Home:
    """Where a client lives once it was used."""

    loop: asyncio.AbstractEventLoop
    process: int
    retrier: Retrier


class Engine:
    """Carries requests out: queued, guarded, repeated where that is right.

    Args:
        base_url: In normal form.
        token: Checked.
        session: Sends the requests.
        retry: How often and how patiently.
        max_concurrency: Requests in flight at once.
        attempt_timeout: Seconds for one attempt.
    """

    def __init__(
        self,
        base_url: str,
        token: Secret,
        session: SessionManager,
        retry: RetryPolicy,
        *,
        max_concurrency: int,
        attempt_timeout: float,
    ) -> None:
        self._base_url = base_url
        self._token = token
        self._session = session
        self._retry = retry
        self._attempt_timeout = attempt_timeout
        self._room = WaitingRoom()
        self._slots = Slots(max_concurrency, self._room)
        self._home: _Home | None = None

    @property
    def closed(self) -> bool:
        """Whether the client was closed."""
        return self._room.closed

    def check_open(self) -> None:
        """Refuse a closed client.

        Raises:
            ClientClosedError: it was closed.
        """
        self._room.check()

    def begin(self, bulk_id: str, timeout: float | None) -> Call:
        """Begin a call here and now.

        Raises:
            ClientClosedError: the client was closed.
            RuntimeError: no loop runs, or the client lives in another loop or process.
        """
        home = self._settle_in()
        self._room.check()
        return Call(bulk_id, None if timeout is None else home.loop.time() + timeout)

    def perform(
        self, request: Request[BulkT], call: Call, most: int | None = None
    ) -> Awaitable[BulkT]:
        """Carry a request out.

        Args:
            request: What to send.
            call: The call that it is for.
            most: Another bound on attempts than the policy's.

        Raises:
            Lox24Error: what went wrong in the end.
        """
        retrier = self._settle_in().retrier
        # Handed on, not awaited here: a frame less for each of thousands that wait.
        return retrier.run(partial(self._attempt, request), call, max_attempts=most)

    async def _attempt(self, request: Request[BulkT], seconds: float) -> BulkT:
        reply = await self._session.send(request, seconds)
        if log.isEnabledFor(logging.DEBUG):
            request_id = read_request_id(reply, self._token.redact)
            log.debug("%s: %d, request id %s", request, reply.status, request_id)
        try:
            return read_bulk(request, reply, self._base_url, self._token.redact)
        except TransportError:  # the answer was another request's
            self._session.drop_connections()
            raise

    async def close(self) -> None:
        """Send home who waits, give requests in flight a grace time, close the sessions."""
        if self._home is not None:
            self._settle_in()  # in another loop it could do nothing but harm
        self._room.close()
        if self._home is not None:
            try:
                await self._slots.drain(_GRACE)
            finally:
                await self._session.close()

    def _settle_in(self) -> _Home:
        """Come to live in the running loop, or check that we do."""
        loop, process = asyncio.get_running_loop(), os.getpid()
        home = self._home
        if home is None:
            home = self._home = _Home(loop, process, self._make_retrier(loop))
        elif home.process != process:
            raise RuntimeError("this client belongs to the parent process; make one after the fork")
        elif home.loop is not loop:
            raise RuntimeError(
                "this client belongs to another event loop; make one in each asyncio.run()"
            )
        return home

    def _make_retrier(self, loop: asyncio.AbstractEventLoop) -> Retrier:
        now = loop.time()
        # A loop with a clock of its own (a test's, say) cannot share moments with others.
        clock = PROCESS_CLOCK if abs(now - time.monotonic()) < 1 else loop
        origin, token = facts_for(origin_of(self._base_url), self._token.reveal(), now, clock)
        pacing = self._retry.pacing()
        guard = Guard(origin, token, lease=self._attempt_timeout + _LEASE_MARGIN, pacing=pacing)
        return Retrier(
            self._retry,
            guard,
            self._slots,
            self._room,
            pacing=pacing,
            attempt_timeout=self._attempt_timeout,
            clock=loop.time,
        )
