"""The gates as one client sees them: up to date with the store, and who has to be told.

What other processes and hosts have found out comes in here, and what this client finds out
goes out to them.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, TypeVar

from lox24_async.errors import ConnectionFailedError

from . import rules
from .gates import OriginGate, Ticket, TokenGate
from .record import Record
from .rules import Finding
from .window import Window

if TYPE_CHECKING:
    from .fleet import Fleet

T = TypeVar("T")


class View:
    """What a client's guard asks and changes.

    Args:
        origin: The gate of the client's origin.
        token: The gate of the client's token at that origin.
    """

    def __init__(self, origin: OriginGate, token: TokenGate) -> None:
        self.origin = origin
        self.token = token
        self.fleet: Fleet | None = None
        """The record that hosts share, if they do."""
        self.own_error: ConnectionFailedError | None = None
        """Why nothing goes out that concerns this client alone."""
        self.own_until = -inf

    def is_open(self) -> bool:
        """Whether everybody may send. No property: that takes twice the time, twice a call."""
        origin = self.origin
        return (
            self.token.open
            and origin.open
            and self.own_error is None
            and (origin.word is None or origin.word() == origin.seen)
        )

    def look(self, now: float) -> None:
        """Take over what others have found out."""
        origin = self.origin
        word = origin.store.word()
        if word != origin.seen:
            before = self.state()
            self._adopt(origin.store.read(now), now)
            origin.seen = word
            if before != self.state():
                self.wake_all()

    def _adopt(self, record: Record, now: float) -> None:
        """Let the gates say what the record says."""
        origin = self.origin
        origin.record = record
        if record.epoch != origin.record_epoch:
            origin.record_epoch = record.epoch
            origin.epoch += 1
        if record.block is not None:
            origin.down_since = min(origin.down_since, now)
        elif not origin.rest.shut:  # another process has seen its end
            origin.down_since, origin.hurried_at = inf, -inf
        for token in origin.tokens.values():
            token.look(record.tokens.get(token.digest), now)
        if record.block is not None and origin.window is None:
            origin.window = Window(None, now)
        origin.update_open()

    def change(self, now: float, change: Callable[[Record], T]) -> T:
        """Change the record, and let the gates say so."""
        origin = self.origin
        result, record = origin.store.update(now, change)
        origin.seen = origin.store.word()
        self._adopt(record, now)
        return result

    def share(self, change: Callable[[Record, float], object]) -> None:
        """Tell the record that hosts share, if they do."""
        if self.fleet is not None:
            self.fleet.learn(change)

    def examine(self, operation: str, now: float) -> Finding:
        """Ask the rules for this client."""
        token = self.token
        return rules.examine(self.origin.record, token.digest, operation, now, proven=token.proven)

    def pause_until(self) -> float:
        """Return until when all wait."""
        origin = self.origin
        block = origin.record.block
        blocked_until = -inf if block is None else block.probe_at
        return max(origin.rest.probe_at if origin.rest.shut else -inf, blocked_until)

    def state(self) -> tuple[object, ...]:
        """Return what those who wait would want to know of, whatever their token."""
        origin = self.origin
        known = origin.record.tokens
        tokens = [
            (token.epoch, *(facts.closes() if (facts := known.get(token.digest)) else (-inf,)))
            for token in {self.token: None, **dict.fromkeys(origin.waiting)}
        ]
        return origin.epoch, self.pause_until(), self.own_until, origin.window is None, tokens

    def quit_line(self, ticket: Ticket) -> None:
        """Let a call wait no more."""
        self.token.line.quit(ticket)
        if not self.token.line:
            self.origin.waiting.discard(self.token)

    def wake_all(self) -> None:
        """Let everybody who waits ask again."""
        _wake(waiter for gate in self.origin.waiting for waiter in gate.line)

    def wake_next(self, now: float) -> None:
        """Let those ask again whose turn it is."""
        _wake(self._next_in_line(now))

    def _next_in_line(self, now: float) -> Iterator[Ticket]:
        window = self.origin.window
        for gate in self.origin.waiting:
            yield from islice(gate.line, 1)  # whose turn it is to probe
            if window is not None and not self.origin.shut:
                free = max(1, window.free(now))  # one of them keeps the time for all
                for ticket, _ in zip(gate.line.foremost(), range(free), strict=False):
                    yield ticket


def _wake(tickets: Iterable[Ticket]) -> None:
    for ticket in list(tickets):
        wake = ticket.wake  # once: another thread may take it away meanwhile
        if wake is not None:
            wake()
