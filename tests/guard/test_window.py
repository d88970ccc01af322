"""The opening by steps, by itself: in simulated time, and behind simulated limits."""

import random
from collections.abc import Callable
from math import inf
from statistics import mean, median

import pytest

from lox24_async._guard.window import Window
from tests.guard.limited import Bucket, Limiter, Run

SEEDS = range(5)
LEASE = 65.0
LATENCY = 0.02


def let_out(window: Window, now: float) -> list[str]:
    """Let out as many as may leave; return their names."""
    names = [f"at {now}, {number}" for number in range(window.free(now))]
    for name in names:
        window.leave(name, now, now + LEASE)
    return names


def one_round(window: Window, now: float) -> int:
    """Let out as many as may leave, and answer all well; return how many those are."""
    names = let_out(window, now)
    for name in names:
        assert window.land(name, now)
        window.answer(now)
    return len(names)


# --- the size


def test_doubled_by_each_round() -> None:
    """1, 2, 4, 8 … in flight."""
    window = Window("a", 0.0)
    assert [1, 2, 4, 8, 16, 32] == [one_round(window, float(n)) for n in range(1, 7)]


def test_halved_by_a_refusal_and_then_one_more_a_round() -> None:
    """What the service bore before is known: from then on it is felt for."""
    window = Window("a", 0.0)
    for now in (1.0, 2.0, 3.0, 4.0):
        one_round(window, now)
    assert 16 == window.size
    window.refuse("b", 5.0, limited=False)
    assert 8 == window.size
    assert [8, 9, 10] == [one_round(window, now) for now in (6.0, 7.0, 8.0)]


def test_never_less_than_one() -> None:
    """However many are refused, one may leave."""
    window = Window("a", 0.0)
    for now in (1.0, 2.0, 3.0):
        window.refuse("b", now, limited=True)
        assert 1 == window.size


def test_a_probe_that_is_refused_is_the_same_trouble() -> None:
    """Nothing was answered between: when it is over, it still opens by doubling."""
    window = Window("a", 0.0)
    for now in (1.0, 3.0, 7.0):
        window.refuse("a", now, limited=True)
    assert [1, 2, 4, 8] == [one_round(window, now) for now in (8.0, 9.0, 10.0, 11.0)]


def test_doubled_again_when_all_was_calm() -> None:
    """Half a minute after the last refusal nothing of it counts."""
    window = Window("a", 0.0)
    for now in (1.0, 2.0):
        one_round(window, now)
    window.refuse("b", 3.0, limited=False)
    one_round(window, 4.0)
    assert 3 == one_round(window, 34.0)
    assert 6 == window.size


# --- leases


def test_who_never_reports_is_counted_for_its_lease() -> None:
    """A lost request keeps its place no longer than that."""
    window = Window("a", 0.0)
    window.leave("lost", 1.0, 1.0 + LEASE)
    assert 0 == window.free(2.0)
    assert 1.0 + LEASE == window.ask_at(2.0)
    assert 1 == window.free(1.0 + LEASE)


def test_who_was_not_counted_frees_nothing() -> None:
    """What left before the window began is none of its requests."""
    window = Window("a", 0.0)
    window.leave("b", 1.0, 1.0 + LEASE)
    assert not window.land("a", 2.0)
    assert 0 == window.free(2.0)
    assert window.land("b", 2.0)
    assert not window.land("b", 2.0)
    assert 2.0 == window.freed_at


# --- the end


@pytest.mark.parametrize(("width", "answers"), [(3, 15), (16, 15), (17, 31), (100, 127)])
def test_over_when_as_wide_as_the_clients(width: int, answers: int) -> None:
    """And not before a number of answers that is no limit's burst, however few the clients."""
    window, given = Window("a", 0.0), 0
    while not window.is_over(1.0, width):
        given += one_round(window, 1.0)
    assert answers == given


def test_who_was_refused_at_a_pace_is_not_done_before_a_quiet_time() -> None:
    """A limit is not forgotten while it is kept."""
    window, now = Window("a", 0.0), 0.0
    for _ in range(4):
        now += 0.1
        one_round(window, now)
    window.refuse("b", now + 0.01, limited=True)
    refused_at = now + 0.01
    while window.size < 16:
        now = max(now, window.ask_at(now)) + 1e-6
        one_round(window, now)
    assert not window.is_over(refused_at + 30.0, 10)
    assert window.is_over(refused_at + 30.1, 10)


def test_after_one_odd_refusal_all_is_soon_as_before() -> None:
    """1,000 requests, one of them refused: a pause, and eight rounds."""
    numbers = iter(range(10_000))
    run = Run(lambda _now, _busy: next(numbers) != 5, 1000, width=50, latency=LATENCY).go()
    assert run.window is None
    assert run.now - run.paused <= (1000 / 50 + 8) * LATENCY


# --- the pace


@pytest.mark.parametrize("width", [10, 50])
@pytest.mark.parametrize("burst", [1, 5])
@pytest.mark.parametrize("per_second", [5, 50, 200])
def test_a_limit_is_learnt(per_second: int, burst: int, width: int) -> None:
    """The pace is the limit's, within a fifth; few are refused, and none again and again."""
    count = max(100, 8 * per_second)
    runs = [
        Run(Bucket(per_second, burst), count, width=width, latency=LATENCY, seed=seed).go()
        for seed in SEEDS
    ]
    assert 0.8 * per_second <= median(run.pace() for run in runs) <= 1.2 * per_second
    assert median(run.now for run in runs) <= 2.0 * count / per_second
    for run in runs:
        assert max(run.tries.values()) <= 6
        assert run.sent <= 1.25 * count + width


@pytest.mark.parametrize("width", [2, 3, 5])
def test_a_limit_is_learnt_by_few(width: int) -> None:
    """A burst lets as many pass as the clients send at once: that is no end of the trouble."""
    runs = [Run(Bucket(50, 5), 400, width=width, seed=seed).go() for seed in SEEDS]
    assert 0.8 * 50 <= median(run.pace() for run in runs) <= 1.2 * 50


def test_the_pace_is_not_raised_while_it_holds_nobody_back() -> None:
    """Answers that are slow in coming say nothing about a faster pace."""
    for seed in SEEDS:
        run = Run(Bucket(200, 5), 1600, width=50, latency=0.2, seed=seed).go()
        assert run.pace() <= 1.3 * 200


def test_no_two_leave_at_once() -> None:
    """What has left late is not made up for: a limit without a burst refuses the second."""
    window = Window("a", 0.0)
    window.leave("b", 1.0, 1.0 + LEASE)
    window.land("b", 1.02)
    window.answer(1.02)
    window.leave("c", 1.02, 1.02 + LEASE)
    window.land("c", 1.03)
    window.refuse("c", 1.03, limited=True)
    window.leave("d", 2.0, 2.0 + LEASE)
    window.land("d", 2.0)
    gap = window.ask_at(2.0) - 2.0
    assert gap > 0
    window.leave("e", 2.0 + 10 * gap, inf)
    window.land("e", 2.0 + 10 * gap)
    assert 0 == window.free(2.0 + 10.9 * gap)
    assert 1 == window.free(2.0 + 11.1 * gap)


def test_without_the_word_of_a_limit_there_is_no_pace() -> None:
    """A 500 is no limit's refusal: only the number in flight is bounded."""
    window = Window("a", 0.0)
    for number in range(1, 9):
        one_round(window, float(number))
        window.refuse(number, number + 0.5, limited=False)
    one_round(window, 9.0)
    assert 2 == len(let_out(window, 9.0))


def pace_of(window: Window, now: float) -> float:
    """Return the requests a second at which they may leave."""
    window.leave("one more", now, inf)
    window.land("one more", now)
    return 1 / (window.ask_at(now) - now)


def test_one_who_is_always_refused_is_no_limit() -> None:
    """One id that always fails sets no pace for the others, whatever its pauses."""
    window = Window("bad", 0.0)
    one_round(window, 0.01)
    window.refuse("bad", 0.02, limited=True)
    for number in range(1, 9):
        one_round(window, float(number))
        window.refuse("bad", number + 0.5, limited=True)
    assert pace_of(window, 10.0) > 50


def test_never_slower_than_what_was_let_pass() -> None:
    """A limit that let a hundred pass in a second is no limit of fewer."""
    window = Window("a", 0.0)
    for number in range(100):
        window.leave(number, 0.75 + number / 400, inf)
        window.land(number, 1.0)
        window.answer(1.0)
    window.refuse("b", 1.0, limited=True)
    for number in range(4):
        window.leave(number, 2.0, inf)
        window.land(number, 2.0)
        window.answer(2.0)
    window.refuse("c", 2.0, limited=True)
    assert 99 == pytest.approx(pace_of(window, 3.0))


def test_an_outage_is_no_limit_near_to_nothing() -> None:
    """One good answer between long troubles: the next request still leaves within a second."""
    window, now = Window("a", 0.0), 0.0
    for number in range(20):
        now += 60.0
        window.leave(number, now, now + LEASE)
        window.land(number, now)
        window.answer(now)
        window.refuse(f"refused {number}", now, limited=True)
        window.leave("next", now, now + LEASE)
        window.land("next", now)
        assert window.ask_at(now) <= now + 1.0


# --- a limit that changes


class Changing:
    """One limit for so many requests, then another."""

    def __init__(self, first: Limiter, requests: int, then: Limiter) -> None:
        self._first, self._left, self._then = first, requests, then

    def __call__(self, now: float, busy: int) -> bool:
        """Ask the one whose turn it is."""
        self._left -= 1
        return (self._first if self._left >= 0 else self._then)(now, busy)


@pytest.mark.parametrize(
    ("make", "count", "ideal"),
    [
        (lambda: Changing(lambda _now, _busy: True, 300, Bucket(100, 5)), 700, 4.6),
        (lambda: Changing(Bucket(100, 5), 600, Bucket(10, 5)), 800, 26.0),
        (lambda: Changing(Bucket(10, 5), 110, Bucket(100, 5)), 1200, 22.0),
    ],
    ids=["begins", "slower", "faster"],
)
def test_a_limit_that_changes(make: Callable[[], Limiter], count: int, ideal: float) -> None:
    """It is learnt anew."""
    runs = [Run(make(), count, latency=LATENCY, seed=seed).go() for seed in SEEDS]
    assert median(run.now for run in runs) <= 2.5 * ideal
    assert max(max(run.tries.values()) for run in runs) <= 6


# --- what is no limit of requests a second


@pytest.mark.parametrize("width", [10, 50])
def test_a_limit_of_connections(width: int) -> None:
    """Three at a time: it costs pauses, and no id more than three tries."""
    runs = [Run(lambda _now, busy: busy < 3, 2000, width=width, seed=seed).go() for seed in SEEDS]
    assert median(run.now for run in runs) <= 2.0 * 2000 / 3 * LATENCY
    assert max(max(run.tries.values()) for run in runs) <= 3


@pytest.mark.parametrize("width", [10, 50])
@pytest.mark.parametrize(("share", "most"), [(0.05, 1.2), (0.1, 1.5), (0.2, 3.0)])
def test_errors_at_random_cost_their_pauses(share: float, most: float, width: int) -> None:
    """One 503 in twenty, ten or five, at any pace: between the pauses all goes on at a pace.

    Without the rule for them it takes 2.2, 3.0 and 10 latencies an id, pauses not counted.
    """

    def run(seed: int) -> float:
        chance = random.Random(seed)
        run = Run(lambda _now, _busy: chance.random() >= share, 500, width=width, seed=seed).go()
        return (run.now - run.paused) / 500 / LATENCY

    assert mean(map(run, range(12))) <= most


def test_every_tenth_fails() -> None:
    """The same where they come as regularly as a limit's."""

    def run(seed: int) -> float:
        numbers = iter(range(seed, 10_000))
        run = Run(lambda _now, _busy: next(numbers) % 10 != 7, 500, seed=seed).go()
        return (run.now - run.paused) / 500 / LATENCY

    assert mean(map(run, range(12))) <= 1.5


def test_a_limit_and_errors_at_random() -> None:
    """Neither hides the other."""

    def run(seed: int) -> Run:
        chance, bucket = random.Random(seed), Bucket(50, 5)
        limit: Limiter = lambda now, busy: bucket(now, busy) and chance.random() >= 0.05  # noqa: E731
        return Run(limit, 400, seed=seed).go()

    runs = [run(seed) for seed in range(8)]
    assert median(run.now for run in runs) <= 3 * 400 / 50
    assert max(max(run.tries.values()) for run in runs) <= 6
