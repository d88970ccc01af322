"""The command: ``python -m benchmarks``, or one measurement by its name."""

import argparse
import os
from importlib.util import find_spec
from pathlib import Path

from . import (
    cycles,
    fake,
    guard,
    imports,
    instructions,
    journal,
    layers,
    limits,
    memory,
    picture,
    race,
)
from .bars import print_verdicts
from .results import circumstances, save

_NAMES = (
    "race",
    "memory",
    "imports",
    "guard",
    "cycles",
    "journal",
    "limits",
    "fake",
    "layers",
    "instructions",
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure lox24_async beside its peers, and against what was to be reached.",
    )
    parser.add_argument(
        "what",
        nargs="*",
        default=["race"],
        help=f"which of: {', '.join(_NAMES)}, or all (default: race)",
    )
    parser.add_argument("--quick", action="store_true", help="few and short; writes no file")
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    parser.add_argument("--requests", type=int, help="how many bulks it cancels each time")
    parser.add_argument("--output", type=Path, help="folder for results.json and results.svg")
    options = parser.parse_args()
    if "all" in options.what:
        options.what = list(_NAMES)
    if unknown := set(options.what) - set(_NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if options.output is None and not options.quick:
        options.output = Path(__file__).parent
    return options


class _Command:
    """One run of the command: what was asked for, and where the figures go."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._quick: bool = options.quick
        self._rounds: int | None = options.rounds
        self._requests: int | None = options.requests
        self._output: Path | None = options.output

    def _rounds_or(self, full: int, quick: int) -> int:
        return self._rounds or (quick if self._quick else full)

    def _requests_or(self, full: int, quick: int) -> int:
        return self._requests or (quick if self._quick else full)

    def _save(self, name: str, figures: list[object]) -> None:
        if self._output is not None:
            save(self._output / "results.json", name, figures)

    def race(self) -> None:
        rounds, requests = self._rounds_or(9, 2), self._requests_or(1_000, 200)
        made = race.run(rounds, requests)
        race.tell(made)
        self._save("race", made.figures())
        if self._output is not None:
            facts = circumstances()
            note = f"{rounds} rounds of {requests:,}, aiohttp {facts['versions']['aiohttp']}"
            drawn = picture.draw(made, f"{note}, {facts['python']}")
            (self._output / "results.svg").write_text(drawn)

    def memory(self) -> None:
        figures = memory.run(self._requests_or(100_000, 5_000), self._requests_or(10_000, 1_000))
        self._tell("memory", figures)

    def imports(self) -> None:
        self._tell("imports", {"imports": imports.run(self._rounds_or(20, 5))})

    def guard(self) -> None:
        self._tell("guard", guard.run(self._rounds_or(30, 5)))

    def cycles(self) -> None:
        found = cycles.run(self._requests_or(1_000, 100))
        ours = max(count for name, count in found.items() if name != "aiohttp by hand")
        self._tell("cycles", {"cycles": ours})

    def journal(self) -> None:
        figures = journal.run(self._rounds_or(19, 2), self._requests_or(1_000, 200))
        self._tell("journal", figures)

    def limits(self) -> None:
        figures, rows = limits.run(self._rounds_or(3, 1), self._requests_or(200, 50))
        print_verdicts(figures)
        self._save("limits", rows)

    def fake(self) -> None:
        found = fake.run(self._rounds_or(40, 5), self._requests_or(1_000, 200))
        self._save("fake", [{"name": name, "cpu_us": costs} for name, costs in found.items()])

    def layers(self) -> None:
        found = layers.run(self._rounds_or(20, 3), self._requests_or(1_000, 200))
        self._save("layers", [{"name": name, "cpu_us": costs} for name, costs in found.items()])

    def instructions(self) -> None:
        found = instructions.run(self._requests or (50 if self._quick else 300))
        counts = [{"name": name, "thousands": count} for name, count in found.items()]
        self._save("instructions", counts)

    def _tell(self, name: str, figures: dict[str, float]) -> None:
        print_verdicts(figures)
        self._save(name, [figures])


def _main() -> None:
    options = _options()
    facts = circumstances()
    speedups = "with" if find_spec("orjson") else "without"
    print(f"{facts['python']}, {facts['platform']}, {facts['processor']}, {facts['cpus']} CPUs")
    print(", ".join(f"{name} {version}" for name, version in facts["versions"].items()))
    print(f"{speedups} the speedups; load {os.getloadavg()[0]:.1f} at the start")
    command = _Command(options)
    for name in options.what:
        getattr(command, name)()


if __name__ == "__main__":
    _main()
