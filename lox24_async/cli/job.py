"""What was typed for ``lox24 cancel``, and what it means."""

import sys
from pathlib import Path

from attrs import frozen

from lox24_async import BulkFilter, BulkStatus, ConfigurationError, Lox24Client, RetryPolicy

from .filters import FilterWords, make_filter
from .ids import Ids, collect, from_arguments, from_file
from .options import DEFAULT_URL, CommandError, Output, read_token, shown, why

_PATIENT = RetryPolicy(max_wait=900.0, wait_out_block=True)


@frozen(kw_only=True)
class Job:
    """What was typed."""

    arguments: tuple[str, ...]
    file: str | None
    matching: bool
    everything: bool
    words: FilterWords
    dry_run: bool
    yes: bool
    wait: bool
    wait_out_block: bool
    output: Output
    base_url: str | None
    token_file: Path | None
    max_concurrency: int
    quiet: bool
    debug: bool

    @property
    def place(self) -> str:
        """The base URL."""
        return self.base_url or DEFAULT_URL

    @property
    def token_source(self) -> str:
        """Where the token comes from."""
        return "LOX24_AUTH_TOKEN" if self.token_file is None else shown(str(self.token_file))

    def wanted(self) -> BulkFilter | None:
        """Return the filter of ``--matching``; ``None``: bulks are named.

        Raises:
            CommandError: the options do not go together.
        """
        if not self.matching:
            if self.words.given or self.everything:
                raise CommandError("Filters and --all need --matching; nothing was sent.")
            return None
        if self.arguments or self.file is not None:
            raise CommandError("Name bulks by their ids or with --matching, not both.")
        if not (self.words.given or self.everything):
            raise CommandError(
                "--matching without a filter means every bulk of the account."
                " Name a filter, or add --all if you mean that."
            )
        if self.words.given and self.everything:
            raise CommandError("--all means no filter; leave out one of the two.")
        wanted = make_filter(self.words)
        stoppable = {BulkStatus.NEW, BulkStatus.IN_PROGRESS}
        if wanted.status_codes and not stoppable & {*wanted.status_codes}:
            raise CommandError("--status: only bulks that are new or in-progress can be stopped.")
        return wanted

    def connect(self) -> Lox24Client:
        """Make a client.

        Raises:
            CommandError: a setting cannot work.
        """
        try:
            return Lox24Client(
                read_token(self.token_file),
                base_url=self.place,
                max_concurrency=self.max_concurrency,
                retry=_PATIENT if self.wait_out_block else RetryPolicy(),
            )
        except ConfigurationError as error:
            hint = "Check LOX24_BASE_URL or --base-url"
            if "URL" not in error.message:
                hint = "Check LOX24_AUTH_TOKEN or --token-file"
            message = error.message[0].upper() + error.message[1:]
            raise CommandError(f"{message}. {hint}; nothing was sent.") from error

    def read_ids(self) -> Ids:
        """Return the ids that are named.

        Raises:
            CommandError: there is none, or the file cannot be read.
        """
        entries = list(from_arguments(self.arguments))
        if self.file == "-":
            if sys.stdin.isatty():
                print("Reading ids from the keyboard, one a line; Ctrl-D ends.", file=sys.stderr)
            entries += from_file(sys.stdin.buffer.read(), "stdin")
        elif self.file is not None:
            path = Path(self.file)
            try:
                entries += from_file(path.read_bytes(), shown(path.name)[1:-1])
            except OSError as error:
                raise CommandError(f"{shown(self.file)} cannot be read: {why(error)}.") from None
        if not entries:
            if self.file is None:
                raise CommandError(
                    "Which bulks? Name their ids: lox24 cancel ID…, or --file FILE;"
                    " or what they have in common: --matching."
                )
            raise CommandError("There is no id in the input; nothing was cancelled.")
        return collect(entries)
