"""``lox24 show``, as it is typed; the module ``show`` is about results."""

from enum import StrEnum
from typing import Annotated

import typer

from . import options
from .options import ExitCode, end


class Shape(StrEnum):
    """How one bulk is written."""

    TABLE = "table"
    JSON = "json"


ShapeForm = Annotated[
    Shape,
    typer.Option("--output", "-o", help="For people, or as the API has it."),
]


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

    def work() -> ExitCode:
        from ._show_bulk import run  # noqa: PLC0415  heavy
        from .connect import Setup  # noqa: PLC0415  heavy

        setup = Setup(base_url=base_url, token_file=token_file, quiet=quiet, debug=debug)
        return run(bulk_id, output, setup)

    end(work, debug=debug)
