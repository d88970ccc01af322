"""What the guard tells a call that may not send: local errors, of the server's classes.

Functions of the facts; the caller holds the origin's lock.
"""

from datetime import UTC, datetime, timedelta

from lox24_async.errors import (
    APIStatusError,
    ConnectionFailedError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    RequestTimeoutError,
    error_class,
)

from .gates import OriginGate, TokenGate


def refusal(origin: OriginGate, token: TokenGate, now: float) -> Lox24Error:
    """Return the error for a call that cannot wait: nothing was sent."""
    if token.refuses(now) and token.refused is not None:
        return _refused(token.refused, token.probe_at - now)
    if origin.shut and origin.cause is not None:
        return _stand_in(origin, origin.cause, now)
    careful_until, certain = origin.careful_until(now)
    careful = careful_until - now if certain else 0.0
    if token.shut and token.epoch > 0:  # judged before, and not confirmed yet
        return _refused(token.refused or 401, max(token.probe_at - now, careful))
    if careful > 0:
        return IPBlockedError(
            "held back: after three wrong requests within a minute, one more would block the IP",
            status=429,
            retry_after=careful,
            blocked_until=_wall(careful),
        )
    return RequestTimeoutError("not sent: the first request with this token is unanswered")


def date(origin: OriginGate, error: IPBlockedError, now: float) -> None:
    """Write into a 429 when the next probe goes and when the block should end."""
    if not isinstance(origin.cause, IPBlockedError):
        return
    if not error.retry_after:
        error.retry_after = max(0.0, origin.probe_at - now)
    error.blocked_until = _wall(origin.blocked_until - now)


def _stand_in(origin: OriginGate, cause: Lox24Error, now: float) -> Lox24Error:
    """Return a local error of the class of what shut the origin."""
    if isinstance(cause, IPBlockedError):
        error = IPBlockedError("it answered 429", status=429)
        error.intermediary = cause.intermediary
        date(origin, error, now)
        return error
    if isinstance(cause, APIStatusError):
        return type(cause)(
            f"it answered {cause.status} ({cause.message}); paused",
            status=cause.status,
            retry_after=max(0.0, origin.probe_at - now),
        )
    if isinstance(cause, ConnectionFailedError):
        return ConnectionFailedError(cause.message)
    if isinstance(cause, IntermediaryError):
        return IntermediaryError(f"{cause.message}; paused", status=cause.status)
    return type(cause)(f"{cause.message} (a probe; paused)")


def _refused(status: int, seconds: float) -> Lox24Error:
    return error_class(status)(
        f"it answered {status} to this token; nothing is sent until a new probe",
        status=status,
        retry_after=max(0.0, seconds),
    )


def _wall(seconds: float) -> datetime:
    try:
        return datetime.now(UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
