"""Creating and simulating bulks over the wire."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from lox24_async import ServiceCode, VoiceLang

from .asking import DRAFT, T0, Wire, at


@pytest.mark.parametrize("json_ld", [False, True])
async def test_create_with_all_properties(wire: Wire, json_ld: bool) -> None:
    """The answer is the full form of the bulk that is in the postbox from then on."""
    wire.gateway.groups = {7117: 40, 7118: 2}
    draft = {
        "sender_id": "+491701234567",
        "text": "Grüße 🙂",
        "service_code": "text2speech",
        "phones": ["+491701234567", "01701234568"],
        "msg_groups": [7117, 1],
        "delivery_at": T0,
        "is_unicode": True,
        "source": 1234,
        "voice_lang": "UK",
        "colour": "red",
    }
    got = await wire.ask("POST", "/bulks", body=draft, json_ld=json_ld)
    assert 201 == got.status
    (bulk,) = wire.gateway.bulks.values()
    assert ("@id" in got.content) is json_ld
    del draft["colour"]
    assert draft == {name: got.content[name] for name in draft}
    assert (str(bulk.uuid), 0, 42, 42 * 0.065) == tuple(
        got.content[name] for name in ("uuid", "status_code", "msg_total_count", "price")
    )
    assert (False, "127.0.0.1", 1, None) == tuple(
        got.content[name] for name in ("is_dryrun", "ip", "key_id", "processed_at")
    )
    assert timedelta() <= wire.gateway.now - (bulk.created_at or at(0)) < timedelta(seconds=5)
    assert (at(0), ServiceCode.TEXT2SPEECH, VoiceLang.UK, (7117, 1), Decimal("2.730")) == (
        bulk.delivery_at,
        bulk.service_code,
        bulk.voice_lang,
        bulk.msg_groups,
        bulk.price,
    )
    read = await wire.ask("GET", f"/bulks/{bulk.uuid}", json_ld=json_ld)
    assert got.content == read.content


async def test_create_with_the_least(wire: Wire) -> None:
    """What was not sent is null, or the default."""
    wire.gateway.price_per_message = None
    content = (await wire.ask("POST", "/bulks", body=DRAFT)).content
    expected = {
        "service_code": "direct",
        "delivery_at": 0,
        "is_unicode": None,
        "source": None,
        "voice_lang": None,
        "msg_groups": None,
        "msg_total_count": 2,
    }
    assert expected == {name: content[name] for name in expected}
    assert "price" not in content


@pytest.mark.parametrize("absent", ["phones", "msg_groups"])
async def test_create_takes_null_and_empty_recipients_of_one_kind(wire: Wire, absent: str) -> None:
    """One of the two sources is enough; null for what may be null."""
    given = {"phones": ["+491701234567"], "msg_groups": [1]}
    nulls = dict.fromkeys(("is_unicode", "source", "voice_lang"))
    empty: list[str] = []
    for nothing in (None, empty):
        draft = {**DRAFT, **given, **nulls, absent: nothing}
        got = await wire.ask("POST", "/bulks", body=draft)
        assert (201, nothing) == (got.status, got.content[absent])


async def test_simulate(wire: Wire) -> None:
    """A dry run answers as the real thing, and leaves nothing behind."""
    wire.gateway.funds = Decimal(0)
    got = await wire.ask("POST", "/bulks/dryrun", body=DRAFT)
    assert (201, True, 0, 2, 0.13) == (
        got.status,
        *(got.content[k] for k in ("is_dryrun", "status_code", "msg_total_count", "price")),
    )
    assert {} == dict(wire.gateway.bulks)
    assert 404 == (await wire.ask("GET", f"/bulks/{got.content['uuid']}")).status
    assert 400 == (await wire.ask("POST", "/bulks/dryrun", body={})).status


REMOVED = object()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sender_id", REMOVED, "blank"),
        ("sender_id", None, "blank"),
        ("sender_id", "", "blank"),
        ("sender_id", 491701234567, "of type string"),
        ("sender_id", "twelve chars", "up to 11 characters"),
        ("sender_id", "Größe", "up to 11 characters"),
        ("sender_id", "Shop\n", "up to 11 characters"),
        ("sender_id", "+0123", "up to 11 characters"),
        ("sender_id", "+1234567890123456", "up to 11 characters"),
        ("text", REMOVED, "blank"),
        ("text", "", "blank"),
        ("text", "x" * 1786, "1785 characters or less"),
        ("text", ["Hello"], "of type string"),
        ("phones", REMOVED, "phones or msg_groups"),
        ("phones", [], "phones or msg_groups"),
        ("phones", None, "phones or msg_groups"),
        ("phones", "+491701234567", "of type array"),
        ("phones", "", "of type array"),
        ("phones", [491701234567], "of type array"),
        ("phones", [""], "of type array"),
        ("msg_groups", ["7117"], "of type array"),
        ("msg_groups", [True], "of type array"),
        ("msg_groups", {"1": 2}, "of type array"),
        ("service_code", "pigeon", "Service's code is invalid or unavailable."),
        ("service_code", 1, "of type string"),
        ("service_code", None, "of type string"),
        ("delivery_at", "2026-01-01", "of type integer"),
        ("delivery_at", None, "of type integer"),
        ("delivery_at", True, "of type integer"),
        ("delivery_at", 1.5, "of type integer"),
        ("delivery_at", -1, "timestamp"),
        ("delivery_at", 10**15, "timestamp"),
        ("is_unicode", 1, "of type boolean"),
        ("source", "1", "of type integer"),
        ("source", False, "of type integer"),
        ("voice_lang", "XX", "language"),
        ("voice_lang", 5, "of type string"),
    ],
)
async def test_create_is_refused(wire: Wire, name: str, value: object, message: str) -> None:
    """One property is wrong: it is named, in the documented form, and nothing is created."""
    draft = {k: v for k, v in {**DRAFT, name: value}.items() if v is not REMOVED}
    got = await wire.ask("POST", "/bulks", body=draft)
    assert 400 == got.status
    ((violation),) = got.content["violations"]
    assert name == violation["propertyPath"]
    assert message in violation["message"]
    assert str(UUID(violation["code"])) == violation["code"]
    assert {
        "type": "https://tools.ietf.org/html/rfc2616#section-10",
        "title": "An error occurred",
        "detail": f"{name}: {violation['message']}",
        "violations": [violation],
    } == got.content
    assert not wire.gateway.bulks


async def test_create_tells_all_that_is_wrong(wire: Wire) -> None:
    """One line for each property, in both forms."""
    draft = {"phones": ["+491701234567"], "voice_lang": "XX"}
    plain = (await wire.ask("POST", "/bulks", body=draft)).content
    paths = [violation["propertyPath"] for violation in plain["violations"]]
    assert ["sender_id", "text", "voice_lang"] == paths
    assert paths == [line.partition(": ")[0] for line in plain["detail"].split("\n")]
    got = await wire.ask("POST", "/bulks", body=draft, json_ld=True)
    assert 400 == got.status
    assert {
        "@context": "/contexts/ConstraintViolationList",
        "@type": "ConstraintViolationList",
        "hydra:title": "An error occurred",
        "hydra:description": plain["detail"],
        "violations": plain["violations"],
    } == got.content


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b'{"a": NaN}', b"[" * 100_000]
)
async def test_create_from_no_object(wire: Wire, body: bytes) -> None:
    """What is no JSON object is a bad request without violations."""
    got = await wire.ask("POST", "/bulks", body=body)
    assert 400 == got.status
    assert {"type", "title", "detail"} == got.content.keys()


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("application/ld+json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
async def test_create_wants_json(wire: Wire, content_type: str, status: int) -> None:
    """The documented content type, and no other."""
    got = await wire.ask("POST", "/bulks", body=DRAFT, headers={"Content-Type": content_type})
    assert (status, status == 201) == (got.status, bool(wire.gateway.bulks))


async def test_create_without_a_content_type(wire: Wire) -> None:
    """None is not the right one."""
    url = f"{wire.gateway.url}/bulks"
    headers = {"X-LOX24-AUTH-TOKEN": wire.gateway.token, "Accept": "application/json"}
    async with wire.session.post(
        url, data=b"{}", headers=headers, skip_auto_headers=["Content-Type"]
    ) as response:
        assert 415 == response.status
    assert "content-type" not in wire.gateway.requests[0].headers


async def test_create_for_a_hundred_thousand(wire: Wire) -> None:
    """A body of more than a megabyte is taken."""
    phones = [f"+4917{number:08}" for number in range(100_000)]
    got = await wire.ask("POST", "/bulks", body={**DRAFT, "phones": phones})
    assert (201, 100_000, 6500.0) == (
        got.status,
        got.content["msg_total_count"],
        got.content["price"],
    )
    assert phones == got.content["phones"]


async def test_create_without_funds(wire: Wire) -> None:
    """What costs more than there is, is refused; what costs as much is not."""
    wire.gateway.funds = Decimal("0.129")
    got = await wire.ask("POST", "/bulks", body=DRAFT)
    assert (402, {}) == (got.status, dict(wire.gateway.bulks))
    wire.gateway.funds = Decimal("0.13")
    assert 201 == (await wire.ask("POST", "/bulks", body=DRAFT)).status
