"""One call: from its place before the guard to its end."""

from collections.abc import Callable
from math import inf

from lox24_async._guard.gates import Ticket
from lox24_async.errors import ConnectionFailedError, IPBlockedError, Lox24Error


class Call(Ticket):
    """What a call knows of itself. A look that follows a cancel is a call of its own.

    Args:
        bulk_id: The bulk concerned; empty if it is none.
        deadline: When its time is over, in the loop's time.
        waited: Seconds spent in backoffs and shared pauses.
        name: What the logs call it, if it is about no bulk.
        doubt: What may have happened when its fate is unknown.
        repeatable: Whether it may go out again after it may have been carried out.
        gives_way: Whether all others go first when slots are short.
    """

    # A plain class: each of thousands of ids has one, and an attrs class costs more to make.
    __slots__ = (
        "bulk_id",
        "deadline",
        "doubt",
        "fate_unknown",
        "gives_way",
        "in_flight",
        "is_look",
        "last",
        "name",
        "repeatable",
        "sent",
        "set_aside",
        "since",
        "waited",
    )

    def __init__(
        self,
        bulk_id: str,
        deadline: float | None = None,
        *,
        waited: float = 0.0,
        name: str | None = None,
        doubt: str | None = None,
        repeatable: bool = True,
        gives_way: bool = False,
    ) -> None:
        super().__init__()
        self.bulk_id = bulk_id
        self.deadline = deadline
        self.waited = waited
        self.name = name
        self.doubt = doubt
        self.repeatable = repeatable
        self.is_look = False
        """Whether it only finds out what another call led to: then it waits for no place."""
        self.gives_way = gives_way
        self.since: float | None = None
        """When the batch began that it belongs to, in the loop's time; ``None``: to none."""
        self.set_aside: Callable[[], bool] | None = None
        """Lets its batch take up another id meanwhile; ``None``: it has, or there is no batch."""
        self.sent = 0
        """Requests that went out on the wire and came to an end."""
        self.in_flight = False
        """Whether a request is on its way; stays so when the call is cancelled meanwhile."""
        self.fate_unknown = False
        """Whether a request may have been carried out without our knowing."""
        self.last: Lox24Error | None = None
        """The error of the last attempt, while the call goes on."""

    def __str__(self) -> str:
        return f"bulk {self.bulk_id}" if self.name is None else self.name

    def limit(self, now: float, max_wait: float | None, down_since: float) -> float:
        """Return until when this call may wait.

        Args:
            now: In the loop's time.
            max_wait: Seconds of the policy; ``None``: this wait does not count.
            down_since: When the trouble began that holds all calls up; ``inf``: none does.
        """
        if max_wait is None:
            patience = inf
        elif self.since is None:
            patience = now + max_wait - self.waited
        else:  # an outage costs a batch so much once, and not each of its ids
            patience = max(self.since, min(down_since, now)) + max_wait
        return patience if self.deadline is None else min(patience, self.deadline)

    def make_room(self) -> None:
        """Let the batch take up another id meanwhile, once."""
        if self.set_aside is not None and self.set_aside():
            self.set_aside = None

    def allows_repeat(self, error: Lox24Error) -> bool:
        """Whether an attempt that ended so may be followed by another, for all we risk."""
        return self.repeatable or isinstance(error, ConnectionFailedError | IPBlockedError)

    def stamp(self, error: Lox24Error) -> Lox24Error:
        """Write into an error what this call knows."""
        error.bulk_id = self.bulk_id or None
        error.attempts = self.sent
        error.outcome_unknown = self.fate_unknown
        if self.doubt is not None:
            error.doubt = self.doubt
        return error
