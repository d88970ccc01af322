"""Gets lines into a journal's file in groups, and goes on when that fails."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from .file import CutError, JournalFile
from .lines import MARK, START, failed_line, stamp

_GROUP: Final = 0.05  # seconds that a line may wait for others
_MOST_KEPT: Final = 4 << 20  # bytes of lines that could not be written yet
_PATIENCE: Final = 2.0  # seconds; a disk that is slower must not hold up a stop


class Writer:
    """The one that writes to a journal while a run goes on.

    Nothing that goes wrong with the file comes out of here.

    Args:
        file: Open and locked.
        durable: Whether what counts is to be on the disk, not only in the system's memory.
        complain: Called with an error when a write, or a sync, has failed.
    """

    def __init__(
        self, file: JournalFile, *, durable: bool, complain: Callable[[OSError], None]
    ) -> None:
        self.durable = durable
        self._file = file
        self._complain = complain
        self._loop = asyncio.get_running_loop()
        self._lines: deque[bytes] = deque()
        self._kept = 0  # bytes of them
        self._timer: asyncio.TimerHandle | None = None
        self._failed: tuple[str, OSError] | None = None  # since when, and why
        self._lost = 0
        self._retry_at = 0.0
        self._count = 0  # groups in the file
        self._synced = 0  # how many of them are on the disk
        self._pool = ThreadPoolExecutor(1, "lox24-journal") if durable else None
        self._syncing: asyncio.Task[None] | None = None
        self._slow = False

    # --- lines

    def put(self, line: bytes) -> None:
        """Write a line with the next group."""
        self._lines.append(line)
        self._kept += len(line)
        if self._timer is None:
            self._timer = self._loop.call_later(_GROUP, self._ring)

    def put_run(self, line: bytes, mark_at: int) -> None:
        """Write the line that begins a run, at once."""
        self._lines.append(line)
        self._kept += len(line)
        self.flush(mark_at=mark_at)

    def _ring(self) -> None:
        self._timer = None
        self.flush()
        if self._lines:  # it failed: again with the next group
            self._timer = self._loop.call_later(_GROUP, self._ring)
        elif self._pool is not None:
            self._begin_sync()

    def flush(self, *, mark_at: int | None = None, final: bool = False) -> None:
        """Write what waits. What is written survives the death of this process."""
        if not self._lines:
            return
        if self._failed is not None and not self._try_again(final=final):
            return
        try:
            self._file.append(b"".join(self._lines), mark_at=mark_at)
        except CutError as error:
            self._drop(error.written)
            self._fail(error.cause)
        else:
            self._lines.clear()
            self._kept = 0
            self._count += 1

    def _try_again(self, *, final: bool) -> bool:
        """Whether one can write again; that is the first thing to write then."""
        now = self._loop.time()
        if self._failed is None or (now < self._retry_at and not final):
            return False
        self._retry_at = now + _GROUP
        since, why = self._failed
        try:
            self._file.append(failed_line(since, why, self._lost))
        except CutError:
            self._forget_oldest()
            return False
        self._failed, self._lost = None, 0
        return True

    def _drop(self, written: int) -> None:
        """Forget the lines that are in the file, whole."""
        while self._lines and written >= len(self._lines[0]):
            line = self._lines.popleft()
            written -= len(line)
            self._kept -= len(line)

    def _fail(self, error: OSError) -> None:
        self._failed = self._failed or (stamp(), error)
        self._retry_at = self._loop.time() + _GROUP
        self._file.mark(MARK)
        self._forget_oldest()
        self._complain(error)

    def _forget_oldest(self) -> None:
        while self._kept > _MOST_KEPT:
            oldest = self._lines.popleft()
            run_line = oldest if oldest.startswith(START) else None
            if run_line is not None:  # the file is no journal without it
                oldest = self._lines.popleft()
                self._lines.appendleft(run_line)
            self._kept -= len(oldest)
            self._lost += 1

    # --- the disk

    @property
    def count(self) -> int:
        """How many groups are in the file; see :meth:`needs_sync`."""
        return self._count

    def needs_sync(self, count: int) -> bool:
        """Whether one has to wait until so many groups are on the disk."""
        return (
            self._pool is not None
            and self._synced < count
            and not self._slow
            and self._failed is None
        )

    def begin_sync(self) -> None:
        """Sync what is written, in the background."""
        if self._pool is not None and self._synced < self._count:
            self._begin_sync()

    async def synced(self, count: int) -> None:
        """Wait until so many groups are on the disk, but not for a disk that hangs."""
        until = self._loop.time() + _PATIENCE
        while self.needs_sync(count):
            left = until - self._loop.time()
            if left <= 0:
                self._slow = True
                self._complain(OSError(None, f"the disk needs more than {_PATIENCE:g} s"))
                return
            await asyncio.wait((self._begin_sync(),), timeout=left)

    def _begin_sync(self) -> "asyncio.Task[None]":
        # One for all who wait; not theirs: it goes on when one of them is cancelled.
        if self._syncing is None:
            self._syncing = self._loop.create_task(self._sync())
        return self._syncing

    async def _sync(self) -> None:
        count = self._count
        try:
            await self._loop.run_in_executor(self._pool, self._file.sync)
        except OSError as error:
            self._complain(error)
            self._slow = True  # it would fail again; nobody waits for it any more
        except RuntimeError:  # pragma: no cover - the interpreter ends and starts no thread
            pass
        else:
            self._slow = False
        self._synced = count
        self._syncing = None

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.flush(final=True)
        if self._pool is not None:
            if self._syncing is not None:
                self._syncing.cancel()
            if not self._slow and self._failed is None:
                try:
                    self._file.sync()
                except OSError as error:
                    self._complain(error)
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._file.close()
