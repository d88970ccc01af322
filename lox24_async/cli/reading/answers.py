"""The answer of a person at the terminal; what is asked is the command's matter."""

import io
import select
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TextIO

from lox24_async.cli.exits import CommandError

_TERMINAL = "/dev/tty"  # there may be one although stdin is a pipe
_LOOK_EVERY = 0.1  # seconds


def confirm(question: str) -> bool:
    """Ask a person; only a clear yes is one.

    Raises:
        CommandError: nobody is there to be asked.
    """
    with person("If it is meant, add --yes; nothing was sent.") as keyboard:
        return ask(question, keyboard)


@contextmanager
def person(instead: str) -> Generator[TextIO]:
    """Find the person who sees stderr, and give where that person types.

    Raises:
        CommandError: nobody is there; it says what to type instead.
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


def ask(question: str, keyboard: TextIO, is_off: Callable[[], bool] = lambda: False) -> bool:
    """Ask, and return whether the answer is yes; anything else, and nothing, is no.

    Args:
        question: What to ask.
        keyboard: Where a person types.
        is_off: Says whether nobody waits for an answer any more.
    """
    _forget_typed_ahead(keyboard)
    answer = ""
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        if _wait_for_answer(keyboard, is_off):
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


def _wait_for_answer(keyboard: TextIO, is_off: Callable[[], bool]) -> bool:
    """Wait for a line. A Ctrl-C just before a read would be noticed only after the next key."""
    with suppress(OSError, ValueError, io.UnsupportedOperation):  # not for files on Windows
        while not select.select([keyboard], [], [], _LOOK_EVERY)[0]:
            if is_off():
                return False
    return True
