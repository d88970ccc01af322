"""``lox24 create``, as it is typed."""

from enum import StrEnum
from typing import Annotated

import typer

from . import drafting, options
from .options import ExitCode, end


class Answer(StrEnum):
    """What ``create`` writes to stdout."""

    UUID = "uuid"
    JSON = "json"


def command(
    *,
    sender: drafting.Sender,
    text: drafting.Text = None,
    text_file: drafting.TextFile = None,
    phone: drafting.Phones = None,
    phones_file: drafting.PhonesFile = None,
    group: drafting.Groups = None,
    service: drafting.Service = drafting.DIRECT,
    at: drafting.At = None,
    is_unicode: drafting.Alphabet = None,
    source: drafting.Source = None,
    voice_lang: drafting.VoiceLang = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Annotated[
        Answer,
        typer.Option("--output", "-o", help="What to write to stdout: the new bulk's id, or all."),
    ] = Answer.UUID,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Send a campaign: its messages cost money.

    Shows what will be sent and asks. If the answer is lost nothing is repeated: then look with
    lox24 list whether the bulk is there before you send it again.
    """

    def work() -> ExitCode:
        from ._create import create  # noqa: PLC0415  heavy
        from .connect import Setup  # noqa: PLC0415  heavy

        words = drafting.DraftWords(
            sender=sender,
            text=text,
            text_file=text_file,
            phones=tuple(phone or ()),
            phones_file=phones_file,
            groups=tuple(group or ()),
            service=service,
            at=at,
            is_unicode=is_unicode,
            source=source,
            voice_lang=voice_lang,
        )
        setup = Setup(base_url=base_url, token_file=token_file, quiet=quiet, debug=debug)
        return create(words, output, setup, yes=yes)

    end(work, debug=debug)
