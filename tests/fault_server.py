"""A raw server that does to each request what the test says, and counts what was on the wire.

Nothing here knows HTTP beyond the head of a request, so it can be as wrong as it has to be.
"""

import asyncio
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import aiohttp
import pytest
import trustme
from attrs import define, frozen

from lox24_async import Bulk, Lox24Client, Lox24Error, ProcessGuard
from lox24_async._config import origin_of
from lox24_async._guard.places import gates_of
from lox24_async._transport import direct_lane, session_lane

from .conftest import QUICK

TOKEN: Final = "1234567:e3f3a759b6677959b6ebfcfault00001"
BULK_ID: Final = "da0fa78c-4699-11ea-a637-96000028b339"
OTHER_ID: Final = "00000000-4699-11ea-a637-96000028b339"


def ids(count: int) -> list[str]:
    """Return as many different ids."""
    return [str(UUID(int=number)) for number in range(1, count + 1)]


def client_of(url: str, *, proven: bool = False, **options: Any) -> Lox24Client[Bulk]:
    """Return a client with quick retries.

    A token that is not proven has three requests before the guard waits for a minute: a test
    about the line, which sends more, says that it is.
    """
    if proven:
        loop = asyncio.get_running_loop()
        gates_of(ProcessGuard(), origin_of(url), TOKEN, loop)[1].prove()
    defaults: dict[str, Any] = {"retry": QUICK, "attempt_timeout": 10.0}
    return Lox24Client(TOKEN, base_url=url, **(defaults | options))


async def success_of(url: str, **options: Any) -> Bulk:
    """Return what one cancel gives."""
    async with client_of(url, **({"proven": True} | options)) as client:
        return await client.cancel_bulk(BULK_ID)


async def failure_of(url: str, **options: Any) -> Lox24Error:
    """Return the error of one cancel."""
    with pytest.raises(Lox24Error) as caught:
        await success_of(url, **options)
    return caught.value


# --- bytes to answer with


def answer(body: bytes = b"", status: int = 200, *headers: str, length: bool = True) -> bytes:
    """Return an answer; its length is right unless it is left out."""
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def summary(bulk_id: str = BULK_ID, status_code: int = 15) -> bytes:
    """Return the body that describes a bulk."""
    return json.dumps({"uuid": bulk_id, "status_code": status_code}).encode()


# --- what a server sees


@frozen
class Received:
    """A request that was read to its end."""

    head: bytes
    body: bytes
    line: int
    """The number of the connection that brought it, from 0."""

    @property
    def method(self) -> str:
        """``PUT``, say."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def bulk_id(self) -> str:
        """The id in its path."""
        return self.head.split(b"/", 3)[2].decode()

    def header(self, name: str) -> list[str]:
        """Return each value of a header."""
        pairs = (line.partition(":") for line in self.head.decode("latin-1").splitlines()[1:])
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


@define(eq=False)
class Line:
    """One connection, from the server's end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int = 0
    sent: int = 0

    async def send(self, data: bytes) -> None:
        """Write, and wait until the client takes it.

        Raises:
            ConnectionError: the client has left.
        """
        self.writer.write(data)
        self.sent += len(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the client has left."""
        with suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass


Deed = Callable[[Received, Line], Awaitable[None]]
Step = bytes | Deed
"""What to do for a request: answer so and keep the connection, or anything."""


def bulk(status_code: int = 15) -> Deed:
    """Answer with the bulk that was asked for, in this status."""

    async def deed(request: Received, line: Line) -> None:
        await line.send(answer(summary(request.bulk_id, status_code)))

    return deed


def cut(data: bytes) -> Deed:
    """Send this and close."""

    async def deed(_: Received, line: Line) -> None:
        await line.send(data)
        line.writer.close()

    return deed


async def close(_: Received, line: Line) -> None:
    """Close without a word."""
    line.writer.close()


async def abort(_: Received, line: Line) -> None:
    """Drop the connection with a reset, the rude way."""
    line.writer.transport.abort()


async def silent(_: Received, line: Line) -> None:
    """Say nothing for as long as the client waits."""
    await line.gone()


def drip(data: bytes, start: bytes = b"") -> Deed:
    """Send this again and again, slowly, for as long as the client stays."""

    async def deed(_: Received, line: Line) -> None:
        await line.send(start)
        while True:
            await line.send(data)
            await asyncio.sleep(0.002)

    return deed


class Gate:
    """A step that answers when it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, request: Received, line: Line) -> None:
        """Wait, then answer."""
        await self.open.wait()
        await bulk()(request, line)


class _Listener:
    """Listens on a free port of 127.0.0.1 and ends tidily."""

    scheme = "http"

    def __init__(self, port: int = 0) -> None:
        self.lines: list[Line] = []
        self.url = ""
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return len(self.lines)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def deafen(self) -> None:
        """Refuse connections from now on."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, line: Line) -> None:
        raise NotImplementedError

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer, len(self.lines))
        self.lines.append(line)
        self._tasks.add(asyncio.get_running_loop().create_task(self._run(line)))

    async def _run(self, line: Line) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._serve(line)
        line.writer.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self._port, limit=1 << 20
        )
        self.url = f"{self.scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for line in self.lines:
            line.writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._tasks.clear()
        for end in ends:  # a mistake in a script must not pass for a fault
            if isinstance(end, Exception):
                raise end


class FaultServer(_Listener):
    """Does to each request what its script says.

    Args:
        put: Steps for cancels, in order; the last one stays. One step may stand alone.
        get: The same for looks.
        tls: Its certificate; then the URL is https.
        port: Where to listen; 0: any free port.
        greeting: What to say to each connection before any request.
    """

    def __init__(
        self,
        put: Step | Sequence[Step] | None = None,
        get: Step | Sequence[Step] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
        greeting: bytes = b"",
    ) -> None:
        super().__init__(port)
        self.requests: list[Received] = []
        """The complete requests, in order."""
        self.raw = bytearray()
        """Every byte that was read, behind TLS if there is TLS."""
        self.scheme = "https" if tls else "http"
        self._tls = tls
        self._greeting = greeting
        self._scripts = {"PUT": _steps(put or bulk()), "GET": _steps(get or bulk())}

    def script(self, method: str, *steps: Step) -> None:
        """Go on with another script."""
        self._scripts[method] = list(steps)

    @property
    def puts(self) -> int:
        """How many cancels were on the wire."""
        return sum(request.method == "PUT" for request in self.requests)

    @property
    def gets(self) -> int:
        """How many looks were on the wire."""
        return sum(request.method == "GET" for request in self.requests)

    async def arrival(self, count: int = 1) -> None:
        """Wait until that many requests have come."""
        await until(lambda: len(self.requests) >= count)

    async def _serve(self, line: Line) -> None:
        if self._tls is not None:
            await line.writer.start_tls(self._tls)
        if self._greeting:
            await line.send(self._greeting)
        while not line.writer.is_closing():
            request = await self._read(line)
            self.requests.append(request)
            script = self._scripts[request.method]
            step = script.pop(0) if len(script) > 1 else script[0]
            await (line.send(step) if isinstance(step, bytes) else step(request, line))

    async def _read(self, line: Line) -> Received:
        try:
            head = await line.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            self.raw += error.partial
            raise
        self.raw += head
        length = next(iter(Received(head, b"", 0).header("Content-Length")), "0")
        body = await line.reader.readexactly(int(length))
        self.raw += body
        return Received(head, body, line.number)


class PlainPort(_Listener):
    """Speaks no TLS where TLS is expected: answers the first bytes with a plain text."""

    scheme = "https"

    def __init__(self, reply: bytes) -> None:
        super().__init__()
        self.raw = bytearray()
        self._reply = reply

    async def _serve(self, line: Line) -> None:
        self.raw += await line.reader.read(65_536)
        await line.send(self._reply)


class ConnectProxy(_Listener):
    """An HTTP proxy that opens tunnels, or answers otherwise, and keeps what it was asked."""

    def __init__(self, reply: bytes = b"HTTP/1.1 200 Connected\r\n\r\n") -> None:
        super().__init__()
        self.heads: list[bytes] = []
        self._reply = reply

    async def _serve(self, line: Line) -> None:
        self.heads.append(head := await line.reader.readuntil(b"\r\n\r\n"))
        await line.send(self._reply)
        if not self._reply.startswith(b"HTTP/1.1 200"):
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(_pump(line.reader, writer), _pump(reader, line.writer))
        finally:
            writer.transport.abort()


def _steps(script: Step | Sequence[Step]) -> list[Step]:
    return [script] if isinstance(script, bytes) or callable(script) else list(script)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


# --- TLS


def tls_pair(
    name: str = "127.0.0.1", *, trusted: bool = True, expired: bool = False
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server and of a client.

    Args:
        name: Whom the certificate is for.
        trusted: Whether the client knows the authority.
        expired: Whether the certificate's time is over.
    """
    authority = trustme.CA()
    end = datetime(2001, 1, 1, tzinfo=UTC) if expired else None
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=end).configure_cert(server)
    client = ssl.create_default_context()
    (authority if trusted else trustme.CA()).configure_trust(client)
    return server, client


# --- sockets


@contextmanager
def full(port: int = 0) -> Iterator[int]:
    """Let a port's queue be full: it does not answer who wants to connect."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def connect_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time to connect be over at once, on both lanes."""
    quick = aiohttp.ClientTimeout(total=None, sock_connect=0.05)
    for lane in (direct_lane, session_lane):
        monkeypatch.setattr(lane, "TIMEOUT", quick)


# --- waiting and tidiness


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Let the loop turn until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0)


async def turns(count: int = 20) -> None:
    """Let the loop turn: enough for bytes to cross the loopback device."""
    for _ in range(count):
        await asyncio.sleep(0)


def open_files() -> dict[str, str]:
    """Return the open files, sockets included: their numbers and what they are."""
    if os.environ.get("LOX24_TEST_LOOP") == "uvloop":
        return {}  # it opens and keeps some of its own, when it likes
    here = next(path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.exists())
    files: dict[str, str] = {}
    for name in os.listdir(here):  # noqa: PTH208  also names that are gone a moment later
        with suppress(OSError):
            files[name] = os.readlink(here / name)  # noqa: PTH115  it need not be a path
    return files


def tasks() -> set[asyncio.Task[Any]]:
    """Return the loop's tasks but for the one that asks."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Check that what happens inside leaves no task and no open file behind."""
    files_before, tasks_before = open_files(), tasks()
    yield
    with suppress(TimeoutError):
        await until(lambda: tasks() <= tasks_before and open_files() == files_before, 1.0)
    left = [*(tasks() - tasks_before), *(open_files().items() - files_before.items())]
    assert not left, f"left behind: {left}"
