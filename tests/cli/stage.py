"""What the tests of the command line share: the command in this process, and in others."""

import io
import os
import pty
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any, Self

import pytest

from lox24_async.cli.app import run
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
MOST = 60.0  # seconds until a child that does not end is taken for stuck


def lox24(*args: str, stdin: bytes | str | None = None) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, stdout and stderr."""
    data = stdin.encode() if isinstance(stdin, str) else stdin or b""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        code = run(args)
    return int(code), _written(out), _written(err)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


def add(gateway: FakeLox24, *statuses: int) -> list[str]:
    """Put bulks into the gateway and return their ids."""
    return [str(gateway.add_bulk(status).uuid) for status in statuses]


def free_url() -> str:
    """Return a URL at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def journals() -> list[Path]:
    """Return the journals of the runs so far, the oldest first."""
    return sorted(Path(os.environ["XDG_STATE_HOME"], "lox24").glob("*"))


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
