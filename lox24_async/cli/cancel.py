"""``lox24 cancel``, as it is typed."""

from typing import Annotated

import typer

from . import options
from .options import MAX_CONCURRENCY, Output, end


def command(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Bulks to cancel.", show_default=False)
    ] = None,
    *,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE|-",
            help="Read ids from FILE (-: from stdin): one a line, with # comments; CSV with a"
            " column uuid; or a JSON object with uuid a line.",
        ),
    ] = None,
    yes: options.Yes = False,
    output: options.OutputForm = Output.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    max_concurrency: options.Concurrency = MAX_CONCURRENCY,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Cancel bulks: what they have not sent yet will not be sent.

    The token is read from LOX24_AUTH_TOKEN or --token-file, never from the command line,
    where others could see it. Ctrl-C stops cleanly and writes the ids that are left to a
    file that --file takes.
    """
    del yes  # nothing to ask yet: ids that are named are meant
    from ._cancel import Job, run  # noqa: PLC0415  heavy

    job = Job(
        arguments=tuple(ids or ()),
        file=file,
        output=output,
        base_url=base_url,
        token_file=token_file,
        max_concurrency=max_concurrency,
        quiet=quiet,
        debug=debug,
    )
    end(lambda: run(job), debug=debug)
