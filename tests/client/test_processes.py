"""What the processes of a host share, counted where their requests arrive."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lox24_async._guard.gates import Ticket
from lox24_async.errors import error_class
from lox24_async.testing import FakeLox24
from tests.guard.test_host import guard_of, store_of

from .test_guarded import WRONG, add

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its shell is another")

WORKER = """
import asyncio, json, sys
from lox24_async import HostGuard, Lox24Client

async def main():
    url, token, directory, ids = sys.argv[1:]
    async with Lox24Client(token, base_url=url, guard=HostGuard(directory)) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        report = await client.cancel_bulks(json.loads(ids))
    told = [(o.state.name, o.attempts, type(o.error).__name__) for o in report.outcomes]
    print(json.dumps(told))

asyncio.run(main())
"""


class Worker:
    """A process with a client of its own that cancels when it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, gateway: FakeLox24, token: str, directory: Path, count: int) -> "Worker":
        """Start one, up to the moment before it cancels."""
        ids = json.dumps([str(bulk_id) for bulk_id in add(gateway, count)])
        made = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", WORKER, gateway.url, token, directory, ids),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=1 << 20,
        )
        assert made.stdout is not None
        assert await made.stdout.readline() == b"ready\n"
        return cls(made)

    async def run(self) -> Counter[tuple[Any, ...]]:
        """Let it cancel; count the outcomes."""
        said, _ = await self._process.communicate(b"go\n")
        assert self._process.returncode == 0
        return Counter(tuple(outcome) for outcome in json.loads(said))


def tokens(gateway: FakeLox24) -> Counter[str]:
    """Count the requests by their token."""
    return Counter(request.headers["X-LOX24-AUTH-TOKEN"] for request in gateway.requests)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_case_49_sixteen_workers_with_a_wrong_token(
    fake_lox24: FakeLox24, tmp_path: Path
) -> None:
    """Case 49: 16 processes of 50 cancels: one request; a healthy process does all its work."""
    directory = tmp_path / "g"
    wrong = [await Worker.start(fake_lox24, WRONG, directory, 50) for _ in range(16)]
    healthy = await Worker.start(fake_lox24, fake_lox24.token, directory, 300)
    told, *others = await asyncio.gather(healthy.run(), *(worker.run() for worker in wrong))
    assert Counter({("CANCELED", 1, "NoneType"): 300}) == told
    assert {fake_lox24.token: 300, WRONG: 1} == tokens(fake_lox24)
    assert sum(others, Counter()) == {
        ("REJECTED", 1, "AuthenticationError"): 1,
        ("NOT_SENT", 0, "AuthenticationError"): 799,
    }


@pytest.mark.slow
async def test_case_49_workers_with_a_good_token_do_not_wait_for_each_other(
    fake_lox24: FakeLox24, tmp_path: Path
) -> None:
    """Case 49: four processes at once with a token that works: all is cancelled."""
    good = [await Worker.start(fake_lox24, fake_lox24.token, tmp_path / "g", 50) for _ in range(4)]
    told = sum(await asyncio.gather(*(worker.run() for worker in good)), Counter())
    assert Counter({("CANCELED", 1, "NoneType"): 200}) == told


# --- the command line


async def shell(gateway: FakeLox24, directory: Path, token: str, script: str) -> str:
    """Run a script in a shell; return what it said on both streams."""
    (directory / "bin").mkdir()
    (directory / "bin" / "lox24").write_text(
        f"#!{sys.executable}\nfrom lox24_async.cli import main\nmain()\n"
    )
    (directory / "bin" / "lox24").chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", script),
        cwd=directory,
        env=os.environ
        | {
            "PATH": f"{directory / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parent.parent.parent),
            "LOX24_AUTH_TOKEN": token,
            "LOX24_BASE_URL": gateway.url,
            "LOX24_GUARD": str(directory / "guard"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode()


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "script",
    ["for id in {}; do lox24 cancel $id; done", "echo {} | xargs -n1 -P4 lox24 cancel"],
    ids=["in turn", "four at once"],
)
async def test_case_49_command_line_again_and_again(
    fake_lox24: FakeLox24, tmp_path: Path, script: str
) -> None:
    """Case 49: ``lox24 cancel`` four times, one after another or at once: one request."""
    ids = [str(bulk_id) for bulk_id in add(fake_lox24, 4)]
    said = await shell(fake_lox24, tmp_path, WRONG, script.format(shlex.join(ids)))
    assert {WRONG: 1} == tokens(fake_lox24), said
    assert "Traceback" not in said
    assert said.count("refused the token") >= 4, said


# --- a crash loop, by a clock that only the test moves


@pytest.mark.parametrize("answered", [True, False])
def test_case_49_service_that_restarts_every_five_seconds(tmp_path: Path, answered: bool) -> None:
    """Case 49: for two minutes, with a wrong token: one request a minute, three if it dies."""
    arrived = list[float]()
    for second in range(0, 121, 5):
        now = 1_000.0 + second
        guard = guard_of(store_of(tmp_path / "g"))  # a process that knows only the file
        for _ in range(50):
            ticket = Ticket()
            ticket.operation = "PUT"
            if guard.enter(ticket, now) is None:
                arrived.append(second)
                if answered:
                    guard.settle(ticket, error_class(401)("no", status=401, attempts=1), now)
            else:
                guard.leave(ticket, now, sent=False)
    if answered:
        assert [0, 60, 120] == arrived
    most = max(sum(at <= other < at + 60 for other in arrived) for at in arrived)
    assert most <= (1 if answered else 3)
    assert len(arrived) >= 2


def test_case_48_process_that_starts_during_a_block(tmp_path: Path) -> None:
    """Case 48: what another process saw begin is told by its true end, and knocked at as one."""
    first = guard_of(store_of(tmp_path / "g"))
    ticket = Ticket()
    assert first.enter(ticket, 1_000.0) is None
    first.settle(ticket, error_class(429)("blocked", status=429, attempts=1), 1_000.0)
    others = [guard_of(store_of(tmp_path / "g")) for _ in range(10)]
    now, knocks = 1_000.0, list[float]()
    while now < 1_599:
        tickets = [(other, Ticket()) for other in others]
        holds = [other.enter(ticket, now) for other, ticket in tickets]
        for (other, ticket), hold in zip(tickets, holds, strict=True):
            if hold is None:
                knocks.append(now - 1_000.0)
                other.settle(ticket, error_class(429)("blocked", status=429, attempts=1), now)
            else:
                error = other.refusal(now, "PUT")
                assert f"{1_600.0 - now:.0f} s" in error.message
                other.leave(ticket, now, sent=False)
        now += 0.5
    assert [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 127.5, 255.5, 511.5] == knocks
