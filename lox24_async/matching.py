"""What meets a filter and can still be cancelled, and what stopping it would save."""

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Self

from attrs import evolve

from ._paging import BulkStream
from ._public import public
from .errors import Lox24Error
from .models import Bulk, BulkStatus
from .queries import BulkFilter
from .report import CancelOutcome, CancelReport, CancelState

log = logging.getLogger("lox24_async")

_CANCELABLE = (BulkStatus.NEW, BulkStatus.IN_PROGRESS)


@public
class MatchReport(CancelReport):
    """What a filter found, and what became of each bulk.

    Counts what was found so far: with ``dry_run`` what would be stopped, else what was
    tried. Of a bulk in progress some messages may be sent already: messages and cost are
    upper bounds of what is saved.

    Attributes:
        bulks: The bulks found.
        messages: Their messages, as far as LOX24 said.
        cost: Their price, as far as LOX24 said; ``None``: it said none. The currency is the
            account's; that ``price`` is the field's name is inferred.
        uncounted: Bulks without a number of messages.
        unpriced: Bulks without a price.
        skipped: Bulks that LOX24 listed although they do not meet the filter, or can no
            longer be cancelled. They were left alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bulks = 0
        self.messages = 0
        self.cost: Decimal | None = None
        self.uncounted = 0
        self.unpriced = 0
        self.skipped = 0

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | super().__getstate__()

    def count(self, bulk: Bulk) -> None:
        """Count one more bulk that was found."""
        self.bulks += 1
        if bulk.msg_total_count is None:
            self.uncounted += 1
        else:
            self.messages += bulk.msg_total_count
        if bulk.price is None:
            self.unpriced += 1
        else:
            self.cost = bulk.price + (self.cost or 0)


def only_cancelable(wanted: BulkFilter) -> BulkFilter | None:
    """Narrow a filter to what can be cancelled; ``None``: that is nothing."""
    codes = [code for code in _CANCELABLE if not wanted.status_codes or code in wanted.status_codes]
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

    async def only_look(self, progress: Callable[[CancelOutcome], object] | None) -> None:
        """Write each bulk down as one that was found and not sent."""
        try:
            while True:
                bulk = await self._next()
                outcome = CancelOutcome(str(bulk.uuid), CancelState.NOT_SENT, bulk)
                self._report.note(outcome.bulk_id, outcome)
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
                    self._report.count(found)
                return found
            self._report.skipped += 1
            log.warning("bulk %s: listed although it does not meet the filter", found.uuid)

    async def aclose(self) -> None:
        """Stop the listing."""
        await self._bulks.aclose()
