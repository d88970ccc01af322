"""The body of an answer: read in pieces, and bounded."""

from typing import Any

from lox24_async._wire.json import MOST_VALUES, count_values
from lox24_async._wire.replies import KEPT_OF_CUT, Reply, body_limit
from lox24_async._wire.requests import Request


def take_body(request: Request[Any], status: int, headers: Any, body: bytes) -> Reply:
    """Return the answer whose body came all at once, as most do."""
    limit = body_limit(request, status)
    if len(body) <= limit:
        return Reply(status, headers, body)
    return Reply(status, headers, body[:KEPT_OF_CUT], whole=False)


async def read_body(request: Request[Any], status: int, headers: Any, content: Any) -> Reply:
    """Read the body of an answer.

    Args:
        request: What was asked; says how long the answer may be.
        status: The status of the answer.
        headers: Its headers.
        content: The stream of aiohttp that brings the body. Of one that is too long only the
            beginning is kept, the reply says so, and the connection is of no more use.
    """
    limit = body_limit(request, status)
    body = await content.readany()
    if content.at_eof():
        return take_body(request, status, headers, body)
    parts, values = bytearray(body), count_values(body)
    while part := await content.readany():
        parts += part
        values += count_values(part)
        if len(parts) > limit or values > MOST_VALUES:
            return Reply(status, headers, bytes(parts[:KEPT_OF_CUT]), whole=False)
    return Reply(status, headers, bytes(parts))
