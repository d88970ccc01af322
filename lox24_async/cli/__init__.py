"""The ``lox24`` command, for a person on call. Needs the extra ``cli``.

``app`` names the commands; ``commands`` has a file for each; ``reading`` understands what is
typed and what is in files, ``telling`` writes for people and for machines, ``running`` has the
client, the loop and the signals. A new command is a file in ``commands`` and its help in ``app``.
"""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

_INTERRUPTED = 130


def main() -> None:
    """Run ``lox24``."""
    try:
        with interruptible_import():
            if find_spec("cyclopts") is None or find_spec("rich") is None:
                print(
                    "lox24: the command line is an extra; install it:"
                    " pip install 'lox24_async[cli]'",
                    file=sys.stderr,
                )
                raise SystemExit(2)
            from .app import run  # noqa: PLC0415  not without the extra
        code = run()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    raise SystemExit(code)


@contextmanager
def interruptible_import() -> Generator[None]:
    """Let Ctrl-C leave at once while modules are imported.

    A ``KeyboardInterrupt`` amid an import may come out as another error, or not at all.
    """

    def leave(*_: object) -> None:
        os._exit(_INTERRUPTED)

    before = None
    with suppress(ValueError):  # not in the main thread
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
