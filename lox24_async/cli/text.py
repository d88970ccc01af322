"""Foreign text made safe to print, and numbers and times in words. Pure functions."""

import os
import re
from contextlib import suppress
from datetime import datetime
from typing import Final

_TOKEN_LIKE: Final = re.compile(r"(?<![\w.:/-])\d+(?::|%3A)[^\s:/'\"]{4,}")  # also in a URL
_LONGEST: Final = 60  # characters of a foreign text that are quoted


def mask(text: str) -> str:
    """Replace what is or looks like a token."""
    token = os.environ.get("LOX24_AUTH_TOKEN")
    if token:
        text = text.replace(token, "***")
    return _TOKEN_LIKE.sub("***", text)


def quoted(text: str) -> str:
    """Quote a foreign text so that it is safe to print: short, on one line, no token."""
    text = mask(text)
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def capital(text: str) -> str:
    """Return a text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def plural(count: int, noun: str) -> str:
    """Return ``1 bulk`` or ``1,200 bulks``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def why(error: Exception) -> str:
    """Return why something could not be read or written."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def local(moment: datetime, *, seconds: bool = True) -> str:
    """Return an aware moment in this machine's time, as ``2026-03-01 09:00:00+01:00``."""
    return _here(moment).isoformat(sep=" ", timespec="seconds" if seconds else "minutes")


def local_short(moment: datetime) -> str:
    """Return a moment of these days as ``03-01 09:00:00``, where there is little room."""
    return f"{_here(moment):%m-%d %H:%M:%S}"


def _here(moment: datetime) -> datetime:
    with suppress(OverflowError, OSError, ValueError):  # beyond this machine's calendar
        return moment.astimezone()
    return moment
