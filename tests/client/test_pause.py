"""What a client says of the pause that it keeps."""

import asyncio

import pytest

from lox24_async import (
    AuthenticationError,
    IPBlockedError,
    Lox24Client,
    Lox24Error,
    RetryPolicy,
    ServerError,
)
from lox24_async.testing import FakeLox24
from tests.conftest import QUICK


async def test_no_pause(fake_lox24: FakeLox24, client: Lox24Client) -> None:
    """Neither before the first use, nor for a token's first proof, nor after a success."""
    assert client.pause is None
    fake_lox24.latency = 0.02
    bulk = fake_lox24.add_bulk()
    call = asyncio.create_task(client.cancel_bulk(bulk.uuid))
    while not fake_lox24.in_flight:
        await asyncio.sleep(0)
    assert client.pause is None
    await call
    assert client.pause is None


@pytest.mark.looptime
async def test_block(fake_lox24: FakeLox24) -> None:
    """A block counts down to the next probe; its cause is what a call would raise."""
    fake_lox24.fail_next(429, headers={"Retry-After": "40"})
    bulk = fake_lox24.add_bulk()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        call = asyncio.create_task(client.cancel_bulk(bulk.uuid))
        await asyncio.sleep(1)
        pause = client.pause
        assert pause is not None
        assert pytest.approx(39, abs=0.5) == pause.seconds
        assert isinstance(pause.cause, IPBlockedError)
        assert pause.cause.attempts == 0
        await asyncio.sleep(30)
        pause = client.pause
        assert pause is not None
        assert pytest.approx(9, abs=0.5) == pause.seconds
        await call
        assert client.pause is None


@pytest.mark.looptime
async def test_outage(fake_lox24: FakeLox24) -> None:
    """An outage is a pause as well, and 0 seconds are left while its probe is under way."""
    fake_lox24.fail_next(503, headers={"Retry-After": "5"})
    fake_lox24.fail_next(503, headers={"Retry-After": "5"}, delay=10)
    bulk = fake_lox24.add_bulk()
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        call = asyncio.create_task(client.cancel_bulk(bulk.uuid))
        await asyncio.sleep(1)
        pause = client.pause
        assert pause is not None
        assert pytest.approx(4, abs=0.5) == pause.seconds
        assert isinstance(pause.cause, ServerError)
        await asyncio.sleep(9)
        pause = client.pause
        assert pause is not None
        assert pause.seconds == 0
        await call
        assert client.pause is None


async def test_refused_token(fake_lox24: FakeLox24) -> None:
    """A refused token is a pause of a minute, for every client that has it."""
    fake_lox24.token = "1234567:another"
    bulk = fake_lox24.add_bulk()
    async with (
        Lox24Client("1234567:wrong", base_url=fake_lox24.url, retry=QUICK) as client,
        Lox24Client("1234567:wrong", base_url=fake_lox24.url, retry=RetryPolicy.none()) as other,
    ):
        for one in (client, other):
            with pytest.raises(AuthenticationError):
                await one.cancel_bulk(bulk.uuid)
        for one in (client, other):
            assert one.pause is not None
            assert 50 < one.pause.seconds <= 60
            assert isinstance(one.pause.cause, AuthenticationError)
    assert len(fake_lox24.requests) == 1


async def test_pause_hides_the_token(fake_lox24: FakeLox24) -> None:
    """A pause can be shown to anybody."""
    token = fake_lox24.token
    fake_lox24.token = "1234567:another"
    async with Lox24Client(token, base_url=fake_lox24.url, retry=QUICK) as client:
        with pytest.raises(Lox24Error):
            await client.cancel_bulk(fake_lox24.add_bulk().uuid)
        assert token not in repr(client.pause)
        assert token.partition(":")[2] not in str(client.pause)
