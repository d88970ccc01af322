"""``lox24 runs``."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

from lox24_async import CancelJournal, CancelState, JournalError
from lox24_async._printable import printable
from lox24_async.cli import journals
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.options import AT_LEAST_1, Debug, Listing, Output, number
from lox24_async.cli.running import finish
from lox24_async.cli.telling.outcomes import label_of
from lox24_async.cli.telling.records import ReaderGoneError, Record, write_out, write_records
from lox24_async.cli.telling.tables import make_console, say
from lox24_async.cli.text import local

_COLUMNS: Final = (
    *("started", "finished", "unfinished", *(state.value for state in CancelState)),
    *("client_id", "origin", "note", "file"),
)


def runs(
    *,
    limit: Annotated[int, number(at_least=AT_LEAST_1)] = 20,
    output: Listing = Output.TABLE,
    debug: Debug = False,
) -> ExitCode:
    """List the journals, the newest first.

    Args:
        limit: Stop after N.
        output: How to write them to stdout: lines for people, or records.
    """

    def work() -> ExitCode:
        found = _records(limit)
        if output is not Output.TABLE:
            write_records(output, _COLUMNS, found)
            return ExitCode.DONE
        lines = [line for record in found for line in _lines(record)]
        with suppress(ReaderGoneError):
            write_out("".join(f"{line}\n" for line in lines))
        if not lines:
            say(make_console(sys.stderr), "There is no journal of a run.")
        return ExitCode.DONE

    return finish(work, debug=debug)


def _records(limit: int) -> Iterator[Record]:
    found = (record for path in journals.kept() if (record := _read(path)) is not None)
    yield from islice(found, limit)


def _read(path: Path) -> Record | None:
    try:
        report, found = CancelJournal.read(path), CancelJournal.runs_of(path)
    except JournalError as error:
        return {"file": str(path), "note": error.message}
    if not found:
        return None
    unfinished = len(report.unfinished())
    return {
        "started": None if found[0].started is None else found[0].started.isoformat(),
        "finished": not unfinished and not journals.lacks(found, report),
        "unfinished": unfinished,
        **{state.value: count for state, count in report.counts.items()},
        "client_id": found[0].client_id,
        "origin": found[0].origin,
        "note": found[0].note,
        "file": str(path),
    }


def _lines(record: Record) -> Iterator[str]:
    if "started" not in record:
        yield f"?  {printable(record['note'])}"
    else:
        all_runs = CancelJournal.runs_of(record["file"])
        when = "?" if all_runs[0].started is None else local(all_runs[0].started)
        counts = [
            f"{record[state.value]:,} {label_of(state)}"
            for state in CancelState
            if record[state.value]
        ]
        end = "finished" if record["finished"] else "a part is MISSING, for a write failed"
        if record["unfinished"]:
            end = f"{record['unfinished']:,} UNFINISHED"
        elif record["finished"] and journals.is_cut_short(all_runs):
            end = "finished, but its listing or input was NOT read to the end"
        yield f"{when}  {end}: {', '.join(counts) or 'nothing found'}"
        if record["note"]:
            yield f"  {printable(record['note'])}"
    yield f"  {record['file']}"
