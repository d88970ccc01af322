"""The protocol without I/O: ids to requests, replies to models or errors, and no secret out."""

import copy
import gzip
import json
import logging
import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from lox24_async import (
    AccountNotActivatedError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Bulk,
    BulkStatus,
    ConfigurationError,
    ConflictError,
    Headers,
    InsufficientFundsError,
    IntermediaryError,
    InvalidBulkIdError,
    IPBlockedError,
    JsonLdBulk,
    Lox24Error,
    NotFoundError,
    ResponseDecodeError,
    ServerError,
    TransportError,
    UnprocessableError,
    Violation,
)
from lox24_async._checks import check_bulk_id
from lox24_async._config import Secret
from lox24_async._printable import one_line
from lox24_async._wire.replies import Reply, body_limit, read_reply, read_retry_after
from lox24_async._wire.requests import (
    SHORT,
    Request,
    cancel_request,
    check_form,
    status_request,
)
from tests.conftest import frames_of_ours

ID = "da0fa78c-4699-11ea-a637-96000028b339"
OTHER = "11111111-2222-3333-4444-555555555555"
BASE = "https://api.lox24.eu"
CANARY = "1234567:e3f3a759b6677959b6ebfc0ca9a2f001"
KEY = CANARY.partition(":")[2]
REQUEST_ID = "0123456789abcdef0123456789abcdef"

CANCEL = cancel_request(ID, Bulk)
LOOK = status_request(ID, Bulk)
REQUESTS = pytest.mark.parametrize("request_", [CANCEL, LOOK], ids=["PUT", "GET"])
FORMS = pytest.mark.parametrize("form", [Bulk, JsonLdBulk])

Body = bytes | str | dict[str, Any] | list[Any] | None


def reply(status: int = 200, body: Body = b"", headers: Mapping[str, str] | None = None) -> Reply:
    """Make a reply; what is no text is written as JSON."""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Reply(status, CIMultiDict(headers or {}), body)


def refused(
    answer: Reply, request: Request[Any] = CANCEL, *, token: str = CANARY
) -> APIStatusError:
    """Read a reply that must be a refusal."""
    with pytest.raises(APIStatusError) as caught:
        read_reply(request, answer, BASE, Secret(token).redact)
    return caught.value


def undecoded(answer: Reply, request: Request[Any] = CANCEL) -> ResponseDecodeError:
    """Read a reply that must be no bulk."""
    with pytest.raises(ResponseDecodeError) as caught:
        read_reply(request, answer, BASE, Secret(CANARY).redact)
    return caught.value


def good(**more: Any) -> dict[str, Any]:
    return {"uuid": ID, "status_code": 15, **more}


# --- what goes out


@FORMS
def test_requests_are_the_documented_ones(form: type[Bulk]) -> None:
    """A cancel is a PUT, a look a GET, with the media type of the form."""
    accept = {Bulk: "application/json", JsonLdBulk: "application/ld+json"}[form]
    cancel, look = cancel_request(ID, form), status_request(ID, form)
    assert ("PUT", f"/bulks/{ID}/cancel", accept) == (cancel.method, cancel.path, cancel.accept)
    assert ("GET", f"/bulks/{ID}/status", accept) == (look.method, look.path, look.accept)
    assert (True, False) == (cancel.changes, look.changes)


@pytest.mark.parametrize("form", [None, dict, Bulk(uuid=UUID(ID), status_code=0), "json", object])
def test_only_the_two_forms_are_forms(form: object) -> None:
    """Anything but the two classes is refused."""
    with pytest.raises(ConfigurationError):
        check_form(form)


@pytest.mark.parametrize(
    "value",
    [ID, ID.upper(), ID.title(), UUID(ID), UUID(ID.upper())],
    ids=["string", "upper", "mixed", "UUID", "UUID-upper"],
)
def test_an_id_is_put_in_its_plain_form(value: UUID | str) -> None:
    """A UUID, or a string in any case, becomes 36 lower-case characters."""
    assert ID == check_bulk_id(value)


HOSTILE_IDS = [
    pytest.param("", id="empty"),
    pytest.param(" ", id="blank"),
    "../sms",
    "../../sms/" + ID,
    ID + "/../../sms",
    ID[:-6] + "%2e%2e",
    "%2e%2e",
    ID + "?",
    "?" + ID[1:],
    ID[:-1] + "?",
    ID[:-1] + "#",
    ID + "#x",
    pytest.param(ID + "\n", id="newline"),
    pytest.param(ID + "\r\nX-Evil: 1", id="header-injection"),
    pytest.param(ID[:-1] + "\n", id="newline-within"),
    pytest.param(ID + "\0", id="nul"),
    " " + ID,
    ID + " ",
    ID.replace("-", "_"),
    "{" + ID + "}",
    "urn:uuid:" + ID,
    ID.replace("-", ""),
    pytest.param(ID[:-1], id="35-characters"),
    pytest.param(ID + "0", id="37-characters"),
    "11111111-2222-3333-4444-55555555555",
    ID[:-1] + "g",
    ID.replace("4699-11ea", "469911-ea"),
    pytest.param(ID[:-1] + "\u0661", id="arabic-digit"),
    pytest.param(ID[:-1] + "\uff11", id="full-width-digit"),
    pytest.param(ID[:-1] + "\ud800", id="surrogate"),
    pytest.param("x" * 1_000_000, id="endless"),
    pytest.param(None, id="None"),
    pytest.param(0, id="zero"),
    pytest.param(True, id="True"),
    pytest.param(UUID(ID).int, id="int"),
    pytest.param(ID.encode(), id="bytes"),
    pytest.param(UUID(ID).bytes, id="16-bytes"),
    pytest.param([ID], id="list"),
    pytest.param(Bulk(uuid=UUID(ID), status_code=0), id="bulk"),
]


@pytest.mark.parametrize("value", HOSTILE_IDS)
def test_case_31_a_hostile_id_is_refused(value: object) -> None:
    """What is no id is refused as both kinds of error, in one short printable line."""
    with pytest.raises(InvalidBulkIdError) as caught:
        check_bulk_id(value)
    assert isinstance(caught.value, ValueError)
    assert (0, False) == (caught.value.attempts, caught.value.outcome_unknown)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 150


class _Unspeakable:
    def __repr__(self) -> str:
        raise KeyError("no repr")


class _Loud:
    def __repr__(self) -> str:
        return "two\nlines and \x1b[31m colour"


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "make",
    [lambda: 10**5000, _Unspeakable, _deep, _Loud],
    ids=["5000-digits", "no-repr", "deep", "loud"],
)
def test_case_31_no_value_makes_the_check_itself_fail(make: Callable[[], object]) -> None:
    """Whatever is handed in as an id ends in our error: in a batch it concerns only itself."""
    with pytest.raises(InvalidBulkIdError) as caught:
        check_bulk_id(make())
    assert str(caught.value).isprintable()


@settings(deadline=None, max_examples=150)
@given(
    value=st.text()
    | st.uuids().map(str)
    | st.from_regex(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\s?")
    | st.text("0123456789abcdefABCDEF-", min_size=35, max_size=37)
)
def test_case_31_any_string_is_a_plain_id_or_an_error(value: str) -> None:
    """The 36 characters of the documented pattern come out, or ``InvalidBulkIdError``."""
    groups = value.split("-")
    is_id = [8, 4, 4, 4, 12] == [len(group) for group in groups] and set("".join(groups)) <= set(
        "0123456789abcdefABCDEF"
    )
    if is_id:
        assert value.lower() == check_bulk_id(value) == str(UUID(value))
    else:
        with pytest.raises(InvalidBulkIdError):
            check_bulk_id(value)


@settings(deadline=None)
@given(value=st.uuids())
def test_every_uuid_is_an_id(value: UUID) -> None:
    """A UUID of any version passes."""
    assert str(value) == check_bulk_id(value)


# --- a bulk comes in


@FORMS
@pytest.mark.parametrize("status", [200, 201, 202, 203])
def test_a_success_is_the_bulk(form: type[Bulk], status: int) -> None:
    """A success with a bulk in it is that bulk, in the form that was asked for."""
    answer = reply(status, good(price=5, new=1))
    bulk = read_reply(cancel_request(ID, form), answer, BASE, Secret(CANARY).redact)
    assert form is type(bulk)
    assert bulk.is_canceled
    assert {"new": 1} == bulk.extra


@REQUESTS
@pytest.mark.parametrize("status", [0, 5, 10, 20, 201, 999])
def test_case_16_another_status_is_returned_as_it_is(request_: Request[Bulk], status: int) -> None:
    """Whatever the bulk's status, a success is returned."""
    bulk = read_reply(request_, reply(200, good(status_code=status)), BASE, str)
    assert status == bulk.status_code
    assert not bulk.is_canceled


def test_an_id_in_upper_case_is_the_same_id() -> None:
    """An answer that spells the id in upper case is for our bulk."""
    bulk = read_reply(CANCEL, reply(200, good(uuid=ID.upper())), BASE, str)
    assert UUID(ID) == bulk.uuid


@REQUESTS
def test_case_17_an_answer_for_another_bulk_is_no_answer(request_: Request[Bulk]) -> None:
    """The connection is out of step: no success, and after a PUT a doubt."""
    with pytest.raises(TransportError) as caught:
        read_reply(request_, reply(200, good(uuid=OTHER)), BASE, str)
    error = caught.value
    assert (ID, 1, request_.changes) == (error.bulk_id, error.attempts, error.outcome_unknown)
    assert OTHER in str(error)


def test_case_25_an_odd_field_costs_only_itself() -> None:
    """The fact of the cancel stays, whatever else is odd, new or missing."""
    bulk = read_reply(CANCEL, reply(200, good(created_at=ID, phones=5, brand_new={})), BASE, str)
    assert bulk.is_canceled
    assert (None, None, None) == (bulk.created_at, bulk.phones, bulk.price)
    assert {"created_at": ID, "phones": 5, "brand_new": {}} == bulk.extra


@REQUESTS
@pytest.mark.parametrize("status_code", [None, True, 15.9, 15.0, "15", "null"], ids=repr)
def test_case_25_what_is_no_status_is_no_bulk(request_: Request[Bulk], status_code: object) -> None:
    """Nothing is coerced into a status; after a PUT the fate is unknown."""
    error = undecoded(reply(200, good(status_code=status_code)), request_)
    assert request_.changes is error.outcome_unknown


# --- a success without a bulk in it

UNDECODABLE = [
    pytest.param(b"", id="empty"),
    pytest.param(b" \r\n", id="blank"),
    pytest.param(b"<!DOCTYPE html><html><body>\x1b[31mHello\n</body></html>", id="html"),
    pytest.param(b"null", id="null"),
    pytest.param(b"true", id="true"),
    pytest.param(b"15", id="number"),
    pytest.param(b'"canceled"', id="string"),
    pytest.param(b"[]", id="list"),
    pytest.param(json.dumps([good()]).encode(), id="list-of-one"),
    pytest.param(b"{}", id="empty-object"),
    pytest.param(json.dumps({"status_code": 15}).encode(), id="no-uuid"),
    pytest.param(json.dumps({"uuid": ID}).encode(), id="no-status"),
    pytest.param(json.dumps({"id": ID, "status": 15}).encode(), id="webhook-names"),
    pytest.param(b"\xef\xbb\xbf", id="only-a-bom"),
    pytest.param(json.dumps(good(text="ü"), ensure_ascii=False).encode("latin-1"), id="latin-1"),
    pytest.param(json.dumps(good()).encode("utf-16"), id="utf-16"),
    pytest.param(json.dumps(good()).encode("utf-32"), id="utf-32"),
    pytest.param(b"\x00" * 100, id="nul"),
    pytest.param(b"\x1f\x8b\x08\x00" + b"\xff" * 50, id="gzip"),
    pytest.param(b"[" * 100_000, id="brackets"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, id="closed-brackets"),
    pytest.param(b'{"a":' * 100_000, id="braces"),
    pytest.param(
        json.dumps(good())[:-1].encode() + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        id="deep-extra",
    ),
    pytest.param(
        json.dumps(good())[:-1].encode() + b',"x":' + b"9" * 5000 + b"}", id="5000-digits"
    ),
    pytest.param(f'{{"uuid":"{ID}","status_code":{"1" * 5000}}}'.encode(), id="5000-digit-status"),
    pytest.param(json.dumps(good(x=math.nan)).encode(), id="NaN"),
    pytest.param(json.dumps(good(x=math.inf)).encode(), id="Infinity"),
    pytest.param(json.dumps(good(x=-math.inf)).encode(), id="-Infinity"),
    pytest.param(f"{{'uuid': '{ID}', 'status_code': 15}}".encode(), id="single-quotes"),
    pytest.param(json.dumps(good()).encode()[:-1], id="cut"),
    pytest.param(json.dumps(good()).encode() + b"garbage", id="trailing"),
    pytest.param(json.dumps(good()).encode() * 2, id="twice"),
    pytest.param(b'{"uuid":"' + ID.encode() + b'","status_code":15,"a":"\n"}', id="raw-newline"),
    pytest.param(b'{"uuid":"' + ID.encode() + b'","status_code":015}', id="octal"),
    pytest.param(b'{"uuid":"' + ID.encode() + b'","status_code":15,}', id="trailing-comma"),
]


@REQUESTS
@pytest.mark.parametrize("body", UNDECODABLE)
def test_case_24_a_success_that_is_no_bulk(request_: Request[Bulk], body: bytes) -> None:
    """Whatever came instead of a bulk: one typed error with status, body and request id."""
    headers = {"Content-Type": "text/html\x1b", "X-LOX24-REQUEST-ID": REQUEST_ID}
    error = undecoded(reply(200, body, headers), request_)
    assert (200, REQUEST_ID, ID, 1) == (
        error.status,
        error.request_id,
        error.bulk_id,
        error.attempts,
    )
    assert request_.changes is error.outcome_unknown
    assert error.__cause__ is None
    assert error.__context__ is None
    assert len(error.body) < 2_200
    assert error.body.isprintable()
    assert str(error).isprintable()
    assert len(str(error)) < 500
    for fact in ("HTTP 200", ID, REQUEST_ID):
        assert fact in str(error)
    assert request_.changes is ("may have been cancelled" in str(error))


@REQUESTS
def test_case_24_no_content_is_no_bulk(request_: Request[Bulk]) -> None:
    """A 204 says nothing of the bulk's state."""
    assert 204 == undecoded(reply(204), request_).status


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"Content-Type": "text/html; charset=utf-8"}, "(text/html; charset=utf-8)"),
        ({"content-type": "x" * 80 + "y"}, f"({'x' * 80}…)"),
        ({"Content-Type": f"text/{KEY}"}, "(text/***)"),
        ({}, "(no content type)"),
    ],
    ids=["html", "long", "token", "none"],
)
def test_case_24_the_error_says_what_came_instead(sent: dict[str, str], told: str) -> None:
    """Its content type: of 80 characters at most, and without the token."""
    message = undecoded(reply(200, b"<html>", sent)).message
    assert message.startswith(f"the answer {told} is not what was asked for: ")


@pytest.mark.parametrize(
    ("status", "most"), [(199, 1 << 16), (200, SHORT), (299, SHORT), (300, 1 << 16), (500, 1 << 16)]
)
def test_only_of_a_success_a_whole_body_is_read(status: int, most: int) -> None:
    """As much as the request expects; of all else the start, to show what came."""
    assert most == body_limit(CANCEL, status)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xef\xbb\xbf" + json.dumps(good()).encode(), id="bom"),
        pytest.param(b" \t\r\n" + json.dumps(good()).encode() + b"\n", id="blanks-around"),
        pytest.param(json.dumps(good(text="ü€🎉"), ensure_ascii=False).encode(), id="utf-8"),
        pytest.param(json.dumps(good(text="🎉")).encode(), id="escapes"),
        pytest.param(json.dumps(good()).encode()[:-1] + b',"x":' + b"9" * 4000 + b"}", id="long"),
        pytest.param(json.dumps(good()).encode()[:-1] + b',"x":1e400}', id="huge-float"),
    ],
)
def test_case_24_valid_json_is_a_bulk(body: bytes) -> None:
    """What RFC 8259 allows is read, with a BOM or without."""
    assert read_reply(CANCEL, reply(200, body), BASE, str).is_canceled


# --- a refusal

CLASSES = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientFundsError,
    403: AccountNotActivatedError,
    404: NotFoundError,
    405: APIStatusError,
    406: APIStatusError,
    408: APIStatusError,
    409: ConflictError,
    413: APIStatusError,
    418: APIStatusError,
    422: UnprocessableError,
    429: IPBlockedError,
    451: APIStatusError,
    499: APIStatusError,
    500: ServerError,
    501: ServerError,
    502: ServerError,
    503: ServerError,
    504: ServerError,
    520: ServerError,
    599: ServerError,
}


@REQUESTS
@pytest.mark.parametrize(("status", "expected"), CLASSES.items())
@pytest.mark.parametrize("body", [b"", b"<html>", good()], ids=["empty", "html", "bulk"])
def test_case_13_the_status_decides_the_class(
    request_: Request[Bulk], status: int, expected: type[APIStatusError], body: Body
) -> None:
    """Typed by status, whatever the body; in doubt only after a PUT, by 408 and 5xx."""
    error = refused(reply(status, body, {"X-LOX24-REQUEST-ID": REQUEST_ID}), request_)
    assert expected is type(error)
    assert (status, REQUEST_ID, ID, 1) == (
        error.status,
        error.request_id,
        error.bulk_id,
        error.attempts,
    )
    assert (request_.method, BASE + request_.path) == (error.method, error.url)
    doubtful = request_.changes and (status == 408 or status >= 500)
    assert doubtful is error.outcome_unknown
    assert doubtful is ("the bulk may have been cancelled" in str(error))
    for fact in (f"HTTP {status}", ID, REQUEST_ID):
        assert fact in str(error)


PROBLEM = {
    "type": "https://tools.ietf.org/html/rfc2616#section-10",
    "title": "An error occurred",
    "detail": "service_code: Service's code is invalid or unavailable.",
    "violations": [
        {
            "propertyPath": "service_code",
            "message": "Service's code is invalid or unavailable.",
            "code": "8e179f1b-97aa-4560-a02f-2a8b42e49df7",
        }
    ],
}


def test_case_13_a_problem_is_read_in_full() -> None:
    """Detail, violations and the raw text of the JSON form are all in the error."""
    error = refused(reply(400, PROBLEM))
    assert PROBLEM["detail"] == error.message == error.detail
    expected = Violation(
        "service_code",
        "Service's code is invalid or unavailable.",
        "8e179f1b-97aa-4560-a02f-2a8b42e49df7",
    )
    assert (expected,) == error.violations
    assert PROBLEM == json.loads(error.body)
    assert "Service's code is invalid" in str(error)


def test_case_13_a_json_ld_problem_is_read_in_full() -> None:
    """The JSON-LD form says the same under its own names."""
    body = {
        "@context": "/contexts/ConstraintViolationList",
        "@type": "ConstraintViolationList",
        "hydra:title": "An error occurred",
        "hydra:description": "status_code: It is final.",
        "violations": [{"propertyPath": "status_code", "message": "It is final."}],
    }
    error = refused(reply(422, body))
    assert "status_code: It is final." == error.message == error.detail
    assert (Violation("status_code", "It is final.", None),) == error.violations


@pytest.mark.parametrize(
    ("body", "message", "detail"),
    [
        ({"detail": "a", "message": "b", "title": "c"}, "a", "a"),
        ({"hydra:description": "a", "message": "b", "hydra:title": "c"}, "a", "a"),
        ({"detail": "a", "hydra:description": "b"}, "a", "a"),
        ({"code": 401, "message": "JWT not found"}, "JWT not found", None),
        ({"description": "a", "title": "b", "hydra:title": "c"}, "a", "a"),
        ({"title": "a", "hydra:title": "b"}, "a", None),
        ({"hydra:title": "a"}, "a", None),
        ({"detail": None, "title": "a"}, "a", None),
        ({"detail": "", "title": "a"}, "a", None),
        ({"detail": {"why": "x"}, "message": ["y"], "title": "a"}, "a", None),
        ({"detail": 5}, "Unprocessable", None),
        ({"detail": " \n "}, "Unprocessable", None),
        ({}, "Unprocessable", None),
        ([{"detail": "a"}], "Unprocessable", None),
        ("not json", "Unprocessable", None),
        ("", "Unprocessable", None),
        (b"\xff\xfe", "Unprocessable", None),
        (b"[" * 100_000, "Unprocessable", None),
        (b'{"detail":' * 50_000, "Unprocessable", None),
        (b'{"detail":"a","n":' + b"9" * 5000 + b"}", "Unprocessable", None),
        (b"\xef\xbb\xbf" + b'{"detail":"a"}', "a", "a"),
        ({"detail": "a\nb\x1b[31m\u202e\ud800 c"}, "a b\\x1b[31m\\u202e\\ud800 c", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_case_13_the_message_is_what_the_server_said(
    body: Body, message: str, detail: str | None
) -> None:
    """The first text of the known names, one printable line; else the status in words."""
    error = refused(reply(422, body, {"X-LOX24-REQUEST-ID": REQUEST_ID}))
    assert error.message.startswith(message)
    assert error.message.isprintable()
    if detail is not None:
        assert detail == error.detail


def test_a_status_without_a_name_is_still_told() -> None:
    """A number that no RFC knows has words too."""
    error = refused(reply(499))
    assert error.message
    assert "HTTP 499" in str(error)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, ()),
        ("x", ()),
        ({"propertyPath": "a"}, ()),
        ([], ()),
        (["x", None, 5, []], ()),
        ([{}], (Violation(None, None, None),)),
        ([{"propertyPath": 5, "message": ["x"], "code": 7}], (Violation(None, None, None),)),
        ([{"propertyPath": "a", "message": "b\nc"}, "x"], (Violation("a", "b c", None),)),
    ],
)
def test_case_13_odd_violations_cost_only_themselves(
    raw: object, expected: tuple[Violation, ...]
) -> None:
    """What is no violation is left out; the error is typed all the same."""
    assert expected == refused(reply(400, {"detail": "a", "violations": raw})).violations


def test_case_12_a_gateways_page_is_cut_and_escaped() -> None:
    """Of a huge HTML page with control codes a printable start is kept, on one line."""
    page = "<html>\r\n<h1>502 Bad\x1b[2J Gateway\u202e</h1>\n" + "<p>filler</p>" * 50_000
    for status in (502, 504):
        error = refused(reply(status, page, {"Content-Type": "text/html"}))
        assert HTTPStatus(status).phrase == error.message
        assert error.body.startswith("<html> <h1>502 Bad\\x1b[2J Gateway\\u202e</h1>")
        assert error.body.isprintable()
        assert 1_500 < len(error.body) < 2_100
        assert len(str(error)) < 300


def test_a_long_message_is_cut() -> None:
    """No server can flood a log with its message."""
    error = refused(reply(400, {"detail": "x" * 50_000, "violations": [{"message": "y" * 9999}]}))
    assert len(error.message) < 600
    assert len(str(error)) < 800
    assert len(error.detail or "") < 2_100
    assert len(error.violations[0].message or "") < 600


def test_headers_of_the_answer_are_kept() -> None:
    """All headers are there, found in any case, and are plain strings."""
    error = refused(reply(404, b"", {"Server": "nginx", "X-LOX24-Request-Id": REQUEST_ID}))
    assert "nginx" == error.headers["server"]
    assert REQUEST_ID == error.headers["X-LOX24-REQUEST-ID"] == error.request_id
    assert {str} == {type(part) for item in error.headers.items() for part in item}
    assert b"multidict" not in pickle.dumps(error)


def test_an_odd_request_id_is_fit_to_print() -> None:
    """A request id is shown cut and escaped; without one there is none."""
    assert refused(reply(404)).request_id is None
    shown = refused(reply(404, b"", {"X-LOX24-REQUEST-ID": "a\x1b\u202e" + "b" * 500})).request_id
    assert shown is not None
    assert shown.isprintable()
    assert len(shown) < 150


printable_ish = st.text(max_size=40) | st.text(
    "\n\r\x1b\u2028\u202e\ud800\U000e0001 a<", max_size=40
)


@settings(deadline=None, max_examples=150)
@given(
    status=st.integers(100, 999),
    body=st.binary(max_size=60)
    | printable_ish.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.dictionaries(
        st.sampled_from(["detail", "hydra:description", "message", "title", "violations", "uuid"]),
        printable_ish | st.lists(st.dictionaries(printable_ish, printable_ish), max_size=2),
    ).map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(
            ["Location", "Retry-After", "Date", "Content-Type", "X-LOX24-REQUEST-ID", "X"]
        ),
        printable_ish,
    ),
    changes=st.booleans(),
)
def test_any_answer_is_a_typed_error_fit_to_print(
    status: int, body: bytes, headers: dict[str, str], changes: bool
) -> None:
    """No answer raises anything but our errors; what they say is one printable line."""
    with pytest.raises(Lox24Error) as caught:
        read_reply(CANCEL if changes else LOOK, Reply(status, Headers(headers), body), BASE, str)
    error = caught.value
    assert str(error).isprintable()
    assert repr(error).isprintable()
    assert error.message
    assert str(error) == str(pickle.loads(pickle.dumps(error)))
    if isinstance(error, APIStatusError):
        assert status == error.status
        assert error.body.isprintable()
        assert error.retry_after is None or 0 <= error.retry_after < math.inf
    else:
        assert 200 <= status < 300 or isinstance(error, IntermediaryError)


@settings(deadline=None, max_examples=150)
@given(text=st.text() | printable_ish, limit=st.integers(1, 50))
def test_foreign_text_is_made_fit_to_print(text: str, limit: int) -> None:
    """One line, printable, cut; what was harmless is as it was."""
    shown = one_line(text, limit)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert len(shown) <= 10 * limit + 1  # the longest escape of one character, and the ellipsis
    words = text[:limit].split()
    if text.isprintable() and len(text) <= limit:
        assert " ".join(words) == shown
    if len(text) > limit:
        assert shown.endswith("…")


# --- case 26: redirects

MARK = "s3cret"


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("location", "origin"),
    [
        (f"https://evil.example/{MARK}?t={MARK}#{MARK}", "https://evil.example"),
        (f"http://evil.example:8080/{MARK}", "http://evil.example:8080"),
        (f"https://{MARK}@evil.example/", "https://evil.example"),
        (f"https://user:{MARK}@evil.example:8443/", "https://evil.example:8443"),
        (f"HTTPS://EVIL.Example/{MARK}", "https://evil.example"),
        (f"https://[2001:db8::7]:8443/{MARK}", "https://[2001:db8::7]:8443"),
        (f"//evil.example/{MARK}", "https://evil.example"),
        (f"ftp://evil.example/{MARK}", "ftp://evil.example"),
    ],
)
def test_case_26_only_the_origin_of_a_redirects_target_is_told(location: str, origin: str) -> None:
    """The error names scheme, host and port; path, query and user info are nowhere in it."""
    body = f'<a href="{location}">moved</a>'
    for status in (300, 301, 302, 303, 304, 305, 307, 308, 399):
        error = refused(reply(status, body, {"location": location}))
        assert APIStatusError is type(error)
        assert (status, False) == (error.status, error.outcome_unknown)
        assert f" {origin} " in f" {error.message} "
        assert origin == error.headers["Location"]
        assert MARK not in held(error)


def test_case_26_redirect_to_nowhere() -> None:
    """A redirect that does not say where to is told as one."""
    for status in (300, 304, 399):
        error = refused(reply(status, MARK, {}))
        assert (APIStatusError, status) == (type(error), error.status)
        assert "redirect without a target" in error.message
        assert MARK not in held(error)


@pytest.mark.parametrize(
    "location",
    [
        f"/{MARK}",
        f"?{MARK}",
        f"#{MARK}",
        f"javascript:{MARK}",
        f"https://[::1/{MARK}",
        f"https://evil.example:port{MARK}/",
        f"https:///{MARK}",
        f"\\\\evil.example\\{MARK}",
        f" https://evil.example/{MARK}",
    ],
)
def test_case_26_an_odd_target_is_not_told_either(location: str) -> None:
    """Whatever a server puts into Location, nothing but an origin gets out."""
    error = refused(reply(302, b"", {"Location": location}))
    assert MARK not in held(error)
    assert str(error).isprintable()


@pytest.mark.parametrize("status", [300, 302, 304])
def test_case_26_no_target_is_invented(status: int) -> None:
    """Without a Location there is no target to speak of, our own origin least of all."""
    error = refused(reply(status))
    assert "origin" not in str(error)
    assert "Location" not in error.headers


# --- case 9: Retry-After


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("1", 1.0),
        ("120", 120.0),
        (" 7\t", 7.0),
        ("007", 7.0),
        ("000000000005", 5.0),
        ("0" * 400 + "5", 5.0),
        ("1000000000", 1e9),
        ("", None),
        (" ", None),
        ("-5", None),
        ("+5", None),
        ("-0", None),
        ("5.0", 5.0),
        ("0.5", 0.5),
        ("0.000", 0.0),
        ("9" * 400 + ".5", 1e10),
        (".5", None),
        ("5.", None),
        ("1.2.3", None),
        ("-0.5", None),
        ("0.5e1", None),
        ("0.\u0665", None),
        ("5,0", None),
        ("5, 6", None),
        ("5s", None),
        ("5 s", None),
        ("1e9", None),
        ("1_000", None),
        ("0x10", None),
        ("nan", None),
        ("NaN", None),
        ("inf", None),
        ("-inf", None),
        ("Infinity", None),
        ("\u0665", None),
        ("\uff15", None),
        ("\u00b2", None),
        ("5\n", None),
        ("5\u00a0", None),
        ("soon", None),
        ("null", None),
        ("2026-07-01T12:00:00Z", None),
        ("Wed, 01 Jul 2026 12:00:10 +0000", None),
        ("Wed, 01 Jul 2026 12:00:10 EST", None),
        ("Wed, 01 Jul 2026 12:00:10", None),
        ("01 Jul 2026 12:00:10 GMT", None),
        ("Wed, 1 Jul 2026 12:00:10 GMT", None),
        ("wed, 01 jul 2026 12:00:10 gmt", None),
        ("Wed, 01 Foo 2026 12:00:10 GMT", None),
        ("Wed, 99 Jul 2026 12:00:10 GMT", None),
        ("Wed, 01 Jul 2026 25:00:10 GMT", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("Wed, 01 Jul 2026 12:00:10 GMT", 10.0),
        ("Wednesday, 01-Jul-26 12:00:10 GMT", 10.0),
        ("Wed Jul  1 12:00:10 2026", 10.0),
        ("Wed, 01 Jul 2026 12:01:00 GMT", 60.0),
        ("Wed, 01 Jul 2026 11:59:59 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 0050 08:49:37 GMT", None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_case_9_digits_or_an_rfc_date_else_absent(value: str, expected: float | None) -> None:
    """Digits, with a decimal fraction or without, and HTTP dates; anything else is absent.

    Also case 63: half a second is half a second.
    """
    headers = {"Retry-After": value, "Date": "Wed, 01 Jul 2026 12:00:00 GMT"}
    assert expected == read_retry_after(headers)
    assert expected == refused(reply(429, b"", headers)).retry_after


@pytest.mark.parametrize(
    "value", ["9" * 11, "9" * 12, "9" * 400, "9" * 8000, "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_case_9_an_endless_wait_is_a_finite_number(value: str) -> None:
    """What nobody can wait for stays finite, and too long for any policy."""
    seconds = read_retry_after({"Retry-After": value})
    assert seconds is not None
    assert 1e9 <= seconds < math.inf


def test_case_9_without_a_header_there_is_no_wait() -> None:
    """Absent is None."""
    assert read_retry_after({}) is None
    assert refused(reply(503)).retry_after is None


@pytest.mark.parametrize("date", [None, "", "yesterday", "Wed, 99 Jul 2026 12:00:00 GMT"])
def test_case_9_without_a_date_our_own_clock_counts(date: str | None) -> None:
    """A server that does not tell its time is taken by ours."""
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    headers = {"Retry-After": until} | ({} if date is None else {"Date": date})
    seconds = read_retry_after(headers)
    assert seconds is not None
    assert 90 < seconds <= 100


odd_dates = st.from_regex(
    r"([A-Z][a-z]{2}, [0-9]{2} (Jan|Feb|Nov|Foo) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
    r"|[A-Z][a-z]+, [0-9]{2}-(Jan|Feb|Foo)-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
    r"|[A-Z][a-z]{2} (Jan|Feb|Foo) [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4})\n?"
)


@settings(deadline=None, max_examples=150)
@given(
    value=st.text()
    | st.text("0123456789")
    | st.integers().map(str)
    | st.floats().map(str)
    | odd_dates,
    date=st.none() | st.text() | odd_dates,
)
def test_case_9_any_header_is_none_or_a_finite_wait(value: str, date: str | None) -> None:
    """Never negative, never NaN, never endless, never a raw error."""
    seconds = read_retry_after({"Retry-After": value} | ({} if date is None else {"Date": date}))
    assert seconds is None or 0 <= seconds < math.inf


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "3"], 3.0),
        (["3", "1"], 3.0),
        (["0.5", "0.25"], 0.5),
        (["soon", "2"], 2.0),
        (["soon", "later"], None),
        (["1", "Wed, 01 Jul 2026 12:00:10 GMT", "5"], 10.0),
    ],
    ids=repr,
)
def test_case_63_of_several_headers_the_longest(values: list[str], expected: float | None) -> None:
    """Two machines on the way may each have said how long: the longer wait is right for both."""
    headers = CIMultiDict([("Retry-After", value) for value in values])
    headers["Date"] = "Wed, 01 Jul 2026 12:00:00 GMT"
    assert expected == read_retry_after(CIMultiDictProxy(headers))
    assert expected == refused(reply(503, b"", headers)).retry_after


# --- who spoke

FOREIGN_BODIES = {
    "text": b"default backend - 404",
    "html": b"<html><head><title>404 Not Found</title></head></html>",
    "list": b'[{"detail": "no"}]',
    "string": b'"no"',
    "null": b"null",
    "cut json": b'{"detail": "no"',
    "binary": b"\xff\xfe\x00",
}
VERDICTS = [400, 402, 404, 405, 406, 409, 413, 418, 422, 451, 499]


@REQUESTS
@pytest.mark.parametrize("status", VERDICTS)
@pytest.mark.parametrize("body", FOREIGN_BODIES.values(), ids=FOREIGN_BODIES)
def test_case_54_what_has_not_lox24s_form_is_an_intermediarys(
    request_: Request[Bulk], status: int, body: bytes
) -> None:
    """A 4xx without a JSON object and without a request id is no verdict; it says who spoke."""
    with pytest.raises(IntermediaryError) as caught:
        read_reply(request_, reply(status, body, {"Server": "nginx\x1b"}), BASE, str)
    error = caught.value
    assert (status, 1, ID) == (error.status, error.attempts, error.bulk_id)
    assert request_.changes is error.outcome_unknown
    assert error.headers["server"] == "nginx\x1b"
    assert str(error).startswith("an intermediary (nginx\\x1b) answered in LOX24's stead")
    assert f"HTTP {status}" in str(error)
    assert str(error).isprintable()
    assert error.body.isprintable()
    assert "LOX24 " not in error.message  # nothing that LOX24 did or said


@REQUESTS
@pytest.mark.parametrize("status", VERDICTS)
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b" \r\n", {}),
        (b"{}", {}),
        (b'\xef\xbb\xbf{"detail": "no"}', {"Content-Type": "text/html"}),
        (b"<html>", {"X-LOX24-REQUEST-ID": REQUEST_ID}),
    ],
    ids=["empty", "blank", "object", "object with a BOM", "request id"],
)
def test_case_54_what_may_be_lox24s_is_lox24s(
    request_: Request[Bulk], status: int, body: bytes, headers: dict[str, str]
) -> None:
    """An object, a request id or an empty body: the status has its usual class."""
    error = refused(reply(status, body, headers), request_)
    assert CLASSES.get(status, APIStatusError) is type(error)
    assert not error.outcome_unknown
    assert not error.intermediary


@pytest.mark.parametrize(("start", "whose"), [(b'{"a":', NotFoundError), (b"<p>", None)])
def test_case_54_of_a_cut_body_the_start_decides(
    start: bytes, whose: type[Lox24Error] | None
) -> None:
    """What begins like an object may be one; what begins otherwise is none."""
    cut = Reply(404, CIMultiDict(), start + b" " * 65_000, whole=False)
    with pytest.raises(whose or IntermediaryError):
        read_reply(CANCEL, cut, BASE, str)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, AuthenticationError), (403, AccountNotActivatedError), (429, IPBlockedError)],
)
def test_case_54_what_the_guard_must_heed_keeps_its_class(
    status: int, expected: type[APIStatusError]
) -> None:
    """Nobody can know who counted the request; but the sentence says who most likely spoke."""
    error = refused(reply(status, b"<h1>no</h1>"))
    assert expected is type(error)
    assert error.intermediary
    assert "most likely by an intermediary" in str(error)
    assert "LOX24 refused" not in str(error)
    assert str(error) == str(pickle.loads(pickle.dumps(error)))
    assert not refused(reply(status, b'{"message": "no"}')).intermediary


def test_a_408_stays_what_it_is() -> None:
    """It is no verdict anyway."""
    error = refused(reply(408, b"<h1>too slow</h1>"))
    assert (APIStatusError, True) == (type(error), error.outcome_unknown)


@pytest.mark.parametrize("status", [200, 404, 422, 503])
@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP, deflate"])
def test_case_61_an_encoding_is_named(status: int, encoding: str) -> None:
    """A body that is encoded though we asked for it as it is, is named so, and not shown."""
    body = gzip.compress(json.dumps(good(detail=CANARY)).encode())
    with pytest.raises(Lox24Error) as caught:
        read_reply(CANCEL, reply(status, body, {"Content-Encoding": encoding}), BASE, str)
    assert f"Content-Encoding: {encoding}" in str(caught.value)
    assert "UTF-8" not in str(caught.value)
    assert "utf-8" not in str(caught.value)
    assert "" == getattr(caught.value, "body", None)


# --- case 32: the token appears nowhere


def strings_in(thing: object) -> Iterator[str]:
    """Walk everything that can be reached from an error by its values."""
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, bytes):
        yield thing.decode("latin-1")
    elif isinstance(thing, Mapping):
        for key, value in thing.items():
            yield from strings_in(key)
            yield from strings_in(value)
    elif isinstance(thing, tuple | list):
        for value in thing:
            yield from strings_in(value)
    else:
        yield repr(thing)
        for name in getattr(type(thing), "__slots__", ()):
            yield from strings_in(getattr(thing, name, None))


def held(error: BaseException) -> str:
    """Return all that an error, its copies and its traceback through our frames would show."""
    shown = [str(error), repr(error), f"{error!a}"]
    links: list[BaseException] = [error]
    while links:
        link = links.pop()
        shown += strings_in([link.args, vars(link)])
        links += [other for other in (link.__cause__, link.__context__) if other is not None]
    shown += strings_in([pickle.dumps(error, protocol) for protocol in (2, 5)])
    for twin in (copy.copy(error), copy.deepcopy(error)):
        shown += [str(twin), *strings_in([twin.args, vars(twin)])]
    shown += strings_in([frame.locals or {} for frame in frames_of_ours(error)])
    return "\n".join(shown)


def php_json(text: str) -> str:
    """Escape as PHP's ``json_encode`` does."""
    return json.dumps(text)[1:-1].replace("/", "\\/")


ECHOES: list[Any] = [
    pytest.param(str, id="raw"),
    pytest.param(lambda token: json.dumps({"detail": f"bad token {token}"}), id="detail"),
    pytest.param(lambda token: json.dumps({token: token, "message": [token]}), id="names"),
    pytest.param(lambda token: f'{{"detail": "bad {php_json(token)}"}}', id="php"),
    pytest.param(lambda token: json.dumps({"hydra:description": token}), id="hydra"),
    pytest.param(
        lambda token: json.dumps(
            {"violations": [{"propertyPath": token, "message": f"'{token}'", "code": token}]}
        ),
        id="violations",
    ),
    pytest.param(lambda token: "x" * 1_990 + token, id="at-the-cut"),
    pytest.param(lambda token: json.dumps({"detail": "x" * 490 + token}), id="at-the-message-cut"),
    pytest.param(lambda token: json.dumps({"detail": f"{token}\n\x1b{token}"}), id="lines"),
    pytest.param(lambda token: "\ufeff" + token, id="bom"),
    pytest.param(lambda token: json.dumps(good(text=token, new=token))[:-1], id="cut-bulk"),
    pytest.param(lambda token: json.dumps([token]), id="list"),
]


@pytest.mark.parametrize("status", [200, 302, 401, 422, 429, 500])
@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("token", [CANARY, '77:a/b"c\\d<canary>'], ids=["hex", "awkward"])
def test_case_32_a_server_that_echoes_the_token_tells_nobody(
    status: int,
    echo: Callable[[str], str],
    token: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Echoed raw or escaped, in body or headers: the token is in nothing that an error shows."""
    caplog.set_level(logging.DEBUG)
    key = token.partition(":")[2]
    headers = {
        "Content-Type": f"text/html; {token}",
        "X-LOX24-REQUEST-ID": token,
        "X-Echo": f"{token} {key} {json.dumps(token)}",
        "Location": f"https://u:{key}@evil.example/{token}?{token}",
        "Retry-After": token,
    }
    with pytest.raises(Lox24Error) as caught:
        read_reply(CANCEL, reply(status, echo(token), headers), BASE, Secret(token).redact)
    shown = held(caught.value) + caplog.text
    for form in (token, key, php_json(key), json.dumps(key)[1:-1], repr(key)[1:-1]):
        assert form not in shown


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        pytest.param(KEY, {"Location": f"https://{KEY}.evil.example/"}, id="host"),
        pytest.param("AbCdEf012345", {"Location": "https://AbCdEf012345.example"}, id="mixed-case"),
        pytest.param(KEY, {f"X-{KEY}": "1"}, id="header-name"),
    ],
)
def test_case_32_the_key_is_blotted_out_of_odd_places(key: str, headers: dict[str, str]) -> None:
    """A redirect to a host that is named by the key, a header named by it: not told."""
    shown = held(refused(reply(302, b"", headers), token=f"7:{key}"))
    assert key.lower() not in shown.lower()


def test_case_32_no_part_of_a_long_token_is_shown() -> None:
    """Where a body is cut for reading, no piece of the token is left over at the cut."""
    key = "".join(f"{number:03x}" for number in range(64))
    shown = held(refused(reply(500, f"1:{key}" * 2000), token=f"1:{key}"))
    assert [] == [key[at : at + 12] for at in range(0, len(key), 12) if key[at : at + 12] in shown]


@pytest.mark.parametrize("status", [200, 401, 404, 500])
@pytest.mark.parametrize("size", [100_000, 20 * 2**20])
def test_case_59_of_a_long_body_only_the_start_is_looked_at(status: int, size: int) -> None:
    """Whoever hands in how much: an error and a success of no use cost the same little time."""
    headers = {"X-LOX24-REQUEST-ID": REQUEST_ID}
    answer = reply(status, b'"%b"' % (b"x" * size), headers)
    before = time.thread_time()
    with pytest.raises(Lox24Error) as caught:
        read_reply(CANCEL, answer, BASE, Secret(CANARY).redact)
    assert time.thread_time() - before < 0.2
    assert getattr(caught.value, "body", "").startswith('"xxx')


def test_case_32_the_warning_of_an_odd_field_does_not_quote_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server may echo the token into a field: neither the log nor ``repr`` shows it."""
    caplog.set_level(logging.DEBUG)
    answer = reply(200, good(created_at=CANARY, price=CANARY, new=CANARY, text=CANARY))
    bulk = read_reply(CANCEL, answer, BASE, Secret(CANARY).redact)
    assert bulk.is_canceled
    assert "created_at" in caplog.text
    assert KEY not in caplog.text
    assert KEY not in repr(bulk)
    assert KEY not in repr(answer)


def test_case_32_a_reply_hides_what_the_server_sent() -> None:
    """``repr`` of a reply shows its status only: it is a local of our frames."""
    shown = repr(reply(401, CANARY, {"X-Echo": CANARY}))
    assert "401" in shown
    assert KEY not in shown
    assert BulkStatus.CANCELED.name not in shown
