"""``lox24 status``, as it is done."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final

from attrs import frozen
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lox24_async import Bulk, Lox24Error, NotFoundError, RetryPolicy
from lox24_async.cli.connect import PATIENT, Desk, Setup
from lox24_async.cli.console import is_terminal, make_console, say
from lox24_async.cli.failures import IN_VAIN, code_of, explain_pause, reason
from lox24_async.cli.ids import Ids
from lox24_async.cli.inputs import read_ids
from lox24_async.cli.moments import brief
from lox24_async.cli.options import ExitCode, Output
from lox24_async.cli.records import Outlet, ReaderGoneError, Sheet, form_of
from lox24_async.cli.result import list_bad_lines
from lox24_async.cli.words import plural, status_style, status_words

_FRAME: Final = 0.25  # seconds between two pictures of the table
_ENDS: Final = (ExitCode.REFUSED, ExitCode.BLOCKED)  # what one id learns holds for all


@frozen(kw_only=True)
class Job:
    """What was typed."""

    arguments: tuple[str, ...]
    file: str | None = None
    interval: float | None = None
    """Seconds between two looks; ``None``: one look is enough."""
    output: Output
    setup: Setup


def run(job: Job) -> ExitCode:
    """Look at bulks, once or until all are final.

    Raises:
        CommandError: wrong usage or settings, or LOX24 could not be asked.
    """
    ids = read_ids(job.arguments, job.file, "lox24 status")
    watching = job.interval is not None
    desk = Desk(job.setup, job.setup.connect(PATIENT if watching else RetryPolicy()))
    list_bad_lines(desk.alarm, ids.bad)
    living = watching and job.output is Output.TABLE and is_terminal(sys.stdout)
    work = _show_living if living else _write_changes
    try:
        board = desk.run(lambda desk: work(desk, job, ids), countdown=not living)
    except ReaderGoneError:
        return ExitCode.DONE
    return _close(desk, board, ids)


def _close(desk: Desk, board: "Board", ids: Ids) -> ExitCode:
    for bulk_id, error in board.failed.items():
        if not isinstance(error, NotFoundError):
            say(desk.alarm, f"{bulk_id}  {reason(error)}", "red")
    strangers = [i for i, error in board.failed.items() if isinstance(error, NotFoundError)]
    for bulk_id in strangers:
        say(desk.alarm, f"{bulk_id}  {reason(board.failed[bulk_id])}", "yellow")
    if not board.failed and not ids.bad:
        return ExitCode.DONE
    worst = {code_of(error) for error in board.failed.values()}
    silent = not board.bulks and not strangers
    return min(worst - {ExitCode.NOT_ALL}, default=ExitCode.NOT_ALL) if silent else ExitCode.NOT_ALL


class Board:
    """What is known about the bulks.

    Args:
        desk: Asks LOX24.
        ids: The bulks.
    """

    def __init__(self, desk: Desk, ids: Sequence[str]) -> None:
        self.ids = ids
        self.bulks: dict[str, Bulk] = {}
        self.failed: dict[str, Lox24Error] = {}
        self._desk = desk

    @property
    def open(self) -> list[str]:
        """The bulks to which something may happen yet."""
        return [i for i in self.ids if not self._is_over(i)]

    def _is_over(self, bulk_id: str) -> bool:
        bulk = self.bulks.get(bulk_id)
        return (bulk is not None and bulk.is_final) or isinstance(
            self.failed.get(bulk_id), NotFoundError
        )

    async def look(self, ids: Sequence[str]) -> AsyncIterator[Bulk]:
        """Look at bulks; give those that changed, in the order of ``ids``.

        Raises:
            Lox24Error: there is no use in asking on.
        """
        looks = [asyncio.create_task(self._desk.client.get_bulk_status(i)) for i in ids]
        try:
            for bulk_id, look in zip(ids, looks, strict=True):
                try:
                    bulk = await look
                except Lox24Error as error:
                    self._fail(bulk_id, error)
                    continue
                self.failed.pop(bulk_id, None)
                before, self.bulks[bulk_id] = self.bulks.get(bulk_id), bulk
                if before is None or before.status_code != bulk.status_code:
                    yield bulk
        finally:
            for look in looks:
                look.cancel()
            await asyncio.gather(*looks, return_exceptions=True)

    def _fail(self, bulk_id: str, error: Lox24Error) -> None:
        self.failed[bulk_id] = error
        strange = isinstance(error, NotFoundError)
        in_vain = not self.bulks and len(self.failed) >= min(IN_VAIN, len(self.ids))
        if code_of(error) in _ENDS or (
            in_vain and code_of(error) is ExitCode.UNREACHABLE and not strange
        ):
            raise error


async def _rounds(board: Board, interval: float | None) -> AsyncIterator[Bulk]:
    """Give each change, until all bulks are final or one round was enough."""
    while ids := board.open:
        async for bulk in board.look(ids):
            yield bulk
        if interval is None:
            return
        if board.open:
            await asyncio.sleep(interval)


async def _write_changes(desk: Desk, job: Job, ids: Ids) -> Board:
    board = Board(desk, ids.good)
    async with Outlet() as outlet:
        sheet = Sheet(form_of(job.output), outlet)
        async for bulk in _rounds(board, job.interval):
            await sheet.add(bulk)
        await sheet.end()
    return board


# --- the living table


async def _show_living(desk: Desk, job: Job, ids: Ids) -> Board:
    board, console = Board(desk, ids.good), make_console(sys.stdout)
    live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    with live:
        painter = asyncio.create_task(_paint(live, lambda: _picture(desk, board, console.height)))
        try:
            async for _ in _rounds(board, job.interval):
                pass
        finally:
            painter.cancel()
            with suppress(asyncio.CancelledError):
                await painter
            live.update(_picture(desk, board, console.height), refresh=True)
    return board


async def _paint(live: Live, picture: Callable[[], RenderableType]) -> None:
    while True:
        live.update(picture(), refresh=True)
        await asyncio.sleep(_FRAME)


def _picture(desk: Desk, board: Board, height: int) -> RenderableType:
    """Draw what fits: bulks that may still change first come to be seen."""
    room = max(3, height - 4)
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    grid.add_column("bulk", no_wrap=True, min_width=36)
    grid.add_column("status", no_wrap=True, min_width=13)
    grid.add_column("messages", justify="right", no_wrap=True, min_width=8)
    grid.add_column("last change", no_wrap=True)
    shown = board.ids
    if len(shown) > room:
        still = set(board.open)
        shown = sorted(shown, key=lambda i: i not in still)[:room]
    for bulk_id in shown:
        grid.add_row(bulk_id, *_cells(board, bulk_id))
    counts = Counter(status_words(bulk) for bulk in board.bulks.values())
    told = ", ".join(f"{count:,} {word}" for word, count in counts.most_common())
    summary = Text(f"{plural(len(board.ids), 'bulk')}: {told or 'looking'}", style="bold")
    pause = desk.client.pause
    note = Text("" if pause is None else explain_pause(pause), style="yellow")
    return Group(grid, summary, note) if note else Group(grid, summary)


def _cells(board: Board, bulk_id: str) -> tuple[Text, str, str]:
    bulk, error = board.bulks.get(bulk_id), board.failed.get(bulk_id)
    if error is not None:
        said = "not found" if isinstance(error, NotFoundError) else "no answer"
        return Text(said, style="red"), "", ""
    if bulk is None:
        return Text("…"), "", ""
    count = "" if bulk.msg_total_count is None else f"{bulk.msg_total_count:,}"
    when = bulk.processed_at or bulk.created_at
    label = Text(status_words(bulk), style=status_style(bulk))
    return label, count, "" if when is None else brief(when)
