"""The client: one method for each operation of the Bulk API.

A call walks one way: its input is checked, ``_wire`` makes the request, ``_retry`` runs the
attempts (each let out by ``_guard``), ``_session`` carries the bytes, ``_wire`` turns the
reply into a bulk or an error. ``_engine`` puts these together.
"""

import os
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, overload
from uuid import UUID

from ._call import Call
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
from ._fanout import Fanout
from ._retry import RetryPolicy
from ._session import SessionManager
from ._wire import cancel_request, check_bulk_id, check_form, status_request
from .batch import CancelBatch, CancelOutcome, CancelReport, Ids, LookBatch
from .errors import (
    BadRequestError,
    ConflictError,
    Lox24Error,
    NotCancelableError,
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
        self._form: type[Any] = form
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

    # --- one bulk

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
        bulk_id, form = check_bulk_id(bulk_id), self._check(form, timeout)
        return await self._cancel(self._engine.begin(bulk_id, timeout), form)

    async def _cancel(self, call: Call, form: type[BulkT]) -> BulkT:
        try:
            return await self._engine.perform(cancel_request(call.bulk_id, form), call)
        except Lox24Error as error:
            # How LOX24 refuses a bulk that is cancelled already is not documented: look.
            if not (isinstance(error, _REFUSALS) or error.outcome_unknown):
                raise
            seen = await self._settle(error, call, form)
            if seen is None:
                raise
            if seen.is_canceled:
                return seen
            raise NotCancelableError.from_look(seen, error) from error

    async def _settle(self, error: Lox24Error, call: Call, form: type[BulkT]) -> BulkT | None:
        """Look what a failed cancel led to: the bulk, if that is decided now."""
        look = Call(call.bulk_id, deadline=call.deadline, waited=call.waited)
        most = None if error.outcome_unknown else 1  # only a doubt is worth repeats
        try:
            seen = await self._engine.perform(status_request(call.bulk_id, form), look, most)
        except Lox24Error:
            return None
        return seen if seen.is_final else None

    # --- many bulks

    def iter_cancel(
        self,
        ids: Ids,
        *,
        report: CancelReport | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> Fanout[UUID | str, CancelOutcome]:
        """Cancel many bulks and stream what became of each, in order of completion.

        Each distinct id is cancelled once, at most ``max_concurrency`` at a time. Memory
        stays flat but for the set of ids seen. Leaving the loop early (or ``aclose()``)
        stops at once; what was in flight is then UNKNOWN in the report.

        Args:
            ids: An iterable or async iterable of any length. What is no id concerns only
                itself.
            report: Filled as results arrive.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it; what is left then is NOT_SENT or UNKNOWN.

        Returns:
            An async iterator of ``CancelOutcome``, with ``aclose()``.

        Raises:
            TypeError: ``ids`` is one id.
        """
        return self._batch(ids, report, form, timeout).stream()

    async def cancel_bulks(
        self,
        ids: Ids,
        *,
        report: CancelReport | None = None,
        progress: Callable[[CancelOutcome], object] | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> CancelReport:
        """Cancel many bulks; never raises for a single id.

        Args:
            ids: An iterable or async iterable of any length.
            report: Filled as results arrive. Keep it to know, when you are cancelled
                midway, which ids are done, unknown or never sent.
            progress: Called with each outcome.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it; what is left then is NOT_SENT or UNKNOWN.

        Returns:
            The report: one outcome for each distinct id, in input order.

        Raises:
            TypeError: ``ids`` is one id.
        """
        report = CancelReport() if report is None else report
        await self._batch(ids, report, form, timeout).run(progress)
        return report

    def _batch(
        self, ids: Ids, report: CancelReport | None, form: type[Bulk] | None, timeout: float | None
    ) -> CancelBatch:
        wanted = self._check(form, timeout)
        return CancelBatch(
            lambda call: self._cancel(call, wanted),
            ids,
            report=report,
            width=self._width,
            timeout=timeout,
        )

    async def resolve(
        self,
        report_or_ids: CancelReport | Ids,
        *,
        progress: Callable[[CancelOutcome], object] | None = None,
        timeout: float | None = None,
    ) -> CancelReport:
        """Look at what is unresolved and bring the report up to date. Never cancels.

        Args:
            report_or_ids: A report, of which UNKNOWN and ACCEPTED are looked at; or ids.
            progress: Called with each new outcome.
            timeout: Seconds for all of it.

        Returns:
            The report that was handed in, or a new one. A bulk that is seen in status 0 or
            5 keeps its state: its cancel may still take effect.
        """
        form = self._check(None, timeout)
        ids: Ids
        if isinstance(report_or_ids, CancelReport):
            report = report_or_ids
            ids = report.unresolved()
        else:
            report, ids = CancelReport(), report_or_ids

        def look(call: Call) -> Awaitable[Bulk]:
            return self._engine.perform(status_request(call.bulk_id, form), call)

        batch = LookBatch(look, ids, report=report, width=self._width, timeout=timeout)
        await batch.run(progress)
        return report

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

    def _check(self, form: type[Any] | None, timeout: float | None) -> type[Any]:
        """Check what every call takes; return the form that is wanted."""
        if timeout is not None:
            check_number("timeout", timeout, least=-1e9)
        if form is None:
            return self._form
        check_form(form)
        return form
