"""Which state an id ends in: what a bulk, an error or an interruption says about it."""

from lox24_async._transport.call import Call
from lox24_async.errors import (
    InvalidBulkIdError,
    Lox24Error,
    NotCancelableError,
    NotFoundError,
    TransportError,
    without_frames,
)
from lox24_async.models import Bulk
from lox24_async.report import CancelOutcome, CancelState

from .cancel import CancelCall


def outcome_of_bulk(call: Call, bulk: Bulk) -> CancelOutcome:
    """Return what a bulk says that the server has answered."""
    state = CancelState.ACCEPTED
    if bulk.is_final:
        state = CancelState.CANCELED if bulk.is_canceled else CancelState.TOO_LATE
    return CancelOutcome(call.bulk_id, state, bulk, None, call.sent, bulk.request_id)


def outcome_of_call(call: Call) -> CancelOutcome:
    """Return what is true of a cancel that is under way or was interrupted."""
    if call.in_flight or call.fate_unknown:
        state = CancelState.UNKNOWN
    else:
        state = CancelState.REJECTED if call.sent else CancelState.NOT_SENT
    return CancelOutcome(call.bulk_id, state, attempts=call.sent + call.in_flight)


def outcome_of_error(call: CancelCall, error: Lox24Error) -> CancelOutcome:
    """Return what the error says that a cancel has ended with."""
    state, bulk = CancelState.REJECTED, call.seen
    request_id = getattr(error, "request_id", None)
    if isinstance(error, NotCancelableError):
        state, bulk = CancelState.TOO_LATE, error.bulk
        request_id = bulk.request_id or request_id
    elif error.outcome_unknown:
        state = CancelState.UNKNOWN
    elif isinstance(error, NotFoundError):
        state = CancelState.NOT_FOUND
    elif not error.attempts or isinstance(error, TransportError):
        state = CancelState.NOT_SENT  # nobody at LOX24 has seen it
    return CancelOutcome(
        call.bulk_id, state, bulk, without_frames(error), error.attempts, request_id
    )


def outcome_of_no_id(value: object, error: InvalidBulkIdError) -> CancelOutcome:
    """Return what is true of a value that is no id."""
    return CancelOutcome(_name(value), CancelState.REJECTED, error=without_frames(error))


def _name(value: object) -> str:
    """Return what an id that is none is called in the report."""
    if isinstance(value, str):
        return str.__str__(value)
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  a hostile value concerns only itself
        return object.__repr__(value)
