"""Where a guard's record is kept, and the gates of this process that look at it."""

import hashlib
import os
import threading
from collections.abc import Callable
from typing import Final, Protocol, TypeVar
from weakref import WeakKeyDictionary

from .gates import OriginGate, TokenGate
from .record import Record

T = TypeVar("T")


class Store(Protocol):
    """Keeps the record of one origin."""

    shared: bool
    """Whether other processes change the record as well."""

    def word(self) -> int:
        """Return a number that changes whenever the record does. Costs next to nothing."""
        ...

    def read(self, now: float) -> Record:
        """Return the record as it is now."""
        ...

    def update(self, now: float, change: Callable[[Record], T]) -> tuple[T, Record]:
        """Change the record while nobody else does. Never fails.

        Args:
            now: Seconds of the store's clock.
            change: Changes the record that it is handed.

        Returns:
            What ``change`` returned, and the record as it is now.
        """
        ...

    def digest(self, token: str) -> str:
        """Return what a token is called in the record: it cannot be found out from that."""
        ...


class MemoryStore:
    """Keeps the record in memory: for the clients of this process."""

    shared = False

    def __init__(self) -> None:
        self._record = Record()
        self._salt = os.urandom(16)

    def word(self) -> int:
        """Return the same number always: the record that was read is the one that is changed."""
        return 0

    def read(self, now: float) -> Record:
        """Return the record."""
        return self._record

    def update(self, now: float, change: Callable[[Record], T]) -> tuple[T, Record]:
        """Change the record; the caller holds the origin's lock."""
        return change(self._record), self._record

    def digest(self, token: str) -> str:
        """Return a keyed hash; the key is this store's own."""
        return digest(token, self._salt)


def digest(token: str, salt: bytes) -> str:
    """Return a token's keyed hash."""
    return hashlib.blake2b(token.encode(), key=salt, digest_size=16).hexdigest()


# --- the gates of this process

_MANY: Final = 1_000  # tokens of one origin before the idle ones are forgotten


class _ProcessClock:
    """Stands for the clock that all ordinary event loops share."""


PROCESS_CLOCK: Final = _ProcessClock()
_lock = threading.RLock()
_gates: WeakKeyDictionary[object, dict[tuple[str, str], OriginGate]] = WeakKeyDictionary()


def gates_for(
    origin: str,
    token: str,
    now: float,
    *,
    clock: object = PROCESS_CLOCK,
    place: str = "",
    make_store: Callable[[], Store] = MemoryStore,
) -> tuple[OriginGate, TokenGate]:
    """Return the gates that all clients of this process share for an origin and a token.

    Args:
        origin: Scheme, host and port.
        token: The token; only a keyed hash of it is kept.
        now: Seconds of the clock.
        clock: The owner of the clock, if its seconds are not the process's.
        place: Where the record is kept; "": in this process.
        make_store: Makes the store, if no client has used it yet.
    """
    with _lock:
        gates = _gates.setdefault(clock, {})
        gate = gates.get((origin, place))
        if gate is None:
            gate = gates[origin, place] = OriginGate(make_store())
    with gate.lock:
        if len(gate.tokens) >= _MANY:
            record = gate.store.read(now)
            gate.tokens = {d: t for d, t in gate.tokens.items() if t.is_needed(record, now)}
        name = gate.store.digest(token)
        return gate, gate.tokens.setdefault(name, TokenGate(name))


def forget(origin: str | None = None) -> None:
    """Forget what this process has learnt about one origin, or about all: for tests."""
    with _lock:
        for gates in _gates.values():
            for key in [key for key in gates if origin in (None, key[0])]:
                del gates[key]


def _forget_after_fork() -> None:  # pragma: no cover - in a forked child, not measured
    # The child has other threads and loops; a lock or a waiter of the parent is dead here.
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()
    _gates.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_forget_after_fork)
