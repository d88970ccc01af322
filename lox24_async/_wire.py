"""The protocol without I/O: ids to requests, replies to models or errors.

Source: https://doc.lox24.eu/api/operations/api_bulks_put_cancel_item/ and
https://doc.lox24.eu/api/operations/get_status/
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from attrs import field, frozen

from ._config import origin_of
from ._converter import make_converter
from ._json import is_list, is_object, read_json
from .errors import (
    APIStatusError,
    ConfigurationError,
    Headers,
    InvalidBulkIdError,
    Lox24Error,
    ResponseDecodeError,
    TransportError,
    Violation,
    error_class,
)
from .models import Bulk, JsonLdBulk

BulkT = TypeVar("BulkT", bound=Bulk)
Redact = Callable[[str], str]

_BULK_ID: Final = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
_ACCEPT: Final[Mapping[type[Bulk], str]] = {
    Bulk: "application/json",
    JsonLdBulk: "application/ld+json",
}
_MESSAGE_KEYS: Final = ("detail", "hydra:description", "message", "title", "hydra:title")
_REQUEST_ID: Final = "X-LOX24-REQUEST-ID"
_BODY_SHOWN: Final = 2_000  # characters
_MESSAGE_SHOWN: Final = 500
_LONGEST_WAIT: Final = 1e10  # seconds; a server that says more has said "never"
_HTTP_DATE: Final = re.compile(
    r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} [1-9]\d{3} \d\d:\d\d:\d\d GMT"
    r"|[A-Z][a-z]+, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [1-9]\d{3}",
    re.ASCII,
)

_converter = make_converter()


# --- what goes out


@frozen
class Request(Generic[BulkT]):
    """One request, without the parts that are the same for all (origin, token)."""

    method: str
    path: str
    bulk_id: str
    form: type[BulkT]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def accept(self) -> str:
        """The media type to ask for."""
        return _ACCEPT[self.form]

    @property
    def changes(self) -> bool:
        """Whether carrying it out changes anything: a lost answer then leaves a doubt."""
        return self.method != "GET"


def check_bulk_id(value: object) -> str:
    """Return the id as LOX24 writes it: 36 characters, lower case.

    Raises:
        InvalidBulkIdError: neither a ``UUID`` nor a string of 8-4-4-4-12 hex digits.
    """
    if type(value) is str and _BULK_ID.fullmatch(value) is not None:
        return value if value == (lower := value.lower()) else lower
    if isinstance(value, UUID):
        return str(value)
    shown = _printable(value, 60) if isinstance(value, str) else f"a {type(value).__name__}"
    raise InvalidBulkIdError(f"no bulk id (8-4-4-4-12 hex digits): {shown}")


def check_form(form: object) -> None:
    """Refuse a form that is not ours.

    Raises:
        ConfigurationError: neither ``Bulk`` nor ``JsonLdBulk``.
    """
    if form is not Bulk and form is not JsonLdBulk:
        raise ConfigurationError("form must be Bulk or JsonLdBulk")


def cancel_request(bulk_id: str, form: type[BulkT]) -> Request[BulkT]:
    """``PUT /bulks/{id}/cancel``, without a body."""
    return Request("PUT", f"/bulks/{bulk_id}/cancel", bulk_id, form)


def status_request(bulk_id: str, form: type[BulkT]) -> Request[BulkT]:
    """``GET /bulks/{id}/status``."""
    return Request("GET", f"/bulks/{bulk_id}/status", bulk_id, form)


# --- what comes in


@frozen
class Reply:
    """One whole answer. ``repr`` hides what the server sent: it may echo the token."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    whole: bool = True
    """Whether the body is all that came, and not cut."""


def read_bulk(request: Request[BulkT], reply: Reply, base_url: str, redact: Redact) -> BulkT:
    """Turn a reply into the bulk that was asked for.

    Raises:
        APIStatusError: the status is no success; the class says which.
        ResponseDecodeError: a success without a bulk in it.
        TransportError: the answer is for another bulk: the connection is out of step.
    """
    if not 200 <= reply.status < 300:
        raise _status_error(request, reply, base_url, redact)
    answer = _decode(request, reply, redact)
    if not isinstance(answer, Lox24Error):
        return answer
    try:
        raise answer  # here, where no frame or context holds the body: it may echo the token
    finally:
        del answer  # else the error and this frame would hold each other


def _decode(request: Request[BulkT], reply: Reply, redact: Redact) -> BulkT | Lox24Error:
    """Return the bulk that was asked for, or the error to raise."""
    try:
        if not reply.whole:
            raise ValueError("too long")
        raw = read_json(reply.body)
        bulk = _converter.structure(raw, request.form)
    except ValueError as why:
        problem = str(why)
    else:
        if raw["uuid"].lower() == request.bulk_id:
            return bulk
        return TransportError(
            f"the connection is out of step: it brought the answer for bulk {bulk.uuid}",
            bulk_id=request.bulk_id,
            attempts=1,
            outcome_unknown=request.changes,
        )
    return _decode_error(request, reply, problem, redact)


def _decode_error(request: Request[Any], reply: Reply, problem: str, redact: Redact) -> Lox24Error:
    kind = _printable(redact(reply.headers.get("Content-Type", "no content type")), 80)
    return ResponseDecodeError(
        f"the answer ({kind}) is no bulk: {problem}",
        status=reply.status,
        body=_shown_body(reply, redact),
        request_id=read_request_id(reply, redact),
        bulk_id=request.bulk_id,
        attempts=1,
        outcome_unknown=request.changes,
    )


def _status_error(
    request: Request[Any], reply: Reply, base_url: str, redact: Redact
) -> APIStatusError:
    status = reply.status
    headers = {redact(name): redact(value) for name, value in reply.headers.items()}
    said: dict[str, Any] = {}
    body = _shown_body(reply, redact)
    message = HTTPStatus(status).phrase if status in _PHRASES else "unknown status"
    if 300 <= status < 400:
        # A redirect's target may carry secrets in path and query: only its origin is told.
        location = reply.headers.get("Location")
        message = "redirect without a target"
        if location is not None:
            if location.startswith("//"):
                location = base_url.partition("//")[0] + location
            target = origin_of(redact(location))
            message = f"redirect to {target} not followed"
            headers = {n: target if n.lower() == "location" else v for n, v in headers.items()}
        body = ""
    else:
        said = _json_object(reply.body) if reply.whole else {}
    texts = {
        key: said[key] for key in _MESSAGE_KEYS if type(said.get(key)) is str and said[key].strip()
    }
    detail = texts.get("detail", texts.get("hydra:description"))
    return error_class(status)(
        _printable(redact(next(iter(texts.values()), message)), _MESSAGE_SHOWN),
        status=status,
        detail=None if detail is None else _printable(redact(detail), _BODY_SHOWN),
        violations=_violations(said.get("violations"), redact),
        request_id=read_request_id(reply, redact),
        retry_after=read_retry_after(reply.headers),
        headers=Headers(headers),
        body=body,
        method=request.method,
        url=base_url + request.path,
        bulk_id=request.bulk_id,
        attempts=1,
        # Asked to stop the bulk, a server may fail after it did so.
        outcome_unknown=request.changes and (status >= 500 or status == 408),
    )


_PHRASES: Final = frozenset(HTTPStatus)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for; anything odd counts as absent."""
    value = headers.get("Retry-After", "").strip(" \t")
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_WAIT)
    until = _http_date(value)
    if until is None:
        return None
    # Against the server's own clock, if it tells it: ours may be wrong.
    now = _http_date(headers.get("Date", "")) or datetime.now(UTC)
    seconds = (until - now).total_seconds()
    return seconds if seconds > 0 else None


def _http_date(value: str) -> datetime | None:
    if _HTTP_DATE.fullmatch(value) is None:
        return None
    try:
        return parsedate_to_datetime(value).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return None


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = read_json(body)
    except ValueError:
        return {}
    return value if is_object(value) else {}


def _violations(raw: Any, redact: Redact) -> tuple[Violation, ...]:
    def text(item: dict[str, Any], key: str) -> str | None:
        value = item.get(key)
        return _printable(redact(value), _MESSAGE_SHOWN) if isinstance(value, str) else None

    return tuple(
        Violation(text(item, "propertyPath"), text(item, "message"), text(item, "code"))
        for item in (raw if is_list(raw) else ())
        if is_object(item)
    )


def read_request_id(reply: Reply, redact: Redact) -> str | None:
    """Return what LOX24's support can find the request by."""
    value = reply.headers.get(_REQUEST_ID)
    return None if value is None else _printable(redact(value), 100)


def _shown_body(reply: Reply, redact: Redact) -> str:
    text = reply.body.decode("utf-8", "backslashreplace")
    return _printable(redact(text), _BODY_SHOWN)


def _printable(text: str, limit: int) -> str:
    """Make a foreign text fit for a terminal and a log: one line, cut, no control codes."""
    if len(text) > limit:
        text = text[:limit] + "…"
    text = " ".join(text.split())
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
