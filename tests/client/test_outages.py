"""An outage costs a batch ``max_wait`` once, not each id; and what ends in time costs no id."""

import asyncio
import random
import socket
from typing import Any
from uuid import uuid4

import pytest

from lox24_async import (
    CancelState,
    ConnectionFailedError,
    Lox24Client,
    RetryPolicy,
    ServerError,
)
from lox24_async.testing import (
    FakeLox24,
    Fault,
    IngressNotFound,
    Intermediary,
    LoadBalancerPage,
)
from tests.conftest import prove, states

COUNT = 400
TOKEN = "1234567:e3f3a759b6677959b6ebfcfake000001"
FOUR = RetryPolicy(max_wait=4.0)


def free_port() -> int:
    """Return a port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def seconds() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


@pytest.mark.looptime
@pytest.mark.parametrize("width", [1, 10, 100])
async def test_case_56_nobody_listens(width: int) -> None:
    """Case 56: a wrong port is told for all ids after ``max_wait``, whatever their number."""
    url, begun = f"http://127.0.0.1:{free_port()}", seconds()
    async with Lox24Client(TOKEN, base_url=url, retry=FOUR, max_concurrency=width) as client:
        report = await client.cancel_bulks(uuid4() for _ in range(COUNT))
    assert {CancelState.NOT_SENT: COUNT} == states(report)
    assert {ConnectionFailedError} == {type(outcome.error) for outcome in report.outcomes}
    assert 3.0 <= seconds() - begun <= 5.0


@pytest.mark.looptime
async def test_case_56_no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 56: the same where the name cannot be looked up."""

    async def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    begun = seconds()
    async with Lox24Client(TOKEN, base_url="https://lox24.invalid", retry=FOUR) as client:
        report = await client.cancel_bulks([uuid4() for _ in range(COUNT)])
    assert {CancelState.NOT_SENT: COUNT} == states(report)
    assert 3.0 <= seconds() - begun <= 5.0


@pytest.mark.looptime
async def test_case_56_a_stream_is_told_one_by_one() -> None:
    """Case 56: ``iter_cancel`` as well; the first outcome comes no later than the last."""
    url, begun = f"http://127.0.0.1:{free_port()}", seconds()
    async with Lox24Client(TOKEN, base_url=url, retry=FOUR) as client:
        ids = [uuid4() for _ in range(COUNT)]
        told = [outcome.state async for outcome in client.iter_cancel(ids)]
    assert COUNT * [CancelState.NOT_SENT] == told
    assert 3.0 <= seconds() - begun <= 5.0


class Down(Intermediary):
    """LOX24 itself says 503 for some seconds of the loop's time."""

    def __init__(self, begins: float, ends: float) -> None:
        self._begins, self._ends = begins, ends

    def fault_for(self, request: Any, now: float, busy: int) -> Fault | None:
        """Answer in that time."""
        return Fault(status=503) if self._begins <= seconds() < self._ends else None


@pytest.mark.looptime
@pytest.mark.parametrize("width", [1, 10])
@pytest.mark.parametrize(
    "trouble",
    [
        lambda: Down(0, 2.5),
        lambda: IngressNotFound(seconds=2.5),
        lambda: LoadBalancerPage(502, seconds=2.5),
        lambda: LoadBalancerPage(503, seconds=2.5, retry_after=1),
    ],
    ids=["503", "ingress", "502-page", "503-retry-after"],
)
async def test_case_56_it_ends_in_time(fake_lox24: FakeLox24, trouble: Any, width: int) -> None:
    """Case 56: all are cancelled, the ids that met the outage too."""
    ids, begun = [fake_lox24.add_bulk().uuid for _ in range(COUNT)], seconds()
    async with Lox24Client(
        fake_lox24.token, base_url=fake_lox24.url, retry=FOUR, max_concurrency=width
    ) as client:
        await prove(client, fake_lox24)  # three 502s would use up what a new token may try
        fake_lox24.intermediaries = [trouble()]
        report = await client.cancel_bulks(ids)
    assert {CancelState.CANCELED: COUNT} == states(report)
    assert seconds() - begun <= 6.0


@pytest.mark.looptime
async def test_case_56_the_service_comes_back() -> None:
    """Case 56: nobody listens for a while, then the service does."""
    port = free_port()
    gateway = FakeLox24(port=port)
    ids = [gateway.add_bulk().uuid for _ in range(COUNT)]
    async with Lox24Client(
        gateway.token, base_url=f"http://127.0.0.1:{port}", retry=FOUR
    ) as client:
        run = asyncio.create_task(client.cancel_bulks(ids))
        await asyncio.sleep(2.5)
        async with gateway:
            report = await run
    assert {CancelState.CANCELED: COUNT} == states(report)


@pytest.mark.looptime
async def test_case_56_each_outage_has_its_time(fake_lox24: FakeLox24) -> None:
    """Case 56: ``max_wait`` counts from the beginning of an outage, not of the batch."""
    fake_lox24.latency = 0.1
    fake_lox24.intermediaries = [Down(5, 8), Down(12, 15)]
    ids = [fake_lox24.add_bulk().uuid for _ in range(COUNT)]
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=FOUR) as client:
        report = await client.cancel_bulks(ids)
    assert {CancelState.CANCELED: COUNT} == states(report)


@pytest.mark.looptime
async def test_case_56_what_was_done_is_done(fake_lox24: FakeLox24) -> None:
    """Case 56: an outage that stays ends the rest together, ``max_wait`` after its beginning."""
    fake_lox24.latency = 0.1
    fake_lox24.intermediaries = [Down(2, 1e9)]
    ids = [fake_lox24.add_bulk().uuid for _ in range(COUNT)]
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=FOUR) as client:
        report = await client.cancel_bulks(ids)
    counts = states(report)
    assert sum(bulk.is_canceled for bulk in fake_lox24.bulks.values()) == counts.pop(
        CancelState.CANCELED
    )
    met = counts.pop(CancelState.UNKNOWN)  # those that the failing service answered
    assert 1 <= met <= 20
    assert {CancelState.NOT_SENT} == set(counts)
    assert 5.0 <= seconds() <= 7.0


@pytest.mark.looptime
@pytest.mark.parametrize("jitter", [0.5, 0.999])
async def test_case_56_a_later_batch_may_probe(
    fake_lox24: FakeLox24, monkeypatch: pytest.MonkeyPatch, jitter: float
) -> None:
    """Case 56: when one batch has given up, the next finds out whether the service is back."""
    monkeypatch.setattr(random, "random", lambda: jitter)  # 0.999: the next probe is far off
    fake_lox24.intermediaries = [Down(0, 5)]
    ids = [fake_lox24.add_bulk().uuid for _ in range(COUNT)]
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=FOUR) as client:
        first = await client.cancel_bulks(ids)
        assert CancelState.CANCELED not in states(first)
        assert seconds() < 5.0
        await asyncio.sleep(3.0)
        again = await client.cancel_bulks(first.unfinished())
    assert {CancelState.CANCELED: COUNT} == states(again)


@pytest.mark.looptime
async def test_a_single_call_has_its_own_time(fake_lox24: FakeLox24) -> None:
    """A call of its own ends after its attempts, though ``max_wait`` is not over."""
    fake_lox24.intermediaries = [Down(0, 1e9)]
    bulk = fake_lox24.add_bulk()
    retry = RetryPolicy(max_wait=60.0)
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=retry) as client:
        with pytest.raises(ServerError) as caught:
            await client.cancel_bulk(bulk.uuid)
    assert 3 == caught.value.attempts
    assert seconds() <= 30.0
