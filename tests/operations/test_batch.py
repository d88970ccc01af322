"""Many ids: one outcome for each, and a report that is true at any moment."""

import asyncio
import copy
import gc
import pickle
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from lox24_async import (
    Bulk,
    BulkStatus,
    CancelFailedError,
    CancelOutcome,
    CancelReport,
    CancelState,
    ConflictError,
    HeldBackError,
    InvalidBulkIdError,
    Lox24Client,
    Lox24Error,
    NotCancelableError,
    NotFoundError,
    RequestTimeoutError,
    RetryPolicy,
)
from lox24_async._operations.cancel import CancelCall, cancel
from lox24_async.testing import FakeLox24
from tests.conftest import prove


def add(gateway: FakeLox24, count: int, status: int = BulkStatus.NEW) -> list[UUID]:
    """Put bulks into the gateway and return their ids."""
    return [gateway.add_bulk(status).uuid for _ in range(count)]


def told(gateway: FakeLox24, method: str = "PUT") -> list[str]:
    """Return the ids that the gateway was asked about."""
    return [r.path.split("/")[2] for r in gateway.requests if r.method == method]


async def test_case_36_one_outcome_for_each(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Failures, duplicates and hostile ids: one outcome per distinct id, in input order."""
    new, running = add(fake_lox24, 2)[0], add(fake_lox24, 1, BulkStatus.IN_PROGRESS)[0]
    done, canceled = add(fake_lox24, 1, 10)[0], add(fake_lox24, 1, 15)[0]
    missing = uuid4()
    ids: list[Any] = [
        *(new, str(new), str(new).upper(), running, "../sms", done, missing, canceled),
        *("../sms", "", done, 7, None),
    ]
    report = await client.cancel_bulks(ids)
    expected = [
        (str(new), CancelState.CANCELED),
        (str(running), CancelState.CANCELED),
        ("../sms", CancelState.REJECTED),
        (str(done), CancelState.TOO_LATE),
        (str(missing), CancelState.NOT_FOUND),
        (str(canceled), CancelState.CANCELED),
        ("", CancelState.REJECTED),
        ("7", CancelState.REJECTED),
        ("None", CancelState.REJECTED),
    ]
    assert expected == [(outcome.bulk_id, outcome.state) for outcome in report.outcomes]
    assert sorted(map(str, (new, running, done, missing, canceled))) == sorted(told(fake_lox24))
    kinds = [type(outcome.error) for outcome in report.outcomes]
    nothing = type(None)
    assert kinds == [
        *(nothing, nothing, InvalidBulkIdError, NotCancelableError, NotFoundError, nothing),
        *[InvalidBulkIdError] * 3,
    ]
    assert report[done].bulk == fake_lox24.bulks[done] or report[done].bulk is not None
    assert [1, 1, 0, 1, 1, 1, 0, 0, 0] == [outcome.attempts for outcome in report.outcomes]


@pytest.mark.parametrize("kind", ["list", "generator", "async", "set", "tuple"])
async def test_takes_any_iterable(client: Lox24Client, fake_lox24: FakeLox24, kind: str) -> None:
    """Lists, sets, generators and async generators are all cancelled to the end."""
    ids = add(fake_lox24, 50)

    async def stream() -> AsyncIterator[UUID]:
        for bulk_id in ids:
            await asyncio.sleep(0)
            yield bulk_id

    source: dict[str, Callable[[], Any]] = {
        "list": lambda: ids,
        "generator": lambda: iter(ids),
        "async": stream,
        "set": lambda: set(ids),
        "tuple": lambda: tuple(ids),
    }
    report = await client.cancel_bulks(source[kind]())
    assert {str(bulk_id) for bulk_id in ids} == {outcome.bulk_id for outcome in report.outcomes}
    assert report.counts[CancelState.CANCELED] == 50
    if kind != "set":
        assert [str(bulk_id) for bulk_id in ids] == [o.bulk_id for o in report.outcomes]


@pytest.mark.parametrize("ids", ["da0fa78c-4699-11ea-a637-96000028b339", b"x", uuid4()])
async def test_one_id_is_no_collection(client: Lox24Client, ids: Any) -> None:
    """A single id, whose characters could be iterated, is a clear error."""
    with pytest.raises(TypeError, match="iterable"):
        await client.cancel_bulks(ids)
    with pytest.raises(TypeError, match="iterable"):
        client.iter_cancel(ids)


async def test_nothing_to_do(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """No ids, no requests, an empty report that is no failure."""
    report = await client.cancel_bulks([])
    assert (0, ()) == (len(report), report.outcomes)
    report.raise_for_failures()
    assert fake_lox24.requests == []


async def test_progress_gets_each_outcome(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """The callback sees every outcome once, as it comes, of what is no id as well."""
    ids: list[Any] = [*add(fake_lox24, 30), "no id", 7]
    seen: list[CancelOutcome] = []
    report = await client.cancel_bulks([*ids, *ids], progress=seen.append)
    assert len(ids) == len(seen)
    assert sorted(o.bulk_id for o in seen) == sorted(o.bulk_id for o in report.outcomes)


async def test_progress_that_fails_stops_the_batch(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """A bug in the callback is not swallowed; the report stays true."""
    ids, report = add(fake_lox24, 100), CancelReport()

    def progress(outcome: CancelOutcome) -> None:
        raise LookupError(outcome.bulk_id)

    with pytest.raises(LookupError):
        await client.cancel_bulks(ids, report=report, progress=progress)
    assert_true(report, fake_lox24, ids)
    assert len(told(fake_lox24)) < 100


async def test_look_that_is_held_back_leaves_the_refusal_as_it_is() -> None:
    """Where there is no doubt, an error says nothing of the look."""
    errors = iter((ConflictError("no", status=409), HeldBackError("three were wrong")))

    class Refusing:
        async def perform(self, *_: object) -> Bulk:
            raise next(errors)

    engine: Any = Refusing()
    with pytest.raises(ConflictError) as caught:
        await cancel(engine, CancelCall(str(uuid4())), Bulk)
    assert "look" not in str(caught.value)
    assert next(errors, None) is None, "it has looked"


async def test_what_is_no_id_among_those_nobody_came_to(fake_lox24: FakeLox24) -> None:
    """An interrupted run tells the bad from the unsent; a value without a repr is told, too."""

    class Hostile:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    ids, report = add(fake_lox24, 3), CancelReport()
    values: list[Any] = [ids[0], ids[1], "no id", ids[2], Hostile()]

    def progress(_: CancelOutcome) -> None:
        raise LookupError

    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, max_concurrency=1) as client:
        with pytest.raises(LookupError):
            await client.cancel_bulks(values, report=report, progress=progress)
    names = [outcome.state.name for outcome in report.outcomes]
    assert names == ["CANCELED", "NOT_SENT", "REJECTED", "NOT_SENT", "REJECTED"]
    assert "Hostile object" in report.outcomes[-1].bulk_id


async def test_source_that_fails(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """An error of the source comes out; what was read before is done and reported."""
    ids, report = add(fake_lox24, 5), CancelReport()

    def source() -> Iterator[UUID]:
        yield from ids
        raise LookupError("no more")

    with pytest.raises(LookupError):
        await client.cancel_bulks(source(), report=report)
    assert report.counts[CancelState.CANCELED] == 5


async def test_bounded_width(fake_lox24: FakeLox24) -> None:
    """Never more than max_concurrency requests at once, over all calls of the client."""
    fake_lox24.latency = 0.02
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, max_concurrency=4) as client:
        await asyncio.gather(
            client.cancel_bulks(add(fake_lox24, 30)),
            client.cancel_bulks(add(fake_lox24, 30)),
            *(client.cancel_bulk(bulk_id) for bulk_id in add(fake_lox24, 20)),
        )
    assert len(fake_lox24.requests) == 80
    assert fake_lox24.most_in_flight == 4


async def test_leaving_early_stops_at_once(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """After a break nothing more is sent, no task is left, and the report is true."""
    ids, report = add(fake_lox24, 500), CancelReport()
    count = 0
    async for _ in client.iter_cancel(ids, report=report):
        count += 1
        if count == 20:
            break
    asked = len(fake_lox24.requests)
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert len(fake_lox24.requests) - asked <= 10  # those in flight at the break
    assert asyncio.all_tasks() == {asyncio.current_task()} | server_tasks()
    assert_true(report, fake_lox24, ids)


def server_tasks() -> set[asyncio.Task[Any]]:
    """Return the tasks of the gateway's connections."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" in repr(task)}


async def test_cancelled_consumer_stops_at_once(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A caller cancelled in the loop stops all sends, also while its error is kept."""
    fake_lox24.latency = 0.01
    ids = add(fake_lox24, 200)

    async def consume() -> None:
        async for _ in client.iter_cancel(ids):
            pass

    task = asyncio.create_task(consume())
    while len(fake_lox24.requests) < 15:
        await asyncio.sleep(0)
    task.cancel()
    kept = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(kept[0], asyncio.CancelledError)
    asked = len(fake_lox24.requests)
    await asyncio.sleep(0.05)
    assert len(fake_lox24.requests) - asked <= 10
    assert asyncio.all_tasks() == {asyncio.current_task()} | server_tasks()


async def test_aclose(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Closing the stream waits until the workers have left; then it is at its end."""
    stream = client.iter_cancel(add(fake_lox24, 100))
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    rest = [outcome async for outcome in stream]
    assert len(rest) < 100
    unused = client.iter_cancel(add(fake_lox24, 3))
    await unused.aclose()
    assert [outcome async for outcome in unused] == []


def assert_true(report: CancelReport, gateway: FakeLox24, ids: list[UUID]) -> None:
    """Compare a report with the gateway's ledger."""
    asked = set(told(gateway))
    for outcome in report.outcomes:
        if outcome.state is CancelState.CANCELED:
            assert gateway.bulks[outcome.bulk_id].is_canceled
        if outcome.state is CancelState.NOT_SENT:
            assert outcome.bulk_id not in asked
    known = {outcome.bulk_id for outcome in report.outcomes}
    mine = {str(bulk_id) for bulk_id in ids}
    assert asked & mine <= known <= mine


@pytest.mark.parametrize("kind", ["list", "stream"])
async def test_case_37_cancelled_midway(
    client: Lox24Client, fake_lox24: FakeLox24, kind: str
) -> None:
    """CancelledError goes out; the report tells done, unknown and never sent apart."""
    ids, report = add(fake_lox24, 100), CancelReport()
    await client.cancel_bulk(add(fake_lox24, 1)[0])
    fake_lox24.latency = 0.02
    source: Any = ids if kind == "list" else iter(ids)
    done = asyncio.Event()
    task = asyncio.create_task(
        client.cancel_bulks(source, report=report, progress=lambda _: done.set())
    )
    await done.wait()
    while len(told(fake_lox24)) < 15:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    asked = len(fake_lox24.requests)
    assert_true(report, fake_lox24, ids)
    counts = report.counts
    assert counts[CancelState.CANCELED] >= 1
    assert 1 <= counts[CancelState.UNKNOWN] <= 10
    assert len(report) == (100 if kind == "list" else sum(counts.values()))
    if kind == "list":
        assert [str(bulk_id) for bulk_id in ids] == [o.bulk_id for o in report.outcomes]
        assert counts[CancelState.NOT_SENT] >= 70
    await asyncio.sleep(0.05)
    assert len(fake_lox24.requests) == asked


async def test_case_37_then_resolved(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """resolve() looks at what is unknown, only reads, and settles it in the report."""
    ids, report = add(fake_lox24, 40), CancelReport()
    await client.cancel_bulk(add(fake_lox24, 1)[0])
    fake_lox24.latency = 0.02
    task = asyncio.create_task(client.cancel_bulks(ids, report=report))
    while len(told(fake_lox24)) < 5:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    unknown = report.unresolved()
    assert unknown
    puts = len(told(fake_lox24))
    fake_lox24.latency = 0
    assert await client.resolve(report) is report
    assert report.unresolved() == ()
    assert len(told(fake_lox24)) == puts
    assert sorted(told(fake_lox24, "GET")) == sorted(unknown)
    assert {report[bulk_id].state for bulk_id in unknown} == {CancelState.CANCELED}


async def test_resolve_ids(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """resolve() takes plain ids too; what still runs stays unknown, with what was seen."""
    running, done = add(fake_lox24, 1, 5)[0], add(fake_lox24, 1, 10)[0]
    canceled, missing = add(fake_lox24, 1, 15)[0], uuid4()
    report = await client.resolve([running, done, canceled, missing, "x"])
    assert [o.state for o in report.outcomes] == [
        *(CancelState.UNKNOWN, CancelState.TOO_LATE, CancelState.CANCELED),
        *(CancelState.NOT_FOUND, CancelState.REJECTED),
    ]
    seen = report[running].bulk
    assert seen is not None
    assert seen.status_code == BulkStatus.IN_PROGRESS
    assert told(fake_lox24) == []


async def test_resolve_keeps_what_it_cannot_settle(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """A look that fails leaves the state and tells why."""
    bulk_id = add(fake_lox24, 1)[0]
    fake_lox24.fail_next(400)
    report = await client.resolve([bulk_id])
    assert report[bulk_id].state is CancelState.UNKNOWN
    assert report[bulk_id].error is not None


@pytest.mark.parametrize("looks", [False, True])
async def test_resolve_keeps_what_was_known(
    client: Lox24Client, fake_lox24: FakeLox24, looks: bool
) -> None:
    """A look that fails, or finds it running, changes no state, and forgets no attempts."""
    bulk_id = add(fake_lox24, 1, BulkStatus.IN_PROGRESS)[0]
    running = f'{{"uuid": "{bulk_id}", "status_code": 5}}'
    fake_lox24.fail_next(body=running)
    report = await client.cancel_bulks([bulk_id])
    if looks:
        fake_lox24.fail_next(body=running)
    else:
        fake_lox24.fail_next(400)
    await client.resolve(report)
    outcome = report[bulk_id]
    assert (CancelState.ACCEPTED, 1) == (outcome.state, outcome.attempts)
    assert (outcome.error is None) is looks


async def test_resolve_that_has_no_time(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """What could not be looked at stays as it was, and says why."""
    bulk_id = add(fake_lox24, 1)[0]
    fake_lox24.fail_next(body=f'{{"uuid": "{bulk_id}", "status_code": 5}}')
    report = await client.cancel_bulks([bulk_id])
    asked = len(fake_lox24.requests)
    await client.resolve(report, timeout=1e-9)
    assert asked == len(fake_lox24.requests)
    outcome = report[bulk_id]
    assert (CancelState.ACCEPTED, 1) == (outcome.state, outcome.attempts)
    assert isinstance(outcome.error, RequestTimeoutError)


async def test_stream_of_a_collection_that_is_left(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """Without a report there is nowhere to write down those that nobody came to."""
    ids = add(fake_lox24, 100)
    failures = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with client.iter_cancel(ids) as stream:
        async for _ in stream:
            break
    assert len(told(fake_lox24)) < len(ids)
    assert [] == failures


async def test_accepted_is_unresolved_but_no_failure(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """A 200 with status 5 is ACCEPTED: not to be worried about, but to be watched."""
    bulk_id = add(fake_lox24, 1)[0]
    fake_lox24.fail_next(body=f'{{"uuid": "{bulk_id}", "status_code": 5}}')
    report = await client.cancel_bulks([bulk_id])
    assert report[bulk_id].state is CancelState.ACCEPTED
    assert report.unresolved() == (str(bulk_id),)
    report.raise_for_failures()
    await client.resolve(report)
    assert report[bulk_id].state is CancelState.CANCELED


async def test_raise_for_failures(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """One error carries the whole report; it and the report can be pickled and copied."""
    report = await client.cancel_bulks([*add(fake_lox24, 2), *add(fake_lox24, 1, 10)])
    with pytest.raises(CancelFailedError, match="1 of 3") as caught:
        report.raise_for_failures()
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert isinstance(error, CancelFailedError)
        assert isinstance(error, Lox24Error)
        assert error.report.counts == report.counts
    assert repr(report) == "<CancelReport: 2 canceled, 1 too late>"


async def test_wrong_token_sends_one_request(fake_lox24: FakeLox24) -> None:
    """A batch under a mistyped token: one request, every id accounted for."""
    ids = add(fake_lox24, 1_000)
    async with Lox24Client("1:wrong", base_url=fake_lox24.url) as client:
        report = await client.cancel_bulks(ids)
    assert len(fake_lox24.requests) == 1
    assert report.counts[CancelState.REJECTED] == 1
    assert report.counts[CancelState.NOT_SENT] == 999


async def test_deadline_of_a_batch(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """When the time is over, what was not sent is NOT_SENT and nothing raises."""
    ids = add(fake_lox24, 200)
    fake_lox24.latency = 0.02
    report = await client.cancel_bulks(ids, timeout=0.1)
    assert len(report) == 200
    assert report.counts[CancelState.NOT_SENT] > 100
    assert_true(report, fake_lox24, ids)


async def test_close_in_a_batch(fake_lox24: FakeLox24) -> None:
    """Closing the client ends a batch: in flight come to an end, the rest is NOT_SENT."""
    ids = add(fake_lox24, 100)
    fake_lox24.latency = 0.01
    client = Lox24Client(fake_lox24.token, base_url=fake_lox24.url)
    task = asyncio.create_task(client.cancel_bulks(ids))
    while len(fake_lox24.requests) < 5:
        await asyncio.sleep(0)
    await client.close()
    report = await task
    assert len(report) == 100
    assert report.counts[CancelState.NOT_SENT] >= 80
    assert report.counts[CancelState.UNKNOWN] == 0
    assert_true(report, fake_lox24, ids)


async def test_refused_batch_stays_flat(fake_lox24: FakeLox24) -> None:
    """Outcomes that need no I/O stream too: the source is not read to its end first."""
    read = 0

    def source() -> Iterator[UUID]:
        nonlocal read
        while True:
            read += 1
            yield uuid4()

    async with Lox24Client("1:wrong", base_url=fake_lox24.url) as client:
        count = 0
        async for _ in client.iter_cancel(source()):
            count += 1
            if count == 1_000:
                break
    assert read < 1_200
    assert len(fake_lox24.requests) == 1


async def test_first_outcome_before_the_source_is_exhausted(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """The stream starts at once, however long the source is."""
    ids = add(fake_lox24, 300)
    source = iter(ids)
    stream = client.iter_cancel(source)
    first = await anext(stream)
    assert first.state is CancelState.CANCELED
    assert len(list(source)) > 250
    await stream.aclose()


async def test_outcomes_hold_no_frames(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Errors kept in a report do not keep the frames of their calls alive."""
    report = await client.cancel_bulks([uuid4(), *add(fake_lox24, 1, 10)])
    errors = [outcome.error for outcome in report.outcomes]
    assert all(error is not None and error.__traceback__ is None for error in errors)


async def test_run_that_is_over_is_let_go(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Neither its timer nor a cycle keeps what it was about, however long it might have taken."""

    class Ids(list[UUID]):
        """A collection that can be watched."""

    ids = Ids(add(fake_lox24, 3))
    known = weakref.ref(ids)
    gc.disable()
    try:
        await client.cancel_bulks(ids, timeout=3_600)
        del ids
        assert known() is None
    finally:
        gc.enable()


async def test_no_cycles_on_the_way(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A cancel leaves nothing that only the cycle collector would free."""
    for bulk_id in add(fake_lox24, 20):
        await client.cancel_bulk(bulk_id)
    ids = add(fake_lox24, 20)
    gc.collect()
    gc.disable()
    try:
        for bulk_id in ids:
            await client.cancel_bulk(bulk_id)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = [o for o in gc.garbage if type(o).__module__.startswith("lox24_async.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert [o for o in ours if "testing" not in type(o).__module__] == []


async def test_waiting_out_nothing_is_lost_in_a_storm(fake_lox24: FakeLox24) -> None:
    """Every id ends with an outcome when the gateway fails for a while."""
    ids = add(fake_lox24, 200)
    fake_lox24.fail_next(503, times=40)
    policy = RetryPolicy(max_attempts=20, initial_delay=0.001, max_delay=0.005)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=policy) as client:
        report = await client.cancel_bulks(ids)
    assert report.counts[CancelState.CANCELED] == 200


async def test_several_readers(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Tasks that share a stream get each outcome once, and all come to its end."""
    ids = add(fake_lox24, 50)
    stream = client.iter_cancel(ids)

    async def read() -> list[str]:
        return [outcome.bulk_id async for outcome in stream]

    parts = await asyncio.wait_for(asyncio.gather(*(read() for _ in range(5))), 10)
    assert sorted(map(str, ids)) == sorted(bulk_id for part in parts for bulk_id in part)


async def test_report_that_is_used_again(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A second run that learns nothing takes nothing away from what the first one knew."""
    canceled, gone, lost, unsent = map(str, add(fake_lox24, 4))
    fake_lox24.set_status(gone, BulkStatus.PROCESSED)
    fake_lox24.fail_next(drop="after", bulk_id=lost, times=9)
    report = await client.cancel_bulks([canceled, gone, lost])
    before = (CancelState.CANCELED, CancelState.TOO_LATE, CancelState.UNKNOWN)
    assert before == tuple(o.state for o in report.outcomes)

    ids = [canceled, gone, lost, unsent]
    await client.cancel_bulks(ids, report=report, timeout=-1)
    assert (*before, CancelState.NOT_SENT) == tuple(o.state for o in report.outcomes)
    await client.close()
    outcomes = [o async for o in client.iter_cancel(ids, report=report)]
    assert {*before, CancelState.NOT_SENT} == {o.state for o in outcomes}
    assert (*before, CancelState.NOT_SENT) == tuple(o.state for o in report.outcomes)
    assert (lost,) == report.unresolved()
    again = pickle.loads(pickle.dumps(report))
    assert [o.state for o in report.outcomes] == [o.state for o in again.outcomes]


async def test_report_that_is_used_again_learns(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A second run that knows more says so; while it is under way, the first one's word stands."""
    (lost,) = map(str, add(fake_lox24, 1))
    await prove(client, fake_lox24)
    fake_lox24.fail_next(drop="before", bulk_id=lost, times=9)
    report = await client.cancel_bulks([lost])
    assert report[lost].state is CancelState.UNKNOWN
    fake_lox24.stop_failing()
    fake_lox24.latency = 0.05
    run = asyncio.create_task(client.cancel_bulks([lost], report=report))
    await asyncio.sleep(0)
    assert report[lost].state is CancelState.UNKNOWN
    await run
    assert report[lost].state is CancelState.CANCELED


async def test_stream_that_broke_off_never_looks_complete(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """After a cancelled step, and for every reader beside, there is no end but an error."""
    ids = add(fake_lox24, 30)
    fake_lox24.latency = 0.05
    stream = client.iter_cancel(ids)
    await anext(stream)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(stream)
    with pytest.raises(RuntimeError, match="broke off before its end: a step was cancelled"):
        [_ async for _ in stream]
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_stream_of_which_a_worker_was_cancelled(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """By somebody who cancels all tasks, say: all workers leave, and it is no end."""
    stream = client.iter_cancel(add(fake_lox24, 30))
    await anext(stream)
    workers = set(stream._run.workers)
    workers.pop().cancel()
    with pytest.raises(RuntimeError, match="broke off before its end: one of its workers was"):
        [_ async for _ in stream]
    assert all(worker.done() for worker in workers)


async def test_readers_beside_one_that_got_an_error(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """A source that fails is told to one reader; the others are told that it did."""

    def source() -> Iterator[UUID]:
        yield from add(fake_lox24, 5)
        raise ZeroDivisionError

    stream = client.iter_cancel(source())

    async def read() -> int:
        return sum([1 async for _ in stream])

    found = await asyncio.gather(read(), read(), read(), return_exceptions=True)
    kinds = sorted(type(result).__name__ for result in found)
    assert ["RuntimeError", "RuntimeError", "ZeroDivisionError"] == kinds
