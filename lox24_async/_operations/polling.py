"""Watch a bulk until it is where one wants it."""

import random
from collections.abc import Callable
from typing import Final

from lox24_async._transport.call import Call
from lox24_async._transport.engine import Engine
from lox24_async._wire.requests import status_request
from lox24_async.errors import RequestTimeoutError
from lox24_async.models import Bulk, BulkT

_GROWTH: Final = 1.5  # each interval to the one before
_LONGEST: Final = 30.0  # seconds; an interval grows no further
LAST_LOOK: Final = 1.0
"""Seconds before the deadline: what happened until then shall be seen."""
JITTER: Final = 0.2
"""Of an interval, both ways: many who wait do not ask in step."""
INTERVAL: Final = 2.0
"""Seconds between the first two looks, unless one says otherwise."""


def longest(interval: float) -> float:
    """Return what intervals that begin so grow to, in seconds."""
    return max(interval, _LONGEST)


def longer(interval: float, most: float) -> float:
    """Return the interval that follows one."""
    return min(interval * _GROWTH, most)


def is_final(bulk: Bulk) -> bool:
    """Whether nothing more will happen to the bulk."""
    return bulk.is_final


async def poll(
    engine: Engine,
    bulk_id: str,
    form: type[BulkT],
    until: Callable[[BulkT], object],
    *,
    interval: float = INTERVAL,
    deadline: float | None,
) -> BulkT:
    """Look at a bulk's status again and again.

    Args:
        engine: Sends the looks, through the guard.
        bulk_id: Checked.
        form: The form of the replies.
        until: Says whether this is what one waits for.
        interval: Seconds before the second look; later ones come less and less often.
        deadline: In the loop's time.

    Raises:
        RequestTimeoutError: the time was over before.
        Lox24Error: a look failed for good.
    """
    most = longest(interval)
    seen: BulkT | None = None
    while True:
        try:
            bulk = await engine.perform(status_request(bulk_id, form), Call(bulk_id, deadline))
        except RequestTimeoutError as error:
            if seen is None:
                raise
            raise _timeout(error.message, seen, bulk_id, error.attempts) from None
        if until(bulk):
            return bulk
        wait = interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        left = engine.time_left(deadline)
        if LAST_LOOK < left <= wait:
            wait = left - LAST_LOOK
        if not await engine.sleep(wait, deadline):
            raise _timeout("the bulk was not there in time", bulk, bulk_id)
        seen, interval = bulk, longer(interval, most)


def _timeout(problem: str, seen: Bulk, bulk_id: str, attempts: int = 0) -> RequestTimeoutError:
    status = getattr(seen.status_code, "name", seen.status_code)
    message = f"{problem}: last seen in status {status}"
    return RequestTimeoutError(message, bulk_id=bulk_id, attempts=attempts)
