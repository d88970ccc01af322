"""One page of a listing: which bodies are one, what is next, and how long an answer may be."""

import json
from typing import Any

import pytest

from lox24_async import (
    Bulk,
    JsonLdBulk,
    Lox24Client,
    ResponseDecodeError,
    make_converter,
)
from lox24_async._wire.pages import read_page
from lox24_async._wire.query import write_message_query
from lox24_async.models import Page
from lox24_async.testing import FakeLox24
from tests.fault_server import FaultServer, answer, client_of

ID = "da0fa78c-4699-11ea-a637-96000028b339"
ONE: dict[str, Any] = {"uuid": ID, "status_code": 5}
TWO: dict[str, Any] = {"uuid": ID.replace("d", "e"), "status_code": 0}
MIB = 1 << 20


def read(raw: Any, page: int = 1) -> Page[Bulk]:
    """Read a page of plain bulks."""
    converter = make_converter()
    return read_page(raw, page, lambda item: converter.structure(item, Bulk))


def linked(following: object, **more: Any) -> dict[str, Any]:
    """Return an envelope with two bulks and a link."""
    return {"hydra:member": [ONE, TWO], "hydra:view": {"hydra:next": following}, **more}


# --- which bodies are a page


@pytest.mark.parametrize("prefix", ["", "hydra:"])
@pytest.mark.parametrize("others", ["", "hydra:"])
def test_envelope_in_both_spellings(prefix: str, others: str) -> None:
    """Every key is read with and without its prefix, also mixed as in version 2.27."""
    raw = {
        "@context": "/contexts/Bulk",
        "@id": "/bulks",
        "@type": "hydra:Collection",
        f"{prefix}member": [ONE, TWO],
        f"{others}totalItems": 71,
        f"{others}view": {"@id": "/bulks?page=3", f"{others}next": "/bulks?page=4"},
        "hydra:search": {"hydra:mapping": []},
    }
    page = read(raw, 3)
    assert (3, 71, 4) == (page.page, page.total, page.next_page)
    assert [ONE["uuid"], TWO["uuid"]] == [str(bulk.uuid) for bulk in page.items]


def test_bare_array() -> None:
    """Plain JSON tells neither a total nor the end: only an empty page is the last."""
    page = read([ONE, TWO], 7)
    assert (2, None, 8) == (len(page.items), page.total, page.next_page)


@pytest.mark.parametrize("page", [1, 2, 30])
@pytest.mark.parametrize("raw", [[], {"hydra:member": []}, {"member": [], "totalItems": 60}])
def test_empty_page_is_the_last(raw: Any, page: int) -> None:
    """Behind nothing comes nothing."""
    last = read(raw, page)
    assert ((), page, None) == (last.items, last.page, last.next_page)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        True,
        5,
        "[]",
        ONE,
        {},
        {"hydra:member": None},
        {"hydra:member": {}},
        {"hydra:member": {"0": ONE}},
        {"member": "[]"},
        {"items": [ONE]},
        {"hydra:Member": [ONE]},
    ],
)
def test_no_collection(raw: Any) -> None:
    """What is no collection is refused, and never an empty page."""
    with pytest.raises(ValueError, match="expected an array of bulks, or a hydra collection"):
        read(raw)


@pytest.mark.parametrize(
    "member",
    [None, 5, [], "x", {}, {"uuid": ID}, ONE | {"status_code": "5"}, ONE | {"uuid": "5"}],
)
@pytest.mark.parametrize("envelope", [False, True])
def test_member_that_is_no_bulk(member: Any, envelope: bool) -> None:
    """One wrong member refuses the page: to leave a bulk out would be to lose it."""
    members = [ONE, member, TWO]
    with pytest.raises(ValueError, match=r"expected a JSON object|uuid is|status_code is"):
        read({"member": members} if envelope else members)


# --- the total


@pytest.mark.parametrize(
    ("said", "total"),
    [(0, 0), (2, 2), (10**20, 10**20), (-1, None), (True, None), ("71", None), (71.0, None)],
)
def test_total_is_a_number_or_unknown(said: Any, total: int | None) -> None:
    """Nothing is coerced."""
    assert total == read({"member": [ONE], "totalItems": said}).total


@pytest.mark.parametrize(
    ("total", "page", "following"),
    [
        (2, 1, None),
        (3, 1, 2),
        (2, 2, 3),
        (None, 1, 2),
        (0, 1, 2),
        (1, 1, 2),
        (-1, 1, 2),
        (True, 1, 2),
        ("2", 1, 2),
    ],
)
def test_without_a_view_the_total_decides(total: Any, page: int, following: int | None) -> None:
    """All on the first page: that is all. A total that cannot be right ends nothing."""
    raw = {"hydra:member": [ONE, TWO], "hydra:totalItems": total}
    assert following == read(raw, page).next_page


# --- the link


@pytest.mark.parametrize(
    ("iri", "number"),
    [
        ("/bulks?page=4", 4),
        ("/bulks?_order[created_at]=asc&page=4", 4),
        ("/bulks?_order%5Bcreated_at%5D=asc&page=4&status_code%5B%5D=0", 4),
        ("https://api.lox24.eu/bulks?page=4#x", 4),
        ("?page=4", 4),
        ("/bulks?page=0004", 4),
        ("/bulks?page=2", 2),
        ("/bulks?page=900", 900),
    ],
)
def test_link_names_the_next_page(iri: str, number: int) -> None:
    """Only the number of the link counts."""
    assert number == read(linked(iri), 3).next_page


@pytest.mark.parametrize(
    "iri",
    [
        "/bulks",
        "",
        "/bulks?page=",
        "/bulks?page=x",
        "/bulks?page=-4",
        "/bulks?page=+5",
        "/bulks?page=5.0",
        "/bulks?page=\u0665",
        "/bulks?page=5&page=6",
        "/bulks?page[]=5",
        "/bulks?xpage=9",
        "http://[/bulks?page=9",
        "/bulks?page=" + "9" * 5_000,
        9,
        True,
        ["/bulks?page=9"],
        {"@id": "/bulks"},
    ],
)
def test_odd_link_means_one_further(iri: Any) -> None:
    """There is a next page, only its number is not readable: it is this one's plus one."""
    assert 4 == read(linked(iri), 3).next_page


@pytest.mark.parametrize(
    "view",
    [{}, {"hydra:next": None}, {"next": None}, {"@id": "/bulks", "hydra:last": "/bulks?page=9"}],
)
def test_view_without_next_is_the_end(view: dict[str, Any]) -> None:
    """A view that links no further page says that there is none."""
    assert None is read({"member": [ONE], "totalItems": 90, "hydra:view": view}, 3).next_page


@pytest.mark.parametrize("view", [None, "x", [], 5])
def test_view_of_another_type_says_nothing(view: Any) -> None:
    """It counts as absent."""
    assert 4 == read({"member": [ONE], "hydra:view": view}, 3).next_page


# --- through the client


@pytest.mark.parametrize(
    "body",
    ["null", "{}", "5", '"x"', "[null]", "[[]]", '{"member":null}', "[", "", "<html>", "[NaN]"],
)
@pytest.mark.parametrize("form", [Bulk, JsonLdBulk])
async def test_what_is_no_page_is_an_error(
    client: Lox24Client, fake_lox24: FakeLox24, body: str, form: type[Bulk]
) -> None:
    """Never an empty list, never a bare ValueError; one request and no repeat."""
    fake_lox24.fail_next(body=body, times=2)
    with pytest.raises(ResponseDecodeError) as caught:
        await client.list_bulks_page(1, form=form)
    assert (200, body, 1, None) == (
        caught.value.status,
        caught.value.body,
        caught.value.attempts,
        caught.value.bulk_id,
    )
    with pytest.raises(ResponseDecodeError):
        await anext(client.list_bulks(form=form))
    assert 2 == len(fake_lox24.requests)


async def test_long_page_is_read_whole() -> None:
    """A page of 30 campaigns with thousands of recipients each has several MB."""
    phones = [f"+49170{n:07}" for n in range(9_000)]
    members = [ONE | {"uuid": f"{n:08}{ID[8:]}", "phones": phones} for n in range(30)]
    body = json.dumps(members).encode()
    assert 4 * MIB < len(body)
    async with FaultServer(get=answer(body)) as server, client_of(server.url) as client:
        page = await client.list_bulks_page(1)
    assert [(9_000, phones[-1])] * 30 == [
        (len(bulk.phones or ()), (bulk.phones or ("",))[-1]) for bulk in page.items
    ]


async def test_long_bulk_is_read_whole_and_long_status_is_not() -> None:
    """The full form may be long; a summary over 1 MiB is no summary, and is not read."""
    body = json.dumps(ONE | {"phones": ["+491701234567"] * 100_000}).encode()
    assert MIB < len(body)
    async with FaultServer(get=answer(body)) as server, client_of(server.url) as client:
        assert 100_000 == len((await client.get_bulk(ID)).phones or ())
        with pytest.raises(ResponseDecodeError, match="too long") as caught:
            await client.get_bulk_status(ID)
        assert (200, 1, False) == (
            caught.value.status,
            caught.value.attempts,
            caught.value.outcome_unknown,
        )
        assert len(caught.value.body) < 5_000
    assert 2 == server.gets


# --- a bulk's messages


@pytest.mark.parametrize(
    ("sent", "narrowed"),
    [
        (None, ""),
        (True, "&is_sent=1&_order[gateway_sent_at]=asc"),
        (False, "&is_sent=0&_order[gateway_sent_at]=desc"),
    ],
)
def test_messages_are_asked_for_oldest_first(sent: bool | None, narrowed: str) -> None:
    """Of a filter's wrong side what a server that ignored it would send comes first."""
    expected = f"bulk=a1&page=7{narrowed}&_order[created_at]=asc"
    assert expected == write_message_query("a1", sent, 7)
