"""``FakeLox24``: a faithful gateway over real HTTP on a free loopback port."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Self, cast, get_args
from urllib.parse import parse_qsl, unquote
from uuid import UUID

import attrs

from lox24_async import Bulk, BulkStatus, Headers

from ._bulks import Bulks
from ._clock import Clock
from ._faults import Drop, Fault, Script, plain_id
from ._intermediary import Intermediary
from ._isolation import forget_guard
from ._public import public
from ._rendering import content_type, form_of, not_acceptable, reply
from ._routes import Answer, Call, Routes
from ._server import ReceivedRequest, Reply, Server
from ._shapes import CreatedAt, Framework, Problem, Version

_WINDOW: Final = 60.0
_WRONG_ALLOWED: Final = 3


@public
class FakeLox24:
    """A LOX24 gateway on this machine, for tests and demos.

    It answers as the vendor's documentation says, in JSON and JSON-LD, with request ids:

    - ``GET /bulks`` with paging, filters and order; ``POST /bulks`` and ``POST
      /bulks/dryrun``, with the checks of what was posted; ``GET`` and ``DELETE
      /bulks/{id}``; ``GET /bulks/{id}/status``; ``PUT /bulks/{id}/cancel``.
    - ``GET /sms``: the messages behind the bulks, with paging and filters (``bulk``,
      ``is_sent`` and others). They go out one by one while their bulk is in progress.
    - JSON-LD, plain JSON, or 406, by ``Accept``. In JSON-LD a status summary has an object as
      its context, all else a string. ``HEAD`` is ``GET`` without a body, ``OPTIONS`` is not
      allowed.
    - 401 for a wrong token (in one header, or in the two of the old login), and the IP block
      (429) after more than three in a minute; 403 while ``not_activated``; 402 when a
      bulk costs more than ``funds``; 400, 404, 405, 415 and 422 where they belong.
    - New bulks begin to be sent, are processed, and stop after a cancel, each in its time.

    And it does wrong what it is told to (``fail_next``, ``fail_if``,
    ``block_ip``, ``intermediaries``). Where the documentation is silent it does what
    is likeliest. All arguments but ``port`` are attributes too, and may be changed while it
    runs.

    Args:
        token: The token that it accepts.
        block_seconds: How long an IP block lasts.
        latency: Seconds before each answer.
        port: Where to listen on 127.0.0.1; 0: any free port.
        page_size: Members of one page of a list.
        version: Which version of the documentation to follow. 2.24 says ``hydra:member`` in
            lists, ``bulks`` and ``sms`` as ``@type``; its status summaries have no
            ``sender_id``, and an ``@id`` that leads nowhere. 2.27 says ``member``, ``Bulk``
            and ``Sms``.
        framework: Which major version of API Platform makes the errors. In JSON-LD 2 says
            ``hydra:Error``, ``hydra:title`` and ``hydra:description``; 3 adds ``title``,
            ``detail``, ``status`` and ``type``; 4 has these without the others, and
            ``description``. In plain JSON 2 and 3 have ``type``, ``title`` and ``detail``.
        summary_created_at: What a status summary has there: ``"timestamp"``, or ``"uuid"``,
            as the vendor's pages of the cancel and the status say.
        price_per_message: What a created bulk costs for each message; ``None``: bulks have
            no price.
        starts_after: Seconds from when a bulk is put in, or from its ``delivery_at`` if
            that is later, until it is in progress (or has no recipients: 201); ``None``: it
            stays new until ``set_status``. As all three times, for the bulks that get
            to such a state from now on, and by the time of the gateway's loop.
        sends_for: Seconds from then until it is processed; ``None``: it stays in progress.
            Its messages go out evenly in this time; a cancel keeps the rest from it.
        stops_after: Seconds that a cancel takes; its answer then shows the old status.
        intermediaries: What stands between: ``RateLimit``, ``ConnectionLimit``,
            ``IngressNotFound``, ``LoadBalancerPage``, ``StatusAnswer``, or an
            ``Intermediary`` of your own. The first that answers keeps a request back.

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
        page_size: int = 30,
        version: Version = "2.27",
        framework: Framework = "2",
        summary_created_at: CreatedAt = "timestamp",
        price_per_message: Decimal | None = Decimal("0.065"),
        starts_after: float | None = None,
        sends_for: float | None = None,
        stops_after: float = 0.0,
        intermediaries: Iterable[Intermediary] = (),
    ) -> None:
        if page_size < 1:
            raise ValueError("page_size is 1 or more")
        if version not in get_args(Version):
            raise ValueError("version is '2.24' or '2.27'")
        if framework not in get_args(Framework):
            raise ValueError("framework is '2', '3' or '4'")
        if summary_created_at not in get_args(CreatedAt):
            raise ValueError("summary_created_at is 'timestamp' or 'uuid'")
        self.token = token
        self.block_seconds = block_seconds
        self.latency = latency
        self.page_size = page_size
        self.version: Version = version
        self.framework: Framework = framework
        self.summary_created_at: CreatedAt = summary_created_at
        self.price_per_message = price_per_message
        self.starts_after = starts_after
        self.sends_for = sends_for
        self.stops_after = stops_after
        self.groups: dict[int, int] = {}
        """How many recipients each group has, by its id; other groups have none."""
        self.funds: Decimal | None = None
        """What one created bulk may cost (else 402); ``None``: anything."""
        self.ignored_filters: set[str] = set()
        """Query parameters that lists do not heed, as a server that does not know them."""
        self.not_activated = False
        """Whether the account is not activated: 403 for the right token."""
        self.intermediaries: list[Intermediary] = list(intermediaries)
        """What each request passes on its way in, in this order."""
        self.requests: list[ReceivedRequest] = []
        """All requests that arrived, in order."""
        self.in_flight = 0
        """Requests that are being answered now."""
        self.most_in_flight = 0
        """The most requests that were being answered at once."""
        self._busy = 0
        self._clock = Clock()
        self._bulks = Bulks(self._clock, self)
        self._routes = Routes(self, self._bulks, self._clock)
        self._script = Script()
        self._rule: Callable[[ReceivedRequest], Fault | None] | None = None
        self._wrong: deque[float] = deque()
        self._blocked_until = float("-inf")
        self._server = Server(self._respond, self._clock, port)
        self._url = ""

    # --- for the test

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        if not self._url:
            raise RuntimeError("the gateway is not running: use 'async with FakeLox24() as …'")
        return self._url

    @property
    def bulks(self) -> Mapping[UUID | str, Bulk]:
        """The bulks as they are now, by id (``UUID`` or string)."""
        return cast("Mapping[UUID | str, Bulk]", self._bulks)

    @property
    def now(self) -> datetime:
        """The date and time by the gateway's clock, which goes with its loop's time."""
        return self._clock.date()

    def add_bulk(
        self, status: int = BulkStatus.NEW, *, sent: int | None = None, **fields: Any
    ) -> Bulk:
        """Put a bulk into the postbox.

        ``add_bulk(5, msg_total_count=10_000, sent=3_000)`` is a campaign in mid-flight; a
        bulk of any size costs nothing until somebody asks for its messages.

        Args:
            status: Its status code.
            sent: How many of its messages have gone out; ``None``: all of a processed bulk,
                none of another.
            **fields: Other fields of ``Bulk``, ``uuid`` too.

        Returns:
            The bulk; its ``uuid`` is the id.

        Raises:
            ValueError: more messages were sent than there are.
        """
        return self._bulks.add(status, sent, **fields)

    def set_status(self, bulk_id: UUID | str, status: int) -> Bulk:
        """Let a bulk be in another state, as if time had passed."""
        return self._bulks.set_status(bulk_id, status)

    def sent(self, bulk_id: UUID | str) -> int:
        """Return how many messages of a bulk have gone out by now."""
        return self._bulks.sent(bulk_id)

    def set_sent(self, bulk_id: UUID | str, sent: int) -> None:
        """Let so many messages of a bulk have gone out, as if time had passed.

        Raises:
            ValueError: more messages were sent than there are.
        """
        self._bulks.set_sent(bulk_id, sent)

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
        """Ask a rule for each request that ``fail_next`` leaves alone.

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
        seconds = self.block_seconds if seconds is None else seconds
        self._blocked_until = self._clock.seconds() + seconds

    # --- life

    async def start(self) -> Self:
        """Begin to listen."""
        self._clock.start()
        self._url = await self._server.start()
        forget_guard(self._url)  # the port may have been another gateway's
        return self

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        if await self._server.stop():
            self._clock.stop()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # --- answering

    async def _respond(self, request: ReceivedRequest) -> Reply:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            fault = self._kept_back(request)
            reached = fault is None or fault.executes or fault.request_id
            if not reached:
                request = attrs.evolve(request, reached=False)
            self.requests.append(request)
            if not reached:
                return await self._answer(request, fault)
            self._busy += 1
            try:
                return await self._answer(request, fault or self._fault_of_lox24(request))
            finally:
                self._busy -= 1
        finally:
            self.in_flight -= 1

    def _kept_back(self, request: ReceivedRequest) -> Fault | None:
        now = self._clock.elapsed()
        for intermediary in tuple(self.intermediaries):
            fault = intermediary.fault_for(request, now, self._busy)
            if fault is not None:
                return fault
        return None

    def _fault_of_lox24(self, request: ReceivedRequest) -> Fault | None:
        fault = self._script.next_for(request.method, request.path)
        if fault is None and self._rule is not None:
            fault = self._rule(request)
        return fault

    async def _answer(self, request: ReceivedRequest, fault: Fault | None) -> Reply:
        path, _, query = request.path.partition("?")
        form = form_of(request.headers.get("Accept", ""))
        call = Call(
            method=request.method,
            path=unquote(path),
            pairs=parse_qsl(query, keep_blank_values=True),
            content_type=content_type(request.headers),
            body=request.body,
            ip=request.ip,
            json_ld=form == "ld",
        )
        answer: Answer | Problem = Answer(200, {})
        if fault is None or fault.executes:
            refusal = self._refused(request.headers) or not_acceptable(form)
            answer = refusal or self._routes.answer(call)
        delay = (self.latency if request.reached else 0.0) + (fault.delay if fault else 0.0)
        if delay:
            await asyncio.sleep(delay)
        return reply(answer, fault, self.framework, form)

    def _refused(self, headers: Headers) -> Problem | None:
        """Return why a request is not carried out: the documentation's rules, in its order."""
        now = self._clock.seconds()
        if now < self._blocked_until:
            return Problem(429, "Your IP is temporarily blocked")
        if not self._is_right(headers):
            self._count_wrong(now)
            return Problem(401, "Client ID or API key is not active or invalid")
        if self.not_activated:
            return Problem(403, "The account is not activated")
        return None

    def _is_right(self, headers: Headers) -> bool:
        said = headers.get("X-LOX24-AUTH-TOKEN")
        client_id = headers.get("X-LOX24-CLIENT-ID")  # the old login: the key alone is the token
        return self.token in (said, f"{client_id}:{said}")

    def _count_wrong(self, now: float) -> None:
        while self._wrong and self._wrong[0] <= now - _WINDOW:
            self._wrong.popleft()
        self._wrong.append(now)
        if len(self._wrong) > _WRONG_ALLOWED:
            self._blocked_until = now + self.block_seconds
