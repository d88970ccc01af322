"""``lox24 list``, as it is done."""

from typing import Final

from attrs import frozen

from lox24_async import BulkFilter, BulkOrder
from lox24_async.cli.connect import Desk, Setup
from lox24_async.cli.console import say
from lox24_async.cli.filters import FilterWords, make_filter
from lox24_async.cli.options import ExitCode, Output
from lox24_async.cli.records import Outlet, ReaderGoneError, Sheet, form_of
from lox24_async.cli.words import plural

from .list import Order

_ORDERS: Final = {
    Order.CREATED: "created_at",
    Order.DELIVERY: "delivery_at",
    Order.PROCESSED: "processed_at",
    Order.MESSAGES: "msg_total_count",
}


@frozen(kw_only=True)
class Job:
    """What was typed."""

    words: FilterWords
    order: Order
    descending: bool
    limit: int | None = None
    output: Output
    setup: Setup


def run(job: Job) -> ExitCode:
    """Write the bulks to stdout.

    Raises:
        CommandError: wrong usage or settings, or LOX24 could not be asked to the end.
    """
    wanted = make_filter(job.words)
    order = BulkOrder(_ORDERS[job.order], descending=job.descending)  # type: ignore[arg-type]
    desk = Desk(job.setup, job.setup.connect())
    try:
        bulks, messages = desk.run(lambda desk: _list(desk, job, wanted, order))
    except ReaderGoneError:
        return ExitCode.DONE
    more = f", {plural(messages, 'message')}" if bulks else ""
    say(desk.news, f"{plural(bulks, 'bulk')}{more}.")
    return ExitCode.DONE


async def _list(desk: Desk, job: Job, wanted: BulkFilter, order: BulkOrder) -> tuple[int, int]:
    """Return how many bulks there were, and their messages."""
    bulks = messages = 0
    async with Outlet() as outlet, desk.client.list_bulks(wanted, order=order) as stream:
        sheet = Sheet(form_of(job.output), outlet)
        async for bulk in stream:
            await sheet.add(bulk)
            bulks, messages = bulks + 1, messages + (bulk.msg_total_count or 0)
            if bulks == job.limit:
                break
        await sheet.end()
    return bulks, messages
