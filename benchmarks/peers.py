"""The peers: other libraries that a user might take. Each is imported when it is opened."""

# ruff: noqa: PLC0415

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from .contenders import HEADERS, Run, gathered, session


@asynccontextmanager
async def aiohttp_retry(url: str, width: int) -> AsyncIterator[Run]:
    """Use aiohttp through aiohttp-retry."""
    from aiohttp_retry import ExponentialRetry, RetryClient

    async with session() as http:
        client = RetryClient(client_session=http, retry_options=ExponentialRetry(attempts=3))

        async def cancel(bulk_id: str) -> Any:
            async with client.put(f"{url}/bulks/{bulk_id}/cancel") as response:
                return await response.json()

        yield gathered(cancel, width)


@asynccontextmanager
async def tenacity(url: str, width: int) -> AsyncIterator[Run]:
    """Use aiohttp under tenacity's decorator."""
    import tenacity as lib

    async with session() as http:

        @lib.retry(
            retry=lib.retry_if_exception_type(aiohttp.ClientError),
            stop=lib.stop_after_attempt(3),
            wait=lib.wait_random_exponential(0.5, 8),
        )
        async def cancel(bulk_id: str) -> Any:
            async with http.put(f"{url}/bulks/{bulk_id}/cancel") as response:
                return await response.json()

        yield gathered(cancel, width)


@asynccontextmanager
async def stamina(url: str, width: int) -> AsyncIterator[Run]:
    """Use aiohttp under stamina's decorator."""
    import stamina as lib

    async with session() as http:

        @lib.retry(on=aiohttp.ClientError, attempts=3)
        async def cancel(bulk_id: str) -> Any:
            async with http.put(f"{url}/bulks/{bulk_id}/cancel") as response:
                return await response.json()

        yield gathered(cancel, width)


@asynccontextmanager
async def stamina_cattrs(url: str, width: int) -> AsyncIterator[Run]:
    """Use aiohttp under stamina's decorator, and a model: what we do, from ready-made parts."""
    import stamina as lib

    from .summary import make_summary

    async with session() as http:

        @lib.retry(on=aiohttp.ClientError, attempts=3)
        async def cancel(bulk_id: str) -> Any:
            async with http.put(f"{url}/bulks/{bulk_id}/cancel") as response:
                return make_summary(json.loads(await response.read()))

        yield gathered(cancel, width)


@asynccontextmanager
async def httpx(url: str, width: int) -> AsyncIterator[Run]:
    """Use httpx, HTTP/1.1."""
    import httpx as lib

    async with lib.AsyncClient(
        headers=HEADERS,
        limits=lib.Limits(max_connections=width, max_keepalive_connections=width),
        trust_env=False,
    ) as http:

        async def cancel(bulk_id: str) -> Any:
            return (await http.put(f"{url}/bulks/{bulk_id}/cancel")).json()

        yield gathered(cancel, width)


@asynccontextmanager
async def niquests(url: str, width: int) -> AsyncIterator[Run]:
    """Use niquests, HTTP/1.1."""
    import niquests as lib

    async with lib.AsyncSession(
        disable_http2=True, disable_http3=True, pool_maxsize=width, headers=HEADERS
    ) as http:
        http.trust_env = False

        async def cancel(bulk_id: str) -> Any:
            return (await http.put(f"{url}/bulks/{bulk_id}/cancel")).json()

        yield gathered(cancel, width)
