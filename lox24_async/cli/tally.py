"""Counts of a run: how far it is, how fast, and what came of it so far."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from lox24_async import CancelOutcome, CancelState

from .failures import IN_VAIN
from .verdict import is_unreachable

_WINDOW: Final = 10.0  # seconds over which the rate is taken


class Tally:
    """Counts what comes in.

    Args:
        total: How many there are; ``None``: nobody knows yet.
        clock: Seconds.
        phase: What is going on.
    """

    def __init__(
        self,
        total: int | None,
        clock: Callable[[], float] = time.monotonic,
        phase: str = "cancelling",
    ) -> None:
        self.total = total
        self.counts: Counter[CancelState] = Counter()
        self.done = 0
        self.phase = phase
        self.halt = asyncio.Event()
        """Set when the run is being stopped."""
        self.in_vain = asyncio.Event()
        """Set when nothing was ever answered: LOX24 cannot be reached."""
        self._unreachable = 0
        self._note, self._noted_at = "", -1
        self._clock = clock
        self._started = clock()
        self._samples: deque[tuple[float, int]] = deque([(self._started, 0)])

    def count(self, outcome: CancelOutcome) -> None:
        """Take an outcome."""
        self.counts[outcome.state] += 1
        self.done += 1
        self._unreachable += is_unreachable(outcome)
        if self._unreachable == self.done == IN_VAIN:
            self.in_vain.set()

    def move(self, before: CancelState, after: CancelState) -> None:
        """Take what a second look made of an outcome."""
        self.counts[before] -= 1
        self.counts[after] += 1

    def stop(self) -> None:
        """Show that the run is being stopped."""
        self.halt.set()
        self.phase = "stopping"
        self.say("requests in flight get 5 s; Ctrl-C again leaves at once")

    @property
    def stopped(self) -> bool:
        """Whether the run is being stopped."""
        return self.halt.is_set()

    def say(self, note: str) -> None:
        """Show a note until things move on."""
        self._note, self._noted_at = note, self.done

    @property
    def note(self) -> str:
        """The note, while nothing has come in since."""
        return self._note if self._noted_at == self.done else ""

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def sample(self) -> float:
        """Return outcomes per second of late."""
        now, samples = self._clock(), self._samples
        samples.append((now, self.done))
        while len(samples) > 2 and samples[0][0] < now - _WINDOW:
            samples.popleft()
        then, before = samples[0]
        return (self.done - before) / (now - then) if then < now else 0.0

    def left(self, rate: float) -> str:
        """Return the time that the rest will take."""
        if not rate or self.total is None:
            return "-:-- left"
        minutes, seconds = divmod(round((self.total - self.done) / rate), 60)
        hours, minutes = divmod(minutes, 60)
        return (
            f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"
        )
