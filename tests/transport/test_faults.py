"""Answers that are late, lost or another's: the truth about the bulk all the same."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio

from lox24_async import (
    CancelState,
    NotCancelableError,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
)
from tests.fault_server import (
    BULK_ID,
    OTHER_ID,
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
    failure_of,
    ids,
    nothing_left,
    silent,
    success_of,
    summary,
    turns,
)

AT_ONCE = RetryPolicy(initial_delay=1e6, max_delay=1e6, max_wait=1.0)
"""Only a repeat without any backoff fits into this policy."""


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


# --- 15: silence


async def test_case_15_every_attempt_times_out_and_the_look_decides() -> None:
    """After the last attempt one look settles what the silence left open."""
    async with FaultServer(put=silent, get=bulk(15)) as server:
        assert (await success_of(server.url, attempt_timeout=0.05)).is_canceled
        assert (3, 1) == (server.puts, server.gets)
        assert [0, 1, 2, 3] == [request.line for request in server.requests]


async def test_case_15_the_look_finds_it_sent() -> None:
    """Another final state is told as too late, with the attempts that were on the wire."""
    async with FaultServer(put=silent, get=bulk(10)) as server:
        error = await failure_of(server.url, attempt_timeout=0.05)
        assert isinstance(error, NotCancelableError)
        assert (10, 3) == (error.bulk.status_code, error.attempts)


@pytest.mark.parametrize(
    "get",
    [bulk(0), bulk(5), silent, close, answer(b"", 404)],
    ids=["new", "in progress", "silent", "dropped", "404"],
)
async def test_case_15_the_look_does_not_help(get: Step) -> None:
    """Undecided, the timeout is raised, and it says that the fate is unknown."""
    async with FaultServer(put=silent, get=get) as server:
        error = await failure_of(server.url, attempt_timeout=0.05)
        assert type(error) is RequestTimeoutError
        assert (True, 3, BULK_ID) == (error.outcome_unknown, error.attempts, error.bulk_id)
        assert server.puts == 3


# --- 17: answers that are not ours


async def test_case_17_another_bulks_answer_is_no_success() -> None:
    """Each such answer costs its connection; the look has the last word."""
    async with FaultServer(put=answer(summary(OTHER_ID)), get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert type(error) is TransportError
        assert (True, 3) == (error.outcome_unknown, error.attempts)
        assert (3, 1) == (server.puts, server.gets)
        assert [0, 1, 2, 3] == [request.line for request in server.requests]


async def test_case_17_two_lines_out_of_step_at_once() -> None:
    """The second one finds all connections dropped already."""
    mine, both = answer(summary(BULK_ID)), asyncio.Event()

    async def stray(_: Received, line: Line) -> None:
        await both.wait()
        await line.send(answer(summary(OTHER_ID)))

    async with FaultServer(get=[mine, stray, stray, mine]) as server:
        async with client_of(server.url, retry=RetryPolicy.none()) as client:
            await client.get_bulk_status(BULK_ID)  # the token is proven
            calls = [asyncio.create_task(client.get_bulk_status(BULK_ID)) for _ in range(2)]
            await server.arrival(3)
            both.set()
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert [TransportError, TransportError] == [type(end) for end in ends]
            assert (await client.get_bulk_status(BULK_ID)).uuid == UUID(BULK_ID)
        assert server.requests[-1].line == 2


async def test_case_17_after_another_bulks_answer_the_look_tells() -> None:
    """What the look sees is returned."""
    async with FaultServer(put=answer(summary(OTHER_ID)), get=bulk(15)) as server:
        assert (await success_of(server.url)).is_canceled


async def test_case_17_the_look_believes_no_other_bulk_either() -> None:
    """A look that is answered for another bulk settles nothing."""
    stray = answer(summary(OTHER_ID))
    async with FaultServer(put=silent, get=stray) as server:
        error = await failure_of(server.url, attempt_timeout=0.05)
        assert type(error) is RequestTimeoutError
        assert error.outcome_unknown


async def test_case_17_all_idle_connections_are_dropped() -> None:
    """One line out of step is a reason to trust none of those that lie idle."""
    async with FaultServer() as server, client_of(server.url) as client:
        await client.cancel_bulk(BULK_ID)
        await asyncio.gather(*map(client.cancel_bulk, ids(3)))
        before = server.connections
        server.script("PUT", answer(summary(OTHER_ID)), bulk())
        await client.cancel_bulk(BULK_ID)
        assert before == server.connections - 1
        assert server.requests[-1].line == before


STRAYS = {
    "another bulk": answer(summary(OTHER_ID)),
    "the next bulk": answer(summary(BULK_ID)),
    "400": answer(b"{}", 400),
    "401": answer(b"{}", 401),
    "404": answer(b"{}", 404),
    "408": answer(b"{}", 408, "Connection: close"),
    "408 kept": answer(b"{}", 408),
    "422": answer(b"{}", 422),
    "503": answer(b"{}", 503),
}


@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
async def test_case_17_stray_answer_on_an_idle_line(stray: bytes) -> None:
    """What came before the request was sent is no answer to it: the server's own counts."""
    async with FaultServer(get=bulk(10)) as server, client_of(server.url) as client:
        await client.cancel_bulk(OTHER_ID)
        await server.lines[0].send(stray)
        await turns()
        server.script("PUT", answer(b'{"detail": "too late"}', 422))
        with pytest.raises(NotCancelableError) as caught:
            await client.cancel_bulk(BULK_ID)
        assert caught.value.bulk.status_code == 10
        assert server.puts - 1 == caught.value.attempts
        assert server.requests[-1].line > 0


# --- 18 and 19: connections that end without an answer


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("drop", [close, abort])
@pytest.mark.parametrize("borrowed", [False, True])
async def test_case_18_attempts_are_what_was_on_the_wire(
    most: int, drop: Deed, borrowed: bool
) -> None:
    """Nobody resends behind our back, whosever session it is."""
    async with FaultServer(put=drop, get=bulk(5)) as server, aiohttp.ClientSession() as session:
        error = await failure_of(
            server.url,
            retry=RetryPolicy(max_attempts=most, initial_delay=0.01),
            session=session if borrowed else None,
        )
        assert type(error) is TransportError
        assert (True, most) == (error.outcome_unknown, error.attempts)
        assert (most, 1) == (server.puts, server.gets)


async def test_case_18_looks_are_not_resent_either() -> None:
    """A look that is dropped is repeated by our rules only: three in all."""
    async with FaultServer(put=close, get=close) as server:
        assert (await failure_of(server.url)).attempts == 3
        assert (3, 3) == (server.puts, server.gets)


@pytest.mark.parametrize("drop", [close, abort])
async def test_case_19_stale_connection(drop: Deed) -> None:
    """One repeat at once, on a new connection, counted as an attempt."""
    async with FaultServer(put=[bulk(), drop, bulk()]) as server:
        async with client_of(server.url, retry=AT_ONCE) as client:
            await client.cancel_bulk(OTHER_ID)
            report = await client.cancel_bulks([BULK_ID])
        assert (CancelState.CANCELED, 2) == (report[BULK_ID].state, report[BULK_ID].attempts)
        assert [0, 0, 1] == [request.line for request in server.requests]


async def test_case_19_closed_idle_connection_costs_nothing() -> None:
    """A connection that was seen to close is not used again: no attempt is lost on it."""
    async with FaultServer() as server:
        async with client_of(server.url, retry=RetryPolicy.none()) as client:
            await client.cancel_bulk(OTHER_ID)
            server.lines[0].writer.close()
            await turns()
            report = await client.cancel_bulks([BULK_ID])
        assert (CancelState.CANCELED, 1) == (report[BULK_ID].state, report[BULK_ID].attempts)
        assert [0, 1] == [request.line for request in server.requests]


async def test_case_19_many_stale_connections() -> None:
    """When all idle connections went stale together, the repeat finds none of them."""

    async def stale_on_old_lines(request: Received, line: Line) -> None:
        await (close if request.line < 5 else bulk())(request, line)

    async with FaultServer() as server, client_of(server.url, retry=AT_ONCE) as client:
        await client.cancel_bulk(OTHER_ID)
        await asyncio.gather(*map(client.cancel_bulk, ids(5)))
        assert server.connections == 5
        server.script("PUT", stale_on_old_lines)
        report = await client.cancel_bulks([BULK_ID])
        assert (CancelState.CANCELED, 2) == (report[BULK_ID].state, report[BULK_ID].attempts)
        assert server.requests[-1].line == 5
