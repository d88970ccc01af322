"""One page of a listing, and how to read it.

Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/. Plain JSON is a bare
array; JSON-LD is the hydra envelope, whose members the vendor's pages call ``hydra:member``
up to version 2.25 and ``member`` in 2.27. That bulks and messages come in this envelope is
inferred from the other collections; both spellings of every key are read.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lox24_async.models import BulkPage, BulkT, ItemT, Page

from .json import is_list, is_object
from .requests import ACCEPT, LONG, STRUCTURE, Request


class PageRequest(Request[BulkPage[BulkT]]):
    """Its answer is one page of a listing."""

    __slots__ = ("_form", "_page")

    def __init__(self, query: str, page: int, form: type[BulkT]) -> None:
        super().__init__("GET", f"/bulks?{query}", ACCEPT[form], limit=LONG)
        self._form = form
        self._page = page

    @property
    def shown_path(self) -> str:
        """The path without the filter, which may hold words of other people's messages."""
        return f"/bulks?page={self._page}"

    def read(self, raw: Any) -> BulkPage[BulkT]:
        """Return the page."""
        structure, form = STRUCTURE[self._form], self._form
        read = read_page(raw, self._page, lambda item: self.sign(structure(item, form)))
        return BulkPage(read.items, read.page, read.total, read.next_page)


def read_page(
    raw: Any, page: int, structure: Callable[[Any], ItemT], noun: str = "bulks"
) -> Page[ItemT]:
    """Make a page of a decoded body.

    Args:
        raw: The body.
        page: The number that was asked for.
        structure: Makes an item of one member.
        noun: What the items are called.

    Raises:
        ValueError: it is no collection, or one of its members is not what it should be.
    """
    members = get(raw, "member") if is_object(raw) else raw
    if not is_list(members):
        raise ValueError(f"expected an array of {noun}, or a hydra collection")
    items = tuple(structure(member) for member in members)
    following = page + 1 if items else None
    if not is_object(raw):
        return Page(items, page, None, following)
    total = get(raw, "totalItems")
    view = get(raw, "view")
    if is_object(view):
        following = _page_in(get(view, "next"), following)
    elif type(total) is int and page == 1 and total == len(items):
        following = None
    return Page(items, page, total if type(total) is int and total >= 0 else None, following)


def get(raw: dict[str, Any], name: str) -> Any:
    """Return what an envelope has under a name, in either spelling."""
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
