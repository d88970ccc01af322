"""What a run came to: its exit code, and the sentences that say so. Pure functions."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import frozen

from lox24_async import (
    APIStatusError,
    BadRequestError,
    BulkStatus,
    CancelOutcome,
    CancelState,
    ConflictError,
    InvalidBulkIdError,
    IPBlockedError,
    Lox24Error,
    TransportError,
    UnprocessableError,
)

from .failures import CAUSES, plight, remedy
from .options import ExitCode

LABELS: Final = {
    CancelState.CANCELED: "cancelled",
    CancelState.ACCEPTED: "accepted",
    CancelState.TOO_LATE: "too late",
    CancelState.NOT_FOUND: "not found",
    CancelState.REJECTED: "rejected",
    CancelState.NOT_SENT: "not sent",
    CancelState.UNKNOWN: "unknown",
}
"""How people read a state."""

_MEANINGS: Final = {
    CancelState.CANCELED: "stopped",
    CancelState.ACCEPTED: "LOX24 said yes, but does not show it as cancelled yet",
    CancelState.NOT_FOUND: "LOX24 knows no such bulk in this account",
    CancelState.NOT_SENT: "no cancel left this machine",
    CancelState.UNKNOWN: "a cancel left, its answer is missing: may be cancelled or not",
}
_ENDS: Final[dict[int, str]] = {
    BulkStatus.PROCESSED: "already sent",
    BulkStatus.SYSTEM_ERROR: "ended by an error at LOX24",
    BulkStatus.NO_RECIPIENTS: "ended without recipients",
}
ONE_REASON: Final = frozenset(CAUSES) | {ExitCode.INTERRUPTED}
"""The ends that have one reason for all bulks."""
_ANSWERED: Final = (
    CancelState.CANCELED,
    CancelState.ACCEPTED,
    CancelState.TOO_LATE,
    CancelState.NOT_FOUND,
)
_ABOUT_THE_BULK: Final = (
    BadRequestError,
    ConflictError,
    UnprocessableError,
    InvalidBulkIdError,
)


@frozen
class Run:
    """A run that has come to its end."""

    outcomes: Sequence[CancelOutcome]
    bad_lines: int = 0
    interrupted: bool = False

    @property
    def total(self) -> int:
        """How many ids and bad lines there were."""
        return len(self.outcomes) + self.bad_lines

    @property
    def canceled(self) -> int:
        """How many bulks are cancelled."""
        return sum(o.state is CancelState.CANCELED for o in self.outcomes)


def is_unfinished(outcome: CancelOutcome) -> bool:
    """Whether trying again may help: nobody has judged the bulk itself yet."""
    if outcome.state is CancelState.REJECTED:  # by a blocked IP, say
        return not isinstance(outcome.error, _ABOUT_THE_BULK)
    return outcome.state in (CancelState.UNKNOWN, CancelState.NOT_SENT)


def is_unreachable(outcome: CancelOutcome) -> bool:
    """Whether the outcome says that LOX24 cannot be reached."""
    return isinstance(outcome.error, CAUSES[ExitCode.UNREACHABLE])


def is_answered(outcome: CancelOutcome) -> bool:
    """Whether LOX24 answered, and about the bulk."""
    return outcome.state in _ANSWERED or isinstance(outcome.error, _ABOUT_THE_BULK)


def exit_code(run: Run) -> ExitCode:
    """Judge a run: what ended it counts before what came of single bulks."""
    if run.interrupted:
        return ExitCode.INTERRUPTED
    if run.canceled == run.total:
        return ExitCode.DONE
    return next((code for code in CAUSES if _causes(run, code)), ExitCode.NOT_ALL)


def _causes(run: Run, code: ExitCode) -> list[Lox24Error]:
    """Return the errors that make this the run's exit code; those of the server first.

    One odd answer amid good ones is the matter of its bulk. It is the run's if others were
    held back because of it, or if nothing else came.
    """
    silent = not any(is_answered(o) for o in run.outcomes)
    errors = [
        o.error
        for o in run.outcomes
        if isinstance(o.error, CAUSES[code]) and (silent or o.state is CancelState.NOT_SENT)
    ]
    return sorted(errors, key=lambda error: not error.attempts)


# --- in words


def meaning(state: CancelState, outcomes: Iterable[CancelOutcome]) -> str:
    """Say what a state means, or why these outcomes are in it."""
    if state in (CancelState.TOO_LATE, CancelState.REJECTED, CancelState.NOT_SENT):
        reasons = Counter(reason(o) for o in outcomes).most_common()
        if len(reasons) == 1:
            return reasons[0][0]
        told = [f"{count:,} {said}" for said, count in reasons[:3]]
        return ", ".join(told) + (" and others" if len(reasons) > 3 else "")
    return _MEANINGS[state]


def reason(outcome: CancelOutcome) -> str:
    """Say in a few words why a bulk is in its state."""
    error = outcome.error
    if outcome.state is CancelState.TOO_LATE and outcome.bulk is not None:
        status = outcome.bulk.status_code
        return _ENDS.get(status, f"in status {status}")
    if isinstance(error, InvalidBulkIdError):
        return "no bulk id"
    if isinstance(error, CAUSES[ExitCode.REFUSED]):
        return "the token is refused"
    if isinstance(error, IPBlockedError):
        return "this IP is blocked or limited"
    if isinstance(error, APIStatusError) and outcome.state is not CancelState.NOT_FOUND:
        return f"HTTP {error.status}: {error.message}"
    if isinstance(error, TransportError):
        return error.message
    return _MEANINGS.get(outcome.state, "no answer about the bulk")


def sentences(run: Run, base_url: str, token_source: str) -> list[str]:
    """Say how the run ended, and what to do next."""
    code = exit_code(run)
    if code is ExitCode.DONE:
        return ["The bulk is cancelled." if run.total == 1 else f"All {run.total:,} are cancelled."]
    if code is ExitCode.INTERRUPTED:
        left = Counter(o.state for o in run.outcomes if is_unfinished(o))
        accepted = sum(o.state is CancelState.ACCEPTED for o in run.outcomes)
        told = [f"{len(run.outcomes) - left.total() - accepted:,} done"]
        told += [f"{accepted:,} accepted"] if accepted else []
        states = (CancelState.UNKNOWN, CancelState.NOT_SENT)
        told += [f"{left[state]:,} {LABELS[state]}" for state in states]
        if turned_away := left[CancelState.REJECTED]:
            told.append(f"{turned_away:,} rejected")
        return [f"Interrupted: {', '.join(told)}."]
    others = Counter(o.state for o in run.outcomes if o.state is not CancelState.CANCELED)
    told = [f"{count:,} {LABELS[state]}" for state, count in others.most_common()]
    told += [f"{run.bad_lines:,} no bulk id"] if run.bad_lines else []
    return [
        f"{run.total - run.canceled:,} of {run.total:,} NOT cancelled: {', '.join(told)}.",
        *_why_not(run, code, base_url, token_source),
    ]


def _why_not(run: Run, code: ExitCode, base_url: str, token_source: str) -> Iterator[str]:
    if code in CAUSES:
        cause = _causes(run, code)[0]
        refused = code is ExitCode.REFUSED
        yield plight(cause, base_url) + ("; after that nothing more was sent." if refused else ".")
        step = remedy(cause, token_source)
        yield step + ("." if refused else "; cancelling twice does no harm.")
    elif any(is_unfinished(o) for o in run.outcomes):
        yield "Run the same line again: cancelling twice does no harm."
    elif any(o.state is CancelState.ACCEPTED for o in run.outcomes):
        yield "Run the same line again in a minute, to see whether they are by then."
