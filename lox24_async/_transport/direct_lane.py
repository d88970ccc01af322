"""The direct lane: aiohttp's connector and parser, without its session between them.

The request's bytes are written in one piece. What this file touches of aiohttp is not all
public; where it is not what is known here, :class:`InsideChangedError` says so, and whether
the request may have left by then.
"""

import asyncio
from contextlib import suppress
from ssl import SSLContext
from typing import Any, ClassVar, Final

import aiohttp
from yarl import URL

from lox24_async._config import Secret
from lox24_async._wire.replies import Reply
from lox24_async._wire.requests import Request

from .body import read_body, take_body
from .connector import TIMEOUT, Progress, current_progress
from .headers import OwnHeaders
from .idle import IdleConnections

_SIGNS_OF_CHANGE: Final = (AttributeError, TypeError, LookupError)
_IDLE: Final = 1.0  # seconds


class InsideChangedError(aiohttp.ClientError):
    """aiohttp's inside is not what the direct lane knows.

    Args:
        sent: Whether the request may have left.
    """

    def __init__(self, what: str, *, sent: bool) -> None:
        super().__init__(what)
        self.sent = sent


class DirectLane:
    """Sends requests over the connector of a session of ours.

    Args:
        connector: Makes the connections.
        base_url: In normal form.
        headers: Of each request.
        ssl: How to check the server's certificate; ``True``: as usual.
    """

    works: ClassVar[bool] = True
    """Whether aiohttp's inside is what is known here, as far as anybody has seen."""

    def __init__(
        self, connector: Any, base_url: str, headers: OwnHeaders, *, ssl: SSLContext | bool
    ) -> None:
        self._connector = connector
        self._base = URL(base_url, encoded=True)
        self._prefix = self._base.raw_path.rstrip("/")
        self._headers = headers
        self._ssl = ssl
        self._template: Any = None
        self._host = ""
        self._heads: dict[tuple[str, str], Secret] = {}  # by what they depend on
        self.idle = IdleConnections()

    async def send(self, request: Request[Any], progress: Progress) -> Reply:
        """Send a request and read its answer.

        Raises:
            InsideChangedError: aiohttp is not what it was.
            aiohttp.ClientError: no complete answer.
            aiohttp.http.HttpProcessingError: what came was no HTTP.
            aiohttp.EofStream: the connection was closed on our side.
            OSError: no complete answer.
        """
        sent, connection = False, None
        try:
            connection = self.idle.take() or await self._connect(progress)
            protocol = connection.protocol
            # A new parser: the last one may hold half a stray answer that came since.
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            transport = protocol.transport
            write, buffered, read = (
                transport.write,
                transport.get_write_buffer_size,
                protocol.read,
            )
            sent = True
            write(self._bytes_of(request))
            message, content = await read()
            while 100 <= message.code <= 199 and message.code != 101:
                message, content = await read()
            status, headers = message.code, message.headers
            if content.is_eof():
                reply = take_body(request, status, headers, content.read_nowait())
            else:
                progress.status = status
                reply = await read_body(request, status, headers, content)
            if reply.whole and (request.body is None or not buffered()):
                self.idle.put_back(connection, usable=not protocol.should_close)
            else:  # too much of an answer, or an early one: half of our body is still to go
                _drop(connection)
            return reply
        except BaseException as error:
            if connection is not None:
                _drop(connection)
            if _shows_change(error, sent=sent):
                raise InsideChangedError(type(error).__name__, sent=sent) from None
            raise

    def _bytes_of(self, request: Request[Any]) -> bytes:
        # Never in a variable of send(): a traceback would show the token.
        kind = request.method, request.accept
        if (head := self._heads.get(kind)) is None:
            headers = {"Host": self._host} | self._headers.of(request)
            head = self._heads[kind] = Secret(_lines(headers))
        line = f"{request.method} {self._prefix}{request.path} HTTP/1.1\r\n{head.reveal()}"
        if request.body is not None:
            length = f"Content-Length: {len(request.body)}\r\n\r\n"
            return f"{line}{length}".encode() + request.body
        if request.method == "GET":
            return f"{line}\r\n".encode()
        return f"{line}Content-Length: 0\r\n\r\n".encode()

    async def _connect(self, progress: Progress) -> Any:
        current_progress.set(progress)
        if self._template is None:
            # By the class, never by hand: what a connection's key is made of changes.
            self._template = aiohttp.ClientRequest(
                "PUT", self._base, loop=asyncio.get_running_loop(), ssl=self._ssl
            )
            self._host = self._template.headers["Host"]
        try:
            return await self._connector.connect(self._template, [], TIMEOUT)
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None


def _shows_change(error: BaseException, *, sent: bool) -> bool:
    if isinstance(error, aiohttp.ClientError | OSError):
        return False
    # An answer of more or fewer parts is a ValueError; before that, it is the host's name.
    return isinstance(error, _SIGNS_OF_CHANGE) or (sent and isinstance(error, ValueError))


def _drop(connection: Any) -> None:
    """Close a connection without sending what is left of a request."""
    with suppress(*_SIGNS_OF_CHANGE):
        protocol = connection.protocol
        if protocol is not None and protocol.transport is not None:
            protocol.transport.abort()
    with suppress(*_SIGNS_OF_CHANGE):
        connection.close()


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
