"""Layer by layer: each contender is the one before it and one floor more, without sockets."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from lox24_async import Bulk
from lox24_async._config import Secret
from lox24_async._transport.connector import Progress
from lox24_async._transport.direct_lane import DirectLane
from lox24_async._transport.headers import OwnHeaders
from lox24_async._transport.pool import new_session
from lox24_async._transport.session import SessionManager
from lox24_async._wire.replies import read_reply
from lox24_async._wire.requests import cancel_request

from . import contenders
from .bars import print_table
from .contenders import TOKEN, Contender, Run
from .fake import URL, no_sockets
from .results import progress, spread
from .slices import measure


def _worked(cancel: Callable[[str], Awaitable[Any]], width: int) -> Run:
    """Make a run of a function for one id: few workers, as in ``cancel_bulks``."""

    async def run(ids: Sequence[str]) -> list[Any]:
        rest, results = iter(ids), []

        async def work() -> None:
            for bulk_id in rest:
                results.append(await cancel(bulk_id))
                await asyncio.sleep(0)  # all answers of a round, then all new requests

        await asyncio.gather(*(work() for _ in range(width)))
        return results

    return run


def _lane(make: Callable[[Any, Any], Any]) -> Contender:
    """The direct lane alone, and what is made of its replies."""

    @asynccontextmanager
    async def contender(url: str, width: int) -> AsyncIterator[Run]:
        headers = OwnHeaders(Secret(TOKEN), "lox24-async")
        async with new_session() as session:
            lane = DirectLane(session.connector, url, headers, ssl=True)

            async def cancel(bulk_id: str) -> Any:
                request = cancel_request(bulk_id, Bulk)
                return make(request, await lane.send(request, Progress()))

            yield _worked(cancel, width)
            lane.idle.retire()

    return contender


@asynccontextmanager
async def _manager(url: str, width: int) -> AsyncIterator[Run]:
    """The session manager: time limit, typed failures, the choice of the lane, the model."""
    manager = SessionManager(url, Secret(TOKEN), attempt_timeout=10.0)

    async def cancel(bulk_id: str) -> Any:
        return await manager.exchange(cancel_request(bulk_id, Bulk), 10.0)

    yield _worked(cancel, width)
    await manager.close()


_FIELD: dict[str, Contender] = {
    "aiohttp by hand, a task for each id": contenders.by_hand,
    "the direct lane, a dictionary": _lane(lambda _, reply: json.loads(reply.body)),
    "and its reply as a Bulk": _lane(lambda request, reply: read_reply(request, reply, URL, str)),
    "and time limit, typed failures, pool": _manager,
    "and queue, guard, retries, report: cancel_bulks": contenders.cancel_bulks,
}


def run(rounds: int, requests: int, width: int = 100) -> dict[str, list[float]]:
    """Return the microseconds of all slices; print what they come to."""
    found: dict[str, list[float]] = {name: [] for name in _FIELD}
    order = list(_FIELD)
    with no_sockets():
        for number in range(rounds):
            random.shuffle(order)
            for name in order:
                found[name].append(measure(_FIELD[name], URL, width, requests).cpu_us)
            progress(f"round {number + 1} of {rounds}, layer by layer")
    base = found["aiohttp by hand, a task for each id"]
    rows = []
    for name, costs in found.items():
        ratio = spread([a / b for a, b in zip(costs, base, strict=True)])[1]
        rows.append((name, f"{spread(costs)[0]:.1f}", f"{ratio:.2f}"))
    head = ("what", "CPU, µs (lower quartile)", "x by hand")
    print_table("Layer by layer, without sockets", head, rows)
    return found
