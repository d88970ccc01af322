"""``lox24 list``, as it is typed."""

from enum import StrEnum
from typing import Annotated

import typer

from lox24_async.cli import filters, options
from lox24_async.cli.options import ExitCode, Output, end, gather


class Order(StrEnum):
    """What a listing can be sorted by."""

    CREATED = "created"
    DELIVERY = "delivery"
    PROCESSED = "processed"
    MESSAGES = "messages"


def command(
    *,
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
    ids: filters.OnlyIds = None,
    order: Annotated[Order, typer.Option("--order", help="What to sort by.")] = Order.CREATED,
    descending: Annotated[
        bool, typer.Option("--descending", help="Latest or largest first.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Stop after N.", show_default=False),
    ] = None,
    output: options.Listing = Output.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List bulks, oldest first: those that meet all filters.

    They are written as the pages arrive. To stop what a listing shows:
    lox24 list --status new --output ndjson | lox24 cancel --file -
    """
    typed = locals()

    def work() -> ExitCode:
        from lox24_async.cli.connect import Setup  # noqa: PLC0415  heavy

        from ._list import Job, run  # noqa: PLC0415  heavy

        words = gather(filters.FilterWords, typed)
        job = gather(Job, typed | {"words": words, "setup": gather(Setup, typed)})
        return run(job)

    end(work, debug=debug)
