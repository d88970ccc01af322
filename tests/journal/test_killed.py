"""A process that is killed in mid-batch: its journal proves what the gateway shows."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from lox24_async import (
    BulkStatus,
    CancelJournal,
    CancelReport,
    CancelState,
    JournalError,
    Lox24Client,
)
from lox24_async.testing import FakeLox24

ROOT = Path(__file__).parents[2]
CHILD = """
import asyncio, sys
from lox24_async import CancelJournal, Lox24Client

async def main(url, token, path, durable, kind, *ids):
    async def slowly():
        for bulk_id in ids:
            await asyncio.sleep(0)
            yield bulk_id

    journal = CancelJournal(path, durable=durable == "True")
    async with Lox24Client(token, base_url=url, max_concurrency=7) as client:
        await client.get_bulk(ids[0])
        print("ready", flush=True)
        sys.stdin.readline()
        await client.cancel_bulks(ids if kind == "list" else slowly(), journal=journal)

asyncio.run(main(*sys.argv[1:]))
"""


class Doomed:
    """A process that cancels bulks until it is killed."""

    def __init__(self, gateway: FakeLox24, path: Path, rng: random.Random) -> None:
        self.gateway = gateway
        self.path = path
        self.rng = rng
        self.ids = [
            str(gateway.add_bulk(rng.choice((0, 5))).uuid) for _ in range(rng.randint(1, 80))
        ]

    async def live(self) -> None:
        """Run, and be killed at a random moment."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            CHILD,
            self.gateway.url,
            self.gateway.token,
            str(self.path),
            str(self.rng.random() < 0.2),
            self.rng.choice(("list", "stream")),
            *self.ids,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
        self.gateway.requests.clear()
        child.stdin.write(b"go\n")
        if self.rng.random() < 0.5:  # at a moment, or at a number of requests
            await asyncio.sleep(self.rng.uniform(0, 0.15))
        else:
            least = self.rng.randint(0, len(self.ids) - 1)
            while len(self.gateway.requests) <= least and child.returncode is None:
                await asyncio.sleep(0)
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        await child.wait()
        child._transport.close()  # type: ignore[attr-defined]

    def check(self) -> CancelReport:
        """Hold the journal against the gateway's ledger."""
        report = CancelJournal.read(self.path)
        received = {r.path.split("/")[2] for r in self.gateway.requests if r.method == "PUT"}
        canceled = {i for i in self.ids if self.gateway.bulks[i].is_canceled}
        assert canceled <= received
        told = {o.bulk_id: o.state for o in report.outcomes}
        possible = (CancelState.CANCELED, CancelState.UNKNOWN)
        assert all(told.get(bulk_id) in possible for bulk_id in received)
        for bulk_id, state in told.items():
            if state is CancelState.CANCELED:
                assert bulk_id in canceled
            else:
                assert state in (CancelState.UNKNOWN, CancelState.NOT_SENT)
        return report

    async def resume(self, client: Lox24Client) -> None:
        """Take up what is unfinished; then all that was known is cancelled."""
        journal = CancelJournal(self.path)
        report = journal.report
        await client.resolve(report, journal=journal)
        await client.cancel_bulks(report.unfinished(), report=report, journal=journal)
        assert report.counts[CancelState.CANCELED] == len(report)
        assert journal.report.counts == report.counts
        assert journal.report.unfinished() == ()
        for outcome in report.outcomes:
            assert self.gateway.bulks[outcome.bulk_id].is_canceled


async def kill(fake_lox24: FakeLox24, client: Lox24Client, tmp_path: Path, seeds: range) -> None:
    """Kill a process for each seed, a few at a time."""
    fake_lox24.latency = 0.002
    for seed in seeds:
        doomed = Doomed(fake_lox24, tmp_path / f"{seed}.jsonl", random.Random(seed))
        await doomed.live()
        doomed.check()
        await doomed.resume(client)


@pytest.mark.slow
async def test_killed(fake_lox24: FakeLox24, client: Lox24Client, tmp_path: Path) -> None:
    """Case 75's kind: killed at random moments, nothing is lost, and the resumed run ends well."""
    await kill(fake_lox24, client, tmp_path, range(12))


@pytest.mark.kill
@pytest.mark.timeout(7200)
async def test_killed_a_thousand_times(
    fake_lox24: FakeLox24, client: Lox24Client, tmp_path: Path
) -> None:
    """The same, a thousand times."""
    await kill(fake_lox24, client, tmp_path, range(1_000, 2_000))


FULL = """
import asyncio, resource, sys
from lox24_async import CancelJournal, CancelState, Lox24Client

async def main(url, token, path, limit, lift, *ids):
    journal = CancelJournal(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), hard))
    done = 0

    def progress(outcome):
        nonlocal done
        done += 1
        if lift == "True" and done == len(ids) * 3 // 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    async with Lox24Client(token, base_url=url, max_concurrency=5) as client:
        report = await client.cancel_bulks(ids, journal=journal, progress=progress)
    print(report.counts[CancelState.CANCELED], journal.error)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "limit", [10, 700, *(pytest.param(n, marks=pytest.mark.slow) for n in (3_000, 9_000, 20_000))]
)
@pytest.mark.parametrize("lift", [False, True])
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
async def test_a_full_disk_in_mid_run(
    fake_lox24: FakeLox24, client: Lox24Client, tmp_path: Path, limit: int, lift: bool
) -> None:
    """The stop goes on, says so once, and the file never says that what went out was not sent."""
    path = tmp_path / "full.jsonl"
    fake_lox24.latency = 0.01
    ids = [str(fake_lox24.add_bulk().uuid) for _ in range(150)]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FULL, fake_lox24.url, fake_lox24.token, str(path)),
        *(str(limit), str(lift), *ids),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await child.communicate()
    assert child.returncode == 0, err.decode()
    assert out.startswith(b"150 "), out
    assert b"cannot be written" in out
    assert err.count(b"the run goes on") == 1
    report = CancelJournal.read(path)
    assert report.counts[CancelState.NOT_SENT] == 0
    (run,) = CancelJournal.runs_of(path) if limit > 400 or lift else (None,)
    if lift:
        assert run is not None
        assert run.failed
        assert run.ended is not None
        assert report.counts[CancelState.CANCELED] == 150
        assert [e["event"] for e in CancelJournal.events(path)].count("failed") == 1
    elif limit > 3_000:
        assert run is not None
        assert run.failed
        assert run.ended is None
        assert report.counts[CancelState.UNKNOWN] > 0
        resumed = CancelJournal(path)
        known = resumed.report
        await client.resolve(known, journal=resumed)
        assert resumed.report.counts[CancelState.CANCELED] == len(known)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
async def test_a_pipe_that_nobody_reads(
    fake_lox24: FakeLox24, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When it is full the journal fails, and not the run: no write waits for a reader."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    ids = [fake_lox24.add_bulk().uuid for _ in range(500)]
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        journal = CancelJournal(path)
        report = await client.cancel_bulks(ids, journal=journal)
    assert 500 == report.counts[CancelState.CANCELED]
    assert isinstance(journal.error, JournalError)
    assert 1 == len([r for r in caplog.records if r.levelname == "WARNING"])


async def test_a_disk_that_was_full_from_the_start(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """Where not a byte can be written, the run goes on all the same."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    ids = [fake_lox24.add_bulk(BulkStatus.NEW).uuid for _ in range(30)]
    for durable in (False, True):
        journal = CancelJournal("/dev/full", durable=durable)
        report = await client.cancel_bulks([*ids, uuid4()], journal=journal)
        assert report.counts[CancelState.CANCELED] == 30
        assert journal.error is not None
        assert "No space left" in str(journal.error)
