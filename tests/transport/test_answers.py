"""Answers that are cut, broken or of no use: never a success, and the truth all the same."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from lox24_async import (
    ConnectionFailedError,
    Lox24Error,
    ResponseDecodeError,
    TransportError,
    make_converter,
)
from lox24_async._transport.connector import Connector
from tests.fault_server import (
    BULK_ID,
    FaultServer,
    answer,
    bulk,
    client_of,
    cut,
    failure_of,
    nothing_left,
    success_of,
    summary,
    tls_pair,
    until,
)

WHOLE = answer(summary())


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


# --- 20: answers that are cut short

CUT = {
    "in the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "before the body": WHOLE[: -len(summary())],
    "by its length": WHOLE[:-1],
    "by its length, though it reads well": answer(
        summary(), 200, "Content-Length: 999", length=False
    ),
    "chunked, without its end": (
        answer(b"", 200, "Transfer-Encoding: chunked", length=False)
        + b"%x\r\n%b\r\n" % (len(summary()), summary())
    ),
    "within a chunk": (
        answer(b"", 200, "Transfer-Encoding: chunked", length=False) + b"ff\r\n" + summary()
    ),
}


@pytest.mark.parametrize("part", CUT.values(), ids=CUT)
async def test_case_20_cut_answer_is_repeated(part: bytes) -> None:
    """Half an answer is none: the cancel is repeated."""
    async with FaultServer(put=[cut(part), bulk()]) as server:
        assert (await success_of(server.url)).is_canceled
        assert (2, 0) == (server.puts, server.gets)


@pytest.mark.parametrize("part", CUT.values(), ids=CUT)
async def test_case_20_cut_to_the_end(part: bytes) -> None:
    """Cut each time, the bulk's fate is unknown and is looked up."""
    async with FaultServer(put=cut(part), get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert type(error) is TransportError
        assert (True, 3) == (error.outcome_unknown, error.attempts)
        assert (3, 1) == (server.puts, server.gets)


async def test_case_20_cut_body_of_no_stated_length() -> None:
    """Without a length, what is cut can only be told by its contents: no success from half."""
    part = answer(summary()[:-5], 200, "Connection: close", length=False)
    async with FaultServer(put=cut(part), get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert type(error) is ResponseDecodeError
        assert (True, 1) == (error.outcome_unknown, server.gets)


# --- 21: broken framing

BROKEN = {
    "two lengths": answer(summary(), 200, "Content-Length: 3"),
    "length and chunked": answer(summary(), 200, "Transfer-Encoding: chunked"),
    "length and a chunked body": (
        answer(b"", 200, "Transfer-Encoding: chunked", "Content-Length: 5", length=False)
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(summary()), summary())
    ),
    "length below zero": answer(summary(), 200, "Content-Length: -5", length=False),
    "length in words": answer(summary(), 200, "Content-Length: many", length=False),
    "chunk of no length": (
        answer(b"", 200, "Transfer-Encoding: chunked", length=False) + b"zz\r\n" + summary()
    ),
    "garbage": b"\x00\xffthis is no HTTP\r\n\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "status in words": b"HTTP/1.1 OK 200\r\nContent-Length: 0\r\n\r\n",
    "header without a colon": answer(summary(), 200, "this is no header"),
    "204 with a body": answer(summary(), 204),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_case_21_broken_framing(broken: bytes) -> None:
    """It is a transport error, and no 400 that the server never said."""
    async with FaultServer(put=cut(broken), get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert type(error) is TransportError
        assert "400" not in str(error)
        assert (True, server.puts) == (error.outcome_unknown, error.attempts)
        assert 1 == server.gets


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_case_21_broken_line_is_left(broken: bytes) -> None:
    """Kept open by the server, the line is not used again, and the look settles the cancel."""
    async with FaultServer(put=broken, get=bulk(15)) as server:
        assert (await success_of(server.url, attempt_timeout=0.1)).is_canceled
        lines = [request.line for request in server.requests]
        assert sorted(set(lines)) == lines


async def test_case_21_unasked_switch_of_protocols_is_no_success() -> None:
    """A 101 that nobody asked for is an error, and its line is not used again."""
    data = answer(summary(), 101, "Upgrade: other", "Connection: upgrade")
    async with FaultServer(put=data, get=bulk(5)) as server, client_of(server.url) as client:
        with pytest.raises(Lox24Error):
            await client.cancel_bulk(BULK_ID)
        server.script("PUT", bulk())
        assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert server.requests[-1].line > 0


@pytest.mark.parametrize("secure", [False, True])
async def test_case_21_server_speaks_first(secure: bool) -> None:
    """Another protocol's greeting is no answer, and no reason to connect again and again."""
    server_side, client_side = tls_pair()
    hello = b"220 mail.example ready\r\n"
    async with FaultServer(greeting=hello, tls=server_side if secure else None) as server:
        error = await failure_of(server.url, ssl=client_side)
        assert isinstance(error, TransportError)
        assert server.connections <= 6


async def test_case_21_server_speaks_before_we_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heard in time, the request never leaves: a failed connection, and no doubt."""
    create = Connector._create_connection

    async def wait_for_the_greeting(self: Connector, *arguments: Any, **options: Any) -> Any:
        protocol = await create(self, *arguments, **options)
        await until(lambda: protocol.should_close)
        return protocol

    monkeypatch.setattr(Connector, "_create_connection", wait_for_the_greeting)
    async with FaultServer(greeting=b"220 mail.example ready\r\n") as server:
        error = await failure_of(server.url)
        assert type(error) is ConnectionFailedError
        assert "spoke first" in error.message
        assert (0, False) == (error.attempts, error.outcome_unknown)
        assert 0 == server.puts


# --- 24: a success without a bulk

NO_BULK = {
    "html": b"<!doctype html><title>Welcome</title>",
    "empty": b"",
    "Latin-1": b'{"uuid": "%b", "status_code": 15, "text": "\xfc"}' % BULK_ID.encode(),
    "UTF-16": summary().decode().encode("utf-16"),
    "two BOMs": b"\xef\xbb\xbf\xef\xbb\xbf" + summary(),
    "null": b"null",
    "a list": b"[" + summary() + b"]",
    "a string": b'"canceled"',
    "100,000 brackets": b"[" * 100_000,
    "100,000 braces": b'{"a":' * 100_000,
    "5,000 digits": b'{"uuid": "%b", "status_code": %b}' % (BULK_ID.encode(), b"1" * 5_000),
    "5,000 digits aside": (
        b'{"uuid": "%b", "status_code": 15, "x": %b}' % (BULK_ID.encode(), b"1" * 5_000)
    ),
    "NaN": b'{"uuid": "%b", "status_code": 15, "price": NaN}' % BULK_ID.encode(),
    "Infinity": b'{"uuid": "%b", "status_code": 15, "x": -Infinity}' % BULK_ID.encode(),
    "two bulks": summary() * 2,
    "no status": b'{"uuid": "%b"}' % BULK_ID.encode(),
}


@pytest.mark.parametrize("body", NO_BULK.values(), ids=NO_BULK)
async def test_case_24_no_bulk(body: bytes) -> None:
    """It is typed, keeps the status and a cut body, is not repeated, and is looked up."""
    async with FaultServer(put=answer(body), get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert type(error) is ResponseDecodeError
        assert (200, True, 1) == (error.status, error.outcome_unknown, error.attempts)
        assert (1, 1) == (server.puts, server.gets)
        assert len(error.body) < 2_100
        assert error.body.isprintable()


@pytest.mark.parametrize("body", NO_BULK.values(), ids=NO_BULK)
async def test_case_24_the_look_settles_it(body: bytes) -> None:
    """A look that can be read decides; one that is as broken changes nothing."""
    async with FaultServer(put=answer(body), get=[bulk(15), answer(body)]) as server:
        assert (await success_of(server.url)).is_canceled
        error = await failure_of(server.url)
        assert type(error) is ResponseDecodeError
        assert error.outcome_unknown


@pytest.mark.parametrize(
    "body", [b"\xef\xbb\xbf" + summary(), b" \r\n" + summary() + b"\n"], ids=["BOM", "blanks"]
)
async def test_case_24_a_bom_does_no_harm(body: bytes) -> None:
    """Valid JSON with a BOM or with blanks around is a value."""
    async with FaultServer(put=answer(body)) as server:
        assert (await success_of(server.url)).is_canceled
        assert (1, 0) == (server.puts, server.gets)


@pytest.mark.parametrize("name", ["before the body", "by its length"])
async def test_case_20_a_success_that_is_cut_proves_the_token(name: str) -> None:
    """Its head was there: so the look may go, though the token had not worked before."""
    async with FaultServer(put=[cut(CUT[name])], get=[bulk(15)]) as server:
        assert (await success_of(server.url, proven=False)).is_canceled
        assert server.puts == 3


# --- 66: a number beyond all floats


async def test_case_66_a_number_beyond_all_floats() -> None:
    """In a field that nobody knows: the bulk is cancelled, and is written as it came."""
    body = summary()[:-1] + b', "x": 1e999, "y": [-1e999]}'
    async with FaultServer(put=answer(body)) as server:
        canceled = await success_of(server.url)
    assert canceled.is_canceled
    text = make_converter().dumps(canceled)
    assert json.loads(body) == json.loads(text) == make_converter().unstructure(canceled)
    assert "Infinity" not in text
