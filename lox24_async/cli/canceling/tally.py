"""What came of the bulks of a job so far: counted as it comes in, in flat memory."""

from decimal import Decimal

from attrs import define

from lox24_async import CancelOutcome, CancelState


@define(slots=False)
class Tally:
    """What was stopped, what was sent, and what is not cancelled."""

    messages: int = 0
    """Of the bulks that are cancelled, as far as LOX24 said."""
    cost: Decimal | None = None
    """Theirs; ``None``: LOX24 said none."""
    uncounted: int = 0
    """Cancelled bulks without a number of messages."""
    sent: int = 0
    """Bulks whose cancel went out."""

    def __attrs_post_init__(self) -> None:
        self._open: dict[str, CancelState] = {}

    def know(self, outcome: CancelOutcome) -> None:
        """Take what an earlier run knew."""
        if outcome.state is not CancelState.CANCELED:
            self._open[outcome.bulk_id] = outcome.state
        else:
            self._add(outcome)

    def take(self, outcome: CancelOutcome) -> CancelState | None:
        """Take an outcome; return the state in which the bulk was before, if it was in any."""
        before = self._open.pop(outcome.bulk_id, None)
        self.sent += before in (None, CancelState.NOT_SENT) and outcome.attempts > 0
        if outcome.state is not CancelState.CANCELED:
            self._open[outcome.bulk_id] = outcome.state
        else:
            self._add(outcome)
        return before

    def _add(self, outcome: CancelOutcome) -> None:
        bulk = outcome.bulk
        if bulk is None or bulk.msg_total_count is None:
            self.uncounted += 1
        else:
            self.messages += bulk.msg_total_count
        if bulk is not None and bulk.price is not None:
            self.cost = bulk.price + (self.cost or 0)

    def is_told(self, bulk_id: str, state: CancelState) -> bool:
        """Whether a bulk that is not cancelled was taken in this state."""
        return self._open.get(bulk_id) is state

    @property
    def not_cancelled(self) -> list[str]:
        """The bulks that are not cancelled, as far as they were taken."""
        return list(self._open)
