"""A local LOX24 gateway for tests and demos; it needs no account and no network."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._fake import FakeLox24
    from ._faults import Fault
    from ._intermediary import (
        ConnectionLimit,
        IngressNotFound,
        Intermediary,
        LoadBalancerPage,
        RateLimit,
        StatusAnswer,
    )
    from ._isolation import forget_guard
    from ._mocks import QUICK, mock_aiohttp
    from ._server import ReceivedRequest

__all__ = [
    "QUICK",
    "ConnectionLimit",
    "FakeLox24",
    "Fault",
    "IngressNotFound",
    "Intermediary",
    "LoadBalancerPage",
    "RateLimit",
    "ReceivedRequest",
    "StatusAnswer",
    "forget_guard",
    "mock_aiohttp",
]

_HOMES: Final = {
    "ConnectionLimit": "_intermediary",
    "FakeLox24": "_fake",
    "Fault": "_faults",
    "IngressNotFound": "_intermediary",
    "Intermediary": "_intermediary",
    "LoadBalancerPage": "_intermediary",
    "QUICK": "_mocks",
    "RateLimit": "_intermediary",
    "ReceivedRequest": "_server",
    "StatusAnswer": "_intermediary",
    "forget_guard": "_isolation",
    "mock_aiohttp": "_mocks",
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
