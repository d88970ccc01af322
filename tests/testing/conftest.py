"""A session on the local gateway, for all tests of it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from lox24_async.testing import FakeLox24

from .asking import Wire


@pytest_asyncio.fixture
async def wire(fake_lox24: FakeLox24) -> AsyncIterator[Wire]:
    """Ask the gateway by hand."""
    async with aiohttp.ClientSession() as session:
        yield Wire(session, fake_lox24)
