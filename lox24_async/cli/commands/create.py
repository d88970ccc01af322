"""``lox24 create``."""

import json
import shlex
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from lox24_async import Bulk, BulkDraft, Lox24Error, ServiceCode
from lox24_async._printable import printable
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.options import DEFAULT_CONNECTION, OUTPUT, Connection, Yes
from lox24_async.cli.reading.answers import confirm
from lox24_async.cli.reading.drafts import DraftOptions, make_draft
from lox24_async.cli.running import Session, finish
from lox24_async.cli.telling.records import ReaderGoneError, record, write_out
from lox24_async.cli.telling.sentences import code_of, reason
from lox24_async.cli.telling.tables import fact_table, say
from lox24_async.cli.text import local, plural

_SKEW: Final = timedelta(minutes=5)  # that LOX24's clock may be behind ours
_LISTED: Final = 3  # recipients that are shown


_Answer = Literal["uuid", "json"]


def create(
    *,
    draft: DraftOptions,
    yes: Yes = False,
    output: Annotated[_Answer, OUTPUT] = "uuid",
    connection: Connection = DEFAULT_CONNECTION,
) -> ExitCode:
    """Show what will be sent, ask, send it, and write the new bulk's id to stdout.

    Args:
        yes: Do not ask.
        output: What to write to stdout: the new bulk's id, or all.
    """
    return finish(lambda: _create(draft, yes, output, connection), debug=connection.debug)


def _create(typed: DraftOptions, yes: bool, output: _Answer, connection: Connection) -> ExitCode:
    draft, repeated = make_draft(typed)
    session = Session(connection)
    console = session.console if yes else session.alarm  # whoever is asked must see it
    console.print(fact_table(_describe(draft)))
    if repeated:
        say(console, repeated_words(repeated))
    if not yes and not confirm("Send it?"):
        say(session.alarm, "Nothing was sent.")
        return ExitCode.NOT_ALL

    begun = datetime.now(UTC)
    try:
        bulk = session.run(_post(session, draft, begun))
    except KeyboardInterrupt:
        said = f"Interrupted: the bulk may have been created.\n{_look(draft, begun)}"
        raise CommandError(said, ExitCode.INTERRUPTED) from None
    try:
        full = output == "json"
        write_out(json.dumps(record(bulk), indent=2) + "\n" if full else f"{bulk.uuid}\n")
    except ReaderGoneError:
        pass
    except CommandError as error:  # it is created all the same
        session.tell(f"{error} The bulk is created: {bulk.uuid}", "red")
    say(session.console, f"LOX24 took it. To stop it: lox24 cancel {bulk.uuid}", "green")
    return ExitCode.DONE


async def _post(session: Session, draft: BulkDraft, begun: datetime) -> Bulk:
    try:
        return await session.client.create_bulk(draft)
    except Lox24Error as error:
        if error.outcome_unknown:
            raise CommandError(
                f"The bulk may have been created, or not: {reason(error)}. Do not send it again"
                f" before you looked.\n{_look(draft, begun)}",
                ExitCode.NOT_ALL,
            ) from error
        said = f"{session.explain(error)} Nothing was sent."
        raise CommandError(said, code_of(error)) from error


def repeated_words(count: int) -> str:
    """Say how many numbers were left out."""
    return f"{plural(count, 'repeated number')} left out: each gets one message."


def _look(draft: BulkDraft, begun: datetime) -> str:
    since = (begun - _SKEW).strftime("%Y-%m-%dT%H:%M:%SZ")
    sender = shlex.quote(draft.sender_id)
    return f"To look for it:\n  lox24 list --sender {sender} --created-from {since}"


def _describe(draft: BulkDraft) -> Iterator[tuple[str, str]]:
    """Name what will be sent, field by field."""
    yield "sender", draft.sender_id
    yield "text", "\n".join(printable(line) for line in draft.text.splitlines())
    yield "length", _length(draft)
    yield "recipients", ", ".join(_recipients(draft))
    yield "delivery", "at once" if draft.delivery_at is None else local(draft.delivery_at)
    if draft.service_code != ServiceCode.DIRECT:
        yield "service", draft.service_code
    if draft.voice_lang is not None:
        yield "language", draft.voice_lang
    if draft.source is not None:
        yield "source", str(draft.source)
    yield "cost", "not known before: lox24 simulate asks LOX24"


def _recipients(draft: BulkDraft) -> Iterable[str]:
    if draft.phones:
        some = ", ".join(draft.phones[:_LISTED])
        more = ", …" if len(draft.phones) > _LISTED else ""
        yield f"{plural(len(draft.phones), 'number')} ({some}{more})"
    for group in draft.msg_groups:
        yield f"group {group}"


def _length(draft: BulkDraft) -> str:
    said = plural(len(draft.text), "character")
    if draft.service_code != ServiceCode.DIRECT:
        return said
    alphabet = "Unicode" if draft.needs_unicode else "GSM 03.38"
    more = ", before columns of the group are filled in" if draft.msg_groups else ""
    return f"{said}, {draft.parts} SMS in {alphabet} to each recipient{more}"
