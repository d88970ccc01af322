"""The result: a table and sentences for people, records for machines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lox24_async import APIStatusError, CancelOutcome, CancelState

from .console import LISTED, say
from .ids import BadLine
from .records import Record, about
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
FIELDS: Final = ("bulk_id", "state", "status_code", "attempts", "error", "request_id")


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
    for outcome in others[:LISTED]:
        state, error = outcome.state, outcome.error
        line = Text.assemble(outcome.bulk_id, "  ", (LABELS[state], COLOURS[state]), ": ")
        line.append(reason(outcome))
        if isinstance(error, APIStatusError) and error.request_id and is_unfinished(outcome):
            line.append(f" (request id {error.request_id})")
        say(console, line)
    if len(others) > LISTED:
        more = len(others) - LISTED
        say(console, f"… and {more:,} more that are not cancelled; --output csv names each.")


def list_bad_lines(console: Console, bad: Sequence[BadLine]) -> None:
    """Name the lines that held no id."""
    for line in bad[:LISTED]:
        say(console, str(line), "yellow")
    if len(bad) > LISTED:
        say(console, f"… and {len(bad) - LISTED:,} more lines that hold no bulk id.", "yellow")


# --- for machines


def records(outcomes: Iterable[CancelOutcome], bad: Iterable[BadLine]) -> Iterator[Record]:
    """Give a record for each bulk, in input order, and for each bad line."""
    for outcome in outcomes:
        bulk = outcome.bulk
        yield {
            "bulk_id": outcome.bulk_id,
            "state": outcome.state.value,
            "status_code": None if bulk is None else int(bulk.status_code),
            "attempts": outcome.attempts,
            **about(outcome.error),
        }
    for line in bad:
        nothing: Record = dict.fromkeys(FIELDS)
        yield nothing | {"state": CancelState.REJECTED.value, "attempts": 0, "error": str(line)}
