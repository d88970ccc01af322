"""What one can see of a client from outside: the hook, the warnings, the headers, the proxy."""

import asyncio
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lox24_async
from lox24_async import (
    Attempt,
    BulkDraft,
    CancelState,
    ConfigurationError,
    ConnectionFailedError,
    Lox24Client,
    Lox24Error,
    RequestTimeoutError,
    RetryPolicy,
)
from lox24_async.testing import FakeLox24

QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.002)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no proxy of this machine be seen."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "LOX24_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def test_on_attempt(fake_lox24: FakeLox24) -> None:
    """Each attempt of each operation is told, with its answer and whether another follows."""
    told: list[Attempt] = []
    bulk = fake_lox24.add_bulk()
    fake_lox24.fail_next(503, bulk_id=bulk.uuid, method="PUT")
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, retry=QUICK, on_attempt=told.append
    ) as client:
        await client.cancel_bulk(bulk.uuid)
        await client.get_bulk(bulk.uuid)
        await client.get_bulk_status(bulk.uuid)
        [_ async for _ in client.list_bulks()]
        made = await client.create_bulk(BulkDraft("Acme", "Hi", phones=["+491701234567"]))
        await client.simulate_bulk(BulkDraft("Acme", "Hi", phones=["+491701234567"]))
        await client.delete_bulk(made.uuid)
        [_ async for _ in client.list_messages(bulk.uuid)]
        fake_lox24.fail_next(drop="before", times=3)
        with pytest.raises(Lox24Error):
            await client.get_bulk(bulk.uuid)
    assert len(told) == len(fake_lox24.requests)
    first, second = told[:2]
    assert (first.operation, first.bulk_id, first.number) == ("cancel", str(bulk.uuid), 1)
    assert (first.status, first.will_retry, type(first.error).__name__) == (
        *(503, True),
        "ServerError",
    )
    assert (second.number, second.status, second.error, second.will_retry) == (2, 200, None, False)
    assert first.request_id
    assert second.request_id
    assert first.request_id != second.request_id
    assert all(0 <= one.seconds < 60 for one in told)
    kinds = [one.operation for one in told if one.error is None]
    assert kinds[1:3] == ["get", "status"]
    assert kinds[-4:] == ["create", "simulate", "delete", "messages"]
    assert "list" in kinds
    lost = told[-3:]
    assert [one.will_retry for one in lost] == [True, True, False]
    assert [(one.status, one.request_id) for one in lost] == [(None, None)] * 3
    assert [one.status for one in told if one.operation == "delete"] == [204]
    assert pickle.loads(pickle.dumps(second)) == second
    with pytest.raises(AttributeError):
        first.number = 5  # type: ignore[misc]


async def test_a_call_that_sends_nothing_tells_nothing(fake_lox24: FakeLox24) -> None:
    """The hook is called after attempts, and there was none."""
    told: list[Attempt] = []
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, on_attempt=told.append
    ) as client:
        with pytest.raises(RequestTimeoutError):
            await client.get_bulk(fake_lox24.add_bulk().uuid, timeout=0)
    assert told == []


@pytest.mark.parametrize("problem", [LookupError, asyncio.CancelledError])
async def test_case_81_a_hook_that_raises(
    fake_lox24: FakeLox24, caplog: pytest.LogCaptureFixture, problem: type[BaseException]
) -> None:
    """Case 81: what the hook raises is logged once, and the run goes on."""

    def hook(attempt: Attempt) -> None:
        raise problem(attempt.operation)

    ids = [fake_lox24.add_bulk().uuid for _ in range(20)]
    fake_lox24.fail_next(503, times=3)
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, retry=QUICK, on_attempt=hook
    ) as client:
        report = await client.cancel_bulks(ids)
    assert report.counts[CancelState.CANCELED] == 20
    assert len([r for r in caplog.records if "on_attempt" in r.message]) == 1


class Raising(logging.Handler):
    """An ordinary handler with a bug."""

    def emit(self, record: logging.LogRecord) -> None:
        raise LookupError(record)


@pytest.fixture
def raising() -> Iterator[None]:
    """Have a handler that raises at our logger."""
    logger, handler = logging.getLogger("lox24_async"), Raising()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


@pytest.mark.usefixtures("raising")
async def test_case_81_a_logging_handler_that_raises(fake_lox24: FakeLox24) -> None:
    """Case 81: a handler that raises breaks neither retries nor the reading of an answer."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(20)]
    fake_lox24.fail_next(503, times=3)
    odd = f'{{"uuid":"{ids[0]}","status_code":15,"created_at":"x"}}'
    fake_lox24.fail_next(body=odd, bulk_id=ids[0])
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=QUICK) as client:
        report = await client.cancel_bulks(ids)
    assert report.counts[CancelState.CANCELED] == 20


async def test_fields_of_a_retry_warning(
    fake_lox24: FakeLox24, caplog: pytest.LogCaptureFixture
) -> None:
    """Each retry is one WARNING whose record tells the facts one by one."""
    bulk = fake_lox24.add_bulk()
    fake_lox24.fail_next(503)
    fake_lox24.fail_next(drop="before")
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=QUICK) as client:
        await client.cancel_bulk(bulk.uuid)
    first, second = (vars(r) for r in caplog.records if r.name == "lox24_async")
    assert (first["bulk_id"], first["status"], first["attempt"]) == (str(bulk.uuid), 503, 2)
    assert first["request_id"]
    assert 0 <= first["delay"] < 1
    assert (second["status"], second["request_id"], second["attempt"]) == (None, None, 3)
    assert first["filename"] == "attempts.py"


async def nothing(_: Attempt) -> None:
    """Do nothing."""


@pytest.mark.parametrize("hook", [5, nothing])
def test_a_hook_that_cannot_work(hook: Any) -> None:
    """What is no plain function is refused: a coroutine would never run."""
    with pytest.raises(ConfigurationError, match="on_attempt"):
        Lox24Client("1:abc", on_attempt=hook)


@pytest.mark.parametrize(
    ("given", "sent"),
    [(None, ""), ("billing/2.1", "billing/2.1 "), ("a b/1 c!/2", "a b/1 c!/2 ")],
)
async def test_user_agent(fake_lox24: FakeLox24, given: str | None, sent: str) -> None:
    """The caller's product tokens come first, ours with its version last."""
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, user_agent=given) as client:
        await client.cancel_bulk(fake_lox24.add_bulk().uuid)
    (request,) = fake_lox24.requests
    assert request.headers["User-Agent"] == f"{sent}lox24-async/{lox24_async.__version__}"


@pytest.mark.parametrize("given", ["", " ", "a\r\nX: y", "a  b", "a/", "ä", "(x)", 5, "a/1/2"])
def test_no_user_agent(given: Any) -> None:
    """What is no product token is refused at the door."""
    with pytest.raises(ConfigurationError, match="user_agent"):
        Lox24Client("1:abc", user_agent=given)


async def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """LOX24_PROXY is used, an argument comes before it, and a wrong one is refused."""
    monkeypatch.setenv("LOX24_PROXY", "nonsense")
    with pytest.raises(ConfigurationError, match="proxy"):
        Lox24Client("1:abc")
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    monkeypatch.setenv("LOX24_PROXY", f"http://{host}:{port}")
    async with (
        server,
        Lox24Client("1:abc", base_url="https://lox24.invalid", retry=RetryPolicy.none()) as client,
    ):
        with pytest.raises(ConnectionFailedError, match="proxy"):
            await client.cancel_bulk("da0fa78c-4699-11ea-a637-96000028b339")
    assert seen[0].startswith(b"CONNECT lox24.invalid:443")


async def test_no_proxy_for_loopback(
    fake_lox24: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway on this machine is not behind a proxy: LOX24_PROXY does not concern it."""
    monkeypatch.setenv("LOX24_PROXY", "http://127.0.0.1:1")
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        assert (await client.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_hint_at_the_systems_proxy(
    monkeypatch: pytest.MonkeyPatch, unused: Callable[[], int], name: str
) -> None:
    """Where no connection comes about and HTTPS_PROXY is set, the error says that it is ignored."""
    url = f"http://127.0.0.1:{unused()}"
    bulk_id = "da0fa78c-4699-11ea-a637-96000028b339"
    async with Lox24Client("1:abc", base_url=url, retry=RetryPolicy.none()) as client:
        with pytest.raises(ConnectionFailedError) as plain:
            await client.cancel_bulk(bulk_id)
        monkeypatch.setenv(name, "http://user:secret@proxy.invalid:3128")
        with pytest.raises(ConnectionFailedError) as told:
            await client.cancel_bulk(bulk_id)
    assert "PROXY" not in str(plain.value)
    assert f"{name} is set, but ignored" in str(told.value)
    assert "LOX24_PROXY" in str(told.value)
    assert "secret" not in str(told.value)


@pytest.fixture
def unused() -> Callable[[], int]:
    """Return what finds a port where nobody listens."""

    def find() -> int:
        import socket  # noqa: PLC0415

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
            return port

    return find
