"""Keep stopping what meets a filter, for a producer that goes on creating."""

from typing import Any, Final

from lox24_async._log import log
from lox24_async._transport.engine import Engine
from lox24_async.errors import (
    ClientClosedError,
    Lox24Error,
    RequestTimeoutError,
    ResponseDecodeError,
)
from lox24_async.filters import BulkFilter, BulkOrder
from lox24_async.models import Bulk
from lox24_async.report import CancelFailedError, CancelState, MatchReport
from lox24_async.retry import is_retried

from .listing import BulkStream, list_bulks
from .matching import MatchBatch, Matches, Progress, only_cancelable
from .recording import Record

_NEWEST_FIRST: Final = BulkOrder("created_at", descending=True)
_TICK: Final = 1e-3  # seconds
_DONE_WITH: Final = (CancelState.CANCELED, CancelState.TOO_LATE, CancelState.NOT_FOUND)


class _News(Matches):
    """The ids that are still to be cancelled; what a late listing shows once more is not."""

    def __init__(self, bulks: BulkStream[Any], wanted: BulkFilter, report: MatchReport) -> None:
        super().__init__(bulks, wanted, report)
        self.found_new = False
        """Whether a bulk was found that the report did not know."""

    async def _next(self) -> Bulk:
        while True:
            bulk = await super()._next()
            if bulk.uuid not in self._report:
                self.found_new = True
                return bulk
            if self._report[bulk.uuid].state not in _DONE_WITH:
                return bulk


async def keep_canceling(
    engine: Engine,
    wanted: BulkFilter,
    form: type[Bulk],
    *,
    report: MatchReport,
    progress: Progress | None,
    width: int,
    interval: float,
    quiet: float | None,
    deadline: float | None,
    record: Record | None,
) -> None:
    """Cancel what meets a filter, and look again and again for more.

    Args:
        engine: Sends the requests.
        wanted: The filter.
        form: The form of the replies.
        report: Filled as results arrive.
        progress: Called with each outcome.
        width: How many cancels at a time.
        interval: Seconds from one look to the next.
        quiet: Ends it when nothing new met the filter for so many seconds.
        deadline: When it ends at the latest, in the loop's time.
        record: Writes the run down.

    Raises:
        CancelFailedError: the listing is refused for good, or did not work when the time was up.
    """
    search = only_cancelable(wanted)
    if search is None:  # nothing in these states can be cancelled
        return
    if record is not None:
        record.begin(None)
    complete = False
    try:
        keeper = _Keeper(
            engine,
            search,
            form,
            report=report,
            progress=progress,
            width=width,
            deadline=deadline,
            record=record,
        )
        await keeper.run(interval, quiet)
        complete = True
    finally:
        if record is not None:
            record.end(interrupted=not complete or engine.closed, counts=report.counts)


class _Keeper:
    def __init__(
        self,
        engine: Engine,
        search: BulkFilter,
        form: type[Bulk],
        *,
        report: MatchReport,
        progress: Progress | None,
        width: int,
        deadline: float | None,
        record: Record | None,
    ) -> None:
        self._engine = engine
        self._search = search
        self._form = form
        self._report = report
        self._progress = progress
        self._width = width
        self._deadline = deadline
        self._record = record
        self._news_at = engine.now()  # when something new was found, or we began
        self._has_looked = False  # whether a listing has come to its end
        self._trouble: Lox24Error | None = None  # why none has since

    async def run(self, interval: float, quiet: float | None) -> None:
        """Look until the time is up.

        Raises:
            CancelFailedError: see :func:`keep_canceling`.
        """
        await self._look_again_and_again(interval, quiet)
        if self._trouble is not None and not self._engine.closed:
            raise self._broken("the listing failed to the end", self._trouble)

    async def _look_again_and_again(self, interval: float, quiet: float | None) -> None:
        engine, deadline = self._engine, self._deadline
        while True:
            begun = engine.now()
            looked = await self._look()
            now = engine.now()
            if engine.closed or engine.time_left(deadline) <= 0:
                return
            wait = max(0.0, begun + interval - now)
            if quiet is not None and looked:
                left = self._news_at + quiet - now
                if left <= _TICK:  # a rest of a rounding would be waited for again and again
                    return
                wait = min(wait, left)
            try:
                if not await engine.sleep(wait, deadline):
                    return
            except ClientClosedError:
                return

    async def _look(self) -> bool:
        """Cancel what is there now; ``False``: the listing failed, for a while."""
        engine, deadline, report = self._engine, self._deadline, self._report
        listing = list_bulks(engine, self._search, _NEWEST_FIRST, self._form, lambda: deadline)
        found = _News(listing, self._search, report)
        batch = MatchBatch(
            engine,
            found,
            self._form,
            report=report,
            width=self._width,
            begin=lambda: deadline,
            record=self._record,
        )
        try:
            await batch.run(self._progress)
        except Lox24Error as error:
            if not found.broken:  # by ``progress``, say
                raise
            over = engine.closed or engine.time_left(deadline) <= 0
            if not over and not _may_pass(error):
                raise self._broken("the listing was refused", error) from error
            if not over:
                log.warning("looking for bulks: %s; again later", error)
            if not (over and isinstance(error, RequestTimeoutError)):
                self._trouble = error
            elif not self._has_looked:  # else its being cut by the end is no trouble
                self._trouble = self._trouble or error
            return False
        finally:
            await found.aclose()
            if found.found_new:
                self._news_at = engine.now()
        self._has_looked, self._trouble = True, None
        return True

    def _broken(self, how: str, cause: Lox24Error) -> CancelFailedError:
        report = self._report
        error = CancelFailedError(
            f"{how}: {report!r}",
            report=report,
            outcome_unknown=bool(report.counts[CancelState.UNKNOWN]),
        )
        error.__cause__ = cause
        return error


def _may_pass(error: Lox24Error) -> bool:
    """Whether a listing that failed so may work later: an outage, a block."""
    return is_retried(error) or isinstance(error, ResponseDecodeError)
