"""What meets a filter: shown, asked about, and cancelled; once, or for a while."""

import asyncio
import os
import shlex
import threading
from collections.abc import Awaitable, Callable
from typing import TextIO

import lox24_async as lox
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.reading.answers import ask, person
from lox24_async.cli.reading.filters import make_filter
from lox24_async.cli.reading.moments import read_span
from lox24_async.cli.telling import records
from lox24_async.cli.telling.matches import say_matches
from lox24_async.cli.telling.progress import Progress, ProgressDisplay
from lox24_async.cli.telling.tables import say
from lox24_async.cli.text import plural

from .job import Job
from .outlasting import is_outage, outlast
from .typed import CancelOptions

_LARGEST_FIRST = lox.BulkOrder("msg_total_count", descending=True)


def wanted_of(ids: tuple[str, ...], typed: CancelOptions) -> "lox.BulkFilter | None":
    """Return the filter of ``--matching``; ``None``: bulks are named.

    Raises:
        CommandError: the options do not go together.
    """
    given = typed.filters.given
    if not typed.matching:
        if given or typed.everything or typed.keeps_on:
            raise CommandError(
                "Filters, --all, --for and --until-quiet need --matching; nothing was sent."
                if typed.keeps_on
                else "Filters and --all need --matching; nothing was sent."
            )
        return None
    if ids or typed.file is not None:
        raise CommandError("Name bulks by their ids or with --matching, not both.")
    if not (given or typed.everything):
        raise CommandError(
            "--matching without a filter means every bulk of the account."
            " Name a filter, or add --all if you mean that."
        )
    token = os.environ.get("LOX24_AUTH_TOKEN")
    if token and any(token in word for word in typed.filters.words):
        raise CommandError("A filter holds the token: it would stand in the journal.")
    if given and typed.everything:
        raise CommandError("--all means no filter; leave out one of the two.")
    wanted = make_filter(typed.filters)
    stoppable = {lox.BulkStatus.NEW, lox.BulkStatus.IN_PROGRESS}
    if wanted.status_codes and not stoppable & {*wanted.status_codes}:
        raise CommandError("--status: only bulks that are new or in-progress can be stopped.")
    return wanted


def cancel_matching(wanted: "lox.BulkFilter", typed: CancelOptions) -> ExitCode:
    """Cancel what meets a filter."""
    if typed.dry_run:
        return _only_look(wanted, typed)
    if typed.yes:
        return _Matching(wanted, typed, None).run()
    with person("Add --yes to cancel unasked, or --dry-run to look.") as keyboard:
        return _Matching(wanted, typed, keyboard).run()


class _Matching:
    def __init__(
        self, wanted: "lox.BulkFilter", typed: CancelOptions, keyboard: TextIO | None
    ) -> None:
        self._wanted = wanted
        self._typed = typed
        self._keyboard = keyboard
        self._report = lox.MatchReport()
        note = f"lox24 cancel --matching {words_of(typed)}"
        self._job = job = Job(typed.open_session(), typed, self._report, total=None, note=note)
        job.listed = True
        job.began = lambda: not self._looking and len(self._report) > 0
        self._looking = keyboard is not None
        self._refused = False
        job.progress.phase = "searching" if self._looking else "cancelling"

    def run(self) -> ExitCode:
        job = self._job
        code = job.run(self._keep_on if self._typed.keeps_on else self._cancel)
        if self._refused:
            say(job.session.alarm, "Nothing was cancelled.")
            return ExitCode.NOT_ALL
        if not job.began() and code is ExitCode.DONE and not self._looking:
            say_matches(job.session.console, self._report)
        return code

    async def _cancel(self) -> None:
        job, report = self._job, self._report
        job.open_journal()

        def take(outcome: "lox.CancelOutcome") -> None:
            if self._looking:
                job.progress.done += 1
            else:
                job.take(outcome)

        async def call(journal: "lox.CancelJournal | None") -> None:
            await job.session.client.cancel_matching(
                self._wanted,
                order=_LARGEST_FIRST,
                confirm=None if self._keyboard is None else self._confirm,
                report=report,
                progress=take,
                journal=journal,
            )

        await self._list_and_cancel(call)
        self._note_left_alone()
        if job.began():
            await job.look()

    async def _list_and_cancel(
        self, call: "Callable[[lox.CancelJournal | None], Awaitable[None]]"
    ) -> None:
        """Call; with ``--keep-trying`` again behind an outage, unless somebody has been asked."""
        job = self._job
        while not job.progress.stopped.is_set():
            try:
                await job.with_journal(call)
            except lox.CancelFailedError as error:
                self._note_broken(error)
            broken, asked = job.broken, self._keyboard is not None and len(self._report) > 0
            if broken is None or asked or not self._typed.keep_trying or not is_outage(broken):
                return
            await outlast(job)
            job.broken = None

    def _note_left_alone(self) -> None:
        """Say of how many bulks nobody was asked: what came since, as far as they tell when."""
        left = self._report.bulks - len(self._report)
        if left and not (self._looking or self._refused or self._job.broken):
            self._job.progress.notes.append(
                f"{plural(left, 'bulk')} left alone: as new as the newest one shown, or newer, or"
                " without a time of creation. To stop what is left, run the same line again."
            )

    async def _keep_on(self) -> None:
        """Cancel what meets the filter, for a time."""
        job, typed = self._job, self._typed
        duration = None if typed.lasting is None else read_span(typed.lasting, "--for")
        quiet = None if typed.until_quiet is None else read_span(typed.until_quiet, "--until-quiet")
        client = job.session.client
        try:
            if self._keyboard is not None:
                seen = lox.MatchReport()
                try:
                    await client.cancel_matching(
                        self._wanted, dry_run=True, report=seen, progress=self._count_found
                    )
                except lox.CancelFailedError as error:
                    self._note_broken(error)
                    if not len(seen):
                        return
                if not await self._confirm(seen):
                    return
            job.broken = None
            job.open_journal()
            job.progress.phase = "cancelling what comes"
            await job.with_journal(
                lambda journal: client.keep_canceling(
                    self._wanted,
                    duration=duration,
                    quiet=quiet,
                    report=self._report,
                    progress=job.take,
                    journal=journal,
                )
            )
        except lox.CancelFailedError as error:
            self._note_broken(error)
        if job.began():
            await job.look()

    def _count_found(self, _: object) -> None:
        self._job.progress.done += 1

    def _note_broken(self, error: "lox.CancelFailedError") -> None:
        cause = error.__cause__
        self._job.broken = cause if isinstance(cause, lox.Lox24Error) else error

    async def _confirm(self, report: "lox.MatchReport") -> bool:
        """Show what was found, and ask."""
        job, progress, keyboard = self._job, self._job.progress, self._keyboard
        count = len(report)
        if (not count and not self._typed.keeps_on) or keyboard is None:
            if not progress.stopped.is_set():
                await progress.hide()
                say_matches(job.session.alarm, report)
            return False
        await progress.hide()
        say_matches(job.session.alarm, report)
        say(job.session.alarm, "A cancel cannot be undone.", "bold")
        gone = threading.Event()
        question = self._question(count)
        answer = asyncio.ensure_future(asyncio.to_thread(ask, question, keyboard, gone.is_set))
        try:
            agreed = await asyncio.shield(answer)
        except asyncio.CancelledError:
            gone.set()
            await asyncio.wait({answer}, timeout=1)
            raise
        self._refused = not agreed
        if agreed:
            self._looking = False
            progress.begin_again(None if self._typed.keeps_on else report.bulks)
        return agreed

    def _question(self, count: int) -> str:
        what = "it" if count == 1 else f"these {count:,}"
        if not self._typed.keeps_on:
            return f"Cancel {what}?"
        rest = "until nothing new comes for " + (self._typed.until_quiet or "")
        if self._typed.lasting is not None:
            rest = f"for {self._typed.lasting}"
        now = f"Cancel {what}, and" if count else "Cancel"
        return f"{now} what else meets the filter, {rest}?"


def _only_look(wanted: "lox.BulkFilter", typed: CancelOptions) -> ExitCode:
    """Show what would be cancelled."""
    session, report = typed.open_session(), lox.MatchReport()
    progress = Progress(None, phase="searching")
    progress.in_order = lambda: False

    def count(_: object) -> None:
        progress.done += 1

    async def look() -> None:
        try:
            await session.client.cancel_matching(
                wanted, dry_run=True, report=report, progress=count
            )
        except lox.CancelFailedError as error:
            cause = error.__cause__
            raise (cause if isinstance(cause, lox.Lox24Error) else error) from None

    display = ProgressDisplay(session.console, progress, pause=lambda: session.client.pause)
    try:
        session.run(look(), display, progress)
    except KeyboardInterrupt:
        say(session.alarm, "Interrupted: nothing was cancelled.")
        return ExitCode.INTERRUPTED
    except CommandError as error:
        raise CommandError(f"{error} Nothing was cancelled.", error.code) from error
    bulks = [outcome.bulk for outcome in report.outcomes if outcome.bulk is not None]
    say_matches(session.console, report)
    records.write_records(typed.output, records.BULK_COLUMNS, map(records.record, bulks))
    return ExitCode.DONE


def words_of(typed: CancelOptions) -> str:
    """Return the filters as they were typed, for the journal."""
    given = typed.filters.words
    return shlex.join(given) if given else "--all"
