"""The gateway's clock: the loop's time, and the wall time that goes with it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time of the loop that runs the gateway; it stands still while none does.

    The loop's time may leap (as looptime lets it): dates then leap with it.
    """

    def __init__(self) -> None:
        self._loop_time: Callable[[], float] = lambda: 0.0
        self._elapsed: Callable[[], float] = lambda: 0.0
        self._zero = datetime.now(UTC)

    def start(self) -> None:
        """Go on in the running loop, from where it stopped."""
        loop_time = asyncio.get_running_loop().time
        zero = loop_time() - self.elapsed()
        self._zero = datetime.now(UTC) - timedelta(seconds=self.elapsed())
        self._loop_time = loop_time
        self._elapsed = lambda: loop_time() - zero

    def stop(self) -> None:
        """Stand still."""
        last, elapsed = self.seconds(), self.elapsed()
        self._loop_time, self._elapsed = lambda: last, lambda: elapsed

    def seconds(self) -> float:
        """Return the loop's time."""
        return self._loop_time()

    def elapsed(self) -> float:
        """Return how many seconds the gateway has run."""
        return self._elapsed()

    def date(self, elapsed: float | None = None) -> datetime:
        """Return the date and time, now or ``elapsed`` seconds after the start."""
        return self._zero + timedelta(seconds=self.elapsed() if elapsed is None else elapsed)

    def until(self, moment: datetime) -> float:
        """Return what :meth:`elapsed` says at a moment."""
        return (moment - self._zero).total_seconds()
