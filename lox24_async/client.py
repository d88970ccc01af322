"""The client: one method for each operation of the Bulk API.

A call walks one way: its input is checked, ``_wire`` makes the request, ``_retry`` runs the
attempts (each let out by ``_guard``), ``_session`` carries the bytes, ``_wire`` turns the
reply into a bulk or an error.
"""

import asyncio
import os
import time
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, overload
from uuid import UUID

from attrs import frozen

from ._config import (
    DEFAULT_BASE_URL,
    Secret,
    check_base_url,
    check_kind,
    check_number,
    check_proxy,
    check_token,
    origin_of,
)
from ._facts import PROCESS_CLOCK, facts_for
from ._guard import Guard
from ._retry import Call, Retrier, RetryPolicy
from ._session import SessionManager
from ._waiting import Slots, WaitingRoom
from ._wire import (
    Request,
    cancel_request,
    check_bulk_id,
    check_form,
    read_bulk,
    status_request,
)
from .errors import (
    BadRequestError,
    ConflictError,
    Lox24Error,
    NotCancelableError,
    TransportError,
    UnprocessableError,
)
from .models import Bulk

if TYPE_CHECKING:
    from ssl import SSLContext

    import aiohttp
    from typing_extensions import TypeVar

    FormT = TypeVar("FormT", bound=Bulk, default=Bulk)
    BulkT = TypeVar("BulkT", bound=Bulk)
else:
    from typing import TypeVar

    FormT = TypeVar("FormT", bound=Bulk)
    BulkT = TypeVar("BulkT", bound=Bulk)

_REFUSALS = (BadRequestError, ConflictError, UnprocessableError)
_GRACE = 5.0  # seconds that requests in flight get when the client is closed
_LEASE_MARGIN = 5.0  # seconds that a probe may take beyond its attempt's time


class Lox24Client(Generic[FormT]):
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
        self._token = secret
        self._form: type[Any] = form
        self._retry = retry
        self._attempt_timeout = attempt_timeout
        self._room = WaitingRoom()
        self._slots = Slots(max_concurrency, self._room)
        self._session = SessionManager(
            self._base_url,
            secret,
            session=session,
            proxy=check_proxy(proxy, self._base_url),
            ssl=ssl,
        )
        self._home: _Home | None = None

    def __repr__(self) -> str:
        state = "closed" if self._room.closed else "open"
        return f"<{type(self).__name__} {self._base_url} {state}>"

    # --- operations

    @overload
    async def cancel_bulk(
        self, bulk_id: UUID | str, *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def cancel_bulk(
        self, bulk_id: UUID | str, *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def cancel_bulk(
        self,
        bulk_id: UUID | str,
        *,
        form: type[Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Cancel a bulk: its messages that are not sent yet will not be sent.

        Idempotent in its answer: returns the bulk when it is cancelled, whoever cancelled
        it. A refused cancel, and one whose answer was lost, is settled by one look at the
        bulk's status.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Returns:
            The bulk as the server reported it. A 200 with another status than 15 is
            returned as it is; see ``is_canceled``.

        Raises:
            InvalidBulkIdError: before any request.
            NotCancelableError: too late; ``.bulk`` is what the look has seen.
            Lox24Error: anything else; ``outcome_unknown`` says whether the bulk may have
                been cancelled all the same.

        Source: https://doc.lox24.eu/api/operations/api_bulks_put_cancel_item/
        """
        call, form = self._begin(bulk_id, form, timeout)
        try:
            return await self._perform(cancel_request(call.bulk_id, form), call)
        except Lox24Error as error:
            # How LOX24 refuses a bulk that is cancelled already is not documented: look.
            if not (isinstance(error, _REFUSALS) or error.outcome_unknown):
                raise
            seen = await self._look(error, call, form)
            if seen is None:
                raise
            if seen.is_canceled:
                return seen
            raise NotCancelableError.from_look(seen, error) from error

    async def _look(self, error: Lox24Error, call: Call, form: type[BulkT]) -> BulkT | None:
        """Find out what a failed cancel led to: the bulk if that is decided now."""
        look = Call(call.bulk_id, deadline=call.deadline, waited=call.waited)
        most = None if error.outcome_unknown else 1  # only a doubt is worth repeats
        try:
            seen = await self._perform(status_request(call.bulk_id, form), look, most)
        except Lox24Error:
            return None
        return seen if seen.is_final else None

    # --- life

    async def close(self) -> None:
        """Close the client; may be called more than once.

        Calls that wait get ``ClientClosedError``; requests in flight get a grace time of
        five seconds. A session that was handed in stays open.
        """
        self._room.close()
        if self._home is not None:
            self._settle_in()
            try:
                await self._slots.drain(_GRACE)
            finally:
                await self._session.close()

    async def __aenter__(self) -> Self:
        self._room.check()
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

    # --- wiring

    def _begin(
        self, bulk_id: object, form: type[Any] | None, timeout: float | None
    ) -> tuple[Call, type[Any]]:
        """Check a call's input and that it may be made here and now."""
        call = Call(check_bulk_id(bulk_id))
        if form is None:
            form = self._form
        else:
            check_form(form)
        if timeout is not None:
            check_number("timeout", timeout, least=float("-inf"))
        now = self._settle_in().loop.time()
        self._room.check()
        if timeout is not None:
            call.deadline = now + timeout
        return call, form

    def _settle_in(self) -> "_Home":
        """Come to live in the running loop, or check that we do."""
        loop, process = asyncio.get_running_loop(), os.getpid()
        home = self._home
        if home is None:
            home = self._home = _Home(loop, process, self._make_retrier(loop))
        elif home.process != process:
            raise RuntimeError("this client belongs to the parent process; make one after the fork")
        elif home.loop is not loop:
            raise RuntimeError(
                "this client belongs to another event loop; make one in each asyncio.run()"
            )
        return home

    def _make_retrier(self, loop: asyncio.AbstractEventLoop) -> Retrier:
        now = loop.time()
        # A loop with a clock of its own (a test's, say) cannot share moments with others.
        clock = PROCESS_CLOCK if abs(now - time.monotonic()) < 1 else loop
        origin, token = facts_for(origin_of(self._base_url), self._token.reveal(), now, clock)
        pacing = self._retry.pacing()
        guard = Guard(origin, token, lease=self._attempt_timeout + _LEASE_MARGIN, pacing=pacing)
        return Retrier(
            self._retry,
            guard,
            self._slots,
            self._room,
            pacing=pacing,
            attempt_timeout=self._attempt_timeout,
            clock=loop.time,
        )

    async def _perform(self, request: Request[BulkT], call: Call, most: int | None = None) -> BulkT:
        retrier = self._settle_in().retrier
        return await retrier.run(partial(self._attempt, request), call, max_attempts=most)

    async def _attempt(self, request: Request[BulkT], seconds: float) -> BulkT:
        reply = await self._session.send(request, seconds)
        try:
            return read_bulk(request, reply, self._base_url, self._token.redact)
        except TransportError:  # the answer was another request's
            self._session.drop_connections()
            raise


@frozen
class _Home:
    """Where a client lives once it was used."""

    loop: asyncio.AbstractEventLoop
    process: int
    retrier: Retrier
