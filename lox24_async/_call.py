"""One call of the user, from its start to its end."""

from attrs import define, field

from .errors import Lox24Error


@define(eq=False)
class Call:
    """What a call knows of itself. A look that follows a cancel is a call of its own."""

    bulk_id: str
    deadline: float | None = None
    """When its time is over, in the loop's time."""
    waited: float = 0.0
    """Seconds spent in backoffs and shared pauses."""
    sent: int = 0
    """Requests that went out on the wire and came to an end."""
    in_flight: bool = False
    """Whether a request is on its way; stays so when the call is cancelled meanwhile."""
    fate_unknown: bool = False
    """Whether a request may have been carried out without our knowing."""
    last: Lox24Error | None = field(default=None, repr=False)
    """The error of the last attempt, while the call goes on."""

    def limit(self, now: float, max_wait: float | None) -> float:
        """Until when this call may wait."""
        patience = float("inf") if max_wait is None else now + max_wait - self.waited
        return patience if self.deadline is None else min(patience, self.deadline)

    def stamp(self, error: Lox24Error) -> Lox24Error:
        """Write into an error what this call knows."""
        error.bulk_id = self.bulk_id
        error.attempts = self.sent
        error.outcome_unknown = self.fate_unknown
        return error
