"""What the commands that talk to LOX24 share: the client, its loop, and how both end."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from attrs import field, frozen
from rich.console import Console
from rich.live import Live
from rich.text import Text

from lox24_async import ConfigurationError, Lox24Client, Lox24Error, Pause, RetryPolicy

from .console import make_console, say
from .failures import code_of, explain, explain_pause
from .options import DEFAULT_URL, MAX_CONCURRENCY, CommandError, mask, read_token, shown

T = TypeVar("T")

_TICK: Final = 0.5  # seconds between two looks at whether calls are held up
_AGAIN: Final = 30.0  # seconds between two lines about it, where there is no terminal
LAST_WORDS: Final = 1.0
"""Seconds in which a stopped run writes down what it knows."""
PATIENT: Final = RetryPolicy(max_wait=900.0, wait_out_block=True)
"""Waits for the end of a block, ten minutes, and goes on."""


@frozen(kw_only=True)
class Setup:
    """Where LOX24 is, with what token, and how much to say."""

    base_url: str | None = None
    token_file: Path | None = None
    max_concurrency: int = MAX_CONCURRENCY
    quiet: bool = False
    debug: bool = False

    @property
    def place(self) -> str:
        """The base URL."""
        return self.base_url or DEFAULT_URL

    @property
    def token_source(self) -> str:
        """Where the token comes from."""
        return "LOX24_AUTH_TOKEN" if self.token_file is None else shown(str(self.token_file))

    def explain(self, error: Lox24Error) -> str:
        """Say in one or two sentences what went wrong, and what to do next."""
        return explain(error, self.place, self.token_source)

    def connect(self, retry: RetryPolicy = RetryPolicy()) -> Lox24Client:  # noqa: B008  frozen
        """Make the client.

        Raises:
            CommandError: a setting cannot work; nothing was sent.
        """
        try:
            return Lox24Client(
                read_token(self.token_file),
                base_url=self.place,
                max_concurrency=self.max_concurrency,
                retry=retry,
            )
        except ConfigurationError as error:
            hint = "Check LOX24_AUTH_TOKEN or --token-file"
            if "URL" in error.message:
                hint = "Check LOX24_BASE_URL or --base-url"
            message = error.message[0].upper() + error.message[1:]
            raise CommandError(f"{message}. {hint}; nothing was sent.") from error


@frozen
class Desk:
    """What a command works with."""

    setup: Setup
    client: Lox24Client
    news: Console = field(init=False)
    """For people; silent with ``--quiet``."""
    alarm: Console = field(init=False)
    """For people, and for what they must know."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "news", make_console(sys.stderr, quiet=self.setup.quiet))
        object.__setattr__(self, "alarm", make_console(sys.stderr))

    def run(self, work: Callable[[Self], Awaitable[T]], *, countdown: bool = True) -> T:
        """Do the work of a command in a loop of its own.

        Args:
            work: Gets this desk.
            countdown: Whether to say why nothing moves, while nothing moves.

        Raises:
            CommandError: LOX24 or the network ended it.
            KeyboardInterrupt: somebody else did.
        """
        with log_shown(partial(say, self.alarm), debug=self.setup.debug):
            try:
                return asyncio.run(self._work(work, countdown=countdown))
            except asyncio.CancelledError:  # a closed terminal, or a kill
                raise KeyboardInterrupt from None
            except Lox24Error as error:
                raise CommandError(self.setup.explain(error), code_of(error)) from error

    async def _work(self, work: Callable[[Self], Awaitable[T]], *, countdown: bool) -> T:
        hang_up_like_ctrl_c()
        async with self.client:
            ticker = asyncio.create_task(_tell_pauses(self)) if countdown else None
            try:
                return await work(self)
            finally:
                if ticker is not None:
                    ticker.cancel()
                    await asyncio.wait({ticker})


def hang_up_like_ctrl_c() -> None:
    """Let a closed terminal or a ``kill`` end the run as Ctrl-C does: with nothing lost."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if task is None or number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue  # under nohup a hang-up is no matter
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, task.cancel)


# --- while nothing moves


async def _tell_pauses(desk: Desk) -> None:
    """Count down in a terminal while calls are held up; elsewhere say so now and then."""
    console, clock = desk.news, asyncio.get_running_loop().time
    told_at = float("-inf")
    while True:
        await asyncio.sleep(_TICK)
        pause = desk.client.pause
        if pause is None:
            continue
        if console.is_terminal and not console.quiet:
            await _count_down(desk.client, console, pause)
        elif clock() - told_at >= _AGAIN:
            told_at = clock()
            say(console, explain_pause(pause))


async def _count_down(client: Lox24Client, console: Console, pause: Pause | None) -> None:
    with Live(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        while pause is not None:
            line = Text(explain_pause(pause), style="yellow", no_wrap=True, overflow="ellipsis")
            live.update(line, refresh=True)
            await asyncio.sleep(_TICK)
            pause = client.pause


# --- the library's log


class _Log(logging.Handler):
    """Hands the log on; without a handler Python would print the warnings."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.levelname, mask(record.getMessage()))


@contextmanager
def log_shown(
    tell: Callable[[str], None], *, debug: bool, note: Callable[[str], None] | None = None
) -> Generator[None]:
    """Take the library's log.

    Args:
        tell: Gets every line with ``debug``.
        debug: Whether the log is wanted.
        note: Gets the warnings without ``debug``.
    """

    def take(level: str, text: str) -> None:
        if debug:
            tell(f"{level}: {text}")
        elif note is not None:
            note(text)

    log, handler = logging.getLogger("lox24_async"), _Log(take)
    handler.setLevel(logging.DEBUG if debug else logging.WARNING)
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
