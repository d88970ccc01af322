"""What users' tests need beside the gateway: aioresponses made to work, and a quick policy."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import Mock, patch

import aiohttp

from lox24_async import RetryPolicy

from ._public import public

if TYPE_CHECKING:
    from aioresponses import aioresponses

QUICK: Final = RetryPolicy(initial_delay=0.01, max_delay=0.05, max_wait=0.5)
"""A policy for tests: as many attempts as the default, with pauses that nobody has to wait for.

A request to a URL that is not mocked, or to a gateway that is not there, fails in well under a
second.
"""


@public
@contextmanager
def mock_aiohttp(**options: Any) -> "Generator[aioresponses]":
    """Run with aioresponses in place of the network, whatever the version of aiohttp.

    aioresponses 0.7.9 does not know an argument that aiohttp 3.14 wants; it is supplied here.
    What the guard learns from a mock stays in this process.

    A URL that is not mocked is a failure to connect, which the client repeats: hand it
    ``QUICK``, and assert the number of calls.

    Args:
        options: Those of ``aioresponses``, as ``passthrough=["http://127.0.0.1"]``.

    Returns:
        A context manager that gives the mock.

    Raises:
        ModuleNotFoundError: aioresponses is not installed.
    """
    from aioresponses import aioresponses, core  # noqa: PLC0415  only who uses it has it

    with patch.object(core, "ClientResponse", _ClientResponse), aioresponses(**options) as mock:
        yield mock


class _ClientResponse(aiohttp.ClientResponse):
    """A response that supplies what its base wants and aioresponses does not give."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **_MISSING | options)


_MISSING: Final[dict[str, Any]] = (
    {"stream_writer": Mock(output_size=0)}
    if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters
    else {}
)
