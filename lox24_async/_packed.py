"""Bulks in little memory, for a report that may hold a million of them.

The bulks of a campaign are alike but for some fields: what they share is kept once, the rest in
one string of bytes. A bulk that does not fit in is kept as it is. What comes out equals what
went in.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from attrs import fields

from .models import EPOCH, Bulk, JsonLdBulk

_OWN: Final = (
    *("uuid", "created_at", "processed_at", "delivery_at", "msg_total_count", "price"),
    "request_id",
)
"""The fields that differ from bulk to bulk."""
_MAPPINGS: Final = ("extra", "_as_sent", "ld_context")  # not hashable
_SHARED: Final[dict[type[Bulk], tuple[str, ...]]] = {
    form: tuple(a.name for a in fields(form) if a.name not in (*_OWN, *_MAPPINGS))
    for form in (Bulk, JsonLdBulk)
}
_shared_of: Final[dict[type[Bulk], Callable[[Bulk], Any]]] = {
    form: attrgetter(*names) for form, names in _SHARED.items()
}
_HEAD: Final = struct.Struct("<BHHqqqqBB")
"""State, attempts, kind; three moments, a count; the lengths of price and request id."""
_NONE: Final = -(2**63)
_MOST_KINDS: Final = 256
_MOST_ATTEMPTS: Final = 0xFFFF
_LONGEST: Final = 254  # characters of a price or a request id; one more stands for none
_ABSENT: Final = 255


class Packer:
    """Packs the bulks of one report."""

    def __init__(self) -> None:
        self._kinds: dict[Any, int] = {}
        self._values: list[tuple[Any, dict[str, Any]]] = []
        self._last: tuple[Any, int] = (None, 0)

    def pack(self, state: int, attempts: int, bulk: Bulk) -> bytes | None:
        """Return a bulk, and two small numbers, as bytes; ``None``: it does not fit in."""
        kind = self._kind(bulk)
        if kind is None or attempts > _MOST_ATTEMPTS:
            return None
        price = None if bulk.price is None else str(bulk.price).encode()
        request_id = None if bulk.request_id is None else bulk.request_id.encode()
        try:
            head = _HEAD.pack(
                state,
                attempts,
                kind,
                _seconds(bulk.created_at),
                _seconds(bulk.processed_at),
                _seconds(bulk.delivery_at),
                _NONE if bulk.msg_total_count is None else bulk.msg_total_count,
                _length(price),
                _length(request_id),
            )
        except (ValueError, struct.error):  # a number too large, a moment between seconds
            return None
        return head + (price or b"") + (request_id or b"")

    def unpack(self, packed: bytes, uuid: UUID) -> tuple[int, int, Bulk]:
        """Return the two numbers and the bulk."""
        state, attempts, kind, created, processed, delivery, count, price, request_id = (
            _HEAD.unpack_from(packed)
        )
        form, shared = self._values[int(kind)]
        start = _HEAD.size
        middle = start + (0 if price == _ABSENT else price)
        if shared.get("ld_id") is not None:
            shared = shared | {"ld_id": shared["ld_id"].replace("\0", str(uuid))}
        bulk: Bulk = form(
            uuid=uuid,
            created_at=_moment(created),
            processed_at=_moment(processed),
            delivery_at=_moment(delivery),
            msg_total_count=None if count == _NONE else count,
            price=None if price == _ABSENT else Decimal(packed[start:middle].decode()),
            request_id=None if request_id == _ABSENT else packed[middle:].decode(),
            **shared,
        )
        return state, attempts, bulk

    def _kind(self, bulk: Bulk) -> int | None:
        """Return the number of what this bulk shares with others."""
        form = type(bulk)
        get = _shared_of.get(form)
        if get is None:
            return None
        shared = get(bulk)
        sent = bulk._as_sent  # pyright: ignore[reportPrivateUsage]
        # By repr: 1, 1.0 and True are equal, and have to be told apart.
        context = ""
        if isinstance(bulk, JsonLdBulk):
            context = repr(bulk.ld_context)
            shared = tuple(
                _without(value, bulk.uuid) if name == "ld_id" else value
                for name, value in zip(_SHARED[form], shared, strict=True)
            )
        key = (
            *(form, shared, context),
            *(repr(bulk.extra) if bulk.extra else "", repr(sent) if sent else ""),
        )
        if key == self._last[0]:
            return self._last[1]
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) == _MOST_KINDS:
                return None
            kind = len(self._kinds)
            values = dict(zip(_SHARED[form], shared, strict=True))
            values |= {"extra": bulk.extra, "as_sent": sent}
            if isinstance(bulk, JsonLdBulk):
                values["ld_context"] = bulk.ld_context
            self._values.append((form, values))
            self._kinds[key] = kind
        self._last = key, kind
        return kind


def state_of(packed: bytes) -> int:
    """Return the first number of a packed bulk."""
    return packed[0]


def _without(ld_id: str | None, uuid: UUID) -> str | None:
    return None if ld_id is None else ld_id.replace(str(uuid), "\0")


def _seconds(moment: datetime | None) -> int:
    if moment is None:
        return _NONE
    if moment.microsecond or moment.tzinfo is not UTC:
        raise ValueError("not in whole seconds of UTC")
    return (moment - EPOCH) // _SECOND


_SECOND: Final = timedelta(seconds=1)


def _moment(seconds: int) -> datetime | None:
    return None if seconds == _NONE else EPOCH + timedelta(seconds=seconds)


def _length(text: bytes | None) -> int:
    if text is None:
        return _ABSENT
    if len(text) > _LONGEST:
        raise ValueError("too long")
    return len(text)
