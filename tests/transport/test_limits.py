"""Answers without end, and calls that are cancelled at the worst moment."""

import asyncio
import gc
import gzip
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Self

import pytest
import pytest_asyncio

from lox24_async import (
    Lox24Error,
    RequestTimeoutError,
    ResponseDecodeError,
    RetryPolicy,
    TransportError,
)
from lox24_async._transport.timeouts import Timeouts
from lox24_async.testing import forget_guard
from tests.fault_server import (
    BULK_ID,
    Deed,
    FaultServer,
    Line,
    Received,
    Step,
    answer,
    bulk,
    client_of,
    drip,
    failure_of,
    nothing_left,
    silent,
    success_of,
    summary,
    turns,
    until,
)

MIB = 1 << 20
ONCE = RetryPolicy.none()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


def flood(start: bytes, more: bytes, times: int = 1_000_000) -> Deed:
    """Send a beginning, and then more for as long as the client takes it."""

    async def deed(_: Received, line: Line) -> None:
        await line.send(start)
        for _count in range(times):
            await line.send(more)

    return deed


async def peak_of(url: str) -> int:
    """Return the bytes of memory that one cancel takes at its worst moment."""
    tracemalloc.start()
    try:
        async with client_of(url, retry=ONCE, attempt_timeout=1.0) as client:
            with suppress(Lox24Error):
                await client.cancel_bulk(BULK_ID)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- 22: too much

BOMB = gzip.compress(bytes(100 * MIB))

HUGE: dict[str, Step] = {
    "a huge body": flood(HEAD + b"Content-Length: 99999999999\r\n\r\n", b" " * 65_536),
    "a body without end": flood(CHUNKED, b"10000\r\n%b\r\n" % (b" " * 65_536)),
    "a body of small objects": flood(HEAD + b"\r\n[", b"{}," * 20_000),
    "a body of no stated length": flood(HEAD + b"\r\n", b" " * 65_536),
    "a gzip bomb": answer(BOMB, 200, "Content-Encoding: gzip"),
    "a deflate bomb": answer(BOMB, 200, "Content-Encoding: deflate"),
}


@pytest.mark.parametrize("huge", HUGE.values(), ids=HUGE)
async def test_case_22_huge_bodies(huge: Step) -> None:
    """A body is read up to one MiB, in flat memory, and is no success; the look decides."""
    async with FaultServer(put=huge, get=bulk(5)) as server:
        error = await failure_of(server.url)
        assert type(error) is ResponseDecodeError
        assert (True, 1) == (error.outcome_unknown, error.attempts)
        assert len(error.body) < 10_000
        assert (1, 1) == (server.puts, server.gets)
        assert await peak_of(server.url) < 10 * MIB


async def test_case_22_cut_at_one_mib() -> None:
    """What leaves the server beyond one MiB is only what was under way; the line is left."""
    async with FaultServer(put=HUGE["a huge body"]) as server:
        async with client_of(server.url) as client:
            assert (await client.cancel_bulk(BULK_ID)).is_canceled
            await until(server.lines[0].writer.is_closing)
        assert MIB < server.lines[0].sent < 16 * MIB
        assert [0, 1] == [request.line for request in server.requests]


@pytest.mark.parametrize("status", [422, 503])
async def test_case_22_huge_error(status: int) -> None:
    """An error's body is cut as well, and its status is told."""
    start = b"HTTP/1.1 %d X\r\nContent-Length: 99999999999\r\n\r\n" % status
    async with FaultServer(put=flood(start, b"x" * 65_536), get=bulk(5)) as server:
        error = await failure_of(server.url, retry=ONCE)
        assert status == getattr(error, "status", None)
        assert server.lines[0].sent < 16 * MIB


class Stopwatch:
    """Measures how long one thread's code ran without a break, by the loop's own turns."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task: asyncio.Task[None] | None = None

    async def _run(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - last)
            last = now

    async def __aenter__(self) -> Self:
        gc.disable()  # what other tests have left is not this one's to pay for
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        gc.enable()
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait((self._task,))


FILLERS = [b"[],", b'{"a":0},', b"0,", b'"",', b'"ab",', b"1.5,", b'"\xf0\x9f\x98\x80",']


@pytest.mark.parametrize("status", [400, 404, 422, 500])
@pytest.mark.parametrize("start", [b'{"detail":"x","more":[', b"<html>"], ids=["json", "html"])
async def test_case_59_of_a_huge_error_little_is_read(status: int, start: bytes) -> None:
    """Of an error's 60 MiB, 64 KiB are looked at; the rest is not even fetched."""
    head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, 60 * MIB)
    async with FaultServer(put=flood(head + start, b"[]," * 20_000, 1_000), get=bulk(5)) as server:
        async with client_of(server.url, retry=ONCE) as client, Stopwatch() as watch:
            with pytest.raises(Lox24Error) as caught:
                await client.cancel_bulk(BULK_ID)
        assert status == getattr(caught.value, "status", None)
        assert watch.longest < 0.2
        await until(server.lines[0].writer.is_closing)
        assert server.lines[0].sent < 16 * MIB
        assert await peak_of(server.url) < 10 * MIB


async def test_case_59_a_short_huge_error_that_comes_at_once() -> None:
    """Also of what has arrived whole only the first 64 KiB are looked at."""
    body = b'{"detail":"' + b"x" * 100_000 + b'"}'
    async with FaultServer(put=answer(body, 500), get=bulk(5)) as server:
        error = await failure_of(server.url, retry=ONCE)
        assert "Internal Server Error" in str(error)
        assert len(getattr(error, "body", "")) < 2_100


@pytest.mark.slow
@pytest.mark.parametrize("filler", FILLERS, ids=repr)
@pytest.mark.parametrize("size", [12 * MIB, 60 * MIB], ids=["12 MiB", "60 MiB"])
@pytest.mark.parametrize("operation", ["get_bulk", "list_bulks_page", "get_bulk_status"])
async def test_case_59_a_success_of_millions_of_values(
    operation: str, size: int, filler: bytes
) -> None:
    """An unknown field of very many small values is refused before it is decoded."""

    async def deed(_: Received, line: Line) -> None:
        await line.send(HEAD + b'\r\n{"uuid":"%b","status_code":15,"x":[' % BULK_ID.encode())
        for _count in range(size // (len(filler) * 20_000)):
            await line.send(filler * 20_000)
        await line.send(b"0]}")
        line.writer.close()

    async with FaultServer(get=deed) as server, client_of(server.url, retry=ONCE) as client:
        call = getattr(client, operation)
        argument = 1 if operation == "list_bulks_page" else BULK_ID
        tracemalloc.start()
        try:
            with pytest.raises(ResponseDecodeError, match="too long, or of too many parts"):
                await call(argument)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 100 * MIB
        async with Stopwatch() as watch:
            with pytest.raises(ResponseDecodeError):
                await call(argument)
        assert watch.longest < 0.2


async def test_case_59_a_large_answer_that_is_needed() -> None:
    """A bulk with very many recipients is read all the same."""
    phones = ",".join(f'"+4917{number:08}"' for number in range(200_000)).encode()
    body = b'{"uuid":"%b","status_code":5,"phones":[%b]}' % (BULK_ID.encode(), phones)
    async with FaultServer(get=answer(body)) as server, client_of(server.url) as client:
        found = await client.get_bulk(BULK_ID)
    assert found.phones is not None
    assert 200_000 == len(found.phones)


ENDLESS_HEADS = {
    "header lines": flood(HEAD, b"X-More: and more\r\n" * 4_000),
    "one header": flood(HEAD + b"X-More: ", b"x" * 65_536),
    "a header's name": flood(HEAD, b"x" * 65_536),
    "the status line": flood(b"HTTP/1.1 200 ", b"x" * 65_536),
    "trailers": flood(CHUNKED + b"0\r\n", b"X-More: and more\r\n" * 4_000),
}


@pytest.mark.parametrize("endless", ENDLESS_HEADS.values(), ids=ENDLESS_HEADS)
async def test_case_22_endless_heads(endless: Deed) -> None:
    """A head without end is no HTTP: left early, in flat memory."""
    async with FaultServer(put=endless, get=bulk(5)) as server:
        error = await failure_of(server.url, retry=ONCE)
        assert type(error) is TransportError
        assert (True, 1) == (error.outcome_unknown, error.attempts)
        await until(server.lines[0].writer.is_closing)
        assert server.lines[0].sent < 16 * MIB
        assert await peak_of(server.url) < 10 * MIB


ENDLESS_CHUNKS = {
    "its size": flood(CHUNKED, b"0" * 65_536),
    "its extension": flood(CHUNKED + b"5;", b"x" * 65_536),
}


@pytest.mark.parametrize("endless", ENDLESS_CHUNKS.values(), ids=ENDLESS_CHUNKS)
async def test_case_22_chunk_that_never_begins(endless: Deed) -> None:
    """What brings no byte of a body ends at the attempt timeout at the latest, in flat memory."""
    async with FaultServer(put=endless, get=bulk(5)) as server:
        error = await failure_of(server.url, retry=ONCE, attempt_timeout=0.2)
        assert isinstance(error, TransportError)
        assert error.outcome_unknown
        await until(server.lines[0].writer.is_closing)
        assert await peak_of(server.url) < 10 * MIB


# --- 23: too slow

SLOW = {
    "head, byte by byte": drip(b"x", start=HEAD + b"X-Slow: "),
    "body, byte by byte": drip(b" ", start=HEAD + b"Content-Length: 1000000\r\n\r\n"),
    "chunks of one byte": drip(b"1\r\n \r\n", start=CHUNKED),
    "endless 100": drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless 103": drip(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "a flood of 100": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
    "a 102, then silence": flood(b"HTTP/1.1 102 Processing\r\n\r\n", b"", 0),
}


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
async def test_case_23_slow_answers_end_at_the_attempt_timeout(slow: Deed) -> None:
    """However busy the line is, the attempt ends in its time and the line is closed."""

    async def slow_until_left(request: Received, line: Line) -> None:
        await slow(request, line)
        await line.gone()

    async with FaultServer(put=slow_until_left, get=bulk(5)) as server:
        async with client_of(server.url, attempt_timeout=0.1, retry=ONCE) as client:
            begin = time.monotonic()
            with pytest.raises(RequestTimeoutError) as caught:
                await client.cancel_bulk(BULK_ID)
            assert 0.1 <= time.monotonic() - begin < 30.0
            await until(server.lines[0].writer.is_closing)
        assert (True, 1) == (caught.value.outcome_unknown, caught.value.attempts)
        assert [0, 1] == [request.line for request in server.requests]


async def test_case_23_interim_answers_do_no_harm() -> None:
    """A few 1xx before the answer are passed over."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with FaultServer(put=interim + answer(summary())) as server:
        assert (await success_of(server.url)).is_canceled
        assert (1, 0) == (server.puts, server.gets)


# --- 34: cancelled in flight


@pytest.mark.parametrize("phase", ["PUT", "GET"])
async def test_case_34_cancelled_in_flight(phase: str) -> None:
    """The caller's cancel goes out at once, closes the line, and nothing follows."""
    script = {"put": silent} if phase == "PUT" else {"put": answer(b"", 422), "get": silent}
    async with FaultServer(**script) as server, client_of(server.url) as client:
        call = asyncio.create_task(client.cancel_bulk(BULK_ID))
        await until(lambda: any(r.method == phase for r in server.requests))
        sent = len(server.requests)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(server.lines[-1].writer.is_closing)
        await turns()
        assert sent == len(server.requests)


@pytest.mark.parametrize("name", ["attempt_timeout", "timeout"])
async def test_case_34_cancelled_at_the_moment_of_a_timeout(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 60 of 60 runs the cancel wins over a timeout that falls due in the same turn."""
    loop = asyncio.get_running_loop()
    true_time, ahead = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: true_time() + ahead)
    options: dict[str, Any] = {"attempt_timeout": 9.0} if name == "attempt_timeout" else {}
    timeout = 9.0 if name == "timeout" else None
    async with FaultServer(put=[bulk(), silent]) as server:
        await success_of(server.url)  # so that a probe's rules play no part below
        for run in range(60):
            async with client_of(server.url, **options) as client:
                call = asyncio.create_task(client.cancel_bulk(BULK_ID, timeout=timeout))
                # Before, near or after the timeout's own moment.
                loop.call_later(8.0 + run % 3, call.cancel)
                await server.arrival(run + 2)
                ahead = 20.0  # now both are due
                with pytest.raises(asyncio.CancelledError):
                    await call
                ahead = 0.0
                await turns(5)
            assert run + 2 == len(server.requests)


@pytest.mark.parametrize("status", [200, 503])
async def test_case_34_cancelled_when_the_answer_comes(status: int) -> None:
    """A cancel that is taken wins, at whichever turn of the loop after the answer."""
    patient = RetryPolicy(initial_delay=1e6, max_delay=1e6, max_wait=1e9)
    async with FaultServer(put=silent) as server:
        for late in range(15):
            forget_guard(server.url)  # a 503 makes all clients pause
            async with client_of(server.url, retry=patient) as client:
                call = asyncio.create_task(client.cancel_bulk(BULK_ID))
                await server.arrival(late + 1)
                server.lines[-1].writer.write(answer(summary(), status))
                await turns(late)
                if call.cancel():
                    with pytest.raises(asyncio.CancelledError):
                        await call
                else:
                    assert call.result().is_canceled
                await turns()
            assert late + 1 == len(server.requests)


async def test_time_is_watched_within_a_task_only() -> None:
    """There is nothing to cancel elsewhere: said at once, and nothing is left running."""
    timeouts, said = Timeouts(1.0), asyncio.get_running_loop().create_future()

    def begin() -> None:
        try:
            timeouts.begin(1.0)
        except RuntimeError as error:
            said.set_result(str(error))

    asyncio.get_running_loop().call_soon(begin)
    assert await said == "no task runs"
