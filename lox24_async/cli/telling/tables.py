"""Consoles, and bulks as people read them: a line in a list, or all facts of one."""

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lox24_async import Bulk, BulkStatus
from lox24_async._printable import printable
from lox24_async.cli.text import local

LISTED: Final = 10
"""So many bulks are named one by one; of the others it is said how many there are."""
_PHONES: Final = 10  # that are shown one by one
_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    BulkStatus.NEW: ("new", "cyan"),
    BulkStatus.IN_PROGRESS: ("in progress", "yellow"),
    BulkStatus.PROCESSED: ("processed", ""),
    BulkStatus.CANCELED: ("cancelled", "green"),
    BulkStatus.SYSTEM_ERROR: ("system error", "red"),
    BulkStatus.NO_RECIPIENTS: ("no recipients", "red"),
}


# --- consoles


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person watches, in a terminal that can move its cursor."""
    if stream is None or stream.closed:
        return False
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def make_console(stream: TextIO | None = None, *, quiet: bool = False) -> Console:
    """Return a console, by default on stderr, that writes control codes to a terminal only."""
    stream = sys.stderr if stream is None else stream
    terminal = is_terminal(stream)
    colours = terminal and not os.environ.get("NO_COLOR")
    return Console(
        file=io.StringIO() if stream is None else stream,
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


def say_whole(console: Console, text: str, style: str = "") -> None:
    """Print a line that is to be copied: a terminal may fold it, nobody puts a break into it."""
    console.print(Text(text, style=style), soft_wrap=True)


def say_cut(console: Console, line: Text) -> None:
    """Print a line, cut off at the edge of a terminal and nowhere else."""
    if console.is_terminal:
        console.print(line, no_wrap=True, overflow="ellipsis")
    else:
        console.print(line, soft_wrap=True)


def say_some(
    console: Console, lines: Sequence[str | Text], more: str, style: str = "", indent: str = ""
) -> None:
    """Print the first lines, and how many there are more: ``more`` stands behind the number."""
    for line in lines[:LISTED]:
        say(console, Text.assemble(indent, line), style)
    if len(lines) > LISTED:
        say(console, f"{indent}… and {len(lines) - LISTED:,} more{more}", style)


def fact_table(facts: Iterable[tuple[str, str | Text]]) -> Table:
    """Return facts by name, a row each, folded at the edge."""
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(name, value)
    return grid


# --- bulks


def status_of(bulk: Bulk) -> Text:
    """Return a bulk's state in words, with its colour."""
    code = int(bulk.status_code)
    return Text(*_STATUS.get(code, (f"status {code}", "magenta")))


def messages_of(bulk: Bulk, unknown: str = "") -> str:
    """Return how many messages a bulk has."""
    return unknown if bulk.msg_total_count is None else f"{bulk.msg_total_count:,}"


def money(price: Decimal) -> str:
    """Return a price with two decimals, or more if it has more."""
    whole, _, part = f"{price:,f}".partition(".")
    return f"{whole}.{part.rstrip('0'):0<2}"


_WIDE: Final = 110  # columns from which a line shows all
_NARROW: Final = 72  # columns below which it takes three lines
_SENDER: Final = 11  # characters, as LOX24 allows


def bulk_row(console: Console, bulk: Bulk, price: str | None = None) -> list[Text]:
    """Return a bulk as people read it in a list, in as many lines as the console needs.

    Of a terminal of 80 columns each line shows sender and the start of the text; of a narrower
    one these stand on a line of their own. A console that is none has no width.
    """
    width = console.width if console.is_terminal else _WIDE
    sender, text = printable(bulk.sender_id or ""), printable(bulk.text or "")
    messages = messages_of(bulk, "?" if price is not None else "")
    status = status_of(bulk)
    if width >= _WIDE:
        created = "" if bulk.created_at is None else local(bulk.created_at, seconds=False)
        status.pad_right(13 - len(status))
        cost = "" if price is None else f"  {price:>9}"
        return [
            _row(
                *(f"{bulk.uuid}  ", status, f"  {messages:>8}{cost}  {created:22}"),
                f"  {sender:{_SENDER}}  {text}",
            )
        ]
    status.truncate(11)
    if width >= _NARROW:
        status.pad_right(11 - len(status))
        cut = sender if len(sender) <= _SENDER else f"{sender[: _SENDER - 1]}…"
        return [_row(f"{bulk.uuid} ", status, f" {messages:>7} {cut:{_SENDER}} {text}")]
    return [
        _row(f"{bulk.uuid}"),
        _row("  ", status, f" {messages}{'' if price is None else f' {price}'}"),
        _row(f"  {sender}: {text}"),
    ]


def _row(*parts: str | Text) -> Text:
    line = Text.assemble(*parts)
    line.rstrip()
    return line


def row_header(console: Console) -> Text:
    """Return what stands above such lines; of rows of three lines nothing."""
    width = console.width if console.is_terminal else _WIDE
    if width >= _WIDE:
        return Text(
            f"{'bulk':36}  {'status':13}  {'messages':>8}  {'created':22}  sender       text"
        )
    if width >= _NARROW:
        return Text(f"{'bulk':36} {'status':11} {'msgs':>7} {'sender':11} text")
    return Text("")


def print_facts(console: Console, bulk: Bulk) -> None:
    """Print all fields that LOX24 told, in the order in which people ask for them."""
    facts = list(_facts(bulk))
    if console.is_terminal:
        console.print(fact_table(facts))
        return
    for name, value in facts:  # no width to fold at
        lines = value.plain.split("\n")
        console.print(Text(f"{name:13}  " + f"\n{'':15}".join(lines)), soft_wrap=True)


def _facts(bulk: Bulk) -> Iterator[tuple[str, Text]]:
    yield "bulk", Text(str(bulk.uuid))
    status = status_of(bulk)
    if bulk.status_code in _STATUS:
        status.append(f" ({int(bulk.status_code)})")
    yield "status", status
    for name, value in _known(bulk):
        if value is not None:
            yield name, Text(value)
    for name, raw in bulk.extra.items():
        yield printable(name), Text(printable(json.dumps(raw, ensure_ascii=False)))


def _known(bulk: Bulk) -> Iterator[tuple[str, str | None]]:
    yield "sender", _plain(bulk.sender_id)
    if bulk.text is not None:
        yield "text", "\n".join(printable(line) for line in bulk.text.splitlines())
    yield "recipients", None if bulk.phones is None else _listed(bulk.phones)
    groups = bulk.msg_groups
    yield "groups", None if groups is None else ", ".join(printable(str(g)) for g in groups)
    yield "messages", messages_of(bulk) or None
    yield "price", None if bulk.price is None else f"{bulk.price:f} (in the account's currency)"
    yield "created", None if bulk.created_at is None else local(bulk.created_at)
    yield "delivery", "at once" if bulk.delivery_at is None else local(bulk.delivery_at)
    yield "processed", None if bulk.processed_at is None else local(bulk.processed_at)
    yield "service", _plain(bulk.service_code)
    alphabet = {True: "Unicode", False: "GSM 03.38", None: None}
    yield "alphabet", alphabet[bulk.is_unicode]
    yield "language", _plain(bulk.voice_lang)
    yield "source", _plain(bulk.source)
    yield "API key", _plain(bulk.key_id)
    yield "from IP", _plain(bulk.ip)
    yield "simulated", "yes: nothing is sent" if bulk.is_dryrun else None
    yield "text deleted", "yes" if bulk.is_text_deleted else None


def _plain(value: object) -> str | None:
    return None if value is None else printable(str(value))


def _listed(phones: Sequence[str]) -> str:
    lines = [printable(phone) for phone in phones[:_PHONES]]
    if len(phones) > _PHONES:
        lines.append(f"… and {len(phones) - _PHONES:,} more; --output json has all")
    return "\n".join(lines)
