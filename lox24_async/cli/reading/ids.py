"""Bulk ids from what people have at hand: arguments, lines, CSV, JSON.

Taken are: one id a line, with comments and blank lines; CSV with a header that names ``bulk_id``,
``uuid`` or ``id``, or with one column that holds ids; one JSON object a line with ``bulk_id`` or
``uuid``, or a JSON array of such. What holds no id is named by its number, and never costs
another its place.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Final

from attrs import evolve, frozen

from lox24_async.cli.exits import CommandError
from lox24_async.cli.text import mask, quoted

from .files import (
    Entry,
    Lines,
    decode,
    entries,
    lines_of,
    read_bytes,
    short_name,
    without_comment,
)

_BULK_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_COLUMNS: Final = ("bulkid", "uuid", "id")  # a message has a uuid, too: its bulk is bulk_id
_FIELDS: Final = ("bulk_id", "uuid")
_WANTED: Final = "ids, one a line,"


NO_ID: Final = "There is no id in the input; nothing was sent."


@frozen
class Ids:
    """The distinct ids in their first order, and the lines that held none."""

    good: tuple[str, ...]
    bad: tuple[Entry, ...] = ()
    repeated: int = 0
    notes: tuple[str, ...] = ()
    """What was taken for the ids, where that is not plain."""


def read_ids(arguments: Sequence[str], file: str | None, command: str, other: str = "") -> Ids:
    """Read the ids that were named as arguments and in a file.

    For the hint how to: ``command`` is what was typed, ``other`` another way to name bulks.

    Raises:
        CommandError: there are none, or the file cannot be read.
    """
    named = list(from_arguments(arguments))
    notes: list[str] = []
    if file is not None:
        data = read_bytes(file, _WANTED)
        named += from_file(data, short_name(file), notes.append)
    if not named:
        if file is None:
            raise CommandError(
                f"Which bulks? Name their ids: {command} ID…, or --file FILE{other}."
            )
        raise CommandError(NO_ID)
    return evolve(collect(named), notes=tuple(notes))


def collect(named: Iterable[Entry]) -> Ids:
    """Check the ids, and count what is repeated."""
    sieve = Sieve()
    good = tuple(bulk_id for entry in named if (bulk_id := sieve.take(entry)) is not None)
    return Ids(good, tuple(sieve.bad), sieve.repeated)


class Sieve:
    """Checks ids one by one; knows those that were there before, and what is none."""

    def __init__(self) -> None:
        self.bad: list[Entry] = []
        self.repeated = 0
        self._seen: set[int] = set()

    def take(self, entry: Entry) -> str | None:
        """Return the id, unless it is none or was there before."""
        value = entry.value
        if value is None:
            self.bad.append(entry)
        elif _BULK_ID.fullmatch(value) is None:
            self.bad.append(entry._replace(problem=_no_id(value)))
        elif (key := int(value.replace("-", ""), 16)) in self._seen:
            self.repeated += 1
        else:
            self._seen.add(key)
            return value.lower()
        return None


def _no_id(value: str) -> str:
    if mask(value) != value:
        return "no bulk id, but what looks like a token; others may have seen it"
    return f"no bulk id: {quoted(value)}"


def from_arguments(values: Iterable[str]) -> Iterator[Entry]:
    """Read ids from the command line."""
    for number, value in enumerate(values, 1):
        yield Entry(f"argument {number}", value)


def from_file(
    data: bytes, name: str, tell: Callable[[str], object] = lambda _: None
) -> Iterator[Entry]:
    """Read ids from a file's content; ``tell`` gets a word where it is not plain what was taken."""
    return from_lines(lines_of(decode(data)), name, tell)


def from_lines(
    lines: Iterable[str], name: str, tell: Callable[[str], object] = lambda _: None
) -> Iterator[Entry]:
    """Read ids from lines, each as soon as its line is there; a JSON array when it is whole."""
    source = Lines(lines)
    start: list[str] = []
    for line in source:
        start.append(line)
        if line.strip():
            break
    if start and start[-1].lstrip().startswith("["):
        start += source
        array = _json_array("".join(start))
        if array is not None:
            for number, item in enumerate(array, 1):
                yield _from_json(f"{name} item {number}", item)
            return
    for entry in entries(chain(start, source), name, _COLUMNS, _BULK_ID, tell):
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
        for name in _FIELDS:
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
