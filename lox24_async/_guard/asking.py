"""Asking: who may send now, and who waits until when.

The rules say what the record allows; here that is put together with what concerns this process
alone: its pauses, its window, its line.
"""

import os
from itertools import count
from math import inf
from typing import Final

from . import rules
from .gates import Ticket, TokenGate
from .rules import Finding, Hold
from .view import View
from .window import Window

_POLL: Final = 0.05  # seconds between two looks at what other processes have found out
_LOOK: Final = 0.05  # seconds between two looks whether the event loop is on time
_ON_TIME: Final = 0.02  # seconds by which a look may be late
_CALM: Final = 8  # looks in a row that came on time
_NOT_HELD: Final = Hold(-inf, -inf, counts=False)
_nonce: Final = os.urandom(4).hex()  # a claim's name is unique among processes and hosts
_names = count(1)


class Asking:
    """Says whether a call may send.

    Args:
        view: The gates.
        lease: Seconds after which a request that did not report is given up.
    """

    def __init__(self, view: View, lease: float) -> None:
        self._view = view
        self._origin = view.origin
        self._token = view.token
        self._lease = lease

    def enter(self, ticket: Ticket, now: float, *, take: bool) -> Hold | None:
        """Let a call out, or say when it should ask again; see :meth:`Guard.enter`."""
        origin, token = self._origin, self._token
        if self._view.is_open():
            if take:
                self._let_out(ticket, now)
                if token.line:
                    with origin.lock:
                        self._view.quit_line(ticket)
            return None
        with origin.lock:
            self._view.look(now)
            found = self._view.examine(ticket.operation, now)
            hold = self._hold(ticket, found, now)
            if hold is None and take:
                hold = self._take(ticket, found, now)
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

    def _hold(self, ticket: Ticket, found: Finding, now: float) -> Hold | None:
        """Say whether a call has to wait, by the record, the pauses, the window and the line."""
        origin, token = self._origin, self._token
        if now < self._view.own_until:
            return Hold(self._view.own_until, inf, counts=True)
        if found.ready_at == inf:
            return Hold(found.ask_at, inf, counts=True)
        ask_at, ready_at, counts = found.ask_at, found.ready_at, found.counts
        if origin.rest.shut:
            ask_at, counts = max(ask_at, origin.rest.ask_at(now)), True
            ready_at = max(ready_at, origin.rest.probe_at)
        if not origin.shut and not found.place:  # nothing to probe
            window = origin.window
            return None if window is None else self._hold_by_window(ticket, window, now)
        fleet = token.held_by_fleet or _NOT_HELD
        late_since = max(found.late_since, fleet.ask_at)  # that of another host, most often
        if now < fleet.ask_at:
            ask_at, ready_at = max(ask_at, fleet.ask_at), max(ready_at, fleet.ready_at)
            counts |= fleet.counts
        if found.place and self._is_late(now):
            ask_at = max(ask_at, origin.refunded_at + rules.COURTESY)
        first = token.line.first() or ticket
        late = found.late_since > -inf
        if late:
            ready_at = max(ready_at, found.late_since)
        # One more probe, for the answer to the first one does not come.
        if late_since > -inf and not self._is_calm(now, count=first is ticket):
            ask_at = max(ask_at, token.look_at)
        if ask_at <= now and (first is ticket or now >= ready_at + rules.COURTESY):
            return None
        if first is not ticket:
            ask_at = max(ask_at, ready_at + rules.COURTESY, now + rules.COURTESY)
        elif late_since > -inf:
            ask_at = min(ask_at, max(late_since - (_CALM + 2) * _LOOK, token.look_at))
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

    def _hold_by_window(self, ticket: Ticket, window: Window, now: float) -> Hold | None:
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

    def _take(self, ticket: Ticket, found: Finding, now: float) -> Hold | None:
        """Claim what a request needs, unless another process was quicker."""
        origin, token = self._origin, self._token
        name = ""
        if found.place or found.probe:
            name = f"{_nonce}{os.getpid():x}.{next(_names):x}"
            examined, known = origin.record, found
            found = self._view.change(
                now,
                lambda record: rules.claim(
                    record,
                    token.digest,
                    ticket.operation,
                    now,
                    proven=token.proven,
                    name=name,
                    lease=self._lease,
                    found=known if record is examined else None,
                ),
            )
            if found.ask_at > now:
                return Hold(found.ask_at, found.ready_at, found.counts)
        self._view.quit_line(ticket)
        token.used_at = now
        if origin.rest.shut:
            origin.rest.prober, origin.rest.lease_ends = ticket, now + self._lease
        if origin.window is not None:
            origin.window.leave(ticket, now, now + self._lease)
            if not origin.shut:
                self._view.wake_next(now)  # who keeps the time now
        self._let_out(ticket, now)
        ticket.claim, ticket.placed = name, found.place
        return None
