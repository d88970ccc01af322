"""The examples, as a user would run them, against the local gateway."""

import importlib.util
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
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


async def test_what_went_out(
    fake_lox24: FakeLox24, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The campaign is stopped; each message that was sent is one line, and the sums are told."""
    bulk = fake_lox24.add_bulk(
        BulkStatus.IN_PROGRESS, msg_total_count=1_000, sent=300, price=Decimal(65)
    )
    fake_lox24.add_bulk(BulkStatus.PROCESSED, msg_total_count=50)
    monkeypatch.setenv("LOX24_AUTH_TOKEN", fake_lox24.token)
    monkeypatch.setenv("LOX24_BASE_URL", fake_lox24.url)
    for said in ("is cancelled", "is cancelled"):  # once more gives the same
        assert 0 == await load("what_went_out").main(str(bulk.uuid))
        out, errors = capsys.readouterr()
        assert [
            f"bulk {bulk.uuid} {said}",
            "300 messages were sent, 700 were not",
            "they cost 19.500",
        ] == errors.splitlines()
        head, *lines = out.splitlines()
        assert "phone,sent_at,delivery,price" == head
        assert 300 == len(set(lines)) == len(lines)
    assert fake_lox24.bulks[bulk.uuid].is_canceled


async def test_what_went_out_too_late(
    fake_lox24: FakeLox24, client: Lox24Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """A campaign that was quicker is told as such, with all its messages."""
    bulk = fake_lox24.add_bulk(BulkStatus.PROCESSED, msg_total_count=5)
    example = load("what_went_out")
    await example.stop(client, str(bulk.uuid))
    await example.tell(client, str(bulk.uuid), sys.stdout)
    out, errors = capsys.readouterr()
    assert "too late to cancel" in errors
    assert "5 messages were sent, 0 were not" in errors
    assert 6 == len(out.splitlines())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("stop_a_sender", "SENDER"), ("what_went_out", "BULK_ID > sent.csv")],
)
def test_as_a_program(name: str, arguments: str) -> None:
    """Without an argument the program says how it is used."""
    run = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, check=False
    )
    usage = f"usage: python examples/{name}.py {arguments}\n"
    assert (1, usage) == (run.returncode, run.stderr)
