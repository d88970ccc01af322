"""The examples, as a user would run them, against the local gateway."""

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from lox24_async import BulkStatus, CancelJournal, CancelState, Lox24Client, NotFoundError
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
        fake_lox24.add_bulk(sender_id="Acme 24 Bank", created_at=now),
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
    "usage",
    [
        "stop_a_sender.py SENDER",
        "nightly_stop.py IDS JOURNAL",
        "what_went_out.py BULK_ID > sent.csv",
    ],
)
def test_as_a_program(usage: str) -> None:
    """Without its arguments a program says how it is used."""
    run = subprocess.run(
        [sys.executable, EXAMPLES / usage.partition(" ")[0]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (1, f"usage: python examples/{usage}\n") == (run.returncode, run.stderr)


# --- the endpoint


@pytest_asyncio.fixture
async def endpoint(
    fake_lox24: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ModuleType, TestClient[Any, Any]]]:
    """Return the endpoint's module, and a client of its service."""
    monkeypatch.setenv("LOX24_AUTH_TOKEN", fake_lox24.token)
    monkeypatch.setenv("LOX24_BASE_URL", fake_lox24.url)
    module = load("stop_endpoint")
    async with TestClient(TestServer(module.make_app())) as http:
        yield module, http


async def test_endpoint(
    fake_lox24: FakeLox24, endpoint: tuple[ModuleType, TestClient[Any, Any]]
) -> None:
    """200 for what is stopped, 409 for what cannot be, and the same request is safe."""
    _, http = endpoint
    ids = [str(fake_lox24.add_bulk().uuid) for _ in range(3)]
    gone = str(fake_lox24.add_bulk(BulkStatus.PROCESSED).uuid)
    for _ in range(2):
        answer = await http.post("/campaigns/stop", json={"bulk_ids": ids})
        assert (200, {"canceled": 3}) == (answer.status, (await answer.json())["counts"])
    answer = await http.post("/campaigns/stop", json={"bulk_ids": [*ids, gone]})
    assert answer.status == 409
    assert (await answer.json())["bulks"] == dict.fromkeys(ids, "canceled") | {gone: "too late"}


async def test_endpoint_with_accepted(
    fake_lox24: FakeLox24, endpoint: tuple[ModuleType, TestClient[Any, Any]]
) -> None:
    """202 while LOX24 takes its time; asked again, all is cancelled."""
    _, http = endpoint
    fake_lox24.stops_after = 0.3
    ids = [str(fake_lox24.add_bulk().uuid) for _ in range(3)]
    answer = await http.post("/campaigns/stop", json={"bulk_ids": ids})
    assert (202, {"accepted": 3}) == (answer.status, (await answer.json())["counts"])
    await asyncio.sleep(0.4)
    answer = await http.post("/campaigns/stop", json={"bulk_ids": ids})
    assert answer.status == 200


async def test_endpoint_with_a_deadline(
    fake_lox24: FakeLox24,
    endpoint: tuple[ModuleType, TestClient[Any, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """503 with Retry-After when nothing has left in time; the service goes on by itself."""
    module, http = endpoint
    ids = [str(fake_lox24.add_bulk().uuid) for _ in range(3)]
    monkeypatch.setattr(module, "DEADLINE", 0.0)
    answer = await http.post("/campaigns/stop", json={"bulk_ids": ids})
    assert (503, {"not sent": 3}) == (answer.status, (await answer.json())["counts"])
    assert int(answer.headers["Retry-After"]) >= 0
    for _ in range(500):
        if all(fake_lox24.bulks[bulk_id].is_canceled for bulk_id in ids):
            break
        await asyncio.sleep(0.01)
    assert all(fake_lox24.bulks[bulk_id].is_canceled for bulk_id in ids)


# --- the nightly job


async def test_nightly_stop(
    fake_lox24: FakeLox24,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It stops what is in the file; started again it goes on, and does nothing twice."""
    monkeypatch.setenv("LOX24_AUTH_TOKEN", fake_lox24.token)
    monkeypatch.setenv("LOX24_BASE_URL", fake_lox24.url)
    module = load("nightly_stop")
    ids = [str(fake_lox24.add_bulk().uuid) for _ in range(20)]
    file = str(tmp_path / "nightly.jsonl")
    fake_lox24.fail_next(402, bulk_id=ids[3], method="PUT")
    assert await module.stop_all(ids, file) == 1
    assert f"{ids[3]} rejected" in capsys.readouterr().out
    sent = len([r for r in fake_lox24.requests if r.method == "PUT"])
    assert await module.stop_all(ids, file) == 0
    assert len([r for r in fake_lox24.requests if r.method == "PUT"]) == sent + 1
    assert capsys.readouterr().out == "<CancelReport: 20 canceled>\n"
    assert CancelJournal.read(file).counts[CancelState.CANCELED] == 20
    assert CancelJournal.runs_of(file)[0].note == "nightly stop"


# --- metrics


async def attempts(fake_lox24: FakeLox24, module: ModuleType, hook: Any) -> None:
    """Make three attempts: one fails, one succeeds, one finds nothing."""
    bulk = fake_lox24.add_bulk()
    fake_lox24.fail_next(503)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, on_attempt=hook) as client:
        await client.cancel_bulk(bulk.uuid)
        with pytest.raises(NotFoundError):
            await client.get_bulk(uuid4())
    assert module.make_client.__doc__


async def test_metrics_prometheus(fake_lox24: FakeLox24) -> None:
    """Each attempt is in the histogram under its operation and result."""
    prometheus = pytest.importorskip("prometheus_client")
    module = load("metrics_prometheus")
    try:
        await attempts(fake_lox24, module, module.count)
        told = prometheus.generate_latest().decode()
    finally:
        prometheus.REGISTRY.unregister(module.SECONDS)
        prometheus.REGISTRY.unregister(module.RETRIES)
    for operation, result in (
        ("cancel", "ServerError"),
        ("cancel", "ok"),
        ("get", "NotFoundError"),
    ):
        labels = f'operation="{operation}",result="{result}"'
        assert f"lox24_attempt_seconds_count{{{labels}}} 1.0" in told
    assert 'lox24_retries_total{operation="cancel"} 1.0' in told


async def test_metrics_opentelemetry(
    fake_lox24: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt is a span with its status, and a value of the histogram."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: PLC0415
        InMemorySpanExporter,
    )

    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces, meters = TracerProvider(), MeterProvider([reader])
    traces.add_span_processor(SimpleSpanProcessor(spans))
    module = load("metrics_opentelemetry")
    monkeypatch.setattr(module, "tracer", traces.get_tracer("lox24"))
    monkeypatch.setattr(module, "seconds", meters.get_meter("lox24").create_histogram("seconds"))
    await attempts(fake_lox24, module, module.record)
    first, second, third = spans.get_finished_spans()
    assert [one.name for one in (first, second, third)] == ["lox24 cancel"] * 2 + ["lox24 get"]
    assert first.attributes is not None
    assert first.attributes["http.response.status_code"] == 503
    assert first.attributes["error.type"] == "ServerError"
    assert not first.status.is_ok
    assert second.attributes is not None
    assert second.attributes["http.request.resend_count"] == 1
    assert second.attributes["lox24.request_id"]
    assert first.start_time is not None
    assert first.end_time is not None
    assert first.end_time >= first.start_time
    data = reader.get_metrics_data()
    assert data is not None
    points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert len(points) == 3
    meters.shutdown()
    traces.shutdown()
