"""What the gateway says, and how it gets onto the wire."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid4, uuid5

from aiohttp import web
from attrs import field, frozen

from ._faults import Fault

_PROBLEM: Final = "https://tools.ietf.org/html/rfc2616#section-10"
_KNOWN: Final = frozenset(HTTPStatus)


@frozen
class Answer:
    """A status and what goes with it; the content of a 204 is ``None``."""

    status: int
    content: Any
    headers: Mapping[str, str] = field(factory=dict[str, str])


@frozen
class Flaw:
    """One rule that a request breaks."""

    path: str
    message: str
    rule: str

    def violation(self) -> dict[str, str]:
        """Return it as LOX24 writes it."""
        # LOX24 gives a UUID to each rule. Its own are not documented: these are made up.
        code = str(uuid5(NAMESPACE_URL, f"https://fake.invalid/rules/{self.rule}"))
        return {"propertyPath": self.path, "message": self.message, "code": code}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an error."""
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "Unknown"
    return Answer(status, {"type": _PROBLEM, "title": phrase, "detail": detail}, headers or {})


def invalid(flaws: Sequence[Flaw]) -> Answer:
    """Return the error of a request whose values break rules."""
    content = {
        "type": _PROBLEM,
        "title": "An error occurred",
        "detail": "\n".join(f"{flaw.path}: {flaw.message}" for flaw in flaws),
        "violations": [flaw.violation() for flaw in flaws],
    }
    return Answer(400, content)


def respond(answer: Answer, fault: Fault | None, *, json_ld: bool) -> web.Response:
    """Return the response for an answer, as a fault would have it."""
    status, content = answer.status, answer.content
    headers = {"X-LOX24-REQUEST-ID": uuid4().hex, **answer.headers}
    body: bytes | None = None
    if fault is not None:
        headers |= fault.headers
        if fault.status is not None:
            status = fault.status
            content = problem(status, "Scripted fault").content
        if fault.body is not None:
            body = fault.body.encode() if isinstance(fault.body, str) else fault.body
            status = 200 if fault.status is None and status == 204 else status
    if body is None and status == 204:
        return web.Response(status=status, headers=headers)
    if json_ld and status >= 400:
        content = _json_ld_problem(content)
    kind = "application/ld+json" if json_ld else "application/json"
    headers.setdefault("Content-Type", f"{kind}; charset=utf-8")
    if body is None:
        body = json.dumps(content).encode()
    return web.Response(status=status, body=body, headers=headers)


def new_request(*parts: Any) -> web.BaseRequest:
    """Make a request whose body may be of any length: campaigns have many recipients."""
    message, payload, protocol, writer, task = parts
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=0)


async def send_half(request: web.BaseRequest, response: web.Response) -> None:
    """Send the first half of a response; there is no half of one without a body."""
    body = bytes(response.body) if isinstance(response.body, bytes) else b""
    if not body:
        return
    half = web.StreamResponse(status=response.status, headers=response.headers)
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])


def _json_ld_problem(plain: Mapping[str, Any]) -> dict[str, Any]:
    # Not documented: the forms of the framework that LOX24 evidently uses.
    violations = plain.get("violations")
    listed = {} if violations is None else {"violations": violations}
    kind = "hydra:Error" if violations is None else "ConstraintViolationList"
    return {
        "@context": f"/contexts/{kind.removeprefix('hydra:')}",
        "@type": kind,
        "hydra:title": plain["title"],
        "hydra:description": plain["detail"],
        **listed,
    }
