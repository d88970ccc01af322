"""``lox24 simulate``, as it is typed."""

from lox24_async.cli import drafting, options
from lox24_async.cli.options import ExitCode, Shape, ShapeForm, end, gather


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
    output: ShapeForm = Shape.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Let LOX24 check a campaign, and say what it would cost; nothing is sent.

    That LOX24 can do so is documented; where, and what it answers, is inferred.
    """
    typed = locals()

    def work() -> ExitCode:
        from lox24_async.cli.connect import Setup  # noqa: PLC0415  heavy

        from ._create import simulate  # noqa: PLC0415  heavy

        words = gather(drafting.DraftWords, typed)
        return simulate(words, output, gather(Setup, typed))

    end(work, debug=debug)
