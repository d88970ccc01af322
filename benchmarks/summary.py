"""A model of the status summary as one writes it by hand with attrs and cattrs."""

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from attrs import frozen
from cattrs import Converter


class Status(IntEnum):
    """Where a bulk stands."""

    NEW = 0
    IN_PROGRESS = 5
    PROCESSED = 10
    CANCELED = 15
    SYSTEM_ERROR = 20
    NO_RECIPIENTS = 201


class Service(StrEnum):
    """What carries the messages."""

    DIRECT = "direct"
    TEXT2SPEECH = "text2speech"
    TEXT2SPEECH_SSML = "text2speech_ssml"


@frozen
class Summary:
    """The answer to a cancel."""

    uuid: UUID
    status_code: Status
    delivery_at: datetime | None = None
    sender_id: str | None = None
    msg_total_count: int | None = None
    created_at: datetime | None = None
    processed_at: datetime | None = None
    ip: str | None = None
    is_unicode: bool | None = None
    is_dryrun: bool | None = None
    service_code: Service | None = None
    key_id: int | None = None
    source: int | None = None
    voice_lang: str | None = None
    is_text_deleted: bool | None = None
    price: float | None = None


_converter = Converter(detailed_validation=False)
_converter.register_structure_hook(UUID, lambda raw, _: UUID(raw))
_converter.register_structure_hook(datetime, lambda raw, _: datetime.fromtimestamp(raw, UTC))


def make_summary(raw: dict[str, Any]) -> Summary:
    """Make the model of a decoded answer."""
    return _converter.structure(raw, Summary)
