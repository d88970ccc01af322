"""The gates that all clients of this process share, by origin, and by origin and token."""

import hashlib
import os
import threading
from typing import Final
from weakref import WeakKeyDictionary

from .gates import OriginGate, TokenGate

_MANY: Final = 1_000  # tokens of one origin before the idle ones are forgotten
_pepper: Final = os.urandom(16)
_lock = threading.RLock()


class _ProcessClock:
    """Stands for the clock that all ordinary event loops share."""


PROCESS_CLOCK: Final = _ProcessClock()
_facts: WeakKeyDictionary[object, dict[str, OriginGate]] = WeakKeyDictionary()


def facts_for(
    origin: str, token: str, now: float, clock: object = PROCESS_CLOCK
) -> tuple[OriginGate, TokenGate]:
    """Return the gates that all clients of this process share for an origin and a token.

    Args:
        origin: Scheme, host and port.
        token: The token; only a keyed hash of it is kept.
        now: Seconds of the clock.
        clock: The owner of the clock, if its seconds are not the process's.
    """
    key = hashlib.blake2b(token.encode(), key=_pepper, digest_size=16).digest()
    with _lock:
        gate = _facts.setdefault(clock, {}).setdefault(origin, OriginGate())
    with gate.lock:
        if len(gate.tokens) >= _MANY:
            gate.tokens = {k: t for k, t in gate.tokens.items() if t.is_needed(now)}
        return gate, gate.tokens.setdefault(key, TokenGate())


def forget(origin: str | None = None) -> None:
    """Forget the facts about one origin, or all: for tests."""
    with _lock:
        for gates in _facts.values():
            for name in [name for name in gates if origin in (None, name)]:
                del gates[name]


def _forget_after_fork() -> None:
    # The child has other threads and loops; a lock or a waiter of the parent is dead here.
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()
    _facts.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
