"""``lox24 delete``, as it is typed."""

from typing import Annotated

import typer

from . import options
from .options import ExitCode, Output, end
from .status import IdFile


def command(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Bulks.", show_default=False)
    ] = None,
    *,
    file: IdFile = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Annotated[
        Output,
        typer.Option(
            "--output", "-o", help="What to write to stdout: a record for each bulk, or nothing."
        ),
    ] = Output.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Delete bulks for good. This cannot be undone.

    A deleted bulk also disappears from the itemised bill, and LOX24 accepts no complaint about
    it any more. It is not documented whether deleting stops what is being sent: cancel first.
    """

    def work() -> ExitCode:
        from ._delete import Job, run  # noqa: PLC0415  heavy
        from .connect import Setup  # noqa: PLC0415  heavy

        job = Job(
            arguments=tuple(ids or ()),
            file=file,
            yes=yes,
            output=output,
            setup=Setup(base_url=base_url, token_file=token_file, quiet=quiet, debug=debug),
        )
        return run(job)

    end(work, debug=debug)
