"""Measures this client beside its peers: ``python -m benchmarks``.

With ``BENCH_PLAIN`` set in the environment, what the ``speedups`` extra brings is hidden from
the process, as if it were not installed.
"""

import os
import sys

if os.environ.get("BENCH_PLAIN"):
    sys.modules["orjson"] = sys.modules["uvloop"] = None  # type: ignore[assignment]
