"""Answers of what stands between LOX24 and us: no verdict about a bulk, and told as such."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lox24_async import (
    AccountNotActivatedError,
    AuthenticationError,
    BulkDraft,
    CancelState,
    ConnectionFailedError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    NotFoundError,
    RetryPolicy,
    ServerError,
)
from tests.fault_server import (
    BULK_ID,
    ConnectProxy,
    FaultServer,
    Line,
    Received,
    answer,
    bulk,
    client_of,
    close,
    failure_of,
    ids,
    nothing_left,
    success_of,
    summary,
    tls_pair,
)

ONCE = RetryPolicy.none()
PATIENT = RetryPolicy(initial_delay=1e6, max_delay=1e6, max_wait=10.0)
"""Only a wait that the server asked for fits into this policy."""


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


# --- 54: an ingress in mid-deploy

PAGES = {
    "ingress 404": (404, b"default backend - 404"),
    "html 400": (400, b"<html><h1>400 The plain HTTP request was sent to HTTPS port</h1></html>"),
    "html 405": (405, b"<html><h1>405 Not Allowed</h1></html>"),
    "html 413": (413, b"<html><h1>413 Request Entity Too Large</h1></html>"),
}


def page(status: int, body: bytes, *headers: str) -> bytes:
    """Return an answer that is not LOX24's."""
    data = answer(body, status, *headers)
    return data.replace(b"application/json", b"text/html")


@pytest.mark.parametrize(("status", "body"), PAGES.values(), ids=PAGES)
async def test_case_54_in_mid_run(status: int, body: bytes) -> None:
    """What an intermediary answers for a while costs no id its bulk: none is lost for good."""
    seen: Counter[str] = Counter()

    async def deed(request: Received, line: Line) -> None:
        seen["all"] += 1
        if 100 <= seen["all"] < 115:
            await line.send(page(status, body))
        else:
            seen[request.bulk_id] += request.method == "PUT"
            await bulk()(request, line)

    async with FaultServer(put=deed, get=deed) as server, client_of(server.url) as client:
        report = await client.cancel_bulks(ids(300))
    counts = {state: count for state, count in report.counts.items() if count}
    assert set(counts) <= {CancelState.CANCELED, CancelState.UNKNOWN}
    assert counts[CancelState.CANCELED] >= 285
    for outcome in report.outcomes:
        if outcome.state is CancelState.CANCELED:
            assert seen[outcome.bulk_id] == 1
        else:
            assert "intermediary" in str(outcome.error)


@pytest.mark.parametrize(("status", "body"), PAGES.values(), ids=PAGES)
async def test_case_54_for_ever(status: int, body: bytes) -> None:
    """Repeated, looked at, and raised as what it is, with the answer and in doubt."""
    async with FaultServer(put=page(status, body, "Server: nginx"), get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert type(error) is IntermediaryError
        assert (status, 3, True) == (error.status, error.attempts, error.outcome_unknown)
        assert (3, 1) == (server.puts, server.gets)
        assert error.headers["server"] == "nginx"
        assert body.decode()[:20] in error.body
        assert "intermediary (nginx)" in str(error)
        assert {0} == {request.line for request in server.requests}  # the line is sound


async def test_case_54_the_look_settles_it() -> None:
    """The same look as after a 502 decides."""
    async with FaultServer(put=page(404, b"no"), get=bulk(15)) as server:
        assert (await success_of(server.url)).is_canceled
        assert (3, 1) == (server.puts, server.gets)


async def test_case_54_a_look_believes_no_intermediary() -> None:
    """A look that an intermediary answers decides nothing: the doubt stays."""
    async with FaultServer(put=answer(b"", 503), get=page(404, b"no")) as server:
        error = await failure_of(server.url)
        assert type(error) is ServerError
        assert error.outcome_unknown


async def test_case_54_of_many_none_is_not_found_or_rejected() -> None:
    """In a batch: UNKNOWN where a cancel was on the wire, NOT_SENT where it never was."""
    impatient = RetryPolicy(initial_delay=0.01, max_delay=0.02, max_wait=0.2)
    async with (
        FaultServer(put=page(404, b"no"), get=page(404, b"no")) as server,
        client_of(server.url, retry=impatient) as client,
    ):
        report = await client.cancel_bulks(ids(50))
        resolved = await client.resolve(report)
    for outcome in (*report.outcomes, *resolved.outcomes):
        expected = CancelState.UNKNOWN if outcome.attempts else CancelState.NOT_SENT
        assert expected is outcome.state
        assert isinstance(outcome.error, IntermediaryError | None)


async def test_case_54_all_calls_pause_together() -> None:
    """As after a 502: the first wave sees it, the rest waits for one probe and is not sent."""
    long = RetryPolicy(initial_delay=1e6, max_delay=1e6, max_wait=1.0)
    async with FaultServer() as server, client_of(server.url, retry=long) as client:
        await client.cancel_bulk(BULK_ID)
        server.script("PUT", page(404, b"no"))
        server.script("GET", page(404, b"no"))
        calls = (client.cancel_bulk(bulk_id) for bulk_id in ids(100))
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert client.pause is not None
        assert isinstance(client.pause.cause, IntermediaryError)
        assert server.puts <= 11
    assert {IntermediaryError} == {type(error) for error in errors}
    for error in errors:
        assert isinstance(error, IntermediaryError)
        assert (404, bool(error.attempts)) == (error.status, error.outcome_unknown)
        assert "intermediary" in str(error)


async def test_case_54_lox24s_own_404_is_a_verdict() -> None:
    """With its request id, with an object, or empty: not found, at once."""
    own = [
        answer(b"<p>", 404, "X-LOX24-REQUEST-ID: 0123"),
        answer(b'{"detail": "Not Found"}', 404),
        answer(b"", 404),
    ]
    async with FaultServer(put=own) as server:
        for count in range(1, 4):
            assert type(await failure_of(server.url)) is NotFoundError
            assert (count, 0) == (server.puts, server.gets)


async def test_case_54_a_deleted_bulk_is_only_gone_if_lox24_says_so() -> None:
    """After a lost delete an ingress's 404 is not taken for done; LOX24's own is."""
    async with FaultServer() as server, client_of(server.url) as client:
        server.script("DELETE", close, page(404, b"no"))
        with pytest.raises(IntermediaryError) as caught:
            await client.delete_bulk(BULK_ID)
        assert caught.value.outcome_unknown
        server.script("DELETE", close, answer(b'{"detail": "Not Found"}', 404))
        await client.delete_bulk(BULK_ID)


async def test_case_54_a_listing_does_not_end_at_an_ingress() -> None:
    """Behind the last page LOX24 may say 404; an intermediary's is no end of a listing."""
    first = answer(b"[" + summary() + b"]")
    async with FaultServer() as server, client_of(server.url) as client:
        server.script("GET", first, page(404, b"no"))
        with pytest.raises(IntermediaryError):
            [found async for found in client.list_bulks()]
        server.script("GET", first, answer(b"", 404))
        assert 1 == len([found async for found in client.list_bulks()])


async def test_case_54_a_create_is_not_repeated() -> None:
    """Nobody knows whether it went through: what costs money goes out once."""
    async with FaultServer() as server, client_of(server.url) as client:
        server.script("POST", page(404, b"no"))
        with pytest.raises(IntermediaryError) as caught:
            await client.create_bulk(BulkDraft("Acme", "Hello", phones=["+491701234567"]))
        assert (1, True) == (len(server.requests), caught.value.outcome_unknown)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, AuthenticationError), (403, AccountNotActivatedError), (429, IPBlockedError)],
)
async def test_case_54_the_guard_heeds_it_all_the_same(
    status: int, expected: type[Lox24Error]
) -> None:
    """Nobody can know whether LOX24 counted it: one request for a hundred calls."""
    async with (
        FaultServer(put=page(status, b"<h1>no</h1>")) as server,
        client_of(server.url, retry=RetryPolicy(max_wait=0)) as client,
    ):
        calls = (client.cancel_bulk(bulk_id) for bulk_id in ids(100))
        errors = await asyncio.gather(*calls, return_exceptions=True)
    assert (2 if status == 403 else 1) >= server.puts
    assert {expected} == {type(error) for error in errors}
    assert "most likely by an intermediary" in str(errors[0])


# --- 57: a proxy that refuses


@pytest.mark.parametrize("status", [401, 403, 407])
async def test_case_57_a_proxys_refusal_is_final(status: int) -> None:
    """One CONNECT for all: typed, not sent, not repeated, at once."""
    server_side, client_side = tls_pair()
    async with (
        ConnectProxy(answer(b"no", status)) as proxy,
        FaultServer(tls=server_side) as server,
        client_of(server.url, ssl=client_side, proxy=proxy.url, retry=PATIENT) as client,
    ):
        report = await client.cancel_bulks(ids(50))
        assert (1, 0) == (len(proxy.heads), server.connections)
    assert report.counts[CancelState.NOT_SENT] == 50
    for outcome in report.outcomes:
        assert isinstance(outcome.error, ConnectionFailedError)
        assert (True, False) == (outcome.error.proxy, outcome.error.tls)
        assert (0, False) == (outcome.error.attempts, outcome.error.outcome_unknown)
        assert str(status) in str(outcome.error)


async def test_case_57_a_proxys_failure_is_not_final() -> None:
    """A 502 or a proxy that is away is any failure to connect: repeated."""
    server_side, client_side = tls_pair()
    async with (
        ConnectProxy(answer(b"no", 502)) as proxy,
        FaultServer(tls=server_side) as server,
    ):
        error = await failure_of(server.url, ssl=client_side, proxy=proxy.url)
        assert (3, False) == (len(proxy.heads), getattr(error, "final", None))
        proxy.deafen()
        error = await failure_of(server.url, ssl=client_side, proxy=proxy.url)
        assert "no connection to the proxy" in str(error)


# --- 61: an encoding that nobody asked for


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
async def test_case_61_an_encoded_answer(encoding: str) -> None:
    """The error names the encoding, and not what the bytes would be without it."""
    data = answer(b"\x1f\x8b\x08\x00\xff\xfe", 200, f"Content-Encoding: {encoding}")
    async with FaultServer(put=data, get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert f"Content-Encoding: {encoding}" in str(error)
        assert "utf-8" not in str(error).lower()


# --- 62: the 5xx of those who stand between


@pytest.mark.parametrize("status", [500, 502, 507, 520, 521, 522, 523, 524, 527, 529, 530, 599])
async def test_case_62_once(status: int) -> None:
    """Any such failure is like a 502: the cancel is repeated."""
    async with FaultServer(put=[page(status, b"<h1>no</h1>"), bulk()]) as server:
        assert (await success_of(server.url)).is_canceled
        assert (2, 0) == (server.puts, server.gets)


@pytest.mark.parametrize("status", [501, 505, 600])
async def test_case_62_what_a_repeat_does_not_help(status: int) -> None:
    """What the server cannot do, and what is no 5xx, is not repeated."""
    async with FaultServer(put=answer(b"", status), get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert (status, 1) == (getattr(error, "status", None), server.puts)


# --- 63: Retry-After


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 0.5"], 0.5),
        (["Retry-After: 1", "Retry-After: 3"], 3.0),
        (["Retry-After: 3", "Retry-After: 1"], 3.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_case_63_decimals_and_the_longest(
    status: int, headers: list[str], seconds: float
) -> None:
    """As it arrives through the HTTP library: half a second, and the longer of two waits."""
    data = answer(b"{}", status, *headers)
    async with FaultServer(get=data) as server, client_of(server.url, retry=ONCE) as client:
        with pytest.raises(Lox24Error) as caught:
            await client.get_bulk_status(BULK_ID)
        assert seconds == getattr(caught.value, "retry_after", None)


async def test_case_63_is_slept() -> None:
    """A policy into which nothing else fits obeys it, and the cancel succeeds."""
    async with FaultServer(put=[answer(b"{}", 503, "Retry-After: 0.05"), bulk()]) as server:
        assert (await success_of(server.url, retry=PATIENT)).is_canceled


# --- the headers of every look


async def test_case_79_no_look_out_of_a_cache() -> None:
    """Every GET asks for a fresh answer; what changes something needs no such word."""
    data = answer(summary())
    async with FaultServer(get=data) as server, client_of(server.url) as client:
        await client.cancel_bulk(BULK_ID)
        await client.get_bulk_status(BULK_ID)
        await client.get_bulk(BULK_ID)
        server.script("GET", answer(b"[]"))
        await client.list_bulks_page(1)
    assert [[], *[["no-store"]] * 3] == [r.header("Cache-Control") for r in server.requests]
