"""The start of ``lox24 cancel ID``: what it takes to its PUT on the wire, against aiohttp's import.

A process that listens sees the PUT, reads what the program has computed by then, and ends it.
"""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

from .bars import print_table
from .contenders import TOKEN
from .results import progress

_BASE = "import aiohttp"
_OPTIONS = ("", "--yes", "--output json", "--journal none")
_PROGRAM = "from lox24_async.cli import main; main()"
_MOST = 60.0  # seconds until a PUT that does not come is taken for lost


def run(repeats: int) -> dict[str, float]:
    """Return the ratios of the bars, by CPU and by time; print all."""
    names = (_BASE, *(f"lox24 cancel ID {options}".rstrip() for options in _OPTIONS))
    cpu: dict[str, list[float]] = {name: [] for name in names}
    wall: dict[str, list[float]] = {name: [] for name in names}
    order = list(zip(names, (None, *_OPTIONS), strict=True))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_MOST)
        for number in range(repeats + 1):
            random.shuffle(order)
            for name, options in order:
                computed, passed = (
                    _to_the_end() if options is None else _to_the_put(listener, options.split())
                )
                if number:  # the first compiles
                    cpu[name].append(computed)
                    wall[name].append(passed)
            progress(f"start: round {number} of {repeats}")
    rows: list[tuple[str, ...]] = []
    ratios: list[tuple[float, float]] = []
    for name in names:
        of_cpu, of_wall = median(cpu[name]), median(wall[name])
        ratio = of_cpu / median(cpu[_BASE]), of_wall / median(wall[_BASE])
        ratios.append(ratio)
        rows.append((name, f"{of_cpu:.0f}", f"{of_wall:.0f}", *(f"{r:.2f}" for r in ratio)))
    head = ("to the end, or to its PUT", "CPU, ms", "time, ms", "CPU, x", "time, x")
    print_table("python -c 'import aiohttp', and lox24 cancel ID (medians)", head, rows)
    plain, *others = ratios[1:]
    return {
        "start cpu": plain[0],
        "start time": plain[1],
        "start options cpu": max(ratio[0] for ratio in others),
        "start options time": max(ratio[1] for ratio in others),
    }


def _environment(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | more


def _to_the_end() -> tuple[float, float]:
    """Return the milliseconds of CPU and of time that the import costs."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", _BASE], env=_environment())
    _, _, used = os.wait4(child.pid, 0)
    child.returncode = 0
    return (used.ru_utime + used.ru_stime) * 1e3, (time.perf_counter() - start) * 1e3


def _to_the_put(listener: socket.socket, options: Sequence[str]) -> tuple[float, float]:
    """Return the milliseconds of CPU and of time until the PUT is here."""
    with TemporaryDirectory() as folder:
        environment = _environment(
            LOX24_AUTH_TOKEN=TOKEN,
            LOX24_BASE_URL=f"http://127.0.0.1:{listener.getsockname()[1]}",
            LOX24_GUARD=folder,
            XDG_STATE_HOME=folder,
        )
        line = [sys.executable, "-c", _PROGRAM, "cancel", str(uuid4()), *options]
        quiet = subprocess.DEVNULL
        start = time.perf_counter()
        with subprocess.Popen(line, env=environment, stdout=quiet, stderr=quiet) as child:
            try:
                connection, _ = listener.accept()
                with connection:
                    while not connection.recv(65_536).startswith(b"PUT"):
                        pass
                    passed = time.perf_counter() - start
                    return _computed(child.pid), passed * 1e3
            finally:
                child.kill()


def _computed(pid: int) -> float:
    """Return the milliseconds that a process has computed so far, over all its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6
