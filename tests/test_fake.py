"""The local gateway, asked over real HTTP by a plain aiohttp session: what goes over the wire."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import chain
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from attrs import frozen
from yarl import URL

from lox24_async import Bulk, BulkStatus, ServiceCode, VoiceLang
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest

T0 = 1_700_000_000
DRAFT = {"sender_id": "Shop 24", "text": "Hello", "phones": ["+491701234567", "+491701234568"]}


def at(seconds: int) -> datetime:
    """Return a moment after T0."""
    return datetime.fromtimestamp(T0 + seconds, UTC)


@frozen
class Got:
    """What came back."""

    status: int
    content: Any
    headers: Any


@frozen
class Wire:
    """A session on one gateway, with the right token."""

    session: aiohttp.ClientSession
    gateway: FakeLox24

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json_ld: bool = False,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Send a request; the path goes out as it is written here."""
        accept = "application/ld+json" if json_ld else "application/json"
        sent = {"X-LOX24-AUTH-TOKEN": self.gateway.token, "Accept": accept}
        data: BytesIO | None = None
        if body is not None:
            data = BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        url = URL(self.gateway.url + path, encoded=True)
        async with self.session.request(method, url, data=data, headers=sent) as response:
            raw = await response.read()
            return Got(response.status, json.loads(raw) if raw else None, response.headers)

    async def ids(self, path: str) -> list[UUID]:
        """Return the ids of a list in plain JSON."""
        got = await self.ask("GET", path)
        assert (200, list) == (got.status, type(got.content)), got.content
        return [UUID(member["uuid"]) for member in got.content]


@pytest_asyncio.fixture
async def wire(fake_lox24: FakeLox24) -> AsyncIterator[Wire]:
    """Ask the gateway by hand."""
    async with aiohttp.ClientSession() as session:
        yield Wire(session, fake_lox24)


# --- the list


async def test_plain_list_is_a_bare_array_the_newest_first(wire: Wire) -> None:
    """No envelope; bulks of the same second come in the order in which they were put in."""
    ages = (5, 9, 5, 1)
    ids = [wire.gateway.add_bulk(created_at=at(age)).uuid for age in ages]
    assert [ids[1], ids[0], ids[2], ids[3]] == await wire.ids("/bulks")


async def test_members_have_the_full_form(wire: Wire) -> None:
    """A list's member holds what a look at the bulk holds, in both forms."""
    bulk = wire.gateway.add_bulk()
    plain = (await wire.ask("GET", f"/bulks/{bulk.uuid}")).content
    assert [plain] == (await wire.ask("GET", "/bulks")).content
    envelope = (await wire.ask("GET", "/bulks", json_ld=True)).content
    assert [{"@id": f"/bulks/{bulk.uuid}", "@type": "Bulk", **plain}] == envelope["member"]


@pytest.mark.parametrize(("version", "member"), [("2.24", "hydra:member"), ("2.27", "member")])
async def test_envelope_follows_the_version(wire: Wire, version: Any, member: str) -> None:
    """2.24 has the prefix at the members, 2.27 has not; all else is the same."""
    wire.gateway.version = version
    wire.gateway.add_bulk()
    got = await wire.ask("GET", "/bulks", json_ld=True)
    assert got.headers["Content-Type"] == "application/ld+json; charset=utf-8"
    assert 1 == len(got.content.pop(member))
    assert {
        "@context": {"hydra": "http://www.w3.org/ns/hydra/core#"},
        "@id": "/bulks",
        "@type": "hydra:Collection",
        "hydra:totalItems": 1,
        "hydra:view": {"@id": "/bulks", "@type": "hydra:PartialCollectionView"},
    } == got.content


@pytest.mark.parametrize(
    ("page", "links"),
    [
        (1, {"next": 2}),
        (2, {"previous": 1, "next": 3}),
        (3, {"previous": 2}),
        (9, {"previous": 3}),
    ],
)
async def test_links_lead_where_there_is_something(
    wire: Wire, page: int, links: dict[str, int]
) -> None:
    """The first page has no previous one, the last no next; the query stays as it was."""
    wire.gateway.page_size = 2
    for _ in range(5):
        wire.gateway.add_bulk(BulkStatus.NEW)
    wire.gateway.add_bulk(BulkStatus.PROCESSED)
    query = "status_code[]=0&status_code[]=5&text="
    got = await wire.ask("GET", f"/bulks?{query}&page={page}", json_ld=True)

    def iri(number: int) -> str:
        return f"/bulks?page={number}&status_code%5B%5D=0&status_code%5B%5D=5&text="

    assert {
        "@id": iri(page),
        "@type": "hydra:PartialCollectionView",
        "hydra:first": iri(1),
        "hydra:last": iri(3),
        **{f"hydra:{name}": iri(number) for name, number in links.items()},
    } == got.content["hydra:view"]
    assert 5 == got.content["hydra:totalItems"]


@pytest.mark.parametrize("query", ["", "?sender_id=a%26b%3D%2B%20&page=1"])
async def test_links_can_be_followed_to_the_end_and_back(wire: Wire, query: str) -> None:
    """Each bulk is met once each way, also with odd characters in the query."""
    wire.gateway.page_size = 7
    ids = {wire.gateway.add_bulk(sender_id="a&b=+ c", created_at=at(n % 5)).uuid for n in range(30)}
    for key, start in (("hydra:next", f"/bulks{query}"), ("hydra:previous", "/bulks?page=5")):
        seen: list[UUID] = []
        iri: str | None = start
        pages = 0
        while iri is not None:
            content = (await wire.ask("GET", iri, json_ld=True)).content
            seen += [UUID(member["uuid"]) for member in content["member"]]
            iri = content["hydra:view"].get(key)
            pages += 1
        assert (5, 30, ids) == (pages, len(seen), set(seen))


async def test_pages_of_plain_json_end_with_an_empty_one(wire: Wire) -> None:
    """Behind the end there is nothing, and that is no error."""
    wire.gateway.page_size = 2
    for _ in range(4):
        wire.gateway.add_bulk()
    sizes = [len(await wire.ids(f"/bulks?page={page}")) for page in (1, 2, 3, 1000)]
    assert [2, 2, 0, 0] == sizes


async def test_empty_postbox(wire: Wire) -> None:
    """An empty list has one page."""
    assert [] == await wire.ids("/bulks")
    content = (await wire.ask("GET", "/bulks?page=4", json_ld=True)).content
    assert [] == content["member"]
    assert {"@id": "/bulks", "@type": "hydra:PartialCollectionView"} == content["hydra:view"]


async def test_default_page_has_thirty(wire: Wire) -> None:
    """The page size is the framework's default unless the test says otherwise."""
    for _ in range(31):
        wire.gateway.add_bulk()
    assert [30, 1] == [len(await wire.ids(f"/bulks?page={page}")) for page in (1, 2)]


async def test_page_over_five_thousand(wire: Wire) -> None:
    """Large postboxes are paged without loss."""
    wire.gateway.page_size = 1000
    ids = [wire.gateway.add_bulk(created_at=at(-n)).uuid for n in range(5000)]
    pages = [await wire.ids(f"/bulks?page={page}") for page in range(1, 7)]
    assert [1000] * 5 + [0] == [len(page) for page in pages]
    assert ids == list(chain.from_iterable(pages))


ID = UUID("da0fa78c-4699-11ea-a637-96000028b339")
ID2 = UUID("da0fa78c-4699-11ea-a637-96000028b33a")
BULKS: Sequence[dict[str, Any]] = (
    {
        "uuid": ID,
        "status": 0,
        "text": "Summer SALE 100%",
        "sender_id": "Shop",
        "created_at": at(0),
        "msg_total_count": 5,
        "is_unicode": None,
        "source": 7,
    },
    {
        "uuid": ID2,
        "status": 5,
        "text": "Winter sale",
        "sender_id": "shop2",
        "created_at": at(10),
        "delivery_at": at(100),
        "msg_total_count": 10,
        "is_unicode": True,
        "key_id": 2,
    },
    {
        "status": 10,
        "text": "Hello",
        "sender_id": "+4917",
        "created_at": at(20),
        "processed_at": at(30),
        "msg_total_count": 15,
        "is_unicode": False,
        "service_code": ServiceCode.TEXT2SPEECH,
        "voice_lang": VoiceLang.DE,
        "is_dryrun": True,
    },
)
FILTERS = [
    ("", {0, 1, 2}),
    (f"uuid={ID}", {0}),
    (f"uuid[]={ID}&uuid[]={ID2}", {0, 1}),
    (f"uuid[0]={ID}&uuid[1]={ID2}", {0, 1}),
    (f"uuid={UUID(int=0)}", set()),
    ("status_code=0", {0}),
    ("status_code=0&status_code=5", {1}),
    ("status_code[]=0&status_code[]=10", {0, 2}),
    ("status_code[3]=5&status_code[]=10", {1, 2}),
    ("status_code=999", set()),
    ("text=sale", {0, 1}),
    ("text=0%25", {0}),
    ("text=r+s", {0, 1}),
    ("text=%25", {0}),
    ("text[]=summer&text[]=hello", {0, 2}),
    ("sender_id=SHOP", {0, 1}),
    ("sender_id=%2B49", {2}),
    (f"created_at={T0 + 10}", {1}),
    (f"created_at[]={T0}&created_at[]={T0 + 20}", {0, 2}),
    (f"created_at[gt]={T0}", {1, 2}),
    (f"created_at[gte]={T0 + 10}", {1, 2}),
    (f"created_at[lt]={T0 + 10}", {0}),
    (f"created_at[lte]={T0 + 10}", {0, 1}),
    (f"created_at[between]={T0 + 10}..{T0 + 20}", {1, 2}),
    (f"created_at[gt]={T0}&created_at[lt]={T0 + 20}", {1}),
    (f"created_at[]={T0}&created_at[gt]={T0}", set()),
    ("delivery_at=0", {0, 2}),
    (f"delivery_at[gte]={T0}", {1}),
    (f"processed_at={T0 + 30}", {2}),
    ("processed_at[gte]=0", {2}),
    ("msg_total_count=10", {1}),
    ("msg_total_count[0]=5&msg_total_count[1]=15", {0, 2}),
    ("msg_total_count[between]=6..10", {1}),
    ("msg_total_count[gt]=-1", {0, 1, 2}),
    ("is_unicode=true", {1}),
    ("is_unicode=1", {1}),
    ("is_unicode=false", {2}),
    ("is_unicode=0", {2}),
    ("is_dryrun=1", {2}),
    ("source=7", {0}),
    ("key_id=2", {1}),
    ("service_code=text2speech", {2}),
    ("service_code[]=text2speech&service_code[]=direct", {0, 1, 2}),
    ("exists[is_unicode]=true", {1, 2}),
    ("exists[is_unicode]=0", {0}),
    ("exists[processed_at]=1", {2}),
    ("exists[source]=false", {1, 2}),
    ("exists[voice_lang]=1&exists[source]=1", set()),
    ("status_code[]=0&status_code[]=5&text=sale&is_unicode=1", {1}),
    ("colour=red&itemsPerPage=1&a[b][c]=1&exists[colour]=1&_order[text]=x", {0, 1, 2}),
    ("created_at[near]=x&status_code[gt]=x", {0, 1, 2}),
]


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize(("query", "fitting"), FILTERS)
async def test_filters(wire: Wire, query: str, fitting: set[int], quoted: bool) -> None:
    """Each kind of filter, with its brackets as they are and percent-encoded."""
    ids = [wire.gateway.add_bulk(**bulk).uuid for bulk in BULKS]
    if quoted:
        query = query.replace("[", "%5B").replace("]", "%5d")
    assert {ids[index] for index in fitting} == set(await wire.ids(f"/bulks?{query}"))


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("_order[created_at]=asc", [0, 1, 2, 3]),
        ("_order[created_at]=desc", [3, 2, 0, 1]),
        ("_order[created_at]=DESC", [3, 2, 0, 1]),
        ("_order[created_at]=", [0, 1, 2, 3]),
        ("_order[processed_at]=asc", [1, 2, 3, 0]),
        ("_order[processed_at]=desc", [0, 3, 1, 2]),
        ("_order[delivery_at]=asc", [0, 2, 3, 1]),
        ("_order[msg_total_count]=desc", [2, 0, 1, 3]),
        ("_order[msg_total_count]=asc&_order[created_at]=desc", [3, 0, 1, 2]),
        ("_order[created_at]=desc&_order[msg_total_count]=asc", [3, 2, 0, 1]),
        ("_order[msg_total_count]=asc&_order[delivery_at]=desc", [3, 1, 0, 2]),
        ("_order[delivery_at]=desc&_order[msg_total_count]=asc", [1, 3, 0, 2]),
        ("_order[price]=asc", [3, 2, 0, 1]),
    ],
)
async def test_order(wire: Wire, query: str, order: list[int]) -> None:
    """Several are combined as they come; nothing comes first upwards, ties stay as put in."""
    bulks: Sequence[dict[str, Any]] = (
        {"created_at": at(0), "msg_total_count": 5, "processed_at": at(9)},
        {"created_at": at(0), "msg_total_count": 5, "delivery_at": at(50)},
        {"created_at": at(10), "msg_total_count": 9},
        {"created_at": at(20), "msg_total_count": 1, "processed_at": at(3)},
    )
    ids = [wire.gateway.add_bulk(**bulk).uuid for bulk in bulks]
    assert order == [ids.index(uuid) for uuid in await wire.ids(f"/bulks?{query}")]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=", "page"),
        ("page=1.5", "page"),
        ("page=99999999999999999999", "page"),
        ("page[]=1", "page"),
        ("uuid=1", "uuid"),
        (f"uuid[]={ID}&uuid[]=x", "uuid"),
        (f"uuid={str(ID).upper()}", "uuid"),
        ("status_code=new", "status_code"),
        ("status_code[]=0&status_code[]=", "status_code"),
        ("created_at=yesterday", "created_at"),
        ("created_at[gt]=x", "created_at[gt]"),
        ("delivery_at[between]=1", "delivery_at[between]"),
        ("delivery_at[between]=1..", "delivery_at[between]"),
        ("msg_total_count[lte]=1e3", "msg_total_count[lte]"),
        ("is_unicode=yes", "is_unicode"),
        ("is_dryrun[]=1", "is_dryrun"),
        ("key_id=x", "key_id"),
        ("exists=1", "exists"),
        ("exists[source]=maybe", "exists[source]"),
        ("_order=asc", "_order"),
        ("_order[created_at]=up", "_order[created_at]"),
    ],
)
async def test_impossible_values_of_known_parameters(wire: Wire, query: str, path: str) -> None:
    """They are refused, and named."""
    wire.gateway.add_bulk()
    got = await wire.ask("GET", f"/bulks?{query}")
    assert (400, path) == (got.status, got.content["violations"][0]["propertyPath"])
    assert got.content["detail"].startswith(f"{path}: This value should be ")


# --- one bulk


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
        "@context": {"hydra": "http://www.w3.org/ns/hydra/core#"},
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


# --- creating


@pytest.mark.parametrize("json_ld", [False, True])
async def test_create_with_all_properties(wire: Wire, json_ld: bool) -> None:
    """The answer is the full form of the bulk that is in the postbox from then on."""
    wire.gateway.groups = {7117: 40, 7118: 2}
    draft = {
        "sender_id": "+491701234567",
        "text": "Grüße 🙂",
        "service_code": "text2speech",
        "phones": ["+491701234567", "01701234568"],
        "msg_groups": [7117, 1],
        "delivery_at": T0,
        "is_unicode": True,
        "source": 1234,
        "voice_lang": "UK",
        "colour": "red",
    }
    got = await wire.ask("POST", "/bulks", body=draft, json_ld=json_ld)
    assert 201 == got.status
    (bulk,) = wire.gateway.bulks.values()
    assert ("@id" in got.content) is json_ld
    del draft["colour"]
    assert draft == {name: got.content[name] for name in draft}
    assert (str(bulk.uuid), 0, 42, 42 * 0.065) == tuple(
        got.content[name] for name in ("uuid", "status_code", "msg_total_count", "price")
    )
    assert (False, "127.0.0.1", 1, None) == tuple(
        got.content[name] for name in ("is_dryrun", "ip", "key_id", "processed_at")
    )
    assert timedelta() <= wire.gateway.now - (bulk.created_at or at(0)) < timedelta(seconds=5)
    assert (at(0), ServiceCode.TEXT2SPEECH, VoiceLang.UK, (7117, 1), Decimal("2.730")) == (
        bulk.delivery_at,
        bulk.service_code,
        bulk.voice_lang,
        bulk.msg_groups,
        bulk.price,
    )
    read = await wire.ask("GET", f"/bulks/{bulk.uuid}", json_ld=json_ld)
    assert got.content == read.content


async def test_create_with_the_least(wire: Wire) -> None:
    """What was not sent is null, or the default."""
    wire.gateway.price_per_message = None
    content = (await wire.ask("POST", "/bulks", body=DRAFT)).content
    expected = {
        "service_code": "direct",
        "delivery_at": 0,
        "is_unicode": None,
        "source": None,
        "voice_lang": None,
        "msg_groups": None,
        "msg_total_count": 2,
    }
    assert expected == {name: content[name] for name in expected}
    assert "price" not in content


@pytest.mark.parametrize("absent", ["phones", "msg_groups"])
async def test_create_takes_null_and_empty_recipients_of_one_kind(wire: Wire, absent: str) -> None:
    """One of the two sources is enough; null for what may be null."""
    given = {"phones": ["+491701234567"], "msg_groups": [1]}
    nulls = dict.fromkeys(("is_unicode", "source", "voice_lang"))
    empty: list[str] = []
    for nothing in (None, empty):
        draft = {**DRAFT, **given, **nulls, absent: nothing}
        got = await wire.ask("POST", "/bulks", body=draft)
        assert (201, nothing) == (got.status, got.content[absent])


async def test_simulate(wire: Wire) -> None:
    """A dry run answers as the real thing, and leaves nothing behind."""
    wire.gateway.funds = Decimal(0)
    got = await wire.ask("POST", "/bulks/dryrun", body=DRAFT)
    assert (201, True, 0, 2, 0.13) == (
        got.status,
        *(got.content[k] for k in ("is_dryrun", "status_code", "msg_total_count", "price")),
    )
    assert {} == dict(wire.gateway.bulks)
    assert 404 == (await wire.ask("GET", f"/bulks/{got.content['uuid']}")).status
    assert 400 == (await wire.ask("POST", "/bulks/dryrun", body={})).status


REMOVED = object()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sender_id", REMOVED, "blank"),
        ("sender_id", None, "blank"),
        ("sender_id", "", "blank"),
        ("sender_id", 491701234567, "of type string"),
        ("sender_id", "twelve chars", "up to 11 characters"),
        ("sender_id", "Größe", "up to 11 characters"),
        ("sender_id", "Shop\n", "up to 11 characters"),
        ("sender_id", "+0123", "up to 11 characters"),
        ("sender_id", "+1234567890123456", "up to 11 characters"),
        ("text", REMOVED, "blank"),
        ("text", "", "blank"),
        ("text", "x" * 1786, "1785 characters or less"),
        ("text", ["Hello"], "of type string"),
        ("phones", REMOVED, "phones or msg_groups"),
        ("phones", [], "phones or msg_groups"),
        ("phones", None, "phones or msg_groups"),
        ("phones", "+491701234567", "of type array"),
        ("phones", "", "of type array"),
        ("phones", [491701234567], "of type array"),
        ("phones", [""], "of type array"),
        ("msg_groups", ["7117"], "of type array"),
        ("msg_groups", [True], "of type array"),
        ("msg_groups", {"1": 2}, "of type array"),
        ("service_code", "pigeon", "Service's code is invalid or unavailable."),
        ("service_code", 1, "of type string"),
        ("service_code", None, "of type string"),
        ("delivery_at", "2026-01-01", "of type integer"),
        ("delivery_at", None, "of type integer"),
        ("delivery_at", True, "of type integer"),
        ("delivery_at", 1.5, "of type integer"),
        ("delivery_at", -1, "timestamp"),
        ("delivery_at", 10**15, "timestamp"),
        ("is_unicode", 1, "of type boolean"),
        ("source", "1", "of type integer"),
        ("source", False, "of type integer"),
        ("voice_lang", "XX", "language"),
        ("voice_lang", 5, "of type string"),
    ],
)
async def test_create_is_refused(wire: Wire, name: str, value: object, message: str) -> None:
    """One property is wrong: it is named, in the documented form, and nothing is created."""
    draft = {k: v for k, v in {**DRAFT, name: value}.items() if v is not REMOVED}
    got = await wire.ask("POST", "/bulks", body=draft)
    assert 400 == got.status
    ((violation),) = got.content["violations"]
    assert name == violation["propertyPath"]
    assert message in violation["message"]
    assert str(UUID(violation["code"])) == violation["code"]
    assert {
        "type": "https://tools.ietf.org/html/rfc2616#section-10",
        "title": "An error occurred",
        "detail": f"{name}: {violation['message']}",
        "violations": [violation],
    } == got.content
    assert not wire.gateway.bulks


async def test_create_tells_all_that_is_wrong(wire: Wire) -> None:
    """One line for each property, in both forms."""
    draft = {"phones": ["+491701234567"], "voice_lang": "XX"}
    plain = (await wire.ask("POST", "/bulks", body=draft)).content
    paths = [violation["propertyPath"] for violation in plain["violations"]]
    assert ["sender_id", "text", "voice_lang"] == paths
    assert paths == [line.partition(": ")[0] for line in plain["detail"].split("\n")]
    got = await wire.ask("POST", "/bulks", body=draft, json_ld=True)
    assert 400 == got.status
    assert {
        "@context": "/contexts/ConstraintViolationList",
        "@type": "ConstraintViolationList",
        "hydra:title": "An error occurred",
        "hydra:description": plain["detail"],
        "violations": plain["violations"],
    } == got.content


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b'{"a": NaN}', b"[" * 100_000]
)
async def test_create_from_no_object(wire: Wire, body: bytes) -> None:
    """What is no JSON object is a bad request without violations."""
    got = await wire.ask("POST", "/bulks", body=body)
    assert 400 == got.status
    assert {"type", "title", "detail"} == got.content.keys()


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("application/ld+json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
async def test_create_wants_json(wire: Wire, content_type: str, status: int) -> None:
    """The documented content type, and no other."""
    got = await wire.ask("POST", "/bulks", body=DRAFT, headers={"Content-Type": content_type})
    assert (status, status == 201) == (got.status, bool(wire.gateway.bulks))


async def test_create_without_a_content_type(wire: Wire) -> None:
    """None is not the right one."""
    url = f"{wire.gateway.url}/bulks"
    headers = {"X-LOX24-AUTH-TOKEN": wire.gateway.token, "Accept": "application/json"}
    async with wire.session.post(
        url, data=b"{}", headers=headers, skip_auto_headers=["Content-Type"]
    ) as response:
        assert 415 == response.status
    assert "content-type" not in wire.gateway.requests[0].headers


async def test_create_for_a_hundred_thousand(wire: Wire) -> None:
    """A body of more than a megabyte is taken."""
    phones = [f"+4917{number:08}" for number in range(100_000)]
    got = await wire.ask("POST", "/bulks", body={**DRAFT, "phones": phones})
    assert (201, 100_000, 6500.0) == (
        got.status,
        got.content["msg_total_count"],
        got.content["price"],
    )
    assert phones == got.content["phones"]


async def test_create_without_funds(wire: Wire) -> None:
    """What costs more than there is, is refused; what costs as much is not."""
    wire.gateway.funds = Decimal("0.129")
    got = await wire.ask("POST", "/bulks", body=DRAFT)
    assert (402, {}) == (got.status, dict(wire.gateway.bulks))
    wire.gateway.funds = Decimal("0.13")
    assert 201 == (await wire.ask("POST", "/bulks", body=DRAFT)).status


# --- access and faults


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


# --- states in time


async def status_of(wire: Wire, bulk_id: object) -> int:
    """Return the status that the wire shows."""
    return int((await wire.ask("GET", f"/bulks/{bulk_id}/status")).content["status_code"])


@pytest.mark.looptime
async def test_whole_life_of_a_bulk(wire: Wire) -> None:
    """New, after five seconds in progress, after ten more processed; dates go along."""
    wire.gateway.starts_after, wire.gateway.sends_for = 5.0, 10.0
    created = (await wire.ask("POST", "/bulks", body=DRAFT)).content
    seen: list[tuple[int, int, int]] = []
    for pause in (4.9, 0.2, 9.8, 0.2, 1000):
        await asyncio.sleep(pause)
        content = (await wire.ask("GET", f"/bulks/{created['uuid']}")).content
        (listed,) = (await wire.ask("GET", "/bulks")).content
        ours = wire.gateway.bulks[created["uuid"]]
        seen.append((content["status_code"], listed["status_code"], int(ours.status_code)))
    assert [(0, 0, 0), (5, 5, 5), (5, 5, 5), (10, 10, 10), (10, 10, 10)] == seen
    assert content["processed_at"] - created["created_at"] in (15, 16)
    assert content == (await wire.ask("GET", f"/bulks/{created['uuid']}")).content


@pytest.mark.looptime
async def test_states_are_current_in_the_tests_own_look(fake_lox24: FakeLox24) -> None:
    """Without any request, and through a mapping that was taken before; both steps at once."""
    fake_lox24.starts_after, fake_lox24.sends_for = 1.0, 2.0
    bulks, uuid = fake_lox24.bulks, fake_lox24.add_bulk(created_at=at(0)).uuid
    begun = fake_lox24.now
    await asyncio.sleep(100)
    (bulk,) = bulks.values()
    assert (uuid, BulkStatus.PROCESSED) == (bulk.uuid, bulk.status_code)
    assert bulk.processed_at is not None
    assert timedelta(seconds=2) <= bulk.processed_at - begun <= timedelta(seconds=3)
    assert fake_lox24.now - begun >= timedelta(seconds=100)


@pytest.mark.looptime
async def test_starts_after_its_delivery_time(wire: Wire) -> None:
    """A later delivery_at is waited for, an earlier one is not."""
    wire.gateway.starts_after = 5.0
    later = wire.gateway.add_bulk(delivery_at=wire.gateway.now + timedelta(seconds=60)).uuid
    earlier = wire.gateway.add_bulk(delivery_at=at(0)).uuid
    await asyncio.sleep(4.9)
    assert (0, 0) == (await status_of(wire, later), await status_of(wire, earlier))
    await asyncio.sleep(0.2)
    assert (0, 5) == (await status_of(wire, later), await status_of(wire, earlier))
    await asyncio.sleep(59.0)
    assert 0 == await status_of(wire, later)
    await asyncio.sleep(1.0)
    assert 5 == await status_of(wire, later)


@pytest.mark.looptime
async def test_without_times_states_stay(wire: Wire) -> None:
    """None: until the test says otherwise; sends_for alone counts from there."""
    bulk = wire.gateway.add_bulk()
    await asyncio.sleep(1e6)
    assert 0 == await status_of(wire, bulk.uuid)
    wire.gateway.sends_for = 3.0
    wire.gateway.set_status(bulk.uuid, BulkStatus.IN_PROGRESS)
    await asyncio.sleep(2.9)
    assert 5 == await status_of(wire, bulk.uuid)
    await asyncio.sleep(0.1)
    assert 10 == await status_of(wire, bulk.uuid)


@pytest.mark.looptime
async def test_what_the_test_sets_overrides_what_was_due(wire: Wire) -> None:
    """A cancel, a set_status or a delete takes back the state that was to come."""
    wire.gateway.starts_after = 5.0
    canceled, failed, gone, left = (wire.gateway.add_bulk().uuid for _ in range(4))
    await wire.ask("PUT", f"/bulks/{canceled}/cancel")
    wire.gateway.set_status(failed, BulkStatus.SYSTEM_ERROR)
    await wire.ask("DELETE", f"/bulks/{gone}")
    await asyncio.sleep(10)
    states = {uuid: int(bulk.status_code) for uuid, bulk in wire.gateway.bulks.items()}
    assert {canceled: 15, failed: 20, left: 5} == states


@pytest.mark.looptime
async def test_bulk_without_recipients_ends(wire: Wire) -> None:
    """Empty groups are found out when the bulk begins."""
    wire.gateway.starts_after, wire.gateway.sends_for = 1.0, 1.0
    draft = {"sender_id": "Shop", "text": "Hello", "msg_groups": [1]}
    got = await wire.ask("POST", "/bulks", body=draft)
    assert (201, 0, 0) == (got.status, got.content["msg_total_count"], got.content["status_code"])
    await asyncio.sleep(10)
    assert BulkStatus.NO_RECIPIENTS == await status_of(wire, got.content["uuid"])


@pytest.mark.looptime
async def test_cancel_that_takes_a_while(wire: Wire) -> None:
    """The answer shows the old status; a second cancel changes nothing; then it is done."""
    wire.gateway.stops_after, wire.gateway.sends_for = 4.0, 2.0
    uuid = wire.gateway.add_bulk(BulkStatus.IN_PROGRESS).uuid
    first = await wire.ask("PUT", f"/bulks/{uuid}/cancel")
    assert (200, 5) == (first.status, first.content["status_code"])
    await asyncio.sleep(3)
    second = await wire.ask("PUT", f"/bulks/{uuid}/cancel")
    assert (200, 5) == (second.status, second.content["status_code"])
    await asyncio.sleep(1)
    assert 15 == await status_of(wire, uuid)
    assert 422 == (await wire.ask("PUT", f"/bulks/{uuid}/cancel")).status
    await asyncio.sleep(100)
    assert 15 == await status_of(wire, uuid)


@pytest.mark.looptime
async def test_clock_stands_still_while_the_gateway_does() -> None:
    """What was put in before the start waits for it; after the stop nothing changes."""
    gateway = FakeLox24(starts_after=5.0, sends_for=5.0)
    bulk = gateway.add_bulk()
    await asyncio.sleep(100)
    states: list[Bulk] = [gateway.bulks[bulk.uuid]]
    for pause in (4.0, 2.0):
        async with gateway:
            await asyncio.sleep(pause)
        await asyncio.sleep(100)
        states.append(gateway.bulks[bulk.uuid])
    assert [0, 0, 5] == [state.status_code for state in states]


# --- the gateway itself


@pytest.mark.parametrize("options", [{"page_size": 0}, {"version": "2.25"}])
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
