"""The client: set-up, life, and every operation.

An operation checks its input here; what it means in requests stands in ``_operations``. The
walk of one call is told in ``docs/architecture.md``.
"""

import os
from collections.abc import Awaitable, Callable, Iterable
from inspect import iscoroutinefunction
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, overload
from uuid import UUID

from ._checks import BULK_ID, check_bulk_id, check_kind, check_number, check_sent, items
from ._config import (
    DEFAULT_BASE_URL,
    Secret,
    check_base_url,
    check_proxy,
    check_token,
    is_loopback,
    proxy_from_environment,
    write_user_agent,
)
from ._operations.batch import CancelBatch, CancelStream, Ids, LookBatch
from ._operations.cancel import CancelCall, cancel, cancel_and_wait
from ._operations.changes import create, delete
from ._operations.keeping import keep_canceling
from ._operations.listing import BulkStream, Order, get_wanted_page, list_bulks
from ._operations.matching import cancel_matching
from ._operations.messages import MessageStream, count_messages, list_messages, measure
from ._operations.polling import is_final, poll
from ._operations.recording import Record
from ._operations.settling import settle
from ._public import public
from ._transport.call import Call
from ._transport.engine import Engine
from ._transport.observing import NOBODY, Hook
from ._transport.session import ClientSession, SessionManager
from ._wire.requests import check_form, item_request, status_request
from .drafts import BulkDraft
from .errors import ConfigurationError
from .filters import BulkFilter, BulkOrder
from .guards import HostGuard, ProcessGuard, RedisGuard, check_guard
from .journal import CancelJournal
from .models import Bulk, BulkPage, BulkT, JsonLdBulk
from .report import CancelOutcome, CancelReport, CancelState, MatchReport, Measurement
from .retry import Attempt, Pause, RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    FormT = TypeVar("FormT", bound=Bulk, default=Bulk)
else:
    from typing import TypeVar

    FormT = TypeVar("FormT", bound=Bulk)


@public
class Lox24Client(Generic[FormT]):
    """A client for the Bulk API of the LOX24 SMS gateway.

    It can be made anywhere, opens its connections on first use, belongs to one event loop
    and one process, and works with ``async with`` or with ``close``.

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
        guard: Who shares what is learnt of the token and of blocks: ``ProcessGuard()``,
            ``HostGuard()`` or ``RedisGuard(url)``. ``None`` reads ``LOX24_GUARD``, else
            ``HostGuard()``, for a loopback host ``ProcessGuard()``.
        session: Your own ``aiohttp.ClientSession``: used, never changed, never closed.
        proxy: URL of an HTTP proxy; ``None`` reads ``LOX24_PROXY`` (not for a loopback host).
            The system's ``HTTPS_PROXY`` is ignored; where no connection comes about and it
            is set, the error says so.
        ssl: How to check the server's certificate; ``None``: as usual.
        user_agent: Your own product token(s), ``"billing/2.1"``: sent as ``billing/2.1
            lox24-async/<version>``.
        on_attempt: A plain function, called after every attempt with an ``Attempt``: for
            metrics, traces and logs. What it raises is logged once and changes nothing. An
            attempt that was cancelled is not told.

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
        guard: ProcessGuard | HostGuard | RedisGuard | None = None,
        session: ClientSession | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        user_agent: str | None = None,
        on_attempt: Callable[[Attempt], object] | None = None,
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
        if on_attempt is not None and (not callable(on_attempt) or iscoroutinefunction(on_attempt)):
            raise ConfigurationError("on_attempt must be a plain function of an Attempt")
        self._base_url = check_base_url(base_url)
        if proxy is None:
            proxy = proxy_from_environment(self._base_url)
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
                user_agent=write_user_agent(user_agent),
            ),
            retry,
            guard=check_guard(guard, loopback=is_loopback(self._base_url)),
            max_concurrency=max_concurrency,
            attempt_timeout=attempt_timeout,
            observer=NOBODY if on_attempt is None else Hook(on_attempt),
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

    # --- one cancel

    @overload
    async def cancel_bulk(
        self,
        bulk_id: UUID | str,
        *,
        wait: bool = False,
        form: type[BulkT],
        timeout: float | None = None,
    ) -> BulkT: ...
    @overload
    async def cancel_bulk(
        self,
        bulk_id: UUID | str,
        *,
        wait: bool = False,
        form: None = None,
        timeout: float | None = None,
    ) -> FormT: ...
    async def cancel_bulk(
        self,
        bulk_id: UUID | str,
        *,
        wait: bool = False,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> Bulk:
        """Cancel a bulk: its messages that are not sent yet will not be sent.

        Idempotent in its answer: returns the bulk when it is cancelled, whoever cancelled
        it. A refused cancel, and one whose answer was lost, is settled by one look at the
        bulk's status.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            wait: Whether to wait, after an accepted cancel, until the bulk is in a final
                state: cancelled, or one that was quicker.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Returns:
            The bulk as the server reported it. A 200 with another status than 15 is
            returned as it is, unless ``wait`` is set; see ``is_canceled``. Whether LOX24
            says 15 at once is not documented.

        Raises:
            InvalidBulkIdError: before any request.
            NotCancelableError: too late; ``.bulk`` is what the look has seen.
            Lox24Error: anything else; ``outcome_unknown`` says whether the bulk may have
                been cancelled all the same.

        Source: https://doc.lox24.eu/api/operations/api_bulks_put_cancel_item/
        """
        bulk_id, form = check_bulk_id(bulk_id), self._check(form, timeout)
        call = CancelCall(bulk_id, self._engine.deadline(timeout))
        return await (cancel_and_wait if wait else cancel)(self._engine, call, form)

    # --- many bulks

    def iter_cancel(
        self,
        ids: Ids,
        *,
        report: CancelReport | None = None,
        journal: CancelJournal | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> CancelStream:
        """Cancel many bulks and stream what became of each, in order of completion.

        Each distinct id is cancelled once, at most ``max_concurrency`` at a time. Memory
        stays flat but for the set of ids seen. At most ``max_concurrency`` ids are in flight
        or not taken yet; an outcome counts as taken when the next one is asked for. While the
        service fails, others are tried beside those that wait for it (ten times as many at the
        most), one request at a time: an id that always fails holds up nobody. Leaving
        the loop early (by ``aclose()``, ``async with``, or dropping the stream) stops at
        once; what was in flight is then UNKNOWN in the report.

        Args:
            ids: An iterable or async iterable of any length. A collection (anything with a
                length) is copied when the run begins. What is no id concerns only itself.
            report: Filled as results arrive. One that is used again never knows less than
                before.
            journal: The report on disk, for when this process dies.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it; what is left then is NOT_SENT or UNKNOWN.

        Returns:
            An async iterator of ``CancelOutcome``, with ``aclose()``. One that broke off (a
            step was cancelled, the source failed) says so at each further step with a
            ``RuntimeError``: it never looks complete.

        Raises:
            TypeError: ``ids`` is one id.
            JournalError: raised by the first step, before anything is sent: the journal
                cannot be opened, or another run writes to it.
            ClientClosedError: likewise, if ``ids`` is a stream.
        """
        return self._batch(ids, report, journal, form, timeout).stream()

    async def cancel_bulks(
        self,
        ids: Ids,
        *,
        report: CancelReport | None = None,
        progress: Callable[[CancelOutcome], object] | None = None,
        journal: CancelJournal | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> CancelReport:
        """Cancel many bulks; never raises for a single id.

        Args:
            ids: An iterable or async iterable of any length. A collection (anything with a
                length) is copied when the run begins.
            report: Filled as results arrive. Keep it to know, when you are cancelled
                midway, which ids are done, unknown or never sent. One that is used again
                never knows less than before.
            progress: Called with each outcome. What it raises ends the run at once.
            journal: The report on disk, for when this process dies.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it; what is left then is NOT_SENT or UNKNOWN.

        Returns:
            The report: one outcome for each distinct id, in input order. When the time is
            over or the client is closed, a stream is not read on.

        Raises:
            TypeError: ``ids`` is one id.
            JournalError: before anything is sent: the journal cannot be opened, or another
                run writes to it.
            ClientClosedError: ``ids`` is a stream, and the client was closed before.
        """
        report = CancelReport() if report is None else report
        await self._batch(ids, report, journal, form, timeout).run(progress)
        return report

    def _batch(
        self,
        ids: Ids,
        report: CancelReport | None,
        journal: CancelJournal | None,
        form: type[Bulk] | None,
        timeout: float | None,
    ) -> CancelBatch:
        return CancelBatch(
            self._engine,
            ids,
            self._check(form, timeout),
            report=report,
            width=self._width,
            begin=lambda: self._engine.deadline(timeout),
            record=self._record(journal),
        )

    def _record(
        self, journal: CancelJournal | None, wanted: BulkFilter | None = None
    ) -> Record | None:
        if journal is None:
            return None
        check_kind("journal", journal, CancelJournal)
        return Record(journal, self._engine, self._width, wanted)

    async def cancel_matching(
        self,
        filter: BulkFilter,  # noqa: A002
        *,
        dry_run: bool = False,
        order: BulkOrder | None = None,
        confirm: Callable[[MatchReport], Awaitable[bool]] | None = None,
        report: MatchReport | None = None,
        progress: Callable[[CancelOutcome], object] | None = None,
        journal: CancelJournal | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> MatchReport:
        """Cancel whatever meets a filter and can still be cancelled, as it is found.

        Lists the bulks in status 0 and 5 within the filter. Each is held against the filter
        once more before it is cancelled, for how LOX24 reads some filters is inferred. Of what
        is at hand the bulks in progress go first, and the largest.

        Args:
            filter: Which bulks; ``BulkFilter()`` means all of them.
            dry_run: Only list: every bulk that would be cancelled is NOT_SENT, with its
                ``bulk``.
            order: In which to list them; ``None``: the oldest first.
            confirm: Asked once, when the listing was read from its first page to its last,
                with the report, in which all that was found is NOT_SENT, with its ``bulk``.
                If it returns ``False`` nothing is cancelled. Else the pages are read once more
                while that is cancelled, and what had slipped through is cancelled too; not
                what was created since, nor in the same second as the newest one shown. Of a
                listing that broke off it is asked what to do with what was found.
            report: Filled as results arrive.
            progress: Called with each outcome; with ``confirm`` before that with all that is
                found.
            journal: The report on disk, for when this process dies; not with ``dry_run``.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it, the listing included.

        Returns:
            The report, which also says how many bulks and messages were found and what they
            cost. Bulks that are created meanwhile may be found, or not.

        Raises:
            CancelFailedError: the listing broke off. The error carries the report, its
                ``__cause__`` says why; what was found until then was cancelled.
            ConfigurationError: before any request; ``ClientClosedError`` likewise.

        Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/
        """
        check_kind("filter", filter, BulkFilter)
        wanted = self._check(form, timeout)
        report = MatchReport() if report is None else report
        check_kind("report", report, MatchReport)
        if order is not None:
            check_kind("order", order, BulkOrder)
        self._engine.check_open()
        await cancel_matching(
            self._engine,
            filter,
            wanted,
            dry_run=dry_run,
            order=order,
            confirm=confirm,
            report=report,
            progress=progress,
            width=self._width,
            deadline=self._engine.deadline(timeout),
            record=None if dry_run else self._record(journal, filter),
        )
        return report

    async def keep_canceling(
        self,
        filter: BulkFilter,  # noqa: A002
        *,
        duration: float | None = None,
        poll_interval: float = 5.0,
        quiet: float | None = None,
        report: MatchReport | None = None,
        progress: Callable[[CancelOutcome], object] | None = None,
        journal: CancelJournal | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> MatchReport:
        """Cancel whatever meets a filter, and go on: for a producer that goes on creating.

        Does what ``cancel_matching`` does, the newest first, and looks again every
        ``poll_interval`` seconds, through blocks and outages. Each bulk is cancelled once;
        one that is seen running again after anything but CANCELED, TOO_LATE or NOT_FOUND is
        cancelled again.

        Args:
            filter: Which bulks; ``BulkFilter()`` means all of them.
            duration: Seconds until it ends; ``None``: it goes on.
            poll_interval: Seconds from the beginning of one look to the next.
            quiet: Ends it when nothing new met the filter for so many seconds, as a look that
                worked has seen.
            report: Filled as results arrive; keep it if you will cancel this.
            progress: Called with each outcome.
            journal: The report on disk, for when this process dies.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it, as ``duration``: the earlier one counts.

        Returns:
            The report, at the end of the time, or when it is quiet, or when the client is
            closed. What is in flight at the end of the time is UNKNOWN: see ``settle``.

        Raises:
            CancelFailedError: the listing is refused for good (a 401, say), or failed when the
                time was up: nobody knows what met the filter then. The error carries the
                report, its ``__cause__`` says why.
            JournalError: before anything is sent.
            ConfigurationError: before any request; ``ClientClosedError`` likewise.

        Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/
        """
        check_kind("filter", filter, BulkFilter)
        wanted = self._check(form, timeout)
        check_number("poll_interval", poll_interval, least=0.001)
        for name, value in (("duration", duration), ("quiet", quiet)):
            if value is not None:
                check_number(name, value, least=0)
        report = MatchReport() if report is None else report
        check_kind("report", report, MatchReport)
        self._engine.check_open()
        ends = [seconds for seconds in (duration, timeout) if seconds is not None]
        await keep_canceling(
            self._engine,
            filter,
            wanted,
            report=report,
            progress=progress,
            width=self._width,
            interval=poll_interval,
            quiet=quiet,
            deadline=self._engine.deadline(min(ends, default=None)),
            record=self._record(journal, filter),
        )
        return report

    async def settle(
        self,
        report: CancelReport,
        *,
        timeout: float | None = 600.0,
        poll_interval: float = 2.0,
        progress: Callable[[CancelOutcome], object] | None = None,
        journal: CancelJournal | None = None,
        form: type[Bulk] | None = None,
    ) -> CancelReport:
        """Look at what is ACCEPTED or UNKNOWN until it is settled. Never cancels.

        At first after ``poll_interval``, later less and less often, with jitter.

        Args:
            report: Is brought up to date.
            timeout: Seconds for all of it; ``None``: as long as it takes.
            poll_interval: Seconds before the second look.
            progress: Called with each outcome that has another state than before.
            journal: Where the looks are written down.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.

        Returns:
            The report that was handed in; what is unsettled when the time is over (or the
            client is closed) stays as it is.

        Raises:
            JournalError: before anything is sent.

        Source: https://doc.lox24.eu/api/operations/get_status/
        """
        check_kind("report", report, CancelReport)
        wanted = self._check(form, timeout)
        check_number("poll_interval", poll_interval, least=0.001)
        await settle(
            self._engine,
            report,
            wanted,
            width=self._width,
            interval=poll_interval,
            deadline=self._engine.deadline(timeout),
            progress=progress,
            record=self._record(journal),
        )
        return report

    async def resolve(
        self,
        report_or_ids: CancelReport | Ids,
        *,
        progress: Callable[[CancelOutcome], object] | None = None,
        journal: CancelJournal | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> CancelReport:
        """Look at what is unresolved and bring the report up to date. Never cancels.

        Args:
            report_or_ids: A report, of which UNKNOWN and ACCEPTED are looked at; or ids.
            progress: Called with each new outcome.
            journal: Where the looks are written down.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it.

        Returns:
            The report that was handed in, or a new one. A bulk that is seen in status 0 or
            5 keeps its state: its cancel may still take effect.
        """
        wanted = self._check(form, timeout)
        ids: Ids
        if isinstance(report_or_ids, CancelReport):
            report = report_or_ids
            ids = report.unresolved()
        else:
            report, ids = CancelReport(), report_or_ids

        batch = LookBatch(
            self._engine,
            ids,
            wanted,
            report=report,
            width=self._width,
            begin=lambda: self._engine.deadline(timeout),
            record=self._record(journal),
        )
        await batch.run(progress)
        return report

    # --- find bulks

    @overload
    def list_bulks(
        self,
        filter: BulkFilter | None = None,
        *,
        order: Order = None,
        form: type[BulkT],
        timeout: float | None = None,
    ) -> BulkStream[BulkT]: ...
    @overload
    def list_bulks(
        self,
        filter: BulkFilter | None = None,
        *,
        order: Order = None,
        form: None = None,
        timeout: float | None = None,
    ) -> BulkStream[FormT]: ...
    def list_bulks(
        self,
        filter: BulkFilter | None = None,  # noqa: A002
        *,
        order: Order = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> BulkStream[Any]:
        """List bulks, over all pages, while the next page is fetched.

        No bulk is given twice. With the default order, none is missed that was there all the
        time, even if bulks are added and finish meanwhile: where a filter can lose bulks
        while you read, the pages are read a second time, backwards, and what slipped through
        comes last. (A deletion meanwhile may still hide a bulk. Where bulks both come and go
        amid the list, as in status 5 alone, it is read up to four times; that makes a miss
        very unlikely, but no number of readings rules it out.)

        Args:
            filter: Which bulks; ``None``: all.
            order: One step, or several with the weightiest first; ``None``: oldest first.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole walk.

        Returns:
            An async iterator of bulks in their full form, with ``aclose()``.

        Raises:
            ConfigurationError: before any request.
            Lox24Error: a page could not be got; raised by the iterator.

        Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/. Page size and
        the end of a plain JSON listing are not documented: an empty page, or three in a row
        that repeat the one before, end it.
        """
        form = self._check(form, timeout)
        return list_bulks(self._engine, filter, order, form, lambda: self._engine.deadline(timeout))

    @overload
    async def list_bulks_page(
        self,
        page: int,
        filter: BulkFilter | None = None,
        *,
        order: Order = None,
        form: type[BulkT],
        timeout: float | None = None,
    ) -> BulkPage[BulkT]: ...
    @overload
    async def list_bulks_page(
        self,
        page: int,
        filter: BulkFilter | None = None,
        *,
        order: Order = None,
        form: None = None,
        timeout: float | None = None,
    ) -> BulkPage[FormT]: ...
    async def list_bulks_page(
        self,
        page: int,
        filter: BulkFilter | None = None,  # noqa: A002
        *,
        order: Order = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> BulkPage[Any]:
        """Get one page of a listing.

        Args:
            page: Its number, from 1. How many bulks are on a page is LOX24's matter.
            filter: Which bulks; ``None``: all.
            order: One step, or several with the weightiest first; ``None``: oldest first.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Returns:
            The page: the bulks in their full form, the number of the next page, and in
            JSON-LD the number of bulks on all pages. With ``sender_id_exact`` it may be empty
            though there are more.

        Raises:
            ConfigurationError: before any request.
            Lox24Error: the page could not be got.

        Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/
        """
        form = self._check(form, timeout)
        check_number("page", page, least=1, whole=True)
        deadline = self._engine.deadline(timeout)
        return await get_wanted_page(self._engine, page, filter, order, form, deadline=deadline)

    # --- the messages behind a bulk

    def list_messages(
        self,
        bulk_id: UUID | str,
        *,
        sent: bool | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> MessageStream:
        """List the messages of a bulk, over all pages, while the next page is fetched.

        No message is given twice, and none is missed that was there all the time: the unsent
        ones go out while one reads, so their pages are read a second time, backwards, and
        what slipped through comes last.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            sent: ``True``: only those that were sent; ``False``: only those that were not;
                ``None``: all.
            form: ``Bulk`` asks for plain JSON; ``JsonLdBulk`` and ``None`` for JSON-LD, which
                tells where the listing ends. What comes is a ``BulkMessage`` either way.
            timeout: Seconds for the whole walk.

        Returns:
            An async iterator of ``BulkMessage``, with ``aclose()``. A bulk that LOX24 does
            not know has no messages (inferred).

        Raises:
            InvalidBulkIdError: before any request; ``ConfigurationError`` likewise.
            ResponseDecodeError: among them is a message of another bulk, or one that was sent
                (or was not) against what was asked for: the server ignored a filter. A
                message that does not tell is taken as right. Raised by the iterator.
            Lox24Error: a page could not be got; raised by the iterator.

        Source: https://doc.lox24.eu/api/operations/api_sms_get_collection/. That messages are
        filtered by ``bulk`` is taken from the vendor's own client.
        """
        bulk_id = check_bulk_id(bulk_id)
        check_sent(sent)
        form = self._check(JsonLdBulk if form is None else form, timeout)
        return list_messages(
            self._engine, bulk_id, sent, form, lambda: self._engine.deadline(timeout)
        )

    async def count_messages(
        self, bulk_id: UUID | str, *, sent: bool | None = None, timeout: float | None = None
    ) -> int:
        """Ask how many messages a bulk has: all, those sent, or those not sent. One request.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            sent: ``True``: only those that were sent; ``False``: only those that were not;
                ``None``: all.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Returns:
            What LOX24 says at this moment; of a bulk that it does not know, 0 (inferred).

        Raises:
            InvalidBulkIdError: before any request; ``ConfigurationError`` likewise.
            ResponseDecodeError: the answer tells no number; or the page that came with it
                shows that the server ignored a filter, as in ``list_messages``. What the
                server should have left out is asked to come first, so that it is seen.
            Lox24Error: anything else.

        Source: https://doc.lox24.eu/api/operations/api_sms_get_collection/
        """
        bulk_id = check_bulk_id(bulk_id)
        check_sent(sent)
        self._check(None, timeout)
        return await count_messages(self._engine, bulk_id, sent, self._engine.deadline(timeout))

    async def measure(
        self,
        report_or_ids: CancelReport | Iterable[UUID | str],
        *,
        timeout: float | None = None,
    ) -> Measurement:
        """Ask of many bulks how many messages went out, and how many did not.

        Two requests a bulk. They give way to all other calls of this client, so that no
        cancel waits for them: they leave one of ``max_concurrency`` places free, and whoever
        waits for a place goes first.

        Args:
            report_or_ids: A report, of which all bulks are asked for but those that LOX24 does
                not know; or ids.
            timeout: Seconds for all of it; what is left then is unknown.

        Returns:
            The two numbers for each bulk, and their sums. What could not be found out is
            unknown, and never guessed; so are numbers beyond what the report knows of a bulk
            in a final state, for then the server ignored a filter. Of a bulk that is still
            sending the numbers are of two moments.

        Raises:
            InvalidBulkIdError: one of the ids is none; before any request.

        Source: https://doc.lox24.eu/api/operations/api_sms_get_collection/
        """
        self._check(None, timeout)
        if isinstance(report_or_ids, CancelReport):
            bulks = {
                outcome.bulk_id: outcome.bulk
                for outcome in report_or_ids.outcomes
                if outcome.state is not CancelState.NOT_FOUND
                and BULK_ID.fullmatch(outcome.bulk_id) is not None
            }
        else:
            given = items("report_or_ids", report_or_ids, "bulk ids")
            bulks = dict.fromkeys(check_bulk_id(bulk_id) for bulk_id in given)
        return await measure(
            self._engine, bulks, width=self._width, deadline=self._engine.deadline(timeout)
        )

    # --- one bulk, beside its cancel

    @overload
    async def get_bulk(
        self, bulk_id: UUID | str, *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def get_bulk(
        self, bulk_id: UUID | str, *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def get_bulk(
        self, bulk_id: UUID | str, *, form: type[Bulk] | None = None, timeout: float | None = None
    ) -> Bulk:
        """Get a bulk in its full form, with text and recipients.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Raises:
            InvalidBulkIdError: before any request.
            NotFoundError: LOX24 does not know the bulk.
            Lox24Error: anything else.

        Source: https://doc.lox24.eu/api/operations/api_bulks_get_item/
        """
        bulk_id, form = check_bulk_id(bulk_id), self._check(form, timeout)
        call = Call(bulk_id, self._engine.deadline(timeout))
        return await self._engine.perform(item_request(bulk_id, form), call)

    @overload
    async def get_bulk_status(
        self, bulk_id: UUID | str, *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def get_bulk_status(
        self, bulk_id: UUID | str, *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def get_bulk_status(
        self, bulk_id: UUID | str, *, form: type[Bulk] | None = None, timeout: float | None = None
    ) -> Bulk:
        """Get the short form of a bulk: where it stands, without text and recipients.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Raises:
            InvalidBulkIdError: before any request.
            NotFoundError: LOX24 does not know the bulk.
            Lox24Error: anything else.

        Source: https://doc.lox24.eu/api/operations/get_status/
        """
        bulk_id, form = check_bulk_id(bulk_id), self._check(form, timeout)
        call = Call(bulk_id, self._engine.deadline(timeout))
        return await self._engine.perform(status_request(bulk_id, form), call)

    @overload
    async def wait_for_bulk(
        self,
        bulk_id: UUID | str,
        *,
        until: Callable[[BulkT], object] | None = None,
        poll_interval: float = 2.0,
        form: type[BulkT],
        timeout: float | None = None,
    ) -> BulkT: ...
    @overload
    async def wait_for_bulk(
        self,
        bulk_id: UUID | str,
        *,
        until: Callable[[FormT], object] | None = None,
        poll_interval: float = 2.0,
        form: None = None,
        timeout: float | None = None,
    ) -> FormT: ...
    async def wait_for_bulk(
        self,
        bulk_id: UUID | str,
        *,
        until: Callable[[Any], object] | None = None,
        poll_interval: float = 2.0,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> Bulk:
        """Look at a bulk's status until it is where you want it.

        LOX24 tells nobody that a bulk has ended, so this asks: at first after
        ``poll_interval``, later less and less often (in the end about every 30 seconds, or
        ``poll_interval`` if that is longer), with jitter, and once more a second before the
        time is over.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            until: Says whether this is it; ``None``: any final state (``is_final``).
            poll_interval: Seconds before the second look.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it; ``None``: as long as it takes.

        Raises:
            InvalidBulkIdError: before any request.
            RequestTimeoutError: it was not there in time.
            Lox24Error: a look failed for good, as ``get_bulk_status`` would.

        Source: https://doc.lox24.eu/api/operations/get_status/
        """
        bulk_id, form = check_bulk_id(bulk_id), self._check(form, timeout)
        check_number("poll_interval", poll_interval, least=0.001)
        if until is not None and (not callable(until) or iscoroutinefunction(until)):
            # A coroutine would always count as true.
            raise ConfigurationError("until must be a plain function of a bulk")
        return await poll(
            self._engine,
            bulk_id,
            form,
            is_final if until is None else until,
            interval=poll_interval,
            deadline=self._engine.deadline(timeout),
        )

    @overload
    async def create_bulk(
        self, draft: BulkDraft, *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def create_bulk(
        self, draft: BulkDraft, *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def create_bulk(
        self, draft: BulkDraft, *, form: type[Bulk] | None = None, timeout: float | None = None
    ) -> Bulk:
        """Create a bulk: its messages are sent, and cost money.

        LOX24 has no key that would make a repeat harmless, so the request goes out again
        only if it certainly never left or was certainly not accepted: no connection, or a
        429. If the answer is lost the error has ``outcome_unknown``: look for the bulk with
        ``list_bulks(BulkFilter(sender_id=…, created_from=…))`` before you send it again.

        Args:
            draft: What to send, to whom, and when.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing and waits included.

        Returns:
            The bulk as LOX24 created it, most likely in status 0: recipients are counted
            and messages are sent afterwards.

        Raises:
            BadRequestError: ``violations`` says which fields.
            InsufficientFundsError: documented for single messages, inferred for bulks.
            Lox24Error: anything else; see ``outcome_unknown``.

        Source: https://doc.lox24.eu/api/operations/api_bulks_post_collection/
        """
        return await self._create(draft, form, timeout, dry_run=False)

    @overload
    async def simulate_bulk(
        self, draft: BulkDraft, *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def simulate_bulk(
        self, draft: BulkDraft, *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def simulate_bulk(
        self, draft: BulkDraft, *, form: type[Bulk] | None = None, timeout: float | None = None
    ) -> Bulk:
        """Let LOX24 check a draft without sending anything.

        That the operation exists is documented, its path (``POST /bulks/dryrun``) and answer
        are inferred from those of single messages. Repeated as ``create_bulk`` is.

        Args:
            draft: What would be sent.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing and waits included.

        Returns:
            The bulk as LOX24 would create it.

        Raises:
            Lox24Error: as ``create_bulk``.

        Source: https://doc.lox24.eu/de/api/operations/api_bulks_post_dryrun_collection/
        """
        return await self._create(draft, form, timeout, dry_run=True)

    async def _create(
        self, draft: BulkDraft, form: type[Any] | None, timeout: float | None, *, dry_run: bool
    ) -> Bulk:
        form = self._check(form, timeout)
        check_kind("draft", draft, BulkDraft)
        deadline = self._engine.deadline(timeout)
        return await create(self._engine, draft, form, deadline, dry_run=dry_run)

    async def delete_bulk(self, bulk_id: UUID | str, *, timeout: float | None = None) -> None:
        """Delete a bulk for good. This cannot be undone.

        The bulk also disappears from the itemised bill, so that LOX24 accepts no complaint
        about it any more. Which states can be deleted is not documented; a delete is no
        cancel: stop a bulk with ``cancel_bulk``.

        Repeated after a lost answer; a 404 to such a repeat is taken for "done". A 404 to
        the first request is raised.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Raises:
            InvalidBulkIdError: before any request.
            NotFoundError: LOX24 does not know the bulk.
            Lox24Error: anything else; ``outcome_unknown``: it may have been deleted.

        Source: https://doc.lox24.eu/api/operations/api_bulks_delete_item/
        """
        bulk_id = check_bulk_id(bulk_id)
        self._check(None, timeout)
        await delete(self._engine, bulk_id, self._engine.deadline(timeout))

    # --- what every operation takes

    def _check(self, form: type[Any] | None, timeout: float | None) -> type[Any]:
        """Check what every call takes; return the form that is wanted."""
        if timeout is not None:
            check_number("timeout", timeout, least=-1e9)
        if form is None:
            return self._form
        check_form(form)
        return form
