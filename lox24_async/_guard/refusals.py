"""What the guard tells a call that may not send: local errors, of the server's classes.

Functions of the gates; the caller holds the origin's lock.
"""

from datetime import UTC, datetime, timedelta
from math import inf

from lox24_async.errors import (
    APIStatusError,
    ConnectionFailedError,
    HeldBackError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    RequestTimeoutError,
    error_class,
)

from .gates import OriginGate, TokenGate
from .record import Block, TokenFacts
from .rules import place_free_at


def refusal(origin: OriginGate, token: TokenGate, operation: str, now: float) -> Lox24Error:
    """Return the error for a call that cannot wait: nothing was sent."""
    record = origin.record
    facts = record.tokens.get(token.digest) or TokenFacts()
    if facts.refuses(now):
        return _refused(401, facts.probe_at - now, "to this token", token)
    mode = facts.operations.get(operation)
    if mode is not None and now < mode.closed_until:
        return _refused(403, mode.closed_until - now, "twice in a row to this operation", token)
    if record.block is not None:
        error = IPBlockedError(_block_words(record.block, now), status=429)
        error.intermediary = origin.blocked_by_intermediary
        date(origin, error, now)
        return error
    free_at = held_back_until(origin, token, now)
    rest = origin.rest
    if rest.shut and rest.cause is not None and free_at <= max(now, rest.probe_at):
        return _stand_in(rest.cause, rest.probe_at - now)
    if facts.closed:  # judged before, and not confirmed yet
        return _refused(401, max(facts.probe_at, free_at) - now, "to this token", token)
    if free_at > now:
        return HeldBackError(
            "three requests within a minute were wrong, or nobody saw their answers",
            retry_after=free_at - now,
            blocked_until=_wall(free_at - now),
        )
    return RequestTimeoutError("not sent: the first request with this token is unanswered")


def held_back_until(origin: OriginGate, token: TokenGate, now: float) -> float:
    """Return when the budget lets the next request go out, if only time can free a place."""
    free_at, certain = place_free_at(origin.record, now, late=False)
    if not certain:
        free_at = now
    if (fleet := token.held_by_fleet) is not None and fleet.counts and now < fleet.ready_at < inf:
        free_at = max(free_at, fleet.ready_at)
    return now if token.proven else free_at


def date(origin: OriginGate, error: IPBlockedError, now: float) -> None:
    """Write into a 429 when the next probe goes and when the block should end."""
    block = origin.record.block
    if block is None:
        return
    if not error.retry_after:
        error.retry_after = max(0.0, block.probe_at - now)
    error.blocked_until = _wall(block.until - now)


def _block_words(block: Block, now: float) -> str:
    ago = max(0.0, now - block.first_429)
    since = "just now" if ago < 1 else f"{ago:.0f} s ago"
    return (
        f"it answered 429 {since}; this should be over at the latest in {block.until - now:.0f} s"
    )


def _stand_in(cause: Lox24Error, seconds: float) -> Lox24Error:
    """Return a local error of the class of what shut the origin."""
    if isinstance(cause, APIStatusError):
        return type(cause)(
            f"it answered {cause.status} ({cause.message}); paused",
            status=cause.status,
            retry_after=max(0.0, seconds),
        )
    if isinstance(cause, ConnectionFailedError):
        return ConnectionFailedError(cause.message)
    if isinstance(cause, IntermediaryError):
        return IntermediaryError(f"{cause.message}; paused", status=cause.status)
    return type(cause)(f"{cause.message} (a probe; paused)")


def _refused(status: int, seconds: float, what: str, token: TokenGate) -> Lox24Error:
    error = error_class(status)(
        f"it answered {status} {what}; nothing is sent until a new probe",
        status=status,
        retry_after=max(0.0, seconds),
    )
    error.intermediary = token.by_intermediary
    return error


def _wall(seconds: float) -> datetime:
    try:
        return datetime.now(UTC) + timedelta(seconds=seconds)
    except OverflowError:  # of a lease: the time for an attempt has no bound
        return datetime.max.replace(tzinfo=UTC)
