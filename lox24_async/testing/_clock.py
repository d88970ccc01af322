"""The gateway's clock: the loop's time, and the wall time that goes with it."""

import asyncio
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time of the loop that runs the gateway; it stands still while none does.

    The loop's time may leap (as looptime lets it): dates then leap with it.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last = 0.0  # the loop's time when it was last looked at
        self._elapsed = 0.0
        self._zero = datetime.now(UTC)

    def start(self) -> None:
        """Go on in the running loop, from where it stopped."""
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._zero = datetime.now(UTC) - timedelta(seconds=self._elapsed)

    def stop(self) -> None:
        """Stand still."""
        self.elapsed()
        self._loop = None

    def seconds(self) -> float:
        """Return the loop's time."""
        return self._last if self._loop is None else self._loop.time()

    def elapsed(self) -> float:
        """Return how many seconds the gateway has run."""
        now = self.seconds()
        # looptime begins at 0 with the test itself, after the fixtures ran in real time.
        self._elapsed += max(0.0, now - self._last)
        self._last = now
        return self._elapsed

    def date(self, elapsed: float | None = None) -> datetime:
        """Return the date and time, now or ``elapsed`` seconds after the start."""
        return self._zero + timedelta(seconds=self.elapsed() if elapsed is None else elapsed)

    def until(self, moment: datetime) -> float:
        """Return what ``elapsed`` says at a moment."""
        return (moment - self._zero).total_seconds()
