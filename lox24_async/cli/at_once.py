"""``lox24 cancel ID…``: it goes out before the rest of the program is there.

The client is imported, the cancels leave; while they are on their way a thread imports what
reads options and what tells the end, and reads the line again. From then on it is a job like
every other. Whatever is not plain (no token, a wrong setting, a word that is no id, an option
that has no place here) is left to the usual way.
"""

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import lox24_async as lox

from . import interruptible_import, journals
from .connecting import DEFAULT_URL, MAX_CONCURRENCY, connect, patience
from .exits import CommandError
from .loops import hang_nowhere, leaving_soon, stop_like_ctrl_c
from .text import plural

if TYPE_CHECKING:
    from .canceling.job import Job
    from .canceling.typed import CancelOptions
    from .exits import ExitCode

_MOST: Final = 100  # ids: who names more can wait a moment
_BULK_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SHORT: Final = {"-y": "--yes", "-q": "--quiet", "-o": "--output"}
_SWITCHES: Final = {"--yes", "--quiet", "--wait", "--wait-out-block", "--keep-trying"}
_VALUES: Final = {  # what is plain of them
    "--output": re.compile("table|json|ndjson|csv"),
    "--journal": re.compile(journals.NONE),
    "--max-concurrency": re.compile("[1-9][0-9]{0,3}"),
    "--base-url": re.compile("https?://.+"),
    "--proxy": re.compile("https?://.+"),
    "--token-file": re.compile("[^-].*"),
}
_LAST_WORDS: Final = 1.0  # seconds
_STEP: Final = 0.002  # seconds between two looks at whether the first request has left
_STEPS: Final = 100

Options = Mapping[str, str]


def read_line(words: Sequence[str]) -> tuple[tuple[str, ...], Options] | None:
    """Return the ids and the options of a line, if it is of this kind."""
    if words[:1] != ["cancel"]:
        return None
    ids: dict[str, None] = {}
    options: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        name, has_value, value = word.partition("=")
        name = _SHORT.get(name, name)
        if _BULK_ID.fullmatch(word) and word.lower() not in ids:
            ids[word.lower()] = None
        elif name in _SWITCHES and name == _SHORT.get(word, word):
            options[name] = ""
        elif name in _VALUES and _VALUES[name].fullmatch(
            value := value if has_value else next(rest, "")
        ):
            options[name] = value
        else:
            return None
    return (tuple(ids), options) if 0 < len(ids) <= _MOST else None


def cancel_at_once(words: Sequence[str]) -> int | None:
    """Cancel; return the exit code, or ``None`` if nothing was done."""
    line = read_line(words)
    if line is None:
        return None
    ids, options = line
    token_file = options.get("--token-file")
    try:
        client = connect(
            options.get("--base-url") or os.environ.get("LOX24_BASE_URL") or DEFAULT_URL,
            token_file=None if token_file is None else Path(token_file),
            proxy=options.get("--proxy"),
            retry=patience(wait_out_block="--wait-out-block" in options),
            max_concurrency=int(options.get("--max-concurrency", MAX_CONCURRENCY)),
        )
    except CommandError:
        return None
    start = _HeadStart(client, words, ids, has_journal="--journal" not in options)
    interrupted = False
    with leaving_soon():
        try:
            asyncio.run(start.run())
        except (KeyboardInterrupt, asyncio.CancelledError):
            interrupted = True
        return start.end(interrupted=interrupted)


class _HeadStart:
    def __init__(
        self,
        client: "lox.Lox24Client",
        words: Sequence[str],
        ids: tuple[str, ...],
        *,
        has_journal: bool,
    ) -> None:
        self._client = client
        self._words = words
        self._ids = ids
        self._has_journal = has_journal
        self._report = lox.CancelReport()
        self._early: list[lox.CancelOutcome] = []
        self._take: Callable[[lox.CancelOutcome], object] = self._early.append
        self._note = f"lox24 cancel {plural(len(ids), 'id')}"
        self._journal: lox.CancelJournal | None = None
        self._refused: lox.JournalError | None = None
        self._job: Job | None = None
        self._failed: Exception | None = None

    async def run(self) -> None:
        stop_like_ctrl_c()
        hang_nowhere()
        if self._has_journal:
            try:
                self._journal = journals.open_journal(None, self._note)
            except lox.JournalError as error:
                self._refused = error
        cancels = asyncio.create_task(self._cancel())
        try:
            await self._let_it_leave()
            typed = await asyncio.to_thread(_read_options, self._words)
        except asyncio.CancelledError:
            await self._stop_early(cancels)
            raise
        except Exception:  # noqa: BLE001  the cancels have left: their end is told all the same
            typed = await asyncio.to_thread(_read_options, ("cancel", *self._ids))
        job = self._make_job(typed)

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

    def _make_job(self, typed: "CancelOptions") -> "Job":
        from .canceling.job import Job  # noqa: PLC0415  after the cancels have left
        from .running import Session  # noqa: PLC0415

        session = Session(typed.connection, client=self._client)
        self._job = job = Job(session, typed, self._report, total=len(self._ids), note=self._note)
        job.planned, job.journal, job.began = self._ids, self._journal, lambda: True
        for outcome in self._early:
            job.take(outcome)
        self._take = job.take
        return job

    def end(self, *, interrupted: bool) -> int:
        """Tell how it ended."""
        with interruptible_import():
            job = self._job or self._make_job(_read_options(self._words))
            from .running import finish  # noqa: PLC0415

        def tell() -> "ExitCode":
            if self._refused is not None:
                job.go_on_without(self._refused)
            if self._failed is not None:
                raise self._failed
            return job.end(interrupted=interrupted)

        return finish(tell, debug=False)


def _read_options(words: Sequence[str]) -> "CancelOptions":
    """Read the line as every other is read, and import what the rest of the run needs."""
    from .app import bind  # noqa: PLC0415  after the cancels have left
    from .canceling.typed import CancelOptions  # noqa: PLC0415

    options: CancelOptions = bind(words)[1].arguments.get("typed") or CancelOptions()
    return options
