"""``--keep-trying``: an outage ends no run; what failed in it is cancelled when it is over."""

from typing import TYPE_CHECKING, Final

import lox24_async as lox
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.telling.outcomes import is_unreachable
from lox24_async.cli.telling.sentences import code_of

if TYPE_CHECKING:
    from .job import Job

_PAUSE: Final = 5.0  # seconds between two looks at whether LOX24 answers


def is_outage(error: lox.Lox24Error) -> bool:
    """Whether an error says that LOX24 cannot be reached, or fails."""
    return code_of(error) is ExitCode.UNREACHABLE


async def outlast(job: "Job") -> bool:
    """Wait until LOX24 answers; return whether that took a wait."""
    client, progress = job.session.client, job.progress
    waited = False
    while not progress.stopped.is_set():
        try:
            await client.list_bulks_page(1)
        except lox.Lox24Error as error:
            if not is_outage(error):
                break
            waited = True
            progress.phase = "waiting until LOX24 answers"
            await progress.sleep(_PAUSE)
        else:
            break
    return waited


async def cancel_what_failed(job: "Job") -> None:
    """Cancel again what failed in an outage, until an outage is no longer the reason.

    A bulk that fails again although LOX24 answers is left as it is.
    """
    failed = _failed(job)
    while failed:
        waited = await outlast(job)
        if job.progress.stopped.is_set():
            return
        job.progress.phase = "cancelling again"
        await job.cancel(failed)
        before, failed = len(failed), _failed(job)
        if len(failed) == before and not waited:
            return


def _failed(job: "Job") -> list[str]:
    accepted = lox.CancelState.ACCEPTED
    outcomes = map(job.report.__getitem__, job.report.unfinished())
    return [o.bulk_id for o in outcomes if o.state is not accepted and is_unreachable(o)]
