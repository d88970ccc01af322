"""Cancel whatever meets a filter: exactly that, all of that, and the truth about it."""

import asyncio
import copy
import json
import logging
import pickle
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from attrs import evolve

from lox24_async import (
    AuthenticationError,
    Bulk,
    BulkFilter,
    BulkStatus,
    CancelFailedError,
    CancelOutcome,
    CancelReport,
    CancelState,
    ClientClosedError,
    ConfigurationError,
    JsonLdBulk,
    Lox24Client,
    Lox24Error,
    MatchReport,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    make_converter,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import QUICK
from tests.fault_server import tasks

FORMS = pytest.mark.parametrize("form", [Bulk, JsonLdBulk])
T0 = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task of ours behind (the gateway's own end with it)."""
    before = tasks()
    yield
    assert not [task for task in tasks() - before if "aiohttp" not in repr(task)]


def client_of(gateway: FakeLox24, **options: Any) -> Lox24Client:
    """Return a client of the gateway."""
    return Lox24Client(gateway.token, base_url=gateway.url, **({"retry": QUICK} | options))


def sent(gateway: FakeLox24, method: str) -> list[str]:
    """Return the paths of the requests of a method."""
    return [request.path for request in gateway.requests if request.method == method]


def asked(gateway: FakeLox24) -> set[str]:
    """Return the ids of the bulks whose cancel was sent."""
    return {path.split("/")[2] for path in sent(gateway, "PUT")}


def canceled(gateway: FakeLox24) -> set[UUID]:
    """Return the bulks that the gateway has cancelled."""
    return {bulk.uuid for bulk in gateway.bulks.values() if bulk.is_canceled}


def in_state(report: CancelReport, state: CancelState) -> set[UUID]:
    """Return the ids in a state."""
    return {UUID(outcome.bulk_id) for outcome in report.outcomes if outcome.state is state}


def page_of(request: ReceivedRequest) -> int | None:
    """Return which page was asked for."""
    _, found, rest = request.path.partition("?page=")
    return int(rest.partition("&")[0]) if found else None


def body_of(bulks: Sequence[Bulk]) -> str:
    """Return a page in plain JSON that holds these bulks."""
    return json.dumps([make_converter().unstructure(bulk) for bulk in bulks])


def add(gateway: FakeLox24, count: int, **fields: Any) -> list[UUID]:
    """Put bulks in that can be cancelled."""
    return [gateway.add_bulk(**fields).uuid for _ in range(count)]


# --- what is cancelled

TARGET = UUID("11111111-4699-11ea-a637-96000028b339")


@pytest.mark.parametrize(
    "wanted",
    [
        {"uuids": [TARGET, UUID("22222222-4699-11ea-a637-96000028b339")]},
        {"status_codes": [BulkStatus.IN_PROGRESS]},
        {"status_codes": [5, 10, 15, 99]},
        {"text": "SPRING"},
        {"sender_id": "shop"},
        {"created_from": T0},
        {"created_from": T0 - timedelta(milliseconds=500), "created_to": T0 + DAY},
        {"delivery_from": T0 + DAY},
        {"delivery_from": T0, "delivery_to": T0 + 3 * DAY},
        {"processed_from": T0},
        {"processed_from": T0, "processed_to": T0 + DAY},
        {"min_messages": 100},
        {"min_messages": 100, "max_messages": 100},
        {"exists": {"source": True}},
        {"exists": {"source": True, "voice_lang": False}},
        {"text": "spring", "sender_id": "Shop", "min_messages": 2, "created_from": T0},
    ],
    ids=str,
)
@FORMS
async def test_cancels_exactly_what_matches(
    fake_lox24: FakeLox24, form: type[Bulk], wanted: dict[str, Any]
) -> None:
    """One bulk meets the filter, and is the only one that a cancel is sent for."""
    old: dict[str, Any] = {
        "created_at": T0 - DAY,
        "text": "winter",
        "sender_id": "Post",
        "msg_total_count": 1,
    }
    for status in BulkStatus:
        if status != BulkStatus.IN_PROGRESS:
            fake_lox24.add_bulk(status, **old)
    like_target: dict[str, Any] = {
        "created_at": T0,
        "text": "Spring sale",
        "sender_id": "Shop 24",
        "delivery_at": T0 + 2 * DAY,
        "processed_at": T0,
        "msg_total_count": 100,
        "source": 7,
    }
    fake_lox24.add_bulk(BulkStatus.IN_PROGRESS, uuid=TARGET, **like_target)
    fake_lox24.add_bulk(BulkStatus.PROCESSED, **like_target)
    before = canceled(fake_lox24)
    async with client_of(fake_lox24, form=form) as client:
        report = await client.cancel_matching(BulkFilter(**wanted))
    (outcome,) = report.outcomes
    assert (str(TARGET), CancelState.CANCELED, 1) == (
        outcome.bulk_id,
        outcome.state,
        outcome.attempts,
    )
    assert form is type(outcome.bulk)
    assert [f"/bulks/{TARGET}/cancel"] == sent(fake_lox24, "PUT")
    assert {TARGET} == canceled(fake_lox24) - before
    assert (1, 100, 0) == (report.bulks, report.messages, report.skipped)
    report.raise_for_failures()


@pytest.mark.parametrize(
    "wanted", [{"created_to": T0 - DAY}, {"max_messages": 99}, {"delivery_to": T0 - DAY}], ids=str
)
async def test_upper_bounds(fake_lox24: FakeLox24, wanted: dict[str, Any]) -> None:
    """What lies above a bound is left alone; a bulk that goes out at once is below it."""
    low = fake_lox24.add_bulk(created_at=T0 - DAY, delivery_at=None, msg_total_count=99)
    fake_lox24.add_bulk(created_at=T0, delivery_at=T0, msg_total_count=100)
    async with client_of(fake_lox24) as client:
        await client.cancel_matching(BulkFilter(**wanted))
    assert {low.uuid} == canceled(fake_lox24)


@FORMS
async def test_empty_filter_means_all(fake_lox24: FakeLox24, form: type[Bulk]) -> None:
    """All that can be cancelled, and nothing else is even asked for."""
    for status in [*BulkStatus, 7]:
        fake_lox24.add_bulk(status)
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(BulkFilter(), form=form)
    assert {CancelState.CANCELED: 2} == {state: n for state, n in report.counts.items() if n}
    assert 2 == len(sent(fake_lox24, "PUT"))
    assert all("status_code[]=0&status_code[]=5" in path for path in sent(fake_lox24, "GET"))


async def test_nothing_matches(fake_lox24: FakeLox24) -> None:
    """An empty report is no failure."""
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(BulkFilter(text="nothing has this"))
    report.raise_for_failures()
    assert (0, 0, 0, None) == (len(report), report.bulks, report.messages, report.cost)
    assert [] == sent(fake_lox24, "PUT")


@pytest.mark.parametrize("codes", [[10], [BulkStatus.CANCELED, 20, 201], [99]])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_states_that_cannot_be_cancelled(
    fake_lox24: FakeLox24, codes: list[int], dry_run: bool
) -> None:
    """Nothing is sent at all, and the report that was handed in comes back."""
    add(fake_lox24, 2)
    report = MatchReport()
    async with client_of(fake_lox24) as client:
        wanted = BulkFilter(status_codes=codes)
        assert report is await client.cancel_matching(wanted, report=report, dry_run=dry_run)
    assert (0, []) == (len(report), fake_lox24.requests)


@pytest.mark.parametrize(
    ("wanted", "options"),
    [
        (None, {}),
        ("all", {}),
        ([TARGET], {}),
        (BulkFilter, {}),
        (BulkFilter(), {"report": CancelReport()}),
        (BulkFilter(), {"form": dict}),
        (BulkFilter(), {"timeout": "1"}),
    ],
    ids=str,
)
async def test_what_cannot_work_is_refused_before_any_request(
    fake_lox24: FakeLox24, wanted: Any, options: Any
) -> None:
    """No filter must never come to mean all bulks."""
    add(fake_lox24, 1)
    async with client_of(fake_lox24) as client:
        with pytest.raises(ConfigurationError):
            await client.cancel_matching(wanted, **options)
    assert [] == fake_lox24.requests


# --- many pages


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 31, 100])
@pytest.mark.parametrize("width", [1, 2, 10])
@pytest.mark.parametrize("latency", [0.0, 0.002])
@FORMS
async def test_own_cancels_lose_nothing(
    fake_lox24: FakeLox24, form: type[Bulk], latency: float, width: int, number: int
) -> None:
    """Each cancel takes its bulk off the listing and moves all later ones: all are found."""
    fake_lox24.page_size, fake_lox24.latency = 3, latency
    ids = [fake_lox24.add_bulk(created_at=T0 + n * timedelta(hours=1)).uuid for n in range(number)]
    async with client_of(fake_lox24, max_concurrency=width) as client, asyncio.timeout(10):
        report = await client.cancel_matching(BulkFilter(), form=form)
    assert set(ids) == in_state(report, CancelState.CANCELED) == canceled(fake_lox24)
    assert (number, number, number) == (len(report), report.bulks, len(sent(fake_lox24, "PUT")))


@FORMS
async def test_slow_cancels_lose_nothing(fake_lox24: FakeLox24, form: type[Bulk]) -> None:
    """Bulks that leave the listing some time after their cancel are found once each."""
    fake_lox24.page_size, fake_lox24.stops_after = 3, 0.01
    ids = add(fake_lox24, 40)
    async with client_of(fake_lox24, max_concurrency=3) as client:
        report = await client.cancel_matching(BulkFilter(), form=form)
    assert set(ids) == in_state(report, CancelState.ACCEPTED)
    assert (40, 40) == (report.bulks, len(sent(fake_lox24, "PUT")))


async def test_bulks_that_end_meanwhile_hide_no_others(fake_lox24: FakeLox24) -> None:
    """What is sent to the end while one reads shifts the pages too."""
    fake_lox24.page_size = 3
    ids = add(fake_lox24, 30)
    pages = 0

    def rule(request: ReceivedRequest) -> None:
        nonlocal pages
        if request.method == "GET" and pages < 5:
            pages += 1
            fake_lox24.set_status(ids[-pages], BulkStatus.PROCESSED)
            if pages == 2:
                fake_lox24.set_status(ids[0], BulkStatus.SYSTEM_ERROR)

    fake_lox24.fail_if(rule)
    async with client_of(fake_lox24) as client:
        await client.cancel_matching(BulkFilter())
    assert not [bulk for bulk in fake_lox24.bulks.values() if bulk.is_cancelable]


async def test_cancelling_begins_before_all_is_listed(fake_lox24: FakeLox24) -> None:
    """While page three cannot be got, the bulks of the pages before are cancelled."""
    fake_lox24.page_size = 3
    ids = add(fake_lox24, 12)
    done = asyncio.Event()
    at_page_three: set[UUID] = set()

    def rule(request: ReceivedRequest) -> Fault | None:
        if page_of(request) == 3 and not done.is_set():
            at_page_three.update(canceled(fake_lox24))
            return Fault(status=503)
        return None

    fake_lox24.fail_if(rule)
    seen: list[CancelOutcome] = []

    def progress(outcome: CancelOutcome) -> None:
        seen.append(outcome)
        if len(seen) == 6:
            done.set()

    patient = {"retry": RetryPolicy(max_attempts=1_000, initial_delay=0.001, max_delay=0.01)}
    async with client_of(fake_lox24, **patient) as client, asyncio.timeout(10):
        report = await client.cancel_matching(BulkFilter(), progress=progress)
    assert at_page_three
    assert set(ids) == in_state(report, CancelState.CANCELED)


async def test_one_slot_does_not_block_itself(fake_lox24: FakeLox24) -> None:
    """Listing and cancelling share one slot; failures do not change that."""
    fake_lox24.page_size = 2
    ids = add(fake_lox24, 9)
    seen: set[tuple[str, ...]] = set()

    def rule(request: ReceivedRequest) -> Fault | None:
        which = (request.method, request.path)
        if which in seen:
            return None
        seen.add(which)  # each page, look and cancel fails once
        return Fault(status=503) if request.method == "GET" else Fault(drop="after")

    fake_lox24.fail_if(rule)
    async with client_of(fake_lox24, max_concurrency=1) as client, asyncio.timeout(10):
        report = await client.cancel_matching(BulkFilter())
    assert set(ids) == in_state(report, CancelState.CANCELED)
    assert 1 == fake_lox24.most_in_flight


FAULTS = (
    *(Fault(drop=drop) for drop in ("before", "after", "within")),
    Fault(status=503),
    Fault(status=500, executed=True),
    Fault(status=429),
    Fault(status=422),
    Fault(body="null"),
)


@pytest.mark.parametrize("seed", [1, 2, 3])
@FORMS
async def test_ledger(fake_lox24: FakeLox24, form: type[Bulk], seed: int) -> None:
    """Through a gateway that goes wrong at random, what the report says is what is."""
    chance = random.Random(seed)
    fake_lox24.page_size = 4
    states = [0, 0, 5, 5, 10]
    for number in range(150):
        fake_lox24.add_bulk(chance.choice(states), text=("spring", "summer")[number % 2])
    before = dict(fake_lox24.bulks)

    def rule(request: ReceivedRequest) -> Fault | None:
        if page_of(request) is not None:  # a listing that breaks off is another test's matter
            return Fault(status=503) if chance.random() < 0.1 else None
        return chance.choice(FAULTS) if chance.random() < 0.3 else None

    fake_lox24.fail_if(rule)
    patient = RetryPolicy(max_attempts=8, initial_delay=0.001, max_delay=0.01)
    async with client_of(fake_lox24, retry=patient, form=form) as client:
        report = await client.cancel_matching(BulkFilter(text="spring"))
    wanted = {i for i, bulk in before.items() if bulk.is_cancelable and bulk.text == "spring"}
    assert wanted == {UUID(outcome.bulk_id) for outcome in report.outcomes}
    assert in_state(report, CancelState.CANCELED) <= canceled(fake_lox24) <= wanted
    for state in (CancelState.REJECTED, CancelState.NOT_SENT):
        assert not in_state(report, state) & canceled(fake_lox24)
    assert len(canceled(fake_lox24)) > 50


# --- what it says


@FORMS
async def test_dry_run_only_looks(fake_lox24: FakeLox24, form: type[Bulk]) -> None:
    """No cancel is sent; what would be stopped is counted and told, with its bulk."""
    fake_lox24.page_size = 2
    ids = {
        fake_lox24.add_bulk(msg_total_count=100, price=Decimal("6.50")).uuid,
        fake_lox24.add_bulk(BulkStatus.IN_PROGRESS, msg_total_count=20, price=Decimal("0.1")).uuid,
        fake_lox24.add_bulk(msg_total_count=None, price=Decimal("0.2")).uuid,
        fake_lox24.add_bulk(msg_total_count=3, price=None).uuid,
        fake_lox24.add_bulk(msg_total_count=None, price=None).uuid,
    }
    fake_lox24.add_bulk(BulkStatus.PROCESSED, msg_total_count=1_000, price=Decimal(65))
    seen: list[CancelOutcome] = []
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(
            BulkFilter(), dry_run=True, form=form, progress=seen.append
        )
    assert (5, 123, Decimal("6.80"), 2, 2, 0) == (
        report.bulks,
        report.messages,
        report.cost,
        report.uncounted,
        report.unpriced,
        report.skipped,
    )
    assert ids == in_state(report, CancelState.NOT_SENT)
    assert [*report.outcomes] == seen
    for outcome in seen:
        assert form is type(outcome.bulk)
        assert (UUID(outcome.bulk_id), None, 0) == (
            outcome.bulk and outcome.bulk.uuid,
            outcome.error,
            outcome.attempts,
        )
    assert ({"GET"}, set()) == ({r.method for r in fake_lox24.requests}, canceled(fake_lox24))


async def test_dry_run_without_any_price(fake_lox24: FakeLox24) -> None:
    """No price is no cost, rather than a cost of zero; a price of zero is one."""
    fake_lox24.add_bulk(price=None)
    async with client_of(fake_lox24) as client:
        assert (await client.cancel_matching(BulkFilter(), dry_run=True)).cost is None
        fake_lox24.add_bulk(price=Decimal(0))
        report = await client.cancel_matching(BulkFilter(), dry_run=True)
    assert (Decimal(0), 1, 2) == (report.cost, report.unpriced, report.bulks)


async def test_counts_what_is_tried(fake_lox24: FakeLox24) -> None:
    """Without ``dry_run`` the same is counted, and each outcome is told once."""
    add(fake_lox24, 4, msg_total_count=10, price=Decimal("0.65"))
    seen: list[CancelOutcome] = []
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(BulkFilter(), progress=seen.append)
    assert (4, 40, Decimal("2.60")) == (report.bulks, report.messages, report.cost)
    assert {*report.outcomes} == {*seen}
    assert 4 == len(seen)


async def test_bulks_that_fail_do_not_end_it(fake_lox24: FakeLox24) -> None:
    """Each found bulk has its own outcome, whatever becomes of the others."""
    lost, gone, late, refused, fine = add(fake_lox24, 5)
    states = {
        lost: (CancelState.UNKNOWN, Fault(drop="before")),
        gone: (CancelState.NOT_FOUND, Fault(status=404)),
        late: (CancelState.TOO_LATE, None),
        refused: (CancelState.REJECTED, Fault(status=405)),
        fine: (CancelState.CANCELED, None),
    }

    def rule(request: ReceivedRequest) -> Fault | None:
        if request.method == "GET":
            return None
        bulk_id = UUID(request.path.split("/")[2])
        if bulk_id == late:
            fake_lox24.set_status(late, BulkStatus.PROCESSED)
        return states[bulk_id][1]

    fake_lox24.fail_if(rule)
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(BulkFilter())
    assert {uuid: state for uuid, (state, _) in states.items()} == {
        UUID(outcome.bulk_id): outcome.state for outcome in report.outcomes
    }
    with pytest.raises(CancelFailedError):
        report.raise_for_failures()


async def test_report_is_picklable(fake_lox24: FakeLox24) -> None:
    """A copy says the same, counts and outcomes and errors."""
    fake_lox24.add_bulk(price=Decimal("1.5"), msg_total_count=3)
    fake_lox24.add_bulk(price=None, msg_total_count=None)
    fake_lox24.fail_next(404, method="PUT")
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(BulkFilter())
    for again in (pickle.loads(pickle.dumps(report)), copy.deepcopy(report)):
        assert MatchReport is type(again)
        assert (2, 3, Decimal("1.5"), 1, 1, 0) == (
            again.bulks,
            again.messages,
            again.cost,
            again.uncounted,
            again.unpriced,
            again.skipped,
        )
        assert report.counts == again.counts
        assert [o.bulk_id for o in report.outcomes] == [o.bulk_id for o in again.outcomes]
        assert list(map(str, (o.error for o in report.outcomes))) == list(
            map(str, (o.error for o in again.outcomes))
        )


async def test_report_is_picklable_midway(fake_lox24: FakeLox24) -> None:
    """Even while calls are under way; then they are unknown."""
    ids = add(fake_lox24, 3)
    report = MatchReport()
    fake_lox24.fail_if(lambda request: Fault(delay=5) if request.method == "PUT" else None)
    async with client_of(fake_lox24) as client:
        call = asyncio.create_task(client.cancel_matching(BulkFilter(), report=report))
        while len(sent(fake_lox24, "PUT")) < 3:
            await asyncio.sleep(0)
        again = pickle.loads(pickle.dumps(report))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert set(ids) == in_state(again, CancelState.UNKNOWN)
    assert 3 == again.bulks


async def test_report_that_was_handed_in_is_added_to(fake_lox24: FakeLox24) -> None:
    """Two searches may fill one report."""
    first = fake_lox24.add_bulk(text="spring").uuid
    second = fake_lox24.add_bulk(text="summer").uuid
    report = MatchReport()
    async with client_of(fake_lox24) as client:
        assert report is await client.cancel_matching(BulkFilter(text="spring"), report=report)
        assert report is await client.cancel_matching(BulkFilter(text="summer"), report=report)
    assert [str(first), str(second)] == [outcome.bulk_id for outcome in report.outcomes]
    assert (2, 2) == (report.bulks, report.messages)


async def test_resolve_takes_the_report(fake_lox24: FakeLox24) -> None:
    """What was accepted and is cancelled later is found out."""
    fake_lox24.stops_after = 0.001
    ids = add(fake_lox24, 3)
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(BulkFilter())
        assert set(ids) == in_state(report, CancelState.ACCEPTED)
        while len(canceled(fake_lox24)) < 3:
            await asyncio.sleep(0)
        assert report is await client.resolve(report)
    assert set(ids) == in_state(report, CancelState.CANCELED)


# --- a server that does not do as it was asked


@pytest.mark.parametrize("dry_run", [False, True])
async def test_server_that_ignores_the_filter(
    fake_lox24: FakeLox24, caplog: pytest.LogCaptureFixture, dry_run: bool
) -> None:
    """What is listed and does not fit is left alone, counted, and warned of, once each."""
    fits = fake_lox24.add_bulk(text="spring")
    others = [
        fake_lox24.add_bulk(text="summer", sender_id="private"),
        fake_lox24.add_bulk(text=None),
        fake_lox24.add_bulk(BulkStatus.PROCESSED, text="spring"),
        fake_lox24.add_bulk(7, text="spring"),
    ]
    everything = body_of([others[0], others[1], fits, others[2], others[3]])

    def rule(request: ReceivedRequest) -> Fault | None:
        if request.method != "GET":
            return None
        return Fault(body=everything if page_of(request) == 1 else "[]")

    fake_lox24.fail_if(rule)
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(BulkFilter(text="Spring"), dry_run=dry_run)
    assert [str(fits.uuid)] == [outcome.bulk_id for outcome in report.outcomes]
    assert (1, 4, 1) == (report.bulks, report.skipped, report.messages)
    assert (set() if dry_run else {str(fits.uuid)}) == asked(fake_lox24)
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [
        f"bulk {bulk.uuid}: listed although it does not meet the filter" for bulk in others
    ] == warnings


async def test_bulk_that_tells_too_little(fake_lox24: FakeLox24) -> None:
    """What a bulk does not tell counts as not met: it is not cancelled on trust."""
    bulk = fake_lox24.add_bulk(text="spring")
    body = json.dumps([{"uuid": str(bulk.uuid), "status_code": 0}])
    fake_lox24.fail_if(
        lambda request: (
            Fault(body=body if page_of(request) == 1 else "[]") if request.method == "GET" else None
        )
    )
    async with client_of(fake_lox24) as client:
        report = await client.cancel_matching(BulkFilter(text="spring"))
    assert (0, 1, []) == (report.bulks, report.skipped, sent(fake_lox24, "PUT"))


# --- when it breaks off


@pytest.mark.parametrize("dry_run", [False, True])
async def test_listing_that_breaks_off(fake_lox24: FakeLox24, dry_run: bool) -> None:
    """What was found until then is cancelled; the error carries the report and the cause."""
    fake_lox24.page_size = 3
    add(fake_lox24, 12)
    fake_lox24.fail_if(lambda request: Fault(status=500) if page_of(request) == 3 else None)
    report = MatchReport()
    async with client_of(fake_lox24) as client:
        with pytest.raises(CancelFailedError) as caught:
            await client.cancel_matching(BulkFilter(), report=report, dry_run=dry_run)
    error = caught.value
    assert report is error.report
    assert isinstance(error.__cause__, ServerError)
    assert not error.outcome_unknown
    assert 6 == report.bulks == len(report)
    found = in_state(report, CancelState.NOT_SENT if dry_run else CancelState.CANCELED)
    assert 6 == len(found)
    assert (set() if dry_run else found) == canceled(fake_lox24)
    assert "the listing broke off after 6 bulks" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(error), 6) == (str(again), again.report.bulks)


async def test_listing_that_breaks_off_leaves_a_doubt(fake_lox24: FakeLox24) -> None:
    """If a cancel's fate is unknown, so is that of the whole."""
    fake_lox24.page_size = 3
    add(fake_lox24, 5)

    def rule(request: ReceivedRequest) -> Fault | None:
        if page_of(request) == 2 or request.path.endswith("/status"):
            return Fault(status=500)
        return None if request.method == "GET" else Fault(drop="after")

    fake_lox24.fail_if(rule)
    async with client_of(fake_lox24, retry=evolve(QUICK, max_wait=0.5)) as client:
        with pytest.raises(CancelFailedError) as caught:
            await client.cancel_matching(BulkFilter())
    assert caught.value.outcome_unknown
    assert "may have been cancelled" in str(caught.value)
    assert 3 == caught.value.report.counts[CancelState.UNKNOWN]


async def test_listing_that_never_begins(fake_lox24: FakeLox24) -> None:
    """A refused token ends it before anything was found, with one request."""
    add(fake_lox24, 3)
    async with Lox24Client("1234567:wrong", base_url=fake_lox24.url) as client:
        with pytest.raises(CancelFailedError) as caught:
            await client.cancel_matching(BulkFilter())
    assert isinstance(caught.value.__cause__, AuthenticationError)
    assert (0, 1) == (len(caught.value.report), len(fake_lox24.requests))


async def test_progress_that_fails(fake_lox24: FakeLox24) -> None:
    """Its error comes out as it is, and the report is true."""
    add(fake_lox24, 9)
    report = MatchReport()

    def progress(_: CancelOutcome) -> None:
        raise ZeroDivisionError

    async with client_of(fake_lox24, max_concurrency=2) as client:
        for dry_run in (True, False):
            with pytest.raises(ZeroDivisionError):
                await client.cancel_matching(
                    BulkFilter(), report=report, progress=progress, dry_run=dry_run
                )
    assert canceled(fake_lox24) == in_state(report, CancelState.CANCELED)
    assert asked(fake_lox24) == {str(one) for one in in_state(report, CancelState.CANCELED)}


@pytest.mark.looptime
async def test_progress_that_fails_stops_the_listing(fake_lox24: FakeLox24) -> None:
    """The page that was being fetched ahead is not waited for, nor left to itself."""
    fake_lox24.page_size = 3
    add(fake_lox24, 9)
    fake_lox24.fail_if(lambda request: Fault(delay=30) if page_of(request) == 2 else None)
    before, begun = tasks(), asyncio.get_running_loop().time()
    async with client_of(fake_lox24, max_concurrency=2) as client:
        with pytest.raises(ZeroDivisionError) as caught:
            await client.cancel_matching(BulkFilter(), progress=lambda _: 1 / 0)
        assert not [task for task in tasks() - before if "_fanout" in repr(task)]
        assert begun == asyncio.get_running_loop().time()
    assert caught.value.__traceback__ is not None  # the frames that hold the stream live on


async def test_closed_midway(fake_lox24: FakeLox24) -> None:
    """Closing the client breaks the listing off; the report is true."""
    fake_lox24.page_size = 2
    add(fake_lox24, 30)
    client = client_of(fake_lox24, max_concurrency=2)
    report = MatchReport()
    call = asyncio.create_task(client.cancel_matching(BulkFilter(), report=report))
    while len(canceled(fake_lox24)) < 5:
        await asyncio.sleep(0)
    await client.close()
    with pytest.raises(CancelFailedError) as caught:
        await call
    assert isinstance(caught.value.__cause__, ClientClosedError)
    assert canceled(fake_lox24) == in_state(report, CancelState.CANCELED)
    assert report.bulks == len(report)


@pytest.mark.looptime
@pytest.mark.parametrize("moment", [0.5, 1.5, 2.5, 3.5, 6.5, 9.5])
async def test_caller_cancelled_midway(fake_lox24: FakeLox24, moment: float) -> None:
    """At any moment the report says what is done, unknown, or never left."""
    fake_lox24.page_size, fake_lox24.latency = 3, 1.0
    add(fake_lox24, 60)
    report = MatchReport()
    begun = asyncio.get_running_loop().time()
    async with client_of(fake_lox24, max_concurrency=4) as client:
        call = asyncio.create_task(client.cancel_matching(BulkFilter(), report=report))
        await asyncio.sleep(moment)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert begun + moment == asyncio.get_running_loop().time()
        assert report.bulks == len(report)
        unknown = in_state(report, CancelState.UNKNOWN)
        done = in_state(report, CancelState.CANCELED)
        assert asked(fake_lox24) == {str(one) for one in done | unknown}
        assert done <= canceled(fake_lox24) <= done | unknown
        assert 60 > len(report)


@pytest.mark.looptime
@pytest.mark.parametrize("dry_run", [False, True])
async def test_time_is_over_while_listing(fake_lox24: FakeLox24, dry_run: bool) -> None:
    """The listing that could not be ended in time is a failure, raised in time."""
    fake_lox24.page_size, fake_lox24.latency = 3, 1.0
    add(fake_lox24, 60)
    begun = asyncio.get_running_loop().time()
    async with client_of(fake_lox24, max_concurrency=4) as client:
        with pytest.raises(CancelFailedError) as caught:
            await client.cancel_matching(BulkFilter(), timeout=4.5, dry_run=dry_run)
        assert pytest.approx(4.5, abs=0.01) == asyncio.get_running_loop().time() - begun
    assert isinstance(caught.value.__cause__, RequestTimeoutError)
    report = caught.value.report
    done, unknown = in_state(report, CancelState.CANCELED), in_state(report, CancelState.UNKNOWN)
    assert asked(fake_lox24) == {str(one) for one in done | unknown}
    assert bool(unknown) == caught.value.outcome_unknown
    assert 0 < len(report) < 60


@pytest.mark.looptime
async def test_time_is_over_while_cancelling(fake_lox24: FakeLox24) -> None:
    """With all bulks found, each has its outcome, and the report is returned in time."""
    fake_lox24.latency = 1.0
    add(fake_lox24, 8)
    begun = asyncio.get_running_loop().time()
    async with client_of(fake_lox24, max_concurrency=2) as client:
        report = await client.cancel_matching(BulkFilter(), form=JsonLdBulk, timeout=3.5)
        assert pytest.approx(3.5, abs=0.01) == asyncio.get_running_loop().time() - begun
    assert {CancelState.CANCELED: 4, CancelState.UNKNOWN: 2, CancelState.NOT_SENT: 2} == {
        state: n for state, n in report.counts.items() if n
    }


@pytest.mark.looptime
async def test_no_time_at_all(fake_lox24: FakeLox24) -> None:
    """Nothing is sent."""
    add(fake_lox24, 3)
    async with client_of(fake_lox24) as client:
        with pytest.raises(CancelFailedError):
            await client.cancel_matching(BulkFilter(), timeout=0)
    assert [] == fake_lox24.requests


@pytest.mark.parametrize("said", ["2031-01-01T00:00:00Z", None, "absent", True])
async def test_delivery_that_is_not_told(
    client: Lox24Client, fake_lox24: FakeLox24, said: object
) -> None:
    """Only a 0 on the wire is "at once"; a bulk whose delivery is not told is left alone."""
    raw: dict[str, object] = {"uuid": str(fake_lox24.add_bulk().uuid), "status_code": 0}
    if said != "absent":
        raw["delivery_at"] = said
    fake_lox24.fail_if(lambda r: Fault(body=json.dumps([raw] if "page=1&" in r.path else [])))
    report = await client.cancel_matching(BulkFilter(delivery_to=datetime.now(UTC)))
    assert (0, True) == (report.bulks, report.skipped > 0)
    assert not any(r.method == "PUT" for r in fake_lox24.requests)


async def test_error_of_progress_is_its_own(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """What ``progress`` raises is not called a failure of the listing."""
    fake_lox24.add_bulk()

    def progress(_: CancelOutcome) -> None:
        raise Lox24Error("mine")

    with pytest.raises(Lox24Error, match="mine") as caught:
        await client.cancel_matching(BulkFilter(), progress=progress)
    assert not isinstance(caught.value, CancelFailedError)


async def test_dry_run_into_a_used_report(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A look at what could be stopped takes nothing away from what the report knew."""
    fake_lox24.stops_after = 3_600  # accepted, and still listed as running
    bulk_id = fake_lox24.add_bulk().uuid
    report = await client.cancel_matching(BulkFilter())
    assert report[bulk_id].state is CancelState.ACCEPTED
    await client.cancel_matching(BulkFilter(), dry_run=True, report=report)
    assert (CancelState.ACCEPTED, 1) == (report[bulk_id].state, report.bulks)
    assert (str(bulk_id),) == report.unresolved()
