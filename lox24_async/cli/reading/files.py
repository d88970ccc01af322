"""Files and stdin: their bytes, and what stands in one column of CSV, or on each line."""

import codecs
import csv
import io
import re
import stat
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

from lox24_async.cli.exits import CommandError
from lox24_async.cli.text import quoted, why

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),  # what PowerShell writes with ">"
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS: Final = ",;\t"
_LONGEST: Final = 2_000  # lines of one record: a quote that never closes ends somewhere
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx, .ods; .xls


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
    try:
        if name != "-":
            return check_no_workbook(Path(name).read_bytes(), name)
        with open_stdin(wanted) as stdin:
            return check_no_workbook(stdin.read(), name)
    except OSError as error:
        raise CommandError(f"{quoted(name)} cannot be read: {why(error)}.") from None


def is_stream(name: str) -> bool:
    """Whether a file is read while it is written: stdin, a pipe, a terminal."""
    if name == "-":
        return True
    try:
        return not stat.S_ISREG(Path(name).stat().st_mode)
    except OSError:
        return False


@contextmanager
def open_stdin(wanted: str) -> Generator[BinaryIO]:
    """Give stdin; one that is closed is empty. It stays open."""
    if sys.stdin is None or sys.stdin.closed:
        yield io.BytesIO()
        return
    if sys.stdin.isatty():
        print(f"Reading {wanted} from the keyboard; Ctrl-D ends.", file=sys.stderr)
    yield sys.stdin.buffer


def check_no_workbook(data: bytes, name: str) -> bytes:
    """Return what a file holds.

    Raises:
        CommandError: it is a workbook.
    """
    if data.startswith(_WORKBOOKS):
        raise CommandError(
            f"{quoted(name)} is a workbook (.xlsx, .ods or .xls), which lox24 does not read."
            " Save the sheet as CSV and name that file; nothing was sent."
        )
    return data


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
    return data.decode(encoding_of(data), "replace")


def encoding_of(data: bytes) -> str:
    """Return the encoding that a byte order mark says."""
    return next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, whatever ends them."""
    return list(io.StringIO(text, newline=None))


def short_name(name: str) -> str:
    """Return how to call a file in front of a line number."""
    return "stdin" if name == "-" else quoted(Path(name).name)[1:-1]


class Lines:
    """Lines one by one, each with its number; some may be put back.

    Args:
        lines: With their ends, whatever these are.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._back: deque[str] = deque()
        self.number = 0
        """Of the line that was given last."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else next(self._lines)
        self.number += 1
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        """Give these once more."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)


class Column(NamedTuple):
    """In what place of each line the values stand."""

    delimiter: str
    place: int
    width: int


def entries(
    lines: Iterable[str],
    name: str,
    columns: Sequence[str],
    wanted: re.Pattern[str] | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> Iterator[Entry]:
    """Read a value a line; or one column of CSV.

    Blank lines and ``#`` comments are left out. Each value is given as soon as its line is
    there.

    Args:
        lines: The lines.
        name: Of the file, for in front of line numbers.
        columns: What the column's header may be, in lower-case letters and digits only; the
            best first.
        wanted: What a value looks like, to find the column where no header says so.
        tell: Told what was taken where that is not plain.
    """
    source = Lines(lines)
    column = _find_column(source, columns, wanted, tell)
    if column is not None:
        for number, value, problem in _csv_column(source, column):
            yield Entry(f"{name} line {number}", value, problem)
        return
    for line in source:
        if not _is_empty(line):
            yield Entry(f"{name} line {source.number}", line.strip())


def without_comment(line: str) -> str:
    """Return what stands before a ``#``."""
    return line.partition("#")[0].strip()


def _is_empty(line: str) -> bool:
    return not without_comment(line)


_EXCEL: Final = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE)
_PLAIN: Final = "\"' \t,;"


def _find_column(
    source: Lines,
    columns: Sequence[str],
    wanted: re.Pattern[str] | None,
    tell: Callable[[str], object],
) -> Column | None:
    """Look at the first lines; ``None``: each line is a value. Headers are taken off."""
    first = _next_filled(source)
    if first is None:
        return None
    delimiters = _DELIMITERS
    if said := _EXCEL.fullmatch(first):
        delimiters = said[1]
        first = _next_filled(source)
        if first is None:
            return None
    for delimiter in delimiters:
        cells = _cells(first, delimiter)
        names = [re.sub("[^a-z0-9]", "", cell.lower()) for cell in cells]
        named = [column for column in columns if column in names]
        if named:
            place = names.index(named[0])
            if len(named) > 1 or cells[place].strip().lower() not in _USUAL:
                tell(f"Taken from the column {quoted(cells[place].strip())}.")
            return Column(delimiter, place, len(cells))
    column = None if wanted is None else _guess(source, first, delimiters, wanted, tell)
    if column is None:
        source.put_back([first])
    return column


_USUAL: Final = ("uuid", "bulk_id", "phone")


def _guess(
    source: Lines,
    first: str,
    delimiters: str,
    wanted: re.Pattern[str],
    tell: Callable[[str], object],
) -> Column | None:
    """Find the one column that holds what is wanted, below a header of other names or none."""
    if first.lstrip()[:1] in ("{", "[") or wanted.fullmatch(without_comment(first).strip(_PLAIN)):
        return None  # JSON, or an id alone: nothing to wait for
    for delimiter in delimiters:
        cells = _cells(first, delimiter)
        if len([cell for cell in cells if cell.strip()]) < 2:
            continue
        places = [n for n, cell in enumerate(cells) if wanted.fullmatch(cell.strip())]
        if len(places) == 1:
            source.put_back([first])
            tell(f"No header: taken from column {places[0] + 1} of {len(cells)}.")
            return Column(delimiter, places[0], len(cells))
        second = _next_filled(source)
        if second is None:
            continue
        source.put_back([second])
        below = _cells(second, delimiter)
        places = [n for n, cell in enumerate(below) if wanted.fullmatch(cell.strip())]
        if len(places) == 1 and len(below) == len(cells):
            header = cells[places[0]].strip()
            tell(f"Taken from column {places[0] + 1}, {quoted(header)}.")
            return Column(delimiter, places[0], len(cells))
    return None


def _next_filled(source: Lines) -> str | None:
    return next((line for line in source if not _is_empty(line)), None)


def _cells(line: str, delimiter: str) -> list[str]:
    with suppress(csv.Error, StopIteration):
        return next(csv.reader([line], delimiter=delimiter))
    return []


def _csv_column(source: Lines, column: Column) -> Iterator[tuple[int, str | None, str]]:
    """Give the number of each record's first line, its cell, and what is wrong with it."""
    for line in source:
        if _is_empty(line):
            continue
        number = source.number
        # A reader for each record: what one line has wrong (a quote that never closes, say)
        # must not swallow the lines after it.
        used: list[str] = []
        reader = csv.reader(_record(line, source, used), delimiter=column.delimiter, strict=True)
        try:
            row = next(reader)
            problem = (
                ""
                if len(row) == column.width
                else f"{len(row)} cells, but the header has {column.width}"
            )
        except csv.Error as error:
            row, problem = [], f"broken CSV ({error})"
        if problem:
            source.put_back(used)
            yield number, None, problem
        else:
            yield number, row[column.place].strip(), ""


def _record(line: str, source: Lines, used: list[str]) -> Iterator[str]:
    """Give the lines of one record, as many as are asked for; note those behind the first."""
    yield line
    while len(used) < _LONGEST:
        following = next(source, None)
        if following is None:
            return
        used.append(following)
        yield following
