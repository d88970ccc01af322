"""TLS and proxies: who must not see the token does not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context

import pytest
import pytest_asyncio
import trustme

from lox24_async import ConfigurationError, ConnectionFailedError, RetryPolicy
from tests.fault_server import (
    BULK_ID,
    TOKEN,
    ConnectProxy,
    FaultServer,
    PlainPort,
    answer,
    client_of,
    failure_of,
    ids,
    nothing_left,
    success_of,
    summary,
    tls_pair,
)

KEY = TOKEN.partition(":")[2].encode()
Pair = tuple[SSLContext, SSLContext]


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


# --- 28: TLS

WHY = {
    "bad CA": "unable to get local issuer certificate",
    "wrong name": "IP address mismatch",
    "expired": "certificate has expired",
}
BAD: dict[str, Callable[[], Pair]] = {
    "bad CA": lambda: tls_pair(trusted=False),
    "wrong name": lambda: tls_pair("api.lox24.eu"),
    "expired": lambda: tls_pair(expired=True),
}


async def test_case_28_good_certificate() -> None:
    """What the tests below deny is possible: over TLS all is well."""
    server_side, client_side = tls_pair()
    async with FaultServer(tls=server_side) as server:
        assert (await success_of(server.url, ssl=client_side)).is_canceled
        assert KEY in server.raw


@pytest.mark.parametrize("what", BAD)
async def test_case_28_bad_certificate(what: str) -> None:
    """One handshake, no repeat, the reason, and no byte of the request."""
    server_side, client_side = BAD[what]()
    async with FaultServer(tls=server_side) as server:
        error = await failure_of(server.url, ssl=client_side)
        assert isinstance(error, ConnectionFailedError)
        assert (True, 0, False) == (error.tls, error.attempts, error.outcome_unknown)
        assert WHY[what] in str(error)
        assert (1, 0, b"") == (server.connections, len(server.requests), bytes(server.raw))
        assert error.__cause__ is error.__context__ is None


async def test_case_28_the_authority_is_checked_by_default() -> None:
    """Without ``ssl=`` a private authority is not trusted."""
    server_side, _ = tls_pair()
    async with FaultServer(tls=server_side) as server:
        error = await failure_of(server.url)
        assert (True, 0) == (getattr(error, "tls", None), len(server.requests))


@pytest.mark.parametrize(
    "reply", [answer(b"{}", 400), b"220 ready\r\n", b""], ids=["HTTP", "SMTP", "nothing"]
)
async def test_case_28_plain_port(reply: bytes) -> None:
    """A port that speaks no TLS: it sees no byte of the request, and there is no doubt."""
    async with PlainPort(reply) as server:
        error = await failure_of(server.url)
        assert isinstance(error, ConnectionFailedError)
        assert (0, False) == (error.attempts, error.outcome_unknown)
        assert KEY not in server.raw
        if reply:  # a port that just closes may be any failure to connect
            assert (True, 1) == (error.tls, server.connections)


@pytest.mark.parametrize("pair", BAD.values(), ids=BAD)
async def test_case_28_all_who_wait_fail(pair: Callable[[], Pair]) -> None:
    """While the token is unproven, one handshake is enough for all."""
    server_side, client_side = pair()
    async with FaultServer(tls=server_side) as server:
        async with client_of(server.url, ssl=client_side) as client:
            calls = (client.cancel_bulk(bulk_id) for bulk_id in ids(200))
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [True] * 200 == [getattr(error, "tls", None) for error in errors]
        assert {(0, False)} == {(e.attempts, e.outcome_unknown) for e in errors}  # type: ignore[union-attr]
        assert (1, b"") == (server.connections, bytes(server.raw))


async def test_case_28_certificate_goes_bad_in_mid_run() -> None:
    """With a proven token, at most the first wave shakes hands; the others fail with it."""
    authority = trustme.CA()
    server_side = SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = create_default_context()
    authority.configure_trust(client_side)
    gone = answer(summary(), 200, "Connection: close")
    async with FaultServer(put=gone, tls=server_side) as server:
        async with client_of(server.url, ssl=client_side) as client:
            await client.cancel_bulk(BULK_ID)
            authority.issue_cert("api.lox24.eu").configure_cert(server_side)
            calls = (client.cancel_bulk(bulk_id) for bulk_id in ids(200))
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [True] * 200 == [getattr(error, "tls", None) for error in errors]
        assert server.connections <= 11
        assert 1 == len(server.requests)


async def test_case_28_another_client_is_not_concerned() -> None:
    """Whom a client trusts is its own matter: one with the right authority goes ahead."""
    server_side, client_side = tls_pair()
    async with FaultServer(tls=server_side) as server:
        assert getattr(await failure_of(server.url), "tls", None)
        patience = RetryPolicy(max_wait=0)
        assert (await success_of(server.url, ssl=client_side, retry=patience)).is_canceled


# --- 29: proxies


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the environment name a proxy for everything."""

    def proxied(url: str) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, url)
            monkeypatch.setenv(name.upper(), url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)

    return proxied


@pytest.mark.parametrize("secure", [False, True])
async def test_case_29_environment_is_ignored(
    secure: bool, everywhere: Callable[[str], None]
) -> None:
    """A proxy in the environment sees nothing."""
    server_side, client_side = tls_pair()
    async with ConnectProxy() as proxy, FaultServer(tls=server_side if secure else None) as server:
        everywhere(proxy.url)
        assert (await success_of(server.url, ssl=client_side)).is_canceled
        assert 0 == proxy.connections


async def test_case_29_proxy_does_not_see_the_token() -> None:
    """The tunnel's head names the target only; the token goes through the tunnel."""
    server_side, client_side = tls_pair()
    async with ConnectProxy() as proxy, FaultServer(tls=server_side) as server:
        assert (await success_of(server.url, ssl=client_side, proxy=proxy.url)).is_canceled
        assert [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1".encode()] == [
            head.split(b"\r\n")[0] for head in proxy.heads
        ]
        assert KEY not in b"".join(proxy.heads)
        assert b"lox24-auth" not in b"".join(proxy.heads).lower()
        assert [TOKEN] == server.requests[0].header("X-LOX24-AUTH-TOKEN")


async def test_case_29_the_proxys_password_is_for_the_proxy() -> None:
    """User info of the proxy's URL goes to the proxy, not through it, and is not shown."""
    server_side, client_side = tls_pair()
    async with ConnectProxy() as proxy, FaultServer(tls=server_side) as server:
        url = proxy.url.replace("//", "//someone:pass-word@")
        async with client_of(server.url, ssl=client_side, proxy=url) as client:
            await client.cancel_bulk(BULK_ID)
            assert "pass-word" not in repr(client)
        assert b"proxy-authorization" in proxy.heads[0].lower()
        assert [] == server.requests[0].header("Proxy-Authorization")


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_case_29_proxy_refuses(status: int) -> None:
    """What a proxy answers is not the service's word: no connection, nothing in doubt."""
    server_side, client_side = tls_pair()
    async with (
        ConnectProxy(answer(TOKEN.encode(), status)) as proxy,
        FaultServer(tls=server_side) as server,
    ):
        error = await failure_of(server.url, ssl=client_side, proxy=proxy.url)
        assert type(error) is ConnectionFailedError
        assert (0, False) == (error.attempts, error.outcome_unknown)
        assert 0 == server.connections
        assert TOKEN not in f"{error!r} {vars(error)}"


async def test_case_29_bad_certificate_behind_a_proxy() -> None:
    """The tunnel changes nothing about TLS: no repeat, no request."""
    server_side, client_side = tls_pair("api.lox24.eu")
    async with ConnectProxy() as proxy, FaultServer(tls=server_side) as server:
        error = await failure_of(server.url, ssl=client_side, proxy=proxy.url)
        assert (True, 0) == (getattr(error, "tls", None), error.attempts)
        assert (1, 1, b"") == (proxy.connections, server.connections, bytes(server.raw))


async def test_case_29_no_plain_http_through_a_proxy() -> None:
    """It would show the proxy the token: refused before any connection."""
    async with ConnectProxy() as proxy, FaultServer() as server:
        with pytest.raises(ConfigurationError):
            client_of(server.url, proxy=proxy.url)
        assert (0, 0) == (proxy.connections, server.connections)
