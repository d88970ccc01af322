"""The operations that stop bulks: one, many, or whatever meets a filter."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, overload
from uuid import UUID

from ._call import Call
from ._config import check_kind
from ._fanout import Fanout
from ._ids import check_bulk_id
from ._operations import BulkT, FormT, Operations
from ._polling import is_final, poll
from ._requests import cancel_request, status_request
from .batch import CancelBatch, Ids, LookBatch
from .errors import (
    BadRequestError,
    ConflictError,
    Lox24Error,
    NotCancelableError,
    UnprocessableError,
)
from .models import Bulk
from .report import CancelFailedError, CancelOutcome, CancelReport, CancelState

if TYPE_CHECKING:
    from .matching import MatchReport
    from .queries import BulkFilter

_REFUSALS = (BadRequestError, ConflictError, UnprocessableError)


class Cancels(Operations[FormT]):
    """Chapter: stop bulks."""

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
        form: type[Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
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
        call = Call(bulk_id, self._engine.deadline(timeout))
        bulk = await self._cancel(call, form)
        if not wait or bulk.is_final:
            return bulk
        try:
            return await poll(self._engine, bulk_id, form, is_final, deadline=call.deadline)
        except Lox24Error as error:
            call.fate_unknown = True  # accepted, and not seen cancelled
            call.stamp(error)  # the cancel's attempts, not the look's
            raise

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
            An async iterator of ``CancelOutcome``, with ``aclose()``. One that broke off (a
            step was cancelled, the source failed) says so at each further step with a
            ``RuntimeError``: it never looks complete.

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
            begin=lambda: self._engine.deadline(timeout),
        )

    async def cancel_matching(
        self,
        filter: "BulkFilter",  # noqa: A002
        *,
        dry_run: bool = False,
        report: "MatchReport | None" = None,
        progress: Callable[[CancelOutcome], object] | None = None,
        form: type[Bulk] | None = None,
        timeout: float | None = None,
    ) -> "MatchReport":
        """Cancel whatever meets a filter and can still be cancelled, as it is found.

        Lists the bulks in status 0 and 5 within the filter. Each is held against the filter
        once more before it is cancelled, for how LOX24 reads some filters is inferred.

        Args:
            filter: Which bulks; ``BulkFilter()`` means all of them.
            dry_run: Only list: every bulk that would be cancelled is NOT_SENT, with its
                ``bulk``.
            report: Filled as results arrive.
            progress: Called with each outcome.
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
        from ._walks import walk  # noqa: PLC0415
        from .matching import Matches, MatchReport, only_cancelable  # noqa: PLC0415
        from .queries import BulkFilter  # noqa: PLC0415

        check_kind("filter", filter, BulkFilter)
        wanted = self._check(form, timeout)
        report = MatchReport() if report is None else report
        check_kind("report", report, MatchReport)
        self._engine.check_open()
        deadline = self._engine.deadline(timeout)
        search = only_cancelable(filter)
        if search is None:  # nothing in these states can be cancelled
            return report
        listing = walk(self._engine, search, None, wanted, lambda: deadline)
        found = Matches(listing, search, report)
        batch = CancelBatch(
            lambda call: self._cancel(call, wanted),
            found,
            report=report,
            width=self._width,
            begin=lambda: deadline,
        )
        try:
            if dry_run:
                await found.only_look(progress)
            else:
                await batch.run(progress)
        except Lox24Error as error:
            if not found.broken:  # by ``progress``, say
                raise
            raise CancelFailedError(
                f"the listing broke off after {report.bulks} bulks: {report!r}",
                report=report,
                outcome_unknown=bool(report.counts[CancelState.UNKNOWN]),
            ) from error
        finally:
            await found.aclose()
        return report

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

        batch = LookBatch(
            look,
            ids,
            report=report,
            width=self._width,
            begin=lambda: self._engine.deadline(timeout),
        )
        await batch.run(progress)
        return report
