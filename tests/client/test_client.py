"""One call, end to end, on the local gateway: what it returns, raises and sends."""

import asyncio
import logging
from uuid import UUID, uuid4

import pytest

from lox24_async import (
    AccountNotActivatedError,
    APIStatusError,
    BadRequestError,
    Bulk,
    BulkStatus,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    HeldBackError,
    InsufficientFundsError,
    InvalidBulkIdError,
    JsonLdBulk,
    Lox24Client,
    Lox24Error,
    NotCancelableError,
    NotFoundError,
    RequestTimeoutError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    TransportError,
    UnprocessableError,
)
from lox24_async.testing import FakeLox24
from tests.conftest import QUICK, prove

pytestmark = pytest.mark.usefixtures("lane")


def sent(gateway: FakeLox24) -> list[str]:
    """Return the methods of what arrived."""
    return [request.method for request in gateway.requests]


async def arrival(gateway: FakeLox24) -> None:
    """Wait until a request has arrived."""
    while not gateway.requests:
        await asyncio.sleep(0)


@pytest.mark.parametrize("status", [BulkStatus.NEW, BulkStatus.IN_PROGRESS])
async def test_cancels(client: Lox24Client, fake_lox24: FakeLox24, status: BulkStatus) -> None:
    """A bulk that can be cancelled is, with one request."""
    bulk = await client.cancel_bulk(fake_lox24.add_bulk(status).uuid)
    assert bulk.is_canceled
    assert fake_lox24.bulks[bulk.uuid].is_canceled
    assert sent(fake_lox24) == ["PUT"]


async def test_takes_strings_in_any_case(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Upper case is lowered on the wire."""
    uuid = fake_lox24.add_bulk().uuid
    assert (await client.cancel_bulk(str(uuid).upper())).uuid == uuid
    assert fake_lox24.requests[0].path == f"/bulks/{uuid}/cancel"


async def test_form_decides_what_is_asked_and_returned(fake_lox24: FakeLox24) -> None:
    """The client's form is the default; a call may override it."""
    first, second = fake_lox24.add_bulk().uuid, fake_lox24.add_bulk().uuid
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, form=JsonLdBulk) as client:
        linked = await client.cancel_bulk(first)
        plain = await client.cancel_bulk(second, form=Bulk)
    assert (JsonLdBulk, Bulk) == (type(linked), type(plain))
    assert linked.ld_id == f"/bulks/{first}"
    accepts = [request.headers["accept"] for request in fake_lox24.requests]
    assert accepts == ["application/ld+json", "application/json"]


async def test_case_14_executed_then_dropped(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Executed, dropped, repeat refused with 422: the look finds the bulk cancelled."""
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(drop="after")
    assert (await client.cancel_bulk(uuid)).is_canceled
    assert sent(fake_lox24) == ["PUT", "PUT", "GET"]


async def test_case_14_processed_meanwhile(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Dropped, then refused because the bulk is processed: too late, and said so."""
    uuid = fake_lox24.add_bulk(BulkStatus.PROCESSED).uuid
    fake_lox24.fail_next(drop="before")
    with pytest.raises(NotCancelableError) as caught:
        await client.cancel_bulk(uuid)
    error = caught.value
    assert (BulkStatus.PROCESSED, 422, 2, False) == (
        error.bulk.status_code,
        error.status,
        error.attempts,
        error.outcome_unknown,
    )
    assert isinstance(error.__cause__, UnprocessableError)
    assert sent(fake_lox24) == ["PUT", "PUT", "GET"]


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_case_13_refusals_are_looked_into(
    client: Lox24Client, fake_lox24: FakeLox24, status: int
) -> None:
    """A refused cancel of a bulk that is cancelled already returns the bulk."""
    uuid = fake_lox24.add_bulk(BulkStatus.CANCELED).uuid
    fake_lox24.fail_next(status)
    assert (await client.cancel_bulk(uuid)).is_canceled
    assert sent(fake_lox24) == ["PUT", "GET"]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequestError), (409, ConflictError), (422, UnprocessableError)]
)
@pytest.mark.parametrize("look", ["running", "fails"])
async def test_case_13_refusal_comes_as_it_came(
    client: Lox24Client,
    fake_lox24: FakeLox24,
    status: int,
    kind: type[APIStatusError],
    look: str,
) -> None:
    """If the look finds the bulk running, or fails, the refusal itself is raised; one look."""
    uuid = fake_lox24.add_bulk(BulkStatus.IN_PROGRESS).uuid
    fake_lox24.fail_next(status, headers={"X-LOX24-REQUEST-ID": "a" * 32})
    if look == "fails":
        fake_lox24.fail_next(503)
    with pytest.raises(kind) as caught:
        await client.cancel_bulk(uuid)
    error = caught.value
    assert (kind, status, "a" * 32, 1, False, str(uuid)) == (
        type(error),
        error.status,
        error.request_id,
        error.attempts,
        error.outcome_unknown,
        error.bulk_id,
    )
    assert sent(fake_lox24) == ["PUT", "GET"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (402, InsufficientFundsError),
        (403, AccountNotActivatedError),
        (404, NotFoundError),
        (405, APIStatusError),
        (501, ServerError),
    ],
)
async def test_case_13_no_retry(
    client: Lox24Client, fake_lox24: FakeLox24, status: int, kind: type[APIStatusError]
) -> None:
    """What a repeat cannot mend is not repeated."""
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(status)
    with pytest.raises(kind) as caught:
        await client.cancel_bulk(uuid)
    assert (kind, status, 1) == (type(caught.value), caught.value.status, caught.value.attempts)
    assert sent(fake_lox24).count("PUT") == 1


async def test_unknown_bulk(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """An id that the gateway does not know is a 404, and nothing more is asked."""
    with pytest.raises(NotFoundError) as caught:
        await client.cancel_bulk(uuid4())
    assert not caught.value.outcome_unknown
    assert sent(fake_lox24) == ["PUT"]


async def test_case_16_accepted_but_not_cancelled_yet(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """A 200 with another status than 15 is returned as it is."""
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(body=f'{{"uuid": "{uuid}", "status_code": 5}}')
    bulk = await client.cancel_bulk(uuid)
    assert (BulkStatus.IN_PROGRESS, False) == (bulk.status_code, bulk.is_canceled)
    assert sent(fake_lox24) == ["PUT"]


async def test_case_24_undecodable_answer_is_looked_into(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """A 200 without a bulk in it is no success; the look tells."""
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(body="<html>welcome</html>")
    assert (await client.cancel_bulk(uuid)).is_canceled
    assert sent(fake_lox24) == ["PUT", "GET"]


async def test_case_24_undecodable_and_running(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """If the look finds the bulk running, its fate stays unknown."""
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(200, body="<html>welcome</html>")
    with pytest.raises(ResponseDecodeError) as caught:
        await client.cancel_bulk(uuid)
    assert (200, True, 1) == (
        caught.value.status,
        caught.value.outcome_unknown,
        caught.value.attempts,
    )
    assert "may have been cancelled" in str(caught.value)


async def test_case_15_every_attempt_times_out(fake_lox24: FakeLox24) -> None:
    """Three timeouts, then the look decides."""
    uuid = fake_lox24.add_bulk().uuid
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, retry=QUICK, attempt_timeout=0.4
    ) as client:
        await prove(client, fake_lox24)
        fake_lox24.fail_next(delay=5, times=3, method="PUT")
        assert (await client.cancel_bulk(uuid)).is_canceled
    assert sent(fake_lox24)[1:] == ["PUT", "PUT", "PUT", "GET"]


async def test_case_44_no_look_where_it_might_block_the_ip(fake_lox24: FakeLox24) -> None:
    """Three unseen answers on a token that is not proven: a fourth request might be one too many.

    The fate stays unknown, and the error says why nobody looked.
    """
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(delay=5, times=3)
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, retry=QUICK, attempt_timeout=0.4
    ) as client:
        with pytest.raises(RequestTimeoutError, match="a look at its status was held back") as got:
            await client.cancel_bulk(uuid)
        assert (3, True) == (got.value.attempts, got.value.outcome_unknown)
        with pytest.raises(HeldBackError) as held:
            await client.cancel_bulk(uuid, timeout=0.5)
        assert held.value.retry_after is not None
        assert 50 < held.value.retry_after <= 60
        assert client.pause is not None
        assert isinstance(client.pause.cause, HeldBackError)
    assert sent(fake_lox24) == ["PUT"] * 3


async def test_case_15_the_look_times_out_too(fake_lox24: FakeLox24) -> None:
    """Without any answer the fate is unknown, and said so."""
    uuid = fake_lox24.add_bulk().uuid
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, retry=QUICK, attempt_timeout=0.4
    ) as client:
        await prove(client, fake_lox24)
        fake_lox24.fail_next(delay=5, times=9)
        with pytest.raises(RequestTimeoutError) as caught:
            await client.cancel_bulk(uuid)
    assert (3, True) == (caught.value.attempts, caught.value.outcome_unknown)
    assert sent(fake_lox24)[1:] == ["PUT"] * 3 + ["GET"] * 3


async def test_deadline_bounds_the_whole_call(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """timeout= covers attempts, waits and the look."""
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(delay=5, times=9)
    async with asyncio.timeout(2):
        with pytest.raises(RequestTimeoutError) as caught:
            await client.cancel_bulk(uuid, timeout=0.1)
    assert (1, True) == (caught.value.attempts, caught.value.outcome_unknown)
    assert sent(fake_lox24) == ["PUT"]


async def test_deadline_in_the_queue(fake_lox24: FakeLox24) -> None:
    """A call whose time ends in the queue was never sent."""
    first, second = fake_lox24.add_bulk().uuid, fake_lox24.add_bulk().uuid
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, max_concurrency=1) as client:
        await client.cancel_bulk(fake_lox24.add_bulk().uuid)  # proves the token
        fake_lox24.fail_next(delay=0.3)
        busy = asyncio.create_task(client.cancel_bulk(first))
        await asyncio.sleep(0)  # it takes the slot
        with pytest.raises(RequestTimeoutError) as caught:
            await client.cancel_bulk(second, timeout=0.1)
        await busy
    assert (0, False) == (caught.value.attempts, caught.value.outcome_unknown)
    assert str(second) not in "".join(request.path for request in fake_lox24.requests)


@pytest.mark.parametrize("timeout", [0, -1, -0.5])
async def test_deadline_already_over(
    client: Lox24Client, fake_lox24: FakeLox24, timeout: float
) -> None:
    """A deadline that is over sends nothing."""
    with pytest.raises(RequestTimeoutError):
        await client.cancel_bulk(uuid4(), timeout=timeout)
    assert fake_lox24.requests == []


@pytest.mark.parametrize("timeout", ["1", float("nan"), float("inf"), True])
async def test_bad_timeout(client: Lox24Client, fake_lox24: FakeLox24, timeout: float) -> None:
    """A timeout that is no finite number is refused before any I/O."""
    with pytest.raises(ConfigurationError):
        await client.cancel_bulk(uuid4(), timeout=timeout)
    assert fake_lox24.requests == []


async def test_case_31_hostile_id_sends_nothing(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """What is no id is refused before any I/O."""
    with pytest.raises(InvalidBulkIdError):
        await client.cancel_bulk("../sms")
    assert fake_lox24.requests == []


async def test_attempts_are_what_was_on_the_wire(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """Cancels are counted, looks are not."""
    uuid = fake_lox24.add_bulk().uuid
    await prove(client, fake_lox24)
    fake_lox24.fail_next(drop="before", times=9)
    with pytest.raises(TransportError) as caught:
        await client.cancel_bulk(uuid)
    assert (3, True) == (caught.value.attempts, caught.value.outcome_unknown)
    assert sent(fake_lox24)[1:] == ["PUT"] * 3 + ["GET"] * 3


async def test_each_retry_is_one_warning(
    client: Lox24Client, fake_lox24: FakeLox24, caplog: pytest.LogCaptureFixture
) -> None:
    """A retry is told with its cause, its number and its wait."""
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(503, times=2)
    with caplog.at_level(logging.WARNING, "lox24_async"):
        await client.cancel_bulk(uuid)
    texts = [record.getMessage() for record in caplog.records if record.name == "lox24_async"]
    assert len(texts) == 2
    assert all(str(uuid) in text for text in texts)
    assert "attempt 2 of 3" in texts[0]
    assert "attempt 3 of 3" in texts[1]


async def test_right_token_costs_one_extra_round_trip(fake_lox24: FakeLox24) -> None:
    """1,000 calls succeed; the first goes alone, then the rest at full width."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(1_000)]
    fake_lox24.fail_next(delay=0.05, times=1)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        bulks = await asyncio.gather(*(client.cancel_bulk(bulk_id) for bulk_id in ids))
    assert [bulk.uuid for bulk in bulks] == ids
    assert all(bulk.is_canceled for bulk in bulks)
    assert len(fake_lox24.requests) == 1_000
    first, second = (request.at for request in fake_lox24.requests[:2])
    assert second - first >= 0.05


async def test_case_38_close_sends_waiters_home(fake_lox24: FakeLox24) -> None:
    """On close, requests in flight come to their end; who waits gets ClientClosedError."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(5)]
    fake_lox24.fail_next(delay=0.1)
    client = Lox24Client(fake_lox24.token, base_url=fake_lox24.url)
    calls = [asyncio.create_task(client.cancel_bulk(bulk_id)) for bulk_id in ids]
    await arrival(fake_lox24)
    await client.close()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[0], Bulk)
    assert [ClientClosedError] * 4 == [type(result) for result in results[1:]]
    assert all(isinstance(r, Lox24Error) and not r.attempts for r in results[1:])
    assert len(fake_lox24.requests) == 1


async def test_case_38_close_in_backoff(
    fake_lox24: FakeLox24, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that waits before its next attempt leaves with what it knows."""
    uuid = fake_lox24.add_bulk().uuid
    fake_lox24.fail_next(503, times=9, headers={"Retry-After": "50"})
    client = Lox24Client(fake_lox24.token, base_url=fake_lox24.url)
    call = asyncio.create_task(client.cancel_bulk(uuid))
    await arrival(fake_lox24)
    while not caplog.records:  # the warning comes before the wait
        await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await client.close()
        with pytest.raises(ClientClosedError) as caught:
            await call
    assert (1, True) == (caught.value.attempts, caught.value.outcome_unknown)


async def test_case_38_closed_client_says_so(fake_lox24: FakeLox24) -> None:
    """Closing twice is fine; using a closed client is a clear error."""
    client = Lox24Client(fake_lox24.token, base_url=fake_lox24.url)
    await client.cancel_bulk(fake_lox24.add_bulk().uuid)
    await client.close()
    await client.close()
    with pytest.raises(ClientClosedError, match="closed"):
        await client.cancel_bulk(uuid4())
    with pytest.raises(ClientClosedError):
        await client.__aenter__()
    assert "closed" in repr(client)


def test_with_points_to_async_with() -> None:
    """A plain with is answered with the right word."""
    with pytest.raises(TypeError, match="async with"), Lox24Client("1:key"):
        pass


def test_repr_has_no_secret() -> None:
    """The repr names the place, not the token."""
    client = Lox24Client("1234567:canary-key-0001", base_url="https://gateway.example/x/")
    assert repr(client) == "<Lox24Client https://gateway.example/x open>"


def test_made_without_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client can be made at import, and reads the environment."""
    monkeypatch.setenv("LOX24_AUTH_TOKEN", "1:key")
    monkeypatch.setenv("LOX24_BASE_URL", "http://127.0.0.1:1")
    assert "127.0.0.1:1" in repr(Lox24Client())


@pytest.mark.parametrize(
    "options",
    [
        {"max_concurrency": 0},
        {"max_concurrency": 1.5},
        {"max_concurrency": True},
        {"attempt_timeout": 0},
        {"attempt_timeout": float("nan")},
        {"attempt_timeout": "60"},
        {"form": dict},
        {"retry": 3},
        {"session": object()},
        {"ssl": False},
        {"proxy": "socks5://127.0.0.1:1"},
        {"proxy": "http://127.0.0.1:1", "base_url": "http://127.0.0.1:2"},
    ],
)
def test_bad_settings(options: dict[str, object]) -> None:
    """A setting that cannot work is refused when the client is made."""
    with pytest.raises(ConfigurationError):
        Lox24Client("1:key", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": 2.0},
        {"initial_delay": -1},
        {"max_delay": float("inf")},
        {"max_wait": float("nan")},
        {"wait_out_block": 1},
    ],
)
def test_bad_policy(options: dict[str, object]) -> None:
    """A policy that cannot work is refused when it is made."""
    with pytest.raises(ConfigurationError):
        RetryPolicy(**options)  # type: ignore[arg-type]


def test_policy_without_retries() -> None:
    """none() makes one attempt."""
    assert RetryPolicy.none().max_attempts == 1


async def test_bulks_keep_their_identity(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """Under a gather each call gets its own bulk back."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(200)]
    bulks: list[Bulk] = await asyncio.gather(*(client.cancel_bulk(bulk_id) for bulk_id in ids))
    assert [UUID(str(bulk.uuid)) for bulk in bulks] == ids
