"""A local LOX24 gateway for tests and demos; it needs no account and no network."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._faults import Fault
    from ._gateway import FakeLox24, ReceivedRequest
    from ._guard import forget_guard

__all__ = ["FakeLox24", "Fault", "ReceivedRequest", "forget_guard"]

_HOMES: Final = {
    "FakeLox24": "_gateway",
    "Fault": "_faults",
    "ReceivedRequest": "_gateway",
    "forget_guard": "_guard",
}


def __getattr__(name: str) -> Any:
    # On first use: pytest imports the plugin beside this in every project of an environment.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
