"""The headers that go out, the same on both lanes."""

from typing import Any, Final

from lox24_async._config import Secret
from lox24_async._wire.requests import Request

_BODY_HEADERS: Final = {"Content-Type": "application/json"}  # a body is always JSON
_FRESH: Final = {"Cache-Control": "no-store"}  # yesterday's status is a lie


class OwnHeaders:
    """What is the same for all requests of a client, and what a request adds.

    Args:
        token: Set on each request, never on the session: session defaults go in clear into
            a proxy's ``CONNECT``.
        user_agent: The header of that name.
    """

    def __init__(self, token: Secret, user_agent: str) -> None:
        self._token = token
        self._user_agent = user_agent

    def of(self, request: Request[Any]) -> dict[str, str]:
        """Return the headers of a request, but for the host and the length."""
        headers = {
            "Accept": request.accept,
            "Accept-Encoding": "identity",  # a small compressed body may be a huge one
            "User-Agent": self._user_agent,
            "X-LOX24-AUTH-TOKEN": self._token.reveal(),
        }
        if request.method == "GET":
            headers |= _FRESH
        if request.body is not None:
            headers |= _BODY_HEADERS
        return headers
