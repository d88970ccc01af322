"""One slice of a measurement: a contender cancels a number of bulks, timed."""

import asyncio
import gc
import os
import resource
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any
from uuid import uuid4

from attrs import frozen

from lox24_async import Bulk, CancelOutcome

from .contenders import Contender


@frozen
class Slice:
    """What one request cost."""

    cpu_us: float
    """Microseconds of this process's time, user and system."""
    per_second: float


def new_ids(count: int) -> list[str]:
    """Return ids that nobody has seen."""
    return [str(uuid4()) for _ in range(count)]


def measure(contender: Contender, url: str, width: int, count: int) -> Slice:
    """Let a contender cancel ``count`` bulks.

    Raises:
        RuntimeError: what it gave back is not one cancelled bulk for each id.
    """

    async def run() -> Slice:
        async with contender(url, width) as cancel:
            warm_up = new_ids(max(20, 2 * width))
            _check(warm_up, await cancel(warm_up))
            ids = new_ids(count)
            # What the others left behind must cost this one nothing.
            gc.collect()
            gc.freeze()
            cpu, wall = _cpu(), time.perf_counter()
            results = await cancel(ids)
            cpu, wall = _cpu() - cpu, time.perf_counter() - wall
            gc.unfreeze()
            _check(ids, results)
            return Slice(round(cpu / count * 1e6, 2), round(count / wall, 1))

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(run())


def loop_factory() -> Any:
    """Return what makes the loops of this process: uvloop's, where ``BENCH_LOOP`` says so."""
    name = os.environ.get("BENCH_LOOP")
    return import_module(name).new_event_loop if name else None


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _check(ids: Sequence[str], results: Sequence[Any]) -> None:
    if len(ids) != len(results) or set(ids) != {_canceled_id(result) for result in results}:
        raise RuntimeError("not every bulk was cancelled once")


def _canceled_id(result: Any) -> str | None:
    """Return the id of the bulk, if it is cancelled, from whatever a contender gives back."""
    if isinstance(result, CancelOutcome):
        result = result.bulk
    if isinstance(result, Bulk):
        return str(result.uuid) if result.is_canceled else None
    if isinstance(result, dict):
        return result["uuid"] if result["status_code"] == 15 else None
    return str(result.uuid) if result.status_code == 15 else None
