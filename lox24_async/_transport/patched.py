"""Whether somebody has put himself between aiohttp's session and its requests."""

from types import FunctionType
from typing import Any, Final

import aiohttp.client
import aiohttp.client_reqrep
from aiohttp import ClientRequest, ClientSession

_HOMES: Final[tuple[object, ...]] = (
    aiohttp.client.__dict__,
    aiohttp.client.__dict__,
    aiohttp.client_reqrep.__dict__,
)
_genuine: list[Any] = []  # what was found to be aiohttp's own


def is_patched() -> bool:
    """Whether a mock or a tracer has replaced what a session sends its requests with.

    Told by where a function was made, not by what stood there when we were imported: that may
    have been within a mock.
    """
    found: list[Any] = [
        ClientSession._request,  # pyright: ignore[reportPrivateUsage]
        ClientSession.request,
        ClientRequest.send,
    ]
    if found == _genuine:
        return False
    for way, home in zip(found, _HOMES, strict=True):
        # By its type: wrapt's objects pass for what they wrap in all else.
        if type(way) is not FunctionType or way.__globals__ is not home:
            return True
    _genuine[:] = found
    return False
