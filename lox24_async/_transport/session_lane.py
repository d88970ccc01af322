"""The session lane: a request by way of ``ClientSession.request``.

It is for every call in which somebody else must see or change the request: the owner of a
borrowed session, a proxy, tracing, a mock.
"""

from io import BytesIO
from ssl import SSLContext
from typing import Any, Final

import aiohttp
from aiohttp import ClientSession
from yarl import URL

from lox24_async._wire.replies import Reply
from lox24_async._wire.requests import Request

from .body import read_body, take_body
from .connector import TIMEOUT, current_progress
from .failures import NOT_LEFT_ERRORS, LostError, lost
from .headers import OwnHeaders


async def _no_resend(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except NOT_LEFT_ERRORS:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise LostError(lost(error)) from None


# For each request, since a borrowed session cannot be asked in advance. A PUT without a body
# would get an invented Content-Type.
_OPTIONS: Final[Any] = {"skip_auto_headers": ("Content-Type",), "middlewares": (_no_resend,)}


class SessionLane:
    """Sends requests over a session.

    Args:
        base_url: In normal form.
        headers: Of each request.
        proxy: URL of an HTTP proxy.
        ssl: How to check the server's certificate; ``True``: as usual.
    """

    def __init__(
        self, base_url: str, headers: OwnHeaders, *, proxy: str | None, ssl: SSLContext | bool
    ) -> None:
        self._base_url = base_url
        self._base = URL(base_url, encoded=True)
        self._prefix = self._base.raw_path.rstrip("/")
        self._headers = headers
        self._proxy = proxy
        self._ssl = ssl
        self.more_headers: dict[str, str] = {}
        """What is added to each request."""

    async def send(self, session: ClientSession, request: Request[Any]) -> Reply:
        """Send a request and read its answer.

        Raises:
            aiohttp.ClientError: no complete answer.
            OSError: the same.
        """
        response = await session.request(
            request.method,
            self._url(request.path),
            headers=self._headers.of(request) | self.more_headers,
            data=None if request.body is None else BytesIO(request.body),
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            timeout=TIMEOUT,
            proxy=self._proxy,
            ssl=self._ssl,
            **_OPTIONS,
        )
        try:
            status, headers, content = response.status, response.headers, response.content
            if content.is_eof():
                return take_body(request, status, headers, content.read_nowait())
            current_progress.get().status = status
            return await read_body(request, status, headers, content)
        finally:
            response.release()  # closes the connection if something is left in it

    def _url(self, path: str) -> URL:
        if "?" in path:
            return URL(self._base_url + path, encoded=True)  # as it stands, brackets and all
        return self._base.with_path(self._prefix + path, encoded=True)  # quicker by 5 µs
