"""Closing a client: who waits goes home, what is in flight may end, nothing is left behind."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from lox24_async import (
    CancelState,
    ClientClosedError,
    RetryPolicy,
    TransportError,
)
from lox24_async._transport import closing
from lox24_async._transport.connector import Connector
from tests.fault_server import (
    BULK_ID,
    OTHER_ID,
    FaultServer,
    Gate,
    Line,
    Received,
    bulk,
    client_of,
    ids,
    nothing_left,
    silent,
    success_of,
    turns,
    until,
)


@pytest_asyncio.fixture
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


@pytest.mark.usefixtures("tidy")
async def test_case_38_close_during_calls() -> None:
    """Who waits is sent home with nothing sent; what is in flight comes to its end."""
    gate = Gate()
    async with FaultServer(put=[bulk(), gate]) as server:
        client = client_of(server.url, max_concurrency=3)
        await client.cancel_bulk(BULK_ID)
        calls = [asyncio.create_task(client.cancel_bulk(bulk_id)) for bulk_id in ids(10)]
        await server.arrival(4)
        closing = asyncio.create_task(client.close())
        await turns()
        assert not closing.done()
        gate.open.set()
        await closing
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert 3 == sum(getattr(end, "is_canceled", False) for end in ends)
        late = [end for end in ends if isinstance(end, ClientClosedError)]
        assert [(0, False)] * 7 == [(error.attempts, error.outcome_unknown) for error in late]
        assert 4 == server.puts


@pytest.mark.usefixtures("tidy")
async def test_case_38_close_while_the_token_is_unproven() -> None:
    """Those who wait for the probe's answer are sent home; the probe gets its grace."""
    gate = Gate()
    async with FaultServer(put=gate) as server:
        client = client_of(server.url)
        calls = [asyncio.create_task(client.cancel_bulk(bulk_id)) for bulk_id in ids(5)]
        await server.arrival()
        closing = asyncio.create_task(client.close())
        await turns()
        gate.open.set()
        await closing
        first, *others = await asyncio.gather(*calls, return_exceptions=True)
        assert getattr(first, "is_canceled", False)
        assert {ClientClosedError} == {type(end) for end in others}
        assert 1 == server.puts


@pytest.mark.usefixtures("tidy")
async def test_case_38_grace_time_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not end in time loses its connection, and its fate is told as unknown."""
    monkeypatch.setattr(closing, "GRACE", 0.05)
    async with FaultServer(put=silent) as server:
        client = client_of(server.url)
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await server.arrival()
        await client.close()
        with pytest.raises((TransportError, ClientClosedError)) as caught:
            await call
        assert (True, 1) == (caught.value.outcome_unknown, caught.value.attempts)
        assert (1, 0) == (server.puts, server.gets)
        await until(server.lines[0].writer.is_closing)


@pytest.mark.usefixtures("tidy")
async def test_case_38_closed_while_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no connection when the grace time ends has not left: no doubt."""
    monkeypatch.setattr(closing, "GRACE", 0.05)
    begun, late = asyncio.Event(), asyncio.Event()
    create = Connector._create_connection

    async def create_late(self: Connector, *arguments: Any, **options: Any) -> Any:
        begun.set()
        await late.wait()
        return await create(self, *arguments, **options)

    monkeypatch.setattr(Connector, "_create_connection", create_late)
    async with FaultServer() as server:
        client = client_of(server.url)
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await begun.wait()
        await client.close()
        late.set()
        with pytest.raises(ClientClosedError) as caught:
            await call
        assert (False, 0) == (caught.value.outcome_unknown, caught.value.attempts)
        assert 0 == server.puts


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("delay", [0.0, 1e6])
async def test_case_38_closed_after_an_attempt_of_unknown_fate(delay: float) -> None:
    """Sent home between two attempts, a call does not forget that one was on the wire."""
    slow = RetryPolicy(initial_delay=delay, max_delay=delay, max_wait=1e9)

    async def close_both(_: Received, line: Line) -> None:
        closing.append(asyncio.create_task(client.close()))
        await turns()
        line.writer.close()

    closing: list[asyncio.Task[None]] = []
    async with FaultServer(put=[bulk(), close_both]) as server:
        client = client_of(server.url, retry=slow)
        await client.cancel_bulk(OTHER_ID)
        report = await client.cancel_bulks([BULK_ID])
        await closing[0]
        outcome = report[BULK_ID]
        assert (CancelState.UNKNOWN, 1) == (outcome.state, outcome.attempts)
        assert outcome.error is not None
        assert (True, 1) == (outcome.error.outcome_unknown, outcome.error.attempts)
        assert (2, 0) == (server.puts, server.gets)


@pytest.mark.usefixtures("tidy")
async def test_case_38_closed_in_backoff() -> None:
    """A call that waits between attempts leaves at once, and says what it had sent."""
    slow = RetryPolicy(initial_delay=1e6, max_delay=1e6, max_wait=1e9)
    async with FaultServer(put=[bulk(), silent]) as server:
        client = client_of(server.url, retry=slow, attempt_timeout=0.05)
        await client.cancel_bulk(OTHER_ID)
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await server.arrival(2)
        await until(server.lines[0].writer.is_closing)
        await turns()
        await client.close()
        with pytest.raises(ClientClosedError) as caught:
            await call
        assert (True, 1) == (caught.value.outcome_unknown, caught.value.attempts)


@pytest.mark.usefixtures("tidy")
async def test_case_38_close_twice_and_together() -> None:
    """Closing is done once and may be asked for often; a closed client says so."""
    async with FaultServer() as server:
        client = client_of(server.url)
        await client.cancel_bulk(BULK_ID)
        await asyncio.gather(client.close(), client.close())
        await client.close()
        with pytest.raises(ClientClosedError):
            await client.cancel_bulk(BULK_ID)
        with pytest.raises(ClientClosedError):
            async with client:
                pass
        assert 1 == server.puts


@pytest.mark.usefixtures("tidy")
async def test_case_38_closers_together_both_wait_for_what_is_in_flight() -> None:
    """A second close returns no earlier than the work is done, and cuts nothing off."""
    gate = Gate()
    async with FaultServer(put=gate) as server:
        client = client_of(server.url)
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await server.arrival()
        closers = [asyncio.create_task(client.close()) for _ in range(2)]
        await turns()
        gate.open.set()
        await asyncio.wait_for(asyncio.gather(*closers), 2.0)
        assert (await call).is_canceled


@pytest.mark.usefixtures("tidy")
async def test_case_38_cancelled_closer_closes_all_the_same() -> None:
    """Who is cancelled while closing leaves no connection open."""
    async with FaultServer(put=silent) as server:
        client = client_of(server.url)
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await server.arrival()
        closing = asyncio.create_task(client.close())
        await turns()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await asyncio.gather(call, return_exceptions=True)
        await until(server.lines[0].writer.is_closing)


async def warned_of(use: Callable[[], Awaitable[object]]) -> set[type[Warning]]:
    """Do something, let garbage be collected, and return what was warned of."""
    gc.collect()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # aiohttp tells it as well
    kinds: set[type[Warning]] = set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await use()
        for _ in range(3):  # a warning holds what it warns of
            gc.collect()
            kinds |= {warning.category for warning in caught}
            caught.clear()
    return kinds


async def test_case_38_forgotten_client_is_warned_of() -> None:
    """A client that was used and never closed gives a ResourceWarning."""
    async with FaultServer() as server:

        async def forget() -> None:
            await client_of(server.url).cancel_bulk(BULK_ID)

        assert {ResourceWarning} == await warned_of(forget)


@pytest.mark.slow
@pytest.mark.usefixtures("tidy")
async def test_case_38_nothing_else_is_warned_of() -> None:
    """Not one that was closed, nor one that was never used, nor one with a borrowed session."""
    async with FaultServer() as server, aiohttp.ClientSession() as session:

        async def close_it() -> None:
            await success_of(server.url)

        async def never_use_it() -> None:
            client_of(server.url)

        async def borrow() -> None:
            await client_of(server.url, session=session).cancel_bulk(BULK_ID)

        for use in (close_it, never_use_it, borrow):
            assert set() == await warned_of(use)
