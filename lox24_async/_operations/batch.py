"""Many bulks: one outcome for each distinct id, whatever happens on the way."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from uuid import UUID

from attrs import evolve

from lox24_async._checks import check_bulk_id
from lox24_async._public import public
from lox24_async._transport.call import Call
from lox24_async._transport.engine import Engine
from lox24_async._wire.requests import status_request
from lox24_async.errors import (
    InvalidBulkIdError,
    Lox24Error,
    NotCancelableError,
    NotFoundError,
    TransportError,
)
from lox24_async.models import Bulk
from lox24_async.report import CancelOutcome, CancelReport, CancelState, note

from .cancel import cancel
from .workers import WorkerStream, drain, unread

Ids = Iterable[UUID | str] | AsyncIterable[UUID | str]


@public
class CancelStream(WorkerStream[UUID | str, CancelOutcome]):
    """What became of each of many ids, in order of completion; see ``iter_cancel``."""


class Batch(ABC):
    """Does something once for each distinct id of many.

    Args:
        engine: Sends the requests.
        ids: An iterable or async iterable of any length.
        form: The form of the replies.
        report: Filled as results arrive.
        width: How many at a time.
        begin: Returns the deadline; called with the first id.

    Raises:
        TypeError: ``ids`` is one id.
    """

    def __init__(
        self,
        engine: Engine,
        ids: Ids,
        form: type[Bulk],
        *,
        report: CancelReport | None,
        width: int,
        begin: Callable[[], float | None],
    ) -> None:
        if isinstance(ids, str | bytes | UUID):
            raise TypeError("ids must be an iterable of bulk ids, not one id")
        self._engine = engine
        self._ids = ids
        self._form = form
        self._report = report
        self._width = width
        self._begin = begin
        self._begun = False
        self._deadline: float | None = None
        self._seen: set[int | str] = set()

    @abstractmethod
    async def _do(self, call: Call) -> CancelOutcome:
        """Do one id."""

    def stream(self) -> CancelStream:
        """Return the outcomes in order of completion."""
        # Not kept: the stream must die, and stop, when its consumer drops it.
        return CancelStream(self._ids, self._one, self._width)

    async def run(self, progress: Callable[[CancelOutcome], object] | None) -> None:
        """Do all ids; when interrupted, write down those that nobody came to."""
        stream = self.stream()
        try:
            await drain(stream, progress or _ignore)
        finally:
            try:
                await stream.aclose()
            finally:
                for value in unread(stream):
                    self._note_unread(value)

    async def _one(self, value: UUID | str) -> CancelOutcome | None:
        """Do one value of the source; ``None``: the id was there before."""
        if not self._begun:
            self._begun, self._deadline = True, self._begin()
        try:
            bulk_id = check_bulk_id(value)
        except InvalidBulkIdError as error:
            outcome = _no_id(value, error)
            if outcome.bulk_id in self._seen:
                return None
            self._seen.add(outcome.bulk_id)
        else:
            key = int(bulk_id.replace("-", ""), 16)  # half the memory of the string
            if key in self._seen:
                return None
            self._seen.add(key)
            outcome = await self._do(Call(bulk_id, self._deadline))
        if self._report is None:
            return outcome
        note(self._report, outcome.bulk_id, outcome)
        return self._report[outcome.bulk_id]

    def _note_unread(self, value: object) -> None:
        if self._report is None:
            return
        try:
            outcome = self._unread(check_bulk_id(value))
        except InvalidBulkIdError as error:
            outcome = _no_id(value, error)
        if outcome.bulk_id not in self._report:
            note(self._report, outcome.bulk_id, outcome)

    def _unread(self, bulk_id: str) -> CancelOutcome:
        return CancelOutcome(bulk_id, CancelState.NOT_SENT)


class CancelBatch(Batch):
    """Cancels each id."""

    async def _do(self, call: Call) -> CancelOutcome:
        if self._report is not None:
            # True from now on, even if interrupted.
            note(self._report, call.bulk_id, partial(_outcome_of_call, call))
        try:
            bulk = await cancel(self._engine, call, self._form)
        except Lox24Error as error:
            return _outcome_of_error(call.bulk_id, error)
        return _outcome_of_bulk(call, bulk)


class LookBatch(Batch):
    """Looks at each id's status, and settles what was unresolved."""

    async def _do(self, call: Call) -> CancelOutcome:
        before = self._unread(call.bulk_id)
        if self._report is not None:
            if call.bulk_id in self._report:
                before = self._report[call.bulk_id]
            note(self._report, call.bulk_id, before)  # its place, in input order
        try:
            bulk = await self._engine.perform(status_request(call.bulk_id, self._form), call)
        except NotFoundError as error:
            return evolve(before, state=CancelState.NOT_FOUND, error=_kept(error))
        except Lox24Error as error:
            return evolve(before, error=_kept(error))
        state = _outcome_of_bulk(call, bulk).state if bulk.is_final else before.state
        return evolve(before, state=state, bulk=bulk, error=None)

    def _unread(self, bulk_id: str) -> CancelOutcome:
        return CancelOutcome(bulk_id, CancelState.UNKNOWN)


def _ignore(_: CancelOutcome) -> None:
    """Nobody wants to know."""


# --- judging


def _outcome_of_bulk(call: Call, bulk: Bulk) -> CancelOutcome:
    state = CancelState.ACCEPTED
    if bulk.is_final:
        state = CancelState.CANCELED if bulk.is_canceled else CancelState.TOO_LATE
    return CancelOutcome(call.bulk_id, state, bulk, attempts=call.sent)


def _outcome_of_call(call: Call) -> CancelOutcome:
    """Return what is true of a cancel that is under way or was interrupted."""
    if call.in_flight or call.fate_unknown:
        state = CancelState.UNKNOWN
    else:
        state = CancelState.REJECTED if call.sent else CancelState.NOT_SENT
    return CancelOutcome(call.bulk_id, state, attempts=call.sent + call.in_flight)


def _outcome_of_error(bulk_id: str, error: Lox24Error) -> CancelOutcome:
    state = CancelState.REJECTED
    if isinstance(error, NotCancelableError):
        state = CancelState.TOO_LATE
    elif error.outcome_unknown:
        state = CancelState.UNKNOWN
    elif isinstance(error, NotFoundError):
        state = CancelState.NOT_FOUND
    elif not error.attempts or isinstance(error, TransportError):
        state = CancelState.NOT_SENT  # nobody at LOX24 has seen it
    bulk = error.bulk if isinstance(error, NotCancelableError) else None
    return CancelOutcome(bulk_id, state, bulk, _kept(error), error.attempts)


def _no_id(value: object, error: InvalidBulkIdError) -> CancelOutcome:
    return CancelOutcome(_name(value), CancelState.REJECTED, error=_kept(error))


def _name(value: object) -> str:
    """Return what an id that is none is called in the report."""
    if isinstance(value, str):
        return value
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  a hostile value concerns only itself
        return object.__repr__(value)


def _kept(error: Lox24Error) -> Lox24Error:
    """Prepare an error for a long life: without the frames that its traceback holds."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error
