"""Where a client lives (one loop, one process), and what it sends from there."""

import asyncio
import os
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from lox24_async import (
    Lox24Client,
)
from tests.fault_server import (
    BULK_ID,
    TOKEN,
    FaultServer,
    Gate,
    Received,
    Step,
    answer,
    bulk,
    client_of,
    nothing_left,
    success_of,
    summary,
)


@pytest_asyncio.fixture
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


# --- 39: loops and processes


def test_case_39_no_loop() -> None:
    """Made without a loop; used without one, it says so before any I/O."""
    client = client_of("http://127.0.0.1:9")
    call = client.cancel_bulk(BULK_ID)
    with pytest.raises(RuntimeError, match="loop"):
        call.send(None)


def test_case_39_second_loop() -> None:
    """In another loop than its first a client is refused before any I/O; the first goes on."""
    with asyncio.Runner() as first, asyncio.Runner() as second:
        server = first.run(FaultServer().__aenter__())
        client = client_of(server.url)
        try:
            first.run(client.cancel_bulk(BULK_ID))
            for use in (client.cancel_bulk(BULK_ID), client.cancel_bulks([BULK_ID])):
                with pytest.raises(RuntimeError, match="another event loop"):
                    second.run(use)
            assert first.run(client.cancel_bulk(BULK_ID)).is_canceled
            assert (2, 1) == (server.puts, server.connections)
        finally:
            first.run(client.close())
            first.run(server.__aexit__())


def test_case_39_close_in_a_second_loop() -> None:
    """A close that is refused has closed nothing: the first loop's calls go on."""
    with asyncio.Runner() as first, asyncio.Runner() as second:
        server = first.run(FaultServer().__aenter__())
        client = client_of(server.url)
        try:
            first.run(client.cancel_bulk(BULK_ID))
            with pytest.raises(RuntimeError, match="another event loop"):
                second.run(client.close())
            assert first.run(client.cancel_bulk(BULK_ID)).is_canceled
        finally:
            first.run(client.close())
            first.run(server.__aexit__())


def test_case_39_closed_loop() -> None:
    """A client whose loop is gone says so, and not that something is closed or lost."""

    async def work() -> None:
        async with FaultServer() as server, aiohttp.ClientSession() as session:
            clients.append(client_of(server.url, session=session))
            await clients[0].cancel_bulk(BULK_ID)

    clients: list[Lox24Client[Any]] = []
    asyncio.run(work())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(clients[0].cancel_bulk(BULK_ID))


def in_child(work: Callable[[], str]) -> tuple[int, int]:
    """Run something in a forked child; return its pid and where to read what it says."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests
        pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    said = "nothing"
    try:
        said = work()
    except BaseException as error:  # noqa: BLE001  whatever it is, the parent must hear of it
        said = f"{type(error).__name__}: {error}"
    finally:
        os.write(writer, said.encode())
        os._exit(0)


async def said_by(pid: int, reader: int) -> str:
    """Return what a child said before it ended."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(reader, ready.set)
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        return os.read(reader, 65_536).decode()
    finally:
        loop.remove_reader(reader)
        os.close(reader)
        os.waitpid(pid, 0)  # noqa: ASYNC222  it ended with its word


@pytest.mark.usefixtures("tidy")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
async def test_case_39_after_fork() -> None:
    """The parent's client refuses to work in a child, a new one works; the parent goes on."""
    async with FaultServer() as server, client_of(server.url) as client:
        await client.cancel_bulk(BULK_ID)

        def use_the_parents() -> str:
            return str(asyncio.run(client.cancel_bulk(BULK_ID)))

        def close_the_parents() -> str:
            return str(asyncio.run(client.close()))

        def make_a_new_one() -> str:
            return str(asyncio.run(success_of(server.url)).is_canceled)

        for work in (use_the_parents, close_the_parents):
            said = await said_by(*in_child(work))
            assert said.startswith("RuntimeError: ")
            assert "parent process" in said
        assert (1, 1) == (server.puts, server.connections)
        assert "True" == await said_by(*in_child(make_a_new_one))
        assert (2, 2) == (server.puts, server.connections)

        assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert [0, 1, 0] == [request.line for request in server.requests]


@pytest.mark.usefixtures("tidy")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
async def test_case_39_fork_while_a_probe_is_out() -> None:
    """A child inherits nobody's turn: it does not wait for a probe that only the parent sent."""
    gate = Gate()
    async with FaultServer(put=[gate, bulk()]) as server, client_of(server.url) as client:
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await server.arrival()

        async def impatient() -> str:
            async with client_of(server.url) as new:
                return str((await new.cancel_bulk(BULK_ID, timeout=3.0)).is_canceled)

        assert "True" == await said_by(*in_child(lambda: asyncio.run(impatient())))
        gate.open.set()
        assert (await call).is_canceled


# --- 40: what goes out


def heads(server: FaultServer) -> dict[str, Received]:
    """Return the first request of each method."""
    return {request.method: request for request in reversed(server.requests)}


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("borrowed", [False, True])
async def test_case_40_headers(borrowed: bool) -> None:
    """A cancel and a look, to the last header."""
    async with FaultServer(put=answer(b"{}", 422)) as server, aiohttp.ClientSession() as session:
        await success_of(server.url, session=session if borrowed else None)
        common = {
            "Host": [server.url.removeprefix("http://")],
            "Accept": ["application/json"],
            "Accept-Encoding": ["identity"],
            "X-LOX24-AUTH-TOKEN": [TOKEN],
            "Content-Type": [],
            "Cookie": [],
            "Authorization": [],
            "Transfer-Encoding": [],
            "Expect": [],
        }
        put, get = heads(server)["PUT"], heads(server)["GET"]
        assert f"PUT /bulks/{BULK_ID}/cancel HTTP/1.1" == put.head.split(b"\r\n")[0].decode()
        assert f"GET /bulks/{BULK_ID}/status HTTP/1.1" == get.head.split(b"\r\n")[0].decode()
        assert common == {name: put.header(name) for name in common}
        assert common == {name: get.header(name) for name in common}
        assert (["0"], []) == (put.header("Content-Length"), get.header("Content-Length"))
        assert 1 == bytes(server.raw).count(b"Content-Length")
        assert 2 == bytes(server.raw).count(TOKEN.encode())
        assert b"" == put.body + get.body


@pytest.mark.usefixtures("tidy")
async def test_case_40_cookies() -> None:
    """What a server wants us to remember is forgotten, wherever it says so."""
    cookies = ("Set-Cookie: a=1; Path=/; Max-Age=9999", "Set-Cookie: b=2")
    steps: list[Step] = [answer(b"{}", 422, *cookies), answer(summary(), 200, *cookies), bulk()]
    async with FaultServer(put=steps, get=answer(summary(), 200, *cookies)) as server:
        # A name, since cookies of bare addresses are refused by default.
        url = server.url.replace("127.0.0.1", "localhost")
        async with client_of(url) as client:
            for _ in range(3):
                await client.cancel_bulk(BULK_ID)
        assert (3, 1) == (server.puts, server.gets)
        assert b"cookie" not in bytes(server.raw).lower()
