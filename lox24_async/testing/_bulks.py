"""The gateway's postbox: the bulks, and what may be done with them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import attrs

from lox24_async import Bulk, BulkStatus, ServiceCode, make_converter

_FULL_ONLY = ("text", "phones", "msg_groups")  # not in the answers of status and cancel
_converter = make_converter()


class Bulks(Mapping[UUID, Bulk]):
    """All bulks as the gateway sees them now, by id (``UUID`` or string)."""

    def __init__(self) -> None:
        self._bulks: dict[UUID, Bulk] = {}

    def __getitem__(self, bulk_id: UUID | str) -> Bulk:
        return self._bulks[bulk_id if isinstance(bulk_id, UUID) else UUID(bulk_id)]

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._bulks)

    def __len__(self) -> int:
        return len(self._bulks)

    def add(self, status: int, **fields: Any) -> Bulk:
        """Put in a bulk, with sensible values for what is not given."""
        now = datetime.now(UTC).replace(microsecond=0)
        known: dict[str, Any] = {
            "uuid": uuid4(),
            "sender_id": "fake",
            "text": "Hello",
            "phones": ("+491701234567",),
            "msg_total_count": 1,
            "created_at": now,
            "ip": "127.0.0.1",
            "is_unicode": False,
            "is_dryrun": False,
            "is_text_deleted": False,
            "service_code": ServiceCode.DIRECT,
            "key_id": 1,
        }
        known |= fields
        bulk = Bulk(status_code=known_status(status), **known)
        self._bulks[bulk.uuid] = bulk
        return bulk

    def set_status(self, bulk_id: UUID | str, status: int) -> Bulk:
        """Move a bulk to another state."""
        old = self[bulk_id]
        now = datetime.now(UTC).replace(microsecond=0)
        new = attrs.evolve(old, status_code=known_status(status), processed_at=now)
        self._bulks[old.uuid] = new
        return new


def known_status(status: int) -> BulkStatus | int:
    """Return the enum's member for a status, or the number of a new one."""
    try:
        return BulkStatus(status)
    except ValueError:
        return status


def summary(bulk: Bulk, *, json_ld: bool) -> dict[str, Any]:
    """Return the status summary that LOX24 answers to a cancel or a look."""
    plain = {k: v for k, v in _converter.unstructure(bulk).items() if k not in _FULL_ONLY}
    if not json_ld:
        return plain
    return {
        "@context": {"hydra": "http://www.w3.org/ns/hydra/core#"},
        "@id": f"/bulks/{bulk.uuid}",
        "@type": "Bulk",
        **plain,
    }
