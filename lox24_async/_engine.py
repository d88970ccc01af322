"""The engine room of a client: its queue, its guard, its sessions, and where it lives."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable
from typing import Final, TypeVar

from ._call import Call
from ._config import Secret, origin_of
from ._facts import PROCESS_CLOCK, facts_for
from ._guard import Guard
from ._refusals import Pause
from ._requests import Request
from ._retry import Retrier, RetryPolicy
from ._session import SessionManager
from ._waiting import Slots, WaitingRoom
from ._wire import read_reply, read_request_id
from .errors import TransportError

log = logging.getLogger("lox24_async")

R = TypeVar("R")

_GRACE: Final = 5.0  # seconds that requests in flight get when the client is closed
_LEASE_MARGIN: Final = 5.0  # seconds that a probe may take beyond its attempt's time


class _Home:
    """Where a client lives once it was used."""

    def __init__(self, loop: asyncio.AbstractEventLoop, retrier: Retrier) -> None:
        self.loop = loop
        self.process = os.getpid()
        self.retrier = retrier


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

    @property
    def pause(self) -> Pause | None:
        """What holds all calls up now, if anything does."""
        return None if self._home is None else self._home.retrier.pause()

    def check_open(self) -> None:
        """Refuse a closed client.

        Raises:
            ClientClosedError: it was closed.
        """
        self._room.check()

    def deadline(self, timeout: float | None) -> float | None:
        """Return when a call that begins now has to end, in the loop's time.

        Args:
            timeout: Seconds that the call has.

        Raises:
            RuntimeError: no loop runs, or the client lives in another loop or process.
        """
        return None if timeout is None else self._settle_in().loop.time() + timeout

    def perform(self, request: Request[R], call: Call, most: int | None = None) -> Awaitable[R]:
        """Carry a request out.

        Args:
            request: What to send.
            call: The call that it is for.
            most: Another bound on attempts than the policy's.

        Raises:
            RuntimeError: no loop runs, or the client lives in another loop or process.
            Lox24Error: what went wrong in the end; ``ClientClosedError`` at once.
        """
        retrier = self._settle_in().retrier
        self._room.check()
        # Handed on, not awaited here: a frame less for each of thousands that wait.
        return retrier.run(self._attempt, request, call, max_attempts=most)

    async def _attempt(self, request: Request[R], seconds: float) -> R:
        reply = await self._session.send(request, seconds)
        if log.isEnabledFor(logging.DEBUG):
            request_id = read_request_id(reply, self._token.redact)
            log.debug("%s: %d, request id %s", request, reply.status, request_id)
        try:
            return read_reply(request, reply, self._base_url, self._token.redact)
        except TransportError:  # the answer was another request's
            self._session.drop_connections()
            raise

    def time_left(self, deadline: float | None) -> float:
        """Return the seconds until a deadline."""
        return float("inf") if deadline is None else deadline - asyncio.get_running_loop().time()

    async def sleep(self, seconds: float, deadline: float | None) -> bool:
        """Wait, at the most until a call's deadline.

        Returns:
            Whether there is time left.

        Raises:
            ClientClosedError: the client was closed meanwhile.
        """
        until = asyncio.get_running_loop().time() + seconds
        late = deadline is not None and until >= deadline
        await self._room.sleep(deadline if deadline is not None and late else until)
        return not late

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
        loop = asyncio.get_running_loop()
        home = self._home
        if home is None:
            home = self._home = _Home(loop, self._make_retrier(loop))
        elif home.process != os.getpid():
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
