"""What stands between a client and LOX24: limits, ingresses and load balancers.

Each decides for each request, by the gateway's clock, whether it lets it pass. What it says is
not LOX24's word: a page or a text, without LOX24's request id.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from attrs import Attribute, define, field
from attrs.validators import ge, gt, instance_of, optional

from ._faults import Fault
from ._public import public
from ._server import ReceivedRequest

_PHRASES: Final[Mapping[int, str]] = {status.value: status.phrase for status in HTTPStatus}


@public
class Intermediary(ABC):
    """Something that a request passes on its way to LOX24.

    Put it into ``FakeLox24.intermediaries``. It keeps what it has counted: use a new one
    for each gateway. Write your own by ``fault_for``.
    """

    @abstractmethod
    def fault_for(self, request: ReceivedRequest, now: float, busy: int) -> Fault | None:
        """Decide about a request.

        Args:
            request: What arrived.
            now: Seconds for which the gateway has run.
            busy: Requests that were let through and are not answered yet.

        Returns:
            What to answer in LOX24's stead; ``None``: let it pass.
        """


def _status(_: Any, attribute: "Attribute[int]", value: Any) -> None:
    if type(value) is not int or not 400 <= value <= 599:
        raise ValueError(f"{attribute.name} is a number from 400 to 599")


@public
@define(eq=False)
class RateLimit(Intermediary):
    """A limit of requests a second, as a token bucket.

    Args:
        per_second: Requests that it lets through in a second.
        burst: Requests that it lets through at once, when there was none for a while.
        status: What it refuses the others with; 503 or 429, mostly.
        retry_after: Seconds that it says under ``Retry-After``; ``None``: no such header.
    """

    per_second: float = field(validator=gt(0))
    burst: int = field(default=1, validator=[instance_of(int), ge(1)])
    status: int = field(default=503, kw_only=True, validator=_status)
    retry_after: float | None = field(default=None, kw_only=True, validator=optional(ge(0)))
    _tokens: float | None = field(default=None, init=False)
    _filled_at: float = field(default=0.0, init=False)

    def fault_for(self, request: ReceivedRequest, now: float, busy: int) -> Fault | None:
        """Let it pass while there are tokens."""
        tokens = float(self.burst) if self._tokens is None else self._tokens
        tokens = min(self.burst, tokens + (now - self._filled_at) * self.per_second)
        passes = tokens >= 1.0 - 1e-9
        self._tokens, self._filled_at = tokens - passes, now
        return None if passes else _page(self.status, self.retry_after)


@public
@define(eq=False)
class ConnectionLimit(Intermediary):
    """A limit of connections that are in use at once: of requests in work, as HTTP/1.1 has it.

    Set ``FakeLox24.latency``, or nothing is in work for long.

    Args:
        most: How many it lets through at once.
        status: What it refuses the others with.
        retry_after: Seconds that it says under ``Retry-After``; ``None``: no such header.
    """

    most: int = field(validator=[instance_of(int), ge(1)])
    status: int = field(default=503, kw_only=True, validator=_status)
    retry_after: float | None = field(default=None, kw_only=True, validator=optional(ge(0)))

    def fault_for(self, request: ReceivedRequest, now: float, busy: int) -> Fault | None:
        """Let it pass while few are in work."""
        return None if busy < self.most else _page(self.status, self.retry_after)


@define(eq=False, kw_only=True)
class _Spell(Intermediary):
    """Something that goes on for a time, or for a number of requests.

    Args:
        seconds: For how long; ``None``: without an end. Time counts from the first request.
        requests: For how many requests; ``None``: for all.
        after: Seconds before it begins.
        every: Only each so manieth request from then on; 1: each.
    """

    seconds: float | None = field(default=None, validator=optional(ge(0)))
    requests: int | None = field(default=None, validator=optional(ge(0)))
    after: float = field(default=0.0, validator=ge(0))
    every: int = field(default=1, validator=[instance_of(int), ge(1)])
    _first: float | None = field(default=None, init=False)
    _seen: int = field(default=0, init=False)
    _answered: int = field(default=0, init=False)

    def fault_for(self, request: ReceivedRequest, now: float, busy: int) -> Fault | None:
        """Answer while it lasts."""
        if self._first is None:
            self._first = now
        since = now - self._first - self.after
        if since < 0 or (self.seconds is not None and since >= self.seconds):
            return None
        if self.requests is not None and self._answered >= self.requests:
            return None
        self._seen += 1
        if self._seen % self.every:
            return None
        self._answered += 1
        return self._fault()

    @abstractmethod
    def _fault(self) -> Fault: ...


@public
@define(eq=False, kw_only=True)
class IngressNotFound(_Spell):
    """An ingress that has lost its service, as in mid-deploy: 404 in plain text for all.

    Args:
        seconds: For how long; ``None``: without an end. Time counts from the first request.
        requests: For how many requests; ``None``: for all.
        after: Seconds before it begins.
        every: Only each so manieth request from then on; 1: each.
    """

    def _fault(self) -> Fault:
        return Fault(
            status=404,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            body="default backend - 404",
            request_id=False,
        )


@public
@define(eq=False)
class LoadBalancerPage(_Spell):
    """A load balancer that gets no answer from LOX24 and says so with a page of HTML.

    Args:
        status: 502, 503 or 504, mostly.
        executed: Whether LOX24 gets the request and carries it out all the same.
        delay: Seconds until the page comes, as that of a 504 does.
        retry_after: Seconds that it says under ``Retry-After``; ``None``: no such header.
        seconds: For how long; ``None``: without an end. Time counts from the first request.
        requests: For how many requests; ``None``: for all.
        after: Seconds before it begins.
        every: Only each so manieth request from then on; 1: each.
    """

    status: int = field(default=502, validator=_status)
    executed: bool = field(default=False, kw_only=True)
    delay: float = field(default=0.0, kw_only=True, validator=ge(0))
    retry_after: float | None = field(default=None, kw_only=True, validator=optional(ge(0)))

    def _fault(self) -> Fault:
        return _page(self.status, self.retry_after, executed=self.executed, delay=self.delay)


@public
@define(eq=False)
class StatusAnswer(_Spell):
    """LOX24 itself, which answers all with one error (402, 403, 500 …), and does nothing else.

    It has LOX24's form and request id.

    Args:
        status: The error.
        retry_after: Seconds that it says under ``Retry-After``; ``None``: no such header.
        seconds: For how long; ``None``: without an end. Time counts from the first request.
        requests: For how many requests; ``None``: for all.
        after: Seconds before it begins.
        every: Only each so manieth request from then on; 1: each.
    """

    status: int = field(validator=_status)
    retry_after: float | None = field(default=None, kw_only=True, validator=optional(ge(0)))

    def _fault(self) -> Fault:
        return Fault(status=self.status, headers=_retry_after(self.retry_after))


def _page(
    status: int, retry_after: float | None, *, executed: bool = False, delay: float = 0.0
) -> Fault:
    said = f"{status} {_PHRASES.get(status, 'Error')}"
    html = f"<html><head><title>{said}</title></head><body><h1>{said}</h1></body></html>\n"
    return Fault(
        status=status,
        headers={"Content-Type": "text/html", **_retry_after(retry_after)},
        body=html,
        executed=executed,
        delay=delay,
        request_id=False,
    )


def _retry_after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": f"{seconds:.10g}"}
