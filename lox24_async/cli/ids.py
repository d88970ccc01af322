"""Reading bulk ids from what people have at hand: pure functions from text to ids.

Taken are: one id a line, with comments and blank lines; CSV with a header that names ``uuid``
(or ``bulk_id``); one JSON object a line with one of these, or a JSON array of such. What holds
no id is named by its number, and never costs another its place.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from attrs import frozen

from .options import mask, shown

_BULK_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_COLUMNS: Final = ("uuid", "bulk_id")
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),  # what PowerShell writes with ">"
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@frozen
class BadLine:
    """A line that names no bulk."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


@frozen
class Ids:
    """The distinct ids in their first order, and the lines that held none."""

    good: tuple[str, ...]
    bad: tuple[BadLine, ...]
    repeated: int


Entry = tuple[str, str | None, str]
"""Where it stands, the id (``None``: there is none), and the problem."""


def collect(entries: Iterable[Entry]) -> Ids:
    """Check and count the entries."""
    good: dict[str, None] = {}
    bad: list[BadLine] = []
    repeated = 0
    for where, value, problem in entries:
        if value is None:
            bad.append(BadLine(where, problem))
        elif _BULK_ID.fullmatch(value) is None:
            bad.append(BadLine(where, _no_id(value)))
        elif (bulk_id := value.lower()) in good:
            repeated += 1
        else:
            good[bulk_id] = None
    return Ids(tuple(good), tuple(bad), repeated)


def _no_id(value: str) -> str:
    if mask(value) != value:
        return "no bulk id, but what looks like a token; others may have seen it"
    return f"no bulk id: {shown(value)}"


def from_arguments(values: Iterable[str]) -> Iterator[Entry]:
    """Read ids from the command line."""
    for number, value in enumerate(values, 1):
        yield f"argument {number}", value, ""


def from_file(data: bytes, name: str) -> Iterator[Entry]:
    """Read ids from a file's content."""
    text = _decode(data)
    array = _json_array(text)
    if array is not None:
        for number, item in enumerate(array, 1):
            yield f"{name} item {number}", *_from_item(item)
        return
    lines = list(io.StringIO(text, newline=None))
    first = next((i for i, line in enumerate(lines) if _says_something(line)), len(lines))
    header = _csv_header(lines[first]) if first < len(lines) else None
    found = _from_lines(lines) if header is None else _from_csv(lines, first + 1, *header)
    for index, value, problem in found:
        yield f"{name} line {index + 1}", value, problem


def _decode(data: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    return data.decode(encoding, "replace")


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


# --- one id, or one JSON object, a line

_Found = tuple[int, str | None, str]


def _from_lines(lines: Sequence[str]) -> Iterator[_Found]:
    for index, line in enumerate(lines):
        if not _says_something(line):
            continue
        text = line.strip()
        if text.startswith("{"):
            yield index, *_from_object(text.rstrip(","))  # as in an array that was cut off
        else:
            yield index, text.partition("#")[0].strip(" \t\"',;"), ""


def _from_object(text: str) -> tuple[str | None, str]:
    try:
        said: object = json.loads(text)
    except (ValueError, RecursionError):
        return None, "broken JSON"
    return _from_item(said)


def _from_item(said: object) -> tuple[str | None, str]:
    if isinstance(said, str):
        return said, ""
    if isinstance(said, dict):
        for name in _COLUMNS:
            value: object = said.get(name)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if isinstance(value, str):
                return value, ""
    return None, "no uuid in the JSON object"


def _json_array(text: str) -> list[object] | None:
    if text.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            said: object = json.loads(text)
            if isinstance(said, list):
                return said  # pyright: ignore[reportUnknownVariableType]
    return None


# --- CSV


def _csv_header(line: str) -> tuple[str, int, int] | None:
    """Return delimiter, column of the id and number of columns, if this is a header."""
    with suppress(csv.Error):
        for delimiter in ",;\t":
            row = next(csv.reader([line], delimiter=delimiter))
            cells = [cell.strip().lower() for cell in row]
            for name in _COLUMNS:
                if name in cells:
                    return delimiter, cells.index(name), len(cells)
    return None


def _from_csv(
    lines: Sequence[str], start: int, delimiter: str, column: int, width: int
) -> Iterator[_Found]:
    index = start
    while index < len(lines):
        if not _says_something(lines[index]):
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
            yield index, None, problem
            index += 1
        else:
            yield index, row[column].strip(), ""
            index += reader.line_num
