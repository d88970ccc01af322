"""What the project set itself to reach, and how a figure is told beside it."""

from collections.abc import Iterable

from attrs import frozen


@frozen
class Bar:
    """A figure to reach, and a better one to dream of."""

    what: str
    bar: float
    dream: float
    unit: str = "x"
    at_least: bool = False

    def verdict(self, figure: float) -> str:
        """Say whether a figure reaches it."""
        if self._reaches(figure, self.dream):
            return "met, and the dream"
        return "met" if self._reaches(figure, self.bar) else "NOT MET"

    def _reaches(self, figure: float, goal: float) -> bool:
        return figure >= goal if self.at_least else figure <= goal

    def row(self, figure: float) -> tuple[str, ...]:
        """Return the cells of a line about a figure."""
        sign = "≥" if self.at_least else "≤"
        bar, dream = (f"{sign} {goal:g}" for goal in (self.bar, self.dream))
        return self.what, f"{figure:.2f} {self.unit}", bar, dream, self.verdict(figure)


_CPU = "CPU per id, x hand-written aiohttp"

BARS = {
    "cpu cancel_bulks": Bar(f"{_CPU}: cancel_bulks", 0.75, 0.60),
    "cpu iter_cancel": Bar(f"{_CPU}: iter_cancel", 0.75, 0.60),
    "cpu gather": Bar(f"{_CPU}: gather of cancel_bulk", 0.72, 0.60),
    "cpu cancel_bulks_session": Bar(f"{_CPU}: cancel_bulks, borrowed session", 1.15, 1.05),
    "cpu cancel_bulks speedups": Bar(f"{_CPU}: cancel_bulks, with orjson", 0.65, 0.50),
    "cpu iter_cancel speedups": Bar(f"{_CPU}: iter_cancel, with orjson", 0.65, 0.50),
    "cpu gather speedups": Bar(f"{_CPU}: gather of cancel_bulk, with orjson", 0.62, 0.50),
    "cpu cancel_bulks uvloop": Bar(f"{_CPU}: cancel_bulks, orjson and uvloop", 0.65, 0.50),
    "cpu iter_cancel uvloop": Bar(f"{_CPU}: iter_cancel, orjson and uvloop", 0.65, 0.50),
    "cpu gather uvloop": Bar(f"{_CPU}: gather of cancel_bulk, orjson and uvloop", 0.62, 0.50),
    "stamina_cattrs": Bar("throughput, x aiohttp + stamina + cattrs", 2.0, 2.5, at_least=True),
    "httpx 1": Bar("throughput, x httpx, 1 in flight", 4, 6, at_least=True),
    "httpx 10": Bar("throughput, x httpx, 10 in flight", 14, 20, at_least=True),
    "httpx 100": Bar("throughput, x httpx, 100 in flight", 50, 80, at_least=True),
    "niquests 100": Bar("throughput, x niquests, 100 in flight", 7, 10, at_least=True),
    "cycles": Bar("objects per call that only the cycle collector frees", 0, 0, ""),
    "memory stream": Bar("memory of iter_cancel over 100,000 ids, above the start", 12, 8, "MiB"),
    "memory report": Bar(
        "memory of cancel_bulks with its report, the copy included, per id", 450, 300, "B"
    ),
    "memory gather": Bar(
        "memory of gather over 10,000 cancel_bulk, per waiting id", 2500, 2000, "B"
    ),
    "journal": Bar("CPU of cancel_bulks with a journal, x without", 1.10, 1.05),
    "journal durable": Bar("time that a durable journal adds to an outcome", 50, 25, "µs"),
    "limits lost": Bar("bulks lost behind a limit, default client, worst round", 0, 0, ""),
    "limits time": Bar("time behind a limit, default client, slowest, x ideal", 3, 1.5),
    "guard process": Bar("the guard's price on a proven token: process", 0.8, 0.5, "µs"),
    "guard host": Bar("the guard's price on a proven token: host", 1.2, 0.5, "µs"),
    "guard redis": Bar("the guard's price on a proven token: Redis", 1.2, 0.5, "µs"),
    "guard trips when open": Bar("round trips to Redis on a proven token, of all calls", 0, 0, ""),
    "guard trips": Bar("round trips to Redis for a claim and its settling", 2, 2, ""),
    "guard claim": Bar("a claim and its settling on the host's store", 50, 25, "µs"),
    "guard crowd": Bar("a change of the host's record, 16 processes, p99", 1000, 1000, "µs"),
    "imports": Bar("import lox24_async above aiohttp + attrs + cattrs", 15, 8, "ms"),
}


def print_table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table: first column to the left, the others to the right."""
    table = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print(f"\n{title}\n")
    for number, row in enumerate(table):
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([row[0].ljust(len(first)), *rest]).rstrip())
        if not number:
            print("  ".join("-" * width for width in widths))


def print_verdicts(figures: dict[str, float]) -> None:
    """Print figures, by name, beside their bars."""
    rows = [BARS[name].row(figure) for name, figure in figures.items()]
    print_table("What was to reach", ("what", "measured", "bar", "dream", "verdict"), rows)
