"""A bulk, its states, the two forms in which LOX24 describes it, its messages, and a page.

These classes know nothing of JSON; the wire's rules stand in ``_wire/converter``.

Source: https://doc.lox24.eu/api/operations/api_bulks_get_item/,
https://doc.lox24.eu/api/operations/api_bulks_put_cancel_item/ and
https://doc.lox24.eu/api/operations/api_sms_get_item/
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, Final, Generic, Self, TypeVar
from uuid import UUID

from attrs import field, fields, frozen

from ._public import public

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@public
class BulkStatus(IntEnum):
    """Where a bulk stands; the numbers are LOX24's."""

    NEW = 0
    """Accepted, nothing sent yet. Can be cancelled."""
    IN_PROGRESS = 5
    """Being sent. Can be cancelled for the messages that are not sent yet."""
    PROCESSED = 10
    """Sent to the end: too late to cancel."""
    CANCELED = 15
    """Cancelled by the user."""
    SYSTEM_ERROR = 20
    """Ended by an error on LOX24's side."""
    NO_RECIPIENTS = 201
    """Ended because no recipient was found."""


@public
class ServiceCode(StrEnum):
    """The gateway that carries a bulk's messages."""

    DIRECT = "direct"
    TEXT2SPEECH = "text2speech"
    TEXT2SPEECH_SSML = "text2speech_ssml"


@public
class VoiceLang(StrEnum):
    """The language of a text-to-speech call; absent means that LOX24 detects it."""

    BG = "BG"
    CS = "CS"
    DA = "DA"
    DE = "DE"
    EN = "EN"
    ES = "ES"
    FI = "FI"
    FR = "FR"
    HR = "HR"
    HU = "HU"
    IT = "IT"
    NL = "NL"
    PL = "PL"
    PT = "PT"
    RO = "RO"
    RU = "RU"
    SK = "SK"
    SV = "SV"
    TR = "TR"
    UK = "UK"
    """Ukrainian."""


STATUSES: Final[Mapping[int, BulkStatus]] = {int(status): status for status in BulkStatus}
SERVICES: Final[Mapping[str, ServiceCode]] = {str(code): code for code in ServiceCode}
LANGS: Final[Mapping[str, VoiceLang]] = {str(lang): lang for lang in VoiceLang}

# Tuples: to find an enum's member in a set calls its __hash__, which is written in Python.
FINAL: Final = (
    BulkStatus.CANCELED,
    BulkStatus.PROCESSED,
    BulkStatus.SYSTEM_ERROR,
    BulkStatus.NO_RECIPIENTS,
)
"""Where nothing more happens to a bulk."""
CANCELABLE: Final = (BulkStatus.NEW, BulkStatus.IN_PROGRESS)
"""Where a cancel can still stop messages."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""What the wire's date-times count from; as a ``delivery_at`` it stands for "at once"."""


def _read_only(value: Any) -> Any:
    """Wrap a mapping so that a frozen model stays frozen; let all else pass."""
    if value is _EMPTY or not isinstance(value, Mapping):
        return value
    mapping: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    return MappingProxyType(dict(mapping)) if mapping else _EMPTY


def _plain(value: Any) -> Any:
    """Undo ``_read_only``: a mappingproxy cannot be pickled, a dict can."""
    if not isinstance(value, Mapping):
        return value
    mapping: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    return dict(mapping)


class _Reply:
    """What a reply was made into: frozen, with read-only mappings that can be pickled."""

    __slots__ = ()

    def __getstate__(self) -> dict[str, Any]:
        return {a.name: _plain(getattr(self, a.name)) for a in fields(type(self))}  # type: ignore[arg-type]  # attrs classes only

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, _read_only(value))

    def __copy__(self) -> Self:
        return self  # frozen


@public
@frozen(kw_only=True, getstate_setstate=False)
class Bulk(_Reply):
    """One bulk as LOX24 reported it, in plain JSON.

    Only ``uuid`` and ``status_code`` are certain. Every other field is ``None`` when the
    reply left it out, said ``null``, or held something of an unexpected type; in the last
    case the raw value is in ``extra`` under the field's name. Date-times are aware and in
    UTC; a ``delivery_at`` of ``None`` also stands for "at once" (0 on the wire).

    ``repr`` leaves out the text and the recipients: they are other people's data.
    """

    uuid: UUID
    status_code: BulkStatus | int
    delivery_at: datetime | None = None
    sender_id: str | None = None
    text: str | None = field(default=None, repr=False)
    phones: tuple[str, ...] | None = field(default=None, repr=False)
    msg_groups: tuple[int | str, ...] | None = None
    msg_total_count: int | None = None
    created_at: datetime | None = None
    processed_at: datetime | None = None
    ip: str | None = None
    is_unicode: bool | None = None
    is_dryrun: bool | None = None
    service_code: ServiceCode | str | None = None
    key_id: int | None = None
    source: int | None = None
    voice_lang: VoiceLang | str | None = None
    is_text_deleted: bool | None = None
    price: Decimal | None = None
    extra: Mapping[str, Any] = field(default=_EMPTY, converter=_read_only, repr=False, hash=False)
    """Whatever else the reply held, by its wire name. Read-only."""
    request_id: str | None = field(default=None, eq=False)
    """``X-LOX24-REQUEST-ID`` of the answer that it came with, to quote to LOX24's support.

    No field of the wire: not compared, not written out.
    """
    _as_sent: Mapping[str, Any] = field(
        default=_EMPTY, alias="as_sent", converter=_read_only, repr=False, eq=False, hash=False
    )
    # The raw values that the fields above cannot give back by themselves (null against
    # absent, 0 against null): the reply can be written out again as it came.

    @property
    def is_immediate(self) -> bool:
        """Whether LOX24 said that the bulk is sent at once (a ``delivery_at`` of 0)."""
        said = self._as_sent.get("delivery_at")
        return said is not None and self.delivery_at is None

    @property
    def is_canceled(self) -> bool:
        """Whether LOX24 says that the bulk is cancelled."""
        return self.status_code == BulkStatus.CANCELED

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the bulk."""
        return self.status_code in FINAL

    @property
    def is_cancelable(self) -> bool:
        """Whether a cancel can still stop messages of the bulk."""
        return self.status_code in CANCELABLE


@public
@frozen(kw_only=True, getstate_setstate=False)
class JsonLdBulk(Bulk):
    """One bulk as LOX24 reported it, in JSON-LD: the same, with the linked-data names."""

    ld_id: str | None = None
    """The bulk's IRI (``@id``)."""
    ld_type: str | None = None
    """The JSON-LD type (``@type``). Its value is not documented; do not match on it."""
    ld_context: str | Mapping[str, Any] | None = field(
        default=None, converter=_read_only, repr=False, hash=False
    )
    """The JSON-LD context (``@context``): an IRI or a mapping."""


@public
@frozen(kw_only=True, getstate_setstate=False)
class BulkMessage(_Reply):
    """One message of a bulk as LOX24 reported it.

    Only ``uuid`` is certain. Every other field is ``None`` when the reply left it out, said
    ``null``, or held something of an unexpected type; in the last case the raw value is in
    ``extra`` under the field's name. Date-times are aware and in UTC; where the wire has 0
    they are ``None``: a ``delivery_at`` of "at once", a ``gateway_sent_at`` of "not yet".

    ``repr`` leaves out the text and the recipient: they are other people's data.

    Names and types of the fields are those of LOX24's own PHP client and of the page for a
    single message.
    """

    uuid: UUID
    bulk_id: UUID | None = None
    """The bulk that it belongs to."""
    phone: str | None = field(default=None, repr=False)
    sender_id: str | None = None
    text: str | None = field(default=None, repr=False)
    status_code: int | None = None
    """0, 100, 208, 400, 410, 2000, 3000, 5000 or 6000 (LOX24's own numbers), or a new one."""
    dlr_code: int | None = None
    """What the delivery report said: 0, 1, 2, 4, 8 or 16, or a new one."""
    is_sent: bool | None = None
    """Whether it went out. ``None``: LOX24 did not say."""
    gateway_sent_at: datetime | None = None
    """When it was handed to the mobile network."""
    delivery_at: datetime | None = None
    created_at: datetime | None = None
    parts_count: int | None = None
    chars_count: int | None = None
    price: Decimal | None = None
    iso2: str | None = None
    """The recipient's country, two letters."""
    service_code: ServiceCode | str | None = None
    callback_data: str | None = None
    extra: Mapping[str, Any] = field(default=_EMPTY, converter=_read_only, repr=False, hash=False)
    """Whatever else the reply held, by its wire name. Read-only."""
    _as_sent: Mapping[str, Any] = field(
        default=_EMPTY, alias="as_sent", converter=_read_only, repr=False, eq=False, hash=False
    )


def urgency(bulk: Bulk) -> tuple[bool, int]:
    """Return by what bulks are sorted that are to be stopped: what is being sent, what is large."""
    return bulk.status_code != BulkStatus.IN_PROGRESS, -(bulk.msg_total_count or 0)


BulkT = TypeVar("BulkT", bound=Bulk)
ItemT = TypeVar("ItemT", bound=Bulk | BulkMessage)


@frozen
class Page(Generic[ItemT]):
    """One page of a listing of anything; see ``BulkPage``."""

    items: tuple[ItemT, ...]
    page: int
    total: int | None = None
    next_page: int | None = None


@public
@frozen
class BulkPage(Page[BulkT]):
    """One page of a listing.

    Attributes:
        items: The bulks on it, in the server's order.
        page: Its number, from 1.
        total: How many bulks there are on all pages; ``None`` if the server does not say
            (it does in JSON-LD only).
        next_page: The number of the next page; ``None``: this is the last one. Plain JSON
            has no links: there it is ``None`` only behind an empty page.
    """
