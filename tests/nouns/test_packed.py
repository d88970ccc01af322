"""What a report keeps of a bulk in little memory is the bulk, to the last field."""

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lox24_async import (
    Bulk,
    CancelOutcome,
    CancelReport,
    CancelState,
    JsonLdBulk,
    Lox24Client,
    MatchReport,
    ServerError,
    make_converter,
)
from lox24_async._packed import Packer, state_of
from lox24_async.report import count_found, note
from lox24_async.testing import FakeLox24

CONVERTER = make_converter()


@pytest.fixture(autouse=True, scope="module")
def thrift() -> Iterator[None]:
    """Let small reports be as thrifty as large ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lox24_async.report._SMALL", 0)
        yield


odd = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
number = st.none() | st.integers(0, 3) | st.integers(-(2**63) - 2, 2**63 + 2) | odd
fields = {
    "delivery_at": number,
    "sender_id": st.sampled_from(["Acme", "acme", None, 7]),
    "text": st.none() | st.text(max_size=3),
    "phones": st.none() | st.lists(st.text(max_size=3), max_size=2),
    "msg_groups": st.none() | st.lists(st.integers(0, 3) | st.just("1"), max_size=2),
    "msg_total_count": number,
    "created_at": number,
    "processed_at": number,
    "is_unicode": st.sampled_from([True, False, None, 1, 0]),
    "service_code": st.sampled_from(["direct", "pigeon", None, 1]),
    "key_id": st.sampled_from([1, True, 1.0, None]),
    "price": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10**30),
    "new_field": st.sampled_from([1, True, 1.0, [1], {"a": 1}, {"a": True}]),
    "@id": st.sampled_from(["/bulks/{}", "x", None]),
    "@context": st.sampled_from(["/c", {"a": 1}, {"a": True}, None]),
}
replies = st.lists(
    st.fixed_dictionaries(
        {"status_code": st.sampled_from([0, 5, 10, 15, 99])},
        optional=fields,
    ),
    min_size=1,
    max_size=6,
)


def made_of(raw: dict[str, Any], form: type[Bulk], request_id: str | None) -> Bulk:
    """Make a bulk of a reply, as the client does."""
    uuid = str(uuid4())
    raw = raw | {"uuid": uuid}
    if isinstance(raw.get("@id"), str):
        raw["@id"] = raw["@id"].format(uuid)
    bulk: Bulk = CONVERTER.structure(raw, form)
    return attrs.evolve(bulk, request_id=request_id)


def same(one: Bulk, other: Bulk) -> bool:
    """Whether two bulks are the same in value and type, also where equal is not the same."""
    return (
        repr(attrs.asdict(one, recurse=False)) == repr(attrs.asdict(other, recurse=False))
        and one == other
        and CONVERTER.dumps(one) == CONVERTER.dumps(other)
        and one.request_id == other.request_id
    )


@settings(deadline=None, max_examples=100)
@given(
    raws=replies,
    form=st.sampled_from([Bulk, JsonLdBulk]),
    request_id=st.none() | st.text("0aé", max_size=3) | st.just("x" * 300),
)
def test_what_goes_in_comes_out(raws: list[Any], form: type[Bulk], request_id: str | None) -> None:
    """Whatever bulks a report is given, it gives them back, also after a pickle."""
    bulks = [made_of(raw, form, request_id) for raw in raws]
    report = CancelReport()
    for number, bulk in enumerate(bulks):
        state = tuple(CancelState)[number % 3]
        bulk_id = str(bulk.uuid)
        note(report, bulk_id, CancelOutcome(bulk_id, state, bulk, None, number, request_id))
    for known in (report, pickle.loads(pickle.dumps(report)), copy.copy(report)):
        assert len(known.outcomes) == len(bulks)
        for number, (outcome, bulk) in enumerate(zip(known.outcomes, bulks, strict=True)):
            assert (outcome.attempts, outcome.state) == (number, tuple(CancelState)[number % 3])
            assert (outcome.bulk_id, outcome.request_id) == (str(bulk.uuid), request_id)
            assert same(outcome.bulk, bulk)
        assert sum(known.counts.values()) == len(bulks)


async def test_what_the_gateway_says_is_packed(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """The replies of a campaign are kept in one kind, in some hundred bytes each."""
    ids = [fake_lox24.add_bulk(5, price=1.5).uuid for _ in range(20)]
    packer = Packer()
    for bulk_id in ids:
        bulk = await client.cancel_bulk(bulk_id)
        packed = packer.pack(3, 1, bulk)
        assert packed is not None
        assert len(packed) < 100
        assert state_of(packed) == 3
        assert same(packer.unpack(packed, bulk_id)[2], bulk)
    assert len(packer._kinds) == 1


def test_bulks_that_are_all_different() -> None:
    """Not more than some kinds are kept; the other bulks stay as they are."""
    packer = Packer()
    texts = [Bulk(uuid=uuid4(), status_code=15, text=f"{n}") for n in range(1_000)]
    packed = [packer.pack(0, 0, bulk) for bulk in texts]
    assert 0 < sum(one is not None for one in packed) < 300
    for bulk, one in zip(texts, packed, strict=True):
        assert one is None or packer.unpack(one, bulk.uuid)[2] == bulk


def test_outcomes_that_are_not_packed() -> None:
    """An error, another request id, another bulk: kept to the letter."""
    report = MatchReport()
    bulk = Bulk(uuid=uuid4(), status_code=5, request_id="r")
    error = ServerError("no", status=503)
    bulk_id, other = str(bulk.uuid), str(uuid4())
    for outcome in (
        CancelOutcome(bulk_id, CancelState.UNKNOWN, bulk, error, 70_000, "r"),
        CancelOutcome(other, CancelState.ACCEPTED, bulk, None, 70_000, "other"),
        CancelOutcome("no id", CancelState.REJECTED),
    ):
        note(report, outcome.bulk_id, outcome)
        assert report[outcome.bulk_id] is outcome
    count_found(report, bulk)
    again = pickle.loads(pickle.dumps(report))
    assert (again.bulks, again.unfinished()) == (1, (bulk_id, other, "no id"))


def test_bulks_that_do_not_fit_in_are_not_packed() -> None:
    """A moment between two seconds or of another zone, and a class that somebody derived."""

    class Derived(Bulk):
        pass

    moment = datetime(2026, 1, 1, tzinfo=UTC)
    packer = Packer()
    values: dict[str, Any] = {"uuid": uuid4(), "status_code": 0}
    assert packer.pack(0, 0, Bulk(**values, created_at=moment)) is not None
    for another in (moment.replace(microsecond=1), moment.astimezone(timezone(timedelta(hours=1)))):
        assert packer.pack(0, 0, Bulk(**values, created_at=another)) is None
    assert packer.pack(0, 0, Derived(**values)) is None


@pytest.mark.parametrize("spelling", [str, str.upper])
def test_found_by_any_spelling(spelling: Any) -> None:
    """A report knows an id by its UUID, and in upper case."""
    report, uuid = CancelReport(), uuid4()
    note(report, str(uuid), CancelOutcome(str(uuid), CancelState.UNKNOWN))
    assert uuid in report
    assert spelling(str(uuid)) in report
    assert report[spelling(str(uuid))] is report[uuid]
    assert "x" not in report
    with pytest.raises(KeyError):
        report[uuid4()]
