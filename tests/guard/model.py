"""What the state machine plays with: a server that counts on arrival, a store, processes."""

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final, TypeVar

from attrs import define, field

from lox24_async import ConnectionFailedError, Lox24Error, RetryPolicy
from lox24_async._guard.gates import OriginGate, Ticket, TokenGate
from lox24_async._guard.guard import Guard
from lox24_async._guard.record import Record, read_record, write_record
from lox24_async._guard.rules import Hold
from lox24_async._guard.stores import MemoryStore, Store
from lox24_async.errors import error_class
from lox24_async.retry import Backoff

LEASE: Final = 65.0
ATTEMPT: Final = 60.0
MINUTE: Final = 60.0
TOKENS: Final = ("1:a", "2:b", "3:c", "4:d")
OPERATIONS: Final = ("PUT", "GET")

T = TypeVar("T")


class Server:
    """LOX24 as documented: more than three wrong requests within a minute block the IP.

    It counts a request in the moment in which it arrives, whenever the answer leaves.
    """

    def __init__(self) -> None:
        self.good = set(TOKENS[:2])
        self.inactive: set[tuple[str, str]] = set()
        self.status: int | None = None
        self.retry_after: float | None = None
        self.reachable = True
        self.blocked_until = -inf
        self.wrong: deque[float] = deque()

    def take(self, token: str, operation: str, now: float) -> tuple[Lox24Error | None, bool]:
        """Let a request arrive.

        Returns:
            The error that the client makes of the answer, and whether it was counted.
        """
        if not self.reachable:
            return ConnectionFailedError("no connection: refused"), False
        if now < self.blocked_until:
            return self._error(429), False
        if self.status is not None:
            return self._error(self.status), False
        status = 401 if token not in self.good else 0
        if not status and (token, operation) in self.inactive:
            status = 403
        if not status:
            return None, False
        self._count(now)
        return self._error(status), True

    def _count(self, now: float) -> None:
        while self.wrong and self.wrong[0] <= now - MINUTE:
            self.wrong.popleft()
        self.wrong.append(now)
        if len(self.wrong) > 3:
            self.blocked_until = now + 600

    def _error(self, status: int) -> Lox24Error:
        said = self.retry_after if status in (429, 503) else None
        return error_class(status)("no", status=status, retry_after=said, attempts=1)

    def calm_down(self) -> None:
        """Be the server that everyone hopes for."""
        self.good, self.inactive = set(TOKENS), set()
        self.status, self.reachable, self.blocked_until = None, True, -inf
        self.wrong.clear()


class Page:
    """A record as text, and the word that changes with it: what processes share."""

    def __init__(self) -> None:
        self.text = b""
        self.word = 0


class PageStore:
    """One process's way to the page."""

    shared = True

    def __init__(self, page: Page) -> None:
        self._page = page

    def word(self) -> int:
        """Return the page's word."""
        return self._page.word

    def digest(self, token: str) -> str:
        """Return another name of the token."""
        return f"digest of {token}"

    def read(self, now: float) -> Record:
        """Return what the page says."""
        try:
            return read_record(self._page.text, now)
        except ValueError:
            return Record()

    def update(self, now: float, change: Callable[[Record], T]) -> tuple[T, Record]:
        """Change the page."""
        record = self.read(now)
        result = change(record)
        self._page.text = write_record(record, now)
        self._page.word += 1
        return result, record


@define(eq=False)
class Call:
    """One call: a ticket, what it waits for, and what became of its request."""

    process: "Process"
    guard: Guard
    token: str
    limit: float
    operation: str
    ticket: Ticket = field(factory=Ticket)
    hold: Hold | None = None
    woken: bool = False
    dead: bool = False
    """Neither asks nor reports nor leaves any more."""
    # of the request that is under way:
    sent_at: float = -inf
    placed: bool = False
    """Whether it has a place in the budget."""
    block: float | None = None
    """When the block began that it probes."""
    arrived_at: float | None = None
    fate: Lox24Error | None = None

    def __attrs_post_init__(self) -> None:
        self.ticket.operation = self.operation

    def wake(self) -> None:
        """Ask again soon."""
        self.woken = True

    @property
    def due(self) -> float:
        """When it stops waiting: time to ask, or out of patience."""
        assert self.hold is not None
        return min(self.hold.ask_at, self.limit)


@define(eq=False)
class Wrong:
    """A request that the server counted as wrong."""

    at: float
    sent_at: float
    placed: bool
    token: str
    reported_at: float = inf
    unseen: bool = False
    excused: bool = False
    """Nobody saw it, and its token was proven afterwards: then its place is given back."""


class Process:
    """The gates and clients of one process."""

    def __init__(self, store: Store | None, jitter: Callable[[], float]) -> None:
        self.origin = OriginGate(MemoryStore() if store is None else store)
        backoff = Backoff(RetryPolicy(initial_delay=0.5, max_delay=8.0), jitter)
        self.guards = dict[str, tuple[Guard, Guard]]()
        for token in TOKENS:
            name = self.origin.store.digest(token)
            gate = self.origin.tokens.setdefault(name, TokenGate(name))
            one, other = (
                Guard(self.origin, gate, lease=LEASE, backoff=backoff, width=1) for _ in range(2)
            )
            self.guards[token] = one, other

    def gate(self, token: str) -> TokenGate:
        """Return the gate of a token."""
        return self.origin.tokens[self.origin.store.digest(token)]
