"""A local LOX24 gateway for tests and demos; it needs no account and no network."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._fake import FakeLox24
    from ._faults import Fault
    from ._isolation import forget_guard
    from ._server import ReceivedRequest

__all__ = ["FakeLox24", "Fault", "ReceivedRequest", "forget_guard"]

_HOMES: Final = {
    "FakeLox24": "_fake",
    "Fault": "_faults",
    "ReceivedRequest": "_server",
    "forget_guard": "_isolation",
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
