"""An aiohttp whose inside is not what the direct lane knows: slower, and nothing worse."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, Connection
from aiohttp.streams import StreamReader

from lox24_async import BulkDraft, CancelState, TransportError
from lox24_async._transport.direct_lane import DirectLane, InsideChangedError
from lox24_async._wire.replies import Reply
from tests.fault_server import (
    BULK_ID,
    Deed,
    FaultServer,
    Line,
    Received,
    answer,
    client_of,
    ids,
    nothing_left,
    summary,
    turns,
)

DRAFT = BulkDraft("Acme", "Hello", phones=["+491701234567"])
Change = Callable[[pytest.MonkeyPatch], None]


@pytest_asyncio.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    """No test may leave a task, a socket or a file behind."""
    async with nothing_left():
        yield


@pytest.fixture(autouse=True)
def on_both_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin on the direct lane; the process gets it back after the test."""
    monkeypatch.setattr(DirectLane, "works", True)


# As long as the direct lane is open, aiohttp is as the test says; then it is as it really is,
# so that the session, which uses the same parts, can do its work.


def missing(owner: Any, name: str) -> Change:
    """Leave something out."""
    real: Any = getattr(owner, name)

    def get(self: Any) -> Any:
        if DirectLane.works:
            raise AttributeError(name)
        return real.__get__(self, owner)

    return lambda patch: patch.setattr(owner, name, property(get))


def other(owner: Any, name: str, changed: Callable[..., Any]) -> Change:
    """Let a method be another one."""
    real = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        return (changed if DirectLane.works else real)(*arguments, **options)

    return lambda patch: patch.setattr(owner, name, call)


def returning(owner: Any, name: str, change: Callable[[Any], Any]) -> Change:
    """Let a coroutine method return something else."""
    real = getattr(owner, name)

    async def call(*arguments: Any, **options: Any) -> Any:
        result = await real(*arguments, **options)
        return change(result) if DirectLane.works else result

    return lambda patch: patch.setattr(owner, name, call)


def _closed(connection: Connection, instead: Any) -> Any:
    connection.close()
    return instead


def _needs_more(self: Any, *, new: Any) -> None:
    """Take other arguments."""


BEFORE: dict[str, Change] = {
    "no connect": missing(BaseConnector, "connect"),
    "connect takes more": other(BaseConnector, "connect", _needs_more),
    "connect is no coroutine": other(BaseConnector, "connect", lambda *_: object()),
    "connect gives a pair": returning(BaseConnector, "connect", lambda c: _closed(c, (1, 2))),
    "connect gives nothing": returning(BaseConnector, "connect", lambda c: _closed(c, None)),
    "no protocol": missing(Connection, "protocol"),
    "a request takes more": other(aiohttp.ClientRequest, "__init__", _needs_more),
    "no key": missing(aiohttp.ClientRequest, "connection_key"),
    "no parameters": missing(ResponseHandler, "set_response_params"),
    "other parameters": other(ResponseHandler, "set_response_params", _needs_more),
    "no read": missing(ResponseHandler, "read"),
    "no should_close": missing(ResponseHandler, "should_close"),
}


class _Bare:
    """Has nothing."""


AFTER: dict[str, Change] = {
    "read takes more": other(ResponseHandler, "read", _needs_more),
    "read is no coroutine": other(ResponseHandler, "read", lambda _: (1, 2)),
    "read gives three": returning(ResponseHandler, "read", lambda pair: (*pair, 3)),
    "read gives one": returning(ResponseHandler, "read", lambda pair: pair[0]),
    "read gives nothing": returning(ResponseHandler, "read", lambda _: None),
    "no code": returning(ResponseHandler, "read", lambda pair: (_Bare(), pair[1])),
    "no stream": returning(ResponseHandler, "read", lambda pair: (pair[0], _Bare())),
    "no read_nowait": missing(StreamReader, "read_nowait"),
    "no readany": missing(StreamReader, "readany"),
    "no at_eof": missing(StreamReader, "at_eof"),
}


def answering(pieces: int) -> Deed:
    """Answer with the bulk, all at once or so that the body is waited for."""

    async def deed(request: Received, line: Line) -> None:
        named = request.bulk_id if request.method == "PUT" else BULK_ID
        whole = answer(summary(named))
        await line.send(whole[: -5 * (pieces - 1) or None])
        if pieces > 1:
            await turns()
            await line.send(whole[-5:])

    return deed


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings that are about aiohttp."""
    texts = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    return [text for text in texts if "version of aiohttp" in text]


@pytest.mark.parametrize("change", BEFORE.values(), ids=BEFORE)
async def test_change_seen_before_anything_left(
    change: Change, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each id goes out once, by the session, in its first attempt; one warning for all."""
    change(monkeypatch)
    wanted = ids(20)
    async with FaultServer() as server, client_of(server.url) as client:
        report = await client.cancel_bulks(wanted)
        assert dict.fromkeys(wanted, 1) == Counter(r.bulk_id for r in server.requests)
    assert [(CancelState.CANCELED, 1)] * 20 == [(o.state, o.attempts) for o in report.outcomes]
    assert 1 == len(warnings_of(caplog))
    assert not DirectLane.works


async def test_change_seen_by_many_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All that were on the direct lane go by the session; there is one warning for them."""

    async def fail(*_: object) -> Reply:
        await asyncio.sleep(0)
        raise InsideChangedError("AttributeError", sent=False)

    monkeypatch.setattr(DirectLane, "send", fail)
    wanted = ids(20)
    async with FaultServer() as server, client_of(server.url, proven=True) as client:
        report = await client.cancel_bulks(wanted)
        assert dict.fromkeys(wanted, 1) == Counter(r.bulk_id for r in server.requests)
    assert 20 == report.counts[CancelState.CANCELED]
    assert 1 == len(warnings_of(caplog))


@pytest.mark.parametrize("change", BEFORE.values(), ids=BEFORE)
async def test_change_seen_before_a_create_left(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What must not be repeated is sent, once."""
    change(monkeypatch)
    async with FaultServer() as server, client_of(server.url) as client:
        server.script("POST", answer(summary(), 201))
        assert BULK_ID == str((await client.create_bulk(DRAFT)).uuid)
        assert ["POST"] == [request.method for request in server.requests]


@pytest.mark.parametrize("change", AFTER.values(), ids=AFTER)
async def test_change_seen_after_it_left(
    change: Change, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It counts as an attempt of unknown fate; the next one goes by the session."""
    change(monkeypatch)
    wanted = ids(20)
    pieces = 1 if change is AFTER["no read_nowait"] else 2
    async with FaultServer(put=answering(pieces)) as server, client_of(server.url) as client:
        report = await client.cancel_bulks(wanted)
        sent = Counter(request.bulk_id for request in server.requests)
        assert server.puts == len(server.requests)
    assert {o.bulk_id: o.attempts for o in report.outcomes} == sent
    assert {CancelState.CANCELED} == {o.state for o in report.outcomes}
    assert max(sent.values()) == 2
    assert 1 == len(warnings_of(caplog))
    assert not DirectLane.works


@pytest.mark.parametrize("change", AFTER.values(), ids=AFTER)
async def test_change_seen_after_a_create_left(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may have been carried out is not sent a second time, and the doubt is told."""
    change(monkeypatch)
    pieces = 1 if change is AFTER["no read_nowait"] else 2
    async with FaultServer() as server, client_of(server.url) as client:
        server.script("POST", answering(pieces))
        with pytest.raises(TransportError) as caught:
            await client.create_bulk(DRAFT)
        assert (1, True) == (caught.value.attempts, caught.value.outcome_unknown)
        await server.arrival()
        assert (await client.create_bulk(DRAFT)).uuid
        assert ["POST"] * 2 == [request.method for request in server.requests]
