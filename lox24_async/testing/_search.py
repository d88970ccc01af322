"""Filters, order and pages of a collection, as LOX24's query parameters say them.

Source: https://doc.lox24.eu/info/collection-filters/ and
https://doc.lox24.eu/api/operations/api_bulks_get_collection/
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Any, Final

from attrs import fields, frozen

from lox24_async import Bulk

from ._shapes import Flaw

Query = Mapping[str, str | Mapping[str, str]]
Condition = Callable[[Bulk], bool]

_NAME: Final = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)
_DIRECTIONS: Final = {"asc": False, "": False, "desc": True}  # asc is the documented default


class InvalidQueryError(Exception):
    """A parameter that is known has a value that it cannot have."""

    def __init__(self, parameter: str, expected: str) -> None:
        super().__init__(parameter, expected)
        self.flaw = Flaw(parameter, f"This value should be {expected}.", "parameter")


@frozen
class Found:
    """One page of what was looked for."""

    members: Sequence[Bulk]
    page: int
    last: int
    total: int


def find(bulks: list[Bulk], pairs: Iterable[tuple[str, str]], page_size: int) -> Found:
    """Return the page that a query asks for.

    Args:
        bulks: All there are.
        pairs: The query's parameters, decoded.
        page_size: Members of one page.

    Raises:
        InvalidQueryError: a known parameter has an impossible value.
    """
    query = _read_query(pairs)
    page = _page_number(_one(query, "page", "1"))
    wanted = _conditions(query)
    if wanted:
        bulks = [bulk for bulk in bulks if all(fits(bulk) for fits in wanted)]
    ordered = _in_order(bulks, query)
    last = max(1, -(-len(ordered) // page_size))
    return Found(ordered[(page - 1) * page_size : page * page_size], page, last, len(ordered))


def _page_number(said: str) -> int:
    if not (said.isascii() and said.isdigit()) or not 0 < len(said.lstrip("0")) <= 18:
        raise InvalidQueryError("page", "an integer of 1 or more")
    return int(said)


def _read_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Read parameters as PHP does: ``a=1``, ``a[]=1``, ``a[0]=1`` and ``a[gt]=1``; the last wins.

    Returns:
        By name: the value, or the values by what stands in the brackets.
    """
    query: dict[str, Any] = {}
    for name, value in pairs:
        parsed = _NAME.fullmatch(name)
        if parsed is None:  # nested deeper: no parameter of a list
            continue
        base, key = parsed.groups()
        if key is None:
            query[base] = value
            continue
        if not isinstance(query.get(base), dict):
            query[base] = {}
        values: dict[str, str] = query[base]
        if not key:
            key = str(1 + max((int(k) for k in values if _INTEGER.fullmatch(k)), default=-1))
        values[key] = value
    return query


def _one(query: Query, name: str, default: str) -> str:
    """Return the value of a parameter that has no brackets."""
    value = query.get(name, default)
    if not isinstance(value, str):
        raise InvalidQueryError(name, "a single value")
    return value


# --- what a bulk holds, as it stands on the wire


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


# --- what a parameter says


def _text(_: str, value: str) -> str:
    return value


def _uuid(name: str, value: str) -> str:
    if _UUID.fullmatch(value) is None:
        raise InvalidQueryError(name, "a UUID in lower case")
    return value


def _integer(name: str, value: str) -> int:
    if _INTEGER.fullmatch(value) is None:
        raise InvalidQueryError(name, "an integer")
    return int(value)


def _boolean(name: str, value: str) -> bool:
    if value not in _BOOLEANS:
        raise InvalidQueryError(name, "true, false, 1 or 0")
    return _BOOLEANS[value]


_RANGED: Final = ("created_at", "delivery_at", "processed_at", "msg_total_count")
_EXACT: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "uuid": _uuid,
    "status_code": _integer,
    "service_code": _text,
    "source": _integer,
    "key_id": _integer,
    **dict.fromkeys(_RANGED, _integer),
}
_PARTIAL: Final = ("text", "sender_id")
_BOOLEAN: Final = ("is_unicode", "is_dryrun")
_NAMES: Final = frozenset(a.name for a in fields(Bulk)) - {"extra", "_as_sent"}
_COMPARISONS: Final = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def _conditions(query: Query) -> list[Condition]:
    """Return what a bulk must fulfil to be in the list; unknown parameters do not count.

    Raises:
        InvalidQueryError: a known parameter has an impossible value.
    """
    found: list[Condition] = []
    for name, said in query.items():
        if name in _EXACT:
            found += _exact(name, said)
        elif name in _PARTIAL:
            found += _partial(name, said)
        elif name in _BOOLEAN:
            found.append(partial(_is, _value(name), _boolean(name, _one(query, name, ""))))
        elif name == "exists":
            found += _exists(said)
    return found


def _exact(name: str, said: str | Mapping[str, str]) -> list[Condition]:
    found: list[Condition] = []
    value, parse = _value(name), _EXACT[name]
    wanted = {parse(name, text) for text in _several(said)}
    if wanted:
        found.append(lambda bulk: value(bulk) in wanted)
    if name in _RANGED and not isinstance(said, str):
        for key, text in said.items():
            found += _range(value, key, text, f"{name}[{key}]")
    return found


def _range(value: Callable[[Bulk], Any], key: str, text: str, name: str) -> list[Condition]:
    if key in _COMPARISONS:
        return [partial(_compare, value, _COMPARISONS[key], _integer(name, text))]
    if key == "between":
        first, dots, last = text.partition("..")
        if not dots:
            raise InvalidQueryError(name, "two integers with '..' between them")
        limits = _integer(name, first), _integer(name, last)
        return [partial(_compare, value, _is_between, limits)]
    return []


def _partial(name: str, said: str | Mapping[str, str]) -> list[Condition]:
    parts = [text.lower() for text in _several(said)]
    if not parts:
        return []
    value = _value(name)
    return [lambda bulk: any(part in (value(bulk) or "").lower() for part in parts)]


def _exists(said: str | Mapping[str, str]) -> list[Condition]:
    if isinstance(said, str):
        raise InvalidQueryError("exists", "given as exists[field]")
    found: list[Condition] = []
    for name, text in said.items():
        if name in _NAMES:
            wanted = _boolean(f"exists[{name}]", text)
            found.append(partial(_has, _value(name), wanted))
    return found


def _several(said: str | Mapping[str, str]) -> list[str]:
    """Return the values of which one is to fit: the plain one, or those with numbers."""
    if isinstance(said, str):
        return [said]
    return [text for key, text in said.items() if _INTEGER.fullmatch(key)]


def _is(value: Callable[[Bulk], Any], wanted: Any, bulk: Bulk) -> bool:
    return bool(value(bulk) is wanted)


def _has(value: Callable[[Bulk], Any], wanted: bool, bulk: Bulk) -> bool:
    return (value(bulk) is not None) is wanted


def _compare(
    value: Callable[[Bulk], Any], compare: Callable[[Any, Any], bool], limit: object, bulk: Bulk
) -> bool:
    actual = value(bulk)
    return actual is not None and compare(actual, limit)


def _is_between(actual: int, limits: tuple[int, int]) -> bool:
    return limits[0] <= actual <= limits[1]


# --- order


def _in_order(bulks: Iterable[Bulk], query: Query) -> list[Bulk]:
    """Return bulks in the order that a query asks for; the newest first if it does not.

    Raises:
        InvalidQueryError: a direction is neither ``asc`` nor ``desc``.
    """
    said = query.get("_order", {})
    if isinstance(said, str):
        raise InvalidQueryError("_order", "given as _order[field]")
    order: list[tuple[str, bool]] = []
    for name, text in said.items():
        if name in _RANGED:
            if text.lower() not in _DIRECTIONS:
                raise InvalidQueryError(f"_order[{name}]", "asc or desc")
            order.append((name, _DIRECTIONS[text.lower()]))
    result = list(bulks)
    for name, descending in reversed(order or [("created_at", True)]):
        result.sort(key=_rank(name), reverse=descending)
    return result


def _rank(name: str) -> Callable[[Bulk], Any]:
    """Return what to sort by: nothing comes before all else."""
    get = attrgetter(name)  # not the wire's value: there may be many bulks
    nothing = -1 if name == "msg_total_count" else _BEFORE_ALL
    return lambda bulk: nothing if (value := get(bulk)) is None else value
