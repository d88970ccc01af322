"""Cycles: how many objects per call are left for the cycle collector."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lox24_async import Lox24Client

from . import contenders
from .bars import print_table
from .contenders import Contender, Run
from .processes import serving
from .server import UNKNOWN
from .slices import new_ids

_FIELD: dict[str, Contender] = {
    "aiohttp by hand": contenders.by_hand,
    "cancel_bulks": contenders.cancel_bulks,
    "iter_cancel": contenders.iter_cancel,
    "gather of cancel_bulk": contenders.gather,
}
_WIDTH = 10


@asynccontextmanager
async def _failing(url: str, width: int) -> AsyncIterator[Run]:
    """Ours, on bulks that the server does not know: an error for each."""
    async with Lox24Client(contenders.TOKEN, base_url=url, max_concurrency=width) as client:

        async def run(ids: Sequence[str]) -> list[Any]:
            unknown = [UNKNOWN + bulk_id[len(UNKNOWN) :] for bulk_id in ids]
            calls = map(client.cancel_bulk, unknown)
            return await asyncio.gather(*calls, return_exceptions=True)

        yield run


_FIELD["cancel_bulk that raises"] = _failing


def run(requests: int) -> dict[str, float]:
    """Return for each way of calling what a call leaves behind, and print it."""
    with serving() as url:
        found = {name: _per_call(made, url, requests) for name, made in _FIELD.items()}
    rows = [
        (name, f"{count:.3f}", ", ".join(f"{kind} {n}" for kind, n in kinds.most_common(5)))
        for name, (count, kinds) in found.items()
    ]
    print_table("Objects per call that only the cycle collector frees", ("", "", "most"), rows)
    return {name: count for name, (count, _) in found.items()}


def _per_call(contender: Contender, url: str, count: int) -> tuple[float, Counter[str]]:
    async def run() -> tuple[float, Counter[str]]:
        async with contender(url, _WIDTH) as cancel:
            await _left_by(cancel, 10 * _WIDTH)
            # What a run leaves behind once, however long it is, does not count.
            short = await _left_by(cancel, count)
            long = await _left_by(cancel, 3 * count)
            return (long.total() - short.total()) / (2 * count), long - short

    gc.disable()
    try:
        return asyncio.run(run())
    finally:
        gc.enable()


async def _left_by(cancel: Run, calls: int) -> Counter[str]:
    ids = new_ids(calls)
    gc.collect()
    await cancel(ids)
    gc.set_debug(gc.DEBUG_SAVEALL)  # what only the collector can free is kept for us to see
    gc.collect()
    gc.set_debug(0)
    kinds = Counter(type(one).__qualname__ for one in gc.garbage)
    gc.garbage.clear()
    return kinds
