"""``lox24 cancel``, as it is typed."""

from typing import Annotated

import typer

from lox24_async.cli import filters, options
from lox24_async.cli.options import MAX_CONCURRENCY, Output, end, gather


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
            " column uuid; a JSON object with uuid a line; or a JSON array of such.",
        ),
    ] = None,
    matching: Annotated[
        bool,
        typer.Option(
            "--matching",
            help="Cancel what meets the filters below and can still be stopped. Shows first what"
            " that is, and asks; no is exit code 1.",
        ),
    ] = False,
    sender: filters.Sender = None,
    text: filters.Text = None,
    status: filters.Status = None,
    created_from: filters.CreatedFrom = None,
    created_to: filters.CreatedTo = None,
    delivery_from: filters.DeliveryFrom = None,
    delivery_to: filters.DeliveryTo = None,
    processed_from: filters.ProcessedFrom = None,
    processed_to: filters.ProcessedTo = None,
    min_messages: filters.MinMessages = None,
    max_messages: filters.MaxMessages = None,
    only_ids: filters.OnlyIds = None,
    everything: Annotated[
        bool, typer.Option("--all", help="With --matching: every bulk of the account.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Cancel nothing; show what would be cancelled, and write it to stdout in the"
            " form of --output. Exit code 0.",
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Ask nothing. (About ids that you name, nothing is asked anyway.)"
        ),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait, at most ten minutes, until every bulk whose cancel LOX24 accepted has"
            " stopped.",
        ),
    ] = False,
    wait_out_block: Annotated[
        bool,
        typer.Option(
            "--wait-out-block",
            help="If LOX24 blocks this IP, wait for the end of the block (ten minutes) and go on.",
        ),
    ] = False,
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
    typed = locals()

    def work() -> options.ExitCode:
        from lox24_async.cli.connect import Setup  # noqa: PLC0415  heavy

        from ._cancel import Job, run  # noqa: PLC0415  heavy; and Ctrl-C may come even here

        words = gather(filters.FilterWords, typed | {"ids": only_ids})
        setup = gather(Setup, typed)
        job = gather(Job, typed | {"arguments": ids or [], "words": words, "setup": setup})
        return run(job)

    end(work, debug=debug)
