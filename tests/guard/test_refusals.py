"""What a call is told that may not send: what stands at the edges of the rules."""

from datetime import UTC, datetime
from math import inf

import pytest

from lox24_async import (
    AccountNotActivatedError,
    AuthenticationError,
    ConnectionFailedError,
    HeldBackError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
)
from lox24_async._guard.gates import OriginGate, TokenGate
from lox24_async._guard.record import Block, OperationFacts, Place, PlaceState
from lox24_async._guard.refusals import date, held_back_until, refusal
from lox24_async._guard.rules import CONFIRM_AFTER, WINDOW, Hold
from lox24_async._guard.stores import MemoryStore
from lox24_async.retry import Backoff

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


def gates() -> tuple[OriginGate, TokenGate]:
    """Return the gates of an origin and of a token, of which nothing is known."""
    return OriginGate(MemoryStore()), TokenGate("a")


@pytest.mark.parametrize("intermediary", [False, True])
def test_who_spoke_is_told_to_those_who_wait(intermediary: bool) -> None:
    """A refusal, a closed operation, a block: each tells whether it was LOX24's own word."""
    origin, token = gates()
    token.by_intermediary = origin.blocked_by_intermediary = intermediary
    facts = origin.record.facts("a")
    facts.operations["cancel"] = OperationFacts(2, NOW + 30)
    forbidden = refusal(origin, token, "cancel", NOW)
    assert isinstance(forbidden, AccountNotActivatedError)
    assert (30.0, intermediary) == (forbidden.retry_after, forbidden.intermediary)
    origin.record.block = Block(NOW - 7, NOW, 1.0, NOW + 5, NOW + 593)
    blocked = refusal(origin, token, "read", NOW)
    assert isinstance(blocked, IPBlockedError)
    assert (429, 5.0, intermediary) == (blocked.status, blocked.retry_after, blocked.intermediary)
    assert "429 7 s ago" in blocked.message
    # A token that is refused sends nothing, however the block ends.
    facts.close(NOW, WINDOW, refused=True)
    refused = refusal(origin, token, "read", NOW)
    assert isinstance(refused, AuthenticationError)
    assert (401, 60.0, intermediary) == (refused.status, refused.retry_after, refused.intermediary)


def test_token_that_worked_and_waits_for_its_confirming_probe() -> None:
    """Who cannot wait for it gets the 401 that made it necessary, and the time to the probe."""
    origin, token = gates()
    origin.record.facts("a").close(NOW, CONFIRM_AFTER, refused=False)
    error = refusal(origin, token, "cancel", NOW)
    assert isinstance(error, AuthenticationError)
    assert (401, CONFIRM_AFTER) == (error.status, error.retry_after)
    origin.record.places = [place(n, NOW + 40 + n, PlaceState.WRONG) for n in range(3)]
    assert 40.0 == getattr(refusal(origin, token, "cancel", NOW), "retry_after", None)


@pytest.mark.parametrize("said", [None, 9.0])
def test_probe_of_a_block_is_dated_unless_the_server_has(said: float | None) -> None:
    """The seconds that an answer asks to wait are not replaced."""
    origin, _ = gates()
    origin.record.block = Block(NOW - 0.5, NOW, 1.0, NOW + 5, NOW + 600)
    error = IPBlockedError("no", status=429, retry_after=said)
    date(origin, error, NOW)
    assert (said or 5.0) == error.retry_after
    assert error.blocked_until is not None
    assert "429 just now" in refusal(origin, TokenGate("a"), "cancel", NOW).message


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ServerError("no", status=503), ServerError),
        (ConnectionFailedError("no"), ConnectionFailedError),
        (IntermediaryError("no", status=404), IntermediaryError),
        (RequestTimeoutError("no"), RequestTimeoutError),
    ],
)
def test_pause_is_told_by_what_caused_it(cause: Lox24Error, kind: type[Lox24Error]) -> None:
    """An error of the same class, of its own: nothing of this call was sent."""
    origin, token = gates()
    cause.attempts = 3
    origin.rest.begin(cause, NOW, NOW, Backoff(RetryPolicy(), lambda: 1.0), obey=True)
    error = refusal(origin, token, "cancel", NOW)
    assert kind is type(error)
    assert error is not cause
    assert 0 == error.attempts
    assert "no" in error.message
    assert getattr(cause, "status", None) == getattr(error, "status", None)


def place(number: int, until: float, state: PlaceState) -> Place:
    """Return a place in the budget."""
    return Place(f"c{number}", f"t{number}", "cancel", NOW, until, state)


def test_budget_that_is_used_up_says_until_when() -> None:
    """Only when time alone can free a place; while a request is out its answer may."""
    origin, token = gates()
    origin.record.places = [place(n, NOW + 40 + n, PlaceState.WRONG) for n in range(3)]
    error = refusal(origin, token, "cancel", NOW)
    assert isinstance(error, HeldBackError)
    assert 40.0 == error.retry_after
    origin.record.places[0].state = PlaceState.OUT
    assert NOW == held_back_until(origin, token, NOW)
    assert isinstance(refusal(origin, token, "cancel", NOW), RequestTimeoutError)


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
