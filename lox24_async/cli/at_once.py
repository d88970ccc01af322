"""``lox24 cancel ID…``, and nothing else: it goes out before the rest of the program is there.

The client is imported, the cancels leave; while they are on their way a thread imports what
reads options and what tells the end. From then on it is a job like every other. Whatever is not
plain (no token, a wrong setting, a word that is no id) is left to the usual way.
"""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

import lox24_async as lox

from . import interruptible_import, journals
from .loops import hang_nowhere, leaving_soon, stop_like_ctrl_c

if TYPE_CHECKING:
    from .canceling.job import Job
    from .exits import ExitCode

_MOST: Final = 100  # ids: who names more can wait a moment
_BULK_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LAST_WORDS: Final = 1.0  # seconds
_STEP: Final = 0.002  # seconds between two looks at whether the first request has left
_STEPS: Final = 10


def ids_of(words: Sequence[str]) -> list[str] | None:
    """Return the ids, if a line is of this kind."""
    ids = [word.lower() for word in words[1:]]
    plain = list(words[:1]) == ["cancel"] and 0 < len(ids) <= _MOST and len({*ids}) == len(ids)
    return ids if plain and all(map(_BULK_ID.fullmatch, ids)) else None


def cancel_at_once(ids: Sequence[str]) -> int | None:
    """Cancel; return the exit code, or ``None`` if nothing was done."""
    if not os.environ.get("LOX24_AUTH_TOKEN"):
        return None
    with interruptible_import():
        client_class = lox.Lox24Client
    try:
        client = client_class()
    except lox.ConfigurationError:
        return None
    start = _HeadStart(client, ids)
    interrupted = False
    try:
        with leaving_soon():
            asyncio.run(start.run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        interrupted = True
    return start.end(interrupted=interrupted)


class _HeadStart:
    def __init__(self, client: "lox.Lox24Client", ids: Sequence[str]) -> None:
        self._client = client
        self._ids = tuple(ids)
        self._report = lox.CancelReport()
        self._early: list[lox.CancelOutcome] = []
        self._take: Callable[[lox.CancelOutcome], object] = self._early.append
        self._note = f"lox24 cancel {len(ids):,} {'id' if len(ids) == 1 else 'ids'}"
        self._journal: lox.CancelJournal | None = None
        self._refused: lox.JournalError | None = None
        self._job: Job | None = None
        self._failed: Exception | None = None

    async def run(self) -> None:
        stop_like_ctrl_c()
        hang_nowhere()
        try:
            self._journal = journals.open_journal(None, self._note)
        except lox.JournalError as error:
            self._refused = error
        cancels = asyncio.create_task(self._cancel())
        try:
            await self._let_it_leave()
            await asyncio.to_thread(import_module, "lox24_async.cli.commands.cancel")
        except asyncio.CancelledError:
            await self._stop_early(cancels)
            raise
        job = self._make_job()

        async def work() -> None:
            await cancels
            await job.look()

        try:
            await job.session.run_within(work(), job.display(), job.progress)
        except Exception as error:  # noqa: BLE001  told when the loop has ended
            self._failed = error

    async def _let_it_leave(self) -> None:
        """Give the first request a moment: an import beside it would only hold it up."""
        for _ in range(_STEPS):
            await asyncio.sleep(_STEP)
            if self._report.unresolved() or self._early:  # it is in flight
                return

    async def _cancel(self) -> None:
        client, report = self._client, self._report

        def take(outcome: "lox.CancelOutcome") -> None:
            self._take(outcome)

        try:
            await client.cancel_bulks(
                self._ids, report=report, progress=take, journal=self._journal
            )
        except lox.JournalError as error:
            self._refused, self._journal = error, None
            await client.cancel_bulks(self._ids, report=report, progress=take)

    async def _stop_early(self, cancels: "asyncio.Task[None]") -> None:
        """End in good order what is in flight, before there is a job."""
        await self._client.close()
        await asyncio.wait({cancels}, timeout=_LAST_WORDS)
        cancels.cancel()

    def _make_job(self) -> "Job":
        from .canceling.job import Job  # noqa: PLC0415  after the cancels have left
        from .canceling.typed import CancelOptions  # noqa: PLC0415
        from .options import Connection  # noqa: PLC0415
        from .running import Session  # noqa: PLC0415

        connection = Connection(base_url=os.environ.get("LOX24_BASE_URL") or None)
        session = Session(connection, client=self._client)
        total, typed = len(self._ids), CancelOptions(connection=connection)
        self._job = job = Job(session, typed, self._report, total=total, note=self._note)
        job.planned, job.journal, job.began = self._ids, self._journal, lambda: True
        for outcome in self._early:
            job.take(outcome)
        self._take = job.take
        return job

    def end(self, *, interrupted: bool) -> int:
        """Tell how it ended."""
        with interruptible_import():
            job = self._job or self._make_job()
            from .running import finish  # noqa: PLC0415

        def tell() -> "ExitCode":
            if self._refused is not None:
                job.go_on_without(self._refused)
            if self._failed is not None:
                raise self._failed
            return job.end(interrupted=interrupted)

        return finish(tell, debug=False)
