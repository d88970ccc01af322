"""What a journal costs: the same batch without one, with one, and with one that is durable."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lox24_async import CancelJournal, Lox24Client

from .bars import print_table
from .contenders import TOKEN, Contender, Run
from .processes import serving
from .results import progress, spread
from .slices import measure

_WIDTH = 100
_KINDS = {"without": None, "with a journal": False, "durable": True}


def _contender(folder: Path, durable: bool | None) -> Contender:
    numbers = count()

    @asynccontextmanager
    async def contender(url: str, width: int) -> AsyncIterator[Run]:
        async with Lox24Client(TOKEN, base_url=url, max_concurrency=width) as client:

            async def run(ids: Sequence[str]) -> list[Any]:
                path = folder / f"{durable}-{next(numbers)}.jsonl"
                journal = None if durable is None else CancelJournal(path, durable=durable)
                report = await client.cancel_bulks(ids, journal=journal)
                await asyncio.to_thread(path.unlink, missing_ok=True)
                return list(report.outcomes)

            yield run

    return contender


def run(rounds: int, requests: int) -> dict[str, float]:
    """Return the figures of the bars; print all."""
    cpu: dict[str, list[float]] = {name: [] for name in _KINDS}
    wall: dict[str, list[float]] = {name: [] for name in _KINDS}
    order = list(_KINDS)
    with TemporaryDirectory() as folder, serving() as url:
        contenders = {name: _contender(Path(folder), durable) for name, durable in _KINDS.items()}
        for number in range(rounds):
            random.shuffle(order)
            for name in order:
                found = measure(contenders[name], url, _WIDTH, requests)
                cpu[name].append(found.cpu_us)
                wall[name].append(1e6 / found.per_second)
            progress(f"journal: round {number + 1} of {rounds}")
    rows = []
    ratios: dict[str, float] = {}
    above: dict[str, float] = {}
    for name in _KINDS:
        pairs = list(zip(cpu[name], cpu["without"], strict=True))
        ratios[name] = spread([one / base for one, base in pairs])[1]
        later = zip(wall[name], wall["without"], strict=True)
        above[name] = spread([one - base for one, base in later])[1]
        cost = f"{spread(cpu[name])[1]:.1f}"
        rows.append((name, cost, f"{ratios[name]:.2f}", f"{above[name]:+.1f}"))
    head = ("cancel_bulks", "CPU, µs an id", "ratio", "time an id, µs above")
    print_table(f"A journal's price, {_WIDTH} in flight (medians)", head, rows)
    return {"journal": ratios["with a journal"], "journal durable": above["durable"]}
