"""The connector of our own sessions, and how far an attempt has come with it."""

from contextvars import ContextVar
from typing import Any, Final

import aiohttp

from .failures import CONNECT_TIMEOUT

TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)


class Progress:
    """How far an attempt has come."""

    # In the class: most attempts never change them, and one is made for each.
    connecting = False
    fresh = False
    """Whether its connection was made for it."""
    status = 0
    """The status of its answer, as soon as the head is there but not the whole body."""


current_progress: ContextVar[Progress] = ContextVar("lox24_async.progress")
"""The attempt that is made in this task."""


class Connector(aiohttp.TCPConnector):
    """Tells an attempt that is still connecting from one that has left."""

    async def connect(
        self, req: aiohttp.ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout
    ) -> Any:
        progress = current_progress.get()
        progress.connecting = True
        while True:
            connection = await super().connect(req, traces, timeout)
            try:
                usable = connection.protocol is None or not connection.protocol.should_close
            except BaseException:
                connection.close()
                raise
            if usable:
                progress.connecting = False
                return connection
            # Something came in while it was idle; it would pass for the answer to come.
            connection.close()
            if progress.fresh:  # the next would be no better
                raise aiohttp.ClientConnectionError("the server spoke first, or hung up")

    async def _create_connection(self, *arguments: Any, **options: Any) -> Any:
        current_progress.get().fresh = True
        return await super()._create_connection(*arguments, **options)
