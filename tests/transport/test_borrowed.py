"""The caller's own session: used, never changed, never closed."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aioresponses import aioresponses

from lox24_async import (
    CancelReport,
    CancelState,
    ClientClosedError,
    ConfigurationError,
    ConnectionFailedError,
    Lox24Client,
    Lox24Error,
    NotCancelableError,
    NotFoundError,
    RetryPolicy,
    TransportError,
)
from lox24_async._transport import closing
from lox24_async.testing import FakeLox24
from tests.fault_server import (
    BULK_ID,
    OTHER_ID,
    TOKEN,
    ConnectProxy,
    FaultServer,
    Line,
    Received,
    answer,
    bulk,
    client_of,
    close,
    connect_quickly,
    failure_of,
    full,
    ids,
    nothing_left,
    silent,
    success_of,
    summary,
    turns,
    until,
)


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


def state(session: aiohttp.ClientSession) -> dict[str, Any]:
    """Return what a session shows of itself."""
    return {
        "headers": list(session.headers.items()),
        "cookies": [str(cookie) for cookie in session.cookie_jar],
        "timeout": session.timeout,
        "raise_for_status": session.raise_for_status,
        "auto_decompress": session.auto_decompress,
        "trust_env": session.trust_env,
        "connector": session.connector,
        "skip": session.skip_auto_headers,
        "closed": session.closed,
    }


async def test_borrowed_session_is_used_and_left_alone() -> None:
    """Its connections carry the requests; it is as it was, and open, when the client is closed."""
    async with FaultServer() as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/bulks/{BULK_ID}/status") as response:
            await response.read()
        before = state(session)
        await success_of(server.url, session=session)
        await success_of(server.url, session=session)
        assert before == state(session)
        assert 1 == server.connections
        async with session.get(f"{server.url}/bulks/{BULK_ID}/status") as response:
            assert summary() == await response.read()
        assert [] == server.requests[-1].header("X-LOX24-AUTH-TOKEN")
        assert 1 == server.connections


async def test_closed_borrowed_session() -> None:
    """A session that its owner closed is told as such, before any I/O."""
    async with FaultServer() as server:
        session = aiohttp.ClientSession()
        await session.close()
        async with client_of(server.url, session=session) as client:
            with pytest.raises(ClientClosedError) as caught:
                await client.cancel_bulk(BULK_ID)
        assert (0, False) == (caught.value.attempts, caught.value.outcome_unknown)
        assert 0 == server.connections


async def test_closed_borrowed_session_under_gather() -> None:
    """All calls get the same error at once, also those that wait for the first."""
    async with FaultServer() as server:
        session = aiohttp.ClientSession()
        await session.close()
        slow = RetryPolicy(initial_delay=1e6, max_delay=1e6, max_wait=1e9)
        async with client_of(server.url, session=session, retry=slow) as client, asyncio.timeout(5):
            calls = (client.cancel_bulk(bulk_id) for bulk_id in ids(50))
            errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {ClientClosedError} == {type(error) for error in errors}


async def test_closed_borrowed_session_concerns_nobody_else() -> None:
    """The guard takes it for no outage: another client sends without a pause."""
    async with FaultServer() as server:
        session = aiohttp.ClientSession()
        await session.close()
        long = RetryPolicy(initial_delay=1e6, max_delay=1e6, max_wait=0)
        async with client_of(server.url, session=session, retry=long) as client:
            with pytest.raises(ClientClosedError):
                await client.cancel_bulk(BULK_ID)
        assert (await success_of(server.url, retry=RetryPolicy(max_wait=0))).is_canceled


async def test_borrowed_session_closed_in_flight() -> None:
    """Closed by its owner during a request, the request's fate is unknown, and is told so."""
    async with FaultServer(put=silent) as server:
        session = aiohttp.ClientSession()
        async with client_of(server.url, session=session) as client:
            call = asyncio.create_task(client.cancel_bulk(BULK_ID))
            await server.arrival()
            await session.close()
            with pytest.raises((TransportError, ClientClosedError)) as caught:
                await call
        assert (True, 1) == (caught.value.outcome_unknown, caught.value.attempts)
        assert 1 == server.puts


@pytest.mark.parametrize("raises", [True, None])
async def test_borrowed_session_with_raise_for_status(raises: bool | None) -> None:
    """The session's own way to fail does not get in the way of ours."""

    async def raise_always(response: aiohttp.ClientResponse) -> None:
        raise AssertionError(response.status)

    setting: Any = raise_always if raises is None else raises
    async with (
        FaultServer(put=answer(b"{}", 422), get=bulk(10)) as server,
        aiohttp.ClientSession(raise_for_status=setting) as session,
    ):
        async with client_of(server.url, session=session) as client:
            with pytest.raises(NotCancelableError):
                await client.cancel_bulk(BULK_ID)
        assert setting is session.raise_for_status


async def test_borrowed_session_with_default_headers() -> None:
    """They go out as well, but ours win, whatever their case; each is there once."""
    mine = {
        "x-trace": "7",
        "x-lox24-auth-token": "1:another",
        "accept": "text/html",
        "ACCEPT-ENCODING": "gzip",
        "user-agent": "mine",
    }
    async with FaultServer() as server, aiohttp.ClientSession(headers=mine) as session:
        await success_of(server.url, session=session)
        sent = server.requests[0]
        assert ["7"] == sent.header("X-Trace")
        assert [TOKEN] == sent.header("X-LOX24-AUTH-TOKEN")
        assert ["application/json"] == sent.header("Accept")
        assert ["identity"] == sent.header("Accept-Encoding")
        assert 1 == len(sent.header("User-Agent"))


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": aiohttp.ClientTimeout(total=1e-6)},
        {"auto_decompress": False},
        {"read_bufsize": 1_024},
        {"base_url": "http://127.0.0.1:9/elsewhere/"},
        {"skip_auto_headers": ["User-Agent"]},
        {"connector_owner": False},
    ],
    ids=lambda options: next(iter(options)),
)
async def test_borrowed_session_of_another_mind(options: dict[str, Any]) -> None:
    """A session's own settings for its own requests do not change what ours do."""
    connector = aiohttp.TCPConnector()
    async with (
        FaultServer(put=answer(b"{}", 422)) as server,
        aiohttp.ClientSession(connector=connector, **options) as session,
    ):
        assert (await success_of(server.url, session=session)).is_canceled
        assert (1, 1) == (server.puts, server.gets)
    await connector.close()


async def test_borrowed_session_is_not_resent_by_aiohttp() -> None:
    """Its stale connections cost one attempt each, and all attempts are counted."""
    async with FaultServer(put=[bulk(), close, bulk()]) as server:
        async with (
            aiohttp.ClientSession() as session,
            client_of(server.url, session=session) as client,
        ):
            await client.cancel_bulk(OTHER_ID)
            report = await client.cancel_bulks([BULK_ID])
        assert 2 == report[BULK_ID].attempts == server.puts - 1


async def test_case_17_borrowed_line_out_of_step() -> None:
    """After a stray answer no later call takes an earlier call's answer for its own."""
    missing, fine = ids(2)

    async def truth(request: Received, line: Line) -> None:
        await asyncio.sleep(0.01)  # as over a real network: never there before it is wanted
        unknown = request.bulk_id == missing
        await line.send(answer(b"{}", 404) if unknown else answer(summary(request.bulk_id)))
        if request.header("Connection") == ["close"]:
            line.writer.close()

    async with (
        FaultServer(put=truth, get=truth) as server,
        aiohttp.ClientSession() as session,
        client_of(server.url, session=session) as client,
    ):
        await client.cancel_bulk(BULK_ID)
        await server.lines[0].send(answer(summary(OTHER_ID)))
        await turns()
        with pytest.raises(NotFoundError):
            await client.cancel_bulk(missing)
        assert (await client.cancel_bulk(fine)).is_canceled


async def test_case_27_borrowed_session_and_connect_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also with a borrowed session, a connect that takes too long leaves no doubt."""
    connect_quickly(monkeypatch)
    with full() as port:
        async with aiohttp.ClientSession() as session:
            error = await failure_of(f"http://127.0.0.1:{port}", session=session)
    assert type(error) is ConnectionFailedError
    assert (0, False) == (error.attempts, error.outcome_unknown)


async def test_case_29_borrowed_session_with_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even a session that trusts the environment shows no proxy the token in clear."""
    async with (
        ConnectProxy(answer(b"", 502)) as proxy,
        FaultServer() as server,
        aiohttp.ClientSession(trust_env=True) as session,
    ):
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        with suppress(Lox24Error):
            await success_of(server.url, session=session)
        assert TOKEN.encode() not in b"".join(proxy.heads)


async def test_what_is_no_session_is_refused() -> None:
    """Before any I/O, and by its type."""
    with pytest.raises(ConfigurationError, match="session"):
        client_of("http://127.0.0.1:9", session=object())


async def test_borrowed_session_outlives_a_close_over_a_request_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request that outlasts the grace time ends after the close; the session stays open."""
    monkeypatch.setattr(closing, "GRACE", 0.01)
    async with FaultServer(put=silent) as server, aiohttp.ClientSession() as session:
        client = client_of(server.url, session=session, attempt_timeout=0.2)
        call = asyncio.ensure_future(client.cancel_bulk(BULK_ID))
        await until(lambda: server.puts == 1)
        await client.close()
        with suppress(Lox24Error):
            await call
        await turns()
        assert not session.closed


async def test_calls_queued_in_a_pool_that_its_owner_closes(fake_lox24: FakeLox24) -> None:
    """They get ``ClientClosedError``, never a cancel that nobody asked for; no id is lost."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(12)]
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, session=session, max_concurrency=5
    ) as client:
        await client.get_bulk_status(ids[0])
        fake_lox24.latency = 30
        calls = [asyncio.create_task(client.cancel_bulk(bulk_id)) for bulk_id in ids[:3]]
        report = CancelReport()
        run = asyncio.create_task(client.cancel_bulks(iter(ids), report=report))
        while not fake_lox24.in_flight:
            await asyncio.sleep(0.001)
        await session.close()
        for result in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(result, Lox24Error)
        await run
        assert len(ids) == len(report)
        states = {outcome.state for outcome in report.outcomes}
        assert states <= {CancelState.NOT_SENT, CancelState.UNKNOWN}
        assert report.counts[CancelState.NOT_SENT] >= len(ids) - 1


# --- 60: foreign code that runs within a session


class _CallbackError(Exception):
    """What a trace callback of the caller raises."""


async def _fail(*arguments: Any) -> None:
    headers = getattr(arguments[2], "headers", {})
    raise _CallbackError("no such exporter", dict(headers))


def traced(hook: str, callback: Any = _fail) -> aiohttp.TraceConfig:
    """Return a trace whose callback fails."""
    trace = aiohttp.TraceConfig()
    getattr(trace, hook).append(callback)
    return trace


def frames_of(error: BaseException) -> str:
    """Return all locals within reach of an error's traceback, and of what it hangs on to."""
    shown: list[str] = []
    link: BaseException | None = error
    while link is not None:
        whole = traceback.TracebackException.from_exception(link, capture_locals=True)
        shown += [repr(frame.locals) for frame in whole.stack if "/tests/" not in frame.filename]
        shown += [repr(vars(link)), repr(link.args), str(link)]
        link = link.__cause__ or link.__context__
    return "\n".join(shown)


@pytest.mark.parametrize("hook", ["on_request_start", "on_request_headers_sent", "on_request_end"])
async def test_case_60_a_trace_callback_that_raises(hook: str) -> None:
    """A typed error that names it, in doubt, and no frame that holds the token."""
    async with (
        FaultServer(get=bulk(5)) as server,
        aiohttp.ClientSession(trace_configs=[traced(hook)]) as session,
    ):
        error = await failure_of(server.url, session=session, retry=RetryPolicy.none())
        assert type(error) is TransportError
        assert "_CallbackError: ('no such exporter'" in str(error)
        assert (True, 1) == (error.outcome_unknown, error.attempts)
        assert error.__cause__ is error.__context__ is None
        assert TOKEN.partition(":")[2] not in frames_of(error)


async def test_case_60_a_run_goes_on() -> None:
    """A callback that fails for one request costs that request, not the run."""
    count = 0

    async def fail_once(*_: object) -> None:
        nonlocal count
        count += 1
        if count == 5:
            raise _CallbackError

    async with (
        FaultServer() as server,
        aiohttp.ClientSession(trace_configs=[traced("on_request_start", fail_once)]) as session,
        client_of(server.url, session=session) as client,
    ):
        report = await client.cancel_bulks(ids(20))
    assert report.counts[CancelState.CANCELED] == 20


async def test_case_60_a_callback_cannot_swallow_a_cancel() -> None:
    """Raised while a cancel goes through: the caller's cancel wins all the same."""
    async with (
        FaultServer(put=silent) as server,
        aiohttp.ClientSession(trace_configs=[traced("on_request_exception")]) as session,
        client_of(server.url, session=session) as client,
    ):
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await server.arrival()
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
        assert TOKEN.partition(":")[2] not in frames_of(caught.value)
        assert 1 == len(server.requests)


async def test_case_60_a_callback_cannot_swallow_a_timeout() -> None:
    """Raised while an attempt's time runs out: it is a timeout, and the next attempt goes out."""
    async with (
        FaultServer(put=[silent, bulk()]) as server,
        aiohttp.ClientSession(trace_configs=[traced("on_request_exception")]) as session,
    ):
        assert (await success_of(server.url, session=session, attempt_timeout=0.2)).is_canceled
        assert 2 == server.puts


# --- 79: sessions that make requests in their own way


class _Cache:
    """As the caches for aiohttp do it: a class before the session's own."""

    async def _request(self, *_: object, **__: object) -> Any:
        raise AssertionError("out of a cache")


@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
async def test_case_79_a_caching_session_is_refused() -> None:
    """An answer out of a cache says nothing of a bulk: refused at construction."""
    cached = type("CachedSession", (_Cache, aiohttp.ClientSession), {})
    own = type("OwnSession", (aiohttp.ClientSession,), {"_request": _Cache._request})
    for kind in (cached, own, type("Heir", (cached,), {})):
        async with kind() as session:
            with pytest.raises(ConfigurationError, match=kind.__name__):
                client_of("http://127.0.0.1:9", session=session)


@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")
async def test_case_79_other_heirs_are_welcome() -> None:
    """A class that does not touch requests, and a session whose own class is patched, pass."""
    plain = type("PlainSession", (aiohttp.ClientSession,), {"extra": 1})
    async with FaultServer() as server, plain() as session:
        assert (await success_of(server.url, session=session)).is_canceled


async def test_case_79_a_patched_session_is_welcome(mocked: aioresponses) -> None:
    """A mock replaces the method of the session's own class: that is no class of its own."""
    mocked.put(f"https://api.lox24.eu/bulks/{BULK_ID}/cancel", body=summary())
    async with aiohttp.ClientSession() as session, Lox24Client(TOKEN, session=session) as client:
        assert (await client.cancel_bulk(BULK_ID)).is_canceled
