"""Look again and again at what is not settled yet; never cancel."""

import random
from collections.abc import Sequence

from lox24_async._transport.engine import Engine
from lox24_async.errors import ClientClosedError
from lox24_async.models import Bulk
from lox24_async.report import CancelOutcome, CancelReport

from .batch import LookBatch
from .matching import Progress
from .polling import JITTER, LAST_LOOK, longer, longest
from .recording import Record


async def settle(
    engine: Engine,
    report: CancelReport,
    form: type[Bulk],
    *,
    width: int,
    interval: float,
    deadline: float | None,
    progress: Progress | None,
    record: Record | None,
) -> None:
    """Look at growing intervals until nothing in a report is ACCEPTED or UNKNOWN.

    Args:
        engine: Sends the looks, through the guard.
        report: Is brought up to date.
        form: The form of the replies.
        width: How many looks at a time.
        interval: Seconds before the second look; later ones come less and less often.
        deadline: In the loop's time.
        progress: Called with each outcome that has another state than before.
        record: Writes the looks down.
    """
    most = longest(interval)
    while ids := report.unresolved():
        batch = LookBatch(
            engine, ids, form, report=report, width=width, begin=lambda: deadline, record=record
        )
        await batch.run(None if progress is None else _of_changes(progress, report, ids))
        if not report.unresolved() or engine.closed:
            return
        wait = interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        left = engine.time_left(deadline)
        if LAST_LOOK < left <= wait:
            wait = left - LAST_LOOK
        try:
            if not await engine.sleep(wait, deadline):
                return
        except ClientClosedError:
            return
        interval = longer(interval, most)


def _of_changes(progress: Progress, report: CancelReport, ids: Sequence[str]) -> Progress:
    """Return what tells only those outcomes whose state is another than now."""
    before = {bulk_id: report[bulk_id].state for bulk_id in ids}

    def tell(outcome: CancelOutcome) -> None:
        if outcome.state is not before[outcome.bulk_id]:
            progress(outcome)

    return tell
