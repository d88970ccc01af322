"""A job: its report, its journal, its records, and how it is told."""

from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import suppress
from typing import Any, Final

import lox24_async as lox
from lox24_async.cli import journals
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.options import Output
from lox24_async.cli.reading.files import Entry
from lox24_async.cli.running import Session
from lox24_async.cli.telling import outcomes, records
from lox24_async.cli.telling.progress import Progress, ProgressDisplay
from lox24_async.cli.telling.sentences import code_of
from lox24_async.cli.telling.tables import money, say
from lox24_async.cli.text import plural

from .looking import look_again, wait_until_stopped
from .outlasting import cancel_what_failed
from .tally import Tally
from .typed import CancelOptions

_OPEN: Final = (
    *(lox.CancelState.UNKNOWN, lox.CancelState.ACCEPTED),
    *(lox.CancelState.NOT_SENT, lox.CancelState.REJECTED),
)
FIELDS: Final = ("bulk_id", "state", "status_code", "attempts", "error", "request_id")


class Job:
    """Cancels, and knows at any moment what came of it.

    Args:
        session: The client, and where to speak.
        typed: The options.
        report: Filled as results arrive; may hold what an earlier run did.
        total: How many bulks there are, if that is known.
        note: What it is about, for the journal.
    """

    def __init__(
        self,
        session: Session,
        typed: CancelOptions,
        report: "lox.CancelReport",
        *,
        total: int | None,
        note: str,
    ) -> None:
        self.session = session
        self.typed = typed
        self.report = report
        self.progress = Progress(total, gives_up=not typed.keep_trying)
        self.tally = Tally()
        self.journal: lox.CancelJournal | None = None
        self.note = note
        self.broken: lox.Lox24Error | None = None
        """Why the listing ended too early."""
        self.began: Callable[[], bool] = lambda: False
        """Says whether it has gone to work."""
        self.planned: Sequence[str] = ()
        """The ids, if they are known beforehand."""
        self.unheard = False
        """Whether an earlier run had not come to the end of its listing or its input."""
        self.listed = False
        """Whether somebody else than the user named the bulks: a listing, a pipe."""
        self._out = records.RecordStream(typed.output, FIELDS)
        self._bad: list[Entry] = []
        self._has_sent = False
        self.progress.in_order = self._has_begun

    def _has_begun(self) -> bool:
        return self.began()  # what that is may change

    def take_what_is_known(self) -> None:
        """Begin with what an earlier run knew."""
        known = self.report.outcomes
        self.planned = tuple(outcome.bulk_id for outcome in known)
        for outcome in known:
            self.tally.know(outcome)
        self.progress.counts.update(outcome.state for outcome in known)
        self.progress.total = len(known)
        self.progress.done = len(known) - len(self.report.unfinished())

    # --- at work

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> ExitCode:
        """Do the work, and tell how it ended."""
        interrupted = False
        try:
            self.session.run(work(), self.display(), self.progress)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._discard_empty_journal()
        return self.end(interrupted=interrupted)

    def display(self) -> ProgressDisplay:
        """Return what is shown meanwhile."""
        client = self.session.client
        return ProgressDisplay(self.session.console, self.progress, pause=lambda: client.pause)

    def end(self, *, interrupted: bool) -> ExitCode:
        """Tell how it ended."""
        if not self.began() and not self._bad:
            return self._say_nothing_done(interrupted=interrupted)
        return self._end(interrupted=interrupted)

    def begin(self) -> None:
        """Go to work: from now on what is in flight is waited for, and a journal is written."""
        self.open_journal()
        self.began = lambda: True

    def open_journal(self) -> None:
        """Open the journal; a run without one is better than none."""
        if self.journal is not None or self.typed.journal == journals.NONE:
            return
        try:
            self.journal = journals.open_journal(self.typed.journal, self.note)
            session = self.session
            journals.check_whose(self.journal, session.connection.place, session.client_id)
        except lox.JournalError as error:
            self.go_on_without(error)

    def _discard_empty_journal(self) -> None:
        """Leave no journal behind of a run that was none."""
        journal = self.journal
        if journal is None or self.typed.journal is not None or self.typed.resume is not None:
            return
        if not len(self.report) or not self.began():
            self.journal = None
            with suppress(OSError):
                journal.path.unlink()

    async def with_journal(
        self, call: "Callable[[lox.CancelJournal | None], Awaitable[object]]"
    ) -> None:
        """Call with the journal; if that cannot be written, without.

        Raises:
            CommandError: the run is to go on in that very journal, and nothing has been sent.
        """
        try:
            await call(self.journal)
        except lox.JournalError as error:
            if self.typed.resume is not None and not self._has_sent:
                raise journals.refused(error) from error
            self.go_on_without(error)
            await call(None)

    def go_on_without(self, error: "lox.JournalError") -> None:
        """Say that there is no journal."""
        self.journal = None
        self.session.tell(f"{journals.describe(error)}; the run goes on without it.", "yellow")

    async def cancel(self, ids: Iterable[str] | AsyncIterable[str]) -> None:
        """Cancel bulks."""
        client, report = self.session.client, self.report
        await self.with_journal(
            lambda journal: client.cancel_bulks(
                ids, report=report, progress=self.take, journal=journal
            )
        )

    async def look(self) -> None:
        """Look again at what is accepted or unknown; with ``--keep-trying`` cancel it first."""
        if self.typed.keep_trying:
            await cancel_what_failed(self)
        self.progress.end_sending()
        await look_again(self)
        if self.typed.wait:
            await wait_until_stopped(self)

    def take(self, outcome: "lox.CancelOutcome") -> None:
        """Take an outcome: count it, and write it."""
        before = self.tally.take(outcome)
        self._has_sent |= outcome.attempts > 0
        if before is None:
            self.progress.count(outcome)
        else:
            self.progress.move(before, outcome.state)
            self.progress.done += before in _OPEN and outcome.state not in _OPEN
        self._out.put(_record(outcome))

    def take_look(self, outcome: "lox.CancelOutcome", before: "lox.CancelState") -> None:
        """Take what a look found."""
        if outcome.state is before:
            return
        self.tally.take(outcome)
        self.progress.move(before, outcome.state)
        self.progress.done += self.typed.resume is not None and outcome.state not in _OPEN
        self._out.put(_record(outcome))

    def take_bad(self, entry: Entry) -> None:
        """Take a line that holds no id."""
        self._bad.append(entry)
        self._out.put(_bad_record(entry))

    # --- at the end

    def _say_nothing_done(self, *, interrupted: bool) -> ExitCode:
        self._out.end(())
        if interrupted:
            say(self.session.alarm, "Interrupted: nothing was cancelled.")
            return ExitCode.INTERRUPTED
        if self.broken is not None:
            said = f"{self.session.explain(self.broken)} Nothing was cancelled."
            raise CommandError(said, code_of(self.broken)) from self.broken
        return ExitCode.DONE

    def _end(self, *, interrupted: bool) -> ExitCode:
        session, report = self.session, self.report
        rest = self._rest()
        # Records first: a terminal that has gone refuses all that follows.
        for outcome in rest:
            if not self.tally.is_told(outcome.bulk_id, outcome.state):
                self._out.put(_record(outcome))
        if self.typed.output is Output.JSON:
            self._out.end(self._all_records())

        end = outcomes.Run(
            rest,
            len(self._bad),
            interrupted,
            canceled=report.counts[lox.CancelState.CANCELED],
        )
        code = end.exit_code
        if self.broken is not None and not interrupted:
            code = code_of(self.broken)
        console = session.console
        if self.listed and self._bad:
            outcomes.say_bad_lines(session.alarm, self._bad)
        say(console)
        console.print(
            outcomes.closing_table(
                end,
                self.progress.seconds,
                (self.tally.sent, self.progress.sending_seconds),
            )
        )
        if saved := self._saved():
            say(console, saved)
        for line in (*self.progress.notes, *self.progress.looks_told()):
            say(console, line)
        say(console)
        if end.exit_code is ExitCode.NOT_ALL:  # else one reason holds for all
            outcomes.say_others(console, end)
        self._say_verdict(end)
        problem = self._out.problem()
        if problem is not None:
            where = "" if self.journal is None else f" The journal has them: {self.journal.path}"
            session.tell(problem + where, "red")
        return code

    def _say_verdict(self, end: outcomes.Run) -> None:
        session = self.session
        session.say_end(end)
        if self.unheard:
            session.tell(
                "Its listing or its input had not come to an end: what it had not read is not in"
                " here. Run that line again, too.",
                "yellow",
            )
        if isinstance(self.broken, lox.ClientClosedError):  # by Ctrl-C
            session.tell(
                "The listing had not come to its end. Run the same line again, too.", "red"
            )
        elif end.interrupted and self.listed:
            session.tell("There may be more in the listing or the input. Run the line again, too.")
        elif self.broken is not None:
            session.tell(
                f"The listing broke off: {session.explain(self.broken)} What was found is told"
                " above; there may be more. Run the same line again.",
                "red",
            )
        unfinished = self.report.unfinished()
        journal, named = self.journal, set[str]()
        if journal is not None:
            named = set(unfinished)
            if journal.error is not None:
                session.tell(f"{journals.describe(journal.error)}; it may lack a part.", "yellow")
                named &= journals.unfinished_in(journal.path)
        if named and journal is not None:
            lacking = len(unfinished) - len(named)
            session.tell(
                f"{plural(len(unfinished), 'bulk')} unfinished; the journal names"
                + (" each. To go on:" if not lacking else f" {len(named):,} of them. To go on:")
            )
            line = f"  lox24 cancel --resume {outcomes.as_word(str(journal.path))}"
            session.tell(line, to_copy=True)
            if lacking:
                session.tell("For the others run the same line again, too.")
        elif unfinished and (self.listed or journal is not None):
            without = "there is no journal" if journal is None else "the journal names none"
            session.tell(f"{plural(len(unfinished), 'bulk')} unfinished, and {without}.")
        session.tell_elsewhere(stdout_is_free=self.typed.output is Output.TABLE)

    def _rest(self) -> list["lox.CancelOutcome"]:
        """Return what is not cancelled; of ids that were known beforehand in their order."""
        report, not_sent = self.report, lox.CancelState.NOT_SENT
        ids = dict.fromkeys(self.planned)
        ids.update(dict.fromkeys((*self.tally.not_cancelled, *report.unfinished())))
        found = (
            report[bulk_id] if bulk_id in report else lox.CancelOutcome(bulk_id, not_sent)
            for bulk_id in ids
        )
        return [outcome for outcome in found if outcome.state is not lox.CancelState.CANCELED]

    def _all_records(self) -> Iterator[records.Record]:
        for bulk_id in self.planned:
            if bulk_id in self.report:
                yield _record(self.report[bulk_id])
            else:
                yield _record(lox.CancelOutcome(bulk_id, lox.CancelState.NOT_SENT))
        if not self.planned:
            yield from map(_record, self.report.outcomes)
        yield from map(_bad_record, self._bad)

    def _saved(self) -> str:
        """Say how much was stopped, as far as LOX24 told."""
        tally = self.tally
        if not tally.messages and tally.cost is None:
            return ""
        cost = "" if tally.cost is None else f", {money(tally.cost)} in the account's currency"
        more = f" ({plural(tally.uncounted, 'bulk')} not counted)" if tally.uncounted else ""
        return f"Stopped: at most {plural(tally.messages, 'message')}{cost}{more}."


def _record(outcome: "lox.CancelOutcome") -> records.Record:
    bulk = outcome.bulk
    return {
        "bulk_id": outcome.bulk_id,
        "state": outcome.state.value,
        "status_code": None if bulk is None else int(bulk.status_code),
        "attempts": outcome.attempts,
        **records.error_fields(outcome.error),
        "request_id": outcome.request_id,
    }


def _bad_record(line: Entry) -> records.Record:
    nothing: records.Record = dict.fromkeys(FIELDS)
    said = f"{line.where}: {line.problem}"
    return nothing | {"state": lox.CancelState.REJECTED.value, "attempts": 0, "error": said}
