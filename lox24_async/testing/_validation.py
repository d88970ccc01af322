"""The body of ``POST /bulks``: which rules it must keep, and what it asks for.

Source: https://doc.lox24.eu/api/operations/api_bulks_post_collection/
Which fields are required is not documented but for the recipients; the rules for
``sender_id`` and ``text`` are those of the answer's schema.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, TypeGuard

from lox24_async import ServiceCode, VoiceLang

from ._shapes import Flaw

_SENDER: Final = re.compile(r"\+?[1-9][0-9]{0,14}|[a-zA-Z0-9 ]{1,11}")
_LONGEST_TEXT: Final = 1785
_YEAR_10000: Final = 253_402_300_800
_SERVICES: Final = {str(code): code for code in ServiceCode}
_LANGUAGES: Final = {str(lang): lang for lang in VoiceLang}

_MISSING: Final = object()


class NotAnObjectError(ValueError):
    """The body is no JSON object."""


def read_body(body: bytes) -> dict[str, Any]:
    """Decode a body.

    Raises:
        NotAnObjectError: it is no JSON object.
    """
    try:
        value = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotAnObjectError("The body is not JSON") from None
    if not isinstance(value, dict):
        raise NotAnObjectError("The body is not a JSON object")
    return value  # pyright: ignore[reportUnknownVariableType]


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def flaws_of(draft: Mapping[str, Any]) -> list[Flaw]:
    """Return all rules that a draft breaks; unknown properties do not count."""
    found: list[Flaw] = []
    for name, check in _CHECKS.items():
        said = check(draft.get(name, _MISSING))
        if said is not None:
            message, rule = said
            found.append(Flaw(name, message, rule))
    if not draft.get("phones") and not draft.get("msg_groups") and not _blames(found):
        found.append(Flaw("phones", "Either phones or msg_groups should be given.", "recipients"))
    return found


def _blames(flaws: list[Flaw]) -> bool:
    """Whether the recipients are wrong already."""
    return any(flaw.path in ("phones", "msg_groups") for flaw in flaws)


def fields_of(draft: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the bulk that a flawless draft asks for."""
    phones, groups = draft.get("phones"), draft.get("msg_groups")
    delivery_at = draft.get("delivery_at", 0)
    return {
        "sender_id": draft["sender_id"],
        "text": draft["text"],
        "phones": None if phones is None else tuple(phones),
        "msg_groups": None if groups is None else tuple(groups),
        "service_code": _SERVICES[draft.get("service_code", "direct")],
        "delivery_at": datetime.fromtimestamp(delivery_at, UTC) if delivery_at else None,
        "is_unicode": draft.get("is_unicode"),
        "source": draft.get("source"),
        "voice_lang": _LANGUAGES.get(draft.get("voice_lang") or ""),
    }


# --- one check per property: its value in, what is wrong (message and rule) or None out

_Said = tuple[str, str] | None
_BLANK: Final = ("This value should not be blank.", "not-blank")


def _type(expected: str) -> tuple[str, str]:
    return f"This value should be of type {expected}.", "type"


def _sender(value: object) -> _Said:
    if value is _MISSING or value is None or value == "":
        return _BLANK
    if not isinstance(value, str):
        return _type("string")
    if _SENDER.fullmatch(value) is None:
        return (
            "This value should be a number of up to 15 or a text of up to 11 characters.",
            "regex",
        )
    return None


def _text(value: object) -> _Said:
    if value is _MISSING or value is None or value == "":
        return _BLANK
    if not isinstance(value, str):
        return _type("string")
    if len(value) > _LONGEST_TEXT:
        return f"This value should have {_LONGEST_TEXT} characters or less.", "length"
    return None


def _phones(value: object) -> _Said:
    if _is_absent(value) or (_is_list(value) and all(isinstance(v, str) and v for v in value)):
        return None
    return _type("array of strings")


def _groups(value: object) -> _Said:
    if _is_absent(value) or (_is_list(value) and all(type(v) is int for v in value)):
        return None
    return _type("array of integers")


def _service(value: object) -> _Said:
    if value is _MISSING or (isinstance(value, str) and value in _SERVICES):
        return None
    if not isinstance(value, str):
        return _type("string")
    return "Service's code is invalid or unavailable.", "service"


def _language(value: object) -> _Said:
    if _is_absent(value) or (isinstance(value, str) and value in _LANGUAGES):
        return None
    if not isinstance(value, str):
        return _type("string|null")
    return "This language is not known.", "choice"


def _delivery(value: object) -> _Said:
    if value is _MISSING:
        return None
    if type(value) is not int:
        return _type("integer")
    return None if 0 <= value < _YEAR_10000 else ("This value is no valid timestamp.", "range")


def _unicode(value: object) -> _Said:
    return None if _is_absent(value) or isinstance(value, bool) else _type("boolean|null")


def _source(value: object) -> _Said:
    return None if _is_absent(value) or type(value) is int else _type("integer|null")


def _is_absent(value: object) -> bool:
    return value is _MISSING or value is None


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


_CHECKS: Final[Mapping[str, Callable[[object], _Said]]] = {
    "sender_id": _sender,
    "text": _text,
    "phones": _phones,
    "msg_groups": _groups,
    "service_code": _service,
    "delivery_at": _delivery,
    "is_unicode": _unicode,
    "source": _source,
    "voice_lang": _language,
}
