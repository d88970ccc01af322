"""Asking a person, at the terminal."""

import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TextIO

from .options import CommandError

_TERMINAL = "/dev/tty"  # there may be one although stdin is a pipe


@contextmanager
def person(instead: str) -> Generator[TextIO]:
    """Find the person who sees stderr, and give where that person types.

    Args:
        instead: What to type where there is no terminal.

    Raises:
        CommandError: nobody is there.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        if sys.stdin is not None and sys.stdin.isatty():
            yield sys.stdin
            return
        with suppress(OSError):
            keyboard = open(_TERMINAL, encoding="utf-8", errors="replace")  # noqa: PTH123, SIM115
            with keyboard:
                yield keyboard
            return
    raise CommandError(f"There is no terminal to ask at. {instead}")


def ask(question: str, keyboard: TextIO) -> bool:
    """Ask, and return whether the answer is yes; anything else, and nothing, is no.

    Args:
        question: With its question mark.
        keyboard: Where the person types.
    """
    _forget_typed_ahead(keyboard)
    answer = ""
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        answer = keyboard.readline()
    finally:
        if not answer.endswith("\n"):
            print(file=sys.stderr)  # Ctrl-D and Ctrl-C leave the cursor behind the question
    return answer.strip().lower() in ("y", "yes")


def _forget_typed_ahead(keyboard: TextIO) -> None:
    """An answer is one to the question, not what was typed before it was there."""
    try:
        import termios  # noqa: PLC0415  not on Windows
    except ImportError:
        return
    with suppress(termios.error, OSError, ValueError):
        termios.tcflush(keyboard.fileno(), termios.TCIFLUSH)
