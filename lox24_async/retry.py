"""How often and how patiently a call is repeated, and what that waits for."""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from attrs import frozen

from ._checks import check_number
from ._public import public
from .errors import (
    APIStatusError,
    ConfigurationError,
    ConnectionFailedError,
    Lox24Error,
    TransportError,
)

_NEVER: Final = frozenset({501, 505})  # what the server cannot do, it will not do later either


@public
@frozen
class RetryPolicy:
    """How often and how patiently a call is repeated. Checked when made.

    Args:
        max_attempts: Attempts in all, the first one included.
        initial_delay: Seconds; the n-th backoff is drawn from 0 to ``initial_delay * 2**n``.
        max_delay: Seconds; the cap of a backoff.
        max_wait: Seconds that one call may spend in backoffs and shared pauses, together. A
            wait that does not fit is not begun: the typed error is raised at once.
        wait_out_block: Whether calls wait out a 429 (within ``max_wait``) without using up
            attempts. LOX24's blocks last ten minutes: ``max_wait=900`` outlasts one.

    Raises:
        ConfigurationError: a value is no number or too small.
    """

    max_attempts: int = 3
    initial_delay: float = 0.5
    max_delay: float = 8.0
    max_wait: float = 60.0
    wait_out_block: bool = False

    def __attrs_post_init__(self) -> None:
        check_number("max_attempts", self.max_attempts, least=1, whole=True)
        for name in ("initial_delay", "max_delay", "max_wait"):
            check_number(name, getattr(self, name), least=0)
        if type(self.wait_out_block) is not bool:
            raise ConfigurationError("wait_out_block must be True or False")

    @classmethod
    def none(cls) -> "RetryPolicy":
        """Return the policy that never repeats a request."""
        return cls(max_attempts=1)


Operation: TypeAlias = Literal[
    "cancel", "status", "get", "list", "messages", "create", "simulate", "delete"
]
"""What a request is for. A ``status`` may be the look that settles a cancel."""


@public
@frozen(kw_only=True)
class Attempt:
    """One attempt of a call, for metrics, traces and logs.

    Attributes:
        operation: What it was for.
        bulk_id: The bulk concerned, if it is one.
        number: Which attempt of its call, from 1.
        seconds: How long it took, from connect to the last byte.
        status: The HTTP status of the answer; ``None``: no whole answer came.
        error: What went wrong; ``None``: it succeeded.
        request_id: ``X-LOX24-REQUEST-ID`` of the answer.
        will_retry: Whether another attempt is to follow.
    """

    operation: Operation
    bulk_id: str | None
    number: int
    seconds: float
    status: int | None
    error: Lox24Error | None
    request_id: str | None
    will_retry: bool


class Backoff:
    """The delays of a policy, with full jitter.

    Args:
        policy: Their bounds.
        random: Draws the jitter from [0, 1).
    """

    def __init__(self, policy: RetryPolicy, random: Callable[[], float]) -> None:
        self.initial_delay = policy.initial_delay
        self._max_delay = policy.max_delay
        self._random = random

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after a failure that had ``failures`` before it."""
        bound = min(self._max_delay, self.initial_delay * 2.0 ** min(failures, 60))
        return self._random() * bound


def is_retried(error: Lox24Error) -> bool:
    """Whether an attempt that ended so may be followed by another."""
    if isinstance(error, ConnectionFailedError):
        return not error.final
    if isinstance(error, APIStatusError):
        failed = 500 <= error.status < 600 and error.status not in _NEVER
        return failed or error.status in (408, 429)
    return isinstance(error, TransportError)


@public
@frozen
class Pause:
    """All calls are held up: something failed, and one probe will find out whether it is over.

    Attributes:
        seconds: Until the next probe may go; 0: it is under way.
        cause: What a call would raise that cannot wait.
    """

    seconds: float
    cause: Lox24Error
