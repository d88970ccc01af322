"""The engine of a client: the event loop and the process it lives in, and its end."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from lox24_async._config import Secret, origin_of
from lox24_async._guard.fleet import Fleet, fleet_of
from lox24_async._guard.guard import Guard
from lox24_async._guard.places import gates_of
from lox24_async._wire.requests import Request
from lox24_async.guards import Guards, ProcessGuard, RedisGuard
from lox24_async.retry import Backoff, Pause, RetryPolicy

from .attempts import Attempts
from .call import Call
from .closing import close
from .observing import NOBODY, Observer
from .queue import Slots, Wait, Waits
from .session import SessionManager

R = TypeVar("R")

_LEASE_MARGIN: Final = 5.0  # seconds that a probe may take beyond its attempt's time


class _Alarm:
    """Rings at a deadline, or when the client is closed before."""

    def __init__(
        self, waits: Waits, wake: Wait, deadline: float | None, over: Callable[[], object]
    ) -> None:
        self._waits = waits
        self._wake = wake
        self._over = over
        self._timer = waits.enter(wake, deadline)
        wake.add_done_callback(self._ring)

    def _ring(self, _: object) -> None:
        self.call_off()
        self._over()

    def call_off(self) -> None:
        """Never ring."""
        self._wake.remove_done_callback(self._ring)
        self._waits.leave(self._wake, self._timer)


class Engine:
    """Carries requests out: queued, guarded, repeated where that is right.

    Belongs to the event loop and the process in which it is first used.

    Args:
        base_url: In normal form.
        token: Checked.
        session: Sends the requests.
        retry: How often and how patiently.
        guard: Who shares what is learnt.
        max_concurrency: Requests in flight at once.
        attempt_timeout: Seconds for one attempt.
        observer: Watches each attempt.
    """

    def __init__(
        self,
        base_url: str,
        token: Secret,
        session: SessionManager,
        retry: RetryPolicy,
        *,
        guard: Guards,
        max_concurrency: int,
        attempt_timeout: float,
        observer: Observer = NOBODY,
    ) -> None:
        self._sharing = guard
        self._origin = origin_of(base_url)
        self._token = token
        self._session = session
        self._retry = retry
        self._width = max_concurrency
        self._attempt_timeout = attempt_timeout
        self._observer = observer
        self._waits = Waits()
        self._slots = Slots(max_concurrency, self._waits)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._guard: Guard | None = None
        self._attempts: Attempts | None = None
        self._fleet: Fleet | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port of the service."""
        return self._origin

    @property
    def client_id(self) -> str:
        """The part of the token before the colon."""
        return self._token.client_id

    @property
    def closed(self) -> bool:
        """Whether the client was closed."""
        return self._waits.closed

    @property
    def pause(self) -> Pause | None:
        """What holds all calls up now, if anything does."""
        if self._guard is None or self._loop is None:
            return None
        return self._guard.pause(self._loop.time())

    def check_open(self) -> None:
        """Refuse a closed client.

        Raises:
            ClientClosedError: it was closed.
        """
        self._waits.check()

    def deadline(self, timeout: float | None) -> float | None:
        """Return when a call that begins now has to end, in the loop's time.

        Args:
            timeout: Seconds that the call has.

        Raises:
            RuntimeError: no loop runs, or the client belongs to another loop or process.
        """
        return None if timeout is None else self._bind().time() + timeout

    def perform(self, request: Request[R], call: Call, most: int | None = None) -> Awaitable[R]:
        """Carry a request out.

        Args:
            request: What to send.
            call: The call that it is for.
            most: Another bound on attempts than the policy's.

        Raises:
            RuntimeError: no loop runs, or the client belongs to another loop or process.
            Lox24Error: what went wrong in the end.
        """
        loop = self._bind()
        if self._attempts is None:
            self._attempts = self._make_attempts(loop)
        # Handed on, not awaited here: a frame less for each of thousands that wait.
        return self._attempts.run(request, call, max_attempts=most)

    def now(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

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
        await self._waits.sleep(deadline if deadline is not None and late else until)
        return not late

    def watch(self, deadline: float | None, over: Callable[[], object]) -> Callable[[], None]:
        """Have a function called at a deadline, or when the client is closed before.

        Returns:
            What calls that off.

        Raises:
            ClientClosedError: the client is closed already.
        """
        return _Alarm(self._waits, self._bind().create_future(), deadline, over).call_off

    async def close(self) -> None:
        """End what waits, give requests in flight a grace time, close the sessions."""
        if self._loop is not None:
            self._bind()  # in another loop it could do nothing but harm
        fleet, self._fleet = self._fleet, None
        await close(self._waits, self._slots, self._session, fleet)

    def _bind(self) -> asyncio.AbstractEventLoop:
        """Come to belong to the running loop, or check that we do."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop, self._process = loop, os.getpid()
        elif self._process != os.getpid():  # pragma: no cover - in a forked child, not measured
            raise RuntimeError("this client belongs to the parent process; make one after the fork")
        elif self._loop is not loop:
            raise RuntimeError(
                "this client belongs to another event loop; make one in each asyncio.run()"
            )
        return loop

    def _make_attempts(self, loop: asyncio.AbstractEventLoop) -> Attempts:
        # What a mock answers is told to nobody else.
        sharing = ProcessGuard() if self._session.is_mocked else self._sharing
        origin, token = gates_of(sharing, self._origin, self._token.reveal(), loop)
        backoff = Backoff(self._retry, random.random)
        lease = self._attempt_timeout + _LEASE_MARGIN
        self._guard = Guard(origin, token, lease=lease, backoff=backoff, width=self._width)
        if isinstance(sharing, RedisGuard) and origin.store.shared:
            self._fleet = fleet_of(sharing, self._origin, origin)
            self._guard.join(self._fleet)
            self._fleet.join(self._guard, self._token, token.digest)
        return Attempts(
            self._session,
            self._guard,
            self._slots,
            self._waits,
            policy=self._retry,
            backoff=backoff,
            attempt_timeout=self._attempt_timeout,
            clock=loop.time,
            observer=self._observer,
        )
