"""What one sends to create a bulk: the draft, its checks, and the body it becomes."""

import copy
import enum
import inspect
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lox24_async._wire.requests import write_draft
from lox24_async.drafts import BulkDraft, find_foreign, gsm_length, unicode_length
from lox24_async.errors import ConfigurationError
from lox24_async.models import ServiceCode, VoiceLang

NOW = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
UNIX = 1_782_909_000
FIRST = datetime(1970, 1, 2)  # noqa: DTZ001 - hypothesis adds the zone
LAST = datetime(9999, 12, 30)  # noqa: DTZ001
PHONE = "+491701234567"


def draft(**more: Any) -> BulkDraft:
    """Make a draft that is fine but for what is given."""
    return BulkDraft(**({"sender_id": "Shop 24", "text": "Sale", "phones": [PHONE]} | more))


def full() -> BulkDraft:
    """Make a draft with a value in every field."""
    return draft(
        msg_groups=[7117],
        service_code=ServiceCode.TEXT2SPEECH,
        delivery_at=NOW,
        is_unicode=True,
        source=1234,
        voice_lang=VoiceLang.DE,
    )


# --- the noun


def test_signature() -> None:
    """The order and the defaults of the arguments are a promise."""
    parameters = inspect.signature(BulkDraft).parameters
    assert [
        ("sender_id", inspect.Parameter.empty),
        ("text", inspect.Parameter.empty),
        ("phones", ()),
        ("msg_groups", ()),
        ("service_code", ServiceCode.DIRECT),
        ("delivery_at", None),
        ("is_unicode", None),
        ("source", None),
        ("voice_lang", None),
    ] == [(name, p.default) for name, p in parameters.items()]
    kinds = {p.kind for p in parameters.values()}
    assert {inspect.Parameter.POSITIONAL_OR_KEYWORD} == kinds


def test_repr_keeps_private_things_private() -> None:
    """Text and recipients do not show in logs."""
    shown = repr(draft(text="a private text"))
    assert "private" not in shown
    assert PHONE not in shown
    assert "Shop 24" in shown


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize("one", [full(), draft()])
def test_copies_are_equal(how: Any, one: BulkDraft) -> None:
    """A draft survives copying and pickling."""
    twin = how(one)
    assert one == twin
    assert hash(one) == hash(twin)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("sender_id", "Other"),
        ("text", "Other"),
        ("phones", ()),
        ("msg_groups", ()),
        ("service_code", "direct"),
        ("delivery_at", None),
        ("is_unicode", None),
        ("source", None),
        ("voice_lang", None),
    ],
)
def test_every_field_counts(name: str, other: Any) -> None:
    """Drafts that differ in one field are not equal; no field can be set."""
    assert full() != attrs.evolve(full(), **{name: other})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(full(), name, other)


def test_no_room_for_more() -> None:
    """A draft is slotted."""
    assert not hasattr(draft(), "__dict__")


# --- sender


@pytest.mark.parametrize(
    "good", ["S", "Shop 24", "a" * 11, "1" * 15, "+" + "1" * 15, "+491", "0049123", " ", "0"]
)
def test_sender(good: str) -> None:
    """Numbers of up to 15 digits and names of up to 11 characters are senders."""
    assert good == draft(sender_id=good).sender_id


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a" * 12,
        "1" * 16,
        "+0491",
        "+",
        "Shop\n",
        "491\n",
        "Käse",
        "a-b",
        "٤٩١",
        "+٤٩",
        49,
        None,
    ],
)
def test_invalid_sender(bad: Any) -> None:
    """Everything else is none, ASCII digits only."""
    with pytest.raises(ConfigurationError, match=r"^sender_id must be a number of up to 15 digits"):
        draft(sender_id=bad)


# --- recipients


@pytest.mark.parametrize(
    "good", [PHONE, "00491701234567", "491701234567", "01701234567", "12345", "1" * 17]
)
def test_phone(good: str) -> None:
    """All forms that the docs show are accepted and kept as they are."""
    assert (good,) == draft(phones=iter([good])).phones


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "+",
        "1234",
        "1" * 18,
        "++4917012345",
        "0170 1234567",
        "0170/123456",
        "٠١٧٠١٢٣٤٥٦",
        "01701234567\n",
        1701234567,
        None,
    ],
)
def test_invalid_phone(bad: Any) -> None:
    """A wrong number is named by its position, not by itself."""
    with pytest.raises(ConfigurationError, match=r"^phones\[1\] must be .*E\.164 \(\+49") as caught:
        draft(phones=[PHONE, bad])
    assert not bad or str(bad) not in str(caught.value).replace("+49…", "")


@pytest.mark.parametrize("single", [PHONE, PHONE.encode(), None, 5])
def test_single_phone_is_a_mistake(single: Any) -> None:
    """A string is no list of numbers; it is not quoted."""
    with pytest.raises(ConfigurationError, match=r"^phones must be an iterable of") as caught:
        draft(phones=single)
    assert "170" not in str(caught.value)


def test_phone_twice() -> None:
    """A number that stands twice would be sent to and paid for twice."""
    with pytest.raises(ConfigurationError, match=r"^phones\[2\] must not repeat phones\[0\]$"):
        draft(phones=[PHONE, "01701234567", PHONE])


def test_groups() -> None:
    """Groups alone are recipients enough."""
    assert (7117, 1) == BulkDraft("Shop", "Sale", msg_groups={7117: "", 1: ""}).msg_groups


@pytest.mark.parametrize("bad", [0, -1, True, 1.0, "7117", None, 2**63])
def test_invalid_group(bad: Any) -> None:
    """A group id is a whole number of at least 1."""
    with pytest.raises(ConfigurationError, match=r"^msg_groups\[1\] must be a whole number of at"):
        draft(msg_groups=[7117, bad])


@pytest.mark.parametrize("single", [7117, "7117", None])
def test_single_group_is_a_mistake(single: Any) -> None:
    """One id without brackets is told to be one."""
    with pytest.raises(ConfigurationError, match=r"^msg_groups must be an iterable of group ids"):
        draft(msg_groups=single)


def test_group_twice() -> None:
    """A group that stands twice might be sent to twice."""
    with pytest.raises(ConfigurationError, match=r"^msg_groups\[1\] must not repeat msg_groups\[0"):
        draft(msg_groups=[5, 5])


@pytest.mark.parametrize("nobody", [(), [], iter(())])
def test_no_recipient(nobody: Any) -> None:
    """A bulk goes to somebody."""
    with pytest.raises(ConfigurationError, match=r"^phones or msg_groups must name at least one"):
        draft(phones=nobody)


# --- options


@pytest.mark.parametrize(
    ("expected", "given_code"),
    [
        (ServiceCode.DIRECT, "direct"),
        (ServiceCode.TEXT2SPEECH_SSML, ServiceCode.TEXT2SPEECH_SSML),
        ("economy", "economy"),
    ],
)
def test_service(expected: str, given_code: str) -> None:
    """Known codes become members, unknown ones stay strings."""
    made = draft(service_code=given_code).service_code
    assert (expected, type(expected)) == (made, type(made))


@pytest.mark.parametrize(
    ("expected", "given_lang"), [(VoiceLang.DE, "DE"), ("XX", "XX"), (None, None)]
)
def test_voice_lang(expected: str | None, given_lang: str | None) -> None:
    """Known languages become members, unknown ones stay strings; any service may have one."""
    made = draft(voice_lang=given_lang).voice_lang
    assert (expected, type(expected)) == (made, type(made))


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("service_code", ""),
        ("service_code", None),
        ("service_code", 5),
        ("service_code", "a\n"),
        ("service_code", []),
        ("delivery_at", NOW.replace(tzinfo=None)),
        ("delivery_at", 0),
        ("delivery_at", datetime(1970, 1, 1, tzinfo=UTC)),
        ("delivery_at", datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
        ("delivery_at", datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
        ("is_unicode", 1),
        ("is_unicode", "false"),
        ("source", -1),
        ("source", True),
        ("source", "5"),
        ("source", 1.5),
        ("source", 2**63),
        ("voice_lang", "de"),
        ("voice_lang", "DEU"),
        ("voice_lang", "ÄÖ"),
        ("voice_lang", "DE\n"),
        ("voice_lang", ""),
        ("voice_lang", 5),
        ("voice_lang", []),
    ],
)
def test_invalid_option(name: str, bad: Any) -> None:
    """An option of the wrong kind is refused by its name."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must "):
        draft(**{name: bad})


def test_past_delivery_is_allowed() -> None:
    """Whether a time has passed is for LOX24's clock to say."""
    assert 1970 == draft(delivery_at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)).delivery_at.year  # type: ignore[union-attr]


# --- text


@pytest.mark.parametrize("bad", ["", None, b"Sale", 5])
def test_invalid_text(bad: Any) -> None:
    """A text is a string with something in it."""
    with pytest.raises(ConfigurationError, match=r"^text must be a non-empty string"):
        draft(text=bad)


@pytest.mark.parametrize("options", [{"msg_groups": [1]}, {"service_code": "text2speech"}])
def test_longest_text(options: dict[str, Any]) -> None:
    """Where no final length is known, 1785 characters are the limit, in any alphabet."""
    assert 1785 == len(draft(text="😀" * 1785, **options).text)
    with pytest.raises(
        ConfigurationError, match=r"^text must have at most 1785 characters, not 17"
    ):
        draft(text="x" * 1786, **options)


def test_lone_surrogate() -> None:
    """A text that no encoding can carry is refused, by position."""
    with pytest.raises(ConfigurationError, match=r"^text must be encodable as UTF-8.*position 2$"):
        draft(text="ab\ud83d")


@pytest.mark.parametrize(
    ("fits", "options"),
    [
        ("x" * 1530, {}),
        ("x" * 1530, {"is_unicode": False}),
        ("€" * 765, {}),
        ("€" * 765, {"is_unicode": False}),
        ("x" * 670, {"is_unicode": True}),
        ("ж" * 670, {}),
        ("😀" * 335, {}),
        ("😀" * 335, {"is_unicode": True}),
    ],
)
def test_final_length(fits: str, options: dict[str, Any]) -> None:
    """A text that goes out as it stands must fit into the longest message."""
    assert fits == draft(text=fits, **options).text
    with pytest.raises(ConfigurationError, match=r"^text must take at most (1530|670) ") as caught:
        draft(text=fits + fits[0], **options)
    assert fits[0] * 2 not in str(caught.value)
    for unlimited in ({"msg_groups": [1]}, {"service_code": "text2speech_ssml"}):
        assert draft(text=fits + fits[0], **options, **unlimited)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Preis \u2013 5", "U+2013 EN DASH at position 6"),
        ("a\x00", "U+0000 at position 1"),
        ("ж", "U+0436 CYRILLIC SMALL LETTER ZHE at position 0"),
        ("a`", "U+0060 GRAVE ACCENT at position 1"),
        ("1\t2", "U+0009 at position 1"),
        ("\x1b", "U+001B at position 0"),
    ],
)
def test_not_gsm(text: str, said: str) -> None:
    """Told to be GSM, a text may hold nothing else, and the culprit is named."""
    with pytest.raises(ConfigurationError, match=r"^text must be in the GSM 03.38") as caught:
        draft(text=text, is_unicode=False)
    assert str(caught.value).endswith(said)
    assert text == draft(text=text).text


def test_gsm_alphabet() -> None:
    """The default alphabet has 127 characters beside the escape, the extension table 10."""
    letters = [chr(code) for code in range(0x10000) if find_foreign(chr(code)) is None]
    assert 127 + 10 == len(letters)
    twice = {letter for letter in letters if gsm_length(letter) == 2}
    assert set("\f^{}\\[~]|€") == twice


@pytest.mark.parametrize(
    ("gsm", "units", "text"),
    [(4, 4, "Sale"), (6, 5, "5 € a"), (3, 4, "a😀b"), (1, 1, "\uffff"), (0, 0, "")],
)
def test_lengths(gsm: int, units: int, text: str) -> None:
    """GSM counts the extension table twice, Unicode what lies beyond 16 bits."""
    assert (gsm, units) == (gsm_length(text), unicode_length(text))


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def testunicode_length(text: str) -> None:
    """Code units are what UTF-16 takes."""
    assert len(text.encode("utf-16-le")) // 2 == unicode_length(text)


# --- the body


@pytest.mark.parametrize(
    ("parts", "text", "options"),
    [
        (1, "x", {}),
        (1, "x" * 160, {}),
        (2, "x" * 161, {}),
        (2, "x" * 306, {}),
        (3, "x" * 307, {}),
        (10, "x" * 1530, {}),
        (1, "€" * 80, {}),
        (2, "€" * 81, {}),
        (1, "ж" * 70, {}),
        (2, "ж" * 71, {}),
        (2, "ж" * 134, {}),
        (3, "ж" * 135, {}),
        (10, "ж" * 670, {}),
        (1, "😀" * 35, {}),
        (2, "😀" * 36, {}),
        (3, "x" * 160, {"is_unicode": True}),
        (2, "x" * 161, {"is_unicode": False}),
        (2, "x" * 161, {"service_code": "another"}),
        (12, "x" * 1785, {"msg_groups": [7117]}),
        (1, "x" * 1000, {"service_code": ServiceCode.TEXT2SPEECH}),
        (1, "ж" * 1000, {"service_code": "text2speech_ssml"}),
    ],
)
def test_parts(parts: int, text: str, options: dict[str, Any]) -> None:
    """One SMS holds 160 or 70 places, each of several 153 or 67; a call is one."""
    assert parts == draft(text=text, **options).parts


@pytest.mark.parametrize(
    ("wide", "text", "is_unicode"),
    [
        (False, "x€", None),
        (True, "xж", None),
        (False, "x", False),
        (True, "x", True),
        (True, "ж", True),
    ],
)
def test_needs_unicode(wide: bool, text: str, is_unicode: bool | None) -> None:
    """As it was asked for, or else as the text needs it."""
    assert wide is draft(text=text, is_unicode=is_unicode).needs_unicode


def test_least_body() -> None:
    """What is not given is left to the server; delivery is at once."""
    assert {
        "sender_id": "Shop 24",
        "text": "Sale",
        "service_code": "direct",
        "phones": [PHONE],
        "delivery_at": 0,
    } == write_draft(draft())


def test_full_body() -> None:
    """Every field has its name on the wire, and JSON's own types."""
    body = write_draft(full())
    assert {
        "sender_id": "Shop 24",
        "text": "Sale",
        "service_code": "text2speech",
        "phones": [PHONE],
        "msg_groups": [7117],
        "delivery_at": UNIX,
        "is_unicode": True,
        "source": 1234,
        "voice_lang": "DE",
    } == body
    assert {str, int, bool, list} == {type(value) for value in body.values()}


def test_body_without_phones() -> None:
    """An empty list of phones is not sent."""
    body = write_draft(BulkDraft("Shop", "Sale", msg_groups=[7117], is_unicode=False, source=0))
    assert "phones" not in body
    assert ([7117], False, 0) == (body["msg_groups"], body["is_unicode"], body["source"])


def test_body_of_enums() -> None:
    """A user's own enums are written as what they stand for."""

    class Campaign(int, enum.Enum):
        SUMMER = 7

    class Word(enum.StrEnum):
        SALE = "Sale"

    body = write_draft(draft(source=Campaign.SUMMER, msg_groups=[Campaign.SUMMER]))
    written = [body["source"], *body["msg_groups"]]
    assert [(7, int), (7, int)] == [(number, type(number)) for number in written]
    assert "Sale" == write_draft(draft(text=Word.SALE))["text"]


@settings(max_examples=60, deadline=None)
@given(
    at=st.datetimes(FIRST, LAST, timezones=st.timezones() | st.just(UTC)),
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
)
def test_body_as_json(at: datetime, text: str) -> None:
    """The text arrives as it is, and nothing is sent before its time."""
    body = json.loads(json.dumps(write_draft(draft(delivery_at=at, text=text))))
    assert text == body["text"]
    sent = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=body["delivery_at"])
    assert timedelta(0) <= sent - at.astimezone(UTC) < timedelta(seconds=1)


def test_first_moment_is_not_at_once() -> None:
    """A fraction of the first second is rounded up, away from the 0 that means at once."""
    first = datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert 1 == write_draft(draft(delivery_at=first))["delivery_at"]
