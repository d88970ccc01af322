"""``lox24 cancel``: bulks by their ids, or what meets a filter."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

from attrs import frozen
from cyclopts import Parameter

import lox24_async as lox
from lox24_async.cli import options
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.reading.files import Entry
from lox24_async.cli.reading.filters import NO_FILTER, FilterOptions, make_filter
from lox24_async.cli.reading.ids import Ids, read_ids
from lox24_async.cli.reading.questions import ask, person
from lox24_async.cli.running import PATIENT, Session, finish
from lox24_async.cli.telling import outcomes, records
from lox24_async.cli.telling.matches import say_matches
from lox24_async.cli.telling.progress import Progress, ProgressDisplay
from lox24_async.cli.telling.tables import make_console, say
from lox24_async.cli.telling.unfinished import save_unfinished
from lox24_async.cli.text import plural

_SETTLING: Final = 1.0  # seconds that LOX24 gets before a second look
_PATIENCE: Final = 600.0  # seconds that --wait waits
_FIRST: Final = 2.0  # seconds between its first two looks; later ones come less often
_GROWTH: Final = 1.5
_LONGEST: Final = 30.0


@Parameter("*")
@frozen(kw_only=True)
class CancelOptions:
    """What was typed.

    Args:
        file: Read ids from FILE (-: from stdin): one a line, with # comments; CSV with a
            column uuid; a JSON object with uuid a line; or a JSON array of such.
        matching: Cancel what meets the filters below and can still be stopped. Shows first
            what that is, and asks; no is exit code 1.
        everything: With --matching: every bulk of the account.
        dry_run: Cancel nothing; show what would be cancelled, and write it to stdout in the
            form of --output. Exit code 0.
        yes: Ask nothing. (About ids that you name, nothing is asked anyway.)
        wait: Wait, at most ten minutes, until every bulk whose cancel LOX24 accepted has
            stopped.
        wait_out_block: If LOX24 blocks this IP, wait for the end of the block (ten minutes)
            and go on.
        output: What to write to stdout: one records.record for each bulk, or (table) nothing. The
            table for people goes to stderr.
        max_concurrency: Requests in flight at once. With 3, not even a token revoked in
            mid-run can get this IP blocked.
    """

    file: options.IdFile = None
    matching: bool = False
    everything: Annotated[bool, Parameter("--all")] = False
    dry_run: bool = False
    yes: options.Yes = False
    wait: bool = False
    wait_out_block: bool = False
    output: options.Listing = options.Output.TABLE
    max_concurrency: Annotated[
        int, options.number(at_least=options.AT_LEAST_1), Parameter(group=options.CONNECTION)
    ] = options.MAX_CONCURRENCY
    filters: FilterOptions = NO_FILTER
    connection: options.Connection = options.DEFAULT_CONNECTION

    def open_session(self) -> Session:
        """Make a client, and where to speak."""
        patience = PATIENT if self.wait_out_block else None
        return Session(self.connection, patience, self.max_concurrency)


def cancel(*ids: options.IdArgument, typed: CancelOptions = CancelOptions()) -> ExitCode:
    """Cancel, and tell what came of each bulk.

    Args:
        ids: Bulks to cancel.
    """

    def work() -> ExitCode:
        wanted = _wanted(ids, typed)
        return _cancel_named(ids, typed) if wanted is None else _cancel_matching(wanted, typed)

    return finish(work, debug=typed.connection.debug)


def _wanted(ids: tuple[str, ...], typed: CancelOptions) -> lox.BulkFilter | None:
    """Return the filter of ``--matching``; ``None``: bulks are named.

    Raises:
        CommandError: the options do not go together.
    """
    given = typed.filters.given
    if not typed.matching:
        if given or typed.everything:
            raise CommandError("Filters and --all need --matching; nothing was sent.")
        return None
    if ids or typed.file is not None:
        raise CommandError("Name bulks by their ids or with --matching, not both.")
    if not (given or typed.everything):
        raise CommandError(
            "--matching without a filter means every bulk of the account."
            " Name a filter, or add --all if you mean that."
        )
    if given and typed.everything:
        raise CommandError("--all means no filter; leave out one of the two.")
    wanted = make_filter(typed.filters)
    stoppable = {lox.BulkStatus.NEW, lox.BulkStatus.IN_PROGRESS}
    if wanted.status_codes and not stoppable & {*wanted.status_codes}:
        raise CommandError("--status: only bulks that are new or in-progress can be stopped.")
    return wanted


def _cancel_named(arguments: tuple[str, ...], typed: CancelOptions) -> ExitCode:
    session = typed.open_session()
    other = "; or what they have in common: --matching"
    ids = read_ids(arguments, typed.file, "lox24 cancel", other)
    outcomes.say_bad_lines(session.alarm, ids.bad)
    if ids.repeated:
        say(session.console, f"{ids.repeated:,} repeated: each id is cancelled once.")
    if not typed.dry_run:
        return _cancel(session, ids, typed)
    cancels = plural(len(ids.good), "cancel")
    say(session.console, f"{cancels} would go to {typed.connection.place}. Nothing was sent.")
    records.write_records(typed.output, ("uuid",), ({"uuid": bulk_id} for bulk_id in ids.good))
    return ExitCode.NOT_ALL if ids.bad else ExitCode.DONE


# --- what matches


def _cancel_matching(wanted: lox.BulkFilter, typed: CancelOptions) -> ExitCode:
    alarm = make_console()
    try:
        bulks, agreed = _choose(wanted, typed)
    except KeyboardInterrupt:
        say(alarm, "Interrupted: nothing was cancelled.")
        return ExitCode.INTERRUPTED
    if typed.dry_run or not bulks:
        records.write_records(typed.output, records.BULK_COLUMNS, map(records.record, bulks))
        return ExitCode.DONE
    if not agreed:
        say(alarm, "Nothing was cancelled.")
        return ExitCode.NOT_ALL
    # What was shown, not what meets the filter by now. A client has one loop: this is another.
    ids = Ids(tuple(str(bulk.uuid) for bulk in bulks))
    return _cancel(typed.open_session(), ids, typed)


def _choose(wanted: lox.BulkFilter, typed: CancelOptions) -> tuple[list[lox.Bulk], bool]:
    """Search, and ask where it has to be asked; return the bulks, and whether to cancel them."""
    if typed.dry_run or typed.yes:
        return _search(wanted, typed, asks=False), typed.yes
    with person("Add --yes to cancel unasked, or --dry-run to look.") as keyboard:
        bulks = _search(wanted, typed, asks=True)
        question = "Cancel it?" if len(bulks) == 1 else f"Cancel these {len(bulks):,}?"
        return bulks, bool(bulks) and ask(question, keyboard)


def _search(wanted: lox.BulkFilter, typed: CancelOptions, *, asks: bool) -> list[lox.Bulk]:
    """Find what meets the filter and can be stopped, and show it; stop nothing.

    Raises:
        CommandError: the listing broke off.
        KeyboardInterrupt: somebody stopped it.
    """
    session, report = typed.open_session(), lox.MatchReport()
    progress = Progress(None, phase="searching")

    async def look() -> None:
        try:
            await session.client.cancel_matching(
                wanted, dry_run=True, report=report, progress=progress.count
            )
        except lox.CancelFailedError as error:
            cause = error.__cause__
            raise (cause if isinstance(cause, lox.Lox24Error) else error) from None

    try:
        session.run(look(), _display(session, progress), progress, in_order=False)
    except CommandError as error:
        raise CommandError(f"{error} Nothing was cancelled.", error.code) from error
    bulks = [outcome.bulk for outcome in report.outcomes if outcome.bulk is not None]
    say_matches(session.alarm if asks else session.console, report, bulks)
    return bulks


def _display(session: Session, progress: Progress) -> ProgressDisplay:
    return ProgressDisplay(session.console, progress, pause=lambda: session.client.pause)


# --- cancelling


def _cancel(session: Session, ids: Ids, typed: CancelOptions) -> ExitCode:
    console, alarm = session.console, session.alarm
    report, progress = lox.CancelReport(), Progress(len(ids.good))
    interrupted = False
    try:
        work = _work(session.client, ids.good, report, progress, wait=typed.wait)
        session.run(work, _display(session, progress), progress)
    except KeyboardInterrupt:
        interrupted = True
    not_sent = lox.CancelState.NOT_SENT
    results = [
        report[bulk_id] if bulk_id in report else lox.CancelOutcome(bulk_id, not_sent)
        for bulk_id in ids.good
    ]

    # Files and records first: a terminal that has gone refuses all that follows.
    unfinished = [result.bulk_id for result in results if outcomes.is_unfinished(result)]
    keep = unfinished and (interrupted or typed.matching or typed.file == "-")
    rest = save_unfinished(unfinished) if keep else None
    records.write_records(typed.output, _FIELDS, _records(results, ids.bad))

    end = outcomes.Run(results, len(ids.bad), interrupted)
    say(console)
    console.print(outcomes.closing_table(end, progress.seconds))
    say(console)
    if end.exit_code is ExitCode.NOT_ALL:  # else one reason holds for all
        outcomes.say_others(console, end)
    session.say_end(end)
    if rest is not None:
        say(alarm, f"The {len(unfinished):,} unfinished ids are in a file. To go on:")
        say(alarm, f"  lox24 cancel --file {rest}")
    return end.exit_code


_FIELDS: Final = ("bulk_id", "state", "status_code", "attempts", "error", "request_id")


def _records(
    results: Iterable[lox.CancelOutcome], bad: Iterable[Entry]
) -> Iterator[records.Record]:
    """Give a record for each bulk, in input order, and for each bad line."""
    for outcome in results:
        bulk = outcome.bulk
        yield {
            "bulk_id": outcome.bulk_id,
            "state": outcome.state.value,
            "status_code": None if bulk is None else int(bulk.status_code),
            "attempts": outcome.attempts,
            **records.error_fields(outcome.error),
        }
    for line in bad:
        said = f"{line.where}: {line.problem}"
        nothing: records.Record = dict.fromkeys(_FIELDS)
        yield nothing | {"state": lox.CancelState.REJECTED.value, "attempts": 0, "error": said}


async def _work(
    client: "lox.Lox24Client",
    ids: tuple[str, ...],
    report: lox.CancelReport,
    progress: Progress,
    *,
    wait: bool,
) -> None:
    await client.cancel_bulks(ids, report=report, progress=progress.count)
    doubtful = report.unresolved()
    if doubtful and not progress.stopped.is_set():
        progress.phase = f"looking again at {len(doubtful):,}"
        await progress.sleep(_SETTLING)
        await _look_again(client, report, progress)
    if wait:
        await _wait(client, report, progress)


async def _wait(client: "lox.Lox24Client", report: lox.CancelReport, progress: Progress) -> None:
    """Look until every bulk whose cancel was accepted is in a final state."""
    clock = asyncio.get_running_loop().time
    end, pause = clock() + _PATIENCE, _FIRST
    while accepted := report.counts[lox.CancelState.ACCEPTED]:
        left = end - clock()
        if progress.stopped.is_set() or left <= 0:
            return
        progress.phase = f"waiting for {accepted:,} to stop"
        await progress.sleep(min(pause, left))
        await _look_again(client, report, progress)
        pause = min(pause * _GROWTH, _LONGEST)


async def _look_again(
    client: "lox.Lox24Client", report: lox.CancelReport, progress: Progress
) -> None:
    if progress.stopped.is_set():
        return
    before = {bulk_id: report[bulk_id].state for bulk_id in report.unresolved()}

    def settle(outcome: lox.CancelOutcome) -> None:
        progress.move(before[outcome.bulk_id], outcome.state)

    await client.resolve(report, progress=settle)
