"""Bulks on stdout: lines for people, records for machines, and the way out of the program."""

import asyncio
import csv
import io
import json
import os
import sys
from abc import abstractmethod
from contextlib import suppress
from typing import Any, Final, Self

from rich.text import Text

from lox24_async import Bulk, make_converter

from .moments import local
from .options import Output
from .show import make_console
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


def record(bulk: Bulk) -> dict[str, Any]:
    """Return a bulk in plain JSON as the API has it."""
    plain: dict[str, Any] = _converter.unstructure(bulk)
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
        plain, line = record(bulk), io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([_cell(plain.get(n)) for n in _FIELDS])
        return line.getvalue()


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


class _Lines(Form):
    """A line each, cut off at the edge of a terminal and nowhere else."""

    def __init__(self) -> None:
        self._console = make_console(sys.stdout)
        self.head = self._print(
            Text(f"{'bulk':36}  {'status':13}  {'messages':>8}  {'created':22}  sender       text")
        )

    def row(self, bulk: Bulk) -> str:
        count = "" if bulk.msg_total_count is None else f"{bulk.msg_total_count:,}"
        created = "" if bulk.created_at is None else local(bulk.created_at, seconds=False)
        sender, text = printable(bulk.sender_id or ""), printable(bulk.text or "")
        line = Text.assemble(
            f"{bulk.uuid}  ",
            (f"{status_words(bulk):13}", status_style(bulk)),
            f"  {count:>8}  {created:22}  {sender:11}  {text}",
        )
        line.rstrip()
        return self._print(line)

    def _print(self, line: Text) -> str:
        console = self._console
        with console.capture() as captured:
            if console.is_terminal:
                console.print(line, no_wrap=True, overflow="ellipsis")
            else:
                console.print(line, soft_wrap=True)
        return captured.get()


def form_of(output: Output) -> Form:
    """Return a fresh form."""
    forms: dict[Output, type[Form]] = {
        Output.TABLE: _Lines,
        Output.JSON: _Json,
        Output.NDJSON: _Ndjson,
        Output.CSV: _Csv,
    }
    return forms[output]()


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
