"""The guard against a simulated server, in any order of events that Hypothesis can think of.

Calls of two tokens, made through four clients, arrive, wait, fly, are answered, cancelled or
die; the server revokes tokens, blocks the IP, fails and recovers. Waiting calls ask again when
they are woken or when their time has come, and never else: a lost wake-up is a stuck call.
"""

from collections import deque
from collections.abc import Callable
from math import inf, isnan
from typing import Final

from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lox24_async import (
    ClientClosedError,
    ConnectionFailedError,
    IPBlockedError,
    Lox24Error,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
)
from lox24_async._guard.gates import OriginGate, Ticket, TokenGate
from lox24_async._guard.guard import Guard
from lox24_async._guard.rules import Hold
from lox24_async.errors import error_class
from lox24_async.retry import Backoff, is_retried

LEASE: Final = 65.0
MINUTE: Final = 60.0
TOKENS: Final = ("1:a", "2:b")


class Server:
    """LOX24 as documented: more than three wrong requests in a minute block the IP."""

    def __init__(self) -> None:
        self.good = set(TOKENS)
        self.inactive: set[str] = set()
        self.status: int | None = None
        self.retry_after: float | None = None
        self.reachable = True
        self.blocked_until = -inf
        self.wrong: deque[float] = deque()

    def answer(self, token: str, now: float) -> Lox24Error | None:
        """Carry a request out; return the error that the client makes of the answer."""
        if not self.reachable:
            return ConnectionFailedError("no connection: refused")
        if now < self.blocked_until:
            return self._error(429)
        if self.status is not None:
            return self._error(self.status)
        if token not in self.good:
            while self.wrong and self.wrong[0] <= now - MINUTE:
                self.wrong.popleft()
            self.wrong.append(now)
            if len(self.wrong) > 3:
                self.blocked_until = now + 600
            return self._error(401)
        return self._error(403) if token in self.inactive else None

    def _error(self, status: int) -> Lox24Error:
        said = self.retry_after if status in (429, 503) else None
        return error_class(status)("no", status=status, retry_after=said, attempts=1)

    def calm_down(self) -> None:
        """Be the server that everyone hopes for."""
        self.__init__()  # type: ignore[misc]


@define(eq=False)
class Call:
    """One call: a ticket and what it waits for."""

    guard: Guard
    token: str
    limit: float
    ticket: Ticket = field(factory=Ticket)
    hold: Hold | None = None
    woken: bool = False
    sent_at: float | None = None
    fate: Lox24Error | None = None
    probes: tuple[object, ...] = ()
    """The gates that were shut when it was let out."""
    dead: bool = False
    """Neither asks nor reports nor leaves any more."""

    def wake(self) -> None:
        self.woken = True


class GuardMachine(RuleBasedStateMachine):
    """Plays calls against the guard, and knows what must never be."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.server = Server()
        self.origin = OriginGate()
        self.jitter = 1.0
        self.gates = {token: TokenGate() for token in TOKENS}
        for token, gate in self.gates.items():
            self.origin.tokens[token.encode()] = gate
        backoff = Backoff(RetryPolicy(initial_delay=0.5, max_delay=8.0), lambda: self.jitter)
        self.clients = [
            (Guard(self.origin, self.gates[token], lease=LEASE, backoff=backoff), token)
            for token in TOKENS
            for _ in range(2)
        ]
        self.waiting: list[Call] = []
        self.flying: list[Call] = []
        self.gone: list[Call] = []
        self.seen_wrong: list[float] = []
        self.refused_until = dict.fromkeys(TOKENS, -inf)
        self.forbidden = dict.fromkeys(TOKENS, 0)

    # --- what calls do

    def ask(self, call: Call) -> None:
        """Let a call ask, as the retry layer does: look first, then take."""
        call.woken = False
        shut = tuple(gate for gate in (self.origin, self.gates[call.token]) if gate.shut)
        hold = call.guard.enter(call.ticket, self.now, take=False)
        if hold is None:
            assert call.guard.enter(call.ticket, self.now) is None, "a look, then another word"
            self.admit(call, shut)
            return
        assert not isnan(hold.ask_at)
        assert not isnan(hold.ready_at)
        assert hold.ask_at > self.now, "told to ask at once: the loop would spin"
        call.hold = hold
        if call in self.flying:
            self.flying.remove(call)
        if hold.ready_at > call.limit or self.now >= call.limit:
            self.refuse(call)
        elif call not in self.waiting:
            call.ticket.wake = call.wake
            self.waiting.append(call)

    def admit(self, call: Call, shut: tuple[object, ...]) -> None:
        assert self.now >= self.refused_until[call.token], "sent with a refused token"
        for gate in shut:
            assert not self.probes_of(gate), "two probes at a time"
        if self.gates[call.token] in shut:
            wrong = sum(at > self.now - MINUTE for at in self.seen_wrong)
            # Those under way with another unproven token may be wrong as well.
            wrong += sum(len(self.probes_of(gate)) for gate in self.gates.values())
            assert wrong < 3, "chose to send what may be the fourth wrong request of a minute"
        if call in self.waiting:
            self.waiting.remove(call)
        call.ticket.wake = None
        call.hold, call.probes, call.sent_at = None, shut, self.now
        call.fate = self.server.answer(call.token, self.now)
        self.flying.append(call)

    def probes_of(self, gate: object) -> list[Call]:
        """Return the probes of a gate that it still has to reckon with."""
        return [
            call
            for call in self.flying
            if gate in call.probes and call.sent_at is not None and self.now < call.sent_at + LEASE
        ]

    def refuse(self, call: Call) -> None:
        error = call.guard.refusal(self.now)
        assert error.attempts == 0
        assert not error.outcome_unknown
        retry_after = getattr(error, "retry_after", None)
        assert retry_after is None or 0 <= retry_after < inf
        assert not isinstance(error, IPBlockedError) or error.blocked_until is not None
        self.leave(call)

    def leave(self, call: Call) -> None:
        call.ticket.wake = None
        call.guard.leave(call.ticket, self.now)
        for calls in (self.waiting, self.flying):
            if call in calls:
                calls.remove(call)
        self.gone.append(call)

    def report(self, call: Call, error: Lox24Error | None, again: bool) -> None:
        """End a flight; then the call leaves or asks again."""
        was_probe = self.gates[call.token].prober is call.ticket
        status = getattr(error, "status", None)
        if status in (401, 403):
            self.seen_wrong.append(self.now)
        if status == 401 and was_probe:
            self.refused_until[call.token] = self.now + MINUTE
        if status == 403:
            self.forbidden[call.token] += 1
            if self.forbidden[call.token] > 1 and self.now >= self.refused_until[call.token]:
                self.refused_until[call.token] = self.now + MINUTE
        elif error is None or status == 404:
            self.forbidden[call.token] = 0
            if was_probe:  # it was under way when another's answer refused the token
                self.refused_until[call.token] = -inf
        self.flying.remove(call)
        pause = call.guard.settle(call.ticket, error, self.now)
        assert pause is None or 0 <= pause < inf
        if again and error is not None and is_retried(error):
            self.ask(call)
        else:
            self.leave(call)

    def run_ready(self) -> None:
        """Let those ask who were woken, in order, until nobody is left."""
        for _ in range(1_000):
            ready = [call for call in self.waiting if call.woken and not call.dead]
            if not ready:
                return
            for call in ready:
                if call in self.waiting:
                    self.ask(call)
        raise AssertionError("calls wake each other for ever")

    def next_to_ask(self) -> Call | None:
        alive = [call for call in self.waiting if not call.dead]
        return min(alive, key=self.due, default=None)

    @staticmethod
    def due(call: Call) -> float:
        """Return when a waiting call stops waiting: time to ask, or out of patience."""
        assert call.hold is not None
        return min(call.hold.ask_at, call.limit)

    def pass_time_until(self, moment: float) -> None:
        """Move the clock; on the way everyone asks when the time has come."""
        while (call := self.next_to_ask()) is not None and self.due(call) <= moment:
            self.now = max(self.now, self.due(call))
            if self.now >= call.limit:
                self.refuse(call)
            else:
                self.ask(call)
            self.run_ready()
        self.now = moment

    # --- what happens

    @rule(client=st.integers(0, 3), patience=st.sampled_from([1.0, 60.0, 900.0]))
    def somebody_calls(self, client: int, patience: float) -> None:
        guard, token = self.clients[client]
        self.ask(Call(guard, token, self.now + patience))
        self.run_ready()

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), again=st.booleans())
    def answer_arrives(self, data: st.DataObject, again: bool) -> None:
        call = data.draw(st.sampled_from(self.flying))
        if not call.dead:
            self.report(call, call.fate, again)
            self.run_ready()

    @precondition(lambda self: self.flying)
    @rule(
        data=st.data(),
        again=st.booleans(),
        error=st.sampled_from(
            [
                lambda: TransportError("lost", attempts=1),
                lambda: RequestTimeoutError("slow", attempts=1),
                lambda: error_class(408)("odd", status=408, attempts=1),
                lambda: error_class(404)("no such bulk", status=404, attempts=1),
                lambda: error_class(302)("redirect", status=302, attempts=1),
                lambda: ConnectionFailedError("TLS failed", tls=True),
                lambda: ClientClosedError("the session is closed"),
            ]
        ),
    )
    def odd_end(self, data: st.DataObject, again: bool, error: Callable[[], Lox24Error]) -> None:
        call = data.draw(st.sampled_from(self.flying))
        if not call.dead:
            self.report(call, error(), again)
            self.run_ready()

    @precondition(lambda self: self.flying or self.waiting)
    @rule(data=st.data())
    def caller_is_cancelled(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.flying + self.waiting))
        if not call.dead:
            self.leave(call)
            self.run_ready()

    @precondition(lambda self: self.flying or self.waiting)
    @rule(data=st.data())
    def caller_dies(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.flying + self.waiting)).dead = True

    @rule(seconds=st.sampled_from([0.01, 0.3, 0.5, 1.0, 2.0, 10.0, 58.0, 60.0, 65.0, 601.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time_until(self.now + seconds)

    @rule(
        change=st.sampled_from(["well", "token", "account", "network", 429, 500, 503]),
        token=st.sampled_from(TOKENS),
        retry_after=st.sampled_from([None, 0.0, 1.0, 30.0]),
        jitter=st.sampled_from([0.0, 0.5, 0.999]),
    )
    def server_changes(
        self, change: str | int, token: str, retry_after: float | None, jitter: float
    ) -> None:
        self.jitter = jitter
        match change:
            case "well":
                self.server.calm_down()
            case "token":
                self.server.good ^= {token}
            case "account":
                self.server.inactive ^= {token}
            case "network":
                self.server.reachable = not self.server.reachable
            case int():
                self.server.status, self.server.retry_after = change, retry_after

    # --- what must always hold

    @invariant()
    def no_moment_is_nan(self) -> None:
        origin = self.origin
        moments = [origin.knock, origin.blocked_until, origin.first_429 or 0.0]
        for gate in (origin, *self.gates.values()):
            moments += [gate.probe_at, gate.lease_ends]
        assert not any(isnan(moment) for moment in moments)
        assert all(moment < inf for moment in moments)

    @invariant()
    def line_holds_only_those_who_wait(self) -> None:
        for token, gate in self.gates.items():
            waiting = {call.ticket for call in self.waiting if call.token == token}
            assert set(gate.line) <= waiting
            alive = {call.ticket for call in self.waiting if call.token == token and not call.dead}
            assert alive <= set(gate.line)

    @invariant()
    def nobody_waits_at_open_gates(self) -> None:
        for call in self.waiting:
            gates = (self.origin, self.gates[call.token])
            assert call.dead or any(gate.shut for gate in gates), "missed the opening"

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Where no probe is under way and none is forbidden, the next one goes in a second."""
        for call in self.waiting:
            token = self.gates[call.token]
            gates = [gate for gate in (self.origin, token) if gate.shut]
            asleep = [other.ticket for other in self.waiting if other.dead]
            if call.dead or next(iter(token.line)) in asleep:
                continue  # who is woken and never acts is bounded by the lease: see teardown
            free_at = [gate.probe_at for gate in gates]
            if token.shut:
                free_at.append(max(self.seen_wrong[-3:-2], default=-inf) + MINUTE)
                gates = [self.origin, *self.gates.values()]
            if not any(self.probes_of(gate) for gate in gates):
                assert self.now <= max(free_at) + 1.0, "nobody probes, and a call waits"

    # --- what must come in the end

    def teardown(self) -> None:
        self.somebody_moves_though_nobody_reports()
        self.all_end_well_when_the_server_is_calm()

    def somebody_moves_though_nobody_reports(self) -> None:
        """If all who fly are dead, time alone lets out or sends home one who waits."""
        for call in self.flying:
            call.dead = True
        alive = [call for call in self.waiting if not call.dead]
        if not alive:
            return
        for call in alive:
            call.limit = inf  # only the guard may end this wait
        longest = self.now + LEASE + MINUTE + 2.0
        longest += max(0.0, self.origin.probe_at - self.now)
        while all(call in self.waiting for call in alive):
            call = min(alive, key=self.due)
            assert self.due(call) <= longest, "stuck"
            self.now = self.due(call)
            if call.hold is not None and call.hold.ready_at == inf:
                break  # it is refused
            self.ask(call)

    def all_end_well_when_the_server_is_calm(self) -> None:
        """Once the server is well and the old leases are over, every call gets through."""
        self.server.calm_down()
        for call in self.waiting:
            call.limit = inf
        self.pass_time_until(self.now + 700.0 + LEASE)
        for guard, token in self.clients:
            self.ask(Call(guard, token, inf))
        for _ in range(10_000):
            self.run_ready()
            flying = [call for call in self.flying if not call.dead]
            if flying:
                self.report(flying[0], flying[0].fate, again=True)
            elif (waiting := self.next_to_ask()) is not None:
                self.pass_time_until(self.due(waiting))
            else:
                break
        assert not [call for call in self.waiting + self.flying if not call.dead]
        assert not self.origin.shut
        assert not any(gate.shut for gate in self.gates.values())


GuardMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestGuardMachine = GuardMachine.TestCase
