"""``lox24 report``."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from lox24_async import JournalError
from lox24_async.cli import journals
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.options import Debug, value
from lox24_async.cli.running import finish
from lox24_async.cli.telling.protocols import FORMS, read_protocol
from lox24_async.cli.telling.records import ReaderGoneError, write_out

_Form = Literal["md", "html", "csv", "json"]


def report(
    file: Annotated[str | None, Parameter("FILE")] = None,
    /,
    *,
    form: Annotated[_Form, value("FORM", "--format"), Parameter(show_default=True)] = "md",
    debug: Debug = False,
) -> ExitCode:
    """Write what a run did to stdout.

    Args:
        file: The journal; by default that of the newest run.
        form: How: md and html for people, csv and json for machines.
    """

    def work() -> ExitCode:
        path = journals.newest_run() if file is None else Path(file)
        try:
            protocol = read_protocol(path)
        except JournalError as error:
            raise CommandError(f"{journals.describe(error)}.", ExitCode.NOT_ALL) from error
        if not protocol.runs:
            raise CommandError(f"No run stands in {path}.", ExitCode.NOT_ALL)
        with suppress(ReaderGoneError):
            write_out(FORMS[form](protocol))
        return ExitCode.DONE

    return finish(work, debug=debug)
