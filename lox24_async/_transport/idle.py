"""Connections between two requests that follow each other closely."""

import asyncio
import weakref
from typing import Any, Final

_INTERVAL: Final = 1.0  # seconds


class IdleConnections:
    """Keeps connections that are in use again within a second or two.

    To ask the connector each time costs some 10 µs a request. What nobody takes in an interval
    goes back to the connector, which closes it in its own time.
    """

    def __init__(self) -> None:
        self._stack: list[Any] = []  # the last one in use is the first to be taken
        self._untouched = 0  # how many of the lowest nobody has taken in this interval
        self._timer: asyncio.TimerHandle | None = None
        self._retired = False

    def take(self) -> Any:
        """Return a connection that can be used, or ``None``."""
        stack = self._stack
        while stack:
            connection = stack.pop()
            self._untouched = min(self._untouched, len(stack))
            protocol = connection.protocol
            # What came in while it was idle would pass for the answer to come.
            if protocol.is_connected() and not protocol.should_close:
                return connection
            connection.close()
        return None

    def put_back(self, connection: Any, *, usable: bool) -> None:
        """Keep a connection whose request has been answered."""
        if self._retired or not usable:
            connection.release()  # closes it, if it has to be
            return
        self._stack.append(connection)
        if self._timer is None:
            self._set_timer()

    def retire(self) -> None:
        """Give all back to the connector, now and after each request."""
        self._retired = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._stack:
            self._stack.pop().release()

    def _set_timer(self) -> None:
        # The loop must not keep us alive: who forgets a client is to be warned of it.
        me: weakref.ref[IdleConnections] = weakref.ref(self)
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL, _look, me)

    def _give_back_untouched(self) -> None:
        self._timer = None
        for connection in self._stack[: self._untouched]:
            connection.release()
        del self._stack[: self._untouched]
        self._untouched = len(self._stack)
        if self._stack:
            self._set_timer()


def _look(reference: "weakref.ref[IdleConnections]") -> None:
    if (idle := reference()) is not None:
        idle._give_back_untouched()  # pyright: ignore[reportPrivateUsage]
