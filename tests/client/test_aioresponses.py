"""The client under aioresponses, as a user's own tests would mock it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from aioresponses import aioresponses
from yarl import URL

from lox24_async import (
    Bulk,
    BulkDraft,
    BulkFilter,
    BulkStatus,
    IPBlockedError,
    Lox24Client,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    UnprocessableError,
)
from tests.conftest import QUICK

ID = "da0fa78c-4699-11ea-a637-96000028b339"
CANCEL = f"https://api.lox24.eu/bulks/{ID}/cancel"
STATUS = f"https://api.lox24.eu/bulks/{ID}/status"
TOKEN = "1234567:e3f3a759b6677959b6ebfc0000000000"


def answer(status: int) -> dict[str, Any]:
    """Return the status summary of the bulk."""
    return {"uuid": ID, "status_code": status, "created_at": 1_573_724_611}


def calls(mock: aioresponses, method: str, url: str) -> int:
    """Count the requests that the client made."""
    return len(mock.requests.get((method, URL(url)), []))


async def test_200_gives_the_model(mocked: aioresponses) -> None:
    """A mocked 200 is the bulk that it describes."""
    mocked.put(CANCEL, payload=answer(15))
    async with Lox24Client(TOKEN) as client:
        bulk = await client.cancel_bulk(ID)
    assert isinstance(bulk, Bulk)
    assert (UUID(ID), BulkStatus.CANCELED, True) == (bulk.uuid, bulk.status_code, bulk.is_canceled)
    assert calls(mocked, "PUT", CANCEL) == 1


async def test_list_gives_pages(mocked: aioresponses) -> None:
    """A listing is mocked page by page, by the URL as the docs spell it."""
    pages = [
        f"https://api.lox24.eu/bulks?page={page}&status_code=0&created_at[gte]=1573724611"
        "&_order[created_at]=asc"
        for page in (1, 2)
    ]
    mocked.get(pages[0], payload=[answer(0)], repeat=True)
    mocked.get(pages[1], payload=[], repeat=True)
    since = datetime.fromtimestamp(1_573_724_611, UTC)
    wanted = BulkFilter(status_codes=[0], created_from=since)
    async with Lox24Client(TOKEN) as client:
        assert [UUID(ID)] == [bulk.uuid async for bulk in client.list_bulks(wanted)]
    assert {"1", "2"} == {url.query["page"] for _, url in mocked.requests}


async def test_create_gives_the_model(mocked: aioresponses) -> None:
    """A mocked 201 is the bulk that was created; the mock sees the body."""
    mocked.post("https://api.lox24.eu/bulks", status=201, payload=answer(0))
    async with Lox24Client(TOKEN) as client:
        bulk = await client.create_bulk(BulkDraft("Acme", "Hello", phones=["+491701234567"]))
    assert UUID(ID) == bulk.uuid
    assert calls(mocked, "POST", "https://api.lox24.eu/bulks") == 1


@pytest.mark.looptime
async def test_429_then_200_succeeds_after_one_backoff(mocked: aioresponses) -> None:
    """One shared pause of half a second, one probe, done."""
    mocked.put(CANCEL, status=429)
    mocked.put(CANCEL, payload=answer(15))
    async with Lox24Client(TOKEN) as client:
        bulk = await client.cancel_bulk(ID)
    assert bulk.is_canceled
    assert calls(mocked, "PUT", CANCEL) == 2


async def test_four_503_raise_server_error(mocked: aioresponses) -> None:
    """Three attempts, a look that fails, then the server's error: the fate is unknown."""
    for _ in range(4):
        mocked.put(CANCEL, status=503)
    async with Lox24Client(TOKEN, retry=QUICK) as client:
        with pytest.raises(ServerError) as caught:
            await client.cancel_bulk(ID)
    assert (503, 3, True) == (
        caught.value.status,
        caught.value.attempts,
        caught.value.outcome_unknown,
    )
    assert calls(mocked, "PUT", CANCEL) == 3


async def test_503_of_a_bulk_that_is_cancelled_returns_it(mocked: aioresponses) -> None:
    """The look finds that one of the failed attempts was carried out."""
    mocked.put(CANCEL, status=503, repeat=True)
    mocked.get(STATUS, payload=answer(15))
    async with Lox24Client(TOKEN, retry=QUICK) as client:
        bulk = await client.cancel_bulk(ID)
    assert bulk.is_canceled
    assert calls(mocked, "PUT", CANCEL) == 3
    assert calls(mocked, "GET", STATUS) == 1


async def test_422_raises_unprocessable(mocked: aioresponses) -> None:
    """A refusal is not repeated; the look, not mocked here, fails and changes nothing."""
    mocked.put(CANCEL, status=422, payload={"detail": "not in this status"})
    async with Lox24Client(TOKEN, retry=QUICK) as client:
        with pytest.raises(UnprocessableError, match="not in this status") as caught:
            await client.cancel_bulk(ID)
    assert (1, False) == (caught.value.attempts, caught.value.outcome_unknown)
    assert calls(mocked, "PUT", CANCEL) == 1


async def test_mocked_timeout_leaves_the_fate_unknown(mocked: aioresponses) -> None:
    """A mocked timeout tells nothing about whether the request had left."""
    mocked.put(CANCEL, timeout=True)
    async with Lox24Client(TOKEN, retry=RetryPolicy.none()) as client:
        with pytest.raises(RequestTimeoutError) as caught:
            await client.cancel_bulk(ID)
    assert caught.value.outcome_unknown


async def test_no_policy_no_repeat(mocked: aioresponses) -> None:
    """RetryPolicy.none() sends once."""
    mocked.put(CANCEL, status=429, repeat=True)
    async with Lox24Client(TOKEN, retry=RetryPolicy.none()) as client:
        with pytest.raises(IPBlockedError) as caught:
            await client.cancel_bulk(ID)
    assert caught.value.attempts == 1
    assert calls(mocked, "PUT", CANCEL) == 1
