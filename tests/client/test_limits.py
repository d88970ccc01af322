"""Behind a rate limit or a connection limit: it costs time, and no id."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from lox24_async import (
    Bulk,
    BulkStatus,
    CancelState,
    Lox24Client,
    RetryPolicy,
    ServerError,
)
from lox24_async.testing import (
    ConnectionLimit,
    FakeLox24,
    Fault,
    Intermediary,
    RateLimit,
    ReceivedRequest,
)
from tests.conftest import states

COUNT = 200
LATENCY = 0.02
IDEAL = COUNT / 50
IDEAL_OF_THREE = COUNT / 3 * LATENCY

# By name: the limit, the ideal time in seconds, and how many times that it may take (case 55).
LIMITS: dict[str, tuple[Callable[[], Intermediary], float, float]] = {
    "429": (lambda: RateLimit(50, burst=5, status=429), IDEAL, 3),
    "429-retry-after": (lambda: RateLimit(50, burst=5, status=429, retry_after=1), IDEAL, 6),
    "503": (lambda: RateLimit(50, burst=5), IDEAL, 3),
    "503-retry-after": (lambda: RateLimit(50, burst=5, retry_after=1), IDEAL, 6),
    "three-connections": (lambda: ConnectionLimit(3), IDEAL_OF_THREE, 6),
}
ALL = pytest.mark.parametrize(("make", "ideal", "times"), LIMITS.values(), ids=LIMITS)


class Behind:
    """A gateway behind a limit, with bulks to cancel, and what is known afterwards."""

    def __init__(self, gateway: FakeLox24, limit: Intermediary, count: int = COUNT) -> None:
        self.gateway = gateway
        self.gateway.latency = LATENCY
        self.gateway.intermediaries = [limit]
        self.ids = [str(gateway.add_bulk().uuid) for _ in range(count)]
        self._begun = asyncio.get_running_loop().time()

    def client(self, **options: Any) -> Lox24Client[Bulk]:
        """Return a client, by default the default one."""
        return Lox24Client(self.gateway.token, base_url=self.gateway.url, **options)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return asyncio.get_running_loop().time() - self._begun

    @property
    def canceled(self) -> int:
        """How many are cancelled, as the gateway knows."""
        return sum(bulk.is_canceled for bulk in self.gateway.bulks.values())

    def tries(self) -> dict[int, int]:
        """Return how many ids took so many requests; print it, for the log of a failed run."""
        each = Counter(r.path.split("/")[2] for r in self.gateway.requests if r.method == "PUT")
        tries = dict(sorted(Counter(each.values()).items()))
        print(f"{{attempts: ids}} {tries} in {self.seconds:.2f} s")  # noqa: T201
        return tries


@pytest.mark.looptime
@ALL
async def test_case_55_a_batch(
    fake_lox24: FakeLox24, make: Callable[[], Intermediary], ideal: float, times: float
) -> None:
    """Case 55: all are cancelled by the default client, in so many times the ideal time."""
    behind = Behind(fake_lox24, make())
    async with behind.client() as client:
        report = await client.cancel_bulks(behind.ids)
    tries = behind.tries()  # none used up its attempts, whether or not others had begun
    assert {CancelState.CANCELED: COUNT} == states(report)
    assert COUNT == behind.canceled
    assert behind.seconds <= times * ideal
    assert sum(tries.values()) == COUNT
    assert sum(n * count for n, count in tries.items()) <= 1.25 * COUNT


@pytest.mark.slow
@pytest.mark.looptime
@ALL
async def test_case_55_calls_of_their_own(
    fake_lox24: FakeLox24, make: Callable[[], Intermediary], ideal: float, times: float
) -> None:
    """Case 55: the same by a ``gather`` of single calls, whose attempts all count."""
    behind = Behind(fake_lox24, make())
    async with behind.client() as client:
        bulks = await asyncio.gather(*map(client.cancel_bulk, behind.ids))
    assert {BulkStatus.CANCELED: COUNT} == Counter(bulk.status_code for bulk in bulks)
    assert max(behind.tries()) <= 3
    assert behind.seconds <= times * ideal


@pytest.mark.slow
@pytest.mark.looptime
@ALL
async def test_case_55_two_clients(
    fake_lox24: FakeLox24, make: Callable[[], Intermediary], ideal: float, times: float
) -> None:
    """Case 55: what one client learns of the limit, the other one of the process knows."""
    behind = Behind(fake_lox24, make())
    async with behind.client() as one, behind.client() as other:
        reports = await asyncio.gather(
            one.cancel_bulks(behind.ids[::2]), other.cancel_bulks(behind.ids[1::2])
        )
    assert 2 * [{CancelState.CANCELED: COUNT // 2}] == list(map(states, reports))
    behind.tries()
    assert behind.seconds <= times * ideal


@pytest.mark.slow
@pytest.mark.looptime
@pytest.mark.parametrize(
    ("per_second", "burst", "count"), [(5, 1, 60), (5, 5, 60), (500, 5, 600), (500, 50, 600)]
)
@pytest.mark.parametrize("status", [429, 503])
async def test_case_55_other_rates(
    fake_lox24: FakeLox24, per_second: int, burst: int, count: int, status: int
) -> None:
    """Case 55: a slow limit and a fast one, with and without a burst."""
    behind = Behind(fake_lox24, RateLimit(per_second, burst=burst, status=status), count)
    async with behind.client() as client:
        report = await client.cancel_bulks(behind.ids)
    behind.tries()
    assert {CancelState.CANCELED: count} == states(report)
    # No faster than the limit, nor than ten at a time; and the seconds until it is known.
    assert behind.seconds <= 3 * max(count / per_second, count / 10 * LATENCY) + 3


@pytest.mark.slow
@pytest.mark.looptime
async def test_case_55_a_limit_that_begins_and_changes(fake_lox24: FakeLox24) -> None:
    """Case 55: no limit for 300 requests, then 100 a second, then 10 a second."""

    class Changing(Intermediary):
        def __init__(self) -> None:
            self.fast, self.slow, self.seen = RateLimit(100, burst=5), RateLimit(10, burst=5), 0

        def fault_for(self, request: ReceivedRequest, now: float, busy: int) -> Fault | None:
            self.seen += 1
            if self.seen <= 300:
                return None
            return (self.fast if self.seen <= 600 else self.slow).fault_for(request, now, busy)

    behind = Behind(fake_lox24, Changing(), 700)
    async with behind.client() as client:
        report = await client.cancel_bulks(behind.ids)
    behind.tries()
    assert {CancelState.CANCELED: 700} == states(report)
    assert behind.seconds <= 3 * (0.6 + 3 + 10)


@pytest.mark.slow
@pytest.mark.looptime
async def test_case_55_after_the_limit_is_gone(fake_lox24: FakeLox24) -> None:
    """Case 55: half a minute after the last refusal all goes at full width again."""
    behind = Behind(fake_lox24, RateLimit(5, burst=1), 20)
    async with behind.client() as client:
        await client.cancel_bulks(behind.ids)
        fake_lox24.intermediaries = []
        more = [fake_lox24.add_bulk().uuid for _ in range(1000)]
        before = behind.seconds
        report = await client.cancel_bulks(more)
    assert {CancelState.CANCELED: 1000} == states(report)
    assert behind.seconds - before <= 30 + 1000 / 10 * LATENCY


# --- what fails, and is no limit


@pytest.mark.slow
@pytest.mark.looptime
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_one_id_fails_for_ever(fake_lox24: FakeLox24, status: int) -> None:
    """It uses up its attempts in a batch, too, and the others go on."""
    behind = Behind(fake_lox24, ConnectionLimit(100), 1000)
    bad = behind.ids[50]
    fake_lox24.fail_if(
        lambda r: Fault(status=status) if bad in r.path and r.method == "PUT" else None
    )
    async with behind.client() as client:
        report = await client.cancel_bulks(behind.ids)
    assert 999 == report.counts[CancelState.CANCELED]
    assert report[bad].error is not None
    assert status == getattr(report[bad].error, "status", None)
    assert report[bad].attempts <= 8
    assert behind.seconds <= 30


@pytest.mark.slow
@pytest.mark.looptime
async def test_one_in_ten_fails(fake_lox24: FakeLox24) -> None:
    """Errors at any pace are not taken for a limit for ever: each costs its pause, no more."""
    behind = Behind(fake_lox24, ConnectionLimit(100), 500)
    seen: Counter[str] = Counter()

    def rule(request: ReceivedRequest) -> Fault | None:
        seen["all"] += 1
        return Fault(status=503) if seen["all"] % 10 == 7 else None

    fake_lox24.fail_if(rule)
    async with behind.client() as client:
        report = await client.cancel_bulks(behind.ids)
    assert {CancelState.CANCELED: 500} == states(report)
    # 55 failures, a quarter of a second each; and as much again for the pace.
    assert behind.seconds <= 60


@pytest.mark.slow
@pytest.mark.looptime
async def test_an_outage_is_no_limit(fake_lox24: FakeLox24) -> None:
    """However many probes failed: when the service is back, all is as before within a second."""
    behind = Behind(fake_lox24, ConnectionLimit(100), 1000)
    down = True
    fake_lox24.fail_if(lambda _: Fault(status=503) if down else None)
    async with behind.client(retry=RetryPolicy(max_wait=120.0)) as client:
        run = asyncio.create_task(client.cancel_bulks(behind.ids))
        await asyncio.sleep(40)
        down = False
        before = behind.seconds
        report = await run
    assert {CancelState.CANCELED: 1000} == states(report)
    assert behind.seconds - before <= 8 + 1 + 1000 / 10 * LATENCY


async def test_a_single_call_is_told_after_its_attempts(fake_lox24: FakeLox24) -> None:
    """For a call of its own each attempt counts, a probe too."""
    bulk = fake_lox24.add_bulk()
    fake_lox24.fail_if(lambda r: Fault(status=503) if r.method == "PUT" else None)
    retry = RetryPolicy(initial_delay=0.001, max_delay=0.001)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=retry) as client:
        with pytest.raises(ServerError) as caught:
            await client.cancel_bulk(bulk.uuid)
    assert 3 == caught.value.attempts
