"""What a host believes of the record that hosts share, and what it knows better."""

import pytest

from lox24_async._guard import rules
from lox24_async._guard.merging import adopt
from lox24_async._guard.record import OperationFacts, Record, TokenFacts
from lox24_async.errors import error_class

NOW = 10_000.0
AHEAD = 500.0
"""Seconds by which the shared record's clock is ahead."""
NAMES = {"here": "there"}


def blocked(at: float) -> Record:
    """Return a record with a block that began then."""
    record = Record()
    error = error_class(429)("no", status=429)
    rules.block(record, error, at, left_at=at, initial_delay=0.5)
    return record


def take_over(record: Record, news: Record) -> bool:
    """Take over what is newer; check that a look says so before and changes nothing."""
    before = repr(record)
    is_news = adopt(record, news, NAMES, AHEAD, dry=True)
    assert repr(record) == before
    assert adopt(record, news, NAMES, AHEAD) is is_news
    assert not adopt(record, news, NAMES, AHEAD), "twice the same is no news"
    return is_news


def with_puts(facts: OperationFacts) -> TokenFacts:
    """Return a token of which one operation is known."""
    return TokenFacts(operations={"PUT": facts})


def test_operation_that_another_host_closed_is_closed_here() -> None:
    """By the host's own clock; what is not younger than what it knows changes nothing."""
    record = Record()
    news = Record(tokens={"there": with_puts(OperationFacts(2, NOW + AHEAD + 60))})
    assert take_over(record, news)
    assert OperationFacts(2, NOW + 60) == record.tokens["here"].operations["PUT"]
    news.tokens["there"].operations["PUT"].closed_until -= 10
    assert not take_over(record, news)


def test_operation_that_another_host_opened_is_open_here() -> None:
    """A closed one that the shared record no longer knows; 403s that close nothing stay."""
    record = Record(tokens={"here": with_puts(OperationFacts(2, NOW + 60))})
    record.tokens["here"].operations["GET"] = OperationFacts(1)
    assert take_over(record, Record(tokens={"there": TokenFacts()}))
    assert {"GET": OperationFacts(1)} == record.tokens["here"].operations


def test_token_of_which_the_others_know_nothing_stays_as_it_is() -> None:
    """No entry is no news."""
    record = Record(tokens={"here": with_puts(OperationFacts(2, NOW + 60))})
    assert not take_over(record, Record())
    assert record.tokens["here"].operations["PUT"].closed


@pytest.mark.parametrize("seconds", [1.0, -1.0])
def test_block_that_began_before_the_last_end_is_old_news(seconds: float) -> None:
    """A host that saw a block's end does not take it up again; a later one it does."""
    record = Record(unblocked_at=NOW)
    assert take_over(record, blocked(NOW + AHEAD + seconds)) is (seconds > 0)
    assert (record.block is not None) is (seconds > 0)
