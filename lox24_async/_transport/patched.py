"""Whether somebody has put himself between aiohttp's session and its requests."""

from collections.abc import Mapping
from types import FunctionType
from typing import Any, Final

import aiohttp
import aiohttp.client
import aiohttp.client_reqrep

_WAYS: Final[tuple[tuple[Any, str, Mapping[str, Any]], ...]] = (
    (aiohttp.ClientSession, "_request", aiohttp.client.__dict__),
    (aiohttp.ClientSession, "request", aiohttp.client.__dict__),
    (aiohttp.ClientRequest, "send", aiohttp.client_reqrep.__dict__),
)
_seen: list[object] = [None] * len(_WAYS)  # what was found to be aiohttp's own


def is_patched() -> bool:
    """Whether a mock or a tracer has replaced what a session sends its requests with.

    Told by where a function was made, not by what stood there when we were imported: that may
    have been within a mock.
    """
    for number, (owner, name, home) in enumerate(_WAYS):
        found = getattr(owner, name, None)
        if found is not _seen[number]:
            if type(found) is not FunctionType or found.__globals__ is not home:
                return True
            _seen[number] = found
    return False
