"""What one asks a listing for: the filter, the order, and the query they become."""

import copy
import inspect
import pickle
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lox24_async import make_converter
from lox24_async._wire.query import write_query
from lox24_async.errors import ConfigurationError, InvalidBulkIdError, Lox24Error
from lox24_async.filters import BulkFilter, BulkOrder
from lox24_async.models import Bulk, BulkStatus

ID = "da0fa78c-4699-11ea-a637-96000028b339"
OTHER = "11111111-2222-3333-4444-555555555555"
NOW = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
UNIX = 1_782_909_000
FIRST = datetime(1970, 1, 2)  # noqa: DTZ001 - hypothesis adds the zone
LAST = datetime(9999, 12, 30)  # noqa: DTZ001
MOMENTS = [
    f"{name}_{end}" for name in ("created", "delivery", "processed") for end in ("from", "to")
]
EACH_MOMENT = pytest.mark.parametrize("name", MOMENTS)
EACH_COUNT = pytest.mark.parametrize("name", ["min_messages", "max_messages"])
EACH_WORD = pytest.mark.parametrize("name", ["text", "sender_id", "sender_id_exact"])


class Zone(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        return None


class Autumn(Zone):
    """The night when the clock is put back by one hour."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(hours=1 if dt is not None and dt.fold else 2)


def wish(**values: Any) -> BulkFilter:
    """Make a filter of any values, right or wrong."""
    return BulkFilter(**values)


def full(**more: Any) -> BulkFilter:
    """Make a filter with a value in every field."""
    values: dict[str, Any] = {
        "uuids": [ID],
        "status_codes": [BulkStatus.NEW, 7],
        "text": "sale",
        "sender_id": "Shop",
        "sender_id_exact": "My Shop",
        "created_from": NOW,
        "created_to": NOW,
        "delivery_from": NOW,
        "delivery_to": NOW,
        "processed_from": NOW,
        "processed_to": NOW,
        "min_messages": 1,
        "max_messages": 9,
        "exists": {"source": True},
    }
    return BulkFilter(**(values | more))


# --- the filter


def test_signature_of_filter() -> None:
    """The order and the defaults of the arguments are a promise."""
    parameters = inspect.signature(BulkFilter).parameters
    assert [
        ("uuids", ()),
        ("status_codes", ()),
        ("text", None),
        ("sender_id", None),
        ("sender_id_exact", None),
        *((name, None) for name in MOMENTS),
        ("min_messages", None),
        ("max_messages", None),
        ("exists", {}),
    ] == [(name, p.default) for name, p in parameters.items()]
    kinds = [p.kind for p in parameters.values()]
    assert [inspect.Parameter.KEYWORD_ONLY] == kinds[-1:]
    assert {inspect.Parameter.POSITIONAL_OR_KEYWORD} == set(kinds[:-1])


def test_empty_filter() -> None:
    """A filter without a wish holds empty tuples and None."""
    empty = BulkFilter()
    assert ((), (), {}) == (empty.uuids, empty.status_codes, empty.exists)
    assert BulkFilter([], [], exists={}) == empty


def test_ids_are_normalised_and_distinct() -> None:
    """Ids come out lower case, in order, each once, from any iterable."""
    ids: list[UUID | str] = [UUID(OTHER), ID.upper(), ID, OTHER]
    assert (OTHER, ID) == BulkFilter(iter(ids)).uuids


@pytest.mark.parametrize("single", [ID, UUID(ID), ID.encode(), None, 5])
def test_single_id_is_a_mistake(single: Any) -> None:
    """One id without brackets is told to be one."""
    with pytest.raises(
        ConfigurationError, match=r"^uuids must be an iterable of bulk ids, not a s"
    ):
        BulkFilter(single)


@pytest.mark.parametrize("bad", ["", "x", ID + "\n", ID.replace("-", ""), None, 5, "\x1b" * 500])
def test_invalid_id(bad: Any) -> None:
    """What is no bulk id is refused as such, shown short and printable."""
    with pytest.raises(InvalidBulkIdError) as caught:
        BulkFilter([ID, bad])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_errors_of_an_iterator_pass() -> None:
    """A TypeError inside the caller's generator is the caller's."""

    def broken() -> Any:
        yield ID
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        BulkFilter(broken())


def test_status_codes() -> None:
    """Known codes become members, unknown ones stay numbers, each once."""
    codes = BulkFilter(status_codes=[15, BulkStatus.CANCELED, 7, 0, 7]).status_codes
    assert (BulkStatus.CANCELED, 7, BulkStatus.NEW) == codes
    assert [BulkStatus, int, BulkStatus] == [type(code) for code in codes]


@pytest.mark.parametrize("single", [15, BulkStatus.NEW, None, "15"])
def test_single_status_is_a_mistake(single: Any) -> None:
    """One code without brackets is told to be one."""
    with pytest.raises(ConfigurationError, match=r"^status_codes must be an iterable"):
        BulkFilter(status_codes=single)


@pytest.mark.parametrize("bad", [True, -1, 1.0, "15", None, 2**63, [15]])
def test_invalid_status(bad: Any) -> None:
    """What is no code is refused by its position."""
    with pytest.raises(ConfigurationError, match=r"^status_codes\[1\] must be"):
        BulkFilter(status_codes=[0, bad])


@EACH_WORD
@pytest.mark.parametrize("bad", ["", 5, b"x", "a\nb", "\x00", "a\x7f", "\x85", "\ud800"])
def test_invalid_words(name: str, bad: Any) -> None:
    """Words to search for are a string that a URL can carry."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must be None or a non-empty string"):
        wish(**{name: bad})


@EACH_MOMENT
@pytest.mark.parametrize(
    "bad", [NOW.replace(tzinfo=None), NOW.replace(tzinfo=Zone()), UNIX, NOW.date()]
)
def test_naive_moment(name: str, bad: Any) -> None:
    """A date-time whose moment is not known is refused."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must be an aware datetime"):
        wish(**{name: bad})


@EACH_MOMENT
@pytest.mark.parametrize(
    "bad",
    [
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_moment_out_of_range(name: str, bad: datetime) -> None:
    """Times that LOX24 cannot know are refused, whatever their zone does to them."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must lie in the years 1970 to 9999"):
        wish(**{name: bad})


@EACH_MOMENT
@pytest.mark.parametrize(
    "edge", [datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_moment_at_the_edge(name: str, edge: datetime) -> None:
    """The first and the last moment are allowed, and stored as given."""
    assert edge is getattr(wish(**{name: edge}), name)


@pytest.mark.parametrize("name", ["created", "delivery", "processed"])
def test_range_upside_down(name: str) -> None:
    """A range that ends before it begins is refused; one of a single moment is not."""
    early, late = f"{name}_from", f"{name}_to"
    wish(**{early: NOW, late: NOW})
    with pytest.raises(ConfigurationError, match=rf"^{early} must not be later than {late}"):
        wish(**{early: NOW + timedelta(microseconds=1), late: NOW})


def test_range_when_the_clock_is_put_back() -> None:
    """What counts is the time, not what the wall clock showed."""
    zone = Autumn()
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    later = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=zone)
    assert first > later
    assert "page=1&created_at[gte]=1792888200&created_at[lte]=1792890600" == write_query(
        BulkFilter(created_from=first, created_to=later), None, 1
    )
    with pytest.raises(ConfigurationError, match="created_from"):
        BulkFilter(created_from=later, created_to=first)


@EACH_COUNT
@pytest.mark.parametrize("bad", [-1, True, 1.0, "1", 2**63])
def test_invalid_count(name: str, bad: Any) -> None:
    """A number of messages is a whole number of at least 0."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must be a whole number from 0"):
        wish(**{name: bad})


def test_counts_upside_down() -> None:
    """The least number is not above the largest, and may be equal to it."""
    assert 3 == BulkFilter(min_messages=3, max_messages=3).max_messages
    with pytest.raises(ConfigurationError, match=r"^min_messages must not be greater than max_mes"):
        BulkFilter(min_messages=4, max_messages=3)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "source",
        ["source"],
        {"source": 1},
        {"Source": True},
        {"source]": True},
        {"source\n": True},
        {"": True},
        {1: True},
    ],
)
def test_invalid_exists(bad: Any) -> None:
    """Names that would break the query, and answers that are no bool, are refused."""
    with pytest.raises(ConfigurationError, match=r"^exists must map names of fields"):
        BulkFilter(exists=bad)


def test_exists_is_held_against_a_bulk() -> None:
    """A value, at once and what cannot be read are there; a field of another time says nothing."""
    read = make_converter().structure
    raw = {"uuid": ID, "status_code": 0, "delivery_at": 0, "text": None, "price": "odd"}
    bulk = read(raw, Bulk)
    for name, there in {"delivery_at": True, "text": False, "price": True}.items():
        assert BulkFilter(exists={name: there}).matches(bulk)
        assert not BulkFilter(exists={name: not there}).matches(bulk)
    assert BulkFilter(exists={"of_tomorrow": True}).matches(bulk)


def test_exists_is_a_read_only_copy() -> None:
    """Neither the caller's mapping nor the stored one changes a filter."""
    mine = {"source": True}
    made = BulkFilter(exists=mine)
    mine["ip"] = False
    assert {"source": True} == made.exists
    with pytest.raises(TypeError):
        made.exists["ip"] = False  # type: ignore[index]


def test_errors_quote_nothing_long() -> None:
    """An error says what is wrong in one short line."""
    secret = "secret" * 1000 + "\n"
    for bad in ({"text": secret}, {"uuids": secret}, {"exists": {secret: True}}):
        with pytest.raises(Lox24Error) as caught:
            wish(**bad)
        assert "secret" not in str(caught.value)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize("one", [full(), BulkFilter(), BulkOrder("created_at", descending=True)])
def test_copies_are_equal(how: Any, one: Any) -> None:
    """A filter or an order survives copying and pickling, and stays read-only."""
    twin = how(one)
    assert one == twin
    assert hash(one) == hash(twin)
    if isinstance(twin, BulkFilter):
        with pytest.raises(TypeError):
            twin.exists["ip"] = False  # type: ignore[index]


@pytest.mark.parametrize("name", [a.name for a in attrs.fields(BulkFilter)])
def test_every_field_counts(name: str) -> None:
    """Filters that differ in one field are not equal; no field can be set."""
    assert full() != attrs.evolve(full(), **{name: getattr(BulkFilter(), name)})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(full(), name, None)


def test_evolve_checks_again() -> None:
    """A changed copy is checked like a new one."""
    assert full() == attrs.evolve(full())
    with pytest.raises(ConfigurationError, match="min_messages"):
        attrs.evolve(full(), min_messages=10)


def test_no_room_for_more() -> None:
    """The nouns are slotted."""
    assert not hasattr(full(), "__dict__")
    assert not hasattr(BulkOrder("created_at"), "__dict__")


# --- the order


def test_signature_of_order() -> None:
    """The order and the defaults of the arguments are a promise."""
    parameters = inspect.signature(BulkOrder).parameters
    assert {"field": inspect.Parameter.empty, "descending": False} == {
        name: p.default for name, p in parameters.items()
    }


@pytest.mark.parametrize("bad", ["price", "", None, ["created_at"], "created_at\n"])
def test_invalid_order_field(bad: Any) -> None:
    """LOX24 sorts by four fields only."""
    with pytest.raises(
        ConfigurationError, match=r"^field must be one of created_at, delivery_at, "
    ):
        BulkOrder(bad)


@pytest.mark.parametrize("bad", ["desc", 1, None])
def test_invalid_direction(bad: Any) -> None:
    """A direction is a bool, so that 'asc' is not taken for true."""
    with pytest.raises(ConfigurationError, match=r"^descending must be True or False"):
        BulkOrder("created_at", bad)


# --- the query


@pytest.mark.parametrize(
    ("expected", "wanted"),
    [
        ("", None),
        ("", BulkFilter()),
        (f"&uuid={ID}", BulkFilter([ID])),
        (f"&uuid[]={ID}&uuid[]={OTHER}", BulkFilter([ID, OTHER])),
        ("&status_code=15", BulkFilter(status_codes=[BulkStatus.CANCELED])),
        ("&status_code[]=0&status_code[]=7", BulkFilter(status_codes=[0, 7])),
        ("&text=a%26b%3D%5B%C3%BC%5D%20%2B%2F%25", BulkFilter(text="a&b=[ü] +/%")),
        ("&sender_id=%2B49170", BulkFilter(sender_id="+49170")),
        ("&sender_id=Acme", BulkFilter(sender_id_exact="Acme")),
        ("&sender_id=Acme", BulkFilter(sender_id="ac", sender_id_exact="Acme")),
        (f"&created_at[gte]={UNIX}", BulkFilter(created_from=NOW)),
        (f"&created_at[lte]={UNIX}", BulkFilter(created_to=NOW)),
        (f"&delivery_at[gte]={UNIX}", BulkFilter(delivery_from=NOW)),
        (f"&delivery_at[lte]={UNIX}", BulkFilter(delivery_to=NOW)),
        (f"&processed_at[gte]={UNIX}", BulkFilter(processed_from=NOW)),
        (f"&processed_at[lte]={UNIX}", BulkFilter(processed_to=NOW)),
        ("&created_at[gte]=0", BulkFilter(created_from=datetime(1970, 1, 1, tzinfo=UTC))),
        (
            "&msg_total_count[gte]=0&msg_total_count[lte]=0",
            BulkFilter(min_messages=0, max_messages=0),
        ),
        ("&exists[is_unicode]=true", BulkFilter(exists={"is_unicode": True})),
        (
            "&exists[source]=false&exists[voice_lang]=true",
            BulkFilter(exists={"voice_lang": True, "source": False}),
        ),
    ],
)
def test_filter_on_the_wire(expected: str, wanted: BulkFilter | None) -> None:
    """Each filter is written as the docs say."""
    assert f"page=2{expected}" == write_query(wanted, None, 2)


BY_DATE = BulkOrder("created_at", descending=True)
BY_SIZE = BulkOrder("msg_total_count")


@pytest.mark.parametrize(
    ("expected", "order"),
    [
        ("", None),
        ("", ()),
        ("&_order[created_at]=desc", BY_DATE),
        ("&_order[msg_total_count]=asc", [BY_SIZE]),
        ("&_order[created_at]=desc&_order[msg_total_count]=asc", (BY_DATE, BY_SIZE)),
        ("&_order[msg_total_count]=asc&_order[created_at]=desc", [BY_SIZE, BY_DATE]),
    ],
)
def test_order_on_the_wire(expected: str, order: Any) -> None:
    """The steps of an order keep their sequence."""
    assert f"page=1{expected}" == write_query(None, order, 1)


@pytest.mark.parametrize("bad", ["created_at", ["created_at"], {BY_DATE}, iter([BY_DATE]), 5])
def test_invalid_order(bad: Any) -> None:
    """An order is made of BulkOrder, and can be written for one page after the other."""
    with pytest.raises(ConfigurationError, match=r"^order must be a BulkOrder, a sequence"):
        write_query(None, bad, 1)


def test_order_names_a_field_twice() -> None:
    """Up and down at once is no order."""
    with pytest.raises(ConfigurationError, match=r"^order must name each field once"):
        write_query(None, [BulkOrder("created_at"), BY_DATE], 1)


def test_invalid_filter() -> None:
    """A dict is no filter."""
    with pytest.raises(ConfigurationError, match=r"^filter must be a BulkFilter or None"):
        write_query({"text": "x"}, None, 1)  # type: ignore[arg-type]


words = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
moments = st.datetimes(FIRST, LAST, timezones=st.timezones() | st.just(UTC))
spans = st.tuples(moments, moments).map(lambda two: sorted(two, key=lambda t: t.timestamp()))
short = settings(max_examples=60, deadline=None)


@short
@given(
    ids=st.lists(st.uuids(), max_size=4),
    codes=st.lists(st.integers(0, 300), max_size=4),
    text=words | st.none(),
    sender=words | st.none(),
    names=st.dictionaries(st.from_regex("[a-z_]+", fullmatch=True), st.booleans(), max_size=3),
    page=st.integers(1, 10_000),
)
def test_query_can_be_read_back(
    ids: list[UUID],
    codes: list[int],
    text: str | None,
    sender: str | None,
    names: dict[str, bool],
    page: int,
) -> None:
    """Whatever is asked for arrives as it was meant, and the query is plain ASCII."""
    wanted = BulkFilter(ids, codes, text, sender, exists=names)
    query = write_query(wanted, BY_DATE, page)
    assert query.isascii()
    assert query.isprintable()
    assert " " not in query
    read: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, strict_parsing=True):
        read.setdefault(name.removesuffix("[]"), []).append(value)
    expected = {
        "page": [str(page)],
        "uuid": list(dict.fromkeys(map(str, ids))),
        "status_code": list(dict.fromkeys(map(str, codes))),
        "text": [] if text is None else [text],
        "sender_id": [] if sender is None else [sender],
        **{f"exists[{name}]": [str(wish).lower()] for name, wish in names.items()},
        "_order[created_at]": ["desc"],
    }
    assert {name: values for name, values in expected.items() if values} == read


@short
@given(span=spans)
def test_bounds_never_widen(span: list[datetime]) -> None:
    """Rounding keeps every whole second of the range, and adds none."""
    start, end = span
    query = write_query(BulkFilter(created_from=start, created_to=end), None, 1)
    read = dict(parse_qsl(query))
    second = timedelta(seconds=1)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    first = epoch + int(read["created_at[gte]"]) * second
    last = epoch + int(read["created_at[lte]"]) * second
    assert timedelta(0) <= first - start.astimezone(UTC) < second
    assert timedelta(0) <= end.astimezone(UTC) - last < second


@short
@given(names=st.permutations(["source", "ip", "voice_lang", "processed_at"]))
def test_equal_filters_give_equal_queries(names: list[str]) -> None:
    """The query does not depend on the order in which a mapping was filled."""
    usual = full(exists=dict.fromkeys(sorted(names), True))
    shuffled = full(exists=dict.fromkeys(names, True))
    assert usual == shuffled
    assert write_query(usual, None, 1) == write_query(shuffled, None, 1)
