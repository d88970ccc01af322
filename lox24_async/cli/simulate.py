"""``lox24 simulate``, as it is typed."""

from . import drafting, options
from .options import ExitCode, end
from .show_bulk import Shape, ShapeForm


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
    output: ShapeForm = Shape.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Let LOX24 check a campaign, and say what it would cost; nothing is sent.

    That LOX24 can do so is documented; where, and what it answers, is inferred.
    """

    def work() -> ExitCode:
        from ._create import simulate  # noqa: PLC0415  heavy
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
        return simulate(words, output, setup)

    end(work, debug=debug)
