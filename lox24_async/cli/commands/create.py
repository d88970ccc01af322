"""``lox24 create``, as it is typed."""

from enum import StrEnum
from typing import Annotated

import typer

from lox24_async.cli import drafting, options
from lox24_async.cli.options import ExitCode, end, gather


class Answer(StrEnum):
    """What ``create`` writes to stdout."""

    UUID = "uuid"
    JSON = "json"


def command(
    *,
    sender: drafting.Sender,
    text: drafting.Text = None,
    text_file: drafting.TextFile = None,
    phones: drafting.Phones = None,
    phones_file: drafting.PhonesFile = None,
    groups: drafting.Groups = None,
    service: drafting.Service = drafting.DIRECT,
    at: drafting.At = None,
    is_unicode: drafting.Alphabet = None,
    source: drafting.Source = None,
    voice_lang: drafting.VoiceLang = None,
    yes: options.Yes = False,
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
    typed = locals()

    def work() -> ExitCode:
        from lox24_async.cli.connect import Setup  # noqa: PLC0415  heavy

        from ._create import create  # noqa: PLC0415  heavy

        words = gather(drafting.DraftWords, typed)
        return create(words, output, gather(Setup, typed), yes=yes)

    end(work, debug=debug)
