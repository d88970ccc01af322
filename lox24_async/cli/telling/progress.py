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
SEARCHING: Final = "searching"
_FRAME: Final = 0.125  # seconds between two pictures of the bar
_REST: Final = 32  # times what a picture took until the next: at most 3 % of a run go into the bar
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
        *,
        gives_up: bool = True,
    ) -> None:
        self.total = total
        self.counts: Counter[CancelState] = Counter()
        self.done = 0
        self.phase = phase
        self.stopped = asyncio.Event()
        """Set when the run is being stopped."""
        self.in_vain = asyncio.Event()
        """Set when nothing was ever answered: LOX24 cannot be reached."""
        self.in_order: Callable[[], bool] = lambda: True
        """Says whether there is something in flight that must come to a good end."""
        self.notes: list[str] = []
        """What is to be said at the end."""
        self.looks = 0
        """How many bulks are looked at again in this round."""
        self.looked = 0
        """How many of them were."""
        self.is_looking = False
        self.hidden = False
        """Whether a question stands on the screen."""
        self.is_drawn = False
        self.nudged = asyncio.Event()
        """Set when the picture has to change at once."""
        self.clock = clock
        self._gives_up = gives_up
        self._unreachable = 0
        self._sent_in: float | None = None
        self._note, self._noted_at = "", -1
        self._started = clock()

    def count(self, outcome: CancelOutcome) -> None:
        """Take an outcome."""
        self.counts[outcome.state] += 1
        self.done += 1
        self._unreachable += is_unreachable(outcome)
        if self._gives_up and self._unreachable == self.done == IN_VAIN:
            self.in_vain.set()

    def move(self, before: CancelState, after: CancelState) -> None:
        """Take what a second look made of an outcome."""
        self.counts[before] -= 1
        self.counts[after] += 1

    def end_sending(self) -> None:
        """Nothing more is cancelled; from now on it is only looked."""
        self._sent_in = self.seconds

    @property
    def sending_seconds(self) -> float:
        """Seconds for which something was cancelled."""
        return self.seconds if self._sent_in is None else self._sent_in

    def begin_looks(self, count: int) -> None:
        """Begin to look again at so many."""
        self.phase, self.looks, self.looked, self.is_looking = "looking again", count, 0, True

    def count_look(self) -> None:
        """Take a look."""
        self.looked += 1

    def end_looks(self) -> None:
        """The looks are through."""
        self.is_looking = False

    def looks_told(self) -> list[str]:
        """Say how far the looks came, in words; nothing if there were none."""
        return [f"looked again at {self.looked:,} of {self.looks:,}"] if self.looks else []

    async def hide(self) -> None:
        """Take the picture off the screen: somebody is asked."""
        self.hidden = True
        self.nudged.set()
        while self.is_drawn:  # noqa: ASYNC110  a moment
            await asyncio.sleep(0.005)

    def begin_again(self, total: int | None) -> None:
        """Show it again, for a run that begins now."""
        self.hidden, self.total, self.done, self.phase = False, total, 0, "cancelling"
        self._started = self.clock()
        self.nudged.clear()

    def stop(self) -> None:
        """Show that the run is being stopped."""
        self.stopped.set()
        self.nudged.set()
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
                if is_behind(console.file):  # it gets the next picture instead of one more
                    await sleep(_FRAME)
                    continue
                live.update(drawn, refresh=True)
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
        if not self._console.is_terminal or self._console.quiet:
            await self._print_lines()
            return
        progress = self._progress
        while True:
            progress.is_drawn = not progress.hidden
            try:
                if progress.is_drawn:
                    await draw(self._console, self._picture, clock=self._clock, sleep=self._sleep)
            finally:
                progress.is_drawn = False
            await asyncio.sleep(_FRAME)

    async def _sleep(self, seconds: float) -> None:
        """Sleep until the next picture; what has to be seen at once is."""
        if self._progress.stopped.is_set():
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._progress.nudged.wait()

    async def _print_lines(self) -> None:
        same = 0
        while True:
            await asyncio.sleep(self._every)
            held = self._held() is not None
            if self._progress.hidden:
                continue
            if not held or not same % _SAME:
                say(self._console, self._line())
            same = same + 1 if held else 0

    def _held(self) -> Pause | None:
        """Return what holds all calls up; who stops a run is told about that instead."""
        return None if self._progress.stopped.is_set() else self._pause()

    def _update(self) -> rich_progress.Task:
        """Bring rich's own estimates up to date."""
        progress, task = self._progress, self._bar.tasks[0]
        done, total = progress.done, progress.total
        if progress.is_looking:
            done, total = progress.looked, progress.looks
        self._bar.update(self._task, completed=done, total=total, description=progress.phase)
        self._bar.update(self._task, rate=f"{task.speed or 0:,.0f}/s")
        return task

    def _states(self) -> list[CancelState]:
        return [state for state in CancelState if self._progress.counts[state]]

    def _line(self) -> str:
        progress, held = self._progress, self._held()
        note = progress.note if held is None else explain_pause(held)
        end = f"; {note}" if note else ""
        states = ", ".join(f"{progress.counts[s]:,} {label_of(s)}" for s in self._states())
        if progress.phase == SEARCHING:
            states = ""
        if progress.is_looking:
            return f"looked again at {progress.looked:,} of {progress.looks:,} ({states}){end}"
        if progress.total is None:
            return f"{progress.phase}: {self._so_far()}" + (f" ({states})" if states else "") + end
        task = self._update()
        return (
            f"{progress.phase}: {progress.done:,} of {progress.total:,}, {task.fields['rate']},"
            f" {self._left.render(task)} left" + (f" ({states})" if states else "") + end
        )

    def _so_far(self) -> str:
        """Say how many there were, where nobody knows how many there will be."""
        progress = self._progress
        if progress.phase == SEARCHING:
            return f"{progress.done:,} found"
        seconds = progress.seconds
        rate = f", {progress.done / seconds:,.0f}/s" if seconds >= 1 else ""
        return f"{progress.done:,} so far{rate}"

    def _picture(self) -> RenderableType | None:
        progress, held = self._progress, self._held()
        if progress.hidden:
            return None
        note = _one_line(progress.note, "dim")
        if held is not None:
            note = _one_line(explain_pause(held), "yellow")
        if progress.total is None and not progress.is_looking:
            said = Text(f"{progress.phase}: {self._so_far()}", no_wrap=True)
            for state in () if progress.phase == SEARCHING else self._states():
                said.append(f"  {progress.counts[state]:,} ").append_text(label_of(state))
            return Group(said, note)
        self._update()
        states = Text("  ").join(
            Text.assemble(f"{progress.counts[s]:,} ", label_of(s)) for s in self._states()
        )
        return Group(self._bar, states, note)
