"""A walk over all pages of a listing that changes meanwhile: none twice, none missed.

Pages are numbered, so whatever leaves the listing before the place where one reads pulls all
later bulks forward, one of them onto a page that was read already. Read backwards, from the
last page to the first, they are pulled to where one has yet to read. So a listing that bulks
can leave is read forwards, which gives results at once, and then backwards, which gives what
slipped through. What was given already is known by its id.

Where bulks can also enter in the middle, one may slip through both ways. No number of passes
rules that out, but each makes it far rarer: such a listing is read until a pass brings nothing
new, at most four times.

A listing that nothing can leave is read forwards only, unless the server says at the end that
there is more than was seen: then once more, backwards.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import cache
from typing import Final, Generic, Self

from attrs import evolve

from lox24_async._public import public
from lox24_async._transport.call import Call
from lox24_async._transport.engine import Engine
from lox24_async._wire.pages import PageRequest
from lox24_async._wire.query import write_query
from lox24_async.errors import NotFoundError
from lox24_async.filters import BulkFilter, BulkOrder
from lox24_async.models import BulkPage, BulkT, ItemT, Page

from .workers import Job, WorkerStream

Order = BulkOrder | Sequence[BulkOrder] | None

_OLDEST_FIRST: Final = BulkOrder("created_at")  # what comes new comes last, and moves no page

_REPEATED: Final = 3  # pages in a row like the one before: the server repeats itself
_STALE: Final = 200  # pages in a row with nothing new: it goes in circles
_PASSES: Final = 4  # over a listing that bulks leave and enter anywhere


class Walk(Generic[ItemT]):
    """The new items of each page, page by page; an empty page where the first pass ends.

    Args:
        fetch: Gets a page by its number.
        back: Whether items can leave the listing while one walks.
        again: Whether they can enter it elsewhere than at its end, too.
    """

    def __init__(
        self,
        fetch: Callable[[int], Awaitable[Page[ItemT]]],
        *,
        back: bool,
        again: bool = False,
    ) -> None:
        self._fetch = fetch
        self._passes = (_PASSES if again else 2) if back else 1  # still to make
        self._news = False  # whether this pass has brought anything
        self._next: int | None = 1
        self._forward = True
        self._begun_again = False  # whether this is no longer the first pass
        self._turned = False  # the first pass has ended, and nobody was told
        self._last = 0  # the last page that held anything
        self._repeated = 0
        self._stale = 0
        self._patience = _STALE
        self._previous: set[int] = set()  # the items on the page before
        self._seen: set[int] = set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[ItemT]:
        while self._next is not None:
            if self._turned:
                self._turned = False
                return []
            number = self._next
            page = await self._get(number)
            found = {item.uuid.int: item for item in page.items}
            new = [item for key, item in found.items() if key not in self._seen]
            self._seen.update(found)
            self._news |= bool(new)
            if self._forward:
                self._repeated = self._repeated + 1 if found.keys() <= self._previous else 0
                self._previous = set(found)
                self._go_on(page, stale=not new)
            elif number > 1:
                self._next = number - 1
            else:
                self._turn()
            if new:
                return new
        raise StopAsyncIteration

    async def _get(self, number: int) -> Page[ItemT]:
        try:
            return await self._fetch(number)
        except NotFoundError:
            if number == 1:
                raise
            return Page((), number)  # some servers say so behind the last page

    def _go_on(self, page: Page[ItemT], *, stale: bool) -> None:
        """Decide which page is next after one that was reached forwards."""
        if page.items:
            self._last = page.page
        # A page without news need not be the end: items that come to meet a filter push others
        # over to later pages.
        self._stale = self._stale + 1 if stale else 0
        looping = self._repeated >= _REPEATED or self._stale >= self._patience
        following = page.next_page
        if following is not None and following > page.page and not looping:
            self._next = following
            return
        if page.page == 1 and following is None:  # all there is was read in one moment
            self._next = None
            return
        if page.total is not None and page.total > len(self._seen):
            self._passes = max(self._passes, 2)
        self._turn()

    def _turn(self) -> None:
        """Begin a pass in the other direction, unless that is of no use."""
        self._passes -= 1
        self._turned, self._begun_again = not self._begun_again, True
        if not self._passes or not self._news:
            self._next = None
            return
        self._forward, self._news = not self._forward, False
        self._next = 1 if self._forward else self._last
        self._repeated, self._stale, self._previous = 0, 0, set()
        self._patience = _STALE + self._last  # most of it is known by now


class PageStream(Generic[ItemT]):
    """An async iterator over what the pages of a walk hold."""

    def __init__(self, walk: AsyncIterator[list[ItemT]]) -> None:
        self._pages: WorkerStream[list[ItemT], list[ItemT]] = WorkerStream(
            Job(walk, _as_it_is), width=1, bound=2
        )
        self._items: Iterator[ItemT] = iter(())
        self._opening = asyncio.Lock()
        self._turned = False  # whether the first pass is over

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        for item in self._items:
            return item
        async with self._opening:  # of several readers, one
            while True:
                for item in self._items:
                    return item
                await self._open_page()

    async def next_page(self) -> list[ItemT]:
        """Return what is left of the page at hand, or what the next one holds."""
        async with self._opening:
            page = list(self._items)
            while not page:
                await self._open_page()
                page = list(self._items)
            self._items = iter(())
            return page

    async def _open_page(self) -> None:
        page = await anext(self._pages)
        self._items = iter(page)
        self._turned |= not page

    async def first_pass(self) -> AsyncIterator[ItemT]:
        """Yield what the first pass over the pages gives, from the first page to the last.

        Who goes on reading afterwards gets what slipped through, because the listing changed
        meanwhile. For one reader.
        """
        while not self._turned:
            for item in self._items:
                yield item
            try:
                await self._open_page()
            except StopAsyncIteration:
                return

    async def aclose(self) -> None:
        """Stop, and wait until the fetching has ended."""
        self._items = iter(())
        await self._pages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _as_it_is(page: list[ItemT]) -> list[ItemT]:
    return page


@public
class BulkStream(PageStream[BulkT]):
    """An async iterator over the bulks of a listing.

    The next page is fetched while the caller works on this one. Leaving it (``aclose``, or
    dropping it) stops the fetching at once. Several tasks may read from it.
    """


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


async def get_wanted_page(
    engine: Engine,
    page: int,
    wanted: BulkFilter | None,
    order: Order,
    form: type[BulkT],
    *,
    deadline: float | None,
) -> BulkPage[BulkT]:
    """Get what is wanted of one page: what LOX24 cannot filter is left out here.

    Raises:
        ConfigurationError: ``wanted`` or ``order`` is of another type.
    """
    got = await get_page(engine, page, wanted, order, form, deadline=deadline)
    if wanted is None or wanted.sender_id_exact is None:
        return got
    return evolve(got, items=tuple(bulk for bulk in got.items if wanted.meets_sender(bulk)))


def list_bulks(
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
    deadline = cache(begin)

    def fetch(page: int) -> Awaitable[BulkPage[BulkT]]:
        return get_page(engine, page, wanted, order, form, deadline=deadline())

    known = BulkFilter() if wanted is None else wanted
    walk = Walk(fetch, back=known.can_lose, again=known.can_gain)
    return BulkStream(walk if known.sender_id_exact is None else _OfSender(walk, known))


class _OfSender(Generic[BulkT]):
    """Leaves out what the server gave because its sender only contains the wanted one."""

    def __init__(self, walk: Walk[BulkT], wanted: BulkFilter) -> None:
        self._walk = walk
        self._wanted = wanted

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[BulkT]:
        async for page in self._walk:
            found = [bulk for bulk in page if self._wanted.meets_sender(bulk)]
            if found or not page:
                return found
        raise StopAsyncIteration
