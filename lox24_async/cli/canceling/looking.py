"""The second phase of a job: looks at what is accepted or unknown."""

import asyncio
from typing import TYPE_CHECKING, Final

import lox24_async as lox

if TYPE_CHECKING:
    from .job import Job

_SETTLING: Final = 1.0  # seconds that LOX24 gets before a second look
_PATIENCE: Final = 600.0  # seconds that --wait waits
_FIRST: Final = 2.0  # seconds between its first two looks; later ones come less often
_GROWTH: Final = 1.5
_LONGEST: Final = 30.0


async def look_again(job: "Job") -> None:
    """Look once more at what is in doubt, after a moment."""
    if job.report.unresolved() and not job.progress.stopped.is_set():
        job.progress.phase = "looking again in a moment"
        await job.progress.sleep(_SETTLING)
        await look(job)


async def wait_until_stopped(job: "Job", patience: float | None = None) -> None:
    """Look until every bulk whose cancel was accepted is in a final state."""
    clock = asyncio.get_running_loop().time
    end, pause = clock() + (_PATIENCE if patience is None else patience), _FIRST
    while accepted := job.report.counts[lox.CancelState.ACCEPTED]:
        left = end - clock()
        if job.progress.stopped.is_set() or left <= 0:
            return
        job.progress.phase = f"waiting for {accepted:,} to stop"
        await job.progress.sleep(min(pause, left))
        await look(job)
        pause = min(pause * _GROWTH, _LONGEST)


async def look(job: "Job") -> None:
    """Look at all that is in doubt; never cancel."""
    report, progress = job.report, job.progress
    if progress.stopped.is_set():
        return
    before = {bulk_id: report[bulk_id].state for bulk_id in report.unresolved()}
    if not before:
        return
    progress.begin_looks(len(before))

    def take(outcome: "lox.CancelOutcome") -> None:
        progress.count_look()
        job.take_look(outcome, before[outcome.bulk_id])

    await job.with_journal(
        lambda journal: job.session.client.resolve(report, progress=take, journal=journal)
    )
    progress.end_looks()
