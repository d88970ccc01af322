"""A run that was not finished is taken up, by its journal."""

from typing import Final

import lox24_async as lox
from lox24_async.cli import journals
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.telling.tables import say

from .job import Job
from .looking import look, wait_until_stopped
from .typed import CancelOptions

_WHILE: Final = 10.0  # seconds that an accepted cancel gets before it is repeated


def cancel_resumed(ids: tuple[str, ...], typed: CancelOptions) -> ExitCode:
    """Go on with a run.

    Raises:
        CommandError: there is none that can be gone on with.
    """
    others = typed.file is not None or typed.matching or typed.filters.given or typed.everything
    if ids or others or typed.keeps_on:
        raise CommandError("--resume goes on with the bulks of its journal; name no others.")
    if typed.journal is not None or typed.dry_run:
        raise CommandError("--resume goes on in its journal: leave out --journal and --dry-run.")
    session = typed.open_session()
    journal = journals.open_again(
        typed.resume or "", typed.connection.place, session.client_id, journals.RESUMED
    )
    report = journal.report
    say(session.console, f"Going on with {journal.path}")
    if not report.unfinished():
        say(session.console, "Nothing in it is unfinished.")
    job = Job(session, typed, report, total=None, note="")
    job.take_what_is_known()
    job.unheard = journals.is_cut_short(journal.runs)
    job.journal = journal
    job.began = lambda: True

    async def work() -> None:
        await look(job)
        accepted = lox.CancelState.ACCEPTED
        again = [i for i in report.unfinished() if report[i].state is not accepted]
        if again:
            await job.cancel(again)
        await wait_until_stopped(job, _WHILE)
        still = [i for i in report.unresolved() if report[i].state is accepted]
        if still and not job.progress.stopped.is_set():
            await job.cancel(still)
        await job.look()

    return job.run(work)
