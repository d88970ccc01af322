"""A real Redis for tests: on a free port, without a disk, stopped and started at will."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError


def find_server() -> str | None:
    """Return the server's program; Valkey is as good."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """One server, below a test's temporary folder."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}"

    def client(self) -> Redis:
        """Return a client of the test's own; to be closed."""
        return Redis.from_url(self.url)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *(self._program, "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
            ],
            stdout=subprocess.DEVNULL,
        )
        with self.client() as client:
            for _ in range(600):
                try:
                    client.ping()
                except RedisConnectionError:
                    time.sleep(0.05)
                else:
                    return
        raise AssertionError("the server did not start")

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def commands(self, *names: str) -> int:
        """Return how many of these commands it has run; how many scripts, if none is named."""
        with self.client() as client:
            found: Any = client.info("commandstats")
        return sum(found.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in names or SCRIPTS)


SCRIPTS = ("eval", "evalsha")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server for one test; skipped where there is none."""
    program = find_server()
    if program is None:
        missing = "neither redis-server nor valkey-server is installed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    server = RedisServer(program, tmp_path)
    server.start()
    yield server
    server.stop()


if sys.platform == "win32":
    pytest.skip("no Redis on Windows", allow_module_level=True)
