"""``lox24 show``."""

from typing import Annotated

from lox24_async import BulkMessage, NotFoundError
from lox24_async.cli import options
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.reading.ids import read_ids
from lox24_async.cli.running import Session, finish
from lox24_async.cli.telling.records import MessageWriter, ReaderGoneError, write_bulk
from lox24_async.cli.telling.tables import say
from lox24_async.cli.text import capital, plural


def show(
    bulk_id: options.IdArgument,
    /,
    *,
    messages: bool = False,
    sent: bool = False,
    unsent: bool = False,
    output: Annotated[options.Listing, options.OUTPUT] = options.Output.TABLE,
    connection: options.Connection = options.DEFAULT_CONNECTION,
) -> ExitCode:
    """Write a bulk to stdout, or the messages behind it.

    Args:
        bulk_id: The bulk.
        messages: The bulk's messages, a line each, while their pages arrive.
        sent: With --messages: only those that were sent.
        unsent: With --messages: only those that were not.
        output: For people, or as the API has it; csv and ndjson for messages.
    """

    def work() -> ExitCode:
        if (sent or unsent) and not messages:
            raise CommandError("--sent and --unsent need --messages.")
        if sent and unsent:
            raise CommandError("--sent and --unsent: leave out one, or both for all messages.")
        if messages:
            return _show_messages(bulk_id, sent if sent or unsent else None, output, connection)
        if output not in (options.Output.TABLE, options.Output.JSON):
            raise CommandError(f"--output {output.value} is for --messages; or say json.")
        return _show(bulk_id, output, connection)

    return finish(work, debug=connection.debug)


def _checked(bulk_id: str) -> str:
    ids = read_ids([bulk_id], None, "lox24 show")
    if ids.bad:
        raise CommandError(f"{capital(ids.bad[0].problem)}.")
    [good] = ids.good
    return good


def _show(bulk_id: str, output: options.Output, connection: options.Connection) -> ExitCode:
    good = _checked(bulk_id)
    session = Session(connection)
    try:
        bulk = session.run(session.client.get_bulk(good))
    except CommandError as error:
        raise _unknown(good, error) from error
    write_bulk("json" if output is options.Output.JSON else "table", bulk)
    return ExitCode.DONE


def _unknown(bulk_id: str, error: CommandError) -> CommandError:
    if isinstance(error.__cause__, NotFoundError):
        return CommandError(f"LOX24 knows no bulk {bulk_id} in this account.", ExitCode.NOT_ALL)
    return error


def _show_messages(
    bulk_id: str, sent: bool | None, output: options.Output, connection: options.Connection
) -> ExitCode:
    good = _checked(bulk_id)
    session = Session(connection)
    counts = {True: 0, False: 0, None: 0}

    def count(message: BulkMessage) -> None:
        counts[message.is_sent] += 1

    async def work() -> None:
        async with (
            MessageWriter(output) as writer,
            session.client.list_messages(good, sent=sent) as stream,
        ):
            async for message in stream:
                count(message)
                await writer.add(message)
        if not any(counts.values()):  # of a bulk that there is?
            await session.client.get_bulk_status(good)

    try:
        session.run(work())
    except ReaderGoneError:
        return ExitCode.DONE
    except CommandError as error:
        raise _unknown(good, error) from error
    total = sum(counts.values())
    told = f"{plural(total, 'message')}: {counts[True]:,} sent, {counts[False]:,} not"
    say(session.console, f"{told}." if total else "LOX24 lists no such message of this bulk.")
    return ExitCode.DONE
