"""The guard's rules, one by one, under a clock that only the test moves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf, isnan
from typing import TypeVar

import pytest
from attrs import astuple

from lox24_async import (
    AccountNotActivatedError,
    AuthenticationError,
    ClientClosedError,
    ConnectionFailedError,
    HeldBackError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    RequestTimeoutError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    TransportError,
)
from lox24_async._guard import rules
from lox24_async._guard.gates import Line, OriginGate, Ticket, TokenGate
from lox24_async._guard.guard import Guard
from lox24_async._guard.record import Place, PlaceState, Record
from lox24_async._guard.rules import Finding, Hold, Verdict
from lox24_async._guard.stores import MemoryStore, forget, gates_for
from lox24_async.errors import error_class
from lox24_async.retry import Backoff

from .model import Page, PageStore, Process

T = TypeVar("T")
LEASE = 65.0
T0 = 1_000.0
"""When every test begins, on the clock that it passes in."""


def answer(status: int, retry_after: float | None = None) -> Lox24Error:
    """Return the error that an answer of this status becomes."""
    return error_class(status)("as the server said", status=status, retry_after=retry_after)


def lost() -> Lox24Error:
    """Return the error of a request whose answer never came."""
    return TransportError("the connection was lost", attempts=1)


def refused() -> Lox24Error:
    """Return the error of a connection that was not made."""
    return ConnectionFailedError("no connection: refused")


def untrusted() -> Lox24Error:
    """Return the error of a handshake that failed."""
    return ConnectionFailedError("TLS failed: unknown authority", tls=True)


class Caller(Ticket):
    """A ticket that counts how often it was woken."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = 0
        self.wake: Callable[[], None] | None = self._count

    def _count(self) -> None:
        self.woken += 1


class World:
    """The guards of one origin, made as clients make them."""

    def __init__(self, jitter: float = 1.0) -> None:
        self.origin = OriginGate(MemoryStore())
        self.jitter = jitter

    def guard(
        self, token: str = "1:a", initial_delay: float = 0.5, max_delay: float = 8.0
    ) -> Guard:
        """Return the guard of another client with this token."""
        name = self.origin.store.digest(token)
        gate = self.origin.tokens.setdefault(name, TokenGate(name))
        backoff = Backoff(
            RetryPolicy(initial_delay=initial_delay, max_delay=max_delay), lambda: self.jitter
        )
        return Guard(self.origin, gate, lease=LEASE, backoff=backoff, width=1)

    def proven(self, token: str = "1:a", now: float = T0) -> Guard:
        """Return a guard whose token has just worked."""
        guard = self.guard(token)
        report(guard, None, now)
        return guard


def enter(guard: Guard, now: float, caller: Ticket | None = None) -> Ticket:
    """Let a caller out; fail if the guard holds it."""
    caller = Caller() if caller is None else caller
    assert guard.enter(caller, now) is None
    return caller


def held(guard: Guard, now: float, caller: Ticket | None = None) -> Hold:
    """Return how a caller is held (``None``: one who passes by); fail if it is let out."""
    asking = Caller() if caller is None else caller
    hold = guard.enter(asking, now)
    assert hold is not None
    if caller is None:
        guard._token.line.quit(asking)
    return hold


def report(guard: Guard, error: Lox24Error | None, now: float) -> float | None:
    """Let one request out and report its end at once."""
    return guard.settle(enter(guard, now), error, now)


def wait_in_line(guard: Guard, now: float, count: int) -> list[Caller]:
    """Put callers in line, as those do who look and are held."""
    callers = [Caller() for _ in range(count)]
    for caller in callers:
        assert guard.enter(caller, now, take=False) is not None
    return callers


def woken(callers: list[Caller]) -> list[int]:
    """Return how often each was woken."""
    return [caller.woken for caller in callers]


@pytest.fixture
def world() -> World:
    """Return an origin of which nothing is known."""
    return World()


# --- an unproven token


def test_unproven_token_lets_one_out_and_holds_the_rest(world: World) -> None:
    """The first call is the probe; the others wait for its answer, by no clock of theirs."""
    guard = world.guard()
    enter(guard, T0)
    for _ in range(3):
        hold = held(guard, T0)
        assert not hold.counts
        assert T0 + 1 < hold.ask_at <= T0 + 3
        assert hold.ready_at <= T0


def test_unproven_token_is_probed_once_by_all_clients(world: World) -> None:
    """A second client with the same token waits for the first one's probe."""
    enter(world.guard(), T0)
    held(world.guard(), T0)


def test_looking_takes_no_right(world: World) -> None:
    """With ``take=False`` the guard only says whether one might go."""
    guard = world.guard()
    assert guard.enter(Caller(), T0, take=False) is None
    enter(guard, T0)


PROOFS = [
    None,
    ResponseDecodeError("no bulk", status=200),
    *(answer(status) for status in (400, 402, 404, 405, 409, 410, 422)),
]


@pytest.mark.parametrize("proof", PROOFS, ids=repr)
def test_knowledge_of_the_token_proves_it(world: World, proof: Lox24Error | None) -> None:
    """2xx, and 4xx other than 401, 403, 408 and 429, open the gate and wake all who wait."""
    guard = world.guard()
    probe = enter(guard, T0)
    waiting = wait_in_line(guard, T0, 3)
    assert guard.settle(probe, proof, T0 + 1) is None
    assert [1, 1, 1] == woken(waiting)
    for caller in waiting:
        enter(guard, T0 + 1, caller)


NO_PROOFS = [*(answer(status) for status in (302, 401, 403, 408, 429, 500, 503)), lost(), refused()]


@pytest.mark.parametrize("error", NO_PROOFS, ids=repr)
def test_other_ends_prove_nothing(world: World, error: Lox24Error) -> None:
    """Whatever else happens to the probe, at most one more goes at a time."""
    guard = world.guard()
    report(guard, error, T0)
    enter(guard, T0 + 61)
    held(guard, T0 + 61)


def test_answer_without_knowledge_passes_the_turn_at_once(world: World) -> None:
    """After a redirect, which proves nothing, the next in line probes without a pause."""
    guard = world.guard()
    probe = enter(guard, T0)
    waiting = wait_in_line(guard, T0, 3)
    guard.settle(probe, answer(302), T0 + 1)
    assert [1, 0, 0] == woken(waiting)
    enter(guard, T0 + 1, waiting[0])


def test_tokens_are_proven_one_by_one(world: World) -> None:
    """That one token works says nothing of another."""
    world.proven("1:a")
    other = world.guard("2:b")
    enter(other, T0)
    held(other, T0)


# --- 401


def test_401_refuses_the_token_for_all_who_wait(world: World) -> None:
    """Everyone is woken and told at once: a local error of the server's class, nothing sent."""
    guard = world.guard()
    probe = enter(guard, T0)
    waiting = wait_in_line(guard, T0, 3)
    guard.settle(probe, answer(401), T0)
    assert [1, 1, 1] == woken(waiting)
    hold = held(guard, T0 + 20, waiting[0])
    assert (inf, T0 + 60) == (hold.ready_at, hold.ask_at)
    error = guard.refusal(T0 + 20)
    assert type(error) is AuthenticationError
    assert (0, 401, 40.0) == (error.attempts, error.status, error.retry_after)


def test_401_is_probed_again_after_a_minute(world: World) -> None:
    """For 60 s nothing at all goes, then one probe; a second 401 begins a new minute."""
    guard = world.guard()
    report(guard, answer(401), T0)
    for second in (0.0, 1.0, 30.0, 59.999):
        held(guard, T0 + second)
    probe = enter(guard, T0 + 60)
    held(guard, T0 + 60)
    guard.settle(probe, answer(401), T0 + 60)
    held(guard, T0 + 119.999)
    assert report(guard, None, T0 + 120) is None
    enter(guard, T0 + 120)
    enter(guard, T0 + 120)


def test_401_concerns_one_token(world: World) -> None:
    """Another token of the same origin is not held back."""
    report(world.guard("1:a"), answer(401), T0)
    assert report(world.guard("2:b"), None, T0) is None


def test_401_on_a_proven_token_asks_for_one_confirmation(world: World) -> None:
    """No send for a second, then one probe; its 401 refuses the token."""
    guard = world.proven()
    report(guard, answer(401), T0)
    hold = held(guard, T0)
    assert (T0 + 1, T0 + 1, True) == (hold.ask_at, hold.ready_at, hold.counts)
    held(guard, T0 + 0.999)
    probe = enter(guard, T0 + 2)
    held(guard, T0 + 2)
    guard.settle(probe, answer(401), T0 + 2)
    held(guard, T0 + 61.999)
    enter(guard, T0 + 62)


def test_case_4_spurious_401_is_over_after_a_second(world: World) -> None:
    """A confirming probe that succeeds opens the gate for all who wait."""
    guard = world.proven()
    report(guard, answer(401), T0)
    waiting = wait_in_line(guard, T0, 3)
    guard.settle(enter(guard, T0 + 1, waiting[0]), None, T0 + 1.1)
    for caller in waiting:
        enter(guard, T0 + 1.1, caller)


def test_refusal_before_the_confirmation(world: World) -> None:
    """Who cannot wait for the confirming probe is told of the 401, and when the probe goes."""
    guard = world.proven()
    report(guard, answer(401), T0)
    error = guard.refusal(T0 + 0.25)
    assert type(error) is AuthenticationError
    assert (0, 0.75) == (error.attempts, error.retry_after)


@pytest.mark.parametrize(("wrong", "confirm_at"), [(1, 1.0), (2, 1.0), (3, 60.0), (10, 67.0)])
def test_case_3_confirmation_is_at_most_the_third_wrong(
    world: World, wrong: int, confirm_at: float
) -> None:
    """After three wrong answers within a minute the confirmation waits until it is over."""
    guard = world.proven()
    in_flight = [enter(guard, T0) for _ in range(wrong)]
    for second, caller in enumerate(in_flight):
        guard.settle(caller, answer(401), T0 + second)
    last = T0 + wrong - 1
    expected = max(T0 + confirm_at, last)
    assert expected == held(guard, last).ask_at if last < expected else True
    held(guard, expected - 0.001)
    enter(guard, expected)


def test_case_3_answers_still_under_way_refuse_nothing(world: World) -> None:
    """The 401s of one wave are one piece of news: only the confirmation decides."""
    guard = world.proven()
    first, second = enter(guard, T0), enter(guard, T0)
    guard.settle(first, answer(401), T0)
    guard.settle(second, answer(401), T0)
    assert report(guard, None, T0 + 1) is None
    enter(guard, T0 + 1)


def test_401_of_before_a_confirmation_is_old_news(world: World) -> None:
    """A late 401 of a request that left before the token was confirmed shuts nothing."""
    guard = world.proven()
    early, late = enter(guard, T0), enter(guard, T0)
    guard.settle(early, answer(401), T0)
    report(guard, None, T0 + 1)
    guard.settle(late, answer(401), T0 + 2)
    enter(guard, T0 + 2)


def test_no_fourth_wrong_request_over_several_tokens(world: World) -> None:
    """The server counts by IP: after three wrong tokens a fourth waits for that minute's end."""
    for number in range(3):
        report(world.guard(f"{number}:x"), answer(401), T0 + number)
    fourth = world.guard("4:x")
    hold = held(fourth, T0 + 3)
    assert (T0 + 60, T0 + 60, True) == (hold.ask_at, hold.ready_at, hold.counts)
    error = fourth.refusal(T0 + 3)
    assert type(error) is HeldBackError
    assert (0, 57.0) == (error.attempts, error.retry_after)
    enter(fourth, T0 + 60)


def test_no_fourth_wrong_request_at_the_same_time(world: World) -> None:
    """Unproven tokens under way may all be wrong: no more than three go at once."""
    for number in range(3):
        enter(world.guard(f"{number}:x"), T0)
    held(world.guard("4:x"), T0)


def test_unproven_tokens_go_on_when_others_are_proven(world: World) -> None:
    """A token that waits because three others are under way goes when one of them works."""
    guards = [world.guard(f"{number}:x") for number in range(4)]
    probes = [enter(guard, T0) for guard in guards[:3]]
    waiting = wait_in_line(guards[3], T0, 1)
    guards[0].settle(probes[0], None, T0 + 1)
    assert [1] == woken(waiting)
    enter(guards[3], T0 + 1, waiting[0])


# --- 403


def test_one_403_shuts_nothing(world: World) -> None:
    """The second 403 in a row closes a token that worked; a success between forgives."""
    guard = world.proven()
    for error in (answer(403), None, answer(403), answer(404), answer(403)):
        report(guard, error, T0)
    report(guard, answer(403), T0)
    hold = held(guard, T0 + 59.999)
    assert (inf, T0 + 60) == (hold.ready_at, hold.ask_at)
    error = guard.refusal(T0 + 30)
    assert type(error) is AccountNotActivatedError
    assert (0, 403, 30.0) == (error.attempts, error.status, error.retry_after)
    enter(guard, T0 + 60)
    held(guard, T0 + 60)


def test_403_on_an_unproven_token_passes_the_turn(world: World) -> None:
    """The next probes at once; its 403 closes the token for all."""
    guard = world.guard()
    probe = enter(guard, T0)
    waiting = wait_in_line(guard, T0, 3)
    guard.settle(probe, answer(403), T0)
    assert [1, 0, 0] == woken(waiting)
    guard.settle(enter(guard, T0, waiting[0]), answer(403), T0 + 1)
    assert [1, 1, 1] == woken(waiting)
    assert type(guard.refusal(T0 + 1)) is AccountNotActivatedError
    held(guard, T0 + 60.999, waiting[1])


def test_403s_count_as_wrong_requests(world: World) -> None:
    """Two 403s and one 401 within a minute hold back a fourth unproven request."""
    for token in ("1:a", "1:a", "2:b"):
        report(world.guard(token), answer(401 if token == "2:b" else 403), T0)
    assert T0 + 60 == held(world.guard("3:c"), T0).ask_at


def test_wave_of_403s_begins_one_minute(world: World) -> None:
    """The 403s that follow a refusal do not prolong it."""
    guard = world.proven()
    in_flight = [enter(guard, T0) for _ in range(5)]
    for second, caller in enumerate(in_flight):
        guard.settle(caller, answer(403), T0 + second)
    report(guard, None, T0 + 63)
    enter(guard, T0 + 63)


# --- 429


def knocks(guard: Guard, error: Callable[[float], Lox24Error], until: float) -> list[float]:
    """Report ``error`` for each probe; return when they went, in seconds after the first."""
    caller = enter(guard, T0)
    times = [0.0]
    while times[-1] < until:
        now = T0 + times[-1]
        pause = guard.settle(caller, error(times[-1]), now)
        assert pause is not None
        held(guard, now + pause - 0.001, caller)
        enter(guard, now + pause, caller)
        times.append(now + pause - T0)
    return times


def test_case_7_probes_double_and_one_falls_on_the_end(world: World) -> None:
    """Without ``Retry-After``: doubling from ``initial_delay``, uncapped, and 600 s exactly."""
    expected = [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 127.5, 255.5, 511.5, 600]
    assert expected == knocks(world.proven(), lambda _: answer(429), 600)


@pytest.mark.parametrize("initial_delay", [0.0, 0.003, 0.7, 45.0, 599.0, 601.0, 5000.0])
def test_case_7_whatever_the_policy(world: World, initial_delay: float) -> None:
    """Intervals never shrink but for the one that ends at 600 s; no policy knocks at once."""
    report(world.guard(), None, T0)
    times = knocks(world.guard(initial_delay=initial_delay), lambda _: answer(429), 3000)
    assert 600 in times
    pauses = [b - a for a, b in pairwise(times) if b != 600]
    assert pauses == sorted(pauses)
    assert min(pauses) > 0


def test_case_7_knocks_grow_rare_after_the_documented_end(world: World) -> None:
    """A block that outlasts 600 s can end: the next knocks leave it more than ten minutes."""
    times = knocks(world.proven(), lambda _: answer(429), 5000)
    after = [time for time in times if time >= 600]
    assert all(b - a > 600 for a, b in pairwise(after))


def test_429_pauses_all_tokens_of_the_origin(world: World) -> None:
    """What concerns the IP stops every token there, and one probe goes for all."""
    a, b = world.proven("1:a"), world.proven("2:b")
    report(a, answer(429), T0)
    hold = held(b, T0)
    assert (T0 + 0.5, T0 + 0.5, True) == (hold.ask_at, hold.ready_at, hold.counts)
    probe = enter(b, T0 + 0.5)
    held(a, T0 + 0.5)
    b.settle(probe, None, T0 + 1)
    for guard in (a, a, b):  # by steps
        guard.settle(enter(guard, T0 + 1), None, T0 + 1)


def test_429_of_one_wave_is_one_pause(world: World) -> None:
    """The other 429s of requests that were in flight do not double the pause."""
    guard = world.proven()
    in_flight = [enter(guard, T0) for _ in range(10)]
    pauses = [guard.settle(caller, answer(429), T0) for caller in in_flight]
    assert [0.5] * 10 == pauses


def test_429_of_before_a_recovery_is_old_news(world: World) -> None:
    """A late 429 does not shut a gate that a later probe found open."""
    guard = world.proven()
    early, late = enter(guard, T0), enter(guard, T0)
    guard.settle(early, answer(429), T0)
    report(guard, None, T0 + 0.5)
    assert guard.settle(late, answer(429), T0 + 1) is None
    enter(guard, T0 + 1)


def test_case_8_retry_after_is_the_pause(world: World) -> None:
    """With ``Retry-After`` the pause is what the server said."""
    guard = world.proven()
    assert report(guard, answer(429, 7.0), T0) == 7.0
    held(guard, T0 + 6.999)
    enter(guard, T0 + 7)
    held(guard, T0 + 7)


def test_longest_retry_after_of_a_wave_counts(world: World) -> None:
    """Deadlines are combined by ``max``, whichever answer comes first."""
    guard = world.proven()
    in_flight = [enter(guard, T0) for _ in range(3)]
    pauses = [
        guard.settle(caller, answer(429, said), T0)
        for caller, said in zip(in_flight, (3.0, 9.0, 5.0), strict=True)
    ]
    assert [3.0, 9.0, 9.0] == pauses


def test_429_with_retry_after_zero_is_no_invitation_to_hammer(world: World) -> None:
    """A server that always says ``Retry-After: 0`` still gets fewer and fewer probes."""
    guard = world.proven()
    caller, now = enter(guard, T0), T0
    for _ in range(8):
        pause = guard.settle(caller, answer(429, 0.0), now)
        assert pause is not None
        now += pause
        enter(guard, now, caller)
    assert now > T0 + 1


def test_retry_after_after_knocks(world: World) -> None:
    """``Retry-After`` rules from the moment that the server says it."""
    said = {0.0: None, 0.5: 100.0, 100.5: 600.0}
    assert [0, 0.5, 100.5, 700.5] == knocks(
        world.proven(), lambda second: answer(429, said[second]), 700
    )


def test_refusal_in_a_block_tells_both_times(world: World) -> None:
    """``retry_after`` leads to the next probe, ``blocked_until`` to first 429 + 600 s."""
    guard = world.proven()
    report(guard, answer(429), T0)
    report(guard, answer(429), T0 + 0.5)
    error = guard.refusal(T0 + 1)
    assert type(error) is IPBlockedError
    assert (0, 429, 0.5) == (error.attempts, error.status, error.retry_after)
    assert error.blocked_until is not None
    left = error.blocked_until - datetime.now(UTC)
    assert abs(left - timedelta(seconds=599)) < timedelta(seconds=5)


def test_refusal_in_a_block_with_retry_after(world: World) -> None:
    """With ``Retry-After`` both times are the server's."""
    guard = world.proven()
    report(guard, answer(429, 120.0), T0)
    error = guard.refusal(T0 + 20)
    assert isinstance(error, IPBlockedError)
    assert error.retry_after == 100.0
    assert error.blocked_until is not None
    left = error.blocked_until - datetime.now(UTC)
    assert abs(left - timedelta(seconds=100)) < timedelta(seconds=5)


@pytest.mark.parametrize("seconds", [601.0, 1_795_647_840.0, 1e12])
def test_case_42_no_retry_after_holds_longer_than_a_block(world: World, seconds: float) -> None:
    """A server that says "never" is asked again after ten minutes, by the others."""
    guard = world.proven()
    assert report(guard, answer(429, seconds), T0) == 600
    error = guard.refusal(T0)
    assert isinstance(error, IPBlockedError)
    assert error.blocked_until is not None
    assert error.blocked_until - datetime.now(UTC) < timedelta(seconds=601)
    held(guard, T0 + 599)
    enter(guard, T0 + 600)


def test_turn_to_probe_passes_in_order(world: World) -> None:
    """After its 429 a caller goes to the end of the line; each probes once before it again."""
    guard = world.proven()
    report(guard, answer(429), T0)
    callers, now, probed = wait_in_line(guard, T0, 3), T0, list[int]()
    while len(probed) < 6:
        assert world.origin.record.block is not None
        now = world.origin.record.block.probe_at
        able = [n for n, c in enumerate(callers) if guard.enter(c, now, take=False) is None]
        assert len(able) == 1
        probed += able
        enter(guard, now, callers[able[0]])
        guard.settle(callers[able[0]], answer(429), now)
        held(guard, now, callers[able[0]])
    assert [0, 1, 2, 0, 1, 2] == probed


def test_newcomer_does_not_overtake(world: World) -> None:
    """Who asks in the moment in which the pause ends stands behind those who wait."""
    guard = world.proven()
    report(guard, answer(429), T0)
    (first,) = wait_in_line(guard, T0, 1)
    held(guard, T0 + 0.5)
    enter(guard, T0 + 0.5, first)


def test_first_in_line_that_sleeps_on_loses_its_turn(world: World) -> None:
    """After a second of courtesy whoever asks may probe."""
    guard = world.proven()
    report(guard, answer(429), T0)
    _, second = wait_in_line(guard, T0, 2)
    assert T0 + 1.5 == held(guard, T0, second).ask_at
    held(guard, T0 + 1.499, second)
    enter(guard, T0 + 1.5, second)


def test_probe_that_finds_the_token_wrong_lifts_the_block(world: World) -> None:
    """A 401 is an answer: the IP is free, only the token is shut."""
    a, b = world.proven("1:a"), world.proven("2:b")
    report(a, answer(429), T0)
    report(a, answer(401), T0 + 0.5)
    enter(b, T0 + 0.5)
    held(a, T0 + 0.5)


@pytest.mark.parametrize("error", [lost(), refused(), answer(408)], ids=repr)
def test_silence_in_a_block_is_a_knock(world: World, error: Lox24Error) -> None:
    """A probe that gets no answer doubles the interval and keeps the block's end."""
    guard = world.proven()
    pauses = [report(guard, answer(429), T0), report(guard, error, T0 + 0.5)]
    pauses.append(report(guard, answer(429), T0 + 1.5))
    assert [0.5, 1.0, 2.0] == pauses
    error = guard.refusal(T0 + 1.5)
    assert isinstance(error, IPBlockedError)


# --- 5xx and failures to connect


@pytest.mark.parametrize("error", [answer(500), answer(502), answer(503), refused()], ids=repr)
def test_outage_is_one_pause_with_backoff(error: Lox24Error) -> None:
    """Full jitter over ``initial_delay * 2**n``, capped; a success begins anew."""
    world = World(jitter=0.5)
    guard = world.proven()
    now, pauses = T0, list[float]()
    for _ in range(7):
        pause = report(guard, error, now)
        assert pause is not None
        pauses.append(pause)
        held(guard, now + pause - 0.001)
        now += pause
    assert [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0] == pauses
    report(guard, None, now)
    assert report(guard, error, now) == 0.25


def test_outage_ends_for_all_with_one_success(world: World) -> None:
    """One probe at a time; when it succeeds all who wait are woken and may go."""
    guard = world.proven()
    report(guard, answer(503), T0)
    waiting = wait_in_line(guard, T0, 4)
    enter(guard, T0 + 0.5, waiting[0])
    held(guard, T0 + 0.5, waiting[1])
    guard.settle(waiting[0], None, T0 + 1)
    assert [1, 1, 1] == woken(waiting[1:])
    for caller in waiting[1:]:  # by steps
        enter(guard, T0 + 1, caller)
        guard.settle(caller, None, T0 + 1)


def let_out_at(guard: Guard, caller: Caller, now: float, step: float) -> float:
    """Ask as a call does, on an event loop that is so late each time, for 30 s.

    Returns:
        When it may go; ``inf``: not yet.
    """
    end = now + 30
    while now < end and (hold := guard.enter(caller, now)) is not None:
        now = hold.ask_at + step
    return now if now < end else inf


@pytest.mark.parametrize("elsewhere", [False, True])
def test_case_45_no_second_probe_from_a_loop_that_is_late(world: World, elsewhere: bool) -> None:
    """The answer to the first may have come; on time, the second goes 2 s after it."""
    guard, caller = world.guard(), Caller()
    if elsewhere:  # the first is another host's, as the record says that hosts share
        guard._token.held_by_fleet = Hold(T0 + 2, -inf, counts=False)
    else:
        enter(guard, T0)
    assert T0 + 2 <= let_out_at(guard, caller, T0, 0.0) < T0 + 2.1
    guard.leave(caller, T0 + 2.1, sent=False)
    late = Caller()
    if elsewhere:
        guard._token.held_by_fleet = Hold(T0 + 4, -inf, counts=False)
    assert let_out_at(guard, late, T0 + 2.2, 0.1) == inf


def test_wave_of_503s_is_one_failure(world: World) -> None:
    """Ten bad answers in flight make one pause, not a tenfold backoff."""
    guard = world.proven()
    in_flight = [enter(guard, T0) for _ in range(10)]
    assert [0.5] * 10 == [guard.settle(caller, answer(503), T0) for caller in in_flight]


def test_503_with_retry_after(world: World) -> None:
    """The pause is what the server said, for all, beyond ``max_delay`` too."""
    guard = world.proven()
    assert report(guard, answer(503, 30.0), T0) == 30.0
    held(guard, T0 + 29.999)
    error = guard.refusal(T0 + 10)
    assert type(error) is ServerError
    assert (0, 503, 20.0) == (error.attempts, error.status, error.retry_after)


def test_refusal_while_nobody_connects(world: World) -> None:
    """The stand-in is of the failure's class; nothing was sent, nothing is in doubt."""
    guard = world.proven()
    report(guard, refused(), T0)
    error = guard.refusal(T0)
    assert type(error) is ConnectionFailedError
    assert (0, False, False) == (error.attempts, error.outcome_unknown, error.tls)


def test_lost_connection_of_one_call_is_its_own_matter(world: World) -> None:
    """On an open gate one lost answer says nothing about the service."""
    guard = world.proven()
    assert report(guard, lost(), T0) is None
    assert report(guard, RequestTimeoutError("slow", attempts=1), T0) is None
    enter(guard, T0)


def test_lost_probe_is_a_pause_for_all(world: World) -> None:
    """Else a thousand calls would each probe a token in turn, at once."""
    guard = world.guard()
    assert report(guard, lost(), T0) == 0.5
    held(guard, T0 + 0.499)
    enter(guard, T0 + 0.5)
    held(guard, T0 + 0.5)


@pytest.mark.parametrize("status", [501, 505, 599])
def test_every_5xx_pauses(world: World, status: int) -> None:
    """Also those that are not retried speak of the service."""
    assert report(world.proven(), answer(status), T0) == 0.5


@pytest.mark.parametrize("late", [answer(503, 5.0), answer(429), answer(429, 5.0)], ids=repr)
def test_one_probe_at_a_time_though_late_answers_come(world: World, late: Lox24Error) -> None:
    """What a late answer adds to the pause does not free the turn of the probe under way."""
    guard = world.proven()
    first, slow = enter(guard, T0), enter(guard, T0)
    guard.settle(first, answer(503), T0)
    probe = enter(guard, T0 + 0.5)
    guard.settle(slow, late, T0 + 1)
    held(guard, T0 + 6)
    held(guard, T0 + 20)
    guard.settle(probe, None, T0 + 21)
    enter(guard, T0 + 21)
    enter(guard, T0 + 21)


def test_one_probe_at_a_time_though_a_lease_ran_out(world: World) -> None:
    """The late end of a probe that was given up does not free the turn of its successor."""
    guard = world.proven()
    report(guard, answer(503), T0)
    late = enter(guard, T0 + 1)
    enter(guard, T0 + 1 + LEASE)
    guard.settle(late, answer(503), T0 + 2 + LEASE)
    held(guard, T0 + 30 + LEASE)


def test_one_probe_at_a_time_though_403s_refuse_the_token(world: World) -> None:
    """403s still under way close the token; the confirming probe keeps its turn and its say."""
    guard = world.proven()
    in_flight = [enter(guard, T0) for _ in range(3)]
    guard.settle(in_flight[0], answer(401), T0)
    probe = enter(guard, T0 + 1)
    for caller in in_flight[1:]:
        guard.settle(caller, answer(403), T0 + 2)
    held(guard, T0 + 62)
    guard.settle(probe, answer(401), T0 + 63)
    held(guard, T0 + 122.9)
    enter(guard, T0 + 123)


def test_block_outlives_a_503(world: World) -> None:
    """A 503 from before the gateway does not let the knocks begin anew."""
    guard = world.proven()
    now = T0
    for _ in range(6):
        now += report(guard, answer(429), now) or 0.0
    now += report(guard, answer(503), now) or 0.0
    pause = report(guard, answer(429), now)
    assert pause is not None
    assert pause >= 16


def test_closed_session_of_one_client_is_no_outage(world: World) -> None:
    """A local error of one client's probe says nothing of the service: the next one probes."""
    ours, theirs = world.guard(), world.guard()
    probe = enter(ours, T0)
    waiting = wait_in_line(theirs, T0, 1)
    ours.settle(probe, ClientClosedError("the session that was handed in is closed"), T0)
    assert [1] == woken(waiting)
    enter(theirs, T0, waiting[0])


# --- TLS


def test_tls_failure_tells_all_who_wait(world: World) -> None:
    """Everyone of this client is woken and told so; nothing more is tried for a second."""
    guard = world.guard()
    probe = enter(guard, T0)
    waiting = wait_in_line(guard, T0, 3)
    guard.settle(probe, untrusted(), T0)
    assert [1, 1, 1] == woken(waiting)
    assert held(guard, T0, waiting[0]).ready_at == inf
    error = guard.refusal(T0)
    assert isinstance(error, ConnectionFailedError)
    assert (True, 0) == (error.tls, error.attempts)
    enter(guard, T0 + 1)


def test_tls_failure_is_of_one_client(world: World) -> None:
    """A client with another certificate store takes the turn at once."""
    ours, theirs = world.guard(), world.guard()
    probe = enter(ours, T0)
    (waiting,) = wait_in_line(theirs, T0, 1)
    ours.settle(probe, untrusted(), T0)
    enter(theirs, T0, waiting)


# --- nobody is stranded


def test_case_35_cancelled_probe_passes_the_turn(world: World) -> None:
    """The first in line is woken and probes; the others stay where they are."""
    guard = world.guard()
    probe = enter(guard, T0)
    waiting = wait_in_line(guard, T0, 3)
    guard.leave(probe, T0 + 1)
    assert [1, 0, 0] == woken(waiting)
    enter(guard, T0 + 1, waiting[0])
    held(guard, T0 + 1, waiting[1])


def test_case_35_cancelled_probe_of_the_origin_wakes_every_token(world: World) -> None:
    """Whoever waits at the same shut origin with another token may take the turn."""
    a, b = world.proven("1:a"), world.proven("2:b")
    report(a, answer(429), T0)
    waiting = wait_in_line(b, T0, 2)
    a.leave(enter(a, T0 + 0.5), T0 + 0.6)
    assert [1, 0] == woken(waiting)
    enter(b, T0 + 0.6, waiting[0])


def test_case_33_who_leaves_the_line_passes_its_turn(world: World) -> None:
    """The next one becomes the first, and is told."""
    guard = world.proven()
    report(guard, answer(429), T0)
    first, second = wait_in_line(guard, T0, 2)
    guard.leave(first, T0 + 0.1)
    assert second.woken == 1
    assert T0 + 0.5 == held(guard, T0 + 0.1, second).ask_at
    enter(guard, T0 + 0.5, second)


def test_probe_that_never_reports_is_given_up(world: World) -> None:
    """A dead task holds up the others for its lease and no longer."""
    guard = world.proven()
    report(guard, answer(503), T0)
    enter(guard, T0 + 0.5)
    (second,) = wait_in_line(guard, T0 + 0.5, 1)
    assert T0 + 0.5 + LEASE == held(guard, T0 + 0.5, second).ask_at
    enter(guard, T0 + 0.5 + LEASE, second)


def test_late_report_changes_no_newer_probe(world: World) -> None:
    """The old probe's success opens nothing that the new probe is asking about."""
    guard = world.guard()
    old = enter(guard, T0)
    new = enter(guard, T0 + LEASE)
    guard.leave(old, T0 + LEASE + 1)
    held(guard, T0 + LEASE + 1)
    guard.settle(new, None, T0 + LEASE + 2)
    enter(guard, T0 + LEASE + 2)


def test_leaving_twice_or_unasked_does_nothing(world: World) -> None:
    """A call leaves in the end, whatever it did before."""
    guard = world.guard()
    probe = enter(guard, T0)
    stranger = Caller()
    guard.leave(stranger, T0)
    guard.leave(stranger, T0)
    held(guard, T0)
    guard.leave(probe, T0)
    guard.leave(probe, T0)
    enter(guard, T0)
    held(guard, T0)


def test_line_is_empty_when_all_have_gone(world: World) -> None:
    """No ticket stays behind, whichever way its call ended."""
    guard = world.guard()
    probe = enter(guard, T0)
    waiting = wait_in_line(guard, T0, 4)
    guard.leave(waiting[0], T0)
    guard.settle(probe, None, T0)
    guard.leave(waiting[1], T0)
    enter(guard, T0, waiting[2])
    guard.enter(waiting[3], T0, take=False)
    guard.leave(waiting[3], T0)
    assert [] == list(guard._token.line)


def test_waiter_that_leaves_while_it_is_woken_breaks_nothing(world: World) -> None:
    """Another thread's call may stop waiting between the look and the wake."""

    class Leaving(Caller):
        """Waits when looked at, and has gone right after."""

        def __getattribute__(self, name: str) -> object:
            value = super().__getattribute__(name)
            if name == "wake":
                self.wake = None
            return value

    guard = world.guard()
    probe, leaving, staying = enter(guard, T0), Leaving(), Caller()
    for caller in (leaving, staying):
        held(guard, T0, caller)
    guard.settle(probe, None, T0)
    assert (1, 1) == (leaving.woken, staying.woken)


def test_line_is_touched_only_under_the_lock(world: World) -> None:
    """Another thread may be walking along the line to wake everybody."""

    class Watched(Line):
        """Notes whether the lock was held at each change."""

        def join(self, ticket: Ticket) -> None:
            owned.append(world.origin.lock._is_owned())  # type: ignore[attr-defined]
            super().join(ticket)

        def quit(self, ticket: Ticket) -> None:
            owned.append(world.origin.lock._is_owned())  # type: ignore[attr-defined]
            super().quit(ticket)

    owned: list[bool] = []
    guard = world.guard()
    guard._token.line = Watched()
    probe = enter(guard, T0)
    waiting = wait_in_line(guard, T0, 2)
    guard.settle(probe, None, T0)
    enter(guard, T0, waiting[0])
    guard.leave(waiting[1], T0)
    assert owned
    assert all(owned)


# --- the facts


def test_facts_are_shared_by_origin_and_token() -> None:
    """The same origin and token meet the same gates; another of either does not."""
    here, token = gates_for("https://a.example", "1:a", T0)
    assert (here, token) == gates_for("https://a.example", "1:a", T0)
    same_origin, other_token = gates_for("https://a.example", "2:b", T0)
    assert same_origin is here
    assert other_token is not token
    elsewhere, same_token = gates_for("https://b.example", "1:a", T0)
    assert elsewhere is not here
    assert same_token is not token


def test_facts_of_another_clock_are_apart() -> None:
    """Moments of different clocks cannot be compared."""

    class Clock:
        """Owns a time of its own."""

    clock = Clock()
    here, _ = gates_for("https://a.example", "1:a", T0)
    there, _ = gates_for("https://a.example", "1:a", T0, clock=clock)
    assert there is not here
    assert gates_for("https://a.example", "1:a", T0, clock=clock)[0] is there


def test_facts_hold_no_token() -> None:
    """Only a keyed hash of a token is kept."""
    origin, _ = gates_for("https://a.example", "1234567:canary", T0)
    assert all("canary" not in key and "1234567" not in key for key in origin.tokens)


def test_facts_can_be_forgotten() -> None:
    """One origin, or all; who has them keeps them."""
    a, b = (gates_for(f"https://{host}.example", "1:a", T0)[0] for host in "ab")
    forget("https://a.example")
    assert gates_for("https://a.example", "1:a", T0)[0] is not a
    assert gates_for("https://b.example", "1:a", T0)[0] is b
    forget()
    assert gates_for("https://b.example", "1:a", T0)[0] is not b


def test_idle_tokens_are_forgotten() -> None:
    """A process that meets ever new tokens does not grow for ever."""
    for number in range(5_000):
        origin, _ = gates_for("https://a.example", f"1:{number}", T0 + number)
    assert len(origin.tokens) < 2_000


def test_refused_token_is_not_forgotten() -> None:
    """A thousand other tokens do not wipe out what would cost a wrong request."""
    origin, token = gates_for("https://a.example", "1:bad", T0)
    guard = Guard(
        origin,
        token,
        lease=LEASE,
        backoff=Backoff(RetryPolicy(initial_delay=0.5, max_delay=8.0), lambda: 1.0),
    )
    report(guard, answer(401), T0)
    for number in range(3_000):
        gates_for("https://a.example", f"1:{number}", T0 + 59)
    assert gates_for("https://a.example", "1:bad", T0 + 59) == (origin, token)


def test_client_of_a_forgotten_token_is_still_woken() -> None:
    """A client that was idle while many tokens came and went misses no news."""
    origin, token = gates_for("https://a.example", "1:idle", T0)
    guard = Guard(
        origin,
        token,
        lease=LEASE,
        backoff=Backoff(RetryPolicy(initial_delay=0.5, max_delay=8.0), lambda: 1.0),
    )
    report(guard, None, T0)
    now = T0 + 10_000
    for number in range(3_000):
        gates_for("https://a.example", f"1:{number}", now)
    report(guard, answer(503), now)
    waiting = wait_in_line(guard, now, 3)
    guard.settle(enter(guard, now + 0.5, waiting[0]), None, now + 1)
    assert [1, 1] == woken(waiting[1:])


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
def test_backoff_is_never_negative_nor_nan(random: float) -> None:
    """Also after more failures than any exponent bears."""
    backoff = Backoff(RetryPolicy(initial_delay=0.5, max_delay=8.0), lambda: random)
    delays = [backoff.delay(failures) for failures in (-1, 0, 1, 10, 100, 10**6)]
    assert all(0 <= delay <= 8 and not isnan(delay) for delay in delays)
    assert delays == sorted(delays)


# --- the budget


def test_place_that_is_given_back_frees_no_wrong_one() -> None:
    """Two wrong of a wave, two that nobody saw: when the latter are proven, two are left."""
    record = Record()

    def settle(token: str, verdict: Verdict, name: str) -> None:
        rules.settle(record, token, "PUT", verdict, T0 + 7, name=name, fresh=True)

    for number, second in enumerate(rules.NEXT_PROBE_AFTER):
        found = rules.claim(
            record, "b", "PUT", T0 + second, proven=False, name=f"{number}", lease=LEASE
        )
        assert found.ask_at == T0 + second
    settle("a", Verdict.WRONG, "")
    settle("a", Verdict.WRONG, "")
    settle("b", Verdict.UNSEEN, "0")
    settle("b", Verdict.UNSEEN, "1")
    settle("b", Verdict.PROVEN, "2")
    assert [PlaceState.WRONG] * 2 == [place.state for place in record.places]


def test_end_that_nobody_saw_counts_though_its_lease_has_run_out(world: World) -> None:
    """A process that was stopped with a request out: LOX24 may have got it just now."""
    guard = world.guard()
    late = enter(guard, T0)
    now = T0 + LEASE + 2
    guard.settle(enter(world.guard("2:b"), now), None, now)
    assert [] == world.origin.record.places
    guard.leave(late, now + 1)
    (place,) = world.origin.record.places
    assert (PlaceState.UNSEEN, now + 61) == (place.state, place.until)


def test_late_end_of_a_probe_with_a_proven_token_takes_no_place(world: World) -> None:
    """It only had the right to probe a block."""
    guard = world.proven()
    report(guard, answer(429), T0)
    late = enter(guard, T0 + 0.5)
    guard.leave(late, T0 + LEASE + 2)
    assert [] == world.origin.record.places


def test_process_that_meets_ever_new_tokens_does_not_grow(world: World) -> None:
    """What is known of a token that was refused stays, proofs of before are forgotten."""
    bad = world.guard("1:bad")
    report(bad, answer(401), T0)
    for number in range(500):
        report(world.guard(f"2:{number}"), None, T0 + number / 100)
    assert len(world.origin.record.tokens) <= 64
    assert isinstance(bad.refusal(T0 + 59), AuthenticationError)
    assert held(bad, T0 + 59).ready_at == inf


def test_news_of_another_token_wakes_its_waiters() -> None:
    """Whichever client sees that the shared record has changed wakes all whom it concerns."""
    page = Page()
    here, there = (Process(PageStore(page), lambda: 1.0) for _ in range(2))
    probe = enter(there.guards["1:a"][0], T0)
    (waiting,) = wait_in_line(here.guards["1:a"][0], T0, 1)
    there.guards["1:a"][0].settle(probe, None, T0 + 0.02)
    enter(here.guards["2:b"][0], T0 + 0.03)
    assert waiting.woken == 1
    enter(here.guards["1:a"][0], T0 + 0.03, waiting)


def test_news_of_another_process_is_looked_for_at_once() -> None:
    """Who waits for a probe of another process asks again in 50 ms, not when it is late."""
    page = Page()
    here, there = (Process(PageStore(page), lambda: 1.0) for _ in range(2))
    enter(there.guards["1:a"][0], T0)
    assert held(here.guards["1:a"][0], T0, Caller()).ask_at == pytest.approx(T0 + 0.05)


def test_end_of_a_block_that_another_process_saw_ends_the_outage() -> None:
    """The next trouble is a new one: nobody is told that it has lasted since the block."""
    page = Page()
    here, there = (Process(PageStore(page), lambda: 1.0) for _ in range(2))
    one, other = here.guards["1:a"][0], there.guards["1:a"][0]
    report(other, answer(429), T0)
    assert one.pause(T0 + 0.1) is not None
    assert one.down_since == T0 + 0.1
    report(other, None, T0 + 1)
    assert one.pause(T0 + 2) is None
    assert one.down_since == inf


class Later(PageStore):
    """A process's way to the page, on which something happens before each change."""

    def __init__(self, page: Page, before: Callable[[], object]) -> None:
        super().__init__(page)
        self._before = before

    def update(self, now: float, change: Callable[[Record], T]) -> tuple[T, Record]:
        """Change the page after that."""
        self._before()
        return super().update(now, change)


def test_other_process_that_is_quicker_has_the_place() -> None:
    """Between the look and the claim another one claims: the record says so, and one goes."""
    page = Page()
    there = Process(PageStore(page), lambda: 1.0).guards["1:a"][0]
    here = Process(Later(page, lambda: enter(there, T0)), lambda: 1.0).guards["1:a"][0]
    assert held(here, T0, Caller()).ask_at > T0
    assert 1 == len(PageStore(page).read(T0).places)


# --- what other hosts say, and are told


class FleetStub:
    """The record that hosts share, which says no to each claim."""

    def __init__(self, hold: Hold | None = None) -> None:
        self.hold = hold
        self.changes: list[Callable[[Record, float], object]] = []

    async def claim(self, *_: object) -> Hold | None:
        """Claim."""
        return self.hold

    def learn(self, change: Callable[[Record, float], object]) -> None:
        """Take in a change."""
        self.changes.append(change)


async def test_budget_of_all_hosts_counts(world: World) -> None:
    """A claim that another host's wrong requests forbid tells when a place is free."""
    guard, caller = world.guard(), Caller()
    guard.join(FleetStub(Hold(T0 + 30, T0 + 40, counts=True)))  # type: ignore[arg-type]
    assert not await guard.confirm(enter(guard, T0, caller))
    guard.leave(caller, T0, sent=False)
    assert T0 + 40 == guard.held_back_until(T0)
    error = guard.refusal(T0, "PUT")
    assert isinstance(error, HeldBackError)
    assert 40 == error.retry_after
    assert T0 + 41 == guard.held_back_until(T0 + 41)


def test_block_that_another_host_saw_first_is_only_prolonged(world: World) -> None:
    """Its beginning, and with it its end, stay what they are for all."""
    guard, fleet = world.proven(), FleetStub()
    guard.join(fleet)  # type: ignore[arg-type]
    report(guard, answer(429, 500.0), T0)
    record = Record()
    rules.block(record, answer(429), T0 - 100, left_at=T0 - 100, initial_delay=0.5)
    for change in fleet.changes:
        change(record, T0)
    assert record.block is not None
    assert T0 - 100 == record.block.first_429
    assert T0 + 500 == record.block.probe_at


def test_429_of_a_block_that_is_over_stays_as_it_came(world: World) -> None:
    """When it ends before its error is told, there is no further probe to date."""
    error = IPBlockedError("no", status=429)
    world.proven().date(error, T0)
    assert (None, None) == (error.retry_after, error.blocked_until)


# --- what an end says


def gateway(status: int = 404) -> Lox24Error:
    """Return the error that an answer of something before LOX24 becomes."""
    return IntermediaryError("an intermediary answered", status=status, attempts=1)


def answered() -> Lox24Error:
    """Return the error of an answer that was for another bulk."""
    error = TransportError("out of step", attempts=1)
    error.answered = True
    return error


ENDS: list[tuple[Lox24Error | None, Verdict, str]] = [
    # its verdict, and which of trouble, silence, limit, answer it is
    (None, Verdict.PROVEN, "answer"),
    (ResponseDecodeError("no bulk", status=200), Verdict.PROVEN, "answer silence"),
    (answer(302), Verdict.NOTHING, "answer"),
    (answer(399), Verdict.NOTHING, "answer"),
    (answer(400), Verdict.PROVEN, "answer"),
    (answer(401), Verdict.WRONG, "answer"),
    (answer(403), Verdict.FORBIDDEN, "answer"),
    (answer(404), Verdict.PROVEN, "answer"),
    (answer(408), Verdict.UNSEEN, "trouble silence"),
    (answer(409), Verdict.PROVEN, "answer"),
    (answer(429), Verdict.NOTHING, "trouble limit"),
    (answer(430), Verdict.PROVEN, "answer"),
    (answer(499), Verdict.PROVEN, "answer"),
    (answer(500), Verdict.NOTHING, "trouble"),
    (answer(502), Verdict.UNSEEN, "trouble"),
    (answer(503), Verdict.NOTHING, "trouble limit"),
    (answer(504), Verdict.UNSEEN, "trouble"),
    (answer(505), Verdict.NOTHING, "trouble"),
    (lost(), Verdict.UNSEEN, "trouble silence"),
    (answered(), Verdict.PROVEN, "trouble silence"),
    (refused(), Verdict.NOTHING, "trouble"),
    (gateway(), Verdict.NOTHING, "trouble"),
    (ClientClosedError("closed"), Verdict.NOTHING, "silence"),
]


@pytest.mark.parametrize(("error", "verdict", "kinds"), ENDS, ids=repr)
def test_each_end_has_one_meaning(error: Lox24Error | None, verdict: Verdict, kinds: str) -> None:
    """What it says of the token, and of the service: the table that the rules stand on."""
    assert verdict is rules.verdict_of(error)
    found = {"trouble": rules.is_trouble(error), "answer": rules.is_answer(error)}
    if error is not None:
        found |= {"silence": rules.is_silence(error), "limit": rules.may_be_limit(error)}
    assert set(kinds.split()) == {kind for kind, is_it in found.items() if is_it}


# --- the record, rule by rule


def claimed(record: Record, token: str, now: float, name: str) -> None:
    """Let one request of a token that is not proven out."""
    found = rules.claim(record, token, "PUT", now, proven=False, name=name, lease=LEASE)
    assert found.ask_at <= now


def ended(record: Record, token: str, verdict: Verdict, now: float, name: str = "") -> None:
    """Let a request of a token end."""
    rules.settle(record, token, "PUT", verdict, now, name=name, fresh=True)


def places(record: Record) -> list[tuple[str, PlaceState]]:
    """Return whose places are taken, and how."""
    return [(place.token, place.state) for place in record.places]


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(Verdict.WRONG, PlaceState.WRONG), (Verdict.UNSEEN, PlaceState.UNSEEN)],
)
def test_what_was_counted_keeps_its_place_for_a_minute(verdict: Verdict, state: PlaceState) -> None:
    """From its end on; its name is free, for it can no longer be given back."""
    record = Record()
    claimed(record, "a", T0, "1")
    ended(record, "a", verdict, T0 + 5, "1")
    assert ("", "a", "PUT", T0, T0 + 65, state) == astuple(record.places[0])


def test_wrong_request_without_a_place_takes_one() -> None:
    """A token that worked goes without a place: a 401 counts all the same."""
    record = Record()
    ended(record, "a", Verdict.WRONG, T0)
    assert ("", "a", "PUT", T0, T0 + 60, PlaceState.WRONG) == astuple(record.places[0])
    ended(record, "b", Verdict.UNSEEN, T0)
    assert 1 == len(record.places)


def test_place_is_kept_as_long_as_somebody_waits_behind_others() -> None:
    """A refused token waits a second longer than the place is taken: till then it is known."""
    record = Record()
    ended(record, "a", Verdict.WRONG, T0)
    ended(record, "b", Verdict.NOTHING, T0 + 60.5)
    assert [("a", PlaceState.WRONG)] == places(record)
    ended(record, "b", Verdict.NOTHING, T0 + 61.5)
    assert [] == record.places


def test_no_more_wrong_ones_are_kept_than_there_are_places() -> None:
    """The latest are; and what nobody saw the answer of is not crowded out."""
    record = Record()
    claimed(record, "a", T0, "1")
    ended(record, "a", Verdict.UNSEEN, T0, "1")
    for token in "bcdef":
        ended(record, token, Verdict.WRONG, T0 + 1)
    wrong = [(token, PlaceState.WRONG) for token in "def"]
    assert [("a", PlaceState.UNSEEN), *wrong] == places(record)


def test_proof_gives_back_only_its_own_token_s_doubts() -> None:
    """A wrong request stays wrong, and another token's unseen one stays unseen."""
    record = Record()
    ended(record, "a", Verdict.WRONG, T0)
    record.facts("a").prove(T0)
    claimed(record, "b", T0, "1")
    claimed(record, "a", T0, "2")
    ended(record, "b", Verdict.UNSEEN, T0, "1")
    ended(record, "a", Verdict.UNSEEN, T0, "2")
    record.places.append(Place("3", "a", "PUT", T0, T0 + 60))
    ended(record, "a", Verdict.PROVEN, T0 + 1, "3")
    assert [("a", PlaceState.WRONG), ("b", PlaceState.UNSEEN)] == places(record)


@pytest.mark.parametrize(("proven_at", "refused"), [(-1.0, True), (0.0, False), (1.0, False)])
def test_refused_is_a_token_that_has_not_worked_since_its_probe_left(
    proven_at: float, refused: bool
) -> None:
    """One that has worked since is asked once more after a second."""
    record = Record()
    claimed(record, "a", T0, "1")
    record.facts("a").prove(T0 + proven_at)
    ended(record, "a", Verdict.WRONG, T0 + 2, "1")
    facts = record.facts("a")
    assert (refused, T0 + (62 if refused else 3)) == (facts.refused, facts.probe_at)


def test_refused_token_waits_for_its_next_probe() -> None:
    """Nothing of it goes out till then, and whoever cannot wait so long is told at once."""
    record = Record()
    claimed(record, "a", T0, "1")
    ended(record, "a", Verdict.WRONG, T0, "1")
    found = rules.examine(record, "a", "PUT", T0 + 1, proven=False)
    assert Finding(T0 + 60, inf, counts=True, place=True, probe=False) == found


def test_each_further_403_closes_an_operation_for_a_minute() -> None:
    """From the second in a row; those of requests that were under way do not prolong it."""
    record = Record()
    closed = [-inf, T0 + 60, T0 + 60, T0 + 120]
    for after, until in zip((0, 0, 59, 60), closed, strict=True):
        ended(record, "a", Verdict.FORBIDDEN, T0 + after)
        assert until == record.facts("a").operations["PUT"].closed_until


def test_each_block_and_each_end_of_one_begins_an_epoch() -> None:
    """An answer of an earlier wave is told by its number."""
    record = Record()
    for epoch in (1, 3, 5):
        rules.block(record, answer(429), T0, left_at=T0, initial_delay=0.5)
        assert epoch == record.epoch
        rules.unblock(record, T0 + 1)
        assert (epoch + 1, None, T0 + 1) == (record.epoch, record.block, record.unblocked_at)


@pytest.mark.parametrize(
    ("said", "probe_at", "until"),
    [(None, 0.5, 600), (0.2, 0.5, 600), (30, 31, 600), (599.5, 600.5, 600.5), (1e9, 601, 601)],
)
def test_another_429_of_the_wave_only_prolongs(
    said: float | None, probe_at: float, until: float
) -> None:
    """By what the server asks for, and by no more than a block lasts."""
    record = Record()
    rules.prolong_block(record, answer(429, said), T0)
    assert record.block is None
    rules.block(record, answer(429), T0, left_at=T0, initial_delay=0.5)
    rules.prolong_block(record, answer(429, said), T0 + 1 if said != 0.2 else T0)
    assert record.block is not None
    assert (T0 + probe_at, T0 + until) == (record.block.probe_at, record.block.until)
    assert 1 == record.epoch
