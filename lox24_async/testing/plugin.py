"""The pytest plugin: a guard without memories for each test, and the gateway as a fixture.

It imports nothing heavy before a test needs it.
"""

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from ._isolation import forget_guard

if TYPE_CHECKING:
    from ._fake import FakeLox24

_fixture: Any
try:
    from pytest_asyncio import fixture as _fixture
except ImportError:  # then the fixture needs another plugin that runs coroutines
    _fixture = pytest.fixture


def pytest_configure() -> None:
    """Let no test share what its guard learns with the services on this machine."""
    os.environ.setdefault("LOX24_GUARD", "process")


def pytest_runtest_setup() -> None:
    """Let no test inherit what an earlier one taught the guard."""
    forget_guard()


@_fixture  # type: ignore[untyped-decorator]
async def fake_lox24() -> "AsyncIterator[FakeLox24]":
    """Run a fresh :class:`FakeLox24` for one test."""
    from ._fake import FakeLox24  # noqa: PLC0415

    async with FakeLox24() as gateway:
        yield gateway
