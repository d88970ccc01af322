"""The record and its text: whole when it was written well, harmless when it was not."""

import json
from collections.abc import Callable
from math import inf, isnan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lox24_async._guard import rules
from lox24_async._guard.host import _SLOT, _SLOT_SIZE
from lox24_async._guard.record import (
    BELIEVED,
    Block,
    OperationFacts,
    Place,
    PlaceState,
    Record,
    TokenFacts,
    read_record,
    write_record,
)

NOW = 10_000.0

names = st.text("0123456789abcdef.", min_size=1, max_size=12)
past = st.floats(NOW - 599, NOW)
future = st.floats(NOW + 0.001, NOW + 600)
never_or_past = st.one_of(st.just(-inf), past)
places = st.builds(
    Place, names, names, st.sampled_from(["PUT", "GET"]), past, future, st.sampled_from(PlaceState)
)
operations = st.dictionaries(
    st.sampled_from(["PUT", "GET"]),
    st.builds(OperationFacts, st.integers(0, 5), st.one_of(st.just(-inf), future)),
)
facts = st.builds(TokenFacts, past, never_or_past, st.booleans(), future, operations)
blocks = st.builds(
    Block, past, past, st.floats(0.01, 600), future, future, st.one_of(st.just(""), names), future
)
records = st.builds(
    Record,
    st.lists(places, max_size=8),
    st.dictionaries(names, facts, max_size=8),
    st.one_of(st.none(), blocks),
    never_or_past,
    st.integers(0, 2**40),
)


def plain(record: Record) -> tuple[Any, ...]:
    """Return what a record holds, to be compared."""
    held = [(p.claim, p.token, p.operation, p.taken, p.until, p.state) for p in record.places]
    return held, record.tokens, record.block, record.unblocked_at, record.epoch


@given(records)
@settings(max_examples=60, deadline=None)
def test_text_keeps_all_of_a_record(record: Record) -> None:
    """What counts now is read as it was written."""
    assert plain(read_record(write_record(record, NOW), NOW)) == plain(record)


@given(records, st.floats(0, 599))
@settings(max_examples=30, deadline=None)
def test_what_is_over_is_left_out(record: Record, later: float) -> None:
    """A place whose time is over does not come back; nothing lasts longer than it said."""
    read = read_record(write_record(record, NOW), NOW + later)
    assert len(read.places) == sum(NOW + later < place.until for place in record.places)
    assert read.block == record.block


def moments(record: Record) -> list[float]:
    """Return all moments of a record that something waits for."""
    found = [place.until for place in record.places]
    for known in record.tokens.values():
        found += [known.probe_at, *(o.closed_until for o in known.operations.values())]
    if (block := record.block) is not None:
        found += [block.probe_at, block.until, block.lease_ends]
    return found


FAR = [1e12, 1e300, inf]


@pytest.mark.parametrize("far", FAR, ids=str)
def test_case_50_record_from_the_future_is_clamped(far: float) -> None:
    """Case 50: whatever a forged record says is over 600 s after it was written."""
    record = Record(
        [Place("c", "t", "PUT", far, far)],
        {"t": TokenFacts(-inf, NOW - 1, True, far, {"PUT": OperationFacts(2, far)})},
        Block(far, far, far, far, far, "c", far),
    )
    read = read_record(write_record(record, NOW), NOW)
    assert max(moments(read)) <= NOW + BELIEVED
    for operation in ("PUT", "GET"):
        for proven in (True, False):
            found = rules.examine(read, "t", operation, NOW, proven=proven)
            assert found.ask_at <= NOW + BELIEVED
            later = rules.examine(read, "t", operation, NOW + BELIEVED, proven=proven)
            assert later.ask_at <= NOW + BELIEVED


@pytest.mark.parametrize("seconds", [1.001, 100.0, 1e9, -600.0, -1e9])
def test_case_50_record_of_another_time_is_none(seconds: float) -> None:
    """Case 50: written in the future, or so long ago that nothing in it can count."""
    text = write_record(Record(), NOW + seconds)
    with pytest.raises(ValueError, match="another time"):
        read_record(text, NOW)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the text of a full record after somebody changed it."""
    record = Record(
        [Place("c", "t", "PUT", NOW, NOW + 5)],
        {"t": TokenFacts(NOW, -inf, False, -inf, {"PUT": OperationFacts(1)})},
        Block(NOW, NOW, 1, NOW, NOW, "c", NOW),
    )
    parts = json.loads(write_record(record, NOW))
    change(parts)
    return json.dumps(parts).encode()


DAMAGED = {
    "nothing": b"",
    "no text": b"\xff\xfe",
    "no object": b"[1]",
    "a number": b"7",
    "cut": write_record(Record(), NOW)[:-2],
    "deep": b"[" * 100_000,
    "no time": b"{}",
    "time is a list": b'{"w": [], "e": 0}',
    "time is no number": b'{"w": NaN, "e": 0}',
    "time is endless": b'{"w": Infinity, "e": 0}',
    "time is huge": b'{"w": 1' + b"0" * 400 + b', "e": 0}',
    "epoch is endless": changed(lambda parts: parts.update(e=inf)),
    "place is no list": changed(lambda parts: parts.update(p=[1])),
    "place lacks parts": changed(lambda parts: parts.update(p=[["c"]])),
    "place of another state": changed(lambda parts: parts["p"][0].__setitem__(5, "gone")),
    "place until no number": changed(lambda parts: parts["p"][0].__setitem__(4, float("nan"))),
    "tokens are a list": changed(lambda parts: parts.update(t=[])),
    "facts lack parts": changed(lambda parts: parts["t"].update(t=[1])),
    "operations are a list": changed(lambda parts: parts["t"]["t"].__setitem__(4, ["PUT"])),
    "block lacks parts": changed(lambda parts: parts.update(b=[])),
    "block is a word": changed(lambda parts: parts["b"].__setitem__(2, "soon")),
    "place until a word": changed(lambda parts: parts["p"][0].__setitem__(4, "nan")),
    "block without number": changed(lambda parts: parts["b"].__setitem__(3, float("nan"))),
}


@pytest.mark.every_case
@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_case_50_damaged_text_is_no_record(text: bytes) -> None:
    """Case 50: one typed error, whatever stands there."""
    with pytest.raises(ValueError):
        read_record(text, NOW)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from("peubt"), json_values), st.floats(NOW - 599, NOW))
@settings(max_examples=100, deadline=None)
def test_case_50_any_text_is_a_record_or_none(parts: dict[str, Any], written: float) -> None:
    """Case 50: a forged text gives moments that can be waited for, or a ``ValueError``."""
    try:
        read = read_record(json.dumps(parts | {"w": written}).encode(), NOW)
    except ValueError:
        return
    assert all(not isnan(moment) and moment <= NOW + BELIEVED for moment in moments(read))


def test_many_tokens_are_cut_to_what_matters() -> None:
    """Of a thousand tokens those are kept that were refused, then the latest."""
    record = Record()
    record.facts("bad").close(NOW - 500, 510.0, refused=True)
    record.facts("may not").operations["PUT"] = OperationFacts(1)
    for number in range(1_000):
        record.facts(f"{number}").prove(NOW - 100 + number / 10)
    assert len(record.tokens) <= 64
    assert {"bad", "may not", "998", "999"} <= set(record.tokens)
    assert record.facts("bad").closed
    assert plain(read_record(write_record(record, NOW), NOW)) == plain(record)


def test_full_record_fits_into_a_slot() -> None:
    """With as many tokens and operations as are kept."""
    modes = {m: OperationFacts(2, NOW + 1.23456789) for m in ("PUT", "GET", "POST", "DELETE")}
    record = Record(
        [Place("c" * 24, f"{n:032}", "DELETE", NOW, NOW + 59.123456) for n in range(6)],
        block=Block(NOW, NOW, 511.123456, NOW, NOW, "c" * 24, NOW),
    )
    for n in range(100):
        facts = TokenFacts(NOW - 1.2345678, NOW - 1.2345678, True, NOW + 59.123456, modes)
        record.remember(f"{n:032}", facts)
    assert len(write_record(record, NOW)) <= _SLOT_SIZE - _SLOT.size
