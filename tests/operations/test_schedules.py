"""Random schedules of everything that can happen to a batch, held against the gateway's ledger."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from lox24_async import (
    BulkFilter,
    BulkStatus,
    CancelFailedError,
    CancelJournal,
    CancelOutcome,
    CancelReport,
    CancelState,
    ClientClosedError,
    JournalError,
    Lox24Client,
    MatchReport,
    RetryPolicy,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest

KNOWN = (CancelState.CANCELED, CancelState.TOO_LATE, CancelState.ACCEPTED, CancelState.UNKNOWN)


class MineError(Exception):
    """A bug in the user's own function."""


class Stage:
    """One seed's play: bulks, a gateway that goes wrong, runs one after the other."""

    def __init__(self, gateway: FakeLox24, folder: Path, seed: int) -> None:
        self.gateway = gateway
        self.rng = random.Random(seed)
        states = (BulkStatus.NEW, BulkStatus.IN_PROGRESS, BulkStatus.PROCESSED)
        self.ids = [
            str(gateway.add_bulk(self.rng.choices(states, (6, 4, 1))[0]).uuid)
            for _ in range(self.rng.randint(1, 40))
        ]
        self.report = MatchReport()
        self.journals = [
            CancelJournal(folder / f"{seed}-{n}.jsonl", durable=n == 1) for n in range(2)
        ]
        self.used: dict[CancelJournal, set[str]] = {journal: set() for journal in self.journals}
        gateway.latency = self.rng.choice((0.0, 0.01, 0.3))
        gateway.stops_after = self.rng.choice((0.0, 0.0, 3.0))
        gateway.fail_if(self.fault)
        self.trouble = self.rng.choice((0.0, 0.05, 0.3))

    def fault(self, _: ReceivedRequest) -> Fault | None:
        """Go wrong now and then."""
        if self.rng.random() >= self.trouble:
            return None
        choices = [
            *(Fault(status=503), Fault(status=502, executed=True), Fault(drop="before")),
            *(Fault(drop="after"), Fault(drop="within"), Fault(status=409), Fault(delay=2.0)),
            *(Fault(status=402), Fault(status=429, headers={"Retry-After": "1"})),
        ]
        return self.rng.choice(choices)

    def source(self) -> Any:
        """Return the ids as a collection, or as a stream of some kind."""
        ids = [*self.ids, *self.rng.sample(self.ids, len(self.ids) // 3)]
        self.rng.shuffle(ids)
        kind = self.rng.choice(("list", "dict", "iterator", "async", "waits"))

        async def slowly() -> AsyncIterator[str]:
            for bulk_id in ids:
                await asyncio.sleep(self.rng.choice((0, 0, 0.05)))
                yield bulk_id
            if kind == "waits":
                await asyncio.Event().wait()

        def one_by_one() -> Iterator[str]:
            yield from ids
            if kind == "fails":
                raise MineError

        kinds: dict[str, Any] = {"list": ids, "dict": dict.fromkeys(ids), "iterator": one_by_one()}
        return kinds[kind] if kind in kinds else slowly()

    async def act(self, client: Lox24Client) -> None:
        """Run once, in some way, and let something happen to it."""
        rng = self.rng
        journal = rng.choice((None, *self.journals))
        fails_at = rng.choice((None, None, rng.randint(1, 20)))
        count = 0

        def progress(_: CancelOutcome) -> None:
            nonlocal count
            count += 1
            if count == fails_at:
                raise MineError

        more: dict[str, Any] = {"report": self.report, "journal": journal}
        limit = rng.choice((0.3, 2.0, 30.0))
        before = len(self.gateway.requests)
        run: Coroutine[Any, Any, object]
        match rng.choice(("bulks", "bulks", "stream", "match", "keep")):
            case "bulks":
                run = client.cancel_bulks(self.source(), progress=progress, timeout=limit, **more)
            case "stream":
                run = self.stream(client, limit, more)
            case "match":
                run = client.cancel_matching(BulkFilter(), progress=progress, timeout=limit, **more)
            case _:
                run = client.keep_canceling(
                    BulkFilter(), progress=progress, duration=limit, poll_interval=1, **more
                )
        task = asyncio.ensure_future(run)
        how = rng.choice(("leave", "leave", "cancel", "close"))
        if how != "leave":
            await asyncio.wait((task,), timeout=rng.uniform(0, 1.5))
            if how == "cancel":
                task.cancel()
            else:
                await client.close()
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wait((task,))), 200)
            task.result()
        except (MineError, CancelFailedError, JournalError, asyncio.CancelledError):
            pass
        except ClientClosedError:
            if how != "close":
                raise
        if journal is not None:
            sent = {r.path.split("/")[2] for r in self.puts(before)}
            self.used[journal] |= sent

    async def stream(self, client: Lox24Client, limit: float, more: dict[str, Any]) -> None:
        """Take some outcomes of a stream, or all."""
        most = self.rng.choice((1, 7, 1_000))
        async with client.iter_cancel(self.source(), timeout=limit, **more) as stream:
            async for _ in stream:
                most -= 1
                if not most:
                    break

    def puts(self, since: int = 0) -> list[ReceivedRequest]:
        """Return the cancels that arrived."""
        return [r for r in self.gateway.requests[since:] if r.method == "PUT"]

    def check(self, report: CancelReport, received: set[str]) -> None:
        """Hold a report against the ledger."""
        for outcome in report.outcomes:
            if outcome.state is CancelState.CANCELED:
                assert self.gateway.bulks[outcome.bulk_id].is_canceled
            if outcome.state is CancelState.NOT_SENT:
                assert outcome.bulk_id not in received, outcome
        told = {o.bulk_id for o in report.outcomes}
        assert received <= told

    def check_all(self, known: dict[str, CancelState]) -> None:
        """Hold all that is known against the ledger, and against what was known before."""
        self.check(self.report, {r.path.split("/")[2] for r in self.puts()})
        for bulk_id, state in known.items():
            now = self.report[bulk_id].state
            if state in KNOWN:
                assert now is not CancelState.NOT_SENT
            if state in (CancelState.CANCELED, CancelState.TOO_LATE):
                assert now in (CancelState.CANCELED, CancelState.TOO_LATE), (state, now)
        for journal, received in self.used.items():
            self.check(CancelJournal.read(journal.path), received)
            assert journal.error is None


async def play(gateway: FakeLox24, folder: Path, seed: int) -> None:
    """Play one seed."""
    stage = Stage(gateway, folder, seed)
    policy = RetryPolicy(max_attempts=2, initial_delay=0.05, max_delay=0.2, max_wait=3)
    before = set(asyncio.all_tasks())
    for _ in range(stage.rng.randint(1, 4)):
        known = {o.bulk_id: o.state for o in stage.report.outcomes}
        async with Lox24Client(
            gateway.token,
            base_url=gateway.url,
            retry=policy,
            max_concurrency=stage.rng.choice((1, 3, 10)),
        ) as client:
            await stage.act(client)
        stage.check_all(known)
    gateway.stop_failing()
    gateway.latency = 0.0
    async with Lox24Client(gateway.token, base_url=gateway.url) as client:
        journal = stage.journals[0]
        await client.cancel_bulks(stage.ids, report=stage.report, journal=journal)
        await client.settle(stage.report, journal=journal)
    final = (CancelState.CANCELED, CancelState.TOO_LATE)
    assert {o.state for o in stage.report.outcomes} <= set(final)
    proven = journal.report
    assert {o.bulk_id for o in proven.outcomes} == set(stage.ids)
    assert {o.state for o in proven.outcomes} <= set(final)
    await asyncio.sleep(1)
    leftover = {t for t in asyncio.all_tasks() - before if "RequestHandler" not in repr(t)}
    assert leftover - {asyncio.current_task()} == set()


@pytest.mark.looptime
@pytest.mark.parametrize("seed", range(15))
async def test_random_schedules(fake_lox24: FakeLox24, tmp_path: Path, seed: int) -> None:
    """Cancels, breaks, closes, failing callbacks, reports and journals used again: all true."""
    await play(fake_lox24, tmp_path, seed)


@pytest.mark.chaos
@pytest.mark.looptime
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1_000, 1_500))
async def test_many_random_schedules(fake_lox24: FakeLox24, tmp_path: Path, seed: int) -> None:
    """The same, with many seeds."""
    await play(fake_lox24, tmp_path, seed)
