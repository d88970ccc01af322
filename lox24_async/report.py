"""What became of many ids: states, outcomes, and the reports, true at any moment."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from attrs import frozen

from ._checks import BULK_ID
from ._packed import Packer, state_of
from ._public import public
from .errors import (
    BadRequestError,
    ConflictError,
    InvalidBulkIdError,
    Lox24Error,
    UnprocessableError,
)
from .models import Bulk, urgency


@public
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


@public
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
    request_id: str | None = None


Entry = CancelOutcome | Callable[[], CancelOutcome]
"""What a report is told of an id: its outcome, or what tells how far the cancel has come."""
Key = int | str
"""By what a report knows an id: a number is half the memory of a string."""

_STATES: Final = tuple(CancelState)
_SMALL: int = 2_000  # a report of so many needs no thrift
_NUMBERS: Final = {state: number for number, state in enumerate(_STATES)}


def key_of(bulk_id: str) -> Key:
    """Return the key of an id in its plain form, or of what is no id."""
    if BULK_ID.fullmatch(bulk_id) is None:
        return bulk_id
    return int(bulk_id.replace("-", ""), 16)


@public
class CancelFailedError(Lox24Error):
    """Not every bulk was cancelled.

    Attributes:
        report: What became of each.
    """

    def __init__(
        self,
        message: str,
        *,
        report: "CancelReport",
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(
            message,
            bulk_id=bulk_id,
            attempts=attempts,
            outcome_unknown=outcome_unknown,
        )
        self.report = report


@public
class CancelReport:
    """What became of each of many ids. True at any moment, also after an interruption."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry | bytes] = {}
        self._before: dict[Key, CancelOutcome] = {}  # of ids that are tried once more
        self._packer = Packer()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, bulk_id: UUID | str) -> bool:
        return _key_of(bulk_id) in self._entries

    def __getitem__(self, bulk_id: UUID | str) -> CancelOutcome:
        return self._outcome(_key_of(bulk_id))

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {state.value}" for state, n in self.counts.items() if n)
        return f"<{type(self).__name__}: {counts or 'empty'}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"outcomes": self.outcomes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        CancelReport.__init__(self)
        for name, value in state.items():
            if name != "outcomes":
                setattr(self, name, value)
        for outcome in state["outcomes"]:
            self._note(key_of(outcome.bulk_id), outcome)

    @property
    def outcomes(self) -> tuple[CancelOutcome, ...]:
        """One outcome for each distinct id, in input order."""
        return tuple(self._outcome(key) for key in self._entries)

    @property
    def counts(self) -> Mapping[CancelState, int]:
        """How many ids are in each state; all states are there."""
        counts = dict.fromkeys(CancelState, 0)
        for key, entry in tuple(self._entries.items()):
            if isinstance(entry, bytes):
                counts[_STATES[state_of(entry)]] += 1
            else:
                counts[self._outcome(key).state] += 1
        return counts

    def unresolved(self) -> tuple[str, ...]:
        """Return the ids whose bulk may still be sending: UNKNOWN and ACCEPTED."""
        open_states = (CancelState.UNKNOWN, CancelState.ACCEPTED)
        return tuple(o.bulk_id for o in self._not_canceled() if o.state in open_states)

    def unfinished(self) -> tuple[str, ...]:
        """Return the ids that another run should take up.

        UNKNOWN, ACCEPTED and NOT_SENT, and what was REJECTED without a verdict about the bulk
        (a 401, 402, 403 or 429, say). A 400, 409 or 422 is a verdict; an id that is no id is
        finished.
        """
        return tuple(o.bulk_id for o in self._not_canceled() if _is_unfinished(o))

    def raise_for_failures(self) -> None:
        """Raise unless every bulk is CANCELED or ACCEPTED.

        Raises:
            CancelFailedError: carries this report.
        """
        good = (CancelState.CANCELED, CancelState.ACCEPTED)
        failed = [outcome for outcome in self._not_canceled() if outcome.state not in good]
        if failed:
            raise CancelFailedError(
                f"{len(failed)} of {len(self)} bulks were not cancelled: {self!r}",
                report=self,
                outcome_unknown=any(o.state is CancelState.UNKNOWN for o in failed),
            )

    @property
    def totals(self) -> "Mapping[CancelState, BulkTotals]":
        """What the bulks in each state amount to, as LOX24 last said; all states are there.

        Of a bulk that was in progress some messages may have gone out before it was stopped:
        those of CANCELED are at most what was saved. ``Lox24Client.measure`` counts them.
        """
        outcomes = self.outcomes
        return {
            state: _add_up([o.bulk for o in outcomes if o.state is state]) for state in CancelState
        }

    def _not_canceled(self) -> Iterator[CancelOutcome]:
        """Yield the outcomes of bulks that are not cancelled: most often the fewest."""
        canceled = _NUMBERS[CancelState.CANCELED]
        for key, entry in tuple(self._entries.items()):
            if not (isinstance(entry, bytes) and state_of(entry) == canceled):
                outcome = self._outcome(key)
                if outcome.state is not CancelState.CANCELED:
                    yield outcome

    def _note(self, key: Key, entry: Entry) -> Entry:
        known = self._entries.get(key)
        if known is not None:
            entry = self._merge(key, known, entry)
        self._entries[key] = entry if not isinstance(entry, CancelOutcome) else self._pack(entry)
        return entry

    def _merge(self, key: Key, known: Entry | bytes, entry: Entry) -> Entry:
        """Return what is to be held of an id that the report knows already."""
        if not isinstance(entry, CancelOutcome):
            self._before[key] = self._outcome(key)
            return entry
        before = self._before.pop(key, None)
        if before is None and isinstance(known, CancelOutcome | bytes):
            before = self._outcome(key)
        return entry if before is None else _wiser(before, entry)

    def _pack(self, outcome: CancelOutcome) -> CancelOutcome | bytes:
        bulk = outcome.bulk
        if (
            len(self._entries) < _SMALL
            or bulk is None
            or outcome.error is not None
            or outcome.request_id != bulk.request_id
            or str(bulk.uuid) != outcome.bulk_id
        ):
            return outcome
        return self._packer.pack(_NUMBERS[outcome.state], outcome.attempts, bulk) or outcome

    def _outcome(self, key: Key) -> CancelOutcome:
        entry = self._entries[key]
        if isinstance(entry, CancelOutcome):
            return entry
        if isinstance(entry, bytes):
            uuid = UUID(int=int(key))
            state, attempts, bulk = self._packer.unpack(entry, uuid)
            request_id = bulk.request_id
            return CancelOutcome(str(uuid), _STATES[state], bulk, None, attempts, request_id)
        outcome = entry()
        return _wiser(self._before[key], outcome) if key in self._before else outcome


@public
class MatchReport(CancelReport):
    """What a filter found, and what became of each bulk.

    Counts what was found so far: with ``dry_run`` what would be stopped, else what was
    tried. Of a bulk in progress some messages may be sent already: messages and cost are
    upper bounds of what is saved.

    Attributes:
        bulks: The bulks found.
        messages: Their messages, as far as LOX24 said.
        cost: Their price, as far as LOX24 said; ``None``: it said none. The currency is the
            account's; that ``price`` is the field's name is inferred.
        uncounted: Bulks without a number of messages.
        unpriced: Bulks without a price.
        skipped: Bulks that LOX24 listed although they do not meet the filter, or can no
            longer be cancelled. They were left alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bulks = 0
        self.messages = 0
        self.cost: Decimal | None = None
        self.uncounted = 0
        self.unpriced = 0
        self.skipped = 0

    def __getstate__(self) -> dict[str, Any]:
        counted = ("bulks", "messages", "cost", "uncounted", "unpriced", "skipped")
        return {name: getattr(self, name) for name in counted} | super().__getstate__()

    def by_urgency(self) -> list[Bulk]:
        """Return what is known of the bulks, in the order in which they are cancelled.

        What is being sent goes first, then what is large. For ``confirm`` of
        ``cancel_matching``, and after a dry run.
        """
        bulks = [outcome.bulk for outcome in self.outcomes if outcome.bulk is not None]
        return sorted(bulks, key=urgency)

    def _count(self, bulk: Bulk) -> None:
        self.bulks += 1
        if bulk.msg_total_count is None:
            self.uncounted += 1
        else:
            self.messages += bulk.msg_total_count
        if bulk.price is None:
            self.unpriced += 1
        else:
            self.cost = bulk.price + (self.cost or 0)


_SETTLED: Final = (CancelState.CANCELED, CancelState.TOO_LATE)
_VERDICTS: Final = (BadRequestError, ConflictError, UnprocessableError)


def has_verdict(outcome: CancelOutcome) -> bool:
    """Whether a REJECTED one was refused for what the bulk is, so that a repeat is of no use."""
    return isinstance(outcome.error, (*_VERDICTS, InvalidBulkIdError))


def _wiser(before: CancelOutcome, after: CancelOutcome) -> CancelOutcome:
    """Return which of two outcomes of an id tells more of the bulk.

    The one rule for a report that is used again, in memory and in a journal: the later one,
    unless it knows less.
    """
    state = after.state
    match before.state:
        case CancelState.CANCELED | CancelState.TOO_LATE:
            knows_less = state not in _SETTLED
        case CancelState.ACCEPTED:
            knows_less = state not in (*_SETTLED, CancelState.ACCEPTED, CancelState.NOT_FOUND)
        case CancelState.UNKNOWN:
            # A refusal tells of the bulk only with a look that saw it: without one, the bulk
            # may have been refused for being cancelled already.
            seen = has_verdict(after) and after.bulk is not None
            knows_less = state is CancelState.NOT_SENT or (
                state is CancelState.REJECTED and not seen
            )
        case CancelState.NOT_FOUND:
            knows_less = _knows_nothing(after)
        case CancelState.REJECTED:
            # It left, and was refused: NOT_SENT is not true of it any more.
            knows_less = state is CancelState.NOT_SENT or (
                has_verdict(before) and _knows_nothing(after)
            )
        case _:  # NOT_SENT
            knows_less = False
    return before if knows_less else after


def _knows_nothing(outcome: CancelOutcome) -> bool:
    if outcome.state is CancelState.REJECTED:
        return not has_verdict(outcome)
    return outcome.state is CancelState.NOT_SENT


def _is_unfinished(outcome: CancelOutcome) -> bool:
    if outcome.state is CancelState.REJECTED:
        return not has_verdict(outcome)
    return outcome.state in (CancelState.UNKNOWN, CancelState.ACCEPTED, CancelState.NOT_SENT)


def note(report: CancelReport, bulk_id: str, entry: Entry, key: Key | None = None) -> None:
    """Write down what became of an id, or what tells how far its cancel has come.

    What an earlier run knew stays, until this one knows more.

    Args:
        report: Where to write.
        bulk_id: The id in its plain form.
        entry: Its outcome, or what returns it.
        key: The id's key, if it is at hand.
    """
    _note(report, key_of(bulk_id) if key is None else key, entry)


def conclude(report: CancelReport, outcome: CancelOutcome, key: Key) -> CancelOutcome:
    """Write down an outcome; return what is known of the id now."""
    known = _note(report, key, outcome)
    return known if isinstance(known, CancelOutcome) else outcome


def _note(report: CancelReport, key: Key, entry: Entry) -> Entry:
    return report._note(key, entry)  # pyright: ignore[reportPrivateUsage]


def _key_of(bulk_id: UUID | str) -> Key:
    return bulk_id.int if isinstance(bulk_id, UUID) else key_of(bulk_id)


def count_found(report: MatchReport, bulk: Bulk) -> None:
    """Count one more bulk that was found."""
    report._count(bulk)  # pyright: ignore[reportPrivateUsage]


# --- what it amounts to


@public
@frozen
class BulkTotals:
    """What some bulks amount to, as far as LOX24 said.

    Attributes:
        bulks: How many.
        messages: Their messages.
        cost: Their price; ``None``: LOX24 said none. The currency is the account's; that
            ``price`` is the field's name is inferred.
        uncounted: Bulks without a number of messages.
        unpriced: Bulks without a price.
    """

    bulks: int
    messages: int
    cost: Decimal | None
    uncounted: int
    unpriced: int


def _add_up(bulks: Sequence[Bulk | None]) -> BulkTotals:
    counts = [bulk.msg_total_count for bulk in bulks if bulk is not None]
    prices = [bulk.price for bulk in bulks if bulk is not None]
    counted = [count for count in counts if count is not None]
    priced = [price for price in prices if price is not None]
    return BulkTotals(
        bulks=len(bulks),
        messages=sum(counted),
        cost=sum(priced, Decimal(0)) if priced else None,
        uncounted=len(bulks) - len(counted),
        unpriced=len(bulks) - len(priced),
    )


@public
@frozen
class MessageCount:
    """How many messages of one bulk went out, and how many did not.

    ``None``: not known. ``error`` says why.
    """

    bulk_id: str
    sent: int | None
    unsent: int | None
    error: Lox24Error | None = None


@public
@frozen
class Measurement:
    """How many messages of some bulks went out; see ``Lox24Client.measure``.

    Attributes:
        counts: Of each bulk, in the order of the report.
    """

    counts: tuple[MessageCount, ...]

    @property
    def sent(self) -> int:
        """Messages that went out, of the bulks of which that is known."""
        return sum(count.sent for count in self.counts if count.sent is not None)

    @property
    def unsent(self) -> int:
        """Messages that did not go out, of the bulks of which that is known."""
        return sum(count.unsent for count in self.counts if count.unsent is not None)

    @property
    def unknown(self) -> int:
        """How many bulks lack one of the two numbers, or both."""
        return sum(count.sent is None or count.unsent is None for count in self.counts)
