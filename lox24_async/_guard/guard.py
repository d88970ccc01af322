"""The guard of one client: who may send now, who waits, and who is woken.

Nothing here sleeps or sends. A call asks (:meth:`Guard.enter`) and is let out or told when to
ask again; afterwards it reports (:meth:`Guard.settle`) or gives up (:meth:`Guard.leave`).
Every state is a value or a deadline in seconds of the given clock, a probe's right too: a
task or a process that dies in any place can hold up nobody for longer than its lease.

What the rules decide stands in ``rules``; in ``asking`` they are asked in the order in which a
call meets them, in ``learning`` they are told what came of it.
"""

from math import inf
from typing import TYPE_CHECKING

from lox24_async.errors import ConnectionFailedError, IPBlockedError, Lox24Error
from lox24_async.retry import Backoff, Pause

from .asking import Asking
from .gates import OriginGate, Ticket, TokenGate
from .learning import Learning
from .refusals import date, held_back_until, refusal
from .rules import Hold
from .view import View

if TYPE_CHECKING:
    from .fleet import Fleet


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
        self._view = View(origin, token)
        self._asking = Asking(self._view, lease)
        self._learning = Learning(self._view, backoff)
        self._origin = origin
        self._token = token
        self._lease = lease
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

    def join(self, fleet: "Fleet") -> None:
        """Ask and tell the record that hosts share, too."""
        self._view.fleet = fleet

    async def confirm(self, ticket: Ticket) -> bool:
        """Claim among all hosts, too, what was claimed on this one.

        Returns:
            Whether the request may go. If not, what was claimed is given back.

        Raises:
            ConnectionFailedError: the shared store cannot be reached, and it must be.
        """
        if self._view.fleet is None or not ticket.claim:
            return True
        name = self._token.digest
        hold = await self._view.fleet.claim(self, name, ticket.operation, ticket.claim)
        with self._origin.lock:
            self._token.held_by_fleet = hold
        return hold is None

    def refresh(self, now: float) -> None:
        """Take over what others have found out."""
        with self._origin.lock:
            self._token.held_by_fleet = None
            self._view.look(now)
            self._view.wake_next(now)

    def fail(self, error: ConnectionFailedError | None) -> None:
        """Let nothing out, or all again: the shared store, which must be asked, is away."""
        with self._origin.lock:
            self._view.own_error, self._view.own_until = error, -inf if error is None else inf
            self._view.wake_all()

    # --- asking

    @property
    def is_open(self) -> bool:
        """Whether everybody may send."""
        return self._view.is_open()

    def pass_open(self, ticket: Ticket, now: float) -> bool:
        """Let a request out if everybody may send and nobody waits; else nothing is done."""
        origin, token = self._origin, self._token
        if not self._view.is_open() or token in origin.waiting:
            return False
        ticket.claim, ticket.narrow, ticket.left_at = "", False, now
        ticket.origin_epoch, ticket.token_epoch = origin.epoch, token.epoch
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
        return self._asking.enter(ticket, now, take=take)

    def refusal(self, now: float, operation: str = "") -> Lox24Error:
        """Return the error for a call that cannot wait: nothing was sent."""
        with self._origin.lock:
            if now < self._view.own_until and self._view.own_error is not None:
                cause = self._view.own_error
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

    @property
    def failures(self) -> int:
        """How often in a row the service has failed, by the probe of all."""
        return self._origin.rest.failures

    def probe_ends(self, now: float) -> float:
        """Return when a probe that is out is given up at the latest; ``now``: none is out."""
        rest = self._origin.rest
        return rest.lease_ends if rest.shut and rest.prober is not None else now

    def hurry(self, now: float, since: float) -> bool:
        """Let the next probe go at once, for those who cannot wait for it.

        Once in an outage for all who have waited since then; who came later gets one of their own.

        Args:
            now: Seconds of the clock.
            since: When they began to wait.

        Returns:
            Whether it may. Never while a 429 stands.
        """
        origin = self._origin
        with origin.lock:
            if (
                origin.hurried_at >= since
                or not origin.rest.shut
                or origin.record.block is not None
            ):
                return False
            origin.hurried_at, origin.rest.probe_at = now, min(origin.rest.probe_at, now)
            return True

    def held_back_until(self, now: float) -> float:
        """Return when a place is free for a request that may be wrong; ``now``: it is no matter."""
        with self._origin.lock:
            return held_back_until(self._origin, self._token, now)

    def pause(self, now: float) -> Pause | None:
        """Return what holds all calls up now, if anything does."""
        origin, token = self._origin, self._token
        with origin.lock:
            self._view.look(now)
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
        if error is None and not ticket.claim and self._view.is_open():
            origin.good_left_at, origin.good_at = ticket.left_at, now
            return None
        return self._learning.settle(ticket, error, now)

    def leave(self, ticket: Ticket, now: float, *, sent: bool = True) -> None:
        """Give up: the turn passes on, but what was sent keeps its place.

        Args:
            ticket: Who gives up.
            now: Seconds of the clock.
            sent: Whether its request may have left.
        """
        if ticket.claim or self._token.line or not self._origin.open:
            self._learning.leave(ticket, now, sent=sent)
