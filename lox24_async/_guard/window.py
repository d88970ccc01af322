"""The opening by steps: how many requests may be in flight after the service was in trouble.

Doubled by each round of good answers, up to what the clients send at once; a refusal halves
it, and from then on it grows by one a round. So a rate limit costs time, not ids.
"""

from math import inf
from typing import Final

_LEAST: Final = 1


class Window:
    """How many requests may be in flight, and which are.

    Requests are held by name with an end: one that nobody reports is counted no longer than
    its lease.
    """

    def __init__(self) -> None:
        self.size = _LEAST
        self._doubles = True
        self._good = 0
        self._flights: dict[object, float] = {}
        self.freed_at = -inf
        """Since when one more may leave."""

    def free(self, now: float) -> int:
        """Return how many more may leave now."""
        if len(self._flights) >= self.size:
            self._flights = {f: end for f, end in self._flights.items() if now < end}
        return max(0, self.size - len(self._flights))

    def next_end(self) -> float:
        """Return when one more may leave at the latest, if none may now."""
        return min(self._flights.values())

    def leave(self, flight: object, lease_ends: float) -> None:
        """A request leaves."""
        self._flights[flight] = lease_ends

    def land(self, flight: object, now: float) -> bool:
        """A request has ended. Returns whether it was counted."""
        if self._flights.pop(flight, None) is None:
            return False
        self.freed_at = now
        return True

    def answer(self, now: float) -> None:
        """A request was answered well."""
        self._good += 1
        self.freed_at = now
        if self._good >= self.size:
            self.size = self.size * 2 if self._doubles else self.size + 1
            self._good = 0

    def refuse(self) -> None:
        """The service is in trouble again."""
        self.size, self._doubles, self._good = max(_LEAST, self.size // 2), False, 0
