"""What an error means to the person at the keyboard: the exit code, and what to do next.

Pure functions.
"""

from datetime import datetime
from math import ceil
from typing import Final

from lox24_async import (
    AccountNotActivatedError,
    APIStatusError,
    AuthenticationError,
    InsufficientFundsError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    NotFoundError,
    Pause,
    ResponseDecodeError,
    ServerError,
    TransportError,
)

from .moments import seconds_left
from .options import ExitCode, mask
from .words import printable

CAUSES: Final[dict[ExitCode, tuple[type[Lox24Error], ...]]] = {
    ExitCode.REFUSED: (AuthenticationError, AccountNotActivatedError),
    ExitCode.BLOCKED: (IPBlockedError,),
    ExitCode.UNREACHABLE: (TransportError, ServerError),
}
"""What has one reason for all bulks, by its exit code."""
IN_VAIN: Final = 10
"""So many ids without an answer, when there was none at all, are enough."""


def code_of(error: Lox24Error) -> ExitCode:
    """Return the exit code of a command that one error ended."""
    return next(
        (code for code, kinds in CAUSES.items() if isinstance(error, kinds)), ExitCode.NOT_ALL
    )


def reason(error: Lox24Error) -> str:
    """Say in a few words what went wrong, without what to do."""
    if isinstance(error, NotFoundError):
        return "LOX24 knows no such bulk in this account"
    if isinstance(error, APIStatusError) and error.intermediary:
        return f"Refused with HTTP {error.status}, most likely by an intermediary before LOX24"
    if isinstance(error, AuthenticationError):
        return "LOX24 refused the token"
    if isinstance(error, AccountNotActivatedError):
        return "LOX24 says that the account is not activated"
    if isinstance(error, IPBlockedError):
        return "LOX24 blocks or limits this IP"
    if isinstance(error, APIStatusError | ResponseDecodeError):
        return f"HTTP {error.status}: {_foreign(error.message)}"
    return _foreign(error.message)


def explain(error: Lox24Error, base_url: str, token_source: str) -> str:
    """Say in one or two sentences what went wrong, and what to do next.

    Args:
        error: What ended the command.
        base_url: Where the requests went.
        token_source: Where the token came from, in words.
    """
    if code_of(error) in CAUSES:
        return f"{plight(error, base_url)}. {remedy(error, token_source)}."
    facts = _facts(error)
    if isinstance(error, InsufficientFundsError):
        return f"The account has not enough funds{facts}. Top it up, then run the same line again."
    if isinstance(error, APIStatusError) and error.violations:
        rules = "; ".join(
            _foreign(f"{v.property_path or 'request'}: {v.message or 'refused'}")
            for v in error.violations
        )
        return f"LOX24 found the request invalid{facts}: {rules.rstrip('.')}."
    return f"{_capital(reason(error))}{facts}."


def plight(error: Lox24Error, base_url: str) -> str:
    """Say what one of the ``CAUSES`` is; without a full stop."""
    facts = _facts(error)
    if isinstance(error, IPBlockedError):
        return f"{reason(error)}{facts}{_until(error)}"
    if isinstance(error, TransportError | ServerError):
        what = "fails" if isinstance(error, ServerError) else "cannot be reached"
        return f"LOX24 at {base_url} {what}: {_foreign(error.message)}{facts}"
    return f"{reason(error)}{facts}"


def remedy(error: Lox24Error, token_source: str) -> str:
    """Say what to do about one of the ``CAUSES``; without a full stop."""
    if isinstance(error, IPBlockedError):
        return "Run the same line again then"
    if isinstance(error, TransportError | ServerError):
        return "Check the network and the base URL, then run the same line again"
    return (
        f"Check {token_source}, and wait a minute before you try again: more than three"
        " wrong tries within a minute block this IP for ten"
    )


def explain_pause(pause: Pause) -> str:
    """Say why nothing moves, and for how long."""
    cause = pause.cause
    if isinstance(cause, IPBlockedError):
        what = reason(cause)
    elif isinstance(cause, IntermediaryError):
        what = f"An intermediary answers in LOX24's stead (HTTP {cause.status})"
    elif isinstance(cause, ServerError):
        what = f"LOX24 fails (HTTP {cause.status})"
    elif isinstance(cause, TransportError):
        what = "LOX24 cannot be reached"
    else:
        what = reason(cause)
    if pause.seconds <= 0:
        return f"{what}: trying again"
    minutes, seconds = divmod(ceil(pause.seconds), 60)
    return f"{what}: next try in {minutes}:{seconds:02}"


def _facts(error: Lox24Error) -> str:
    if isinstance(error, APIStatusError) and error.intermediary:
        return ""  # told already, and there is no request id
    if isinstance(error, APIStatusError | ResponseDecodeError):
        request = f", request id {error.request_id}" if error.request_id else ""
        return f" (HTTP {error.status}{request})"
    return ""


def _until(error: IPBlockedError) -> str:
    end = error.blocked_until
    if end is None:
        return ", for up to ten minutes"
    seconds = seconds_left(end, datetime.now(end.tzinfo))
    if seconds > 24 * 3600:
        return " for more than a day"
    wait = f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    return f" until about {end.astimezone():%H:%M:%S} (in {wait})"


def _foreign(text: str) -> str:
    return printable(mask(text)).rstrip(".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
