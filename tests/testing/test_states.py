"""The states of bulks in time."""

import asyncio
from datetime import timedelta

import pytest

from lox24_async import Bulk, BulkStatus
from lox24_async.testing import FakeLox24

from .asking import DRAFT, Wire, at


async def status_of(wire: Wire, bulk_id: object) -> int:
    """Return the status that the wire shows."""
    return int((await wire.ask("GET", f"/bulks/{bulk_id}/status")).content["status_code"])


@pytest.mark.looptime
async def test_whole_life_of_a_bulk(wire: Wire) -> None:
    """New, after five seconds in progress, after ten more processed; dates go along."""
    wire.gateway.starts_after, wire.gateway.sends_for = 5.0, 10.0
    created = (await wire.ask("POST", "/bulks", body=DRAFT)).content
    seen: list[tuple[int, int, int]] = []
    for pause in (4.9, 0.2, 9.8, 0.2, 1000):
        await asyncio.sleep(pause)
        content = (await wire.ask("GET", f"/bulks/{created['uuid']}")).content
        (listed,) = (await wire.ask("GET", "/bulks")).content
        ours = wire.gateway.bulks[created["uuid"]]
        seen.append((content["status_code"], listed["status_code"], int(ours.status_code)))
    assert [(0, 0, 0), (5, 5, 5), (5, 5, 5), (10, 10, 10), (10, 10, 10)] == seen
    assert content["processed_at"] - created["created_at"] in (15, 16)
    assert content == (await wire.ask("GET", f"/bulks/{created['uuid']}")).content


@pytest.mark.looptime
async def test_states_are_current_in_the_tests_own_look(fake_lox24: FakeLox24) -> None:
    """Without any request, and through a mapping that was taken before; both steps at once."""
    fake_lox24.starts_after, fake_lox24.sends_for = 1.0, 2.0
    bulks, uuid = fake_lox24.bulks, fake_lox24.add_bulk(created_at=at(0)).uuid
    begun = fake_lox24.now
    await asyncio.sleep(100)
    (bulk,) = bulks.values()
    assert (uuid, BulkStatus.PROCESSED) == (bulk.uuid, bulk.status_code)
    assert bulk.processed_at is not None
    assert timedelta(seconds=2) <= bulk.processed_at - begun <= timedelta(seconds=3)
    assert fake_lox24.now - begun >= timedelta(seconds=100)


@pytest.mark.looptime
async def test_starts_after_its_delivery_time(wire: Wire) -> None:
    """A later delivery_at is waited for, an earlier one is not."""
    wire.gateway.starts_after = 5.0
    later = wire.gateway.add_bulk(delivery_at=wire.gateway.now + timedelta(seconds=60)).uuid
    earlier = wire.gateway.add_bulk(delivery_at=at(0)).uuid
    await asyncio.sleep(4.9)
    assert (0, 0) == (await status_of(wire, later), await status_of(wire, earlier))
    await asyncio.sleep(0.2)
    assert (0, 5) == (await status_of(wire, later), await status_of(wire, earlier))
    await asyncio.sleep(59.0)
    assert 0 == await status_of(wire, later)
    await asyncio.sleep(1.0)
    assert 5 == await status_of(wire, later)


@pytest.mark.looptime
async def test_without_times_states_stay(wire: Wire) -> None:
    """None: until the test says otherwise; sends_for alone counts from there."""
    bulk = wire.gateway.add_bulk()
    await asyncio.sleep(1e6)
    assert 0 == await status_of(wire, bulk.uuid)
    wire.gateway.sends_for = 3.0
    wire.gateway.set_status(bulk.uuid, BulkStatus.IN_PROGRESS)
    await asyncio.sleep(2.9)
    assert 5 == await status_of(wire, bulk.uuid)
    await asyncio.sleep(0.1)
    assert 10 == await status_of(wire, bulk.uuid)


@pytest.mark.looptime
async def test_what_the_test_sets_overrides_what_was_due(wire: Wire) -> None:
    """A cancel, a set_status or a delete takes back the state that was to come."""
    wire.gateway.starts_after = 5.0
    canceled, failed, gone, left = (wire.gateway.add_bulk().uuid for _ in range(4))
    await wire.ask("PUT", f"/bulks/{canceled}/cancel")
    wire.gateway.set_status(failed, BulkStatus.SYSTEM_ERROR)
    await wire.ask("DELETE", f"/bulks/{gone}")
    await asyncio.sleep(10)
    states = {uuid: int(bulk.status_code) for uuid, bulk in wire.gateway.bulks.items()}
    assert {canceled: 15, failed: 20, left: 5} == states


@pytest.mark.looptime
async def test_bulk_without_recipients_ends(wire: Wire) -> None:
    """Empty groups are found out when the bulk begins."""
    wire.gateway.starts_after, wire.gateway.sends_for = 1.0, 1.0
    draft = {"sender_id": "Shop", "text": "Hello", "msg_groups": [1]}
    got = await wire.ask("POST", "/bulks", body=draft)
    assert (201, 0, 0) == (got.status, got.content["msg_total_count"], got.content["status_code"])
    await asyncio.sleep(10)
    assert BulkStatus.NO_RECIPIENTS == await status_of(wire, got.content["uuid"])


@pytest.mark.looptime
async def test_cancel_that_takes_a_while(wire: Wire) -> None:
    """The answer shows the old status; a second cancel changes nothing; then it is done."""
    wire.gateway.stops_after, wire.gateway.sends_for = 4.0, 2.0
    uuid = wire.gateway.add_bulk(BulkStatus.IN_PROGRESS).uuid
    first = await wire.ask("PUT", f"/bulks/{uuid}/cancel")
    assert (200, 5) == (first.status, first.content["status_code"])
    await asyncio.sleep(3)
    second = await wire.ask("PUT", f"/bulks/{uuid}/cancel")
    assert (200, 5) == (second.status, second.content["status_code"])
    await asyncio.sleep(1)
    assert 15 == await status_of(wire, uuid)
    assert 422 == (await wire.ask("PUT", f"/bulks/{uuid}/cancel")).status
    await asyncio.sleep(100)
    assert 15 == await status_of(wire, uuid)


@pytest.mark.looptime
async def test_clock_stands_still_while_the_gateway_does() -> None:
    """What was put in before the start waits for it; after the stop nothing changes."""
    gateway = FakeLox24(starts_after=5.0, sends_for=5.0)
    bulk = gateway.add_bulk()
    await asyncio.sleep(100)
    states: list[Bulk] = [gateway.bulks[bulk.uuid]]
    for pause in (4.0, 2.0):
        async with gateway:
            await asyncio.sleep(pause)
        await asyncio.sleep(100)
        states.append(gateway.bulks[bulk.uuid])
    assert [0, 0, 5] == [state.status_code for state in states]
