"""What an error or a pause means to a person, in words: the reason, and what to do next.

Pure functions.
"""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Final

import lox24_async as lox
from lox24_async._printable import printable
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.text import capital, mask

CAUSES: Final[Mapping[ExitCode, tuple[type[lox.Lox24Error], ...]]] = {
    ExitCode.REFUSED: (lox.AuthenticationError, lox.AccountNotActivatedError),
    ExitCode.BLOCKED: (lox.IPBlockedError,),
    ExitCode.UNREACHABLE: (lox.TransportError, lox.ServerError),
}
"""What has one reason for all bulks, by its exit code."""
IN_VAIN: Final = 10
"""So many ids without an answer, when there was none at all, are enough."""
_REASONS: Final[tuple[tuple[type[lox.Lox24Error], str], ...]] = (
    (lox.InvalidBulkIdError, "no bulk id"),
    (lox.NotFoundError, "LOX24 knows no such bulk in this account"),
    (lox.AuthenticationError, "LOX24 refused the token"),
    (lox.AccountNotActivatedError, "LOX24 says that the account is not activated"),
    (lox.HeldBackError, "held back, so that LOX24 does not block this IP"),
    (lox.IPBlockedError, "LOX24 blocks or limits this IP"),
)


def code_of(error: lox.Lox24Error) -> ExitCode:
    """Return the exit code of a command that one error ended."""
    return next(
        (code for code, kinds in CAUSES.items() if isinstance(error, kinds)), ExitCode.NOT_ALL
    )


def reason(error: lox.Lox24Error) -> str:
    """Say in a few words what went wrong, without what to do."""
    if isinstance(error, lox.APIStatusError) and error.intermediary:
        return f"refused with HTTP {error.status}, most likely by an intermediary before LOX24"
    for kind, said in _REASONS:
        if isinstance(error, kind):
            return said
    if isinstance(error, lox.APIStatusError | lox.ResponseDecodeError):
        return f"HTTP {error.status}: {_foreign(error.message)}"
    return _foreign(error.message)


def explain(error: lox.Lox24Error, base_url: str, token_source: str) -> str:
    """Say in one or two sentences what went wrong, and what to do next."""
    if code_of(error) in CAUSES:
        return f"{cause(error, base_url)}. {remedy(error, token_source)}."
    facts = _facts(error)
    if isinstance(error, lox.InsufficientFundsError):
        return f"The account has not enough funds{facts}. Top it up, then run the same line again."
    if isinstance(error, lox.APIStatusError) and error.violations:
        rules = "; ".join(
            _foreign(f"{v.property_path or 'request'}: {v.message or 'refused'}")
            for v in error.violations
        )
        return f"LOX24 found the request invalid{facts}: {rules.rstrip('.')}."
    return f"{capital(reason(error))}{facts}."


def explain_pause(pause: lox.Pause) -> str:
    """Say why nothing moves, and for how long."""
    what = capital(reason(pause.cause))
    if isinstance(pause.cause, lox.IntermediaryError):
        what = f"An intermediary answers in LOX24's stead (HTTP {pause.cause.status})"
    elif isinstance(pause.cause, lox.ServerError):
        what = f"LOX24 fails (HTTP {pause.cause.status})"
    elif isinstance(pause.cause, lox.TransportError):
        what = "LOX24 cannot be reached"
    if pause.seconds <= 0:
        return f"{what}: trying again"
    minutes, seconds = divmod(ceil(pause.seconds), 60)
    return f"{what}: next try in {minutes}:{seconds:02}"


def cause(error: lox.Lox24Error, base_url: str) -> str:
    """Say what one of the ``CAUSES`` is; without a full stop."""
    facts = _facts(error)
    if isinstance(error, lox.HeldBackError):
        return (
            "Nothing is blocked, but held back: three requests within a minute were wrong, or"
            f" nobody saw their answers, and one more could block this IP{_next_try(error)}"
        )
    if isinstance(error, lox.APIStatusError) and _is_hearsay(error):
        return f"{capital(reason(error))}: {_heard(error)}{_next_try(error)}"
    if isinstance(error, lox.IPBlockedError):
        return f"{capital(reason(error))}{facts}{_until(error)}"
    if isinstance(error, lox.TransportError | lox.ServerError):
        what = "fails" if isinstance(error, lox.ServerError) else "cannot be reached"
        return f"LOX24 at {base_url} {what}: {_foreign(error.message)}{facts}"
    return f"{capital(reason(error))}{facts}"


def _is_hearsay(error: lox.APIStatusError) -> bool:
    """Whether somebody else was told so: nothing was sent here."""
    told = (lox.AuthenticationError, lox.AccountNotActivatedError, lox.IPBlockedError)
    return isinstance(error, told) and not error.attempts and not error.request_id


def _heard(error: lox.APIStatusError) -> str:
    """Say who was told so, and when."""
    where = "" if "://" in os.environ.get("LOX24_GUARD", "") else " on this machine"
    who = f"another lox24{where} was told so"
    if isinstance(error, lox.IPBlockedError):
        return f"{who} ({_foreign(error.message)})"
    ago = _MINUTE - (error.retry_after or _MINUTE)
    return f"{who} {ago:.0f} s ago" if ago >= 1 else f"{who} just now"


def _next_try(error: lox.APIStatusError) -> str:
    if not error.retry_after:
        return ""
    when = datetime.now().astimezone() + timedelta(seconds=min(error.retry_after, _DAY))
    return f"; the next try is possible at {when:%H:%M:%S}"


_MINUTE: Final = 60.0
_DAY: Final = 24 * 3600.0


def remedy(error: lox.Lox24Error, token_source: str) -> str:
    """Say what to do about one of the ``CAUSES``; without a full stop."""
    if isinstance(error, lox.IPBlockedError):
        return "Run the same line again then"
    if isinstance(error, lox.ConnectionFailedError) and error.tls:
        return (
            "Check this machine's clock and certificates (behind a proxy that reads along, name"
            " its CA file with SSL_CERT_FILE), then run the same line again"
        )
    if isinstance(error, lox.TransportError | lox.ServerError):
        return "Check the network and the base URL, then run the same line again"
    return (
        f"Check {token_source}, and wait a minute before you try again: more than three"
        " wrong tries within a minute block this IP for ten"
    )


def _facts(error: lox.Lox24Error) -> str:
    if isinstance(error, lox.APIStatusError) and error.intermediary:
        return ""  # told already, and there is no request id
    if isinstance(error, lox.APIStatusError | lox.ResponseDecodeError):
        request = f", request id {error.request_id}" if error.request_id else ""
        return f" (HTTP {error.status}{request})"
    return ""


def _until(error: lox.IPBlockedError) -> str:
    end = error.blocked_until
    if end is None:
        return ", for up to ten minutes"
    seconds = max(0.0, (end - datetime.now(end.tzinfo)).total_seconds())
    if seconds > 24 * 3600:
        return " for more than a day"
    wait = f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    return f" until about {end.astimezone():%H:%M:%S} (in {wait})"


def _foreign(text: str) -> str:
    text = text.replace("pass proxy= or set LOX24_PROXY", "name it with --proxy or LOX24_PROXY")
    return printable(mask(text)).rstrip(".")
