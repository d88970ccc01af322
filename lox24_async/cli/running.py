"""A run under a display, which Ctrl-C, a closed terminal or a ``kill`` ends in good order."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

from lox24_async import Lox24Client

from .connect import LAST_WORDS, hang_up_like_ctrl_c
from .progress import Display, listening
from .tally import Tally


def carry_out(
    client: Lox24Client,
    work: Coroutine[None, None, None],
    tally: Tally,
    display: Display,
    *,
    debug: bool,
    grace: bool = True,
) -> bool:
    """Work in a loop of its own until that is done, interrupted or in vain.

    Args:
        client: What the work uses; closed afterwards.
        work: Keeps its results where they are safe, whenever it is cancelled.
        tally: Gets to know when the run stops; says when it is in vain.
        display: Shown meanwhile.
        debug: Whether to show the whole log.
        grace: Whether, after an interruption, the answer to what is in flight matters.

    Returns:
        Whether it was interrupted.
    """
    with listening(tally, display, debug=debug):
        try:
            return asyncio.run(_carry_out(client, work, tally, display, grace=grace))
        except (KeyboardInterrupt, asyncio.CancelledError):  # a second Ctrl-C
            return True
        finally:
            work.close()  # if the loop never came to it


async def _carry_out(
    client: Lox24Client,
    work: Coroutine[None, None, None],
    tally: Tally,
    display: Display,
    *,
    grace: bool,
) -> bool:
    hang_up_like_ctrl_c()
    show = asyncio.create_task(display.run())
    job = asyncio.create_task(work)
    in_vain = asyncio.create_task(tally.in_vain.wait())
    interrupted = False
    try:
        await asyncio.wait({job, in_vain}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        interrupted = True
        if grace:
            tally.stop()
        else:
            job.cancel()
            await asyncio.wait({job})
    try:
        # Who waits goes home at once; what is in flight gets a grace time to come back.
        await client.close()
        await asyncio.wait({job}, timeout=LAST_WORDS)
    finally:
        for task in (job, in_vain, show):
            task.cancel()
        await asyncio.wait({job, in_vain, show})
    if not show.cancelled():
        show.exception()  # read and let go: a terminal that has gone costs nobody the result
    if not job.cancelled():
        job.result()
    return interrupted


async def nap(tally: Tally, seconds: float) -> None:
    """Sleep, but not on when the run is being stopped."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await tally.halt.wait()
