"""The local gateway, asked over real HTTP by a plain aiohttp session."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import UUID

import aiohttp
from attrs import frozen
from yarl import URL

from lox24_async.testing import FakeLox24

T0 = 1_700_000_000
ID = UUID("da0fa78c-4699-11ea-a637-96000028b339")
ID2 = UUID("da0fa78c-4699-11ea-a637-96000028b33a")
DRAFT = {"sender_id": "Shop 24", "text": "Hello", "phones": ["+491701234567", "+491701234568"]}


def at(seconds: int) -> datetime:
    """Return a moment after T0."""
    return datetime.fromtimestamp(T0 + seconds, UTC)


@frozen
class Got:
    """What came back."""

    status: int
    content: Any
    headers: Any


@frozen
class Wire:
    """A session on one gateway, with the right token."""

    session: aiohttp.ClientSession
    gateway: FakeLox24

    async def ask(
        self,
        method: str,
        path: str,
        *,
        json_ld: bool = False,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Send a request; the path goes out as it is written here."""
        accept = "application/ld+json" if json_ld else "application/json"
        sent = {"X-LOX24-AUTH-TOKEN": self.gateway.token, "Accept": accept}
        data: BytesIO | None = None
        if body is not None:
            data = BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        url = URL(self.gateway.url + path, encoded=True)
        async with self.session.request(method, url, data=data, headers=sent) as response:
            raw = await response.read()
            return Got(response.status, json.loads(raw) if raw else None, response.headers)

    async def ids(self, path: str) -> list[UUID]:
        """Return the ids of a list in plain JSON."""
        got = await self.ask("GET", path)
        assert (200, list) == (got.status, type(got.content)), got.content
        return [UUID(member["uuid"]) for member in got.content]
