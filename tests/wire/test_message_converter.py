"""The wire's rules for a message: only its id is strict; all goes out as it came."""

import copy
import json
import logging
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lox24_async import BulkMessage, ServiceCode, make_converter
from tests.wire.test_converter import json_values

ID = "20f39273-0566-11ea-a637-96000028b339"
BULK_ID = "da0fa78c-4699-11ea-a637-96000028b339"
CONVERTER = make_converter()

# A member of GET /sms: the fields of LOX24's own client.
SENT: dict[str, Any] = {
    "uuid": ID,
    "text": "Grüße 🎉",
    "sender_id": "Shop 24",
    "phone": "+491701234567",
    "delivery_at": 0,
    "status_code": 100,
    "gateway_sent_at": 1782900042,
    "source": 1234,
    "dlr_code": 1,
    "ip": "192.0.2.7",
    "created_at": 1782900000,
    "is_unicode": True,
    "iso2": "DE",
    "voice_lang": None,
    "parts_count": 1,
    "chars_count": 7,
    "callback_data": "order 5",
    "bulk_id": BULK_ID,
    "key_id": 42,
    "service_code": "direct",
    "is_text_deleted": False,
    "price": 0.095,
    "is_sent": True,
    "requests": f"/sms/{ID}/requests",
    "clicks": None,
}
LINKED: dict[str, Any] = {"@id": f"/sms/{ID}", "@type": "sms", "@context": {"hydra": "urn:x"}}
FIELDS = [
    "bulk_id",
    "phone",
    "sender_id",
    "text",
    "status_code",
    "dlr_code",
    "is_sent",
    "gateway_sent_at",
    "delivery_at",
    "created_at",
    "parts_count",
    "chars_count",
    "price",
    "iso2",
    "service_code",
    "callback_data",
]


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_a_message_is_read() -> None:
    """Every field comes in with its type; what has no field is in ``extra``."""
    expected = BulkMessage(
        uuid=UUID(ID),
        bulk_id=UUID(BULK_ID),
        phone="+491701234567",
        sender_id="Shop 24",
        text="Grüße 🎉",
        status_code=100,
        dlr_code=1,
        is_sent=True,
        gateway_sent_at=datetime(2026, 7, 1, 10, 0, 42, tzinfo=UTC),
        created_at=datetime(2026, 7, 1, 10, 0, tzinfo=UTC),
        parts_count=1,
        chars_count=7,
        price=Decimal("0.095"),
        iso2="DE",
        service_code=ServiceCode.DIRECT,
        callback_data="order 5",
        extra={name: SENT[name] for name in SENT if name not in (*FIELDS, "uuid")},
    )
    assert expected == CONVERTER.structure(SENT, BulkMessage)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(SENT, id="plain"),
        pytest.param(LINKED | SENT, id="linked"),
        pytest.param({"uuid": ID}, id="least"),
        pytest.param(dict.fromkeys(SENT) | {"uuid": ID}, id="all-null"),
        pytest.param({"uuid": ID.upper(), "bulk_id": BULK_ID.upper()}, id="upper-case"),
        pytest.param(
            SENT | {"gateway_sent_at": 0, "is_sent": False, "status_code": 0}, id="unsent"
        ),
    ],
)
def test_samples_go_out_as_they_came(
    reply: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Objects, texts and pickles survive the way in and out, without a warning."""
    message = CONVERTER.structure(reply, BulkMessage)
    assert reply == CONVERTER.unstructure(message)
    assert reply == json.loads(CONVERTER.dumps(CONVERTER.loads(json.dumps(reply), BulkMessage)))
    assert reply == CONVERTER.unstructure(pickle.loads(pickle.dumps(message)))
    assert [] == warnings_in(caplog)


def test_zero_is_no_moment() -> None:
    """0 says "at once" of a delivery and "not yet" of the hand-over: both are None."""
    message = CONVERTER.structure({"uuid": ID, "delivery_at": 0, "gateway_sent_at": 0}, BulkMessage)
    assert (None, None) == (message.delivery_at, message.gateway_sent_at)


@pytest.mark.parametrize("name", FIELDS)
def test_all_but_the_id_may_be_missing(name: str) -> None:
    """What the reply left out is None; ``is_sent`` too: unknown is not unsent."""
    assert getattr(CONVERTER.structure({"uuid": ID}, BulkMessage), name) is None


@pytest.mark.parametrize("number", [1, 99, -5, 10**20])
@pytest.mark.parametrize("name", ["status_code", "dlr_code"])
def test_new_numbers_are_readable(name: str, number: int, caplog: pytest.LogCaptureFixture) -> None:
    """A status that LOX24 does not document yet is the number that it is."""
    message = CONVERTER.structure({"uuid": ID, name: number}, BulkMessage)
    assert number == getattr(message, name)
    assert [] == warnings_in(caplog)


def test_new_service_is_readable() -> None:
    """A service that is not known yet is the text that it is."""
    message = CONVERTER.structure({"uuid": ID, "service_code": "economy"}, BulkMessage)
    assert "economy" == message.service_code


@pytest.mark.parametrize(
    "raw", [None, 5, "", "x", ID.replace("-", ""), ID[:-1], f"/sms/{ID}", ID + "\n", [ID]]
)
def test_the_id_is_strict(raw: object) -> None:
    """Without an id there is no message to tell from another."""
    with pytest.raises(ValueError, match="uuid is missing or is no UUID"):
        CONVERTER.structure({**SENT, "uuid": raw}, BulkMessage)


@pytest.mark.parametrize("raw", [None, [], "x", 5, True])
def test_no_object_is_no_message(raw: object) -> None:
    """Something else than an object is refused."""
    with pytest.raises(ValueError, match="expected a JSON object"):
        CONVERTER.structure(raw, BulkMessage)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("bulk_id", 5),
        ("bulk_id", f"/bulks/{BULK_ID}"),
        ("phone", 491701234567),
        ("sender_id", True),
        ("text", ["a"]),
        ("status_code", "100"),
        ("status_code", True),
        ("dlr_code", 1.0),
        ("is_sent", 1),
        ("is_sent", "true"),
        ("gateway_sent_at", "2026-07-01T10:00:42Z"),
        ("gateway_sent_at", False),
        ("delivery_at", 0.5),
        ("created_at", ID),
        ("parts_count", "1"),
        ("chars_count", True),
        ("price", "0.095"),
        ("price", True),
        ("iso2", 49),
        ("service_code", 1),
        ("callback_data", {"a": 1}),
    ],
)
def test_unexpected_type_is_none_and_in_extra(
    name: str, raw: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is coerced, nothing is lost, and one WARNING says so without the value."""
    reply = {**SENT, name: raw}
    message = CONVERTER.structure(reply, BulkMessage)
    assert getattr(message, name) is None
    assert raw == message.extra[name]
    assert reply == CONVERTER.unstructure(message)
    kind = type(raw).__name__
    assert [f"message {ID}: unexpected type of {name} ({kind}); see extra"] == warnings_in(caplog)


def test_evolved_ids_are_written_as_they_are_now() -> None:
    """An id that came in upper case and was changed goes out as the new one."""
    came = {"uuid": ID.upper(), "bulk_id": BULK_ID.upper()}
    message = CONVERTER.structure(came, BulkMessage)
    other = UUID(int=5)
    moved = attrs.evolve(message, uuid=other, bulk_id=other)
    assert {"uuid": str(other), "bulk_id": str(other)} == CONVERTER.unstructure(moved)
    assert {"uuid": ID.upper()} == CONVERTER.unstructure(attrs.evolve(message, bulk_id=None))


ids = st.uuids().map(str) | st.uuids().map(lambda uuid: str(uuid).upper())


@given(
    st.fixed_dictionaries(
        {"uuid": ids},
        optional=dict.fromkeys((*FIELDS, "@id", "ip", "extra", "as_sent"), json_values | ids),
    )
)
@settings(max_examples=100, deadline=None)
def test_whatever_comes_goes_out_again(reply: dict[str, Any]) -> None:
    """unstructure(structure(x)) == x for any JSON in any field."""
    assert reply == CONVERTER.unstructure(CONVERTER.structure(reply, BulkMessage))


# --- the noun


def test_private_data_is_not_shown() -> None:
    """``repr`` leaves out text, recipient and ``extra``."""
    shown = repr(CONVERTER.structure(SENT | {"odd": "secret-odd"}, BulkMessage))
    assert BULK_ID in shown
    for private in ("Grüße", "491701234567", "secret-odd", "192.0.2.7"):
        assert private not in shown


def test_frozen_slotted_and_keyword_only() -> None:
    """Nothing changes a message; its mappings are read-only; a copy is itself."""
    message = CONVERTER.structure(SENT, BulkMessage)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        message.is_sent = False  # type: ignore[misc]
    with pytest.raises(TypeError):
        message.extra["ip"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        BulkMessage(UUID(ID))  # type: ignore[call-arg]
    assert not hasattr(message, "__dict__")
    assert copy.copy(message) is message
    assert copy.deepcopy(message) == message == pickle.loads(pickle.dumps(message))
    assert ["uuid", *FIELDS, "extra"] == [
        a.name for a in attrs.fields(BulkMessage) if not a.name.startswith("_")
    ]
