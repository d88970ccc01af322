"""The options that several commands share, each written once.

What the help says about an option stands in the docstring of its class, or of its command.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from attrs import frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from .connecting import DEFAULT_URL
from .text import quoted

CONNECTION: Final = Group("Connection", sort_key=8)
TELLING: Final = Group("What is told", sort_key=9)
AT_LEAST_0: Final = Number(gte=0)
AT_LEAST_1: Final = Number(gte=1)


class Output(StrEnum):
    """Forms of the result."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


def value(metavar: str, *names: str) -> Parameter:
    """Describe an option that takes a value: whatever follows it, also what begins with ``-``.

    Args:
        metavar: What stands for the value in the help.
        *names: Its flags; without any, the name of the field.
    """
    return Parameter(names or None, metavar=metavar, allow_leading_hyphen=True)


def number(metavar: str = "N", *names: str, at_least: Number = AT_LEAST_0) -> Parameter:
    """Describe an option that takes a number, and shows its default."""
    return Parameter(names or None, metavar=metavar, validator=at_least, show_default=True)


IdArgument = Annotated[str, Parameter("ID")]
Text = Annotated[str | None, value("TEXT")]
Time = Annotated[str | None, value("TIME")]
File = Annotated[str | None, value("FILE|-")]
IdFile = Annotated[str | None, value("FILE|-", "--file", "-f")]
Count = Annotated[int | None, number()]
Yes = Annotated[bool, Parameter(("--yes", "-y"))]
OUTPUT: Final = Parameter(("--output", "-o"), show_default=True)
Listing = Annotated[Output, OUTPUT]
BulkForm = Literal["table", "json"]
OneBulk = Annotated[BulkForm, OUTPUT]
Quiet = Annotated[bool, Parameter(("--quiet", "-q"), group=TELLING)]
Debug = Annotated[
    bool, Parameter(group=TELLING, help="Show the log and, if something breaks, where.")
]


@Parameter("*", group=CONNECTION)
@frozen(kw_only=True)
class Connection:
    """Where LOX24 is, with what token, and how much to say.

    Args:
        base_url: Where LOX24 is, if not at https://api.lox24.eu.
        proxy: Reach LOX24 through this HTTP proxy. Also read from LOX24_PROXY; HTTPS_PROXY is
            not used.
        token_file: Read the token (client id:key) from FILE instead of LOX24_AUTH_TOKEN.
        quiet: No progress and no table; only what went wrong.
    """

    base_url: Annotated[str | None, Parameter(env_var="LOX24_BASE_URL", metavar="URL")] = None
    proxy: Annotated[str | None, value("URL")] = None
    token_file: Annotated[Path | None, value("FILE")] = None
    quiet: Quiet = False
    debug: Debug = False

    @property
    def place(self) -> str:
        """The base URL."""
        return self.base_url or DEFAULT_URL

    @property
    def token_source(self) -> str:
        """Where the token comes from, in words."""
        return "LOX24_AUTH_TOKEN" if self.token_file is None else quoted(str(self.token_file))


DEFAULT_CONNECTION: Final = Connection()
