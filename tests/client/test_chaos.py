"""The chaos run: thousands of ids through a gateway that goes wrong at random.

Afterwards what the client says is compared with the gateway's own ledger. The full run
(10,000 ids in several seeds) is behind the marker ``chaos``.
"""

import random
from collections import Counter

import pytest

from lox24_async import BulkStatus, CancelState, Lox24Client, RetryPolicy
from lox24_async.testing import (
    FakeLox24,
    Fault,
    IngressNotFound,
    Intermediary,
    RateLimit,
    ReceivedRequest,
)

pytestmark = pytest.mark.usefixtures("lane")

POLICY = RetryPolicy(max_attempts=4, initial_delay=0.002, max_delay=0.02)
FAULTS = (
    Fault(drop="before"),
    Fault(drop="after"),
    Fault(drop="within"),
    Fault(status=503),
    Fault(status=503, executed=True),
    Fault(status=502, body="<html>bad gateway</html>"),
    Fault(status=429),
    Fault(status=429, headers={"Retry-After": "0"}),
    Fault(status=422),
    Fault(body="null"),
    Fault(status=401),
    Fault(delay=0.01),
    Fault(delay=1.5),
)
SHARES = (9, 9, 9, 9, 6, 6, 3, 3, 6, 3, 0, 12, 1)


class Nodes(Intermediary):
    """Two nodes with a limit each, told by 429 or 503, whose service is gone for a while at times.

    Args:
        chance: Which node a request is led to.
        per_second: The limit of each.
    """

    def __init__(self, chance: random.Random, per_second: float) -> None:
        self._chance = chance
        self._nodes = (
            RateLimit(per_second, burst=2, status=429, retry_after=0.05),
            RateLimit(per_second, burst=2, status=503),
        )
        self._odd = IngressNotFound(every=29)
        self._seen = 0
        self.said: Counter[int | None] = Counter()
        """How often they answered in LOX24's stead, by status."""

    def fault_for(self, request: ReceivedRequest, now: float, busy: int) -> Fault | None:
        """Say 404 for 4 requests in 500, and to others when it is too much."""
        self._seen += 1
        gone = IngressNotFound() if self._seen % 500 < 4 else self._odd
        node = self._chance.choice(self._nodes)
        fault = gone.fault_for(request, now, busy) or node.fault_for(request, now, busy)
        if fault is not None:
            self.said[fault.status] += 1
        return fault


async def run(count: int, seed: int, share: float, per_second: float) -> Counter[CancelState]:
    """Cancel ``count`` bulks while ``share`` of the requests go wrong; compare and count."""
    chance = random.Random(seed)

    def rule(request: ReceivedRequest) -> Fault | None:
        return chance.choices(FAULTS, SHARES)[0] if chance.random() < share else None

    async with FakeLox24() as gateway:
        states = (BulkStatus.NEW, BulkStatus.IN_PROGRESS, BulkStatus.PROCESSED)
        ids = [gateway.add_bulk(chance.choices(states, (5, 4, 1))[0]).uuid for _ in range(count)]
        before = dict(gateway.bulks)
        gateway.fail_if(rule)
        nodes = Nodes(chance, per_second)
        gateway.intermediaries = [nodes]
        async with Lox24Client(
            gateway.token, base_url=gateway.url, retry=POLICY, attempt_timeout=1.0
        ) as client:
            report = await client.cancel_bulks(ids)
        asked = {r.path.split("/")[2] for r in gateway.requests if r.method == "PUT"}
        reached = Counter(r.path.split("/")[2] for r in gateway.requests if r.reached)
        assert nodes.said[404]
        assert nodes.said[429] + nodes.said[503]  # by chance, and time, more of the one
        outcomes = report.outcomes
        assert [str(bulk_id) for bulk_id in ids] == [outcome.bulk_id for outcome in outcomes]
        for outcome in outcomes:
            now = gateway.bulks[outcome.bulk_id]
            was = before[now.uuid]
            match outcome.state:
                case CancelState.CANCELED:
                    assert now.is_canceled
                case CancelState.TOO_LATE:
                    assert was.is_final
                case CancelState.NOT_SENT:
                    assert outcome.bulk_id not in asked
                    assert now == was
                case CancelState.REJECTED:
                    assert now == was
                    assert reached[outcome.bulk_id]  # no verdict by those in between
                case CancelState.UNKNOWN:
                    assert outcome.bulk_id in asked
                    assert outcome.error is not None
                case _:
                    pytest.fail(f"impossible here: {outcome}")
        return Counter(outcome.state for outcome in outcomes)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_chaos_small(seed: int) -> None:
    """A quarter of what passes the limits goes wrong: none lost, none contradicted."""
    counts = await run(300, seed, 0.25, per_second=40)
    assert counts.total() == 300
    assert counts[CancelState.UNKNOWN] <= 300 * 0.03


@pytest.mark.chaos
@pytest.mark.looptime  # or it would be some minutes of waiting
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [11, 22, 33])
async def test_chaos_full(seed: int) -> None:
    """10,000 ids: zero lost, zero double, zero contradicting the ledger."""
    counts = await run(10_000, seed, 0.1, per_second=60)
    print(f"seed {seed}: {dict(counts)}")  # noqa: T201  read in the log of a failed run
    assert counts.total() == 10_000
    assert counts[CancelState.NOT_SENT] == 0
    assert counts[CancelState.UNKNOWN] <= 10_000 * 0.01
