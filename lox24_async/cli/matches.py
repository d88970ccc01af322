"""What ``--matching`` finds: the search, and what stopping it would save, in words."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from attrs import define
from rich.console import Console

from lox24_async import (
    Bulk,
    BulkFilter,
    BulkStatus,
    CancelFailedError,
    Lox24Client,
    Lox24Error,
    MatchReport,
)

from .console import LISTED, say, say_cut
from .progress import Display
from .records import line_of
from .running import carry_out
from .tally import Tally
from .words import plural


@define
class Search:
    """What a search came to."""

    report: MatchReport
    error: Lox24Error | None = None
    """Why the listing broke off, if it did."""
    interrupted: bool = False

    @property
    def bulks(self) -> list[Bulk]:
        """The bulks found, as they were listed."""
        return [o.bulk for o in self.report.outcomes if o.bulk is not None]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the bulks found."""
        return tuple(o.bulk_id for o in self.report.outcomes)


def search(client: Lox24Client, wanted: BulkFilter, console: Console, *, debug: bool) -> Search:
    """Find what meets a filter and can be stopped; stop nothing.

    Args:
        client: Closed afterwards.
        wanted: The filter.
        console: Where to show how far it is.
        debug: Whether to show the log.
    """
    found, tally = Search(MatchReport()), Tally(None, phase="searching")

    async def look() -> None:
        try:
            await client.cancel_matching(
                wanted, dry_run=True, report=found.report, progress=tally.count
            )
        except CancelFailedError as error:
            cause = error.__cause__
            found.error = cause if isinstance(cause, Lox24Error) else error

    display = Display(console, tally, pause=lambda: client.pause)
    found.interrupted = carry_out(client, look(), tally, display, debug=debug, grace=False)
    return found


# --- in words


def summary(report: MatchReport, bulks: Iterable[Bulk]) -> Iterator[str]:
    """Say how much would be stopped, and how exact that is.

    Args:
        report: What the search counted.
        bulks: What it found.
    """
    if report.bulks:
        cost = "" if report.cost is None else f", {_money(report.cost)} in the account's currency"
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


def list_bulks(console: Console, bulks: Sequence[Bulk]) -> None:
    """Name the first bulks, a line each."""
    for bulk in bulks[:LISTED]:
        count = "?" if bulk.msg_total_count is None else f"{bulk.msg_total_count:,}"
        price = "?" if bulk.price is None else _money(bulk.price)
        say_cut(console, line_of(bulk, 11, f"{count:>7}", f"{price:>9}"))
    if len(bulks) > LISTED:
        more = len(bulks) - LISTED
        say(console, f"… and {more:,} more; --dry-run --output csv names each.")


def _money(price: Decimal) -> str:
    """Return a price with two decimals, or more if it has more."""
    text = f"{price:,f}"
    return text if len(text.partition(".")[2]) > 1 else f"{price:,.2f}"
