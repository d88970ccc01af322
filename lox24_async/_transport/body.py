"""The body of an answer, read in pieces and bounded."""

from typing import Any, Final

from lox24_async._wire.replies import Reply

KEPT_OF_CUT: Final = 1 << 16
"""Bytes that are kept of a body that was cut: enough to show what came."""


async def read_rest(status: int, headers: Any, content: Any, limit: int) -> Reply:
    """Read a body that did not come all at once.

    Args:
        status: The status of the answer.
        headers: Its headers.
        content: The stream of aiohttp that brings the body.
        limit: Bytes that it may have. Of a longer one only the beginning is kept, the reply
            says so, and the connection is of no more use.
    """
    body = await content.readany()
    if content.at_eof():
        return Reply(status, headers, body)
    parts = bytearray(body)
    while part := await content.readany():
        parts += part
        if len(parts) > limit:
            return Reply(status, headers, bytes(parts[:KEPT_OF_CUT]), whole=False)
    return Reply(status, headers, bytes(parts))
