"""``lox24 show``, as it is done."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from rich.console import Console
from rich.text import Text

from lox24_async import Bulk, NotFoundError
from lox24_async.cli.connect import Desk, Setup
from lox24_async.cli.console import fact_table, make_console
from lox24_async.cli.inputs import read_ids
from lox24_async.cli.moments import local
from lox24_async.cli.options import CommandError, ExitCode, Shape
from lox24_async.cli.records import ReaderGoneError, record, write_out
from lox24_async.cli.words import printable, status_style, status_words

_PHONES: Final = 10  # that are shown one by one


def run(bulk_id: str, shape: Shape, setup: Setup) -> ExitCode:
    """Write a bulk to stdout.

    Raises:
        CommandError: wrong usage or settings, or there is no such bulk.
    """
    ids = read_ids([bulk_id], None, "lox24 show")
    if ids.bad:
        raise CommandError(f"{ids.bad[0].problem[0].upper()}{ids.bad[0].problem[1:]}.")
    [good] = ids.good

    async def get(desk: Desk) -> Bulk:
        return await desk.client.get_bulk(good)

    try:
        bulk = Desk(setup, setup.connect()).run(get)
    except CommandError as error:
        if isinstance(error.__cause__, NotFoundError):
            said = f"LOX24 knows no bulk {good} in this account."
            raise CommandError(said, ExitCode.NOT_ALL) from error
        raise
    with suppress(ReaderGoneError):
        print_bulk(bulk, shape)
    return ExitCode.DONE


def print_bulk(bulk: Bulk, shape: Shape) -> None:
    """Write a bulk to stdout.

    Raises:
        ReaderGoneError: nobody reads.
    """
    if shape is Shape.JSON:
        write_out(json.dumps(record(bulk), indent=2) + "\n")
        return
    console = make_console(sys.stdout)
    with console.capture() as captured:
        _draw(console, bulk)
    write_out(captured.get())


def _draw(console: Console, bulk: Bulk) -> None:
    facts = list(_facts(bulk))
    if not console.is_terminal:  # no width to fold at
        for name, value in facts:
            lines = value.plain.split("\n")
            console.print(Text(f"{name:13}  " + f"\n{'':15}".join(lines)), soft_wrap=True)
        return
    console.print(fact_table(facts))


def _facts(bulk: Bulk) -> Iterator[tuple[str, Text]]:
    """Name all fields that LOX24 told, in the order in which people ask for them."""
    yield "bulk", Text(str(bulk.uuid))
    said = Text(status_words(bulk), style=status_style(bulk))
    if not said.plain.startswith("status "):
        said.append(f" ({int(bulk.status_code)})", style="")
    yield "status", said
    for name, value in _told(bulk):
        if value is not None:
            yield name, Text(value)
    for name, raw in bulk.extra.items():
        yield printable(name), Text(printable(json.dumps(raw, ensure_ascii=False)))


def _told(bulk: Bulk) -> Iterator[tuple[str, str | None]]:
    yield "sender", None if bulk.sender_id is None else printable(bulk.sender_id)
    if bulk.text is not None:
        yield "text", "\n".join(printable(line) for line in bulk.text.splitlines())
    yield "recipients", None if bulk.phones is None else _listed(bulk.phones)
    yield "groups", None if bulk.msg_groups is None else ", ".join(map(_plain, bulk.msg_groups))
    yield "messages", None if bulk.msg_total_count is None else f"{bulk.msg_total_count:,}"
    yield "price", None if bulk.price is None else f"{bulk.price:f} (in the account's currency)"
    yield "created", None if bulk.created_at is None else local(bulk.created_at)
    yield "delivery", "at once" if bulk.delivery_at is None else local(bulk.delivery_at)
    yield "processed", None if bulk.processed_at is None else local(bulk.processed_at)
    yield "service", None if bulk.service_code is None else printable(bulk.service_code)
    alphabet = {True: "Unicode", False: "GSM 03.38", None: None}
    yield "alphabet", alphabet[bulk.is_unicode]
    yield "language", None if bulk.voice_lang is None else printable(bulk.voice_lang)
    yield "source", None if bulk.source is None else str(bulk.source)
    yield "API key", None if bulk.key_id is None else str(bulk.key_id)
    yield "from IP", None if bulk.ip is None else printable(bulk.ip)
    yield "simulated", "yes: nothing is sent" if bulk.is_dryrun else None
    yield "text deleted", "yes" if bulk.is_text_deleted else None


def _plain(value: object) -> str:
    return printable(str(value))


def _listed(phones: tuple[str, ...]) -> str:
    lines = [printable(phone) for phone in phones[:_PHONES]]
    if len(phones) > _PHONES:
        lines.append(f"… and {len(phones) - _PHONES:,} more; --output json has all")
    return "\n".join(lines)
