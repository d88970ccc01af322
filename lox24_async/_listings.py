"""The operations that find bulks: over all pages, or one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from ._config import check_number
from ._operations import BulkT, FormT, Operations

if TYPE_CHECKING:
    from ._paging import BulkStream
    from .pages import BulkPage
    from .queries import BulkFilter, BulkOrder


class Listings(Operations[FormT]):
    """Chapter: find bulks."""

    @overload
    def list_bulks(
        self,
        filter: "BulkFilter | None" = None,
        *,
        order: "BulkOrder | Sequence[BulkOrder] | None" = None,
        form: type[BulkT],
        timeout: float | None = None,
    ) -> "BulkStream[BulkT]": ...
    @overload
    def list_bulks(
        self,
        filter: "BulkFilter | None" = None,
        *,
        order: "BulkOrder | Sequence[BulkOrder] | None" = None,
        form: None = None,
        timeout: float | None = None,
    ) -> "BulkStream[FormT]": ...
    def list_bulks(
        self,
        filter: "BulkFilter | None" = None,  # noqa: A002
        *,
        order: "BulkOrder | Sequence[BulkOrder] | None" = None,
        form: type[Any] | None = None,
        timeout: float | None = None,
    ) -> "BulkStream[Any]":
        """List bulks, over all pages, while the next page is fetched.

        No bulk is given twice. With the default order, none is missed that was there all the
        time, even if bulks are added and finish meanwhile: where a filter can lose bulks
        while you read, the pages are read a second time, backwards, and what slipped through
        comes last. (A deletion meanwhile may still hide a bulk. Where bulks both come and go
        amid the list, as in status 5 alone, it is read up to four times; that makes a miss
        very unlikely, but no number of readings rules it out.)

        Args:
            filter: Which bulks; ``None``: all.
            order: One step, or several with the weightiest first; ``None``: oldest first.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole walk.

        Returns:
            An async iterator of bulks in their full form, with ``aclose()``.

        Raises:
            ConfigurationError: before any request.
            Lox24Error: a page could not be got; raised by the iterator.

        Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/. Page size and
        the end of a plain JSON listing are not documented: an empty page, or three in a row
        that repeat the one before, end it.
        """
        form = self._check(form, timeout)
        from ._walks import walk  # noqa: PLC0415

        return walk(self._engine, filter, order, form, lambda: self._engine.deadline(timeout))

    @overload
    async def list_bulks_page(
        self,
        page: int,
        filter: "BulkFilter | None" = None,
        *,
        order: "BulkOrder | Sequence[BulkOrder] | None" = None,
        form: type[BulkT],
        timeout: float | None = None,
    ) -> "BulkPage[BulkT]": ...
    @overload
    async def list_bulks_page(
        self,
        page: int,
        filter: "BulkFilter | None" = None,
        *,
        order: "BulkOrder | Sequence[BulkOrder] | None" = None,
        form: None = None,
        timeout: float | None = None,
    ) -> "BulkPage[FormT]": ...
    async def list_bulks_page(
        self,
        page: int,
        filter: "BulkFilter | None" = None,  # noqa: A002
        *,
        order: "BulkOrder | Sequence[BulkOrder] | None" = None,
        form: type[Any] | None = None,
        timeout: float | None = None,
    ) -> "BulkPage[Any]":
        """Get one page of a listing.

        Args:
            page: Its number, from 1. How many bulks are on a page is LOX24's matter.
            filter: Which bulks; ``None``: all.
            order: One step, or several with the weightiest first; ``None``: oldest first.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Returns:
            The page: the bulks in their full form, the number of the next page, and in
            JSON-LD the number of bulks on all pages.

        Raises:
            ConfigurationError: before any request.
            Lox24Error: the page could not be got.

        Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/
        """
        form = self._check(form, timeout)
        check_number("page", page, least=1, whole=True)
        from ._walks import get_page  # noqa: PLC0415

        deadline = self._engine.deadline(timeout)
        return await get_page(self._engine, page, filter, order, form, deadline=deadline)
