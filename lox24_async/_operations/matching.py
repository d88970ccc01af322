"""The cancel of whatever meets a filter and can still be cancelled."""

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Self

from attrs import evolve

from lox24_async._log import log
from lox24_async._transport.engine import Engine
from lox24_async.errors import Lox24Error
from lox24_async.filters import BulkFilter, BulkOrder
from lox24_async.models import CANCELABLE, Bulk, urgency
from lox24_async.report import (
    CancelFailedError,
    CancelOutcome,
    CancelState,
    MatchReport,
    count_found,
    note,
)

from .batch import CancelBatch
from .listing import BulkStream, list_bulks
from .recording import Record

Progress = Callable[[CancelOutcome], object]
Confirm = Callable[[MatchReport], Awaitable[bool]]


async def cancel_matching(
    engine: Engine,
    wanted: BulkFilter,
    form: type[Bulk],
    *,
    dry_run: bool,
    order: BulkOrder | None,
    confirm: Confirm | None,
    report: MatchReport,
    progress: Progress | None,
    width: int,
    deadline: float | None,
    record: Record | None,
) -> None:
    """Cancel what meets a filter, as it is found; with ``dry_run`` only write it down.

    Args:
        engine: Sends the requests.
        wanted: The filter.
        form: The form of the replies.
        dry_run: Whether nothing is cancelled.
        order: Of the listing.
        confirm: Asked once, after the first pass over the listing.
        report: Filled as results arrive.
        progress: Called with each outcome, and with what is found before it is confirmed.
        width: How many cancels at a time.
        deadline: In the loop's time.
        record: Writes the run down.

    Raises:
        CancelFailedError: the listing broke off.
    """
    search = only_cancelable(wanted)
    if search is None:  # nothing in these states can be cancelled
        return

    def listing() -> BulkStream[Any]:
        return list_bulks(engine, search, order, form, lambda: deadline)

    bulks = listing()
    found = Matches(bulks, search, report)
    ids = found if confirm is None else _Confirmed(found, bulks)
    batch = MatchBatch(
        engine, ids, form, report=report, width=width, begin=lambda: deadline, record=record
    )
    try:
        if dry_run:
            await found.only_look(progress)
            return
        if isinstance(ids, _Confirmed) and confirm is not None:
            await ids.look(progress)
            if not await confirm(report):
                ids.raise_if_broken()
                return
            await found.begin_again(listing())  # minutes may have passed
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


class MatchBatch(CancelBatch):
    """Cancels what a listing finds; a listing that ends too early says so itself."""

    source_ends = True


def only_cancelable(wanted: BulkFilter) -> BulkFilter | None:
    """Narrow a filter to what can be cancelled; ``None``: that is nothing."""
    codes = [code for code in CANCELABLE if not wanted.status_codes or code in wanted.status_codes]
    return evolve(wanted, status_codes=codes) if codes else None


class Matches:
    """The ids of the bulks in a listing that meet a filter, counted as they go by.

    Args:
        bulks: The listing.
        wanted: The filter that it was made with.
        report: Counts.
    """

    def __init__(self, bulks: BulkStream[Any], wanted: BulkFilter, report: MatchReport) -> None:
        self._bulks = bulks
        self._wanted = wanted
        self._report = report
        self._page: deque[Bulk] = deque()
        self._unfit: set[int] = set()
        self.broken = False
        """Whether the listing failed."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        return str((await self._next()).uuid)

    async def only_look(self, progress: Progress | None) -> None:
        """Write each bulk down as one that was found and not sent."""
        try:
            async for bulk in self._bulks:
                if self.take(bulk):
                    self.write_down(bulk, progress)
        except Lox24Error:
            self.broken = True
            raise

    def write_down(self, bulk: Bulk, progress: Progress | None) -> None:
        """Write a bulk down as one that was found and not sent."""
        outcome = CancelOutcome(str(bulk.uuid), CancelState.NOT_SENT, bulk)
        note(self._report, outcome.bulk_id, outcome)
        if progress is not None:
            progress(outcome)

    async def next_bulk(self) -> Bulk:
        """Return the next bulk that meets the filter."""
        return await self._next()

    async def _next(self) -> Bulk:
        while True:
            while not self._page:
                try:
                    page = await self._bulks.next_page()
                except Lox24Error:
                    self.broken = True
                    raise
                self._page = deque(sorted(filter(self.take, page), key=urgency))
            return self._page.popleft()

    def take(self, found: Bulk) -> bool:
        """Count a bulk that was listed; return whether it meets the filter."""
        if self._wanted.matches(found):
            if found.uuid not in self._report:  # of a dry run, say
                count_found(self._report, found)
            return True
        if found.uuid.int in self._unfit:  # in an earlier listing
            return False
        self._unfit.add(found.uuid.int)
        self._report.skipped += 1
        log.warning("bulk %s: listed although it does not meet the filter", found.uuid)
        return False

    async def begin_again(self, bulks: BulkStream[Any]) -> None:
        """Read another listing, from its first page, in the place of this one."""
        await self._bulks.aclose()
        self._bulks = bulks
        self._page.clear()

    async def aclose(self) -> None:
        """Stop the listing."""
        await self._bulks.aclose()


class _Confirmed:
    """The ids of what somebody was shown; and then of what had slipped through.

    Args:
        found: The listing, held against the filter.
        bulks: The listing.
    """

    def __init__(self, found: Matches, bulks: BulkStream[Any]) -> None:
        self._found = found
        self._bulks = bulks
        self._shown: deque[Bulk] = deque()
        self._newest: datetime | None = None
        self._error: Lox24Error | None = None

    async def look(self, progress: Progress | None) -> None:
        """Read the listing once; an error of it is kept for later."""
        try:
            async for bulk in self._bulks.first_pass():
                if self._found.take(bulk):
                    self._shown.append(bulk)
                    self._found.write_down(bulk, progress)
        except Lox24Error as error:
            self._error = error
        self._newest = max((b.created_at for b in self._shown if b.created_at), default=None)
        self._shown = deque(sorted(self._shown, key=urgency))

    def raise_if_broken(self) -> None:
        """Raise what broke the listing, if anything did."""
        if self._error is not None:
            self._found.broken = True
            raise self._error

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._shown:
            return str(self._shown.popleft().uuid)
        self.raise_if_broken()
        while True:
            bulk = await self._found.next_bulk()
            # What was created since was shown to nobody. LOX24 tells whole seconds: one of the
            # newest one's own second may be of either side.
            if bulk.created_at and self._newest and bulk.created_at < self._newest:
                return str(bulk.uuid)
