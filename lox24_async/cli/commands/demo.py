"""``lox24 demo``, as it is typed."""

from lox24_async.cli import options
from lox24_async.cli.options import end


def command(*, debug: options.Debug = False) -> None:
    """See it work, without an account or a network.

    Runs a gateway on this machine for a few seconds: 250 bulks of all kinds, a wrong token,
    a service that fails in mid-run. Every number shown is checked; if one is wrong, the exit
    code is 1.
    """
    from ._demo import run  # noqa: PLC0415  heavy

    end(run, debug=debug)
