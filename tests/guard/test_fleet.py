"""The guard that hosts share, on a real Redis: one request for all, and never a stop that fails."""

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lox24_async import (
    AuthenticationError,
    Bulk,
    CancelReport,
    CancelState,
    ConnectionFailedError,
    IPBlockedError,
    Lox24Client,
    RedisGuard,
    RetryPolicy,
)
from lox24_async._config import Secret
from lox24_async._guard import places, rules
from lox24_async._guard.fleet import Fleet
from lox24_async._guard.gates import OriginGate
from lox24_async._guard.record import Record, write_record
from lox24_async.errors import error_class
from lox24_async.testing import FakeLox24
from tests.conftest import QUICK

from .redis_server import RedisServer, redis_server
from .test_host import ORIGIN, guard_of, store_of

__all__ = ["redis_server"]

WRONG = "1234567:a-mistyped-key-of-the-fleet"
PATIENT = 5.0
"""Seconds for a command: this machine may be busy."""


class Host:
    """Makes clients that live on a host of their own: its store is a directory of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self._monkeypatch = monkeypatch
        self._directory = directory

    async def client(
        self, gateway: FakeLox24, url: str, token: str | None = None, **options: Any
    ) -> Lox24Client[Bulk]:
        """Return a client that has found its host."""
        options.setdefault("retry", QUICK)
        timeout, strict = options.pop("timeout", PATIENT), options.pop("strict", False)
        guard = RedisGuard(url, timeout=timeout, strict=strict)
        client = Lox24Client(token or gateway.token, base_url=gateway.url, guard=guard, **options)
        with self._monkeypatch.context() as patch:
            patch.setattr(places, "default_directory", lambda: self._directory)
            engine = client._engine
            engine._attempts = engine._make_attempts(engine._bind())
        return client


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Host]:
    """Return fifty hosts."""
    return [Host(monkeypatch, tmp_path / f"host-{number}") for number in range(50)]


def kinds(results: Iterable[object]) -> set[tuple[type, int]]:
    """Return the kinds of results, and what each cost on the wire."""
    return {(type(result), getattr(result, "attempts", 0)) for result in results}


async def close(*clients: Lox24Client[Bulk]) -> None:
    """Close them all."""
    await asyncio.gather(*(client.close() for client in clients))


@pytest.mark.timeout(300)
async def test_case_49_fifty_hosts_send_one_wrong_request(
    fake_lox24: FakeLox24,
    redis_server: RedisServer,
    hosts: list[Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever is first tells all: fifty hosts with a wrong token, one request."""
    # On a loaded machine the answer may be late, and a second probe go: another test's matter.
    monkeypatch.setattr(rules, "NEXT_PROBE_AFTER", (0.0, 60.0, 60.0))
    bulk_id = fake_lox24.add_bulk().uuid
    clients = [await host.client(fake_lox24, redis_server.url, WRONG) for host in hosts]
    calls = [client.cancel_bulk(bulk_id) for client in clients for _ in range(3)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    await close(*clients)
    assert {(AuthenticationError, 0), (AuthenticationError, 1)} == kinds(results)
    assert 1 == len(fake_lox24.requests)


async def test_claim_that_is_not_granted_is_no_news(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """What all hosts read again is a claim and what its answer taught, not who came in vain."""
    clients = [await host.client(fake_lox24, redis_server.url, WRONG) for host in hosts[:8]]
    bulk_id = fake_lox24.add_bulk().uuid
    calls = [client.cancel_bulk(bulk_id) for client in clients for _ in range(3)]
    await asyncio.gather(*calls, return_exceptions=True)
    await close(*clients)
    assert redis_server.commands("publish") <= 2 * len(fake_lox24.requests)


async def test_open_path_asks_nobody(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """On a proven token no call costs a round trip, whatever other hosts do meanwhile."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(300)]
    client = await hosts[0].client(fake_lox24, redis_server.url)
    await client.get_bulk_status(ids[0])
    await asyncio.sleep(0.1)  # what is told in the background is told
    before = redis_server.commands()
    report = await client.cancel_bulks(ids)
    assert before == redis_server.commands()
    await close(client)
    assert 300 == report.counts[CancelState.CANCELED]


async def test_claim_and_settling_are_a_round_trip_each(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """The first proof: a look at the record, the claim, and what its answer taught."""
    client = await hosts[0].client(fake_lox24, redis_server.url)
    await client.get_bulk_status(fake_lox24.add_bulk().uuid)
    await close(client)
    # Two looks (of the claim and of the subscription), the script itself, claim, settling.
    assert redis_server.commands() <= 6


async def test_a_proof_is_believed_by_the_others(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """Within a minute of it, another host sends at full width at once."""
    one = await hosts[0].client(fake_lox24, redis_server.url)
    await one.get_bulk_status(fake_lox24.add_bulk().uuid)
    two = await hosts[1].client(fake_lox24, redis_server.url)
    for _ in range(200):
        if two._engine._guard is not None and two._engine._guard.is_open:
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("the news did not come")
    await close(one, two)


async def test_a_refusal_is_news_to_hosts_whose_token_worked(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """One host's 401 stops the other before it sends; nobody sends a fourth."""
    bulk_id = fake_lox24.add_bulk().uuid
    clients = [await host.client(fake_lox24, redis_server.url) for host in hosts[:2]]
    for client in clients:
        await client.get_bulk_status(bulk_id)
    fake_lox24.token = "1234567:another-key-that-works-now"
    fake_lox24.requests.clear()
    with pytest.raises(AuthenticationError):
        await clients[0].cancel_bulk(bulk_id)
    for _ in range(200):
        guard = clients[1]._engine._guard
        if guard is not None and not guard.is_proven:
            break
        await asyncio.sleep(0.02)
    results = await asyncio.gather(
        *(clients[1].cancel_bulk(bulk_id) for _ in range(20)), return_exceptions=True
    )
    await close(*clients)
    assert {AuthenticationError} == {type(result) for result in results}
    assert len(fake_lox24.requests) <= 3


async def test_a_block_is_known_to_all_and_ends_for_all(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """Case 48: who comes later is told when it really ends; one probe opens it for all."""
    bulk_id = fake_lox24.add_bulk().uuid
    one, two = [
        await host.client(fake_lox24, redis_server.url, retry=RetryPolicy(max_attempts=1))
        for host in hosts[:2]
    ]
    await one.get_bulk_status(bulk_id)
    fake_lox24.fail_next(429)
    with pytest.raises(IPBlockedError):
        await one.cancel_bulk(bulk_id)
    fake_lox24.requests.clear()
    for _ in range(200):
        if two.pause is not None:
            break
        await asyncio.sleep(0.02)
    assert two.pause is not None
    assert isinstance(two.pause.cause, IPBlockedError)
    assert two.pause.cause.blocked_until is not None
    assert (await two.cancel_bulk(bulk_id)).is_canceled  # it probes when the pause ends
    for _ in range(200):
        if one.pause is None:
            break
        await asyncio.sleep(0.02)
    assert one.pause is None
    await close(one, two)
    assert 1 == len(fake_lox24.requests)


async def test_case_50_a_store_that_dies_costs_no_id(
    fake_lox24: FakeLox24,
    redis_server: RedisServer,
    hosts: list[Host],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Killed in mid-run: all cancelled, one warning, and nothing of the URL in it."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(200)]
    fake_lox24.latency = 0.005
    client = await hosts[0].client(fake_lox24, redis_server.url)
    report = CancelReport()
    with caplog.at_level(logging.WARNING, "lox24_async"):
        run = asyncio.create_task(client.cancel_bulks(ids, report=report))
        while len(report) < 50:
            await asyncio.sleep(0.01)
        redis_server.stop()
        await run
        await close(client)
        another = await hosts[1].client(fake_lox24, redis_server.url)
        assert (await another.cancel_bulk(ids[0])).is_canceled
        await close(another)
    assert 200 == report.counts[CancelState.CANCELED]
    texts = [r.getMessage() for r in caplog.records if "store failed" in r.getMessage()]
    assert 1 <= len(texts) <= 2  # one of each host
    assert all(str(redis_server.port) not in text for text in texts)


async def test_store_that_is_slow_is_not_waited_for(
    fake_lox24: FakeLox24, hosts: list[Host], caplog: pytest.LogCaptureFixture
) -> None:
    """It accepts and says nothing: after a few timeouts the host's guard goes on alone."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = await hosts[0].client(fake_lox24, f"redis://127.0.0.1:{port}", timeout=0.02)
    with caplog.at_level(logging.WARNING, "lox24_async"):
        assert (await client.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled
    await close(client)
    server.close()
    assert "store failed" in caplog.text


async def test_tokens_of_clients_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    """A process that meets ever new tokens does not grow for ever, nor keep their secrets."""
    store = store_of(tmp_path)
    fleet = Fleet(RedisGuard("redis://127.0.0.1:1"), "https://api.example", OriginGate(store))
    kept = guard_of(store, "1:kept")
    fleet.join(kept, Secret("1:kept"), "kept")
    for number in range(3_000):
        fleet.join(guard_of(store, "1:gone"), Secret(f"1:{number}"), f"{number}")
    assert len(fleet._tokens) <= 1_001
    assert "kept" in fleet._tokens
    fleet.users = 1
    assert await fleet.release()


async def test_strict_sends_nothing_without_the_store(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """While the store is away calls fail, also on a proven token; when it is back they go."""
    bulk_id = fake_lox24.add_bulk().uuid
    client = await hosts[0].client(
        fake_lox24, redis_server.url, strict=True, retry=RetryPolicy.none()
    )
    await client.get_bulk_status(bulk_id)
    fake_lox24.requests.clear()
    redis_server.stop()
    for _ in range(400):
        guard = client._engine._guard
        if guard is not None and not guard.is_open:
            break
        await asyncio.sleep(0.02)
    with pytest.raises(ConnectionFailedError, match="shared store") as caught:
        await client.cancel_bulk(bulk_id)
    assert (0, False) == (caught.value.attempts, caught.value.outcome_unknown)
    assert [] == fake_lox24.requests
    redis_server.start()
    for _ in range(400):
        guard = client._engine._guard
        if guard is not None and guard.is_open:
            break
        await asyncio.sleep(0.02)
    assert (await client.cancel_bulk(bulk_id)).is_canceled
    await close(client)


async def test_strict_and_never_there(fake_lox24: FakeLox24, hosts: list[Host]) -> None:
    """The first call of all fails, and sends nothing, if nobody is at the URL."""
    url = "redis://127.0.0.1:1"
    client = await hosts[0].client(fake_lox24, url, strict=True, retry=RetryPolicy.none())
    with pytest.raises(ConnectionFailedError, match="shared store"):
        await client.cancel_bulk(fake_lox24.add_bulk().uuid)
    await close(client)
    assert [] == fake_lox24.requests


async def test_claim_that_is_cancelled_is_given_back(
    fake_lox24: FakeLox24,
    redis_server: RedisServer,
    hosts: list[Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Case 35: written, and the caller left before the store's answer: no place stays taken."""
    client = await hosts[0].client(fake_lox24, redis_server.url)
    fleet = client._engine._fleet
    assert fleet is not None
    script, claimed = fleet._script, asyncio.Event()

    async def answer_never(keys: list[str], arguments: list[Any]) -> Any:
        reply = await script(keys, arguments)
        if b'"p"' in arguments[1]:
            claimed.set()
            await asyncio.Event().wait()
        return reply

    monkeypatch.setattr(fleet, "_script", answer_never)
    call = asyncio.create_task(client.cancel_bulk(fake_lox24.add_bulk().uuid))
    await claimed.wait()
    with redis_server.client() as redis:
        assert b'"p"' in (redis.hget(fleet._key, "r") or b"")
        call.cancel()
        await asyncio.wait((call,))
        monkeypatch.setattr(fleet, "_script", script)
        await close(client)
        assert b'"p"' not in (redis.hget(fleet._key, "r") or b"")
    assert [] == fake_lox24.requests


async def test_store_that_others_use_without_rest_is_not_waited_for(
    fake_lox24: FakeLox24,
    redis_server: RedisServer,
    hosts: list[Host],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When somebody else is quicker again and again, the host's guard goes on alone."""
    client = await hosts[0].client(fake_lox24, redis_server.url)
    fleet = client._engine._fleet
    assert fleet is not None
    script = fleet._script

    async def be_late(keys: list[str], arguments: list[Any]) -> Any:
        with redis_server.client() as redis:
            redis.hincrby(fleet._key, "v", 1)
        return await script(keys, arguments)

    monkeypatch.setattr(fleet, "_script", be_late)
    assert (await client.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled
    await close(client)
    with redis_server.client() as redis:
        assert redis.hget(fleet._key, "r") is None, "nothing could be written"


async def test_clients_of_one_host_share_a_connection(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """Those of one event loop; it is closed with the last of them."""
    one, two = [await hosts[0].client(fake_lox24, redis_server.url) for _ in range(2)]
    fleet = one._engine._fleet
    assert fleet is two._engine._fleet
    assert fleet is not None
    await close(one)
    assert (await two.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled
    assert fleet._tasks
    await close(two)
    assert not fleet._tasks


async def test_host_that_has_something_to_tell_adopts_nothing(tmp_path: Path) -> None:
    """What it has learnt and not told yet is younger than what the store says."""
    gate = OriginGate(store_of(tmp_path))
    fleet = Fleet(RedisGuard("redis://127.0.0.1:1"), "https://api.example", gate)
    now, news = time.monotonic(), Record()
    rules.block(news, error_class(429)("no", status=429), now, left_at=now, initial_delay=0.5)
    fleet._text = write_record(news, now)
    fleet.learn(lambda *_: None)
    fleet._adopt()
    assert gate.store.read(now).block is None
    fleet._pending.clear()
    fleet._adopt()
    assert gate.store.read(now).block is not None
    fleet.users = 1
    assert await fleet.release()


@pytest.mark.parametrize("record", [b"", b"garbage", b"[]", b'{"w":1e300,"e":0}', b"\xff\xfe"])
async def test_case_50_a_forged_record_holds_up_nobody(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host], record: bytes
) -> None:
    """What cannot be read, or comes from another time, is taken for an empty record."""
    client = await hosts[0].client(fake_lox24, redis_server.url)
    fleet = client._engine._fleet
    assert fleet is not None
    with redis_server.client() as redis:
        redis.hset(fleet._key, mapping={"v": "forged", "r": record, "s": b"salt"})
    assert (await client.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled
    await close(client)


@pytest.mark.parametrize("salt", [b"", b"s", b"s" * 17, b"s" * 100_000])
async def test_case_50_a_forged_salt_is_replaced(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host], salt: bytes
) -> None:
    """A store whose salt is none of ours begins anew, and is shared again."""
    first = await hosts[0].client(fake_lox24, redis_server.url)
    fleet = first._engine._fleet
    assert fleet is not None
    with redis_server.client() as redis:
        redis.hset(fleet._key, mapping={"v": "7", "r": b"{}", "s": salt})
    assert (await first.cancel_bulk(fake_lox24.add_bulk().uuid)).is_canceled
    await close(first)
    with redis_server.client() as redis:
        known: Any = redis.hget(fleet._key, "s")
    assert 16 == len(known)
    asked = len(fake_lox24.requests)
    second = await hosts[1].client(fake_lox24, redis_server.url)
    await second.cancel_bulks(fake_lox24.add_bulk().uuid for _ in range(20))
    assert asked + 20 == len(fake_lox24.requests)
    assert second._engine._fleet is not None
    assert fleet._salt == known == second._engine._fleet._salt
    await close(second)


@pytest.mark.parametrize("option", ["decode_responses=true", "encoding=utf-16", "protocol=3"])
async def test_options_of_the_url_change_nothing_of_the_record(
    fake_lox24: FakeLox24,
    redis_server: RedisServer,
    hosts: list[Host],
    option: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The record is bytes, however an application's URL has its own answers decoded."""
    plain = await hosts[0].client(fake_lox24, redis_server.url, WRONG)
    with pytest.raises(AuthenticationError):
        await plain.cancel_bulk(fake_lox24.add_bulk().uuid)
    other = await hosts[1].client(fake_lox24, f"{redis_server.url}?{option}", WRONG)
    with pytest.raises(AuthenticationError) as caught:
        await other.cancel_bulk(fake_lox24.add_bulk().uuid)
    await close(plain, other)
    assert 0 == caught.value.attempts
    assert 1 == len(fake_lox24.requests)
    assert "shares nothing" not in caplog.text


async def test_the_store_holds_no_secret_and_expires(
    fake_lox24: FakeLox24, redis_server: RedisServer, hosts: list[Host]
) -> None:
    """Neither token nor client id nor the origin stand there, and nothing stands for long."""
    client = await hosts[0].client(fake_lox24, redis_server.url, WRONG)
    with pytest.raises(AuthenticationError):
        await client.cancel_bulk(fake_lox24.add_bulk().uuid)
    await close(client)
    with redis_server.client() as redis:
        found: Any = redis.keys("*")
        assert 1 == len(found)
        stored: Any = redis.hgetall(found[0])
        assert found[0].startswith(b"lox24:default:")
        assert 0 < int(str(redis.ttl(found[0]))) <= 660
    text = b"".join([*found, *stored.keys(), *stored.values()])
    for secret in (*WRONG.split(":"), fake_lox24.url.partition("://")[2]):
        assert secret.encode() not in text


async def test_older_news_undoes_nothing_that_is_being_told(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """What this host has learnt stands until the store knows it: then both say the same."""
    store = store_of(tmp_path)
    gate = OriginGate(store)
    name = store.digest("1:a")
    fleet = Fleet(RedisGuard(redis_server.url, timeout=PATIENT), ORIGIN, gate)
    fleet.join(guard_of(store, "1:a"), Secret("1:a"), name)
    # Another host has proven the token before.
    await fleet._change(
        lambda record, at: record.facts(fleet.digest(name)).prove(at - 1.0), lambda *_: True
    )

    def forbid(record: Record, token: str, at: float) -> None:
        for _ in range(rules.FORBIDDEN_MOST + 1):
            rules.settle(record, token, "cancel", rules.Verdict.FORBIDDEN, at, name="", fresh=True)

    def is_closed() -> bool:
        facts = store.read(time.monotonic()).tokens.get(name)
        return facts is not None and "cancel" in facts.operations

    now = time.monotonic()
    store.update(now, lambda record: forbid(record, name, now))
    async with fleet._turn:  # the store is being asked for something else
        fleet.learn(lambda record, at: forbid(record, fleet.digest(name), at))
        await asyncio.sleep(0)
        assert not fleet._pending
        fleet._adopt()
        assert is_closed()
    fleet.users = 1
    await fleet.release()
    assert is_closed()
    assert (
        fleet._read(time.monotonic() + (fleet._offset or 0.0)).tokens[fleet.digest(name)].operations
    )
