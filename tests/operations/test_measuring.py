"""What a stop saved: what a report knows by itself, and what ``measure`` finds out."""

import asyncio
import json
import pickle
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from lox24_async import (
    AuthenticationError,
    Bulk,
    BulkFilter,
    BulkStatus,
    BulkTotals,
    CancelOutcome,
    CancelReport,
    CancelState,
    ConfigurationError,
    InvalidBulkIdError,
    Lox24Client,
    Measurement,
    MessageCount,
    RequestTimeoutError,
    ResponseDecodeError,
    ServerError,
)
from lox24_async.report import note
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.fault_server import (
    FaultServer,
    Line,
    Received,
    answer,
    client_of,
    ids,
    nothing_left,
    silent,
    summary,
    until,
)

NOTHING = BulkTotals(bulks=0, messages=0, cost=None, uncounted=0, unpriced=0)


def campaign(
    gateway: FakeLox24, number: int, sent: int, status: int = 5, total: int = 100, **fields: Any
) -> str:
    """Put in a bulk of which some messages went out; return its id."""
    uuid = UUID(int=number)
    return str(gateway.add_bulk(status, uuid=uuid, sent=sent, msg_total_count=total, **fields).uuid)


# --- what a report knows by itself


def outcome(number: int, state: CancelState, **fields: Any) -> CancelOutcome:
    """Return an outcome with a bulk."""
    bulk = Bulk(uuid=UUID(int=number), status_code=15, **fields)
    return CancelOutcome(str(bulk.uuid), state, bulk)


def test_totals_by_state() -> None:
    """Bulks, messages and price of each state; what LOX24 did not say is counted as such."""
    report = CancelReport()
    for one in (
        outcome(1, CancelState.CANCELED, msg_total_count=100, price=Decimal("0.1")),
        outcome(2, CancelState.CANCELED, msg_total_count=50, price=Decimal("0.2")),
        outcome(3, CancelState.CANCELED, msg_total_count=0),
        outcome(4, CancelState.CANCELED, price=Decimal(0)),
        outcome(5, CancelState.TOO_LATE, msg_total_count=7),
        CancelOutcome("6", CancelState.UNKNOWN),
    ):
        note(report, one.bulk_id, one)
    expected = dict.fromkeys(CancelState, NOTHING) | {
        CancelState.CANCELED: BulkTotals(
            bulks=4, messages=150, cost=Decimal("0.3"), uncounted=1, unpriced=1
        ),
        CancelState.TOO_LATE: BulkTotals(bulks=1, messages=7, cost=None, uncounted=0, unpriced=1),
        CancelState.UNKNOWN: BulkTotals(bulks=1, messages=0, cost=None, uncounted=1, unpriced=1),
    }
    assert expected == report.totals
    assert expected == pickle.loads(pickle.dumps(report)).totals


async def test_totals_of_what_was_matched(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A report of ``cancel_matching`` tells apart what was found and what was stopped."""
    for number in range(1, 4):
        campaign(fake_lox24, number, 0, price=Decimal("6.5"))
    fake_lox24.fail_if(lambda r: Fault(status=422) if r.path.endswith("1/cancel") else None)
    report = await client.cancel_matching(BulkFilter())
    assert (3, 300, Decimal("19.5")) == (report.bulks, report.messages, report.cost)
    stopped = report.totals[CancelState.CANCELED]
    assert (2, 200, Decimal("13.0")) == (stopped.bulks, stopped.messages, stopped.cost)
    assert 1 == report.totals[CancelState.REJECTED].bulks


# --- what is asked for


async def test_measure_a_report(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Two requests a bulk, in the report's order; no id, and a bulk that is not there, none."""
    stopped = [campaign(fake_lox24, n, n * 10) for n in range(1, 6)]
    late = campaign(fake_lox24, 9, 100, BulkStatus.PROCESSED)
    missing = str(UUID(int=99))
    report = await client.cancel_bulks([*stopped, "no id", late, missing])
    before = len(fake_lox24.requests)
    measured = await client.measure(report)
    assert [
        *(MessageCount(bulk_id, n * 10, 100 - n * 10) for n, bulk_id in enumerate(stopped, 1)),
        MessageCount(late, 100, 0),
    ] == list(measured.counts)
    assert (250, 350, 0) == (measured.sent, measured.unsent, measured.unknown)
    assert 2 * 6 == len(fake_lox24.requests) - before
    assert all(r.path.startswith("/sms?bulk=") for r in fake_lox24.requests[before:])


async def test_measure_ids(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Ids are checked before any request, and each is asked for once."""
    bulk_id = campaign(fake_lox24, 0xA, 3)
    given: list[UUID | str] = [bulk_id, bulk_id.upper(), UUID(bulk_id)]
    assert (MessageCount(bulk_id, 3, 97),) == (await client.measure(iter(given))).counts
    assert Measurement(()) == await client.measure([])
    assert Measurement(()) == await client.measure(CancelReport())
    assert 2 == len(fake_lox24.requests)
    with pytest.raises(InvalidBulkIdError):
        await client.measure([bulk_id, "5"])
    for wrong in (bulk_id, 5, None):
        with pytest.raises(ConfigurationError):
            await client.measure(wrong)  # type: ignore[arg-type]
    assert 2 == len(fake_lox24.requests)


async def test_unknown_is_counted_as_such(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A number that could not be got is unknown, with its reason, and in no sum."""
    good, half, bad = (campaign(fake_lox24, n, 40) for n in (1, 2, 3))

    def rule(request: ReceivedRequest) -> Fault | None:
        if bad in request.path or (half in request.path and "is_sent=0" in request.path):
            return Fault(status=501)
        return None

    fake_lox24.fail_if(rule)
    measured = await client.measure([good, half, bad])
    assert [(40, 60), (40, None), (None, None)] == [(c.sent, c.unsent) for c in measured.counts]
    assert (80, 60, 2) == (measured.sent, measured.unsent, measured.unknown)
    assert [False, True, True] == [isinstance(c.error, ServerError) for c in measured.counts]
    for count in measured.counts:
        assert count.error is None or count.error.__traceback__ is None


@pytest.mark.parametrize("ignored", ["bulk", "is_sent"])
async def test_ignored_filter_is_unknown(
    client: Lox24Client, fake_lox24: FakeLox24, ignored: str
) -> None:
    """A server that ignores a filter gives no number at all.

    Of the bulk whose messages fill the first page the total of all bulks would be believed,
    if the report did not know how many it has.
    """
    fake_lox24.ignored_filters = {ignored}
    report = await client.cancel_bulks([campaign(fake_lox24, n, 40) for n in (1, 2)])
    measured = await client.measure(report)
    assert (0, 0, 2) == (measured.sent, measured.unsent, measured.unknown)
    assert {ResponseDecodeError} == {type(count.error) for count in measured.counts}


async def test_refused_token_costs_one_request(fake_lox24: FakeLox24) -> None:
    """The guard holds for questions, too."""
    async with Lox24Client("1:wrong", base_url=fake_lox24.url) as client:
        measured = await client.measure(ids(50))
    assert 50 == measured.unknown
    assert {AuthenticationError} == {type(count.error) for count in measured.counts}
    assert 1 == len(fake_lox24.requests)


async def test_time_ends_it() -> None:
    """What was not asked for in time is unknown; the call returns."""
    async with FaultServer(get=silent) as server, client_of(server.url) as client:
        measured = await client.measure(ids(100), timeout=0.1)
    assert 100 == measured.unknown
    assert {RequestTimeoutError} == {type(count.error) for count in measured.counts}


async def test_cancelled_midway_leaves_nothing() -> None:
    """A cancelled measurement ends at once and leaves no task."""
    async with FaultServer(get=silent) as server, nothing_left(), client_of(server.url) as client:
        task = asyncio.create_task(client.measure(ids(100)))
        await server.arrival()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# --- it gives way


class Held:
    """Answers questions when it is told to, and cancels at once."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def get(self, request: Received, line: Line) -> None:
        """Answer with a number of messages, later."""
        await self.open.wait()
        await line.send(answer(json.dumps({"member": [], "totalItems": 0}).encode()))


async def test_one_place_is_left_to_cancels() -> None:
    """All questions hang: a cancel leaves at once, for the last place is not theirs."""
    held = Held()
    async with (
        FaultServer(get=held.get) as server,
        client_of(server.url, max_concurrency=3) as client,
    ):
        await client.cancel_bulk(ids(1)[0])  # proves the token
        task = asyncio.create_task(client.measure(ids(100)))
        await until(lambda: server.gets == 2)
        assert (await client.cancel_bulk(ids(1)[0])).is_canceled
        assert 2 == server.gets
        held.open.set()
        assert 0 == (await task).unknown


async def test_who_waits_for_a_place_goes_before_questions() -> None:
    """Cancels in a row: no question gets a place before the last of them has one."""
    gate = asyncio.Event()

    async def cancel(request: Received, line: Line) -> None:
        await gate.wait()
        await line.send(answer(summary(request.bulk_id)))

    async with (
        FaultServer(put=[answer(summary(ids(1)[0])), cancel], get=Held().get) as server,
        client_of(server.url, max_concurrency=2) as client,
    ):
        await client.cancel_bulk(ids(1)[0])
        cancels = [asyncio.create_task(client.cancel_bulk(one)) for one in ids(2)]
        await until(lambda: server.puts == 3)  # both places are taken
        measuring = asyncio.create_task(client.measure(ids(10)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cancels += [asyncio.create_task(client.cancel_bulk(one)) for one in ids(20)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*cancels)
        await server.arrival(24)
        order = [request.method for request in server.requests]
        assert ["PUT"] * 22 == order[:22]
        assert "GET" in order
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
