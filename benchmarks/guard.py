"""The guard's price: on a proven token, and for a claim and its settling.

For the guard of a process and of a host.
"""

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import random
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any

from lox24_async import RetryPolicy
from lox24_async._guard.gates import OriginGate, Ticket, TokenGate
from lox24_async._guard.guard import Guard
from lox24_async._guard.host import HostStore
from lox24_async._guard.stores import MemoryStore, Store
from lox24_async._transport.attempts import Attempts
from lox24_async._transport.call import Call
from lox24_async._transport.queue import Slots, Waits
from lox24_async.retry import Backoff

from .bars import print_table
from .processes import helper

_CALLS = 10_000
_CLAIMS = 1_000
_PROCESSES = 16
_BACKOFF = Backoff(RetryPolicy(), random)
_ORIGIN = "http://guard.invalid"


class _Recorder:
    """Stands for the guard, and notes how it is called."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.calls: list[Callable[[], Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def noted(*arguments: Any, **options: Any) -> Any:
            call = partial(getattr(self._guard, name), *arguments, **options)
            self.calls.append(call)
            return call()

        return noted


def run(repeats: int) -> dict[str, float]:
    """Return the prices in microseconds by the names of their bars; print them in a table."""
    figures, rows = dict[str, float](), list[tuple[str, ...]]()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "guard"
        for kind in ("process", "host"):
            store = MemoryStore() if kind == "process" else HostStore(directory, _ORIGIN)
            guard, recorder, whole = asyncio.run(_record(store, repeats))
            price = _time(lambda calls=recorder.calls: _replay(calls), _CALLS, repeats)  # type: ignore[misc]
            del guard
            work = partial(_claim_and_settle, _guard_of(store, "2:unproven"), Ticket())
            claims = _time(work, _CLAIMS, repeats)
            figures[f"guard {kind}"] = price
            rows.append((kind, f"{price:.2f}", f"{whole:.2f}", f"{claims:.1f}", ""))
        figures["guard claim"] = claims
        figures["guard crowd"] = crowd = _crowd(directory)
        rows[-1] = (*rows[-1][:-1], f"{crowd:.0f}")
    rows.append(("Redis", "not measured", "", "", ""))
    head = (
        "guard",
        "open path",
        "with retry loop",
        "claim and settle",
        f"{_PROCESSES} at once, p99",
    )
    print_table("The guard, without the network, in µs a call", head, rows)
    return figures


def _guard_of(store: Store, key: str = "1:key") -> Guard:
    origin = OriginGate(store)
    name = store.digest(key)
    token = origin.tokens.setdefault(name, TokenGate(name))
    return Guard(origin, token, lease=60.0, backoff=_BACKOFF)


def _claim_and_settle(guard: Guard, ticket: Ticket) -> None:
    """Take a place for a request with a token that is not proven, and give it back."""
    now = time.monotonic()
    if guard.enter(ticket, now) is not None:
        raise RuntimeError("a measurement failed")
    guard.leave(ticket, now, sent=False)


def _crowd(directory: Path) -> float:
    """Return the 99th percentile of a change of the record while 16 processes make them."""
    with_all: list[float] = []
    processes = [helper("-m", "benchmarks.guard", directory) for _ in range(_PROCESSES)]
    opened = [process.__enter__() for process in processes]
    try:
        for one in opened:
            if one.stdout is None or one.stdout.readline() != "ready\n":
                raise RuntimeError("a measurement failed")
        for one in opened:
            if one.stdin is not None:
                one.stdin.write("go\n")
                one.stdin.flush()
        for one in opened:
            with_all += map(float, (one.stdout or iter(["0"])).readline().split())  # type: ignore[union-attr]
    finally:
        for process in processes:
            process.__exit__(None, None, None)
    return quantiles(with_all, n=100)[-1]


def _one_of_a_crowd(directory: Path) -> None:
    """Change the record again and again, each time after a pause; print how long it took."""
    store, times = HostStore(directory, _ORIGIN), []
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(200):
        time.sleep(random() * 0.01)
        start = time.perf_counter()
        store.update(time.monotonic(), lambda record: record.epoch)
        times.append((time.perf_counter() - start) * 1e6)
    print(*(f"{one:.1f}" for one in times))


async def _record(store: Store, repeats: int) -> tuple[Guard, _Recorder, float]:
    """Run the real retry loop; note its calls to a proven guard, and time it."""
    loop = asyncio.get_running_loop()
    guard = _guard_of(store)
    waits = Waits()

    async def exchange(_: object, __: float) -> None:
        pass

    session: Any = SimpleNamespace(exchange=exchange)
    request: Any = SimpleNamespace(method="PUT")

    def attempts(guard: Any) -> Attempts:
        return Attempts(
            session,
            guard,
            Slots(10, waits),
            waits,
            policy=RetryPolicy(),
            backoff=_BACKOFF,
            attempt_timeout=60.0,
            clock=loop.time,
        )

    await attempts(guard).run(request, Call("the proof"))
    recorder = _Recorder(guard)
    await attempts(recorder).run(request, Call("as any other"))
    tried, times = attempts(guard), []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(_CALLS):
            await tried.run(request, Call("timed"))
        times.append((time.process_time() - start) / _CALLS * 1e6)
    return guard, recorder, median(times)


def _replay(calls: list[Callable[[], Any]]) -> None:
    for call in calls:
        call()


def _time(work: Callable[[], object], calls: int, repeats: int) -> float:
    """Return the median microseconds of processor time of a call."""
    times = []
    gc.collect()
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(calls):
            work()
        times.append((time.process_time() - start) / calls * 1e6)
    return median(times)


if __name__ == "__main__":
    _one_of_a_crowd(Path(sys.argv[1]))
