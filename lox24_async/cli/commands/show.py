"""``lox24 show``."""

from lox24_async import NotFoundError
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.options import DEFAULT_CONNECTION, BulkForm, Connection, IdArgument, OneBulk
from lox24_async.cli.reading.ids import read_ids
from lox24_async.cli.running import Session, finish
from lox24_async.cli.telling.records import write_bulk
from lox24_async.cli.text import capital


def show(
    bulk_id: IdArgument,
    /,
    *,
    output: OneBulk = "table",
    connection: Connection = DEFAULT_CONNECTION,
) -> ExitCode:
    """Write a bulk to stdout.

    Args:
        bulk_id: The bulk.
        output: For people, or as the API has it.
    """
    return finish(lambda: _show(bulk_id, output, connection), debug=connection.debug)


def _show(bulk_id: str, output: BulkForm, connection: Connection) -> ExitCode:
    ids = read_ids([bulk_id], None, "lox24 show")
    if ids.bad:
        raise CommandError(f"{capital(ids.bad[0].problem)}.")
    [good] = ids.good
    session = Session(connection)
    try:
        bulk = session.run(session.client.get_bulk(good))
    except CommandError as error:
        if isinstance(error.__cause__, NotFoundError):
            said = f"LOX24 knows no bulk {good} in this account."
            raise CommandError(said, ExitCode.NOT_ALL) from error
        raise
    write_bulk(output, bulk)
    return ExitCode.DONE
