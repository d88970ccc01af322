"""The opening by steps: how many requests may be in flight after trouble, and how fast they go.

Doubled by each round of good answers, up to what the clients send at once; a refusal halves
it, and from then on it grows by one a round. Who is refused again and again stands before a
rate limit: then requests also leave at a pace, learnt from what was answered between two
refusals, a little faster with each good answer and slower after each refusal. So a rate limit
costs time, not ids.
"""

from math import inf
from typing import Final

_LEAST: Final = 1
_FASTER: Final = 2.0  # than what is known to be answered, at first
_SPEED_UP: Final = 1.05  # by each good answer, until the first refusal at a pace
_CREEP: Final = 1.01  # by each good answer later
_SLOW_DOWN: Final = 0.75  # by each refusal
_PATIENCE: Final = 30.0  # seconds without a refusal, before one who was refused goes at full width


class Window:
    """How many requests may be in flight, which are, and when the next may leave.

    Requests are held by name with an end: one that nobody reports is counted no longer than
    its lease.

    Args:
        now: When the trouble began.
    """

    def __init__(self, now: float) -> None:
        self.size = _LEAST
        self.freed_at = -inf
        """Since when one more may leave."""
        self._doubles = True
        self._round = 0
        self._flights: dict[object, float] = {}
        self._refused_at = now
        self._refusals = 0
        self._answered = 0
        self._rate = inf  # requests a second
        self._growth = _SPEED_UP
        self._next_at = -inf

    def free(self, now: float) -> int:
        """Return how many more may leave now."""
        if len(self._flights) >= self.size:
            self._flights = {f: end for f, end in self._flights.items() if now < end}
        if now < self._next_at:
            return 0
        free = max(0, self.size - len(self._flights))
        return free if self._rate == inf else min(free, 1)

    def ask_at(self, now: float) -> float:
        """Return when one more may leave at the latest, if none may now."""
        full = len(self._flights) >= self.size
        return max(min(self._flights.values()) if full else now, self._next_at)

    def leave(self, flight: object, now: float, lease_ends: float) -> None:
        """A request leaves."""
        self._flights[flight] = lease_ends
        if self._rate < inf:
            self._next_at = now + 1 / self._rate

    def land(self, flight: object, now: float) -> bool:
        """A request has ended. Returns whether it was counted."""
        if self._flights.pop(flight, None) is None:
            return False
        self.freed_at = now
        return True

    def answer(self, now: float) -> None:
        """A request was answered well."""
        self._answered += 1
        self._rate *= self._growth
        self.freed_at = now
        self._round += 1
        if self._round >= self.size:
            self.size = self.size * 2 if self._doubles else self.size + 1
            self._round = 0

    def refuse(self, now: float) -> None:
        """The service is in trouble again."""
        self.size, self._doubles, self._round = max(_LEAST, self.size // 2), False, 0
        self._refusals += 1
        seconds = now - self._refused_at
        if seconds > 0 and self._answered:
            known = self._answered / seconds
            if self._rate == inf:
                self._rate = known * _FASTER
            else:
                self._rate, self._growth = max(known, self._rate * _SLOW_DOWN), _CREEP
        self._refused_at, self._answered = now, 0

    def is_over(self, now: float, width: int) -> bool:
        """Whether all may leave at once again.

        Args:
            now: Seconds.
            width: How many requests the clients send at once.
        """
        calm = not self._refusals or now > self._refused_at + _PATIENCE
        return self.size >= width and calm
