"""Learning: what the end of a request says about the token, the service and the way to it."""

from math import inf
from typing import Final

from lox24_async.errors import (
    APIStatusError,
    ClientClosedError,
    ConnectionFailedError,
    IPBlockedError,
    Lox24Error,
)
from lox24_async.retry import Backoff

from . import rules
from .gates import Ticket
from .record import Record
from .rules import Verdict
from .view import View
from .window import Window

_TLS_REST: Final = 1.0  # after a failed handshake all who wait fail; then one may try again


class Learning:
    """Learns from the ends of requests, and says so to those who wait.

    Args:
        view: The gates.
        backoff: The delays between probes.
    """

    def __init__(self, view: View, backoff: Backoff) -> None:
        self._view = view
        self._origin = view.origin
        self._token = view.token
        self._backoff = backoff

    def settle(self, ticket: Ticket, error: Lox24Error | None, now: float) -> float | None:
        """Learn from the end of a request; returns what :meth:`Guard.settle` does."""
        origin = self._origin
        if isinstance(error, ClientClosedError):
            self.leave(ticket, now, sent=error.attempts > 0)  # our own matter: nothing was learnt
            return None
        with origin.lock:
            self._view.look(now)
            self._view.quit_line(ticket)
            ticket.tries += 1
            before, was_shut = self._view.state(), origin.shut
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
            pause_until = self._view.pause_until()
            after = self._view.state()
            # Another short pause is no news but for who is next: thousands may be waiting.
            again = was_shut and origin.shut and pause_until - now <= rules.COURTESY
            if before != after and not (again and before[2:] == after[2:]):
                self._view.wake_all()
            elif claimed or probed or counted:
                self._view.wake_next(now)
            return max(0.0, pause_until - now) if origin.shut else None

    def leave(self, ticket: Ticket, now: float, *, sent: bool) -> None:
        """Learn that a call has given up; see :meth:`Guard.leave`."""
        origin, token = self._origin, self._token
        claimed, ticket.claim = ticket.claim, ""
        with origin.lock:
            first = token.line.first() is ticket
            self._view.quit_line(ticket)
            counted = origin.window is not None and origin.window.land(ticket, now)
            probed = self._return_rest_probe(ticket, now)
            if claimed:
                verdict = Verdict.UNSEEN if sent else Verdict.NOTHING
                self._settle_claim(ticket, verdict, now, claimed, fresh=False)
            if first or claimed or probed or counted:
                self._view.wake_next(now)

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
        origin, token, placed = self._origin, self._token, ticket.placed

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
                placed=placed,
            )
            return len(record.places) < places

        if self._view.change(now, change):
            origin.refunded_at = now
        if (fleet := self._view.fleet) is not None:
            fleet.learn(
                lambda record, at: rules.settle(
                    record,
                    fleet.digest(token.digest),
                    ticket.operation,
                    verdict,
                    at,
                    name=claimed,
                    fresh=fresh,
                    placed=placed,
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
            self._view.own_error, self._view.own_until = error, now + _TLS_REST
        elif error is None or not rules.is_trouble(error):
            self._view.own_error = None
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
            self._view.change(now, lambda record: rules.unblock(record, now))
            self._view.share(rules.unblock)
            origin.blocked_by_intermediary = False
        if rest.shut and (probed or ticket.left_at >= rest.left_at):
            rest.end()
            origin.epoch += 1
        if not origin.shut:
            origin.down_since, origin.hurried_at = inf, -inf

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
            self._view.change(now, lambda record: rules.prolong_block(record, error, now))
            self._view.share(lambda record, at: rules.prolong_block(record, error, at))

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

        self._view.change(now, block)
        self._view.share(block_for_all)

    def _widen(self, now: float) -> None:
        """Count a good answer; open for all when the window is as wide as the clients are."""
        origin = self._origin
        if origin.window is None or origin.shut:
            return
        origin.window.answer(now)
        if origin.window.is_over(now, sum(origin.widths.values())):
            origin.window = None
