"""Behind a limiter: how many of the bulks get cancelled, and in how long.

The limits are those of ``lox24_async.testing``, in this process: what is measured is waiting.
What was cancelled, and in how many attempts, is told by the gateway and not by the client.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from statistics import median
from typing import Any

import aiohttp
from attrs import define, frozen

from lox24_async import Lox24Client
from lox24_async.testing import ConnectionLimit, FakeLox24, Intermediary, RateLimit

from .bars import print_table
from .contenders import gathered
from .results import progress

_RATE, _BURST = 50, 5
_CONNECTIONS, _LATENCY = 3, 0.05  # seconds to an answer
_TRIES, _WIDTH = 3, 10  # of the hand-written client

_LIMITS: dict[str, Callable[[], Intermediary]] = {
    "429": lambda: RateLimit(_RATE, burst=_BURST, status=429),
    "429, Retry-After: 1": lambda: RateLimit(_RATE, burst=_BURST, status=429, retry_after=1),
    "503": lambda: RateLimit(_RATE, burst=_BURST),
    "503, Retry-After: 1": lambda: RateLimit(_RATE, burst=_BURST, retry_after=1),
    "3 connections, 503": lambda: ConnectionLimit(_CONNECTIONS),
}

_Cancel = Callable[[FakeLox24, Sequence[str]], Awaitable[object]]


async def _ours(gateway: FakeLox24, ids: Sequence[str], **options: Any) -> object:
    async with Lox24Client(gateway.token, base_url=gateway.url, **options) as client:
        return await client.cancel_bulks(ids)


async def _ours_three(gateway: FakeLox24, ids: Sequence[str]) -> object:
    return await _ours(gateway, ids, max_concurrency=3)


async def _by_hand(gateway: FakeLox24, ids: Sequence[str]) -> object:
    """As one writes it: a semaphore, three tries, ``Retry-After`` or backoff with jitter."""
    async with aiohttp.ClientSession(headers={"X-LOX24-AUTH-TOKEN": gateway.token}) as http:

        async def cancel(bulk_id: str) -> Any:
            for number in range(_TRIES):
                async with http.put(f"{gateway.url}/bulks/{bulk_id}/cancel") as response:
                    if response.status < 400:
                        return await response.json()
                    said = response.headers.get("Retry-After")
                pause = float(said) if said else random.random() * 0.5 * 2**number
                if number < _TRIES - 1:
                    await asyncio.sleep(pause)
            return None

        return await gathered(cancel, _WIDTH)(ids)


_FIELD: dict[str, _Cancel] = {
    "lox24_async": _ours,
    "lox24_async, max_concurrency=3": _ours_three,
    "aiohttp by hand, three tries": _by_hand,
}


@frozen
class _Made:
    """What one client made of one limit."""

    canceled: int
    seconds: float
    attempts: dict[int, int]
    """How many ids took so many requests."""


@define
class _Rounds:
    """What a client made of a limit in all rounds."""

    limit: str
    name: str
    ideal: float
    made: list[_Made]

    @property
    def canceled(self) -> int:
        """In the worst round."""
        return min(made.canceled for made in self.made)

    @property
    def seconds(self) -> float:
        """In the median of the rounds."""
        return median(made.seconds for made in self.made)

    def row(self, count: int) -> tuple[str, ...]:
        return (
            self.limit,
            self.name,
            f"{self.canceled} of {count}",
            f"{self.seconds:.1f}",
            f"{self.ideal:.1f}",
            f"{self.seconds / self.ideal:.1f}",
            str(self.made[-1].attempts),
        )

    def figure(self) -> dict[str, Any]:
        return {
            "limit": self.limit,
            "name": self.name,
            "ideal": round(self.ideal, 2),
            "canceled": [made.canceled for made in self.made],
            "seconds": [round(made.seconds, 2) for made in self.made],
            "attempts": [made.attempts for made in self.made],
        }


def run(rounds: int, count: int) -> tuple[dict[str, float], list[Any]]:
    """Return the figures of the bars, and all; print a table.

    Args:
        rounds: How often each client cancels behind each limit.
        count: How many bulks each time.
    """
    found: dict[tuple[str, str], list[_Made]] = defaultdict(list)
    for number in range(rounds):
        for limit, make in _LIMITS.items():
            for name, cancel in _FIELD.items():
                progress(f"limits: round {number + 1} of {rounds}: {limit}, {name}")
                found[limit, name].append(asyncio.run(_measure(make(), cancel, count)))
    entries = [
        _Rounds(limit, name, _ideal(_LIMITS[limit](), count), made)
        for (limit, name), made in found.items()
    ]
    print_table(
        f"{count} bulks behind a limit ({_RATE} a second, burst {_BURST}; the worst round's"
        f" cancelled, the median's seconds, the last round's attempts; {rounds} rounds)",
        ("limit", "client", "cancelled", "s", "ideal", "x ideal", "{attempts: ids}"),
        (entry.row(count) for entry in entries),
    )
    ours = [entry for entry in entries if entry.name == "lox24_async"]
    figures = {
        "limits lost": float(max(count - entry.canceled for entry in ours)),
        "limits time": max(entry.seconds / entry.ideal for entry in ours),
    }
    return figures, [entry.figure() for entry in entries]


def _ideal(limit: Intermediary, count: int) -> float:
    """Return the seconds in which the limit lets so many requests through."""
    if isinstance(limit, RateLimit):
        return count / limit.per_second
    return count / _CONNECTIONS * _LATENCY


async def _measure(limit: Intermediary, cancel: _Cancel, count: int) -> _Made:
    async with FakeLox24(latency=_LATENCY, intermediaries=[limit]) as gateway:
        ids = [str(gateway.add_bulk().uuid) for _ in range(count)]
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with suppress(aiohttp.ClientError):  # what the hand-written client may end with
            await cancel(gateway, ids)
        seconds = loop.time() - begun
        each = Counter(r.path.split("/")[2] for r in gateway.requests if r.method == "PUT")
        canceled = sum(bulk.is_canceled for bulk in gateway.bulks.values())
        return _Made(canceled, seconds, dict(sorted(Counter(each.values()).items())))
