"""The HTTP server under the gateway: requests in as values, replies out, connections."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from aiohttp import web
from attrs import frozen

from lox24_async import Headers

from ._clock import Clock
from ._faults import Drop
from ._public import public

_BACKLOG: Final = 128
_TURNS: Final = 4  # of the loop, from a connection's arrival until aiohttp knows of it


@public
@frozen
class ReceivedRequest:
    """What arrived at the gateway."""

    method: str
    path: str
    """With the query, as it came."""
    headers: Headers
    body: bytes
    at: float
    """When, in seconds of the gateway's clock."""
    ip: str | None = None
    """Where from."""
    reached: bool = True
    """Whether LOX24 got it: nothing between kept it back."""


@frozen
class Reply:
    """What is to go onto the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    drop: Drop | None = None
    """Close the connection instead, or (``"within"``) after half of the body."""


class Server:
    """Listens on a loopback port, and asks a function for each reply."""

    def __init__(
        self, respond: Callable[[ReceivedRequest], Awaitable[Reply]], clock: Clock, port: int
    ) -> None:
        self._respond = respond
        self._clock = clock
        self._port = port
        self._runner: web.ServerRunner | None = None
        self._socket: socket.socket | None = None
        self._handlers: set[asyncio.Task[Any]] = set()

    async def start(self) -> str:
        """Begin to listen; return the base URL."""
        server = web.Server(self._handle, request_factory=_new_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        self._socket = socket.create_server(("127.0.0.1", self._port), backlog=_BACKLOG)
        await web.SockSite(self._runner, self._socket).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> bool:
        """Stop listening and close all connections; return whether it ran."""
        if self._runner is None:
            return False
        if self._socket is not None:
            await _end_accepting(self._socket)
        await self._runner.cleanup()
        self._runner = self._socket = None
        late = tuple(self._handlers)  # their clients have left, their delays go on
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return True

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("no task runs")
        self._handlers.add(task)
        try:
            return await self._serve(request)
        finally:
            self._handlers.discard(task)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        received = ReceivedRequest(
            method=request.method,
            path=request.path_qs,
            headers=Headers(request.headers),
            body=body,
            at=self._clock.seconds(),
            ip=request.remote,
        )
        reply = await self._respond(received)
        if reply.drop is not None:
            if reply.drop == "within" and reply.body:
                await _send_half(request, reply, reply.body)
            if request.transport is not None:
                request.transport.abort()
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)


async def _end_accepting(listening: socket.socket) -> None:
    """Let no more connections in, and let those that are half in arrive.

    A connection that asyncio is about to take when its server closes is closed by nobody.
    """
    with suppress(NotImplementedError):  # a proactor has no readers
        asyncio.get_running_loop().remove_reader(listening)
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _new_request(*parts: Any) -> web.BaseRequest:
    """Make a request whose body may be of any length: campaigns have many recipients."""
    message, payload, protocol, writer, task = parts
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=0)


async def _send_half(request: web.BaseRequest, reply: Reply, body: bytes) -> None:
    half = web.StreamResponse(status=reply.status, headers=reply.headers)
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
