"""Many bulks: one outcome for each distinct id, whatever happens on the way."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from attrs import evolve, frozen

from ._call import Call
from ._fanout import Fanout
from ._ids import check_bulk_id
from .errors import InvalidBulkIdError, Lox24Error, NotCancelableError, NotFoundError
from .models import Bulk

Ids = Iterable[UUID | str] | AsyncIterable[UUID | str]
Operation = Callable[[Call], Awaitable[Bulk]]


class CancelState(StrEnum):
    """What became of one id."""

    CANCELED = "canceled"
    """The bulk is cancelled, whoever did it."""
    ACCEPTED = "accepted"
    """The server accepted the cancel; the bulk is not in status 15 yet."""
    TOO_LATE = "too late"
    """The bulk is in another final state."""
    NOT_FOUND = "not found"
    """The server knows no such bulk."""
    REJECTED = "rejected"
    """The server refused the cancel for another reason, or the id is no id."""
    NOT_SENT = "not sent"
    """The cancel never left: held back by the guard, no connection, closed, interrupted."""
    UNKNOWN = "unknown"
    """The cancel left, and nobody knows what it led to. ``resolve`` may find out."""


@frozen
class CancelOutcome:
    """What became of one id.

    ``bulk_id`` is in its plain form (or, if it is no id, as it came); ``bulk`` is what the
    server last said, ``error`` what went wrong, ``attempts`` the cancels on the wire.
    """

    bulk_id: str
    state: CancelState
    bulk: Bulk | None = None
    error: Lox24Error | None = None
    attempts: int = 0


class CancelFailedError(Lox24Error):
    """Not every bulk was cancelled.

    Attributes:
        report: What became of each.
    """

    def __init__(self, message: str, *, report: "CancelReport", **common: Any) -> None:
        super().__init__(message, **common)
        self.report = report


class CancelReport:
    """What became of each of many ids. True at any moment, also after an interruption."""

    def __init__(self) -> None:
        self._entries: dict[str, CancelOutcome | Call] = {}
        self._before: dict[str, CancelOutcome] = {}  # of ids that are tried once more

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, bulk_id: UUID | str) -> bool:
        key = str(bulk_id)
        return key in self._entries or key.lower() in self._entries

    def __getitem__(self, bulk_id: UUID | str) -> CancelOutcome:
        key = str(bulk_id)
        return self._outcome(key if key in self._entries else key.lower())

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {state.value}" for state, n in self.counts.items() if n)
        return f"<{type(self).__name__}: {counts or 'empty'}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"_entries": {outcome.bulk_id: outcome for outcome in self.outcomes}, "_before": {}}

    @property
    def outcomes(self) -> tuple[CancelOutcome, ...]:
        """One outcome for each distinct id, in input order."""
        return tuple(self._outcome(bulk_id) for bulk_id in self._entries)

    @property
    def counts(self) -> Mapping[CancelState, int]:
        """How many ids are in each state; all states are there."""
        counts = dict.fromkeys(CancelState, 0)
        for outcome in self.outcomes:
            counts[outcome.state] += 1
        return counts

    def unresolved(self) -> tuple[str, ...]:
        """Return the ids whose bulk may still be sending: UNKNOWN and ACCEPTED."""
        open_states = (CancelState.UNKNOWN, CancelState.ACCEPTED)
        return tuple(o.bulk_id for o in self.outcomes if o.state in open_states)

    def raise_for_failures(self) -> None:
        """Raise unless every bulk is CANCELED or ACCEPTED.

        Raises:
            CancelFailedError: carries this report.
        """
        good = (CancelState.CANCELED, CancelState.ACCEPTED)
        failed = [outcome for outcome in self.outcomes if outcome.state not in good]
        if failed:
            raise CancelFailedError(
                f"{len(failed)} of {len(self)} bulks were not cancelled: {self!r}",
                report=self,
                outcome_unknown=any(o.state is CancelState.UNKNOWN for o in failed),
            )

    def note(self, bulk_id: str, entry: CancelOutcome | Call) -> None:
        """Write down what became of an id, or the call that is at it.

        What an earlier run knew stays, until this one knows more.
        """
        if isinstance(entry, Call):
            if bulk_id in self._entries:
                self._before[bulk_id] = self._outcome(bulk_id)
        elif bulk_id in self._before:
            entry = _wiser(self._before.pop(bulk_id), entry)
        self._entries[bulk_id] = entry

    def _outcome(self, bulk_id: str) -> CancelOutcome:
        entry = self._entries[bulk_id]
        if isinstance(entry, CancelOutcome):
            return entry
        outcome = _outcome_of_call(entry)
        return _wiser(self._before[bulk_id], outcome) if bulk_id in self._before else outcome


def _wiser(before: CancelOutcome, after: CancelOutcome) -> CancelOutcome:
    """Return which of two outcomes of an id tells more of the bulk."""
    knew = {
        CancelState.NOT_SENT: (
            CancelState.CANCELED,
            CancelState.TOO_LATE,
            CancelState.ACCEPTED,
            CancelState.UNKNOWN,
        ),
        CancelState.UNKNOWN: (CancelState.CANCELED, CancelState.TOO_LATE),
    }
    return before if before.state in knew.get(after.state, ()) else after


class Batch(ABC):
    """Does something once for each distinct id of many.

    Args:
        ids: An iterable or async iterable of any length.
        report: Filled as results arrive.
        width: How many at a time.
        begin: Begins it, with the first id; returns the deadline.

    Raises:
        TypeError: ``ids`` is one id.
    """

    def __init__(
        self,
        ids: Ids,
        *,
        report: CancelReport | None,
        width: int,
        begin: Callable[[], float | None],
    ) -> None:
        if isinstance(ids, str | bytes | UUID):
            raise TypeError("ids must be an iterable of bulk ids, not one id")
        self._ids = ids
        self._report = report
        self._width = width
        self._begin = begin
        self._begun = False
        self._deadline: float | None = None
        self._seen: set[int | str] = set()

    @abstractmethod
    async def _do(self, call: Call) -> CancelOutcome:
        """Do one id."""

    def stream(self) -> Fanout[UUID | str, CancelOutcome]:
        """Return the outcomes in order of completion."""
        # Not kept: the stream must die, and stop, when its consumer drops it.
        return Fanout(self._ids, self._one, self._width)

    async def run(self, progress: Callable[[CancelOutcome], object] | None) -> None:
        """Do all ids; when interrupted, write down those that nobody came to."""
        stream = self.stream()
        try:
            await stream.drain(progress or _ignore)
        finally:
            try:
                await stream.aclose()
            finally:
                for value in stream.rest():
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
        self._report.note(outcome.bulk_id, outcome)
        return self._report[outcome.bulk_id]

    def _note_unread(self, value: object) -> None:
        if self._report is None:
            return
        try:
            outcome = self._unread(check_bulk_id(value))
        except InvalidBulkIdError as error:
            outcome = _no_id(value, error)
        if outcome.bulk_id not in self._report:
            self._report.note(outcome.bulk_id, outcome)

    def _unread(self, bulk_id: str) -> CancelOutcome:
        return CancelOutcome(bulk_id, CancelState.NOT_SENT)


class CancelBatch(Batch):
    """Cancels; ``cancel`` does it for one call."""

    def __init__(self, cancel: Operation, ids: Ids, **options: Any) -> None:
        super().__init__(ids, **options)
        self._cancel = cancel

    async def _do(self, call: Call) -> CancelOutcome:
        if self._report is not None:
            self._report.note(call.bulk_id, call)  # true from now on, even if interrupted
        try:
            bulk = await self._cancel(call)
        except Lox24Error as error:
            return _outcome_of_error(call.bulk_id, error)
        return _outcome_of_bulk(call, bulk)


class LookBatch(Batch):
    """Looks at the status, and settles what was unresolved; ``look`` does it for one call."""

    def __init__(self, look: Operation, ids: Ids, **options: Any) -> None:
        super().__init__(ids, **options)
        self._look = look

    async def _do(self, call: Call) -> CancelOutcome:
        before = self._unread(call.bulk_id)
        if self._report is not None:
            if call.bulk_id in self._report:
                before = self._report[call.bulk_id]
            self._report.note(call.bulk_id, before)  # its place, in input order
        try:
            bulk = await self._look(call)
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


def _outcome_of_call(call: Call) -> CancelOutcome:
    """Return what is true of a call that is under way or was interrupted."""
    if call.in_flight or call.fate_unknown:
        state = CancelState.UNKNOWN
    else:
        state = CancelState.REJECTED if call.sent else CancelState.NOT_SENT
    return CancelOutcome(call.bulk_id, state, attempts=call.sent + call.in_flight)


def _outcome_of_bulk(call: Call, bulk: Bulk) -> CancelOutcome:
    state = CancelState.ACCEPTED
    if bulk.is_final:
        state = CancelState.CANCELED if bulk.is_canceled else CancelState.TOO_LATE
    return CancelOutcome(call.bulk_id, state, bulk, attempts=call.sent)


def _outcome_of_error(bulk_id: str, error: Lox24Error) -> CancelOutcome:
    state = CancelState.REJECTED
    if isinstance(error, NotCancelableError):
        state = CancelState.TOO_LATE
    elif error.outcome_unknown:
        state = CancelState.UNKNOWN
    elif isinstance(error, NotFoundError):
        state = CancelState.NOT_FOUND
    elif not error.attempts:
        state = CancelState.NOT_SENT
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
