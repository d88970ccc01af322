"""The file of unfinished ids that a run leaves behind; ``--file`` takes it."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lox24_async.cli.exits import CommandError, ExitCode


def save_unfinished(ids: Sequence[str]) -> Path:
    """Write ids to a new file in the working directory, or wherever a file can be made.

    Raises:
        CommandError: nowhere; it names the ids.
    """
    now = datetime.now(UTC)
    text = "\n".join([f"# not finished by lox24 cancel at {now:%Y-%m-%d %H:%M:%S} UTC", *ids, ""])
    stem = f"lox24-unfinished-{now:%Y%m%dT%H%M%SZ}"
    for place in (Path(), Path(tempfile.gettempdir())):
        for suffix in ("", *(f"-{n}" for n in range(2, 100))):
            path = place / f"{stem}{suffix}.txt"
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                continue
            except OSError:
                break
            return path
    raise CommandError(
        "No file could be written for the unfinished ids:\n" + "\n".join(ids), ExitCode.INTERRUPTED
    )
