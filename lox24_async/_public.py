"""Public names live in the package: no pickle, traceback or type hint names a file of ours."""

import sys
from typing import TypeVar

T = TypeVar("T")


def public(named: T) -> T:
    """Let a class or a function say that it lives in the package."""
    named.__module__ = __name__.partition(".")[0]
    return named


def version() -> str:
    """Return the package's version."""
    said: str = sys.modules[__name__.partition(".")[0]].__version__
    return said
