"""The record of an origin in a small file that all processes of a user on a host share.

One page with the word that changes, then two slots that are written in turn, each with a
checksum and a serial: a writer that is killed in any instruction leaves the other slot. The
lock is the kernel's: it is dropped when its holder dies. Tokens stand there as hashes, keyed
by the file's own salt.

If the file cannot be used, the record is kept in memory, and one warning says so.
"""

import hashlib
import logging
import mmap
import os
import stat
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Final, TypeVar

from .record import Record, read_record, write_record
from .stores import digest

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

log = logging.getLogger("lox24_async")

T = TypeVar("T")

_MAGIC: Final = b"LOX24G1\n"
_HEADER: Final = struct.Struct("<8sQ16s16s")  # magic, word, salt, boot
_SLOT: Final = struct.Struct("<IIQ")  # checksum, length, serial
_SLOT_SIZE: Final = 1 << 14
_LONGEST: Final = _SLOT_SIZE - _SLOT.size
_PAGE: Final = 4096
_SLOTS: Final = (_PAGE, _PAGE + _SLOT_SIZE)
_SIZE: Final = _PAGE + 2 * _SLOT_SIZE
_LOCK_WAIT: Final = 0.2  # seconds; who holds it longer is stopped, not short of processor time
_YIELDS: Final = 50  # tries without a sleep: the lock is held for some twenty microseconds
_LOOKS: Final = 4  # at a file that is being written
_DOWN: Final = 70.0  # seconds for which a file that failed is left alone: then no claim stands
_LOOK_AGAIN: Final = 1.0  # seconds after which the file is looked at though only we have changed it


class HostStore:
    """Keeps the record in a file.

    Args:
        directory: Where the file is; made if it is not there.
        origin: Scheme, host and port.
    """

    shared = True

    def __init__(self, directory: Path, origin: str) -> None:
        name = hashlib.blake2b(origin.encode(), digest_size=10).hexdigest()
        self._path = directory / f"{name}.guard"
        self._name = str(self._path)
        self._file: _RecordFile | None = None
        self._salt = os.urandom(16)
        self._memory = Record()
        self._memory_word = -1  # never one that a file has
        self._known = -1  # the file's word when the record in memory was the file's
        self._read_at = -inf  # when that was read there
        self._down_until = -inf
        self._warned = False
        try:
            self._open()
        except OSError as error:
            self._give_up(error)

    def word(self) -> int:
        """Return the serial of the record, or of its substitute in memory."""
        file = self._file
        return self._memory_word if file is None else file.words[1]

    def digest(self, token: str) -> str:
        """Return a keyed hash; the key is the file's own."""
        return digest(token, self._salt)

    def read(self, now: float) -> Record:
        """Return the record as it is now."""
        if (file := self._file) is not None:
            for _ in range(_LOOKS):
                word = file.words[1]
                self._load(file, now)
                if file.words[1] == word:  # nobody wrote meanwhile
                    break
        return self._memory

    def update(self, now: float, change: Callable[[Record], T]) -> tuple[T, Record]:
        """Change the record while no other process does. Never fails."""
        file = self._file
        # From time to time all is looked at again: a cleaner may have been here, and in reading
        # what is over or beyond belief is left out.
        again = file is None or not 0 <= now - self._read_at < _LOOK_AGAIN
        try:
            if file is None or again:
                file = self._open()
            file.lock()
        except OSError as error:
            self._give_up(error)
            return self._change(change), self._memory
        try:
            if again or file.words[1] != self._known:  # else only we have changed it
                self._load(file, now)
            result = self._change(change)
            text = write_record(self._memory, now)
            if fits := len(text) <= _LONGEST:
                self._known = file.store(text)
        finally:
            file.unlock()
        if not fits:
            self._give_up(OSError("the guard's record is too long"))
        return result, self._memory

    def _load(self, file: "_RecordFile", now: float) -> None:
        word = file.words[1]
        self._memory = file.load(now)
        self._known, self._read_at = word, now

    def _change(self, change: Callable[[Record], T]) -> T:
        self._known = -1  # until it is written, whatever ends the change
        self._memory_word -= 1
        return change(self._memory)

    def _give_up(self, error: OSError) -> None:
        """Leave the file alone for a while, for it cannot be used; say so once."""
        self._close()
        self._down_until = time.monotonic() + _DOWN
        if not self._warned:
            self._warned = True
            reason = error.strerror or error
            log.warning("the guard shares nothing with other processes: %s", reason)

    def _open(self) -> "_RecordFile":
        """Return the open file, unless another stands in its place (a cleaner was here)."""
        if self._file is not None and self._file.is_at(self._name):
            return self._file
        self._close()
        if time.monotonic() < self._down_until:
            raise OSError("left alone for a while")
        self._file = _RecordFile(self._path, self._salt)
        self._salt = self._file.salt
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file, self._known = None, -1

    def __del__(self) -> None:
        try:
            self._close()
        except (AttributeError, TypeError):
            return  # half made, or the interpreter ends and its modules are gone


class _RecordFile:
    """The open file.

    Args:
        path: Where it is; made if it is not there.
        salt: Written into a new file.

    Raises:
        OSError: it cannot be used.
    """

    def __init__(self, path: Path, salt: bytes) -> None:
        _check_directory(path.parent)
        flags = os.O_RDWR | os.O_CREAT
        for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"):
            flags |= getattr(os, name, 0)
        self._fd = os.open(path, flags, 0o600)
        try:
            found = os.fstat(self._fd)
            if not stat.S_ISREG(found.st_mode):
                raise OSError("the guard's file is none")
            _check_owner(found, 0o077, "others may read or write the guard's file")
            self._inode = found.st_ino
            self.lock()
            try:
                if os.fstat(self._fd).st_size < _SIZE:
                    os.lseek(self._fd, 0, os.SEEK_SET)
                    _write_all(self._fd, bytes(_SIZE))  # no page of the map may lack its block
                self._map = mmap.mmap(self._fd, _SIZE)
                self.salt = self._begin(salt)
            finally:
                self.unlock()
        except BaseException:
            os.close(self._fd)
            raise
        self.words = memoryview(self._map).cast("Q")

    def _begin(self, salt: bytes) -> bytes:
        """Return the file's salt; begin anew if it has none, or is of another boot."""
        magic, word, known, boot = _HEADER.unpack_from(self._map)
        if magic != _MAGIC:
            word, known, boot = 0, salt, b""
        if boot != _boot_id():  # its moments are seconds of another clock
            self._map[_PAGE:_SIZE] = bytes(_SIZE - _PAGE)
            _HEADER.pack_into(self._map, 0, _MAGIC, word + 1, known, _boot_id())
        return bytes(known)

    def is_at(self, path: str) -> bool:
        """Whether the path still leads here."""
        try:
            return os.stat(path).st_ino == self._inode  # noqa: PTH116  half the time of Path's
        except FileNotFoundError:
            return False

    def lock(self) -> None:
        """Take the file's lock, which the kernel drops when its holder dies."""
        if _try_lock(self._fd):
            return
        end, tries = time.monotonic() + _LOCK_WAIT, 1
        while not _try_lock(self._fd):
            if time.monotonic() >= end:
                raise OSError("another process keeps the guard's file locked")
            tries += 1
            if tries < _YIELDS:
                _let_others_run()
            else:  # its holder is stopped, perhaps
                time.sleep(0.0001)

    def unlock(self) -> None:
        """Give the lock back."""
        _unlock(self._fd)

    def load(self, now: float) -> Record:
        """Return the newest whole record; an empty one if none is whole or of this time."""
        best, text = -1, b""
        for at in _SLOTS:
            checksum, length, serial = _SLOT.unpack_from(self._map, at)
            # One far ahead was forged, and would outlive all that follow.
            if best < serial <= self.words[1] + 1 and 0 < length <= _LONGEST:
                start = at + _SLOT.size
                raw = self._map[start : start + length]
                if zlib.crc32(raw, serial & 0xFFFFFFFF) == checksum:
                    best, text = serial, raw
        try:
            return read_record(text, now)
        except ValueError:
            return Record()

    def store(self, text: bytes) -> int:
        """Write a record into the older slot, then the word that says so; return that."""
        serial = self.words[1] + 1
        at = _SLOTS[serial % 2]
        start = at + _SLOT.size
        self._map[at : at + 4] = bytes(4)
        self._map[start : start + len(text)] = text
        checksum = zlib.crc32(text, serial & 0xFFFFFFFF)
        self._map[at : at + _SLOT.size] = _SLOT.pack(checksum, len(text), serial)
        self.words[1] = serial
        return serial

    def close(self) -> None:
        """Close it."""
        self.words.release()
        self._map.close()
        os.close(self._fd)


def default_directory() -> Path:
    """Return where the files are that logins, cron and services of a user share.

    Not ``TMPDIR``: it differs between them.
    """
    if sys.platform == "win32":
        return Path(tempfile.gettempdir()) / "lox24"
    temp = Path("/tmp")  # noqa: S108  a directory of our own in it, checked for its owner
    return (temp if temp.is_dir() else Path(tempfile.gettempdir())) / f"lox24-{os.geteuid()}"


def _check_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError("the guard's directory is none")
    _check_owner(found, 0o022, "others may write to the guard's directory")


def _check_owner(found: os.stat_result, mask: int, problem: str) -> None:
    if sys.platform == "win32":
        return
    if found.st_uid != os.geteuid():
        raise OSError("the guard's file or directory belongs to another user")
    if found.st_mode & mask:
        raise OSError(problem)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _boot_id() -> bytes:
    """Return what tells this boot, whose monotonic clock is meant, from others."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        # Where there is none: when the clock began, to ten seconds.
        text = str(round((time.time() - time.monotonic()) / 10)).encode()
    return hashlib.blake2b(text, digest_size=16).digest()


_let_others_run: Final[Callable[[], object]] = getattr(os, "sched_yield", partial(time.sleep, 0))

if sys.platform == "win32":

    def _try_lock(fd: int) -> bool:
        os.lseek(fd, _SIZE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        os.lseek(fd, _SIZE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)
