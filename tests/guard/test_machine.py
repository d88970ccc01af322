"""The guard against a simulated server, in any order of events that Hypothesis can think of.

Calls of four tokens, made through many clients of one process or of three that share a
record, arrive, wait, fly, are answered, cancelled or die; processes are killed and start
again; the clock leaps; the server revokes tokens, blocks the IP, fails and recovers. Waiting
calls ask again when they are woken or when their time has come, and never else: a lost wake-up
is a stuck call.
"""

from collections.abc import Callable, Iterable
from math import inf, isnan
from typing import ClassVar
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lox24_async import (
    ClientClosedError,
    ConnectionFailedError,
    IPBlockedError,
    Lox24Error,
    RequestTimeoutError,
    ResponseDecodeError,
    TransportError,
)
from lox24_async._guard import asking as asking_module
from lox24_async._guard.record import PlaceState
from lox24_async._guard.rules import ARRIVAL, PLACES, Verdict, verdict_of
from lox24_async.errors import error_class
from lox24_async.retry import is_retried

from .model import (
    ATTEMPT,
    LEASE,
    MINUTE,
    OPERATIONS,
    TOKENS,
    Call,
    Page,
    PageStore,
    Process,
    Server,
    Wrong,
)

BLOCK = 600.0
Ending = Callable[[], Lox24Error | None]

UNSEEN: list[Ending] = [
    lambda: TransportError("lost", attempts=1),
    lambda: RequestTimeoutError("slow", attempts=1),
    lambda: error_class(408)("odd", status=408, attempts=1),
    lambda: error_class(502)("the gateway's", status=502, attempts=1),
    lambda: error_class(504)("the gateway's", status=504, attempts=1),
    lambda: ClientClosedError("closed", attempts=1),
]
"""Ends of requests whose answer, if there was one, nobody saw."""
NEVER_ARRIVED: list[Ending] = [
    lambda: ConnectionFailedError("no connection: refused"),
    lambda: ConnectionFailedError("TLS failed", tls=True),
    lambda: ClientClosedError("the session is closed"),
    lambda: error_class(302)("an intermediary's", status=302, attempts=1),
    lambda: error_class(503)("an intermediary's", status=503, attempts=1),
    lambda: error_class(429)("an intermediary's", status=429, attempts=1),
]
ANSWERED_WELL: list[Ending] = [
    lambda: error_class(404)("no such bulk", status=404, attempts=1),
    lambda: error_class(422)("too late", status=422, attempts=1),
    lambda: ResponseDecodeError("no bulk", status=200, attempts=1),
]


class GuardMachine(RuleBasedStateMachine):
    """Plays calls against the guards, and knows what must never be."""

    processes_at_once: ClassVar[int] = 1
    shared: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        # Looks at the store are rarer than in truth: an hour full of them takes too long here.
        self.rarer = patch.object(asking_module, "_POLL", 2.0)
        self.rarer.start()
        self.now = 1_000.0
        self.server = Server()
        self.jitter = 1.0
        self.page = Page()
        self.processes = [self.start_process() for _ in range(self.processes_at_once)]
        self.waiting: list[Call] = []
        self.flying: list[Call] = []
        self.wrong: list[Wrong] = []
        self.wrong_of: dict[Call, Wrong] = {}
        self.proof_at = dict.fromkeys(TOKENS, -inf)
        self.bad_news_at = dict.fromkeys(TOKENS, -inf)
        self.refused_until = dict.fromkeys(TOKENS, -inf)
        self.forbidden = {(t, o): (0, -inf, -inf) for t in TOKENS for o in OPERATIONS}

    def start_process(self) -> Process:
        store = PageStore(self.page) if self.shared else None
        return Process(store, lambda: self.jitter)

    # --- what calls do

    def ask(self, call: Call) -> None:
        """Let a call ask, as the retry layer does: look first, then take."""
        call.woken = False
        before = call.process.origin.store.read(self.now).block
        probe_at = -inf if before is None else before.probe_at
        hold = call.guard.enter(call.ticket, self.now, take=False)
        if hold is None:
            assert call.guard.enter(call.ticket, self.now) is None, "a look, then another word"
            assert self.now >= probe_at, "knocked before the time"
            self.admit(call)
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

    def admit(self, call: Call) -> None:
        """Let a request out; check that it may go."""
        token, operation = call.token, call.operation
        record = call.process.origin.store.read(self.now)
        mine = [p for p in record.places if p.claim and p.claim == call.ticket.claim]
        call.placed = bool(mine)
        if call.placed:
            assert sum(self.now < p.until for p in record.places[-PLACES - 1 :]) <= PLACES
        else:
            told_at = self.bad_news_at[token]
            fresh = told_at < self.proof_at[token] or self.now > told_at + BLOCK
            assert fresh, "a token that is known to be wrong went out without a place"
        assert self.now >= self.refused_until[token], "sent with a refused token"
        assert self.now >= self.forbidden[token, operation][1], "sent what was forbidden"
        call.block = None
        if record.block is not None:
            call.block = record.block.first_429
            assert record.block.prober == call.ticket.claim != ""
            assert not [other for other in self.flying if self.probes(other, call.block)], (
                "two knock at a time"
            )
        elif call.process.origin.rest.shut:
            assert call.process.origin.rest.prober is call.ticket
        if call in self.waiting:
            self.waiting.remove(call)
        call.ticket.wake = None
        call.hold, call.sent_at = None, self.now
        call.arrived_at, call.fate = None, None
        self.flying.append(call)

    def probes(self, call: Call, block: float | None) -> bool:
        return call.block == block and self.now < call.sent_at + LEASE

    def arrive(self, call: Call) -> None:
        """Let a request reach the server, which counts it now."""
        assert call.arrived_at is None
        call.arrived_at = self.now
        call.fate, counted = self.server.take(call.token, call.operation, self.now)
        if counted:
            wrong = Wrong(self.now, call.sent_at, call.placed, call.token)
            self.wrong.append(wrong)
            self.wrong_of[call] = wrong
            self.check_budget()

    def check_budget(self) -> None:
        """At most three wrong within a minute, but for a wave that was under way."""
        recent = [w for w in self.wrong if w.at > self.now - MINUTE and not w.excused]
        last_let_out = max((w.sent_at for w in recent if w.placed), default=-inf)
        counted = [w for w in recent if w.placed or w.reported_at < last_let_out]
        assert last_let_out == -inf or len(counted) <= PLACES, "a fourth wrong one in a minute"

    def refuse(self, call: Call) -> None:
        error = call.guard.refusal(self.now, call.operation)
        assert error.attempts == 0
        assert not error.outcome_unknown
        retry_after = getattr(error, "retry_after", None)
        assert retry_after is None or 0 <= retry_after <= BLOCK + 1e-6
        assert not isinstance(error, IPBlockedError) or error.blocked_until is not None
        self.leave(call)

    def leave(self, call: Call) -> None:
        call.ticket.wake = None
        flew = call in self.flying
        call.guard.leave(call.ticket, self.now, sent=flew)
        self.forget(call)
        if flew:
            self.note_end(call, Verdict.UNSEEN)

    def forget(self, call: Call) -> None:
        for calls in (self.waiting, self.flying):
            if call in calls:
                calls.remove(call)

    def note_end(self, call: Call, verdict: Verdict) -> None:
        """Remember of an end what must have consequences."""
        wrong = self.wrong_of.pop(call, None)
        if wrong is not None:
            wrong.reported_at = self.now
            wrong.unseen = verdict is Verdict.UNSEEN
        key = call.token, call.operation
        count, closed_until, told_at = self.forbidden[key]
        if verdict is Verdict.PROVEN:
            if call.placed:
                self.proof_at[call.token] = self.now
                self.refused_until[call.token] = -inf
                for other in self.wrong:
                    other.excused |= other.unseen and other.token == call.token
            if call.placed or self.now >= closed_until:
                self.forbidden[key] = 0, -inf, -inf
        elif verdict is Verdict.WRONG:
            if call.sent_at > self.proof_at[call.token]:
                self.bad_news_at[call.token] = self.now
                if call.placed:
                    self.refused_until[call.token] = self.now + MINUTE
        elif verdict is Verdict.FORBIDDEN:
            count = 1 if self.now > told_at + BLOCK / 2 else count + 1  # a record is forgotten
            if count > 1 and self.now >= closed_until:
                closed_until = self.now + MINUTE
            self.forbidden[key] = count, closed_until, self.now

    def answer(self, call: Call, again: bool) -> None:
        """Let the server's answer come."""
        if call.arrived_at is None:
            self.arrive(call)
        self.report(call, call.fate, again)

    def report(self, call: Call, error: Lox24Error | None, again: bool) -> None:
        """End a flight; then the call leaves or asks again."""
        self.flying.remove(call)
        verdict = verdict_of(error)
        if isinstance(error, ClientClosedError) and error.attempts:
            verdict = Verdict.UNSEEN
        self.note_end(call, verdict)
        pause = call.guard.settle(call.ticket, error, self.now)
        assert pause is None or 0 <= pause <= BLOCK + 1e-6
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

    def next_to_ask(self, among: Iterable[Call] | None = None) -> Call | None:
        alive = [call for call in among or self.waiting if not call.dead]
        return min(alive, key=lambda call: call.due, default=None)

    def timed_out(self) -> Call | None:
        """Return who flies next to its attempt's end."""
        alive = [call for call in self.flying if not call.dead]
        return min(alive, key=lambda call: call.sent_at, default=None)

    def pass_time_until(self, moment: float) -> None:
        """Move the clock; on the way everyone acts when the time has come."""
        while True:
            asks, ends = self.next_to_ask(), self.timed_out()
            ask_at = inf if asks is None else asks.due
            end_at = inf if ends is None else ends.sent_at + ATTEMPT
            if min(ask_at, end_at) > moment:
                break
            self.now = max(self.now, min(ask_at, end_at))
            if ends is not None and end_at <= ask_at:
                self.report(ends, RequestTimeoutError("slow", attempts=1), again=False)
            elif asks is not None and self.now >= asks.limit:
                self.refuse(asks)
            elif asks is not None:
                self.ask(asks)
            self.run_ready()
        self.now = max(self.now, moment)

    # --- what happens

    @rule(
        data=st.data(),
        token=st.sampled_from(TOKENS),
        operation=st.sampled_from(OPERATIONS),
        patience=st.sampled_from([1.0, 60.0, 900.0]),
    )
    def somebody_calls(
        self, data: st.DataObject, token: str, operation: str, patience: float
    ) -> None:
        process = data.draw(st.sampled_from(self.processes))
        guard = process.guards[token][data.draw(st.integers(0, 1))]
        self.ask(Call(process, guard, token, self.now + patience, operation))
        self.run_ready()

    @precondition(lambda self: any(call.arrived_at is None for call in self.flying))
    @rule(data=st.data())
    def request_arrives(self, data: st.DataObject) -> None:
        under_way = [call for call in self.flying if call.arrived_at is None]
        call = data.draw(st.sampled_from(under_way))
        if not call.dead or self.now <= call.sent_at + ARRIVAL:
            self.arrive(call)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), again=st.booleans())
    def answer_arrives(self, data: st.DataObject, again: bool) -> None:
        call = data.draw(st.sampled_from(self.flying))
        if not call.dead:
            self.answer(call, again)
            self.run_ready()

    @precondition(lambda self: self.flying)
    @rule(
        data=st.data(),
        again=st.booleans(),
        unseen=st.sampled_from(UNSEEN),
        never=st.sampled_from(NEVER_ARRIVED),
        good=st.sampled_from(ANSWERED_WELL),
        kind=st.sampled_from(["unseen", "never", "good"]),
    )
    def odd_end(
        self,
        data: st.DataObject,
        again: bool,
        unseen: Ending,
        never: Ending,
        good: Ending,
        kind: str,
    ) -> None:
        call = data.draw(st.sampled_from(self.flying))
        arrived = call.arrived_at is not None
        if call.dead or (kind == "never" and arrived):
            return
        if kind == "good" and not (arrived and call.fate is None):
            return
        ending = {"unseen": unseen, "never": never, "good": good}[kind]
        self.report(call, ending(), again)
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
        call = data.draw(st.sampled_from(self.flying + self.waiting))
        call.dead |= not self.arrived_late(call)

    @rule(data=st.data())
    def process_is_killed(self, data: st.DataObject) -> None:
        """Nothing of it is left; requests that had just left may still arrive."""
        if not self.shared:
            return  # with its memory everything is gone: another story begins
        number = data.draw(st.integers(0, len(self.processes) - 1))
        killed = self.processes[number]
        theirs = [c for c in self.flying + self.waiting if c.process is killed]
        if any(map(self.arrived_late, theirs)):
            return
        self.processes[number] = self.start_process()
        for call in theirs:
            if call in self.flying:
                call.dead = True
            else:
                self.forget(call)

    @staticmethod
    def arrived_late(call: Call) -> bool:
        """Whether the store cannot know when it came if nobody reports its end."""
        return call.arrived_at is not None and call.arrived_at > call.sent_at + ARRIVAL

    @rule(seconds=st.sampled_from([0.01, 0.3, 0.5, 1.0, 2.0, 6.0, 10.0, 58.0, 60.0, 65.0, 601.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time_until(self.now + seconds)

    @rule(seconds=st.sampled_from([0.3, 3.0, 30.0, 61.0, 300.0]))
    def clock_leaps(self, seconds: float) -> None:
        """The machine was stopped meanwhile: whatever is due comes late."""
        late = [c.sent_at + ATTEMPT for c in self.flying if self.arrived_late(c)]
        late += [c.sent_at + ARRIVAL for c in self.flying if c.arrived_at is None and not c.dead]
        self.now += seconds if self.now + seconds <= min(late, default=inf) else 0.1
        self.pass_time_until(self.now)

    @rule(
        change=st.sampled_from(["well", "token", "token", "account", "network", 429, 500, 503]),
        token=st.sampled_from(TOKENS),
        operation=st.sampled_from(OPERATIONS),
        retry_after=st.sampled_from([None, 0.0, 1.0, 30.0, 1e12]),
        jitter=st.sampled_from([0.0, 0.5, 0.999]),
    )
    def server_changes(
        self,
        change: str | int,
        token: str,
        operation: str,
        retry_after: float | None,
        jitter: float,
    ) -> None:
        self.jitter = jitter
        match change:
            case "well":
                self.server.calm_down()
            case "token":
                self.server.good ^= {token}
            case "account":
                self.server.inactive ^= {(token, operation)}
            case "network":
                self.server.reachable = not self.server.reachable
            case int():
                self.server.status, self.server.retry_after = change, retry_after

    # --- what must always hold

    @invariant()
    def moments_are_moments(self) -> None:
        for process in self.processes:
            record, rest = process.origin.record, process.origin.rest
            moments = [rest.probe_at, rest.lease_ends]
            moments += [place.until for place in record.places]
            moments += [facts.probe_at for facts in record.tokens.values()]
            if record.block is not None:
                moments += [record.block.probe_at, record.block.until, record.block.lease_ends]
            assert not any(isnan(moment) for moment in moments)
            assert all(moment < inf for moment in moments)

    @invariant()
    def waits_are_bounded(self) -> None:
        """Nobody is told to come again later than a block lasts."""
        for call in self.waiting:
            if not call.dead:
                assert call.hold is not None
                assert call.due <= self.now + BLOCK + LEASE

    @invariant()
    def line_holds_only_those_who_wait(self) -> None:
        for process in self.processes:
            for token in TOKENS:
                mine = [c for c in self.waiting if c.token == token and c.process is process]
                line = set(process.gate(token).line)
                assert line <= {call.ticket for call in mine}
                assert {call.ticket for call in mine if not call.dead} <= line

    @invariant()
    def nobody_waits_at_open_gates(self) -> None:
        for call in self.waiting:
            assert call.dead or not call.guard.is_open, "missed the opening"

    @invariant()
    def places_are_not_stuck(self) -> None:
        """A request that flies no more keeps its place for a minute, or for its lease."""
        for process in self.processes:
            for place in process.origin.store.read(self.now).places:
                most = LEASE if place.state is PlaceState.OUT else MINUTE
                assert place.until <= self.now + most

    # --- what must come in the end

    def teardown(self) -> None:
        try:
            self.somebody_moves_though_nobody_reports()
            self.all_end_well_when_the_server_is_calm()
        finally:
            self.rarer.stop()

    def somebody_moves_though_nobody_reports(self) -> None:
        """If all who fly are dead, time alone lets out or sends home one who waits."""
        for call in self.flying:
            call.dead = True
        alive = [call for call in self.waiting if not call.dead]
        if not alive:
            return
        for call in alive:
            call.limit = inf  # only the guard may end this wait
        blocks = [p.origin.store.read(self.now).block for p in self.processes]
        knock = max((block.probe_at - self.now for block in blocks if block), default=0.0)
        rest = max(p.origin.rest.probe_at - self.now for p in self.processes)
        longest = self.now + max(knock, rest, 0.0) + LEASE + MINUTE + 3.0
        while all(call in self.waiting for call in alive):
            first = self.next_to_ask(alive)
            assert first is not None
            assert first.due <= longest, "stuck"
            self.now = max(self.now, first.due)
            if first.hold is not None and first.hold.ready_at == inf:
                break  # it is refused
            self.ask(first)

    def all_end_well_when_the_server_is_calm(self) -> None:
        """Once the server is well and the old leases are over, every call gets through."""
        self.server.calm_down()
        for call in self.waiting:
            call.limit = inf
        self.pass_time_until(self.now + BLOCK + 2 * LEASE)
        for process in self.processes:
            for token in TOKENS:
                for guard in process.guards[token]:
                    self.ask(Call(process, guard, token, inf, OPERATIONS[0]))
        for _ in range(10_000):
            self.run_ready()
            flying = [call for call in self.flying if not call.dead]
            if flying:
                self.answer(flying[0], again=True)
            elif (waiting := self.next_to_ask()) is not None:
                self.pass_time_until(waiting.due)
            else:
                break
        assert not [call for call in self.waiting + self.flying if not call.dead]
        for process in self.processes:
            assert not process.origin.shut
            assert all(process.gate(token).open for token in TOKENS)


class FleetMachine(GuardMachine):
    """Three processes that share a record as text."""

    processes_at_once = 3
    shared = True


GuardMachine.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
FleetMachine.TestCase.settings = settings(GuardMachine.TestCase.settings, max_examples=40)
TestGuardMachine = GuardMachine.TestCase
TestFleetMachine = FleetMachine.TestCase
