"""The steadier method: no kernel and no socket between the client and its answers.

All of aiohttp is at work but the sockets: a transport answers every request at once. Slices of
the contenders take turns in one process. Good for finding what a change costs; not a measure of
what users see, for the work of the kernel is missing on both sides.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import aiohttp

from . import contenders
from .bars import print_table
from .contenders import Contender
from .results import progress, spread
from .server import id_in, reply_parts
from .slices import measure

URL = "http://127.0.0.1:9"  # nobody is there, and nobody asks
FIELD: dict[str, Contender] = {
    "aiohttp by hand": contenders.by_hand,
    "cancel_bulks": contenders.cancel_bulks,
    "iter_cancel": contenders.iter_cancel,
    "gather of cancel_bulk": contenders.gather,
    "cancel_bulks, borrowed session": contenders.cancel_bulks_session,
}


class _Wire(asyncio.Transport):
    """Brings the answer in the next round of the loop."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._closed = False
        self._before, self._after = reply_parts()
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        """Take a request: aiohttp writes it in one piece."""
        answer = self._before + id_in(data) + self._after
        self._loop.call_soon(self._protocol.data_received, answer)

    def is_closing(self) -> bool:
        """Say whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Hang up."""
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close


@contextmanager
def no_sockets() -> Iterator[None]:
    """Let aiohttp connect to nothing."""

    async def connect(self: Any, *_: object) -> asyncio.Protocol:
        protocol = cast("asyncio.Protocol", self._factory())
        _Wire(protocol)
        return protocol

    connector: Any = aiohttp.TCPConnector
    real = connector._create_connection
    connector._create_connection = connect
    try:
        yield
    finally:
        connector._create_connection = real


def run(rounds: int, requests: int, width: int = 100) -> dict[str, list[float]]:
    """Return the microseconds of all slices; print what they come to."""
    found: dict[str, list[float]] = {name: [] for name in FIELD}
    order = list(FIELD)
    with no_sockets():
        for number in range(rounds):
            random.shuffle(order)
            for name in order:
                found[name].append(measure(FIELD[name], URL, width, requests).cpu_us)
            progress(f"round {number + 1} of {rounds}, without sockets")
    base = found["aiohttp by hand"]
    rows = []
    for name, costs in found.items():
        low, middle, high = spread([a - b for a, b in zip(costs, base, strict=True)])
        ratio = spread([a / b for a, b in zip(costs, base, strict=True)])[1]
        around = f"[{low:+.1f} to {high:+.1f}]"
        rows.append((name, f"{spread(costs)[1]:.1f}", f"{middle:+.1f}", around, f"{ratio:.2f}"))
    head = ("client", "CPU, µs", "above", "", "ratio")
    print_table("CPU per request without sockets (medians; middle half)", head, rows)
    return found
