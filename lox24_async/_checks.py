"""Checks of what users hand in, shared by the filter and the draft.

Each says in one sentence which field is wrong and what it must be, and quotes no value:
texts and numbers are other people's data.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .errors import ConfigurationError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = timedelta(seconds=253_402_300_800)  # the year 10000
_MOST: Final = 2**63 - 1
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
    return moment - _EPOCH
