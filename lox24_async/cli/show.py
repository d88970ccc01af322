"""The result: a table and sentences for people, records for machines."""

import csv
import json
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lox24_async import APIStatusError, CancelOutcome, CancelState, ResponseDecodeError

from .ids import BadLine
from .options import Output
from .verdict import LABELS, ONE_REASON, Run, exit_code, is_unfinished, meaning, reason

COLOURS: Final = {
    CancelState.CANCELED: "green",
    CancelState.ACCEPTED: "cyan",
    CancelState.TOO_LATE: "yellow",
    CancelState.NOT_FOUND: "yellow",
    CancelState.REJECTED: "red",
    CancelState.NOT_SENT: "red",
    CancelState.UNKNOWN: "bold red",
}
_LISTED: Final = 10  # bulks that are named one by one below the table
_FIELDS: Final = (
    "bulk_id",
    "state",
    "status_code",
    "attempts",
    "error",
    "request_id",
)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches, in a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def make_console(stream: TextIO, *, quiet: bool = False) -> Console:
    """Return a console that writes control codes to a terminal only."""
    terminal = is_terminal(stream)
    colours = terminal and not os.environ.get("NO_COLOR")
    return Console(
        file=stream,
        quiet=quiet,
        force_terminal=terminal,
        color_system="auto" if colours else None,
        legacy_windows=None if terminal else False,
        markup=False,  # what a server says is no markup
        highlight=False,
        emoji=False,
    )


def say(console: Console, text: str = "", style: str = "") -> None:
    """Print a line; only a terminal has a width to wrap it at."""
    console.print(Text(text, style=style), soft_wrap=not console.is_terminal)


# --- for people


def closing_table(run: Run, seconds: float) -> Table:
    """Return the closing table: how many bulks are in each state, and what that means."""
    grid = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for state, colour in COLOURS.items():
        these = [o for o in run.outcomes if o.state is state]
        if these:
            label = Text(LABELS[state], style=colour)
            grid.add_row(f"{len(these):,}", label, meaning(state, these))
    if run.bad_lines:
        grid.add_row(f"{run.bad_lines:,}", Text("no bulk id", style="red"), "named above")
    rate = f", {run.total / seconds:,.0f} a second" if run.total >= seconds >= 1 else ""
    grid.add_row(f"{run.total:,}", "in all", f"in {seconds:.1f} s{rate}", style="bold")
    return grid


def list_others(console: Console, run: Run) -> None:
    """Name the bulks that are not cancelled, those first that may still be sending."""
    if exit_code(run) in ONE_REASON:
        return  # one reason for all, and that is told
    states = [state for state in reversed(COLOURS) if state is not CancelState.CANCELED]
    others = [o for state in states for o in run.outcomes if o.state is state]
    for outcome in others[:_LISTED]:
        state, error = outcome.state, outcome.error
        line = Text.assemble(outcome.bulk_id, "  ", (LABELS[state], COLOURS[state]), ": ")
        line.append(reason(outcome))
        if isinstance(error, APIStatusError) and error.request_id and is_unfinished(outcome):
            line.append(f" (request id {error.request_id})")
        console.print(line, soft_wrap=not console.is_terminal)
    if len(others) > _LISTED:
        more = len(others) - _LISTED
        say(console, f"… and {more:,} more that are not cancelled; --output csv names each.")


def list_bad_lines(console: Console, bad: Sequence[BadLine]) -> None:
    """Name the lines that held no id."""
    for line in bad[:_LISTED]:
        say(console, str(line), "yellow")
    if len(bad) > _LISTED:
        say(console, f"… and {len(bad) - _LISTED:,} more lines that hold no bulk id.", "yellow")


# --- for machines


@contextmanager
def reader_may_go() -> Generator[None]:
    """Let the reader of stdout go when it had enough (``head``, say)."""
    try:
        yield
    except BrokenPipeError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_records(
    stream: TextIO, form: Output, outcomes: Iterable[CancelOutcome], bad: Iterable[BadLine]
) -> None:
    """Write a record for each bulk, in input order, and for each bad line."""
    _write(stream, form, _FIELDS, _records(outcomes, bad))


def write_ids(stream: TextIO, form: Output, ids: Iterable[str]) -> None:
    """Write a record for each id, as ``--file`` takes it."""
    _write(stream, form, ("uuid",), ({"uuid": bulk_id} for bulk_id in ids))


def _write(
    stream: TextIO, form: Output, names: Sequence[str], records: Iterable[dict[str, Any]]
) -> None:
    if form is Output.NDJSON:
        stream.writelines(json.dumps(record) + "\n" for record in records)
    elif form is Output.JSON:
        lines = ",\n".join(json.dumps(record) for record in records)
        stream.write(f"[\n{lines}\n]\n")
    elif form is Output.CSV:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([record[name] for name in names] for record in records)
    stream.flush()


def _records(outcomes: Iterable[CancelOutcome], bad: Iterable[BadLine]) -> Iterator[dict[str, Any]]:
    for outcome in outcomes:
        error, bulk = outcome.error, outcome.bulk
        answer = error if isinstance(error, APIStatusError | ResponseDecodeError) else None
        yield {
            "bulk_id": outcome.bulk_id,
            "state": outcome.state.value,
            "status_code": None if bulk is None else int(bulk.status_code),
            "attempts": outcome.attempts,
            "error": None if error is None else str(error),
            "request_id": None if answer is None else answer.request_id,
        }
    for line in bad:
        nothing: dict[str, Any] = dict.fromkeys(_FIELDS)
        yield nothing | {"state": CancelState.REJECTED.value, "attempts": 0, "error": str(line)}
