"""Which gates a client goes by: those of its process, or of all who share a record."""

import asyncio
import time

from lox24_async.guards import Guards, HostGuard, ProcessGuard

from .gates import OriginGate, TokenGate
from .host import HostStore, default_directory
from .stores import PROCESS_CLOCK, gates_for


def gates_of(
    guard: Guards, origin: str, token: str, loop: asyncio.AbstractEventLoop
) -> tuple[OriginGate, TokenGate]:
    """Return the gates for an origin and a token that a guard shares.

    Args:
        guard: Who shares them.
        origin: Scheme, host and port.
        token: The token.
        loop: The event loop that the client belongs to.
    """
    now = loop.time()
    if abs(now - time.monotonic()) >= 1:
        # A loop with a clock of its own (a test's, say) cannot share moments with others.
        return gates_for(origin, token, now, clock=loop)
    if isinstance(guard, ProcessGuard):
        return gates_for(origin, token, now)
    path = guard.path if isinstance(guard, HostGuard) else None
    directory = default_directory() if path is None else path.absolute()
    return gates_for(
        origin,
        token,
        now,
        clock=PROCESS_CLOCK,
        place=str(directory),
        make_store=lambda: HostStore(directory, origin),
    )
