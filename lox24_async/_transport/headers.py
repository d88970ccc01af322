"""The headers that go out, the same on both lanes."""

from typing import Final

from lox24_async._config import Secret

_USER_AGENT: Final = "lox24-async"


def headers_for(accept: str, token: Secret) -> dict[str, str]:
    """Return the headers of a request without a body, but for the host and the length.

    Args:
        accept: The media type to ask for.
        token: Set on each request, never on the session: session defaults go in clear into
            a proxy's ``CONNECT``.
    """
    return {
        "Accept": accept,
        "Accept-Encoding": "identity",  # a small compressed body may be a huge one
        "User-Agent": _USER_AGENT,
        "X-LOX24-AUTH-TOKEN": token.reveal(),
    }


BODY_HEADERS: Final = {"Content-Type": "application/json"}
"""What is added where there is a body: it is always JSON."""
