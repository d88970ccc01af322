"""``lox24 list``."""

import asyncio
import sys
from collections import deque
from typing import Annotated, Final, Literal

from attrs import evolve, frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from lox24_async import Bulk, BulkFilter, BulkOrder, BulkStatus, NotFoundError
from lox24_async.cli import options
from lox24_async.cli.connecting import patience
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.reading.filters import NO_FILTER, FilterOptions, make_filter
from lox24_async.cli.running import Session, finish
from lox24_async.cli.telling.matches import SenderSums
from lox24_async.cli.telling.records import BulkWriter, ReaderGoneError
from lox24_async.cli.telling.tables import is_terminal, say
from lox24_async.cli.text import plural

_Order = Literal["created", "delivery", "processed", "messages"]
_Field = Literal["created_at", "delivery_at", "processed_at", "msg_total_count"]
_FIELDS: Final[dict[_Order, _Field]] = {
    "created": "created_at",
    "delivery": "delivery_at",
    "processed": "processed_at",
    "messages": "msg_total_count",
}
_SHOWN: Final = 50  # bulks in a terminal, unless one says how many
_RUNNING: Final = (BulkStatus.NEW, BulkStatus.IN_PROGRESS)


@Parameter("*", group=Group("What is shown", sort_key=1))
@frozen(kw_only=True)
class ListOptions:
    """What was typed.

    Args:
        running: Only what is not over: new and in-progress.
        order: What to sort by; created, unless given.
        descending: Latest or largest first. In a terminal the newest come first anyway.
        limit: Stop after N. In a terminal after 50, unless given.
        everything: In a terminal, too: all of them.
        watch: Look again and again; write what is new, and what is in another state.
        interval: With --watch: how often.
    """

    running: bool = False
    order: _Order | None = None
    descending: bool = False
    limit: Annotated[int | None, options.number(at_least=options.AT_LEAST_1)] = None
    everything: Annotated[bool, Parameter("--all")] = False
    watch: Annotated[bool, Parameter(("--watch", "-w"))] = False
    interval: Annotated[float, options.number("SECONDS", at_least=Number(gte=0.1))] = 5.0


_NOTHING: Final = ListOptions()


def list(  # noqa: A001  the command's name
    *,
    typed: ListOptions = _NOTHING,
    filters: FilterOptions = NO_FILTER,
    output: Annotated[options.Listing, Parameter(group=options.TELLING)] = options.Output.TABLE,
    connection: options.Connection = options.DEFAULT_CONNECTION,
) -> ExitCode:
    """Write the bulks to stdout, while their pages arrive.

    Args:
        output: How to write the bulks to stdout: a line for each, or records as the API has
            them.
    """

    def work() -> ExitCode:
        listing = _Listing(typed, filters, output, connection)
        try:
            listing.run()
        except ReaderGoneError:
            return ExitCode.DONE
        return ExitCode.DONE

    return finish(work, debug=connection.debug)


class _Listing:
    def __init__(
        self,
        typed: ListOptions,
        filters: FilterOptions,
        output: options.Output,
        connection: options.Connection,
    ) -> None:
        if typed.everything and typed.limit is not None:
            raise CommandError("--all and --limit do not go together.")
        self._wanted = _wanted(filters, running=typed.running)
        at_screen = output is options.Output.TABLE and is_terminal(sys.stdout)
        newest = (at_screen or typed.watch) and typed.order is None
        self._order = BulkOrder(
            _FIELDS[typed.order or "created"], descending=typed.descending or newest
        )
        cut = at_screen and not typed.everything and not typed.watch
        self._limit = typed.limit or (_SHOWN if cut else None)
        self._typed = typed
        self._output = output
        self._session = Session(connection, patience(wait_out_block=typed.watch))
        self._sums = SenderSums()
        self._more: str = ""

    def run(self) -> None:
        if self._typed.watch:
            self._session.run(self._watch())
            return
        self._session.run(self._list())
        console, total = self._session.console, self._sums.total
        if self._output is options.Output.TABLE:
            self._sums.print(console)
        more = f", {plural(total.messages, 'message')}" if total.bulks else ""
        say(console, f"{plural(total.bulks, 'bulk')}{more}.{self._more}")

    async def _list(self) -> None:
        async with (
            BulkWriter(self._output) as writer,
            self._session.client.list_bulks(self._wanted, order=self._order) as stream,
        ):
            async for bulk in stream:
                if self._sums.total.bulks == self._limit:
                    await self._count_more()
                    break
                self._sums.add(bulk)
                await writer.add(bulk)
                if self._sums.total.bulks == self._limit == self._typed.limit:
                    break

    async def _count_more(self) -> None:
        """Say how many more there are, as far as LOX24 says."""
        client, count = self._session.client, self._sums.total.bulks
        page = await client.list_bulks_page(1, self._wanted, order=self._order, form=_linked())
        rest = "" if page.total is None else f"{page.total - count:,} "
        self._more = f" There are {rest}more: --all, or --limit N."

    async def _watch(self) -> None:
        """Write what is new and what has changed, until somebody ends it."""
        known: dict[str, int] = {}
        async with BulkWriter(self._output) as writer:
            while True:
                fresh, listed = deque[Bulk](), set[str]()
                client = self._session.client
                async with client.list_bulks(self._wanted, order=self._order) as stream:
                    async for bulk in stream:
                        listed.add(str(bulk.uuid))
                        if known.get(str(bulk.uuid)) != bulk.status_code:
                            fresh.append(bulk)
                        if len(listed) == self._limit:
                            break
                for bulk in reversed(fresh):  # the newest at the end, where one looks
                    known[str(bulk.uuid)] = bulk.status_code
                    await writer.add(bulk)
                for bulk_id in await self._gone(known, listed, writer):
                    known.pop(bulk_id)
                await writer.flush()
                await asyncio.sleep(self._typed.interval)

    async def _gone(
        self, known: dict[str, int], listed: set[str], writer: BulkWriter
    ) -> "tuple[str, ...]":
        """With --running: write how those ended that are no longer listed."""
        if not self._typed.running:
            return ()
        ended = deque[str]()
        for bulk_id, status in known.items():
            if status in _RUNNING and bulk_id not in listed:
                try:
                    bulk = await self._session.client.get_bulk(bulk_id)
                except NotFoundError:  # somebody has deleted it
                    ended.append(bulk_id)
                    continue
                if bulk.is_final:
                    await writer.add(bulk)
                    ended.append(bulk_id)
        return tuple(ended)


def _wanted(filters: FilterOptions, *, running: bool) -> BulkFilter:
    if running and filters.status:
        raise CommandError("--running means --status new --status in-progress; leave out one.")
    wanted = make_filter(filters)
    return evolve(wanted, status_codes=_RUNNING) if running else wanted


def _linked() -> type[Bulk]:
    from lox24_async import JsonLdBulk  # noqa: PLC0415  only it tells a total

    return JsonLdBulk
