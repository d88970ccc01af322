"""The pytest plugin: a guard without memories for each test, and the gateway as a fixture.

It imports nothing heavy before a test needs it.
"""

import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ._isolation import forget_guard

if TYPE_CHECKING:
    from aioresponses import aioresponses

    from ._fake import FakeLox24

_fixture: Any
try:
    from pytest_asyncio import fixture as _fixture
except ImportError:  # then anyio's plugin runs the gateway
    _fixture = pytest.fixture


def pytest_configure() -> None:
    """Let no test share what its guard learns with the services on this machine."""
    os.environ.setdefault("LOX24_GUARD", "process")


def pytest_runtest_setup() -> None:
    """Let no test inherit what an earlier one taught the guard."""
    forget_guard()


async def _run_gateway() -> "AsyncIterator[FakeLox24]":
    from ._fake import FakeLox24  # noqa: PLC0415

    async with FakeLox24() as gateway:
        yield gateway


# Two plugins can run it; it must run in the loop of the test.
_fake_lox24_anyio = pytest.fixture(name="_fake_lox24_anyio")(_run_gateway)


@_fixture(name="_fake_lox24_asyncio")  # type: ignore[untyped-decorator]
async def _fake_lox24_asyncio() -> "AsyncIterator[FakeLox24]":
    async for gateway in _run_gateway():
        yield gateway


@pytest.fixture
def fake_lox24(request: pytest.FixtureRequest) -> "FakeLox24":
    """Run a fresh ``FakeLox24`` for one test, in its loop.

    Works with pytest-asyncio in either mode, and with anyio's plugin (backend asyncio).
    """
    runner = "anyio" if "anyio_backend" in request.fixturenames else "asyncio"
    gateway: FakeLox24 = request.getfixturevalue(f"_fake_lox24_{runner}")
    return gateway


@pytest.fixture
def mocked_aiohttp() -> "Iterator[aioresponses]":
    """Run a test under ``mock_aiohttp``."""
    from ._mocks import mock_aiohttp  # noqa: PLC0415

    with mock_aiohttp() as mock:
        yield mock
