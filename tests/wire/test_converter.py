"""The wire's rules: strict where the truth depends on it, lenient elsewhere, nothing coerced."""

import json
import logging
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lox24_async import Bulk, BulkStatus, JsonLdBulk, ServiceCode, VoiceLang, make_converter
from lox24_async._wire import json as json_module

ID = "da0fa78c-4699-11ea-a637-96000028b339"
CONVERTER = make_converter()
FORMS = pytest.mark.parametrize("form", [Bulk, JsonLdBulk])

# The answer of PUT …/cancel and GET …/status.
SUMMARY: dict[str, Any] = {
    "uuid": ID,
    "delivery_at": 0,
    "sender_id": "Shop 24",
    "status_code": 15,
    "msg_total_count": 2500,
    "created_at": 1782900000,
    "processed_at": 1782900042,
    "ip": "192.0.2.7",
    "is_unicode": None,
    "is_dryrun": False,
    "service_code": "direct",
    "key_id": 42,
    "source": None,
    "voice_lang": None,
    "is_text_deleted": False,
    "price": 237.5,
}
# The answer of GET /bulks/{id}, and a member of GET /bulks.
FULL: dict[str, Any] = {
    "uuid": ID,
    "delivery_at": 1782993600,
    "sender_id": "+493075435114",
    "text": "Grüße aus {A} 🎉",
    "phones": ["+491701234567", "00491701234568"],
    "msg_groups": [7117, 7118],
    "status_code": 5,
    "msg_total_count": 3,
    "created_at": 1782900000,
    "processed_at": None,
    "ip": "192.0.2.7",
    "is_unicode": True,
    "is_dryrun": False,
    "service_code": "text2speech",
    "key_id": 42,
    "source": 1234,
    "voice_lang": "UK",
    "is_text_deleted": False,
    "price": 0.285,
}
LINKED: dict[str, Any] = {
    "@context": {"hydra": "http://www.w3.org/ns/hydra/core#"},
    "@id": f"/bulks/{ID}",
    "@type": "Bulk",
}
SAMPLES = pytest.mark.parametrize(
    ("form", "reply"),
    [
        pytest.param(Bulk, SUMMARY, id="summary"),
        pytest.param(JsonLdBulk, LINKED | SUMMARY, id="summary-ld"),
        pytest.param(Bulk, FULL, id="full"),
        pytest.param(JsonLdBulk, LINKED | FULL, id="full-ld"),
        pytest.param(JsonLdBulk, FULL | {"@context": "/contexts/Bulk"}, id="full-ld-context-iri"),
        pytest.param(Bulk, LINKED | FULL, id="ld-keys-in-a-plain-form"),
        pytest.param(JsonLdBulk, SUMMARY, id="plain-keys-in-the-ld-form"),
        pytest.param(Bulk, {"uuid": ID, "status_code": 0}, id="least"),
        pytest.param(
            JsonLdBulk,
            dict.fromkeys([*LINKED, *FULL]) | {"uuid": ID, "status_code": 201},
            id="all-null",
        ),
    ],
)


def minimal(**more: Any) -> dict[str, Any]:
    return {"uuid": ID, "status_code": 15, **more}


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "lox24_async" and record.levelno >= logging.WARNING
    ]


# --- samples


def test_a_status_summary_is_read() -> None:
    """Every field of the summary comes in with its type; null and 0 are None."""
    expected = Bulk(
        uuid=UUID(ID),
        status_code=BulkStatus.CANCELED,
        delivery_at=None,
        sender_id="Shop 24",
        msg_total_count=2500,
        created_at=datetime(2026, 7, 1, 10, 0, tzinfo=UTC),
        processed_at=datetime(2026, 7, 1, 10, 0, 42, tzinfo=UTC),
        ip="192.0.2.7",
        is_dryrun=False,
        service_code=ServiceCode.DIRECT,
        key_id=42,
        is_text_deleted=False,
        price=Decimal("237.5"),
    )
    assert expected == CONVERTER.structure(SUMMARY, Bulk)


def test_a_full_json_ld_bulk_is_read() -> None:
    """Every field of the full form comes in, with the three linked-data names."""
    expected = JsonLdBulk(
        uuid=UUID(ID),
        status_code=BulkStatus.IN_PROGRESS,
        delivery_at=datetime(2026, 7, 2, 12, 0, tzinfo=UTC),
        sender_id="+493075435114",
        text="Grüße aus {A} 🎉",
        phones=("+491701234567", "00491701234568"),
        msg_groups=(7117, 7118),
        msg_total_count=3,
        created_at=datetime(2026, 7, 1, 10, 0, tzinfo=UTC),
        ip="192.0.2.7",
        is_unicode=True,
        is_dryrun=False,
        service_code=ServiceCode.TEXT2SPEECH,
        key_id=42,
        source=1234,
        voice_lang=VoiceLang.UK,
        is_text_deleted=False,
        price=Decimal("0.285"),
        ld_id=f"/bulks/{ID}",
        ld_type="Bulk",
        ld_context={"hydra": "http://www.w3.org/ns/hydra/core#"},
    )
    assert expected == CONVERTER.structure(LINKED | FULL, JsonLdBulk)


@SAMPLES
def test_samples_go_out_as_they_came(
    form: type[Bulk], reply: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Objects and texts survive the way in and out, without a warning."""
    assert reply == CONVERTER.unstructure(CONVERTER.structure(reply, form))
    text = json.dumps(reply)
    for data in (text, text.encode(), b"\xef\xbb\xbf" + text.encode()):
        assert reply == json.loads(CONVERTER.dumps(CONVERTER.loads(data, form)))
    assert [] == warnings_in(caplog)


def test_unknown_fields_are_kept_by_their_wire_name() -> None:
    """What no field stands for is in ``extra``, nulls and nested values too."""
    unknown = {"new": 1, "deep": {"a": [None, {"b": 1.5}]}, "none": None, "ld_id": "x", "extra": 2}
    assert unknown == CONVERTER.structure(minimal(**unknown), JsonLdBulk).extra


def test_linked_data_names_of_a_plain_reply_are_extra() -> None:
    """The plain form knows no linked data, but loses none."""
    assert LINKED == CONVERTER.structure(LINKED | SUMMARY, Bulk).extra


# --- strict: the id and the status


@FORMS
@pytest.mark.parametrize(
    "raw",
    [
        None,
        15,
        True,
        "",
        "15",
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID[:-1],
        ID + "0",
        ID + "\n",
        " " + ID,
        ID.replace("d", "g", 1),
        ID.replace("-", "_"),
        ID.replace("0", "\u0660", 1),
        [ID],
        {"uuid": ID},
    ],
)
def test_case_25_a_reply_without_a_true_id_is_no_bulk(form: type[Bulk], raw: object) -> None:
    """Only 8-4-4-4-12 hex digits in a string are an id; nothing is repaired."""
    with pytest.raises(ValueError, match="uuid"):
        CONVERTER.structure({"uuid": raw, "status_code": 15}, form)


@FORMS
@pytest.mark.parametrize(
    "raw", [None, True, False, 15.0, 15.9, "15", "", "CANCELED", [15], {}, math.nan]
)
def test_case_25_a_reply_without_a_true_status_is_no_bulk(form: type[Bulk], raw: object) -> None:
    """Only an integer is a status: 15.9, true and "15" are not."""
    with pytest.raises(ValueError, match="status_code"):
        CONVERTER.structure({"uuid": ID, "status_code": raw}, form)


@FORMS
@pytest.mark.parametrize("missing", ["uuid", "status_code"])
def test_case_25_the_two_certain_fields_must_be_there(form: type[Bulk], missing: str) -> None:
    """A reply that lacks the id or the status is no bulk."""
    reply = minimal()
    del reply[missing]
    with pytest.raises(ValueError, match=missing):
        CONVERTER.structure(reply, form)


@FORMS
@pytest.mark.parametrize("raw", [None, [], [SUMMARY], "x", 15, True, b"{}", object()])
def test_case_25_what_is_no_object_is_no_bulk(form: type[Bulk], raw: object) -> None:
    """A list, a string, a number, null: ``ValueError``, nothing else."""
    with pytest.raises(ValueError, match="object"):
        CONVERTER.structure(raw, form)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [*((int(status), status) for status in BulkStatus), (1, 1), (-15, -15), (10**30, 10**30)],
)
def test_case_25_a_new_status_stays_a_number(raw: int, expected: int) -> None:
    """Known codes become members of the enum, others stay plain integers."""
    status = CONVERTER.structure({"uuid": ID, "status_code": raw}, Bulk).status_code
    assert (type(expected), expected) == (type(status), status)


@FORMS
def test_an_upper_case_id_is_read_and_kept(form: type[Bulk]) -> None:
    """An id in upper case is the same id, and goes out as it came."""
    reply = {"uuid": ID.upper(), "status_code": 15}
    bulk = CONVERTER.structure(reply, form)
    assert UUID(ID) == bulk.uuid
    assert reply == CONVERTER.unstructure(bulk)


# --- lenient: all else

ODD: dict[str, list[Any]] = {
    "delivery_at": ["1782993600", 1.5, 0.0, True, False, [], {}, 10**30, -(10**30), 10**4000],
    "sender_id": [5, True, [], {"name": "x"}],
    "text": [5, ["x"], False],
    "phones": ["+491701234567", [491701234567], [None], {"0": "+49"}, 5],
    "msg_groups": [7117, [1.5], [True], [None], [[7117]], {}],
    "msg_total_count": ["3", 3.0, True, []],
    "created_at": [ID, "2026-07-01T10:00:00Z", 1782900000.0, True, 253402300800, {}],
    "processed_at": ["0", 1.0, False, -62135596801],
    "ip": [3221225991, ["192.0.2.7"], False],
    "is_unicode": [0, 1, "true", [], 1.0],
    "is_dryrun": [0, 1, "false", {}],
    "service_code": [5, ["direct"], True],
    "key_id": ["42", 42.0, True, []],
    "source": ["1234", 1234.5, False],
    "voice_lang": [5, ["DE"], False, {}],
    "is_text_deleted": [0, "false", []],
    "price": ["0.095", True, [], {"EUR": 1}, math.inf],
}
ODD_LD: dict[str, list[Any]] = {"@id": [5, {}], "@type": [["Bulk"], 5], "@context": [5, True]}
ATTRIBUTES = {"@id": "ld_id", "@type": "ld_type", "@context": "ld_context"}


@pytest.mark.parametrize(
    ("form", "name", "raw"),
    [
        pytest.param(form, name, raw, id=f"{form.__name__}-{name}-{number}")
        for form, table in ((Bulk, ODD), (JsonLdBulk, ODD | ODD_LD))
        for name, values in table.items()
        for number, raw in enumerate(values)
    ],
)
def test_case_25_an_odd_field_costs_only_itself(
    form: type[Bulk], name: str, raw: object, caplog: pytest.LogCaptureFixture
) -> None:
    """The field is None, the raw value in ``extra``, one WARNING names it without quoting it."""
    reply = minimal(**{name: raw})
    bulk = CONVERTER.structure(reply, form)
    assert bulk.is_canceled
    assert getattr(bulk, ATTRIBUTES.get(name, name)) is None
    assert {name: raw} == bulk.extra
    assert type(raw) is type(bulk.extra[name])
    assert reply == CONVERTER.unstructure(bulk)
    [said] = warnings_in(caplog)
    assert name in said
    assert ID in said
    if isinstance(raw, str):
        assert raw == ID or raw not in said.replace(ID, "")


def test_case_25_several_odd_fields_are_all_named(caplog: pytest.LogCaptureFixture) -> None:
    """Each odd field is named; the good ones beside them are read."""
    bulk = CONVERTER.structure(minimal(price="x", created_at=ID, key_id=42), Bulk)
    assert (None, None, 42) == (bulk.price, bulk.created_at, bulk.key_id)
    said = " ".join(warnings_in(caplog))
    assert "price" in said
    assert "created_at" in said
    assert "key_id" not in said


@FORMS
@pytest.mark.parametrize("name", [*ODD, *ODD_LD])
def test_case_25_null_is_none_and_no_surprise(
    form: type[Bulk], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Null is None (never 'None'), without a warning, and stays apart from absent."""
    reply = minimal(**{name: None})
    bulk = CONVERTER.structure(reply, form)
    if form is JsonLdBulk or name in ODD:
        assert getattr(bulk, ATTRIBUTES.get(name, name)) is None
        assert {} == bulk.extra
    assert reply == CONVERTER.unstructure(bulk)
    assert minimal() == CONVERTER.unstructure(CONVERTER.structure(minimal(), form))
    assert [] == warnings_in(caplog)


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("delivery_at", 0, None),
        ("delivery_at", 1, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("created_at", 0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("created_at", -1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("processed_at", 4294967295, datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC)),
        ("processed_at", 253402300799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("created_at", -62135596800, datetime(1, 1, 1, tzinfo=UTC)),
        ("phones", [], ()),
        ("phones", ["+49 1"], ("+49 1",)),
        ("msg_groups", [7117, "/groups/7117"], (7117, "/groups/7117")),
        ("msg_total_count", 0, 0),
        ("sender_id", "", ""),
        ("is_unicode", False, False),
        ("service_code", "direct", ServiceCode.DIRECT),
        ("voice_lang", "DE", VoiceLang.DE),
    ],
)
def test_values_are_read_and_written(name: str, raw: object, expected: object) -> None:
    """Each value comes in with its type (UTC where it is a moment) and goes out as it came."""
    bulk = CONVERTER.structure(minimal(**{name: raw}), Bulk)
    value = getattr(bulk, name)
    assert (type(expected), expected) == (type(value), value)
    if isinstance(value, datetime):
        assert UTC is value.tzinfo
    assert minimal(**{name: raw}) == CONVERTER.unstructure(bulk)


@pytest.mark.parametrize("name", ["service_code", "voice_lang"])
@pytest.mark.parametrize("raw", ["economy", "XX", "", "DIRECT", "de"])
def test_case_25_a_new_code_stays_a_string(name: str, raw: str) -> None:
    """A code that is not known yet is the plain string, neither repaired nor refused."""
    value = getattr(CONVERTER.structure(minimal(**{name: raw}), Bulk), name)
    assert (str, raw) == (type(value), value)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("5", "5"),
        ("0", "0"),
        ("-3", "-3"),
        ("0.095", "0.095"),
        ("5.0", "5.0"),
        ("0.1", "0.1"),
        ("1e23", "1E+23"),
        ("1e-7", "1E-7"),
        ("123456789.01", "123456789.01"),
        ("9" * 60, "9" * 60),
    ],
)
def test_a_price_keeps_its_digits(raw: str, expected: str) -> None:
    """A price is the decimal that was written, and goes out as the number that came."""
    bulk = CONVERTER.loads(f'{{"uuid":"{ID}","status_code":15,"price":{raw}}}', Bulk)
    assert expected == str(bulk.price)
    back = CONVERTER.unstructure(bulk)["price"]
    assert (type(json.loads(raw)), json.loads(raw)) == (type(back), back)


def test_case_25_a_price_beyond_all_measure_costs_only_itself() -> None:
    """A secondary field, however big a number, never costs the fact of the cancel."""
    assert CONVERTER.structure(minimal(price=10**5000), Bulk).is_canceled


# --- out again


def test_a_bulk_made_by_hand_is_written() -> None:
    """What never came from the wire goes out by the wire's rules; None stays out."""
    bulk = JsonLdBulk(
        uuid=UUID(ID),
        status_code=BulkStatus.NEW,
        delivery_at=datetime(2026, 7, 2, 12, 0, tzinfo=UTC),
        phones=("+491701234567",),
        service_code=ServiceCode.TEXT2SPEECH_SSML,
        voice_lang="XX",
        price=Decimal("0.10"),
        ld_id="/bulks/1",
        ld_context={"a": "b"},
        extra={"new": 1},
    )
    expected = {
        "uuid": ID,
        "status_code": 0,
        "delivery_at": 1782993600,
        "phones": ["+491701234567"],
        "service_code": "text2speech_ssml",
        "voice_lang": "XX",
        "price": 0.1,
        "@id": "/bulks/1",
        "@context": {"a": "b"},
        "new": 1,
    }
    written = CONVERTER.unstructure(bulk)
    assert expected == written
    assert {int, str, float, list, dict} >= {type(value) for value in written.values()}


def test_an_evolved_bulk_is_written_as_it_is_now() -> None:
    """What the reply said is written only as long as it is still true."""
    other = UUID(int=5)
    bulk = CONVERTER.structure({"uuid": ID.upper(), "status_code": 5, "delivery_at": 0}, Bulk)
    moved = attrs.evolve(bulk, uuid=other, delivery_at=datetime(2026, 7, 2, 12, 0, tzinfo=UTC))
    expected = {"uuid": str(other), "status_code": 5, "delivery_at": 1782993600}
    assert expected == CONVERTER.unstructure(moved)


@FORMS
def test_dumped_text_can_be_written_as_utf8(form: type[Bulk]) -> None:
    """Half an emoji (a text cut by UTF-16 units) goes out as it came, as valid UTF-8."""
    reply = f'{{"uuid":"{ID}","status_code":15,"text":"cut \\ud83c"}}'
    again = CONVERTER.dumps(CONVERTER.loads(reply, form)).encode()
    assert json.loads(reply) == json.loads(again)


def test_make_converter_gives_each_its_own() -> None:
    """Hooks that a user adds to one converter do not leak into another."""
    mine = make_converter()
    mine.register_unstructure_hook(Bulk, lambda _: "changed")
    assert minimal() == make_converter().unstructure(CONVERTER.structure(minimal(), Bulk))


# --- anything at all

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
moments = st.integers(-(10**12), 10**12)
good: dict[str, st.SearchStrategy[Any]] = {
    "delivery_at": st.just(0) | moments,
    "sender_id": st.text(),
    "text": st.text(),
    "phones": st.lists(st.text()),
    "msg_groups": st.lists(st.integers() | st.text()),
    "msg_total_count": st.integers(),
    "created_at": moments | st.just(ID),
    "processed_at": moments,
    "ip": st.text(),
    "is_unicode": st.booleans(),
    "is_dryrun": st.booleans(),
    "service_code": st.sampled_from([*map(str, ServiceCode)]) | st.text(),
    "key_id": st.integers(),
    "source": st.integers(),
    "voice_lang": st.sampled_from([*map(str, VoiceLang)]) | st.text(),
    "is_text_deleted": st.booleans(),
    "price": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "@id": st.text(),
    "@type": st.text(),
    "@context": st.text() | st.dictionaries(st.text(), st.text(), max_size=3),
}
ids = st.uuids().map(str) | st.uuids().map(lambda uuid: str(uuid).upper())
statuses = st.sampled_from([*map(int, BulkStatus)]) | st.integers()
replies = st.builds(
    lambda unknown, known: unknown | known,
    st.dictionaries(st.text(max_size=12), json_values, max_size=4),
    st.fixed_dictionaries(
        {"uuid": ids, "status_code": statuses},
        optional={name: st.none() | values | json_values for name, values in good.items()},
    ),
)


@FORMS
@settings(deadline=None, max_examples=60)
@given(reply=replies)
@example(reply=minimal(price=12345678901234568.0))
@example(reply=minimal(price=-0.0, delivery_at=False))
def test_every_reply_goes_out_as_it_came(form: type[Bulk], reply: dict[str, Any]) -> None:
    """unstructure(structure(x)) == x, and 1 is not true in it."""
    bulk = CONVERTER.structure(reply, form)
    out = CONVERTER.unstructure(bulk)
    assert reply == out
    for value in (reply, out):  # a number may change its spelling, nothing else may
        value.pop("price", None)
    assert json.dumps(reply, sort_keys=True) == json.dumps(out, sort_keys=True)


@FORMS
@settings(deadline=None, max_examples=60)
@given(reply=replies)
def test_every_reply_survives_as_text(form: type[Bulk], reply: dict[str, Any]) -> None:
    """loads(dumps(bulk)) == bulk."""
    bulk = CONVERTER.structure(reply, form)
    assert bulk == CONVERTER.loads(CONVERTER.dumps(bulk).encode(), form)


@FORMS
@settings(deadline=None, max_examples=200)
@given(data=st.binary() | st.text() | json_values.map(json.dumps))
def test_anything_else_is_a_value_error(form: type[Bulk], data: bytes | str) -> None:
    """Bytes, texts and JSON that are no bulk raise ``ValueError`` and nothing else."""
    with pytest.raises(ValueError):
        CONVERTER.loads(data, form)


@FORMS
@settings(deadline=None, max_examples=60)
@given(
    text=replies.map(json.dumps),
    place=st.integers(0, 2000),
    length=st.integers(0, 50),
    junk=st.binary(max_size=10),
)
def test_a_damaged_reply_is_a_bulk_or_a_value_error(
    form: type[Bulk], text: str, place: int, length: int, junk: bytes
) -> None:
    """Damage anywhere in a reply ends in a bulk or in ``ValueError``."""
    data = text.encode()
    damaged = data[:place] + junk + data[place + length :]
    try:
        bulk = CONVERTER.loads(damaged, form)
    except ValueError:
        return
    assert form is type(bulk)


@FORMS
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" * 100_000, id="brackets"),
        pytest.param(b'{"a":' * 100_000, id="braces"),
        pytest.param(
            json.dumps(minimal())[:-1].encode() + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            id="deep-extra",
        ),
        pytest.param(
            b'{"uuid":"' + ID.encode() + b'","status_code":' + b"1" * 5000 + b"}", id="5k"
        ),
        pytest.param(json.dumps(minimal()).encode("utf-16"), id="utf-16"),
        pytest.param(
            json.dumps(minimal(text="ü"), ensure_ascii=False).encode("latin-1"), id="latin"
        ),
        pytest.param(json.dumps(minimal()).encode() + b"x", id="trailing"),
        pytest.param(json.dumps(minimal()).encode() * 2, id="two"),
        pytest.param(b"\xef\xbb\xbf" * 2 + json.dumps(minimal()).encode(), id="two-boms"),
        *(
            pytest.param(json.dumps(minimal(x=number)).encode(), id=str(number))
            for number in (math.nan, math.inf, -math.inf)
        ),
    ],
)
def test_case_24_hostile_text_is_a_value_error(form: type[Bulk], data: bytes) -> None:
    """Depth, length, encoding and NaN end in ``ValueError``, never in a raw error."""
    with pytest.raises(ValueError):
        CONVERTER.loads(data, form)


TOO_BIG = (
    f'{{"uuid":"{ID}","status_code":15,"price":1e999,"x":1e999,"y":[1e999,-1e999,{{"z":-1E+999}}],'
    '"Infinity":["Infinity","[Infinity",",-Infinity"]}'
)


@FORMS
@pytest.mark.parametrize("fast", [True, False], ids=["as installed", "standard library"])
def test_case_66_a_number_beyond_all_floats(
    form: type[Bulk], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read as infinite, and written as a number that is read so again, never as a word."""
    if not fast:
        monkeypatch.setattr(json_module, "_fast_loads", None)
    bulk = CONVERTER.loads(TOO_BIG, form)
    assert bulk.is_canceled
    assert {"x", "y", "price", "Infinity"} == set(bulk.extra)
    reply = json.loads(TOO_BIG)
    assert (
        reply
        == CONVERTER.unstructure(bulk)
        == CONVERTER.unstructure(CONVERTER.structure(reply, form))
    )
    text = CONVERTER.dumps(bulk)
    assert bulk == CONVERTER.loads(text, form)
    assert reply == json.loads(text)


def test_case_66_nan_is_written_by_nobody() -> None:
    """What JSON cannot say at all is refused, beside a number that it can."""
    bulk = Bulk(uuid=UUID(ID), status_code=15, extra={"x": [math.inf, math.nan]})
    with pytest.raises(ValueError, match="NaN"):
        CONVERTER.dumps(bulk)
