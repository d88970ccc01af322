"""The file of a journal: opened, locked, appended to, and marked when that fails."""

import os
import stat
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from lox24_async.errors import JournalError


def _module(name: str) -> Any:
    """Return a module that not every system has."""
    try:
        return import_module(name)
    except ImportError:
        return None


_fcntl: Final = _module("fcntl")
_msvcrt: Final = _module("msvcrt")  # of Windows
# What would block (a pipe that nobody reads, a stopped terminal) fails instead.
_FLAGS: Final = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
_MODE: Final = 0o600
_LOCKED_BYTE: Final = 0x7FFF_FFFF  # beyond any journal: Windows keeps others from reading it


class CutError(Exception):
    """A write came to its end too early.

    Attributes:
        written: How many bytes of it are in the file.
        cause: Why.
    """

    def __init__(self, written: int, cause: OSError) -> None:
        super().__init__(str(cause))
        self.written = written
        self.cause = cause


class JournalFile:
    """An open journal, to append to.

    Raises:
        JournalError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.fd = os.open(path, _FLAGS, _MODE)
        except OSError as error:
            raise _failed("cannot be opened", path, error) from error
        self._mark_at: int | None = None
        self._torn = False
        self._is_named = False  # whether its folder is on the disk
        try:
            self._is_regular = stat.S_ISREG(os.fstat(self.fd).st_mode)
            self._torn = self._ends_torn()
        except OSError as error:
            self.close()
            raise _failed("cannot be read", path, error) from error

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close it; that also lets go of the lock."""
        fd, self.fd = getattr(self, "fd", -1), -1
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return os.fstat(self.fd).st_size if self._is_regular else 0

    def lock(self) -> None:
        """Keep all other runs from writing.

        Raises:
            JournalError: one writes now.
        """
        try:
            if _fcntl is not None:
                _fcntl.flock(self.fd, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
            elif _msvcrt is not None:  # pragma: no cover - Windows
                os.lseek(self.fd, _LOCKED_BYTE, os.SEEK_SET)
                _msvcrt.locking(self.fd, _msvcrt.LK_NBLCK, 1)
        except (BlockingIOError, PermissionError) as error:
            raise JournalError("another run writes to this journal", path=str(self.path)) from error
        except OSError:
            return  # a file system without locks: better a journal than none
        # What another run appended between our opening and our lock counts.
        self._torn = self._ends_torn()

    def _ends_torn(self) -> bool:
        size = self.size
        if not size:
            return False
        os.lseek(self.fd, size - 1, os.SEEK_SET)
        return os.read(self.fd, 1) != b"\n"

    def append(self, data: bytes, *, mark_at: int | None = None) -> None:
        """Write whole lines behind what is there, on a new line after a torn one.

        Args:
            data: The lines.
            mark_at: Where in them the mark can go, if they begin with a ``run`` line.

        Raises:
            CutError: the rest could not be written.
        """
        extra = 1 if self._torn else 0
        start = self.size if mark_at is not None else 0
        if extra:
            data = b"\n" + data
        done = 0
        try:
            while done < len(data):
                done += os.write(self.fd, data[done:])
        except OSError as error:
            if done:
                self._torn = data[done - 1 : done] != b"\n"
            raise CutError(max(0, done - extra), error) from None
        finally:
            if mark_at is not None and done > mark_at + extra:
                self._mark_at = start + extra + mark_at
        self._torn = False

    def mark(self, mark: bytes) -> None:
        """Write the mark that a write has failed over the blanks that are kept for it."""
        if self._mark_at is None or not self._is_regular:
            return
        with suppress(OSError):
            # Another descriptor: to this one every write is an append.
            fd = os.open(self.path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
            try:
                if os.path.samestat(os.fstat(fd), os.fstat(self.fd)):
                    os.lseek(fd, self._mark_at, os.SEEK_SET)
                    os.write(fd, mark)
            finally:
                os.close(fd)

    def sync(self) -> None:
        """Wait until all of it is on the disk, the file's name too."""
        getattr(os, "fdatasync", os.fsync)(self.fd)
        if not self._is_named:
            self._is_named = True
            with suppress(OSError):  # not every system lets one sync a folder
                folder = os.open(self.path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)


def read_bytes(path: Path) -> bytes:
    """Return what a journal holds; a device holds nothing.

    Raises:
        JournalError: it cannot be read.
    """
    try:
        return b"" if not stat.S_ISREG(path.stat().st_mode) else path.read_bytes()
    except OSError as error:
        raise _failed("cannot be read", path, error) from error


def _failed(what: str, path: Path, error: OSError) -> JournalError:
    return JournalError(f"the journal {what}: {error.strerror or error}", path=str(path))
