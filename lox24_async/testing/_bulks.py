"""All bulks of the gateway, how they change in time, and what they can be found by."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID, uuid4

import attrs

from lox24_async import Bulk, BulkStatus, ServiceCode

from ._clock import Clock
from ._search import Filters, as_integer, as_text, as_uuid
from ._sms import Sending

_ROUNDING: Final = 1e-6  # seconds; what sums of floats lose
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


class Pace(Protocol):
    """How long the states last, in seconds; ``None``: until the test says otherwise."""

    starts_after: float | None
    sends_for: float | None
    stops_after: float


class _Change(NamedTuple):
    """A change of state that is due at a time."""

    due: float
    order: int
    uuid: UUID
    status: BulkStatus


class Bulks(Mapping[UUID, Bulk]):
    """All bulks as the gateway sees them now, by id (``UUID`` or string).

    A state that is timed changes when somebody looks, and then as of the time when it was
    due: there is no task that would have to run.
    """

    def __init__(self, clock: Clock, pace: Pace) -> None:
        self._bulks: dict[UUID, Bulk] = {}
        self._sendings: dict[UUID, Sending] = {}
        self._clock = clock
        self._pace = pace
        self._next: dict[UUID, _Change] = {}  # at most one for each bulk
        self._agenda: list[_Change] = []  # a heap; holds also what is no longer next
        self._order = count()
        self._lock = Lock()  # tests may look from another thread

    def __getitem__(self, bulk_id: UUID | str) -> Bulk:
        self._catch_up()
        return self._bulks[bulk_id if isinstance(bulk_id, UUID) else UUID(bulk_id)]

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._bulks)

    def __len__(self) -> int:
        return len(self._bulks)

    def all(self) -> list[Bulk]:
        """Return all bulks, in the order in which they were put in."""
        self._catch_up()
        return list(self._bulks.values())

    def make(self, status: int, **fields: Any) -> Bulk:
        """Return a bulk with sensible values for what is not given; it is not put in."""
        known: dict[str, Any] = {
            "uuid": uuid4(),
            "sender_id": "fake",
            "text": "Hello",
            "phones": ("+491701234567",),
            "msg_total_count": 1,
            "created_at": self._clock.date().replace(microsecond=0),
            "ip": "127.0.0.1",
            "is_unicode": False,
            "is_dryrun": False,
            "is_text_deleted": False,
            "service_code": ServiceCode.DIRECT,
            "key_id": 1,
        }
        return Bulk(status_code=known_status(status), **(known | fields))

    def put(self, bulk: Bulk, sent: int | None = None) -> Bulk:
        """Put in a bulk, of whose messages ``sent`` have gone out (all of a processed one)."""
        total, now = bulk.msg_total_count or 0, self._clock.elapsed()
        if sent is None:
            sent = total if bulk.status_code == BulkStatus.PROCESSED else 0
        self._enter(bulk, now, Sending(total, _checked(sent, total), now))
        return bulk

    def add(self, status: int, sent: int | None = None, **fields: Any) -> Bulk:
        """Make a bulk and put it in."""
        return self.put(self.make(status, **fields), sent)

    def remove(self, bulk_id: UUID) -> None:
        """Take a bulk out for good, and its messages."""
        del self._bulks[bulk_id]
        del self._sendings[bulk_id]
        self._next.pop(bulk_id, None)

    def set_status(self, bulk_id: UUID | str, status: int) -> Bulk:
        """Move a bulk to another state."""
        return self._move(self[bulk_id], status, self._clock.elapsed())

    def sending(self, bulk_id: UUID | str) -> Sending:
        """Return how the messages of a bulk go out."""
        return self._sendings[self[bulk_id].uuid]

    def sent(self, bulk_id: UUID | str) -> int:
        """Return how many messages of a bulk have gone out by now."""
        return self.sending(bulk_id).count(self._clock.elapsed())

    def set_sent(self, bulk_id: UUID | str, sent: int) -> None:
        """Let so many messages of a bulk have gone out; the rest goes on from there."""
        bulk, now = self[bulk_id], self._clock.elapsed()
        sending = Sending(bulk.msg_total_count or 0, _checked(sent, bulk.msg_total_count or 0), now)
        following = self._next.get(bulk.uuid)
        if following is not None and following.status == BulkStatus.PROCESSED:
            sending = sending.going_on(now, following.due - now)
        self._sendings[bulk.uuid] = sending

    def cancel(self, bulk_id: UUID) -> Bulk:
        """Cancel a bulk, at once or in a while; return it as it is now."""
        bulk = self[bulk_id]
        if not self._pace.stops_after:
            return self.set_status(bulk_id, BulkStatus.CANCELED)
        following = self._next.get(bulk_id)
        if following is None or following.status != BulkStatus.CANCELED:
            due = self._clock.elapsed() + self._pace.stops_after
            self._plan(bulk_id, due, BulkStatus.CANCELED)
        return bulk

    def _move(self, bulk: Bulk, status: int, at: float) -> Bulk:
        date = self._clock.date(at).replace(microsecond=0)
        new = attrs.evolve(bulk, status_code=known_status(status), processed_at=date)
        sending = self._sendings[bulk.uuid].stopped(at)
        if status == BulkStatus.PROCESSED and sending.count(at) < sending.total:
            sending = Sending(sending.total, sending.total, at)
        self._enter(new, at, sending)
        return new

    def _enter(self, bulk: Bulk, at: float, sending: Sending) -> None:
        """Let a bulk be in its state since a time, and plan the next."""
        self._bulks[bulk.uuid] = bulk
        self._sendings[bulk.uuid] = sending
        self._next.pop(bulk.uuid, None)
        if bulk.status_code == BulkStatus.NEW and self._pace.starts_after is not None:
            if bulk.delivery_at is not None:
                at = max(at, self._clock.until(bulk.delivery_at))
            empty = bulk.msg_total_count == 0
            status = BulkStatus.NO_RECIPIENTS if empty else BulkStatus.IN_PROGRESS
            self._plan(bulk.uuid, at + self._pace.starts_after, status)
        elif bulk.status_code == BulkStatus.IN_PROGRESS and self._pace.sends_for is not None:
            self._sendings[bulk.uuid] = sending.going_on(at, self._pace.sends_for)
            self._plan(bulk.uuid, at + self._pace.sends_for, BulkStatus.PROCESSED)

    def _plan(self, bulk_id: UUID, due: float, status: BulkStatus) -> None:
        change = _Change(due, next(self._order), bulk_id, status)
        self._next[bulk_id] = change
        heappush(self._agenda, change)

    def _catch_up(self) -> None:
        """Carry out what has become due."""
        if not self._agenda:
            return
        now = self._clock.elapsed() + _ROUNDING
        with self._lock:
            while self._agenda and self._agenda[0].due <= now:
                change = heappop(self._agenda)
                if self._next.get(change.uuid) is change:
                    self._move(self._bulks[change.uuid], change.status, change.due)


def _checked(sent: int, total: int) -> int:
    if not 0 <= sent <= total:
        raise ValueError(f"sent is between 0 and the bulk's {total} messages")
    return sent


def known_status(status: int) -> BulkStatus | int:
    """Return the enum's member for a status, or the number of a new one."""
    try:
        return BulkStatus(status)
    except ValueError:
        return status


# --- what they can be found by
# Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _value(name: str) -> Callable[[Bulk], Any]:
    match name:
        case "created_at" | "processed_at":
            return lambda bulk: _seconds(getattr(bulk, name))
        case "delivery_at":
            return lambda bulk: _seconds(bulk.delivery_at) or 0
        case "uuid":
            return lambda bulk: str(bulk.uuid)
        case _:
            return lambda bulk: getattr(bulk, name)


def _rank(name: str) -> Callable[[Bulk], Any]:
    get = attrgetter(name)  # not the wire's value: there may be many bulks
    nothing = -1 if name == "msg_total_count" else _BEFORE_ALL
    return lambda bulk: nothing if (value := get(bulk)) is None else value


_RANGED: Final = ("created_at", "delivery_at", "processed_at", "msg_total_count")

BULK_FILTERS: Final = Filters[Bulk](
    value=_value,
    exact={
        "uuid": as_uuid,
        "status_code": as_integer,
        "service_code": as_text,
        "source": as_integer,
        "key_id": as_integer,
        **dict.fromkeys(_RANGED, as_integer),
    },
    ranged=_RANGED,
    partial=("text", "sender_id"),
    boolean=("is_unicode", "is_dryrun"),
    nullable=frozenset(a.name for a in attrs.fields(Bulk)) - {"extra", "_as_sent"},
    rank={name: _rank(name) for name in _RANGED},
    first=("created_at", True),
)
"""Those of the documentation, and some that it cuts off."""
