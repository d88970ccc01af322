"""What the guard has learnt, for tests to forget: all that is known here of the core's inside."""

import sys

from ._public import public


@public
def forget_guard(url: str | None = None) -> None:
    """Forget what this process has learnt of tokens and services.

    The guard remembers for a minute that a token was refused, for every client of the
    process. A test that follows must not inherit that. The pytest plugin that comes with
    lox24_async calls this before each test; call it yourself in other frameworks.

    Args:
        url: The base URL to forget; ``None``: all. Clients in use keep what they know.
    """
    if "lox24_async._guard.stores" not in sys.modules:  # nobody was taught anything
        return
    from lox24_async._guard import stores  # noqa: PLC0415

    stores.forget(url)
