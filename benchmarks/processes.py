"""Helper processes: each module of this package that measures can run in one of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parent.parent


@contextmanager
def helper(
    *arguments: object, plain: bool | None = None, more: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python process, with its standard streams at hand, as long as the block.

    Args:
        arguments: For the interpreter: ``-m``, a module, and so on.
        plain: Whether to hide the speedups from it; ``None``: as from this process.
        more: What to add to its environment.
    """
    # Users have compiled modules; some build machines are told not to write them.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    if plain is not None:
        environment["BENCH_PLAIN"] = "1" if plain else ""
    environment |= more or {}
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(
    *arguments: object, plain: bool | None = None, more: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run a Python process to its end and yield what it prints.

    Raises:
        RuntimeError: it failed; why stands on the standard error stream.
    """
    with helper(*arguments, plain=plain, more=more) as process:
        yield from process.stdout or ()
        if process.wait():
            raise RuntimeError(f"a measurement failed: {' '.join(map(str, arguments))}")


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[str]:
    """Run the answering server in a process of its own; gives its URL.

    Args:
        certificate: Its certificate and key; then it speaks TLS.
    """
    arguments = ("-m", "benchmarks.server", *([] if certificate is None else [certificate]))
    with helper(*arguments, plain=False) as process:
        port = next(iter(process.stdout or ()), "")
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{int(port)}"
