"""The guard's price: what a call on a proven token pays for being guarded."""

import asyncio
import gc
import time
from collections.abc import Callable
from functools import partial
from random import random
from statistics import median
from types import SimpleNamespace
from typing import Any

from lox24_async import RetryPolicy
from lox24_async._guard.guard import Guard
from lox24_async._guard.stores import gates_for
from lox24_async._transport.attempts import Attempts
from lox24_async._transport.call import Call
from lox24_async._transport.queue import Slots, Waits
from lox24_async.retry import Backoff

from .bars import print_table

_CALLS = 10_000
_BACKOFF = Backoff(RetryPolicy(), random)


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


def run(repeats: int) -> float:
    """Return the price in microseconds; print it with what it is part of."""
    guard, recorder, whole = asyncio.run(_record(repeats))
    names = " + ".join(f"{call.func.__name__}" for call in recorder.calls)  # type: ignore[attr-defined]
    price = _time(lambda: _replay(recorder.calls), repeats)
    del guard
    rows = [
        (f"the guard: {names}", f"{price:.2f}"),
        ("the whole retry loop, around an attempt that does nothing", f"{whole:.2f}"),
    ]
    print_table("A call on a proven token, without the network", ("", "µs"), rows)
    return price


async def _record(repeats: int) -> tuple[Guard, _Recorder, float]:
    """Run the real retry loop; note its calls to a proven guard, and time it."""
    loop = asyncio.get_running_loop()
    origin, token = gates_for("http://guard.invalid", "1:key", loop.time())
    guard = Guard(origin, token, lease=60.0, backoff=_BACKOFF)
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
        start = time.perf_counter()
        for _ in range(_CALLS):
            await tried.run(request, Call("timed"))
        times.append((time.perf_counter() - start) / _CALLS * 1e6)
    return guard, recorder, median(times)


def _replay(calls: list[Callable[[], Any]]) -> None:
    for call in calls:
        call()


def _time(work: Callable[[], object], repeats: int) -> float:
    """Return the median microseconds of a call."""
    times = []
    gc.collect()
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(_CALLS):
            work()
        times.append((time.perf_counter() - start) / _CALLS * 1e6)
    return median(times)
