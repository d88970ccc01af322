"""The window behind a limiter, in simulated time: what the guard does with it, and no more."""

import random
from collections import Counter, deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

from lox24_async._guard.window import Window

Limiter = Callable[[float, int], bool]
"""Decides whether a request passes: when it comes, and how many have passed and are in work."""


class Bucket:
    """A limit of requests a second: so many tokens, filled at a rate."""

    def __init__(self, per_second: float, burst: int = 1) -> None:
        self.per_second = per_second
        self._burst = burst
        self._tokens, self._at = float(burst), 0.0

    def __call__(self, now: float, busy: int) -> bool:
        """Let a request pass if there is a token."""
        tokens = min(self._burst, self._tokens + (now - self._at) * self.per_second)
        passes = tokens >= 1.0 - 1e-9
        self._tokens, self._at = tokens - passes, now
        return passes


class Run:
    """Clients that send ``count`` requests, ``width`` at once, each until it is answered well.

    As in the guard, a refusal shuts for all but one probe, for a pause with full jitter that
    doubles while probes fail; and what was sent before the last change is judged already.

    Args:
        limiter: Who refuses.
        count: Requests.
        width: How many at once without a window.
        latency: Seconds to a good answer; a refusal comes in a tenth of it.
        seed: Of the jitter.
    """

    def __init__(
        self,
        limiter: Limiter,
        count: int,
        *,
        width: int = 10,
        latency: float = 0.02,
        initial_delay: float = 0.5,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.window: Window | None = None
        self.answered: list[float] = []
        """When a request was answered well."""
        self.tries: Counter[int] = Counter()
        """How often each was sent."""
        self.paused = 0.0
        """Seconds for which all but a probe had to wait."""
        self._limiter, self._width, self._latency = limiter, width, latency
        self._delay = initial_delay
        self._random = random.Random(seed)
        self._waiting, self._again = deque(range(count)), deque[int]()
        self._count = count
        self._landings: list[tuple[float, float, int, bool, int]] = []
        self._epoch = self._failures = self._busy = 0
        self._shut, self._probe_at, self._prober = False, inf, -1
        self._good_left_at = self._shut_at = -inf

    def go(self) -> "Run":
        """Run to the end."""
        while len(self.answered) < self._count:
            self._send()
            self.now = self._next()
            while self._landings and self._landings[0][0] <= self.now:
                self._land(*heappop(self._landings)[1:])
        return self

    def pace(self) -> float:
        """Return the requests a second at which they leave at last; ``inf``: at any."""
        if self.window is None:
            return inf
        self.window.size += 1  # that its bound may not hide the pace
        self.window.leave("one more", self.now, inf)
        gap = self.window.ask_at(self.now) - self.now
        return 1 / gap if gap > 0 else inf

    @property
    def sent(self) -> int:
        """How many requests went out."""
        return self.tries.total()

    def _next(self) -> float:
        landing = self._landings[0][0] if self._landings else inf
        if not (self._waiting or self._again):
            return landing
        if self._shut:
            return min(landing, self._probe_at if self._prober < 0 else inf)
        if self.window is None or self._in_flight() >= self._width:
            return landing
        ask_at = self.window.ask_at(self.now)
        assert landing < inf or ask_at < inf, "nobody may ever leave"
        return min(landing, max(ask_at, self.now + 1e-6))

    def _in_flight(self) -> int:
        return len(self._landings)

    def _send(self) -> None:
        if self._shut:
            if self._prober < 0 and self.now >= self._probe_at:
                self._prober = self._leave()
            return
        while (self._waiting or self._again) and self._in_flight() < self._width:
            if self.window is not None and not self.window.free(self.now):
                return
            self._leave()

    def _leave(self) -> int:
        one = (self._again or self._waiting).popleft()
        self.tries[one] += 1
        if self.window is not None:
            self.window.leave(one, self.now, self.now + 60.0)
        passes = self._limiter(self.now, self._busy)
        self._busy += passes
        takes = self._latency if passes else self._latency / 10
        heappush(self._landings, (self.now + takes, self.now, one, passes, self._epoch))
        return one

    def _land(self, left_at: float, one: int, passes: bool, epoch: int) -> None:
        if self.window is not None:
            self.window.land(one, self.now)
        self._busy -= passes
        probed = self._prober == one
        if probed:
            self._prober = -1
        if passes:
            self._answer(left_at, probed)
            return
        self._again.append(one)
        if not probed and (self._shut or epoch != self._epoch):
            return
        if self.window is None:
            self.window = Window(one, self.now)
        else:
            self.window.refuse(one, self.now, limited=True)
        self._epoch += 1
        if self._shut or self._good_left_at <= left_at:
            pause = self._random.random() * min(8.0, self._delay * 2.0**self._failures)
            if not self._shut:
                self._shut_at = self.now
            self._shut, self._probe_at = True, self.now + pause
            self._failures += 1

    def _answer(self, left_at: float, probed: bool) -> None:
        self.answered.append(self.now)
        self._good_left_at = max(self._good_left_at, left_at)
        if probed:
            self._shut, self._failures = False, 0
            self.paused += self.now - self._shut_at
            self._epoch += 1
        if self.window is not None and not self._shut:
            self.window.answer(self.now)
            if self.window.is_over(self.now, self._width):
                self.window = None
