"""``lox24 delete``, as it is typed."""

from typing import Annotated

import typer

from lox24_async.cli import options
from lox24_async.cli.options import ExitCode, Output, end, gather


def command(
    ids: options.SomeIds = None,
    *,
    file: options.IdFile = None,
    yes: options.Yes = False,
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
    typed = locals()

    def work() -> ExitCode:
        from lox24_async.cli.connect import Setup  # noqa: PLC0415  heavy

        from ._delete import Job, run  # noqa: PLC0415  heavy

        setup = gather(Setup, typed)
        job = gather(Job, typed | {"arguments": ids or [], "setup": setup})
        return run(job)

    end(work, debug=debug)
