"""``lox24 status``, as it is typed."""

from typing import Annotated

import typer

from lox24_async.cli import options
from lox24_async.cli.options import ExitCode, Output, end, gather


def command(
    ids: options.SomeIds = None,
    *,
    file: options.IdFile = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Look again until nothing more will happen.")
    ] = False,
    interval: Annotated[
        float,
        typer.Option("--interval", min=0.1, metavar="SECONDS", help="With --watch: how often."),
    ] = 2.0,
    output: options.Listing = Output.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """See where bulks stand.

    With --watch a table that lives in a terminal; in a pipe, a line for each change, until all
    are final.
    """
    typed = locals()

    def work() -> ExitCode:
        from lox24_async.cli.connect import Setup  # noqa: PLC0415  heavy

        from ._status import Job, run  # noqa: PLC0415  heavy

        named = {"arguments": ids or [], "setup": gather(Setup, typed)}
        job = gather(Job, typed | named | {"interval": interval if watch else None})
        return run(job)

    end(work, debug=debug)
