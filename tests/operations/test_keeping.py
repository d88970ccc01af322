"""Keep stopping, for a producer that goes on; and settle, which looks until all is known."""

import asyncio
import logging
from typing import Any

import pytest

from lox24_async import (
    AuthenticationError,
    BulkFilter,
    BulkStatus,
    CancelFailedError,
    CancelJournal,
    CancelOutcome,
    CancelReport,
    CancelState,
    ConfigurationError,
    ConnectionFailedError,
    JsonLdBulk,
    Lox24Client,
    MatchReport,
    RequestTimeoutError,
    RetryPolicy,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import puts


class Producer:
    """Creates a bulk a second that meets the filter, and one that does not."""

    def __init__(self, gateway: FakeLox24) -> None:
        self.gateway = gateway
        self.made: list[str] = []
        self.spared: list[str] = []
        self.last_at = 0.0

    async def run(self, count: int) -> None:
        """Create so many of each kind."""
        for number in range(count):
            status = (BulkStatus.NEW, BulkStatus.IN_PROGRESS)[number % 2]
            self.made.append(str(self.gateway.add_bulk(status, sender_id="Acme").uuid))
            self.spared.append(str(self.gateway.add_bulk(sender_id="Acme Bank").uuid))
            self.last_at = asyncio.get_running_loop().time()
            await asyncio.sleep(1)


@pytest.mark.looptime
@pytest.mark.parametrize("trouble", ["none", "block", "storm"])
async def test_a_producer_that_goes_on(fake_lox24: FakeLox24, tmp_path: Any, trouble: str) -> None:
    """Each bulk that met the filter is cancelled once, the last soon after it was there."""
    producer = Producer(fake_lox24)
    storm: list[int] = []

    def fail(request: ReceivedRequest) -> Fault | None:
        if trouble == "storm" and 20 < request.at < 50:
            storm.append(1)
            return Fault(status=503)
        return None

    fake_lox24.fail_if(fail)
    at: dict[str, float] = {}
    loop = asyncio.get_running_loop()

    def tell(outcome: CancelOutcome) -> None:
        if outcome.state is CancelState.CANCELED:
            at[outcome.bulk_id] = loop.time()

    path = tmp_path / "keep.jsonl"
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        making = asyncio.create_task(producer.run(100))
        run = asyncio.create_task(
            client.keep_canceling(
                BulkFilter(sender_id_exact="Acme"),
                duration=115,
                poll_interval=2,
                progress=tell,
                journal=CancelJournal(path),
            )
        )
        await asyncio.sleep(20)
        if trouble == "block":
            fake_lox24.block_ip(30)
        report = await run
        await making
    assert set(producer.made) == {o.bulk_id for o in report.outcomes}
    assert report.counts[CancelState.CANCELED] == report.bulks == 100
    assert all(fake_lox24.bulks[bulk_id].is_canceled for bulk_id in producer.made)
    assert not any(fake_lox24.bulks[bulk_id].is_canceled for bulk_id in producer.spared)
    if trouble == "none":
        assert sorted(puts(fake_lox24)) == sorted(producer.made)
    assert at[producer.made[-1]] - producer.last_at < 3
    assert CancelJournal.read(path).counts == report.counts
    (told,) = CancelJournal.runs_of(path)
    assert (told.interrupted, told.counts) == (False, report.counts)
    assert told.filter is not None
    assert told.filter["sender_id_exact"] == "Acme"


@pytest.mark.looptime
async def test_quiet(fake_lox24: FakeLox24) -> None:
    """It ends when nothing new met the filter for as long as one says, and not before."""
    producer = Producer(fake_lox24)
    making = asyncio.create_task(producer.run(20))
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.keep_canceling(
            BulkFilter(sender_id_exact="Acme"), quiet=10, poll_interval=3
        )
    ended = asyncio.get_running_loop().time()
    await making
    assert report.counts[CancelState.CANCELED] == 20
    assert 10 <= ended - producer.last_at <= 13.5


@pytest.mark.looptime
async def test_quiet_is_not_an_outage(fake_lox24: FakeLox24) -> None:
    """A look that failed has seen nothing: only one that worked can say that it is quiet."""
    fake_lox24.fail_if(lambda r: Fault(status=503) if 5 < r.at < 60 else None)
    producer = Producer(fake_lox24)
    making = asyncio.create_task(producer.run(40))
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.keep_canceling(
            BulkFilter(sender_id_exact="Acme"), quiet=8, poll_interval=1
        )
    await making
    assert report.counts[CancelState.CANCELED] == 40
    assert asyncio.get_running_loop().time() > 60


@pytest.mark.looptime
async def test_quiet_ends_though_times_are_rounded(fake_lox24: FakeLox24) -> None:
    """60.235621 + 8 is a little more than 68.235621: no reason to look again and again."""
    fake_lox24.fail_if(lambda _: Fault(status=401) if len(fake_lox24.requests) > 50 else None)
    await asyncio.sleep(60.235621 - asyncio.get_running_loop().time())
    fake_lox24.add_bulk(sender_id="Acme")
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.keep_canceling(
            BulkFilter(sender_id_exact="Acme"), quiet=8, poll_interval=1
        )
    assert report.counts[CancelState.CANCELED] == 1


@pytest.mark.looptime
async def test_cancelled_again(fake_lox24: FakeLox24) -> None:
    """What is seen running again after ACCEPTED is cancelled again; after CANCELED it is not."""
    one = str(fake_lox24.add_bulk(sender_id="Acme").uuid)
    other = str(fake_lox24.add_bulk(sender_id="Acme").uuid)
    for bulk_id, status in ((one, 5), (other, 15)):  # not carried out, whatever the answer says
        body = f'{{"uuid":"{bulk_id}","status_code":{status}}}'
        fake_lox24.fail_next(200, body=body, bulk_id=bulk_id, method="PUT")
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.keep_canceling(BulkFilter(), duration=20, poll_interval=5)
    assert report.counts[CancelState.CANCELED] == 2
    assert sorted(puts(fake_lox24)) == sorted([one, one, other])
    assert report.bulks == 2


@pytest.mark.looptime
async def test_ends(fake_lox24: FakeLox24) -> None:
    """By ``duration`` to the point, by ``timeout``, by close, and by a cancel."""
    loop = asyncio.get_running_loop()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        limits: list[dict[str, Any]] = [{"duration": 7}, {"timeout": 7, "duration": 60}]
        for more in limits:
            begun = loop.time()
            assert len(await client.keep_canceling(BulkFilter(), **more)) == 0
            assert pytest.approx(7, abs=0.01) == loop.time() - begun
        report = MatchReport()
        run = asyncio.create_task(client.keep_canceling(BulkFilter(), report=report))
        fake_lox24.add_bulk()
        await asyncio.sleep(12)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert report.counts[CancelState.CANCELED] == 1
        run = asyncio.create_task(client.keep_canceling(BulkFilter()))
        await asyncio.sleep(12)
    assert len(await asyncio.wait_for(run, 1)) == 0


@pytest.mark.looptime
@pytest.mark.parametrize("how", ["duration", "close"])
async def test_ends_within_a_look(fake_lox24: FakeLox24, how: str) -> None:
    """A listing that is cut short by the end is no failure."""
    fake_lox24.fail_if(lambda r: Fault(delay=50.0) if r.at > 10 else None)
    client = Lox24Client(fake_lox24.token, base_url=fake_lox24.url)
    run = asyncio.create_task(
        client.keep_canceling(
            BulkFilter(), poll_interval=4, duration=20 if how == "duration" else 99
        )
    )
    await asyncio.sleep(15)
    if how == "close":
        await client.close()
    report = await asyncio.wait_for(run, 6)
    assert len(report) == 0
    await client.close()


@pytest.mark.looptime
async def test_error_of_progress_is_its_own(fake_lox24: FakeLox24) -> None:
    """Also one of ours: it is not taken for a failed listing, and ends the run."""
    fake_lox24.add_bulk()

    def progress(_: CancelOutcome) -> None:
        raise ConnectionFailedError("of a callback")

    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        with pytest.raises(ConnectionFailedError, match="of a callback"):
            await client.keep_canceling(BulkFilter(), progress=progress, duration=60)


@pytest.mark.looptime
@pytest.mark.parametrize("since", [0.0, 20.0])
@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=429), Fault(drop="before")])
async def test_trouble_to_the_end_is_no_end(
    fake_lox24: FakeLox24, since: float, fault: Fault
) -> None:
    """Nobody knows what met the filter when the time was up; what was stopped stands in it."""
    first = fake_lox24.add_bulk(sender_id="Acme")
    fake_lox24.fail_if(lambda r: fault if r.at >= since else None)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        with pytest.raises(CancelFailedError) as caught:
            await client.keep_canceling(BulkFilter(sender_id="Acme"), duration=60)
    report = caught.value.report
    assert (str(first.uuid) in report) is (since > 0)
    assert caught.value.__cause__ is not None
    assert not isinstance(caught.value.__cause__, RequestTimeoutError)


@pytest.mark.looptime
async def test_time_that_is_up_in_a_listing_is_an_end(fake_lox24: FakeLox24) -> None:
    """If one has come to its end before; else it is none."""
    fake_lox24.latency = 4.0
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        with pytest.raises(CancelFailedError):
            await client.keep_canceling(BulkFilter(sender_id="Acme"), duration=2)
        await client.keep_canceling(BulkFilter(sender_id="Acme"), duration=20)


@pytest.mark.looptime
async def test_refused_for_good(fake_lox24: FakeLox24) -> None:
    """A token that is refused ends it with the report; it knocks no more than it may."""
    async with Lox24Client("1:wrong", base_url=fake_lox24.url) as client:
        with pytest.raises(CancelFailedError) as caught:
            await client.keep_canceling(BulkFilter(), duration=60)
    assert isinstance(caught.value.__cause__, AuthenticationError)
    assert isinstance(caught.value.report, MatchReport)
    assert len(fake_lox24.requests) == 1


async def test_bad_values(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """What cannot work is refused before any request."""
    wrong: list[dict[str, Any]] = [
        *({"duration": -1}, {"quiet": "x"}, {"poll_interval": 0}, {"report": {}}),
    ]
    for values in wrong:
        with pytest.raises(ConfigurationError):
            await client.keep_canceling(BulkFilter(), **values)
    with pytest.raises(ConfigurationError):
        await client.keep_canceling(None)  # type: ignore[arg-type]
    assert fake_lox24.requests == []
    nothing = BulkFilter(status_codes=[BulkStatus.PROCESSED])
    assert len(await client.keep_canceling(nothing)) == 0


# --- settle


@pytest.mark.looptime
async def test_settle(fake_lox24: FakeLox24, tmp_path: Any) -> None:
    """It looks, less and less often, until nothing is ACCEPTED or UNKNOWN; it never cancels."""
    fake_lox24.stops_after = 100.0
    ids = [str(fake_lox24.add_bulk().uuid) for _ in range(5)]
    lost = str(fake_lox24.add_bulk().uuid)
    fake_lox24.fail_next(drop="before", bulk_id=lost, times=9)
    journal = CancelJournal(tmp_path / "settle.jsonl")
    changed: list[CancelOutcome] = []
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.cancel_bulks([*ids, lost], journal=journal)
        assert report.counts[CancelState.ACCEPTED] == 5
        assert report.counts[CancelState.UNKNOWN] == 1
        fake_lox24.stop_failing()
        sent = len(puts(fake_lox24))
        fake_lox24.set_status(lost, BulkStatus.PROCESSED)
        begun = len(fake_lox24.requests)
        assert await client.settle(report, progress=changed.append, journal=journal) is report
    assert report.counts[CancelState.CANCELED] == 5
    assert report[lost].state is CancelState.TOO_LATE
    assert len(puts(fake_lox24)) == sent
    looks = len(fake_lox24.requests) - begun
    assert looks < 5 * 15
    assert sorted(o.bulk_id for o in changed) == sorted([*ids, lost])
    assert journal.report.counts == report.counts


@pytest.mark.looptime
async def test_settle_ends_in_time(fake_lox24: FakeLox24) -> None:
    """What is not settled in time stays as it is; closing the client ends it too."""
    fake_lox24.stops_after = 1000.0
    ids = [str(fake_lox24.add_bulk().uuid) for _ in range(3)]
    loop = asyncio.get_running_loop()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        report = await client.cancel_bulks(ids)
        begun = loop.time()
        await client.settle(report, timeout=60, form=JsonLdBulk)
        assert pytest.approx(60, abs=0.1) == loop.time() - begun
        assert report.counts[CancelState.ACCEPTED] == 3
        assert isinstance(report[ids[0]].bulk, JsonLdBulk)
        run = asyncio.create_task(client.settle(report, timeout=None))
        await asyncio.sleep(50)
    assert await asyncio.wait_for(run, 1) is report


async def test_settle_nothing(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A settled report needs no look."""
    report = CancelReport()
    assert await client.settle(report) is report
    assert fake_lox24.requests == []
    with pytest.raises(ConfigurationError):
        await client.settle([])  # type: ignore[arg-type]


@pytest.mark.looptime
async def test_settle_through_an_outage(
    fake_lox24: FakeLox24, caplog: pytest.LogCaptureFixture
) -> None:
    """Looks that fail leave the state as it is, and do not end it."""
    caplog.set_level(logging.ERROR)
    fake_lox24.stops_after = 5.0
    bulk_id = str(fake_lox24.add_bulk().uuid)
    policy = RetryPolicy(max_attempts=2, max_wait=1)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=policy) as client:
        report = await client.cancel_bulks([bulk_id])
        fake_lox24.fail_if(lambda r: Fault(status=503) if r.at < 60 else None)
        await client.settle(report)
    assert report[bulk_id].state is CancelState.CANCELED
