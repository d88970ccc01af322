"""``lox24 cancel``, as it is typed."""

from typing import Annotated

import typer

from . import filters, options
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
    yes: options.Yes = False,
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
    words = filters.FilterWords(
        sender=sender,
        text=text,
        status=tuple(status or ()),
        created_from=created_from,
        created_to=created_to,
        delivery_from=delivery_from,
        delivery_to=delivery_to,
        processed_from=processed_from,
        processed_to=processed_to,
        min_messages=min_messages,
        max_messages=max_messages,
        ids=tuple(only_ids or ()),
    )

    def work() -> options.ExitCode:
        from ._cancel import Job, run  # noqa: PLC0415  heavy; and Ctrl-C may come even here

        job = Job(
            arguments=tuple(ids or ()),
            file=file,
            matching=matching,
            everything=everything,
            words=words,
            dry_run=dry_run,
            yes=yes,
            wait=wait,
            wait_out_block=wait_out_block,
            output=output,
            base_url=base_url,
            token_file=token_file,
            max_concurrency=max_concurrency,
            quiet=quiet,
            debug=debug,
        )
        return run(job)

    end(work, debug=debug)
