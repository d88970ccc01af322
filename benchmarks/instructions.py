"""Counted instructions instead of time: what a machine's noise cannot touch.

A contender runs under ``valgrind --tool=callgrind``, without sockets, twice: the difference of
a long and a short run is what the ids of the difference cost. Hashes, and so the order of sets,
are the same in both.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which

from .bars import print_table
from .fake import FIELD, URL, no_sockets
from .results import progress
from .slices import new_ids

_ROOT = Path(__file__).parent.parent
_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)


def run(ids: int, width: int = 100) -> dict[str, float]:
    """Return for each contender the thousands of instructions for an id; print them.

    Without valgrind nothing is counted.
    """
    if which("valgrind") is None:
        progress("instructions: valgrind is not installed\n")
        return {}
    found: dict[str, float] = {}
    with ThreadPoolExecutor(2) as both:
        for name in FIELD:
            short, long = both.map(lambda n, name=name: _count(name, width, n), (ids, 2 * ids))
            found[name] = round((long - short) / ids / 1_000, 1)
            progress(f"instructions: {name}")
    base = found["aiohttp by hand"]
    rows = [(name, f"{count:.1f}", f"{count / base:.3f}") for name, count in found.items()]
    print_table("Instructions per id without sockets, in thousands", ("client", "", "ratio"), rows)
    return found


def _count(name: str, width: int, ids: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "callgrind.out"
        command = [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={report}"),
            *(sys.executable, "-m", "benchmarks.instructions", name, str(width), str(ids)),
        ]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False
        )
        total = _TOTAL.search(report.read_text()) if done.returncode == 0 else None
        if total is None:
            raise RuntimeError(f"a measurement failed: {' '.join(command)}\n{done.stderr[-2_000:]}")
        return int(total[1])


async def _work(name: str, width: int, ids: int) -> None:
    async with FIELD[name](URL, width) as cancel:
        await cancel(new_ids(3 * width))
        await cancel(new_ids(ids))


if __name__ == "__main__":
    with no_sockets():
        asyncio.run(_work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
