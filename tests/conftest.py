"""What all tests share: a client on the local gateway, and quick retries."""

import asyncio
import logging
import os
import traceback
from asyncio import constants
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path

import pytest
import pytest_asyncio
from aioresponses import aioresponses
from attrs import evolve

import lox24_async
from lox24_async import CancelReport, CancelState, Lox24Client, testing
from lox24_async._transport.direct_lane import DirectLane
from lox24_async.testing import FakeLox24

# looptime asks for the current loop before each test; without a word from us, asyncio would
# make one that nobody closes.
asyncio.set_event_loop(None)

# In debug mode asyncio writes down where each future, task and handle was made, with the whole
# stack below pytest: two thirds of the suite's time. A few frames tell as much.
_walk_stack = traceback.walk_stack
traceback.walk_stack = lambda f: islice(_walk_stack(f), 2)
constants.DEBUG_STACK_DEPTH = 2  # type: ignore[misc]

_LOOP = os.environ.get("LOX24_TEST_LOOP", "")
if _LOOP:

    @pytest.hookimpl(optionalhook=True)
    def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        """Run on another loop, where one is named: ``uvloop`` or ``aiofastnet``."""
        library = import_module(_LOOP)
        made = library.new_event_loop if _LOOP == "uvloop" else library.loop_factory()
        return {_LOOP: made}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Spread the whole suite over the cores; what is named is run in one process."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    # One more than there are cores: some wait for processes and sockets.
    return (os.cpu_count() or 1) + 1 if whole else 0


_CASES = int(os.environ.get("LOX24_TEST_CASES", "0"))
if _CASES:

    def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep a few cases of each test, for who looks at coverage: the first, the last, between.

        What they reach, the whole suite reaches. Of a test that says ``every_case``, keep all.
        """
        cases: dict[str, list[pytest.Item]] = {}
        for item in items:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
        kept = [case for every in cases.values() for case in _spread(every)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept

    def _spread(cases: list[pytest.Item]) -> list[pytest.Item]:
        if cases[0].get_closest_marker("every_case"):
            return cases
        last = len(cases) - 1
        chosen = {round(last * number / max(_CASES - 1, 1)) for number in range(_CASES)}
        return [cases[number] for number in sorted(chosen)]


QUICK = evolve(testing.QUICK, max_wait=60.0)
"""The policy for tests, with the default patience: some of ours leap over minutes."""


def frames_of_ours(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the package's own frames of an error's traceback, with their locals."""
    home = Path(lox24_async.__file__).parent
    whole = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in whole.stack if home in Path(frame.filename).parents]
    assert ours
    return ours


def puts(gateway: FakeLox24) -> list[str]:
    """Return the ids of the cancels that arrived."""
    return [r.path.split("/")[2] for r in gateway.requests if r.method == "PUT"]


def states(report: CancelReport) -> dict[CancelState, int]:
    """Return the counts that are not 0."""
    return {state: count for state, count in report.counts.items() if count}


def loop_time() -> float:
    """Return the running loop's time, which looptime moves."""
    return asyncio.get_running_loop().time()


async def prove(client: Lox24Client, fake: FakeLox24) -> None:
    """Let one good answer prove the client's token: now it needs no place in the budget."""
    await client.get_bulk_status(fake.add_bulk().uuid)


@pytest.fixture(params=["direct", "session"])
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let own sessions take the direct lane, as they do, and then the session lane."""
    if request.param == "session":
        monkeypatch.setattr(DirectLane, "works", False)
    return str(request.param)


@pytest.fixture(autouse=True)
def lane_intact() -> Iterator[None]:
    """No test may make the others leave the direct lane, nor leave it itself unseen."""
    yield
    assert DirectLane.works


@pytest.fixture(autouse=True)
def log_level_intact() -> Iterator[None]:
    """``lox24 --debug`` in one test is not the others' matter."""
    logger = logging.getLogger("lox24_async")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def mocked(mocked_aiohttp: aioresponses) -> aioresponses:
    """Mock aiohttp's requests, as users do."""
    return mocked_aiohttp


@pytest_asyncio.fixture
async def client(fake_lox24: FakeLox24) -> AsyncIterator[Lox24Client]:
    """A client of the local gateway, with quick retries."""
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=QUICK) as made:
        yield made
