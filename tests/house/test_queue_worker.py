"""The example of a queue: real worker processes, a real Redis, one guard."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lox24_async.testing import FakeLox24
from tests.guard.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

EXAMPLES = Path(__file__).parents[2] / "examples"
# The same broker, on a host whose store lies below the test's folder.
WORKER = """
import os
from pathlib import Path
from lox24_async._guard import places
places.default_directory = lambda: Path(os.environ["HOST_DIRECTORY"])
from queue_worker import broker
"""


async def stop(environment: dict[str, str], folder: Path, ids: list[str]) -> dict[str, str]:
    """Start two workers, put ids into the queue, and return what the example prints."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskiq", "worker", "worker_here:broker", "--workers", "2"),
        cwd=folder,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EXAMPLES / "queue_worker.py"), *ids),
            env=environment,
            stdout=subprocess.PIPE,
        )
        out, _ = await program.communicate()
    finally:
        worker.terminate()
        await worker.wait()
    return dict(line.split(" ", 1) for line in out.decode().splitlines())


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_workers_behind_one_guard(
    fake_lox24: FakeLox24, redis_server: RedisServer, tmp_path: Path
) -> None:
    """A mistyped token costs one request, whoever is first; with the right one all are stopped."""
    pytest.importorskip("taskiq_redis")
    (tmp_path / "worker_here.py").write_text(WORKER, encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": str(EXAMPLES),
        "HOST_DIRECTORY": str(tmp_path / "host"),
        "REDIS_URL": redis_server.url,
        "LOX24_BASE_URL": fake_lox24.url,
    }
    ids = [str(fake_lox24.add_bulk().uuid) for _ in range(10)]
    told = await stop(environment | {"LOX24_AUTH_TOKEN": "1234567:mistyped"}, tmp_path, ids)
    assert set(ids) == set(told)
    assert all("refused the token" in said for said in told.values())
    assert 1 == len(fake_lox24.requests)
    told = await stop(environment | {"LOX24_AUTH_TOKEN": fake_lox24.token}, tmp_path, ids)
    assert dict.fromkeys(ids, "canceled") == told
