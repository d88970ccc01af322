"""The guard: what this process knows of a token and of the service, and who may send.

LOX24 blocks an IP for ten minutes after more than three requests with wrong credentials
within one minute (https://doc.lox24.eu/api/), for everybody behind that IP. So what one call
learns, all calls of the process heed: facts about the token are kept by origin and token,
facts about the IP or the service by origin.

Nothing here waits or sends. A call asks (:meth:`Guard.enter`) and is let out or told when to
ask again; afterwards it reports (:meth:`Guard.settle`) or gives up (:meth:`Guard.leave`).
Every state is a value or a deadline in seconds of the given clock, a probe's right too: a
task that dies in any place can hold up nobody for longer than its lease.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from lox24_async.errors import (
    APIStatusError,
    ClientClosedError,
    ConnectionFailedError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    ResponseDecodeError,
    TransportError,
)
from lox24_async.retry import Backoff, Pause

from .gates import OriginGate, Ticket, TokenGate, retry_after_of
from .refusals import date, refusal

_CONFIRM_AFTER: Final = 1.0  # a 401 on a token that worked is asked again after this
_TLS_REST: Final = 1.0  # after a failed handshake all who wait fail; then one may try again
_COURTESY: Final = 1.0  # the first in line has this long to take its turn


class Hold(NamedTuple):
    """Not now. Ask again at ``ask_at``; before ``ready_at`` nothing can be sent."""

    ask_at: float
    ready_at: float
    counts: bool
    """Whether the wait counts as a retry's wait, or is only the queue for the first proof."""


class Guard:
    """One client's view of the shared facts.

    Args:
        origin: The gate of the client's origin.
        token: The gate of the client's token at that origin.
        lease: Seconds after which a probe that did not report is given up.
        backoff: The delays between probes.
    """

    def __init__(
        self, origin: OriginGate, token: TokenGate, *, lease: float, backoff: Backoff
    ) -> None:
        self._origin = origin
        self._token = token
        self._lease = lease
        self._backoff = backoff
        self._tls_error: ConnectionFailedError | None = None
        self._tls_until = float("-inf")

    # --- asking

    @property
    def is_open(self) -> bool:
        """Whether everybody may send."""
        return not self._origin.shut and not self._token.shut and self._tls_error is None

    def enter(self, ticket: Ticket, now: float, *, take: bool = True) -> Hold | None:
        """Ask to send.

        Args:
            ticket: Who asks.
            now: Seconds of the clock.
            take: ``False`` only looks: no probe's right is taken.

        Returns:
            ``None``: send now, then report. Else when to ask again; see also :meth:`refusal`.
        """
        origin, token = self._origin, self._token
        if self.is_open:
            ticket.origin_epoch, ticket.token_epoch = origin.epoch, token.epoch
            if token.line:
                with origin.lock:
                    self._quit_line(ticket)
            return None
        with origin.lock:
            hold = self._hold(ticket, now)
            if hold is not None:
                token.line.join(ticket)
                origin.waiting.add(token)
            elif take:
                self._quit_line(ticket)
                token.used_at = now
                for gate in (origin, token):
                    if gate.shut:
                        gate.lend(ticket, now + self._lease)
                if token.shut:
                    origin.suspects.add(token)
                ticket.origin_epoch, ticket.token_epoch = origin.epoch, token.epoch
        return hold

    def _hold(self, ticket: Ticket, now: float) -> Hold | None:
        origin, token = self._origin, self._token
        if now < self._tls_until:
            return Hold(self._tls_until, float("inf"), counts=True)
        if token.refuses(now):
            return Hold(token.probe_at, float("inf"), counts=True)
        gates = [gate for gate in (origin, token) if gate.shut]
        if not gates:
            return None
        ready_at = max(gate.probe_at for gate in gates)
        ask_at = max(gate.ask_at(now) for gate in gates)
        counts = origin.shut or token.epoch > 0
        if token.shut:
            careful_until, certain = origin.careful_until(now)
            ask_at = max(ask_at, careful_until)
            if certain:
                ready_at, counts = max(ready_at, careful_until), True
        first = token.line.first() or ticket
        if ask_at <= now and (first is ticket or now >= ready_at + _COURTESY):
            return None
        if first is not ticket:
            ask_at = max(ask_at, ready_at + _COURTESY)
        return Hold(ask_at, ready_at, counts)

    def refusal(self, now: float) -> Lox24Error:
        """Return the error for a call that cannot wait: nothing was sent."""
        with self._origin.lock:
            if now < self._tls_until and self._tls_error is not None:
                cause = self._tls_error
                return ConnectionFailedError(cause.message, tls=cause.tls, proxy=cause.proxy)
            return refusal(self._origin, self._token, now)

    def pause(self, now: float) -> Pause | None:
        """Return what holds all calls up now, if anything does."""
        with self._origin.lock:
            held = [gate for gate in (self._origin, self._token) if gate.shut and gate.epoch > 0]
            if not held:
                return None  # a token's first proof is no pause
            seconds = max(gate.probe_at for gate in held) - now
            return Pause(max(0.0, seconds), self.refusal(now))

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
        origin, token = self._origin, self._token
        if error is None and self.is_open:
            token.forbidden = 0
            return None
        if isinstance(error, ClientClosedError):
            self.leave(ticket, now)  # our own matter: nothing was learnt
            return None
        with origin.lock:
            self._quit_line(ticket)
            ticket.tries += 1
            before, was_shut = self._state(), origin.shut
            probed_origin = origin.give_back(ticket, now)
            probed_token = token.give_back(ticket, now)
            self._learn_of_token(ticket, error, now, probed_token)
            self._learn_of_origin(ticket, error, now, probed_origin, probed_token)
            pause = origin.probe_at - now
            after = self._state()
            # Another short pause is no news but for who is next: thousands may be waiting.
            again = was_shut and origin.shut and pause <= _COURTESY and before[2:] == after[2:]
            if before != after and not again:
                _wake(waiter for gate in origin.waiting for waiter in gate.line)
            elif probed_origin or probed_token:
                self._wake_first()
            return max(0.0, pause) if origin.shut else None

    def _state(self) -> tuple[float, ...]:
        origin, token = self._origin, self._token
        return origin.epoch, origin.probe_at, token.epoch, self._tls_until

    def leave(self, ticket: Ticket, now: float) -> None:
        """Give up: the turn passes on."""
        origin, token = self._origin, self._token
        if not origin.shut and not token.shut and not token.line:
            return
        with origin.lock:
            first = token.line.first() is ticket
            self._quit_line(ticket)
            probed_origin = origin.give_back(ticket, now)
            probed_token = token.give_back(ticket, now)
            if first or probed_origin or probed_token:
                self._wake_first()

    def _quit_line(self, ticket: Ticket) -> None:
        self._token.line.quit(ticket)
        if not self._token.line:
            self._origin.waiting.discard(self._token)

    def _wake_first(self) -> None:
        _wake(ticket for gate in self._origin.waiting if (ticket := gate.line.first()))

    def _learn_of_token(
        self, ticket: Ticket, error: Lox24Error | None, now: float, probed: bool
    ) -> None:
        origin, token = self._origin, self._token
        fresh = probed or (not token.shut and ticket.token_epoch == token.epoch)
        status = error.status if isinstance(error, APIStatusError) else None
        if _proves_token(error):
            token.forbidden = 0
            if token.shut and probed:
                token.refused = None
                token.open()
        elif status == 401:
            origin.wrong.append(now)
            if not token.shut and fresh:
                token.refused = None
                token.shut_until(now + _CONFIRM_AFTER)
            elif token.shut and fresh:
                token.refuse(401, now)
        elif status == 403:
            origin.wrong.append(now)
            token.forbidden += 1
            if token.forbidden > 1 and not token.refuses(now):
                token.refuse(403, now)

    def _learn_of_origin(
        self,
        ticket: Ticket,
        error: Lox24Error | None,
        now: float,
        probed: bool,
        probed_token: bool,
    ) -> None:
        origin = self._origin
        if isinstance(error, ConnectionFailedError) and error.final:
            # Certificates and proxy are the client's own matter: only its calls are told.
            self._tls_error, self._tls_until = error, now + _TLS_REST
        elif error is None or not _is_trouble(error):
            self._tls_error = None
            if probed:
                origin.recover()
        elif _is_silence(error) and not (probed or probed_token):
            pass  # one lost connection says nothing about the service
        elif not probed and (origin.shut or ticket.origin_epoch != origin.epoch):
            # Of a wave that was judged already (or a probe that was given up): only what is
            # graver adds to it.
            said = retry_after_of(error)
            if origin.shut and isinstance(error, IPBlockedError) and origin.first_429 is None:
                origin.block(error, now, self._backoff)
            elif origin.shut and said:
                origin.prolong(now + said)
        elif isinstance(error, IPBlockedError) or origin.first_429 is not None:
            origin.block(error, now, self._backoff)
        else:
            origin.rest(error, now, self._backoff)


def _is_trouble(error: Lox24Error) -> bool:
    """Whether the error speaks of the service or the way to it, rather than of the request."""
    if isinstance(error, APIStatusError):
        return error.status in (408, 429) or error.status >= 500
    return isinstance(error, TransportError)


def _is_silence(error: Lox24Error) -> bool:
    """Whether a request got no answer, though there was a connection."""
    if isinstance(error, APIStatusError):
        return error.status == 408
    return not isinstance(error, ConnectionFailedError | IntermediaryError)


def _proves_token(error: Lox24Error | None) -> bool:
    """Whether the server answered with knowledge of the token."""
    if error is None or isinstance(error, ResponseDecodeError):
        return True
    if isinstance(error, APIStatusError):
        return 400 <= error.status < 500 and error.status not in (401, 403, 408, 429)
    return False


def _wake(tickets: Iterable[Ticket]) -> None:
    for ticket in list(tickets):
        wake = ticket.wake  # once: another thread may take it away meanwhile
        if wake is not None:
            wake()
