"""``lox24 cancel``, as it is done."""

import sys
from contextlib import suppress

from rich.console import Console

from lox24_async import BulkFilter
from lox24_async.cli.asking import ask, person
from lox24_async.cli.cancelling import Job, cancel
from lox24_async.cli.console import make_console, say
from lox24_async.cli.failures import code_of
from lox24_async.cli.ids import Ids
from lox24_async.cli.inputs import read_ids
from lox24_async.cli.matches import Search, list_bulks, search, summary
from lox24_async.cli.options import CommandError, ExitCode, Output
from lox24_async.cli.records import ReaderGoneError, form_of, write_out, written
from lox24_async.cli.result import list_bad_lines
from lox24_async.cli.words import plural

__all__ = ["Job", "run"]


def run(job: Job) -> ExitCode:
    """Cancel, and tell what came of it.

    Raises:
        CommandError: wrong usage or settings, nobody to ask, an interrupted or failed
            search; nothing was cancelled.
    """
    wanted = job.wanted()
    return _cancel_named(job) if wanted is None else _cancel_matching(job, wanted)


def _cancel_named(job: Job) -> ExitCode:
    client = job.connect()
    other = "; or what they have in common: --matching"
    ids = read_ids(job.arguments, job.file, "lox24 cancel", other)
    console = make_console(sys.stderr, quiet=job.setup.quiet)
    list_bad_lines(make_console(sys.stderr), ids.bad)
    if ids.repeated:
        say(console, f"{ids.repeated:,} repeated: each id is cancelled once.")
    if not job.dry_run:
        return cancel(job, client, ids)
    say(
        console,
        f"{plural(len(ids.good), 'cancel')} would go to {job.setup.place}. Nothing was sent.",
    )
    with suppress(ReaderGoneError):
        write_out(written(job.output, ("uuid",), ({"uuid": bulk_id} for bulk_id in ids.good)))
    return ExitCode.NOT_ALL if ids.bad else ExitCode.DONE


def _cancel_matching(job: Job, wanted: BulkFilter) -> ExitCode:
    alarm = make_console(sys.stderr)
    try:
        found, agreed = _choose(job, wanted)
    except KeyboardInterrupt:
        say(alarm, "Interrupted: nothing was cancelled.")
        return ExitCode.INTERRUPTED
    if job.dry_run or not found.ids:
        _write_found(job.output, found)
        return ExitCode.DONE
    if not agreed:
        say(alarm, "Nothing was cancelled.")
        return ExitCode.NOT_ALL
    # What was shown, not what meets the filter by now. A client has one loop: this is another.
    return cancel(job, job.connect(), Ids(found.ids, (), 0))


def _choose(job: Job, wanted: BulkFilter) -> tuple[Search, bool]:
    """Search, and ask where it has to be asked; return the bulks, and whether to cancel them."""
    if job.dry_run or job.yes:
        return _look(job, wanted, make_console(sys.stderr, quiet=job.setup.quiet)), job.yes
    with person("Add --yes to cancel unasked, or --dry-run to look.") as keyboard:
        found = _look(job, wanted, make_console(sys.stderr))
        question = "Cancel it?" if len(found.ids) == 1 else f"Cancel these {len(found.ids):,}?"
        return found, bool(found.ids) and ask(question, keyboard)


def _look(job: Job, wanted: BulkFilter, place: Console) -> Search:
    """Search, and show what was found."""
    progress = make_console(sys.stderr, quiet=job.setup.quiet)
    found = search(job.connect(), wanted, progress, debug=job.setup.debug)
    if found.interrupted:
        raise KeyboardInterrupt
    if found.error is not None:
        told = job.setup.explain(found.error)
        raise CommandError(f"{told} Nothing was cancelled.", code_of(found.error))
    bulks = found.bulks
    list_bulks(place, bulks)
    for sentence in summary(found.report, bulks):
        say(place, sentence)
    return found


def _write_found(output: Output, found: Search) -> None:
    if output is Output.TABLE:
        return  # people have read it on stderr
    form = form_of(output)
    with suppress(ReaderGoneError):
        write_out("".join((form.head, *map(form.row, found.bulks), form.tail)))
