"""The wire's rules: what a field may hold, and how it is written out again.

Strict where the truth depends on it (``uuid``, a bulk's ``status_code``), lenient elsewhere:
a field of an unexpected type becomes ``None`` and keeps its raw value in ``extra``. Nothing
is coerced.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import partial
from math import isfinite
from typing import Any, Final, TypeVar
from uuid import UUID

from cattrs.preconf.json import JsonConverter

from lox24_async._checks import BULK_ID
from lox24_async._log import log
from lox24_async._public import public
from lox24_async.models import (
    EPOCH,
    LANGS,
    SERVICES,
    STATUSES,
    Bulk,
    BulkMessage,
    BulkStatus,
    BulkT,
    JsonLdBulk,
    ServiceCode,
    VoiceLang,
)

from .json import is_list, is_object, read_json, write_json

T = TypeVar("T")

_STRICT: Final = frozenset({"uuid", "status_code"})
_UNEXPECTED: Final = object()
# A context of our own: Decimal() would make one for each task.
_exact: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_YEAR_3000: Final = 32_503_680_000
_SECOND: Final = timedelta(seconds=1)


# --- one rule per kind of field: raw value in, field's value or _UNEXPECTED out


def _known(members: Mapping[str, Any]) -> Callable[[Any], Any]:
    return lambda raw: members.get(raw, raw) if type(raw) is str else _UNEXPECTED


def _moment(raw: Any) -> Any:
    if type(raw) is not int:
        return _UNEXPECTED
    if 0 <= raw < _YEAR_3000:
        return datetime.fromtimestamp(raw, UTC)
    try:
        return EPOCH + timedelta(seconds=raw)  # slower, but of any year and on any platform
    except OverflowError:
        return _UNEXPECTED


def _moment_or_none(raw: Any) -> Any:
    return None if type(raw) is int and raw == 0 else _moment(raw)


def _id(raw: Any) -> Any:
    is_id = type(raw) is str and BULK_ID.fullmatch(raw) is not None
    return UUID(raw) if is_id else _UNEXPECTED


def _price(raw: Any) -> Any:
    if type(raw) is int:
        return _exact.create_decimal(raw)
    if type(raw) is float and isfinite(raw):
        return _exact.create_decimal(repr(raw))  # the digits as they came
    return _UNEXPECTED


def _items(*kinds: type) -> Callable[[Any], Any]:
    def rule(raw: Any) -> Any:
        if is_list(raw) and all(type(item) in kinds for item in raw):
            return tuple(raw)
        return _UNEXPECTED

    return rule


def _context(raw: Any) -> Any:
    return raw if type(raw) in (str, dict) else _UNEXPECTED


# Wire name: attribute, the type that is taken as it is, and a rule for all else.
_Rules = Mapping[str, tuple[str, type | None, Callable[[Any], Any] | None]]

_FIELDS: Final[_Rules] = {
    "delivery_at": ("delivery_at", None, _moment_or_none),
    "sender_id": ("sender_id", str, None),
    "text": ("text", str, None),
    "phones": ("phones", None, _items(str)),
    "msg_groups": ("msg_groups", None, _items(int, str)),
    "msg_total_count": ("msg_total_count", int, None),
    "created_at": ("created_at", None, _moment),
    "processed_at": ("processed_at", None, _moment),
    "ip": ("ip", str, None),
    "is_unicode": ("is_unicode", bool, None),
    "is_dryrun": ("is_dryrun", bool, None),
    "service_code": ("service_code", None, _known(SERVICES)),
    "key_id": ("key_id", int, None),
    "source": ("source", int, None),
    "voice_lang": ("voice_lang", None, _known(LANGS)),
    "is_text_deleted": ("is_text_deleted", bool, None),
    "price": ("price", None, _price),
}
_LD_FIELDS: Final[_Rules] = {
    **_FIELDS,
    "@id": ("ld_id", str, None),
    "@type": ("ld_type", str, None),
    "@context": ("ld_context", None, _context),
}
_MESSAGE_FIELDS: Final[_Rules] = {
    "bulk_id": ("bulk_id", None, _id),
    "phone": ("phone", str, None),
    "sender_id": ("sender_id", str, None),
    "text": ("text", str, None),
    "status_code": ("status_code", int, None),
    "dlr_code": ("dlr_code", int, None),
    "is_sent": ("is_sent", bool, None),
    "gateway_sent_at": ("gateway_sent_at", None, _moment_or_none),
    "delivery_at": ("delivery_at", None, _moment_or_none),
    "created_at": ("created_at", None, _moment),
    "parts_count": ("parts_count", int, None),
    "chars_count": ("chars_count", int, None),
    "price": ("price", None, _price),
    "iso2": ("iso2", str, None),
    "service_code": ("service_code", None, _known(SERVICES)),
    "callback_data": ("callback_data", str, None),
}


# --- a whole bulk or message, in and out


def _structure(rules: _Rules, raw: object, form: type[BulkT]) -> BulkT:
    reply, known, as_sent = _begin(raw)
    status = reply.get("status_code")
    if type(status) is not int:
        raise ValueError("status_code is missing or is no integer")
    known["status_code"] = STATUSES.get(status, status)
    _read_fields("bulk", rules, reply, known, as_sent)
    return form(**known)


def structure_message(raw: object, _: type[BulkMessage] = BulkMessage) -> BulkMessage:
    """Make a message of a decoded object.

    Raises:
        ValueError: it is none.
    """
    reply, known, as_sent = _begin(raw)
    _read_fields("message", _MESSAGE_FIELDS, reply, known, as_sent)
    return BulkMessage(**known)


def _begin(raw: object) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the reply, what is known of it (its id), and what that cannot give back."""
    if not is_object(raw):
        raise ValueError(f"expected a JSON object, got {type(raw).__name__}")
    uuid = raw.get("uuid")
    if type(uuid) is not str or BULK_ID.fullmatch(uuid) is None:
        raise ValueError("uuid is missing or is no UUID")
    return raw, {"uuid": UUID(uuid)}, {} if uuid == uuid.lower() else {"uuid": uuid}


def _read_fields(
    noun: str,
    rules: _Rules,
    raw: dict[str, Any],
    known: dict[str, Any],
    as_sent: dict[str, Any],
) -> None:
    """Add the fields of a reply to what is known of it, each by its rule."""
    extra: dict[str, Any] = {}
    odd = _sort_fields(rules, raw, known, extra, as_sent)
    if odd:
        log.warning("%s %s: unexpected type of %s; see extra", noun, raw["uuid"], ", ".join(odd))
    if extra:
        known["extra"] = extra
    if as_sent:
        known["as_sent"] = as_sent


def _sort_fields(
    rules: _Rules,
    raw: dict[str, Any],
    known: dict[str, Any],
    extra: dict[str, Any],
    as_sent: dict[str, Any],
) -> list[str]:
    """Sort the fields of a reply; return those of an unexpected type."""
    odd: list[str] = []
    for name, value in raw.items():
        rule = rules.get(name)
        if rule is None:
            if name not in _STRICT:
                extra[name] = value
            continue
        attribute, kind, parse = rule
        if value is None:
            as_sent[name] = None
        elif type(value) is kind:
            known[attribute] = value
        elif parse is None or (result := parse(value)) is _UNEXPECTED:
            extra[name] = value
            odd.append(f"{name} ({type(value).__name__})")
        elif result is None:
            as_sent[name] = value
        else:
            known[attribute] = result
            if type(result) is UUID and value != str(result):
                as_sent[name] = value
    return odd


def _write(value: Any) -> Any:
    """Give a field's value its wire form."""
    if isinstance(value, datetime):
        return (value - EPOCH) // _SECOND
    if isinstance(value, Decimal):
        # What came as 5 goes out as 5, what came as 5.0 or 1e23 as a float.
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, tuple):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, BulkStatus):
        return int(value)
    if isinstance(value, ServiceCode | VoiceLang | UUID):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


_OF_A_BULK: Final = ("uuid", "status_code")
_OF_A_MESSAGE: Final = ("uuid",)


def _unstructure(
    strict: tuple[str, ...], rules: _Rules, reply: Bulk | BulkMessage
) -> dict[str, Any]:
    as_sent = reply._as_sent  # pyright: ignore[reportPrivateUsage]
    out: dict[str, Any] = {name: _write(getattr(reply, name)) for name in strict}
    for name, (attribute, _, _) in rules.items():
        value = getattr(reply, attribute)
        if value is not None:
            out[name] = _write(value)
        elif name in as_sent and type(as_sent[name]) is not str:
            out[name] = as_sent[name]
    for name, value in as_sent.items():
        # An id in upper case, unless it was evolved.
        if type(value) is str and value.lower() == out.get(name):
            out[name] = value
    return {**reply.extra, **out}


# --- the converter


class _BulkConverter(JsonConverter):
    """Reads and writes JSON texts by our own rules for them."""

    def loads(self, data: bytes | str, cl: type[T], **_: Any) -> T:
        """Decode a JSON text and structure it."""
        return self.structure(read_json(data), cl)

    def dumps(self, obj: Any, unstructure_as: Any = None, **_: Any) -> str:
        """Unstructure an object and encode it as a JSON text."""
        return write_json(self.unstructure(obj, unstructure_as=unstructure_as))


@public
def make_converter() -> JsonConverter:
    """Return the cattrs converter that carries LOX24's wire rules.

    For every reply it holds ``unstructure(structure(reply, form)) == reply``, in both forms
    and with unknown fields.

    Returns:
        A ``cattrs.Converter`` with ``structure``, ``unstructure``, ``loads`` and ``dumps``
        for ``Bulk``, ``JsonLdBulk`` and ``BulkMessage``. Structuring raises ``ValueError``
        when ``uuid`` or a bulk's ``status_code`` is missing or of the wrong type, or the text
        is no JSON.
    """
    converter = _BulkConverter(detailed_validation=False)
    for form, rules in ((Bulk, _FIELDS), (JsonLdBulk, _LD_FIELDS)):
        converter.register_structure_hook(form, partial(_structure, rules))
        converter.register_unstructure_hook(form, partial(_unstructure, _OF_A_BULK, rules))
    converter.register_structure_hook(BulkMessage, structure_message)
    converter.register_unstructure_hook(
        BulkMessage, partial(_unstructure, _OF_A_MESSAGE, _MESSAGE_FIELDS)
    )
    return converter
