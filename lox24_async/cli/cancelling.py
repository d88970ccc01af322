"""``lox24 cancel``: what was typed, and the run: cancel, look again, wait, tell what came of it."""

import asyncio
import sys
from contextlib import suppress
from typing import Final

from attrs import frozen

from lox24_async import (
    BulkFilter,
    BulkStatus,
    CancelOutcome,
    CancelReport,
    CancelState,
    Lox24Client,
    RetryPolicy,
)

from . import leftover
from .connect import PATIENT, Setup
from .console import make_console, say
from .filters import FilterWords, make_filter
from .ids import Ids
from .options import CommandError, ExitCode, Output
from .progress import Display
from .records import ReaderGoneError, write_out, written
from .result import FIELDS, closing_table, list_others, records
from .running import carry_out, nap
from .tally import Tally
from .verdict import Run, exit_code, is_unfinished, sentences

_SETTLING: Final = 1.0  # seconds that LOX24 gets before a second look
_PATIENCE: Final = 600.0  # seconds that --wait waits
_FIRST: Final = 2.0  # seconds between its first two looks; later ones come less often
_GROWTH: Final = 1.5
_LONGEST: Final = 30.0


@frozen(kw_only=True)
class Job:
    """What was typed."""

    arguments: tuple[str, ...]
    file: str | None = None
    matching: bool
    everything: bool
    words: FilterWords
    dry_run: bool
    yes: bool
    wait: bool
    wait_out_block: bool
    output: Output
    setup: Setup

    def wanted(self) -> BulkFilter | None:
        """Return the filter of ``--matching``; ``None``: bulks are named.

        Raises:
            CommandError: the options do not go together.
        """
        if not self.matching:
            if self.words.given or self.everything:
                raise CommandError("Filters and --all need --matching; nothing was sent.")
            return None
        if self.arguments or self.file is not None:
            raise CommandError("Name bulks by their ids or with --matching, not both.")
        if not (self.words.given or self.everything):
            raise CommandError(
                "--matching without a filter means every bulk of the account."
                " Name a filter, or add --all if you mean that."
            )
        if self.words.given and self.everything:
            raise CommandError("--all means no filter; leave out one of the two.")
        wanted = make_filter(self.words)
        stoppable = {BulkStatus.NEW, BulkStatus.IN_PROGRESS}
        if wanted.status_codes and not stoppable & {*wanted.status_codes}:
            raise CommandError("--status: only bulks that are new or in-progress can be stopped.")
        return wanted

    def connect(self) -> Lox24Client:
        """Make a client.

        Raises:
            CommandError: a setting cannot work.
        """
        return self.setup.connect(PATIENT if self.wait_out_block else RetryPolicy())


def cancel(job: Job, client: Lox24Client, ids: Ids) -> ExitCode:
    """Cancel bulks, and tell what came of each.

    Args:
        job: What was typed.
        client: Closed afterwards.
        ids: What to cancel.
    """
    console = make_console(sys.stderr, quiet=job.setup.quiet)
    alarm = make_console(sys.stderr)  # for what --quiet shows, too
    report, tally = CancelReport(), Tally(len(ids.good))
    display = Display(console, tally, pause=lambda: client.pause)
    work = _work(client, ids.good, report, tally, wait=job.wait)
    interrupted = carry_out(client, work, tally, display, debug=job.setup.debug)
    outcomes = [
        report[bulk_id] if bulk_id in report else CancelOutcome(bulk_id, CancelState.NOT_SENT)
        for bulk_id in ids.good
    ]

    # Files and records first: a terminal that has gone refuses all that follows.
    unfinished = [outcome.bulk_id for outcome in outcomes if is_unfinished(outcome)]
    keep = unfinished and (interrupted or job.matching or job.file == "-")
    rest = leftover.save(unfinished) if keep else None
    with suppress(ReaderGoneError):
        write_out(written(job.output, FIELDS, records(outcomes, ids.bad)))

    end = Run(outcomes, len(ids.bad), interrupted)
    code = exit_code(end)
    say(console)
    console.print(closing_table(end, tally.seconds))
    say(console)
    list_others(console, end)
    for sentence in sentences(end, job.setup.place, job.setup.token_source):
        say(alarm if code else console, sentence, "red" if code else "green")
    if rest is not None:
        say(alarm, f"The {len(unfinished):,} unfinished ids are in a file. To go on:")
        say(alarm, f"  lox24 cancel --file {rest}")
    return code


# --- the run


async def _work(
    client: Lox24Client, ids: tuple[str, ...], report: CancelReport, tally: Tally, *, wait: bool
) -> None:
    await client.cancel_bulks(ids, report=report, progress=tally.count)
    doubtful = report.unresolved()
    if doubtful and not tally.stopped:
        tally.phase = f"looking again at {len(doubtful):,}"
        await nap(tally, _SETTLING)
        await _look_again(client, report, tally)
    if wait:
        await _wait(client, report, tally)


async def _wait(client: Lox24Client, report: CancelReport, tally: Tally) -> None:
    """Look until every bulk whose cancel was accepted is in a final state."""
    clock = asyncio.get_running_loop().time
    end, pause = clock() + _PATIENCE, _FIRST
    while accepted := report.counts[CancelState.ACCEPTED]:
        left = end - clock()
        if tally.stopped or left <= 0:
            return
        tally.phase = f"waiting for {accepted:,} to stop"
        await nap(tally, min(pause, left))
        await _look_again(client, report, tally)
        pause = min(pause * _GROWTH, _LONGEST)


async def _look_again(client: Lox24Client, report: CancelReport, tally: Tally) -> None:
    if tally.stopped:
        return
    before = {bulk_id: report[bulk_id].state for bulk_id in report.unresolved()}

    def settle(outcome: CancelOutcome) -> None:
        tally.move(before[outcome.bulk_id], outcome.state)

    await client.resolve(report, progress=settle)
