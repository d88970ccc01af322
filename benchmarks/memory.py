"""Memory: a stream over very many ids, a report of them, a gather; each in a fresh process."""

import asyncio
import gc
import json
import resource
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from lox24_async import Lox24Client

from .bars import print_table
from .contenders import TOKEN
from .processes import lines, serving
from .results import progress

_UNPROVEN = "7654321:" + "0af1" * 8
_MIB = 1 << 20


class Resident:
    """The memory that the system gave to this process."""

    @staticmethod
    def start() -> None:
        """Forget the peak so far, where the system can."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")

    @staticmethod
    def now() -> int:
        """Return the bytes held now."""
        with suppress(OSError):
            return _status("VmRSS")
        return Resident.peak()

    @staticmethod
    def peak() -> int:
        """Return the most bytes held since the start."""
        with suppress(OSError):
            return _status("VmHWM")
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Traced:
    """The memory that Python objects take."""

    @staticmethod
    def start() -> None:
        """Begin to trace."""
        tracemalloc.start()

    @staticmethod
    def now() -> int:
        """Return the bytes held now."""
        return tracemalloc.get_traced_memory()[0]

    @staticmethod
    def peak() -> int:
        """Return the most bytes held since the start."""
        return tracemalloc.get_traced_memory()[1]


Meter = type[Resident] | type[Traced]
_METERS: dict[str, Meter] = {"resident": Resident, "traced": Traced}


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(name)


def _ids(count: int) -> Iterator[str]:
    return (str(uuid4()) for _ in range(count))


# --- what is measured, in the fresh process


async def _stream(url: str, count: int, meter: Meter) -> dict[str, float]:
    """Cancel a generator's ids by ``iter_cancel``."""
    async with Lox24Client(TOKEN, base_url=url) as client:
        async for _ in client.iter_cancel(_ids(1_000)):
            pass
        gc.collect()
        meter.start()
        before, done = meter.now(), 0
        async for _ in client.iter_cancel(_ids(count)):
            done += 1
        return {"MiB above the start": (meter.peak() - before) / _MIB, "outcomes": done}


async def _gather(url: str, count: int, meter: Meter) -> dict[str, float]:
    """Gather ``cancel_bulk``; weigh those who wait for the proof, and those for a slot."""
    figures = {}
    async with (
        Lox24Client(TOKEN, base_url=url) as proven,
        Lox24Client(_UNPROVEN, base_url=url) as unproven,
    ):
        await asyncio.gather(*map(proven.cancel_bulk, _ids(1_000)))
        for name, client in (("slot", proven), ("proof", unproven)):
            ids = list(_ids(count))
            await asyncio.sleep(0)  # the loop lets go of what is done
            gc.collect()
            meter.start()
            before = meter.now()
            run = asyncio.gather(*map(client.cancel_bulk, ids))
            await asyncio.sleep(0)  # every call has gone as far as it can
            figures[f"bytes per id that waits for a {name}"] = (meter.now() - before) / count
            await run
            del run
    return figures


async def _report(url: str, count: int, meter: Meter) -> dict[str, float]:
    """Cancel a list of ids by ``cancel_bulks`` and keep its report."""
    async with Lox24Client(TOKEN, base_url=url) as client:
        await client.cancel_bulks(list(_ids(1_000)))
        ids = list(_ids(count))
        gc.collect()
        meter.start()
        before = meter.now()
        report = await client.cancel_bulks(ids)
        gc.collect()
        return {
            "bytes per id at the end": (meter.now() - before) / count,
            "bytes per id at the peak": (meter.peak() - before) / count,
            "outcomes": len(report),
        }


_WORK: dict[str, Callable[..., object]] = {
    "stream": _stream,
    "report": _report,
    "gather": _gather,
}


def run(stream_ids: int, gather_ids: int) -> dict[str, float]:
    """Return the figures of the bars; print all."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    counts = {"stream": stream_ids, "report": stream_ids, "gather": gather_ids}
    with serving() as url:
        for work, count in counts.items():
            for meter in _METERS:
                progress(f"memory: {work} of {count:,} ids, {meter}")
                (line,) = lines("-m", "benchmarks.memory", url, work, count, meter)
                found[work, meter] = json.loads(line)
    rows = [
        (f"{work} of {counts[work]:,} ids, {meter}: {what}", f"{figure:,.1f}")
        for (work, meter), figures in found.items()
        for what, figure in figures.items()
    ]
    print_table("Memory", ("", ""), rows)
    return {
        "memory stream": max(found["stream", m]["MiB above the start"] for m in _METERS),
        "memory report": found["report", "traced"]["bytes per id at the peak"],
        "memory gather": max(found["gather", "traced"].values()),
    }


if __name__ == "__main__":
    _url, _work, _count, _meter = sys.argv[1:]
    print(json.dumps(asyncio.run(_WORK[_work](_url, int(_count), _METERS[_meter]))))  # type: ignore[arg-type]
