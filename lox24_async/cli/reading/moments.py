"""Moments as they are typed: ISO 8601, how long ago, or how far ahead."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from lox24_async.cli.exits import CommandError
from lox24_async.cli.text import local, quoted

_AGO: Final = re.compile(r"(\d{1,9}) ?([smhdw])", re.ASCII)
_AHEAD: Final = re.compile(r"\+(\d{1,6}) ?([mhd])", re.ASCII)
_LONGEST: Final = 10_000 * 86_400.0  # seconds
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_moment(text: str, option: str = "TIME", now: datetime | None = None) -> datetime:
    """Understand ``now``, how long ago (``30m``, ``2h``, ``1d``), or an ISO 8601 date-time.

    One without a zone is meant in this machine's local time, a date alone is midnight; what is
    returned is aware.

    Raises:
        CommandError: it is none of these; it names the option.
    """
    now = datetime.now(UTC) if now is None else now
    word = text.strip()
    try:
        if word.lower() == "now":
            return now
        if ago := _AGO.fullmatch(word.lower()):
            return now - _span(ago)
        moment = datetime.fromisoformat(word)
        return moment.astimezone() if moment.tzinfo is None else moment
    except (ValueError, OverflowError, OSError):
        raise CommandError(
            f"{option}: {quoted(text)} is no time. Write it as 2026-03-01T08:00Z,"
            " 2026-03-01 08:00 (local time), 30m, 2h or 1d (that long ago), or now."
        ) from None


def read_delivery(text: str, now: datetime | None = None) -> datetime:
    """Understand when to send: a moment to come, or ``+30m``, ``+2h``, ``+1d``.

    Raises:
        CommandError: it is no time, or one that has passed: LOX24 would send at once.
    """
    now = datetime.now(UTC) if now is None else now
    if ahead := _AHEAD.fullmatch(text.strip().lower()):
        return now + _span(ahead)
    moment = read_moment(text, "--at", now)
    if moment < now:
        raise CommandError(
            f"--at: {local(moment)} has passed. To send at once leave it out; nothing was sent."
        )
    return moment


def read_span(text: str, option: str) -> float:
    """Understand how long: ``90s``, ``30m``, ``2h``, ``1d``; return seconds.

    Raises:
        CommandError: it is none of these.
    """
    if (found := _AGO.fullmatch(text.strip().lower())) is None or found[2] == "w":
        raise CommandError(f"{option}: {quoted(text)} is no time. Write it as 90s, 30m, 2h or 1d.")
    try:
        seconds = _span(found).total_seconds()
    except OverflowError:
        seconds = _LONGEST + 1
    if seconds > _LONGEST:
        raise CommandError(f"{option}: {quoted(text)} is too long; 10000d is the most.")
    return seconds


def _span(found: re.Match[str]) -> timedelta:
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
