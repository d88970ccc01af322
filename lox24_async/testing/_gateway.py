"""``FakeLox24``: a faithful gateway over real HTTP on a free loopback port."""

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Self
from uuid import UUID, uuid4

from aiohttp import web
from attrs import frozen

from lox24_async import Bulk, BulkStatus, Headers

from ._bulks import Bulks, summary
from ._faults import Drop, Fault, Script, plain_id
from ._guard import forget_guard

_ROUTES: Final = re.compile(r"/bulks/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(cancel|status)")
_METHODS: Final = {"cancel": "PUT", "status": "GET"}
_WINDOW: Final = 60.0
_WRONG_ALLOWED: Final = 3


@frozen
class ReceivedRequest:
    """What arrived at the gateway."""

    method: str
    path: str
    """With the query, as it came."""
    headers: Headers
    body: bytes
    at: float
    """When, in seconds of the gateway's clock."""


@frozen
class _Answer:
    status: int
    content: Mapping[str, Any]


class FakeLox24:
    """A LOX24 gateway on this machine, for tests and demos.

    It answers as the vendor's documentation says (JSON and JSON-LD, request ids, error
    forms, the IP block after more than three wrong tokens in a minute), and does wrong what
    it is told to (:meth:`fail_next`).

    Args:
        token: The token that it accepts. May be changed while it runs.
        block_seconds: How long an IP block lasts.
        latency: Seconds before each answer.
        port: Where to listen on 127.0.0.1; 0: any free port.

    Example:
        ``async with FakeLox24() as gateway:`` gives ``gateway.url`` and ``gateway.token``.
    """

    def __init__(
        self,
        *,
        token: str = "1234567:e3f3a759b6677959b6ebfcfake000001",  # noqa: S107
        block_seconds: float = 600.0,
        latency: float = 0.0,
        port: int = 0,
    ) -> None:
        self.token = token
        self.block_seconds = block_seconds
        self.latency = latency
        self.requests: list[ReceivedRequest] = []
        """All requests that arrived, in order."""
        self.in_flight = 0
        """Requests that are being answered now."""
        self.most_in_flight = 0
        """The most requests that were being answered at once."""
        self._bulks = Bulks()
        self._script = Script()
        self._rule: Callable[[ReceivedRequest], Fault | None] | None = None
        self._wrong: deque[float] = deque()
        self._blocked_until = float("-inf")
        self._port = port
        self._url = ""
        self._clock: Callable[[], float] = lambda: 0.0
        self._runner: web.ServerRunner | None = None

    # --- for the test

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        if not self._url:
            raise RuntimeError("the gateway is not running: use 'async with FakeLox24() as …'")
        return self._url

    @property
    def bulks(self) -> Bulks:
        """The bulks as they are now, by id (``UUID`` or string)."""
        return self._bulks

    def add_bulk(self, status: int = BulkStatus.NEW, **fields: Any) -> Bulk:
        """Put a bulk into the postbox.

        Args:
            status: Its status code.
            **fields: Other fields of ``Bulk``, ``uuid`` too.

        Returns:
            The bulk; its ``uuid`` is the id.
        """
        return self._bulks.add(status, **fields)

    def set_status(self, bulk_id: UUID | str, status: int) -> Bulk:
        """Let a bulk be in another state, as if time had passed."""
        return self._bulks.set_status(bulk_id, status)

    def fail_next(
        self,
        status: int | None = None,
        *,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        drop: Drop | None = None,
        executed: bool = False,
        delay: float = 0.0,
        method: str | None = None,
        bulk_id: UUID | str | None = None,
    ) -> None:
        """Do something wrong with the next requests; calls add up in order.

        Args:
            status: Answer with this status.
            times: For how many requests.
            headers: More headers for that answer (``Retry-After``, say).
            body: Answer with this body (status 200 unless given).
            drop: Close the connection: ``"before"`` or ``"after"`` carrying the request
                out, or ``"within"`` the answer.
            executed: Carry the request out before the answer of ``status``.
            delay: Seconds to wait before the answer.
            method: Only for requests of this method.
            bulk_id: Only for requests about this bulk.
        """
        fault = Fault(
            status=status,
            headers=headers or {},
            body=body,
            drop=drop,
            executed=executed,
            delay=delay,
            method=method,
            bulk_id=plain_id(bulk_id),
        )
        self._script.add(fault, times)

    def fail_if(self, rule: Callable[[ReceivedRequest], Fault | None] | None) -> None:
        """Ask a rule for each request that :meth:`fail_next` leaves alone.

        Args:
            rule: Gets the request, returns what to do wrong, or ``None``.
        """
        self._rule = rule

    def stop_failing(self) -> None:
        """Forget the faults that are still to come."""
        self._script.clear()
        self._rule = None

    def block_ip(self, seconds: float | None = None) -> None:
        """Block all clients now, as after too many wrong tokens."""
        self._blocked_until = self._clock() + (self.block_seconds if seconds is None else seconds)

    # --- life

    async def start(self) -> Self:
        """Begin to listen."""
        self._clock = asyncio.get_running_loop().time
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"
        forget_guard(self._url)  # the port may have been another gateway's
        return self

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # --- answering

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._serve(request)
        finally:
            self.in_flight -= 1

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        headers, body = Headers(request.headers), await request.read()
        received = ReceivedRequest(request.method, request.path_qs, headers, body, self._clock())
        self.requests.append(received)
        fault = self._script.next_for(request.method, request.path)
        if fault is None and self._rule is not None:
            fault = self._rule(received)
        answer = self._answer(request) if fault is None or fault.executes else _Answer(200, {})
        delay = self.latency + (fault.delay if fault else 0.0)
        if delay:
            await asyncio.sleep(delay)
        response = self._response(answer, request, fault)
        if fault is not None and fault.drop is not None:
            if fault.drop == "within":
                await _send_half(request, response)
            if request.transport is not None:
                request.transport.abort()
        return response

    def _answer(self, request: web.BaseRequest) -> _Answer:
        """Carry a request out: the rules of the documentation, in its order."""
        now = self._clock()
        if now < self._blocked_until:
            return _problem(429, "Your IP is temporarily blocked")
        if request.headers.get("X-LOX24-AUTH-TOKEN") != self.token:
            self._count_wrong(now)
            return _problem(401, "Client ID or API key is not active or invalid")
        route = _ROUTES.fullmatch(request.path)
        if route is None or UUID(route[1]) not in self._bulks:
            return _problem(404, "Resource not found")
        bulk, operation = self._bulks[route[1]], route[2]
        if request.method != _METHODS[operation]:
            return _problem(405, "Method not allowed")
        if operation == "cancel":
            if not bulk.is_cancelable:
                return _problem(422, "The bulk can not be cancelled in its status")
            bulk = self._bulks.set_status(bulk.uuid, BulkStatus.CANCELED)
        return _Answer(200, summary(bulk, json_ld=_wants_json_ld(request)))

    def _count_wrong(self, now: float) -> None:
        while self._wrong and self._wrong[0] <= now - _WINDOW:
            self._wrong.popleft()
        self._wrong.append(now)
        if len(self._wrong) > _WRONG_ALLOWED:
            self._blocked_until = now + self.block_seconds

    def _response(
        self, answer: _Answer, request: web.BaseRequest, fault: Fault | None
    ) -> web.Response:
        headers = {"X-LOX24-REQUEST-ID": uuid4().hex}
        status, body = answer.status, None
        if fault is not None:
            headers |= fault.headers
            if fault.status is not None:
                status = fault.status
                answer = _problem(status, "Scripted fault")
            body = fault.body.encode() if isinstance(fault.body, str) else fault.body
        content = dict(answer.content)
        kind = "application/json"
        if _wants_json_ld(request):
            kind = "application/ld+json"
            content = _json_ld_problem(content) if status >= 400 else content
        headers.setdefault("Content-Type", f"{kind}; charset=utf-8")
        if body is None:
            body = json.dumps(content).encode()
        return web.Response(status=status, body=body, headers=headers)


async def _send_half(request: web.BaseRequest, response: web.Response) -> None:
    body = bytes(response.body) if isinstance(response.body, bytes) else b""
    half = web.StreamResponse(status=response.status, headers=response.headers)
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])


def _wants_json_ld(request: web.BaseRequest) -> bool:
    return "application/json" not in request.headers.get("Accept", "")


def _problem(status: int, detail: str) -> _Answer:
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "Unknown"
    kind = "https://tools.ietf.org/html/rfc2616#section-10"
    return _Answer(status, {"type": kind, "title": phrase, "detail": detail})


def _json_ld_problem(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@context": "/contexts/Error",
        "@type": "hydra:Error",
        "hydra:title": plain["title"],
        "hydra:description": plain["detail"],
    }


_KNOWN: Final = frozenset(HTTPStatus)
