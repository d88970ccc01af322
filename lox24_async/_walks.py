"""Listings, from filter and order to pages and walks.

Imported on first use: who only cancels by id does not need it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from ._call import Call
from ._engine import Engine
from ._paging import BulkStream, Walk
from ._query import write_query
from ._requests import ACCEPT, LONG, STRUCTURE, Request
from .models import Bulk
from .pages import BulkPage, read_page
from .queries import BulkFilter, BulkOrder

BulkT = TypeVar("BulkT", bound=Bulk)
Order = BulkOrder | Sequence[BulkOrder] | None

_OLDEST_FIRST: Final = BulkOrder("created_at")  # what comes new comes last, and moves no page


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
        return read_page(raw, self._page, lambda item: structure(item, form))


def get_page(
    engine: Engine,
    page: int,
    wanted: BulkFilter | None,
    order: Order,
    form: type[BulkT],
    *,
    deadline: float | None,
) -> Awaitable[BulkPage[BulkT]]:
    """Get one page of a listing.

    Raises:
        ConfigurationError: ``wanted`` or ``order`` is of another type.
    """
    query = write_query(wanted, _OLDEST_FIRST if order is None else order, page)
    call = Call("", deadline, name=f"page {page} of a listing")
    return engine.perform(PageRequest(query, page, form), call)


def walk(
    engine: Engine,
    wanted: BulkFilter | None,
    order: Order,
    form: type[BulkT],
    begin: Callable[[], float | None],
) -> BulkStream[BulkT]:
    """Prepare a walk over all pages of a listing; it asks for its deadline when it begins.

    Raises:
        ConfigurationError: ``wanted`` or ``order`` is of another type.
    """
    write_query(wanted, order, 1)  # so that bad input is refused here and now
    deadlines: list[float | None] = []

    def fetch(page: int) -> Awaitable[BulkPage[BulkT]]:
        if not deadlines:
            deadlines.append(begin())
        return get_page(engine, page, wanted, order, form, deadline=deadlines[0])

    known = BulkFilter() if wanted is None else wanted
    return BulkStream(Walk(fetch, back=known.can_lose, again=known.can_gain))
