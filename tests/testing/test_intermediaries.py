"""What stands between: limits, an ingress, a load balancer, by the gateway's own clock."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import attrs
import pytest

from lox24_async import BulkStatus
from lox24_async.testing import (
    ConnectionLimit,
    FakeLox24,
    Fault,
    IngressNotFound,
    Intermediary,
    LoadBalancerPage,
    RateLimit,
    ReceivedRequest,
    StatusAnswer,
)

from .asking import ID, Wire


@attrs.frozen
class Said:
    """What came back, whatever it is."""

    status: int
    kind: str
    body: str
    headers: Any


async def ask(wire: Wire, method: str = "GET", path: str = "/bulks") -> Said:
    """Send a request whose answer may be anything."""
    headers = {"X-LOX24-AUTH-TOKEN": wire.gateway.token, "Accept": "application/json"}
    async with wire.session.request(method, wire.gateway.url + path, headers=headers) as response:
        text = await response.text()
        return Said(response.status, response.content_type, text, response.headers)


async def statuses(wire: Wire, times: int) -> list[int]:
    """Ask one after another."""
    return [(await ask(wire)).status for _ in range(times)]


@pytest.mark.looptime
async def test_rate_limit(wire: Wire) -> None:
    """Three at once, then two a second; time that passes unused counts up to the burst."""
    wire.gateway.intermediaries.append(RateLimit(2, burst=3))
    assert [200, 200, 200, 503, 503] == await statuses(wire, 5)
    await asyncio.sleep(0.5)
    assert [200, 503] == await statuses(wire, 2)
    await asyncio.sleep(0.4)
    assert [503] == await statuses(wire, 1)
    await asyncio.sleep(1000)
    assert [200, 200, 200, 503] == await statuses(wire, 4)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("limit", "status", "retry_after"),
    [
        (RateLimit(1), 503, None),
        (RateLimit(1, status=429), 429, None),
        (RateLimit(1, status=429, retry_after=2), 429, "2"),
        (RateLimit(1, retry_after=0.25), 503, "0.25"),
    ],
    ids=["503", "429", "429-retry-after", "503-retry-after"],
)
async def test_refusal_of_a_rate_limit(
    wire: Wire, limit: RateLimit, status: int, retry_after: str | None
) -> None:
    """A page, without LOX24's request id; LOX24 hears nothing of the request."""
    wire.gateway.add_bulk(uuid=ID)
    wire.gateway.intermediaries = [attrs.evolve(limit)]
    await ask(wire)
    said = await ask(wire, "PUT", f"/bulks/{ID}/cancel")
    assert (status, "text/html", retry_after) == (
        said.status,
        said.kind,
        said.headers.get("Retry-After"),
    )
    assert f"<h1>{status} " in said.body
    assert "X-LOX24-REQUEST-ID" not in said.headers
    assert BulkStatus.NEW == wire.gateway.bulks[ID].status_code
    assert [True, False] == [request.reached for request in wire.gateway.requests]


@pytest.mark.looptime
async def test_connection_limit(wire: Wire) -> None:
    """Of five at once two are let through; the others are refused without waiting."""
    wire.gateway.latency = 3.0
    wire.gateway.intermediaries = [ConnectionLimit(2)]
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def timed() -> tuple[int, int]:
        return (await ask(wire)).status, int(loop.time() - begun)

    said = Counter(await asyncio.gather(*(timed() for _ in range(5))))
    assert {(200, 3): 2, (503, 0): 3} == said
    assert [200] == await statuses(wire, 1)


@pytest.mark.looptime
async def test_ingress_without_a_backend_for_a_time(wire: Wire) -> None:
    """Time counts from the first request; it begins later and ends by itself."""
    wire.gateway.intermediaries = [IngressNotFound(seconds=0.3, after=1.0)]
    await asyncio.sleep(50)
    assert [200] == await statuses(wire, 1)
    await asyncio.sleep(0.9)
    assert [200] == await statuses(wire, 1)
    await asyncio.sleep(0.15)
    said = await ask(wire)
    assert (404, "text/plain", "default backend - 404") == (said.status, said.kind, said.body)
    assert "X-LOX24-REQUEST-ID" not in said.headers
    await asyncio.sleep(0.3)
    assert [200] == await statuses(wire, 1)


async def test_for_a_number_of_requests(wire: Wire) -> None:
    """As many as were asked for, each second one."""
    wire.gateway.intermediaries = [IngressNotFound(requests=2, every=2)]
    assert [200, 404, 200, 404, 200, 200] == await statuses(wire, 6)


@pytest.mark.looptime
@pytest.mark.parametrize(("executed", "state"), [(False, 0), (True, 15)])
async def test_page_of_a_load_balancer(wire: Wire, executed: bool, state: int) -> None:
    """A 504 comes late; what LOX24 did of it is not to be seen."""
    wire.gateway.add_bulk(uuid=ID)
    wire.gateway.intermediaries = [
        LoadBalancerPage(504, executed=executed, delay=60.0, requests=1, retry_after=5)
    ]
    loop = asyncio.get_running_loop()
    begun = loop.time()
    said = await ask(wire, "PUT", f"/bulks/{ID}/cancel")
    assert 60 <= loop.time() - begun < 61
    assert (504, "text/html", "5") == (said.status, said.kind, said.headers["Retry-After"])
    assert "504 Gateway Timeout" in said.body
    assert "X-LOX24-REQUEST-ID" not in said.headers
    assert state == wire.gateway.bulks[ID].status_code
    assert executed is wire.gateway.requests[0].reached


@pytest.mark.parametrize("status", [402, 403, 500, 503])
async def test_status_of_lox24_itself(wire: Wire, status: int) -> None:
    """LOX24's form and request id; nothing is done."""
    wire.gateway.add_bulk(uuid=ID)
    wire.gateway.intermediaries = [StatusAnswer(status, requests=1, retry_after=7)]
    got = await wire.ask("PUT", f"/bulks/{ID}/cancel")
    assert (status, "7") == (got.status, got.headers["Retry-After"])
    assert 32 == len(got.headers["X-LOX24-REQUEST-ID"])
    assert {"type", "title", "detail"} == got.content.keys()
    assert BulkStatus.NEW == wire.gateway.bulks[ID].status_code
    assert wire.gateway.requests[0].reached
    assert 200 == (await wire.ask("PUT", f"/bulks/{ID}/cancel")).status


async def test_several_in_a_row(wire: Wire) -> None:
    """The first that answers decides; what it kept back does not come to the next."""
    wire.gateway.intermediaries = [IngressNotFound(requests=2), LoadBalancerPage(requests=1)]
    wire.gateway.fail_next(500)
    assert [404, 404, 502, 500, 200] == await statuses(wire, 5)


async def test_wrong_token_that_is_kept_back_is_not_counted(wire: Wire) -> None:
    """LOX24 blocks only for what it gets."""
    wire.gateway.intermediaries = [IngressNotFound(requests=9)]
    wrong = {"X-LOX24-AUTH-TOKEN": "1:wrong"}
    for _ in range(9):
        async with wire.session.get(f"{wire.gateway.url}/bulks", headers=wrong) as response:
            assert 404 == response.status
    assert [200] == await statuses(wire, 1)


async def test_one_of_your_own(wire: Wire) -> None:
    """A rule that sees the request; given when the gateway is made."""

    class NoDeletes(Intermediary):
        def fault_for(self, request: ReceivedRequest, now: float, busy: int) -> Fault | None:
            assert now >= 0
            assert busy == 0
            forbidden = request.method == "DELETE"
            return Fault(status=403, body="no", request_id=False) if forbidden else None

    async with FakeLox24(intermediaries=[NoDeletes()]) as gateway:
        gateway.add_bulk(uuid=ID)
        own = Wire(wire.session, gateway)
        said = [(await ask(own, method, f"/bulks/{ID}")) for method in ("GET", "DELETE")]
    assert [200, 403] == [answer.status for answer in said]
    assert ("no", True) == (said[1].body, ID in gateway.bulks)


@pytest.mark.looptime
async def test_clock_of_a_gateway_that_stands_still() -> None:
    """A limit fills up while the gateway runs, not while it does not."""
    gateway = FakeLox24(intermediaries=[RateLimit(0.1)])
    for pause, expected in ((0.0, 200), (5.0, 503), (5.0, 200)):
        async with gateway:
            await asyncio.sleep(pause)
            async with aiohttp.ClientSession() as session:
                assert expected == (await ask(Wire(session, gateway))).status
        await asyncio.sleep(1000)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RateLimit(0),
        lambda: RateLimit(1, burst=0),
        lambda: RateLimit(1, status=200),
        lambda: RateLimit(1, retry_after=-1),
        lambda: ConnectionLimit(0),
        lambda: IngressNotFound(seconds=-1),
        lambda: IngressNotFound(every=0),
        lambda: LoadBalancerPage(600),
        lambda: StatusAnswer(99),
    ],
    ids=["rate", "burst", "limit", "retry", "most", "seconds", "every", "page", "status"],
)
def test_impossible_settings(make: Any) -> None:
    """They are refused when it is made."""
    with pytest.raises(ValueError, match=r"per_second|burst|status|retry_after|most|seconds|every"):
        make()
