"""The cancel of whatever meets a filter and can still be cancelled."""

from collections.abc import Callable
from typing import Any, Self

from attrs import evolve

from lox24_async._log import log
from lox24_async._transport.engine import Engine
from lox24_async.errors import Lox24Error
from lox24_async.filters import BulkFilter
from lox24_async.models import CANCELABLE, Bulk
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


async def cancel_matching(
    engine: Engine,
    wanted: BulkFilter,
    form: type[Bulk],
    *,
    dry_run: bool,
    report: MatchReport,
    progress: Progress | None,
    width: int,
    deadline: float | None,
    record: Record | None,
) -> None:
    """Cancel what meets a filter, as it is found; with ``dry_run`` only write it down.

    Raises:
        CancelFailedError: the listing broke off.
    """
    search = only_cancelable(wanted)
    if search is None:  # nothing in these states can be cancelled
        return
    found = Matches(list_bulks(engine, search, None, form, lambda: deadline), search, report)
    batch = MatchBatch(
        engine, found, form, report=report, width=width, begin=lambda: deadline, record=record
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
        self.broken = False
        """Whether the listing failed."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        return str((await self._next()).uuid)

    async def only_look(self, progress: Progress | None) -> None:
        """Write each bulk down as one that was found and not sent."""
        try:
            while True:
                bulk = await self._next()
                outcome = CancelOutcome(str(bulk.uuid), CancelState.NOT_SENT, bulk)
                note(self._report, outcome.bulk_id, outcome)
                if progress is not None:
                    progress(outcome)
        except StopAsyncIteration:
            return

    async def _next(self) -> Bulk:
        while True:
            try:
                found: Bulk = await anext(self._bulks)
            except Lox24Error:
                self.broken = True
                raise
            if self._wanted.matches(found):
                if found.uuid not in self._report:  # of a dry run, say
                    count_found(self._report, found)
                return found
            self._report.skipped += 1
            log.warning("bulk %s: listed although it does not meet the filter", found.uuid)

    async def aclose(self) -> None:
        """Stop the listing."""
        await self._bulks.aclose()
