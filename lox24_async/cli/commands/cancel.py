"""``lox24 cancel``: bulks by their ids, what meets a filter, or the rest of a run."""

from typing import Final

from lox24_async.cli.canceling.matching import cancel_matching, wanted_of
from lox24_async.cli.canceling.named import cancel_named
from lox24_async.cli.canceling.resuming import cancel_resumed
from lox24_async.cli.canceling.typed import CancelOptions
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.options import IdArgument
from lox24_async.cli.running import finish

_NOTHING: Final = CancelOptions()


def cancel(*ids: IdArgument, typed: CancelOptions = _NOTHING) -> ExitCode:
    """Cancel, and tell what came of each bulk.

    Args:
        ids: Bulks to cancel.
    """

    def work() -> ExitCode:
        if typed.resume is not None:
            return cancel_resumed(ids, typed)
        wanted = wanted_of(ids, typed)
        return cancel_named(ids, typed) if wanted is None else cancel_matching(wanted, typed)

    return finish(work, debug=typed.connection.debug)
