"""Creating and deleting: what goes over the wire, how often, and what is known afterwards."""

import asyncio
import json
import logging
import pickle
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from lox24_async import (
    AccountNotActivatedError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Bulk,
    BulkDraft,
    BulkFilter,
    BulkStatus,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ConnectionFailedError,
    InsufficientFundsError,
    InvalidBulkIdError,
    IPBlockedError,
    JsonLdBulk,
    Lox24Client,
    Lox24Error,
    NotFoundError,
    RequestTimeoutError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    ServiceCode,
    TransportError,
    UnprocessableError,
    VoiceLang,
)
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import QUICK, loop_time
from tests.fault_server import (
    BULK_ID,
    TOKEN,
    FaultServer,
    Line,
    Received,
    Step,
    abort,
    answer,
    client_of,
    close,
    cut,
    full,
    nothing_left,
    silent,
    summary,
    turns,
)

PHONES = ("+491701234567", "00491701234568")
TEXT = "Ihr Code für Anna Berg: K-4711"
DRAFT = BulkDraft("Shop 24", TEXT, phones=PHONES)
EAGER = RetryPolicy(max_attempts=6, initial_delay=0.001, max_delay=0.002)
LOOK = "look with list_bulks(BulkFilter(sender_id=…, created_from=…)) before you send it again"
PATHS = {"create_bulk": "/bulks", "simulate_bulk": "/bulks/dryrun"}
BOTH = pytest.mark.parametrize("operation", ["create_bulk", "simulate_bulk"])
FORMS = pytest.mark.parametrize("form", [Bulk, JsonLdBulk])


def sent(gateway: FakeLox24, method: str = "POST") -> list[ReceivedRequest]:
    """Return the requests of a method that arrived."""
    return [request for request in gateway.requests if request.method == method]


async def perform(client: Lox24Client[Any], operation: str, **options: Any) -> Bulk:
    """Create, or simulate, the draft."""
    made: Bulk = await getattr(client, operation)(DRAFT, **options)
    return made


async def failure(client: Lox24Client[Any], operation: str = "create_bulk", **options: Any) -> Any:
    """Return the error of an operation on the draft."""
    with pytest.raises(Lox24Error) as caught:
        await perform(client, operation, **options)
    return caught.value


async def delete_failure(client: Lox24Client[Any], bulk_id: UUID | str = BULK_ID) -> Any:
    """Return the error of a delete."""
    with pytest.raises(Lox24Error) as caught:
        await client.delete_bulk(bulk_id)
    return caught.value


@asynccontextmanager
async def either(url: str, token: str, kind: str, **options: Any) -> AsyncIterator[Lox24Client]:
    """Make a client with its own session or with a borrowed one."""
    async with aiohttp.ClientSession() as session:
        more: dict[str, Any] = {"session": session} if kind == "borrowed" else {}
        async with Lox24Client(token, base_url=url, **more, **({"retry": EAGER} | options)) as made:
            yield made


SESSIONS = pytest.mark.parametrize("session", ["own", "borrowed"])

# --- what is sent, and what comes back


@BOTH
@FORMS
async def test_every_field_goes_out_by_its_name(
    client: Lox24Client, fake_lox24: FakeLox24, operation: str, form: type[Bulk]
) -> None:
    """One POST, typed as JSON, with the draft's fields and no others."""
    draft = BulkDraft(
        "+4930123456",
        TEXT,
        phones=PHONES,
        msg_groups=(3, 17),
        service_code=ServiceCode.TEXT2SPEECH,
        delivery_at=datetime(2100, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        is_unicode=False,
        source=0,
        voice_lang=VoiceLang.DE,
    )
    fake_lox24.groups[17] = 40
    bulk = await getattr(client, operation)(draft, form=form)
    (request,) = fake_lox24.requests
    assert {
        "sender_id": "+4930123456",
        "text": TEXT,
        "phones": list(PHONES),
        "msg_groups": [3, 17],
        "service_code": "text2speech",
        "delivery_at": 4_102_444_801,
        "is_unicode": False,
        "source": 0,
        "voice_lang": "DE",
    } == json.loads(request.body)
    assert ("POST", PATHS[operation]) == (request.method, request.path)
    assert "application/json" == request.headers["Content-Type"]
    accepted = {Bulk: "application/json", JsonLdBulk: "application/ld+json"}[form]
    assert accepted == request.headers["Accept"]
    assert form is type(bulk)
    assert (BulkStatus.NEW, TEXT, PHONES, (3, 17), 42, operation == "simulate_bulk") == (
        bulk.status_code,
        bulk.text,
        bulk.phones,
        bulk.msg_groups,
        bulk.msg_total_count,
        bulk.is_dryrun,
    )


@BOTH
async def test_what_is_not_given_is_left_out(
    client: Lox24Client, fake_lox24: FakeLox24, operation: str
) -> None:
    """Options that the server is to choose are absent, not null; 0 is at once."""
    await perform(client, operation)
    assert {
        "sender_id": "Shop 24",
        "text": TEXT,
        "phones": list(PHONES),
        "service_code": "direct",
        "delivery_at": 0,
    } == json.loads(fake_lox24.requests[0].body)


async def test_only_a_creation_creates(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A simulation leaves nothing; two creations of one draft are two bulks."""
    simulated = await client.simulate_bulk(DRAFT)
    assert Decimal("0.13") == simulated.price
    assert 0 == len(fake_lox24.bulks)
    first, second = await client.create_bulk(DRAFT), await client.create_bulk(DRAFT)
    assert {first.uuid, second.uuid} == set(fake_lox24.bulks)
    assert 2 == len({first.uuid, second.uuid})


async def test_client_form_is_the_default(fake_lox24: FakeLox24) -> None:
    """The client's form holds for creations too."""
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, form=JsonLdBulk) as client:
        bulk = await client.create_bulk(DRAFT)
    assert f"/bulks/{bulk.uuid}" == bulk.ld_id


async def test_created_bulk_can_be_found_as_the_error_says(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """The look that a lost answer asks for finds the bulk."""
    before = fake_lox24.now.replace(microsecond=0)
    fake_lox24.fail_next(drop="after")
    await failure(client)
    wanted = BulkFilter(sender_id=DRAFT.sender_id, created_from=before)
    assert [*fake_lox24.bulks] == [bulk.uuid async for bulk in client.list_bulks(wanted)]


@pytest.mark.parametrize("session", ["own", "borrowed"])
async def test_a_hundred_thousand_phones(fake_lox24: FakeLox24, session: str) -> None:
    """A body of more than a mebibyte goes out whole, without a warning; so comes its answer."""
    phones = tuple(f"+4917{number:08}" for number in range(100_000))
    async with either(fake_lox24.url, fake_lox24.token, session) as client:
        bulk = await client.create_bulk(BulkDraft("Shop 24", TEXT, phones=phones))
    (request,) = fake_lox24.requests
    assert len(request.body) > 1 << 20
    assert list(phones) == json.loads(request.body)["phones"]
    assert (phones, 100_000) == (bulk.phones, bulk.msg_total_count)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ({"sender_id": "Shop", "text": "x", "phones": ["+491701234567"]}, {}),
        (None, {}),
        (BulkDraft, {}),
        (DRAFT, {"form": dict}),
        (DRAFT, {"timeout": "1"}),
    ],
)
@BOTH
async def test_what_cannot_work_is_refused_before_any_request(
    client: Lox24Client, fake_lox24: FakeLox24, operation: str, value: Any, options: Any
) -> None:
    """No draft, another form, no number of seconds: nothing is sent."""
    with pytest.raises(ConfigurationError):
        await getattr(client, operation)(value, **options)
    assert [] == fake_lox24.requests


# --- refusals


@BOTH
@FORMS
async def test_violations_are_told(
    client: Lox24Client, fake_lox24: FakeLox24, operation: str, form: type[Bulk]
) -> None:
    """What only LOX24 can check comes back by field, in both forms of the answer."""
    draft = BulkDraft("Shop 24", TEXT, PHONES, service_code="pigeon", voice_lang="XX")
    with pytest.raises(BadRequestError) as caught:
        await getattr(client, operation)(draft, form=form)
    error = caught.value
    assert {
        "service_code": "Service's code is invalid or unavailable.",
        "voice_lang": "This language is not known.",
    } == {one.property_path: one.message for one in error.violations}
    assert all(one.code for one in error.violations)
    assert (400, 1, False) == (error.status, error.attempts, error.outcome_unknown)
    assert "service_code: Service's code is invalid or unavailable." in str(error)
    assert (1, 0) == (len(fake_lox24.requests), len(fake_lox24.bulks))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, APIStatusError),
        (307, APIStatusError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, InsufficientFundsError),
        (403, AccountNotActivatedError),
        (404, NotFoundError),
        (405, APIStatusError),
        (409, ConflictError),
        (413, APIStatusError),
        (415, APIStatusError),
        (422, UnprocessableError),
    ],
)
@BOTH
async def test_refusals_are_final(
    client: Lox24Client,
    fake_lox24: FakeLox24,
    operation: str,
    status: int,
    kind: type[APIStatusError],
) -> None:
    """Refused is refused: one POST, no doubt, the class by the status."""
    fake_lox24.fail_next(status, headers={"Location": "/elsewhere"} if status < 400 else {})
    error = await failure(client, operation)
    assert (kind, status, 1, False, None) == (
        type(error),
        error.status,
        error.attempts,
        error.outcome_unknown,
        error.bulk_id,
    )
    assert "may have been" not in str(error)
    assert 1 == len(fake_lox24.requests)


async def test_funds(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """What the account cannot pay is not created; to simulate it is free."""
    fake_lox24.funds = Decimal("0.129")
    assert InsufficientFundsError is type(await failure(client))
    assert (await client.simulate_bulk(DRAFT)).is_dryrun
    fake_lox24.funds = Decimal("0.13")
    await client.create_bulk(DRAFT)
    assert 1 == len(fake_lox24.bulks)


# --- the one answer after which it goes out again


@pytest.mark.looptime
@BOTH
async def test_429_is_waited_out_and_repeated_once(fake_lox24: FakeLox24, operation: str) -> None:
    """A 429 was certainly not accepted: after the time it names the POST goes again."""
    fake_lox24.fail_next(429, headers={"Retry-After": "7"})
    begun = loop_time()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        await perform(client, operation)
    assert [0.0, 7.0] == [round(request.at - begun, 2) for request in sent(fake_lox24)]
    assert (operation == "create_bulk") == len(fake_lox24.bulks)


@pytest.mark.looptime
async def test_429_without_end(fake_lox24: FakeLox24) -> None:
    """Attempts are bounded, and the error leaves no doubt."""
    fake_lox24.fail_next(429, times=9, headers={"Retry-After": "1"})
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        error = await failure(client)
    assert (IPBlockedError, 3, False) == (type(error), error.attempts, error.outcome_unknown)
    assert (3, 0) == (len(fake_lox24.requests), len(fake_lox24.bulks))


async def test_429_too_long_to_wait(fake_lox24: FakeLox24) -> None:
    """A wait that does not fit is not begun."""
    fake_lox24.fail_next(429, headers={"Retry-After": "600"})
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        error = await failure(client, timeout=30)
    assert (IPBlockedError, 600, False) == (type(error), error.retry_after, error.outcome_unknown)
    assert 1 == len(fake_lox24.requests)


async def test_429_then_a_lost_answer(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """The harmless repeat is made, the harmful one is not."""
    fake_lox24.fail_next(429)
    fake_lox24.fail_next(drop="after")
    error = await failure(client)
    assert (2, True) == (error.attempts, error.outcome_unknown)
    assert LOOK in str(error)
    assert (2, 1) == (len(fake_lox24.requests), len(fake_lox24.bulks))


# --- lost answers: never a second POST

LOST = {
    "dropped before": Fault(drop="before"),
    "dropped after": Fault(drop="after"),
    "dropped within": Fault(drop="within"),
    **{f"{status}": Fault(status=status) for status in (408, 500, 502, 503, 504, 520)},
    **{
        f"{status} executed": Fault(status=status, executed=True)
        for status in (408, 500, 502, 503, 504, 520)
    },
    "503 with Retry-After": Fault(status=503, headers={"Retry-After": "0"}),
    "too late": Fault(delay=20),
    "no JSON": Fault(status=201, body="<html>", executed=True),
    "no bulk": Fault(status=201, body="[]", executed=True),
    "no status code": Fault(status=201, body=f'{{"uuid": "{BULK_ID}"}}', executed=True),
}


@pytest.mark.looptime
@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@SESSIONS
@BOTH
async def test_lost_answer_is_never_followed_by_a_second_post(
    fake_lox24: FakeLox24, operation: str, session: str, warm: bool, fault: Fault
) -> None:
    """One POST on the wire, and the error says that and how to look."""
    url, token = fake_lox24.url, fake_lox24.token
    async with either(url, token, session, attempt_timeout=10) as client:
        if warm:  # on a connection that was used before, aiohttp would resend
            await client.get_bulk(fake_lox24.add_bulk().uuid)
        before = len(fake_lox24.bulks)
        fake_lox24.fail_if(lambda _: fault)
        error = await failure(client, operation)
    assert 1 == len(sent(fake_lox24))
    assert (True, 1, None) == (error.outcome_unknown, error.attempts, error.bulk_id)
    said = str(pickle.loads(pickle.dumps(error)))
    assert str(error) == said
    assert (LOOK in said) == (operation == "create_bulk")
    assert ("the simulation may have been carried out" in said) == (operation == "simulate_bulk")
    assert "cancelled" not in said
    created = int(operation == "create_bulk" and fault.executes)
    assert created == len(fake_lox24.bulks) - before


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (close, TransportError),
        (abort, TransportError),
        (silent, RequestTimeoutError),
        (cut(b"HTTP/1.1 201 Created\r\nContent-"), TransportError),
        (cut(answer(summary(), 201)[:-5]), TransportError),
        (cut(b"SSH-2.0-OpenSSH_9.6\r\n"), TransportError),
        (answer(b"", 201), ResponseDecodeError),
        (answer(b"", 204), ResponseDecodeError),
        (answer(b"busy", 503, "Connection: close"), ServerError),
    ],
    ids=["close", "reset", "silent", "head", "body", "no HTTP", "empty", "204", "503"],
)
@SESSIONS
async def test_lost_answer_counted_in_bytes(session: str, step: Step, kind: type) -> None:
    """By the bytes that a raw server reads there is one POST, whatever it does then."""
    async with nothing_left(), FaultServer(get=answer(summary())) as server:
        server.script("POST", step)
        async with either(server.url, TOKEN, session, attempt_timeout=0.3) as client:
            await client.get_bulk(BULK_ID)
            error = await failure(client)
    assert 1 == server.raw.count(b"POST /bulks")
    assert (kind, True, 1) == (type(error), error.outcome_unknown, error.attempts)
    assert LOOK in str(error)


@SESSIONS
async def test_line_that_was_closed_while_idle(session: str) -> None:
    """A connection that the server has closed already is not used for a POST."""
    async with nothing_left(), FaultServer(get=cut(answer(summary()))) as server:
        server.script("POST", answer(summary(status_code=0), 201))
        async with either(server.url, TOKEN, session) as client:
            for _ in range(3):
                await client.get_bulk(BULK_ID)
                await turns()
                await client.create_bulk(DRAFT)
    assert 3 == server.raw.count(b"POST /bulks")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_ledger(fake_lox24: FakeLox24, seed: int) -> None:
    """Many creations through a gateway that goes wrong at random: what is said is what is.

    Success is one bulk, an error without doubt is none, one with doubt is none or one.
    """
    chance = random.Random(seed)
    faults = [*LOST.values(), Fault(status=429), Fault(status=400), Fault(status=402)]
    faults = [fault for fault in faults if not fault.delay]
    fake_lox24.fail_if(lambda _: chance.choice(faults) if chance.random() < 0.4 else None)
    ends: dict[int, Bulk | Lox24Error] = {}

    async def create(number: int) -> None:
        draft = BulkDraft("Shop 24", TEXT, PHONES, source=number)
        try:
            ends[number] = await client.create_bulk(draft)
        except Lox24Error as error:
            ends[number] = error

    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=EAGER) as client:
        await asyncio.gather(*map(create, range(200)))
    created = Counter(bulk.source for bulk in fake_lox24.bulks.values())
    for number, end in ends.items():
        if isinstance(end, Bulk):
            assert 1 == created[number]
        else:
            assert created[number] <= end.outcome_unknown
    kinds = Counter(getattr(end, "outcome_unknown", "created") for end in ends.values())
    assert 200 == kinds.total()
    assert {True, False, "created"} == set(kinds)


class HalfReader(FaultServer):
    """Resets a connection in the middle of a request's body."""

    async def _read(self, line: Line) -> Received:
        self.raw += await line.reader.readuntil(b"\r\n\r\n")
        self.raw += await line.reader.readexactly(1_000)
        line.writer.transport.abort()
        raise ConnectionError


@SESSIONS
async def test_lost_within_the_body(session: str) -> None:
    """A request that left by half is not sent again: how much arrived is not known."""
    phones = tuple(f"+4917{number:08}" for number in range(100_000))
    draft = BulkDraft("Shop 24", TEXT, phones=phones)
    async with (
        nothing_left(),
        HalfReader() as server,
        either(server.url, TOKEN, session) as client,
    ):
        with pytest.raises(TransportError) as caught:
            await client.create_bulk(draft)
    assert (1, 1) == (server.connections, server.raw.count(b"POST /bulks"))
    assert (True, 1) == (caught.value.outcome_unknown, caught.value.attempts)


class EarlyAnswer(FaultServer):
    """Answers before it reads the body, and hangs up."""

    async def _read(self, line: Line) -> Received:
        self.raw += await line.reader.readuntil(b"\r\n\r\n")
        await line.send(answer(b'{"detail": "The body is too large"}', 413))
        raise ConnectionError


@SESSIONS
async def test_answer_before_the_body_has_left(session: str) -> None:
    """What the server said of a body that it did not want to read is told."""
    phones = tuple(f"+4917{number:08}" for number in range(100_000))
    draft = BulkDraft("Shop 24", TEXT, phones=phones)
    async with (
        nothing_left(),
        EarlyAnswer() as server,
        either(server.url, TOKEN, session) as client,
    ):
        with pytest.raises(APIStatusError, match="The body is too large") as caught:
            await client.create_bulk(draft)
    assert (413, False) == (caught.value.status, caught.value.outcome_unknown)
    assert 1 == server.raw.count(b"POST /bulks")


@pytest.mark.looptime
async def test_deadline_while_in_flight(fake_lox24: FakeLox24) -> None:
    """The call's own deadline leaves the same doubt as an attempt's."""
    fake_lox24.latency = 60
    begun = loop_time()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        error = await failure(client, timeout=5)
    assert pytest.approx(5, abs=0.01) == loop_time() - begun
    assert (RequestTimeoutError, True, 1) == (type(error), error.outcome_unknown, error.attempts)
    assert LOOK in str(error)
    assert 1 == len(fake_lox24.requests)


@pytest.mark.looptime
async def test_cancelled_caller_leaves_at_once(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A caller that is cancelled sends nothing more."""
    fake_lox24.latency = 5
    call = asyncio.create_task(client.create_bulk(DRAFT))
    while not fake_lox24.in_flight:
        await asyncio.sleep(0)
    begun = loop_time()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (1, begun) == (len(fake_lox24.requests), loop_time())


# --- never left: no doubt


async def test_refused_connection_is_retried(caplog: pytest.LogCaptureFixture) -> None:
    """A port that begins to listen later gets the POST, once."""
    with socket.socket() as mute:  # bound and not listening: connections are refused
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        patient = RetryPolicy(max_attempts=1_000, initial_delay=0.01, max_delay=0.02)
        async with client_of(f"http://127.0.0.1:{port}", retry=patient) as client:
            call = asyncio.create_task(client.create_bulk(DRAFT))
            while "attempt 3 of 1000" not in caplog.text:
                await asyncio.sleep(0)
            async with FaultServer(port=port) as server:
                server.script("POST", answer(summary(status_code=0), 201))
                bulk = await call
    assert UUID(BULK_ID) == bulk.uuid
    assert 1 == server.raw.count(b"POST /bulks")


async def test_refused_connection_without_end() -> None:
    """It never left: attempts 0, no doubt, and no word of one."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        async with client_of(f"http://127.0.0.1:{mute.getsockname()[1]}") as client:
            error = await failure(client)
    assert (ConnectionFailedError, 0, False) == (
        type(error),
        error.attempts,
        error.outcome_unknown,
    )
    assert "may have been" not in str(error)


async def test_no_answer_to_the_connect() -> None:
    """An attempt that ran out of time while it was connecting has not left either."""
    with full() as port:
        async with client_of(f"http://127.0.0.1:{port}", attempt_timeout=0.05) as client:
            error = await failure(client)
    assert (ConnectionFailedError, 0, False) == (
        type(error),
        error.attempts,
        error.outcome_unknown,
    )


async def test_deadline_while_connecting() -> None:
    """The call's own deadline leaves no doubt either, as long as it only connects."""
    with full() as port:
        async with client_of(f"http://127.0.0.1:{port}") as client:
            error = await failure(client, timeout=0.05)
    assert (RequestTimeoutError, 0, False) == (
        type(error),
        error.attempts,
        error.outcome_unknown,
    )


async def test_refused_token_holds_creations_back(fake_lox24: FakeLox24) -> None:
    """After one 401 the next creation does not leave."""
    async with Lox24Client("1234567:wrong", base_url=fake_lox24.url, retry=QUICK) as client:
        first, second = await failure(client), await failure(client)
    assert [(AuthenticationError, 1, False), (AuthenticationError, 0, False)] == [
        (type(error), error.attempts, error.outcome_unknown) for error in (first, second)
    ]
    assert 1 == len(fake_lox24.requests)


@pytest.mark.looptime
async def test_unproven_token_holds_creations_back(fake_lox24: FakeLox24) -> None:
    """Behind a probe that is slow, a creation runs out of time without having left."""
    fake_lox24.latency = 50
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        probe = asyncio.create_task(client.create_bulk(DRAFT))
        await asyncio.sleep(1)
        error = await failure(client, timeout=0.9)  # after two seconds a second probe would go
        assert (RequestTimeoutError, 0, False) == (
            type(error),
            error.attempts,
            error.outcome_unknown,
        )
        await probe
    assert 1 == len(sent(fake_lox24))


async def test_closed_client_creates_nothing(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """After the closing nothing leaves."""
    await client.close()
    error = await failure(client)
    assert (ClientClosedError, 0, False) == (type(error), error.attempts, error.outcome_unknown)
    with pytest.raises(ClientClosedError):
        await client.delete_bulk(BULK_ID)
    assert [] == fake_lox24.requests


# --- other people's data


@pytest.mark.looptime
@pytest.mark.parametrize(
    "fault",
    [*LOST.values(), *(Fault(status=status) for status in (400, 401, 402, 403, 422, 429))],
    ids=str,
)
async def test_errors_and_logs_hold_no_text_and_no_phone(
    fake_lox24: FakeLox24, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    """Neither an error, nor its pickle, nor a log line shows whom a draft is for."""
    caplog.set_level(logging.DEBUG)
    fake_lox24.fail_if(lambda _: fault)
    async with Lox24Client(
        fake_lox24.token,
        base_url=fake_lox24.url,
        retry=QUICK,
        attempt_timeout=10,
    ) as client:
        error = await failure(client)
    logged = "".join(one.getMessage() for one in caplog.records if one.name == "lox24_async")
    shown = [str(error), repr(error), repr(vars(error)), logged, repr(pickle.dumps(error))]
    for personal in (*PHONES, "Anna Berg", "K-4711"):
        assert not [part for part in shown if personal in part]


async def test_a_success_logs_no_text_and_no_phone(
    client: Lox24Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even with every detail."""
    caplog.set_level(logging.DEBUG)
    bulk = await client.create_bulk(DRAFT)
    assert "POST /bulks: 201" in caplog.text
    for personal in (*PHONES, "Anna Berg", "K-4711"):
        # Ours alone: a port may be like a number.
        logged = "".join(one.getMessage() for one in caplog.records if one.name == "lox24_async")
        assert personal not in logged + repr(bulk) + repr(DRAFT)


# --- delete


async def test_deletes(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """One DELETE without a body; the bulk is gone, the others stay."""
    bulk, other = fake_lox24.add_bulk(), fake_lox24.add_bulk()
    await client.delete_bulk(str(bulk.uuid).upper())
    (request,) = fake_lox24.requests
    assert ("DELETE", f"/bulks/{bulk.uuid}", b"") == (request.method, request.path, request.body)
    assert "Content-Type" not in request.headers
    assert [other.uuid] == [*fake_lox24.bulks]


async def test_unknown_bulk(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A 404 to the first request is an error."""
    bulk_id = uuid4()
    error = await delete_failure(client, bulk_id)
    assert (NotFoundError, str(bulk_id), 1, False) == (
        type(error),
        error.bulk_id,
        error.attempts,
        error.outcome_unknown,
    )
    assert 1 == len(fake_lox24.requests)


@pytest.mark.parametrize("bulk_id", ["", "1", 7, None, f"{BULK_ID}/cancel"])
async def test_no_id(client: Lox24Client, fake_lox24: FakeLox24, bulk_id: Any) -> None:
    """What is no id is not sent."""
    with pytest.raises(InvalidBulkIdError):
        await client.delete_bulk(bulk_id)
    assert [] == fake_lox24.requests


DELETE_LOST = {
    "dropped after": Fault(drop="after"),
    "dropped within": Fault(drop="within"),
    **{
        f"{status} executed": Fault(status=status, executed=True)
        for status in (408, 500, 502, 503, 504)
    },
    "too late": Fault(delay=20),
}


@pytest.mark.looptime
@pytest.mark.parametrize("fault", DELETE_LOST.values(), ids=DELETE_LOST.keys())
async def test_404_after_a_lost_answer_is_done(fake_lox24: FakeLox24, fault: Fault) -> None:
    """The first one was carried out; that the second finds nothing is no error."""
    bulk = fake_lox24.add_bulk()
    faults = [fault]
    fake_lox24.fail_if(lambda _: faults.pop() if faults else None)
    async with Lox24Client(
        fake_lox24.token,
        base_url=fake_lox24.url,
        retry=QUICK,
        attempt_timeout=10,
    ) as client:
        await client.delete_bulk(bulk.uuid)
    assert (2, 0) == (len(sent(fake_lox24, "DELETE")), len(fake_lox24.bulks))


@pytest.mark.parametrize(
    "fault", [Fault(drop="before"), Fault(status=503), Fault(status=429)], ids=str
)
async def test_delete_is_repeated(client: Lox24Client, fake_lox24: FakeLox24, fault: Fault) -> None:
    """What was not carried out is sent again, by the policy alone."""
    bulk = fake_lox24.add_bulk()
    faults = [fault]
    fake_lox24.fail_if(lambda _: faults.pop() if faults else None)
    await client.delete_bulk(bulk.uuid)
    assert (2, 0) == (len(fake_lox24.requests), len(fake_lox24.bulks))


async def test_404_after_a_429_is_an_error(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A 429 was not carried out: there was no such bulk."""
    fake_lox24.fail_next(429)
    error = await delete_failure(client)
    assert (NotFoundError, 2, False) == (type(error), error.attempts, error.outcome_unknown)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(drop="before"), TransportError),
        (Fault(drop="after"), TransportError),
        (Fault(status=500), ServerError),
        (Fault(status=408), APIStatusError),
        (Fault(delay=20), RequestTimeoutError),
    ],
    ids=str,
)
async def test_delete_lost_for_good(fake_lox24: FakeLox24, fault: Fault, kind: type) -> None:
    """The error says that the bulk may have been deleted, and nothing of a cancel."""
    bulk = fake_lox24.add_bulk()
    fake_lox24.fail_if(lambda _: fault)
    async with Lox24Client(
        fake_lox24.token,
        base_url=fake_lox24.url,
        retry=QUICK,
        attempt_timeout=10,
    ) as client:
        error = await delete_failure(client, bulk.uuid)
    assert (kind, True, 3, str(bulk.uuid)) == (
        type(error),
        error.outcome_unknown,
        error.attempts,
        error.bulk_id,
    )
    assert "the bulk may have been deleted" in str(error)
    assert "cancel" not in str(error)
    assert 3 == len(sent(fake_lox24, "DELETE"))


async def test_a_refusal_does_not_settle_a_doubt(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """After a lost answer a 403 says nothing of what the first request did."""
    bulk = fake_lox24.add_bulk()
    fake_lox24.fail_next(drop="after")
    fake_lox24.fail_next(403)
    error = await delete_failure(client, bulk.uuid)
    assert (AccountNotActivatedError, True, 2) == (
        type(error),
        error.outcome_unknown,
        error.attempts,
    )
    assert "the bulk may have been deleted" in str(error)


@pytest.mark.parametrize("step", [close, abort], ids=["close", "reset"])
@SESSIONS
async def test_nobody_resends_a_dropped_delete(session: str, step: Step) -> None:
    """Aiohttp would, once, unseen; here the policy alone decides."""
    async with nothing_left(), FaultServer(get=answer(summary())) as server:
        server.script("DELETE", step)
        policy = RetryPolicy.none()
        async with either(server.url, TOKEN, session, retry=policy) as client:
            await client.get_bulk(BULK_ID)
            error = await delete_failure(client)
    assert 1 == server.raw.count(b"DELETE /bulks")
    assert (True, 1) == (error.outcome_unknown, error.attempts)


@pytest.mark.parametrize("status", [200, 202, 204])
@pytest.mark.parametrize("body", [b"", b"null", b"<html>"])
async def test_delete_reads_no_body(status: int, body: bytes) -> None:
    """Any success is one; what is in it does not matter, and the connection stays in step."""
    if status == 204:
        body = b""
    async with FaultServer(get=answer(summary())) as server:
        server.script("DELETE", answer(body, status))
        async with client_of(server.url) as client:
            await client.delete_bulk(BULK_ID)
            assert UUID(BULK_ID) == (await client.get_bulk(BULK_ID)).uuid
    assert 2 == len(server.requests)
