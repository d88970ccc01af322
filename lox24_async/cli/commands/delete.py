"""``lox24 delete``."""

from contextlib import suppress
from typing import Final

from lox24_async import CancelOutcome, CancelState, ClientClosedError, NotFoundError
from lox24_async.cli import options
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.reading.answers import confirm
from lox24_async.cli.reading.ids import Ids, read_ids
from lox24_async.cli.running import CallEach, Session, finish, run_out
from lox24_async.cli.telling.outcomes import Run, say_bad_lines, say_others
from lox24_async.cli.telling.progress import STOPPING, Progress
from lox24_async.cli.telling.records import Record, RecordStream, error_fields
from lox24_async.cli.telling.tables import say, say_some
from lox24_async.cli.text import plural


def delete(
    *ids: options.IdArgument,
    file: options.IdFile = None,
    yes: options.Yes = False,
    output: options.Listing = options.Output.TABLE,
    connection: options.Connection = options.DEFAULT_CONNECTION,
) -> ExitCode:
    """Delete, and tell what came of each bulk.

    Args:
        ids: Bulks.
        file: Read ids from FILE (-: from stdin): one a line, CSV, or NDJSON, as cancel does.
        yes: Do not ask.
        output: What to write to stdout: a record for each bulk, or nothing.
    """

    def work() -> ExitCode:
        named = read_ids(ids, file, "lox24 delete")
        session = Session(connection)
        say_bad_lines(session.alarm, named.bad)
        if not named.good:
            say(session.alarm, "There is no id left; nothing was deleted.", "red")
            return ExitCode.NOT_ALL
        if not yes and not _is_meant(session, named.good):
            say(session.alarm, "Nothing was deleted.")
            return ExitCode.NOT_ALL
        return _delete(session, named, output)

    return finish(work, debug=connection.debug)


def _is_meant(session: Session, ids: tuple[str, ...]) -> bool:
    say(session.alarm, "This cannot be undone, and it is no cancel: cancel what is being sent.")
    say_some(session.alarm, ids, "", indent="  ")
    return confirm(f"Delete {plural(len(ids), 'bulk')} for good?")


class _Progress(Progress):
    """Of a command without a bar."""

    def __init__(self, session: Session, total: int) -> None:
        super().__init__(total)
        self._session = session

    def stop(self) -> None:
        super().stop()
        with suppress(OSError):  # the terminal may have gone
            say(self._session.console, f"Stopping: {STOPPING}.")


def _delete(session: Session, ids: Ids, output: options.Output) -> ExitCode:
    progress, interrupted = _Progress(session, len(ids.good)), False

    def done(bulk_id: str) -> bool:
        progress.count(_outcome(bulk_id, calls))
        return progress.stopped.is_set() or progress.in_vain.is_set()

    calls = CallEach(session.client.delete_bulk, done)

    try:
        session.run(run_out(calls.run(ids.good)), progress=progress)
    except KeyboardInterrupt:
        interrupted = True
    outcomes = [_outcome(bulk_id, calls) for bulk_id in ids.good]
    out = RecordStream(output, _FIELDS)
    for outcome in outcomes:
        out.put(_record(outcome))
    out.end(map(_record, outcomes))
    end = Run(outcomes, len(ids.bad), interrupted, verb="delete", done="deleted")
    say_others(session.alarm, end)
    session.say_end(end)
    if (problem := out.problem()) is not None:
        session.tell(problem, "red")
    session.tell_elsewhere(stdout_is_free=output is options.Output.TABLE)
    return end.exit_code


def _outcome(bulk_id: str, calls: CallEach[None]) -> CancelOutcome:
    """Judge a delete; CANCELED stands for deleted."""
    if bulk_id not in calls.results:
        begun = bulk_id in calls.begun
        return CancelOutcome(bulk_id, CancelState.UNKNOWN if begun else CancelState.NOT_SENT)
    error = calls.results[bulk_id]
    if error is None:
        return CancelOutcome(bulk_id, CancelState.CANCELED)
    state = CancelState.REJECTED
    if error.outcome_unknown:
        state = CancelState.UNKNOWN
    elif isinstance(error, ClientClosedError):  # the run had ended before it was its turn
        return CancelOutcome(bulk_id, CancelState.NOT_SENT)
    elif isinstance(error, NotFoundError):
        state = CancelState.NOT_FOUND
    elif not error.attempts:
        state = CancelState.NOT_SENT
    return CancelOutcome(bulk_id, state, error=error)


_FIELDS: Final = ("bulk_id", "state", "error", "request_id")


def _record(outcome: CancelOutcome) -> Record:
    deleted = outcome.state is CancelState.CANCELED
    state = "deleted" if deleted else outcome.state.value
    return {"bulk_id": outcome.bulk_id, "state": state, **error_fields(outcome.error)}
