"""What the lines of a journal prove."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from math import isfinite
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from attrs import evolve, field, frozen

from lox24_async import errors
from lox24_async._checks import BULK_ID
from lox24_async._public import public
from lox24_async.errors import APIStatusError, JournalError, Lox24Error, NotCancelableError
from lox24_async.models import STATUSES, Bulk
from lox24_async.report import CancelOutcome, CancelReport, CancelState, note

from .lines import FORMAT, START

T = TypeVar("T")
_STATUS: Final = re.compile(r"([1-9]\d\d) ")
_STATES: Final = {state.value: state for state in CancelState}
_UNTOLD_SERVER_ERROR: Final = 500


@public
@frozen(kw_only=True)
class JournalRun:
    """One run in a journal: who began to do what, and how it ended.

    Attributes:
        run: Its id.
        started: When it began (aware, UTC).
        version: The version of this package that wrote it.
        pid: The process.
        host: The machine.
        user: The user; ``None``: it has no name.
        origin: Scheme, host and port of the service.
        client_id: The part of the token before the colon.
        total: How many bulks it was to cancel; ``None``: a stream, or looks only.
        sha256: Of the sorted ids of a collection, joined by line feeds.
        filter: Which bulks it looked for, if it did.
        note: What the user said of it.
        failed: Whether a write failed on the way.
        ended: When it ended; ``None``: it has not, or was killed.
        interrupted: Whether it ended before it was through.
        seconds: How long it took.
        counts: How many outcomes it had, by state.
    """

    run: str
    started: datetime | None
    version: str | None
    pid: int | None
    host: str | None
    user: str | None
    origin: str | None
    client_id: str | None
    total: int | None
    sha256: str | None
    filter: Mapping[str, Any] | None = field(hash=False)
    note: str | None
    failed: bool = False
    ended: datetime | None = None
    interrupted: bool | None = None
    seconds: float | None = None
    counts: Mapping[CancelState, int] | None = field(default=None, hash=False)


@frozen
class Reading:
    """What a journal says."""

    report: CancelReport
    runs: tuple[JournalRun, ...]


def read_events(data: bytes, path: object) -> Iterator[dict[str, Any]]:
    """Yield the events in a journal; a line that was cut, wherever it stands, is none.

    Raises:
        JournalError: it is no journal, or one of a later format.
    """
    found = False
    for line in data.split(b"\n"):
        event = _object(line)
        if type(event.get("event")) is not str:
            continue
        if event["event"] == "run":
            if event.get("format") != FORMAT:
                raise JournalError(f"this is no journal of the format {FORMAT}", path=str(path))
            found = True
        yield event
    if not found and not (data.startswith(START) or START.startswith(data[: len(START)])):
        raise JournalError("this is no journal", path=str(path))


def _object(line: bytes) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(line) if line.startswith(b"{") else {}
    except (ValueError, RecursionError):
        return {}
    return value


def replay(events: Iterator[dict[str, Any]]) -> Reading:
    """Return what the events prove."""
    replayed = _Replay()
    for event in events:
        with suppress(KeyError, TypeError, ValueError):  # of a line that a hand has changed
            replayed.take(event)
    replayed.close_run()
    return Reading(replayed.report, tuple(replayed.runs))


class _Replay:
    def __init__(self) -> None:
        self.report = CancelReport()
        self.runs: list[JournalRun] = []
        self._run: dict[str, Any] | None = None
        self._planned: dict[str, None] = {}  # without a word of what became of them
        self._sent: dict[str, None] = {}  # without an outcome
        self._failing = False
        self._unsent: dict[str, None] = {}  # whose outcome says that they never left

    def take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "run":
                if self._run is None or self._run.get("run") != event["run"]:
                    self.close_run()
                    self._run = event | ({"failed": True} if self._failing else {})
                    self._failing = False
            case "planned":
                for bulk_id in _names(event):
                    self._planned[bulk_id] = None
                    note(self.report, bulk_id, CancelOutcome(bulk_id, CancelState.NOT_SENT))
            case "sent":
                for bulk_id in _names(event):
                    self._planned.pop(bulk_id, None)
                    self._sent[bulk_id] = None
                    note(self.report, bulk_id, partial(_unknown, bulk_id))
            case "outcome":
                self._take_outcome(_outcome(event))
            case "failed":
                if self._run is None or "end" in self._run:
                    self._failing = True  # the first line of its run comes late
                else:
                    self._run["failed"] = True
            case "end" if self._run is not None:
                self._run["end"] = event
            case _:
                pass

    def _take_outcome(self, outcome: CancelOutcome) -> None:
        self._planned.pop(outcome.bulk_id, None)
        self._sent.pop(outcome.bulk_id, None)
        self._unsent.pop(outcome.bulk_id, None)
        if outcome.state is CancelState.NOT_SENT:
            self._unsent[outcome.bulk_id] = None
        note(self.report, outcome.bulk_id, outcome)

    def close_run(self) -> None:
        """Settle what the run that ends here leaves open."""
        run = self._run
        doubtful = [*self._sent]
        if run is not None and run.get("failed"):
            # What went out meanwhile may be missing here.
            doubtful += [*self._planned]
            if run.get("total") is None:  # then a bulk may have been tried again
                doubtful += [*self._unsent]
        for bulk_id in doubtful:
            note(self.report, bulk_id, _unknown(bulk_id))
        self._planned, self._sent, self._unsent, self._run = {}, {}, {}, None
        if run is not None:
            self.runs.append(_run(run))


def _names(event: dict[str, Any]) -> list[str]:
    return [bulk_id for bulk_id in event["bulk_ids"] if type(bulk_id) is str]


def _unknown(bulk_id: str) -> CancelOutcome:
    return CancelOutcome(bulk_id, CancelState.UNKNOWN)


def _outcome(event: dict[str, Any]) -> CancelOutcome:
    bulk_id: str = event["bulk_id"]
    outcome = CancelOutcome(
        bulk_id,
        _STATES.get(event["state"], CancelState.UNKNOWN),
        _bulk(bulk_id, event),
        attempts=_of(int, event.get("attempts")) or 0,
        request_id=_of(str, event.get("request_id")),
    )
    said = event.get("error")
    return outcome if said is None else evolve(outcome, error=_error(said, outcome))


def _bulk(bulk_id: str, event: dict[str, Any]) -> Bulk | None:
    status, price = event.get("status_code"), event.get("price")
    if type(status) is not int or BULK_ID.fullmatch(bulk_id) is None:
        return None
    try:
        cost = None if price is None else Decimal(str(price))
    except (InvalidOperation, TypeError, ValueError):
        cost = None
    if cost is not None and not cost.is_finite():
        cost = None
    return Bulk(
        uuid=UUID(bulk_id),
        status_code=STATUSES.get(status, status),
        msg_total_count=_of(int, event.get("messages")),
        price=cost,
        request_id=_of(str, event.get("request_id")),
    )


def _error(said: dict[str, Any], outcome: CancelOutcome) -> Lox24Error:
    """Make an error of the class that was written down, as far as that goes."""
    kind: Any = getattr(errors, said["type"], Lox24Error)
    if not (isinstance(kind, type) and issubclass(kind, Lox24Error)):
        kind = Lox24Error
    message = _of(str, said["message"]) or ""
    common: dict[str, Any] = {
        "bulk_id": outcome.bulk_id if BULK_ID.fullmatch(outcome.bulk_id) else None,
        "attempts": outcome.attempts,
        "outcome_unknown": outcome.state is CancelState.UNKNOWN,
    }
    more: dict[str, Any] = {}
    if issubclass(kind, APIStatusError):
        status = errors.status_of(kind)
        if status is None and (told := _STATUS.match(message)):
            status, message = int(told[1]), message[told.end() :]
        more = {"status": status or _UNTOLD_SERVER_ERROR, "request_id": outcome.request_id}
    if issubclass(kind, NotCancelableError):
        more["bulk"] = outcome.bulk
    try:
        made: Lox24Error = kind(message, **common, **more)
    except TypeError:  # of a class that wants to know more
        base = errors.TransportError if issubclass(kind, errors.TransportError) else Lox24Error
        made = base(message, **common)
    return made


def _run(event: dict[str, Any]) -> JournalRun:
    end = _mapping(event.get("end")) or {}
    wanted, counts = _mapping(event.get("filter")), _mapping(end.get("counts"))
    return JournalRun(
        run=_of(str, event.get("run")) or "",
        started=_moment(event.get("t")),
        version=_of(str, event.get("version")),
        pid=_of(int, event.get("pid")),
        host=_of(str, event.get("host")),
        user=_of(str, event.get("user")),
        origin=_owner(event.get("origin")),
        client_id=_owner(event.get("client_id")),
        total=_of(int, event.get("total")),
        sha256=_of(str, event.get("sha256")),
        filter=None if wanted is None else MappingProxyType(wanted),
        note=_of(str, event.get("note")),
        failed=bool(event.get("failed")),
        ended=_moment(end.get("t")),
        interrupted=_of(bool, end.get("interrupted")),
        seconds=_of(float, end.get("seconds")),
        counts=None
        if counts is None
        else MappingProxyType(
            {_STATES[s]: n for s, n in counts.items() if s in _STATES and type(n) is int}
        ),
    )


def _mapping(value: object) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _of(kind: type[T], value: object) -> T | None:
    """Return a value of a kind; of a line that a hand has changed it may be of another."""
    if kind is float and type(value) is int:
        with suppress(OverflowError):
            value = float(value)
    if type(value) is float and not isfinite(value):
        return None
    return value if type(value) is kind else None


def _owner(said: object) -> str | None:
    """Return whose a run was; what is no text must not pass for one that does not say."""
    return None if said is None else str(said)


def _moment(said: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
