"""The pytest plugin and the mocks in projects of users: strict mode, auto mode, anyio."""

import asyncio
import gc
import socket
import time
import warnings
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from aioresponses import aioresponses
from yarl import URL

from lox24_async import BulkStatus, Lox24Client, TransportError
from lox24_async.testing import QUICK, FakeLox24, mock_aiohttp

pytest_plugins = ["pytester"]

ID = "da0fa78c-4699-11ea-a637-96000028b339"
CANCEL = f"https://api.lox24.eu/bulks/{ID}/cancel"
TOKEN = "1234567:e3f3a759b6677959b6ebfc0000000000"
STOPS = """
from lox24_async import BulkStatus, Lox24Client
from lox24_async.testing import QUICK, FakeLox24


async def test_stops(fake_lox24: FakeLox24) -> None:
    bulk = fake_lox24.add_bulk(BulkStatus.IN_PROGRESS)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=QUICK) as client:
        assert (await client.cancel_bulk(bulk.uuid)).is_canceled


def test_is_there(fake_lox24: FakeLox24) -> None:
    assert fake_lox24.url.startswith("http://127.0.0.1:")
"""


def marked(mark: str) -> str:
    """Return the test with a mark."""
    return "import pytest\n" + STOPS.replace("async def", f"@pytest.mark.{mark}\nasync def")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "options"),
    [
        (marked("asyncio"), ["-o", "asyncio_mode=strict"]),
        (STOPS, ["-o", "asyncio_mode=auto"]),
    ],
    ids=["strict", "auto"],
)
def test_with_pytest_asyncio(pytester: pytest.Pytester, code: str, options: list[str]) -> None:
    """The gateway runs in the loop of the test, in both modes of pytest-asyncio."""
    pytester.makepyfile(code)
    run(pytester, "-p", "no:looptime", *options)


@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True], ids=["beside pytest-asyncio", "alone"])
def test_with_anyio(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    """The gateway runs in anyio's loop, also where pytest-asyncio is installed (strict mode)."""
    pytest.importorskip("anyio")
    code = marked("anyio") + "\n\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    pytester.makepyfile(code.replace("def test_is_there(", "def test_is_there(anyio_backend, "))
    options = []
    if alone:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        options = ["-p", "anyio.pytest_plugin", "-p", "lox24_async.testing.plugin"]
    run(pytester, *options)


def run(pytester: pytest.Pytester, *options: str) -> None:
    """Run the two tests in a process of its own."""
    unset = "ignore::pytest.PytestDeprecationWarning"  # pytest-asyncio's, of its own options
    result = pytester.runpytest_subprocess("-W", "error", "-W", unset, *options)
    result.assert_outcomes(passed=2)


async def test_mock_is_a_context_manager() -> None:
    """The function does without pytest what the fixture does."""
    with mock_aiohttp() as mock:
        mock.put(CANCEL, payload={"uuid": ID, "status_code": 15})
        async with Lox24Client(TOKEN, retry=QUICK) as client:
            assert (await client.cancel_bulk(ID)).is_canceled


async def test_mock_takes_its_options(fake_lox24: FakeLox24) -> None:
    """What is passed through reaches the local gateway."""
    bulk = fake_lox24.add_bulk(BulkStatus.IN_PROGRESS)
    with mock_aiohttp(passthrough=[fake_lox24.url]):
        async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=QUICK) as client:
            assert (await client.cancel_bulk(bulk.uuid)).is_canceled


async def test_what_is_not_mocked_fails_at_once(mocked_aiohttp: aioresponses) -> None:
    """An unmatched URL is an error at once, and the mock has counted the attempts."""
    started = time.monotonic()
    async with Lox24Client(TOKEN, retry=QUICK) as client:
        with pytest.raises(TransportError):
            await client.cancel_bulk(ID)
    assert time.monotonic() - started < 10  # a retry would wait for longer
    assert QUICK.max_attempts == len(mocked_aiohttp.requests["PUT", URL(CANCEL)])


def test_the_plugin_imports_no_gateway(pytester: pytest.Pytester) -> None:
    """A project that does not use it pays for no import of aiohttp."""
    pytester.makepyfile("import sys\n\ndef test_light(): assert 'aiohttp' not in sys.modules\n")
    result = pytester.runpytest_subprocess("-p", "no:looptime", "-p", "no:aiohttp")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("turns", range(6))
async def test_what_is_being_accepted_when_the_gateway_stops_is_closed(turns: int) -> None:
    """In whichever turn of the loop: what stays open would warn in somebody else's test."""
    gateway = await FakeLox24().start()
    place = urlsplit(gateway.url)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection((str(place.hostname), place.port or 0)))
        for _ in range(turns):
            await asyncio.sleep(0)
        await gateway.stop()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gc.collect()
    assert told == []
