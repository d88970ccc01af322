"""What the commands share: options, exit codes, and how a command ends."""

import os
import re
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

MAX_CONCURRENCY: Final = 10
DEFAULT_URL: Final = "https://api.lox24.eu"


class ExitCode(IntEnum):
    """How ``lox24`` ends."""

    DONE = 0
    NOT_ALL = 1
    USAGE = 2
    REFUSED = 3
    BLOCKED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


# "\b": keep the lines as they stand.
EXIT_CODES: Final = """\b
Exit codes:
  0    all bulks are cancelled
  1    some are not
  2    wrong usage or settings; nothing was sent
  3    LOX24 refused the token
  4    LOX24 blocks this IP
  5    LOX24 cannot be reached
  130  interrupted
"""


class Output(StrEnum):
    """Forms of the result."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


BaseUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="LOX24_BASE_URL",
        help="Where LOX24 is, if not at https://api.lox24.eu.",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Read the token (client id:key) from FILE instead of LOX24_AUTH_TOKEN.",
    ),
]
OutputForm = Annotated[
    Output,
    typer.Option(
        "--output",
        "-o",
        help="What to write to stdout: one record for each bulk, or (table) nothing."
        " The table for people goes to stderr.",
    ),
]
Yes = Annotated[
    bool,
    typer.Option(
        "--yes", "-y", help="Ask nothing. (About ids that you name, nothing is asked anyway.)"
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no table; only what went wrong.")
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the log and, if something breaks, where.")
]
Concurrency = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Requests in flight at once. With 3, not even a token revoked in mid-run can"
        " get this IP blocked.",
    ),
]


class CommandError(Exception):
    """A command cannot go on. The message says what went wrong, and what to do next."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


def read_token(path: Path | None) -> str:
    """Return the token from the file, or from the environment.

    Raises:
        CommandError: there is none.
    """
    if path is None:
        token = os.environ.get("LOX24_AUTH_TOKEN", "")
        if not token:
            raise CommandError("There is no token. Set LOX24_AUTH_TOKEN, or name a --token-file.")
        return token
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise CommandError(
            f"The token file {shown(str(path))} cannot be read: {why(error)}."
        ) from None


def why(error: Exception) -> str:
    """Return why something could not be read or written."""
    return getattr(error, "strerror", None) or type(error).__name__


_TOKEN_LIKE: Final = re.compile(r"(?<![\w.:/-])\d+(?::|%3A)[^\s:/'\"]{4,}")  # also in a URL


def mask(text: str) -> str:
    """Blot out what is or looks like a token."""
    token = os.environ.get("LOX24_AUTH_TOKEN")
    if token:
        text = text.replace(token, "***")
    return _TOKEN_LIKE.sub("***", text)


def shown(text: str) -> str:
    """Quote a foreign text so that it is safe to print: short, on one line, no token."""
    text = mask(text)
    return repr(text if len(text) <= 60 else text[:60] + "…")


def end(work: Callable[[], ExitCode], *, debug: bool) -> NoReturn:
    """Do the work of a command and leave with its exit code.

    Raises:
        typer.Exit: always. A failure is told in plain words, and with ``debug`` where it was.
    """
    try:
        code = work()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  a person on call needs a sentence
        if debug:
            print(mask(traceback.format_exc()), file=sys.stderr, end="")
        if isinstance(error, CommandError):
            code, said = error.code, str(error)
        else:
            code = ExitCode.NOT_ALL
            said = f"lox24 broke ({type(error).__name__}). With --debug it shows where."
        print(f"Error: {said}", file=sys.stderr)
    raise typer.Exit(code)
