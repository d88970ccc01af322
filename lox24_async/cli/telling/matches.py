"""What ``--matching`` found, and what stopping it would save, in words."""

from collections.abc import Iterator, Sequence

from rich.console import Console

from lox24_async import Bulk, BulkStatus, MatchReport
from lox24_async.cli.text import plural

from .tables import LISTED, bulk_line, messages_of, money, say, say_cut


def say_matches(console: Console, report: MatchReport, bulks: Sequence[Bulk]) -> None:
    """Name the first bulks, a line each, and sum them all up."""
    for bulk in bulks[:LISTED]:
        price = "?" if bulk.price is None else money(bulk.price)
        say_cut(console, bulk_line(bulk, 11, f"{messages_of(bulk, '?'):>7}", f"{price:>9}"))
    if len(bulks) > LISTED:
        more = len(bulks) - LISTED
        say(console, f"… and {more:,} more; --dry-run --output csv names each.")
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
