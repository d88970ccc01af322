"""What the commands share: options, exit codes, and how a command ends."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

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


def _list_codes(done: str, not_all: str) -> str:
    # "\b": keep the lines as they stand.
    return f"""\b
Exit codes:
  0    {done}
  1    {not_all}
  2    wrong usage or settings, or nobody to ask; nothing was sent
  3    LOX24 refused the token
  4    LOX24 blocks this IP
  5    LOX24 cannot be reached
  130  interrupted
"""


EXIT_CODES: Final = _list_codes(
    "done", "not all done, not found, refused by LOX24, answered with no, or unknown"
)
CANCEL_CODES: Final = _list_codes(
    "all bulks are cancelled", "some are not, or the answer to the question was no"
)


def optional(*flags: str, **words: Any) -> Any:
    """Return an option that has no value unless it is named."""
    return typer.Option(*flags, show_default=False, **words)


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
Listing = Annotated[
    Output,
    typer.Option(
        "--output",
        "-o",
        help="How to write the bulks to stdout: a line for each, or records as the API has them.",
    ),
]


class Shape(StrEnum):
    """How one bulk is written."""

    TABLE = "table"
    JSON = "json"


ShapeForm = Annotated[
    Shape, typer.Option("--output", "-o", help="For people, or as the API has it.")
]
IdFile = Annotated[
    str | None,
    optional(
        "--file",
        "-f",
        metavar="FILE|-",
        help="Read ids from FILE (-: from stdin): one a line, CSV, or NDJSON, as cancel does.",
    ),
]
SomeIds = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="Bulks.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
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


T = TypeVar("T")


def gather(kind: type[T], typed: Mapping[str, Any]) -> T:
    """Fill a class of fields with what was typed.

    Args:
        kind: Its annotations name the fields.
        typed: A command's arguments by name. A list becomes a tuple; ``None`` was not typed,
            and leaves the field's default.
    """
    named: dict[str, Any] = {name: typed.get(name) for name in kind.__annotations__}
    lists: dict[str, list[Any]] = {n: v for n, v in named.items() if isinstance(v, list)}
    named |= {name: tuple(value) for name, value in lists.items()}
    return kind(**{name: value for name, value in named.items() if value is not None})


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
