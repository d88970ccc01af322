"""``lox24 status``, as it is typed."""

from typing import Annotated

import typer

from . import options
from .list import Listing
from .options import ExitCode, Output, end

IdFile = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE|-",
        help="Read ids from FILE (-: from stdin): one a line, CSV, or NDJSON, as cancel does.",
        show_default=False,
    ),
]


def command(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Bulks.", show_default=False)
    ] = None,
    *,
    file: IdFile = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Look again until nothing more will happen.")
    ] = False,
    interval: Annotated[
        float,
        typer.Option("--interval", min=0.1, metavar="SECONDS", help="With --watch: how often."),
    ] = 2.0,
    output: Listing = Output.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """See where bulks stand.

    With --watch a table that lives in a terminal; in a pipe, a line for each change, until all
    are final.
    """

    def work() -> ExitCode:
        from ._status import Job, run  # noqa: PLC0415  heavy
        from .connect import Setup  # noqa: PLC0415  heavy

        job = Job(
            arguments=tuple(ids or ()),
            file=file,
            interval=interval if watch else None,
            output=output,
            setup=Setup(base_url=base_url, token_file=token_file, quiet=quiet, debug=debug),
        )
        return run(job)

    end(work, debug=debug)
