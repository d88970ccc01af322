"""Bulks on stdout: lines for people, records for machines, and the way out of the program."""

import asyncio
import csv
import io
import json
import os
import sys
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, Self

from rich.text import Text

from lox24_async import APIStatusError, Bulk, Lox24Error, ResponseDecodeError, make_converter

from .console import make_console, say_cut
from .moments import local
from .options import Output
from .words import printable, status_style, status_words

_FIELDS: Final = (
    "uuid",
    "status_code",
    "sender_id",
    "created_at",
    "delivery_at",
    "processed_at",
    "msg_total_count",
    "price",
    "service_code",
    "is_unicode",
    "source",
    "text",
)
_MANY: Final = 1000  # lines that wait for a slow reader before we wait, too
_converter = make_converter()

Record = dict[str, Any]


def record(bulk: Bulk) -> Record:
    """Return a bulk in plain JSON as the API has it."""
    plain: Record = _converter.unstructure(bulk)
    return plain


# --- forms


class Form:
    """How bulks are written."""

    head = ""
    tail = ""

    @abstractmethod
    def row(self, bulk: Bulk) -> str:
        """Return what is written for a bulk."""


class _Ndjson(Form):
    def row(self, bulk: Bulk) -> str:
        return json.dumps(record(bulk)) + "\n"


class _Json(Form):
    """An array, written while it grows: one that was cut off is no JSON, and that is right."""

    head = "["
    tail = "\n]\n"

    def __init__(self) -> None:
        self._comma = ""

    def row(self, bulk: Bulk) -> str:
        comma, self._comma = self._comma, ","
        return f"{comma}\n{json.dumps(record(bulk))}"


class _Csv(Form):
    head = ",".join(_FIELDS) + "\n"

    def row(self, bulk: Bulk) -> str:
        plain = record(bulk)
        return _csv([[_cell(plain.get(name)) for name in _FIELDS]])


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


class _Lines(Form):
    """A line each."""

    def __init__(self) -> None:
        self._console = make_console(sys.stdout)
        self.head = self._print(
            Text(f"{'bulk':36}  {'status':13}  {'messages':>8}  {'created':22}  sender       text")
        )

    def row(self, bulk: Bulk) -> str:
        count = "" if bulk.msg_total_count is None else f"{bulk.msg_total_count:,}"
        return self._print(line_of(bulk, 13, f"{count:>8}"))

    def _print(self, line: Text) -> str:
        with self._console.capture() as captured:
            say_cut(self._console, line)
        return captured.get()


def line_of(bulk: Bulk, width: int, *numbers: str) -> Text:
    """Return a bulk as people read it in a list.

    Args:
        bulk: The bulk.
        width: Of the state.
        *numbers: What stands between the state and the time.
    """
    created = "" if bulk.created_at is None else local(bulk.created_at, seconds=False)
    line = Text.assemble(
        f"{bulk.uuid}  ",
        (f"{status_words(bulk):{width}}", status_style(bulk)),
        *(f"  {number}" for number in numbers),
        f"  {created:22}  {printable(bulk.sender_id or ''):11}  {printable(bulk.text or '')}",
    )
    line.rstrip()
    return line


def form_of(output: Output) -> Form:
    """Return a fresh form."""
    forms: dict[Output, type[Form]] = {
        Output.TABLE: _Lines,
        Output.JSON: _Json,
        Output.NDJSON: _Ndjson,
        Output.CSV: _Csv,
    }
    return forms[output]()


# --- records of our own


def written(form: Output, names: Sequence[str], records: Iterable[Record]) -> str:
    """Return records in a form; a table is none for machines, and empty."""
    if form is Output.NDJSON:
        return "".join(json.dumps(one) + "\n" for one in records)
    if form is Output.JSON:
        return "[\n" + ",\n".join(json.dumps(one) for one in records) + "\n]\n"
    if form is Output.CSV:
        return _csv([names, *([one[name] for name in names] for one in records)])
    return ""


def about(error: Lox24Error | None) -> Record:
    """Return the part of a record that tells an error."""
    answer = error if isinstance(error, APIStatusError | ResponseDecodeError) else None
    return {
        "error": None if error is None else str(error),
        "request_id": None if answer is None else answer.request_id,
    }


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\n").writerows(rows)
    return sheet.getvalue()


# --- the way out


class ReaderGoneError(Exception):
    """Whoever read stdout has had enough (``head``, say)."""


class Outlet:
    """Writes to stdout without holding up the loop: a reader may be slow (``less``, say).

    What is put in while a write is under way goes out together with the next one, so a whole
    page of bulks costs one write, and comes out at once.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._writing: asyncio.Task[None] | None = None

    async def put(self, text: str) -> None:
        """Write a text soon.

        Raises:
            ReaderGoneError: nobody reads any more.
        """
        self._lines.append(text)
        if self._writing is not None and self._writing.done():
            self._finish()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        if len(self._lines) >= _MANY:
            await self.drain()

    async def drain(self) -> None:
        """Wait until all is written.

        Raises:
            ReaderGoneError: nobody reads any more.
        """
        if self._writing is not None:
            await asyncio.wait({self._writing})
            self._finish()

    def _finish(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    async def _write(self) -> None:
        while self._lines:
            text, self._lines = "".join(self._lines), []
            await asyncio.to_thread(write_out, text)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception):
            await self.drain()


def write_out(text: str) -> None:
    """Write to stdout.

    Raises:
        ReaderGoneError: nobody reads any more.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        with suppress(OSError, ValueError):  # or Python would complain at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGoneError from None


class Sheet:
    """Bulks on their way to stdout in a form.

    Args:
        form: Fresh.
        outlet: Takes what is written.
    """

    def __init__(self, form: Form, outlet: Outlet) -> None:
        self._form = form
        self._outlet = outlet
        self._head = form.head  # not before there is an answer: it might be an error

    async def add(self, bulk: Bulk) -> None:
        """Write a bulk."""
        head, self._head = self._head, ""
        await self._outlet.put(head + self._form.row(bulk))

    async def end(self) -> None:
        """Write what stands behind the last bulk."""
        await self._outlet.put(self._head + self._form.tail)
        await self._outlet.drain()
