"""The budget end to end: requests that may be wrong, counted where they arrive.

The gateway counts as LOX24 does: in the moment in which a request comes, whoever still waits
for its answer. Its clock and the loop's are one, and leap (see ``test_guarded``).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lox24_async import (
    AuthenticationError,
    Bulk,
    CancelState,
    HeldBackError,
    IPBlockedError,
    Lox24Client,
    Lox24Error,
    RetryPolicy,
    ServerError,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import loop_time

from .test_guarded import WRONG, add, cancel_all, client_of, kinds, prove, times

pytestmark = pytest.mark.looptime


def most_in_a_minute(gateway: FakeLox24) -> int:
    """Return how many requests came within any 60 s, at most."""
    came = times(gateway)
    return max((sum(at <= other < at + 60 for other in came) for at in came), default=0)


async def fails(call: Awaitable[Any]) -> BaseException:
    """Return how a call ends."""
    with pytest.raises((Lox24Error, TimeoutError)) as caught:
        await call
    return caught.value


# --- callers that give up


async def in_turn(client: Lox24Client[Any], gateway: FakeLox24) -> None:
    """Eight calls, each with a short deadline, one after the other."""
    for bulk_id in add(gateway, 8):
        await fails(client.cancel_bulk(bulk_id, timeout=0.2))


async def at_once(client: Lox24Client[Any], gateway: FakeLox24) -> None:
    """Eight calls at once, whose deadlines come one after the other."""
    calls = (
        client.cancel_bulk(bulk_id, timeout=0.2 * number)
        for number, bulk_id in enumerate(add(gateway, 8), 1)
    )
    await asyncio.gather(*map(fails, calls))


async def wait_for(client: Lox24Client[Any], gateway: FakeLox24) -> None:
    """Eight calls that are cancelled from outside."""
    for bulk_id in add(gateway, 8):
        await fails(asyncio.wait_for(client.cancel_bulk(bulk_id), 0.2))


async def one_call(client: Lox24Client[Any], gateway: FakeLox24) -> None:
    """One call whose attempts all run out of time."""
    error = await fails(client.cancel_bulk(add(gateway, 1)[0]))
    assert isinstance(error, Lox24Error)
    assert error.outcome_unknown


async def batch(client: Lox24Client[Any], gateway: FakeLox24) -> None:
    """Twenty ids whose attempts all run out of time."""
    report = await client.cancel_bulks(add(gateway, 20))
    assert {outcome.state for outcome in report.outcomes} == {
        CancelState.UNKNOWN,
        CancelState.NOT_SENT,
    }


@pytest.mark.parametrize("attempt_timeout", [60.0, 0.3])
@pytest.mark.parametrize("use", [in_turn, at_once, wait_for, one_call, batch])
async def test_case_44_what_nobody_awaits_counts(
    fake_lox24: FakeLox24,
    use: Callable[[Lox24Client[Any], FakeLox24], Awaitable[None]],
    attempt_timeout: float,
) -> None:
    """Case 44: the server needs 0.5 s, nobody waits so long: three arrive in any minute."""
    if attempt_timeout == 60.0 and use in (one_call, batch):
        pytest.skip("here the attempts' time is what runs out")
    fake_lox24.latency = 0.5
    async with client_of(fake_lox24, WRONG, attempt_timeout=attempt_timeout) as client:
        begun = loop_time()
        while loop_time() < begun + 150:
            await use(client, fake_lox24)
            await asyncio.sleep(2)
    assert most_in_a_minute(fake_lox24) == 3
    assert len(fake_lox24.requests) >= 6, "after a minute the next may go"
    fake_lox24.requests.clear()
    async with client_of(fake_lox24, WRONG) as client:
        await asyncio.sleep(61)
        error = await fails(client.cancel_bulk(add(fake_lox24, 1)[0]))
    assert isinstance(error, AuthenticationError), "the gateway has blocked nobody"


async def test_case_44_what_nobody_awaited_is_given_back(fake_lox24: FakeLox24) -> None:
    """Case 44: two callers give up, the third waits: the token is good, and all is well."""
    fake_lox24.latency = 0.5
    async with client_of(fake_lox24) as client:
        for bulk_id in add(fake_lox24, 2):
            await fails(client.cancel_bulk(bulk_id, timeout=0.2))
        assert (await client.cancel_bulk(add(fake_lox24, 1)[0])).is_canceled
        begun = loop_time()
        for _ in range(3):
            async with client_of(fake_lox24, WRONG) as other:
                await fails(other.cancel_bulk(add(fake_lox24, 1)[0], timeout=0.2))
    assert [0.0, 0.2, 0.4] == times(fake_lox24, begun)


async def test_case_44_who_finds_no_place_is_told_how_long(fake_lox24: FakeLox24) -> None:
    """Case 44: nothing is blocked, and the error says when the next request may go."""
    fake_lox24.latency = 0.5
    async with client_of(fake_lox24, WRONG) as client:
        await in_turn(client, fake_lox24)
        error = await fails(client.cancel_bulk(add(fake_lox24, 1)[0], timeout=10))
        pause = client.pause
    assert isinstance(error, HeldBackError)
    assert (0, False) == (error.attempts, error.outcome_unknown)
    assert error.retry_after is not None
    assert 58 < error.retry_after <= 60
    assert pause is not None
    assert isinstance(pause.cause, HeldBackError)
    assert pause.seconds == pytest.approx(error.retry_after)


@pytest.mark.slow
async def test_case_45_slow_first_answer(fake_lox24: FakeLox24) -> None:
    """Case 45: the first of 1,000 takes 20 s: a second probe goes after 2 s, then all."""
    ids = add(fake_lox24, 1_000)
    fake_lox24.latency = 0.01
    fake_lox24.fail_next(200, executed=True, delay=20.0)
    ended = list[float]()
    async with client_of(fake_lox24) as client:
        begun = loop_time()

        async def one(bulk_id: Any) -> None:
            assert (await client.cancel_bulk(bulk_id)).is_canceled
            ended.append(loop_time() - begun)

        await asyncio.gather(*map(one, ids))
    came = times(fake_lox24, begun)
    assert came[0] == 0.0
    assert 2.0 <= came[1] <= 3.0
    assert 1_000 == sum(request.method == "PUT" for request in fake_lox24.requests)
    assert sorted(ended)[-2] < 6
    assert 20 <= max(ended) < 21


async def test_case_46_403_of_one_operation(fake_lox24: FakeLox24) -> None:
    """Case 46: a token that may cancel but not delete: two deletes, then 50 cancels."""
    fake_lox24.fail_next(403, times=100, method="DELETE")
    async with client_of(fake_lox24) as client:
        refused = [await fails(client.delete_bulk(bulk_id)) for bulk_id in add(fake_lox24, 3)]
        results = await cancel_all(client, add(fake_lox24, 50))
    assert {(403, 1), (403, 0)} == {
        (getattr(error, "status", 0), getattr(error, "attempts", 9)) for error in refused
    }
    assert Counter({(Bulk, 0): 50}) == kinds(results)
    assert 2 == sum(request.method == "DELETE" for request in fake_lox24.requests)


async def test_case_47_revoked_then_a_new_token(fake_lox24: FakeLox24) -> None:
    """Case 47: three wrong of a minute are known: the new token waits, and is told so."""
    fake_lox24.latency = 0.1
    async with client_of(fake_lox24, max_concurrency=3) as client:
        await prove(client, fake_lox24)
        fake_lox24.token = "1:the-new-one"
        await cancel_all(client, add(fake_lox24, 3), timeout=5)
    begun = loop_time()
    assert 3 == len(fake_lox24.requests)
    async with client_of(fake_lox24) as client:
        error = await fails(client.cancel_bulk(add(fake_lox24, 1)[0], timeout=10))
        assert isinstance(error, HeldBackError)
        assert "block" not in error.message
        assert error.retry_after is not None
        assert 55 < error.retry_after <= 60
        pause = client.pause
        assert pause is not None
        assert isinstance(pause.cause, HeldBackError)
        assert (await client.cancel_bulk(add(fake_lox24, 1)[0])).is_canceled
        assert client.pause is None
    assert loop_time() - begun <= 62


async def test_case_47_never_refused_tokens_go_first(fake_lox24: FakeLox24) -> None:
    """Case 47: when a place is free again, the new token takes it before the refused one."""
    revoked, fake_lox24.token = fake_lox24.token, "1:the-new-one"
    patient = RetryPolicy(max_wait=300)
    for number in range(2):
        async with client_of(fake_lox24, f"1:wrong-{number}") as client:
            await fails(client.cancel_bulk(add(fake_lox24, 1)[0]))
    async with (
        client_of(fake_lox24, revoked, retry=patient) as old,
        client_of(fake_lox24, retry=patient) as new,
    ):
        await fails(old.cancel_bulk(add(fake_lox24, 1)[0]))
        await asyncio.sleep(59)
        fake_lox24.requests.clear()
        waiting = asyncio.ensure_future(cancel_all(new, add(fake_lox24, 3)))
        # Refused for another second, then it would be its turn as well.
        await asyncio.sleep(1.0)
        await fails(old.cancel_bulk(add(fake_lox24, 1)[0], timeout=30))
        assert Counter({(Bulk, 0): 3}) == kinds(await waiting)
    tokens = [request.headers["X-LOX24-AUTH-TOKEN"] for request in fake_lox24.requests]
    assert fake_lox24.token == tokens[0]


async def test_case_48_block_of_before(fake_lox24: FakeLox24) -> None:
    """Case 48: a block that began 8 minutes ago is told of as "at the latest"."""
    fake_lox24.block_ip(120)
    async with client_of(fake_lox24, retry=RetryPolicy.none()) as client:
        error = await fails(client.cancel_bulk(add(fake_lox24, 1)[0]))
        later = await fails(client.cancel_bulk(add(fake_lox24, 1)[0], timeout=0.1))
    for told in (error, later):
        assert isinstance(told, IPBlockedError)
        assert not isinstance(told, HeldBackError)
        assert told.blocked_until is not None
        left = told.blocked_until - datetime.now(UTC)
        assert timedelta(seconds=590) < left <= timedelta(seconds=600)
    assert "at the latest" in str(later)


async def test_case_48_goes_on_as_soon_as_it_lifts(fake_lox24: FakeLox24) -> None:
    """Case 48: who waits a block out goes on with the first probe after its true end."""
    policy = RetryPolicy(max_wait=900, wait_out_block=True)
    fake_lox24.block_ip(120)
    async with client_of(fake_lox24, retry=policy) as client:
        begun = loop_time()
        results = await cancel_all(client, add(fake_lox24, 20))
    assert Counter({(Bulk, 0): 20}) == kinds(results)
    assert 120 <= loop_time() - begun <= 130


# --- one odd answer


@pytest.mark.parametrize("said", ["1795647840", "1795647840000"])
@pytest.mark.parametrize(("status", "most"), [(429, 600), (503, 60)])
async def test_case_42_epoch_as_retry_after(
    fake_lox24: FakeLox24, status: int, most: float, said: str
) -> None:
    """Case 42: that call is told; the next probe is no later than a minute or a block."""
    policy = RetryPolicy(max_wait=900)
    async with client_of(fake_lox24, retry=policy) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.fail_next(status, headers={"Retry-After": said})
        error = await fails(client.cancel_bulk(add(fake_lox24, 1)[0]))
        assert isinstance(error, ServerError | IPBlockedError)
        assert error.attempts == 1
        assert error.retry_after is not None
        assert error.retry_after > 1e9
        assert loop_time() - begun <= (0 if status == 429 else most)  # a 503's look has waited
        results = await cancel_all(client, add(fake_lox24, 20))
        assert Counter({(Bulk, 0): 20}) == kinds(results)
        assert loop_time() - begun <= most + 1
        assert client.pause is None


@pytest.mark.parametrize("status", [429, 503])
async def test_case_42_good_answer_to_a_later_request(fake_lox24: FakeLox24, status: int) -> None:
    """Case 42: what left after the odd answer's request and came back well opens at once."""
    fake_lox24.latency = 0.1
    async with client_of(fake_lox24) as client:
        await prove(client, fake_lox24)
        begun = loop_time()
        fake_lox24.fail_next(status, delay=0.1, headers={"Retry-After": "1795647840"})
        odd = asyncio.ensure_future(fails(client.cancel_bulk(add(fake_lox24, 1)[0])))
        await asyncio.sleep(0.15)
        good = asyncio.ensure_future(cancel_all(client, add(fake_lox24, 5)))
        assert isinstance(await odd, ServerError | IPBlockedError)
        assert Counter({(Bulk, 0): 5}) == kinds(await good)
        results = await cancel_all(client, add(fake_lox24, 20))
        assert Counter({(Bulk, 0): 20}) == kinds(results)
    assert loop_time() - begun < 5


@pytest.mark.parametrize(
    "number", [45, *(pytest.param(later, marks=pytest.mark.slow) for later in (50, 51))]
)
async def test_case_43_one_odd_503_of_a_thousand(fake_lox24: FakeLox24, number: int) -> None:
    """Case 43: the 50th alone is 503 with an hour to wait: the others are done in seconds."""
    seen = 0

    def fault(_: ReceivedRequest) -> Fault | None:
        nonlocal seen
        seen += 1
        return Fault(status=503, headers={"Retry-After": "3600"}) if seen == number else None

    fake_lox24.latency = 0.05
    async with client_of(fake_lox24) as client:
        await prove(client, fake_lox24)
        fake_lox24.fail_if(fault)
        begun = loop_time()
        report = await client.cancel_bulks(add(fake_lox24, 1_000))
    assert report.counts[CancelState.CANCELED] >= 999
    assert loop_time() - begun < 20
