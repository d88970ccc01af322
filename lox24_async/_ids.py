"""The bulk id, as LOX24 writes it.

Source: https://doc.lox24.eu/api/operations/api_bulks_get_item/ (the id's pattern)
"""

import re
from typing import Final
from uuid import UUID

from .errors import InvalidBulkIdError

_BULK_ID: Final = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)


def check_bulk_id(value: object) -> str:
    """Return the id as LOX24 writes it: 36 characters, lower case.

    Raises:
        InvalidBulkIdError: neither a ``UUID`` nor a string of 8-4-4-4-12 hex digits.
    """
    if type(value) is str and _BULK_ID.fullmatch(value) is not None:
        return value if value == (lower := value.lower()) else lower
    if isinstance(value, UUID):
        return str(value)
    shown = printable(value, 60) if isinstance(value, str) else f"a {type(value).__name__}"
    raise InvalidBulkIdError(f"no bulk id (8-4-4-4-12 hex digits): {shown}")


def printable(text: str, limit: int) -> str:
    """Make a foreign text fit for a terminal and a log: one line, cut, no control codes."""
    if len(text) > limit:
        text = text[:limit] + "…"
    text = " ".join(text.split())
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
