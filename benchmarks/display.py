"""What the bar and the journal cost: ``lox24 cancel`` in a terminal with both, and without."""

import os
import pty
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from .bars import print_table
from .contenders import TOKEN
from .processes import serving
from .results import progress
from .slices import new_ids

_PROGRAM = "from lox24_async.cli import main; main()"
_KINDS = {
    "neither": ("--quiet", "--journal", "none"),
    "bar": ("--journal", "none"),
    "journal": ("--quiet",),
    "bar and journal": (),
}


def run(rounds: int, requests: int) -> dict[str, float]:
    """Return the shares of the bars, in percent; print all."""
    cpu: dict[str, list[float]] = {name: [] for name in _KINDS}
    wall: dict[str, list[float]] = {name: [] for name in _KINDS}
    order = list(_KINDS.items())
    with TemporaryDirectory() as folder, serving() as url:
        ids = Path(folder) / "ids.txt"
        ids.write_text("\n".join(new_ids(requests)))
        for number in range(rounds):
            random.shuffle(order)
            for name, options in order:
                computed, passed = _cancel(url, folder, ids, options)
                cpu[name].append(computed)
                wall[name].append(passed)
            progress(f"display: round {number + 1} of {rounds}")
    rows: list[tuple[str, ...]] = []
    shares: dict[str, float] = {}
    for name in _KINDS:
        for what, found in (("cpu", cpu), ("time", wall)):
            # Of two runs of the same minute: a machine that others use is now fast, now slow.
            pairs = zip(found["neither"], found[name], strict=True)
            shares[f"{name} {what}"] = 100 * median(1 - base / other for base, other in pairs)
        said = (shares[f"{name} cpu"], shares[f"{name} time"])
        figures = (f"{median(cpu[name]):.2f}", f"{median(wall[name]):.2f}")
        rows.append((name, *figures, *(f"{share:.1f}" for share in said)))
    head = ("with", "CPU, s", "time, s", "of CPU, %", "of time, %")
    print_table(f"lox24 cancel of {requests:,} ids in a terminal (medians)", head, rows)
    return {f"display {what}": shares[f"bar and journal {what}"] for what in ("cpu", "time")}


def _cancel(url: str, folder: str, ids: Path, options: tuple[str, ...]) -> tuple[float, float]:
    """Return the seconds of CPU and of time that a run costs."""
    more = {"LOX24_AUTH_TOKEN": TOKEN, "LOX24_BASE_URL": url, "XDG_STATE_HOME": folder}
    more |= {"LOX24_GUARD": "process", "TERM": "xterm-256color", "COLUMNS": "80"}
    ours, theirs = pty.openpty()
    line = [sys.executable, "-c", _PROGRAM, "cancel", "--file", str(ids), *options]
    reader = threading.Thread(target=_read, args=(ours,))
    reader.start()
    start = time.perf_counter()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    child = subprocess.Popen(line, env=os.environ | more, start_new_session=True, **streams)
    os.close(theirs)
    _, status, used = os.wait4(child.pid, 0)
    passed = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    os.close(ours)
    if child.returncode:
        raise RuntimeError(f"a measurement failed: {line} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, passed


def _read(terminal: int) -> None:
    with suppress(OSError):  # its other end is closed
        while os.read(terminal, 65_536):
            pass
