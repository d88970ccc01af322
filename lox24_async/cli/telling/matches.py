"""What was found: summed up by sender, and what stopping it would save, in words."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from attrs import define
from rich.console import Console
from rich.table import Table

from lox24_async import Bulk, BulkStatus, MatchReport
from lox24_async._printable import printable
from lox24_async.cli.text import plural

from .tables import LISTED, bulk_row, money, row_header, say, say_cut


@define
class _Sum:
    bulks: int = 0
    messages: int = 0
    cost: Decimal | None = None

    def add(self, bulk: Bulk) -> None:
        self.bulks += 1
        self.messages += bulk.msg_total_count or 0
        if bulk.price is not None:
            self.cost = bulk.price + (self.cost or 0)


class SenderSums:
    """Bulks, messages and cost by sender, in flat memory."""

    def __init__(self) -> None:
        self.total = _Sum()
        self._sums: dict[str, _Sum] = {}

    def add(self, bulk: Bulk) -> None:
        """Count a bulk."""
        self.total.add(bulk)
        self._sums.setdefault(bulk.sender_id or "", _Sum()).add(bulk)

    def print(self, console: Console) -> None:
        """Print the senders with the most messages, one a line, if there are several bulks."""
        if self.total.bulks < 2:
            return
        grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        grid.add_column("sender", overflow="fold")
        for name in ("bulks", "messages", "cost"):
            grid.add_column(name, justify="right", no_wrap=True)
        ordered = sorted(self._sums.items(), key=lambda item: -item[1].messages)
        for sender, own in ordered[:LISTED]:
            _add_row(grid, printable(sender) or "(none)", own)
        if len(ordered) > LISTED:
            rest = _Sum()
            for _, own in ordered[LISTED:]:
                rest.bulks += own.bulks
                rest.messages += own.messages
                if own.cost is not None:
                    rest.cost = own.cost + (rest.cost or 0)
            _add_row(grid, f"{len(ordered) - LISTED:,} other senders", rest)
        console.print(grid)


def _add_row(grid: Table, name: str, own: _Sum) -> None:
    cost = "" if own.cost is None else money(own.cost)
    grid.add_row(name, f"{own.bulks:,}", f"{own.messages:,}", cost)


def say_matches(console: Console, report: MatchReport) -> None:
    """Name the most urgent bulks, a line each, and sum them all up, by sender too."""
    bulks = report.by_urgency()
    shown = bulks[:LISTED]
    if shown and (header := row_header(console)):
        say_cut(console, header)
    sums = SenderSums()
    for bulk in bulks:
        sums.add(bulk)
    for bulk in shown:
        price = "?" if bulk.price is None else money(bulk.price)
        for line in bulk_row(console, bulk, price):
            say_cut(console, line)
    if len(bulks) > LISTED:
        more = len(bulks) - LISTED
        say(console, f"… and {more:,} more; --dry-run --output csv names each.")
    sums.print(console)
    for sentence in _summary(report, bulks):
        say(console, sentence)


def _summary(report: MatchReport, bulks: Sequence[Bulk]) -> Iterator[str]:
    """Say how much would be stopped, and how exact that is."""
    if report.bulks:
        cost = "" if report.cost is None else f", {money(report.cost)} in the account's currency"
        messages = plural(report.messages, "message")
        yield f"{plural(report.bulks, 'bulk')} to cancel: {messages}{cost}."
        begun = sum(bulk.status_code == BulkStatus.IN_PROGRESS for bulk in bulks)
        if begun:
            yield f"{begun:,} in progress: some of their messages may be sent already."
        if report.uncounted:
            yield f"For {report.uncounted:,} LOX24 gives no number of messages; not counted."
        if report.unpriced:
            yield f"For {report.unpriced:,} LOX24 gives no price; not counted."
    else:
        yield "No bulk that can still be stopped meets the filter."
    if report.skipped:
        yield f"{report.skipped:,} more were listed, but do not meet the filter; left alone."
