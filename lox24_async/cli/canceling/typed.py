"""The options of ``lox24 cancel``."""

from typing import Annotated, Final

from attrs import frozen
from cyclopts import Group, Parameter

import lox24_async as lox
from lox24_async.cli import options
from lox24_async.cli.connecting import MAX_CONCURRENCY, patience
from lox24_async.cli.reading.filters import NO_FILTER, FilterOptions
from lox24_async.cli.running import Session

WHAT: Final = Group("What to cancel", sort_key=1)
HOW: Final = Group("How", sort_key=3)

_What = Parameter(group=WHAT)
_How = Parameter(group=HOW)


@Parameter("*")
@frozen(kw_only=True)
class CancelOptions:
    """What was typed.

    Args:
        file: Read ids from FILE (-: from stdin, each is cancelled as soon as it is read): one
            a line, with # comments; CSV with a column bulk_id, uuid or id; a JSON object with
            one of these a line; or a JSON array of such.
        matching: Cancel what meets the filters below and can still be stopped. Shows first
            what that is, and asks; no is exit code 1. With --yes it asks nothing, and cancels
            while it lists.
        everything: With --matching: every bulk of the account.
        resume: Go on with a run that was not finished, by its journal; without FILE with the
            newest such run. Looks first at what is accepted or unknown.
        lasting: With --matching: keep stopping what meets the filters, for so long: 30m, 2h
            (s, m, h, d).
        until_quiet: With --matching: keep stopping, until nothing new met the filters for so
            long.
        dry_run: Cancel nothing; show what would be cancelled, and write it to stdout in the
            form of --output. Exit code 0.
        yes: Ask nothing. (About ids that you name, nothing is asked anyway.)
        wait: Wait, at most ten minutes, until every bulk whose cancel LOX24 accepted has
            stopped.
        wait_out_block: If LOX24 blocks this IP, wait for the end of the block (ten minutes)
            and go on.
        keep_trying: If LOX24 cannot be reached or fails, wait for the end of that, however
            long it takes, and cancel what failed.
        journal: Where to write down what was done; none: nowhere. Without this option to a
            new file in ~/.local/state/lox24 ($XDG_STATE_HOME/lox24).
        output: What to write to stdout: a record for each bulk as soon as it is known (json:
            at the end), or (table) nothing. The table for people goes to stderr.
        max_concurrency: Requests in flight at once. With 3, not even a token revoked in
            mid-run can get this IP blocked.
    """

    file: Annotated[options.IdFile, _What] = None
    matching: Annotated[bool, _What] = False
    everything: Annotated[bool, Parameter("--all", group=WHAT)] = False
    resume: Annotated[str | None, options.value("FILE", "--resume"), _What] = None
    lasting: Annotated[str | None, options.value("TIME", "--for"), _How] = None
    until_quiet: Annotated[str | None, options.value("TIME"), _How] = None
    dry_run: Annotated[bool, _How] = False
    yes: Annotated[options.Yes, _How] = False
    wait: Annotated[bool, _How] = False
    wait_out_block: Annotated[bool, _How] = False
    keep_trying: Annotated[bool, _How] = False
    journal: Annotated[str | None, options.value("FILE|none"), _How] = None
    output: Annotated[options.Listing, Parameter(group=options.TELLING)] = options.Output.TABLE
    max_concurrency: Annotated[
        int, options.number(at_least=options.AT_LEAST_1), Parameter(group=options.CONNECTION)
    ] = MAX_CONCURRENCY
    filters: FilterOptions = NO_FILTER
    connection: options.Connection = options.DEFAULT_CONNECTION

    def open_session(self) -> Session:
        """Make a client, and where to speak."""
        return Session(self.connection, self.patience, self.max_concurrency)

    @property
    def patience(self) -> "lox.RetryPolicy":
        """How long a call waits for the end of a block or of an outage."""
        return patience(wait_out_block=self.wait_out_block)

    @property
    def keeps_on(self) -> bool:
        """Whether to go on when all that was found is cancelled."""
        return self.lasting is not None or self.until_quiet is not None
