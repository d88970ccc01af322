"""The contenders: what cancels many bulks, each in its own way.

A contender opens with a base URL and a number of requests in flight, and gives a function that
cancels all ids and returns what came of each. All send the token, keep connections alive, and
decode the answer; what else they do is their idea.
"""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain
from typing import Any

import aiohttp

from lox24_async import Lox24Client

from .protocol import Line

TOKEN = "1234567:" + "e3f3" * 8
HEADERS = {"X-LOX24-AUTH-TOKEN": TOKEN}

Run = Callable[[Sequence[str]], Awaitable[list[Any]]]
Contender = Callable[[str, int], AbstractAsyncContextManager[Run]]


def gathered(cancel: Callable[[str], Awaitable[Any]], width: int) -> Run:
    """Make a run of a function for one id: a task for each, ``width`` of them at work.

    A semaphore before the pool: every library takes longer the more requests wait in its pool.
    """
    queue = asyncio.Semaphore(width)

    async def one(bulk_id: str) -> Any:
        async with queue:
            return await cancel(bulk_id)

    async def run(ids: Sequence[str]) -> list[Any]:
        return await asyncio.gather(*map(one, ids))

    return run


def trusted() -> ssl.SSLContext | None:
    """Return the context that trusts the answering server, if it speaks TLS."""
    authority = os.environ.get("BENCH_CA")
    return ssl.create_default_context(cafile=authority) if authority else None


def session() -> aiohttp.ClientSession:
    """Return a session as one writes it by hand, with room for all requests in flight."""
    pool = aiohttp.TCPConnector(limit=0, ssl=trusted() or True)
    return aiohttp.ClientSession(headers=HEADERS, connector=pool)


@asynccontextmanager
async def by_hand(url: str, width: int) -> AsyncIterator[Run]:
    """Hand-written aiohttp, the baseline: no retry, no model, no guard."""
    async with session() as http:

        async def cancel(bulk_id: str) -> Any:
            async with http.put(f"{url}/bulks/{bulk_id}/cancel") as response:
                return await response.json()

        yield gathered(cancel, width)


@asynccontextmanager
async def by_hand_pooled(url: str, width: int) -> AsyncIterator[Run]:
    """Hand-written aiohttp without a queue of its own: its pool bounds the requests in flight."""
    pool = aiohttp.TCPConnector(limit=width)
    async with aiohttp.ClientSession(headers=HEADERS, connector=pool) as http:

        async def cancel(bulk_id: str) -> Any:
            async with http.put(f"{url}/bulks/{bulk_id}/cancel") as response:
                return await response.json()

        async def run(ids: Sequence[str]) -> list[Any]:
            return await asyncio.gather(*map(cancel, ids))

        yield run


@asynccontextmanager
async def the_limit(url: str, width: int) -> AsyncIterator[Run]:
    """A hand-written protocol and ``json``: what asyncio itself allows."""
    lines = [await Line.open(url, HEADERS) for _ in range(width)]

    async def run(ids: Sequence[str]) -> list[Any]:
        rest = iter(ids)  # each line takes the next

        async def work(line: Line) -> list[Any]:
            return [json.loads(await line.put(f"/bulks/{bulk_id}/cancel")) for bulk_id in rest]

        return [*chain.from_iterable(await asyncio.gather(*map(work, lines)))]

    try:
        yield run
    finally:
        for line in lines:
            line.close()


def _ours(url: str, width: int) -> Lox24Client:
    return Lox24Client(TOKEN, base_url=url, max_concurrency=width, ssl=trusted())


@asynccontextmanager
async def cancel_bulks(url: str, width: int) -> AsyncIterator[Run]:
    """Ours: the batch that ends in a report."""
    async with _ours(url, width) as client:

        async def run(ids: Sequence[str]) -> list[Any]:
            return list((await client.cancel_bulks(ids)).outcomes)

        yield run


@asynccontextmanager
async def iter_cancel(url: str, width: int) -> AsyncIterator[Run]:
    """Ours: the stream."""
    async with _ours(url, width) as client:

        async def run(ids: Sequence[str]) -> list[Any]:
            return [outcome async for outcome in client.iter_cancel(ids)]

        yield run


@asynccontextmanager
async def gather(url: str, width: int) -> AsyncIterator[Run]:
    """Ours: a task for each id."""
    async with _ours(url, width) as client:

        async def run(ids: Sequence[str]) -> list[Any]:
            return await asyncio.gather(*map(client.cancel_bulk, ids))

        yield run


@asynccontextmanager
async def cancel_bulks_session(url: str, width: int) -> AsyncIterator[Run]:
    """Ours, over a session of the caller's: the session lane."""
    pool = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=pool) as http,
        Lox24Client(TOKEN, base_url=url, max_concurrency=width, session=http) as client,
    ):

        async def run(ids: Sequence[str]) -> list[Any]:
            return list((await client.cancel_bulks(ids)).outcomes)

        yield run
