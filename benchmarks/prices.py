"""How the price of a guard is measured, whoever shares it: its open path, and a crowd."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from random import random
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any, Final

from lox24_async import RetryPolicy
from lox24_async._guard.gates import OriginGate, TokenGate
from lox24_async._guard.guard import Guard
from lox24_async._transport.attempts import Attempts
from lox24_async._transport.call import Call
from lox24_async._transport.queue import Slots, Waits
from lox24_async.retry import Backoff

from .processes import helper

ORIGIN: Final = "http://guard.invalid"
CALLS: Final = 10_000
PROCESSES: Final = 16
_BACKOFF: Final = Backoff(RetryPolicy(), random)


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


def guard_of(origin: OriginGate, key: str) -> Guard:
    """Return the guard of a client with a token."""
    name = origin.store.digest(key)
    token = origin.tokens.setdefault(name, TokenGate(name))
    return Guard(origin, token, lease=60.0, backoff=_BACKOFF)


async def open_path(guard: Guard, repeats: int) -> tuple[float, float]:
    """Prove the guard's token; then let the real retry loop send without a network.

    Returns:
        Microseconds of processor time that a call spends in the guard, and in all.
    """
    loop = asyncio.get_running_loop()
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
        for _ in range(CALLS):
            await tried.run(request, Call("timed"))
        times.append((time.process_time() - start) / CALLS * 1e6)
    return processor_time(partial(_replay, recorder.calls), CALLS, repeats), median(times)


def _replay(calls: list[Callable[[], Any]]) -> None:
    for call in calls:
        call()


def processor_time(work: Callable[[], object], calls: int, repeats: int) -> float:
    """Return the microseconds of processor time of a call, of the quickest of some rounds.

    What makes another round slower is the machine's, not ours.
    """
    times = []
    gc.collect()
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(calls):
            work()
        times.append((time.process_time() - start) / calls * 1e6)
    return min(times)


# --- a crowd


def crowd(module: str, arguments: Iterable[tuple[object, ...]]) -> float:
    """Run a module in many processes at once, each with arguments of its own.

    Each says ``ready``, is told to go, and prints how long its changes took.

    Returns:
        The 99th percentile.
    """
    found: list[float] = []
    with ExitStack() as stack:
        streams = list[tuple[Any, Any]]()
        for one in arguments:
            process = stack.enter_context(helper("-m", module, *one))
            streams.append((process.stdin, process.stdout))
        for _, output in streams:
            if output.readline() != "ready\n":
                raise RuntimeError("a measurement failed")
        for start, _ in streams:
            start.write("go\n")
            start.flush()
        for _, output in streams:
            found += map(float, output.readline().split())
    return quantiles(found, n=100)[-1]


def get_ready() -> None:
    """Wait, as one of a crowd, until all are there."""
    print("ready", flush=True)
    sys.stdin.readline()


def pause(most: float) -> float:
    """Return seconds to wait before the next change."""
    return random() * most


def tell(times: Iterable[float]) -> None:
    """Say, as one of a crowd, how many microseconds the changes took."""
    print(*(f"{one:.1f}" for one in times))
