"""Records on stdout, for machines; and the lines of a listing, which go there, too."""

import asyncio
import csv
import io
import json
import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final, Generic, Self, TypeVar

from rich.console import Console
from rich.text import Text

import lox24_async as lox
from lox24_async._printable import printable
from lox24_async.cli import streams
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.options import BulkForm, Output
from lox24_async.cli.text import local_short, why

from .tables import bulk_row, make_console, print_facts, row_header, say_cut

BULK_COLUMNS: Final = (
    *("uuid", "status_code", "sender_id", "created_at", "delivery_at", "processed_at"),
    *("msg_total_count", "price", "service_code", "is_unicode", "source", "text"),
)
MESSAGE_COLUMNS: Final = (
    *("uuid", "bulk_id", "phone", "is_sent", "gateway_sent_at", "status_code", "dlr_code"),
    *("sender_id", "parts_count", "price", "text"),
)
_MANY: Final = 1000  # lines that wait for a slow reader before we wait, too

Record = dict[str, Any]
ItemT = TypeVar("ItemT", lox.Bulk, lox.BulkMessage)


class ReaderGoneError(Exception):
    """Whoever read stdout has had enough (``head``, say)."""


_converter: Final = cache(lambda: lox.make_converter())  # noqa: PLW0108  not at import


def record(item: lox.Bulk | lox.BulkMessage) -> Record:
    """Return a bulk or a message in plain JSON as the API has it."""
    plain: Record = _converter().unstructure(item)
    return plain


def error_fields(error: lox.Lox24Error | None) -> Record:
    """Return the part of a record that tells an error."""
    answer = error if isinstance(error, lox.APIStatusError | lox.ResponseDecodeError) else None
    return {
        "error": None if error is None else str(error),
        "request_id": None if answer is None else answer.request_id,
    }


def write_records(output: Output, columns: Sequence[str], records: Iterable[Record]) -> None:
    """Write records that are all there; a table is none for machines, and nothing is written.

    Does not mind a reader that left.

    Raises:
        CommandError: they cannot be written.
    """
    if output is not Output.TABLE:
        form = _RECORD_FORMS[output](columns)
        with suppress(ReaderGoneError):
            write_out("".join((form.head, *map(form.row, records), form.tail)))


class RecordStream:
    """Records on stdout, each as soon as it is known; json, which is one text, at the end.

    Nothing that goes wrong with stdout comes out of here: the work goes on.
    """

    def __init__(self, output: Output, columns: Sequence[str]) -> None:
        self._form = None if output is Output.TABLE else _RECORD_FORMS[output](columns)
        self.is_live = output in (Output.NDJSON, Output.CSV)
        """Whether each record is written as soon as it is known."""
        self._problem: Exception | None = None
        if self.is_live and self._form is not None:
            self._put(self._form.head)

    def put(self, record: Record) -> None:
        """Write a record now, if the form has one record a line."""
        if self.is_live and self._form is not None:
            self._put(self._form.row(record))

    def end(self, records: Iterable[Record]) -> None:
        """Write all records now, if the form is one text."""
        if self._form is not None and not self.is_live:
            self._put("".join((self._form.head, *map(self._form.row, records), self._form.tail)))

    def _put(self, text: str) -> None:
        if text:
            self._problem = streams.put(sys.stdout, text) or self._problem

    def problem(self) -> str | None:
        """Wait until all is written; say what could not be."""
        if self._form is None:
            return None
        problem = streams.settle(sys.stdout) or self._problem
        if problem is None or isinstance(problem, BrokenPipeError):
            return None  # who left had enough
        return f"The records could not be written to stdout: {why(problem)}."


def write_bulk(form: BulkForm, bulk: lox.Bulk) -> None:
    """Write one bulk. Does not mind a reader that left.

    Raises:
        CommandError: it cannot be written.
    """
    if form == "json":
        text = json.dumps(record(bulk), indent=2) + "\n"
    else:
        console = make_console(sys.stdout)
        with console.capture() as captured:
            print_facts(console, bulk)
        text = captured.get()
    with suppress(ReaderGoneError):
        write_out(text)


def write_out(text: str) -> None:
    """Write to stdout, and wait until it is written.

    Raises:
        ReaderGoneError: nobody reads any more.
        CommandError: it cannot be written for another reason.
    """
    problem = streams.put(sys.stdout, text) or streams.settle(sys.stdout)
    if isinstance(problem, BrokenPipeError):
        with suppress(OSError, ValueError, AttributeError):  # or Python would complain at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGoneError
    if problem is not None:
        raise CommandError(f"stdout cannot be written: {why(problem)}.", ExitCode.NOT_ALL)


# --- forms of records


class _Ndjson:
    head = tail = ""

    def __init__(self, columns: Sequence[str]) -> None:
        """All fields are written."""

    def row(self, record: Record) -> str:
        return json.dumps(record) + "\n"


class _Json(_Ndjson):
    """An array, written while it grows: one that was cut off is no JSON, and that is right."""

    head = "["
    tail = "\n]\n"
    _comma = ""

    def row(self, record: Record) -> str:
        comma, self._comma = self._comma, ","
        return f"{comma}\n{json.dumps(record)}"


class _Csv(_Ndjson):
    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self.head = _csv_line(columns)

    def row(self, record: Record) -> str:
        return _csv_line([_cell(record.get(name)) for name in self._columns])


_RECORD_FORMS: Final = {Output.JSON: _Json, Output.NDJSON: _Ndjson, Output.CSV: _Csv}


_RUN: Final = ("=", "+", "-", "@")  # what a spreadsheet takes for a formula begins so
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)*")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _cell(value: Any) -> Any:
    """Return what to write into a cell: no formula, no control character."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub(lambda found: repr(found[0])[1:-1], value)
    if text.lstrip().startswith(_RUN) and _NUMBER.fullmatch(text) is None:
        return f"'{text}"
    return text


def csv_text(columns: Sequence[str], records: Iterable[Record]) -> str:
    """Return records as CSV, with a header."""
    form = _Csv(columns)
    return form.head + "".join(map(form.row, records))


def _csv_line(cells: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


# --- bulks and messages while they arrive


class ItemWriter(ABC, Generic[ItemT]):
    """Writes items to stdout without holding up the loop: a reader may be slow (``less``, say).

    What comes while a write is under way goes out together with the next one, so a whole page
    of items costs one write, and comes out at once. As a context it writes the end of the form.

    Args:
        output: The form.
        columns: Of CSV.
    """

    def __init__(self, output: Output, columns: Sequence[str]) -> None:
        self._form = None if output is Output.TABLE else _RECORD_FORMS[output](columns)
        self._console = make_console(sys.stdout)
        # Not before there is an answer: it might be an error.
        self._head = self._form.head if self._form else self._lines([self._header(self._console)])
        self._texts: list[str] = []
        self._writing: asyncio.Task[None] | None = None

    @abstractmethod
    def _header(self, console: Console) -> Text:
        """Return what stands above the lines for people."""

    @abstractmethod
    def _row(self, console: Console, item: ItemT) -> list[Text]:
        """Return an item in lines for people."""

    async def add(self, item: ItemT) -> None:
        """Write an item soon.

        Raises:
            ReaderGoneError: nobody reads any more.
        """
        if self._form:
            await self._put(self._form.row(record(item)))
        else:
            await self._put(self._lines(self._row(self._console, item)))

    async def flush(self) -> None:
        """Wait until all so far is written."""
        await self._drain()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self._put(self._form.tail if self._form else "")
        if kind is None or issubclass(kind, Exception):
            await self._drain()

    def _lines(self, lines: Sequence[Text]) -> str:
        with self._console.capture() as captured:
            for line in filter(None, lines):
                say_cut(self._console, line)
        return captured.get()

    async def _put(self, text: str) -> None:
        head, self._head = self._head, ""
        self._texts.append(head + text)
        if self._writing is not None and self._writing.done():
            self._finish()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        if len(self._texts) >= _MANY:
            await self._drain()

    async def _drain(self) -> None:
        if self._writing is not None:
            await asyncio.wait({self._writing})
            self._finish()

    def _finish(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    async def _write(self) -> None:
        while self._texts:
            text, self._texts = "".join(self._texts), []
            await asyncio.to_thread(write_out, text)


class BulkWriter(ItemWriter[lox.Bulk]):
    """Writes bulks."""

    def __init__(self, output: Output) -> None:
        super().__init__(output, BULK_COLUMNS)

    def _header(self, console: Console) -> Text:
        return row_header(console)

    def _row(self, console: Console, item: lox.Bulk) -> list[Text]:
        return bulk_row(console, item)


class MessageWriter(ItemWriter[lox.BulkMessage]):
    """Writes messages."""

    def __init__(self, output: Output) -> None:
        super().__init__(output, MESSAGE_COLUMNS)

    def _header(self, console: Console) -> Text:
        return Text(f"{'recipient':18} {'state':8} {'when':14} {'SMS':>3}  text")

    def _row(self, console: Console, item: lox.BulkMessage) -> list[Text]:
        del console
        when = item.gateway_sent_at or item.delivery_at or item.created_at
        states = {True: ("sent", "yellow"), False: ("not sent", "green"), None: ("?", "magenta")}
        state = Text(*states[item.is_sent])
        state.pad_right(8 - len(state))
        parts = "" if item.parts_count is None else str(item.parts_count)
        line = Text.assemble(
            f"{printable(item.phone or '?'):18} ",
            state,
            f" {'' if when is None else local_short(when):14} {parts:>3}  ",
            printable(item.text or ""),
        )
        line.rstrip()
        return [line]
