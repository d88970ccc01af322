"""What a person sees while a run is on: a bar in a terminal, now and then a line elsewhere."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from rich import progress as rich_progress
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from lox24_async import CancelOutcome, CancelState, Pause
from lox24_async.cli.streams import is_behind

from .outcomes import is_unreachable, label_of
from .sentences import IN_VAIN, explain_pause
from .tables import say

STOPPING: Final = "requests in flight get 5 s; Ctrl-C again leaves at once"
_FRAME: Final = 0.125  # seconds between two pictures of the bar
_REST: Final = 24  # times what a picture took until the next: at most 4 % of a run go into the bar
_LONGEST: Final = 3.0  # seconds; so long a bar may stand still, however slow its terminal is
_RATE_OVER: Final = 10.0  # seconds over which the rate is taken
_SAME: Final = 6  # of so many lines about one and the same pause, one is printed
_TICK: Final = 0.5  # seconds between two looks at whether calls are held up
_AGAIN: Final = 30.0  # seconds between two lines about it, where there is no bar and no terminal
_REPEAT: Final = re.compile(r"bulk \S+: (.+; attempt \d+ of \d+ in .+)")  # as the library logs


class Progress:
    """How far a run is, and what came of it so far. ``total`` is ``None``: nobody knows yet."""

    def __init__(
        self,
        total: int | None,
        clock: Callable[[], float] = time.monotonic,
        phase: str = "cancelling",
    ) -> None:
        self.total = total
        self.counts: Counter[CancelState] = Counter()
        self.done = 0
        self.phase = phase
        self.stopped = asyncio.Event()
        """Set when the run is being stopped."""
        self.in_vain = asyncio.Event()
        """Set when nothing was ever answered: LOX24 cannot be reached."""
        self.clock = clock
        self._unreachable = 0
        self._note, self._noted_at = "", -1
        self._started = clock()

    def count(self, outcome: CancelOutcome) -> None:
        """Take an outcome."""
        self.counts[outcome.state] += 1
        self.done += 1
        self._unreachable += is_unreachable(outcome)
        if self._unreachable == self.done == IN_VAIN:
            self.in_vain.set()

    def move(self, before: CancelState, after: CancelState) -> None:
        """Take what a second look made of an outcome."""
        self.counts[before] -= 1
        self.counts[after] += 1

    def stop(self) -> None:
        """Show that the run is being stopped."""
        self.stopped.set()
        self.phase = "stopping"
        self.say(STOPPING)

    async def sleep(self, seconds: float) -> None:
        """Sleep, but not on when the run is being stopped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopped.wait()

    def say(self, note: str) -> None:
        """Show a note until things move on."""
        self._note, self._noted_at = note, self.done

    def take_warning(self, text: str) -> None:
        """Take a warning that the library logs: why a call waits, above all."""
        if repeat := _REPEAT.fullmatch(text):
            self.say(f"waiting: {repeat[1]}")

    @property
    def note(self) -> str:
        """The note, while nothing has come in since."""
        return self._note if self._noted_at == self.done else ""

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._started


# --- displays


async def draw(
    console: Console,
    picture: Callable[[], RenderableType | None],
    *,
    transient: bool = True,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Draw in a terminal until there is no picture any more; what is printed stands above it.

    ``clock`` tells what a picture costs; the dearer it is, the rarer it is drawn.
    """
    live = Live(
        console=console,
        auto_refresh=False,
        transient=transient,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with live:
        try:
            while True:
                begun = clock()
                drawn = picture()
                if drawn is None:
                    return
                # A terminal that is behind gets the next picture instead of one more.
                live.update(drawn, refresh=not is_behind(console.file))
                cost = clock() - begun
                await sleep(max(_FRAME, min(cost * _REST, _LONGEST)))
        finally:
            if not transient:
                live.update(picture() or "", refresh=True)


def _one_line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


class PauseDisplay:
    """Says why nothing moves, while nothing moves: for a command without a bar.

    In a terminal it counts down, elsewhere a line is printed.
    """

    def __init__(self, console: Console, pause: Callable[[], Pause | None]) -> None:
        self._console = console
        self._pause = pause

    async def run(self) -> None:
        """Show pauses until cancelled."""
        clock = asyncio.get_running_loop().time
        told_at = float("-inf")
        while True:
            await asyncio.sleep(_TICK)
            pause = self._pause()
            if pause is None:
                continue
            if self._console.is_terminal and not self._console.quiet:
                await draw(self._console, self._picture)
            elif clock() - told_at >= _AGAIN:
                told_at = clock()
                say(self._console, explain_pause(pause))

    def _picture(self) -> Text | None:
        pause = self._pause()
        return None if pause is None else _one_line(explain_pause(pause), "yellow")


class ProgressDisplay:
    """Shows the progress of a run, or why all calls are held up.

    In a terminal a bar is drawn, elsewhere a line is printed every so many seconds.
    """

    def __init__(
        self,
        console: Console,
        progress: Progress,
        every: float = 5.0,
        *,
        pause: Callable[[], Pause | None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._console = console
        self._progress = progress
        self._every = every
        self._pause = pause
        self._clock = clock
        self._left = rich_progress.TimeRemainingColumn(compact=True)
        self._bar = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(bar_width=None, complete_style="cyan"),
            rich_progress.TextColumn("{task.completed:,}/{task.total:,}"),
            rich_progress.TextColumn("{task.fields[rate]}"),
            self._left,
            rich_progress.TextColumn("left"),
            console=console,
            auto_refresh=False,
            expand=True,
            get_time=progress.clock,
            speed_estimate_period=_RATE_OVER,
        )
        self._task = self._bar.add_task("", total=progress.total, rate="")

    async def run(self) -> None:
        """Show the progress until cancelled."""
        if self._console.is_terminal and not self._console.quiet:
            await draw(self._console, self._picture, clock=self._clock, sleep=self._sleep)
        else:
            await self._print_lines()

    async def _sleep(self, seconds: float) -> None:
        """Sleep until the next picture; who stops a run sees at once that it is being stopped."""
        stopped = self._progress.stopped.is_set()
        await (asyncio.sleep(seconds) if stopped else self._progress.sleep(seconds))

    async def _print_lines(self) -> None:
        same = 0
        while True:
            await asyncio.sleep(self._every)
            held = self._held() is not None
            if not held or not same % _SAME:
                say(self._console, self._line())
            same = same + 1 if held else 0

    def _held(self) -> Pause | None:
        """Return what holds all calls up; who stops a run is told about that instead."""
        return None if self._progress.stopped.is_set() else self._pause()

    def _update(self) -> rich_progress.Task:
        """Bring rich's own estimates up to date."""
        progress, task = self._progress, self._bar.tasks[0]
        self._bar.update(self._task, completed=progress.done, description=progress.phase)
        self._bar.update(self._task, rate=f"{task.speed or 0:,.0f}/s")
        return task

    def _states(self) -> list[CancelState]:
        return [state for state in CancelState if self._progress.counts[state]]

    def _line(self) -> str:
        progress, held = self._progress, self._held()
        note = progress.note if held is None else explain_pause(held)
        end = f"; {note}" if note else ""
        if progress.total is None:
            return f"{progress.phase}: {progress.done:,} found{end}"
        task = self._update()
        states = ", ".join(f"{progress.counts[s]:,} {label_of(s)}" for s in self._states())
        return (
            f"{progress.phase}: {progress.done:,} of {progress.total:,}, {task.fields['rate']},"
            f" {self._left.render(task)} left" + (f" ({states})" if states else "") + end
        )

    def _picture(self) -> RenderableType:
        progress, held = self._progress, self._held()
        note = _one_line(progress.note, "dim")
        if held is not None:
            note = _one_line(explain_pause(held), "yellow")
        if progress.total is None:
            return Group(_one_line(f"{progress.phase}: {progress.done:,} found"), note)
        self._update()
        states = Text("  ").join(
            Text.assemble(f"{progress.counts[s]:,} ", label_of(s)) for s in self._states()
        )
        return Group(self._bar, states, note)
