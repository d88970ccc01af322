"""Which bulks to list, and in what order.

These classes know nothing of the wire; its rules stand in ``_wire/query``.

Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/ and
https://doc.lox24.eu/info/collection-filters/
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args
from uuid import UUID

from attrs import field, fields, frozen

from ._checks import (
    check_bulk_id,
    check_moment,
    check_whole,
    is_whole,
    is_words,
    items,
    since_epoch,
)
from ._public import public
from .errors import ConfigurationError
from .models import CANCELABLE, EPOCH, FINAL, STATUSES, Bulk, BulkStatus

SortField: TypeAlias = Literal["created_at", "delivery_at", "processed_at", "msg_total_count"]
"""The fields that LOX24 sorts bulks by."""

_SORTABLE: Final[tuple[str, ...]] = get_args(SortField)
_NAME: Final = re.compile("[a-z_]+")
_NOTHING: Final[Mapping[str, bool]] = MappingProxyType({})


def _to_ids(value: Iterable[UUID | str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(check_bulk_id(one) for one in items("uuids", value, "bulk ids")))


def _to_codes(value: Iterable[BulkStatus | int]) -> tuple[BulkStatus | int, ...]:
    codes = items("status_codes", value, "BulkStatus or int")
    for at, code in enumerate(codes):
        if not is_whole(code, least=0):
            raise ConfigurationError(
                f"status_codes[{at}] must be a BulkStatus or a whole number of at least 0"
            )
    return tuple(dict.fromkeys(STATUSES.get(code, int(code)) for code in codes))


def _to_exists(value: Mapping[str, bool]) -> Mapping[str, bool]:
    good = isinstance(value, Mapping) and all(
        isinstance(name, str) and _NAME.fullmatch(name) and isinstance(wanted, bool)
        for name, wanted in value.items()
    )
    if not good:
        raise ConfigurationError(
            "exists must map names of fields (a to z and _) to True (has a value) or False"
        )
    return MappingProxyType(dict(value))


def _holds(text: str | None, part: str | None) -> bool:
    return part is None or (text is not None and part.casefold() in text.casefold())


def _has(bulk: Bulk, name: str) -> bool:
    if name == "delivery_at" and bulk.is_immediate:
        return True
    return getattr(bulk, name) is not None or name in bulk.extra


def _lies(value: Any, least: Any, most: Any) -> bool:
    if least is None and most is None:
        return True
    return value is not None and (
        (least is None or least <= value) and (most is None or value <= most)
    )


@public
@frozen
class BulkFilter:
    """Which bulks to list. A bulk must meet everything that is given; checked when made.

    The filters for id, status, text, sender and count, and the existence of ``is_unicode``,
    are documented for bulks. That date-times take ranges is documented too, the spelling of
    the bounds only in general; that ``exists`` works for other fields is inferred.

    Args:
        uuids: Bulk ids, any of which matches. Stored as LOX24 writes them, each once. All
            go into one URL: for very many, ask for each bulk instead.
        status_codes: States, any of which matches. Stored each once.
        text: A part of the text, upper and lower case alike.
        sender_id: A part of the sender, upper and lower case alike.
        sender_id_exact: The sender, to the letter. LOX24 has no such filter: it is asked for
            senders that contain this, and what comes is checked here.
        created_from: Created at this time or later. Like all bounds here an aware date-time
            of 1970 to 9999, inclusive. LOX24 counts whole seconds: a fraction in a lower
            bound is rounded up, in an upper bound down, so no range is ever widened.
        created_to: Created at this time or earlier.
        delivery_from: Scheduled for this time or later. LOX24 stores "at once" as 0, which
            is before every time but 1970-01-01 00:00:00 UTC.
        delivery_to: Scheduled for this time or earlier, "at once" most likely included
            (inferred from the 0).
        processed_from: Last changed at this time or later.
        processed_to: Last changed at this time or earlier.
        min_messages: The least number of messages in the bulk.
        max_messages: The largest number of messages in the bulk.
        exists: Names of fields that may be ``null`` (``is_unicode``, ``source``,
            ``voice_lang``, ``processed_at``, …), each with whether it must have a value.

    Raises:
        ConfigurationError: a value is of the wrong kind, or a range is upside down.
        InvalidBulkIdError: one of ``uuids`` is no bulk id.
    """

    uuids: tuple[str, ...] = field(default=(), converter=_to_ids)
    status_codes: tuple[BulkStatus | int, ...] = field(default=(), converter=_to_codes)
    text: str | None = field(default=None, repr=False)  # of messages: other people's data
    sender_id: str | None = None
    sender_id_exact: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    delivery_from: datetime | None = None
    delivery_to: datetime | None = None
    processed_from: datetime | None = None
    processed_to: datetime | None = None
    min_messages: int | None = None
    max_messages: int | None = None
    exists: Mapping[str, bool] = field(
        default=_NOTHING, converter=_to_exists, kw_only=True, hash=False
    )

    def __attrs_post_init__(self) -> None:
        for name in ("text", "sender_id", "sender_id_exact"):
            value = getattr(self, name)
            if value is not None and not is_words(value):
                raise ConfigurationError(
                    f"{name} must be None or a non-empty string without control characters"
                )
        for name in ("created", "delivery", "processed"):
            self._check_range(f"{name}_from", f"{name}_to")
        for name in ("min_messages", "max_messages"):
            check_whole(name, getattr(self, name), least=0)
        least, most = self.min_messages, self.max_messages
        if least is not None and most is not None and least > most:
            raise ConfigurationError("min_messages must not be greater than max_messages")

    @property
    def can_lose(self) -> bool:
        """Whether a bulk can cease to meet this, by being sent or by its text's deletion."""
        return (
            self._is_of_progress
            or self.text is not None
            or not set(self.status_codes) <= set(FINAL)
        )

    @property
    def can_gain(self) -> bool:
        """Whether a bulk can come to meet this some time after it was created."""
        codes = set(self.status_codes)
        from_start = not codes or (BulkStatus.NEW in codes and codes <= set(CANCELABLE))
        return self._is_of_progress or not from_start

    @property
    def _is_of_progress(self) -> bool:
        return bool(
            self.exists
            or (self.processed_from, self.processed_to) != (None, None)
            or (self.min_messages, self.max_messages) != (None, None)
        )

    def matches(self, bulk: Bulk) -> bool:
        """Hold a bulk (in its full form) against this filter.

        What the bulk does not tell counts as not met.

        Args:
            bulk: As ``Lox24Client.list_bulks`` or ``get_bulk`` gave it.
        """
        return (
            (not self.uuids or str(bulk.uuid) in self.uuids)
            and (not self.status_codes or bulk.status_code in self.status_codes)
            and _holds(bulk.text, self.text)
            and _holds(bulk.sender_id, self.sender_id)
            and self.meets_sender(bulk)
            and _lies(bulk.created_at, self.created_from, self.created_to)
            and _lies(
                EPOCH if bulk.is_immediate else bulk.delivery_at,
                self.delivery_from,
                self.delivery_to,
            )
            and _lies(bulk.processed_at, self.processed_from, self.processed_to)
            and _lies(bulk.msg_total_count, self.min_messages, self.max_messages)
            and all(
                _has(bulk, name) is wanted
                for name, wanted in self.exists.items()
                if hasattr(bulk, name)
            )
        )

    def meets_sender(self, bulk: Bulk) -> bool:
        """Whether a bulk's sender is the exact one, if one is asked for."""
        return self.sender_id_exact in (None, bulk.sender_id)

    def _check_range(self, first: str, last: str) -> None:
        for name in (first, last):
            check_moment(name, getattr(self, name))
        start, end = getattr(self, first), getattr(self, last)
        if start is not None and end is not None and since_epoch(start) > since_epoch(end):
            raise ConfigurationError(f"{first} must not be later than {last}")

    def __getstate__(self) -> dict[str, Any]:
        state = {a.name: getattr(self, a.name) for a in fields(type(self))}
        return state | {"exists": dict(self.exists)}  # a mappingproxy cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "exists", MappingProxyType(state["exists"]))


@public
@frozen
class BulkOrder:
    """One step of a sort order. Checked when made.

    The four sortable fields are documented. The docs contradict themselves on the order of
    a listing without any (newest first, or oldest first): to rely on one, ask for it.

    Args:
        field: ``created_at``, ``delivery_at``, ``processed_at`` or ``msg_total_count``.
        descending: Whether the latest or largest comes first.

    Raises:
        ConfigurationError: another field, or ``descending`` is no ``bool``.
    """

    field: SortField
    descending: bool = False

    def __attrs_post_init__(self) -> None:
        if self.field not in _SORTABLE:
            raise ConfigurationError(f"field must be one of {', '.join(_SORTABLE)}")
        if not isinstance(self.descending, bool):
            raise ConfigurationError("descending must be True or False")
