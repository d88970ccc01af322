"""The guard of one client: who may send now, who waits, and who is woken.

Nothing here sleeps or sends. A call asks (:meth:`Guard.enter`) and is let out or told when to
ask again; afterwards it reports (:meth:`Guard.settle`) or gives up (:meth:`Guard.leave`).
Every state is a value or a deadline in seconds of the given clock, a probe's right too: a
task or a process that dies in any place can hold up nobody for longer than its lease.

What the rules decide stands in ``rules``; here they are asked in the order in which a call
meets them, with the store's record and with what concerns this process alone.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Final, TypeVar

from lox24_async.errors import (
    APIStatusError,
    ClientClosedError,
    ConnectionFailedError,
    IPBlockedError,
    Lox24Error,
)
from lox24_async.retry import Backoff, Pause

from . import rules
from .gates import OriginGate, Ticket, TokenGate
from .record import Record
from .refusals import date, held_back_until, refusal
from .rules import Finding, Hold, Verdict
from .window import Window

if TYPE_CHECKING:
    from .fleet import Fleet

T = TypeVar("T")

_TLS_REST: Final = 1.0  # after a failed handshake all who wait fail; then one may try again
_POLL: Final = 0.05  # seconds between two looks at what other processes have found out
_LOOK: Final = 0.05  # seconds between two looks whether the event loop is on time
_ON_TIME: Final = 0.02  # seconds by which a look may be late
_CALM: Final = 8  # looks in a row that came on time
_nonce: Final = os.urandom(4).hex()  # a claim's name is unique among processes and hosts
_names = count(1)


class Guard:
    """One client's view of the shared gates.

    Args:
        origin: The gate of the client's origin.
        token: The gate of the client's token at that origin.
        lease: Seconds after which a request that did not report is given up.
        backoff: The delays between probes.
        width: Requests that the client sends at once.
    """

    def __init__(
        self,
        origin: OriginGate,
        token: TokenGate,
        *,
        lease: float,
        backoff: Backoff,
        width: int = 10,
    ) -> None:
        self._origin = origin
        self._token = token
        self._lease = lease
        self._backoff = backoff
        self.fleet: Fleet | None = None
        """The record that hosts share, if they do."""
        self._own_error: ConnectionFailedError | None = None  # concerns this client alone
        self._own_until = -inf
        origin.widths[id(self)] = width

    def __del__(self) -> None:
        self._origin.widths.pop(id(self), None)

    # --- what the record that hosts share is told, and tells

    @property
    def is_proven(self) -> bool:
        """Whether the client's token has worked."""
        return self._token.proven

    @property
    def lease(self) -> float:
        """Seconds after which nobody waits for a claim's answer."""
        return self._lease

    async def confirm(self, ticket: Ticket) -> bool:
        """Claim among all hosts, too, what was claimed on this one.

        Returns:
            Whether the request may go. If not, what was claimed is given back.

        Raises:
            ConnectionFailedError: the shared store cannot be reached, and it must be.
        """
        if self.fleet is None or not ticket.claim:
            return True
        name = self._token.digest
        hold = await self.fleet.claim(self, name, ticket.operation, ticket.claim)
        with self._origin.lock:
            self._token.held_by_fleet = hold
        return hold is None

    def refresh(self, now: float) -> None:
        """Take over what others have found out."""
        with self._origin.lock:
            self._token.held_by_fleet = None
            self._look(now)
            self._wake_next(now)

    def fail(self, error: ConnectionFailedError | None) -> None:
        """Let nothing out, or all again: the shared store, which must be asked, is away."""
        with self._origin.lock:
            self._own_error, self._own_until = error, -inf if error is None else inf
            self._wake_all()

    def _share(self, change: "Callable[[Record, float], object]") -> None:
        if self.fleet is not None:
            self.fleet.learn(change)

    # --- asking

    @property
    def is_open(self) -> bool:
        """Whether everybody may send."""
        origin = self._origin
        return (
            self._token.open
            and origin.open
            and self._own_error is None
            and (origin.word is None or origin.word() == origin.seen)
        )

    def pass_open(self, ticket: Ticket, now: float) -> bool:
        """Let a request out if everybody may send and nobody waits; else nothing is done."""
        if not self.is_open or self._token.line:
            return False
        ticket.claim, ticket.narrow, ticket.left_at = "", False, now
        ticket.origin_epoch, ticket.token_epoch = self._origin.epoch, self._token.epoch
        return True

    def enter(self, ticket: Ticket, now: float, *, take: bool = True) -> Hold | None:
        """Ask to send.

        Args:
            ticket: Who asks.
            now: Seconds of the clock.
            take: ``False`` only looks: nothing is claimed.

        Returns:
            ``None``: send now, then report. Else when to ask again; see also :meth:`refusal`.
        """
        origin, token = self._origin, self._token
        if self.is_open:
            if take:
                self._let_out(ticket, now)
                if token.line:
                    with origin.lock:
                        self._quit_line(ticket)
            return None
        with origin.lock:
            self._look(now)
            hold = self._hold(ticket, now)
            if hold is None and take:
                hold = self._take(ticket, now)
            if hold is not None:
                token.line.join(ticket)
                origin.waiting.add(token)
        return hold

    def _let_out(self, ticket: Ticket, now: float) -> None:
        ticket.claim = ""
        ticket.narrow = not self._origin.open
        if ticket.tries:
            ticket.odd |= self._origin.good_left_at > ticket.left_at
        ticket.left_at = now
        ticket.origin_epoch, ticket.token_epoch = self._origin.epoch, self._token.epoch

    def _look(self, now: float) -> None:
        """Take over what others have found out."""
        origin = self._origin
        word = origin.store.word()
        if word != origin.seen:
            before = self._state()
            self._adopt(origin.store.read(now), now)
            origin.seen = word
            if before != self._state():
                self._wake_all()

    def _adopt(self, record: Record, now: float) -> None:
        """Let the gates say what the record says."""
        origin = self._origin
        origin.record = record
        if record.epoch != origin.record_epoch:
            origin.record_epoch = record.epoch
            origin.epoch += 1
        if record.block is not None:
            origin.down_since = min(origin.down_since, now)
        elif not origin.rest.shut:  # another process has seen its end
            origin.down_since, origin.hurried = inf, False
        for token in origin.tokens.values():
            token.look(record.tokens.get(token.digest), now)
        if record.block is not None and origin.window is None:
            origin.window = Window(None, now)
        origin.update_open()

    def _change(self, now: float, change: Callable[[Record], T]) -> T:
        """Change the record, and let the gates say so."""
        origin = self._origin
        result, record = origin.store.update(now, change)
        origin.seen = origin.store.word()
        self._adopt(record, now)
        return result

    def _examine(self, operation: str, now: float) -> Finding:
        token = self._token
        return rules.examine(self._origin.record, token.digest, operation, now, proven=token.proven)

    def _hold(self, ticket: Ticket, now: float) -> Hold | None:
        """Say whether a call has to wait, by the record, the pauses, the window and the line."""
        origin, token = self._origin, self._token
        if now < self._own_until:
            return Hold(self._own_until, inf, counts=True)
        found = self._examine(ticket.operation, now)
        if found.ready_at == inf:
            return Hold(found.ask_at, inf, counts=True)
        ask_at, ready_at, counts = found.ask_at, found.ready_at, found.counts
        if origin.rest.shut:
            ask_at, counts = max(ask_at, origin.rest.ask_at(now)), True
            ready_at = max(ready_at, origin.rest.probe_at)
        if not origin.shut and not found.place:  # nothing to probe
            return None if origin.window is None else self._hold_by_window(ticket, now)
        if (fleet := token.held_by_fleet) is not None and now < fleet.ask_at:
            ask_at, ready_at = max(ask_at, fleet.ask_at), max(ready_at, fleet.ready_at)
            counts |= fleet.counts
        if found.place and self._is_late(now):
            ask_at = max(ask_at, origin.refunded_at + rules.COURTESY)
        first = token.line.first() or ticket
        late = found.late_since > -inf
        if late:  # one more probe, for the answer to the first one does not come
            ready_at = max(ready_at, found.late_since)
            if not self._is_calm(now, count=first is ticket):
                ask_at = max(ask_at, token.look_at)
        if ask_at <= now and (first is ticket or now >= ready_at + rules.COURTESY):
            return None
        if first is not ticket:
            ask_at = max(ask_at, ready_at + rules.COURTESY, now + rules.COURTESY)
        elif late:
            ask_at = min(ask_at, max(found.late_since - (_CALM + 2) * _LOOK, token.look_at))
        if first is ticket and origin.store.shared:  # looks for news of other processes, for all
            ask_at = min(ask_at, now + _POLL)
        return Hold(ask_at, found.ready_at if late else ready_at, counts)

    def _is_calm(self, now: float, *, count: bool) -> bool:
        """Whether this event loop has been on time lately.

        If it was not, the answer to the probe may have come and only wait to be read. So who
        is first in line looks again and again, and one more probe goes only when some looks
        in a row came on time.
        """
        token = self._token
        if count and now >= token.look_at:
            token.calm = token.calm + 1 if now - token.look_at <= _ON_TIME else 0
            token.look_at = now + _LOOK
        return token.calm >= _CALM and now <= token.look_at + _ON_TIME

    def _hold_by_window(self, ticket: Ticket, now: float) -> Hold | None:
        window = self._origin.window
        if window is None:
            return None
        foremost = next(self._token.line.foremost(), ticket)
        free = window.free(now)
        if not free:
            # One of those who wait keeps the time for all.
            later = now + rules.COURTESY
            ask_at = window.ask_at(now) if foremost is ticket else later
            return Hold(max(min(ask_at, later), now), -inf, counts=False)
        if now >= window.freed_at + rules.COURTESY:
            return None
        for place, other in zip(range(free), self._token.line.foremost(), strict=False):
            if other is ticket:
                return None
            if place == free - 1:  # all that may leave now was told so
                return Hold(now + rules.COURTESY, -inf, counts=False)
        return None

    def _is_late(self, now: float) -> bool:
        """Whether a token that was never refused goes first to a place that was given back."""
        origin, token = self._origin, self._token
        if now >= origin.refunded_at + rules.COURTESY or not self._was_refused(token):
            return False
        return any(other is not token and not self._was_refused(other) for other in origin.waiting)

    def _was_refused(self, token: TokenGate) -> bool:
        facts = self._origin.record.tokens.get(token.digest)
        return facts is not None and facts.refused

    def _take(self, ticket: Ticket, now: float) -> Hold | None:
        """Claim what a request needs, unless another process was quicker."""
        origin, token = self._origin, self._token
        found = self._examine(ticket.operation, now)
        name = ""
        if found.place or found.probe:
            name = f"{_nonce}{os.getpid():x}.{next(_names):x}"
            found = self._change(
                now,
                lambda record: rules.claim(
                    record,
                    token.digest,
                    ticket.operation,
                    now,
                    proven=token.proven,
                    name=name,
                    lease=self._lease,
                ),
            )
            if found.ask_at > now:
                return Hold(found.ask_at, found.ready_at, found.counts)
        self._quit_line(ticket)
        token.used_at = now
        if origin.rest.shut:
            origin.rest.prober, origin.rest.lease_ends = ticket, now + self._lease
        if origin.window is not None:
            origin.window.leave(ticket, now, now + self._lease)
            if not origin.shut:
                self._wake_next(now)  # who keeps the time now
        self._let_out(ticket, now)
        ticket.claim = name
        return None

    def refusal(self, now: float, operation: str = "") -> Lox24Error:
        """Return the error for a call that cannot wait: nothing was sent."""
        with self._origin.lock:
            if now < self._own_until and self._own_error is not None:
                cause = self._own_error
                return ConnectionFailedError(cause.message, tls=cause.tls, proxy=cause.proxy)
            return refusal(self._origin, self._token, operation, now)

    @property
    def is_resting(self) -> bool:
        """Whether all wait for a service that fails, and for nothing else that is worse."""
        origin = self._origin
        facts = origin.record.tokens.get(self._token.digest)
        refused = facts is not None and facts.closed
        return origin.rest.shut and origin.record.block is None and not refused

    @property
    def down_since(self) -> float:
        """When the trouble began that holds all calls up; ``inf``: none does."""
        return self._origin.down_since

    def hurry(self, now: float) -> bool:
        """Let the next probe go at once, for those who cannot wait for it: once in an outage.

        Returns:
            Whether it may. Never while a 429 stands.
        """
        origin = self._origin
        with origin.lock:
            if origin.hurried or not origin.rest.shut or origin.record.block is not None:
                return False
            origin.hurried, origin.rest.probe_at = True, min(origin.rest.probe_at, now)
            return True

    def held_back_until(self, now: float) -> float:
        """Return when a place is free for a request that may be wrong; ``now``: it is no matter."""
        with self._origin.lock:
            return held_back_until(self._origin, self._token, now)

    def pause(self, now: float) -> Pause | None:
        """Return what holds all calls up now, if anything does."""
        origin, token = self._origin, self._token
        with origin.lock:
            self._look(now)
            moments = list[float]()
            if origin.record.block is not None:
                moments.append(origin.record.block.probe_at)
            if origin.rest.shut:
                moments.append(origin.rest.probe_at)
            facts = origin.record.tokens.get(token.digest)
            if facts is not None and facts.closed:
                moments.append(facts.probe_at)
            if (free_at := held_back_until(origin, token, now)) > now:
                moments.append(free_at)
            if not moments:
                return None  # a token's first proof is no pause
            return Pause(max(0.0, max(moments) - now), self.refusal(now))

    def date(self, error: IPBlockedError, now: float) -> None:
        """Write into a 429 when the next probe goes and when the block should end."""
        with self._origin.lock:
            date(self._origin, error, now)

    # --- reporting

    def settle(self, ticket: Ticket, error: Lox24Error | None, now: float) -> float | None:
        """Report what became of a request that was let out.

        Returns:
            Seconds of the shared pause that stands now; ``None`` if there is none, and the
            call has to back off by itself.
        """
        origin = self._origin
        if error is None and not ticket.claim and self.is_open:
            origin.good_left_at, origin.good_at = ticket.left_at, now
            return None
        if isinstance(error, ClientClosedError):
            self.leave(ticket, now, sent=error.attempts > 0)  # our own matter: nothing was learnt
            return None
        with origin.lock:
            self._look(now)
            self._quit_line(ticket)
            ticket.tries += 1
            before, was_shut = self._state(), origin.shut
            counted = origin.window is not None and origin.window.land(ticket, now)
            claimed, ticket.claim = ticket.claim, ""
            block = origin.record.block
            probed = self._return_rest_probe(ticket, now)
            probed_block = block is not None and bool(claimed) and block.prober == claimed
            self._learn_of_token(ticket, error, now, claimed)
            self._learn_of_origin(
                ticket, error, now, claimed=bool(claimed), probed=probed, probed_block=probed_block
            )
            if counted and rules.is_answer(error):
                self._widen(now)
            origin.update_open()
            pause_until = self._pause_until()
            after = self._state()
            # Another short pause is no news but for who is next: thousands may be waiting.
            again = was_shut and origin.shut and pause_until - now <= rules.COURTESY
            if before != after and not (again and before[2:] == after[2:]):
                self._wake_all()
            elif claimed or probed or counted:
                self._wake_next(now)
            return max(0.0, pause_until - now) if origin.shut else None

    def _pause_until(self) -> float:
        origin = self._origin
        block = origin.record.block
        blocked_until = -inf if block is None else block.probe_at
        return max(origin.rest.probe_at if origin.rest.shut else -inf, blocked_until)

    def _state(self) -> tuple[object, ...]:
        """Return what those who wait would want to know of, whatever their token."""
        origin = self._origin
        known = origin.record.tokens
        tokens = [
            (token.epoch, *(facts.closes() if (facts := known.get(token.digest)) else (-inf,)))
            for token in {self._token: None, **dict.fromkeys(origin.waiting)}
        ]
        return origin.epoch, self._pause_until(), self._own_until, origin.window is None, tokens

    def leave(self, ticket: Ticket, now: float, *, sent: bool = True) -> None:
        """Give up: the turn passes on, but what was sent keeps its place.

        Args:
            ticket: Who gives up.
            now: Seconds of the clock.
            sent: Whether its request may have left.
        """
        origin, token = self._origin, self._token
        claimed, ticket.claim = ticket.claim, ""
        if not claimed and not token.line and origin.open:
            return
        with origin.lock:
            first = token.line.first() is ticket
            self._quit_line(ticket)
            counted = origin.window is not None and origin.window.land(ticket, now)
            probed = self._return_rest_probe(ticket, now)
            if claimed:
                verdict = Verdict.UNSEEN if sent else Verdict.NOTHING
                self._settle_claim(ticket, verdict, now, claimed, fresh=False)
            if first or claimed or probed or counted:
                self._wake_next(now)

    def _quit_line(self, ticket: Ticket) -> None:
        self._token.line.quit(ticket)
        if not self._token.line:
            self._origin.waiting.discard(self._token)

    def _wake_all(self) -> None:
        _wake(waiter for gate in self._origin.waiting for waiter in gate.line)

    def _wake_next(self, now: float) -> None:
        _wake(self._next_in_line(now))

    def _next_in_line(self, now: float) -> Iterator[Ticket]:
        window = self._origin.window
        for gate in self._origin.waiting:
            if (ticket := gate.line.first()) is not None:
                yield ticket
            if window is not None and not self._origin.shut:
                free = max(1, window.free(now))  # one of them keeps the time for all
                for ticket, _ in zip(gate.line.foremost(), range(free), strict=False):
                    yield ticket

    # --- learning

    def _return_rest_probe(self, ticket: Ticket, now: float) -> bool:
        rest = self._origin.rest
        if rest.prober is not ticket:
            return False
        rest.prober = None
        rest.probe_at = max(rest.probe_at, now)
        return True

    def _learn_of_token(
        self, ticket: Ticket, error: Lox24Error | None, now: float, claimed: str
    ) -> None:
        token = self._token
        verdict = rules.verdict_of(error)
        if verdict in (Verdict.WRONG, Verdict.FORBIDDEN) and isinstance(error, APIStatusError):
            token.by_intermediary = error.intermediary
        fresh = token.proven and ticket.token_epoch == token.epoch
        facts = self._origin.record.tokens.get(token.digest)
        forbidden = facts is not None and ticket.operation in facts.operations
        if (
            claimed
            or verdict in (Verdict.WRONG, Verdict.FORBIDDEN)
            or (verdict is Verdict.PROVEN and forbidden)
        ):
            self._settle_claim(ticket, verdict, now, claimed, fresh=fresh)

    def _settle_claim(
        self, ticket: Ticket, verdict: Verdict, now: float, claimed: str, *, fresh: bool
    ) -> None:
        origin, token = self._origin, self._token

        def change(record: Record) -> bool:
            places = len(record.places)
            rules.settle(
                record,
                token.digest,
                ticket.operation,
                verdict,
                now,
                name=claimed,
                fresh=fresh,
            )
            return len(record.places) < places

        if self._change(now, change):
            origin.refunded_at = now
        if (fleet := self.fleet) is not None:
            fleet.learn(
                lambda record, at: rules.settle(
                    record,
                    fleet.digest(token.digest),
                    ticket.operation,
                    verdict,
                    at,
                    name=claimed,
                    fresh=fresh,
                )
            )

    def _learn_of_origin(
        self,
        ticket: Ticket,
        error: Lox24Error | None,
        now: float,
        *,
        claimed: bool,
        probed: bool,
        probed_block: bool,
    ) -> None:
        origin = self._origin
        if isinstance(error, ConnectionFailedError) and error.final:
            # Certificates and proxy are the client's own matter: only its calls are told.
            self._own_error, self._own_until = error, now + _TLS_REST
        elif error is None or not rules.is_trouble(error):
            self._own_error = None
            origin.good_left_at = max(origin.good_left_at, ticket.left_at)
            origin.good_at = now
            self._open(ticket, now, probed, probed_block)
        elif rules.is_silence(error) and not (probed or claimed):
            pass  # one lost connection says nothing about the service
        elif not (probed or probed_block) and (origin.shut or ticket.origin_epoch != origin.epoch):
            # Of a wave that was judged already (or a probe that was given up): only what is
            # graver adds to it.
            self._add_to_wave(ticket, error, now)
        else:
            self._shut(ticket, error, now)

    def _open(self, ticket: Ticket, now: float, probed: bool, probed_block: bool) -> None:
        """An answer: it opens what was shut by a request that left before."""
        origin = self._origin
        blocked, rest = origin.record.block, origin.rest
        if blocked is not None and (probed_block or ticket.left_at > blocked.left_at):
            self._change(now, lambda record: rules.unblock(record, now))
            self._share(rules.unblock)
            origin.blocked_by_intermediary = False
        if rest.shut and (probed or ticket.left_at >= rest.left_at):
            rest.end()
            origin.epoch += 1
        if not origin.shut:
            origin.down_since, origin.hurried = inf, False

    def _add_to_wave(self, ticket: Ticket, error: Lox24Error, now: float) -> None:
        origin = self._origin
        if not origin.shut:
            return
        if not rules.is_block(error):
            if origin.rest.shut:
                origin.rest.prolong(error, now)
        elif origin.record.block is None:
            self._block(ticket, error, now)
        elif rules.retry_after_of(error):
            self._change(now, lambda record: rules.prolong_block(record, error, now))
            self._share(lambda record, at: rules.prolong_block(record, error, at))

    def _shut(self, ticket: Ticket, error: Lox24Error, now: float) -> None:
        origin = self._origin
        if origin.window is None:
            origin.window = Window(ticket, now)
        else:
            origin.window.refuse(ticket, now, limited=rules.may_be_limit(error))
        if not origin.shut and origin.good_left_at > ticket.left_at:
            origin.epoch += 1
            return  # one odd node among many: later requests were answered well
        origin.down_since = min(origin.down_since, now)
        if rules.is_block(error) or origin.record.block is not None:
            self._block(ticket, error, now)
        else:
            # While others are answered well, one answer's wish binds its own call alone.
            alone = origin.good_at > ticket.left_at
            origin.rest.begin(error, now, ticket.left_at, self._backoff, obey=not alone)
            origin.epoch += 1

    def _block(self, ticket: Ticket, error: Lox24Error, now: float) -> None:
        origin = self._origin
        if isinstance(error, IPBlockedError):
            origin.blocked_by_intermediary = error.intermediary

        initial_delay = self._backoff.initial_delay
        left_at, age = ticket.left_at, now - ticket.left_at
        before = origin.record.block

        def block(record: Record) -> None:
            rules.block(record, error, now, left_at=left_at, initial_delay=initial_delay)

        def block_for_all(record: Record, at: float) -> None:
            if record.block is None or before is not None:
                rules.block(record, error, at, left_at=at - age, initial_delay=initial_delay)
            else:  # another host has seen it first
                rules.prolong_block(record, error, at)

        self._change(now, block)
        self._share(block_for_all)

    def _widen(self, now: float) -> None:
        """Count a good answer; open for all when the window is as wide as the clients are."""
        origin = self._origin
        if origin.window is None or origin.shut:
            return
        origin.window.answer(now)
        if origin.window.is_over(now, sum(origin.widths.values())):
            origin.window = None


def _wake(tickets: Iterable[Ticket]) -> None:
    for ticket in list(tickets):
        wake = ticket.wake  # once: another thread may take it away meanwhile
        if wake is not None:
            wake()
