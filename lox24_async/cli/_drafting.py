"""From what was typed to a draft, and back to what a person should see before it is sent."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from lox24_async import BulkDraft, ConfigurationError, ServiceCode

from .drafting import DraftWords
from .filters import read_moment
from .inputs import read_bytes, short_name
from .moments import local
from .options import CommandError, shown
from .words import plural, printable

_PHONE: Final = re.compile(r"\+?[0-9]{5,17}")
_AHEAD: Final = re.compile(r"\+(\d{1,6}) ?([mhd])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_OPTIONS: Final = {
    "sender_id": "--sender",
    "text": "--text",
    "phones": "--phone",
    "msg_groups": "--group",
    "service_code": "--service",
    "delivery_at": "--at",
    "is_unicode": "--unicode/--gsm",
    "source": "--source",
    "voice_lang": "--voice-lang",
}
_FIELD: Final = re.compile(rf"({'|'.join(_OPTIONS)})\b")
_LISTED: Final = 3  # recipients that are shown


def make_draft(words: DraftWords, now: datetime | None = None) -> tuple[BulkDraft, int]:
    """Understand a bulk to send.

    Args:
        words: What was typed.
        now: What is now; ``None``: this moment.

    Returns:
        The draft, and how many repeated numbers were left out.

    Raises:
        CommandError: what cannot be sent, with the option that says so.
    """
    if words.text_file == words.phones_file == "-":
        raise CommandError("Text and numbers cannot both come from stdin; nothing was sent.")
    phones = list(_phones(words))
    distinct = tuple(dict.fromkeys(phones))
    if not distinct and not words.groups:
        raise CommandError("To whom? Name --phone, --phones-file or --group; nothing was sent.")
    try:
        draft = BulkDraft(
            sender_id=words.sender,
            text=_text(words),
            phones=distinct,
            msg_groups=tuple(dict.fromkeys(words.groups)),
            service_code=words.service,
            delivery_at=None if words.at is None else read_delivery(words.at, now),
            is_unicode=words.is_unicode,
            source=words.source,
            voice_lang=None if words.voice_lang is None else words.voice_lang.upper(),
        )
    except ConfigurationError as error:
        said = _FIELD.sub(lambda found: _OPTIONS[found[1]], error.message, count=1)
        raise CommandError(f"{said}; nothing was sent.") from None
    return draft, len(phones) - len(distinct)


def read_delivery(text: str, now: datetime | None = None) -> datetime:
    """Understand when to send.

    Raises:
        CommandError: it is no time, or one that has passed: LOX24 would send at once.
    """
    now = datetime.now(UTC) if now is None else now
    word = text.strip()
    if ahead := _AHEAD.fullmatch(word.lower()):
        return now + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})
    moment = read_moment(word, "--at", now)
    if moment < now:
        raise CommandError(
            f"--at: {local(moment)} has passed. To send at once leave it out; nothing was sent."
        )
    return moment


def _text(words: DraftWords) -> str:
    if (words.text is None) == (words.text_file is None):
        raise CommandError("What? Name either --text or --text-file; nothing was sent.")
    if words.text_file is None:
        return words.text or ""
    data = _decoded(words.text_file, "the text")
    return data.removesuffix("\n").removesuffix("\r")


def _decoded(name: str, wanted: str) -> str:
    try:
        return read_bytes(name, wanted).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"{shown(name)} is not in UTF-8; nothing was sent.") from None


# --- recipients


def _phones(words: DraftWords) -> Iterator[str]:
    found = [(f"--phone {n}", phone) for n, phone in enumerate(words.phones, 1)]
    if words.phones_file is not None:
        name = short_name(words.phones_file)
        lines = _decoded(words.phones_file, "phone numbers, one a line,")
        found += [(f"{name} line {n}", phone) for n, phone in _numbers(lines)]
    bad = [where for where, phone in found if _PHONE.fullmatch(_bare(phone)) is None]
    if bad:  # to send to some only would be the caller's decision, and costs money
        named = ", ".join(bad[: _LISTED * 3]) + (" and others" if len(bad) > _LISTED * 3 else "")
        raise CommandError(
            f"{plural(len(bad), 'phone number')} cannot be right ({named}): expected are 5 to 17"
            " digits, best as +49…; nothing was sent."
        )
    return (_bare(phone) for _, phone in found)


def _bare(phone: str) -> str:
    return phone.translate({ord(" "): None, ord("-"): None})


def _numbers(text: str) -> Iterator[tuple[int, str]]:
    """Read numbers: one a line with ``#`` comments, or the CSV column ``phone``."""
    lines = text.splitlines()
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    for delimiter in ",;\t":
        names = [name.strip(' "').lower() for name in header.split(delimiter)]
        if "phone" in names:
            yield from _column(text, delimiter, names.index("phone"))
            return
    for number, line in enumerate(lines, 1):
        if value := line.partition("#")[0].strip():
            yield number, value


def _column(text: str, delimiter: str, column: int) -> Iterator[tuple[int, str]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    headed = False
    try:
        for row in reader:
            if not any(cell.strip() for cell in row) or row[0].startswith("#"):
                continue
            if headed:
                yield reader.line_num, row[column].strip() if column < len(row) else ""
            headed = True
    except csv.Error as error:
        raise CommandError(
            f"Line {reader.line_num} of the numbers is broken CSV ({error}); nothing was sent."
        ) from None


# --- for the person who is asked


def describe(draft: BulkDraft) -> Iterator[tuple[str, str]]:
    """Name what will be sent, field by field."""
    yield "sender", draft.sender_id
    yield "text", "\n".join(printable(line) for line in draft.text.splitlines())
    yield "length", _length(draft)
    yield "recipients", ", ".join(_recipients(draft))
    yield "delivery", "at once" if draft.delivery_at is None else local(draft.delivery_at)
    if draft.service_code != ServiceCode.DIRECT:
        yield "service", draft.service_code
    if draft.voice_lang is not None:
        yield "language", draft.voice_lang
    if draft.source is not None:
        yield "source", str(draft.source)
    yield "cost", "not known before: lox24 simulate asks LOX24"


def _recipients(draft: BulkDraft) -> Iterable[str]:
    if draft.phones:
        some = ", ".join(draft.phones[:_LISTED])
        more = ", …" if len(draft.phones) > _LISTED else ""
        yield f"{plural(len(draft.phones), 'number')} ({some}{more})"
    for group in draft.msg_groups:
        yield f"group {group}"


def _length(draft: BulkDraft) -> str:
    said = plural(len(draft.text), "character")
    if draft.service_code != ServiceCode.DIRECT:
        return said
    alphabet = "Unicode" if draft.needs_unicode else "GSM 03.38"
    more = ", before columns of the group are filled in" if draft.msg_groups else ""
    return f"{said}, {draft.parts} SMS in {alphabet} to each recipient{more}"
