"""The cancel of one bulk, and the look that settles what a failed one led to."""

from typing import Final

from lox24_async._transport.call import Call
from lox24_async._transport.engine import Engine
from lox24_async._wire.requests import cancel_request, status_request
from lox24_async.errors import (
    BadRequestError,
    ConflictError,
    HeldBackError,
    Lox24Error,
    NotCancelableError,
    UnprocessableError,
)
from lox24_async.models import Bulk, BulkT

from .polling import is_final, poll

_REFUSALS: Final = (BadRequestError, ConflictError, UnprocessableError)
_NOT_LOOKED: Final = "held back, so that LOX24 does not block this IP"


class CancelCall(Call):
    """A cancel that remembers its look.

    Attributes:
        key: By what a report knows the bulk, if it belongs to a batch.
        seen: The bulk as the look saw it, if that did not decide: still new or in progress.
    """

    __slots__ = ("key", "seen")

    def __init__(
        self, bulk_id: str, deadline: float | None = None, key: int | str | None = None
    ) -> None:
        super().__init__(bulk_id, deadline)
        self.key = key
        self.seen: Bulk | None = None


async def cancel(engine: Engine, call: CancelCall, form: type[BulkT]) -> BulkT:
    """Cancel the bulk that a call is about.

    Returns:
        The bulk as the server reported it: after a refusal or a lost answer by one look.

    Raises:
        NotCancelableError: too late; ``.bulk`` is what the look has seen.
        Lox24Error: anything else.
    """
    try:
        return await engine.perform(cancel_request(call.bulk_id, form), call)
    except Lox24Error as error:
        # How LOX24 refuses a bulk that is cancelled already is not documented: look.
        if not (isinstance(error, _REFUSALS) or error.outcome_unknown):
            raise
        seen = await _look(engine, error, call, form)
        if seen is None or not seen.is_final:
            call.seen = seen
            raise
        if seen.is_canceled:
            return seen
        raise NotCancelableError.from_look(seen, error) from error


async def cancel_and_wait(engine: Engine, call: CancelCall, form: type[BulkT]) -> BulkT:
    """Cancel the bulk that a call is about, and wait until it is in a final state."""
    bulk = await cancel(engine, call, form)
    if bulk.is_final:
        return bulk
    try:
        return await poll(engine, call.bulk_id, form, is_final, deadline=call.deadline)
    except Lox24Error as error:
        call.fate_unknown = True  # accepted, and not seen cancelled
        call.stamp(error)  # the cancel's attempts, not the look's
        raise


async def _look(engine: Engine, error: Lox24Error, call: Call, form: type[BulkT]) -> BulkT | None:
    """Return the bulk as it is after a failed cancel; ``None``: that cannot be told."""
    look = Call(call.bulk_id, call.deadline, waited=call.waited)
    look.is_look = True
    look.since, look.set_aside = call.since, call.set_aside
    most = None if error.outcome_unknown else 1  # only a doubt is worth repeats
    try:
        return await engine.perform(status_request(call.bulk_id, form), look, most)
    except HeldBackError:
        if error.outcome_unknown:
            error.doubt = f"{error.doubt}; a look at its status was {_NOT_LOOKED}"
        return None
    except Lox24Error:
        return None
    finally:
        call.set_aside = look.set_aside
