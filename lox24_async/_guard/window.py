"""The opening by steps: how many requests may be in flight after trouble, and how fast they go.

Doubled by each round of good answers, up to what the clients send at once; a refusal halves
it, and from then on it grows by one a round. Who is refused with 429 or 503 on the way stands
before a rate limit: then requests also leave at a pace, learnt from what was answered between
two refusals, a little faster with each good answer. So a rate limit costs time, not ids.
Who is refused at a pace that was let pass before does not stand before that limit: errors
that come at any pace are not avoided by going slower.
"""

from collections import deque
from math import inf, sqrt
from typing import Final

_LEAST: Final = 1
_MANY: Final = 16  # in flight, before it is over: what a burst lets pass is no proof
_FEW: Final = 4  # good answers
_SPEED_UP_MOST: Final = 0.1  # by each good answer, while next to nothing is known
_SPEED_UP: Final = 0.02  # by each good answer until the first refusal at a pace; halved by each
_CREEP: Final = 0.002  # at least
_SLOW_DOWN: Final = 0.9  # by each refusal, at least
_SLOWEST: Final = 1.0  # requests a second: an outage must not pass for a limit near to nothing
_REMEMBERED: Final = 16  # refusals
_CERTAIN: Final = 8  # good answers
_NEAR: Final = 1.1  # times a pace that was let pass
_FASTER: Final = 4.0  # times, by each refusal at such a pace
_PATIENCE: Final = 30.0  # seconds without a refusal, before one who was refused goes at full width


class Window:
    """How many requests may be in flight, which are, and when the next may leave.

    Requests are held by name with an end: one that nobody reports is counted no longer than
    its lease.

    Args:
        flight: Whose request was refused first; ``None``: another process's.
        now: When the trouble began.
    """

    def __init__(self, flight: object, now: float) -> None:
        self.size = _LEAST
        self.freed_at = -inf
        """Since when one more may leave."""
        self._doubles = True
        self._round = 0
        self._flights: dict[object, float] = {}
        self._refused = flight
        self._again = 0  # how often in a row
        self._refused_at = now
        self._opened_at = inf  # when the first request left after that
        self._left = 0  # requests since then
        self._answered = 0  # and good answers
        self._rate = inf  # requests a second
        self._passed = deque[float](maxlen=_REMEMBERED)  # rates that a limit let pass for certain
        self._speed_up = _SPEED_UP
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
        if not self._left:
            self._opened_at = self._next_at = now
        self._left += 1
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
        if now < self._next_at:  # else it is not the pace that holds them back
            self._rate *= 1 + self._speed_up
        self.freed_at = now
        self._round += 1
        if self._round >= self.size:
            doubles = self._doubles or self._is_calm(now)
            self.size = self.size * 2 if doubles else self.size + 1
            self._round = 0

    def refuse(self, flight: object, now: float, *, limited: bool) -> None:
        """The service is in trouble again.

        Args:
            flight: Whose request was refused.
            now: Seconds.
            limited: Whether that may be the word of a rate limit.
        """
        self.size, self._round = max(_LEAST, self.size // 2), 0
        if self._answered:  # else it is still the same trouble, of which a probe was told
            self._doubles = False
            self._again = self._again + 1 if flight is self._refused else 0
            # Who is refused again and again, with few answers between, may be the only one.
            if limited and (self._again < 2 or self._answered >= _CERTAIN):
                self._learn(now)
        self._refused, self._refused_at = flight, now
        self._opened_at, self._left, self._answered = inf, 0, 0

    def _learn(self, now: float) -> None:
        # What was answered, pauses included, was no faster than the limit; what was tried, and
        # refused, was no slower; both but for the burst that a limit lets pass.
        seconds = max(now - self._refused_at, 1e-3)
        answered = self._answered / seconds
        passed = max(self._passed, default=0.0)
        self._passed.append((self._answered - 1) / seconds)  # the odd one was spared up before
        if self._rate <= passed * _NEAR:  # no limit, or not this one, refuses what it let pass
            self._rate *= _FASTER
            return
        if self._rate == inf:
            tried = self._left / max(now - self._opened_at, 1e-3)
            if self._answered < _FEW:  # so slow that none is refused once more, but not for long
                self._rate, self._speed_up = max(answered * 2, _SLOWEST), _SPEED_UP_MOST
                return
        else:
            tried = self._rate
            if not self._again:
                self._speed_up = max(_CREEP, min(_SPEED_UP, self._speed_up) / 2)
        slower = min(sqrt(answered * tried), tried * _SLOW_DOWN)
        self._rate = max(_SLOWEST, *self._passed, slower)

    def is_over(self, now: float, width: int) -> bool:
        """Whether all may leave at once again.

        Args:
            now: Seconds.
            width: How many requests the clients send at once.
        """
        return self.size >= max(width, _MANY) and (self._rate == inf or self._is_calm(now))

    def _is_calm(self, now: float) -> bool:
        return now > self._refused_at + _PATIENCE
