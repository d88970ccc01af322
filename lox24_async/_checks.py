"""Checks of what users hand in with a call: ids, numbers, words, moments.

Each says in one sentence which field is wrong and what it must be. Only a wrong bulk id is
quoted: texts and numbers are other people's data.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ._printable import one_line
from .errors import ConfigurationError, InvalidBulkIdError
from .models import EPOCH

BULK_ID: Final = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
"""LOX24 writes its own in lower case.

Source: https://doc.lox24.eu/api/operations/api_bulks_get_item/ (the id's pattern)
"""
_END: Final = timedelta(seconds=253_402_300_800)  # the year 10000
_MOST: Final = 2**63 - 1
_MOST_OF_SETTINGS: Final = 1e9  # more is a mistake, and would overflow somewhere
_ID_SHOWN: Final = 60  # characters
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def items(name: str, value: Any, of: str) -> tuple[Any, ...]:
    """Return the items of an iterable; a string is taken for a forgotten pair of brackets.

    Raises:
        ConfigurationError: a string, bytes, or nothing that can be iterated over.
    """
    try:
        found = None if isinstance(value, str | bytes) else iter(value)
    except TypeError:
        found = None
    if found is None:
        kind = type(value).__name__
        raise ConfigurationError(
            f"{name} must be an iterable of {of}, not a single value of type {kind}"
        )
    return tuple(found)


def is_whole(value: object, *, least: int) -> bool:
    """Whether a value is an ``int`` (no ``bool``) from ``least`` to 2**63 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST


def check_whole(name: str, value: object, *, least: int) -> None:
    """Refuse what is no whole number of at least ``least``; let ``None`` pass.

    Raises:
        ConfigurationError: says which field, and what it must be.
    """
    if value is not None and not is_whole(value, least=least):
        raise ConfigurationError(
            f"{name} must be a whole number from {least} to 2**63 - 1, or None"
        )


def is_words(value: object) -> bool:
    """Whether a value is a non-empty string, without control characters and surrogates."""
    return isinstance(value, str) and value != "" and _UNFIT.search(value) is None


def check_moment(name: str, value: object) -> None:
    """Refuse what is no aware date-time of the years 1970 to 9999; let ``None`` pass.

    Raises:
        ConfigurationError: says which field, and what it must be.
    """
    if value is None:
        return
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ConfigurationError(
            f"{name} must be an aware datetime (with a time zone that knows its offset) or None"
        )
    if not timedelta(0) <= since_epoch(value) < _END:
        raise ConfigurationError(f"{name} must lie in the years 1970 to 9999 in UTC")


def since_epoch(moment: datetime) -> timedelta:
    """Return the exact time from 1970-01-01 UTC to an aware date-time.

    Compare these, not the date-times: Python compares two of the same zone by their wall
    clocks, which is wrong in the hour that a zone has twice.
    """
    return moment - EPOCH


def check_bulk_id(value: object) -> str:
    """Return the id as LOX24 writes it: 36 characters, lower case.

    Raises:
        InvalidBulkIdError: neither a ``UUID`` nor a string of 8-4-4-4-12 hex digits.
    """
    if type(value) is not str and isinstance(value, str):
        value = str.__str__(value)  # of numpy.str_, say: a plain one
    if type(value) is str and BULK_ID.fullmatch(value) is not None:
        return value if value == (lower := value.lower()) else lower
    if isinstance(value, UUID):
        return str(value)
    raise InvalidBulkIdError(f"no bulk id (8-4-4-4-12 hex digits): {_shown(value)}")


def _shown(value: object) -> str:
    """Write a wrong id so that one sees what is wrong with it: a line break, a look-alike."""
    if isinstance(value, str):
        cut = value[:_ID_SHOWN]
        return ascii(cut) + ("…" if len(value) > _ID_SHOWN else "")
    try:
        shown = ascii(value)
    except Exception:  # noqa: BLE001  a hostile value concerns only itself
        shown = ascii(object.__repr__(value))
    return one_line(shown, _ID_SHOWN)


def check_kind(name: str, value: object, kind: type) -> None:
    """Refuse a setting of another type.

    Raises:
        ConfigurationError: says which setting, and what it must be.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be of type {kind.__name__}")


def check_number(name: str, value: object, *, least: float, whole: bool = False) -> None:
    """Refuse a setting that is no number of at least ``least``, or beyond reason.

    Raises:
        ConfigurationError: says which setting, and what it must be.
    """
    kinds = (int,) if whole else (int, float)
    if type(value) in kinds and least <= value <= _MOST_OF_SETTINGS:  # type: ignore[operator]
        return
    kind = "a whole number" if whole else "a number"
    raise ConfigurationError(f"{name} must be {kind} from {least:g} to {_MOST_OF_SETTINGS:g}")


def check_sent(value: object) -> None:
    """Refuse what says neither "sent" nor "not sent" nor "either".

    Raises:
        ConfigurationError: says what it must be.
    """
    if value is not None and not isinstance(value, bool):
        raise ConfigurationError("sent must be True, False or None")
