"""The messages behind the bulks: how they go out in time, and how ``GET /sms`` shows them.

They are made when somebody looks: a bulk of any size costs nothing. Names and types of the
fields and filters are those of the vendor's own PHP client; the documentation only says that
there is a filter by the bulk.
"""

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from math import inf
from operator import itemgetter
from typing import Any, Final, overload
from uuid import UUID, uuid5

from attrs import evolve, frozen

from lox24_async import Bulk, BulkStatus

from ._search import Filters, as_integer, as_text, as_uuid

Message = Mapping[str, Any]
"""One message, in plain JSON."""

_ROUNDING: Final = 1e-6  # of a message; what sums of floats lose
_NEW, _SENT, _CANCELED, _SYSTEM_ERROR = 0, 100, 410, 5000  # the vendor's SmsStatus
_UNSENT: Final[Mapping[int, int]] = {
    BulkStatus.CANCELED: _CANCELED,
    BulkStatus.SYSTEM_ERROR: _SYSTEM_ERROR,
}
_QUEUED: Final = 2  # the vendor's DlrCode; no delivery report comes in
_ONE_SMS: Final = {False: 160, True: 70}
_PART: Final = {False: 153, True: 67}


@frozen
class Sending:
    """How many messages of a bulk have gone out, and when, in elapsed seconds of the clock."""

    total: int
    sent: int
    """How many at ``since``."""
    since: float
    rate: float = 0.0
    """Messages a second from then on."""
    until: float = inf

    def count(self, now: float) -> int:
        """Return how many have gone out by now."""
        seconds = max(0.0, min(now, self.until) - self.since)
        return min(self.total, self.sent + int(self.rate * seconds + _ROUNDING))

    def moment(self, index: int) -> float:
        """Return when a message went out; of those before ``since`` no more is known."""
        return self.since + max(0, index + 1 - self.sent) / (self.rate or inf)

    def stopped(self, now: float) -> "Sending":
        """Return what it becomes when no more go out."""
        return evolve(self, until=min(self.until, now))

    def going_on(self, now: float, seconds: float) -> "Sending":
        """Return what it becomes when the rest goes out in so many seconds."""
        sent = self.count(now)
        return Sending(self.total, sent, now, (self.total - sent) / seconds if seconds > 0 else 0.0)


@frozen
class _Part:
    """Some messages of one bulk."""

    bulk: Bulk
    sending: Sending
    indexes: range
    sent: int


class Messages(Sequence[Message]):
    """The messages of some bulks, made when they are taken.

    Args:
        bulks: Whose, in order.
        sending: Tells how those of a bulk go out.
        sent: Only those that have gone out, or have not; ``None``: all.
        now: In elapsed seconds of the clock.
        timestamp: Turns elapsed seconds into those of the wire.
        price: What one costs whose bulk has no price.
    """

    def __init__(
        self,
        bulks: Iterable[Bulk],
        sending: Callable[[UUID], Sending],
        *,
        sent: bool | None,
        now: float,
        timestamp: Callable[[float], int],
        price: float,
    ) -> None:
        self._timestamp = timestamp
        self._price = price
        self._parts: list[_Part] = []
        for bulk in bulks:
            going = sending(bulk.uuid)
            gone = going.count(now)
            start, stop = (gone if sent is False else 0), (gone if sent else going.total)
            self._parts.append(_Part(bulk, going, range(start, stop), gone))
        self._ends = list(accumulate(len(part.indexes) for part in self._parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        which = bisect.bisect_right(self._ends, number)
        part = self._parts[which]
        return self._message(part, part.indexes[number - self._ends[which]])

    def _message(self, part: _Part, index: int) -> Message:
        bulk, is_sent = part.bulk, index < part.sent
        uuid = uuid5(bulk.uuid, str(index))
        phones = bulk.phones or ()
        phone = phones[index] if index < len(phones) else f"+49170{index:08}"
        text = bulk.text or ""
        unicode = not text.isascii() if bulk.is_unicode is None else bulk.is_unicode
        parts = 1 if len(text) <= _ONE_SMS[unicode] else -(-len(text) // _PART[unicode])
        created_at = 0 if bulk.created_at is None else int(bulk.created_at.timestamp())
        price = self._price if bulk.price is None else float(bulk.price / part.sending.total)
        return {
            "uuid": str(uuid),
            "text": bulk.text,
            "sender_id": bulk.sender_id,
            "phone": phone,
            "delivery_at": 0 if bulk.delivery_at is None else int(bulk.delivery_at.timestamp()),
            "status_code": _SENT if is_sent else _UNSENT.get(bulk.status_code, _NEW),
            # An integer for all messages, says the vendor's client.
            "gateway_sent_at": self._timestamp(part.sending.moment(index)) if is_sent else 0,
            "source": bulk.source or 0,
            "dlr_code": _QUEUED if is_sent else 0,
            "ip": bulk.ip,
            "created_at": created_at,
            "is_unicode": bulk.is_unicode,
            "iso2": "DE" if phone.startswith("+49") else None,
            "voice_lang": bulk.voice_lang,
            "parts_count": parts,
            "chars_count": len(text),
            "callback_data": None,
            "bulk_id": str(bulk.uuid),
            "key_id": bulk.key_id,
            "service_code": bulk.service_code,
            "is_text_deleted": bool(bulk.is_text_deleted),
            "price": round(price, 6),
            "is_sent": is_sent,
            "requests": f"/sms/{uuid}/requests",
            "clicks": f"/sms/{uuid}/clicks",
        }


_RANGED: Final = ("created_at", "gateway_sent_at", "delivery_at", "chars_count", "parts_count")

SMS_FILTERS: Final = Filters[Message](
    value=lambda name: itemgetter("bulk_id" if name == "bulk" else name),
    exact={
        "uuid": as_uuid,
        "bulk": as_uuid,
        "iso2": as_text,
        "dlr_code": as_integer,
        "status_code": as_integer,
        "source": as_integer,
        "ip": as_text,
        "key_id": as_integer,
        "callback_data": as_text,
        **dict.fromkeys(_RANGED, as_integer),
    },
    ranged=(*_RANGED, "source"),
    partial=("text", "phone", "sender_id"),
    boolean=("is_sent", "is_unicode"),
    rank={name: itemgetter(name) for name in ("created_at", "gateway_sent_at")},
)
