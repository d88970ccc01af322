"""The race: all contenders side by side, in rounds, against a server that only answers.

Every round runs every contender once, in random order. A ratio is always to the hand-written
client of the same round, the same process and the same number of requests in flight, so that
a noisy machine disturbs both.
"""

import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import asdict, frozen

from . import contenders, peers
from .bars import BARS, print_table, print_verdicts
from .contenders import Contender
from .processes import lines, serving
from .results import progress, spread
from .slices import measure

# Who runs: by name the contender, its title, and how many requests it has in flight.
FIELD: dict[str, tuple[Contender, str, tuple[int, ...]]] = {
    "by_hand": (contenders.by_hand, "aiohttp by hand (the baseline)", (1, 10, 100)),
    "by_hand_pooled": (contenders.by_hand_pooled, "aiohttp by hand, queued in its pool", (100,)),
    "the_limit": (contenders.the_limit, "asyncio protocol by hand (the limit)", (100,)),
    "cancel_bulks": (contenders.cancel_bulks, "lox24_async, cancel_bulks", (1, 10, 100)),
    "iter_cancel": (contenders.iter_cancel, "lox24_async, iter_cancel", (100,)),
    "gather": (contenders.gather, "lox24_async, gather of cancel_bulk", (100,)),
    "cancel_bulks_session": (
        contenders.cancel_bulks_session,
        "lox24_async, cancel_bulks, borrowed session",
        (100,),
    ),
    "aiohttp_retry": (peers.aiohttp_retry, "aiohttp-retry", (100,)),
    "tenacity": (peers.tenacity, "aiohttp + tenacity", (100,)),
    "stamina": (peers.stamina, "aiohttp + stamina", (100,)),
    "stamina_cattrs": (peers.stamina_cattrs, "aiohttp + stamina + cattrs", (100,)),
    "niquests": (peers.niquests, "niquests", (100,)),
    "httpx": (peers.httpx, "httpx", (1, 10, 100)),
}
# What else it is measured with, and how that is called. The baseline always has the same.
SETTINGS = {"": "", "speedups": "orjson", "uvloop": "orjson and uvloop", "tls": "TLS"}
_NEEDS = {"": "json", "speedups": "orjson", "uvloop": "uvloop", "tls": "trustme"}
_IN_ALL_SETTINGS = ("by_hand", "cancel_bulks", "iter_cancel", "gather")


@frozen
class Entry:
    """Who runs, and how: what the slices of all rounds are compared by."""

    name: str
    width: int
    setting: str = ""
    """One of ``SETTINGS``."""

    @property
    def title(self) -> str:
        """How it is called in the table and the picture."""
        return FIELD[self.name][1] + (f", with {SETTINGS[self.setting]}" if self.setting else "")


class Race:
    """What was measured: for each entry, the slices of all rounds, in order."""

    def __init__(self) -> None:
        self.cpu_us: defaultdict[Entry, list[float]] = defaultdict(list)
        self.per_second: defaultdict[Entry, list[float]] = defaultdict(list)

    def cpu_ratios(self, entry: Entry) -> list[float]:
        """Return the CPU per request against the baseline's, round by round."""
        base = self.cpu_us[Entry("by_hand", entry.width, entry.setting)]
        return [a / b for a, b in zip(self.cpu_us[entry], base, strict=True)]

    def times_as_fast(self, entry: Entry, other: Entry) -> list[float]:
        """Return the throughput against another's, round by round."""
        pairs = zip(self.per_second[entry], self.per_second[other], strict=True)
        return [a / b for a, b in pairs]

    def figures(self) -> list[Any]:
        """Return all that was measured, for the file."""
        return [
            asdict(entry) | {"cpu_us": self.cpu_us[entry], "per_second": self.per_second[entry]}
            for entry in self.cpu_us
        ]


def run(rounds: int, requests: int) -> Race:
    """Run the race in each setting that the machine has."""
    race, seed = Race(), random.randrange(1_000_000)
    for setting, needed in _NEEDS.items():
        if find_spec(needed) is None:
            progress(f"without {SETTINGS[setting]}: {needed} is not installed\n")
            continue
        with _ready(setting) as (url, more):
            arguments = (url, rounds, requests, seed, setting or "plain")
            plain = setting not in ("speedups", "uvloop")
            for line in lines("-m", "benchmarks.race", *arguments, plain=plain, more=more):
                _take_in(race, setting, json.loads(line), rounds)
    return race


@contextmanager
def _ready(setting: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the answering server's URL and what the process that runs has to know."""
    if setting != "tls":
        with serving() as url:
            yield url, {"BENCH_LOOP": "uvloop"} if setting == "uvloop" else {}
        return
    trustme = import_module("trustme")
    authority = trustme.CA()
    with TemporaryDirectory() as folder:
        known, own = Path(folder) / "authority.pem", Path(folder) / "server.pem"
        authority.cert_pem.write_to_path(known)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(own)
        with serving(own) as url:
            yield url, {"BENCH_CA": str(known)}


def _take_in(race: Race, setting: str, made: dict[str, Any], rounds: int) -> None:
    if "left_out" in made:
        progress(f"{made['left_out']}\n")
        return
    entry = Entry(made["name"], made["width"], setting)
    race.cpu_us[entry].append(made["cpu_us"])
    race.per_second[entry].append(made["per_second"])
    done = len(race.cpu_us[entry])
    progress(f"round {done} of {rounds}: {entry.title}, {entry.width} in flight")


def _run_here(url: str, rounds: int, requests: int, seed: int, setting: str) -> None:
    """Run the rounds in this process; print each slice as a line of JSON."""
    random.seed(seed)
    runners = [
        (name, width)
        for name, (_, _, widths) in FIELD.items()
        for width in widths
        if setting == "plain" or (name in _IN_ALL_SETTINGS and width == 100)
    ]
    for _ in range(rounds):
        random.shuffle(runners)
        for name, width in tuple(runners):
            try:
                made = measure(FIELD[name][0], url, width, requests)
            except ModuleNotFoundError as missing:
                print(json.dumps({"left_out": f"without {name}: {missing}"}), flush=True)
                runners.remove((name, width))
            else:
                print(json.dumps({"name": name, "width": width, **asdict(made)}), flush=True)


# --- telling


def tell(race: Race) -> None:
    """Print the table and the verdicts."""
    print_table(
        "CPU time and throughput (medians; in brackets the middle half of the rounds)",
        ("client", "in flight", "CPU, µs", "x baseline", "", "requests/s", "x baseline"),
        (_row(race, entry) for entry in sorted(race.cpu_us, key=lambda e: _order(race, e))),
    )
    print_verdicts(dict(_verdicts(race)))


def _order(race: Race, entry: Entry) -> tuple[float, ...]:
    return [*SETTINGS].index(entry.setting), -entry.width, spread(race.cpu_ratios(entry))[1]


def _row(race: Race, entry: Entry) -> tuple[str, ...]:
    low, middle, high = spread(race.cpu_ratios(entry))
    base = Entry("by_hand", entry.width, entry.setting)
    return (
        entry.title,
        str(entry.width),
        f"{spread(race.cpu_us[entry])[1]:.0f}",
        f"{middle:.2f}",
        f"[{low:.2f} to {high:.2f}]",
        f"{spread(race.per_second[entry])[1]:.0f}",
        f"{spread(race.times_as_fast(entry, base))[1]:.2f}",
    )


def _verdicts(race: Race) -> Iterator[tuple[str, float]]:
    for entry in sorted(race.cpu_us, key=lambda e: _order(race, e)):
        key = f"cpu {entry.name} {entry.setting}".rstrip()
        if key in BARS and entry.width == 100:
            yield key, spread(race.cpu_ratios(entry))[1]
    for name, width in (
        *(("stamina_cattrs", 100), ("httpx", 1), ("httpx", 10), ("httpx", 100), ("niquests", 100)),
    ):
        other = Entry(name, width)
        if other in race.cpu_us:
            ours = Entry("cancel_bulks", width)
            key = name if name == "stamina_cattrs" else f"{name} {width}"
            yield key, spread(race.times_as_fast(ours, other))[1]


if __name__ == "__main__":
    _url, _rounds, _requests, _seed, _setting = sys.argv[1:]
    _run_here(_url, int(_rounds), int(_requests), int(_seed), _setting)
