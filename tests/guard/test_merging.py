"""What a host believes of the record that hosts share, and what it knows better."""

import pytest
from attrs import evolve

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
    for earlier in (0.04, 10):
        news.tokens["there"].operations["PUT"].closed_until = NOW + AHEAD + 60 - earlier
        assert not take_over(record, news)
    news.tokens["there"].operations["PUT"].closed_until = NOW + AHEAD + 60.04
    assert not take_over(record, news), "the clocks may differ by as much"


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


def refused(at: float) -> TokenFacts:
    """Return a token that was refused then."""
    facts = TokenFacts()
    facts.close(at, rules.WINDOW, refused=True)
    return facts


def test_token_that_another_host_saw_refused_is_refused_here() -> None:
    """With the moments of its 401 and of its next probe, by the host's own clock."""
    record = Record()
    assert take_over(record, Record(tokens={"there": refused(NOW + AHEAD)}))
    assert refused(NOW) == record.tokens["here"]


def test_token_that_another_host_asks_once_more_is_not_refused_here() -> None:
    """A 401 on a token that had worked: one confirming probe, here too."""
    news = TokenFacts(proven_at=NOW + AHEAD - 5)
    news.close(NOW + AHEAD, rules.CONFIRM_AFTER, refused=False)
    record = Record(tokens={"here": TokenFacts(proven_at=NOW - 5)})
    assert take_over(record, Record(tokens={"there": news}))
    mine = record.tokens["here"]
    assert mine.closed
    assert not mine.refused
    assert NOW + rules.CONFIRM_AFTER == mine.probe_at


@pytest.mark.parametrize("seconds", [1.0, 0.04, -0.04, -1.0])
def test_refusal_beside_a_proof(seconds: float) -> None:
    """Of a refusal and an older proof it is the refusal that counts; in doubt as well."""
    record = Record(tokens={"here": TokenFacts(proven_at=NOW)})
    is_taken = take_over(record, Record(tokens={"there": refused(NOW + AHEAD + seconds)}))
    assert is_taken is (seconds > -0.05)
    assert record.tokens["here"].closed is is_taken


@pytest.mark.parametrize("seconds", [1.0, 0.04, -0.04, -1.0])
def test_proof_beside_a_refusal(seconds: float) -> None:
    """A proof opens what was refused before it, and by more than the clocks may differ."""
    record = Record(tokens={"here": refused(NOW)})
    proof = TokenFacts(proven_at=NOW + AHEAD + seconds)
    is_taken = take_over(record, Record(tokens={"there": proof}))
    assert is_taken is (seconds > 0.05)
    assert record.tokens["here"] == (TokenFacts(NOW + seconds) if is_taken else refused(NOW))


def test_proof_that_is_no_younger_is_no_news() -> None:
    """A host is not woken for what it has proven itself."""
    record = Record(tokens={"here": TokenFacts(proven_at=NOW)})
    assert not take_over(record, Record(tokens={"there": TokenFacts(proven_at=NOW + AHEAD)}))
    assert take_over(record, Record(tokens={"there": TokenFacts(proven_at=NOW + AHEAD + 1)}))
    assert TokenFacts(proven_at=NOW + 1) == record.tokens["here"]


def test_block_of_another_host_stands_here() -> None:
    """With all its moments by the host's own clock; a new wave, so old answers end nothing."""
    record, news = Record(), blocked(NOW + AHEAD)
    assert news.block is not None
    news.block.prober, news.block.lease_ends = "c-1", NOW + AHEAD + 60
    assert take_over(record, news)
    mine = blocked(NOW).block
    assert mine is not None
    assert evolve(mine, prober="c-1", lease_ends=NOW + 60) == record.block
    assert 1 == record.epoch
    news.block.prober = ""
    assert take_over(record, news)
    assert mine == record.block, "whoever probes no more holds up nobody"
    assert 2 == record.epoch


@pytest.mark.parametrize("field", ["probe_at", "until"])
@pytest.mark.parametrize("seconds", [-1.0, -0.04, 0.04, 1.0])
def test_block_that_another_host_knows_otherwise(field: str, seconds: float) -> None:
    """Another end, or another probe, is news; what the clocks may differ by is none."""
    record, news = blocked(NOW), blocked(NOW + AHEAD)
    assert record.block is not None
    assert news.block is not None
    setattr(news.block, field, getattr(news.block, field) + seconds)
    before = getattr(record.block, field)
    is_news = abs(seconds) > 0.05
    assert take_over(record, news) is is_news
    assert record.block is not None
    assert before + (seconds if is_news else 0.0) == getattr(record.block, field)


@pytest.mark.parametrize("seconds", [1.0, 0.0, -1.0])
def test_end_of_a_block_that_another_host_saw(seconds: float) -> None:
    """It ends the block here, unless that began later; what was no block stays as it was."""
    record = blocked(NOW)
    epoch = record.epoch
    assert take_over(record, Record(unblocked_at=NOW + AHEAD + seconds)) is (seconds > 0)
    assert (record.block is None) is (seconds > 0)
    assert epoch + (seconds > 0) == record.epoch
    assert (NOW + seconds if seconds > 0 else -float("inf")) == record.unblocked_at
    assert not take_over(Record(), Record(unblocked_at=NOW + AHEAD))


@pytest.mark.parametrize("seconds", [1.0, -1.0])
def test_block_that_began_before_the_last_end_is_old_news(seconds: float) -> None:
    """A host that saw a block's end does not take it up again; a later one it does."""
    record = Record(unblocked_at=NOW)
    assert take_over(record, blocked(NOW + AHEAD + seconds)) is (seconds > 0)
    assert (record.block is not None) is (seconds > 0)
