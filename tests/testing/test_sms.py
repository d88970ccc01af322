"""The messages behind the bulks, over the wire: their form, pages, filters, and how they go out."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from lox24_async import BulkStatus
from lox24_async.testing import FakeLox24

from .asking import ID, ID2, T0, Wire, at


async def count(wire: Wire, query: str) -> int:
    """Return the total that JSON-LD tells."""
    got = await wire.ask("GET", f"/sms?{query}", json_ld=True)
    assert 200 == got.status, got.content
    return int(got.content["hydra:totalItems"])


async def page(wire: Wire, query: str) -> list[dict[str, Any]]:
    """Return a page in plain JSON."""
    got = await wire.ask("GET", f"/sms?{query}")
    assert (200, list) == (got.status, type(got.content)), got.content
    return list(got.content)


async def test_form_of_a_message(wire: Wire) -> None:
    """All fields of the vendor's client; a message that was sent, and one that was not."""
    wire.gateway.add_bulk(
        BulkStatus.IN_PROGRESS,
        uuid=ID,
        sent=1,
        sender_id="Shop",
        text="Grüße",
        phones=("+491701234567", "+43664123456"),
        msg_total_count=2,
        created_at=at(0),
        source=7,
        is_unicode=None,
        price=Decimal("0.13"),
    )
    sent, unsent = await page(wire, f"bulk={ID}")
    uuid = UUID(sent["uuid"])
    gone_at = sent["gateway_sent_at"]
    assert abs(gone_at - wire.gateway.now.timestamp()) < 60
    assert {
        "uuid": str(uuid),
        "text": "Grüße",
        "sender_id": "Shop",
        "phone": "+491701234567",
        "delivery_at": 0,
        "status_code": 100,
        "gateway_sent_at": gone_at,
        "source": 7,
        "dlr_code": 2,
        "ip": "127.0.0.1",
        "created_at": T0,
        "is_unicode": None,
        "iso2": "DE",
        "voice_lang": None,
        "parts_count": 1,
        "chars_count": 5,
        "callback_data": None,
        "bulk_id": str(ID),
        "key_id": 1,
        "service_code": "direct",
        "is_text_deleted": False,
        "price": 0.065,
        "is_sent": True,
        "requests": f"/sms/{uuid}/requests",
        "clicks": f"/sms/{uuid}/clicks",
    } == sent
    assert {"phone": "+43664123456", "iso2": None, "is_sent": False}.items() <= unsent.items()
    assert (0, 0, 0) == tuple(unsent[k] for k in ("status_code", "gateway_sent_at", "dlr_code"))
    members = (await wire.ask("GET", f"/sms?bulk={ID}", json_ld=True)).content["member"]
    assert {"@id": f"/sms/{uuid}", **sent} == {k: v for k, v in members[0].items() if k != "@type"}


async def test_campaign_of_ten_thousand(wire: Wire) -> None:
    """Of 10,000 messages 3,000 were sent when it was cancelled: each is there once."""
    wire.gateway.page_size = 1000
    wire.gateway.add_bulk(BulkStatus.IN_PROGRESS, uuid=ID, msg_total_count=10_000, sent=3_000)
    wire.gateway.add_bulk(uuid=ID2, msg_total_count=5)
    assert 200 == (await wire.ask("PUT", f"/bulks/{ID}/cancel")).status
    assert [10_000, 3_000, 7_000] == [
        await count(wire, f"bulk={ID}{sent}") for sent in ("", "&is_sent=1", "&is_sent=0")
    ]
    seen = [m for n in range(1, 12) for m in await page(wire, f"bulk={ID}&page={n}")]
    assert (10_000, 10_000) == (len(seen), len({m["uuid"] for m in seen}))
    assert 10_000 == len({m["phone"] for m in seen})
    assert {(True, 100): 3_000, (False, 410): 7_000} == {
        key: sum((m["is_sent"], m["status_code"]) == key for m in seen)
        for key in {(m["is_sent"], m["status_code"]) for m in seen}
    }
    assert 10_005 == await count(wire, "")


async def test_messages_are_made_when_they_are_looked_at(wire: Wire) -> None:
    """Nobody could make a thousand million of them: only the page that is asked for."""
    wire.gateway.add_bulk(uuid=ID, msg_total_count=10**9, sent=1)
    assert (10**9, 10**9 - 1) == (await count(wire, f"bulk={ID}"), await count(wire, "is_sent=0"))
    assert 30 == len(await page(wire, f"bulk={ID}&page=30000000"))


async def test_pages_go_through_all_bulks(wire: Wire) -> None:
    """The newest bulk's messages come first; a page may hold those of two; links lead on."""
    wire.gateway.page_size = 4
    wire.gateway.add_bulk(uuid=ID, created_at=at(0), msg_total_count=3)
    wire.gateway.add_bulk(created_at=at(5), msg_total_count=0)
    wire.gateway.add_bulk(uuid=ID2, created_at=at(9), msg_total_count=6)
    pages = [[m["bulk_id"] for m in await page(wire, f"page={n}")] for n in (1, 2, 3, 4)]
    new, old = str(ID2), str(ID)
    assert [[new] * 4, [new] * 2 + [old] * 2, [old], []] == pages
    view = (await wire.ask("GET", "/sms?is_sent=0&page=2", json_ld=True)).content["hydra:view"]
    assert "/sms?page=3&is_sent=0" == view["hydra:next"]


FILTERS = [
    ("", 8),
    (f"bulk={ID}", 5),
    (f"bulk[]={ID}&bulk[]={ID2}", 8),
    (f"bulk={UUID(int=0)}", 0),
    ("is_sent=1", 5),
    ("is_sent=false", 3),
    (f"bulk={ID}&is_sent=true", 2),
    (f"bulk={ID}&is_sent=0", 3),
    ("status_code=100", 5),
    ("status_code=410", 3),
    ("status_code[]=0&status_code[]=100", 5),
    ("dlr_code=2", 5),
    ("phone=%2B43", 1),
    ("phone=49170", 7),
    ("sender_id=shop", 5),
    ("text=hello", 8),
    (f"created_at={T0}", 5),
    (f"created_at[gt]={T0}", 3),
    ("gateway_sent_at=0", 3),
    ("gateway_sent_at[gt]=0", 5),
    ("delivery_at=0", 8),
    ("parts_count=1", 5),
    ("parts_count[gte]=2", 3),
    ("chars_count[between]=5..6", 5),
    ("iso2=DE", 7),
    ("key_id=1", 8),
    ("source=7", 5),
    ("source[lt]=7", 3),
    ("ip=127.0.0.1", 8),
    ("callback_data=x", 0),
    ("is_unicode=0", 8),
    ("colour=red", 8),
]


@pytest.mark.parametrize(("query", "fitting"), FILTERS)
async def test_filters(wire: Wire, query: str, fitting: int) -> None:
    """Each filter that the vendor's client knows, in the total and on the page."""
    wire.gateway.add_bulk(
        15, uuid=ID, msg_total_count=5, sent=2, sender_id="Shop", created_at=at(0), source=7
    )
    wire.gateway.add_bulk(
        10, uuid=ID2, text="Hello" * 40, created_at=at(10), msg_total_count=3, phones=("+43664",)
    )
    assert (fitting, fitting) == (await count(wire, query), len(await page(wire, query)))


async def test_one_message_by_its_id(wire: Wire) -> None:
    """Ids stay the same from look to look."""
    wire.gateway.add_bulk(msg_total_count=40)
    last = (await page(wire, "page=2"))[-1]
    assert [last] == await page(wire, f"uuid={last['uuid']}")


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_order_by_what_went_out(wire: Wire, order: str) -> None:
    """The two fields that the vendor's client sorts by."""
    wire.gateway.add_bulk(15, msg_total_count=4, sent=2)
    moments = [m["gateway_sent_at"] for m in await page(wire, f"_order[gateway_sent_at]={order}")]
    assert sorted(moments, reverse=order == "desc") == moments
    assert 2 == moments.count(0)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("bulk=1", "bulk"),
        (f"bulk={str(ID).upper()}", "bulk"),
        ("is_sent=yes", "is_sent"),
        ("is_sent=", "is_sent"),
        ("page=0", "page"),
        ("status_code=sent", "status_code"),
        ("_order[created_at]=up", "_order[created_at]"),
    ],
)
async def test_impossible_values(wire: Wire, query: str, path: str) -> None:
    """They are refused, and named."""
    got = await wire.ask("GET", f"/sms?{query}")
    assert (400, path) == (got.status, got.content["violations"][0]["propertyPath"])


@pytest.mark.parametrize(("ignored", "totals"), [("bulk", (3, 3)), ("is_sent", (1, 6))])
async def test_server_that_ignores_a_filter(
    wire: Wire, ignored: str, totals: tuple[int, int]
) -> None:
    """It lists what it was not asked for."""
    wire.gateway.add_bulk(10, uuid=ID, msg_total_count=1)
    wire.gateway.add_bulk(15, uuid=ID2, msg_total_count=6, sent=2)
    asked = [f"bulk={uuid}&is_sent=1" for uuid in (ID, ID2)]
    assert [1, 2] == [await count(wire, query) for query in asked]
    wire.gateway.ignored_filters = {ignored}
    assert list(totals) == [await count(wire, query) for query in asked]


async def test_access_and_methods(wire: Wire) -> None:
    """The same rules as for bulks; faults about a bulk are also those about its messages."""
    assert 401 == (await wire.ask("GET", "/sms", headers={"X-LOX24-AUTH-TOKEN": "1:wrong"})).status
    got = await wire.ask("POST", "/sms", body={})
    assert (405, "GET") == (got.status, got.headers["Allow"])
    wire.gateway.fail_next(503, bulk_id=ID)
    assert 200 == (await wire.ask("GET", f"/sms?bulk={ID2}")).status
    assert 503 == (await wire.ask("GET", f"/sms?bulk={ID}")).status


# --- in time


@pytest.mark.looptime
async def test_messages_go_out_one_by_one_until_the_cancel(wire: Wire) -> None:
    """A tenth of them in a tenth of the time; what is not sent at the cancel stays so."""
    wire.gateway.starts_after, wire.gateway.sends_for = 5.0, 100.0
    uuid = wire.gateway.add_bulk(msg_total_count=1000).uuid
    begun = wire.gateway.now
    sent = [wire.gateway.sent(uuid)]
    for pause in (4.0, 11.0, 20.0):
        await asyncio.sleep(pause)
        sent.append(await count(wire, f"bulk={uuid}&is_sent=1"))
    assert [0, 0, 100, 300] == sent
    assert 200 == (await wire.ask("PUT", f"/bulks/{uuid}/cancel")).status
    await asyncio.sleep(1000)
    assert (300, 700) == (wire.gateway.sent(uuid), await count(wire, f"bulk={uuid}&is_sent=0"))
    last = (await page(wire, f"bulk={uuid}&is_sent=1&page=10"))[-1]
    assert last["gateway_sent_at"] == int((begun + timedelta(seconds=35)).timestamp())


@pytest.mark.looptime
async def test_all_messages_are_sent_when_the_bulk_is_processed(wire: Wire) -> None:
    """By the time, or because the test says so."""
    wire.gateway.sends_for = 7.0
    timed = wire.gateway.add_bulk(BulkStatus.IN_PROGRESS, msg_total_count=999).uuid
    told = wire.gateway.add_bulk(msg_total_count=5).uuid
    added = wire.gateway.add_bulk(BulkStatus.PROCESSED, msg_total_count=5).uuid
    assert (0, 0, 5) == tuple(map(wire.gateway.sent, (timed, told, added)))
    await asyncio.sleep(7)
    wire.gateway.set_status(told, BulkStatus.PROCESSED)
    assert (999, 5, 5) == tuple(map(wire.gateway.sent, (timed, told, added)))
    assert 0 == await count(wire, "is_sent=0")


@pytest.mark.looptime
async def test_cancel_that_takes_a_while_lets_messages_go_out(wire: Wire) -> None:
    """They stop when the bulk does, not when the cancel is asked for."""
    wire.gateway.sends_for, wire.gateway.stops_after = 100.0, 10.0
    uuid = wire.gateway.add_bulk(BulkStatus.IN_PROGRESS, msg_total_count=200, sent=100).uuid
    await asyncio.sleep(20)
    await wire.ask("PUT", f"/bulks/{uuid}/cancel")
    assert 120 == wire.gateway.sent(uuid)
    await asyncio.sleep(100)
    assert (130, 15) == (wire.gateway.sent(uuid), wire.gateway.bulks[uuid].status_code)


@pytest.mark.looptime
async def test_what_the_test_sets_goes_on_from_there(wire: Wire) -> None:
    """The rest is sent in the time that is left; without times nothing moves."""
    wire.gateway.sends_for = 10.0
    timed = wire.gateway.add_bulk(BulkStatus.IN_PROGRESS, msg_total_count=100).uuid
    await asyncio.sleep(5)
    wire.gateway.set_sent(timed, 90)
    await asyncio.sleep(2.5)
    assert 95 == wire.gateway.sent(timed)
    await asyncio.sleep(2.5)
    assert (100, 10) == (wire.gateway.sent(timed), wire.gateway.bulks[timed].status_code)
    wire.gateway.sends_for = None
    still = wire.gateway.add_bulk(BulkStatus.IN_PROGRESS, msg_total_count=100).uuid
    wire.gateway.set_sent(still, 30)
    await asyncio.sleep(1e6)
    assert 30 == wire.gateway.sent(still)


async def test_deleted_bulk_takes_its_messages_along(wire: Wire) -> None:
    """Nothing of it is listed any more."""
    wire.gateway.add_bulk(uuid=ID, msg_total_count=3)
    assert 204 == (await wire.ask("DELETE", f"/bulks/{ID}")).status
    assert 0 == await count(wire, "")


@pytest.mark.parametrize("sent", [-1, 4])
def test_more_sent_than_there_are(sent: int) -> None:
    """It is refused when the bulk is put in, and when the number is set."""
    gateway = FakeLox24()
    with pytest.raises(ValueError, match="between 0 and the bulk's 3 messages"):
        gateway.add_bulk(msg_total_count=3, sent=sent)
    uuid = gateway.add_bulk(msg_total_count=3).uuid
    with pytest.raises(ValueError, match="between 0 and the bulk's 3 messages"):
        gateway.set_sent(uuid, sent)
