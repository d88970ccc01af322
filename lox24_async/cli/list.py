"""``lox24 list``, as it is typed."""

from enum import StrEnum
from typing import Annotated

import typer

from . import filters, options
from .options import ExitCode, Output, end


class Order(StrEnum):
    """What a listing can be sorted by."""

    CREATED = "created"
    DELIVERY = "delivery"
    PROCESSED = "processed"
    MESSAGES = "messages"


Listing = Annotated[
    Output,
    typer.Option(
        "--output",
        "-o",
        help="How to write the bulks to stdout: a line for each, or records as the API has them.",
    ),
]


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
    output: Listing = Output.TABLE,
    base_url: options.BaseUrl = None,
    token_file: options.TokenFile = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List bulks, oldest first: those that meet all filters.

    They are written as the pages arrive. To stop what a listing shows:
    lox24 list --status new --output ndjson | lox24 cancel --file -
    """

    def work() -> ExitCode:
        from ._list import Job, run  # noqa: PLC0415  heavy
        from .connect import Setup  # noqa: PLC0415  heavy

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
            ids=tuple(ids or ()),
        )
        setup = Setup(base_url=base_url, token_file=token_file, quiet=quiet, debug=debug)
        job = Job(
            words=words, order=order, descending=descending, limit=limit, output=output, setup=setup
        )
        return run(job)

    end(work, debug=debug)
