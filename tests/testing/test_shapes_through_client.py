"""The table of shapes: each version, framework and form, through the client and each operation."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
import pytest_asyncio
from attrs import frozen

from lox24_async import (
    AccountNotActivatedError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Bulk,
    BulkDraft,
    BulkFilter,
    BulkStatus,
    InsufficientFundsError,
    IPBlockedError,
    JsonLdBulk,
    Lox24Client,
    NotCancelableError,
    NotFoundError,
    RetryPolicy,
    ServerError,
)
from lox24_async.testing import FakeLox24, StatusAnswer

from .asking import ID, ID2, T0, Wire, at

KINDS: Final[Mapping[str, str]] = {"2.24": "bulks", "2.27": "Bulk"}


@frozen
class Case:
    """One shape, and a client that asks for it."""

    gateway: FakeLox24
    client: Lox24Client[Any]
    form: type[Bulk]

    def is_full(self, bulk: Bulk) -> None:
        """Check all that the form and the version promise of a bulk."""
        assert type(bulk) is self.form
        assert ("Shop", "Hello", ("+491701234567",)) == (bulk.sender_id, bulk.text, bulk.phones)
        assert Decimal("0.065") == bulk.price
        assert {} == bulk.extra
        if isinstance(bulk, JsonLdBulk):
            assert (f"/bulks/{bulk.uuid}", KINDS[self.gateway.version]) == (
                bulk.ld_id,
                bulk.ld_type,
            )

    def is_summary(self, bulk: Bulk) -> None:
        """Check the same of a status summary."""
        assert (self.form, ID, 1) == (type(bulk), bulk.uuid, bulk.msg_total_count)
        assert (at(0), None, None) == (bulk.created_at, bulk.text, bulk.phones)
        assert (None if self.gateway.version == "2.24" else "Shop") == bulk.sender_id
        assert {} == bulk.extra
        if isinstance(bulk, JsonLdBulk):
            assert isinstance(bulk.ld_context, Mapping)
            generated = (bulk.ld_id or "").startswith("/.well-known/genid/")
            assert generated is (self.gateway.version == "2.24")
            assert generated or f"/bulks/{ID}" == bulk.ld_id

    def add(self, status: int = BulkStatus.NEW, uuid: UUID = ID) -> None:
        """Put in the bulk that the checks expect."""
        self.gateway.add_bulk(
            status, uuid=uuid, sender_id="Shop", created_at=at(0), price=Decimal("0.065")
        )

    async def fails(
        self, call: Awaitable[object], kind: type[APIStatusError], status: int, detail: str
    ) -> APIStatusError:
        """Check that a call fails, with the gateway's own words."""
        with pytest.raises(kind) as caught:
            await call
        error = caught.value
        assert (kind, status, detail) == (type(error), error.status, error.detail)
        assert detail.rstrip(".") in str(error)
        assert 32 == len(error.request_id or "")
        return error


# --- operations


async def get(case: Case) -> None:
    """Read one bulk."""
    case.add()
    bulk = await case.client.get_bulk(ID)
    case.is_full(bulk)
    if isinstance(bulk, JsonLdBulk):
        assert f"/contexts/{KINDS[case.gateway.version]}" == bulk.ld_context


async def status(case: Case) -> None:
    """Read a status summary."""
    case.add(BulkStatus.IN_PROGRESS)
    bulk = await case.client.get_bulk_status(ID)
    case.is_summary(bulk)
    assert BulkStatus.IN_PROGRESS == bulk.status_code


async def cancel(case: Case) -> None:
    """Cancel, and cancel again: both say that it is cancelled."""
    case.add(BulkStatus.IN_PROGRESS)
    for _ in range(2):
        bulk = await case.client.cancel_bulk(ID)
        case.is_summary(bulk)
        assert bulk.is_canceled


async def listing(case: Case) -> None:
    """Walk all pages, with a filter."""
    case.gateway.page_size = 2
    ids = {UUID(int=number) for number in range(5)}
    for uuid in ids:
        case.add(uuid=uuid)
    case.add(BulkStatus.PROCESSED)
    wanted = BulkFilter(status_codes=[BulkStatus.NEW])
    bulks = [bulk async for bulk in case.client.list_bulks(wanted)]
    for bulk in bulks:
        case.is_full(bulk)
        if isinstance(bulk, JsonLdBulk):
            assert bulk.ld_context is None
    assert (5, ids) == (len(bulks), {bulk.uuid for bulk in bulks})


async def page(case: Case) -> None:
    """Read one page; only JSON-LD tells the total."""
    case.gateway.page_size = 2
    for number in range(3):
        case.add(uuid=UUID(int=number))
    got = await case.client.list_bulks_page(1)
    assert 2 == len(got.items)
    assert (3 if case.form is JsonLdBulk else None) == got.total


async def messages(case: Case) -> None:
    """List and count the messages of a bulk; only JSON-LD tells how many."""
    case.gateway.page_size = 4
    case.gateway.add_bulk(
        BulkStatus.CANCELED, uuid=ID, created_at=at(0), msg_total_count=20, sent=15
    )
    case.gateway.add_bulk(BulkStatus.PROCESSED, uuid=ID2, msg_total_count=3)
    for sent, count in ((True, 15), (False, 5), (None, 20)):
        stream = case.client.list_messages(ID, sent=sent, form=case.form)
        found = [message async for message in stream]
        assert count == len({message.uuid for message in found}) == len(found)
        for message in found:
            assert (ID, at(0)) == (message.bulk_id, message.created_at)
            assert sent in (None, message.is_sent)
            assert ("@id" in message.extra) is (case.form is JsonLdBulk)
    if case.form is JsonLdBulk:
        assert [15, 5, 20] == [
            await case.client.count_messages(ID, sent=s) for s in (True, False, None)
        ]


async def create(case: Case) -> None:
    """Create a bulk, and simulate one."""
    draft = BulkDraft(sender_id="Shop", text="Hello", phones=["+491701234567"])
    case.is_full(await case.client.create_bulk(draft))
    case.is_full(await case.client.simulate_bulk(draft))
    assert 1 == len(case.gateway.bulks)


async def delete(case: Case) -> None:
    """Delete a bulk."""
    case.add()
    await case.client.delete_bulk(ID)
    assert {} == dict(case.gateway.bulks)


async def bad_request(case: Case) -> None:
    """400 with violations, for a draft that got past the client's own check."""
    draft = BulkDraft(sender_id="Shop", text="Hello", phones=["+491701234567"])
    object.__setattr__(draft, "text", "x" * 1786)
    detail = "text: This value should have 1785 characters or less."
    error = await case.fails(case.client.create_bulk(draft), BadRequestError, 400, detail)
    (violation,) = error.violations
    assert "text" == violation.property_path


async def unauthorized(case: Case) -> None:
    """401."""
    case.gateway.token = "1:other"
    detail = "Client ID or API key is not active or invalid"
    await case.fails(case.client.get_bulk(ID), AuthenticationError, 401, detail)


async def no_funds(case: Case) -> None:
    """402."""
    case.gateway.funds = Decimal(0)
    draft = BulkDraft(sender_id="Shop", text="Hello", phones=["+491701234567"])
    detail = "Not enough funds on the account"
    await case.fails(case.client.create_bulk(draft), InsufficientFundsError, 402, detail)


async def forbidden(case: Case) -> None:
    """403."""
    case.gateway.not_activated = True
    detail = "The account is not activated"
    await case.fails(case.client.cancel_bulk(ID), AccountNotActivatedError, 403, detail)


async def not_found(case: Case) -> None:
    """404, of each operation on one bulk."""
    for call in (
        case.client.get_bulk(ID2),
        case.client.get_bulk_status(ID2),
        case.client.cancel_bulk(ID2),
        case.client.delete_bulk(ID2),
    ):
        await case.fails(call, NotFoundError, 404, "Resource not found")


async def not_cancelable(case: Case) -> None:
    """422, and the look that says why."""
    case.add(BulkStatus.SYSTEM_ERROR)
    detail = "The bulk can not be cancelled in its status"
    error = await case.fails(case.client.cancel_bulk(ID), NotCancelableError, 422, detail)
    assert isinstance(error, NotCancelableError)
    case.is_summary(error.bulk)


async def blocked(case: Case) -> None:
    """429."""
    case.gateway.block_ip()
    detail = "Your IP is temporarily blocked"
    await case.fails(case.client.cancel_bulk(ID), IPBlockedError, 429, detail)


async def broken(case: Case) -> None:
    """500."""
    case.gateway.intermediaries = [StatusAnswer(500)]
    await case.fails(case.client.cancel_bulk(ID), ServerError, 500, "Scripted fault")


OPERATIONS: Final[Mapping[str, Callable[[Case], Awaitable[None]]]] = {
    operation.__name__: operation
    for operation in (
        get,
        status,
        cancel,
        listing,
        page,
        messages,
        create,
        delete,
        bad_request,
        unauthorized,
        no_funds,
        forbidden,
        not_found,
        not_cancelable,
        blocked,
        broken,
    )
}


@pytest_asyncio.fixture(params=["2.24", "2.27"])
async def versioned(request: pytest.FixtureRequest) -> AsyncIterator[FakeLox24]:
    """A gateway of each version of the documentation."""
    async with FakeLox24(version=request.param) as gateway:
        yield gateway


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("form", [Bulk, JsonLdBulk], ids=["json", "ld"])
@pytest.mark.parametrize("framework", ["2", "3", "4"])
async def test_every_shape(
    versioned: FakeLox24, framework: Any, form: type[Bulk], operation: str
) -> None:
    """The client makes the same of each shape."""
    versioned.framework = framework
    policy = RetryPolicy.none()
    async with Lox24Client(
        versioned.token, base_url=versioned.url, form=form, retry=policy
    ) as client:
        await OPERATIONS[operation](Case(versioned, client, form))
    # A delete has no form: nothing comes back.
    asked = [request for request in versioned.requests if request.method != "DELETE"]
    accept = "application/json" if form is Bulk else "application/ld+json"
    assert {accept} >= {request.headers["Accept"] for request in asked}


@pytest.mark.parametrize("form", [Bulk, JsonLdBulk], ids=["json", "ld"])
async def test_summary_with_the_mistake_of_the_documentation(
    versioned: FakeLox24, form: type[Bulk]
) -> None:
    """A created_at that is a UUID costs only itself, and stays readable."""
    versioned.summary_created_at = "uuid"
    versioned.add_bulk(uuid=ID, created_at=at(0))
    async with Lox24Client(versioned.token, base_url=versioned.url, form=form) as client:
        bulk = await client.cancel_bulk(ID)
        full = await client.get_bulk(ID)
    assert (True, None, {"created_at": str(ID)}) == (
        bulk.is_canceled,
        bulk.created_at,
        dict(bulk.extra),
    )
    assert at(0) == full.created_at


@pytest.mark.parametrize("json_ld", [False, True])
@pytest.mark.parametrize("framework", ["2", "3", "4"])
async def test_messages_by_hand(
    wire: Wire, versioned: FakeLox24, framework: Any, json_ld: bool
) -> None:
    """The list of messages in each shape, and its errors."""
    versioned.framework = framework
    versioned.add_bulk(15, uuid=ID, created_at=at(0), msg_total_count=40, sent=35)
    asked = Wire(wire.session, versioned)
    got = await asked.ask("GET", f"/sms?bulk={ID}&is_sent=1&page=2", json_ld=json_ld)
    assert 200 == got.status
    members = got.content
    if json_ld:
        old = versioned.version == "2.24"
        members = got.content["hydra:member" if old else "member"]
        assert 35 == got.content["hydra:totalItems"]
        assert {"sms" if old else "Sms"} == {member["@type"] for member in members}
    assert [(str(ID), True, T0)] * 5 == [
        (member["bulk_id"], member["is_sent"], member["created_at"]) for member in members
    ]
    refused = await asked.ask("GET", "/sms?bulk=x", json_ld=json_ld)
    detail = "bulk: This value should be a UUID in lower case."
    said = {refused.content.get(name) for name in ("detail", "hydra:description", "description")}
    assert (400, {detail}) == (refused.status, said - {None})
