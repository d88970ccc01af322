"""What is shown while a run is on: the bar, the lines, the countdown. By a made-up clock."""

import asyncio
import io
import re
from collections.abc import Callable

import pytest

from lox24_async import (
    AuthenticationError,
    BulkStatus,
    CancelOutcome,
    CancelState,
    ConnectionFailedError,
    IPBlockedError,
    Lox24Client,
    Lox24Error,
    Pause,
    ServerError,
)
from lox24_async.cli.telling.progress import Progress, ProgressDisplay
from lox24_async.cli.telling.tables import make_console
from lox24_async.testing import FakeLox24
from tests.conftest import loop_time

from .stage import plain

BLOCK = IPBlockedError("no", status=429)


class Terminal(io.StringIO):
    """A stream that says it is a terminal, and may be slow."""

    cost = 0.0  # seconds for each write
    now = 0.0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.now += self.cost
        return super().write(text)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the display a known room."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")


def until(end: float, cause: Lox24Error = BLOCK) -> Callable[[], Pause | None]:
    """Return a pause that lasts from now until a moment of the loop's time."""
    return lambda: Pause(end - loop_time(), cause) if loop_time() < end else None


async def show(display: ProgressDisplay, seconds: float) -> None:
    """Run a display for a while."""
    task = asyncio.create_task(display.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait({task})


def said(stream: io.StringIO) -> str:
    """Return what was written, as it reads."""
    return plain(stream.getvalue().encode())


# --- the countdown


@pytest.mark.looptime
async def test_a_pause_is_counted_down_in_a_terminal() -> None:
    """Every second is shown on the way down, and nothing of it when the pause is over."""
    screen = Terminal()
    pause = until(loop_time() + 42)
    display = ProgressDisplay(make_console(screen), Progress(9), pause=pause, clock=loop_time)
    await show(display, 43)
    left = re.findall(r"LOX24 blocks or limits this IP: next try in (\d:\d\d)", said(screen))
    assert [f"0:{second:02}" for second in range(42, 0, -1)] == list(dict.fromkeys(left))
    assert "next try" not in said(screen).rpartition("cancelling")[2]


@pytest.mark.looptime
async def test_a_pause_is_told_now_and_then_in_a_pipe() -> None:
    """The first line says it, then one of six does: a block is no flood, and no silence."""
    pipe = io.StringIO()
    display = ProgressDisplay(make_console(pipe), Progress(9), pause=until(loop_time() + 118.5))
    await show(display, 131)
    lines = said(pipe).splitlines()
    told = [line.partition("next try in ")[2] for line in lines if "next try in" in line]
    assert ["1:54", "1:24", "0:54", "0:24"] == told
    assert ["cancelling: 0 of 9, 0/s, --:-- left"] * 3 == lines[len(told) :]


@pytest.mark.parametrize(
    ("pause", "told"),
    [
        (Pause(62, BLOCK), "LOX24 blocks or limits this IP: next try in 1:02"),
        (Pause(0.0, BLOCK), "LOX24 blocks or limits this IP: trying again"),
        (Pause(3, ServerError("x", status=503)), "LOX24 fails (HTTP 503): next try in 0:03"),
        (Pause(3, ConnectionFailedError("x")), "LOX24 cannot be reached: next try in 0:03"),
        (
            Pause(60, AuthenticationError("x", status=401)),
            "LOX24 refused the token: next try in 1:00",
        ),
    ],
)
@pytest.mark.looptime
async def test_a_pause_is_told_with_its_cause(pause: Pause, told: str) -> None:
    """A person must know whether to wait, to call somebody, or to look for another token."""
    screen = Terminal()
    progress = Progress(9)
    progress.say("another note")
    await show(ProgressDisplay(make_console(screen), progress, pause=lambda: pause), 0.01)
    assert told in said(screen)
    assert "another note" not in said(screen)


@pytest.mark.looptime
async def test_who_stops_a_run_is_told_about_that_and_not_about_the_pause() -> None:
    """After Ctrl-C nothing waits for the pause any more."""
    screen = Terminal()
    progress = Progress(9)
    progress.stop()
    await show(ProgressDisplay(make_console(screen), progress, pause=lambda: Pause(9, BLOCK)), 0.01)
    assert "Ctrl-C again leaves at once" in said(screen)
    assert "next try" not in said(screen)


@pytest.mark.looptime
async def test_the_clients_own_pause_is_shown(fake_lox24: FakeLox24) -> None:
    """From the gateway's Retry-After to the screen, and away when the calls go on."""
    screen = Terminal()
    fake_lox24.fail_next(429, headers={"Retry-After": "30"})
    bulk = fake_lox24.add_bulk(BulkStatus.NEW)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        display = ProgressDisplay(make_console(screen), Progress(1), pause=lambda: client.pause)
        task = asyncio.create_task(display.run())
        await client.cancel_bulk(bulk.uuid)
        assert re.search(r"this IP: next try in 0:(29|30)", said(screen))
        assert "next try in 0:01" in said(screen)
        screen.truncate(0)
        await asyncio.sleep(1)
        assert "next try" not in said(screen)
        task.cancel()
        await asyncio.wait({task})
    assert bulk.uuid in {b.uuid for b in fake_lox24.bulks.values() if b.is_canceled}


# --- what the bar costs


@pytest.mark.slow
@pytest.mark.looptime
@pytest.mark.parametrize("cost", [0.0, 0.001, 0.01, 0.03])
async def test_a_bar_takes_less_than_5_percent_however_slow_its_terminal(cost: float) -> None:
    """The longer a picture takes, the rarer it is drawn."""
    screen = Terminal()
    screen.cost = cost
    display = ProgressDisplay(make_console(screen), Progress(9), clock=lambda: screen.now)
    await show(display, 120)
    assert screen.now <= 0.05 * 120
    assert screen.getvalue()


@pytest.mark.looptime
async def test_even_in_the_slowest_terminal_the_bar_moves() -> None:
    """A picture that takes seconds is drawn every three seconds all the same."""
    screen = Terminal()
    screen.cost = 5.0
    display = ProgressDisplay(make_console(screen), Progress(9), clock=lambda: screen.now)
    pictures = 0

    def count() -> None:
        nonlocal pictures
        pictures += 1

    display._pause = count
    await show(display, 30.5)
    assert pictures == 11


# --- bar and lines


@pytest.mark.looptime
async def test_a_search_shows_what_it_has_found() -> None:
    """Nobody knows how many there will be: no bar and no time left, but a number."""
    bulk_id = "da0fa78c-4699-11ea-a637-96000028b339"
    for stream in (Terminal(), io.StringIO()):
        progress = Progress(None, phase="searching")
        for _ in range(1_234):
            progress.count(CancelOutcome(bulk_id, CancelState.NOT_SENT))
        await show(ProgressDisplay(make_console(stream), progress), 5.5)
        assert "searching: 1,234 found\n" in said(stream)
        assert "not sent" not in said(stream)
        assert "left" not in said(stream)


@pytest.mark.looptime
async def test_quiet_shows_nothing() -> None:
    """Neither bar nor line nor countdown."""
    for stream in (Terminal(), io.StringIO()):
        console = make_console(stream, quiet=True)
        await show(ProgressDisplay(console, Progress(9), pause=lambda: Pause(9, BLOCK)), 60)
        assert stream.getvalue() == ""
