"""Waiting for a bulk: how often it is looked at, when it ends, and what is said if it does not.

The loop's time leaps (``looptime``); the gateway's states are timed by the same clock.
"""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from lox24_async import (
    Bulk,
    BulkStatus,
    ClientClosedError,
    ConfigurationError,
    InvalidBulkIdError,
    JsonLdBulk,
    Lox24Client,
    Lox24Error,
    NotCancelableError,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
)
from lox24_async.testing import FakeLox24, Fault
from tests.conftest import loop_time
from tests.fault_server import BULK_ID

pytestmark = pytest.mark.looptime

FORMS = pytest.mark.parametrize("form", [Bulk, JsonLdBulk])


def client_of(gateway: FakeLox24, **options: Any) -> Lox24Client:
    """Return a client of the gateway."""
    return Lox24Client(gateway.token, base_url=gateway.url, **options)


def looks(gateway: FakeLox24) -> list[float]:
    """Return when the bulk was looked at."""
    return [request.at for request in gateway.requests if request.path.endswith("/status")]


def ratios(gateway: FakeLox24, first: float, longest: float) -> list[float]:
    """Return each interval between two looks, as a share of what it is without jitter."""
    intervals = [after - before for before, after in pairwise(looks(gateway))]
    return [
        interval / min(first * 1.5**number, longest) for number, interval in enumerate(intervals)
    ]


async def timeout_of(client: Lox24Client, bulk_id: object, **options: Any) -> RequestTimeoutError:
    """Return the error of a wait that takes too long."""
    with pytest.raises(RequestTimeoutError) as caught:
        await client.wait_for_bulk(bulk_id, **options)  # type: ignore[call-overload]
    return caught.value


# --- the rhythm


async def test_last_look(fake_lox24: FakeLox24) -> None:
    """A second before the time is over comes one more look: what has ended until then is seen."""
    bulk, begun = fake_lox24.add_bulk(), loop_time()
    async with client_of(fake_lox24) as client:
        await timeout_of(client, bulk.uuid, timeout=100)
        assert pytest.approx(99, abs=0.5) == looks(fake_lox24)[-1] - begun
        assert pytest.approx(100, abs=0.5) == loop_time() - begun


@pytest.mark.parametrize(
    ("interval", "longest"), [(None, 30.0), (0.5, 30.0), (20.0, 30.0), (45.0, 45.0)]
)
async def test_rhythm(fake_lox24: FakeLox24, interval: float | None, longest: float) -> None:
    """The first look at once, then less and less often up to a cap, never quite in step."""
    bulk, begun = fake_lox24.add_bulk(), loop_time()
    options = {} if interval is None else {"poll_interval": interval}
    async with client_of(fake_lox24) as client:
        await timeout_of(client, bulk.uuid, timeout=1_000, **options)
    assert begun == looks(fake_lox24)[0]
    *found, _ = ratios(fake_lox24, 2.0 if interval is None else interval, longest)
    assert len(found) > 15
    assert all(0.79 < ratio < 1.21 for ratio in found)
    assert min(found) < 0.97
    assert max(found) > 1.03


async def test_final_at_the_first_look(fake_lox24: FakeLox24) -> None:
    """What has ended already costs one look and no time."""
    bulk, begun = fake_lox24.add_bulk(BulkStatus.SYSTEM_ERROR), loop_time()
    async with client_of(fake_lox24) as client:
        assert BulkStatus.SYSTEM_ERROR == (await client.wait_for_bulk(bulk.uuid)).status_code
    assert (1, begun) == (len(fake_lox24.requests), loop_time())


@FORMS
async def test_waits_for_a_final_state(fake_lox24: FakeLox24, form: type[Bulk]) -> None:
    """New, in progress, processed: returned soon after it has ended, in the form wanted."""
    fake_lox24.starts_after, fake_lox24.sends_for = 5, 20
    bulk, begun = fake_lox24.add_bulk(), loop_time()
    async with client_of(fake_lox24) as client:
        seen = await client.wait_for_bulk(str(bulk.uuid).upper(), form=form)
    assert (form, BulkStatus.PROCESSED) == (type(seen), seen.status_code)
    assert 25 <= loop_time() - begun < 50
    assert {f"/bulks/{bulk.uuid}/status"} == {request.path for request in fake_lox24.requests}


@FORMS
async def test_waits_for_what_one_wants(fake_lox24: FakeLox24, form: type[Bulk]) -> None:
    """A predicate sees each look's bulk, in the form wanted, and decides alone."""
    fake_lox24.starts_after, fake_lox24.sends_for = 5, 20
    bulk, seen = fake_lox24.add_bulk(), []

    def has_begun(bulk: Bulk) -> bool:
        seen.append((type(bulk), bulk.status_code))
        return bulk.status_code == BulkStatus.IN_PROGRESS

    async with client_of(fake_lox24) as client:
        found = await client.wait_for_bulk(bulk.uuid, until=has_begun, form=form)
    assert BulkStatus.IN_PROGRESS == found.status_code
    assert [(form, 0)] * (len(seen) - 1) + [(form, 5)] == seen


async def test_predicate_may_say_no_to_a_final_state(fake_lox24: FakeLox24) -> None:
    """Then it is a wait until the time is over."""
    bulk = fake_lox24.add_bulk(BulkStatus.PROCESSED)
    async with client_of(fake_lox24) as client:
        await timeout_of(client, bulk.uuid, until=lambda bulk: bulk.is_canceled, timeout=9)
    assert len(fake_lox24.requests) > 2


async def test_predicate_that_fails(fake_lox24: FakeLox24) -> None:
    """Its own error comes out as it is."""
    bulk = fake_lox24.add_bulk()
    async with client_of(fake_lox24) as client:
        with pytest.raises(ZeroDivisionError):
            await client.wait_for_bulk(bulk.uuid, until=lambda _: 1 / 0)


@pytest.mark.parametrize(
    "options",
    [
        {"poll_interval": 0},
        {"poll_interval": "2"},
        {"poll_interval": float("nan")},
        {"until": True},
        {"until": asyncio.sleep},
        {"form": dict},
        {"timeout": "soon"},
    ],
    ids=lambda options: next(iter(options)),
)
async def test_bad_options(fake_lox24: FakeLox24, options: dict[str, Any]) -> None:
    """What cannot work is refused before any request."""
    async with client_of(fake_lox24) as client:
        with pytest.raises(ConfigurationError):
            await client.wait_for_bulk(BULK_ID, **options)
        with pytest.raises(InvalidBulkIdError):
            await client.wait_for_bulk("no id")
    assert [] == fake_lox24.requests


# --- the end of the time


@pytest.mark.parametrize(
    ("status", "said"), [(BulkStatus.IN_PROGRESS, "status IN_PROGRESS"), (7, "status 7")]
)
@pytest.mark.parametrize("seconds", [0.5, 3, 60])
async def test_timeout(fake_lox24: FakeLox24, status: int, said: str, seconds: float) -> None:
    """The error comes when the time is over, no later, and names what was seen last."""
    bulk, begun = fake_lox24.add_bulk(status), loop_time()
    async with client_of(fake_lox24) as client:
        error = await timeout_of(client, bulk.uuid, timeout=seconds)
    assert begun <= loop_time() <= begun + seconds + 0.001
    assert (str(bulk.uuid), False) == (error.bulk_id, error.outcome_unknown)
    assert f"the bulk was not there in time: last seen in {said}" in str(error)


async def test_timeout_within_a_look(fake_lox24: FakeLox24) -> None:
    """A look that hangs holds nobody beyond the deadline, nor hides what was seen before."""
    bulk, begun = fake_lox24.add_bulk(BulkStatus.IN_PROGRESS), loop_time()
    async with client_of(fake_lox24) as client:
        await client.get_bulk_status(bulk.uuid)
        fake_lox24.fail_next(delay=0.1)
        fake_lox24.fail_next(delay=50, times=9)
        error = await timeout_of(client, bulk.uuid, timeout=9)
    assert pytest.approx(9, abs=0.001) == loop_time() - begun
    assert (str(bulk.uuid), False) == (error.bulk_id, error.outcome_unknown)
    assert "IN_PROGRESS" in str(error)


async def test_timeout_within_the_first_look(fake_lox24: FakeLox24) -> None:
    """Nothing was seen, and nothing is said of a state."""
    fake_lox24.latency = 50
    begun = loop_time()
    async with client_of(fake_lox24) as client:
        error = await timeout_of(client, BULK_ID, timeout=9)
    assert pytest.approx(9, abs=0.001) == loop_time() - begun
    assert "status" not in str(error)


async def test_no_time_at_all(fake_lox24: FakeLox24) -> None:
    """With the time over beforehand nothing is sent."""
    async with client_of(fake_lox24) as client:
        error = await timeout_of(client, BULK_ID, timeout=0)
    assert (0, []) == (error.attempts, fake_lox24.requests)


# --- looks that fail


async def test_unknown_bulk(fake_lox24: FakeLox24) -> None:
    """A 404 ends the wait at once."""
    async with client_of(fake_lox24) as client:
        with pytest.raises(NotFoundError):
            await client.wait_for_bulk(BULK_ID)
    assert 1 == len(fake_lox24.requests)


async def test_deleted_meanwhile(fake_lox24: FakeLox24) -> None:
    """So does a later one."""
    bulk = fake_lox24.add_bulk()
    async with client_of(fake_lox24) as client:
        wait = asyncio.create_task(client.wait_for_bulk(bulk.uuid))
        await asyncio.sleep(20)
        assert not wait.done()
        await client.delete_bulk(bulk.uuid)
        with pytest.raises(NotFoundError):
            await wait


async def test_failures_within_are_retried(fake_lox24: FakeLox24) -> None:
    """Each look has its own attempts: many failures in all do not end the wait."""
    fake_lox24.starts_after, fake_lox24.sends_for = 10, 20
    bulk = fake_lox24.add_bulk()
    failing = iter([503, 500, None] * 100)

    def rule(_: object) -> Any:
        status = next(failing)
        return None if status is None else Fault(status=status)

    fake_lox24.fail_if(rule)
    async with client_of(fake_lox24) as client:
        seen = await client.wait_for_bulk(bulk.uuid)
    assert BulkStatus.PROCESSED == seen.status_code
    assert len(fake_lox24.requests) > 9


async def test_look_that_fails_for_good(fake_lox24: FakeLox24) -> None:
    """After its attempts the look's own error is raised."""
    bulk = fake_lox24.add_bulk()
    fake_lox24.fail_next(503, times=3)
    async with client_of(fake_lox24) as client:
        with pytest.raises(ServerError) as caught:
            await client.wait_for_bulk(bulk.uuid)
    assert (3, False) == (caught.value.attempts, caught.value.outcome_unknown)


# --- leaving


async def test_client_closed_while_waiting(fake_lox24: FakeLox24) -> None:
    """Who waits is sent home at once."""
    bulk = fake_lox24.add_bulk()
    client = client_of(fake_lox24)
    wait = asyncio.create_task(client.wait_for_bulk(bulk.uuid, poll_interval=1_000))
    await asyncio.sleep(5)
    closed = loop_time()
    await client.close()
    with pytest.raises(ClientClosedError):
        await wait
    assert closed == loop_time()


async def test_caller_cancelled_while_waiting(fake_lox24: FakeLox24) -> None:
    """The caller leaves at once, and no look follows."""
    bulk = fake_lox24.add_bulk()
    async with client_of(fake_lox24) as client:
        wait = asyncio.create_task(client.wait_for_bulk(bulk.uuid, poll_interval=1_000))
        await asyncio.sleep(5)
        cancelled = loop_time()
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        assert cancelled == loop_time()
        await asyncio.sleep(5_000)
    assert 1 == len(fake_lox24.requests)


async def test_a_wait_holds_no_slot(fake_lox24: FakeLox24) -> None:
    """Many may wait while others send, with one request at a time."""
    fake_lox24.starts_after, fake_lox24.sends_for = 50, 50
    bulks = [fake_lox24.add_bulk() for _ in range(20)]
    async with client_of(fake_lox24, max_concurrency=1) as client:
        waits = [asyncio.create_task(client.wait_for_bulk(bulk.uuid)) for bulk in bulks]
        await asyncio.sleep(20)
        before = loop_time()
        assert (await client.cancel_bulk(bulks[0].uuid)).is_canceled
        assert before == loop_time()
        ends = [(await wait).status_code for wait in waits]
    assert [BulkStatus.CANCELED] + [BulkStatus.PROCESSED] * 19 == ends


# --- cancel and wait


@FORMS
async def test_cancel_waits_until_it_is_cancelled(fake_lox24: FakeLox24, form: type[Bulk]) -> None:
    """Accepted in status 0, and returned when LOX24 says 15."""
    fake_lox24.stops_after = 12
    bulk, begun = fake_lox24.add_bulk(), loop_time()
    async with client_of(fake_lox24) as client:
        seen = await client.cancel_bulk(bulk.uuid, wait=True, form=form)
    assert (form, True) == (type(seen), seen.is_canceled)
    assert 12 <= loop_time() - begun < 25
    assert ["PUT", "GET"] == [request.method for request in fake_lox24.requests][:2]
    assert 1 == sum(request.method == "PUT" for request in fake_lox24.requests)


async def test_cancel_without_wait_returns_what_came(fake_lox24: FakeLox24) -> None:
    """Without ``wait`` a 200 in status 5 is returned as it is."""
    fake_lox24.stops_after = 12
    bulk = fake_lox24.add_bulk(BulkStatus.IN_PROGRESS)
    async with client_of(fake_lox24) as client:
        assert BulkStatus.IN_PROGRESS == (await client.cancel_bulk(bulk.uuid)).status_code
    assert 1 == len(fake_lox24.requests)


async def test_cancel_that_is_done_needs_no_look(fake_lox24: FakeLox24) -> None:
    """A 200 in status 15 is all there is to know."""
    bulk = fake_lox24.add_bulk()
    async with client_of(fake_lox24) as client:
        assert (await client.cancel_bulk(bulk.uuid, wait=True)).is_canceled
    assert 1 == len(fake_lox24.requests)


@pytest.mark.parametrize("status", [10, 20, 201])
async def test_another_end_was_quicker(fake_lox24: FakeLox24, status: int) -> None:
    """After an accepted cancel another final state is returned as it is."""
    fake_lox24.stops_after = 1_000
    bulk = fake_lox24.add_bulk(BulkStatus.IN_PROGRESS)
    async with client_of(fake_lox24) as client:
        call = asyncio.create_task(client.cancel_bulk(bulk.uuid, wait=True))
        await asyncio.sleep(10)
        fake_lox24.set_status(bulk.uuid, status)
        assert status == (await call).status_code


async def test_too_late_is_told_without_a_wait(fake_lox24: FakeLox24) -> None:
    """A refused cancel is no reason to wait."""
    bulk = fake_lox24.add_bulk(BulkStatus.PROCESSED)
    async with client_of(fake_lox24) as client:
        with pytest.raises(NotCancelableError):
            await client.cancel_bulk(bulk.uuid, wait=True)
    assert ["PUT", "GET"] == [request.method for request in fake_lox24.requests]


@FORMS
async def test_cancel_not_seen_in_time(fake_lox24: FakeLox24, form: type[Bulk]) -> None:
    """The cancel was accepted: the error leaves no one certain, and counts the one PUT."""
    fake_lox24.stops_after = 1_000
    bulk, begun = fake_lox24.add_bulk(BulkStatus.IN_PROGRESS), loop_time()
    async with client_of(fake_lox24) as client:
        with pytest.raises(RequestTimeoutError) as caught:
            await client.cancel_bulk(bulk.uuid, wait=True, form=form, timeout=30)
    error = caught.value
    assert pytest.approx(30, abs=0.001) == loop_time() - begun
    assert (True, 1, str(bulk.uuid)) == (error.outcome_unknown, error.attempts, error.bulk_id)
    assert "last seen in status IN_PROGRESS; the bulk may have been cancelled" in str(error)


@pytest.mark.parametrize("ending", ["404", "503", "401", "closed"])
async def test_cancel_whose_looks_fail(fake_lox24: FakeLox24, ending: str) -> None:
    """Whatever ends the wait, the bulk may have been cancelled; attempts are the PUTs."""
    fake_lox24.stops_after = 1_000
    bulk = fake_lox24.add_bulk()
    fake_lox24.fail_next(503, method="PUT")
    async with client_of(fake_lox24) as client:
        call = asyncio.create_task(client.cancel_bulk(bulk.uuid, wait=True))
        await asyncio.sleep(5)
        if ending == "closed":
            await client.close()
        else:
            fake_lox24.fail_if(lambda _: Fault(status=int(ending)))
        with pytest.raises(Lox24Error) as caught:
            await call
    assert (True, 2, str(bulk.uuid)) == (
        caught.value.outcome_unknown,
        caught.value.attempts,
        caught.value.bulk_id,
    )


async def test_cancel_leaves_at_once(fake_lox24: FakeLox24) -> None:
    """A caller that is cancelled while waiting leaves at once."""
    fake_lox24.stops_after = 1_000
    bulk = fake_lox24.add_bulk()
    async with client_of(fake_lox24) as client:
        begun = loop_time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(11):
                await client.cancel_bulk(bulk.uuid, wait=True)
        assert pytest.approx(11, abs=0.001) == loop_time() - begun
