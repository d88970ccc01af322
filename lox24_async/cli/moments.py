"""Times as people read them: in this machine's local time, with its offset from UTC."""

from contextlib import suppress
from datetime import datetime


def local(moment: datetime, *, seconds: bool = True) -> str:
    """Return a moment as ``2026-03-01 09:00:00+01:00``.

    Args:
        moment: Aware.
        seconds: Whether to show them.
    """
    with suppress(OverflowError, OSError, ValueError):  # beyond this machine's calendar
        moment = moment.astimezone()
    return moment.isoformat(sep=" ", timespec="seconds" if seconds else "minutes")


def brief(moment: datetime) -> str:
    """Return a moment of these days as ``03-01 09:00:00``, where there is little room."""
    with suppress(OverflowError, OSError, ValueError):
        moment = moment.astimezone()
    return f"{moment:%m-%d %H:%M:%S}"


def seconds_left(end: datetime, now: datetime) -> float:
    """Return the seconds until a moment; 0 if it has passed."""
    return max(0.0, (end - now).total_seconds())
