"""Bulk ids from what people have at hand: arguments, lines, CSV, JSON.

Taken are: one id a line, with comments and blank lines; CSV with a header that names ``uuid``
(or ``bulk_id``); one JSON object a line with one of these, or a JSON array of such. What holds
no id is named by its number, and never costs another its place.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from attrs import frozen

from lox24_async.cli.exits import CommandError
from lox24_async.cli.text import mask, quoted

from .files import Entry, decode, entries, read_bytes, short_name, without_comment

_BULK_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_COLUMNS: Final = ("uuid", "bulk_id")


@frozen
class Ids:
    """The distinct ids in their first order, and the lines that held none."""

    good: tuple[str, ...]
    bad: tuple[Entry, ...] = ()
    repeated: int = 0


def read_ids(arguments: Sequence[str], file: str | None, command: str, other: str = "") -> Ids:
    """Read the ids that were named as arguments and in a file.

    For the hint how to: ``command`` is what was typed, ``other`` another way to name bulks.

    Raises:
        CommandError: there are none, or the file cannot be read.
    """
    named = list(from_arguments(arguments))
    if file is not None:
        named += from_file(read_bytes(file, "ids, one a line,"), short_name(file))
    if not named:
        if file is None:
            raise CommandError(
                f"Which bulks? Name their ids: {command} ID…, or --file FILE{other}."
            )
        raise CommandError("There is no id in the input; nothing was sent.")
    return collect(named)


def collect(named: Iterable[Entry]) -> Ids:
    """Check the ids, and count what is repeated."""
    good: dict[str, None] = {}
    bad: list[Entry] = []
    repeated = 0
    for entry in named:
        value = entry.value
        if value is None:
            bad.append(entry)
        elif _BULK_ID.fullmatch(value) is None:
            bad.append(entry._replace(problem=_no_id(value)))
        elif (bulk_id := value.lower()) in good:
            repeated += 1
        else:
            good[bulk_id] = None
    return Ids(tuple(good), tuple(bad), repeated)


def _no_id(value: str) -> str:
    if mask(value) != value:
        return "no bulk id, but what looks like a token; others may have seen it"
    return f"no bulk id: {quoted(value)}"


def from_arguments(values: Iterable[str]) -> Iterator[Entry]:
    """Read ids from the command line."""
    for number, value in enumerate(values, 1):
        yield Entry(f"argument {number}", value)


def from_file(data: bytes, name: str) -> Iterator[Entry]:
    """Read ids from a file's content."""
    text = decode(data)
    array = _json_array(text)
    if array is not None:
        for number, item in enumerate(array, 1):
            yield _from_json(f"{name} item {number}", item)
        return
    for entry in entries(text, name, _COLUMNS):
        yield _from_line(entry)


def _from_line(entry: Entry) -> Entry:
    value = entry.value
    if value is None:
        return entry
    if not value.startswith("{"):
        return entry._replace(value=without_comment(value).strip(" \t\"',;"))
    try:
        said: object = json.loads(value.rstrip(","))  # as in an array that was cut off
    except (ValueError, RecursionError):
        return Entry(entry.where, None, "broken JSON")
    return _from_json(entry.where, said)


def _from_json(where: str, said: object) -> Entry:
    if isinstance(said, str):
        return Entry(where, said)
    if isinstance(said, dict):
        for name in _COLUMNS:
            value: object = said.get(name)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if isinstance(value, str):
                return Entry(where, value)
    return Entry(where, None, "no uuid in the JSON object")


def _json_array(text: str) -> list[object] | None:
    if text.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            said: object = json.loads(text)
            if isinstance(said, list):
                return said  # pyright: ignore[reportUnknownVariableType]
    return None
