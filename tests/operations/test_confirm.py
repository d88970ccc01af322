"""``cancel_matching`` that asks: after the first pass, with what was found."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from lox24_async import (
    BulkFilter,
    BulkOrder,
    CancelFailedError,
    CancelState,
    ConfigurationError,
    Lox24Client,
    MatchReport,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import QUICK, puts


async def test_nothing_is_cancelled_before_the_answer_or_after_a_no(fake_lox24: FakeLox24) -> None:
    """The report shows all that was found, NOT_SENT, with its bulk."""
    for _ in range(3):
        fake_lox24.add_bulk()

    async def confirm(report: MatchReport) -> bool:
        assert report.bulks == 3
        assert all(o.state is CancelState.NOT_SENT and o.bulk for o in report.outcomes)
        assert puts(fake_lox24) == []
        return False

    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.cancel_matching(BulkFilter(), confirm=confirm)
    assert report.counts[CancelState.NOT_SENT] == 3
    assert puts(fake_lox24) == []


async def test_what_slipped_through_is_cancelled_and_what_is_new_is_not(
    fake_lox24: FakeLox24,
) -> None:
    """The pages are read once more; what was created since the question is left alone."""
    fake_lox24.page_size = 2
    now = fake_lox24.now
    ids = [
        str(fake_lox24.add_bulk(created_at=now - timedelta(hours=10 - n)).uuid) for n in range(6)
    ]
    late: list[str] = []

    async def confirm(_: MatchReport) -> bool:
        late.append(str(fake_lox24.add_bulk(created_at=now + timedelta(hours=1)).uuid))
        return True

    def shift(request: ReceivedRequest) -> None:
        if "page=2" in request.path and not late:  # one leaves the first page, one slips through
            fake_lox24.set_status(ids[0], 10)

    fake_lox24.fail_if(shift)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.cancel_matching(BulkFilter(), confirm=confirm)
    assert {*puts(fake_lox24)} >= {*ids[1:]}
    assert not {*late} & {*puts(fake_lox24)}
    assert report.counts[CancelState.CANCELED] == 5


async def test_what_does_not_meet_the_filter_is_not_shown(fake_lox24: FakeLox24) -> None:
    """A server that ignores the filter: what it lists besides is left alone, and counted."""
    mine = str(fake_lox24.add_bulk(sender_id="Acme").uuid)
    fake_lox24.add_bulk(sender_id="Other")
    fake_lox24.ignored_filters = {"sender_id"}
    shown: list[str] = []

    async def confirm(report: MatchReport) -> bool:
        shown.extend(outcome.bulk_id for outcome in report.outcomes)
        return True

    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.cancel_matching(BulkFilter(sender_id="Acme"), confirm=confirm)
    assert shown == puts(fake_lox24) == [mine]
    assert report.skipped == 1


async def test_of_a_listing_that_broke_it_is_asked(fake_lox24: FakeLox24) -> None:
    """What was found is cancelled after a yes; the error comes out all the same."""
    fake_lox24.page_size = 2
    for _ in range(5):
        fake_lox24.add_bulk()
    fake_lox24.fail_if(lambda request: Fault(status=400) if "page=2" in request.path else None)

    async def confirm(report: MatchReport) -> bool:
        return report.bulks == 2

    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=QUICK) as client:
        with pytest.raises(CancelFailedError):
            await client.cancel_matching(BulkFilter(), confirm=confirm)
    assert len(puts(fake_lox24)) == 2


async def test_the_order_is_checked(fake_lox24: FakeLox24) -> None:
    """Before any request; of a page what is sending and large goes first."""
    small = fake_lox24.add_bulk(0, msg_total_count=1)
    large = fake_lox24.add_bulk(0, msg_total_count=9)
    sending = fake_lox24.add_bulk(5, msg_total_count=5)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, max_concurrency=1) as client:
        with pytest.raises(ConfigurationError):
            await client.cancel_matching(BulkFilter(), order="created_at")  # type: ignore[arg-type]
        assert fake_lox24.requests == []
        await client.cancel_matching(BulkFilter(), order=BulkOrder("created_at"))
    assert puts(fake_lox24) == [str(bulk.uuid) for bulk in (sending, large, small)]


async def test_what_is_shown_is_in_the_order_of_the_cancels(fake_lox24: FakeLox24) -> None:
    """Whoever is asked can name the bulks as they will be stopped."""
    for status, count in ((0, 1), (0, 9), (5, 5), (0, None), (5, 70)):
        fake_lox24.add_bulk(status, msg_total_count=count)
    shown: list[str] = []

    async def confirm(report: MatchReport) -> bool:
        shown.extend(str(bulk.uuid) for bulk in report.by_urgency())
        return True

    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, max_concurrency=1) as client:
        dry = await client.cancel_matching(BulkFilter(), dry_run=True)
        report = await client.cancel_matching(BulkFilter(), confirm=confirm)
    assert [70, 5, 9, 1, None] == [bulk.msg_total_count for bulk in dry.by_urgency()]
    assert puts(fake_lox24) == shown
    assert {15} == {bulk.status_code for bulk in report.by_urgency()}


async def test_while_somebody_thinks_the_listing_changes(fake_lox24: FakeLox24) -> None:
    """The pages are read anew after the yes: an older one is stopped, a newer one left alone."""
    now = datetime.now(UTC)
    first = fake_lox24.add_bulk(created_at=now - timedelta(hours=2))
    second = fake_lox24.add_bulk(created_at=now - timedelta(hours=1))
    late = []

    async def confirm(_: MatchReport) -> bool:
        await asyncio.sleep(0.2)  # whatever was read ahead was read before
        late.append(fake_lox24.add_bulk(created_at=now - timedelta(hours=3)))
        late.append(fake_lox24.add_bulk(created_at=now))
        late.append(fake_lox24.add_bulk(created_at=second.created_at))  # of the same second
        return True

    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.cancel_matching(BulkFilter(), confirm=confirm)
    stopped = {str(bulk.uuid) for bulk in (first, second, late[0])}
    assert stopped == set(puts(fake_lox24))
    assert (5, 3) == (report.bulks, report.counts[CancelState.CANCELED])
