"""The nouns: what they hold, what they say of themselves, and that nothing changes them."""

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest

import lox24_async
from lox24_async import Bulk, BulkStatus, JsonLdBulk, ServiceCode, VoiceLang, make_converter

ID = UUID("da0fa78c-4699-11ea-a637-96000028b339")
NOW = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
OPTIONAL = [
    "delivery_at",
    "sender_id",
    "text",
    "phones",
    "msg_groups",
    "msg_total_count",
    "created_at",
    "processed_at",
    "ip",
    "is_unicode",
    "is_dryrun",
    "service_code",
    "key_id",
    "source",
    "voice_lang",
    "is_text_deleted",
    "price",
]
LD_ONLY = ["ld_id", "ld_type", "ld_context"]
FORMS = pytest.mark.parametrize("form", [Bulk, JsonLdBulk])


def full(form: type[Bulk], **more: Any) -> Bulk:
    """Make a bulk with a value in every field."""
    values: dict[str, Any] = {
        "uuid": ID,
        "status_code": BulkStatus.CANCELED,
        "delivery_at": NOW,
        "sender_id": "Shop 24",
        "text": "a private text",
        "phones": ("+491701234567",),
        "msg_groups": (7117, "/groups/7118"),
        "msg_total_count": 12,
        "created_at": NOW,
        "processed_at": NOW,
        "ip": "192.0.2.7",
        "is_unicode": True,
        "is_dryrun": False,
        "service_code": ServiceCode.DIRECT,
        "key_id": 42,
        "source": 1234,
        "voice_lang": VoiceLang.DE,
        "is_text_deleted": False,
        "price": Decimal("0.095"),
        "extra": {"new": {"deep": [1, None]}},
    }
    if form is JsonLdBulk:
        values |= {"ld_id": f"/bulks/{ID}", "ld_type": "Bulk", "ld_context": {"hydra": "urn:x"}}
    return form(**values | more)


# --- the enumerations


def test_status_codes_are_the_documented_numbers() -> None:
    """The six states carry LOX24's numbers."""
    expected = {
        "NEW": 0,
        "IN_PROGRESS": 5,
        "PROCESSED": 10,
        "CANCELED": 15,
        "SYSTEM_ERROR": 20,
        "NO_RECIPIENTS": 201,
    }
    assert expected == {status.name: status.value for status in BulkStatus}


def test_service_codes_are_the_documented_ones() -> None:
    """The three gateways of a bulk carry their wire names."""
    assert ["direct", "text2speech", "text2speech_ssml"] == [str(code) for code in ServiceCode]


def test_voice_languages_are_the_documented_ones() -> None:
    """All twenty languages of release 2.23 are known, by their wire names."""
    expected = "BG CS DA DE EN ES FI FR HR HU IT NL PL PT RO RU SK SV TR UK"
    assert expected == " ".join(sorted(VoiceLang))


# --- the shape


@FORMS
def test_fields_are_the_wires_names(form: type[Bulk]) -> None:
    """The public fields are those of the contract; JSON-LD adds three."""
    expected = {"uuid", "status_code", *OPTIONAL, "extra", "request_id"}
    expected |= set(LD_ONLY) if form is JsonLdBulk else set()
    assert expected == {a.name for a in attrs.fields(form) if not a.name.startswith("_")}


@FORMS
def test_only_id_and_status_are_required(form: type[Bulk]) -> None:
    """All other fields are None unless given, and ``extra`` is empty."""
    bulk = form(uuid=ID, status_code=BulkStatus.NEW)
    names = OPTIONAL + (LD_ONLY if form is JsonLdBulk else [])
    assert dict.fromkeys(names) == {name: getattr(bulk, name) for name in names}
    assert {} == bulk.extra
    for missing in ({"uuid": ID}, {"status_code": BulkStatus.NEW}):
        with pytest.raises(TypeError):
            form(**missing)


@FORMS
def test_fields_are_keyword_only(form: type[Bulk]) -> None:
    """No field can be given by position."""
    with pytest.raises(TypeError):
        form(ID, BulkStatus.NEW)  # type: ignore[call-arg]


@FORMS
@pytest.mark.parametrize("name", ["uuid", "status_code", "price", "extra", "no_such_field"])
def test_a_bulk_is_frozen_and_slotted(form: type[Bulk], name: str) -> None:
    """Nothing of a bulk can be set, replaced, added or deleted."""
    bulk = full(form)
    with pytest.raises(AttributeError):
        setattr(bulk, name, 1)
    with pytest.raises(AttributeError):
        delattr(bulk, name)
    assert not hasattr(bulk, "__dict__")


def test_extra_is_read_only_and_its_own() -> None:
    """``extra`` cannot be changed through the bulk, nor through what it was made from."""
    source = {"new": 1}
    bulk = full(Bulk, extra=source)
    source["new"] = 2
    assert {"new": 1} == bulk.extra
    with pytest.raises(TypeError):
        bulk.extra["new"] = 3  # type: ignore[index]


def test_the_json_ld_context_is_read_only() -> None:
    """A context that is a mapping cannot be changed through the bulk."""
    bulk = full(JsonLdBulk)
    assert isinstance(bulk, JsonLdBulk)
    assert {"hydra": "urn:x"} == bulk.ld_context
    with pytest.raises(TypeError):
        bulk.ld_context["hydra"] = "urn:y"  # type: ignore[index]


# --- what it says


@pytest.mark.parametrize(
    ("status", "canceled", "final", "cancelable"),
    [
        (BulkStatus.NEW, False, False, True),
        (BulkStatus.IN_PROGRESS, False, False, True),
        (BulkStatus.PROCESSED, False, True, False),
        (BulkStatus.CANCELED, True, True, False),
        (BulkStatus.SYSTEM_ERROR, False, True, False),
        (BulkStatus.NO_RECIPIENTS, False, True, False),
        (15, True, True, False),
        (5, False, False, True),
        (1, False, False, False),
        (16, False, False, False),
        (200, False, False, False),
        (-15, False, False, False),
    ],
)
def test_what_a_status_means(
    status: BulkStatus | int, canceled: bool, final: bool, cancelable: bool
) -> None:
    """10, 15, 20 and 201 are final, 0 and 5 can be cancelled, a new code is neither."""
    bulk = Bulk(uuid=ID, status_code=status)
    assert (canceled, final, cancelable) == (bulk.is_canceled, bulk.is_final, bulk.is_cancelable)


@FORMS
def test_repr_tells_the_facts_and_no_private_data(form: type[Bulk]) -> None:
    """``repr`` names the id and the status, not the text, the recipients or ``extra``."""
    shown = repr(full(form, extra={"new": "raw-and-private"}))
    assert shown.startswith(f"{form.__name__}(")
    assert str(ID) in shown
    assert "CANCELED" in shown
    for private in ("a private text", "+491701234567", "raw-and-private"):
        assert private not in shown


# --- comparing and copying


@FORMS
def test_equal_bulks_are_equal_and_hash_alike(form: type[Bulk]) -> None:
    """A bulk is a value: equal by its fields, usable in a set."""
    assert full(form) == full(form)
    assert 1 == len({full(form), full(form)})
    changes: list[dict[str, Any]] = [
        {"status_code": BulkStatus.NEW},
        {"price": None},
        {"extra": {}},
    ]
    for change in changes:
        assert full(form) != full(form, **change)


def test_the_two_forms_are_not_equal() -> None:
    """A JSON-LD bulk is a bulk, but never equal to a plain one."""
    plain = Bulk(uuid=ID, status_code=BulkStatus.NEW)
    linked = JsonLdBulk(uuid=ID, status_code=BulkStatus.NEW)
    assert isinstance(linked, Bulk)
    assert plain != linked


@FORMS
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bulk_can_be_pickled(form: type[Bulk], protocol: int) -> None:
    """A pickled bulk comes back equal, still frozen, and is written out as before."""
    bulk = full(form)
    back = pickle.loads(pickle.dumps(bulk, protocol))
    assert bulk == back
    assert make_converter().unstructure(bulk) == make_converter().unstructure(back)
    with pytest.raises(TypeError):
        back.extra["new"] = 1
    with pytest.raises(AttributeError):
        back.price = None


@FORMS
def test_a_pickled_bulk_keeps_how_it_came(form: type[Bulk]) -> None:
    """Null against absent, and 0 against null, survive pickling."""
    reply = {"uuid": str(ID).upper(), "status_code": 15, "delivery_at": 0, "ip": None, "new": [1]}
    converter = make_converter()
    back = pickle.loads(pickle.dumps(converter.structure(reply, form)))
    assert reply == converter.unstructure(back)


@FORMS
def test_a_bulk_can_be_copied(form: type[Bulk]) -> None:
    """Shallow and deep copies are equal; a deep copy shares nothing that can change."""
    bulk = full(form)
    assert bulk == copy.copy(bulk)
    deep = copy.deepcopy(bulk)
    assert bulk == deep
    deep.extra["new"]["deep"].append(2)
    assert {"deep": [1, None]} == bulk.extra["new"]


@FORMS
def test_a_bulk_can_be_evolved(form: type[Bulk]) -> None:
    """``attrs.evolve`` changes what it is told to and keeps the rest."""
    evolved = attrs.evolve(full(form), status_code=BulkStatus.PROCESSED)
    assert full(form, status_code=BulkStatus.PROCESSED) == evolved


# --- what one sends, and the public face


def test_public_names_are_sorted_and_there() -> None:
    """``__all__`` is sorted, without doubles, and every name in it can be imported."""
    names = lox24_async.__all__
    assert sorted(set(names)) == list(names)
    assert [] == [name for name in names if not hasattr(lox24_async, name)]
