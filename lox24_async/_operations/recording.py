"""How a run gets into its journal."""

from collections.abc import Mapping, Sequence

from lox24_async._transport.engine import Engine
from lox24_async.filters import BulkFilter
from lox24_async.journal import CancelJournal, RunRecord, begin_run
from lox24_async.report import CancelOutcome, CancelState


class Record:
    """What the batches of one run write into its journal.

    Args:
        journal: The journal.
        engine: Tells whom the run talks to, and as whom.
        width: How many bulks may be in flight.
        wanted: The filter, if the run looks for bulks.
    """

    def __init__(
        self,
        journal: CancelJournal,
        engine: Engine,
        width: int,
        wanted: BulkFilter | None = None,
    ) -> None:
        self._journal = journal
        self._engine = engine
        self._width = width
        self._wanted = wanted
        self._run: RunRecord | None = None

    def begin(self, planned: Sequence[str] | None) -> bool:
        """Begin the run, unless it has begun.

        Returns:
            Whether it begins now: then whoever called must :meth:`end` it.

        Raises:
            JournalError: the file cannot be opened, or another run writes to it.
        """
        if self._run is not None:
            return False
        self._run = begin_run(
            self._journal,
            origin=self._engine.origin,
            client_id=self._engine.client_id,
            width=self._width,
            planned=planned,
            wanted=self._wanted,
        )
        return True

    def announce(self, bulk_id: str) -> int:
        """Write that a bulk's cancel is about to go out.

        Returns:
            What to wait for with :meth:`synced`; 0: nothing.
        """
        return 0 if self._run is None else self._run.announce(bulk_id)

    async def synced(self, count: int) -> None:
        """Wait until what :meth:`announce` wrote is on the disk."""
        if self._run is not None:
            await self._run.synced(count)

    def skip(self, bulk_id: str) -> None:
        """Leave out a bulk that is not even tried."""
        if self._run is not None:
            self._run.skip(bulk_id)

    def note(self, outcome: CancelOutcome) -> None:
        """Write what became of a bulk."""
        if self._run is not None:
            self._run.note(outcome)

    def end(self, *, interrupted: bool, counts: Mapping[CancelState, int] | None = None) -> None:
        """End the run; see ``RunRecord.end``."""
        run, self._run = self._run, None
        if run is not None:
            run.end(interrupted=interrupted, counts=counts)
