"""A server that does nothing but answer, so that the client is the bottleneck.

Every ``PUT /bulks/<id>/cancel`` gets the same status summary with the id in it, but an id that
begins with eight zeros is not found. With a file of a certificate and its key as argument it
speaks TLS. It prints its port and runs until its standard input ends:
with the process that started it.
"""

import asyncio
import json
import ssl
import sys
from contextlib import suppress
from typing import Any, cast

_SUMMARY = {
    "uuid": "",
    "delivery_at": 1767258000,
    "sender_id": "+4915112345678",
    "status_code": 15,
    "msg_total_count": 12500,
    "created_at": 1767225600,
    "processed_at": 1767225661,
    "ip": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "is_unicode": False,
    "is_dryrun": False,
    "service_code": "direct",
    "key_id": 481516,
    "source": 2342,
    "voice_lang": "EN",
    "is_text_deleted": False,
    "price": 1187.5,
}
_ID_LENGTH = 36
UNKNOWN = "00000000"
_NOT_FOUND = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n"
    b'{"detail":"Not Found"}'
)


def reply_parts() -> tuple[bytes, bytes]:
    """Return what comes before and after the id in the server's whole answer."""
    body = json.dumps(_SUMMARY, separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Server: nginx\r\n"
        "Date: Thu, 01 Jan 2026 00:01:01 GMT\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body) + _ID_LENGTH}\r\n"
        "Connection: keep-alive\r\n"
        "X-LOX24-REQUEST-ID: 4f2b9c51d07e4a6b8c3e\r\n\r\n"
    )
    before, after = body.split(b'""', 1)
    return head.encode() + before + b'"', b'"' + after


def id_in(request: bytes) -> bytes:
    """Return the bulk id that a request is about."""
    start = request.index(b" /bulks/") + len(b" /bulks/")
    return request[start : start + _ID_LENGTH]


class Answering(asyncio.Protocol):
    """One connection. A request has no body, and the next comes after the answer."""

    def __init__(self) -> None:
        self._before, self._after = reply_parts()
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer once the request is complete."""
        self._read += data
        if self._read.endswith(b"\r\n\r\n"):
            bulk_id, self._read = id_in(self._read), b""
            known = not bulk_id.startswith(UNKNOWN.encode())
            self._transport.write(self._before + bulk_id + self._after if known else _NOT_FOUND)


async def _serve(certificate: str | None) -> None:
    tls: ssl.SSLContext | None = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        Answering, "127.0.0.1", 0, backlog=1_000, ssl=tls
    )
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


def _main() -> None:
    make_loop: Any = None
    with suppress(ImportError):
        from uvloop import new_event_loop as make_loop  # noqa: PLC0415  where it is installed
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(_serve(next(iter(sys.argv[1:]), None)))


if __name__ == "__main__":
    _main()
