"""``lox24 sandbox``, as it is typed."""

from typing import Annotated

import typer

from lox24_async.cli import options
from lox24_async.cli.options import ExitCode, end, gather


def command(
    *,
    port: Annotated[
        int,
        typer.Option(
            "--port", min=0, max=65535, metavar="N", help="Where to listen; 0: any free port."
        ),
    ] = 8124,
    bulks: Annotated[
        int, typer.Option("--bulks", min=0, metavar="N", help="How many bulks to begin with.")
    ] = 50,
    page_size: Annotated[
        int, typer.Option("--page-size", min=1, metavar="N", help="Bulks on a page of a listing.")
    ] = 30,
    starts_after: Annotated[
        float,
        typer.Option(
            "--starts-after", min=0, metavar="SECONDS", help="How long a new bulk stays new."
        ),
    ] = 60.0,
    sends_for: Annotated[
        float,
        typer.Option(
            "--sends-for", min=0, metavar="SECONDS", help="How long a bulk is in progress then."
        ),
    ] = 120.0,
    latency: Annotated[
        float,
        typer.Option("--latency", min=0, metavar="SECONDS", help="How long an answer takes."),
    ] = 0.05,
    block_seconds: Annotated[
        float,
        typer.Option(
            "--block-seconds",
            min=0,
            metavar="SECONDS",
            help="How long more than three wrong tokens in a minute block you.",
        ),
    ] = 600.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not log the requests.")] = False,
    debug: options.Debug = False,
) -> None:
    """Run a gateway on this machine to try things out on.

    It speaks as LOX24 does, over plain HTTP, to this machine only, and for programs in any
    language. Its bulks are made up; some wait, some are being sent, some are over. Ctrl-C ends
    it.
    """
    typed = locals()

    def work() -> ExitCode:
        from ._sandbox import Job, run  # noqa: PLC0415  heavy

        return run(gather(Job, typed))

    end(work, debug=debug)
