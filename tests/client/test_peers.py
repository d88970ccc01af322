"""Packages that watch or replace aiohttp's requests see ours, each as its own docs say.

They are the extra ``peers``; without a package its test is skipped.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses

from lox24_async import Bulk, BulkDraft, Lox24Client
from lox24_async._transport.direct_lane import DirectLane
from lox24_async.testing import FakeLox24
from tests.conftest import QUICK
from tests.fault_server import BULK_ID, FaultServer, client_of, summary

DRAFT = BulkDraft("Acme", "Hello", phones=["+491701234567"])


def client_for(gateway: FakeLox24) -> Lox24Client[Bulk]:
    """Return a client of the local gateway."""
    return Lox24Client(gateway.token, base_url=gateway.url, retry=QUICK)


async def test_aioresponses_in_the_middle_of_a_clients_life(mocked: aioresponses) -> None:
    """What is mocked never leaves; what is passed through arrives."""
    async with FaultServer() as server, client_of(server.url) as client:
        mocked.put(f"{server.url}/bulks/{BULK_ID}/cancel", body=summary())
        assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert 0 == server.connections
        mocked.stop()
        assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert 1 == server.puts
        mocked.start()  # the fixture stops it


async def test_opentelemetry_has_a_span_for_each_request(fake_lox24: FakeLox24) -> None:
    """Cancel, list and create: a span each, with method and status, in the caller's trace."""
    name = "opentelemetry.instrumentation.aiohttp_client"
    otel = pytest.importorskip(name, reason="the extra peers is not installed (OpenTelemetry)")
    trace = pytest.importorskip("opentelemetry.sdk.trace", reason="no OpenTelemetry SDK (peers)")
    export: Any = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415

    spans = export.InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentor = otel.AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        async with client_for(fake_lox24) as client:
            bulk = await client.create_bulk(DRAFT)
            await client.cancel_bulk(bulk.uuid)
            assert [bulk.uuid] == [found.uuid async for found in client.list_bulks()]
    finally:
        instrumentor.uninstrument()
    sent = [request.method for request in fake_lox24.requests]
    assert sent == [span.name for span in spans.get_finished_spans()]
    assert all(request.headers.get("traceparent") for request in fake_lox24.requests)


async def test_sentry_has_a_breadcrumb_for_each_request(fake_lox24: FakeLox24) -> None:
    """What is reported later shows the requests before it, and no token."""
    sentry: Any = pytest.importorskip("sentry_sdk", reason="the extra peers is not installed")
    from sentry_sdk.integrations.aiohttp import AioHttpIntegration  # noqa: PLC0415

    bulk = fake_lox24.add_bulk()
    events: list[dict[str, Any]] = []
    with sentry.isolation_scope() as scope:
        reporter = sentry.Client(
            dsn="http://key@127.0.0.1:9/1",
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[AioHttpIntegration()],
            before_send=lambda event, _: events.append(event),
            traces_sample_rate=1.0,
            before_send_transaction=lambda _event, _hint: None,
        )
        scope.set_client(reporter)
        with sentry.start_transaction(name="stop"):
            async with client_for(fake_lox24) as client:
                await client.cancel_bulk(bulk.uuid)
        sentry.capture_message("stopped")
        await asyncio.to_thread(reporter.close, timeout=0)
    (event,) = events
    crumbs = [crumb["data"] for crumb in event["breadcrumbs"]["values"] if "data" in crumb]
    assert ["PUT"] == [data["http.method"] for data in crumbs if "http.method" in data]
    assert fake_lox24.token.partition(":")[2] not in repr(event)
    assert all(request.headers.get("sentry-trace") for request in fake_lox24.requests)


async def test_vcrpy_records_and_replays(fake_lox24: FakeLox24, tmp_path: Path) -> None:
    """What was recorded once is played without a request; the cassette needs no token."""
    vcr: Any = pytest.importorskip("vcr", reason="the extra peers is not installed (vcrpy)")
    bulk = fake_lox24.add_bulk()
    recorder = vcr.VCR(filter_headers=["X-LOX24-AUTH-TOKEN"])
    cassette = tmp_path / "cancel.yaml"
    for mode in ("once", "none"):
        with recorder.use_cassette(str(cassette), record_mode=mode) as played:
            async with client_for(fake_lox24) as client:
                assert (await client.cancel_bulk(bulk.uuid)).is_canceled
        assert len(played) == 1
    assert 1 == len(fake_lox24.requests)
    assert fake_lox24.token.partition(":")[2] not in cassette.read_text(encoding="utf-8")


async def test_the_direct_lane_is_open_again(fake_lox24: FakeLox24) -> None:
    """None of them has closed it for good."""
    bulk = fake_lox24.add_bulk()
    async with client_for(fake_lox24) as client:
        assert (await client.cancel_bulk(bulk.uuid)).is_canceled
    assert DirectLane.works
