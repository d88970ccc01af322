"""How ``lox24`` ends: its exit codes, and the error that ends a command."""

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """How ``lox24`` ends."""

    DONE = 0
    NOT_ALL = 1
    USAGE = 2
    REFUSED = 3
    BLOCKED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot go on. The message says what went wrong, and what to do next."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


def _list_codes(done: str, not_all: str) -> str:
    return f"""Exit codes:
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
