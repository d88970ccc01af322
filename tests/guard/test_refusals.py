"""What a call is told that may not send: what stands at the edges of the rules."""

from datetime import UTC, datetime
from math import inf

from lox24_async import IPBlockedError
from lox24_async._guard.gates import OriginGate, TokenGate
from lox24_async._guard.record import Block
from lox24_async._guard.refusals import date, held_back_until
from lox24_async._guard.rules import Hold
from lox24_async._guard.stores import MemoryStore

NOW = 10_000.0


def test_held_back_by_what_hosts_share() -> None:
    """The later of the two: this host's budget is free, that of all hosts is not."""
    origin, token = OriginGate(MemoryStore()), TokenGate("a")
    assert NOW == held_back_until(origin, token, NOW)
    for ready_at, counts, until in (
        (NOW + 20, True, NOW + 20),
        (NOW + 20, False, NOW),  # somebody's answer may free it before
        (inf, True, NOW),
        (NOW - 1, True, NOW),
    ):
        token.held_by_fleet = Hold(NOW + 1, ready_at, counts)
        assert until == held_back_until(origin, token, NOW)
    token.held_by_fleet, token.proven = Hold(NOW + 1, NOW + 20, counts=True), True
    assert NOW == held_back_until(origin, token, NOW)


def test_429_whose_block_is_over() -> None:
    """Nothing is known of its end, so nothing is said of it."""
    error = IPBlockedError("no", status=429)
    date(OriginGate(MemoryStore()), error, NOW)
    assert (None, None) == (error.retry_after, error.blocked_until)


def test_block_without_end() -> None:
    """A server may ask for more seconds than a calendar has."""
    origin, error = OriginGate(MemoryStore()), IPBlockedError("no", status=429)
    origin.record.block = Block(NOW, NOW, 1.0, NOW + 5, 1e300)
    date(origin, error, NOW)
    assert 5.0 == error.retry_after
    assert datetime.max.replace(tzinfo=UTC) == error.blocked_until
