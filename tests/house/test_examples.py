"""The examples, as a user would run them, against the local gateway."""

import importlib.util
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from lox24_async import BulkStatus, CancelState, Lox24Client
from lox24_async.testing import FakeLox24

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    """Import an example."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_stop_a_sender(
    fake_lox24: FakeLox24, client: Lox24Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the sender's unsent bulks of the last hour are stopped, and all of them."""
    fake_lox24.page_size = 3
    now = fake_lox24.now
    ours = [
        fake_lox24.add_bulk(status, sender_id="Acme 24", msg_total_count=100, created_at=now)
        for status in (BulkStatus.NEW, BulkStatus.IN_PROGRESS) * 4
    ]
    spared = [
        fake_lox24.add_bulk(sender_id="Others", created_at=now),
        fake_lox24.add_bulk(sender_id="Acme 24", created_at=now - timedelta(hours=2)),
        fake_lox24.add_bulk(BulkStatus.PROCESSED, sender_id="Acme 24", created_at=now),
    ]
    before = {bulk.uuid: fake_lox24.bulks[bulk.uuid].status_code for bulk in spared}

    report = await load("stop_a_sender").stop_sender(client, "Acme 24")

    assert {str(bulk.uuid) for bulk in ours} == {o.bulk_id for o in report.outcomes}
    assert len(ours) == report.counts[CancelState.CANCELED]
    assert all(fake_lox24.bulks[bulk.uuid].is_canceled for bulk in ours)
    assert before == {uuid: fake_lox24.bulks[uuid].status_code for uuid in before}
    said = capsys.readouterr().out
    assert "8 bulks can be stopped: 800 messages" in said
    assert "<MatchReport: 8 canceled>" in said


@pytest.mark.looptime
async def test_stop_a_sender_waits(
    fake_lox24: FakeLox24, client: Lox24Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """What LOX24 takes its time for is waited for; what was quicker is told."""
    fake_lox24.stops_after = 7.0
    slow = fake_lox24.add_bulk(sender_id="Acme", created_at=fake_lox24.now)
    report = await load("stop_a_sender").stop_sender(client, "Acme")
    assert report[slow.uuid].state is CancelState.CANCELED
    assert "1 canceled" in capsys.readouterr().out


def test_as_a_program() -> None:
    """Without a sender the program says how it is used."""
    run = subprocess.run(
        [sys.executable, EXAMPLES / "stop_a_sender.py"], capture_output=True, text=True, check=False
    )
    assert (1, "usage: python examples/stop_a_sender.py SENDER\n") == (run.returncode, run.stderr)
