"""How an answer gets its form: which one was asked for, its media type, its bytes."""

import json
from functools import lru_cache
from typing import Final, Literal
from uuid import uuid4

from lox24_async import Headers

from ._faults import Drop, Fault
from ._routes import Answer
from ._server import Reply
from ._shapes import Framework, Problem, problem_body

Form = Literal["ld", "json"]
"""JSON-LD, or plain JSON."""

# In the framework's order: the first is its default.
_FORMS: Final[tuple[tuple[Form, str], ...]] = (
    ("ld", "application/ld+json"),
    ("json", "application/json"),
)
_PROBLEM: Final = "application/problem+json"


@lru_cache(maxsize=64)
def form_of(accept: str) -> Form | None:
    """Return the form that an ``Accept`` header prefers; ``None``: there is no such form."""
    ranges = dict(_range(part) for part in accept.split(",") if part.strip())
    if not ranges:
        return "ld"
    wanted: dict[Form, float] = {}
    for form, kind in _FORMS:
        fitting = [ranges[name] for name in (kind, "application/*", "*/*") if name in ranges]
        wanted[form] = fitting[0] if fitting else 0.0  # the most precise counts
    best = max(wanted, key=lambda form: wanted[form])
    return best if wanted[best] > 0 else None


def _range(part: str) -> tuple[str, float]:
    kind, *parameters = (text.strip().lower() for text in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return kind, float(value)
            except ValueError:
                break
    return kind, 1.0


def not_acceptable(form: Form | None) -> Problem | None:
    """Return the error of a request for a form that there is not."""
    if form is not None:
        return None
    kinds = ", ".join(f'"{kind}"' for _, kind in _FORMS)
    return Problem(406, f"The requested format is not supported. Supported MIME types are {kinds}.")


def content_type(headers: Headers) -> str:
    """Return the media type of a request's body, without parameters."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def reply(
    answer: Answer | Problem, fault: Fault | None, framework: Framework, form: Form | None
) -> Reply:
    """Return what goes onto the wire for an answer, as a fault would have it."""
    headers = dict(answer.headers)
    if fault is None or fault.request_id:
        headers["X-LOX24-REQUEST-ID"] = uuid4().hex
    body: bytes | None = None
    drop: Drop | None = None
    if fault is not None:
        headers |= fault.headers
        drop = fault.drop
        if fault.status is not None:
            answer = Problem(fault.status, "Scripted fault")
        if fault.body is not None:
            body = fault.body.encode() if isinstance(fault.body, str) else fault.body
    status = answer.status
    if status == 204:
        if body is None:
            return Reply(status, headers, None, drop)
        if fault is not None and fault.status is None:
            status = 200
    json_ld = form == "ld"
    kind = dict(_FORMS)["ld" if json_ld else "json"]
    if isinstance(answer, Problem):
        content = problem_body(answer, framework, json_ld=json_ld)
        if framework == "4" or not json_ld:
            kind = _PROBLEM
    else:
        content = answer.content
    headers.setdefault("Content-Type", f"{kind}; charset=utf-8")
    return Reply(status, headers, json.dumps(content).encode() if body is None else body, drop)
