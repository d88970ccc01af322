"""The shapes of answers, by version of the documentation and of the framework, and by Accept."""

from typing import Any
from uuid import UUID

import pytest

from lox24_async import BulkStatus

from .asking import DRAFT, ID, ID2, T0, Wire, at

RFC_2616 = "https://tools.ietf.org/html/rfc2616#section-10"
TITLE = "An error occurred"


@pytest.mark.parametrize(
    ("version", "bulk", "sms"), [("2.24", "bulks", "sms"), ("2.27", "Bulk", "Sms")]
)
async def test_names_of_things(wire: Wire, version: Any, bulk: str, sms: str) -> None:
    """A thing has an address, a type by the version, and a string as its context."""
    wire.gateway.version = version
    wire.gateway.add_bulk(uuid=ID)
    one = (await wire.ask("GET", f"/bulks/{ID}", json_ld=True)).content
    made = (await wire.ask("POST", "/bulks", body=DRAFT, json_ld=True)).content
    texts = (await wire.ask("GET", f"/sms?bulk={ID}", json_ld=True)).content
    (text,) = texts["member" if version == "2.27" else "hydra:member"]
    assert [
        (f"/contexts/{bulk}", f"/bulks/{ID}", bulk),
        (f"/contexts/{bulk}", f"/bulks/{made['uuid']}", bulk),
        (f"/contexts/{sms}", "/sms", "hydra:Collection"),
        (None, f"/sms/{text['uuid']}", sms),
    ] == [
        (thing.get("@context"), thing["@id"], thing["@type"]) for thing in (one, made, texts, text)
    ]


@pytest.mark.parametrize("version", ["2.24", "2.27"])
@pytest.mark.parametrize(("method", "operation"), [("GET", "status"), ("PUT", "cancel")])
async def test_names_of_a_summary(wire: Wire, version: Any, method: str, operation: str) -> None:
    """Its context is an object that names each field; in 2.24 its id is another each time."""
    wire.gateway.version = version
    wire.gateway.add_bulk(uuid=ID)
    first = (await wire.ask(method, f"/bulks/{ID}/{operation}", json_ld=True)).content
    second = (await wire.ask("GET", f"/bulks/{ID}/status", json_ld=True)).content
    assert {"@vocab", "hydra", *first} - {"@context", "@id", "@type"} == first["@context"].keys()
    if version == "2.24":
        assert first["@id"].startswith("/.well-known/genid/")
        assert first["@id"] != second["@id"]
    else:
        assert f"/bulks/{ID}" == first["@id"] == second["@id"]
    assert (version == "2.27") is ("sender_id" in first)


@pytest.mark.parametrize("json_ld", [False, True])
async def test_summary_with_the_mistake_of_the_documentation(wire: Wire, json_ld: bool) -> None:
    """created_at is a UUID there; elsewhere it is a timestamp all the same."""
    wire.gateway.summary_created_at = "uuid"
    wire.gateway.add_bulk(uuid=ID, created_at=at(0))
    said = [
        (await wire.ask(method, f"/bulks/{ID}{path}", json_ld=json_ld)).content["created_at"]
        for method, path in (("GET", "/status"), ("PUT", "/cancel"), ("GET", ""))
    ]
    assert [str(ID), str(ID), T0] == said


# --- errors


@pytest.mark.parametrize(
    ("framework", "json_ld", "kind", "body"),
    [
        (
            "2",
            False,
            "application/problem+json",
            {"type": RFC_2616, "title": TITLE, "detail": "Resource not found"},
        ),
        (
            "2",
            True,
            "application/ld+json",
            {
                "@context": "/contexts/Error",
                "@type": "hydra:Error",
                "hydra:title": TITLE,
                "hydra:description": "Resource not found",
            },
        ),
        (
            "3",
            False,
            "application/problem+json",
            {"type": RFC_2616, "title": TITLE, "detail": "Resource not found"},
        ),
        (
            "3",
            True,
            "application/ld+json",
            {
                "@context": "/contexts/Error",
                "@type": "hydra:Error",
                "hydra:title": TITLE,
                "hydra:description": "Resource not found",
                "type": RFC_2616,
                "title": TITLE,
                "detail": "Resource not found",
                "status": 404,
            },
        ),
        (
            "4",
            False,
            "application/problem+json",
            {
                "title": TITLE,
                "detail": "Resource not found",
                "status": 404,
                "type": "/errors/404",
            },
        ),
        (
            "4",
            True,
            "application/problem+json",
            {
                "@context": "/contexts/Error",
                "@id": "/errors/404",
                "@type": "Error",
                "title": TITLE,
                "detail": "Resource not found",
                "status": 404,
                "type": "/errors/404",
                "description": "Resource not found",
            },
        ),
    ],
)
async def test_error(
    wire: Wire, framework: Any, json_ld: bool, kind: str, body: dict[str, Any]
) -> None:
    """Each framework's own, in each form."""
    wire.gateway.framework = framework
    got = await wire.ask("GET", f"/bulks/{ID}", json_ld=json_ld)
    assert (404, f"{kind}; charset=utf-8", body) == (
        got.status,
        got.headers["Content-Type"],
        got.content,
    )


@pytest.mark.parametrize(
    ("framework", "kind"),
    [
        ("2", "ConstraintViolationList"),
        ("3", "ConstraintViolationList"),
        ("4", "ConstraintViolation"),
    ],
)
async def test_violations(wire: Wire, framework: Any, kind: str) -> None:
    """The same list in both forms; the message names the property."""
    wire.gateway.framework = framework
    draft = {**DRAFT, "service_code": "pigeon"}
    plain = await wire.ask("POST", "/bulks", body=draft)
    linked = await wire.ask("POST", "/bulks", body=draft, json_ld=True)
    assert (400, 400) == (plain.status, linked.status)
    (violation,) = plain.content["violations"]
    assert "service_code" == violation["propertyPath"]
    assert plain.content["violations"] == linked.content["violations"]
    assert (kind, f"/contexts/{kind}") == (linked.content["@type"], linked.content["@context"])
    detail = "service_code: Service's code is invalid or unavailable."
    assert detail == plain.content["detail"]
    described = "description" if framework == "4" else "hydra:description"
    assert detail == linked.content[described]
    assert (framework == "4") is (
        plain.content["type"] == f"/validation_errors/{violation['code']}"
    )


# --- media types


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/ld+json"),
        ("*/*", "application/ld+json"),
        ("application/*", "application/ld+json"),
        ("application/ld+json", "application/ld+json"),
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("application/ld+json;q=0.5, application/json", "application/json"),
        ("application/json;q=0.5, application/ld+json;q=0.9", "application/ld+json"),
        ("text/html, application/json;q=0.9, */*;q=0.8", "application/json"),
        ("*/*, application/ld+json;q=0", "application/json"),
        ("application/json;q=high", "application/json"),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json+ld", None),
        ("application/xml, image/*", None),
    ],
)
async def test_accept(wire: Wire, accept: str, kind: str | None) -> None:
    """The form that is preferred; 406 if there is none, and then nothing is done."""
    wire.gateway.add_bulk(uuid=ID)
    got = await wire.ask("PUT", f"/bulks/{ID}/cancel", headers={"Accept": accept})
    canceled = wire.gateway.bulks[ID].status_code == BulkStatus.CANCELED
    if kind is None:
        assert (406, False) == (got.status, canceled)
        assert "application/problem+json; charset=utf-8" == got.headers["Content-Type"]
        assert '"application/ld+json", "application/json"' in got.content["detail"]
    else:
        assert (200, True) == (got.status, canceled)
        assert f"{kind}; charset=utf-8" == got.headers["Content-Type"]


async def test_without_accept(wire: Wire) -> None:
    """JSON-LD is the default."""
    url = f"{wire.gateway.url}/bulks"
    headers = {"X-LOX24-AUTH-TOKEN": wire.gateway.token}
    async with wire.session.get(url, headers=headers, skip_auto_headers=["Accept"]) as response:
        assert "application/ld+json" == response.content_type
    assert "accept" not in wire.gateway.requests[0].headers


# --- methods


@pytest.mark.parametrize("path", ["/bulks", f"/bulks/{ID}", f"/bulks/{ID}/status", "/sms"])
async def test_head_is_a_get_without_a_body(wire: Wire, path: str) -> None:
    """The same status and headers."""
    wire.gateway.add_bulk(uuid=ID)
    got, head = await wire.ask("GET", path), await wire.ask("HEAD", path)
    assert (200, None) == (head.status, head.content)
    for name in ("Content-Type", "Content-Length"):
        assert got.headers[name] == head.headers[name]
    assert 404 == (await wire.ask("HEAD", f"/bulks/{ID2}")).status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/bulks", "GET, POST"),
        ("OPTIONS", f"/bulks/{ID}", "GET, DELETE"),
        ("OPTIONS", "/sms", "GET"),
        ("HEAD", f"/bulks/{ID}/cancel", "PUT"),
        ("HEAD", "/bulks/dryrun", "POST"),
    ],
)
async def test_methods_that_a_path_has_not(
    wire: Wire, method: str, path: str, allowed: str
) -> None:
    """OPTIONS is nothing of its own; HEAD is there where GET is."""
    wire.gateway.add_bulk(uuid=ID)
    got = await wire.ask(method, path)
    assert (405, allowed) == (got.status, got.headers["Allow"])
    assert BulkStatus.NEW == wire.gateway.bulks[ID].status_code


# --- the old login


@pytest.mark.parametrize(
    ("client_id", "token", "status"),
    [
        ("1234567", "key", 200),
        ("1234567", "1234567:key", 200),
        (None, "1234567:key", 200),
        ("7654321", "key", 401),
        ("1234567", "other", 401),
        (None, "key", 401),
        ("1234567", None, 401),
        (None, None, 401),
    ],
)
async def test_two_forms_of_the_login(
    wire: Wire, client_id: str | None, token: str | None, status: int
) -> None:
    """The token in one header, or its two halves in two."""
    wire.gateway.token = "1234567:key"
    names = {"X-LOX24-CLIENT-ID": client_id, "X-LOX24-AUTH-TOKEN": token}
    headers = {name: value for name, value in names.items() if value is not None}
    async with wire.session.get(f"{wire.gateway.url}/bulks", headers=headers) as response:
        assert status == response.status


async def test_old_login_with_a_wrong_key_is_counted(wire: Wire) -> None:
    """The fourth within a minute blocks."""
    headers = {"X-LOX24-CLIENT-ID": "1234567", "X-LOX24-AUTH-TOKEN": "wrong"}
    statuses = [(await wire.ask("GET", "/bulks", headers=headers)).status for _ in range(5)]
    assert [401, 401, 401, 401, 429] == statuses
    assert UUID(hex=(await wire.ask("GET", "/bulks")).headers["X-LOX24-REQUEST-ID"])
