"""Filters, order and pages of a collection, as LOX24's query parameters say them.

Source: https://doc.lox24.eu/info/collection-filters/
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from ._shapes import Flaw

T = TypeVar("T")
Query = Mapping[str, str | Mapping[str, str]]

_NAME: Final = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_DIRECTIONS: Final = {"asc": False, "": False, "desc": True}  # asc is the documented default
_COMPARISONS: Final = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class InvalidQueryError(Exception):
    """A parameter that is known has a value that it cannot have."""

    def __init__(self, parameter: str, expected: str) -> None:
        super().__init__(parameter, expected)
        self.flaw = Flaw(parameter, f"This value should be {expected}.", "parameter")


@frozen(kw_only=True)
class Filters(Generic[T]):
    """What the members of a collection can be found and ordered by."""

    value: Callable[[str], Callable[[T], Any]]
    """By a field's name: how to get its value, as it stands on the wire."""
    exact: Mapping[str, Callable[[str, str], Any]]
    """Fields to equal one of several values, and how to read these."""
    ranged: Sequence[str] = ()
    """Those of the exact ones, all integers, that know ranges too."""
    partial: Sequence[str] = ()
    """Texts to contain another, without regard to case."""
    boolean: Sequence[str] = ()
    nullable: frozenset[str] = frozenset()
    """Fields that may be asked for by ``exists``."""
    rank: Mapping[str, Callable[[T], Any]]
    """By a sortable field's name: what to sort by; nothing comes before all else."""
    first: tuple[str, bool] | None = None
    """The order of a query without one, and whether it descends; ``None``: as it comes."""


@frozen
class Found(Generic[T]):
    """One page of what was looked for."""

    members: Sequence[T]
    page: int
    last: int
    total: int


def find(items: Sequence[T], query: Query, filters: Filters[T], page_size: int) -> Found[T]:
    """Return the page that a query asks for.

    Args:
        items: All there are; only counted and cut, if the query has no filter and no order.
        query: What is asked for; unknown parameters do not count.
        filters: What can be asked for.
        page_size: Members of one page.

    Raises:
        InvalidQueryError: a known parameter has an impossible value.
    """
    page = _page_number(_one(query, "page", "1"))
    wanted = _conditions(query, filters)
    if wanted:
        items = [item for item in items if all(fits(item) for fits in wanted)]
    ordered = _in_order(items, query, filters)
    last = max(1, -(-len(ordered) // page_size))
    return Found(ordered[(page - 1) * page_size : page * page_size], page, last, len(ordered))


def _page_number(said: str) -> int:
    if not (said.isascii() and said.isdigit()) or not 0 < len(said.lstrip("0")) <= 18:
        raise InvalidQueryError("page", "an integer of 1 or more")
    return int(said)


def read_query(pairs: Iterable[tuple[str, str]]) -> Query:
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


# --- what a parameter says


def as_text(_: str, value: str) -> str:
    """Read a text."""
    return value


def as_uuid(name: str, value: str) -> str:
    """Read an id."""
    if _UUID.fullmatch(value) is None:
        raise InvalidQueryError(name, "a UUID in lower case")
    return value


def as_integer(name: str, value: str) -> int:
    """Read a number."""
    if _INTEGER.fullmatch(value) is None:
        raise InvalidQueryError(name, "an integer")
    return int(value)


def as_boolean(name: str, value: str) -> bool:
    """Read yes or no."""
    if value not in _BOOLEANS:
        raise InvalidQueryError(name, "true, false, 1 or 0")
    return _BOOLEANS[value]


# --- which items are meant


def _conditions(query: Query, filters: Filters[T]) -> list[Callable[[T], bool]]:
    """Return what an item must fulfil."""
    found: list[Callable[[T], bool]] = []
    for name, said in query.items():
        if name in filters.exact:
            found += _exact(name, said, filters)
        elif name in filters.partial:
            found += _partial(filters.value(name), said)
        elif name in filters.boolean:
            wanted = as_boolean(name, _one(query, name, ""))
            found.append(partial(_is, filters.value(name), wanted))
        elif name == "exists":
            found += _exists(said, filters)
    return found


def _exact(
    name: str, said: str | Mapping[str, str], filters: Filters[T]
) -> list[Callable[[T], bool]]:
    found: list[Callable[[T], bool]] = []
    value, parse = filters.value(name), filters.exact[name]
    wanted = {parse(name, text) for text in several(said)}
    if wanted:
        found.append(lambda item: value(item) in wanted)
    if name in filters.ranged and not isinstance(said, str):
        for key, text in said.items():
            found += _range(value, key, text, f"{name}[{key}]")
    return found


def _range(value: Callable[[T], Any], key: str, text: str, name: str) -> list[Callable[[T], bool]]:
    if key in _COMPARISONS:
        return [partial(_compare, value, _COMPARISONS[key], as_integer(name, text))]
    if key == "between":
        first, dots, last = text.partition("..")
        if not dots:
            raise InvalidQueryError(name, "two integers with '..' between them")
        limits = as_integer(name, first), as_integer(name, last)
        return [partial(_compare, value, _is_between, limits)]
    return []


def _partial(value: Callable[[T], Any], said: str | Mapping[str, str]) -> list[Callable[[T], bool]]:
    parts = [text.lower() for text in several(said)]
    if not parts:
        return []
    return [lambda item: any(part in (value(item) or "").lower() for part in parts)]


def _exists(said: str | Mapping[str, str], filters: Filters[T]) -> list[Callable[[T], bool]]:
    if isinstance(said, str):
        raise InvalidQueryError("exists", "given as exists[field]")
    found: list[Callable[[T], bool]] = []
    for name, text in said.items():
        if name in filters.nullable:
            wanted = as_boolean(f"exists[{name}]", text)
            found.append(partial(_has, filters.value(name), wanted))
    return found


def several(said: str | Mapping[str, str]) -> list[str]:
    """Return the values of which one is to fit: the plain one, or those with numbers."""
    if isinstance(said, str):
        return [said]
    return [text for key, text in said.items() if _INTEGER.fullmatch(key)]


def _is(value: Callable[[T], Any], wanted: Any, item: T) -> bool:
    return bool(value(item) is wanted)


def _has(value: Callable[[T], Any], wanted: bool, item: T) -> bool:
    return (value(item) is not None) is wanted


def _compare(
    value: Callable[[T], Any], compare: Callable[[Any, Any], bool], limit: object, item: T
) -> bool:
    actual = value(item)
    return actual is not None and compare(actual, limit)


def _is_between(actual: int, limits: tuple[int, int]) -> bool:
    return limits[0] <= actual <= limits[1]


# --- order


def _in_order(items: Sequence[T], query: Query, filters: Filters[T]) -> Sequence[T]:
    said = query.get("_order", {})
    if isinstance(said, str):
        raise InvalidQueryError("_order", "given as _order[field]")
    order: list[tuple[str, bool]] = []
    for name, text in said.items():
        if name in filters.rank:
            if text.lower() not in _DIRECTIONS:
                raise InvalidQueryError(f"_order[{name}]", "asc or desc")
            order.append((name, _DIRECTIONS[text.lower()]))
    if not order and filters.first is not None:
        order.append(filters.first)
    if not order:
        return items
    result = list(items)
    for name, descending in reversed(order):
        result.sort(key=filters.rank[name], reverse=descending)
    return result
