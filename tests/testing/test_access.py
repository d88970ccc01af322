"""Who may, and what the gateway does wrong when it is told to."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from lox24_async.testing import FakeLox24, Fault, ReceivedRequest

from .asking import DRAFT, ID, ID2, Got, Wire

OPERATIONS = [
    ("GET", "/bulks"),
    ("POST", "/bulks"),
    ("POST", "/bulks/dryrun"),
    ("GET", f"/bulks/{ID}"),
    ("DELETE", f"/bulks/{ID}"),
    ("GET", f"/bulks/{ID}/status"),
    ("PUT", f"/bulks/{ID}/cancel"),
]


@pytest.mark.parametrize("json_ld", [False, True])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_access(wire: Wire, method: str, path: str, json_ld: bool) -> None:
    """Blocked, unknown or not activated: nothing is done, each with its own status."""
    bulk = wire.gateway.add_bulk(uuid=ID)
    body = DRAFT if method == "POST" else None

    async def ask(headers: Mapping[str, str] | None = None) -> Got:
        return await wire.ask(method, path, body=body, json_ld=json_ld, headers=headers)

    wrong = {"X-LOX24-AUTH-TOKEN": "1:wrong"}
    wire.gateway.not_activated = True
    answers = [await ask(wrong), await ask()]
    wire.gateway.not_activated = False
    wire.gateway.block_ip()
    answers.append(await ask())
    assert [401, 403, 429] == [got.status for got in answers]
    key = "hydra:description" if json_ld else "detail"
    assert "The account is not activated" == answers[1].content[key]
    assert {ID: bulk} == dict(wire.gateway.bulks)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_scripted_statuses(wire: Wire, method: str, path: str) -> None:
    """Each operation can be made to fail without being carried out."""
    bulk = wire.gateway.add_bulk(uuid=ID)
    wire.gateway.fail_next(400, method=method, headers={"Retry-After": "3"})
    got = await wire.ask(method, path, body=DRAFT if method == "POST" else None)
    assert (400, "3") == (got.status, got.headers["Retry-After"])
    assert {ID: bulk} == dict(wire.gateway.bulks)


async def test_create_is_carried_out_and_503_answered(wire: Wire) -> None:
    """The case that makes a client's repeat so expensive."""
    wire.gateway.fail_next(503, executed=True, method="POST")
    assert [] == await wire.ids("/bulks")
    assert 503 == (await wire.ask("POST", "/bulks", body=DRAFT)).status
    assert 1 == len(await wire.ids("/bulks"))


@pytest.mark.parametrize(("drop", "created"), [("before", 0), ("within", 1), ("after", 1)])
async def test_create_is_dropped(wire: Wire, drop: Any, created: int) -> None:
    """The connection is closed around the execution; half an answer is no answer."""
    wire.gateway.fail_next(drop=drop)
    with pytest.raises(aiohttp.ClientError):
        await wire.ask("POST", "/bulks", body=DRAFT)
    assert (created, 1) == (len(wire.gateway.bulks), len(wire.gateway.requests))


async def test_list_is_cut(wire: Wire) -> None:
    """Of a page, half arrives."""
    for _ in range(30):
        wire.gateway.add_bulk()
    wire.gateway.fail_next(drop="within")
    with pytest.raises(aiohttp.ClientPayloadError):
        await wire.ids("/bulks")


async def test_delete_with_faults(wire: Wire) -> None:
    """A fault for one bulk leaves the others alone; a body makes a 200 of the 204."""
    for uuid in (ID, ID2):
        wire.gateway.add_bulk(uuid=uuid)
    wire.gateway.fail_next(502, bulk_id=ID, executed=True)
    wire.gateway.fail_next(body="<html>", method="DELETE")
    url = f"{wire.gateway.url}/bulks"
    headers = {"X-LOX24-AUTH-TOKEN": wire.gateway.token}
    async with wire.session.delete(f"{url}/{ID2}", headers=headers) as response:
        assert (200, b"<html>") == (response.status, await response.read())
    assert 502 == (await wire.ask("DELETE", f"/bulks/{ID}")).status
    assert {} == dict(wire.gateway.bulks)


async def test_rule_sees_the_body(wire: Wire) -> None:
    """A rule can tell one draft from another."""

    def rule(request: ReceivedRequest) -> Fault | None:
        return Fault(status=500) if b"fail" in request.body else None

    wire.gateway.fail_if(rule)
    statuses = [
        (await wire.ask("POST", "/bulks", body={**DRAFT, "text": text})).status
        for text in ("fail", "pass")
    ]
    assert [500, 201] == statuses


@pytest.mark.looptime
async def test_in_flight_is_counted_for_all_operations(wire: Wire) -> None:
    """The counters do not care what is asked."""
    wire.gateway.latency = 1.0
    wire.gateway.add_bulk(uuid=ID)
    asked = (("GET", "/bulks"), ("POST", "/bulks"), ("DELETE", f"/bulks/{ID}"))
    await asyncio.gather(
        *(wire.ask(m, path, body=DRAFT if m == "POST" else None) for m, path in asked)
    )
    assert (3, 0) == (wire.gateway.most_in_flight, wire.gateway.in_flight)


@pytest.mark.parametrize(
    "options",
    [
        {"page_size": 0},
        {"version": "2.25"},
        {"framework": "5"},
        {"summary_created_at": "iso"},
    ],
)
def test_impossible_options(options: dict[str, Any]) -> None:
    """They are refused when the gateway is made."""
    with pytest.raises(ValueError, match=next(iter(options))):
        FakeLox24(**options)


async def test_ids_of_created_bulks_are_distinct(wire: Wire) -> None:
    """Each POST makes a bulk of its own, as there is no idempotency key."""
    for _ in range(3):
        await wire.ask("POST", "/bulks", body=DRAFT, headers={"Idempotency-Key": "1"})
    assert 3 == len(wire.gateway.bulks)


@pytest.mark.looptime
async def test_dates_under_looptime(fake_lox24: FakeLox24) -> None:
    """A fixture that started in real time goes on in a test whose time leaps, and begins at 0."""
    begun = fake_lox24.now
    assert abs(begun - datetime.now(UTC)) < timedelta(seconds=30)
    await asyncio.sleep(3_600)
    assert timedelta(seconds=3_600) <= fake_lox24.now - begun < timedelta(seconds=3_630)
