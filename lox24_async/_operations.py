"""What the chapters of the client share."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic

from ._call import Call
from ._config import check_number
from ._engine import Engine
from ._paging import BulkStream, Walk
from ._query import write_query
from ._requests import check_form, page_request
from .models import Bulk
from .pages import BulkPage
from .queries import BulkFilter, BulkOrder

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    FormT = TypeVar("FormT", bound=Bulk, default=Bulk)
    BulkT = TypeVar("BulkT", bound=Bulk)
else:
    from typing import TypeVar

    FormT = TypeVar("FormT", bound=Bulk)
    BulkT = TypeVar("BulkT", bound=Bulk)


OLDEST_FIRST: Final = BulkOrder("created_at")
"""The order in which what comes new comes last: no bulk changes its page by that."""


class Operations(Generic[FormT]):
    """A chapter of operations; the client puts these attributes in place."""

    _engine: Engine
    _form: type[Any]
    _width: int

    def _walk(
        self,
        filter: BulkFilter | None,  # noqa: A002
        order: BulkOrder | Sequence[BulkOrder] | None,
        form: type[BulkT],
        begin: Callable[[], float | None],
    ) -> BulkStream[BulkT]:
        """Prepare a walk over all pages of a listing; it asks for its deadline when it begins."""
        order = OLDEST_FIRST if order is None else order
        write_query(filter, order, 1)  # so that bad input is refused here and now

        deadlines: list[float | None] = []

        def fetch(page: int) -> Awaitable[BulkPage[BulkT]]:
            if not deadlines:
                deadlines.append(begin())
            request = page_request(write_query(filter, order, page), page, form)
            return self._engine.perform(
                request, Call("", deadlines[0], name=f"page {page} of a listing")
            )

        wanted = BulkFilter() if filter is None else filter
        return BulkStream(Walk(fetch, back=wanted.can_lose, again=wanted.can_gain))

    def _check(self, form: type[Any] | None, timeout: float | None) -> type[Any]:
        """Check what every call takes; return the form that is wanted."""
        if timeout is not None:
            check_number("timeout", timeout, least=-1e9)
        if form is None:
            return self._form
        check_form(form)
        return form
