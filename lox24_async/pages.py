"""One page of a listing, and how to read it.

Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/. Plain JSON is a bare
array; JSON-LD is the hydra envelope, whose members the vendor's pages call ``hydra:member``
up to version 2.25 and ``member`` in 2.27. That bulks come in this envelope is inferred from
the other collections; both spellings of every key are read.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from attrs import frozen

from ._json import is_list, is_object
from ._public import public
from .models import Bulk

BulkT = TypeVar("BulkT", bound=Bulk)


@public
@frozen
class BulkPage(Generic[BulkT]):
    """One page of a listing.

    Attributes:
        items: The bulks on it, in the server's order.
        page: Its number, from 1.
        total: How many bulks there are on all pages; ``None`` if the server does not say
            (it does in JSON-LD only).
        next_page: The number of the next page; ``None``: this is the last one. Plain JSON
            has no links: there it is ``None`` only behind an empty page.
    """

    items: tuple[BulkT, ...]
    page: int
    total: int | None = None
    next_page: int | None = None


def read_page(raw: Any, page: int, structure: Callable[[Any], BulkT]) -> BulkPage[BulkT]:
    """Make a page of a decoded body.

    Args:
        raw: The body.
        page: The number that was asked for.
        structure: Makes a bulk of one member.

    Raises:
        ValueError: it is no collection, or one of its members is no bulk.
    """
    members = _get(raw, "member") if is_object(raw) else raw
    if not is_list(members):
        raise ValueError("expected an array of bulks, or a hydra collection")
    items = tuple(structure(member) for member in members)
    following = page + 1 if items else None
    if not is_object(raw):
        return BulkPage(items, page, None, following)
    total = _get(raw, "totalItems")
    view = _get(raw, "view")
    if is_object(view):
        following = _page_in(_get(view, "next"), following)
    elif type(total) is int and page == 1 and total == len(items):
        following = None
    return BulkPage(items, page, total if type(total) is int and total >= 0 else None, following)


def _get(raw: dict[str, Any], name: str) -> Any:
    return raw.get(f"hydra:{name}", raw.get(name))


def _page_in(iri: object, otherwise: int | None) -> int | None:
    """Return the page number in a link; no link: there is no such page."""
    if iri is None:
        return None
    try:
        (number,) = parse_qs(urlsplit(str(iri)).query)["page"]
        return int(number) if number.isascii() and number.isdigit() else otherwise
    except (KeyError, ValueError):
        return otherwise
