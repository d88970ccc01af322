"""What a person sees while a run is on: a bar in a terminal, now and then a line elsewhere."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lox24_async import CancelState, Pause

from .connect import log_shown
from .console import say
from .failures import explain_pause
from .result import COLOURS
from .tally import Tally
from .verdict import LABELS

_FRAME: Final = 0.125  # seconds between two pictures of the bar
_REST: Final = 24  # times what a picture took until the next: at most 4 % of a run go into the bar
_LONGEST: Final = 3.0  # seconds; so long a bar may stand still, however slow its terminal is
_SAME: Final = 6  # of so many lines about one and the same pause, one is printed
_REPEAT: Final = re.compile(r"bulk \S+: (.+; attempt \d+ of \d+ in .+)")  # as the library logs


def _no_pause() -> None:
    return None


class Display:
    """Shows a tally, or why all calls are held up.

    Args:
        console: Where. In a terminal a bar is drawn, elsewhere a line is printed.
        tally: What to show.
        every: Seconds between two such lines.
        pause: Says what holds all calls up now, as ``Lox24Client.pause``.
        clock: Seconds, for what a picture costs.
    """

    def __init__(
        self,
        console: Console,
        tally: Tally,
        every: float = 5.0,
        *,
        pause: Callable[[], Pause | None] = _no_pause,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._console = console
        self._tally = tally
        self._every = every
        self._pause = pause
        self._clock = clock
        self._live: Live | None = None
        if console.is_terminal and not console.quiet:
            self._live = Live(
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )

    async def run(self) -> None:
        """Show the tally until cancelled."""
        if self._live is None:
            await self._print_lines()
        else:
            with self._live:
                await self._draw_bar(self._live)

    async def _draw_bar(self, live: Live) -> None:
        while True:
            begun = self._clock()
            self._draw(live)
            cost = self._clock() - begun
            await asyncio.sleep(max(_FRAME, min(cost * _REST, _LONGEST)))

    def _draw(self, live: Live) -> None:
        live.update(self._picture(), refresh=True)

    async def _print_lines(self) -> None:
        same = 0
        while True:
            await asyncio.sleep(self._every)
            held = bool(self._held())
            if not held or not same % _SAME:
                say(self._console, self._line())
            same = same + 1 if held else 0

    def print(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        say(self._console, text)

    def _held(self) -> str:
        """Say why all calls are held up; empty if they are not."""
        pause = None if self._tally.stopped else self._pause()
        return "" if pause is None else explain_pause(pause)

    def _line(self) -> str:
        tally = self._tally
        rate = tally.sample()
        states = ", ".join(f"{n:,} {LABELS[s]}" for s, n in self._counts())
        note = self._held() or tally.note
        of = (
            "" if tally.total is None else f" of {tally.total:,}, {rate:,.0f}/s, {tally.left(rate)}"
        )
        return (
            f"{tally.phase}: {tally.done:,}{of or ' found'}"
            + (f" ({states})" if states and tally.total is not None else "")
            + (f"; {note}" if note else "")
        )

    def _counts(self) -> Iterator[tuple[CancelState, int]]:
        counts = self._tally.counts
        return ((state, counts[state]) for state in LABELS if counts[state])

    def _picture(self) -> RenderableType:
        tally = self._tally
        held = self._held()
        note = Text(
            held or tally.note,
            style="yellow" if held else "dim",
            no_wrap=True,
            overflow="ellipsis",
        )
        if tally.total is None:
            return Group(Text(f"{tally.phase}: {tally.done:,} found", no_wrap=True), note)
        rate = tally.sample()
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(no_wrap=True)
        bar.add_column(ratio=1)
        for _ in range(3):
            bar.add_column(no_wrap=True, justify="right")
        bar.add_row(
            tally.phase,
            ProgressBar(total=tally.total, completed=tally.done, complete_style="cyan"),
            f"{tally.done:,}/{tally.total:,}",
            f"{rate:,.0f}/s",
            tally.left(rate),
        )
        states = Text("  ").join(
            Text.assemble(f"{n:,} ", (LABELS[s], COLOURS[s])) for s, n in self._counts()
        )
        return Group(bar, states, note)


def listening(tally: Tally, display: Display, *, debug: bool) -> AbstractContextManager[None]:
    """Show what the library logs: why a call waits, above all."""

    def note(text: str) -> None:
        if repeat := _REPEAT.fullmatch(text):
            tally.say(f"waiting: {repeat[1]}")

    return log_shown(display.print, debug=debug, note=note)
