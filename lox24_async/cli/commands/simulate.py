"""``lox24 simulate``."""

from lox24_async.cli.exits import ExitCode
from lox24_async.cli.options import DEFAULT_CONNECTION, BulkForm, Connection, OneBulk
from lox24_async.cli.reading.drafts import DraftOptions, make_draft
from lox24_async.cli.running import Session, finish
from lox24_async.cli.telling.records import write_bulk
from lox24_async.cli.telling.tables import say

from .create import repeated_words


def simulate(
    *,
    draft: DraftOptions,
    output: OneBulk = "table",
    connection: Connection = DEFAULT_CONNECTION,
) -> ExitCode:
    """Let LOX24 check what would be sent, and write its answer to stdout.

    Args:
        output: For people, or as the API has it.
    """
    return finish(lambda: _simulate(draft, output, connection), debug=connection.debug)


def _simulate(typed: DraftOptions, output: BulkForm, connection: Connection) -> ExitCode:
    draft, repeated = make_draft(typed)
    session = Session(connection)
    if repeated:
        say(session.console, repeated_words(repeated))
    bulk = session.run(session.client.simulate_bulk(draft))
    write_bulk(output, bulk)
    say(session.console, "LOX24 would take it. Nothing was sent.", "green")
    return ExitCode.DONE
