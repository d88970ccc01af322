"""One bulk over the wire: its forms, its paths, its end."""

from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from lox24_async import BulkStatus
from lox24_async.testing import FakeLox24

from .asking import ID, ID2, T0, Wire, at


async def test_full_form(wire: Wire) -> None:
    """All fields, nullable ones as null, at once as 0; JSON-LD adds its three names."""
    bulk = wire.gateway.add_bulk(uuid=ID, created_at=at(0), source=3, price=Decimal("0.5"))
    path = f"/bulks/{bulk.uuid}"
    plain = {
        "uuid": str(ID),
        "delivery_at": 0,
        "sender_id": "fake",
        "text": "Hello",
        "phones": ["+491701234567"],
        "msg_groups": None,
        "status_code": 0,
        "msg_total_count": 1,
        "created_at": T0,
        "processed_at": None,
        "ip": "127.0.0.1",
        "is_unicode": False,
        "is_dryrun": False,
        "service_code": "direct",
        "key_id": 1,
        "source": 3,
        "voice_lang": None,
        "is_text_deleted": False,
        "price": 0.5,
    }
    got = await wire.ask("GET", path)
    assert (200, plain) == (got.status, got.content)
    assert 32 == len(got.headers["X-LOX24-REQUEST-ID"])
    names = {
        "@context": "/contexts/Bulk",
        "@id": path,
        "@type": "Bulk",
    }
    assert {**names, **plain} == (await wire.ask("GET", path, json_ld=True)).content


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("2.24", {"text", "phones", "msg_groups", "sender_id"}),
        ("2.27", {"text", "phones", "msg_groups"}),
    ],
)
@pytest.mark.parametrize(("method", "operation"), [("GET", "status"), ("PUT", "cancel")])
async def test_status_summary(version: Any, missing: set[str], method: str, operation: str) -> None:
    """It is the full form without the content, and in 2.24 without the sender."""
    async with FakeLox24(version=version) as gateway, aiohttp.ClientSession() as session:
        wire = Wire(session, gateway)
        path = f"/bulks/{gateway.add_bulk().uuid}"
        short = (await wire.ask(method, f"{path}/{operation}")).content
        full = (await wire.ask("GET", path)).content
    assert missing == full.keys() - short.keys()
    assert full == full | short


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/bulks", "GET, POST"),
        ("DELETE", "/bulks", "GET, POST"),
        ("GET", "/bulks/dryrun", "POST"),
        ("PUT", f"/bulks/{ID}", "GET, DELETE"),
        ("PATCH", f"/bulks/{ID}", "GET, DELETE"),
        ("PUT", f"/bulks/{ID}/status", "GET"),
        ("POST", f"/bulks/{ID}/cancel", "PUT"),
        ("GET", f"/bulks/{ID2}/cancel", "PUT"),
    ],
)
async def test_wrong_methods(wire: Wire, method: str, path: str, allowed: str) -> None:
    """A known path tells which methods it has, also for a bulk that is not there."""
    wire.gateway.add_bulk(uuid=ID)
    got = await wire.ask(method, path)
    assert (405, allowed) == (got.status, got.headers["Allow"])
    assert BulkStatus.NEW == wire.gateway.bulks[ID].status_code


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/bulk"),
        ("GET", "/bulks/"),
        ("GET", "/bulks/1"),
        ("GET", f"/bulks/{str(ID).upper()}"),
        ("GET", f"/bulks/{ID}/"),
        ("GET", f"/bulks/{ID}/sms"),
        ("GET", f"/bulks/{ID2}"),
        ("DELETE", f"/bulks/{ID2}"),
        ("GET", f"/bulks/{ID2}/status"),
        ("PUT", f"/bulks/{ID2}/cancel"),
    ],
)
async def test_not_found(wire: Wire, method: str, path: str) -> None:
    """Other paths and other bulks are not there."""
    wire.gateway.add_bulk(uuid=ID)
    got = await wire.ask(method, path)
    assert (404, "Resource not found") == (got.status, got.content["detail"])


@pytest.mark.parametrize("json_ld", [False, True])
async def test_delete(wire: Wire, json_ld: bool) -> None:
    """204 without a body; the bulk is gone, the others stay."""
    wire.gateway.add_bulk(uuid=ID)
    other = wire.gateway.add_bulk().uuid
    got = await wire.ask("DELETE", f"/bulks/{ID}", json_ld=json_ld)
    assert (204, None) == (got.status, got.content)
    assert "Content-Type" not in got.headers
    assert 32 == len(got.headers["X-LOX24-REQUEST-ID"])
    assert [other] == list(wire.gateway.bulks)
    assert [other] == await wire.ids("/bulks")
    assert 404 == (await wire.ask("DELETE", f"/bulks/{ID}")).status
