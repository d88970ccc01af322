"""How a command runs: its client, its loop, its signals, and its exit code."""

import asyncio
import logging
import sys
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import lox24_async as lox

from . import streams
from .connecting import MAX_CONCURRENCY, connect, read_token
from .exits import CommandError, ExitCode
from .loops import hang_nowhere, leaving_soon, stop_like_ctrl_c
from .options import Connection
from .telling.outcomes import Run, sentences
from .telling.progress import PauseDisplay, Progress
from .telling.sentences import code_of, explain
from .telling.tables import make_console, say, say_whole
from .text import mask

T = TypeVar("T")

_LAST_WORDS: Final = 1.0  # seconds in which a stopped run writes down what it knows


def finish(work: Callable[[], ExitCode], *, debug: bool) -> ExitCode:
    """Do the work of a command; tell a failure in plain words, and with ``debug`` where it was."""
    try:
        with leaving_soon():
            return work()
    except KeyboardInterrupt:
        streams.hurry()
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  a person on call needs a sentence
        if debug:
            print(mask(traceback.format_exc()), file=sys.stderr, end="")
        if isinstance(error, CommandError):
            code, said = error.code, str(error)
        else:
            code = ExitCode.NOT_ALL
            said = f"lox24 broke ({type(error).__name__}). With --debug it shows where."
        print(f"Error: {said}", file=sys.stderr)
        return code


class Display(Protocol):
    """What is shown while a command works."""

    async def run(self) -> None:
        """Show it until cancelled."""


class Session:
    """The client of a command, and where the command speaks. Good for one run.

    Raises:
        CommandError: a setting cannot work; nothing was sent.
    """

    def __init__(
        self,
        connection: Connection,
        retry: lox.RetryPolicy | None = None,
        max_concurrency: int = MAX_CONCURRENCY,
        *,
        client: "lox.Lox24Client | None" = None,
    ) -> None:
        self.connection = connection
        self.client = client or connect(
            connection.place,
            token_file=connection.token_file,
            proxy=connection.proxy,
            retry=retry,
            max_concurrency=max_concurrency,
        )
        self.console = make_console(quiet=connection.quiet)
        """For people; silent with ``--quiet``."""
        self.alarm = make_console()
        """For people, and for what they must know."""
        self._told: list[str] = []

    def explain(self, error: lox.Lox24Error) -> str:
        """Say in one or two sentences what went wrong, and what to do next."""
        return explain(error, self.connection.place, self.connection.token_source)

    @property
    def client_id(self) -> str:
        """The part of the token before the colon."""
        return read_token(self.connection.token_file).partition(":")[0]

    def say_end(self, end: Run) -> None:
        """Say how a run ended, and what to do next."""
        console, style = (self.alarm, "red") if end.exit_code else (self.console, "green")
        for sentence in sentences(end, self.connection.place, self.connection.token_source):
            say(console, sentence, style)
            self._told.append(sentence)

    def tell(self, sentence: str, style: str = "", *, to_copy: bool = False) -> None:
        """Say what must be known, also with ``--quiet``; without line breaks if it is to copy."""
        (say_whole if to_copy else say)(self.alarm, sentence, style)
        self._told.append(sentence)

    def tell_elsewhere(self, *, stdout_is_free: bool) -> None:
        """Tell the verdict on stdout if stderr cannot be written and stdout holds no records."""
        if stdout_is_free and streams.settle(sys.stderr, _LAST_WORDS) is not None:
            streams.put(sys.stdout, "".join(f"{sentence}\n" for sentence in self._told))

    def run(
        self,
        work: Coroutine[Any, Any, T],
        display: Display | None = None,
        progress: Progress | None = None,
    ) -> T:
        """Do the work of a command in a loop of its own, and close the client.

        Args:
            work: Cancelled at once when somebody interrupts, unless it has a progress.
            display: Shown meanwhile; by default it says why nothing moves.
            progress: Of work that keeps its results where they are safe, and ends in good
                order, interrupted or in vain, once there is something in flight.

        Raises:
            CommandError: LOX24 or the network ended it.
            KeyboardInterrupt: somebody else did.
        """
        try:
            return asyncio.run(self.run_within(work, display, progress))
        except asyncio.CancelledError:  # Ctrl-C, a closed terminal, a kill
            raise KeyboardInterrupt from None
        finally:
            work.close()  # if the loop never came to it

    async def run_within(
        self,
        work: Coroutine[Any, Any, T],
        display: Display | None = None,
        progress: Progress | None = None,
    ) -> T:
        """Do the work of a command in the running loop; see :meth:`run`.

        Raises:
            CommandError: LOX24 or the network ended it.
            CancelledError: somebody else did.
        """
        display = display or PauseDisplay(self.console, lambda: self.client.pause)
        console = self.alarm if self.connection.quiet else self.console  # not the alarm: amid a bar
        note = None if progress is None else progress.take_warning
        with library_log(partial(say, console), note, debug=self.connection.debug):
            try:
                return await self._main(work, display, progress)
            except lox.Lox24Error as error:
                raise CommandError(self.explain(error), code_of(error)) from error

    async def _main(
        self, work: Coroutine[Any, Any, T], display: Display, progress: Progress | None
    ) -> T:
        stop_like_ctrl_c()
        hang_nowhere()
        interrupted = False
        async with self.client, shown(display):  # closed even if its grace time is cut short
            job = asyncio.create_task(work)
            ends: set[asyncio.Task[Any]] = {job}
            if progress is not None:
                ends.add(asyncio.create_task(progress.in_vain.wait()))
            try:
                try:
                    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                except asyncio.CancelledError:
                    interrupted = True
                    if progress is None or not progress.in_order():
                        job.cancel()
                        await asyncio.wait({job})
                    else:
                        progress.stop()
                # Who waits goes home at once; what is in flight gets a grace time to come back.
                await self.client.close()
                await asyncio.wait({job}, timeout=_LAST_WORDS)
            finally:
                await _end(*ends)
        if interrupted:
            raise asyncio.CancelledError
        if job.cancelled() and progress is not None:  # in vain; the results are safe
            return cast("T", None)
        return job.result()


@asynccontextmanager
async def shown(display: Display) -> AsyncGenerator[None]:
    """Show a display meanwhile."""
    showing = asyncio.create_task(display.run())
    try:
        yield
    finally:
        await _end(showing)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and forget how they ended: a terminal that has gone costs nobody the result."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# --- many ids


class CallEach(Generic[T]):
    """Calls LOX24 for each of many ids, a few at a time; knows at any moment what became of each.

    ``done`` gets each id when it is done, and returns whether nothing more is to be begun.
    """

    def __init__(
        self, call: Callable[[str], Awaitable[T]], done: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.begun: set[str] = set()
        self.results: dict[str, T | lox.Lox24Error] = {}
        self._call = call
        self._done = done
        self._over = False
        self._places = asyncio.Semaphore(MAX_CONCURRENCY)

    async def run(self, ids: Sequence[str]) -> AsyncGenerator[tuple[str, T | lox.Lox24Error]]:
        """Call, and give what came of each id, in the order of the ids."""
        calls = [asyncio.create_task(self._one(bulk_id)) for bulk_id in ids]
        try:
            for bulk_id, call in zip(ids, calls, strict=True):
                await asyncio.wait({call})  # who cancels this cancels all at once, below
                call.result()
                if bulk_id in self.results:
                    yield bulk_id, self.results[bulk_id]
        finally:
            await _end(*calls)

    async def _one(self, bulk_id: str) -> None:
        async with self._places:
            if self._over:
                return
            self.begun.add(bulk_id)
            try:
                self.results[bulk_id] = await self._call(bulk_id)
            except lox.Lox24Error as error:
                self.results[bulk_id] = error
            self._over = self._done(bulk_id)


async def run_out(results: AsyncGenerator[object]) -> None:
    """Go through results that are seen elsewhere."""
    async for _ in results:
        pass


# --- the library's log


class _LogHandler(logging.Handler):
    """Hands the log on; without a handler Python would print the warnings."""

    def __init__(self, take: Callable[[logging.LogRecord, str], object]) -> None:
        super().__init__()
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):  # a log never ends a run
            self._take(record, mask(record.getMessage()))


@contextmanager
def library_log(
    tell: Callable[[str], object], note: Callable[[str], object] | None, *, debug: bool
) -> Generator[None]:
    """Take the library's log: ``tell`` gets all with ``debug``, else ``note`` the warnings."""

    def take(record: logging.LogRecord, text: str) -> None:
        if debug:
            tell(f"{record.levelname}: {text}")
        elif note is not None:
            note(text)

    log, handler = logging.getLogger("lox24_async"), _LogHandler(take)
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if debug else logging.WARNING)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate
