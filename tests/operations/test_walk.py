"""The walk over a listing that changes: none missed, none twice, and an end."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from lox24_async import Bulk, BulkPage, NotFoundError, ServerError
from lox24_async._operations.listing import Walk
from lox24_async.models import Page

Change = Callable[["Server"], object]
FORMS = pytest.mark.parametrize("linked", [False, True], ids=["plain", "linked"])


def page_of(number: int, members: Iterable[int], following: int | None) -> BulkPage[Bulk]:
    """Return a page; a bulk's id is its number."""
    items = tuple(Bulk(uuid=UUID(int=member), status_code=0) for member in members)
    return BulkPage(items, number, None, following)


class Server:
    """A listing in which new bulks come last, and what one asks it for.

    Args:
        members: What is in it.
        size: Bulks on a page.
        linked: Whether it links the next page, as JSON-LD does.
        missing: Whether there is a 404 behind the last page.
    """

    def __init__(
        self, members: Iterable[int], size: int, *, linked: bool = False, missing: bool = False
    ) -> None:
        self.members = list(members)
        self.size = size
        self.linked = linked
        self.missing = missing
        self.asked: list[int] = []
        self.before: dict[int, Change] = {}
        """Changes, by the number of reads (from 0) that they come before."""

    async def fetch(self, page: int) -> BulkPage[Bulk]:
        """Answer as a server does."""
        change = self.before.get(len(self.asked))
        if change is not None:
            change(self)
        self.asked.append(page)
        found = self.members[(page - 1) * self.size : page * self.size]
        if self.missing and not found and page > 1:
            raise NotFoundError("not found", status=404)
        if self.linked:
            return page_of(page, found, page + 1 if page * self.size < len(self.members) else None)
        return page_of(page, found, page + 1 if found else None)

    def remove(self, *gone: int) -> None:
        """Let bulks leave the listing."""
        self.members = [member for member in self.members if member not in gone]


def at_once(task: Coroutine[Any, Any, list[list[int]]]) -> list[list[int]]:
    """Run what never waits, without a loop."""
    try:
        task.send(None)
    except StopIteration as end:
        result: list[list[int]] = end.value
        return result
    raise AssertionError("it waited")


def walk(
    fetch: Callable[[int], Awaitable[Page[Bulk]]], *, back: bool = False, again: bool = False
) -> list[list[int]]:
    """Return what comes of a walk, page by page."""

    async def collect() -> list[list[int]]:
        pages = Walk(fetch, back=back, again=again)
        return [[bulk.uuid.int for bulk in page] async for page in pages if page]

    return at_once(collect())


def scripted(pages: dict[int, BulkPage[Bulk]], asked: list[int]) -> Any:
    """Return a fetch that knows some pages; a walk that goes on forever is stopped."""

    async def fetch(page: int) -> BulkPage[Bulk]:
        asked.append(page)
        assert len(asked) < 1_000, "it does not end"
        return pages.get(page, page_of(page, (), None))

    return fetch


# --- a listing that stands still


@FORMS
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7, 20])
@pytest.mark.parametrize("size", [1, 3, 50])
def test_each_once_in_order(linked: bool, back: bool, missing: bool, count: int, size: int) -> None:
    """All bulks come in the server's order, and no page comes empty."""
    server = Server(range(count), size, linked=linked, missing=missing)
    pages = walk(server.fetch, back=back)
    assert list(range(count)) == [member for page in pages for member in page]
    assert [] not in pages


@FORMS
def test_page_that_is_all_is_read_once(linked: bool) -> None:
    """One page was read in one moment: nothing can have slipped through."""
    server = Server(range(3), 5, linked=linked)
    walk(server.fetch, back=True)
    assert ([1] if linked else [1, 2, 1]) == server.asked  # plain JSON does not say that it is all


@FORMS
@pytest.mark.parametrize("back", [False, True])
def test_empty_listing_costs_one_request(linked: bool, back: bool) -> None:
    """Nothing there, nothing more to ask."""
    server = Server((), 5, linked=linked)
    assert [] == walk(server.fetch, back=back)
    assert [1] == server.asked


def test_order_of_the_requests() -> None:
    """Forwards to the end, then backwards if bulks can leave; plain JSON needs one page more."""
    expected = {
        (True, False): [1, 2, 3],
        (True, True): [1, 2, 3, 3, 2, 1],
        (False, False): [1, 2, 3, 4],
        (False, True): [1, 2, 3, 4, 3, 2, 1],
    }
    asked: dict[tuple[bool, bool], list[int]] = {}
    for linked, back in expected:
        server = Server(range(6), 2, linked=linked)
        walk(server.fetch, back=back)
        asked[linked, back] = server.asked
    assert expected == asked


# --- a listing that changes


@FORMS
def test_slipped_through_comes_last(linked: bool) -> None:
    """Two leave page 1 after it was read: two of page 2 move there, and are found backwards."""
    server = Server(range(9), 3, linked=linked)
    server.before[1] = lambda s: s.remove(0, 1)
    assert [[0, 1, 2], [5, 6, 7], [8], [3, 4]] == walk(server.fetch, back=True)


@FORMS
def test_all_of_a_page_leaves(linked: bool) -> None:
    """Page 2 becomes page 1 while the walk goes on to page 2."""
    server = Server(range(6), 3, linked=linked)
    server.before[1] = lambda s: s.remove(0, 1, 2)
    assert [[0, 1, 2], [3, 4, 5]] == walk(server.fetch, back=True)


@FORMS
def test_leaving_during_the_way_back(linked: bool) -> None:
    """What leaves meanwhile pulls bulks to pages that are still to be read."""
    server = Server(range(9), 3, linked=linked)
    server.before[1] = lambda s: s.remove(0)  # 3 slips to page 1
    server.before[3 if linked else 4] = lambda s: s.remove(1, 2, 4)
    server.before[4 if linked else 5] = lambda s: s.remove(5, 6)
    assert {0, 1, 2, 3, 4, 5, 6, 7, 8} == {
        m for page in walk(server.fetch, back=True) for m in page
    }


@FORMS
@pytest.mark.parametrize("back", [False, True])
def test_new_ones_come_last(linked: bool, back: bool) -> None:
    """What is added while one walks is found, if there is a page yet to read."""
    server = Server(range(4), 2, linked=linked)
    server.before[1] = lambda s: s.members.extend([4, 5, 6])
    assert [[0, 1], [2, 3], [4, 5], [6]] == walk(server.fetch, back=back)


@FORMS
def test_moved_to_a_later_page_is_not_given_twice(linked: bool) -> None:
    """Newest first, every new bulk pushes one over: it is known by its id."""
    server = Server(range(6), 2, linked=linked)
    server.before[1] = lambda s: s.members.insert(0, 100)
    server.before[2] = lambda s: s.members.insert(0, 101)
    assert [[0, 1], [2], [3], [4, 5]] == walk(server.fetch)


@FORMS
@pytest.mark.parametrize("enter", [1, 2, 3, 4, 5, 6, 7, 50])
@pytest.mark.parametrize("back", [False, True])
def test_many_enter_before_the_place_of_reading(linked: bool, enter: int, back: bool) -> None:
    """Page after page brings nothing new, but each another one: there is more to come.

    So it is when one lists what is processed, and much is being processed.
    """
    server = Server(range(20), 3, linked=linked)
    for read in range(1, 12):
        if enter != server.size:  # then each page is the one before: no one could tell
            server.before[read] = lambda s: s.members.__setitem__(
                slice(0, 0), range(s.members[0] + 1000, s.members[0] + 1000 + enter)
            )
    found = [member for page in walk(server.fetch, back=back) for member in page]
    assert set(range(20)) <= set(found)
    assert len(found) == len(set(found))


def test_same_bulk_twice_on_a_page() -> None:
    """A server that lists a bulk twice does not make us do so."""
    asked: list[int] = []
    found = walk(scripted({1: page_of(1, [1, 2, 1, 1], None)}, asked))
    assert [[1, 2]] == found


@st.composite
def histories(draw: st.DrawFn) -> Server:
    """Draw a listing, and what happens to it while one reads."""
    count = draw(st.integers(0, 30))
    server = Server(
        range(count),
        draw(st.sampled_from([1, 2, 3, 5, 7, 100])),
        linked=draw(st.booleans()),
        missing=draw(st.booleans()),
    )
    fresh = iter(range(1_000, 10_000))

    def change(added: int, gone: set[int]) -> Change:
        def apply(at: Server) -> None:
            at.members = [m for place, m in enumerate(at.members) if place not in gone]
            at.members += [next(fresh) for _ in range(added)]

        return apply

    changes = draw(
        st.lists(st.tuples(st.integers(0, 4), st.sets(st.integers(0, 29), max_size=4)), max_size=40)
    )
    server.before = {read: change(*one) for read, one in enumerate(changes, 1)}
    return server


@settings(max_examples=400, deadline=None)
@given(histories())
def test_whatever_is_added_and_leaves(server: Server) -> None:
    """None missed that was there all the time, none twice, none that never was; and it ends."""
    at_first = set(server.members)
    found = [member for page in walk(server.fetch, back=True) for member in page]
    assert len(found) == len(set(found))
    assert at_first & set(server.members) <= set(found)
    assert len(server.asked) < 2 * (30 + 40 * 4 + 3)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=40), st.sampled_from([1, 2, 4, 10, 13]), st.booleans())
def test_whatever_enters_before(entries: list[int], size: int, linked: bool) -> None:
    """Bulks that come to meet a filter push others to later pages, where one finds them."""
    server = Server(range(25), size, linked=linked)
    fresh = iter(range(1_000, 10_000))

    def change(count: int) -> Change:
        def apply(at: Server) -> None:
            at.members[:0] = [next(fresh) for _ in range(count)]

        return apply

    # Of exactly a page each time, no one could tell it from a server that repeats itself.
    server.before = {n: change(count) for n, count in enumerate(entries, 1) if count != size}
    found = [member for page in walk(server.fetch) for member in page]
    assert len(found) == len(set(found))
    assert set(range(25)) <= set(found)


# --- a listing that bulks leave and enter


def slippery(server: Server) -> Server:
    """Let bulk 3 slip to page 1 before page 2 is read, and back before page 1 is."""
    server.before[1] = lambda s: s.remove(0)
    # Backwards: page 3, page 2, and then one enters before page 1 is read.
    reads = 5 if server.linked else 6
    server.before[reads] = lambda s: s.members.insert(0, 100)
    return server


@FORMS
def test_slipped_through_both_ways(linked: bool) -> None:
    """What no forward and no backward pass has seen, a third finds."""
    server = slippery(Server(range(9), 3, linked=linked))
    assert 3 not in {m for page in walk(server.fetch, back=True) for m in page}
    server = slippery(Server(range(9), 3, linked=linked))
    pages = walk(server.fetch, back=True, again=True)
    assert [[0, 1, 2], [4, 5, 6], [7, 8], [100], [3]] == pages
    forward = [1, 2, 3] if linked else [1, 2, 3, 4]
    assert [*forward, 3, 2, 1, *forward, 3, 2, 1] == server.asked


@FORMS
@pytest.mark.parametrize("count", [0, 1, 3, 4, 700])
def test_quiet_listing_is_read_twice_at_most(linked: bool, count: int) -> None:
    """A pass that brings nothing new is the last."""
    once, again = (Server(range(count), 3, linked=linked) for _ in range(2))
    assert walk(once.fetch, back=True) == walk(again.fetch, back=True, again=True)
    assert once.asked == again.asked


@FORMS
def test_busy_listing_is_read_four_times_at_most(linked: bool) -> None:
    """If something new comes with each page, the walk ends all the same."""

    def change(at: Server) -> None:
        at.members = [100 + len(at.asked), *at.members[:-1]]

    server = Server(range(9), 3, linked=linked)
    server.before = dict.fromkeys(range(1_000), change)
    found = [member for page in walk(server.fetch, back=True, again=True) for member in page]
    assert len(found) == len(set(found))
    assert (4, 1) == (server.asked.count(1), server.asked[-1])


def test_later_pass_goes_to_the_end() -> None:
    """Hundreds of pages without news are no circle when all of them are known."""
    server = Server(range(600), 1, linked=True)
    server.before[1] = lambda s: s.remove(0)  # 599 are left
    server.before[2 * 599 - 1] = lambda s: s.members.insert(0, 1_000)
    server.before[2 * 599] = lambda s: s.members.append(2_000)
    pages = walk(server.fetch, back=True, again=True)
    assert [[1_000], [1], [2_000]] == pages[-3:]
    assert 4 == server.asked.count(1)


# --- a server that tells how many there are


@pytest.mark.parametrize("more", [-3, 0, 1, 100])
@pytest.mark.parametrize("back", [False, True])
def test_total_that_was_not_reached(more: int, back: bool) -> None:
    """There is more than was seen: one pass backwards, and no third if it brings nothing."""
    server = Server(range(9), 3, linked=True)

    async def fetch(number: int) -> Page[Bulk]:
        page = await server.fetch(number)
        return evolve(page, total=len(server.members) + more)

    assert [[0, 1, 2], [3, 4, 5], [6, 7, 8]] == walk(fetch, back=back)
    assert [1, 2, 3, 3, 2, 1][: 6 if back or more > 0 else 3] == server.asked


# --- a server that is wrong


@pytest.mark.parametrize("back", [False, True])
def test_server_that_repeats_its_last_page(back: bool) -> None:
    """Behind the last page it answers with the last: three times are enough."""
    asked: list[int] = []

    async def fetch(page: int) -> BulkPage[Bulk]:
        asked.append(page)
        assert len(asked) < 1_000, "it does not end"
        return page_of(page, [1, 2] if page == 1 else [3], page + 1)

    assert [[1, 2], [3]] == walk(fetch, back=back)
    assert [1, 2, 3, 4, 5] == asked[:5]
    assert ([5, 4, 3, 2, 1] if back else []) == asked[5:]


@pytest.mark.parametrize("back", [False, True])
def test_server_that_knows_no_pages(back: bool) -> None:
    """It answers with the whole listing whatever the page."""
    asked: list[int] = []

    async def fetch(page: int) -> BulkPage[Bulk]:
        asked.append(page)
        assert len(asked) < 1_000, "it does not end"
        return page_of(page, range(10), page + 1)

    assert [list(range(10))] == walk(fetch, back=back)
    assert [1, 2, 3, 4] == asked[:4]


@pytest.mark.parametrize("back", [False, True])
def test_server_that_goes_in_a_circle(back: bool) -> None:
    """Some pages again and again: that ends too."""
    asked: list[int] = []

    async def fetch(page: int) -> BulkPage[Bulk]:
        asked.append(page)
        assert len(asked) < 1_000, "it does not end"
        return page_of(page, [page % 3, 10 + page % 3], page + 1)

    assert [[1, 11], [2, 12], [0, 10]] == walk(fetch, back=back)


@pytest.mark.parametrize("following", [1, 2, 0, -1])
def test_link_that_does_not_advance(following: int) -> None:
    """A link to the page itself, or back, ends the walk."""
    asked: list[int] = []
    pages = {1: page_of(1, [1, 2], 2), 2: page_of(2, [3], following), 3: page_of(3, [4], None)}
    assert [[1, 2], [3]] == walk(scripted(pages, asked))
    assert [1, 2] == asked


def test_link_that_leaps_is_followed() -> None:
    """The server knows its pages."""
    asked: list[int] = []
    pages = {1: page_of(1, [1], 5), 5: page_of(5, [2], None)}
    assert [[1], [2]] == walk(scripted(pages, asked))
    assert [1, 5] == asked


@pytest.mark.parametrize("gaps", [1, 2])
def test_empty_page_that_links_on(gaps: int) -> None:
    """A page may be empty and not the last, if the server says so."""
    asked: list[int] = []
    pages = {1: page_of(1, [1], 2)}
    pages |= {2 + n: page_of(2 + n, (), 3 + n) for n in range(gaps)}
    pages[2 + gaps] = page_of(2 + gaps, [2], None)
    assert [[1], [2]] == walk(scripted(pages, asked))


def test_missing_page_ends_but_missing_listing_is_an_error() -> None:
    """A 404 behind the end is an end; a 404 at the start is told."""
    server = Server(range(4), 2, missing=True)
    assert [[0, 1], [2, 3]] == walk(server.fetch)
    assert [1, 2, 3] == server.asked

    async def nothing(_: int) -> BulkPage[Bulk]:
        raise NotFoundError("not found", status=404)

    with pytest.raises(NotFoundError):
        walk(nothing)


def test_missing_page_on_the_way_back() -> None:
    """The last pages have gone meanwhile: the earlier ones are still read."""
    server = Server(range(8), 2, missing=True)
    server.before[1] = lambda s: s.remove(0, 1)  # 2 and 3 slip to page 1
    server.before[4] = lambda s: s.remove(6, 7)
    assert [[0, 1], [4, 5], [6, 7], [2, 3]] == walk(server.fetch, back=True)
    assert [1, 2, 3, 4, 3, 2, 1] == server.asked


@pytest.mark.parametrize("read", [0, 1, 3, 4, 5])
def test_errors_are_raised(read: int) -> None:
    """A page that cannot be got is an error, wherever it is: half a list is no list."""
    server = Server(range(4), 2)

    def fail(_: Server) -> None:
        raise ServerError("broken", status=500)

    server.before[read] = fail
    if read == 5:  # the walk takes reads 0 to 4
        assert [[0, 1], [2, 3]] == walk(server.fetch, back=True)
        return
    with pytest.raises(ServerError):
        walk(server.fetch, back=True)
