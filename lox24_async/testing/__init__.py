"""A local LOX24 gateway for tests and demos; it needs no account and no network."""

from ._faults import Fault
from ._gateway import FakeLox24, ReceivedRequest
from ._guard import forget_guard

__all__ = ["FakeLox24", "Fault", "ReceivedRequest", "forget_guard"]
