"""Where the journals of runs are, and which of them to go on with."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import lox24_async as lox

from .exits import CommandError, ExitCode
from .text import quoted

NONE: Final = "none"
"""What ``--journal`` says for none."""
RESUMED: Final = "lox24 cancel --resume"
"""What a run that goes on with another says of itself."""
_PORTS: Final = {"https": 443, "http": 80}


def directory() -> Path:
    """Return where journals are kept that have no other place.

    Raises:
        OSError: this user has no home.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    if Path(state).is_absolute():
        return Path(state) / "lox24"
    try:
        return Path.home() / ".local" / "state" / "lox24"
    except RuntimeError:
        raise OSError(None, "this user has no home directory") from None


def open_journal(choice: str | None, note: str) -> "lox.CancelJournal":
    """Open the journal of a new run; ``None``: a new file in the usual place.

    Raises:
        JournalError: it cannot be written.
    """
    try:
        return lox.CancelJournal(_new_file() if choice is None else choice, note=note)
    except lox.JournalError:
        raise
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise lox.JournalError(f"the journal cannot be opened: {said}") from error


def _new_file() -> Path:
    """Make an empty file that is named by the time."""
    home = directory()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.now(UTC)
    stem = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}Z"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        path = home / f"{stem}{suffix}.jsonl"
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            continue
        return path
    raise FileExistsError(None, "too many runs at the same moment")


def kept() -> list[Path]:
    """Return the journals in the usual place, the newest first."""
    try:
        return sorted(directory().glob("*.jsonl"), key=lambda path: path.stem, reverse=True)
    except OSError:
        return []


def kept_runs() -> Iterator[Path]:
    """Give those in which a run stands, the newest first; not what is no journal."""
    for path in kept():
        try:
            if lox.CancelJournal.runs_of(path):
                yield path
        except lox.JournalError:
            continue


def newest_run() -> Path:
    """Return the journal of the newest run.

    Raises:
        CommandError: there is none.
    """
    for path in kept_runs():
        return path
    raise CommandError("There is no journal of a run. Name the file.")


def is_cut_short(runs: Sequence["lox.JournalRun"]) -> bool:
    """Whether a listing or a stream of ids was not read to its end, so that bulks may be missing.

    A command leaves several runs: the first cancels, the others look.
    """
    for note, of_one in groupby(runs, key=lambda run: run.note):
        all_of_it = list(of_one)
        listings = [run for run in all_of_it if run.filter is not None]
        main = listings[-1] if listings else all_of_it[0]
        cut = main.ended is None or bool(main.interrupted)
        if note != RESUMED and main.total is None and cut:
            return True
    return False


def lacks(runs: Iterable["lox.JournalRun"], report: "lox.CancelReport") -> bool:
    """Whether a write of the journal failed, so that it lacks bulks that were to be cancelled."""
    return any(run.failed and (run.total is None or run.total > len(report)) for run in runs)


def unfinished_in(path: Path) -> set[str]:
    """Return what a journal proves to be unfinished; nothing, if it cannot be read."""
    try:
        return set(lox.CancelJournal.read(path).unfinished())
    except lox.JournalError:
        return set()


def newest_unfinished() -> Path:
    """Return the newest journal in which something is unfinished.

    Raises:
        CommandError: there is none.
    """
    for path in kept_runs():
        if lox.CancelJournal.read(path).unfinished():
            return path
    raise CommandError("There is no run that is unfinished.")


def open_again(choice: str, origin: str, client_id: str, note: str) -> "lox.CancelJournal":
    """Open the journal of a run that is to go on; empty: of the newest that is unfinished.

    Raises:
        CommandError: there is none; it cannot be written; it is of another account or place.
    """
    path = Path(choice) if choice else newest_unfinished()
    if not path.exists():
        raise CommandError(f"There is no journal {quoted(choice)}.")
    try:
        journal = lox.CancelJournal(path, note=note)
        runs = journal.runs
    except lox.JournalError as error:
        raise refused(error) from error
    if not runs:
        raise CommandError(f"No run stands in {quoted(str(path))}.")
    check_whose(journal, origin, client_id)
    return journal


def check_whose(journal: "lox.CancelJournal", origin: str, client_id: str) -> None:
    """Refuse the journal of another account or place: its ids mean nothing here.

    Raises:
        CommandError: it is one.
    """
    for run in journal.runs:
        if run.origin is not None and _place(run.origin) != _place(origin):
            raise CommandError(
                f"The journal's run talked to {run.origin}, not to {origin}. Name that with"
                " --base-url; nothing was sent."
            )
        if run.client_id is not None and run.client_id != client_id:
            raise CommandError(
                f"The journal's run was of client {run.client_id}; the token is client"
                f" {client_id}'s. Nothing was sent."
            )


def refused(error: lox.JournalError) -> CommandError:
    """Return how a command ends that must not go on without its journal."""
    return CommandError(f"{describe(error)}; nothing was sent.", ExitCode.NOT_ALL)


def describe(error: lox.JournalError) -> str:
    """Say what is wrong with a journal."""
    message = error.message[:1].upper() + error.message[1:]
    return f"{message} ({error.path})" if error.path and error.path not in message else message


def _place(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # no URL: of a file that a hand has changed
        return url, None, None
