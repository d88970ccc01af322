"""The gates of a process: what it knows of an origin and of a token there, and who waits.

Values and deadlines, in seconds of one clock; nothing here waits or sends. What is shared
with others stands in the store's ``record``; what concerns only this process stands here.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from math import inf
from typing import TYPE_CHECKING, Final

from lox24_async.errors import Lox24Error
from lox24_async.retry import Backoff

from .record import Record, TokenFacts
from .rules import PROOF_SHARED, REST_MOST, Hold, retry_after_of
from .window import Window

if TYPE_CHECKING:
    from .stores import Store

_KEPT: Final = 600.0  # seconds after its last use for which an idle token is remembered


class Ticket:
    """One call's place before the guard."""

    __slots__ = (
        "claim",
        "left_at",
        "narrow",
        "odd",
        "operation",
        "origin_epoch",
        "placed",
        "token_epoch",
        "tries",
        "wake",
    )

    def __init__(self) -> None:
        self.wake: Callable[[], None] | None = None
        """Set while the call waits: tells it to ask again."""
        self.operation = ""
        """What its requests do."""
        self.claim = ""
        """The name of what it has claimed for the request that is under way."""
        self.placed = False
        """Whether that is a place in the budget."""
        self.left_at = -inf
        """When its last request was let out."""
        self.narrow = False
        """Whether that was while the gate was not open: as a probe, or by steps."""
        self.odd = False
        """Whether others were answered well between two tries of this one."""
        self.origin_epoch = -1
        self.token_epoch = -1
        self.tries = 0
        """How many of its requests were answered, or lost."""


class Line:
    """Who waits, by the number of tries, among these in order of arrival."""

    def __init__(self) -> None:
        self._tiers: dict[int, OrderedDict[Ticket, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._tiers)

    def __iter__(self) -> Iterator[Ticket]:
        for tries in sorted(self._tiers):
            yield from self._tiers[tries]

    def first(self) -> Ticket | None:
        """Return whose turn it is to probe: who had fewest tries."""
        return next(iter(self._tiers[min(self._tiers)])) if self._tiers else None

    def foremost(self) -> Iterator[Ticket]:
        """Return who goes first when the gate opens by steps: who was refused most often."""
        for tries in sorted(self._tiers, reverse=True):
            yield from self._tiers[tries]

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


class Rest:
    """The pause for a service that fails: 5xx, or no connection. One probe at a time ends it."""

    def __init__(self) -> None:
        self.shut = False
        self.probe_at = -inf
        self.prober: Ticket | None = None
        self.lease_ends = -inf
        self.left_at = -inf
        """When the request left whose failure has shut it."""
        self.failures = 0
        self.cause: Lox24Error | None = None

    def begin(
        self, error: Lox24Error, now: float, left_at: float, backoff: Backoff, *, obey: bool
    ) -> None:
        """Pause as the server said (a minute at most) if that is obeyed, else with backoff."""
        said = retry_after_of(error) if obey else None
        pause = min(said or backoff.delay(self.failures), REST_MOST)
        self.failures += 1
        self.shut, self.cause, self.left_at = True, error, left_at
        self.probe_at = now + pause

    def prolong(self, error: Lox24Error, now: float) -> None:
        """Another failure of the same wave: it may ask for a longer pause."""
        if said := retry_after_of(error):
            self.probe_at = max(self.probe_at, now + min(said, REST_MOST))

    def end(self) -> None:
        """The service answers again."""
        self.shut, self.prober, self.failures, self.cause = False, None, 0, None

    def ask_at(self, now: float) -> float:
        """Return when it is worth asking (again) for the probe's turn."""
        if self.prober is not None and now < self.lease_ends:
            return self.lease_ends
        return max(now, self.probe_at)


class TokenGate:
    """One token at one origin, as this process sees it. Shut until a request proves it."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.proven = False
        self.open = False
        """Whether everybody may pass: proven, and no operation of it is closed."""
        self.epoch = 0  # tells an answer of today from one of before the last change
        self.line = Line()
        self.used_at = -inf
        self.held_by_fleet: Hold | None = None
        """What the record that hosts share said to the last claim, if it was no."""
        self.by_intermediary = False
        """Whether the last 401 or 403 has not LOX24's form."""
        self.look_at = -inf
        """When the next look is due whether the event loop is on time."""
        self.calm = 0
        """How many of these looks in a row came on time."""

    def look(self, facts: TokenFacts | None, now: float) -> None:
        """Take over what the shared record says."""
        if facts is None:
            self.open = self.proven
            return
        if facts.closed:
            if self.proven:
                self.proven, self.epoch = False, self.epoch + 1
        elif not self.proven and now < facts.proven_at + PROOF_SHARED:
            self.prove()
        self.open = self.proven and not facts.operations

    def prove(self) -> None:
        """A request of ours, or of another who shares the record, was answered well."""
        self.proven = self.open = True
        self.epoch += 1

    def is_needed(self, record: Record, now: float) -> bool:
        """Whether forgetting this could cost anybody anything."""
        facts = record.tokens.get(self.digest)
        refused = facts is not None and facts.closed and now < facts.probe_at
        return bool(self.line) or refused or now < self.used_at + _KEPT


class OriginGate:
    """One origin, as this process sees it: is this IP blocked, is the service down?"""

    def __init__(self, store: "Store") -> None:
        self.lock = threading.RLock()
        self.store = store
        self.word = store.word if store.shared else None
        """Tells whether other processes have changed the record, if they can."""
        self.record = Record()
        self.seen = -1
        """The store's word when the record was read."""
        self.open = True
        """Whether everybody may pass: no 429 stands, no pause, and no opening by steps."""
        self.epoch = 0  # tells an answer of today's wave from one of before the last change
        self.record_epoch = 0
        self.rest = Rest()
        self.window: Window | None = None
        self.blocked_by_intermediary = False
        """Whether the last 429 that was ours has not LOX24's form."""
        self.down_since = inf
        """When the first failure came of the trouble that stands."""
        self.hurried_at = -inf
        """When a probe was last let go before its time, in the trouble that stands."""
        self.refunded_at = -inf
        """When a place in the budget was last given back."""
        self.good_left_at = -inf
        """When the request left whose good answer came last."""
        self.good_at = -inf
        """When a good answer came last."""
        self.widths: dict[int, int] = {}
        """How many requests each client that is in use sends at once."""
        self.tokens: dict[str, TokenGate] = {}
        self.waiting: set[TokenGate] = set()  # whose lines are not empty

    @property
    def shut(self) -> bool:
        """Whether nothing goes out but a probe."""
        return self.rest.shut or self.record.block is not None

    def update_open(self) -> None:
        """Say again whether everybody may pass."""
        self.open = not self.shut and self.window is None
