"""What a command reads: files, stdin, and the answer to a question."""

import sys
from collections.abc import Sequence
from pathlib import Path

from .asking import ask, person
from .ids import Ids, collect, from_arguments, from_file
from .options import CommandError, shown, why


def read_bytes(name: str, wanted: str) -> bytes:
    """Read a file, or stdin if the name is ``-``.

    Args:
        name: Of the file.
        wanted: What is in it, for the person at the keyboard.

    Raises:
        CommandError: it cannot be read.
    """
    if name == "-":
        if sys.stdin.isatty():
            print(f"Reading {wanted} from the keyboard; Ctrl-D ends.", file=sys.stderr)
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{shown(name)} cannot be read: {why(error)}.") from None


def short_name(name: str) -> str:
    """Return how to call a file in front of a line number."""
    return "stdin" if name == "-" else shown(Path(name).name)[1:-1]


def read_ids(arguments: Sequence[str], file: str | None, command: str, other: str = "") -> Ids:
    """Read the ids that were named as arguments and in a file.

    Args:
        arguments: Ids.
        file: The file's name, ``-`` for stdin; ``None``: there is none.
        command: What the person typed, for the hint.
        other: Another way to name bulks, for the hint.

    Raises:
        CommandError: there are none, or the file cannot be read.
    """
    entries = list(from_arguments(arguments))
    if file is not None:
        entries += from_file(read_bytes(file, "ids, one a line,"), short_name(file))
    if not entries:
        if file is None:
            raise CommandError(
                f"Which bulks? Name their ids: {command} ID…, or --file FILE{other}."
            )
        raise CommandError("There is no id in the input; nothing was sent.")
    return collect(entries)


def confirm(question: str) -> bool:
    """Ask a person; only a clear yes is one.

    Raises:
        CommandError: nobody is there to be asked.
    """
    with person("If it is meant, add --yes; nothing was sent.") as keyboard:
        return ask(question, keyboard)
