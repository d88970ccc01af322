"""What a batch promises: copies, how far it runs ahead, how it ends, what a report keeps."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import repeat
from typing import Any
from uuid import UUID, uuid4

import pytest

from lox24_async import (
    BulkStatus,
    CancelOutcome,
    CancelReport,
    CancelState,
    CancelStream,
    ClientClosedError,
    InvalidBulkIdError,
    Lox24Client,
    RequestTimeoutError,
    RetryPolicy,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import prove, puts


def add(gateway: FakeLox24, count: int, status: int = BulkStatus.NEW) -> list[str]:
    """Put bulks into the gateway and return their ids."""
    return [str(gateway.add_bulk(status).uuid) for _ in range(count)]


async def settle_down() -> None:
    """Let everything that can go on do so."""
    for _ in range(60):
        await asyncio.sleep(0.001)


# --- collections are copied


class Sized:
    """A collection of one's own, like an array: a length and an iterator, no more."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)


COLLECTIONS: dict[str, Callable[[list[str]], Any]] = {
    "list": list,
    "set": set,
    "dict": dict.fromkeys,
    "keys": lambda ids: dict.fromkeys(ids).keys(),
    "sized": lambda ids: Sized(list(ids)),
}


def remove(pending: Any, bulk_id: str) -> None:
    """Take an id out of a collection, of whatever kind."""
    if isinstance(pending, dict):
        del pending[bulk_id]
    elif isinstance(pending, list | set):
        pending.remove(bulk_id)
    elif isinstance(pending, Sized):
        pending.ids.remove(bulk_id)


@pytest.mark.parametrize("kind", COLLECTIONS)
@pytest.mark.parametrize("how", ["progress", "task", "stream"])
async def test_case_41_a_collection_that_changes_meanwhile(
    client: Lox24Client, fake_lox24: FakeLox24, kind: str, how: str
) -> None:
    """Case 41: whoever removes finished ids from the collection loses none by that."""
    ids = add(fake_lox24, 200)
    pending = COLLECTIONS[kind](ids)
    report = CancelReport()
    if how == "progress":
        await client.cancel_bulks(
            pending, report=report, progress=lambda o: remove(pending, o.bulk_id)
        )
    elif how == "stream":
        async for outcome in client.iter_cancel(pending, report=report):
            remove(pending, outcome.bulk_id)
    else:
        run = asyncio.create_task(client.cancel_bulks(pending, report=report))
        while not run.done():
            await asyncio.sleep(0)
            if isinstance(pending, list | set | dict):
                pending.clear()
        await run
    assert sorted(ids) == sorted(puts(fake_lox24))
    assert report.counts[CancelState.CANCELED] == 200


# --- how far ahead


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_case_52_leaving_early_with_the_iterator_alive(
    fake_lox24: FakeLox24, kind: str
) -> None:
    """Case 52: after a break at most max_concurrency cancels are on the wire, then and later."""
    ids = add(fake_lox24, 100)

    async def slowly() -> AsyncIterator[str]:
        for bulk_id in ids:
            await asyncio.sleep(0)
            yield bulk_id

    sources: dict[str, Any] = {"list": ids, "generator": iter(ids), "async": slowly()}
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, max_concurrency=7) as client:
        await client.cancel_bulk(ids[0])  # the token is proven
        fake_lox24.requests.clear()
        stream = client.iter_cancel(sources[kind])
        async for _ in stream:
            break
        await settle_down()
        assert len(puts(fake_lox24)) <= 7
        await stream.aclose()
        await settle_down()
        assert len(puts(fake_lox24)) <= 7


@pytest.mark.parametrize("width", [1, 3])
async def test_a_slow_consumer_is_never_far_behind(fake_lox24: FakeLox24, width: int) -> None:
    """Read and in flight and not taken together are at most max_concurrency, all the time."""
    ids = add(fake_lox24, 30)
    read, taken = 0, 0

    def source() -> Iterator[str]:
        nonlocal read
        for bulk_id in ids:
            read += 1
            yield bulk_id

    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, max_concurrency=width
    ) as client:
        async for _ in client.iter_cancel(source()):
            for _ in range(10):
                await asyncio.sleep(0.001)
                assert read - taken <= width
            taken += 1
    assert taken == len(set(puts(fake_lox24))) == 30


@pytest.mark.parametrize("readers", [1, 4])
@pytest.mark.parametrize("width", [1, 2])
async def test_readers_that_hold_what_they_took(
    fake_lox24: FakeLox24, readers: int, width: int
) -> None:
    """Tasks that share a stream never wait for one another: each id comes out once."""
    ids = add(fake_lox24, 25)
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, max_concurrency=width
    ) as client:
        stream = client.iter_cancel(ids)
        turn = asyncio.Event()

        async def read(first: bool) -> list[str]:
            found: list[str] = []
            if first and readers > 1:
                found.append((await anext(stream)).bulk_id)
                await turn.wait()  # takes one, and comes back when the others are done
            found += [o.bulk_id async for o in stream]
            turn.set()
            return found

        parts = await asyncio.wait_for(
            asyncio.gather(*(read(number == 0) for number in range(readers))), 60
        )
    assert sorted(ids) == sorted(bulk_id for part in parts for bulk_id in part)


# --- ends at once


class Waiting:
    """A source that gives some ids and then waits, like a queue."""

    def __init__(self, ids: list[str], *, endless: bool = False) -> None:
        self.ids = iter(ids)
        self.endless = endless
        self.read = 0

    def __aiter__(self) -> "Waiting":
        return self

    async def __anext__(self) -> str:
        for bulk_id in self.ids:
            self.read += 1
            return bulk_id
        if not self.endless:
            await asyncio.Event().wait()
        await asyncio.sleep(0.01)
        self.read += 1
        return str(uuid4())


@pytest.mark.looptime
@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_case_53_timeout_while_the_source_waits(
    fake_lox24: FakeLox24, endless: bool, streamed: bool
) -> None:
    """Case 53: the run ends when its time is over, whatever its source does."""
    ids, report = add(fake_lox24, 5), CancelReport()
    source = Waiting(ids, endless=endless)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        if streamed:
            [_ async for _ in client.iter_cancel(source, report=report, timeout=1)]
        else:
            assert await client.cancel_bulks(source, report=report, timeout=1) is report
        assert pytest.approx(1, abs=0.05) == loop.time() - begun
        assert source.read <= len(report) + 1
        assert {report[bulk_id].state for bulk_id in ids} == {CancelState.CANCELED}
        read = source.read
        await asyncio.sleep(1)
        assert source.read == read


@pytest.mark.looptime
@pytest.mark.parametrize("endless", [False, True])
async def test_case_53_close_while_the_source_waits(fake_lox24: FakeLox24, endless: bool) -> None:
    """Case 53: closing the client ends the run, and nothing is read to be told NOT_SENT."""
    ids, report = add(fake_lox24, 5), CancelReport()
    source = Waiting(ids, endless=endless)
    client = Lox24Client(fake_lox24.token, base_url=fake_lox24.url)
    run = asyncio.create_task(client.cancel_bulks(source, report=report))
    await asyncio.sleep(1)
    await client.close()
    read = source.read
    assert await asyncio.wait_for(run, 0.1) is report
    assert source.read <= read + 1
    assert {report[bulk_id].state for bulk_id in ids} == {CancelState.CANCELED}


@pytest.mark.looptime
@pytest.mark.parametrize("endless", [False, True])
async def test_case_53_progress_raises_while_the_source_waits(
    fake_lox24: FakeLox24, endless: bool
) -> None:
    """Case 53: a bug in ``progress`` comes out at once, also while others are in flight."""
    ids, report = add(fake_lox24, 5), CancelReport()
    fake_lox24.fail_if(lambda r: Fault(delay=50.0) if ids[4] in r.path else None)
    count = 0

    def progress(_: CancelOutcome) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise LookupError

    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        with pytest.raises(LookupError):
            await client.cancel_bulks(
                Waiting(ids, endless=endless), report=report, progress=progress
            )
        assert loop.time() - begun < 1
        assert report[ids[4]].state is CancelState.UNKNOWN
        assert count == 4


@pytest.mark.parametrize("width", [2, 10])
async def test_a_source_that_fails_while_results_wait(fake_lox24: FakeLox24, width: int) -> None:
    """What was read before the source failed comes out first; then its error."""
    ids = add(fake_lox24, 3)

    async def source() -> AsyncIterator[str]:
        for bulk_id in ids:
            yield bulk_id
        raise LookupError("no more")

    seen: list[str] = []

    async def consume(stream: CancelStream) -> None:
        async for outcome in stream:
            await asyncio.sleep(0.02)
            seen.append(outcome.bulk_id)

    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, max_concurrency=width
    ) as client:
        with pytest.raises(LookupError):
            await consume(client.iter_cancel(source()))
    assert sorted(ids) == sorted(seen)


@pytest.mark.parametrize("streamed", [False, True])
async def test_time_over_in_a_large_collection(
    client: Lox24Client, fake_lox24: FakeLox24, streamed: bool
) -> None:
    """Of a collection each id gets its outcome, with the reason, and nothing more is sent."""
    ids = add(fake_lox24, 50) + [str(uuid4()) for _ in range(5_000)]
    fake_lox24.latency = 0.05
    if streamed:
        found = [o async for o in client.iter_cancel(ids, timeout=0.2)]
    else:
        found = list((await client.cancel_bulks(ids, timeout=0.2)).outcomes)
    assert len(found) == 5_050
    unsent = [o for o in found if o.state is CancelState.NOT_SENT]
    assert len(unsent) > 4_000
    assert all(isinstance(o.error, RequestTimeoutError) for o in unsent)
    assert not {o.bulk_id for o in unsent} & set(puts(fake_lox24))


async def test_a_closed_client_reads_no_stream(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A stream is not begun on a closed client; a collection is told NOT_SENT, with the cause."""
    ids = add(fake_lox24, 3)
    await client.close()
    source = iter(ids)
    with pytest.raises(ClientClosedError):
        await client.cancel_bulks(source)
    assert ids == list(source)
    report = await client.cancel_bulks(ids)
    assert report.counts[CancelState.NOT_SENT] == 3
    assert all(isinstance(o.error, ClientClosedError) for o in report.outcomes)


async def test_a_stream_that_could_not_begin_never_looks_complete(
    client: Lox24Client,
) -> None:
    """After an error of its first step there is no quiet end."""
    await client.close()
    stream = client.iter_cancel(iter([str(uuid4())]))
    with pytest.raises(ClientClosedError):
        await anext(stream)
    with pytest.raises(RuntimeError, match="broke off"):
        await anext(stream)


# --- what is an id


class Word(str):
    """A subclass of ``str``, as numpy's are."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


async def test_case_64_ids_of_a_subclass_of_str(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Case 64: ids of a subclass of str, in a collection of one's own, are cancelled."""
    ids = add(fake_lox24, 4)
    report = await client.cancel_bulks(Sized([Word(bulk_id.upper()) for bulk_id in ids]))
    assert report.counts[CancelState.CANCELED] == 4
    assert [type(o.bulk_id) for o in report.outcomes] == [str] * 4
    assert (await client.cancel_bulk(Word(ids[0]))).is_canceled
    refused = await client.cancel_bulks([Word("x")])
    assert ("x", CancelState.REJECTED) == (refused["x"].bulk_id, refused["x"].state)


async def test_case_65_lines_of_a_file(
    client: Lox24Client, fake_lox24: FakeLox24, tmp_path: Any
) -> None:
    """Case 65: the lines of an open file are refused, and the message shows the line break."""
    ids = add(fake_lox24, 3)
    path = tmp_path / "ids.txt"
    path.write_text("\n".join([*ids, "\u0430bc"]) + "\n")
    with path.open() as file:
        report = await client.cancel_bulks(file)
    assert report.counts[CancelState.REJECTED] == 4
    said = [str(o.error) for o in report.outcomes]
    assert all(type(o.error) is InvalidBulkIdError for o in report.outcomes)
    assert all(line.isprintable() and "\\n'" in line for line in said)
    assert f"'{ids[0]}\\n'" in said[0]
    assert "'\\u0430bc\\n'" in said[3]
    assert puts(fake_lox24) == []
    assert report.unfinished() == ()


# --- a report that is used again


def refuse(status: int) -> Callable[[ReceivedRequest], Fault | None]:
    """Refuse cancels, and lose each look."""
    return lambda r: Fault(status=status) if r.method == "PUT" else Fault(drop="before")


@pytest.mark.parametrize("status", [401, 402, 403, 409, 422, 429])
async def test_case_51_a_report_used_again(fake_lox24: FakeLox24, status: int) -> None:
    """Case 51: what a second run does not learn takes nothing away from the first one's report."""
    canceled, lost, gone, accepted = add(fake_lox24, 4)
    fake_lox24.set_status(gone, BulkStatus.PROCESSED)
    fake_lox24.fail_next(drop="before", bulk_id=lost, times=9)
    fake_lox24.fail_next(
        body=f'{{"uuid":"{accepted}","status_code":5}}', bulk_id=accepted, method="PUT"
    )
    policy = RetryPolicy(initial_delay=0.001, max_delay=0.001, max_attempts=2, max_wait=0.1)
    ids = [canceled, lost, gone, accepted]
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=policy) as client:
        report = await client.cancel_bulks(ids)
        before = [o.state for o in report.outcomes]
        assert before == [
            *(CancelState.CANCELED, CancelState.UNKNOWN),
            *(CancelState.TOO_LATE, CancelState.ACCEPTED),
        ]
        fake_lox24.stop_failing()
        fake_lox24.fail_if(refuse(status))
        told: list[CancelOutcome] = []
        await client.cancel_bulks(ids, report=report, progress=told.append)
    assert [o.state for o in report.outcomes] == before
    assert {o.bulk_id: o.state for o in told} == {o.bulk_id: o.state for o in report.outcomes}
    assert report.unfinished() == (lost, accepted)


async def test_a_refusal_that_was_looked_into_is_knowledge(fake_lox24: FakeLox24) -> None:
    """UNKNOWN gives way to a refusal whose look saw the bulk still running."""
    (lost,) = add(fake_lox24, 1)
    fake_lox24.fail_next(drop="before", bulk_id=lost, times=9)
    policy = RetryPolicy(initial_delay=0.001, max_delay=0.001)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=policy) as client:
        await prove(client, fake_lox24)
        report = await client.cancel_bulks([lost])
        assert report[lost].state is CancelState.UNKNOWN
        fake_lox24.stop_failing()
        fake_lox24.fail_next(409, method="PUT")
        await client.cancel_bulks([lost], report=report)
    outcome = report[lost]
    assert outcome.state is CancelState.REJECTED
    assert outcome.bulk is not None
    assert outcome.bulk.status_code == BulkStatus.NEW
    assert report.unfinished() == ()


@pytest.mark.parametrize(
    ("status", "finished"),
    [(400, True), (409, True), (422, True), (401, False), (402, False), (403, False), (405, False)],
)
async def test_unfinished(fake_lox24: FakeLox24, status: int, finished: bool) -> None:
    """A verdict about the bulk is an end; all else is for another run."""
    done, refused, missing = *add(fake_lox24, 2), str(uuid4())
    fake_lox24.fail_next(status, bulk_id=refused, method="PUT", times=2)
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, retry=RetryPolicy.none()
    ) as client:
        await client.cancel_bulk(done)
        report = await client.cancel_bulks([done, missing, "no id", refused])
    assert report[refused].state is CancelState.REJECTED
    assert report.unfinished() == (() if finished else (refused,))


async def test_request_ids(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A bulk tells which answer it came with; an outcome, which answer decided."""
    good, gone, refused = add(fake_lox24, 3)
    fake_lox24.set_status(gone, BulkStatus.PROCESSED)
    fake_lox24.fail_next(400, bulk_id=refused, method="PUT")
    report = await client.cancel_bulks([good, gone, refused, str(uuid4())])
    for outcome in report.outcomes:
        assert outcome.request_id
        if outcome.state is not CancelState.REJECTED and outcome.bulk is not None:
            assert outcome.request_id == outcome.bulk.request_id
    listed = [bulk async for bulk in client.list_bulks()]
    assert len({bulk.request_id for bulk in listed}) == 1
    assert all(bulk.request_id for bulk in listed)
    assert (await client.get_bulk(good)).request_id


async def test_the_report_of_an_interrupted_stream_keeps_its_word(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """Outcomes of what was in flight are fixed when the run ends: no later call changes them."""
    ids, report = [UUID(bulk_id) for bulk_id in add(fake_lox24, 20)], CancelReport()
    fake_lox24.fail_next(delay=60, bulk_id=ids[1])
    async with client.iter_cancel(ids, report=report) as stream:
        await anext(stream)
    before = report.outcomes
    assert [str(bulk_id) for bulk_id in ids] == [o.bulk_id for o in before]  # of a list, all
    await settle_down()
    assert before == report.outcomes
    assert report[ids[1]].state is CancelState.UNKNOWN


@pytest.mark.parametrize("kind", ["repeat", "endless", "generator"])
async def test_case_53_sources_that_never_end(
    client: Lox24Client, fake_lox24: FakeLox24, kind: str
) -> None:
    """Case 53: the same id for ever, new ids for ever, an async generator on a queue."""
    (bulk_id,) = add(fake_lox24, 1)
    queue: asyncio.Queue[str] = asyncio.Queue()
    queue.put_nowait(bulk_id)
    closed = False

    async def from_queue() -> AsyncIterator[str]:
        nonlocal closed
        try:
            while True:
                yield await queue.get()
        finally:
            closed = True

    def endless() -> Iterator[str]:
        yield bulk_id
        while True:
            yield str(uuid4())

    sources: dict[str, Any] = {
        "repeat": repeat(bulk_id),
        "endless": endless(),
        "generator": from_queue(),
    }
    report = await asyncio.wait_for(client.cancel_bulks(sources[kind], timeout=2), 60)
    assert report[bulk_id].state is CancelState.CANCELED
    assert closed is (kind == "generator")
    unsent = report.counts[CancelState.NOT_SENT]
    assert unsent <= 10


@pytest.mark.looptime
async def test_reading_ends_while_a_consumer_is_slow(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """Results that wait when the time is over still come out; nothing more is read."""
    ids = add(fake_lox24, 40)
    source, seen = iter(ids), 0
    async for outcome in client.iter_cancel(source, timeout=20):
        assert outcome.state is CancelState.CANCELED
        seen += 1
        if seen == 3:
            await asyncio.sleep(40)
    assert 3 <= seen <= 13
    assert len(list(source)) == 40 - seen
