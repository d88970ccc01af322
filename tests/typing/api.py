"""The public types as a test: checked by mypy and pyright, strict; never run."""

import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, assert_type
from uuid import UUID

import aiohttp

from lox24_async import (
    AccountNotActivatedError,
    APIStatusError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    Bulk,
    BulkDraft,
    BulkFilter,
    BulkMessage,
    BulkOrder,
    BulkPage,
    BulkStatus,
    BulkTotals,
    CancelFailedError,
    CancelJournal,
    CancelOutcome,
    CancelReport,
    CancelState,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ConnectionFailedError,
    Headers,
    InsufficientFundsError,
    IntermediaryError,
    InvalidBulkIdError,
    IPBlockedError,
    JournalError,
    JournalRun,
    JsonLdBulk,
    Lox24Client,
    Lox24Error,
    MatchReport,
    Measurement,
    MessageCount,
    MessageStream,
    NotCancelableError,
    NotFoundError,
    RequestTimeoutError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    ServiceCode,
    TransportError,
    UnprocessableError,
    Violation,
    VoiceLang,
    make_converter,
)

BULK_ID = UUID("da0fa78c-4699-11ea-a637-96000028b339")


# --- the client is typed by its form


def observe(attempt: Attempt) -> None:
    """One attempt, as the hook gets it."""
    assert_type(attempt.bulk_id, str | None)
    assert_type(attempt.number, int)
    assert_type(attempt.seconds, float)
    assert_type(attempt.status, int | None)
    assert_type(attempt.error, Lox24Error | None)
    assert_type(attempt.request_id, str | None)
    assert_type(attempt.will_retry, bool)
    kind: str = attempt.operation
    assert kind


def make_clients(session: aiohttp.ClientSession, context: ssl.SSLContext) -> None:
    """Without ``form`` a client returns ``Bulk``; with it, that form."""
    assert_type(Lox24Client(), Lox24Client[Bulk])
    assert_type(Lox24Client("1:k"), Lox24Client[Bulk])
    assert_type(Lox24Client("1:k", form=Bulk), Lox24Client[Bulk])
    assert_type(Lox24Client("1:k", form=JsonLdBulk), Lox24Client[JsonLdBulk])
    everything = Lox24Client(
        "1:k",
        base_url="https://api.lox24.eu",
        form=JsonLdBulk,
        max_concurrency=3,
        attempt_timeout=30,
        retry=RetryPolicy.none(),
        session=session,
        proxy="http://127.0.0.1:3128",
        ssl=context,
        user_agent="billing/2.1",
        on_attempt=observe,
    )
    assert_type(everything, Lox24Client[JsonLdBulk])
    RetryPolicy(max_attempts=3, initial_delay=0.5, max_delay=8.0, max_wait=900, wait_out_block=True)
    assert_type(RetryPolicy.none(), RetryPolicy)


async def one(client: Lox24Client, linked: Lox24Client[JsonLdBulk]) -> None:
    """A call returns the client's form, or the one that it asks for."""
    assert_type(await client.cancel_bulk(BULK_ID), Bulk)
    assert_type(await client.cancel_bulk(str(BULK_ID), timeout=5), Bulk)
    assert_type(await client.cancel_bulk(BULK_ID, form=None), Bulk)
    assert_type(await client.cancel_bulk(BULK_ID, form=Bulk), Bulk)
    assert_type(await client.cancel_bulk(BULK_ID, form=JsonLdBulk), JsonLdBulk)
    assert_type(await linked.cancel_bulk(BULK_ID), JsonLdBulk)
    assert_type(await linked.cancel_bulk(BULK_ID, form=None, timeout=None), JsonLdBulk)
    assert_type(await linked.cancel_bulk(BULK_ID, form=Bulk), Bulk)


async def life() -> None:
    """``async with`` gives the same client; closing gives nothing."""
    async with Lox24Client("1:k") as client:
        assert_type(client, Lox24Client[Bulk])
    async with Lox24Client("1:k", form=JsonLdBulk) as linked:
        assert_type(linked, Lox24Client[JsonLdBulk])
    await client.close()


async def stream() -> AsyncIterator[str]:
    """Ids may come from anywhere."""
    yield str(BULK_ID)


async def many(client: Lox24Client, linked: Lox24Client[JsonLdBulk]) -> None:
    """Any iterable or async iterable of ids; outcomes and reports are typed."""
    assert_type(await client.cancel_bulks([BULK_ID, str(BULK_ID)]), CancelReport)
    assert_type(await client.cancel_bulks({BULK_ID}), CancelReport)
    assert_type(await client.cancel_bulks(str(i) for i in range(3)), CancelReport)
    report = CancelReport()
    outcomes: list[CancelOutcome] = []
    assert_type(
        await linked.cancel_bulks(stream(), report=report, progress=outcomes.append), CancelReport
    )
    async for outcome in client.iter_cancel([BULK_ID]):
        assert_type(outcome, CancelOutcome)
        assert_type(outcome.bulk_id, str)
        assert_type(outcome.state, CancelState)
        assert_type(outcome.bulk, Bulk | None)
        assert_type(outcome.error, Lox24Error | None)
        assert_type(outcome.attempts, int)
    iterator: AsyncIterator[CancelOutcome] = client.iter_cancel(stream())
    assert_type(await anext(iterator), CancelOutcome)
    assert_type(report.outcomes, tuple[CancelOutcome, ...])
    assert_type(report.counts, Mapping[CancelState, int])
    assert_type(report.counts[CancelState.UNKNOWN], int)
    assert_type(report.unresolved(), tuple[str, ...])
    assert_type(report.unfinished(), tuple[str, ...])
    assert_type(report[BULK_ID].request_id, str | None)
    assert_type(await client.settle(report, timeout=60, poll_interval=1), CancelReport)
    report.raise_for_failures()


async def look(client: Lox24Client, linked: Lox24Client[JsonLdBulk]) -> None:
    """Looks return the client's form, or the one that they ask for."""
    assert_type(await client.get_bulk(BULK_ID), Bulk)
    assert_type(await client.get_bulk(str(BULK_ID), form=None, timeout=5), Bulk)
    assert_type(await client.get_bulk(BULK_ID, form=JsonLdBulk), JsonLdBulk)
    assert_type(await linked.get_bulk(BULK_ID), JsonLdBulk)
    assert_type(await linked.get_bulk(BULK_ID, form=Bulk), Bulk)
    assert_type(await client.get_bulk_status(BULK_ID), Bulk)
    assert_type(await client.get_bulk_status(str(BULK_ID), form=None, timeout=5), Bulk)
    assert_type(await client.get_bulk_status(BULK_ID, form=JsonLdBulk), JsonLdBulk)
    assert_type(await linked.get_bulk_status(BULK_ID), JsonLdBulk)
    assert_type(await linked.get_bulk_status(BULK_ID, form=Bulk), Bulk)


async def listing(client: Lox24Client, linked: Lox24Client[JsonLdBulk]) -> None:
    """Lists and pages are of the client's form, or of the one that they ask for."""
    wanted = BulkFilter(status_codes=[0, BulkStatus.IN_PROGRESS], sender_id="Shop")
    order = BulkOrder("created_at", descending=True)
    async for bulk in client.list_bulks():
        assert_type(bulk, Bulk)
    async for bulk in client.list_bulks(wanted, order=[order], form=None, timeout=60):
        assert_type(bulk, Bulk)
    async for other in client.list_bulks(wanted, form=JsonLdBulk):
        assert_type(other, JsonLdBulk)
    async for other in linked.list_bulks(order=order):
        assert_type(other, JsonLdBulk)
    async for bulk in linked.list_bulks(form=Bulk):
        assert_type(bulk, Bulk)
    iterator: AsyncIterator[JsonLdBulk] = linked.list_bulks()
    assert_type(await anext(iterator), JsonLdBulk)
    async with client.list_bulks() as bulks:
        assert_type(await anext(bulks), Bulk)
    assert_type(await bulks.aclose(), None)
    assert_type(await client.list_bulks_page(1), BulkPage[Bulk])
    assert_type(await client.list_bulks_page(1, wanted, order=order, form=None), BulkPage[Bulk])
    assert_type(await client.list_bulks_page(1, form=JsonLdBulk), BulkPage[JsonLdBulk])
    assert_type(await linked.list_bulks_page(1), BulkPage[JsonLdBulk])
    page = await linked.list_bulks_page(2, wanted, form=Bulk, timeout=5)
    assert_type(page, BulkPage[Bulk])
    assert_type(page.items, tuple[Bulk, ...])
    assert_type(page.page, int)
    assert_type(page.total, int | None)
    assert_type(page.next_page, int | None)
    assert_type(wanted.matches(page.items[0]), bool)


async def wait(client: Lox24Client, linked: Lox24Client[JsonLdBulk]) -> None:
    """``until`` gets what the call returns."""
    assert_type(await client.wait_for_bulk(BULK_ID), Bulk)
    assert_type(await client.wait_for_bulk(BULK_ID, until=lambda bulk: bulk.is_final), Bulk)
    assert_type(await client.wait_for_bulk(BULK_ID, poll_interval=1, form=JsonLdBulk), JsonLdBulk)
    assert_type(await linked.wait_for_bulk(BULK_ID, timeout=60), JsonLdBulk)
    assert_type(await linked.wait_for_bulk(BULK_ID, until=lambda bulk: bulk.ld_id), JsonLdBulk)
    assert_type(await linked.wait_for_bulk(BULK_ID, form=Bulk), Bulk)
    assert_type(await client.cancel_bulk(BULK_ID, wait=True), Bulk)
    assert_type(await client.cancel_bulk(BULK_ID, wait=True, form=JsonLdBulk), JsonLdBulk)
    assert_type(await linked.cancel_bulk(BULK_ID, wait=True, timeout=60), JsonLdBulk)
    assert_type(await linked.cancel_bulk(BULK_ID, wait=True, form=Bulk), Bulk)


async def create_and_delete(client: Lox24Client, linked: Lox24Client[JsonLdBulk]) -> None:
    """A creation returns the bulk, a deletion nothing."""
    draft = BulkDraft("Shop", "Hello", ["+491701234567"])
    assert_type(await client.create_bulk(draft), Bulk)
    assert_type(await client.create_bulk(draft, form=JsonLdBulk, timeout=5), JsonLdBulk)
    assert_type(await linked.create_bulk(draft), JsonLdBulk)
    assert_type(await linked.create_bulk(draft, form=Bulk), Bulk)
    assert_type(await client.simulate_bulk(draft), Bulk)
    assert_type(await client.simulate_bulk(draft, form=JsonLdBulk), JsonLdBulk)
    assert_type(await linked.simulate_bulk(draft), JsonLdBulk)
    assert_type(await linked.simulate_bulk(draft, form=Bulk), Bulk)
    assert_type(await client.delete_bulk(BULK_ID, timeout=5), None)
    assert_type(await linked.delete_bulk(str(BULK_ID)), None)


async def matching(client: Lox24Client, linked: Lox24Client[JsonLdBulk]) -> None:
    """What a filter found is reported."""
    report = MatchReport()
    outcomes: list[CancelOutcome] = []
    assert_type(await client.cancel_matching(BulkFilter()), MatchReport)
    assert_type(
        await linked.cancel_matching(
            BulkFilter(text="sale"), dry_run=True, report=report, progress=outcomes.append
        ),
        MatchReport,
    )
    assert_type(report.bulks, int)
    assert_type(report.messages, int)
    assert_type(report.cost, Decimal | None)
    assert_type(report.skipped, int)
    assert_type(report.by_urgency(), list[Bulk])
    whole: CancelReport = report
    assert_type(await client.resolve(whole), CancelReport)
    assert_type(await client.resolve([BULK_ID], timeout=5, form=JsonLdBulk), CancelReport)
    exact = BulkFilter(sender_id_exact="Acme")
    assert_type(
        await client.keep_canceling(
            exact, duration=60, poll_interval=1.0, quiet=10, report=report, form=JsonLdBulk
        ),
        MatchReport,
    )


async def recorded(client: Lox24Client) -> None:
    """A journal goes with everything that is about many bulks."""
    journal = CancelJournal("stop.jsonl", note="ticket", durable=True)
    await client.cancel_bulks([BULK_ID], journal=journal)
    async for outcome in client.iter_cancel([BULK_ID], journal=journal):
        assert_type(outcome, CancelOutcome)
    await client.cancel_matching(BulkFilter(), journal=journal)
    await client.keep_canceling(BulkFilter(), journal=journal)
    assert_type(journal.report, CancelReport)
    assert_type(journal.error, JournalError | None)
    assert_type(journal.runs, tuple[JournalRun, ...])
    assert_type(journal.origin, str | None)
    assert_type(journal.client_id, str | None)
    assert_type(CancelJournal.read("stop.jsonl"), CancelReport)
    assert_type(CancelJournal.runs_of("stop.jsonl"), tuple[JournalRun, ...])


async def messages(client: Lox24Client, linked: Lox24Client[JsonLdBulk]) -> None:
    """Messages are of one class, whatever the form; a count is a number."""
    assert_type(client.list_messages(BULK_ID), MessageStream)
    assert_type(linked.list_messages(str(BULK_ID), sent=True, form=Bulk, timeout=5), MessageStream)
    async for message in linked.list_messages(BULK_ID, sent=False, form=None):
        assert_type(message, BulkMessage)
    iterator: AsyncIterator[BulkMessage] = client.list_messages(BULK_ID)
    assert_type(await anext(iterator), BulkMessage)
    async with client.list_messages(BULK_ID) as found:
        assert_type(await anext(found), BulkMessage)
    assert_type(await found.aclose(), None)
    assert_type(await client.count_messages(BULK_ID), int)
    assert_type(await client.count_messages(str(BULK_ID), sent=True, timeout=5), int)
    report = CancelReport()
    measured = await client.measure(report)
    assert_type(measured, Measurement)
    assert_type(await client.measure([BULK_ID, str(BULK_ID)], timeout=5), Measurement)
    assert_type(measured.counts, tuple[MessageCount, ...])
    assert_type(measured.counts[0].bulk_id, str)
    assert_type(measured.counts[0].sent, int | None)
    assert_type(measured.counts[0].unsent, int | None)
    assert_type(measured.counts[0].error, Lox24Error | None)
    assert_type(measured.sent + measured.unsent + measured.unknown, int)
    assert_type(report.totals, Mapping[CancelState, BulkTotals])
    totals = report.totals[CancelState.CANCELED]
    assert_type(totals.bulks + totals.messages + totals.uncounted + totals.unpriced, int)
    assert_type(totals.cost, Decimal | None)


# --- the models


def one_message(message: BulkMessage) -> None:
    """Only the id is certain; each other field is what the contract says, or None."""
    assert_type(message.uuid, UUID)
    assert_type(message.bulk_id, UUID | None)
    assert_type(message.phone, str | None)
    assert_type(message.sender_id, str | None)
    assert_type(message.text, str | None)
    assert_type(message.status_code, int | None)
    assert_type(message.dlr_code, int | None)
    assert_type(message.is_sent, bool | None)
    assert_type(message.gateway_sent_at, datetime | None)
    assert_type(message.delivery_at, datetime | None)
    assert_type(message.created_at, datetime | None)
    assert_type(message.parts_count, int | None)
    assert_type(message.chars_count, int | None)
    assert_type(message.price, Decimal | None)
    assert_type(message.iso2, str | None)
    assert_type(message.service_code, ServiceCode | str | None)
    assert_type(message.callback_data, str | None)
    assert_type(message.extra, Mapping[str, Any])


def plain(bulk: Bulk) -> None:
    """Each field is what the contract says, and None where the reply may leave it out."""
    assert_type(bulk.uuid, UUID)
    assert_type(bulk.status_code, BulkStatus | int)
    assert_type(bulk.delivery_at, datetime | None)
    assert_type(bulk.created_at, datetime | None)
    assert_type(bulk.processed_at, datetime | None)
    assert_type(bulk.msg_total_count, int | None)
    assert_type(bulk.key_id, int | None)
    assert_type(bulk.source, int | None)
    assert_type(bulk.is_unicode, bool | None)
    assert_type(bulk.is_dryrun, bool | None)
    assert_type(bulk.is_text_deleted, bool | None)
    assert_type(bulk.service_code, ServiceCode | str | None)
    assert_type(bulk.voice_lang, VoiceLang | str | None)
    assert_type(bulk.price, Decimal | None)
    assert_type(bulk.ip, str | None)
    assert_type(bulk.sender_id, str | None)
    assert_type(bulk.text, str | None)
    assert_type(bulk.phones, tuple[str, ...] | None)
    assert_type(bulk.msg_groups, tuple[int | str, ...] | None)
    assert_type(bulk.extra, Mapping[str, Any])
    assert_type(bulk.is_canceled, bool)
    assert_type(bulk.is_final, bool)
    assert_type(bulk.is_cancelable, bool)


def linked_data(bulk: JsonLdBulk) -> None:
    """A JSON-LD bulk is a bulk with three names more."""
    plain(bulk)
    assert_type(bulk.ld_id, str | None)
    assert_type(bulk.ld_type, str | None)
    assert_type(bulk.ld_context, str | Mapping[str, Any] | None)


def converter(data: bytes) -> None:
    """The converter gives the class that it is asked for."""
    assert_type(make_converter().loads(data, Bulk), Bulk)
    assert_type(make_converter().loads("{}", JsonLdBulk), JsonLdBulk)
    assert_type(make_converter().structure({}, JsonLdBulk), JsonLdBulk)
    assert_type(make_converter().loads(data, BulkMessage), BulkMessage)
    assert_type(make_converter().dumps(make_converter().loads(data, Bulk)), str)


# --- the errors


def base(error: Lox24Error) -> None:
    """Every error says these."""
    assert_type(error.outcome_unknown, bool)
    assert_type(error.attempts, int)
    assert_type(error.bulk_id, str | None)
    assert_type(error.message, str)


def api(error: APIStatusError) -> None:
    """A server's refusal holds all that the server said."""
    base(error)
    assert_type(error.status, int)
    assert_type(error.detail, str | None)
    assert_type(error.violations, tuple[Violation, ...])
    assert_type(error.violations[0].property_path, str | None)
    assert_type(error.violations[0].message, str | None)
    assert_type(error.violations[0].code, str | None)
    assert_type(error.request_id, str | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.headers, Headers)
    assert_type(error.headers["Server"], str)
    assert_type(error.headers.get("Server"), str | None)
    assert_type(error.body, str)
    assert_type(error.method, str)
    assert_type(error.url, str)


def kinds(
    too_late: NotCancelableError,
    blocked: IPBlockedError,
    undecoded: ResponseDecodeError,
    between: IntermediaryError,
    failed: CancelFailedError,
) -> None:
    """Some kinds know more."""
    assert_type(too_late.bulk, Bulk)
    assert_type(blocked.blocked_until, datetime | None)
    assert_type(undecoded.status, int)
    assert_type(undecoded.body, str)
    assert_type(undecoded.request_id, str | None)
    assert_type(between.status, int)
    assert_type(between.body, str)
    assert_type(between.headers, Headers)
    assert_type(failed.report, CancelReport)


async def caught(client: Lox24Client) -> None:
    """Branches are caught by cause, the builtin parents too."""
    try:
        await client.cancel_bulk(BULK_ID)
    except NotCancelableError as error:
        assert_type(error.bulk, Bulk)
    except (
        BadRequestError,
        AuthenticationError,
        InsufficientFundsError,
        AccountNotActivatedError,
        NotFoundError,
        ConflictError,
        UnprocessableError,
        IPBlockedError,
        ServerError,
    ) as error:
        api(error)
    except (ConnectionFailedError, RequestTimeoutError, IntermediaryError) as error:
        transport: TransportError = error
        base(transport)
    except Lox24Error as error:
        base(error)


def builtins(
    setting: ConfigurationError,
    bulk_id: InvalidBulkIdError,
    closed: ClientClosedError,
    late: RequestTimeoutError,
) -> tuple[ValueError, ValueError, RuntimeError, TimeoutError]:
    """Four kinds are builtin errors as well."""
    return setting, bulk_id, closed, late


# --- what a checker must refuse


async def refused(client: Lox24Client, bulk: Bulk) -> None:
    """Each line is an error to both checkers; an ignore without one is an error to mypy."""
    Lox24Client("1:k", form=dict)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    Lox24Client("1:k", BULK_ID)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    await client.cancel_bulk(15)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    await client.get_bulk(15)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    client.list_bulks({"text": "sale"})  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    await client.count_messages(15)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.list_messages(BULK_ID, sent="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.list_bulks(form=dict)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    BulkOrder("price")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await client.cancel_bulks(15)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    bulk.status_code = 15  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    bulk.extra["new"] = 1  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
