"""Which lane a request takes, and that nobody can tell which it took."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from types import FunctionType, TracebackType
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from lox24_async import BulkDraft, Lox24Error, RetryPolicy, TransportError
from lox24_async._transport import idle
from lox24_async._transport.direct_lane import DirectLane
from lox24_async._transport.patched import is_patched
from lox24_async._transport.session_lane import SessionLane
from tests.fault_server import (
    BULK_ID,
    OTHER_ID,
    TOKEN,
    ConnectProxy,
    Deed,
    FaultServer,
    Line,
    Received,
    Step,
    abort,
    answer,
    bulk,
    client_of,
    close,
    cut,
    failure_of,
    ids,
    nothing_left,
    silent,
    success_of,
    summary,
    tls_pair,
    turns,
    until,
)

KEY = TOKEN.partition(":")[2]
DRAFT = BulkDraft("Acme", "Hello", phones=["+491701234567"])
ONCE = RetryPolicy.none()
Ways = list[str]


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    """Write down which lane each request takes."""
    taken: Ways = []

    def watch(lane: Any, name: str) -> None:
        real = lane.send

        async def send(self: Any, *arguments: Any) -> Any:
            taken.append(name)
            return await real(self, *arguments)

        monkeypatch.setattr(lane, "send", send)

    watch(DirectLane, "direct")
    watch(SessionLane, "session")
    return taken


# --- who takes which


async def test_own_session_takes_the_direct_lane(ways: Ways, lane: str) -> None:
    """A cancel, a look and a create: all three, unless the lane is closed."""
    async with FaultServer(put=answer(b"{}", 422)) as server:
        server.script("POST", answer(summary(), 201))
        async with client_of(server.url) as client:
            await client.cancel_bulk(BULK_ID)
            await client.create_bulk(DRAFT)
    assert [lane] * 3 == ways


async def test_borrowed_session_takes_the_session_lane(ways: Ways) -> None:
    """Its owner has a right to see what goes out."""
    async with FaultServer() as server, aiohttp.ClientSession() as session:
        await success_of(server.url, session=session)
    assert ["session"] == ways


async def test_proxy_takes_the_session_lane(ways: Ways) -> None:
    """The tunnel is the session's work."""
    server_side, client_side = tls_pair()
    async with ConnectProxy() as proxy, FaultServer(tls=server_side) as server:
        await success_of(server.url, ssl=client_side, proxy=proxy.url)
    assert ["session"] == ways


async def test_tracing_takes_the_session_lane(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracer that adds itself to every new session, as they do, sees our requests."""
    seen: list[str] = []

    async def note(_session: Any, _context: Any, params: aiohttp.TraceRequestEndParams) -> None:
        seen.append(params.method)

    config = aiohttp.TraceConfig()
    config.on_request_end.append(note)
    real = aiohttp.ClientSession.__init__

    def init(self: aiohttp.ClientSession, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options | {"trace_configs": [config]})

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", init)
    async with FaultServer() as server:
        await success_of(server.url)
    assert (["PUT"], ["session"]) == (seen, ways)


class _Wrapper:
    """A wrapper as wrapt makes them: an object that passes for the function."""

    __class__ = FunctionType  # type: ignore[assignment]

    def __init__(self, function: Any) -> None:
        me: Any = self
        functools.update_wrapper(me, function)
        self.__globals__ = function.__globals__

    def __get__(self, instance: Any, _: Any) -> Any:
        return functools.partial(self.__wrapped__, instance)  # type: ignore[attr-defined]


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap as decorators do: name, module and all look like before."""

    @functools.wraps(function)
    def replacement(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    return replacement


@pytest.mark.parametrize("wrap", [wrapped, _Wrapper])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (aiohttp.ClientSession, "_request"),
        (aiohttp.ClientSession, "request"),
        (aiohttp.ClientRequest, "send"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_patched_aiohttp_takes_the_session_lane(
    owner: Any, name: str, wrap: Any, ways: Ways, lane: str
) -> None:
    """Per call: with the first request under the patch, and after the patch is gone."""
    async with FaultServer() as server, client_of(server.url) as client:
        await client.cancel_bulk(BULK_ID)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, wrap(getattr(owner, name)))
            assert is_patched()
            await client.cancel_bulk(BULK_ID)
        assert not is_patched()
        await client.cancel_bulk(BULK_ID)
    assert [lane, "session", lane] == ways


# --- nobody can tell


def _lines(request: Received) -> tuple[bytes, list[bytes], bytes]:
    first, *headers = request.head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    return first, sorted(headers), request.body


@pytest.mark.parametrize("prefix", ["", "/some/where"])
async def test_both_lanes_send_the_same(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last header: PUT, GET, DELETE, POST, and a query with brackets."""
    async with FaultServer(put=answer(b"{}", 422), get=answer(summary())) as server:
        server.script("POST", answer(summary(), 201))
        server.script("DELETE", answer(b"", 204, length=False))

        async def all_kinds() -> list[tuple[bytes, list[bytes], bytes]]:
            server.requests.clear()
            async with client_of(server.url + prefix) as client:
                await client.cancel_bulk(BULK_ID)
                await client.delete_bulk(BULK_ID)
                await client.create_bulk(DRAFT)
                with pytest.raises(Lox24Error):
                    async for _ in client.list_bulks():
                        pass
            return [_lines(request) for request in server.requests]

        first = await all_kinds()
        monkeypatch.setattr(DirectLane, "works", not DirectLane.works)
        assert first == await all_kinds()
        monkeypatch.undo()
    assert {"PUT", "GET", "DELETE", "POST"} == {line.split()[0].decode() for line, *_ in first}
    assert {prefix.encode()} == {line.split()[1].partition(b"/bulks")[0] for line, *_ in first}


async def test_ipv6() -> None:
    """An address in brackets, in the URL and in the header."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(summary(), 200, "Connection: close"))
        writer.close()

    try:
        server = await asyncio.start_server(serve, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = server.sockets[0].getsockname()[1]
    try:
        assert (await success_of(f"http://[::1]:{port}")).is_canceled
    finally:
        server.close()
        await server.wait_closed()
    assert [f"[::1]:{port}"] == Received(heads[0], b"", 0).header("Host")


# --- connections


async def test_one_connection_for_calls_in_turn() -> None:
    """It is kept alive through answers of each kind."""
    chunked = answer(b"", 200, "Transfer-Encoding: chunked", length=False)
    chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(summary()), summary())
    steps: list[Step] = [
        bulk(),
        answer(b"", 404),
        chunked,
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(summary()),
        answer(b'{"detail": "%b"}' % (b"no such bulk" * 4_000), 404),
        bulk(),
    ]
    async with FaultServer(put=steps) as server, client_of(server.url, retry=ONCE) as client:
        states = [outcome.state.name for outcome in (await client.cancel_bulks(ids(1))).outcomes]
        for _ in steps[1:]:
            report = await client.cancel_bulks([BULK_ID])
            states.append(report[BULK_ID].state.name)
        assert 1 == server.connections
    good, missing = "CANCELED", "NOT_FOUND"
    assert [good, missing, good, good, missing, good] == states


@pytest.mark.parametrize("parts", [1, 3, 50])
async def test_an_answer_in_pieces(parts: int) -> None:
    """However it is cut on its way, and with a pause at each cut."""
    whole = answer(summary())
    size = len(whole) // parts + 1

    async def deed(_: Received, line: Line) -> None:
        for start in range(0, len(whole), size):
            await line.send(whole[start : start + size])
            await turns(3)

    async with FaultServer(put=deed) as server, client_of(server.url) as client:
        for _ in range(3):
            assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert (3, 1) == (server.puts, server.connections)


@pytest.mark.parametrize("borrowed", [False, True])
async def test_a_body_that_comes_after_its_head(borrowed: bool) -> None:
    """All of it in one piece, as of a slow service."""
    whole = answer(summary())
    head = whole.index(b"\r\n\r\n") + 4

    async def deed(_: Received, line: Line) -> None:
        await line.send(whole[:head])
        await asyncio.sleep(0.02)
        await line.send(whole[head:])

    async with FaultServer(put=deed) as server, aiohttp.ClientSession() as session:
        own = session if borrowed else None
        async with client_of(server.url, session=own) as client:
            assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert (1, 1) == (server.puts, server.connections)


@pytest.mark.parametrize("close_too", [False, True])
async def test_connection_close_is_obeyed(close_too: bool) -> None:
    """An answer that ends its connection costs no attempt: the next call opens another."""
    last = answer(summary(), 200, "Connection: close")
    async with FaultServer(put=cut(last) if close_too else last) as server:
        async with client_of(server.url, retry=ONCE) as client:
            for _ in range(3):
                assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert [0, 1, 2] == [request.line for request in server.requests]


async def test_http_1_0_ends_the_connection() -> None:
    """So does an answer of the older protocol, whose body ends with the connection."""
    old = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + summary()
    async with FaultServer(put=cut(old)) as server, client_of(server.url, retry=ONCE) as client:
        for _ in range(2):
            assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert [0, 1] == [request.line for request in server.requests]


async def test_case_17_second_answer_at_once() -> None:
    """Two answers for one request: the second is nobody's, and its line is left."""
    twice = answer(summary()) + answer(summary(OTHER_ID))
    async with FaultServer(put=[twice, bulk()]) as server:
        async with client_of(server.url, retry=ONCE) as client:
            assert (await client.cancel_bulk(BULK_ID)).is_canceled
            assert (await client.cancel_bulk(BULK_ID)).is_canceled
        assert [0, 1] == [request.line for request in server.requests]


@pytest.mark.parametrize("stray", [b"HTTP/1.1 200", b"HTTP/1.1 404 No\r\nX-Half: "])
async def test_case_17_half_an_answer_on_an_idle_line(stray: bytes) -> None:
    """It spoils that line at the most: what is told in the end is the truth."""
    async with FaultServer() as server, client_of(server.url) as client:
        await client.cancel_bulk(OTHER_ID)
        await server.lines[0].send(stray)
        await turns()
        assert (await client.cancel_bulk(BULK_ID)).is_canceled


async def test_idle_connections_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody uses for a while is the connector's again, which still gives it out."""
    monkeypatch.setattr(idle, "_INTERVAL", 0.01)
    async with FaultServer() as server, client_of(server.url) as client:
        await client.cancel_bulk(OTHER_ID)
        await asyncio.gather(*map(client.cancel_bulk, ids(5)))
        opened = server.connections
        await asyncio.sleep(0.1)
        await asyncio.gather(*map(client.cancel_bulk, ids(5)))
        assert 5 == opened == server.connections


async def test_idle_connections_in_use_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each interval gives back only those that nobody took in it."""

    class Connection:
        transport: Any = None

        def __init__(self) -> None:
            self.protocol = self
            self.should_close = False
            self.released = False

        def is_connected(self) -> bool:
            return True

        def release(self) -> None:
            self.released = True

    kept = idle.IdleConnections()
    monkeypatch.setattr(idle, "_INTERVAL", 1e6)
    connections = [Connection() for _ in range(4)]
    for connection in connections:
        kept.put_back(connection, usable=True)
    kept._give_back_untouched()
    assert [False] * 4 == [one.released for one in connections]
    taken = [kept.take(), kept.take()]
    assert connections[:1:-1] == taken
    for one in taken:
        kept.put_back(one, usable=True)
    kept._give_back_untouched()
    assert [True, True, False, False] == [one.released for one in connections]
    kept.retire()
    assert all(one.released for one in connections)
    assert kept.take() is None


# --- bodies


class _Upload:
    """A server that reads the head of a request and then does something else."""

    def __init__(self, deed: Callable[[asyncio.StreamWriter], None]) -> None:
        self.bytes = 0
        self.ended = 0
        self._deed = deed

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.bytes += len(await reader.readuntil(b"\r\n\r\n"))
        self._deed(writer)
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                self.bytes += len(data)
        writer.close()
        self.ended += 1


BIG = BulkDraft("Acme", "Hello", phones=[f"+4917{number:08}" for number in range(400_000)])


@pytest.mark.parametrize("status", [413, 503])
async def test_answer_before_the_body_is_through(status: int) -> None:
    """A server that refuses while we write is heard, or the call fails; it is not repeated."""

    def refuse(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"{}", status, "Connection: close"))

    upload = _Upload(refuse)
    server = await asyncio.start_server(upload, "127.0.0.1", 0)
    async with server, client_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as one:
        with pytest.raises(Lox24Error) as caught:
            await one.create_bulk(BIG)
        await until(lambda: upload.ended == 1)
    assert 1 == caught.value.attempts
    assert status == getattr(caught.value, "status", status)


async def test_cancelled_upload_is_not_finished_behind_our_back() -> None:
    """Who is cancelled while a body goes out does not send the rest of it."""

    def hold(writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        held.append(writer)

    held: list[asyncio.StreamWriter] = []
    upload = _Upload(hold)
    server = await asyncio.start_server(upload, "127.0.0.1", 0)
    async with server, client_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as one:
        call = asyncio.create_task(one.create_bulk(BIG))
        await until(lambda: bool(held))
        await turns()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        held[0].transport.resume_reading()  # type: ignore[attr-defined]
        await until(lambda: upload.ended == 1)
    assert upload.bytes < sum(map(len, BIG.phones))


async def test_line_with_half_a_body_on_it_is_not_used_again() -> None:
    """A refusal that comes early leaves the rest of the body unsent, and its line unused."""

    def refuse_and_hold(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"{}", 413))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        held.append(writer)

    held: list[asyncio.StreamWriter] = []
    upload = _Upload(refuse_and_hold)
    server = await asyncio.start_server(upload, "127.0.0.1", 0)
    async with server, client_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as one:
        for count in (1, 2):
            with pytest.raises(Lox24Error, match="413"):
                await one.create_bulk(BIG)
            assert count == len(held)
        for writer in held:
            writer.transport.resume_reading()  # type: ignore[attr-defined]
        await until(lambda: upload.ended == 2)
    assert upload.bytes < 2 * sum(map(len, BIG.phones))


# --- secrets


def _frames(error: BaseException) -> Iterator[TracebackType]:
    link: BaseException | None = error
    while link is not None:
        trace = link.__traceback__
        while trace is not None:
            yield trace
            trace = trace.tb_next
        link = link.__cause__ or link.__context__


def shown_by(error: BaseException) -> str:
    """Return all that a reporter with local variables would show of an error."""
    values = [
        value
        for trace in _frames(error)
        if not trace.tb_frame.f_code.co_filename.startswith(__file__)
        for value in trace.tb_frame.f_locals.values()
    ]
    more = [vars(value) for value in values if hasattr(value, "__dict__")]
    return repr((error, error.args, vars(error), values, more))


BROKEN: dict[str, Deed | bytes] = {
    "dropped": close,
    "reset": abort,
    "garbage": cut(b"\x00\xff no HTTP\r\n\r\n"),
    "cut": cut(answer(summary())[:-5]),
    "silent": silent,
    "503": answer(TOKEN.encode(), 503),
    "another's": answer(summary(OTHER_ID)),
}


@pytest.mark.parametrize("put", BROKEN.values(), ids=BROKEN)
async def test_case_32_no_token_in_any_frame(put: Step) -> None:
    """However an attempt ends, no local variable on the error's way shows the token."""
    async with FaultServer(put=put, get=put) as server:
        error = await failure_of(server.url, retry=ONCE, attempt_timeout=0.1)
    assert KEY not in shown_by(error)


async def test_case_32_no_token_in_a_cancels_frames() -> None:
    """Nor does a cancel in flight."""
    async with FaultServer(put=silent) as server, client_of(server.url) as client:
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await server.arrival()
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
        assert KEY not in shown_by(caught.value)


async def test_case_32_no_token_in_frames_without_a_connection() -> None:
    """Nor does a port that refuses."""
    async with FaultServer() as server:
        url = server.url
    assert KEY not in shown_by(await failure_of(url, retry=ONCE))


async def test_case_60_a_trace_callback_that_raises() -> None:
    """The owner's own error is named in a typed one, without a frame that holds the token."""

    async def burst(*_: object) -> None:
        raise ZeroDivisionError("mine")

    config = aiohttp.TraceConfig()
    config.on_request_start.append(burst)
    async with (
        FaultServer() as server,
        aiohttp.ClientSession(trace_configs=[config]) as session,
        client_of(server.url, session=session) as client,
    ):
        with pytest.raises(TransportError, match="ZeroDivisionError: mine") as caught:
            await client.cancel_bulk(BULK_ID)
        assert KEY not in shown_by(caught.value)
        assert 0 == server.puts
