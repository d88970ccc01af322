"""The answers without I/O: a reply to what was asked for, or to an error.

Source: https://doc.lox24.eu/api/ (statuses and headers). No error schema is published: the
forms that are read here were seen in the vendor's clients or are the framework's.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

from lox24_async._checks import printable
from lox24_async._config import origin_of
from lox24_async.errors import (
    APIStatusError,
    Headers,
    Lox24Error,
    ResponseDecodeError,
    TransportError,
    Violation,
    error_class,
)

from .json import is_list, is_object, read_json
from .requests import Request, WrongBulkError

R = TypeVar("R")
Redact = Callable[[str], str]

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


class Reply:
    """One whole answer. ``repr`` hides what the server sent: it may echo the token.

    Args:
        status: The HTTP status.
        headers: The headers, by name without regard to case.
        body: The body, or the start of it.
        whole: Whether the body is all that came, and not cut.
    """

    __slots__ = ("body", "headers", "status", "whole")

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes, whole: bool = True
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.whole = whole

    def __repr__(self) -> str:
        return f"Reply(status={self.status})"


def read_reply(request: Request[R], reply: Reply, base_url: str, redact: Redact) -> R:
    """Turn a reply into what was asked for.

    Raises:
        APIStatusError: the status is no success; the class says which.
        ResponseDecodeError: a success without that in it.
        TransportError: the answer is for another bulk: the connection is out of step.
    """
    if not 200 <= reply.status < 300:
        raise _status_error(request, reply, base_url, redact)
    request.status, request.request_id = reply.status, read_request_id(reply, redact)
    try:
        if request.empty:
            return request.read(None)
        if not reply.whole:
            raise ValueError("too long")
        return request.read(read_json(reply.body))
    except ValueError as why:
        problem = _decode_error(request, reply, str(why), redact)
    except WrongBulkError as other:
        problem = TransportError(
            f"the connection is out of step: it brought the answer for bulk {other}",
            bulk_id=request.bulk_id,
            attempts=1,
            outcome_unknown=request.changes,
        )
    try:
        raise problem
    finally:
        del problem  # else the error and this frame would hold each other


def _decode_error(request: Request[Any], reply: Reply, problem: str, redact: Redact) -> Lox24Error:
    kind = printable(redact(reply.headers.get("Content-Type", "no content type")), 80)
    return ResponseDecodeError(
        f"the answer ({kind}) is not what was asked for: {problem}",
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
        printable(redact(next(iter(texts.values()), message)), _MESSAGE_SHOWN),
        status=status,
        detail=None if detail is None else printable(redact(detail), _BODY_SHOWN),
        violations=_violations(said.get("violations"), redact),
        request_id=read_request_id(reply, redact),
        retry_after=read_retry_after(reply.headers),
        headers=Headers(headers),
        body=body,
        method=request.method,
        url=base_url + request.shown_path,
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
        return printable(redact(value), _MESSAGE_SHOWN) if isinstance(value, str) else None

    return tuple(
        Violation(text(item, "propertyPath"), text(item, "message"), text(item, "code"))
        for item in (raw if is_list(raw) else ())
        if is_object(item)
    )


def read_request_id(reply: Reply, redact: Redact) -> str | None:
    """Return what LOX24's support can find the request by."""
    value = reply.headers.get(_REQUEST_ID)
    return None if value is None else printable(redact(value), 100)


def _shown_body(reply: Reply, redact: Redact) -> str:
    text = reply.body.decode("utf-8", "backslashreplace")
    return printable(redact(text), _BODY_SHOWN)
