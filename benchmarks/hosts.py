"""The guard that hosts share, on a real Redis: its price, in time and in round trips."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Final

from attrs import frozen

from lox24_async import RedisGuard
from lox24_async._config import Secret
from lox24_async._guard.fleet import Fleet
from lox24_async._guard.gates import OriginGate, Ticket
from lox24_async._guard.guard import Guard
from lox24_async._guard.host import HostStore

from .prices import ORIGIN, PROCESSES, crowd, get_ready, guard_of, open_path, pause, tell

_CLAIMS: Final = 500
_CHANGES: Final = 10  # of each of a crowd
_PACE: Final = 1.0  # seconds between two of them at most: hosts do not claim more often than that
_NEWS: Final = 0.2  # seconds in which news of what was changed has come


@frozen
class Price:
    """What the guard costs, in microseconds and in round trips."""

    open_path: float
    whole: float
    claim: float
    """Time on the clock for a claim and its settling."""
    crowd: float
    trips_when_open: int
    """Of all calls of the open path together."""
    trips_of_claim: float
    """Of a claim and its settling."""


def measure(folder: Path, repeats: int) -> Price | None:
    """Return the prices; ``None``: redis-py or a server is not installed."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None or find_spec("redis") is None:
        return None
    with _serving(program, folder) as url:
        price, whole, claim, when_open, of_claim = asyncio.run(_measure(url, folder, repeats))
        many = min(PROCESSES, 2 * repeats)  # fewer in a short run: each has to start
        each = [(url, folder / f"host-{number}") for number in range(many)]
        return Price(price, whole, claim, crowd("benchmarks.hosts", each), when_open, of_claim)


@contextmanager
def _serving(program: str, folder: Path) -> Iterator[str]:
    """Run a server that listens on a socket in a folder, and keeps nothing on the disk."""
    socket = folder / "redis.sock"
    options = ("--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder)
    with subprocess.Popen([program, *map(str, options)], stdout=subprocess.DEVNULL) as process:
        try:
            while not socket.exists():
                if process.poll() is not None:
                    raise RuntimeError("the server did not start")
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            process.kill()


class _Host:
    """One host: a file of its own, and a way to what all hosts share."""

    def __init__(self, url: str, directory: Path) -> None:
        self._origin = OriginGate(HostStore(directory, ORIGIN))
        self.fleet = Fleet(RedisGuard(url, timeout=10.0), ORIGIN, self._origin)

    def guard_of(self, token: str) -> Guard:
        """Return the guard of a client with a token."""
        guard = guard_of(self._origin, token)
        guard.join(self.fleet)
        self.fleet.join(guard, Secret(token), self._origin.store.digest(token))
        return guard

    async def claim_and_settle(self, guard: Guard, *, proves: bool = False) -> None:
        """Let a request out that may be wrong, and learn what became of it."""
        ticket, now = Ticket(), time.monotonic()
        if guard.enter(ticket, now) is not None or not await guard.confirm(ticket):
            raise RuntimeError("a measurement failed")
        if proves:
            guard.settle(ticket, None, now)
        else:
            guard.leave(ticket, now, sent=False)
        await self.fleet._tell()

    async def change(self) -> None:
        """Change the record that all hosts share."""
        await self.fleet._change(lambda record, _: record.epoch, lambda *_: True)

    async def count_commands(self, *names: str) -> int:
        """Return how many of these commands the server has run; of all but this question."""
        found: dict[str, Any] = await self.fleet._client.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): one["calls"] for name, one in found.items()}
        return sum(calls.get(name, 0) for name in names or calls.keys() - {"info"})

    async def close(self) -> None:
        """End all."""
        while not await self.fleet.release():
            pass


async def _measure(url: str, folder: Path, repeats: int) -> tuple[float, float, float, int, float]:
    """Return the prices of one host that is alone."""
    host, times = _Host(url, folder / "host"), list[float]()
    proven, other = host.guard_of("1:key"), host.guard_of("2:unproven")
    await host.claim_and_settle(proven, proves=True)
    await asyncio.sleep(_NEWS)
    before = await host.count_commands()
    price, whole = await open_path(proven, repeats)
    await asyncio.sleep(_NEWS)
    when_open = await host.count_commands() - before
    before = await host.count_commands("eval", "evalsha")
    for _ in range(_CLAIMS):
        start = time.perf_counter()
        await host.claim_and_settle(other)
        times.append((time.perf_counter() - start) * 1e6)
    of_claims = await host.count_commands("eval", "evalsha") - before
    if of_claims < _CLAIMS:
        raise RuntimeError("the store was not asked: what was measured is no claim among hosts")
    await host.close()
    return price, whole, median(times), when_open, of_claims / _CLAIMS


async def _one_of_a_crowd(url: str, directory: Path) -> None:
    """Change what all share again and again, each time after a pause; print how long it took."""
    host, times = _Host(url, directory), list[float]()
    host.guard_of("1:key")
    await host.change()
    get_ready()
    for _ in range(_CHANGES):
        await asyncio.sleep(pause(_PACE))
        start = time.perf_counter()
        await host.change()
        times.append((time.perf_counter() - start) * 1e6)
    tell(times)
    await host.close()


if __name__ == "__main__":
    asyncio.run(_one_of_a_crowd(sys.argv[1], Path(sys.argv[2])))
