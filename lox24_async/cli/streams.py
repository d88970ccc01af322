"""stdout and stderr that never cost the work: closed, full, slow, gone, of another encoding.

A :class:`Stream` takes text at once and never raises. A thread brings it to the file: a reader
that has stopped reading holds up nobody but that thread. What cannot be written in the stream's
encoding is replaced.
"""

import errno
import io
import os
import select
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

_LOOK: Final = 0.1  # seconds between two looks: a wait must not be deaf to Ctrl-C
_LAST: Final = 0.5  # seconds for what is not written when the user has left


class _Writer:
    """Brings bytes to a file, in a thread of its own."""

    def __init__(self, raw: Any, fd: int) -> None:
        self._raw = raw
        self._fd = fd
        self._pieces: list[bytes] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.backlog = 0
        """Bytes that are not written yet."""
        self.problem: Exception | None = None
        """Why nothing is written any more."""

    def put(self, data: bytes) -> None:
        with self._changed:
            if self.problem is not None or not data:
                return
            self._pieces.append(data)
            self.backlog += len(data)
            if self._thread is None:
                # A daemon: the program may end while a write hangs.
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def settle(self, seconds: float) -> None:
        """Wait until all is written, or nothing can be."""
        end = time.monotonic() + seconds
        with self._changed:
            while self.backlog and self.problem is None:
                left = end - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(min(left, _LOOK))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._pieces:
                    self._changed.wait()
                data, self._pieces = b"".join(self._pieces), []
            try:
                self._write(data)
            except (OSError, ValueError) as error:
                with self._changed:
                    self.problem, self.backlog, self._pieces = error, 0, []
                    self._changed.notify_all()
                return
            with self._changed:
                self.backlog -= len(data)
                self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = self._raw.write(rest)
            if written is None:  # somebody else has made it non-blocking
                select.select([], [self._fd], [], _LOOK)
            else:
                rest = rest[written:]


class Stream(io.TextIOBase):
    """Takes text for a file; never blocks, never raises.

    Args:
        original: Python's own stream; ``None``: the file was closed from the start.
        errors: What to do with what its encoding does not know.
        beside: Another stream, which may be of the same terminal: then their order is kept.
    """

    def __init__(
        self, original: TextIO | None, errors: str, beside: "Stream | None" = None
    ) -> None:
        self._encoding = "utf-8" if original is None else original.encoding
        self._errors = errors
        self._fd = -1 if original is None else original.fileno()
        self._terminal = original is not None and original.isatty()
        self._writer: _Writer
        if beside is not None and self._is_beside(beside):
            self._writer = beside._writer
            return
        buffer: Any = None if original is None else getattr(original, "buffer", None)
        self._writer = _Writer(getattr(buffer, "raw", buffer), self._fd)
        if buffer is None:
            self._writer.problem = OSError(errno.EBADF, "it is closed")

    def _is_beside(self, other: "Stream") -> bool:
        if not (self._terminal and other._terminal):
            return False
        with suppress(OSError):
            return os.fstat(self._fd).st_rdev == os.fstat(other._fd).st_rdev
        return False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Its encoding."""
        return self._encoding

    @property
    def problem(self) -> Exception | None:
        """Why nothing is written any more."""
        return self._writer.problem

    @property
    def backlog(self) -> int:
        """Bytes that are not written yet: the reader is slow."""
        return self._writer.backlog

    def write(self, text: str) -> int:
        """Write soon."""
        if os.linesep != "\n":
            text = text.replace("\n", os.linesep)
        self._writer.put(text.encode(self._encoding, self._errors))
        return len(text)

    def settle(self, seconds: float = float("inf")) -> Exception | None:
        """Wait until all is written; return why it could not be."""
        self._writer.settle(seconds)
        return self.problem

    def writable(self) -> bool:
        """Whether it is for writing."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._terminal

    def fileno(self) -> int:
        """Return the file's number."""
        return self._fd


@contextmanager
def safe_streams() -> Generator[None]:
    """Put such streams into the places of Python's own; at the end wait for what they hold."""
    for fd in range(3):  # else the next file to be opened would be taken for one of these
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    out: Stream | None = None
    if sys.stdout is sys.__stdout__:
        sys.stdout = out = Stream(sys.stdout, "replace")
    if sys.stderr is sys.__stderr__:
        sys.stderr = Stream(sys.stderr, "backslashreplace", out)
    try:
        yield
        settle(sys.stderr, _patience)
        settle(sys.stdout, _patience)
    finally:
        sys.stdout, sys.stderr = before


def hurry() -> None:
    """At the end wait no longer for readers: who interrupts the end wants to leave."""
    global _patience  # noqa: PLW0603  of the process, as the streams are
    _patience = _LAST


_patience = float("inf")  # seconds


def settle(stream: TextIO | Stream | None, seconds: float = float("inf")) -> Exception | None:
    """Wait until all is written to a stream of any kind; return why it could not be."""
    if isinstance(stream, Stream):
        return stream.settle(seconds)
    if stream is None:
        return OSError(errno.EBADF, "it is closed")
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        return error
    return None


def put(stream: TextIO | Stream | None, text: str) -> Exception | None:
    """Write to a stream of any kind; return what is known to have gone wrong by now."""
    if isinstance(stream, Stream):
        stream.write(text)
        return stream.problem
    if stream is None:
        return OSError(errno.EBADF, "it is closed")
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError) as error:
        return error
    return None


def is_behind(stream: object) -> bool:
    """Whether a stream has not written yet what it was given."""
    return isinstance(stream, Stream) and stream.backlog > 0
