"""``lox24 show``, as it is typed."""

from typing import Annotated

import typer

from lox24_async.cli import options
from lox24_async.cli.options import ExitCode, Shape, ShapeForm, end, gather


def command(
    bulk_id: Annotated[str, typer.Argument(metavar="ID", help="The bulk.")],
    *,
    output: ShapeForm = Shape.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Show all that LOX24 knows about a bulk, text and recipients included.

    Times are this machine's, with the offset from UTC.
    """
    typed = locals()

    def work() -> ExitCode:
        from lox24_async.cli.connect import Setup  # noqa: PLC0415  heavy

        from ._show import run  # noqa: PLC0415  heavy

        return run(bulk_id, output, gather(Setup, typed))

    end(work, debug=debug)
