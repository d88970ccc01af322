"""The forms in which the gateway describes a bulk."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from lox24_async import Bulk, make_converter

Version = Literal["2.24", "2.27"]
"""The documentation's version: what lists and status summaries look like."""

CONTEXT: Final[Mapping[str, Any]] = {"hydra": "http://www.w3.org/ns/hydra/core#"}

# What LOX24 documents as nullable, or as 0, where nothing is known.
_EMPTY: Final[Mapping[str, Any]] = {
    "delivery_at": 0,
    "phones": None,
    "msg_groups": None,
    "processed_at": None,
    "is_unicode": None,
    "source": None,
    "voice_lang": None,
}
_NOT_IN_SUMMARY: Final[Mapping[Version, tuple[str, ...]]] = {
    "2.24": ("text", "phones", "msg_groups", "sender_id"),
    "2.27": ("text", "phones", "msg_groups"),
}
_converter = make_converter()


def full(bulk: Bulk) -> dict[str, Any]:
    """Return a bulk with all its fields, in plain JSON."""
    return {**_EMPTY, **_converter.unstructure(bulk)}


def summary(bulk: Bulk, version: Version) -> dict[str, Any]:
    """Return the status summary that answers a cancel or a look, in plain JSON."""
    hidden = _NOT_IN_SUMMARY[version]
    return {name: value for name, value in full(bulk).items() if name not in hidden}


def linked(plain: Mapping[str, Any], *, member: bool = False) -> dict[str, Any]:
    """Return the JSON-LD form of a description; a list's member has no context."""
    # The value of @type is not documented; the pages show class names for other resources.
    names = {"@id": f"/bulks/{plain['uuid']}", "@type": "Bulk"}
    return {**names, **plain} if member else {"@context": CONTEXT, **names, **plain}
