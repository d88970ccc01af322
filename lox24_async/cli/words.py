"""How the fields of a bulk read in plain words. Pure functions."""

from collections.abc import Mapping
from typing import Final

from lox24_async import Bulk, BulkStatus

_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    BulkStatus.NEW: ("new", "cyan"),
    BulkStatus.IN_PROGRESS: ("in progress", "yellow"),
    BulkStatus.PROCESSED: ("processed", ""),
    BulkStatus.CANCELED: ("cancelled", "green"),
    BulkStatus.SYSTEM_ERROR: ("system error", "red"),
    BulkStatus.NO_RECIPIENTS: ("no recipients", "red"),
}


def status_words(bulk: Bulk) -> str:
    """Return a bulk's state in words."""
    return _STATUS.get(bulk.status_code, (f"status {int(bulk.status_code)}", ""))[0]


def status_style(bulk: Bulk) -> str:
    """Return the colour of a bulk's state."""
    return _STATUS.get(bulk.status_code, ("", "magenta"))[1]


def printable(text: str) -> str:
    """Return a foreign text on one line, its control characters visible and harmless."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def plural(count: int, noun: str) -> str:
    """Return ``1 bulk`` or ``1,200 bulks``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
