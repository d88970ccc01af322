"""What the tests of the command line share: a gateway in a thread, terminals, processes."""

import asyncio
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Self

import attrs
import pytest
from typer.testing import CliRunner

from lox24_async import Lox24Client, RetryPolicy
from lox24_async.cli.app import app
from lox24_async.cli.connect import Setup
from lox24_async.testing import FakeLox24

CANARY = "1234567:c4n4ryc4n4ryc4n4ryc4n4ry"
STRANGER = "da0fa78c-4699-11ea-a637-96000028b339"
LOX24 = [
    *(sys.executable, "-W", "error", "-c"),
    # Whatever started the tests may ignore these signals, and a child inherits that.
    (
        "import signal as s; s.signal(s.SIGINT, s.default_int_handler);"
        "s.signal(s.SIGTERM, s.SIG_DFL); s.signal(s.SIGHUP, s.SIG_DFL);"
        "from lox24_async.cli import main; main()"
    ),
]
MOST = 20.0  # seconds until a child that does not end is taken for stuck


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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command's own retry policy begin with pauses that no test has to wait for."""
    connect = Setup.connect

    def connect_soon(setup: Setup, retry: RetryPolicy | None = None) -> Lox24Client:
        soon = attrs.evolve(retry or RetryPolicy(), initial_delay=0.01, max_delay=0.05)
        return connect(setup, soon)

    monkeypatch.setattr(Setup, "connect", connect_soon)


def lox24(*args: str, stdin: bytes | str | None = None) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, stdout and stderr."""
    result = CliRunner().invoke(app, list(args), input=stdin)
    return result.exit_code, result.stdout, result.stderr


def add(gateway: FakeLox24, *statuses: int) -> list[str]:
    """Put bulks into the gateway and return their ids."""
    return [str(gateway.add_bulk(status).uuid) for status in statuses]


def free_url() -> str:
    """Return a URL at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def puts(gateway: FakeLox24) -> list[str]:
    """Return the ids of the cancels that arrived."""
    return [r.path.split("/")[2] for r in gateway.requests if r.method == "PUT"]


# --- in a process of its own


def start(*args: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command with warnings as errors, so that nothing is left behind unseen."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*LOX24, *args], text=True, **pipes | options)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something has happened in another thread or process."""
    deadline = time.monotonic() + MOST
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def read_until(stream: IO[bytes], text: bytes) -> bytes:
    """Read a terminal until a text appears."""
    seen = b""
    while text not in seen:
        chunk = os.read(stream.fileno(), 4096)
        assert chunk, seen
        seen += chunk
    return seen


@pytest.fixture
def terminal() -> Iterator[tuple[IO[bytes], int]]:
    """Give a terminal: our side of it, and the child's."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as stream:
        yield stream, theirs
        os.close(theirs)


class Screen:
    """A terminal with the command in it, and our hands on its keyboard.

    Args:
        *args: What is typed.
        program: The Python program that runs the command.
        owner: Whether the terminal is the command's own (Ctrl-C, ``/dev/tty``).
        **streams: Other streams than the terminal (``stdin``, ``stdout``).
    """

    def __init__(
        self, *args: str, program: str = LOX24[-1], owner: bool = True, **streams: Any
    ) -> None:
        self._ours, theirs = pty.openpty()
        if owner:  # of the session: ^C reaches its processes, and /dev/tty is this terminal
            program = f"import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0)\n{program}"
        self.child = subprocess.Popen(
            [*LOX24[:-1], program, *args],
            start_new_session=True,
            **{"stdin": theirs, "stdout": theirs, "stderr": theirs} | streams,
        )
        os.close(theirs)
        self._seen = b""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self._ours)

    def until(self, text: str) -> str:
        """Read until a text appears; return what came since the last time, as it reads."""
        wanted = text.encode()
        while (at := self._seen.find(wanted, self._read)) < 0:
            assert self._more(), self._seen[self._read :]
        end = at + len(wanted)
        said, self._read = self._seen[self._read : end], end
        return plain(said)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def end(self) -> tuple[int, str]:
        """Read to the end; return the exit code, and all that was ever on the screen."""
        while self._more():
            pass
        return self.child.wait(MOST), plain(self._seen)

    def _more(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], MOST)
        assert ready, self._seen[self._read :]
        try:
            chunk = os.read(self._ours, 65536)
        except OSError:  # nobody has the terminal open any more
            return False
        self._seen += chunk
        return bool(chunk)


def plain(said: bytes) -> str:
    """Return what a terminal was told without its control codes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode()).replace("\r", "")
