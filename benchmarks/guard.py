"""The guard's price: on a proven token, and for a claim and its settling.

For the guard of a process, of a host, and of all hosts behind one address.
"""

import asyncio
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

from lox24_async._guard.gates import OriginGate, Ticket
from lox24_async._guard.guard import Guard
from lox24_async._guard.host import HostStore
from lox24_async._guard.stores import MemoryStore

from . import hosts
from .bars import print_table
from .prices import (
    ORIGIN,
    PROCESSES,
    crowd,
    get_ready,
    guard_of,
    open_path,
    pause,
    processor_time,
    tell,
)

_CLAIMS: Final = 1_000
_CHANGES: Final = 200  # of each of a crowd
_PACE: Final = 0.01  # seconds between two of them, at most


def run(repeats: int) -> dict[str, float]:
    """Return the prices in microseconds by the names of their bars; print them in a table."""
    figures, rows = dict[str, float](), list[tuple[str, ...]]()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "guard"
        for kind in ("process", "host"):
            store = MemoryStore() if kind == "process" else HostStore(directory, ORIGIN)
            price, whole = asyncio.run(_open_path(store, repeats))
            work = partial(_claim_and_settle, guard_of(OriginGate(store), "2:unproven"), Ticket())
            claims = processor_time(work, _CLAIMS, repeats)
            figures[f"guard {kind}"] = price
            rows.append((kind, f"{price:.2f}", f"{whole:.2f}", f"{claims:.1f}", "", ""))
        figures["guard claim"] = claims
        figures["guard crowd"] = p99 = crowd("benchmarks.guard", [(directory,)] * PROCESSES)
        rows[-1] = (*rows[-1][:-2], f"{p99:.0f}", "")
        shared = hosts.measure(Path(folder), repeats)
    if shared is None:
        rows.append(("Redis: left out, no server or no redis-py here", "", "", "", "", ""))
    else:
        figures["guard redis"] = shared.open_path
        figures["guard trips when open"] = shared.trips_when_open
        figures["guard trips"] = shared.trips_of_claim
        times = (f"{shared.open_path:.2f}", f"{shared.whole:.2f}", f"{shared.claim:.1f}")
        trips = f"{shared.trips_when_open} and {shared.trips_of_claim:.2f}"
        rows.append(("Redis", *times, f"{shared.crowd:.0f}", trips))
    head = (
        "guard",
        "open path",
        "with retry loop",
        "claim and settle",
        f"{PROCESSES} at once, p99",
        "round trips",
    )
    print_table("The guard, without the network, in µs a call", head, rows)
    return figures


async def _open_path(store: MemoryStore | HostStore, repeats: int) -> tuple[float, float]:
    return await open_path(guard_of(OriginGate(store), "1:key"), repeats)


def _claim_and_settle(guard: Guard, ticket: Ticket) -> None:
    """Take a place for a request with a token that is not proven, and give it back."""
    now = time.monotonic()
    if guard.enter(ticket, now) is not None:
        raise RuntimeError("a measurement failed")
    guard.leave(ticket, now, sent=False)


def _one_of_a_crowd(directory: Path) -> None:
    """Change the record again and again, each time after a pause; print how long it took."""
    store, times = HostStore(directory, ORIGIN), list[float]()
    get_ready()
    for _ in range(_CHANGES):
        time.sleep(pause(_PACE))
        start = time.perf_counter()
        store.update(time.monotonic(), lambda record: record.epoch)
        times.append((time.perf_counter() - start) * 1e6)
    tell(times)


if __name__ == "__main__":
    _one_of_a_crowd(Path(sys.argv[1]))
