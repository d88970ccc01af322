"""The report on disk: what a run did, and what a run that was killed had done."""

import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ._checks import check_kind
from ._journal.file import JournalFile, read_bytes
from ._journal.lines import end_line, outcome_line, planned_lines, run_line, sent_line
from ._journal.reading import JournalRun, Reading, read_events, replay
from ._journal.writer import Writer
from ._log import log
from ._public import public
from .errors import ConfigurationError, JournalError
from .filters import BulkFilter
from .report import CancelOutcome, CancelReport, CancelState

__all__ = ["CancelJournal", "JournalRun", "RunRecord"]

_PLANNED: Final = ()
_DURABLE_GROUP: Final = 64  # ids that are announced together at least: a sync is dear


@public
class CancelJournal:
    """A report on disk, that tells the truth also after the death of the process.

    One JSON line for each event (format ``lox24-journal/1``, described in
    ``docs/journal.md``), appended to a file of mode 0600. A bulk's id is in the file before
    the first byte of its first cancel leaves. Lines are written in groups, within 0.1
    seconds, without waiting for the disk. A journal that can no longer be written never stops
    a stop: one WARNING, ``error`` is set, and the run goes on.

    At most one run writes to a file at a time. A later run in the same file goes on: give
    ``journal.report.unfinished()`` as the ids, and the journal.

    The file holds ids, states, request ids, and what was selected; the client id, never the
    key of the token.

    Args:
        path: The file. It is made if it is not there; else it must be a journal.
        note: What to write into it of the runs to come: a ticket's number, say.
        durable: Whether each group is synced to the disk, to survive the machine's death
            too: a cancel then waits for that (one sync serves many).

    Raises:
        JournalError: the file cannot be opened or read, or is no journal.
        ConfigurationError: a value is of the wrong kind.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, note: str | None = None, durable: bool = False
    ) -> None:
        self._path = _to_path(path)
        if note is not None:
            check_kind("note", note, str)
        if type(durable) is not bool:
            raise ConfigurationError("durable must be True or False")
        self._note = note
        self._durable = durable
        self._size: int | None = None  # of the file when it was read; None: it has to be
        self._error: JournalError | None = None
        self._record: RunRecord | None = None
        JournalFile(self._path).close()  # so that it is refused here and now
        self._reading = self._read()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self._path)!r}>"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> CancelReport:
        """Return what a journal proves; the file is not changed, and may still be written to.

        Raises:
            JournalError: it cannot be read, or is no journal.
        """
        path = _to_path(path)
        return replay(read_events(read_bytes(path), path)).report

    @classmethod
    def runs_of(cls, path: str | os.PathLike[str]) -> tuple[JournalRun, ...]:
        """Return the runs in a journal; the file is not changed.

        Raises:
            JournalError: it cannot be read, or is no journal.
        """
        path = _to_path(path)
        return replay(read_events(read_bytes(path), path)).runs

    @classmethod
    def events(cls, path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
        """Yield the events in a journal as they stand there, without lines that were cut.

        Raises:
            JournalError: it cannot be read, or is no journal.
        """
        path = _to_path(path)
        return read_events(read_bytes(path), path)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def report(self) -> CancelReport:
        """What the file proves, up to now.

        Raises:
            JournalError: it cannot be read any more.
        """
        return self._now().report

    @property
    def runs(self) -> tuple[JournalRun, ...]:
        """The runs in the file, the oldest first."""
        return self._now().runs

    @property
    def origin(self) -> str | None:
        """Scheme, host and port of the service that the last run talked to, if there was one."""
        runs = self.runs
        return runs[-1].origin if runs else None

    @property
    def client_id(self) -> str | None:
        """The part before the colon of the last run's token, if there was a run."""
        runs = self.runs
        return runs[-1].client_id if runs else None

    @property
    def error(self) -> JournalError | None:
        """Why something could not be written, at some time in the last run; else ``None``."""
        return self._error

    def _now(self) -> Reading:
        if self._record is not None:
            self._record.flush()
        try:
            size = self._path.stat().st_size
        except OSError:
            size = -1  # of no file: to be read, which says why not
        if size != self._size or self._record is not None:
            self._reading = self._read()
        return self._reading

    def _read(self) -> Reading:
        data = read_bytes(self._path)
        self._size = len(data)
        return replay(read_events(data, self._path))

    def _begin(
        self,
        *,
        origin: str,
        client_id: str,
        width: int,
        planned: Sequence[str] | None,
        wanted: BulkFilter | None,
    ) -> "RunRecord":
        if self._record is not None:
            raise JournalError("another run writes to this journal", path=str(self._path))
        file = JournalFile(self._path)
        try:
            file.lock()
            self._now()  # so that it is refused if it is no journal any more
        except BaseException:
            file.close()
            raise
        self._error = None
        writer = Writer(file, durable=self._durable, complain=self._complain)
        line, mark_at = run_line(
            origin=origin, client_id=client_id, planned=planned, wanted=wanted, note=self._note
        )
        writer.put_run(line, mark_at)
        group = max(width, _DURABLE_GROUP) if self._durable else width
        self._record = RunRecord(self, writer, planned or _PLANNED, group)
        return self._record

    def _end(self) -> None:
        self._record = None
        self._size = None

    def _complain(self, error: OSError) -> None:
        if self._error is None:
            self._error = JournalError(
                f"the journal cannot be written: {error.strerror or error}", path=str(self._path)
            )
            self._error.__cause__ = error
            log.warning("%s; the run goes on", self._error)


class RunRecord:
    """What one run writes into its journal.

    Args:
        journal: The journal.
        writer: Open and locked.
        planned: The ids of a collection, in the order in which they will be begun.
        group: How many are announced at a time.
    """

    def __init__(
        self, journal: CancelJournal, writer: Writer, planned: Sequence[str], group: int
    ) -> None:
        self._journal = journal
        self._writer = writer
        self._planned = planned
        self._group = group
        self._durable = writer.durable
        self._next = 0  # the first of them that was not begun
        self._announced = 0  # the first that is not in the file as sent
        self._groups: deque[tuple[int, int]] = deque()  # up to which one; in which group of lines
        self._counts: Counter[CancelState] = Counter()
        self._started = time.monotonic()
        for line in planned_lines(planned):
            writer.put(line)
        writer.flush()

    def announce(self, bulk_id: str) -> int:
        """Write that a bulk's cancel is about to go out.

        Returns:
            What to wait for with ``synced``; 0: nothing.
        """
        number = self._next
        if number >= len(self._planned) or self._planned[number] != bulk_id:
            self._write_sent((bulk_id,))
            return self._writer.count if self._writer.needs_sync(self._writer.count) else 0
        self._next = number + 1
        if number >= self._announced:
            self._announce_group()
        return self._sync_before(number) if self._durable else 0

    def _sync_before(self, number: int) -> int:
        """Return what has to be on the disk before a bulk goes out; see :meth:`announce`."""
        if number + self._group >= self._announced:
            self._announce_group()  # on its way to the disk while the others are in flight
            self._writer.begin_sync()
        while self._groups and self._groups[0][0] <= number:
            self._groups.popleft()
        count = self._groups[0][1] if self._groups else 0
        return count if self._writer.needs_sync(count) else 0

    def _announce_group(self) -> None:
        group = self._planned[self._announced : self._announced + self._group]
        if group:
            self._announced += len(group)
            self._write_sent(group)
            if self._durable:
                self._groups.append((self._announced, self._writer.count))

    def _write_sent(self, bulk_ids: Sequence[str]) -> None:
        self._writer.put(sent_line(bulk_ids))
        self._writer.flush()

    async def synced(self, count: int) -> None:
        """Wait until what ``announce`` wrote is on the disk."""
        await self._writer.synced(count)

    def skip(self, bulk_id: str) -> None:
        """Leave out a bulk that is not even tried."""
        if self._next < len(self._planned) and self._planned[self._next] == bulk_id:
            self._next += 1

    def note(self, outcome: CancelOutcome) -> None:
        """Write what became of a bulk."""
        self._counts[outcome.state] += 1
        self._writer.put(outcome_line(outcome))

    def flush(self) -> None:
        """Write what waits for others."""
        self._writer.flush()

    def end(self, *, interrupted: bool, counts: Mapping[CancelState, int] | None = None) -> None:
        """Write how it ended, and let go of the file.

        Args:
            interrupted: Whether it ended before it was through.
            counts: How many bulks are in each state; ``None``: each outcome counts.
        """
        for bulk_id in self._planned[self._next : self._announced]:
            self.note(CancelOutcome(bulk_id, CancelState.NOT_SENT))  # announced, and not begun
        if counts is None:
            untold = len(self._planned) - max(self._next, self._announced)
            self._counts[CancelState.NOT_SENT] += untold
            counts = {state: self._counts[state] for state in CancelState}
        seconds = time.monotonic() - self._started
        self._writer.put(end_line(counts, interrupted=interrupted, seconds=seconds))
        self._writer.close()
        self._journal._end()  # pyright: ignore[reportPrivateUsage]


def begin_run(
    journal: CancelJournal,
    *,
    origin: str,
    client_id: str,
    width: int,
    planned: Sequence[str] | None,
    wanted: BulkFilter | None,
) -> RunRecord:
    """Begin to write a run into a journal.

    Args:
        journal: The journal.
        origin: The service that it talks to.
        client_id: The part of the token before the colon.
        width: How many bulks may be in flight.
        planned: The distinct ids of a collection; ``None``: of a stream nobody knows.
        wanted: The filter, if it looks for bulks.

    Raises:
        JournalError: it cannot be opened, or another run writes to it.
    """
    return journal._begin(  # pyright: ignore[reportPrivateUsage]
        origin=origin, client_id=client_id, width=width, planned=planned, wanted=wanted
    )


def _to_path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise ConfigurationError("path must be a string or a path")
    return Path(path)
