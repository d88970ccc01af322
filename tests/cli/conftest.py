"""Fixtures for the command line: a gateway in a thread, an empty place, a terminal."""

import asyncio
import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import attrs
import pytest

from lox24_async import Lox24Client, RetryPolicy
from lox24_async.cli import running
from lox24_async.cli.connecting import connect
from lox24_async.testing import FakeLox24


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLox24]:
    """Run the gateway in a thread, and point the environment to it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    gateway = FakeLox24()
    try:
        asyncio.run_coroutine_threadsafe(gateway.start(), loop).result(5)
        monkeypatch.setenv("LOX24_AUTH_TOKEN", gateway.token)
        monkeypatch.setenv("LOX24_BASE_URL", gateway.url)
        yield gateway
    finally:
        asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(autouse=True)
def empty_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start in an empty directory, with nothing of the developer's environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("LOX24_AUTH_TOKEN", "LOX24_BASE_URL", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOX24_GUARD", "process")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command's own retry policy begin with pauses that no test has to wait for."""

    def connect_soon(place: str, *, retry: RetryPolicy | None, **more: Any) -> Lox24Client:
        soon = attrs.evolve(retry or RetryPolicy(), initial_delay=0.01, max_delay=0.05)
        if soon.max_wait == RetryPolicy().max_wait:
            soon = attrs.evolve(soon, max_wait=5.0)
        return connect(place, retry=soon, **more)

    monkeypatch.setattr(running, "connect", connect_soon)


@pytest.fixture
def terminal() -> Iterator[tuple[IO[bytes], int]]:
    """Give a terminal: our side of it, and the child's."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as stream:
        yield stream, theirs
        os.close(theirs)
