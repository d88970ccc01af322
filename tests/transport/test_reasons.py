"""Why a connection was lost, in words: whoever reads the error must be able to act on it."""

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator
from ssl import (
    CERT_REQUIRED,
    PROTOCOL_TLS_SERVER,
    MemoryBIO,
    SSLContext,
    SSLError,
    SSLObject,
    SSLWantReadError,
    TLSVersion,
    create_default_context,
)

import aiohttp
import pytest
import pytest_asyncio
import trustme

from lox24_async import CancelState, ConnectionFailedError, RetryPolicy, TransportError
from lox24_async._transport.failures import lost, translate
from tests.fault_server import (
    TOKEN,
    Deed,
    FaultServer,
    Line,
    Received,
    _Listener,
    answer,
    bulk,
    client_of,
    failure_of,
    ids,
    nothing_left,
    success_of,
    tls_pair,
)

ONCE = RetryPolicy.none()


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


# --- lost connections


def reset(line: Line) -> None:
    """Close so that the peer sees a reset."""
    sock = line.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.writer.close()


async def reset_at_once(_: Received, line: Line) -> None:
    """Drop the connection rudely."""
    reset(line)


async def reset_in_the_answer(_: Received, line: Line) -> None:
    """Drop it when the client has begun to read."""
    await line.send(answer(b"", 200, "Content-Length: 99", length=False) + b"{")
    await asyncio.sleep(0.05)
    reset(line)


async def close_at_once(_: Received, line: Line) -> None:
    """Close without a word."""
    line.writer.close()


REASONS: dict[str, tuple[Deed, str]] = {
    "reset": (reset_at_once, "lost before an answer came: reset by peer"),
    "closed": (close_at_once, "closed by the peer without an answer"),
    "reset in the answer": (reset_in_the_answer, "cut short: reset by peer"),
}


@pytest.mark.parametrize(("deed", "why"), REASONS.values(), ids=REASONS)
@pytest.mark.parametrize("borrowed", [False, True])
async def test_why_a_connection_was_lost(deed: Deed, why: str, borrowed: bool) -> None:
    """The reason is told, without an object of the HTTP library and without the token."""
    async with FaultServer(put=deed, get=bulk(5)) as server, aiohttp.ClientSession() as session:
        own = session if borrowed else None
        error = await failure_of(server.url, retry=ONCE, session=own)
    assert type(error) is TransportError
    assert why in str(error)
    assert (True, 1) == (error.outcome_unknown, error.attempts)
    assert error.__cause__ is error.__context__ is None
    shown = f"{error!r} {vars(error)} {error.args}"
    assert "aiohttp" not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (aiohttp.ClientOSError(errno.EPIPE, "Broken pipe"), "broken pipe"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"), "reset by peer"),
        (aiohttp.ClientOSError(errno.ENETUNREACH, "Network is\nunreachable"), "is unreachable"),
        (aiohttp.ClientConnectionResetError("Cannot write to closing transport"), "was written"),
        (aiohttp.ClientOSError(1, "[SSL: BAD_LENGTH] bad length (_ssl.c:1)"), "error: bad length"),
        (aiohttp.ClientConnectionError("Connection closed"), "an answer came"),
    ],
    ids=["pipe", "reset", "other", "closing", "TLS", "none"],
)
@pytest.mark.every_case
def test_the_words_of_each_reason(error: Exception, why: str) -> None:
    """Known numbers have our words, others the system's; what has none gets none."""
    said = lost(error)
    assert type(said) is TransportError
    assert said.message.endswith(why)
    assert said.message.isprintable()


def test_error_without_words_is_told_by_its_name() -> None:
    """Of a pinned certificate, say, aiohttp tells nothing but that it is another."""
    error = aiohttp.ServerFingerprintMismatch(b"one", b"other", "host", 443)
    said = translate(error, str)
    assert isinstance(said, ConnectionFailedError)
    assert said.tls
    assert said.message == "TLS failed: ServerFingerprintMismatch"


def test_foreign_error_that_cannot_be_written_is_told_by_its_name() -> None:
    """What a trace callback raises may fail in its ``__str__``, too."""

    class OddError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    said = translate(OddError(), str)
    assert said.message.endswith("raised OddError")


# --- TLS by hand: the standard library's own server loses its last alert


class TlsByHand(_Listener):
    """A TLS server that sends the alert that ends a connection, and then waits.

    Args:
        context: Its certificate, and what it demands.
        spoil: Whether to find a request damaged on its way.
    """

    scheme = "https"

    def __init__(self, context: SSLContext, *, spoil: bool = False) -> None:
        super().__init__()
        self.decrypted = bytearray()
        self._context = context
        self._spoil = spoil

    async def _serve(self, line: Line) -> None:
        came, goes = MemoryBIO(), MemoryBIO()
        tls = self._context.wrap_bio(came, goes, server_side=True)
        with_alert = await self._step(line, tls, came, goes)
        assert with_alert
        await line.gone()

    async def _step(self, line: Line, tls: SSLObject, came: MemoryBIO, goes: MemoryBIO) -> bool:
        shaken = False
        while True:
            try:
                if not shaken:
                    tls.do_handshake()
                    shaken = True
                self.decrypted += tls.read()
                if self._spoil and b"\r\n\r\n" in self.decrypted:
                    came.write(b"\x17\x03\x03\x00\x20" + bytes(32))
            except SSLWantReadError:
                await line.send(goes.read())
                data = await line.reader.read(65_536)
                if not data:
                    return False
                came.write(data)
            except SSLError:
                await line.send(goes.read())
                return True


def demanding(version: TLSVersion) -> tuple[SSLContext, SSLContext]:
    """Return the contexts of a server that wants a client certificate, and of one without."""
    authority = trustme.CA()
    server, client = SSLContext(PROTOCOL_TLS_SERVER), create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(server)
    authority.configure_trust(client)
    server.verify_mode = CERT_REQUIRED
    server.minimum_version = server.maximum_version = version
    return server, client


WORDS = {TLSVersion.TLSv1_3: "certificate required", TLSVersion.TLSv1_2: "HANDSHAKE_FAILURE"}


@pytest.mark.parametrize(("version", "words"), WORDS.items(), ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("borrowed", [False, True])
async def test_case_58_no_client_certificate(
    version: TLSVersion, words: str, borrowed: bool
) -> None:
    """Under TLS 1.3 the client has sent its request before it is refused: a TLS failure too."""
    server_side, client_side = demanding(version)
    async with TlsByHand(server_side) as server, aiohttp.ClientSession() as session:
        own = session if borrowed else None
        error = await failure_of(server.url, ssl=client_side, session=own)
        assert type(error) is ConnectionFailedError
        assert (True, 0, False) == (error.tls, error.attempts, error.outcome_unknown)
        assert words in str(error)
        assert "may have been cancelled" not in str(error)
        assert (1, b"") == (server.connections, bytes(server.decrypted))
        assert error.__cause__ is error.__context__ is None


async def test_case_58_of_many_one_tries() -> None:
    """Nobody repeats it, and all who wait are told: none is UNKNOWN."""
    server_side, client_side = demanding(TLSVersion.TLSv1_3)
    async with TlsByHand(server_side) as server:
        async with client_of(server.url, ssl=client_side) as client:
            report = await client.cancel_bulks(ids(50))
        assert server.connections == 1
    assert report.counts[CancelState.NOT_SENT] == 50
    assert {True} == {getattr(outcome.error, "tls", None) for outcome in report.outcomes}


async def test_case_58_with_its_certificate_all_is_well() -> None:
    """What the tests above deny is possible."""
    authority = trustme.CA()
    server_side, client_side = SSLContext(PROTOCOL_TLS_SERVER), create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.issue_cert("client.example").configure_cert(client_side)
    authority.configure_trust(server_side)
    authority.configure_trust(client_side)
    server_side.verify_mode = CERT_REQUIRED
    async with FaultServer(tls=server_side) as server:
        assert (await success_of(server.url, ssl=client_side)).is_canceled


async def test_an_alert_in_mid_connection_is_a_lost_line() -> None:
    """The server had read the request: its fate is unknown, and the alert is named."""
    server_side, client_side = tls_pair()
    async with TlsByHand(server_side, spoil=True) as server:
        error = await failure_of(server.url, ssl=client_side, retry=ONCE)
        assert type(error) is TransportError
        assert (1, True) == (error.attempts, error.outcome_unknown)
        assert "TLS alert: bad record mac" in str(error)
        assert TOKEN.encode() in server.decrypted
