"""A bulk to send, as it is typed: for ``create`` and ``simulate``."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final

from attrs import frozen
from cyclopts import Group, Parameter

from lox24_async import BulkDraft, ConfigurationError
from lox24_async.cli.exits import CommandError
from lox24_async.cli.options import AT_LEAST_1, Count, File, Text, Time, value
from lox24_async.cli.text import plural

from .files import Entry, entries, lines_of, read_text, short_name, without_comment
from .moments import read_delivery

_PHONE: Final = re.compile(r"\+?[0-9]{5,17}")
_NAMED: Final = 9  # wrong numbers that are named one by one


@Parameter("*", group=Group("What to send", sort_key=2))
@frozen(kw_only=True)
class DraftOptions:
    """A bulk as it was typed.

    Args:
        sender: Who the messages come from: up to 11 letters, digits and spaces, or a number.
        text: What to send.
        text_file: Read the text from FILE (-: from stdin), UTF-8, without the last line end.
        phones: A recipient, best as +49…. May be repeated.
        phones_file: Read recipients from FILE (-: from stdin): one a line, or CSV with a
            column phone.
        groups: A group of recipients at LOX24. May be repeated.
        service: direct, text2speech, text2speech_ssml or another.
        at: When to send, instead of at once: 2026-03-01T08:00Z, 2026-03-01 08:00 (local
            time), or +30m, +2h, +1d from now.
        is_unicode: The alphabet: GSM 03.38 holds 160 characters in an SMS, Unicode 70. LOX24
            decides if you do not.
        source: A number of yours that groups messages in the itemised bill.
        voice_lang: The language of a text2speech call: DE, EN, …
    """

    sender: Annotated[str, value("NAME|NUMBER")]
    text: Text = None
    text_file: File = None
    phones: Annotated[tuple[str, ...], value("NUMBER", "--phone")] = ()
    phones_file: File = None
    groups: Annotated[
        tuple[Annotated[int, Parameter(validator=AT_LEAST_1)], ...], value("ID", "--group")
    ] = ()
    service: Annotated[str, Parameter(metavar="CODE", show_default=True)] = "direct"
    at: Time = None
    is_unicode: Annotated[bool | None, Parameter("--unicode", negative="--gsm")] = None
    source: Count = None
    voice_lang: Annotated[str | None, value("XX")] = None


_OPTIONS: Final = {  # of the draft's fields
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


def make_draft(typed: DraftOptions, now: datetime | None = None) -> tuple[BulkDraft, int]:
    """Understand a bulk to send.

    Returns:
        The draft, and how many repeated numbers were left out.

    Raises:
        CommandError: what cannot be sent, with the option that says so.
    """
    if typed.text_file == typed.phones_file == "-":
        raise CommandError("Text and numbers cannot both come from stdin; nothing was sent.")
    phones = _phones(typed)
    distinct = tuple(dict.fromkeys(phones))
    if not distinct and not typed.groups:
        raise CommandError("To whom? Name --phone, --phones-file or --group; nothing was sent.")
    try:
        draft = BulkDraft(
            sender_id=typed.sender,
            text=_text(typed),
            phones=distinct,
            msg_groups=tuple(dict.fromkeys(typed.groups)),
            service_code=typed.service,
            delivery_at=None if typed.at is None else read_delivery(typed.at, now),
            is_unicode=typed.is_unicode,
            source=typed.source,
            voice_lang=None if typed.voice_lang is None else typed.voice_lang.upper(),
        )
    except ConfigurationError as error:
        said = _FIELD.sub(lambda found: _OPTIONS[found[1]], error.message, count=1)
        raise CommandError(f"{said}; nothing was sent.") from None
    return draft, len(phones) - len(distinct)


def _text(typed: DraftOptions) -> str:
    if (typed.text is None) == (typed.text_file is None):
        raise CommandError("What? Name either --text or --text-file; nothing was sent.")
    if typed.text_file is None:
        return typed.text or ""
    return read_text(typed.text_file, "the text").removesuffix("\n").removesuffix("\r")


def _phones(typed: DraftOptions) -> list[str]:
    found = [Entry(f"--phone {n}", phone) for n, phone in enumerate(typed.phones, 1)]
    if typed.phones_file is not None:
        found += _from_file(typed.phones_file)
    phones = [_bare(entry.value or "") for entry in found]
    bad = [
        entry.where
        for entry, phone in zip(found, phones, strict=True)
        if _PHONE.fullmatch(phone) is None
    ]
    if bad:  # to send to some only would be the caller's decision, and costs money
        named = ", ".join(bad[:_NAMED]) + (" and others" if len(bad) > _NAMED else "")
        raise CommandError(
            f"{plural(len(bad), 'phone number')} cannot be right ({named}): expected are 5 to 17"
            " digits, best as +49…; nothing was sent."
        )
    return phones


def _from_file(name: str) -> Iterator[Entry]:
    text = read_text(name, "phone numbers, one a line,")
    for entry in entries(lines_of(text), short_name(name), ("phone",)):
        yield entry._replace(value=without_comment(entry.value or ""))


def _bare(phone: str) -> str:
    return phone.translate({ord(" "): None, ord("-"): None})
