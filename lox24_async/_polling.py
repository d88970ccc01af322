"""Watch a bulk until it is where one wants it."""

import random
from collections.abc import Callable
from typing import Final, TypeVar

from ._call import Call
from ._engine import Engine
from ._requests import status_request
from .errors import RequestTimeoutError
from .models import Bulk

BulkT = TypeVar("BulkT", bound=Bulk)

_GROWTH: Final = 1.5  # each interval to the one before
_LONGEST: Final = 30.0  # seconds; an interval grows no further
_JITTER: Final = 0.2  # of an interval, both ways: many who wait do not ask in step

INTERVAL: Final = 2.0
"""Seconds between the first two looks, unless one says otherwise."""


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
    longest = max(interval, _LONGEST)
    while True:
        bulk = await engine.perform(status_request(bulk_id, form), Call(bulk_id, deadline))
        if until(bulk):
            return bulk
        if not await engine.sleep(interval * random.uniform(1 - _JITTER, 1 + _JITTER), deadline):  # noqa: S311
            status = getattr(bulk.status_code, "name", bulk.status_code)
            raise RequestTimeoutError(
                f"the bulk was not there in time: last seen in status {status}", bulk_id=bulk_id
            )
        interval = min(interval * _GROWTH, longest)
