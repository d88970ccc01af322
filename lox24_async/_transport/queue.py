"""Where the calls of one client wait: for a slot, for the guard, for a backoff to pass.

Every wait ends by a wake, by time, or by the client's closing; none is left behind.
"""

import asyncio
from collections import deque
from contextlib import suppress

from lox24_async.errors import ClientClosedError

Wait = asyncio.Future[bool]
"""A wait: ended with ``True`` by what was waited for, with ``False`` by time or closing."""


class Wake(asyncio.Future[bool]):
    """A wait that may be ended by a call from any thread."""

    __slots__ = ()

    def __call__(self) -> None:
        loop = self.get_loop()
        if asyncio._get_running_loop() is loop:
            end(self, True)
            return
        with suppress(RuntimeError):  # a loop that is gone has nobody waiting
            loop.call_soon_threadsafe(end, self, True)


def end(wake: Wait, woken: bool) -> None:
    """End a wait, unless it has ended."""
    if not wake.done():
        wake.set_result(woken)


class Waits:
    """The waits of one client."""

    def __init__(self) -> None:
        self.closed = False
        self._waiting: set[Wait] = set()

    def check(self) -> None:
        """Refuse whoever comes after closing.

        Raises:
            ClientClosedError: the client was closed.
        """
        if self.closed:
            raise ClientClosedError("the client is closed")

    async def wait(self, wake: Wait, until: float | None = None) -> bool:
        """Wait for a wake.

        Args:
            wake: The future that ends the wait.
            until: When to stop waiting, in the loop's time; ``None``: never.

        Returns:
            Whether the wake came, rather than the time.

        Raises:
            ClientClosedError: the client was closed meanwhile.
        """
        timer = self.enter(wake, until)
        try:
            woken = await wake
        finally:
            self.leave(wake, timer)
        self.check()
        return woken

    def enter(self, wake: Wait, until: float | None) -> asyncio.TimerHandle | None:
        """Begin a wait that is awaited elsewhere; must be followed by :meth:`leave`."""
        self.check()
        self._waiting.add(wake)
        return None if until is None else wake.get_loop().call_at(until, end, wake, False)

    def leave(self, wake: Wait, timer: asyncio.TimerHandle | None) -> None:
        """End a wait."""
        self._waiting.discard(wake)
        if timer is not None:
            timer.cancel()

    async def sleep(self, until: float) -> None:
        """Wait for a moment of the loop's time.

        Raises:
            ClientClosedError: the client was closed meanwhile.
        """
        await self.wait(asyncio.get_running_loop().create_future(), until)

    def close(self) -> None:
        """End every wait."""
        self.closed = True
        for wake in self._waiting:
            end(wake, False)


class Slots:
    """The requests in flight, bounded; the rest wait in order of arrival.

    Who gives way waits in a line of its own, which moves when the other one is empty.
    """

    def __init__(self, count: int, waits: Waits) -> None:
        self._count = self._free = count
        self._waits = waits
        self._line: deque[Wait] = deque()
        self._last: deque[Wait] = deque()  # who gives way to all others
        self._gone = 0  # how many in line have given up
        self._idle: Wait | None = None

    def take(self) -> bool:
        """Take a slot if one is free.

        Raises:
            ClientClosedError: the client was closed.
        """
        self._waits.check()
        if not self._free:
            return False
        self._free -= 1
        return True

    def line_up(self, *, gives_way: bool = False) -> Wait:
        """Stand in line: the wake says that a slot was handed over.

        Who stops waiting must :meth:`give_up`.

        Args:
            gives_way: Whether whoever comes goes first.
        """
        turn: Wait = asyncio.get_running_loop().create_future()
        (self._last if gives_way else self._line).append(turn)
        return turn

    def give_up(self, turn: Wait) -> None:
        """Leave the line; a slot that was handed over in this very moment passes on."""
        if turn.done() and not turn.cancelled() and turn.result():
            self.release()
        end(turn, False)
        self._gone += 1
        if self._gone * 2 > len(self._line) + len(self._last):
            self._line = deque(turn for turn in self._line if not turn.done())
            self._last = deque(turn for turn in self._last if not turn.done())
            self._gone = 0

    def release(self) -> None:
        """Hand the slot to the next in line."""
        while self._line or self._last:
            turn = (self._line or self._last).popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1
        if self._idle is not None and self._free == self._count:
            end(self._idle, True)

    async def drain(self, seconds: float) -> None:
        """Wait until nothing is in flight, or the time is over."""
        if self._free < self._count:
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._idle,), timeout=seconds)
