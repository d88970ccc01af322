"""``lox24 status``."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lox24_async import Bulk, Lox24Error, NotFoundError
from lox24_async.cli import options
from lox24_async.cli.connecting import patience
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.reading.ids import read_ids
from lox24_async.cli.running import CallEach, Session, finish, run_out
from lox24_async.cli.telling import tables
from lox24_async.cli.telling.outcomes import say_bad_lines
from lox24_async.cli.telling.progress import draw
from lox24_async.cli.telling.records import BulkWriter, ReaderGoneError
from lox24_async.cli.telling.sentences import IN_VAIN, code_of, explain_pause, reason
from lox24_async.cli.text import local_short, plural


def status(
    *ids: options.IdArgument,
    file: options.IdFile = None,
    watch: Annotated[bool, Parameter(("--watch", "-w"))] = False,
    interval: Annotated[float, options.number("SECONDS", at_least=Number(gte=0.1))] = 2.0,
    output: options.Listing = options.Output.TABLE,
    connection: options.Connection = options.DEFAULT_CONNECTION,
) -> ExitCode:
    """Look at bulks, once or until all are final.

    Args:
        ids: Bulks.
        file: Read ids from FILE (-: from stdin): one a line, CSV, or NDJSON, as cancel does.
        watch: Look again until nothing more will happen.
        interval: With --watch: how often.
        output: How to write the bulks to stdout: a line for each, or records as the API has
            them.
    """

    def work() -> ExitCode:
        named = read_ids(ids, file, "lox24 status")
        session = Session(connection, patience(wait_out_block=watch))
        say_bad_lines(session.alarm, named.bad)
        looks = Looks(session, named.good)
        rounds = looks.rounds(interval if watch else None)
        try:
            if watch and output is options.Output.TABLE and tables.is_terminal(sys.stdout):
                session.run(run_out(rounds), StatusTable(session, looks))
            else:
                session.run(_write_changes(rounds, output))
        except ReaderGoneError:
            return ExitCode.DONE
        code = _tell_failures(session, looks)
        return ExitCode.NOT_ALL if named.bad and not code else code

    return finish(work, debug=connection.debug)


async def _write_changes(rounds: AsyncGenerator[Bulk], output: options.Output) -> None:
    async with BulkWriter(output) as writer:
        async for bulk in rounds:
            await writer.add(bulk)


def _tell_failures(session: Session, looks: "Looks") -> ExitCode:
    failed = sorted(looks.failed.items(), key=lambda item: isinstance(item[1], NotFoundError))
    codes = {code_of(error) for _, error in failed}
    unknown = False
    for bulk_id, error in failed:
        unknown = isinstance(error, NotFoundError)
        tables.say(session.alarm, f"{bulk_id}  {reason(error)}", "yellow" if unknown else "red")
    if not failed:
        return ExitCode.DONE
    silent = not looks.bulks and not unknown
    return min(codes - {ExitCode.NOT_ALL}, default=ExitCode.NOT_ALL) if silent else ExitCode.NOT_ALL


class Looks:
    """Looks at bulks; knows what is known about each."""

    def __init__(self, session: Session, ids: tuple[str, ...]) -> None:
        self.ids = ids
        self.bulks: dict[str, Bulk] = {}
        self.failed: dict[str, Lox24Error] = {}
        self._session = session

    @property
    def open(self) -> list[str]:
        """The bulks to which something may happen yet."""
        return [bulk_id for bulk_id in self.ids if not self._is_over(bulk_id)]

    def _is_over(self, bulk_id: str) -> bool:
        bulk = self.bulks.get(bulk_id)
        return (bulk is not None and bulk.is_final) or isinstance(
            self.failed.get(bulk_id), NotFoundError
        )

    async def rounds(self, interval: float | None) -> AsyncGenerator[Bulk]:
        """Give each change, until all bulks are final or one round was enough.

        Raises:
            Lox24Error: there is no use in asking on.
        """
        while ids := self.open:
            async with aclosing(CallEach(self._session.client.get_bulk_status).run(ids)) as calls:
                async for bulk_id, result in calls:
                    if isinstance(result, Lox24Error):
                        self._fail(bulk_id, result)
                        continue
                    self.failed.pop(bulk_id, None)
                    before, self.bulks[bulk_id] = self.bulks.get(bulk_id), result
                    if before is None or before.status_code != result.status_code:
                        yield result
            if interval is None:
                return
            if self.open:
                await asyncio.sleep(interval)

    def _fail(self, bulk_id: str, error: Lox24Error) -> None:
        self.failed[bulk_id] = error
        code = code_of(error)
        in_vain = not self.bulks and len(self.failed) >= min(IN_VAIN, len(self.ids))
        # What one id learns about token and IP holds for all.
        if code in (ExitCode.REFUSED, ExitCode.BLOCKED) or (
            in_vain and code is ExitCode.UNREACHABLE
        ):
            raise error


class StatusTable:
    """A table that is kept up to date in a terminal, and stays when all is over."""

    def __init__(self, session: Session, looks: Looks) -> None:
        self._session = session
        self._looks = looks
        self._console: Console = tables.make_console(sys.stdout)

    async def run(self) -> None:
        """Show it until cancelled."""
        await draw(self._console, self._picture, transient=False)

    def _picture(self) -> RenderableType:
        """Draw what fits: bulks that may still change come first."""
        looks = self._looks
        room = max(3, self._console.height - 4)
        grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        grid.add_column("bulk", no_wrap=True, min_width=36)
        grid.add_column("status", no_wrap=True, min_width=13)
        grid.add_column("messages", justify="right", no_wrap=True, min_width=8)
        grid.add_column("last change", no_wrap=True)
        shown = [*looks.ids]
        if len(shown) > room:
            still = set(looks.open)
            shown = sorted(shown, key=lambda bulk_id: bulk_id not in still)[:room]
        for bulk_id in shown:
            grid.add_row(bulk_id, *self._cells(bulk_id))
        counts = Counter(tables.status_of(bulk).plain for bulk in looks.bulks.values())
        told = ", ".join(f"{count:,} {word}" for word, count in counts.most_common())
        summary = Text(f"{plural(len(looks.ids), 'bulk')}: {told or 'looking'}", style="bold")
        pause = self._session.client.pause
        if pause is None:
            return Group(grid, summary)
        return Group(grid, summary, Text(explain_pause(pause), style="yellow"))

    def _cells(self, bulk_id: str) -> tuple[Text, str, str]:
        bulk, error = self._looks.bulks.get(bulk_id), self._looks.failed.get(bulk_id)
        if error is not None:
            said = "not found" if isinstance(error, NotFoundError) else "no answer"
            return Text(said, style="red"), "", ""
        if bulk is None:
            return Text("…"), "", ""
        when = bulk.processed_at or bulk.created_at
        return (
            tables.status_of(bulk),
            tables.messages_of(bulk),
            "" if when is None else local_short(when),
        )
