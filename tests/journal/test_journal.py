"""The journal: what a run writes, when, and what can be read of it."""

import asyncio
import hashlib
import json
import os
import pickle
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

from lox24_async import (
    BulkFilter,
    BulkStatus,
    CancelJournal,
    CancelOutcome,
    CancelReport,
    CancelState,
    ConfigurationError,
    JournalError,
    Lox24Client,
    Lox24Error,
    RetryPolicy,
    ServerError,
    TransportError,
)
from lox24_async._journal import file as file_module
from lox24_async._journal.file import JournalFile
from lox24_async._journal.lines import MARK, run_line
from lox24_async._journal.writer import Writer
from lox24_async._operations.recording import Record
from lox24_async.testing import FakeLox24
from tests.conftest import puts

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "journal.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def add(gateway: FakeLox24, count: int, status: int = BulkStatus.NEW, **more: Any) -> list[str]:
    """Put bulks into the gateway and return their ids."""
    return [str(gateway.add_bulk(status, **more).uuid) for _ in range(count)]


def lines(path: Path, event: str | None = None) -> list[dict[str, Any]]:
    """Return the lines of a journal, each held against the schema."""
    found = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    for one in found:
        VALIDATOR.validate(one)
    return [one for one in found if event in (None, one["event"])]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a journal can be."""
    return tmp_path / "stop.jsonl"


@pytest.mark.parametrize("durable", [False, True])
async def test_a_run_of_a_collection(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path, durable: bool
) -> None:
    """Every event of the format, every field, and the report that the file proves."""
    ids = add(fake_lox24, 30, price=1.5, msg_total_count=7)
    done, missing = *add(fake_lox24, 1, BulkStatus.PROCESSED), str(uuid4())
    refused = add(fake_lox24, 1)[0]
    fake_lox24.fail_next(409, bulk_id=refused, method="PUT")
    journal = CancelJournal(path, note="ticket 4711: ü", durable=durable)
    given = [*ids, done, missing, refused, "no id\n", ids[0].upper()]
    report = await client.cancel_bulks(given, journal=journal)

    (run,), (end,) = lines(path, "run"), lines(path, "end")
    planned = [*ids, done, missing, refused]
    assert run["format"] == "lox24-journal/1"
    assert run["origin"] == fake_lox24.url
    assert run["client_id"] == fake_lox24.token.partition(":")[0]
    assert run["total"] == 33
    assert run["sha256"] == hashlib.sha256("\n".join(sorted(planned)).encode()).hexdigest()
    assert run["pid"] == os.getpid()
    assert run["note"] == "ticket 4711: ü"
    assert run["filter"] is None
    assert [one["event"] for one in lines(path)][:2] == ["run", "planned"]
    assert [b for one in lines(path, "planned") for b in one["bulk_ids"]] == planned
    assert [b for one in lines(path, "sent") for b in one["bulk_ids"]] == planned
    outcomes = {one["bulk_id"]: one for one in lines(path, "outcome")}
    assert set(outcomes) == {*planned, "no id\n"}
    assert outcomes[ids[0]]["state"] == "canceled"
    assert outcomes[ids[0]]["status_code"] == 15
    assert (outcomes[ids[0]]["messages"], outcomes[ids[0]]["price"]) == (7, "1.5")
    assert outcomes[ids[0]]["request_id"] == report[ids[0]].request_id
    assert outcomes[missing]["error"]["type"] == "NotFoundError"
    assert end["counts"] == {state.value: n for state, n in report.counts.items()}
    assert end["interrupted"] is False

    again = CancelJournal.read(path)
    assert again.counts == report.counts == journal.report.counts
    assert [o.bulk_id for o in again.outcomes] == [*planned, "no id\n"]
    for outcome in again.outcomes:
        known = report[outcome.bulk_id]
        assert (outcome.state, outcome.attempts) == (known.state, known.attempts)
        assert type(outcome.error) is type(known.error)
        assert getattr(outcome.error, "message", "") == getattr(known.error, "message", "")
        assert str(outcome.error).partition(", request id")[0] in str(known.error)
        assert outcome.request_id == known.request_id
    assert again.unfinished() == ()
    assert journal.error is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert fake_lox24.token.partition(":")[2] not in path.read_text()
    (told,) = journal.runs
    assert (told.total, told.note, told.interrupted) == (33, "ticket 4711: ü", False)
    assert told.counts == report.counts
    assert (journal.origin, journal.client_id) == (run["origin"], run["client_id"])


async def test_many_planned(client: Lox24Client, path: Path) -> None:
    """At most 500 ids stand in a line of what is planned, and all before the first cancel."""
    ids = [str(uuid4()) for _ in range(1_201)]
    await client.cancel_bulks(ids, journal=CancelJournal(path), timeout=0)
    planned = lines(path, "planned")
    assert [500, 500, 201] == [len(one["bulk_ids"]) for one in planned]
    assert [b for one in planned for b in one["bulk_ids"]] == ids
    assert lines(path, "end")[0]["interrupted"] is True
    assert lines(path, "end")[0]["counts"]["not sent"] == 1_201


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_sent_before_the_first_byte(
    fake_lox24: FakeLox24, path: Path, durable: bool, kind: str
) -> None:
    """Whenever a cancel arrives, its id is in the file already."""
    ids = add(fake_lox24, 60)
    late: list[str] = []

    def look(request: Any) -> None:
        bulk_id = request.path.split("/")[2]
        before = path.read_text().splitlines()
        if not any(bulk_id in line for line in before if line.startswith('{"event":"sent"')):
            late.append(bulk_id)

    async def slowly() -> AsyncIterator[str]:
        for bulk_id in ids:
            await asyncio.sleep(0)
            yield bulk_id

    fake_lox24.fail_if(look)
    sources: dict[str, Any] = {"list": ids, "generator": iter(ids), "async": slowly()}
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, max_concurrency=7) as client:
        journal = CancelJournal(path, durable=durable)
        async for _ in client.iter_cancel(sources[kind], journal=journal):
            pass
    assert late == []
    assert len(puts(fake_lox24)) == 60
    assert lines(path, "run")[0]["total"] == (60 if kind == "list" else None)
    assert CancelJournal.read(path).counts[CancelState.CANCELED] == 60
    in_a_line = max(len(one["bulk_ids"]) for one in lines(path, "sent"))
    group = 60 if durable else 7  # a sync is dear: more are announced together
    assert in_a_line == (group if kind == "list" else 1)


async def test_outcomes_within_a_tenth_of_a_second(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path
) -> None:
    """While the run goes on, each outcome is in the file soon."""
    (one, slow) = add(fake_lox24, 2)
    await client.cancel_bulk(one)
    fake_lox24.fail_next(delay=0.5, bulk_id=slow)
    run = asyncio.create_task(client.cancel_bulks([one, slow], journal=CancelJournal(path)))
    for _ in range(40):
        await asyncio.sleep(0.01)
        if path.exists() and lines(path, "outcome"):
            break
    assert [line["bulk_id"] for line in lines(path, "outcome")] == [one]
    assert not run.done()
    midway = CancelJournal.read(path)
    assert (midway[one].state, midway[slow].state) == (CancelState.CANCELED, CancelState.UNKNOWN)
    assert CancelJournal.runs_of(path)[0].ended is None
    await run


async def test_resumed(fake_lox24: FakeLox24, path: Path) -> None:
    """A later run in the same file takes up what is unfinished, and the file proves both."""
    ids = add(fake_lox24, 40)
    fake_lox24.fail_next(402, bulk_id=ids[3], method="PUT")
    fake_lox24.fail_next(drop="before", bulk_id=ids[5], times=2)
    policy = RetryPolicy.none()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=policy) as client:
        await client.cancel_bulk(add(fake_lox24, 1)[0])
        fake_lox24.latency = 0.03
        first = await client.cancel_bulks(ids, journal=CancelJournal(path), timeout=0.08)
        fake_lox24.latency = 0.0
        fake_lox24.stop_failing()
        assert first.counts[CancelState.NOT_SENT]
        journal = CancelJournal(path)
        assert journal.report.counts == first.counts
        assert set(journal.report.unfinished()) == set(first.unfinished())
        report = journal.report
        await client.cancel_bulks(report.unfinished(), report=report, journal=journal)
    assert [o for o in report.outcomes if o.state is not CancelState.CANCELED] == []
    assert journal.report.counts == CancelJournal.read(path).counts == report.counts
    assert [o.bulk_id for o in journal.report.outcomes] == ids
    assert [run.interrupted for run in journal.runs] == [True, False]
    assert len({run.run for run in journal.runs}) == 2
    assert journal.report.unfinished() == ()


async def test_looks_are_written_down(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path
) -> None:
    """What resolve and settle find settles it in the file too; they plan and send nothing."""
    slow, lost = add(fake_lox24, 2)
    fake_lox24.fail_next(body=f'{{"uuid":"{slow}","status_code":5}}', bulk_id=slow, method="PUT")
    fake_lox24.fail_next(drop="after", bulk_id=lost, times=8)
    journal = CancelJournal(path)
    await client.cancel_bulks([slow, lost], journal=journal)
    fake_lox24.stop_failing()
    report = journal.report
    assert set(report.unresolved()) == {slow, lost}
    fake_lox24.set_status(slow, BulkStatus.CANCELED)
    await client.resolve(report, journal=journal)
    assert CancelJournal.read(path).counts[CancelState.CANCELED] == 2
    assert len(lines(path, "sent")) == 1
    assert [run["total"] for run in lines(path, "run")] == [2, None]


async def test_matching(client: Lox24Client, fake_lox24: FakeLox24, path: Path) -> None:
    """A run by a filter says what was selected; a dry run writes nothing."""
    mine = add(fake_lox24, 3, sender_id="Acme")
    add(fake_lox24, 2, sender_id="Acme Bank")
    wanted = BulkFilter(
        sender_id_exact="Acme",
        created_from=datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        min_messages=0,
    )
    await client.cancel_matching(wanted, dry_run=True, journal=CancelJournal(path))
    assert path.read_text() == ""
    report = await client.cancel_matching(wanted, journal=CancelJournal(path))
    (run,) = lines(path, "run")
    assert run["filter"] == {
        "sender_id_exact": "Acme",
        "created_from": "2020-01-01T00:00:00Z",
        "min_messages": 0,
    }
    assert run["total"] is None
    assert lines(path, "planned") == []
    assert set(mine) == {o.bulk_id for o in CancelJournal.read(path).outcomes}
    assert report.counts[CancelState.CANCELED] == 3


@pytest.mark.parametrize("how", ["cancel", "progress", "break", "close"])
async def test_interrupted(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path, how: str
) -> None:
    """A run that is cut short ends in the file: done, unknown and never sent are told apart."""
    ids, report = add(fake_lox24, 100), CancelReport()
    await client.cancel_bulk(add(fake_lox24, 1)[0])
    fake_lox24.latency = 0.02
    journal = CancelJournal(path)

    def fail(_: object) -> None:
        if len(report.outcomes) > 15:
            raise LookupError

    if how == "break":
        async with client.iter_cancel(ids, report=report, journal=journal) as stream:
            for _ in range(15):
                await anext(stream)
    else:
        progress = fail if how == "progress" else None
        run = asyncio.create_task(
            client.cancel_bulks(ids, report=report, journal=journal, progress=progress)
        )
        while len(puts(fake_lox24)) < 25 and not run.done():
            await asyncio.sleep(0)
        if how == "cancel":
            run.cancel()
        elif how == "close":
            await client.close()
        await asyncio.gather(run, return_exceptions=True)
    (end,) = lines(path, "end")
    assert end["interrupted"] is True
    proven = CancelJournal.read(path)
    assert len(proven) == 100
    received = set(puts(fake_lox24))
    for outcome in proven.outcomes:
        if outcome.state is CancelState.NOT_SENT:
            assert outcome.bulk_id not in received
        if outcome.bulk_id in report:
            assert outcome.state is report[outcome.bulk_id].state
    assert proven.counts[CancelState.CANCELED] > 5
    assert proven.counts[CancelState.NOT_SENT] > 50
    assert end["counts"] == {state.value: n for state, n in proven.counts.items()}


# --- the file


async def test_a_torn_line(client: Lox24Client, fake_lox24: FakeLox24, path: Path) -> None:
    """A last line that was cut is ignored, and a new line begins after it."""
    first, second = add(fake_lox24, 2)
    journal = CancelJournal(path)
    await client.cancel_bulks([first, second], journal=journal)
    whole = path.read_bytes()
    for cut in range(1, 400, 7):
        path.write_bytes(whole[:-cut])
        report = CancelJournal.read(path)
        assert {o.state for o in report.outcomes} <= {CancelState.CANCELED, CancelState.UNKNOWN}
    path.write_bytes(whole[:-200])
    journal = CancelJournal(path)
    await client.cancel_bulks(journal.report.unfinished(), journal=journal)
    assert journal.report.counts[CancelState.CANCELED] == 2
    assert journal.error is None
    torn = [line for line in path.read_bytes().splitlines() if not line.endswith(b"}")]
    assert len(torn) == 1


def test_every_cut_of_a_journal_can_be_read(path: Path) -> None:
    """Wherever the first lines were cut, the file is read, and gone on with."""
    run = {"event": "run", "t": "2026-01-01T00:00:00.000Z", "format": "lox24-journal/1"}
    data = json.dumps(run | {"run": "x"}, separators=(",", ":")).encode() + b"\n"
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        assert len(CancelJournal(path).report) == 0


async def test_two_writers(client: Lox24Client, fake_lox24: FakeLox24, path: Path) -> None:
    """The second run is refused before anything is sent; when the first is over, it may."""
    fake_lox24.latency = 0.05
    used = CancelJournal(path)
    first = asyncio.create_task(client.cancel_bulks(add(fake_lox24, 5), journal=used))
    await asyncio.sleep(0.02)
    mine = add(fake_lox24, 1)
    for journal in (CancelJournal(path), used):
        with pytest.raises(JournalError, match="another run"):
            await client.cancel_bulks(mine, journal=journal)
        with pytest.raises(OSError, match="another run"):
            await anext(client.iter_cancel(mine, journal=journal))
        with pytest.raises(JournalError):
            await client.cancel_matching(BulkFilter(), journal=journal)
    await first
    assert not set(mine) & set(puts(fake_lox24))
    report = await client.cancel_bulks(mine, journal=CancelJournal(path))
    assert report.counts[CancelState.CANCELED] == 1


@pytest.mark.parametrize(
    "content", ["hello\n", '{"a": 1}\n', '["x"]', '{"event":"run","format":"lox24-journal/2"}\n']
)
def test_another_file_is_left_alone(path: Path, content: str) -> None:
    """What is no journal of this format is refused, and not touched."""
    path.write_text(content)
    with pytest.raises(JournalError, match=r"no journal") as caught:
        CancelJournal(path)
    assert str(path) in str(caught.value)
    with pytest.raises(JournalError):
        CancelJournal.read(path)
    assert path.read_text() == content


def test_cannot_be_opened(tmp_path: Path) -> None:
    """A folder, a path without its folder, a file that is not there to be read: typed."""
    with pytest.raises(JournalError, match="cannot be opened"):
        CancelJournal(tmp_path)
    with pytest.raises(JournalError, match="cannot be opened"):
        CancelJournal(tmp_path / "no" / "stop.jsonl")
    with pytest.raises(JournalError, match="cannot be read"):
        CancelJournal.read(tmp_path / "stop.jsonl")
    for values in ({"note": 5}, {"durable": 1}):
        with pytest.raises(ConfigurationError):
            CancelJournal(tmp_path / "x.jsonl", **values)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        CancelJournal(7)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


async def test_not_a_journal(client: Lox24Client, path: Path) -> None:
    """A path in the journal's place is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="CancelJournal"):
        await client.cancel_bulks([], journal=path)  # type: ignore[arg-type]


async def test_changed_by_hand(client: Lox24Client, fake_lox24: FakeLox24, path: Path) -> None:
    """Lines that make no sense are left out, not fatal; unknown events too."""

    def outcome(bulk_id: str, kind: str, state: str = "unknown", **more: object) -> str:
        error = {"type": kind, "message": "m"}
        values = {"event": "outcome", "bulk_id": bulk_id, "state": state, "error": error}
        return json.dumps(values | more)

    (bulk_id,) = add(fake_lox24, 1)
    await client.cancel_bulks([bulk_id], journal=CancelJournal(path))
    with path.open("a") as file:
        for line in (
            *("null", "[]", '{"event":5}', '{"event":"outcome"}', '{"event":"sent"}', "\0\0\0"),
            '{"event":"planned","bulk_ids":7}',
            '{"event":"new","t":"x"}',
            outcome("x", "os", state="odd"),
            outcome("y", "Violation"),
            outcome("z", "IntermediaryError"),
            outcome(bulk_id.upper(), "Lox24Error", state="canceled", status_code=15, price="much"),
            '{"event":"end"}',
        ):
            file.write(line + "\n")
    report = CancelJournal.read(path)
    assert report[bulk_id].state is CancelState.CANCELED
    assert report["x"].state is CancelState.UNKNOWN
    assert [type(report[name].error) for name in "xyz"] == [Lox24Error, Lox24Error, TransportError]
    bulk = report[bulk_id].bulk
    assert bulk is not None
    assert bulk.price is None
    assert CancelJournal.runs_of(path)[0].counts is None


async def test_a_status_that_its_class_does_not_tell(fake_lox24: FakeLox24, path: Path) -> None:
    """A 503 is read as a 503, though all of its kind are of one class."""
    (bulk_id,) = add(fake_lox24, 1)
    fake_lox24.fail_next(503)
    policy = RetryPolicy.none()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=policy) as client:
        report = await client.cancel_bulks([bulk_id], journal=CancelJournal(path))
    known, error = report[bulk_id].error, CancelJournal.read(path)[bulk_id].error
    assert isinstance(known, ServerError)
    assert isinstance(error, ServerError)
    assert (error.status, error.message) == (503, known.message)


def write(path: Path, *events: dict[str, Any]) -> None:
    """Write a journal by hand."""
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def test_a_run_line_that_is_there_twice(path: Path) -> None:
    """A write that broke off right behind it is repeated with it: that is one run."""
    run = {"event": "run", "format": "lox24-journal/1", "run": "x", "total": 1}
    planned = {"event": "planned", "bulk_ids": [str(uuid4())]}
    write(path, run, planned, run, planned)
    assert [one.run for one in CancelJournal.runs_of(path)] == ["x"]
    assert CancelJournal.read(path).counts[CancelState.NOT_SENT] == 1


@pytest.mark.parametrize("total", [1, None])
def test_not_sent_in_a_run_that_lost_lines(path: Path, total: int | None) -> None:
    """Where a bulk may have been tried again, its later cancel may be among what was lost."""
    bulk_id = str(uuid4())
    run = {"event": "run", "format": "lox24-journal/1", "run": "x", "total": total, "failed": True}
    write(path, run, {"event": "outcome", "bulk_id": bulk_id, "state": "not sent"})
    expected = CancelState.UNKNOWN if total is None else CancelState.NOT_SENT
    assert CancelJournal.read(path)[bulk_id].state is expected


async def test_read_while_a_run_writes(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path
) -> None:
    """The journal that a run writes to tells at any moment what has come out of it."""
    journal = CancelJournal(path)
    assert str(path) in repr(journal)
    seen: list[int] = []

    def look(_: object) -> None:
        seen.append(journal.report.counts[CancelState.CANCELED])

    await client.cancel_bulks(add(fake_lox24, 5), journal=journal, progress=look)
    assert seen == [1, 2, 3, 4, 5]
    path.unlink()
    with pytest.raises(JournalError, match="cannot be read"):
        _ = journal.report


async def test_time_is_over_within_a_stream(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path
) -> None:
    """What its source gave too late is in the file as not sent, and nowhere as sent."""
    ids = add(fake_lox24, 2)
    await client.cancel_bulk(add(fake_lox24, 1)[0])

    def slowly() -> Iterator[str]:
        yield ids[0]
        time.sleep(1.0)  # the event loop stands still: no alarm can ring
        yield ids[1]

    await client.cancel_bulks(slowly(), journal=CancelJournal(path), timeout=0.7)
    assert CancelJournal.read(path)[ids[1]].state is CancelState.NOT_SENT
    assert [b for one in lines(path, "sent") for b in one["bulk_ids"]] == [ids[0]]


async def test_outside_a_run_nothing_is_written(client: Lox24Client, path: Path) -> None:
    """What comes before a run begins, or after its end, is not in the file."""
    record = Record(CancelJournal(path), client._engine, 1)
    bulk_id = str(uuid4())
    assert record.announce(bulk_id) == 0
    await record.synced(1)
    record.skip(bulk_id)
    record.note(CancelOutcome(bulk_id, CancelState.NOT_SENT))
    record.end(interrupted=False)
    assert path.read_bytes() == b""


def test_a_file_that_cannot_be_read_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened, and then no word out of it: typed, and no descriptor stays open."""
    descriptors: list[int] = []

    def fail(file: JournalFile) -> bool:
        descriptors.append(file.fd)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(JournalFile, "_ends_torn", fail)
    with pytest.raises(JournalError, match="cannot be read: Input/output error"):
        CancelJournal(path)
    for descriptor in descriptors:
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(descriptor)


@pytest.mark.skipif(file_module._fcntl is None, reason="Windows locks in another way")
async def test_a_file_system_without_locks(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better a journal than none."""

    def fail(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", fail)
    journal = CancelJournal(path)
    await client.cancel_bulks(add(fake_lox24, 2), journal=journal)
    assert journal.report.counts[CancelState.CANCELED] == 2
    assert journal.error is None


def test_a_user_without_a_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's has only a number."""

    def fail() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", fail)
    line, _ = run_line(origin="o", client_id="1", planned=None, wanted=None, note=None)
    assert json.loads(line)["user"] is None


def test_the_mark_of_a_file_that_was_moved_away(path: Path) -> None:
    """It is not written into another one that stands in its place."""
    line, mark_at = run_line(origin="o", client_id="1", planned=None, wanted=None, note=None)
    file = JournalFile(path)
    file.append(line, mark_at=mark_at)
    path.rename(path.with_suffix(".1"))
    path.write_bytes(line)
    file.mark(MARK)
    file.close()
    assert path.read_bytes() == path.with_suffix(".1").read_bytes() == line


async def test_nothing_to_write_on_a_disk_that_cannot_sync(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last sync fails as quietly as any other."""

    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(JournalFile, "sync", fail)
    complaints: list[OSError] = []
    file = JournalFile(path)
    Writer(file, durable=True, complain=complaints.append).close()
    assert [error.errno for error in complaints] == [5]
    assert file.fd == -1


async def test_a_write_that_breaks_off_between_lines(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the file whole is not written again; of the rest the oldest is lost first."""
    monkeypatch.setattr("lox24_async._journal.writer._MOST_KEPT", 45)
    complaints: list[OSError] = []
    writer = Writer(JournalFile(path), durable=False, complain=complaints.append)
    real, room = os.write, 25

    def write(fd: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(28, "No space left on device")
        done = real(fd, data[:room])
        room -= done
        return done

    monkeypatch.setattr("os.write", write)
    for number in range(8):
        writer.put(b'{"line":%2d}\n' % number)
    writer.flush()
    room = 10_000
    writer.close()
    assert [error.errno for error in complaints] == [28]
    found = [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
    assert [one.get("line", one.get("lost")) for one in found] == [0, 1, 3, 5, 6, 7]


async def test_a_disk_that_hangs(
    client: Lox24Client,
    fake_lox24: FakeLox24,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A sync that takes too long is not waited for: one WARNING, and the stop goes on."""
    hung = threading.Event()
    monkeypatch.setattr("lox24_async._journal.writer._PATIENCE", 0.1)
    monkeypatch.setattr("lox24_async._journal.file.JournalFile.sync", lambda _: hung.wait(60))
    journal = CancelJournal(path, durable=True)
    try:
        report = await client.cancel_bulks(add(fake_lox24, 200), journal=journal)
    finally:
        hung.set()
    assert report.counts[CancelState.CANCELED] == 200
    assert "more than 0.1 s" in str(journal.error)
    assert [r.levelname for r in caplog.records if "journal" in r.message] == ["WARNING"]
    assert CancelJournal.read(path).counts == report.counts


async def test_a_sync_that_fails(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that cannot sync: the same."""

    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("lox24_async._journal.file.JournalFile.sync", fail)
    journal = CancelJournal(path, durable=True)
    report = await client.cancel_bulks(add(fake_lox24, 200), journal=journal)
    assert report.counts[CancelState.CANCELED] == 200
    assert "Input/output error" in str(journal.error)
    assert journal.error is not None
    assert isinstance(pickle.loads(pickle.dumps(journal.error)), JournalError)


async def test_many_lost_lines(
    client: Lox24Client, fake_lox24: FakeLox24, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be kept until the disk has space again is counted; the rest is told late."""
    monkeypatch.setattr("lox24_async._journal.writer._MOST_KEPT", 2_000)
    ids, count = add(fake_lox24, 60), 0
    real, full = os.write, True

    def write(fd: int, data: bytes) -> int:
        if full and data.startswith(b"{"):
            raise OSError(28, "No space left on device")
        return real(fd, data)

    def progress(_: object) -> None:
        nonlocal count, full
        count += 1
        full = count < 40

    monkeypatch.setattr("os.write", write)
    fake_lox24.latency = 0.02
    journal = CancelJournal(path)
    report = await client.cancel_bulks(ids, journal=journal, progress=progress)
    monkeypatch.undo()
    assert report.counts[CancelState.CANCELED] == 60
    (failed,) = lines(path, "failed")
    assert failed["lost"] > 0
    proven = CancelJournal.read(path)
    assert proven.counts[CancelState.NOT_SENT] == 0
    assert proven.counts[CancelState.CANCELED] >= 20
    (run,) = CancelJournal.runs_of(path)
    assert run.failed
    assert run.ended is not None
