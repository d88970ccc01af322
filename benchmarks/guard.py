"""The guard's price: what a call on a proven token pays for being guarded."""

import asyncio
import gc
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from lox24_async._call import Call
from lox24_async._facts import Ticket, facts_for
from lox24_async._guard import Guard
from lox24_async._retry import Retrier, RetryPolicy
from lox24_async._waiting import Slots, WaitingRoom

from .bars import print_table

_CALLS = 10_000
_PACING = RetryPolicy().pacing()


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
        (f"the guard: Ticket + {names}", f"{price:.2f}"),
        ("the whole retry loop, around an attempt that does nothing", f"{whole:.2f}"),
    ]
    print_table("A call on a proven token, without the network", ("", "µs"), rows)
    return price


async def _record(repeats: int) -> tuple[Guard, _Recorder, float]:
    """Run the real retry loop; note its calls to a proven guard, and time it."""
    loop = asyncio.get_running_loop()
    origin, token = facts_for("http://guard.invalid", "1:key", loop.time())
    guard = Guard(origin, token, lease=60.0, pacing=_PACING)
    room = WaitingRoom()

    async def attempt(_: object, __: float) -> None:
        pass

    def retrier(guard: Any) -> Retrier:
        return Retrier(
            RetryPolicy(),
            guard,
            Slots(10, room),
            room,
            pacing=_PACING,
            attempt_timeout=60.0,
            clock=loop.time,
        )

    await retrier(guard).run(attempt, None, Call("the proof"))
    recorder = _Recorder(guard)
    await retrier(recorder).run(attempt, None, Call("as any other"))
    tried, times = retrier(guard), []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(_CALLS):
            await tried.run(attempt, None, Call("timed"))
        times.append((time.perf_counter() - start) / _CALLS * 1e6)
    return guard, recorder, median(times)


def _replay(calls: list[Callable[[], Any]]) -> None:
    Ticket()
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
