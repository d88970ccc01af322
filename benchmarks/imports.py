"""Imports: what our client costs above the libraries that it stands on."""

from importlib.util import find_spec
from statistics import median

from .bars import print_table
from .processes import lines
from .results import progress

_SCRIPT = """
import sys, time
import benchmarks, aiohttp, attrs, cattrs
before, start = set(sys.modules), time.perf_counter()
from lox24_async import Lox24Client
print((time.perf_counter() - start) * 1e3)
print(*sorted(name for name in set(sys.modules) - before))
"""


def run(repeats: int) -> float:
    """Return the milliseconds without the speedups; print what is imported."""
    best, rows = [], []
    for plain in (True, False) if find_spec("orjson") else (True,):
        times, modules = _measure(repeats, plain)
        ours = [name for name in modules if name.startswith("lox24_async")]
        others = ", ".join(name for name in modules if name not in ours) or "none"
        title = "without the speedups" if plain else "with the speedups"
        rows.append((title, f"{min(times):.1f}", f"{median(times):.1f}", str(len(ours)), others))
        best.append(min(times))
    head = ("", "best, ms", "median", "modules of ours", "others")
    print_table("from lox24_async import Lox24Client, above aiohttp, attrs and cattrs", head, rows)
    return best[0]


def _measure(repeats: int, plain: bool) -> tuple[list[float], list[str]]:
    """Return the times, and the modules that came in."""
    times: list[float] = []
    modules = ""
    for number in range(repeats):
        milliseconds, modules = lines("-c", _SCRIPT, plain=plain)
        times.append(float(milliseconds))
        progress(f"import {number + 1} of {repeats}")
    return times, modules.split()
