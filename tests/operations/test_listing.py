"""Looking up and listing, over a real socket: what goes out, what comes back, what goes wrong."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from lox24_async import (
    AccountNotActivatedError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Bulk,
    BulkFilter,
    BulkOrder,
    BulkPage,
    BulkStatus,
    ClientClosedError,
    ConfigurationError,
    InvalidBulkIdError,
    IPBlockedError,
    JsonLdBulk,
    Lox24Client,
    NotFoundError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    TransportError,
    UnprocessableError,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.fault_server import (
    BULK_ID,
    OTHER_ID,
    FaultServer,
    answer,
    client_of,
    nothing_left,
    silent,
    summary,
    turns,
    until,
)

FORMS = pytest.mark.parametrize("form", [Bulk, JsonLdBulk])
VERSIONS = pytest.mark.parametrize("version", ["2.24", "2.27"])
FIRST = datetime(2026, 7, 1, tzinfo=UTC)
UNIX = int(FIRST.timestamp())
HOUR = timedelta(hours=1)
IDS = [UUID(int=number) for number in range(1, 6)]
ALL: dict[str, Callable[[Lox24Client], Any]] = {
    "item": lambda client: client.get_bulk(BULK_ID),
    "status": lambda client: client.get_bulk_status(BULK_ID),
    "page": lambda client: client.list_bulks_page(1),
    "list": lambda client: anext(client.list_bulks()),
}
EACH = pytest.mark.parametrize("operation", ALL)


def paths(gateway: FakeLox24) -> list[str]:
    """Return the paths of what arrived, with their queries."""
    return [request.path for request in gateway.requests]


def fill(gateway: FakeLox24, count: int, **fields: Any) -> list[UUID]:
    """Put bulks in, each created a second after the one before; return their ids."""
    return [
        gateway.add_bulk(created_at=FIRST + timedelta(seconds=n), **fields).uuid
        for n in range(count)
    ]


async def ids_of(stream: AsyncIterator[Bulk]) -> list[UUID]:
    """Return the ids of all that comes."""
    return [bulk.uuid async for bulk in stream]


async def collect(stream: AsyncIterator[Bulk], found: list[UUID]) -> None:
    """Note the ids of what comes, until it ends or fails."""
    async for bulk in stream:
        found.append(bulk.uuid)  # noqa: PERF401  kept when it fails


def once(gateway: FakeLox24) -> Lox24Client:
    """Return a client that repeats nothing."""
    return Lox24Client(gateway.token, base_url=gateway.url, retry=RetryPolicy.none())


def page_in(request: ReceivedRequest) -> int:
    """Return which page was asked for."""
    return int(request.path.partition("?page=")[2].partition("&")[0])


# --- one bulk


@FORMS
@VERSIONS
async def test_get_bulk(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk], version: Any
) -> None:
    """The full form, with text and recipients, of the class that was asked for."""
    fake_lox24.version = version
    there = fake_lox24.add_bulk(BulkStatus.IN_PROGRESS, text="Sale", phones=("+491701", "+491702"))
    bulk = await client.get_bulk(str(there.uuid).upper(), form=form)
    assert (form, there.uuid, 5, "Sale", ("+491701", "+491702")) == (
        type(bulk),
        bulk.uuid,
        bulk.status_code,
        bulk.text,
        bulk.phones,
    )
    assert [("GET", f"/bulks/{there.uuid}", b"")] == [
        (request.method, request.path, request.body) for request in fake_lox24.requests
    ]
    media = "application/json" if form is Bulk else "application/ld+json"
    assert media == fake_lox24.requests[0].headers["Accept"]
    assert "Content-Type" not in fake_lox24.requests[0].headers


@FORMS
@VERSIONS
async def test_get_bulk_status(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk], version: Any
) -> None:
    """The short form: no text, no recipients; the sender since version 2.27."""
    fake_lox24.version = version
    there = fake_lox24.add_bulk(BulkStatus.CANCELED, sender_id="Shop")
    bulk = await client.get_bulk_status(there.uuid, form=form)
    sender = "Shop" if version == "2.27" else None
    assert (form, there.uuid, True, None, None, sender) == (
        type(bulk),
        bulk.uuid,
        bulk.is_canceled,
        bulk.text,
        bulk.phones,
        bulk.sender_id,
    )
    assert [f"/bulks/{there.uuid}/status"] == paths(fake_lox24)


async def test_the_clients_form_is_the_default(fake_lox24: FakeLox24) -> None:
    """All four ask for it, and return it."""
    uuid = fake_lox24.add_bulk().uuid
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, form=JsonLdBulk) as client:
        page = await client.list_bulks_page(1)
        found: list[Bulk] = [
            await client.get_bulk(uuid),
            await client.get_bulk_status(uuid),
            page.items[0],
            await anext(client.list_bulks()),
        ]
        plain = await client.list_bulks_page(1, form=Bulk)
    assert [JsonLdBulk] * 4 == [type(bulk) for bulk in found]
    assert (1, None) == (page.total, plain.total)
    accepted = [request.headers["Accept"] for request in fake_lox24.requests]
    assert ["application/ld+json"] * 4 + ["application/json"] == accepted


@pytest.mark.parametrize("operation", ["item", "status"])
async def test_answer_for_another_bulk(
    client: Lox24Client, fake_lox24: FakeLox24, operation: str
) -> None:
    """It is never taken for an answer; a fresh connection brings the right one."""
    fake_lox24.add_bulk(uuid=UUID(BULK_ID))
    fake_lox24.fail_next(body=summary(OTHER_ID))
    assert UUID(BULK_ID) == (await ALL[operation](client)).uuid
    fake_lox24.fail_next(body=summary(OTHER_ID), times=3)
    with pytest.raises(TransportError, match="out of step") as caught:
        await ALL[operation](client)
    assert (3, False, BULK_ID) == (
        caught.value.attempts,
        caught.value.outcome_unknown,
        caught.value.bulk_id,
    )


# --- which bulks


def variety(gateway: FakeLox24) -> None:
    """Put in five bulks that differ in everything one can filter by."""
    for n, (status, text, sender) in enumerate(
        [
            (0, "Summer Sale", "Shop"),
            (5, "50 % off & more", "shop24"),
            (10, "Grüße", "Bank"),
            (15, "sale [x]=1", "+491701"),
            (7, "last", "Bank"),
        ]
    ):
        gateway.add_bulk(
            status,
            uuid=IDS[n],
            text=text,
            sender_id=sender,
            created_at=FIRST + n * HOUR,
            delivery_at=None if n == 0 else FIRST + n * HOUR,
            processed_at=None if status == 0 else FIRST + n * HOUR,
            msg_total_count=n * 10,
            is_unicode=None if n == 1 else n == 2,
        )


@pytest.mark.parametrize(
    ("wanted", "query", "numbers"),
    [
        (BulkFilter(), "", [0, 1, 2, 3, 4]),
        (BulkFilter(IDS[2:3]), f"&uuid={IDS[2]}", [2]),
        (BulkFilter(IDS[3:]), f"&uuid[]={IDS[3]}&uuid[]={IDS[4]}", [3, 4]),
        (BulkFilter([uuid4()]), None, []),
        (BulkFilter(status_codes=[5]), "&status_code=5", [1]),
        (BulkFilter(status_codes=[0, 7]), "&status_code[]=0&status_code[]=7", [0, 4]),
        (BulkFilter(text="sale"), "&text=sale", [0, 3]),
        (BulkFilter(text="% off &"), "&text=%25%20off%20%26", [1]),
        (BulkFilter(text="GRÜß"), "&text=GR%C3%9C%C3%9F", [2]),
        (BulkFilter(text="[x]=1"), "&text=%5Bx%5D%3D1", [3]),
        (BulkFilter(sender_id="SHOP"), "&sender_id=SHOP", [0, 1]),
        (BulkFilter(sender_id="+49"), "&sender_id=%2B49", [3]),
        (
            BulkFilter(created_from=FIRST + 3 * HOUR),
            f"&created_at[gte]={UNIX + 10_800}",
            [3, 4],
        ),
        (BulkFilter(created_to=FIRST + HOUR), f"&created_at[lte]={UNIX + 3_600}", [0, 1]),
        (
            BulkFilter(created_from=FIRST + HOUR, created_to=FIRST + 2 * HOUR),
            f"&created_at[gte]={UNIX + 3_600}&created_at[lte]={UNIX + 7_200}",
            [1, 2],
        ),
        (BulkFilter(delivery_from=FIRST), f"&delivery_at[gte]={UNIX}", [1, 2, 3, 4]),
        (BulkFilter(delivery_to=FIRST + HOUR), f"&delivery_at[lte]={UNIX + 3_600}", [0, 1]),
        (BulkFilter(processed_from=FIRST), f"&processed_at[gte]={UNIX}", [1, 2, 3, 4]),
        (BulkFilter(processed_to=FIRST + HOUR), f"&processed_at[lte]={UNIX + 3_600}", [1]),
        (BulkFilter(min_messages=30), "&msg_total_count[gte]=30", [3, 4]),
        (BulkFilter(max_messages=0), "&msg_total_count[lte]=0", [0]),
        (
            BulkFilter(exists={"is_unicode": False}),
            "&exists[is_unicode]=false",
            [1],
        ),
        (
            BulkFilter(exists={"processed_at": True, "is_unicode": True}),
            "&exists[is_unicode]=true&exists[processed_at]=true",
            [2, 3, 4],
        ),
        (
            BulkFilter(status_codes=[0, 5], text="s", sender_id="shop", max_messages=9),
            "&status_code[]=0&status_code[]=5&text=s&sender_id=shop&msg_total_count[lte]=9",
            [0],
        ),
    ],
)
@FORMS
async def test_filters(
    client: Lox24Client,
    fake_lox24: FakeLox24,
    wanted: BulkFilter,
    query: str | None,
    numbers: list[int],
    form: type[Bulk],
) -> None:
    """On the wire with literal brackets; the server and ``matches`` find the same bulks."""
    variety(fake_lox24)
    found = [bulk async for bulk in client.list_bulks(wanted, form=form)]
    assert [IDS[n] for n in numbers] == [bulk.uuid for bulk in found]
    assert {form} >= {type(bulk) for bulk in found}
    if query is not None:
        assert f"/bulks?page=1{query}&_order[created_at]=asc" == paths(fake_lox24)[0]
    everything = await client.list_bulks_page(1)
    assert [IDS[n] for n in numbers] == [b.uuid for b in everything.items if wanted.matches(b)]


@pytest.mark.parametrize(
    ("order", "query", "numbers"),
    [
        (None, "_order[created_at]=asc", [0, 1, 2, 3, 4]),
        (BulkOrder("created_at"), "_order[created_at]=asc", [0, 1, 2, 3, 4]),
        (BulkOrder("created_at", descending=True), "_order[created_at]=desc", [4, 3, 2, 1, 0]),
        (BulkOrder("delivery_at", descending=True), "_order[delivery_at]=desc", [4, 3, 2, 1, 0]),
        (BulkOrder("processed_at"), "_order[processed_at]=asc", [0, 1, 2, 3, 4]),
        (BulkOrder("msg_total_count", True), "_order[msg_total_count]=desc", [4, 3, 2, 1, 0]),
        (
            [BulkOrder("msg_total_count", descending=True), BulkOrder("created_at")],
            "_order[msg_total_count]=desc&_order[created_at]=asc",
            [4, 3, 2, 1, 0],
        ),
        ((), None, [4, 3, 2, 1, 0]),
    ],
)
async def test_orders(
    client: Lox24Client, fake_lox24: FakeLox24, order: Any, query: str | None, numbers: list[int]
) -> None:
    """Each sortable field, both ways and several; an empty sequence: the server's own order."""
    variety(fake_lox24)
    expected = [IDS[n] for n in numbers]
    assert expected == await ids_of(client.list_bulks(order=order))
    page = await client.list_bulks_page(1, order=order)
    assert expected == [bulk.uuid for bulk in page.items]
    query = "/bulks?page={}" + ("" if query is None else "&" + query)
    assert [query.format(n) for n in (1, 2, 1)] == paths(fake_lox24)


# --- pages


@FORMS
@VERSIONS
async def test_pages(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk], version: Any
) -> None:
    """Number, members, total and the next one's number, from the first to behind the last."""
    fake_lox24.page_size, fake_lox24.version = 2, version
    there = fill(fake_lox24, 5)
    pages: list[BulkPage[Bulk]] = [
        await client.list_bulks_page(n, form=form) for n in (1, 2, 3, 4, 90)
    ]
    assert [there[:2], there[2:4], there[4:], [], []] == [[b.uuid for b in p.items] for p in pages]
    assert [1, 2, 3, 4, 90] == [page.page for page in pages]
    plain = form is Bulk
    assert [None if plain else 5] * 5 == [page.total for page in pages]
    assert [2, 3, 4 if plain else None, None, None] == [page.next_page for page in pages]
    assert {form} == {type(bulk) for page in pages for bulk in page.items}


@FORMS
@VERSIONS
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
async def test_list_goes_over_all_pages(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk], version: Any, count: int
) -> None:
    """One request for each page; plain JSON needs one more to know the end."""
    fake_lox24.page_size, fake_lox24.version = 3, version
    there = fill(fake_lox24, count)
    stream = client.list_bulks(form=form)
    found = [bulk async for bulk in stream]
    assert there == [bulk.uuid for bulk in found]
    assert {form} >= {type(bulk) for bulk in found}
    full = -(-count // 3)
    asked = max(1, full) if form is JsonLdBulk else full + 1
    assert list(range(1, asked + 1)) == [page_in(request) for request in fake_lox24.requests]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert asked == len(fake_lox24.requests)


@FORMS
async def test_missing_page_is_the_end_of_a_list(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk]
) -> None:
    """Some servers say 404 behind the last page: a list ends there, a page tells."""
    fake_lox24.page_size = 2
    there = fill(fake_lox24, 4)
    fake_lox24.fail_if(lambda request: Fault(status=404) if page_in(request) > 2 else None)
    assert there == await ids_of(client.list_bulks(form=form))
    with pytest.raises(NotFoundError):
        await client.list_bulks_page(3, form=form)


# --- errors


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, AccountNotActivatedError),
        (404, NotFoundError),
        (422, UnprocessableError),
        (429, IPBlockedError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (504, ServerError),
        (418, APIStatusError),
        (301, APIStatusError),
    ],
)
@EACH
async def test_statuses(
    fake_lox24: FakeLox24, status: int, kind: type[APIStatusError], operation: str
) -> None:
    """Each status has its class, says what was asked, and leaves no doubt: looking is safe."""
    fake_lox24.add_bulk(uuid=UUID(BULK_ID))
    fake_lox24.fail_next(status, headers={"X-LOX24-REQUEST-ID": "r-1"})
    async with once(fake_lox24) as client:
        with pytest.raises(kind) as caught:
            await ALL[operation](client)
    error = caught.value
    assert kind is type(error)
    bulk_id = BULK_ID if operation in ("item", "status") else None
    assert (status, "GET", "r-1", 1, False, bulk_id) == (
        error.status,
        error.method,
        error.request_id,
        error.attempts,
        error.outcome_unknown,
        error.bulk_id,
    )
    assert fake_lox24.url + paths(fake_lox24)[0].partition("&")[0] == error.url
    assert fake_lox24.token.partition(":")[2] not in f"{error}{error!r}{vars(error)}"
    assert 1 == len(fake_lox24.requests)


@EACH
async def test_gateways_own_refusals(fake_lox24: FakeLox24, operation: str) -> None:
    """A wrong token, an account that is not activated, a blocked IP."""
    async with Lox24Client("1:wrong", base_url=fake_lox24.url) as wrong:
        with pytest.raises(AuthenticationError):
            await ALL[operation](wrong)
    async with once(fake_lox24) as client:
        fake_lox24.not_activated = True
        with pytest.raises(AccountNotActivatedError):
            await ALL[operation](client)
        fake_lox24.not_activated = False
        fake_lox24.block_ip()
        with pytest.raises(IPBlockedError) as caught:
            await ALL[operation](client)
    assert caught.value.blocked_until is not None
    assert 3 == len(fake_lox24.requests)


async def test_unknown_bulk(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """LOX24 does not know it: one request each."""
    for operation in ("item", "status"):
        with pytest.raises(NotFoundError):
            await ALL[operation](client)
    assert 2 == len(fake_lox24.requests)


async def test_page_that_the_server_refuses(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A 400 says which parameter; it is not repeated."""
    flaw = '{"detail":"page: too far","violations":[{"propertyPath":"page","message":"too far"}]}'
    fake_lox24.fail_next(400, body=flaw)
    with pytest.raises(BadRequestError, match="page: too far") as caught:
        await client.list_bulks_page(10**9)
    assert ["page"] == [violation.property_path for violation in caught.value.violations]
    assert 1 == len(fake_lox24.requests)


@pytest.mark.parametrize("fault", [429, 500, 503, "before", "after", "within"])
@EACH
async def test_looking_is_repeated(
    client: Lox24Client, fake_lox24: FakeLox24, fault: Any, operation: str
) -> None:
    """What went wrong twice may go right the third time: looking changes nothing."""
    fake_lox24.add_bulk(uuid=UUID(BULK_ID))
    how = {"status": fault} if isinstance(fault, int) else {"drop": fault}
    fake_lox24.fail_next(**how, times=2)
    found = await ALL[operation](client)
    assert BULK_ID == str((found.items[0] if isinstance(found, BulkPage) else found).uuid)
    assert 1 == len(set(paths(fake_lox24)[:3]))


@FORMS
async def test_page_that_fails_for_good(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk]
) -> None:
    """The list gives what it has, then raises, and never looks complete; it says which page."""
    fake_lox24.page_size = 2
    there = fill(fake_lox24, 6)
    fake_lox24.fail_if(lambda request: Fault(status=500) if page_in(request) == 2 else None)
    found: list[UUID] = []
    stream = client.list_bulks(form=form)
    with pytest.raises(ServerError, match="500") as caught:
        await collect(stream, found)
    assert there[:2] == found
    assert (3, True) == (caught.value.attempts, caught.value.url.endswith("/bulks?page=2"))
    with pytest.raises(RuntimeError, match="broke off before its end: it failed with ServerError"):
        await anext(stream)
    assert [1, 2, 2, 2] == [page_in(request) for request in fake_lox24.requests]


# --- bad input


BAD: Any = [
    lambda client: client.list_bulks({"status_code": 5}),
    lambda client: client.list_bulks("sale"),
    lambda client: client.list_bulks(order="created_at"),
    lambda client: client.list_bulks(order=["created_at"]),
    lambda client: client.list_bulks(order=[BulkOrder("created_at")] * 2),
    lambda client: client.list_bulks(order={BulkOrder("created_at")}),
    lambda client: client.list_bulks(form=dict),
    lambda client: client.list_bulks(form="json"),
    lambda client: client.list_bulks(timeout="5"),
    lambda client: client.list_bulks(timeout=float("nan")),
]


@pytest.mark.parametrize("make", BAD)
async def test_bad_list_is_refused_on_the_spot(
    client: Lox24Client, fake_lox24: FakeLox24, make: Any
) -> None:
    """When the list is made, not when it is read."""
    with pytest.raises(ConfigurationError):
        make(client)
    assert [] == fake_lox24.requests


@pytest.mark.parametrize(
    "make",
    [
        *(
            lambda client, bad=bad: client.list_bulks_page(bad)
            for bad in (0, -1, 1.5, True, "1", 10**20)
        ),
        lambda client: client.list_bulks_page(None),
        lambda client: client.list_bulks_page(1, {"status_code": 5}),
        lambda client: client.list_bulks_page(1, order="created_at"),
        lambda client: client.list_bulks_page(1, form=dict),
        lambda client: client.list_bulks_page(1, timeout=True),
        lambda client: client.get_bulk(BULK_ID, form=dict),
        lambda client: client.get_bulk(BULK_ID, timeout=float("inf")),
        lambda client: client.get_bulk_status(BULK_ID, form=int),
        lambda client: client.get_bulk_status(BULK_ID, timeout="1"),
    ],
)
async def test_bad_input_sends_nothing(
    client: Lox24Client, fake_lox24: FakeLox24, make: Any
) -> None:
    """Refused before any request."""
    with pytest.raises(ConfigurationError):
        await make(client)
    assert [] == fake_lox24.requests


@pytest.mark.parametrize("bad", ["", "../sms", BULK_ID + "\n", BULK_ID[:-1], 5, None, b"x"])
@pytest.mark.parametrize("method", ["get_bulk", "get_bulk_status"])
async def test_bad_id_sends_nothing(
    client: Lox24Client, fake_lox24: FakeLox24, method: str, bad: Any
) -> None:
    """What is no id is refused before any request."""
    with pytest.raises(InvalidBulkIdError):
        await getattr(client, method)(bad)
    assert [] == fake_lox24.requests


# --- time


@pytest.mark.parametrize("timeout", [0, -1])
async def test_time_that_is_over_sends_nothing(
    client: Lox24Client, fake_lox24: FakeLox24, timeout: float
) -> None:
    """For one, for a page and for a walk."""
    calls: list[Any] = [
        client.get_bulk(BULK_ID, timeout=timeout),
        client.get_bulk_status(BULK_ID, timeout=timeout),
        client.list_bulks_page(1, timeout=timeout),
        anext(client.list_bulks(timeout=timeout)),
    ]
    for call in calls:
        with pytest.raises(RequestTimeoutError) as caught:
            await call
        assert (0, False) == (caught.value.attempts, caught.value.outcome_unknown)
    assert [] == fake_lox24.requests


@pytest.mark.looptime
async def test_deadline_of_a_walk(fake_lox24: FakeLox24) -> None:
    """It counts from the first step to the last page, and bounds each page."""
    fake_lox24.page_size, fake_lox24.latency = 1, 1.0
    there = fill(fake_lox24, 6)
    async with once(fake_lox24) as client:
        stream = client.list_bulks(timeout=3.5)
        await asyncio.sleep(60)  # not counted: nothing has begun
        begun = asyncio.get_running_loop().time()
        found: list[UUID] = []
        with pytest.raises(RequestTimeoutError) as caught:
            await collect(stream, found)
        assert asyncio.get_running_loop().time() - begun == pytest.approx(3.5, abs=0.1)
    assert there[:3] == found
    assert (1, False) == (caught.value.attempts, caught.value.outcome_unknown)
    assert 4 == len(fake_lox24.requests)


@pytest.mark.looptime
async def test_page_that_does_not_come_is_asked_for_again(fake_lox24: FakeLox24) -> None:
    """An attempt without an answer is repeated within the walk."""
    fake_lox24.page_size = 2
    there = fill(fake_lox24, 4)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, attempt_timeout=10) as client:
        stream = client.list_bulks()
        assert there[0] == (await anext(stream)).uuid
        fake_lox24.fail_next(delay=100)
        assert there[1:] == await ids_of(stream)
    assert [1, 2, 2, 3] == [page_in(request) for request in fake_lox24.requests]


# --- fetching ahead, and leaving


async def test_next_page_comes_while_the_caller_works(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """One page ahead, and no further."""
    fake_lox24.page_size = 2
    fill(fake_lox24, 10)
    stream = client.list_bulks()
    await turns()
    assert [] == fake_lox24.requests  # nothing before the first step
    await anext(stream)
    await until(lambda: len(fake_lox24.requests) == 2)
    await turns(200)
    await anext(stream)
    await turns(200)
    assert 2 == len(fake_lox24.requests)
    await anext(stream)  # the second page is opened: time for the third
    await until(lambda: len(fake_lox24.requests) == 3)
    await stream.aclose()


@pytest.mark.parametrize("how", ["aclose", "async with", "drop", "cancel"])
async def test_leaving_early(how: str) -> None:
    """While a page is on its way: nothing more is sent, nothing is left behind."""
    page = b"[" + summary(BULK_ID) + b"," + summary(OTHER_ID) + b"]"
    # In less than the client's grace time: what was left must not be in flight any more.
    async with (
        nothing_left(),
        FaultServer(get=[answer(page), silent]) as server,
        asyncio.timeout(3),
        client_of(server.url) as client,
    ):
        stream = client.list_bulks()
        await anext(stream)
        await server.arrival(2)
        await leave(stream, how)
        del stream
        await client.close()
    assert 2 == server.gets


async def leave(stream: Any, how: str) -> None:
    """Leave a stream; dropping it is the caller's part."""
    if how == "aclose":
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    elif how == "async with":
        async with stream:
            pass
    elif how == "cancel":
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await turns(3)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def test_stream_that_was_never_read(fake_lox24: FakeLox24) -> None:
    """It sends nothing and leaves nothing; closed before the first step it is over."""
    async with nothing_left(), once(fake_lox24) as client:
        client.list_bulks()
        stream = client.list_bulks()
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    assert [] == fake_lox24.requests


@pytest.mark.parametrize("arrived", [False, True])
async def test_closing_the_client_in_mid_walk(fake_lox24: FakeLox24, arrived: bool) -> None:
    """What was fetched, or is on its way, still comes; then it is said why no more does."""
    fake_lox24.page_size = 2
    there = fill(fake_lox24, 10)
    found: list[UUID] = []
    async with nothing_left():
        client = once(fake_lox24)
        stream = client.list_bulks()
        found.append((await anext(stream)).uuid)
        await until(lambda: len(fake_lox24.requests) == 2)
        await turns(200 if arrived else 0)
        await client.close()
        with pytest.raises(ClientClosedError):
            await collect(stream, found)
    assert there[:4] == found
    assert 2 == len(fake_lox24.requests)


async def test_closed_client(fake_lox24: FakeLox24) -> None:
    """A client that was closed before sends nothing."""
    client = once(fake_lox24)
    await client.get_bulk(fake_lox24.add_bulk().uuid)
    await client.close()
    for operation in ALL.values():
        with pytest.raises(ClientClosedError):
            await operation(client)
    assert 1 == len(fake_lox24.requests)


async def test_two_walks_at_once(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Each has its own place and its own memory."""
    fake_lox24.page_size = 2
    there = fill(fake_lox24, 9)
    walks = ids_of(client.list_bulks()), ids_of(client.list_bulks(form=JsonLdBulk))
    assert (there, there) == tuple(await asyncio.gather(*walks))


@pytest.mark.parametrize("readers", [2, 7])
async def test_several_readers_share_a_list(
    client: Lox24Client, fake_lox24: FakeLox24, readers: int
) -> None:
    """Workers that take from one list get each bulk once, and all of them come to its end."""
    fake_lox24.page_size = 3
    there = fill(fake_lox24, 20)
    stream = client.list_bulks()
    async with asyncio.timeout(5):
        shares = await asyncio.gather(*(ids_of(stream) for _ in range(readers)))
    assert sorted(there) == sorted(uuid for share in shares for uuid in share)


# --- a list that changes


@pytest.mark.parametrize(
    ("wanted", "can_lose", "can_gain"),
    [
        (BulkFilter(), False, False),
        (BulkFilter(IDS, sender_id="x", created_from=FIRST, delivery_to=FIRST), False, False),
        (BulkFilter(status_codes=[0]), True, False),
        (BulkFilter(status_codes=[0, 5]), True, False),
        (BulkFilter(status_codes=[5]), True, True),
        (BulkFilter(status_codes=[0, 5, 10]), True, True),
        (BulkFilter(status_codes=[10, 15, 20, 201]), False, True),
        (BulkFilter(status_codes=[10, 7]), True, True),
        (BulkFilter(text="x"), True, False),
        (BulkFilter(processed_from=FIRST), True, True),
        (BulkFilter(processed_to=FIRST), True, True),
        (BulkFilter(min_messages=0), True, True),
        (BulkFilter(max_messages=1), True, True),
        (BulkFilter(exists={"processed_at": True}), True, True),
    ],
)
def test_what_a_filter_can_lose_and_gain(
    wanted: BulkFilter, can_lose: bool, can_gain: bool
) -> None:
    """What never changes is not lost; what is new is the only thing that comes last."""
    assert (can_lose, can_gain) == (wanted.can_lose, wanted.can_gain)


@FORMS
@pytest.mark.parametrize(
    ("wanted", "back"),
    [
        (None, False),
        (BulkFilter(status_codes=[0, 5]), True),
        (BulkFilter(status_codes=[5]), True),
        (BulkFilter(status_codes=[10]), False),
        (BulkFilter(text="e"), True),
        (BulkFilter(sender_id="a"), False),
    ],
)
async def test_read_backwards_where_bulks_can_be_lost(
    client: Lox24Client,
    fake_lox24: FakeLox24,
    wanted: BulkFilter | None,
    back: bool,
    form: type[Bulk],
) -> None:
    """A list that nothing leaves is read once; a quiet one that something could, twice."""
    fake_lox24.page_size = 2
    there = fill(fake_lox24, 3, status=5) + fill(fake_lox24, 3, status=10)
    found = await ids_of(client.list_bulks(wanted, form=form))
    assert [u for u in there if wanted is None or wanted.matches(fake_lox24.bulks[u])] == sorted(
        found, key=there.index
    )
    asked = [page_in(request) for request in fake_lox24.requests]
    forward = sorted(set(asked))
    last = len(forward) - (form is Bulk)  # plain JSON asks for the empty page behind the last
    assert asked == forward + ([*range(last, 0, -1)] if back else [])


@FORMS
async def test_slipped_through_comes_last(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk]
) -> None:
    """Two of page 1 are sent after it was read: two of page 2 slip there, and are found."""
    fake_lox24.page_size = 3
    there = fill(fake_lox24, 9)

    def change(request: ReceivedRequest) -> None:
        if len(fake_lox24.requests) == 2:
            fake_lox24.set_status(there[0], BulkStatus.PROCESSED)
            fake_lox24.set_status(there[1], BulkStatus.PROCESSED)

    fake_lox24.fail_if(change)
    found = await ids_of(client.list_bulks(BulkFilter(status_codes=[0]), form=form))
    assert [there[n] for n in (0, 1, 2, 5, 6, 7, 8, 3, 4)] == found


@FORMS
async def test_slipped_through_both_ways(
    client: Lox24Client, fake_lox24: FakeLox24, form: type[Bulk]
) -> None:
    """In status 5 bulks come and go: one that no pass has seen is found by the third."""
    fake_lox24.page_size = 3
    new = fake_lox24.add_bulk(created_at=FIRST - HOUR).uuid
    there = fill(fake_lox24, 9, status=5)

    def change(request: ReceivedRequest) -> None:
        if len(fake_lox24.requests) == 2:  # number 3 slips to page 1, which was read
            fake_lox24.set_status(there[0], BulkStatus.PROCESSED)
        elif page_in(request) == 1 and len(fake_lox24.requests) > 2:  # and back to page 2
            fake_lox24.set_status(new, BulkStatus.IN_PROGRESS)

    fake_lox24.fail_if(change)
    found = await ids_of(client.list_bulks(BulkFilter(status_codes=[5]), form=form))
    assert [there[n] for n in (0, 1, 2, 4, 5, 6, 7, 8)] + [new, there[3]] == found


# --- 5,000 bulks that are added and finish


NEW_ONES = BulkFilter(status_codes=[BulkStatus.NEW])
CANCELABLE = BulkFilter(status_codes=[BulkStatus.NEW, BulkStatus.IN_PROGRESS])
DONE = BulkFilter(status_codes=[BulkStatus.PROCESSED])


@pytest.mark.parametrize(
    ("size", "form", "wanted"),
    [
        (7, Bulk, None),
        (30, JsonLdBulk, None),
        (30, Bulk, NEW_ONES),
        (30, JsonLdBulk, CANCELABLE),
        (30, Bulk, DONE),
        *(
            pytest.param(size, form, wanted, marks=[pytest.mark.slow] if size > 100 else [])
            for size in (100, 999, 5000)
            for form in (Bulk, JsonLdBulk)
            for wanted in (None, CANCELABLE)
        ),
    ],
)
async def test_5000_bulks_that_change(
    client: Lox24Client,
    fake_lox24: FakeLox24,
    size: int,
    form: type[Bulk],
    wanted: BulkFilter | None,
) -> None:
    """None missed that was there all the time, none twice, whatever happens between pages."""
    chance = random.Random(size)
    fake_lox24.page_size = size
    count = 5_000 if size >= 100 else 1_500  # of small pages there are many anyway
    active = [
        fake_lox24.add_bulk(status, created_at=FIRST + timedelta(seconds=n // 3)).uuid
        for n, status in enumerate(chance.choices((0, 5, 10), (50, 25, 25), k=count))
    ]

    def listed() -> set[UUID]:
        everything = list(fake_lox24.bulks.values())
        return {b.uuid for b in everything if wanted is None or wanted.matches(b)}

    def change(request: ReceivedRequest) -> None:
        for _ in range(min(size // 7 + 1, 40)):  # some start, some finish, some are new
            uuid = chance.choice(active)
            status = fake_lox24.bulks[uuid].status_code
            if status in (0, 5):
                fake_lox24.set_status(uuid, 5 if status == 0 and chance.random() < 0.5 else 10)
        if len(fake_lox24.requests) < 500:
            fake_lox24.add_bulk(created_at=FIRST + timedelta(days=1))

    before = listed()
    fake_lox24.fail_if(change)
    found = await ids_of(client.list_bulks(wanted, form=form))
    stayed = before & listed()
    assert len(stayed) > count / 10
    assert len(found) == len(set(found))
    assert stayed <= set(found)


async def test_words_of_a_filter_stay_private(
    client: Lox24Client, fake_lox24: FakeLox24, caplog: pytest.LogCaptureFixture
) -> None:
    """What is searched for is part of people's messages: no log, error or repr holds it."""
    caplog.set_level("DEBUG", "lox24_async")
    wanted = BulkFilter(text="canary words")
    fake_lox24.fail_next(400)
    with pytest.raises(BadRequestError) as caught:
        await client.list_bulks_page(1, wanted)
    await client.list_bulks_page(2, wanted)
    assert ["canary%20words" in path for path in paths(fake_lox24)] == [True, True]
    shown = f"{caught.value}{vars(caught.value)}{wanted!r}{caplog.text}"
    assert "canary" not in shown
    assert "GET /bulks?page=2" in caplog.text
