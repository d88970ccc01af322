"""The list of bulks over the wire: envelopes, pages, filters, order."""

from collections.abc import Sequence
from itertools import chain
from typing import Any
from uuid import UUID

import pytest

from lox24_async import BulkStatus, ServiceCode, VoiceLang

from .asking import ID, ID2, T0, Wire, at


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


@pytest.mark.parametrize(
    ("version", "member", "kind"), [("2.24", "hydra:member", "bulks"), ("2.27", "member", "Bulk")]
)
async def test_envelope_follows_the_version(
    wire: Wire, version: Any, member: str, kind: str
) -> None:
    """2.24 has the prefix at the members, 2.27 has not; the types have other names."""
    wire.gateway.version = version
    wire.gateway.add_bulk()
    got = await wire.ask("GET", "/bulks", json_ld=True)
    assert got.headers["Content-Type"] == "application/ld+json; charset=utf-8"
    assert 1 == len(got.content.pop(member))
    assert {
        "@context": f"/contexts/{kind}",
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
