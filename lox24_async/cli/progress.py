"""What a person sees while a run is on: a bar in a terminal, now and then a line elsewhere."""

import asyncio
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lox24_async import CancelOutcome, CancelState

from .options import mask
from .show import COLOURS, say
from .verdict import LABELS, is_unreachable

_WINDOW: Final = 10.0  # seconds over which the rate is taken
_FRAME: Final = 0.125  # seconds between two pictures of the bar
_REPEAT: Final = re.compile(r"bulk \S+: (.+; attempt \d+ of \d+ in .+)")  # as the library logs
_IN_VAIN: Final = 10  # ids without an answer, when there was none at all, are enough


class Tally:
    """Counts what comes in.

    Args:
        total: How many ids there are.
        clock: Seconds.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.counts: Counter[CancelState] = Counter()
        self.done = 0
        self.phase = "cancelling"
        self.stopped = False
        self.in_vain = asyncio.Event()
        """Set when nothing was ever answered: LOX24 cannot be reached."""
        self._unreachable = 0
        self._note, self._noted_at = "", -1
        self._clock = clock
        self._started = clock()
        self._samples: deque[tuple[float, int]] = deque([(self._started, 0)])

    def count(self, outcome: CancelOutcome) -> None:
        """Take an outcome."""
        self.counts[outcome.state] += 1
        self.done += 1
        self._unreachable += is_unreachable(outcome)
        if self._unreachable == self.done == _IN_VAIN:
            self.in_vain.set()

    def stop(self) -> None:
        """Show that the run is being stopped."""
        self.stopped = True
        self.phase = "stopping"
        self.say("requests in flight get 5 s; Ctrl-C again leaves at once")

    def say(self, note: str) -> None:
        """Show a note until things move on."""
        self._note, self._noted_at = note, self.done

    @property
    def note(self) -> str:
        """The note, while nothing has come in since."""
        return self._note if self._noted_at == self.done else ""

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def sample(self) -> float:
        """Return outcomes per second of late."""
        now, samples = self._clock(), self._samples
        samples.append((now, self.done))
        while len(samples) > 2 and samples[0][0] < now - _WINDOW:
            samples.popleft()
        then, before = samples[0]
        return (self.done - before) / (now - then) if then < now else 0.0

    def left(self, rate: float) -> str:
        """Return the time that the rest will take."""
        if not rate:
            return "-:-- left"
        minutes, seconds = divmod(round((self.total - self.done) / rate), 60)
        hours, minutes = divmod(minutes, 60)
        return (
            f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"
        )


class Display:
    """Shows a tally.

    Args:
        console: Where. In a terminal a bar is drawn, elsewhere a line is printed.
        tally: What to show.
        every: Seconds between two such lines.
    """

    def __init__(self, console: Console, tally: Tally, every: float = 5.0) -> None:
        self._console = console
        self._tally = tally
        self._live: Live | None = None
        if console.is_terminal and not console.quiet:
            self._live = Live(
                console=console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
        self._interval = _FRAME if self._live else every

    async def run(self) -> None:
        """Show the tally until cancelled."""
        if self._live is None:
            while True:
                await asyncio.sleep(self._interval)
                say(self._console, self._line())
        with self._live:
            while True:
                self._live.update(self._picture(), refresh=True)
                await asyncio.sleep(self._interval)

    def print(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        say(self._console, text)

    def _line(self) -> str:
        tally = self._tally
        rate = tally.sample()
        states = ", ".join(f"{n:,} {LABELS[s]}" for s, n in self._counts())
        return (
            f"{tally.phase}: {tally.done:,} of {tally.total:,}, {rate:,.0f}/s,"
            f" {tally.left(rate)}"
            + (f" ({states})" if states else "")
            + (f"; {tally.note}" if tally.note else "")
        )

    def _counts(self) -> Iterator[tuple[CancelState, int]]:
        counts = self._tally.counts
        return ((state, counts[state]) for state in LABELS if counts[state])

    def _picture(self) -> RenderableType:
        tally = self._tally
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
        note = Text(tally.note, style="dim", no_wrap=True, overflow="ellipsis")
        return Group(bar, states, note)


class _Log(logging.Handler):
    """The library's log: why it waits, as a note, or all of it."""

    def __init__(self, tally: Tally, display: Display, *, debug: bool) -> None:
        super().__init__(logging.DEBUG if debug else logging.WARNING)
        self._tally = tally
        self._display = display
        self._debug = debug

    def emit(self, record: logging.LogRecord) -> None:
        text = mask(record.getMessage())
        if self._debug:
            self._display.print(f"{record.levelname}: {text}")
        elif repeat := _REPEAT.fullmatch(text):
            self._tally.say(f"waiting: {repeat[1]}")


@contextmanager
def listening(tally: Tally, display: Display, *, debug: bool) -> Generator[None]:
    """Show what the library logs: why it waits, above all."""
    log = logging.getLogger("lox24_async")
    handler = _Log(tally, display, debug=debug)
    before = log.level, log.propagate
    log.addHandler(handler)
    log.propagate = False
    if debug:
        log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]
