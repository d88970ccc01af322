"""Where people read: a terminal with colours, or a stream without control codes."""

import os
from collections.abc import Iterable
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

LISTED: Final = 10
"""So many bulks are named one by one; of the others it is said how many there are."""


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches, in a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def make_console(stream: TextIO, *, quiet: bool = False) -> Console:
    """Return a console that writes control codes to a terminal only."""
    terminal = is_terminal(stream)
    colours = terminal and not os.environ.get("NO_COLOR")
    return Console(
        file=stream,
        quiet=quiet,
        force_terminal=terminal,
        color_system="auto" if colours else None,
        legacy_windows=None if terminal else False,
        markup=False,  # what a server says is no markup
        highlight=False,
        emoji=False,
    )


def say(console: Console, text: str | Text = "", style: str = "") -> None:
    """Print a line; only a terminal has a width to wrap it at."""
    line = Text(text, style=style) if isinstance(text, str) else text
    console.print(line, soft_wrap=not console.is_terminal)


def say_cut(console: Console, line: Text) -> None:
    """Print a line, cut off at the edge of a terminal and nowhere else."""
    if console.is_terminal:
        console.print(line, no_wrap=True, overflow="ellipsis")
    else:
        console.print(line, soft_wrap=True)


def fact_table(facts: Iterable[tuple[str, str | Text]]) -> Table:
    """Return facts by name, a row each, folded at the edge."""
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(name, value)
    return grid
