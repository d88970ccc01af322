"""Which state an id ends in, by what is known of its call and by how that ended."""

from uuid import UUID

import pytest

from lox24_async import (
    Bulk,
    BulkStatus,
    CancelState,
    ConflictError,
    ConnectionFailedError,
    IntermediaryError,
    Lox24Client,
    Lox24Error,
    NotCancelableError,
    NotFoundError,
    ServerError,
    TransportError,
)
from lox24_async._operations.cancel import CancelCall
from lox24_async._operations.outcomes import (
    outcome_of_bulk,
    outcome_of_call,
    outcome_of_error,
)
from lox24_async.testing import FakeLox24

ID = "da0fa78c-4699-11ea-a637-96000028b339"


def made(*, sent: int = 0, in_flight: bool = False, fate_unknown: bool = False) -> CancelCall:
    """Return a call that has come so far."""
    call = CancelCall(ID)
    call.sent, call.in_flight, call.fate_unknown = sent, in_flight, fate_unknown
    return call


def bulk(status: int, request_id: str | None = None) -> Bulk:
    """Return a bulk as the server reports it."""
    return Bulk(uuid=UUID(ID), status_code=status, request_id=request_id)


@pytest.mark.parametrize(
    ("call", "state", "attempts"),
    [
        (made(), CancelState.NOT_SENT, 0),
        (made(in_flight=True), CancelState.UNKNOWN, 1),
        (made(sent=1), CancelState.REJECTED, 1),
        (made(sent=1, in_flight=True), CancelState.UNKNOWN, 2),
        (made(sent=2, fate_unknown=True), CancelState.UNKNOWN, 2),
    ],
    ids=["waits", "is out", "was refused", "is out again", "was lost"],
)
def test_what_is_true_of_a_cancel_under_way(
    call: CancelCall, state: CancelState, attempts: int
) -> None:
    """Nobody may have seen it, somebody may, or somebody has said no and a pause is on."""
    outcome = outcome_of_call(call)
    assert (ID, state, attempts) == (outcome.bulk_id, outcome.state, outcome.attempts)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (BulkStatus.NEW, CancelState.ACCEPTED),
        (BulkStatus.IN_PROGRESS, CancelState.ACCEPTED),
        (77, CancelState.ACCEPTED),
        (BulkStatus.PROCESSED, CancelState.TOO_LATE),
        (BulkStatus.NO_RECIPIENTS, CancelState.TOO_LATE),
        (BulkStatus.CANCELED, CancelState.CANCELED),
    ],
)
def test_what_a_bulk_says(status: int, state: CancelState) -> None:
    """Only a final state decides; the request id is that of the answer."""
    outcome = outcome_of_bulk(made(sent=1), bulk(status, "answer"))
    assert (state, 1, "answer") == (outcome.state, outcome.attempts, outcome.request_id)


def told(error: Lox24Error, attempts: int = 1, *, outcome_unknown: bool = False) -> Lox24Error:
    """Return an error with what its call knew."""
    error.attempts, error.outcome_unknown = attempts, outcome_unknown
    return error


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (told(ConflictError("no", status=409)), CancelState.REJECTED),
        (told(NotFoundError("no", status=404)), CancelState.NOT_FOUND),
        (told(ServerError("no", status=500), outcome_unknown=True), CancelState.UNKNOWN),
        (told(NotFoundError("no", status=404), outcome_unknown=True), CancelState.UNKNOWN),
        (told(ConnectionFailedError("no"), 0), CancelState.NOT_SENT),
        (told(ConflictError("no", status=409), 0), CancelState.NOT_SENT),
        (told(TransportError("lost")), CancelState.NOT_SENT),
        (told(IntermediaryError("no", status=404)), CancelState.NOT_SENT),
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'attempts', '')}",
)
def test_what_an_error_says(error: Lox24Error, state: CancelState) -> None:
    """A verdict about the bulk, a doubt, or that nobody at LOX24 has seen the cancel."""
    outcome = outcome_of_error(made(), error)
    assert (state, error.attempts) == (outcome.state, outcome.attempts)
    assert outcome.error is not None


def test_bulk_that_a_refusal_left_undecided() -> None:
    """What the look saw is told beside the refusal, with the refusal's request id."""
    call = made(sent=1)
    call.seen = bulk(BulkStatus.IN_PROGRESS, "look")
    error = told(ConflictError("no", status=409, request_id="refusal"))
    outcome = outcome_of_error(call, error)
    assert (call.seen, "refusal") == (outcome.bulk, outcome.request_id)


@pytest.mark.parametrize(("look", "told_id"), [("look", "look"), (None, "refusal")])
def test_request_id_is_that_of_the_answer_that_decided(look: str | None, told_id: str) -> None:
    """Of a bulk that is too late: the look's; the refusal's if the look had none."""
    seen = bulk(BulkStatus.PROCESSED, look)
    cause = told(ConflictError("no", status=409, request_id="refusal"))
    outcome = outcome_of_error(made(sent=1), NotCancelableError.from_look(seen, cause))
    assert (CancelState.TOO_LATE, seen) == (outcome.state, outcome.bulk)
    assert told_id == outcome.request_id


async def test_request_ids_of_a_refusal_and_its_look(
    client: Lox24Client, fake_lox24: FakeLox24
) -> None:
    """The same through a client: the outcome names the request that an auditor should look up."""
    done = fake_lox24.add_bulk(BulkStatus.PROCESSED)
    outcome = (await client.cancel_bulks([done.uuid]))[done.uuid]
    assert CancelState.TOO_LATE is outcome.state
    assert isinstance(outcome.error, NotCancelableError)
    assert outcome.bulk is not None
    assert None is not outcome.request_id == outcome.bulk.request_id
    assert outcome.request_id != outcome.error.request_id
