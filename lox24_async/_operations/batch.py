"""Many bulks: one outcome for each distinct id, whatever happens on the way."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from uuid import UUID

from attrs import evolve

from lox24_async._checks import check_bulk_id
from lox24_async._public import public
from lox24_async._transport.engine import Engine
from lox24_async._wire.requests import status_request
from lox24_async.errors import (
    ClientClosedError,
    InvalidBulkIdError,
    Lox24Error,
    NotFoundError,
    RequestTimeoutError,
    without_frames,
)
from lox24_async.models import Bulk
from lox24_async.report import (
    CancelOutcome,
    CancelReport,
    CancelState,
    Entry,
    Key,
    conclude,
    key_of,
    note,
)

from .cancel import CancelCall, cancel
from .outcomes import outcome_of_bulk, outcome_of_call, outcome_of_error, outcome_of_no_id
from .recording import Record
from .workers import Job, Run, WorkerStream, drain

Ids = Iterable[UUID | str] | AsyncIterable[UUID | str]


@public
class CancelStream(WorkerStream[UUID | str, CancelOutcome]):
    """What became of each of many ids, in order of completion; see ``iter_cancel``."""


class Batch(Job[UUID | str, CancelOutcome], ABC):
    """Does something once for each distinct id of many.

    Args:
        engine: Sends the requests.
        ids: An iterable or async iterable of any length. A collection (which has a length) is
            copied when the run begins, and gets an outcome for each of its ids, whatever
            happens; of a stream, those that were read do.
        form: The form of the replies.
        report: Filled as results arrive.
        width: How many at a time.
        begin: Returns the deadline; called when the run begins.
        record: Writes the run into a journal.

    Raises:
        TypeError: ``ids`` is one id.
    """

    source_ends = False
    """Whether the source ends, or fails, by itself when the time is over or the client closed."""
    is_planned = False
    """Whether what is done with a collection is known before, for its record."""

    def __init__(
        self,
        engine: Engine,
        ids: Ids,
        form: type[Bulk],
        *,
        report: CancelReport | None,
        width: int,
        begin: Callable[[], float | None],
        record: Record | None = None,
    ) -> None:
        if isinstance(ids, str | bytes | UUID):
            raise TypeError("ids must be an iterable of bulk ids, not one id")
        self._engine = engine
        self._ids = ids
        self._form = form
        self._report = report
        self._width = width
        self._begin = begin
        self._record = record
        self._records = False  # whether we have begun what is recorded
        self._since: float | None = None
        self._deadline: float | None = None
        self._over = False  # out of time, or the client was closed
        self._rest: Iterator[UUID | str] = iter(())  # of a collection, what was not read yet
        self._run: Run[UUID | str, CancelOutcome] | None = None  # while it goes on
        self._cut: Callable[[], None] = _nothing  # reads no more
        self._call_off: Callable[[], None] = _nothing
        self._seen: set[Key] = set()

    @abstractmethod
    async def _do(self, call: CancelCall) -> CancelOutcome:
        """Do one id."""

    @abstractmethod
    def _not_done(self, bulk_id: str, error: Lox24Error | None) -> CancelOutcome:
        """Return what is true of an id that nothing was done with."""

    def stream(self) -> CancelStream:
        """Return the outcomes in order of completion."""
        # Not kept: the stream must die, and stop, when its consumer drops it.
        return CancelStream(self, self._width)

    async def run(self, progress: Callable[[CancelOutcome], object] | None) -> None:
        """Do all ids; when interrupted, write down those that nobody came to."""
        stream = self.stream()
        try:
            await drain(stream, progress or _ignore)
        finally:
            try:
                await stream.aclose()
            finally:
                self._note_rest()  # if it could not even begin

    # --- the job, as the workers see it

    def begin(
        self, run: Run[UUID | str, CancelOutcome]
    ) -> Iterable[UUID | str] | AsyncIterable[UUID | str]:
        """Copy a collection, and begin to watch the time and the client's life."""
        ids = self._ids
        cut = not self.source_ends
        planned: list[str] | None = None
        if not isinstance(ids, AsyncIterable) and hasattr(ids, "__len__"):
            copied = list(ids)
            ids = self._rest = iter(copied)
            cut = False  # the rest is told at once that it is not sent
            if self._record is not None and self.is_planned:
                planned = _plan(copied)
        if cut:
            self._engine.check_open()
        self._since = self._engine.now()
        self._deadline = self._begin()
        if self._record is not None:
            self._records = self._record.begin(planned)

        self._run = run
        self._cut = run.end_reading if cut else _nothing
        if not self._is_over():
            self._call_off = self._engine.watch(self._deadline, self._end_early)
        return ids

    def _end_early(self) -> None:
        self._over = True
        self._cut()

    def _is_over(self) -> bool:
        """Whether there is no time left, or no client: known here before the alarm rings."""
        if not self._over and (
            self._engine.closed
            or (self._deadline is not None and self._engine.time_left(self._deadline) <= 0)
        ):
            self._end_early()
        return self._over

    async def do(self, item: UUID | str) -> CancelOutcome | None:
        """Do one value of the source; ``None``: the id was there before."""
        key: Key
        try:
            bulk_id = check_bulk_id(item)
        except InvalidBulkIdError as error:
            outcome = outcome_of_no_id(item, error)
            key = outcome.bulk_id
            if key in self._seen:
                return None
            self._seen.add(key)
        else:
            key = key_of(bulk_id)
            if key in self._seen:
                return None
            self._seen.add(key)
            if self._is_over():
                outcome = self._not_done(bulk_id, self._why_over(bulk_id))
                if self._record is not None:
                    self._record.skip(bulk_id)
            else:
                call = CancelCall(bulk_id, self._deadline, key)
                call.since = self._since
                call.set_aside = None if self._run is None else self._run.set_aside
                outcome = await self._do(call)
                if call.set_aside is None and self._run is not None:
                    self._run.take_back()
        if self._record is not None:
            self._record.note(outcome)
        if self._report is None:
            return outcome
        return conclude(self._report, outcome, key)

    def end(self, *, complete: bool) -> None:
        """Watch no more, and end what is recorded."""
        self._call_off()
        self._call_off = self._cut = _nothing
        self._run = None
        if self._record is not None and self._records:
            self._record.end(interrupted=self._over or not complete)
        self._note_rest()

    def _why_over(self, bulk_id: str) -> Lox24Error:
        if self._engine.closed:
            return ClientClosedError("the client is closed", bulk_id=bulk_id)
        return RequestTimeoutError("the call's time was over before it was sent", bulk_id=bulk_id)

    def _note(self, call: CancelCall, entry: Entry) -> None:
        """Write into the report, if there is one, what is true of an id."""
        if self._report is not None:
            note(self._report, call.bulk_id, entry, call.key)

    def _note_rest(self) -> None:
        """Write down the ids of a collection that nobody came to."""
        rest, self._rest = self._rest, iter(())
        if self._report is None:
            return
        for value in rest:
            try:
                outcome = self._not_done(check_bulk_id(value), None)
            except InvalidBulkIdError as error:
                outcome = outcome_of_no_id(value, error)
            if outcome.bulk_id not in self._report:
                note(self._report, outcome.bulk_id, outcome)


class CancelBatch(Batch):
    """Cancels each id."""

    is_planned = True

    async def _do(self, call: CancelCall) -> CancelOutcome:
        self._note(call, partial(outcome_of_call, call))  # true from now on, even if interrupted
        record = self._record
        try:
            if record is not None and (count := record.announce(call.bulk_id)):
                await record.synced(count)
            bulk = await cancel(self._engine, call, self._form)
        except Lox24Error as error:
            return outcome_of_error(call, error)
        except BaseException:
            outcome = outcome_of_call(call)
            self._note(call, outcome)
            if record is not None:
                record.note(outcome)
            raise
        return outcome_of_bulk(call, bulk)

    def _not_done(self, bulk_id: str, error: Lox24Error | None) -> CancelOutcome:
        return CancelOutcome(bulk_id, CancelState.NOT_SENT, error=error)


class LookBatch(Batch):
    """Looks at each id's status, and settles what was unresolved."""

    async def _do(self, call: CancelCall) -> CancelOutcome:
        before = self._not_done(call.bulk_id, None)
        self._note(call, before)  # its place, in input order
        try:
            bulk = await self._engine.perform(status_request(call.bulk_id, self._form), call)
        except NotFoundError as error:
            return evolve(
                before,
                state=CancelState.NOT_FOUND,
                error=without_frames(error),
                request_id=error.request_id,
            )
        except Lox24Error as error:
            return evolve(before, error=without_frames(error))
        state = outcome_of_bulk(call, bulk).state if bulk.is_final else before.state
        return evolve(before, state=state, bulk=bulk, error=None, request_id=bulk.request_id)

    def _not_done(self, bulk_id: str, error: Lox24Error | None) -> CancelOutcome:
        known = CancelOutcome(bulk_id, CancelState.UNKNOWN)
        if self._report is not None and bulk_id in self._report:
            known = self._report[bulk_id]
        return known if error is None else evolve(known, error=error)


def _plan(ids: Iterable[UUID | str]) -> list[str]:
    """Return the distinct ids of a collection, without what is no id."""
    planned: dict[str, None] = {}
    for value in ids:
        with suppress(InvalidBulkIdError):
            planned[check_bulk_id(value)] = None
    return list(planned)


def _nothing() -> None:
    """There is nothing to do."""


def _ignore(_: CancelOutcome) -> None:
    """Nobody wants to know."""
