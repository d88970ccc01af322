"""What a journal proves, as a report to hand in: md, html, csv or json.

The same journal gives the same bytes: no moment but those of the run, and all in UTC.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from attrs import frozen

import lox24_async as lox
from lox24_async._printable import printable
from lox24_async.cli.text import plural

from .outcomes import label_of
from .records import csv_text, error_fields
from .tables import money

COLUMNS: Final = (
    *("bulk_id", "state", "time", "request_id", "attempts", "status_code"),
    *("messages", "price", "error"),
)
State: Final = lox.CancelState


@frozen
class Row:
    """What became of one bulk, and when that was known."""

    outcome: "lox.CancelOutcome"
    time: str | None

    @property
    def fields(self) -> dict[str, Any]:
        """The row by the names of its columns."""
        outcome, bulk = self.outcome, self.outcome.bulk
        price = None if bulk is None or bulk.price is None else f"{bulk.price:f}"
        return {
            "bulk_id": outcome.bulk_id,
            "state": outcome.state.value,
            "time": self.time,
            "request_id": outcome.request_id,
            "attempts": outcome.attempts,
            "status_code": None if bulk is None else int(bulk.status_code),
            "messages": None if bulk is None else bulk.msg_total_count,
            "price": price,
            "error": error_fields(outcome.error)["error"],
        }


@frozen
class Protocol:
    """A journal, read."""

    name: str
    runs: tuple["lox.JournalRun", ...]
    rows: tuple[Row, ...]

    @property
    def counts(self) -> Counter["lox.CancelState"]:
        """How many bulks are in each state."""
        return Counter(row.outcome.state for row in self.rows)

    @property
    def is_finished(self) -> bool:
        """Whether another run has nothing to take up."""
        return not self.unfinished

    unfinished: int = 0

    @property
    def stopped(self) -> tuple[int, int, Decimal | None]:
        """Cancelled bulks of which the messages are known, these messages, and their cost."""
        bulks = [r.outcome.bulk for r in self.rows if r.outcome.state is State.CANCELED]
        counts = [b.msg_total_count for b in bulks if b and b.msg_total_count is not None]
        prices = [b.price for b in bulks if b and b.price is not None]
        return len(counts), sum(counts), sum(prices, Decimal(0)) if prices else None


def read_protocol(path: Path) -> Protocol:
    """Read a journal.

    Raises:
        JournalError: it cannot be read, or is none.
    """
    report, runs = lox.CancelJournal.read(path), lox.CancelJournal.runs_of(path)
    times: dict[tuple[str, str], str] = {}
    last: dict[str, str] = {}
    for event in lox.CancelJournal.events(path):
        moment = str(event.get("t"))
        if event["event"] == "outcome":
            bulk_id = str(event.get("bulk_id"))
            times.setdefault((bulk_id, str(event.get("state"))), moment)
            last[bulk_id] = moment
        elif event["event"] in ("sent", "planned"):
            named: Any = event.get("bulk_ids")
            with suppress(TypeError):  # of a line that a hand has changed
                last.update((str(name), moment) for name in named)
    rows = tuple(
        Row(o, times.get((o.bulk_id, o.state.value), last.get(o.bulk_id))) for o in report.outcomes
    )
    return Protocol(path.name, runs, rows, len(report.unfinished()))


# --- words that md and html share


def head_of(protocol: Protocol) -> Iterator[tuple[str, str]]:
    """Give the facts at the top: who, when, what, and how it ended."""
    first, final = protocol.runs[0], protocol.runs[-1]
    yield "journal", printable(protocol.name)
    yield "who", _who(first)
    yield "account", f"client {first.client_id} at {printable(first.origin or '?')}"
    yield "began", utc(first.started)
    yield "ended", "did not come to its end" if final.ended is None else utc(final.ended)
    for text in dict.fromkeys(filter(None, (run.note for run in protocol.runs))):
        yield "selected", printable(text)
    for chosen in (run.filter for run in protocol.runs if run.filter):
        yield "filter", printable(json.dumps(dict(chosen), ensure_ascii=False))
    known, messages, cost = protocol.stopped
    canceled = protocol.counts[State.CANCELED]
    said = f"{canceled:,} of {plural(len(protocol.rows), 'bulk')}"
    if known:
        paid = "" if cost is None else f", {money(cost)} in the account's currency"
        said += f"; at most {plural(messages, 'message')}{paid}"
        said += f" (known of {known:,})" if known < canceled else ""
    yield "stopped", said
    yield (
        "finished",
        "yes" if protocol.is_finished else f"no: {plural(protocol.unfinished, 'bulk')} unfinished",
    )
    if any(run.failed for run in protocol.runs):
        yield "warning", "for a while the journal could not be written: it may lack a part"


def _who(run: "lox.JournalRun") -> str:
    user = run.user or "an unknown user"
    return printable(f"{user} on {run.host}, process {run.pid}, lox24_async {run.version}")


def utc(moment: datetime | None) -> str:
    """Return a moment of a journal."""
    return "?" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def counted(protocol: Protocol) -> list[tuple["lox.CancelState", int]]:
    """Return how many bulks are in each state; states without any are left out."""
    return [(state, protocol.counts[state]) for state in State if protocol.counts[state]]


# --- forms


def as_md(protocol: Protocol) -> str:
    """Return it as Markdown."""

    def cell(value: object) -> str:
        text = printable("" if value is None else str(value))
        # Neither a cell, nor a tag, nor a link or a picture that a viewer would fetch.
        return text.replace("|", "&#124;").replace("<", "&lt;").replace("](", "]&#40;")

    lines = ["# Cancelled SMS bulks", ""]
    lines += [f"- **{name}**: {cell(value)}" for name, value in head_of(protocol)]
    lines += ["", "| state | bulks |", "| --- | ---: |"]
    lines += [f"| {label_of(state)} | {count:,} |" for state, count in counted(protocol)]
    lines += ["", "| bulk | state | time (UTC) | request id | messages | price | error |"]
    lines += ["| --- | --- | --- | --- | ---: | ---: | --- |"]
    for row in protocol.rows:
        fields = row.fields
        shown = ("bulk_id", "state", "time", "request_id", "messages", "price", "error")
        lines.append("| " + " | ".join(cell(fields[name]) for name in shown) + " |")
    return "\n".join([*lines, ""])


def as_csv(protocol: Protocol) -> str:
    """Return its bulks as CSV."""
    return csv_text(COLUMNS, (row.fields for row in protocol.rows))


def as_json(protocol: Protocol) -> str:
    """Return all of it as JSON."""
    known, messages, cost = protocol.stopped
    told = {
        "journal": protocol.name,
        "finished": protocol.is_finished,
        "counts": {state.value: protocol.counts[state] for state in State},
        "stopped": {
            "messages": messages,
            "price": None if cost is None else f"{cost:f}",
            "bulks_counted": known,
        },
        "runs": [_run(run) for run in protocol.runs],
        "bulks": [row.fields for row in protocol.rows],
    }
    return json.dumps(told, indent=1) + "\n"


def _run(run: "lox.JournalRun") -> dict[str, Any]:
    return {
        "run": run.run,
        "started": _iso(run.started),
        "ended": _iso(run.ended),
        "interrupted": run.interrupted,
        "seconds": run.seconds,
        "version": run.version,
        "pid": run.pid,
        "host": run.host,
        "user": run.user,
        "origin": run.origin,
        "client_id": run.client_id,
        "total": run.total,
        "sha256": run.sha256,
        "filter": None if run.filter is None else dict(run.filter),
        "note": run.note,
        "write_failed": run.failed,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


Form = Callable[[Protocol], str]


def _html(protocol: Protocol) -> str:
    from .pages import as_html  # noqa: PLC0415  it needs what stands here

    return as_html(protocol)


FORMS: Final[Mapping[str, Form]] = {
    "md": as_md,
    "html": _html,
    "csv": as_csv,
    "json": as_json,
}
