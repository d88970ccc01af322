"""The guard and the retry layer, end to end, by the requests that reach the local gateway.

Where waits are long the loop's time leaps (``looptime``). That goes together with the gateway's
real sockets because both ends live in one loop: what was written to a loopback socket is there
at the loop's next look, and looptime moves its clock only after 42 looks without any news.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from lox24_async import (
    AccountNotActivatedError,
    AuthenticationError,
    Bulk,
    CancelState,
    ConnectionFailedError,
    IPBlockedError,
    Lox24Client,
    Lox24Error,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
)
from lox24_async._guard.gates import OriginGate, TokenGate
from lox24_async._guard.guard import Guard
from lox24_async._guard.stores import MemoryStore
from lox24_async._transport.attempts import Attempts
from lox24_async._transport.call import Call
from lox24_async._transport.queue import Slots, Waits
from lox24_async.retry import Backoff
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import QUICK, loop_time

WRONG = "1234567:a-mistyped-key"
REQUEST: Any = SimpleNamespace(method="PUT")
"""What an exchange is handed that does not look at it."""
PATIENT = RetryPolicy(max_wait=900, wait_out_block=True)
KNOCKS = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 127.5, 255.5, 511.5, 600.0]
"""Seconds after the first 429 at which the design lets a probe out."""

Result = Bulk | BaseException


def client_of(gateway: FakeLox24, token: str | None = None, **options: Any) -> Lox24Client:
    """Return a client of the gateway, with the token that it accepts unless told otherwise."""
    return Lox24Client(gateway.token if token is None else token, base_url=gateway.url, **options)


def add(gateway: FakeLox24, count: int) -> list[UUID]:
    """Put bulks into the postbox; return their ids."""
    return [gateway.add_bulk().uuid for _ in range(count)]


async def cancel_all(client: Lox24Client, ids: Iterable[UUID], **options: Any) -> list[Result]:
    """Cancel all at once; return bulks and errors."""
    calls = (client.cancel_bulk(bulk_id, **options) for bulk_id in ids)
    return await asyncio.gather(*calls, return_exceptions=True)


def errors(results: Iterable[Result]) -> list[Lox24Error]:
    """Return the errors; fail on any that is not ours."""
    found = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, Lox24Error) for error in found), found
    return [error for error in found if isinstance(error, Lox24Error)]


def kinds(results: Iterable[Result]) -> Counter[tuple[type, int]]:
    """Count the results by class and attempts (of a bulk: 0)."""
    return Counter((type(result), getattr(result, "attempts", 0)) for result in results)


def times(gateway: FakeLox24, since: float = 0.0) -> list[float]:
    """Return when the requests came, in seconds after ``since``."""
    return [round(request.at - since, 3) for request in gateway.requests if request.at >= since]


async def prove(client: Lox24Client, gateway: FakeLox24) -> None:
    """Let the guard know that the token works."""
    await client.cancel_bulk(gateway.add_bulk().uuid)
    gateway.requests.clear()


# --- the token


async def test_case_1_wrong_token_is_sent_once(fake_lox24: FakeLox24) -> None:
    """A thousand calls: one request, one error of the server, 999 local ones, none lost."""
    ids = add(fake_lox24, 1_000)
    async with client_of(fake_lox24, WRONG) as client:
        results = await cancel_all(client, ids)
        assert Counter({(AuthenticationError, 0): 999, (AuthenticationError, 1): 1}) == kinds(
            results
        )
        with pytest.raises(AuthenticationError) as caught:
            await client.cancel_bulk(ids[0])
    assert (0, False) == (caught.value.attempts, caught.value.outcome_unknown)
    assert len(fake_lox24.requests) == 1


async def test_case_6_wrong_token_in_a_thousand_clients(fake_lox24: FakeLox24) -> None:
    """What one client of the process learns, all heed: still one request."""

    async def one(bulk_id: UUID) -> Bulk:
        async with client_of(fake_lox24, WRONG) as client:
            return await client.cancel_bulk(bulk_id)

    ids = add(fake_lox24, 1_000)
    results = await asyncio.gather(*map(one, ids), return_exceptions=True)
    assert Counter({(AuthenticationError, 0): 999, (AuthenticationError, 1): 1}) == kinds(results)
    assert len(fake_lox24.requests) == 1


async def test_case_6_right_token_in_a_hundred_clients(fake_lox24: FakeLox24) -> None:
    """With a token that works, every client gets through."""

    async def one(bulk_id: UUID) -> Bulk:
        async with client_of(fake_lox24) as client:
            return await client.cancel_bulk(bulk_id)

    ids = add(fake_lox24, 100)
    results = await asyncio.gather(*map(one, ids), return_exceptions=True)
    assert Counter({(Bulk, 0): 100}) == kinds(results)
    assert len(fake_lox24.requests) == 100


@pytest.mark.looptime
async def test_right_token_costs_one_round_trip(fake_lox24: FakeLox24) -> None:
    """One request is in flight until the first answer, then ``max_concurrency`` at a time."""
    fake_lox24.latency = 1.0
    begun = loop_time()
    async with client_of(fake_lox24) as client:
        results = await cancel_all(client, add(fake_lox24, 41))
        assert Counter({(Bulk, 0): 41}) == kinds(results)
        waves = Counter(times(fake_lox24, begun))
        assert {0.0: 1, 1.0: 10, 2.0: 10, 3.0: 10, 4.0: 10} == waves
        await cancel_all(client, add(fake_lox24, 10))
    assert Counter(times(fake_lox24, begun))[5.0] == 10


@pytest.mark.looptime
async def test_wrong_token_is_tried_again_after_a_minute(fake_lox24: FakeLox24) -> None:
    """The token was repaired on the server: the first call after 60 s finds out."""
    begun = loop_time()
    token, fake_lox24.token = fake_lox24.token, "1:repaired-later"
    async with client_of(fake_lox24, token) as client:
        for _ in range(59):
            assert Counter({AuthenticationError: 10}) == Counter(
                map(type, await cancel_all(client, add(fake_lox24, 10)))
            )
            await asyncio.sleep(1)
        fake_lox24.token = token
        await asyncio.sleep(1.1)
        assert Counter({(Bulk, 0): 20}) == kinds(await cancel_all(client, add(fake_lox24, 20)))
    assert [0.0, *[60.1] * 20] == times(fake_lox24, begun)


@pytest.mark.looptime
@pytest.mark.parametrize(("width", "confirmed_after"), [(1, 1.0), (2, 1.0), (3, 60.0), (10, 60.0)])
async def test_case_3_revoked_in_mid_run(
    fake_lox24: FakeLox24, width: int, confirmed_after: float
) -> None:
    """No send after the first 401 but one confirmation, at most the third wrong of a minute."""
    fake_lox24.latency = 0.1
    async with client_of(fake_lox24, max_concurrency=width) as client:
        await prove(client, fake_lox24)
        running = asyncio.ensure_future(cancel_all(client, add(fake_lox24, 100)))
        await asyncio.sleep(0.55)
        revoked = loop_time()
        fake_lox24.token = "1:another"
        results = await running
    late = times(fake_lox24, revoked)
    assert [0.05] * width + [round(0.15 + confirmed_after, 3)] == late
    refused = errors(results)
    # More than three in flight block the IP, and the confirmation meets the block.
    expected = {AuthenticationError} if width <= 3 else {AuthenticationError, IPBlockedError}
    assert expected == {type(error) for error in refused}
    assert not any(error.outcome_unknown for error in refused)
    assert len(late) == sum(error.attempts for error in refused)


@pytest.mark.looptime
async def test_case_3_with_three_the_ip_is_never_blocked(fake_lox24: FakeLox24) -> None:
    """Revoked in mid-run, asked on and on for five minutes: the server counts no fourth."""
    fake_lox24.latency = 0.1
    async with client_of(fake_lox24, max_concurrency=3) as client:
        await prove(client, fake_lox24)
        token, fake_lox24.token = fake_lox24.token, "1:another"
        for _ in range(300):
            failed = errors(await cancel_all(client, add(fake_lox24, 5)))
            assert {AuthenticationError} == {type(error) for error in failed}
            await asyncio.sleep(1)
        fake_lox24.token = token
        await asyncio.sleep(60)
        assert (await client.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled


@pytest.mark.looptime
async def test_case_4_spurious_401(fake_lox24: FakeLox24) -> None:
    """Nothing is sent for a second, then one probe, then all: one id tells of its 401."""
    fake_lox24.latency = 0.1
    async with client_of(fake_lox24, max_concurrency=10) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.fail_next(401)
        results = await cancel_all(client, add(fake_lox24, 50))
    assert Counter({(Bulk, 0): 49, (AuthenticationError, 1): 1}) == kinds(results)
    waves = Counter(times(fake_lox24, begun))
    assert {0.0: 10, 1.1: 1, 1.2: 10, 1.3: 10, 1.4: 10, 1.5: 9} == waves


async def test_case_5_403_is_not_retried(fake_lox24: FakeLox24) -> None:
    """One 403 is that id's own matter, on a proven token and on an unproven one."""
    async with client_of(fake_lox24) as client:
        for _ in range(3):
            fake_lox24.fail_next(403)
            with pytest.raises(AccountNotActivatedError) as caught:
                await client.cancel_bulk(fake_lox24.add_bulk().uuid)
            assert caught.value.attempts == 1
            assert (await client.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled
    assert len(fake_lox24.requests) == 6


async def test_case_5_two_403s_stop_further_sends(fake_lox24: FakeLox24) -> None:
    """Two in a row: everyone who waits gets the local error."""
    fake_lox24.fail_next(403, times=100)
    async with client_of(fake_lox24) as client:
        results = await cancel_all(client, add(fake_lox24, 100))
    expected = {(AccountNotActivatedError, 1): 2, (AccountNotActivatedError, 0): 98}
    assert expected == kinds(results)
    assert len(fake_lox24.requests) == 2


async def test_two_loops_share_what_they_know(fake_lox24: FakeLox24) -> None:
    """A wrong token in two threads, each with a loop and a client of its own: one request."""
    ids = add(fake_lox24, 200)
    start = threading.Barrier(2)

    async def run(mine: Sequence[UUID]) -> list[Result]:
        async with client_of(fake_lox24, WRONG) as client:
            start.wait()
            return await cancel_all(client, mine)

    halves = (ids[:100], ids[100:])
    both = await asyncio.gather(*(asyncio.to_thread(asyncio.run, run(half)) for half in halves))
    results = [result for half in both for result in half]
    assert Counter({(AuthenticationError, 0): 199, (AuthenticationError, 1): 1}) == kinds(results)
    assert len(fake_lox24.requests) == 1


async def test_two_loops_wake_each_other(fake_lox24: FakeLox24) -> None:
    """What ends a pause in one thread is heard in the other at once: everyone gets through."""
    ids = add(fake_lox24, 200)
    start = threading.Barrier(2)
    fake_lox24.fail_next(503, times=3)

    async def run(mine: Sequence[UUID]) -> list[Result]:
        policy = RetryPolicy(max_attempts=5, initial_delay=0.01, max_delay=0.05)
        async with client_of(fake_lox24, retry=policy) as client:
            start.wait()
            return await cancel_all(client, mine)

    halves = (ids[:100], ids[100:])
    begun = time.perf_counter()
    both = await asyncio.gather(*(asyncio.to_thread(asyncio.run, run(half)) for half in halves))
    assert Counter({(Bulk, 0): 200}) == kinds([result for half in both for result in half])
    assert len(fake_lox24.requests) == 203
    assert time.perf_counter() - begun < 10  # a lost wake-up would last for a lease


async def test_one_asyncio_run_after_another(fake_lox24: FakeLox24) -> None:
    """A script that makes a loop and a client for each id sends a wrong token once."""
    ids = add(fake_lox24, 5)

    async def one(bulk_id: UUID) -> int:
        async with client_of(fake_lox24, WRONG) as client:
            with pytest.raises(AuthenticationError) as caught:
                await client.cancel_bulk(bulk_id)
            return caught.value.attempts

    def script() -> list[int]:
        return [asyncio.run(one(bulk_id)) for bulk_id in ids]

    assert [1, 0, 0, 0, 0] == await asyncio.to_thread(script)
    assert len(fake_lox24.requests) == 1


# --- a blocked IP


@pytest.mark.looptime
@pytest.mark.parametrize("attempts", [1, 3])
async def test_case_7_block_is_waited_out(fake_lox24: FakeLox24, attempts: int) -> None:
    """In flight ten, then one probe at each doubled interval and at 600 s; then all succeed."""
    policy = RetryPolicy(max_attempts=attempts, max_wait=900, wait_out_block=True)
    async with client_of(fake_lox24, retry=policy) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.block_ip(600)
        results = await cancel_all(client, add(fake_lox24, 100))
    assert Counter({(Bulk, 0): 100}) == kinds(results)
    came = times(fake_lox24, begun)
    assert [0.0] * 10 + KNOCKS == came[:21]
    assert [600.0] * 99 == came[21:]


@pytest.mark.looptime
async def test_case_7_block_that_knocking_prolongs(fake_lox24: FakeLox24) -> None:
    """Where every knock begins the ten minutes anew, the knocks get rare enough to end them."""

    class Notebook(list[ReceivedRequest]):
        """Begins the block anew for each request that meets it."""

        def append(self, request: ReceivedRequest) -> None:
            super().append(request)
            if request.at < fake_lox24._blocked_until:
                fake_lox24.block_ip(600)

    policy = RetryPolicy(max_wait=3_000, wait_out_block=True)
    async with client_of(fake_lox24, retry=policy) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.requests = Notebook()
        fake_lox24.block_ip(600)
        assert Counter({(Bulk, 0): 3}) == kinds(await cancel_all(client, add(fake_lox24, 3)))
    assert loop_time() - begun < 2_000


@pytest.mark.looptime
async def test_case_7_default_policy_gives_up_in_time(fake_lox24: FakeLox24) -> None:
    """About seven probes, then ``IPBlockedError`` for all, with the time that is left."""
    fake_lox24.block_ip(600)
    begun, ended = loop_time(), dict[UUID, float]()

    async def one(client: Lox24Client, bulk_id: UUID) -> Bulk:
        try:
            return await client.cancel_bulk(bulk_id)
        finally:
            ended[bulk_id] = loop_time() - begun

    ids = add(fake_lox24, 200)
    async with client_of(fake_lox24) as client:
        results = await asyncio.gather(*(one(client, i) for i in ids), return_exceptions=True)
    failed = errors(results)
    assert len(failed) == 200
    assert max(ended.values()) <= 60
    assert [0.0, *KNOCKS[:6]] == times(fake_lox24, begun)
    assert Counter({0: 193, 1: 7}) == Counter(error.attempts for error in failed)
    for error in failed:
        assert isinstance(error, IPBlockedError)
        assert error.retry_after is not None
        assert error.blocked_until is not None
        assert 0 < error.retry_after <= 600
        # The fake clock has leapt by half a minute that the calendar does not know of.
        left = error.blocked_until - datetime.now(UTC)
        assert timedelta(seconds=500) < left <= timedelta(seconds=600)
        assert not error.outcome_unknown


@pytest.mark.looptime
async def test_case_7_later_calls_learn_at_once(fake_lox24: FakeLox24) -> None:
    """Who comes when the next probe is far away is not kept waiting and sends nothing."""
    fake_lox24.block_ip(600)
    async with client_of(fake_lox24) as client:
        await cancel_all(client, add(fake_lox24, 20))
        begun, sent = loop_time(), len(fake_lox24.requests)
        # The next probe is 32 s away: within max_wait, but not within this deadline.
        failed = errors(await cancel_all(client, add(fake_lox24, 20), timeout=20))
    assert {(IPBlockedError, 0)} == set(kinds(failed))
    assert (0.0, sent) == (loop_time() - begun, len(fake_lox24.requests))


@pytest.mark.looptime
@pytest.mark.parametrize("seconds", [0.2, 2.0, 5.0])
async def test_case_7_short_429_is_over_within_twice_its_length(
    fake_lox24: FakeLox24, seconds: float
) -> None:
    """A rate limit of five seconds is over for everyone within ten, and nobody fails."""
    async with client_of(fake_lox24) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.block_ip(seconds)
        results = await cancel_all(client, add(fake_lox24, 100))
    assert Counter({(Bulk, 0): 100}) == kinds(results)
    assert loop_time() - begun <= max(2 * seconds, 0.5)


@pytest.mark.looptime
async def test_waiting_is_no_busy_loop(
    fake_lox24: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timer that fires a rounding error early does not make a call ask for ever."""
    asked = 0
    enter = Guard.enter

    def counting(*args: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked > 2_000:
            raise RecursionError("asked again and again in the same moment")
        return enter(*args, **options)

    monkeypatch.setattr(Guard, "enter", counting)
    async with client_of(fake_lox24, retry=RetryPolicy(initial_delay=0.1)) as client:
        fake_lox24.block_ip(2)  # 0.1 + 0.2 is more than 0.3
        results = await cancel_all(client, add(fake_lox24, 10))
    assert Counter({(Bulk, 0): 10}) == kinds(results)


@pytest.mark.looptime
@pytest.mark.parametrize("attempts", [2, 3])
@pytest.mark.parametrize("status", [429, 503])
async def test_case_7_turns_pass_in_order(
    fake_lox24: FakeLox24, attempts: int, status: int
) -> None:
    """No call burns all its attempts while others have not begun."""
    policy = RetryPolicy(max_attempts=attempts, initial_delay=0.125, max_delay=1.0)
    async with client_of(fake_lox24, max_concurrency=5, retry=policy) as client:
        await prove(client, fake_lox24)
        fake_lox24.fail_next(status, times=15, method="PUT")
        ids = add(fake_lox24, 20)
        await cancel_all(client, ids)
    puts = [request.path for request in fake_lox24.requests if request.method == "PUT"]
    assert max(Counter(puts[:15]).values()) < attempts


@pytest.mark.looptime
async def test_case_7_single_attempts(fake_lox24: FakeLox24) -> None:
    """Without repeats a call sends one request and says what came; the next one probes."""
    fake_lox24.fail_next(429, times=3)
    async with client_of(fake_lox24, retry=RetryPolicy.none()) as client:
        results = await cancel_all(client, add(fake_lox24, 10))
    assert Counter({(IPBlockedError, 1): 3, (Bulk, 0): 7}) == kinds(results)


@pytest.mark.looptime
async def test_case_8_short_429_with_retry_after(fake_lox24: FakeLox24) -> None:
    """One shared wait of three seconds, one probe, then open; all succeed."""
    fake_lox24.latency = 0.1
    async with client_of(fake_lox24) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.fail_next(429, times=10, headers={"Retry-After": "3"})
        results = await cancel_all(client, add(fake_lox24, 31))
    assert Counter({(Bulk, 0): 31}) == kinds(results)
    # By steps: one probe, then 2, 4, 8, and from ten on all at once.
    steps = {0.0: 10, 3.1: 1, 3.2: 2, 3.3: 4, 3.4: 8, 3.5: 10, 3.6: 6}
    assert steps == Counter(times(fake_lox24, begun))


@pytest.mark.looptime
@pytest.mark.parametrize("seconds", [61, 10**9])
async def test_case_9_too_long_a_retry_after_is_raised_at_once(
    fake_lox24: FakeLox24, seconds: int
) -> None:
    """Not slept, not shortened: the typed error tells what the server asked for."""
    fake_lox24.fail_next(429, headers={"Retry-After": str(seconds)})
    begun = loop_time()
    async with client_of(fake_lox24) as client:
        failed = errors(await cancel_all(client, add(fake_lox24, 20)))
    assert Counter({(IPBlockedError, 1): 1, (IPBlockedError, 0): 19}) == kinds(failed)
    told = {getattr(error, "retry_after", None) for error in failed}
    assert {seconds, min(seconds, 600)} == told  # nobody else is held longer than a block lasts
    assert loop_time() == begun


@pytest.mark.looptime
@pytest.mark.parametrize("status", [429, 503])
async def test_case_9_retry_after_zero_is_not_hammered(fake_lox24: FakeLox24, status: int) -> None:
    """A server that says "now" and fails for ten seconds gets no storm, and each id an end."""
    policy = RetryPolicy(max_attempts=8, wait_out_block=True)
    fake_lox24.latency = 0.01
    fake_lox24.fail_next(status, times=5_000, headers={"Retry-After": "0"})
    async with client_of(fake_lox24, retry=policy) as client:
        asyncio.get_running_loop().call_later(10, fake_lox24.stop_failing)
        results = await cancel_all(client, add(fake_lox24, 50))
    assert len(results) == 50
    assert len(fake_lox24.requests) < 50 + 100


# --- a service that fails


@pytest.mark.looptime
@pytest.mark.parametrize("retry_after", [None, 2])
async def test_case_10_storm_of_503(fake_lox24: FakeLox24, retry_after: int | None) -> None:
    """Bad answers: at most those in flight and the probes, one at a time; every id has an end."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    fake_lox24.latency = 0.1
    async with client_of(fake_lox24) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.fail_next(503, times=5_000, headers=headers)
        asyncio.get_running_loop().call_later(9.95, fake_lox24.stop_failing)
        results = await cancel_all(client, add(fake_lox24, 100))
    assert Counter({(Bulk, 0): 100}) == kinds(results)
    bad = [at for at in times(fake_lox24, begun) if at < 9.95]
    assert [0.0] * 10 == bad[:10]
    gaps = [b - a for a, b in zip(bad[9:], bad[10:], strict=False)]
    assert all(gap >= 0.1 for gap in gaps), "two probes at a time"
    if retry_after is not None:
        assert all(round(gap, 3) == 2.1 for gap in gaps)
    else:
        assert len(bad) < 10 + 30


@pytest.mark.looptime
async def test_case_11_outage_longer_than_max_wait(fake_lox24: FakeLox24) -> None:
    """A bounded wait, then a typed error; who was never sent has no doubt about it."""
    fake_lox24.fail_next(503, times=10_000)
    begun = loop_time()
    async with client_of(fake_lox24) as client:
        results = await cancel_all(client, add(fake_lox24, 100))
    failed = errors(results)
    assert len(failed) == 100
    assert {ServerError} == {type(error) for error in failed}
    assert loop_time() - begun <= 60
    unsent = [error for error in failed if not error.attempts]
    assert unsent
    assert not any(error.outcome_unknown for error in unsent)
    assert all(error.outcome_unknown for error in failed if error.attempts)
    puts = sum(request.method == "PUT" for request in fake_lox24.requests)
    assert puts == sum(error.attempts for error in failed)


@pytest.mark.looptime
async def test_case_11_nobody_listens(fake_lox24: FakeLox24) -> None:
    """Refused connections end the same way; nothing left, nothing is in doubt."""
    ids = add(fake_lox24, 100)
    async with client_of(fake_lox24) as client:
        await fake_lox24.stop()
        begun = loop_time()
        failed = errors(await cancel_all(client, ids))
    assert Counter({(ConnectionFailedError, 0): 100}) == kinds(failed)
    assert not any(error.outcome_unknown for error in failed)
    assert loop_time() - begun <= 60


@pytest.mark.looptime
async def test_case_11_max_wait_is_over_all_waits_of_a_call(fake_lox24: FakeLox24) -> None:
    """Waits add up: 25 s and 25 s fit into 60, a third 25 does not and is not begun."""
    policy = RetryPolicy(max_attempts=9)
    fake_lox24.fail_next(503, times=9, headers={"Retry-After": "25"}, method="PUT")
    begun = loop_time()
    async with client_of(fake_lox24, retry=policy) as client:
        with pytest.raises(ServerError) as caught:
            await client.cancel_bulk(fake_lox24.add_bulk().uuid)
    assert (3, 25.0) == (caught.value.attempts, caught.value.retry_after)
    assert loop_time() - begun == 50


@pytest.mark.looptime
async def test_case_11_deadline_bounds_the_waits(fake_lox24: FakeLox24) -> None:
    """A wait that does not fit into ``timeout`` is not begun, and not shortened."""
    fake_lox24.fail_next(503, times=9, headers={"Retry-After": "25"}, method="PUT")
    begun = loop_time()
    async with client_of(fake_lox24) as client:
        with pytest.raises(ServerError) as caught:
            await client.cancel_bulk(fake_lox24.add_bulk().uuid, timeout=40)
    assert (2, 25.0) == (caught.value.attempts, caught.value.retry_after)
    assert loop_time() - begun == 25


@pytest.mark.looptime
async def test_case_11_nobody_listens_though_there_is_a_deadline(fake_lox24: FakeLox24) -> None:
    """A connection that is refused long before the deadline is tried again, and named so."""
    ids = add(fake_lox24, 10)
    async with client_of(fake_lox24) as client:
        await fake_lox24.stop()
        begun = loop_time()
        failed = errors(await cancel_all(client, ids, timeout=30))
    assert Counter({(ConnectionFailedError, 0): 10}) == kinds(failed)
    assert begun < loop_time() <= begun + 30


@pytest.mark.parametrize("status", [502, 504])
async def test_case_12_html_of_a_gateway(fake_lox24: FakeLox24, status: int) -> None:
    """Retried, then looked up, then raised: typed, its text cut and on one printable line."""
    page = "<html>\r\n<h1>Bad\x1b[31m Gateway</h1>\x00" + "<p>filler</p>" * 1_000
    async with client_of(fake_lox24, retry=QUICK) as client:
        await prove(client, fake_lox24)
        fake_lox24.fail_next(
            status, times=3, body=page, headers={"Content-Type": "text/html"}, method="PUT"
        )
        with pytest.raises(ServerError) as caught:
            await client.cancel_bulk(fake_lox24.add_bulk().uuid)
    error = caught.value
    assert (status, 3, True) == (error.status, error.attempts, error.outcome_unknown)
    assert ["PUT"] * 3 + ["GET"] == [request.method for request in fake_lox24.requests]
    assert error.body.isprintable()
    assert error.body.startswith("<html> <h1>Bad")
    assert len(error.body) < 2_100
    assert str(error).isprintable()


async def test_case_12_gateway_failed_after_the_cancel(fake_lox24: FakeLox24) -> None:
    """A 504 for a cancel that was carried out: the look says so."""
    async with client_of(fake_lox24, retry=QUICK) as client:
        await prove(client, fake_lox24)
        fake_lox24.fail_next(504, times=3, executed=True, body="<html>", method="PUT")
        assert (await client.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled
    assert ["PUT"] * 3 + ["GET"] == [request.method for request in fake_lox24.requests]


# --- cancelled callers


@pytest.mark.looptime
async def test_case_33_cancelled_in_the_pause(fake_lox24: FakeLox24) -> None:
    """The first in line leaves at once and sends nothing; the next one probes on time."""
    async with client_of(fake_lox24) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.block_ip(0.4)
        ids = add(fake_lox24, 5)
        calls = []
        for bulk_id in ids:
            calls.append(asyncio.ensure_future(client.cancel_bulk(bulk_id)))
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        sent, left = len(fake_lox24.requests), loop_time()
        calls[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await calls[0]
        assert loop_time() == left
        assert Counter({(Bulk, 0): 4}) == kinds(await asyncio.gather(*calls[1:]))
    assert all(str(ids[0]) not in request.path for request in fake_lox24.requests[sent:])
    assert [0.5] * 4 == times(fake_lox24, begun)[sent:]


@pytest.mark.looptime
async def test_case_33_cancelled_before_the_first_proof(fake_lox24: FakeLox24) -> None:
    """Who waits for the probe's answer leaves at once; the others lose nothing."""
    fake_lox24.latency = 1.0
    async with client_of(fake_lox24) as client:
        ids = add(fake_lox24, 5)
        calls = [asyncio.ensure_future(client.cancel_bulk(bulk_id)) for bulk_id in ids]
        await asyncio.sleep(0.5)
        calls[2].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert calls[2].cancelled()
        await asyncio.gather(*calls[:2], *calls[3:])
    assert len(fake_lox24.requests) == 4


@pytest.mark.looptime
async def test_case_33_cancelled_in_its_own_backoff(fake_lox24: FakeLox24) -> None:
    """A call that sleeps before its next attempt leaves at once and sends no more."""
    async with client_of(fake_lox24, retry=RetryPolicy(initial_delay=8.0)) as client:
        await prove(client, fake_lox24)
        fake_lox24.fail_next(408, headers={"Retry-After": "8"})
        call = asyncio.ensure_future(client.cancel_bulk(fake_lox24.add_bulk().uuid))
        await asyncio.sleep(4)
        left = loop_time()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert loop_time() == left
        await asyncio.sleep(60)
    assert len(fake_lox24.requests) == 1


@pytest.mark.looptime
async def test_case_33_cancelled_in_the_queue(fake_lox24: FakeLox24) -> None:
    """Calls that wait for a slot leave at once; the slots stay whole."""
    fake_lox24.latency = 1.0
    async with client_of(fake_lox24, max_concurrency=2) as client:
        await prove(client, fake_lox24)
        ids = add(fake_lox24, 12)
        calls = [asyncio.ensure_future(client.cancel_bulk(bulk_id)) for bulk_id in ids]
        await asyncio.sleep(0.5)
        for call in calls[2:8]:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert Counter({(Bulk, 0): 6, (asyncio.CancelledError, 0): 6}) == kinds(results)
    assert len(fake_lox24.requests) == 6


@pytest.mark.looptime
async def test_case_35_probe_is_cancelled(fake_lox24: FakeLox24) -> None:
    """The next in line probes in that moment; everybody else gets through."""
    fake_lox24.latency = 1.0
    begun = loop_time()
    async with client_of(fake_lox24) as client:
        ids = add(fake_lox24, 11)
        calls = [asyncio.ensure_future(client.cancel_bulk(bulk_id)) for bulk_id in ids]
        await asyncio.sleep(0.5)
        calls[0].cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert Counter({(Bulk, 0): 10, (asyncio.CancelledError, 0): 1}) == kinds(results)
    assert {0.0: 1, 0.5: 1, 1.5: 9} == Counter(times(fake_lox24, begun))


@pytest.mark.looptime
async def test_case_35_probe_of_another_client_is_cancelled(fake_lox24: FakeLox24) -> None:
    """The turn passes between clients as well, in the middle of a pause's end."""
    fake_lox24.latency = 1.0
    async with client_of(fake_lox24) as one, client_of(fake_lox24) as other:
        await prove(one, fake_lox24)
        begun = loop_time()
        fake_lox24.fail_next(429)
        limited = asyncio.ensure_future(one.cancel_bulk(fake_lox24.add_bulk().uuid))
        await asyncio.sleep(1.05)
        probe = asyncio.ensure_future(one.cancel_bulk(fake_lox24.add_bulk().uuid))
        await asyncio.sleep(0.05)
        waiting = asyncio.ensure_future(cancel_all(other, add(fake_lox24, 5)))
        await asyncio.sleep(1.0)
        probe.cancel()
        assert Counter({(Bulk, 0): 5}) == kinds(await waiting)
        assert (await limited).is_canceled
    assert {0.0: 1, 1.5: 1, 2.1: 1, 3.1: 2, 4.1: 3} == Counter(times(fake_lox24, begun))


@pytest.mark.looptime
async def test_probe_that_runs_into_its_own_deadline(fake_lox24: FakeLox24) -> None:
    """A caller's short deadline is no news about the service: the next one probes at once."""
    fake_lox24.latency = 1.0
    begun = loop_time()
    async with client_of(fake_lox24) as client:
        hasty = asyncio.ensure_future(client.cancel_bulk(fake_lox24.add_bulk().uuid, timeout=0.5))
        await asyncio.sleep(0)
        assert Counter({(Bulk, 0): 5}) == kinds(await cancel_all(client, add(fake_lox24, 5)))
        with pytest.raises(RequestTimeoutError) as caught:
            await hasty
    assert (1, True) == (caught.value.attempts, caught.value.outcome_unknown)
    assert {0.0: 1, 0.5: 1, 1.5: 4} == Counter(times(fake_lox24, begun))


# --- the retry layer alone


class Late(Slots):
    """Slots in a loop so busy that a slot handed over in time is noticed too late."""

    def __init__(self, clock: list[float], waits: Waits) -> None:
        super().__init__(1, waits)
        self.clock = clock

    def take(self) -> bool:
        """Take the slot; meanwhile ten seconds pass."""
        self.clock[0] += 10
        return super().take()


def attempts_of(
    exchange: Callable[[Any, float], Awaitable[Any]],
    clock: list[float],
    slots: Callable[[Waits], Slots] = lambda waits: Slots(1, waits),
) -> Attempts:
    """Return the loop on a clock that the test moves, for a token that has been proven."""
    backoff = Backoff(RetryPolicy(initial_delay=0.0, max_delay=0.0), lambda: 0.0)
    origin, token = OriginGate(MemoryStore()), TokenGate("a token")
    origin.tokens[token.digest] = token
    token.prove()
    waits = Waits()
    session: Any = SimpleNamespace(exchange=exchange)
    return Attempts(
        session,
        Guard(origin, token, lease=65, backoff=backoff),
        slots(waits),
        waits,
        policy=RetryPolicy(),
        backoff=backoff,
        attempt_timeout=60,
        clock=lambda: clock[0],
    )


async def test_nothing_is_sent_after_the_deadline() -> None:
    """A call whose time ran out in the queue sends nothing, so nothing is in doubt."""
    clock, sent = [1_000.0], list[float]()

    async def attempt(_: None, seconds: float) -> None:
        sent.append(seconds)
        raise RequestTimeoutError("no answer", attempts=1, outcome_unknown=True)

    call = Call("an id", deadline=1_005.0)
    with pytest.raises(RequestTimeoutError) as caught:
        await attempts_of(attempt, clock, lambda waits: Late(clock, waits)).run(REQUEST, call)
    assert [] == sent
    assert (0, False) == (caught.value.attempts, caught.value.outcome_unknown)


@pytest.mark.parametrize(("tls", "attempts"), [(False, 3), (True, 1)])
async def test_failure_to_connect_keeps_its_name_under_a_deadline(tls: bool, attempts: int) -> None:
    """A failed handshake is not retried, a refused connection is; neither is called a timeout."""
    clock, made = [1_000.0], 0

    async def attempt(_: None, __: float) -> None:
        nonlocal made
        made += 1
        raise ConnectionFailedError("no connection", tls=tls)

    call = Call("an id", deadline=1_005.0)
    with pytest.raises(ConnectionFailedError) as caught:
        await attempts_of(attempt, clock).run(REQUEST, call)
    assert (tls, attempts) == (caught.value.tls, made)


async def test_slots_stay_whole_whatever_an_attempt_does() -> None:
    """Failures of every kind give the slot back."""
    clock = [1_000.0]
    slots = list[Slots]()

    def one_slot(waits: Waits) -> Slots:
        slots.append(Slots(1, waits))
        return slots[0]

    errors = [ServerError("no", status=501), asyncio.CancelledError(), ZeroDivisionError()]
    left = list[BaseException](errors)

    async def failing(_: object, __: float) -> None:
        raise left.pop(0)

    subject = attempts_of(failing, clock, one_slot)
    for error in errors:
        with pytest.raises(type(error)):
            await subject.run(REQUEST, Call("an id"))
    assert slots[0].take()


@pytest.mark.looptime
@pytest.mark.parametrize("width", [1, 2, 10])
async def test_case_1_wrong_token_in_a_batch(fake_lox24: FakeLox24, width: int) -> None:
    """A batch is told at once as well: one request, no wait, no second probe for later ids."""
    ids = add(fake_lox24, 50)
    begun = loop_time()
    async with client_of(fake_lox24, WRONG, max_concurrency=width) as client:
        report = await client.cancel_bulks(ids)
    assert loop_time() - begun < 1
    assert 1 == len(fake_lox24.requests)
    assert 50 == len(report)
    assert {AuthenticationError} == {type(outcome.error) for outcome in report.outcomes}
    assert 49 == report.counts[CancelState.NOT_SENT]


@pytest.mark.looptime
@pytest.mark.parametrize("width", [1, 2, 3])
async def test_ids_that_always_fail_cost_no_other(fake_lox24: FakeLox24, width: int) -> None:
    """Though as many as may be sent at once: another is tried meanwhile, and tells them apart."""
    ids = add(fake_lox24, 30)
    bad = {str(bulk_id) for bulk_id in ids[3 : 3 + width]}
    fake_lox24.fail_if(lambda r: Fault(status=503) if any(i in r.path for i in bad) else None)
    async with client_of(fake_lox24, max_concurrency=width) as client:
        report = await client.cancel_bulks(ids)
    assert 30 - width == report.counts[CancelState.CANCELED]
    assert {report[bulk_id].state for bulk_id in bad} == {CancelState.UNKNOWN}


@pytest.mark.looptime
@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("width", [1, 2])
async def test_an_outage_costs_no_id(fake_lox24: FakeLox24, width: int, status: int) -> None:
    """Though most of the probes were one id's: what was set aside goes on when it ends in time."""
    ids = add(fake_lox24, 10)
    async with client_of(fake_lox24, max_concurrency=width) as client:
        await prove(client, fake_lox24)
        fake_lox24.fail_next(status, times=9)
        report = await client.cancel_bulks(ids)
    assert 10 == report.counts[CancelState.CANCELED]
    assert max(outcome.attempts for outcome in report.outcomes) <= 7


@pytest.mark.looptime
@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("width", [1, 2, 10])
async def test_the_last_probe_is_waited_for(fake_lox24: FakeLox24, width: int, status: int) -> None:
    """An outage that ends just in time costs nobody, though the answers are slow."""
    fake_lox24.latency = 3.0
    ids = add(fake_lox24, 30)
    async with client_of(fake_lox24, max_concurrency=width) as client:
        await prove(client, fake_lox24)
        over = loop_time() + 57
        fake_lox24.fail_if(lambda _: Fault(status=status) if loop_time() < over else None)
        report = await client.cancel_bulks(ids)
    assert 30 == report.counts[CancelState.CANCELED]


@pytest.mark.looptime
@pytest.mark.parametrize("status", [500, 503])
async def test_as_many_bad_ids_as_workers_cost_no_other(fake_lox24: FakeLox24, status: int) -> None:
    """Every second id fails for ever, from the first on."""
    ids = add(fake_lox24, 60)
    bad = {str(bulk_id) for bulk_id in ids[:40:2]}
    fake_lox24.fail_if(lambda r: Fault(status=status) if any(i in r.path for i in bad) else None)
    async with client_of(fake_lox24) as client:
        await prove(client, fake_lox24)
        report = await client.cancel_bulks(ids)
    assert 40 == report.counts[CancelState.CANCELED]


@pytest.mark.slow
@pytest.mark.looptime
async def test_in_a_long_outage_few_are_set_aside(fake_lox24: FakeLox24) -> None:
    """Not thousands, though the policy's delays are next to nothing."""
    ids = add(fake_lox24, 100)
    fake_lox24.fail_if(lambda _: Fault(status=503) if loop_time() < 15 else None)
    async with client_of(fake_lox24, max_concurrency=5, retry=QUICK) as client:
        run = asyncio.create_task(client.cancel_bulks(ids))
        await asyncio.sleep(14)
        begun = {request.path for request in fake_lox24.requests}
        report = await run
    assert len(begun) == 55  # and one of the proof
    assert 100 == report.counts[CancelState.CANCELED]


@pytest.mark.looptime
async def test_a_stream_sends_no_more_at_once_for_what_was_set_aside(fake_lox24: FakeLox24) -> None:
    """One at a time stays one at a time, and ahead of the consumer are two while one waits."""
    ids = add(fake_lox24, 30)
    fake_lox24.fail_if(lambda r: Fault(status=503) if str(ids[0]) in r.path else None)
    async with (
        client_of(fake_lox24, max_concurrency=1) as client,
        client.iter_cancel(ids) as stream,
    ):
        first = await anext(stream)
        assert str(ids[1]) == first.bulk_id
        await asyncio.sleep(600)
        begun = {request.path for request in fake_lox24.requests}
        assert len(begun) <= 4  # the one set aside and its look, and the one that was taken
        assert [str(ids[0])] == [o.bulk_id async for o in stream if o.state is CancelState.UNKNOWN]


@pytest.mark.looptime
async def test_when_none_is_set_aside_any_more_a_stream_is_as_narrow_as_before(
    fake_lox24: FakeLox24,
) -> None:
    """What is known of the id that failed gives its place ahead of the consumer back."""
    ids, fake_lox24.latency = add(fake_lox24, 60), 4.0
    fake_lox24.fail_if(lambda r: Fault(status=503) if str(ids[0]) in r.path else None)
    taken = 0
    async with (
        client_of(fake_lox24, max_concurrency=1) as client,
        client.iter_cancel(ids) as stream,
    ):
        async for outcome in stream:
            taken += 1
            if outcome.bulk_id == str(ids[0]):
                break
        assert taken < 50
        for _ in range(3):  # what was read before is taken first
            await anext(stream)
            taken += 1
        await asyncio.sleep(600)
        assert taken == len({request.path.split("/")[2] for request in fake_lox24.requests})
