"""The gates: what is known of a token at an origin, and of an origin, and who waits there.

Values and deadlines, in seconds of one clock; nothing here waits or sends. The rules that
change them stand in ``rules``.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Final

from lox24_async.errors import APIStatusError, IPBlockedError, Lox24Error
from lox24_async.retry import Backoff

WINDOW: Final = 60.0
"""Seconds over which LOX24 counts wrong requests."""
MOST_WRONG: Final = 3
"""Wrong requests within the window that LOX24 lets pass; one more blocks the IP."""
BLOCK: Final = 600.0
"""Seconds that a block lasts, as documented."""
_SHORTEST_KNOCK: Final = 0.01  # even for a policy without delays


class Ticket:
    """One call's place before the guard."""

    __slots__ = ("origin_epoch", "token_epoch", "tries", "wake")

    def __init__(self) -> None:
        self.wake: Callable[[], None] | None = None
        """Set while the call waits: tells it to ask again."""
        self.origin_epoch = -1
        self.token_epoch = -1
        self.tries = 0
        """How many of its requests were answered, or lost: who has fewer goes first."""


class Line:
    """Who waits: first those who had fewer tries, among these in order of arrival."""

    def __init__(self) -> None:
        self._tiers: dict[int, OrderedDict[Ticket, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._tiers)

    def __iter__(self) -> Iterator[Ticket]:
        for tries in sorted(self._tiers):
            yield from self._tiers[tries]

    def first(self) -> Ticket | None:
        """Return whose turn is next."""
        return next(iter(self._tiers[min(self._tiers)])) if self._tiers else None

    def join(self, ticket: Ticket) -> None:
        """Stand in line, or stay where one stands."""
        self._tiers.setdefault(ticket.tries, OrderedDict()).setdefault(ticket)

    def quit(self, ticket: Ticket) -> None:
        """Leave the line, if one stands in it."""
        tier = self._tiers.get(ticket.tries)
        if tier is not None:
            tier.pop(ticket, None)
            if not tier:
                del self._tiers[ticket.tries]


class Gate:
    """Open, or shut; then one probe at a time may pass, from ``probe_at`` on."""

    def __init__(self, shut: bool) -> None:
        self.shut = shut
        self.probe_at = float("-inf")
        self.prober: Ticket | None = None
        self.lease_ends = 0.0
        self.epoch = 0  # tells an answer to a request of today from one of before the change

    def open(self) -> None:
        self.shut, self.prober = False, None
        self.epoch += 1

    def shut_until(self, moment: float) -> None:
        # A probe that is under way keeps its right: there is never more than one.
        self.shut, self.probe_at = True, moment
        self.epoch += 1

    def ask_at(self, now: float) -> float:
        """When it is worth asking (again) for the probe's turn; ``now`` if at once."""
        if self.prober is not None and now < self.lease_ends:
            return self.lease_ends
        return max(now, self.probe_at)

    def lend(self, ticket: Ticket, lease_ends: float) -> None:
        self.prober, self.lease_ends = ticket, lease_ends

    def give_back(self, ticket: Ticket, now: float) -> bool:
        if self.prober is not ticket:
            return False
        self.prober = None
        self.probe_at = max(self.probe_at, now)
        return True


class TokenGate(Gate):
    """What is known of one token at one origin. Shut until a request proves it."""

    def __init__(self) -> None:
        super().__init__(shut=True)
        self.refused: int | None = None  # the status that refused it
        self.forbidden = 0  # 403s since the last proof
        self.line = Line()
        self.used_at = 0.0

    def refuse(self, status: int, now: float) -> None:
        self.refused = status
        self.shut_until(now + WINDOW)

    def refuses(self, now: float) -> bool:
        """Whether nothing at all may go, not even a wait."""
        return self.shut and self.refused is not None and now < self.probe_at

    def is_needed(self, now: float) -> bool:
        """Whether forgetting this could cost anybody anything."""
        busy = bool(self.line) or self.prober is not None
        return busy or self.refuses(now) or now < self.used_at + BLOCK


class OriginGate(Gate):
    """What is known of one origin: is this IP blocked, is the service down?"""

    def __init__(self) -> None:
        super().__init__(shut=False)
        self.lock = threading.RLock()
        self.tokens: dict[bytes, TokenGate] = {}
        self.waiting: set[TokenGate] = set()  # whose lines are not empty
        self.suspects: set[TokenGate] = set()  # whose probes may be under way
        self.wrong: deque[float] = deque(maxlen=MOST_WRONG)  # when 401s and 403s came
        self.cause: Lox24Error | None = None  # what shut the gate
        self.failures = 0
        self.first_429: float | None = None
        self.knock = 0.0
        self.blocked_until = 0.0

    def careful_until(self, now: float) -> tuple[float, bool]:
        """Until when one more request that may be wrong would be one too many.

        Returns:
            The moment (``now``: not at all), and whether wrong requests are the reason, and
            not probes under way, whose answers may come at any time.
        """
        self.suspects = {t for t in self.suspects if t.prober is not None and now < t.lease_ends}
        wrong = [moment + WINDOW for moment in self.wrong if now < moment + WINDOW]
        ends = sorted([*wrong, *(token.lease_ends for token in self.suspects)])
        if len(ends) < MOST_WRONG:
            return now, False
        return ends[len(ends) - MOST_WRONG], len(wrong) == MOST_WRONG

    def recover(self) -> None:
        """The service answers again."""
        self.cause, self.failures, self.first_429 = None, 0, None
        self.open()

    def block(self, error: Lox24Error, now: float, backoff: Backoff) -> None:
        """A 429, or no clear answer to a probe after one.

        Pause as the server said, else knock at doubling intervals, and once exactly when a
        documented block ends.
        """
        if self.first_429 is None:
            self.first_429, self.knock = now, max(backoff.initial_delay, _SHORTEST_KNOCK)
        else:
            self.knock *= 2
        end = self.first_429 + BLOCK
        said = retry_after_of(error)
        probe_at = now + (said or self.knock)
        if not said and now < end < probe_at:
            probe_at = end
        self.blocked_until = probe_at if said else max(end, probe_at)
        if isinstance(error, IPBlockedError) or self.cause is None:
            self.cause = error
        self.shut_until(probe_at)

    def rest(self, error: Lox24Error, now: float, backoff: Backoff) -> None:
        """The service fails: pause as it said, else with backoff."""
        pause = retry_after_of(error) or backoff.delay(self.failures)
        self.failures += 1
        self.cause = error
        self.shut_until(now + pause)

    def prolong(self, moment: float) -> None:
        """Another answer of the same wave asks for a longer pause."""
        self.probe_at = max(self.probe_at, moment)
        self.blocked_until = max(self.blocked_until, moment)


def retry_after_of(error: Lox24Error) -> float | None:
    return error.retry_after if isinstance(error, APIStatusError) else None
