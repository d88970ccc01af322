"""``lox24 list``."""

from typing import Annotated, Final, Literal

from cyclopts import Parameter

from lox24_async import BulkFilter, BulkOrder
from lox24_async.cli import options
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.reading.filters import NO_FILTER, FilterOptions, make_filter
from lox24_async.cli.running import Session, finish
from lox24_async.cli.telling.records import BulkWriter, ReaderGoneError
from lox24_async.cli.telling.tables import say
from lox24_async.cli.text import plural

_Order = Literal["created", "delivery", "processed", "messages"]
_Field = Literal["created_at", "delivery_at", "processed_at", "msg_total_count"]
_FIELDS: Final[dict[_Order, _Field]] = {
    "created": "created_at",
    "delivery": "delivery_at",
    "processed": "processed_at",
    "messages": "msg_total_count",
}


def list(  # noqa: A001  the command's name
    *,
    filters: FilterOptions = NO_FILTER,
    order: Annotated[_Order, Parameter(show_default=True)] = "created",
    descending: bool = False,
    limit: Annotated[int | None, options.number(at_least=options.AT_LEAST_1)] = None,
    output: options.Listing = options.Output.TABLE,
    connection: options.Connection = options.DEFAULT_CONNECTION,
) -> ExitCode:
    """Write the bulks to stdout, while their pages arrive.

    Args:
        order: What to sort by.
        descending: Latest or largest first.
        limit: Stop after N.
        output: How to write the bulks to stdout: a line for each, or records as the API has
            them.
    """

    def work() -> ExitCode:
        wanted = make_filter(filters)
        by = BulkOrder(_FIELDS[order], descending=descending)
        session = Session(connection)
        try:
            bulks, messages = session.run(_list(session, wanted, by, limit, output))
        except ReaderGoneError:
            return ExitCode.DONE
        more = f", {plural(messages, 'message')}" if bulks else ""
        say(session.console, f"{plural(bulks, 'bulk')}{more}.")
        return ExitCode.DONE

    return finish(work, debug=connection.debug)


async def _list(
    session: Session,
    wanted: BulkFilter,
    order: BulkOrder,
    limit: int | None,
    output: options.Output,
) -> tuple[int, int]:
    """Return how many bulks there were, and their messages."""
    bulks = messages = 0
    async with (
        BulkWriter(output) as writer,
        session.client.list_bulks(wanted, order=order) as stream,
    ):
        async for bulk in stream:
            await writer.add(bulk)
            bulks, messages = bulks + 1, messages + (bulk.msg_total_count or 0)
            if bulks == limit:
                break
    return bulks, messages
