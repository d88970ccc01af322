"""What all tests share: a client on the local gateway, and quick retries."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aioresponses import aioresponses
from attrs import evolve

from lox24_async import Lox24Client, testing
from lox24_async.testing import FakeLox24

# looptime asks for the current loop before each test; without a word from us, asyncio would
# make one that nobody closes.
asyncio.set_event_loop(None)

QUICK = evolve(testing.QUICK, max_wait=60.0)
"""The policy for tests, with the default patience: some of ours leap over minutes."""


async def prove(client: Lox24Client, fake: FakeLox24) -> None:
    """Let one good answer prove the client's token: now it needs no place in the budget."""
    await client.get_bulk_status(fake.add_bulk().uuid)


@pytest.fixture
def mocked(mocked_aiohttp: aioresponses) -> aioresponses:
    """Mock aiohttp's requests, as users do."""
    return mocked_aiohttp


@pytest_asyncio.fixture
async def client(fake_lox24: FakeLox24) -> AsyncIterator[Lox24Client]:
    """A client of the local gateway, with quick retries."""
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=QUICK) as made:
        yield made
