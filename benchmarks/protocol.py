"""The least that asyncio can do for an HTTP request: no library, nothing checked."""

import asyncio
from collections.abc import Mapping
from typing import Self, cast
from urllib.parse import urlsplit


class Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, host: str, headers: Mapping[str, str]) -> None:
        fields = {"Host": host, "Accept": "application/json", **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._read = b""
        self._body: asyncio.Future[bytes]

    @classmethod
    async def open(cls, url: str, headers: Mapping[str, str]) -> Self:
        """Connect."""
        place = urlsplit(url).netloc
        host, _, port = place.partition(":")
        _, line = await asyncio.get_running_loop().create_connection(
            lambda: cls(place, headers), host, int(port)
        )
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)

    def put(self, path: str) -> asyncio.Future[bytes]:
        """Send a request; the future gets the body of the answer."""
        self._body = asyncio.get_running_loop().create_future()
        self._transport.write(f"PUT {path} HTTP/1.1\r\n{self._head}\r\n".encode())
        return self._body

    def data_received(self, data: bytes) -> None:
        """Take in what came; complete when the body is as long as said."""
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end:
            return
        start = head.index(b"Content-Length: ") + len(b"Content-Length: ")
        if len(body) == int(head[start : head.index(b"\r\n", start)]):
            self._read = b""
            self._body.set_result(body)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()
