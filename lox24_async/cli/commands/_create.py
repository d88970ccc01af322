"""``lox24 create`` and ``lox24 simulate``, as they are done."""

import json
import shlex
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from lox24_async import Bulk, BulkDraft, Lox24Error
from lox24_async.cli._drafting import describe, make_draft
from lox24_async.cli.connect import Desk, Setup
from lox24_async.cli.console import fact_table, say
from lox24_async.cli.drafting import DraftWords
from lox24_async.cli.failures import code_of, reason
from lox24_async.cli.inputs import confirm
from lox24_async.cli.options import CommandError, ExitCode, Shape
from lox24_async.cli.records import ReaderGoneError, record, write_out
from lox24_async.cli.words import plural

from ._show import print_bulk
from .create import Answer

_SKEW: Final = timedelta(minutes=5)  # that LOX24's clock may be behind ours


def create(words: DraftWords, answer: Answer, setup: Setup, *, yes: bool) -> ExitCode:
    """Show what will be sent, ask, send it, and write the new bulk's id to stdout.

    Raises:
        CommandError: it was not sent, or nobody knows.
    """
    draft, repeated = make_draft(words)
    desk = Desk(setup, setup.connect())
    _show(desk, draft, repeated, asked=not yes)
    if not yes and not confirm("Send it?"):
        say(desk.alarm, "Nothing was sent.")
        return ExitCode.NOT_ALL

    begun = datetime.now(UTC)

    async def post(desk: Desk) -> Bulk:
        try:
            return await desk.client.create_bulk(draft)
        except Lox24Error as error:
            if error.outcome_unknown:
                raise CommandError(_doubt(error, draft, begun), ExitCode.NOT_ALL) from error
            said = f"{desk.setup.explain(error)} Nothing was sent."
            raise CommandError(said, code_of(error)) from error

    try:
        bulk = desk.run(post)
    except KeyboardInterrupt:
        said = f"Interrupted: the bulk may have been created.\n{_look(draft, begun)}"
        raise CommandError(said, ExitCode.INTERRUPTED) from None
    with suppress(ReaderGoneError):
        full = answer is Answer.JSON
        write_out(json.dumps(record(bulk), indent=2) + "\n" if full else f"{bulk.uuid}\n")
    say(desk.news, f"LOX24 took it. To stop it: lox24 cancel {bulk.uuid}", "green")
    return ExitCode.DONE


def simulate(words: DraftWords, shape: Shape, setup: Setup) -> ExitCode:
    """Let LOX24 check what would be sent, and write its answer to stdout.

    Raises:
        CommandError: LOX24 would not take it, or could not be asked.
    """
    draft, repeated = make_draft(words)
    desk = Desk(setup, setup.connect())
    if repeated:
        say(desk.news, _repeated(repeated))

    async def post(desk: Desk) -> Bulk:
        return await desk.client.simulate_bulk(draft)

    bulk = desk.run(post)
    with suppress(ReaderGoneError):
        print_bulk(bulk, shape)
    say(desk.news, "LOX24 would take it. Nothing was sent.", "green")
    return ExitCode.DONE


def _show(desk: Desk, draft: BulkDraft, repeated: int, *, asked: bool) -> None:
    console = desk.alarm if asked else desk.news  # whoever is asked must see it
    console.print(fact_table(describe(draft)))
    if repeated:
        say(console, _repeated(repeated))


def _repeated(count: int) -> str:
    return f"{plural(count, 'repeated number')} left out: each gets one message."


def _doubt(error: Lox24Error, draft: BulkDraft, begun: datetime) -> str:
    return (
        f"The bulk may have been created, or not: {reason(error)}. Do not send it again before"
        f" you looked.\n{_look(draft, begun)}"
    )


def _look(draft: BulkDraft, begun: datetime) -> str:
    since = (begun - _SKEW).strftime("%Y-%m-%dT%H:%M:%SZ")
    sender = shlex.quote(draft.sender_id)
    return f"To look for it:\n  lox24 list --sender {sender} --created-from {since}"
