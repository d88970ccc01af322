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

from lox24_async._config import origin_of
from lox24_async._printable import one_line
from lox24_async.errors import (
    Headers,
    IntermediaryError,
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

KEPT_OF_CUT: Final = 1 << 16
"""Bytes that are kept of a body that was cut, and read of an error's: enough to show what came."""
_DETAIL_KEYS: Final = ("detail", "hydra:description", "description")
_MESSAGE_KEYS: Final = (*_DETAIL_KEYS, "message", "title", "hydra:title")
_REQUEST_ID: Final = "X-LOX24-REQUEST-ID"
_BODY_SHOWN: Final = 2_000  # characters
_TAIL: Final = 4_000  # characters before a cut that may go through the token
_MESSAGE_SHOWN: Final = 500
_LONGEST_WAIT: Final = 1e10  # seconds; a server that says more has said "never"
_SECONDS: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)
_GUARDED: Final = frozenset({401, 403, 429})
"""What the guard has to heed whoever said it: LOX24 may have counted the request."""
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


def body_limit(request: Request[Any], status: int) -> int:
    """Return how many bytes of an answer's body are read."""
    return request.limit if 200 <= status < 300 else KEPT_OF_CUT


def read_reply(request: Request[R], reply: Reply, base_url: str, redact: Redact) -> R:
    """Turn a reply into what was asked for.

    Raises:
        APIStatusError: the status is no success; the class says which.
        ResponseDecodeError: a success without that in it.
        IntermediaryError: something before LOX24 answered in its stead.
        TransportError: the answer is for another bulk: the connection is out of step.
    """
    if not 200 <= reply.status < 300:
        if len(reply.body) > KEPT_OF_CUT:
            reply = Reply(reply.status, reply.headers, reply.body[:KEPT_OF_CUT], whole=False)
        raise _status_error(request, reply, base_url, redact)
    request.status, request.request_id = reply.status, read_request_id(reply, redact)
    try:
        if request.empty:
            return request.read(None)
        if not reply.whole:
            raise ValueError("too long, or of too many parts")
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
        problem.answered = True
    try:
        raise problem
    finally:
        del problem  # else the error and this frame would hold each other


def _decode_error(request: Request[Any], reply: Reply, problem: str, redact: Redact) -> Lox24Error:
    kind = one_line(redact(reply.headers.get("Content-Type", "no content type")), 80)
    problem = _encoded(reply, redact) or problem
    return ResponseDecodeError(
        f"the answer ({kind}) is not what was asked for: {problem}",
        status=reply.status,
        body=_shown_body(reply, redact),
        request_id=read_request_id(reply, redact),
        bulk_id=request.bulk_id,
        attempts=1,
        outcome_unknown=request.changes,
    )


def _status_error(request: Request[Any], reply: Reply, base_url: str, redact: Redact) -> Lox24Error:
    status = reply.status
    headers = {redact(name): redact(value) for name, value in reply.headers.items()}
    said: dict[str, Any] | None = None
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
        said = _json_object(reply.body) if reply.whole else None
        if (encoded := _encoded(reply, redact)) is not None:
            message += f" (the body is {encoded})"
    intermediary = said is None and status != 408 and _is_anothers(reply)
    if intermediary and status not in _GUARDED:
        name = one_line(redact(reply.headers.get("Server", "")), 40)
        shown = "" if body.startswith("<") else one_line(body, 80)
        return IntermediaryError(
            f"an intermediary{name and f' ({name})'} answered in LOX24's stead:"
            f" {status} {message}{shown and f': {shown}'}",
            status=status,
            body=body,
            headers=Headers(headers),
            bulk_id=request.bulk_id,
            attempts=1,
            # What has spoken here may have done so after the request went through.
            outcome_unknown=request.changes,
        )
    said = said or {}
    texts = {
        key: said[key] for key in _MESSAGE_KEYS if type(said.get(key)) is str and said[key].strip()
    }
    details = (texts[key] for key in _DETAIL_KEYS if key in texts)
    detail = next(details, None)
    error = error_class(status)(
        one_line(redact(next(iter(texts.values()), message)), _MESSAGE_SHOWN),
        status=status,
        detail=None if detail is None else one_line(redact(detail), _BODY_SHOWN),
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
    error.intermediary = intermediary
    return error


def _is_anothers(reply: Reply) -> bool:
    """Whether a 4xx whose body is no JSON object is not LOX24's word: it has no request id.

    An empty body says nothing either way, nor does the cut start of what may be an object.
    """
    if not 400 <= reply.status < 500 or reply.headers.get(_REQUEST_ID) is not None:
        return False
    start = reply.body.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start != b"" and (reply.whole or not start.startswith(b"{"))


def _encoded(reply: Reply, redact: Redact) -> str | None:
    """Say how a body is encoded, if it is, though we ask for it as it is."""
    encoding = reply.headers.get("Content-Encoding", "").strip(" \t")
    if encoding.lower() in ("", "identity"):
        return None
    said = one_line(redact(encoding), 40)
    return f"encoded (Content-Encoding: {said}), though not asked to be"


_PHRASES: Final = frozenset(HTTPStatus)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for; anything odd counts as absent.

    Of several such headers (two machines on the way, say) the longest counts.
    """
    every: Callable[[str, list[str]], list[str]] | None = getattr(headers, "getall", None)
    values = every("Retry-After", []) if every else [headers.get("Retry-After", "")]
    waits = [_wait(value.strip(" \t"), headers) for value in values]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(value: str, headers: Mapping[str, str]) -> float | None:
    if _SECONDS.fullmatch(value):
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


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = read_json(body)
    except ValueError:
        return None
    return value if is_object(value) else None


def _violations(raw: Any, redact: Redact) -> tuple[Violation, ...]:
    def text(item: dict[str, Any], key: str) -> str | None:
        value = item.get(key)
        return one_line(redact(value), _MESSAGE_SHOWN) if isinstance(value, str) else None

    return tuple(
        Violation(text(item, "propertyPath"), text(item, "message"), text(item, "code"))
        for item in (raw if is_list(raw) else ())
        if is_object(item)
    )


def read_request_id(reply: Reply, redact: Redact) -> str | None:
    """Return what LOX24's support can find the request by."""
    value = reply.headers.get(_REQUEST_ID)
    return None if value is None else one_line(redact(value), 100)


def _shown_body(reply: Reply, redact: Redact) -> str:
    if _encoded(reply, redact) is not None:
        return ""  # noise; and what is hidden in it could not be blotted out
    text = redact(reply.body[:KEPT_OF_CUT].decode("utf-8", "backslashreplace"))
    if not reply.whole or len(reply.body) > KEPT_OF_CUT:
        text = text[:-_TAIL]
    return one_line(text, _BODY_SHOWN)
