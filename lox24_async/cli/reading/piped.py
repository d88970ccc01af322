"""Ids from what is still being written (a pipe, a keyboard): each as soon as it is there."""

import asyncio
import codecs
import io
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Self

from lox24_async.cli.exits import CommandError
from lox24_async.cli.text import quoted, why

from .files import Entry, check_no_workbook, encoding_of, open_stdin, short_name
from .ids import Sieve, from_arguments, from_lines

_CHUNK: Final = 1 << 16  # bytes
_BATCH: Final = 256  # entries that are handed over at once
_AHEAD: Final = 8  # batches that wait: the rest waits in the pipe
_LONGEST_BOM: Final = 3
_LONGEST_LINE: Final = 1 << 20  # characters


class PipedIds:
    """The distinct ids of arguments, and then of a file that somebody still writes.

    Args:
        arguments: Named on the command line: these come first.
        file: The file; ``-`` is stdin.
        bad: Told of each line that holds no id, at once.
    """

    def __init__(self, arguments: Sequence[str], file: str, bad: Callable[[Entry], object]) -> None:
        self.notes: list[str] = []
        """What was taken for the ids, where that is not plain."""
        self.empty = True
        """Whether nothing came so far, not even a line without an id."""
        self._file = file
        self._bad = bad
        self._sieve = Sieve()
        self._entries = deque(from_arguments(arguments))
        self._batches: asyncio.Queue[list[Entry] | CommandError | None] = asyncio.Queue()
        self._free = threading.Semaphore(_AHEAD)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batch: list[Entry] = []  # the thread's
        self._over = False

    @property
    def repeated(self) -> int:
        """How many were there before."""
        return self._sieve.repeated

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            while self._entries:
                self.empty = False
                bulk_id = self._sieve.take(self._entries.popleft())
                if bulk_id is not None:
                    return bulk_id
                for entry in self._sieve.bad:
                    self._bad(entry)
                self._sieve.bad.clear()
            await self._next_batch()

    async def _next_batch(self) -> None:
        if self._over:
            raise StopAsyncIteration
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            # A daemon of its own: nobody waits for a read that never ends.
            threading.Thread(target=self._read, daemon=True).start()
        batch = await self._batches.get()
        self._free.release()
        if isinstance(batch, CommandError):
            self._over = True
            raise batch
        if batch is None:
            self._over = True
        else:
            self._entries.extend(batch)

    # --- in the thread

    def _read(self) -> None:
        end: CommandError | None = None
        try:
            for entry in from_lines(self._lines(), short_name(self._file), self.notes.append):
                self._batch.append(entry)
                if len(self._batch) >= _BATCH:
                    self._hand_over()
        except CommandError as error:
            end = error
        except (OSError, ValueError) as error:
            end = CommandError(f"{quoted(self._file)} cannot be read: {why(error)}.")
        self._hand_over()
        self._put(end)

    def _hand_over(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            self._put(batch)

    def _put(self, batch: list[Entry] | CommandError | None) -> None:
        self._free.acquire()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._batches.put_nowait, batch)

    def _lines(self) -> Iterator[str]:
        if self._file == "-":
            with open_stdin("ids, one a line,") as stdin:
                yield from self._decoded(stdin)
        else:
            with Path(self._file).open("rb") as file:
                yield from self._decoded(file)

    def _decoded(self, file: BinaryIO) -> Iterator[str]:
        start = b""
        while len(start) <= _LONGEST_BOM and (data := self._next_bytes(file)):
            start += data
            if encoding_of(start) != "utf-8" or start[:1].isascii():
                break  # no longer the beginning of a byte order mark
        check_no_workbook(start, self._file)
        decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder(encoding_of(start))("replace"), translate=True
        )
        rest, data = "", start
        while data:
            *whole, rest = (rest + decoder.decode(data)).split("\n")
            for line in whole:
                yield f"{line}\n"
            rest = rest[:_LONGEST_LINE]  # what is longer holds no id: a part of it says so as well
            data = self._next_bytes(file)
        rest += decoder.decode(b"", final=True)
        if rest:
            yield rest

    def _next_bytes(self, file: BinaryIO) -> bytes:
        self._hand_over()  # for now one may have to wait
        try:
            number = file.fileno()
        except (OSError, ValueError):
            return file.read(_CHUNK)
        # Not through the file's buffer: a read that hangs would keep its lock at the end.
        return os.read(number, _CHUNK)
