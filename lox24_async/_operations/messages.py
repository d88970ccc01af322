"""The messages behind a bulk: a walk over them, and how many there are."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache

from lox24_async._public import public
from lox24_async._transport.call import Call
from lox24_async._transport.engine import Engine
from lox24_async._wire.messages import MessageCountRequest, MessagePageRequest
from lox24_async.errors import Lox24Error, ResponseDecodeError, without_frames
from lox24_async.models import Bulk, BulkMessage, Page
from lox24_async.report import Measurement, MessageCount

from .listing import PageStream, Walk
from .workers import Job, WorkerStream


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
    engine: Engine,
    bulk_id: str,
    sent: bool | None,
    deadline: float | None,
    *,
    gives_way: bool = False,
) -> Awaitable[int]:
    """Ask how many messages a bulk has."""
    name = f"the number of messages of bulk {bulk_id}"
    call = Call(bulk_id, deadline, name=name, gives_way=gives_way)
    return engine.perform(MessageCountRequest(bulk_id, sent), call)


async def measure(
    engine: Engine, bulks: Mapping[str, Bulk | None], *, width: int, deadline: float | None
) -> Measurement:
    """Ask of each bulk how many messages went out and how many did not.

    Args:
        engine: Sends the requests, through the guard.
        bulks: The ids, each with what is known of the bulk: in a final state it cannot have
            more messages than LOX24 said.
        width: How many requests may be in flight in this client.
        deadline: In the loop's time.

    It gives way to all other calls: one slot is left to them, and who waits for a slot goes
    first. Of a bulk that is still sending the sent ones are asked for first: a message that
    goes out between the two questions is in neither number, rather than in both.
    """

    def ask(bulk_id: str, *, sent: bool) -> Awaitable[int]:
        return count_messages(engine, bulk_id, sent, deadline, gives_way=True)

    async def one(bulk_id: str) -> MessageCount:
        sent = unsent = problem = None
        try:
            sent = await ask(bulk_id, sent=True)
            unsent = await ask(bulk_id, sent=False)
        except Lox24Error as error:
            problem = without_frames(error)
        else:
            most = _most(bulks[bulk_id])
            if most is not None and sent + unsent > most:
                message = f"{sent} sent and {unsent} unsent messages in a bulk of {most}"
                problem = ResponseDecodeError(message, status=200, bulk_id=bulk_id, attempts=2)
                sent = unsent = None
        return MessageCount(bulk_id, sent, unsent, problem)

    async with WorkerStream(Job(list(bulks), one), max(1, width - 1)) as stream:
        found = {count.bulk_id: count async for count in stream}
    return Measurement(tuple(found[bulk_id] for bulk_id in bulks))


def _most(bulk: Bulk | None) -> int | None:
    return bulk.msg_total_count if bulk is not None and bulk.is_final else None
