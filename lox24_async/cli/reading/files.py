"""Files and stdin: their bytes, and what stands in one column of CSV, or on each line."""

import codecs
import csv
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from lox24_async.cli.exits import CommandError
from lox24_async.cli.text import quoted, why

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),  # what PowerShell writes with ">"
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS: Final = ",;\t"


class Entry(NamedTuple):
    """A value, and where it stands."""

    where: str
    value: str | None
    problem: str = ""
    """Why there is no value."""


def read_bytes(name: str, wanted: str) -> bytes:
    """Read a file, or stdin if the name is ``-``; ``wanted`` says what a person should type.

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
        raise CommandError(f"{quoted(name)} cannot be read: {why(error)}.") from None


def read_text(name: str, wanted: str) -> str:
    """Read a file or stdin whose every character matters.

    Raises:
        CommandError: it cannot be read, or is not in UTF-8.
    """
    try:
        return read_bytes(name, wanted).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"{quoted(name)} is not in UTF-8; nothing was sent.") from None


def decode(data: bytes) -> str:
    """Decode by the byte order mark; what cannot be decoded is replaced."""
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    return data.decode(encoding, "replace")


def short_name(name: str) -> str:
    """Return how to call a file in front of a line number."""
    return "stdin" if name == "-" else quoted(Path(name).name)[1:-1]


def entries(text: str, name: str, columns: Sequence[str]) -> Iterator[Entry]:
    """Read a value a line; or, if there is a header, the first of these CSV columns that it has.

    Blank lines and ``#`` comments are left out. The file's name stands before line numbers.
    """
    lines = list(io.StringIO(text, newline=None))
    first = next((i for i, line in enumerate(lines) if not _is_empty(line)), len(lines))
    header = _find_header(lines[first], columns) if first < len(lines) else None
    if header is not None:
        for number, value, problem in _csv_column(lines, first + 1, *header):
            yield Entry(f"{name} line {number}", value, problem)
        return
    for number, line in enumerate(lines, 1):
        if not _is_empty(line):
            yield Entry(f"{name} line {number}", line.strip())


def without_comment(line: str) -> str:
    """Return what stands before a ``#``."""
    return line.partition("#")[0].strip()


def _is_empty(line: str) -> bool:
    return not without_comment(line)


def _find_header(line: str, columns: Sequence[str]) -> tuple[str, int, int] | None:
    """Return delimiter, place of the column and number of columns, if this is a header."""
    with suppress(csv.Error):
        for delimiter in _DELIMITERS:
            row = next(csv.reader([line], delimiter=delimiter))
            cells = [cell.strip().lower() for cell in row]
            for column in columns:
                if column in cells:
                    return delimiter, cells.index(column), len(cells)
    return None


def _csv_column(
    lines: Sequence[str], start: int, delimiter: str, column: int, width: int
) -> Iterator[tuple[int, str | None, str]]:
    """Give the number of each record's first line, its cell, and what is wrong with it."""
    index = start
    while index < len(lines):
        if _is_empty(lines[index]):
            index += 1
            continue
        # A reader for each record: what one line has wrong (a quote that never closes, say)
        # must not swallow the lines after it.
        rest = (lines[i] for i in range(index, len(lines)))
        reader = csv.reader(rest, delimiter=delimiter, strict=True)
        try:
            row = next(reader)
            problem = "" if len(row) == width else f"{len(row)} cells, but the header has {width}"
        except csv.Error as error:
            row, problem = [], f"broken CSV ({error})"
        if problem:
            yield index + 1, None, problem
            index += 1
        else:
            yield index + 1, row[column].strip(), ""
            index += reader.line_num
