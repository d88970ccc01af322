"""The ``lox24`` command, for a person on call. Needs the extra ``cli``.

``overview`` tells what the commands do, ``app`` reads what is typed; ``commands`` has a file for
each; ``reading`` understands what is typed and what is in files, ``telling`` writes for people and
for machines, ``running`` has the client, the loop and the signals. A new command is a file in
``commands`` and its help in ``overview``.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

_USAGE = 2
_INTERRUPTED = 130
_PATIENCE = 0.5  # seconds for threads to end


def main() -> None:
    """Run ``lox24``."""
    code: int = _INTERRUPTED
    others = {*threading.enumerate()}
    try:
        with interruptible_import():
            from .streams import safe_streams  # noqa: PLC0415
        with safe_streams():
            code = _run()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is told: let the exit code be told, too
    if _hangs({*threading.enumerate()} - others):  # Python would wait for it
        os._exit(code)
    raise SystemExit(code)


def _hangs(threads: set[threading.Thread]) -> bool:
    """Whether one of these threads does not end."""
    end = time.monotonic() + _PATIENCE
    waited_for = [thread for thread in threads if not thread.daemon]
    for thread in waited_for:
        thread.join(max(0.0, end - time.monotonic()))
    return any(thread.is_alive() for thread in waited_for)


def _run() -> int:
    try:
        with interruptible_import():
            if find_spec("cyclopts") is None or find_spec("rich") is None:
                print(
                    "lox24: the command line is an extra; install it:"
                    " pip install 'lox24_async[cli]'",
                    file=sys.stderr,
                )
                return _USAGE
            from .overview import answer  # noqa: PLC0415  not for the library
        code: int | None = answer(sys.argv[1:])
        if code is not None:
            return code
        if sys.argv[1:2] == ["cancel"]:
            with interruptible_import():
                from .at_once import cancel_at_once  # noqa: PLC0415  not for the help
            code = cancel_at_once(sys.argv[1:])
            if code is not None:
                return code
        with interruptible_import():
            from .app import run  # noqa: PLC0415  not without the extra
        return run()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else bool(leaving.code)


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
