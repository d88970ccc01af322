"""The client: its set-up and its life. The operations stand in its chapters.

A call walks one way: a chapter (``_cancels``, ``_listings``, ``_postbox``) checks the input,
``_requests`` makes the request, ``_retry`` runs the attempts (each let out by ``_guard``),
``_session`` carries the bytes, ``_wire`` turns the reply into what was asked for, or an error.
``_engine`` puts these together.
"""

import os
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from ._cancels import Cancels
from ._config import (
    DEFAULT_BASE_URL,
    Secret,
    check_base_url,
    check_kind,
    check_number,
    check_proxy,
    check_token,
)
from ._engine import Engine
from ._listings import Listings
from ._operations import FormT
from ._postbox import Postbox
from ._public import public
from ._refusals import Pause
from ._requests import check_form
from ._retry import RetryPolicy
from ._session import SessionManager
from .models import Bulk

if TYPE_CHECKING:
    from ssl import SSLContext

    import aiohttp


@public
class Lox24Client(Cancels[FormT], Listings[FormT], Postbox[FormT]):
    """A client for the Bulk API of the LOX24 SMS gateway.

    It can be made anywhere, opens its connections on first use, belongs to one event loop
    and one process, and works with ``async with`` or with :meth:`close`.

    Args:
        token: ``"<client id>:<key>"``; ``None`` reads ``LOX24_AUTH_TOKEN``.
        base_url: ``None`` reads ``LOX24_BASE_URL``, else ``https://api.lox24.eu``. https
            only; http only for a loopback host.
        form: The form of replies: ``Bulk`` (plain JSON) or ``JsonLdBulk`` (JSON-LD).
        max_concurrency: Requests in flight at once, over all calls; the rest wait in order
            of arrival. With 3 or less, even a working token that is revoked in mid-run
            cannot block the IP.
        attempt_timeout: Seconds for one attempt, from connect to the last byte.
        retry: How often and how patiently to repeat.
        session: Your own ``aiohttp.ClientSession``: used, never changed, never closed.
        proxy: URL of an HTTP proxy. The environment's proxies are ignored.
        ssl: How to check the server's certificate; ``None``: as usual.

    Raises:
        ConfigurationError: a value cannot work. The token is never quoted.

    Source: https://doc.lox24.eu/api/
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        form: type[FormT] = Bulk,  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
        max_concurrency: int = 10,
        attempt_timeout: float = 60.0,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  frozen
        session: "aiohttp.ClientSession | None" = None,
        proxy: str | None = None,
        ssl: "SSLContext | None" = None,
    ) -> None:
        secret = Secret(os.environ.get("LOX24_AUTH_TOKEN") if token is None else token)
        del token  # a traceback may show the locals of this frame
        check_token(secret)
        if base_url is None:
            base_url = os.environ.get("LOX24_BASE_URL") or DEFAULT_BASE_URL
        check_form(form)
        check_number("max_concurrency", max_concurrency, least=1, whole=True)
        check_number("attempt_timeout", attempt_timeout, least=0.001)
        check_kind("retry", retry, RetryPolicy)
        self._base_url = check_base_url(base_url)
        self._form = form
        self._width = max_concurrency
        self._engine = Engine(
            self._base_url,
            secret,
            SessionManager(
                self._base_url,
                secret,
                attempt_timeout=attempt_timeout,
                session=session,
                proxy=check_proxy(proxy, self._base_url),
                ssl=ssl,
            ),
            retry,
            max_concurrency=max_concurrency,
            attempt_timeout=attempt_timeout,
        )

    def __repr__(self) -> str:
        engine = getattr(self, "_engine", None)
        if engine is None:  # a traceback shows us half made
            return f"<{type(self).__name__}>"
        state = "closed" if engine.closed else "open"
        return f"<{type(self).__name__} {self._base_url} {state}>"

    @property
    def pause(self) -> Pause | None:
        """What holds all calls up now (a block, an outage, a refused token), if anything does.

        For a countdown: calls wait, or raise, by themselves. ``None`` before the first use.
        """
        return self._engine.pause

    # --- life

    async def close(self) -> None:
        """Close the client; may be called more than once.

        Calls that wait get ``ClientClosedError``; requests in flight get a grace time of
        five seconds. A session that was handed in stays open.
        """
        await self._engine.close()

    async def __aenter__(self) -> Self:
        self._engine.check_open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __enter__(self) -> NoReturn:
        raise TypeError("did you mean 'async with'? Lox24Client is asynchronous")

    def __exit__(self, *_: object) -> None:  # so that ``with`` reaches __enter__
        raise AssertionError
