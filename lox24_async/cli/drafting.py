"""A bulk to send, as it is typed: for ``create`` and ``simulate``."""

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from .options import optional

Sender = Annotated[
    str,
    typer.Option(
        "--sender",
        metavar="NAME|NUMBER",
        help="Who the messages come from: up to 11 letters, digits and spaces, or a number.",
    ),
]
Text = Annotated[
    str | None,
    optional("--text", metavar="TEXT", help="What to send."),
]
TextFile = Annotated[
    str | None,
    optional(
        "--text-file",
        metavar="FILE|-",
        help="Read the text from FILE (-: from stdin), UTF-8, without the last line end.",
    ),
]
Phones = Annotated[
    list[str] | None,
    optional(
        "--phone",
        metavar="NUMBER",
        help="A recipient, best as +49…. May be repeated.",
    ),
]
PhonesFile = Annotated[
    str | None,
    optional(
        "--phones-file",
        metavar="FILE|-",
        help="Read recipients from FILE (-: from stdin): one a line, or CSV with a column phone.",
    ),
]
Groups = Annotated[
    list[int] | None,
    optional(
        "--group",
        min=1,
        metavar="ID",
        help="A group of recipients at LOX24. May be repeated.",
    ),
]
Service = Annotated[
    str,
    typer.Option(
        "--service", metavar="CODE", help="direct, text2speech, text2speech_ssml or another."
    ),
]
At = Annotated[
    str | None,
    optional(
        "--at",
        metavar="TIME",
        help="When to send, instead of at once: 2026-03-01T08:00Z, 2026-03-01 08:00 (local"
        " time), or +30m, +2h, +1d from now.",
    ),
]
Alphabet = Annotated[
    bool | None,
    optional(
        "--unicode/--gsm",
        help="The alphabet: GSM 03.38 holds 160 characters in an SMS, Unicode 70. LOX24 decides"
        " if you do not.",
    ),
]
Source = Annotated[
    int | None,
    optional(
        "--source",
        min=0,
        metavar="N",
        help="A number of yours that groups messages in the itemised bill.",
    ),
]
VoiceLang = Annotated[
    str | None,
    optional(
        "--voice-lang",
        metavar="XX",
        help="The language of a text2speech call: DE, EN, …",
    ),
]
DIRECT: Final = "direct"


@dataclass(frozen=True, kw_only=True)
class DraftWords:
    """A bulk as it was typed."""

    sender: str
    text: str | None = None
    text_file: str | None = None
    phones: tuple[str, ...] = ()
    phones_file: str | None = None
    groups: tuple[int, ...] = ()
    service: str = DIRECT
    at: str | None = None
    is_unicode: bool | None = None
    source: int | None = None
    voice_lang: str | None = None
