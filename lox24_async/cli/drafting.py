"""A bulk to send, as it is typed: for ``create`` and ``simulate``."""

from dataclasses import dataclass
from typing import Annotated, Final

import typer

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
    typer.Option("--text", metavar="TEXT", help="What to send.", show_default=False),
]
TextFile = Annotated[
    str | None,
    typer.Option(
        "--text-file",
        metavar="FILE|-",
        help="Read the text from FILE (-: from stdin), UTF-8, without the last line end.",
        show_default=False,
    ),
]
Phones = Annotated[
    list[str] | None,
    typer.Option(
        "--phone",
        metavar="NUMBER",
        help="A recipient, best as +49…. May be repeated.",
        show_default=False,
    ),
]
PhonesFile = Annotated[
    str | None,
    typer.Option(
        "--phones-file",
        metavar="FILE|-",
        help="Read recipients from FILE (-: from stdin): one a line, or CSV with a column phone.",
        show_default=False,
    ),
]
Groups = Annotated[
    list[int] | None,
    typer.Option(
        "--group",
        min=1,
        metavar="ID",
        help="A group of recipients at LOX24. May be repeated.",
        show_default=False,
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
    typer.Option(
        "--at",
        metavar="TIME",
        help="When to send, instead of at once: 2026-03-01T08:00Z, 2026-03-01 08:00 (local"
        " time), or +30m, +2h, +1d from now.",
        show_default=False,
    ),
]
Alphabet = Annotated[
    bool | None,
    typer.Option(
        "--unicode/--gsm",
        help="The alphabet: GSM 03.38 holds 160 characters in an SMS, Unicode 70. LOX24 decides"
        " if you do not.",
        show_default=False,
    ),
]
Source = Annotated[
    int | None,
    typer.Option(
        "--source",
        min=0,
        metavar="N",
        help="A number of yours that groups messages in the itemised bill.",
        show_default=False,
    ),
]
VoiceLang = Annotated[
    str | None,
    typer.Option(
        "--voice-lang",
        metavar="XX",
        help="The language of a text2speech call: DE, EN, …",
        show_default=False,
    ),
]
DIRECT: Final = "direct"


@dataclass(frozen=True, kw_only=True)
class DraftWords:
    """A bulk as it was typed."""

    sender: str
    text: str | None
    text_file: str | None
    phones: tuple[str, ...]
    phones_file: str | None
    groups: tuple[int, ...]
    service: str
    at: str | None
    is_unicode: bool | None
    source: int | None
    voice_lang: str | None
