"""Servers that cannot be reached, must not be trusted, or send us elsewhere."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.abc import AbstractResolver, ResolveResult

from lox24_async import (
    APIStatusError,
    ConnectionFailedError,
    RetryPolicy,
    TransportError,
)
from tests.fault_server import (
    TOKEN,
    FaultServer,
    answer,
    client_of,
    connect_quickly,
    failure_of,
    full,
    ids,
    nothing_left,
    success_of,
    summary,
    turns,
)

KEY = TOKEN.partition(":")[2].encode()
IMPATIENT = RetryPolicy(initial_delay=0.02, max_delay=0.02, max_wait=0.1)


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


# --- 26: redirects

CODES = [300, 301, 302, 303, 304, 305, 307, 308, 399]


@pytest.mark.parametrize("borrowed", [False, True])
@pytest.mark.parametrize("code", CODES)
async def test_case_26_redirects_are_not_followed(code: int, borrowed: bool) -> None:
    """Nothing goes to the target; the error names its origin and nothing more of it."""
    async with FaultServer() as target, FaultServer() as server, aiohttp.ClientSession() as own:
        place = target.url.replace("//", "//someone:pass-word@") + "/a-path?a-query#a-fragment"
        body = b"" if code == 304 else b"<a href=a-path>a-path</a>"
        server.script("PUT", answer(body, code, f"Location: {place}"))
        error = await failure_of(server.url, session=own if borrowed else None)
        assert isinstance(error, APIStatusError)
        assert (code, 1, False) == (error.status, error.attempts, error.outcome_unknown)
        assert (1, 0, 0) == (server.puts, server.gets, target.connections)
        assert target.url in str(error)
        shown = f"{error} {error!r} {error.args} {vars(error)}"
        assert not [part for part in ("a-path", "a-query", "a-fragm", "pass-word") if part in shown]


@pytest.mark.parametrize(
    "place", ["/elsewhere", "", "?x", "//[bad", "https://a@127.0.0.1:9/x", "data:,x", "\xff"]
)
async def test_case_26_odd_targets(place: str) -> None:
    """A relative, empty or broken target changes nothing."""
    async with FaultServer(put=answer(b"", 302, f"Location: {place}")) as server:
        error = await failure_of(server.url)
        assert (302, 1) == (getattr(error, "status", None), error.attempts)
        assert (1, 0) == (server.puts, server.gets)


async def test_case_26_redirected_look_decides_nothing() -> None:
    """A look that is sent elsewhere stays at home too."""
    async with FaultServer() as target:
        moved = answer(b"", 307, f"Location: {target.url}/x")
        async with FaultServer(put=answer(b"{}", 422), get=moved) as server:
            assert 422 == getattr(await failure_of(server.url), "status", None)
            assert 0 == target.connections


# --- 27: no connection


@contextmanager
def connects(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[int]]:
    """Count the attempts to connect, by port, where they leave the process."""
    count: Counter[int] = Counter()
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        count[address[1]] += 1
        real(self, address)

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield count


async def failures_of(url: str, count: int = 1_000, **options: Any) -> list[Any]:
    """Cancel many together, and return what went wrong."""
    async with client_of(url, **({"retry": IMPATIENT} | options)) as client:
        calls = (client.cancel_bulk(bulk_id) for bulk_id in ids(count))
        return await asyncio.gather(*calls, return_exceptions=True)


@asynccontextmanager
async def shut_server(proven: bool) -> AsyncIterator[FaultServer]:
    """Give a server that refuses connections, maybe after it has accepted our token."""
    async with FaultServer(put=answer(summary(), 200, "Connection: close")) as server:
        if proven:
            await success_of(server.url)
        server.deafen()
        yield server


async def test_case_27_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated, then typed; nothing was sent, so nothing is in doubt."""
    async with shut_server(proven=False) as server:
        with connects(monkeypatch) as count:
            error = await failure_of(server.url)
    assert type(error) is ConnectionFailedError
    assert (0, False, False) == (error.attempts, error.outcome_unknown, error.tls)
    assert 3 == count[server.port]


@pytest.mark.parametrize("proven", [False, True])
async def test_case_27_refused_under_gather(proven: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first wave connects, then one probe for each shared pause."""
    async with shut_server(proven) as server:
        with connects(monkeypatch) as count:
            errors = await failures_of(server.url)
    assert {ConnectionFailedError} == {type(error) for error in errors}
    assert {(0, False)} == {(error.attempts, error.outcome_unknown) for error in errors}
    assert 1 <= count[server.port] <= 100


@pytest.mark.parametrize("proven", [False, True])
async def test_case_27_the_first_wave(proven: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody connects during a pause: when it outlasts all patience, that was the last."""
    long = RetryPolicy(initial_delay=1e6, max_delay=1e6, max_wait=1.0)
    async with shut_server(proven) as server:
        with connects(monkeypatch) as count:
            errors = await failures_of(server.url, retry=long)
    assert {ConnectionFailedError} == {type(error) for error in errors}
    assert (10 if proven else 1) == count[server.port]


async def test_case_27_recovers() -> None:
    """When the service is back, all who waited succeed."""
    policy = RetryPolicy(max_attempts=99, initial_delay=0.02, max_delay=0.02)
    async with shut_server(proven=True) as shut, client_of(shut.url, retry=policy) as client:
        calls = asyncio.gather(*map(client.cancel_bulk, ids(100)))
        await turns()
        async with FaultServer(port=shut.port) as server:
            assert {15} == {bulk.status_code for bulk in await calls}
            assert 100 == server.puts


class _NoSuchHost(AbstractResolver):
    """Knows no host, and counts who asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        await asyncio.sleep(0)
        raise OSError(None, f"no such host: {host}:{port} ({family})")

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("borrowed", [False, True])
async def test_case_27_unknown_host_under_gather(
    borrowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that does not resolve is a failed connection: one question for each pause."""
    resolver = _NoSuchHost()
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", lambda **_: resolver)
    async with aiohttp.ClientSession() as session:
        errors = await failures_of("https://lox24.invalid", session=session if borrowed else None)
    assert {ConnectionFailedError} == {type(error) for error in errors}
    assert {(0, False)} == {(error.attempts, error.outcome_unknown) for error in errors}
    assert 1 <= resolver.asked <= 100


@pytest.mark.parametrize("proven", [False, True])
async def test_case_27_connect_timeout(proven: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection in time: the same, and the request never left."""
    async with shut_server(proven) as server:
        connect_quickly(monkeypatch)
        with full(server.port), connects(monkeypatch) as count:
            errors = await failures_of(server.url)
    assert {ConnectionFailedError} == {type(error) for error in errors}
    assert {(0, False)} == {(error.attempts, error.outcome_unknown) for error in errors}
    assert 1 <= count[server.port] <= 20


@pytest.mark.parametrize("proven", [False, True])
async def test_case_27_attempt_timeout_while_connecting(
    proven: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt timeout that ends a connect leaves no doubt, and makes no storm either."""
    async with shut_server(proven) as server:
        with full(server.port), connects(monkeypatch) as count:
            errors = await failures_of(server.url, 100, attempt_timeout=0.05)
    assert not [error for error in errors if not isinstance(error, TransportError)]
    assert {(0, False)} == {(error.attempts, error.outcome_unknown) for error in errors}
    assert 1 <= count[server.port] <= 20
