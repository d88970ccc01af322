"""The messages behind a bulk, over a real socket: listed, counted, and never a wrong number."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest

from lox24_async import (
    AuthenticationError,
    Bulk,
    BulkMessage,
    BulkStatus,
    ClientClosedError,
    ConfigurationError,
    InvalidBulkIdError,
    JsonLdBulk,
    Lox24Client,
    NotFoundError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServerError,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.fault_server import (
    BULK_ID,
    OTHER_ID,
    FaultServer,
    answer,
    client_of,
    close,
    nothing_left,
    silent,
    until,
)

ID = UUID(BULK_ID)
FORMS = pytest.mark.parametrize("form", [None, Bulk, JsonLdBulk])
VERSIONS = pytest.mark.parametrize("version", ["2.24", "2.27"])
SENT = pytest.mark.parametrize("sent", [None, True, False])


async def listed(client: Lox24Client, sent: bool | None = None, **options: Any) -> list[int]:
    """Return the ids of all messages of the bulk, as numbers."""
    return [m.uuid.int async for m in client.list_messages(ID, sent=sent, **options)]


CALLS: dict[str, Callable[[Lox24Client, bool | None], Awaitable[Any]]] = {
    "list": listed,
    "count": lambda client, sent: client.count_messages(ID, sent=sent),
}
EACH = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def asked(request: ReceivedRequest) -> dict[str, str]:
    """Return the query's parameters."""
    return dict(parse_qsl(request.path.partition("?")[2]))


# --- a campaign that was stopped in mid-flight


async def test_what_had_gone_out(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Of 10,000 messages 3,000 were sent when it was cancelled: one request tells each number."""
    fake_lox24.add_bulk(BulkStatus.IN_PROGRESS, uuid=ID, msg_total_count=10_000, sent=3_000)
    fake_lox24.add_bulk(BulkStatus.PROCESSED, msg_total_count=50)
    assert (await client.cancel_bulk(ID)).is_canceled
    before = len(fake_lox24.requests)
    assert 3_000 == await client.count_messages(ID, sent=True)
    assert 7_000 == await client.count_messages(ID, sent=False)
    assert 10_000 == await client.count_messages(str(ID).upper())
    assert 3 == len(fake_lox24.requests) - before


@FORMS
@VERSIONS
async def test_each_message_once(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk] | None, version: Any
) -> None:
    """Page after page, in both forms and spellings; each is of the bulk and as asked for."""
    fake_lox24.version = version
    fake_lox24.page_size = 7
    fake_lox24.add_bulk(BulkStatus.CANCELED, uuid=ID, msg_total_count=50, sent=20, price=Decimal(5))
    fake_lox24.add_bulk(BulkStatus.PROCESSED, msg_total_count=30)
    everything = [m async for m in client.list_messages(ID, form=form)]
    assert 50 == len({m.uuid for m in everything})
    assert {(ID, Decimal("0.1"))} == {(m.bulk_id, m.price) for m in everything}
    assert all(type(m) is BulkMessage for m in everything)
    for sent, count in ((True, 20), (False, 30)):
        found = [m async for m in client.list_messages(ID, sent=sent, form=form)]
        assert count == len(found) == len({m.uuid for m in found})
        assert {sent} == {m.is_sent for m in found}
        assert sent is all(m.gateway_sent_at is not None for m in found)


@FORMS
@SENT
async def test_each_once_while_they_go_out(
    client: Lox24Client, fake_lox24: FakeLox24, sent: bool | None, form: type[Bulk] | None
) -> None:
    """With each page that is read some go out: none twice, none missed that was there all along."""
    total, gone = 500, 50
    fake_lox24.page_size = 25
    fake_lox24.add_bulk(BulkStatus.IN_PROGRESS, uuid=ID, msg_total_count=total, sent=gone)
    every = await listed(client)  # in the order in which they go out
    assert total == len(set(every))

    def go_on(_: ReceivedRequest) -> Fault | None:
        nonlocal gone
        gone = min(gone + 10, 300)
        fake_lox24.set_sent(ID, gone)
        return None

    fake_lox24.fail_if(go_on)
    found = await listed(client, sent, form=form)
    assert len(found) == len(set(found))
    there = {None: every, True: every[:50], False: every[300:]}[sent]
    assert set(there) <= set(found) <= set(every)
    assert fake_lox24.sent(ID) > 50


async def test_campaign_is_listed_while_it_is_stopped(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """10,000 messages: read, counted and cancelled at once, and the numbers agree in the end."""
    fake_lox24.page_size = 500
    fake_lox24.add_bulk(BulkStatus.IN_PROGRESS, uuid=ID, msg_total_count=10_000, sent=2_900)
    found: list[UUID] = []
    async with client.list_messages(ID, sent=True) as messages:
        async for message in messages:
            found.append(message.uuid)
            if len(found) == 1_000:
                fake_lox24.set_sent(ID, 3_000)
                assert (await client.cancel_bulk(ID)).is_canceled
    assert 3_000 == len(set(found)) == len(found)
    assert 3_000 == await client.count_messages(ID, sent=True)


async def test_bulk_without_messages(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A bulk that has none, and one that LOX24 does not know: nothing, by one request each."""
    assert [] == await listed(client)
    fake_lox24.add_bulk(uuid=ID, msg_total_count=0)
    assert [] == await listed(client)
    assert 0 == await client.count_messages(ID)
    assert 3 == len(fake_lox24.requests)


# --- what goes out


@SENT
async def test_requests(client: Lox24Client, fake_lox24: FakeLox24, sent: bool | None) -> None:
    """The filters, JSON-LD, and first what must not be there; nothing but a GET."""
    fake_lox24.page_size = 2
    fake_lox24.add_bulk(BulkStatus.CANCELED, uuid=ID, msg_total_count=4, sent=2)
    await client.count_messages(ID, sent=sent)
    await listed(client, sent)
    flag = {} if sent is None else {"is_sent": "1" if sent else "0"}
    if sent is not None:
        flag["_order[gateway_sent_at]"] = "asc" if sent else "desc"
    expected = [
        {"bulk": BULK_ID, "page": page, **flag, "_order[created_at]": "asc"}
        for page in ("1", "1", "2")[: 3 if sent is None else 2]
    ]
    assert expected == [asked(request) for request in fake_lox24.requests]
    for request in fake_lox24.requests:
        assert ("GET", b"", "application/ld+json") == (
            request.method,
            request.body,
            request.headers["Accept"],
        )


async def test_plain_json_if_asked_for(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """``form=Bulk`` asks for plain JSON, whatever the client's form; the default never does."""
    fake_lox24.add_bulk(uuid=ID)
    for form in (Bulk, None, JsonLdBulk):
        await listed(client, form=form)
    kinds = [request.headers["Accept"] for request in fake_lox24.requests]
    assert ["application/json"] * 2 + ["application/ld+json"] * 2 == kinds


# --- a server that ignores a filter


@EACH
@SENT
@pytest.mark.parametrize("version", ["2.24", "2.27"])
async def test_bulk_filter_that_is_ignored(
    client: Lox24Client,
    fake_lox24: FakeLox24,
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]],
    sent: bool | None,
    version: Any,
) -> None:
    """All messages of the account come: that is no number, and no list."""
    fake_lox24.version = version
    fake_lox24.ignored_filters = {"bulk"}
    now = fake_lox24.now
    fake_lox24.add_bulk(BulkStatus.CANCELED, created_at=now.replace(year=2020), sent=0)
    fake_lox24.add_bulk(BulkStatus.PROCESSED, created_at=now.replace(year=2020))
    fake_lox24.add_bulk(BulkStatus.CANCELED, uuid=ID, msg_total_count=10_000, sent=3_000)
    with pytest.raises(ResponseDecodeError, match="a message of another bulk") as caught:
        await call(client, sent)
    assert (BULK_ID, 200, False, 1) == (
        caught.value.bulk_id,
        caught.value.status,
        caught.value.outcome_unknown,
        len(fake_lox24.requests),
    )
    assert caught.value.request_id is not None


@EACH
@pytest.mark.parametrize("sent", [True, False])
async def test_is_sent_that_is_ignored(
    client: Lox24Client,
    fake_lox24: FakeLox24,
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]],
    sent: bool,
) -> None:
    """10,000 messages of which 3,000 were sent: the first page shows that the number is wrong."""
    fake_lox24.ignored_filters = {"is_sent"}
    fake_lox24.add_bulk(BulkStatus.CANCELED, uuid=ID, msg_total_count=10_000, sent=3_000)
    said = "not sent" if sent else "sent already"
    with pytest.raises(ResponseDecodeError, match=f"a message that was {said}"):
        await call(client, sent)
    assert 1 == len(fake_lox24.requests)


def search(*names: Any) -> bytes:
    """Return an answer that lists the server's filters."""
    content = {
        "hydra:member": [message(1)],
        "hydra:totalItems": 1,
        "hydra:search": {
            "@type": "hydra:IriTemplate",
            "hydra:mapping": [{"@type": "IriTemplateMapping", "variable": n} for n in names],
        },
    }
    return answer(json.dumps(content).encode())


@EACH
@pytest.mark.parametrize(
    ("names", "sent", "lacks"),
    [
        (["is_sent", "uuid[]"], None, "bulk"),
        (["is_sent", "bulk_id"], True, "bulk"),
        (["uuid", "bulk"], True, "is_sent"),
    ],
)
async def test_server_that_tells_its_filters(
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]],
    names: list[str],
    sent: bool | None,
    lacks: str,
) -> None:
    """A list of filters without ours: it will have been ignored, whatever the page shows."""
    async with FaultServer(get=search(*names)) as server, client_of(server.url) as client:
        with pytest.raises(ResponseDecodeError, match=f"the server has no filter {lacks}"):
            await call(client, sent)


@pytest.mark.parametrize(
    "names",
    [[], ["string"], [None, 5, []], ["is_sent", "bulk"], ["is_sent", "bulk[]"], ["uuid", "bulk"]],
)
async def test_server_that_tells_no_others(names: list[Any]) -> None:
    """Nothing, an example from the documentation, or a list with ours on it: all is well."""
    async with FaultServer(get=search(*names)) as server, client_of(server.url) as client:
        assert 1 == await client.count_messages(ID)


# --- answers as they may come


def message(number: int, **fields: Any) -> dict[str, Any]:
    """Return a message on the wire."""
    return {"uuid": str(UUID(int=number)), "bulk_id": BULK_ID, "is_sent": True, **fields}


def page(*members: Any, total: Any = 2, prefix: str = "hydra:") -> bytes:
    """Return an answer with a collection."""
    content = {f"{prefix}member": members, f"{prefix}totalItems": total}
    return answer(json.dumps({n: v for n, v in content.items() if v is not ...}).encode())


@pytest.mark.parametrize("prefix", ["hydra:", ""])
async def test_both_spellings(prefix: str) -> None:
    """With the prefix and without it."""
    got = page(message(1), message(2), total=2, prefix=prefix)
    async with FaultServer(get=got) as server, client_of(server.url) as client:
        assert 2 == await client.count_messages(ID)
        assert [1, 2] == await listed(client)


async def test_bare_array_is_a_listing_but_no_count() -> None:
    """Plain JSON does not tell how many there are, also when JSON-LD was asked for."""
    bare, end = answer(json.dumps([message(1)]).encode()), answer(b"[]")
    async with FaultServer(get=[bare, end, bare]) as server, client_of(server.url) as client:
        assert [1] == await listed(client)
        with pytest.raises(ResponseDecodeError, match="it does not tell how many messages"):
            await client.count_messages(ID)


@pytest.mark.parametrize("total", [..., None, "2", 2.0, True, -1, []])
async def test_total_that_is_no_number(total: Any) -> None:
    """A missing or odd total is no count; nothing is coerced, and the listing does not mind."""
    got = page(message(1), message(2), total=total)
    script = [got, got, page(total=total)]
    async with FaultServer(get=script) as server, client_of(server.url) as client:
        with pytest.raises(ResponseDecodeError, match="it does not tell how many messages"):
            await client.count_messages(ID)
        assert [1, 2] == await listed(client)


@pytest.mark.parametrize(("total", "members"), [(0, 1), (1, 2), (2, 0)])
async def test_total_that_cannot_be(total: int, members: int) -> None:
    """Fewer than are on the page, or some and none on it: no count."""
    got = page(*(message(n) for n in range(1, members + 1)), total=total)
    async with FaultServer(get=got) as server, client_of(server.url) as client:
        with pytest.raises(ResponseDecodeError, match=f"tells of {total} messages"):
            await client.count_messages(ID)


@EACH
@pytest.mark.parametrize("bulk_id", [OTHER_ID, None, "", 5, f"/bulks/{BULK_ID}", [BULK_ID]])
async def test_message_of_another_bulk(
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]], bulk_id: object
) -> None:
    """One among others is enough: of another bulk, of none, or of what is no bulk's id."""
    got = page(message(1), message(2, bulk_id=bulk_id))
    async with FaultServer(get=got) as server, client_of(server.url) as client:
        with pytest.raises(ResponseDecodeError, match="a message of another bulk"):
            await call(client, None)
        assert 1 == server.gets


@EACH
@pytest.mark.parametrize(("is_sent", "sent"), [(True, False), (False, True)])
async def test_message_of_the_other_side(
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]], is_sent: bool, sent: bool
) -> None:
    """One among others is enough."""
    got = page(message(1, is_sent=sent), message(2, is_sent=is_sent))
    async with FaultServer(get=got) as server, client_of(server.url) as client:
        with pytest.raises(ResponseDecodeError, match="was the filter ignored"):
            await call(client, sent)
        assert 1 == server.gets


@SENT
async def test_what_a_message_does_not_tell(sent: bool | None) -> None:
    """Without ``bulk_id`` or ``is_sent`` it is taken as right; an id in upper case is one."""
    told = message(1, bulk_id=BULK_ID.upper(), is_sent=None)
    silent_one = {"uuid": str(UUID(int=2))}
    async with FaultServer(get=page(told, silent_one)) as server, client_of(server.url) as client:
        assert 2 == await client.count_messages(ID, sent=sent)
        assert [1, 2] == await listed(client, sent)


@EACH
@pytest.mark.parametrize(
    "body", [b"{}", b"5", b"null", b"<html>", b"[5]", b'[{"uuid": 5}]', b'{"member": {}}']
)
async def test_what_is_no_listing(
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]], body: bytes
) -> None:
    """Anything else than messages is a typed error, never an empty list, never 0."""
    async with FaultServer(get=answer(body)) as server, client_of(server.url) as client:
        with pytest.raises(ResponseDecodeError) as caught:
            await call(client, None)
        assert (BULK_ID, 1) == (caught.value.bulk_id, caught.value.attempts)


async def test_server_that_says_there_is_more() -> None:
    """In an unsteady order one slipped to a page that was read: the total shows it."""
    first, last = page(message(1), message(2), total=3), page(message(2), total=3)
    again = page(message(1), message(3), total=3)
    script = [first, last, page(total=3), last, again]
    async with FaultServer(get=script) as server, client_of(server.url) as client:
        assert [1, 2, 3] == await listed(client)
        assert 5 == server.gets


# --- the same guard, retries and deadlines as every call


@EACH
async def test_repeats(
    fake_lox24: FakeLox24,
    client: Lox24Client,
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]],
) -> None:
    """A failure that may pass is repeated; one that stays is raised with its attempts."""
    fake_lox24.add_bulk(uuid=ID)
    fake_lox24.fail_next(503, times=2)
    assert await call(client, None)
    assert 3 == len(fake_lox24.requests)
    fake_lox24.fail_next(500, times=3)
    with pytest.raises(ServerError) as caught:
        await call(client, None)
    assert (3, BULK_ID, False) == (
        caught.value.attempts,
        caught.value.bulk_id,
        caught.value.outcome_unknown,
    )
    assert f"{fake_lox24.url}/sms?bulk={BULK_ID}&page=1" == caught.value.url


@EACH
async def test_refused_token(
    fake_lox24: FakeLox24, call: Callable[[Lox24Client, bool | None], Awaitable[Any]]
) -> None:
    """Ten calls with a wrong token: one request, and a typed error for each."""
    async with Lox24Client("1:wrong", base_url=fake_lox24.url) as client:
        ends = await asyncio.gather(
            *(call(client, True) for _ in range(10)), return_exceptions=True
        )
    assert {AuthenticationError} == {type(end) for end in ends}
    assert 1 == len(fake_lox24.requests)


@EACH
async def test_lost_answer_leaves_no_doubt(
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]],
) -> None:
    """A question changes nothing: it is asked again."""
    async with (
        FaultServer(get=[close, page(message(1), total=1)]) as server,
        client_of(server.url) as client,
    ):
        assert await call(client, None) in (1, [1])
        assert 2 == server.gets


@EACH
async def test_missing_address_is_told(
    fake_lox24: FakeLox24,
    client: Lox24Client,
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]],
) -> None:
    """A server without ``/sms`` says 404: that is not a bulk without messages."""
    fake_lox24.fail_next(404, times=2)
    with pytest.raises(NotFoundError):
        await call(client, None)


async def test_deadline() -> None:
    """``timeout`` is for all pages together, and begins with the first."""
    async with FaultServer(get=silent) as server, client_of(server.url) as client:
        with pytest.raises(RequestTimeoutError):
            await client.count_messages(ID, timeout=0.5)
        messages = client.list_messages(ID, timeout=0.5)
        with pytest.raises(RequestTimeoutError):
            await anext(messages)
        assert 2 == server.gets


BAD: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"bulk_id": "5"}, InvalidBulkIdError),
    ({"bulk_id": 5}, InvalidBulkIdError),
    ({"sent": 1}, ConfigurationError),
    ({"sent": "true"}, ConfigurationError),
    ({"timeout": "5"}, ConfigurationError),
]


@pytest.mark.parametrize(("bad", "error"), BAD, ids=str)
async def test_bad_input_is_refused_at_once(
    fake_lox24: FakeLox24, client: Lox24Client, bad: dict[str, Any], error: type[Exception]
) -> None:
    """Before any request; of a listing when it is asked for, not when it is read."""
    options = {"bulk_id": ID, **bad}
    with pytest.raises(error):
        client.list_messages(**options)
    with pytest.raises(error):
        await client.count_messages(**options)
    with pytest.raises(ConfigurationError, match="form"):
        client.list_messages(ID, form=dict)  # type: ignore[arg-type]
    assert [] == fake_lox24.requests


@EACH
async def test_closed_client(
    fake_lox24: FakeLox24,
    client: Lox24Client,
    call: Callable[[Lox24Client, bool | None], Awaitable[Any]],
) -> None:
    """A closed client asks nobody."""
    await client.close()
    with pytest.raises(ClientClosedError):
        await call(client, None)
    assert [] == fake_lox24.requests


async def test_leaving_early_stops_the_fetching(fake_lox24: FakeLox24) -> None:
    """Who leaves the loop has at most the next page on the wire, and nothing stays behind."""
    fake_lox24.page_size = 2
    fake_lox24.add_bulk(BulkStatus.PROCESSED, uuid=ID, msg_total_count=100)
    async with (
        nothing_left(),
        Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client,
    ):
        async with client.list_messages(ID) as messages:
            await anext(messages)
        assert len(fake_lox24.requests) <= 2
        with pytest.raises(StopAsyncIteration):
            await anext(messages)


async def test_next_page_comes_while_one_works(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Page two is asked for before page one is used up."""
    fake_lox24.page_size = 2
    fake_lox24.add_bulk(BulkStatus.PROCESSED, uuid=ID, msg_total_count=100)
    async with client.list_messages(ID) as messages:
        await anext(messages)
        await until(lambda: len(fake_lox24.requests) == 2)
