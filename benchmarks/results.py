"""Where the raw figures are kept: one JSON file, a section for each measurement."""

import json
import os
import platform
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

_LIBRARIES = (
    *("lox24_async", "aiohttp", "attrs", "cattrs", "orjson", "uvloop"),
    *("aiohttp-retry", "tenacity", "stamina", "httpx", "niquests"),
)


def circumstances() -> dict[str, Any]:
    """Return the versions, the machine and the time."""
    versions = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def save(path: Path, section: str, figures: list[Any]) -> None:
    """Write a section; the others stay. One figure a line, so that changes can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sections = json.loads(path.read_text()) if path.exists() else {}
    sections[section] = {"circumstances": circumstances(), "figures": figures}
    written = []
    for name, content in sections.items():
        lines = ",\n".join(f"  {json.dumps(figure)}" for figure in content["figures"])
        facts = json.dumps(content["circumstances"])
        written.append(f' "{name}": {{"circumstances": {facts}, "figures": [\n{lines}\n ]}}')
    path.write_text("{\n" + ",\n".join(written) + "\n}\n")


def spread(values: list[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, median(values), high


def progress(text: str) -> None:
    """Tell on the standard error stream how far it has come."""
    end = "" if sys.stderr.isatty() else "\n"
    print(f"\r\x1b[K{text}" if not end else text, end=end, file=sys.stderr, flush=True)
