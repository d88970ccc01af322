"""The ``lox24`` command, for a person on call. Needs the extra ``cli``.

``commands/x.py`` holds what a person types for the command ``x`` and loads nothing heavy, so
that the help comes at once; ``commands/_x.py`` holds what the command then does. A new command
is two such modules and its name in ``app``. What the commands share stands beside ``app``.
"""

import sys
from importlib.util import find_spec


def main() -> None:
    """Run ``lox24``."""
    try:
        if find_spec("typer") is None or find_spec("rich") is None:
            print(
                "lox24: the command line is an extra; install it: pip install 'lox24_async[cli]'",
                file=sys.stderr,
            )
            raise SystemExit(2)
        from .app import app  # noqa: PLC0415  not without the extra
    except KeyboardInterrupt:
        raise SystemExit(130) from None

    app(prog_name="lox24")
