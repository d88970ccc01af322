"""The end of a client: what waits ends at once, what is in flight gets a grace time."""

from typing import Final

from lox24_async._guard.fleet import Fleet

from .queue import Slots, Waits
from .session import SessionManager

GRACE: Final = 5.0
"""Seconds that requests in flight get when the client is closed."""


async def close(waits: Waits, slots: Slots, session: SessionManager, fleet: Fleet | None) -> None:
    """End every wait, let what is in flight come to its end, then close the connections."""
    waits.close()
    try:
        await slots.drain(GRACE)
    finally:
        await session.close()
        if fleet is not None:
            await fleet.release()
