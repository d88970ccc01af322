"""The messages behind a bulk: a walk over them, and how many there are."""

from collections.abc import Awaitable, Callable
from functools import cache

from lox24_async._public import public
from lox24_async._transport.call import Call
from lox24_async._transport.engine import Engine
from lox24_async._wire.messages import MessageCountRequest, MessagePageRequest
from lox24_async.models import Bulk, BulkMessage, Page

from .listing import PageStream, Walk


@public
class MessageStream(PageStream[BulkMessage]):
    """An async iterator over the messages of a bulk.

    The next page is fetched while the caller works on this one. Leaving it (``aclose``, or
    dropping it) stops the fetching at once. Several tasks may read from it.
    """


def list_messages(
    engine: Engine,
    bulk_id: str,
    sent: bool | None,
    form: type[Bulk],
    begin: Callable[[], float | None],
) -> MessageStream:
    """Prepare a walk over all messages of a bulk; it asks for its deadline when it begins."""
    deadline = cache(begin)

    def fetch(page: int) -> Awaitable[Page[BulkMessage]]:
        call = Call(bulk_id, deadline(), name=f"page {page} of the messages of bulk {bulk_id}")
        return engine.perform(MessagePageRequest(bulk_id, sent, page, form), call)

    # A message that goes out leaves the unsent ones, and joins the sent ones at their end.
    return MessageStream(Walk(fetch, back=sent is False))


def count_messages(
    engine: Engine, bulk_id: str, sent: bool | None, deadline: float | None
) -> Awaitable[int]:
    """Ask how many messages a bulk has."""
    call = Call(bulk_id, deadline, name=f"the number of messages of bulk {bulk_id}")
    return engine.perform(MessageCountRequest(bulk_id, sent), call)
