"""A walk over all pages of a listing that changes meanwhile: none twice, none missed.

Pages are numbered, so whatever leaves the listing before the place where one reads pulls all
later bulks forward, one of them onto a page that was read already. Read backwards, from the
last page to the first, they are pulled to where one has yet to read. So a listing that bulks
can leave is read forwards, which gives results at once, and then backwards, which gives what
slipped through. What was given already is known by its id.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final, Generic, Self, TypeVar

from ._fanout import Fanout
from .errors import NotFoundError
from .models import Bulk
from .pages import BulkPage

BulkT = TypeVar("BulkT", bound=Bulk)

_STALE: Final = 3  # pages with nothing new in a row: the server repeats itself


class Walk(Generic[BulkT]):
    """The new bulks of each page, page by page.

    Args:
        fetch: Gets a page by its number.
        back: Whether bulks can leave the listing while one walks.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[BulkPage[BulkT]]], *, back: bool) -> None:
        self._fetch = fetch
        self._back = back
        self._next: int | None = 1
        self._forward = True
        self._last = 0  # the last page that held anything
        self._stale = 0
        self._seen: set[int] = set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[BulkT]:
        while self._next is not None:
            number = self._next
            page = await self._get(number)
            new = [bulk for bulk in page.items if bulk.uuid.int not in self._seen]
            self._seen.update(bulk.uuid.int for bulk in new)
            if self._forward:
                self._go_on(page, stale=not new)
            else:
                self._next = number - 1 or None
            if new:
                return new
        raise StopAsyncIteration

    async def _get(self, number: int) -> BulkPage[BulkT]:
        try:
            return await self._fetch(number)
        except NotFoundError:
            if number == 1:
                raise
            return BulkPage((), number)  # some servers say so behind the last page

    def _go_on(self, page: BulkPage[BulkT], *, stale: bool) -> None:
        """Decide which page is next after one that was reached forwards."""
        if page.items:
            self._last = page.page
        self._stale = self._stale + 1 if stale else 0
        following = page.next_page
        if following is not None and following > page.page and self._stale < _STALE:
            self._next = following
            return
        self._forward = False
        # One page that is all there is was read in one moment.
        alone = page.page == 1 and following is None
        self._next = self._last if self._back and self._last and not alone else None


class BulkStream(Generic[BulkT]):
    """An async iterator over the bulks of a listing.

    The next page is fetched while the caller works on this one. Leaving it (``aclose``, or
    dropping it) stops the fetching at once.
    """

    def __init__(self, walk: AsyncIterator[list[BulkT]]) -> None:
        self._pages: Fanout[list[BulkT], list[BulkT]] = Fanout(walk, _as_it_is, width=1, ahead=1)
        self._bulks: Iterator[BulkT] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BulkT:
        for bulk in self._bulks:
            return bulk
        self._bulks = iter(await anext(self._pages))
        return next(self._bulks)  # no page comes empty

    async def aclose(self) -> None:
        """Stop, and wait until the fetching has ended."""
        self._bulks = iter(())
        await self._pages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _as_it_is(page: list[BulkT]) -> list[BulkT]:
    return page
