"""What became of many ids, in words: the end of a run of ``cancel`` or ``delete``."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

import lox24_async as lox
from lox24_async._printable import printable
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.reading.files import Entry

from .sentences import CAUSES, cause, explain, reason, remedy
from .tables import say_some

State: Final = lox.CancelState
_STATES: Final = {  # how people read a state, its colour, and what it means; from good to bad
    State.CANCELED: ("cancelled", "green", "stopped"),
    State.ACCEPTED: ("accepted", "cyan", "LOX24 said yes, but does not show it as cancelled yet"),
    State.TOO_LATE: ("too late", "yellow", ""),
    State.NOT_FOUND: ("not found", "yellow", "LOX24 knows no such bulk in this account"),
    State.REJECTED: ("rejected", "red", ""),
    State.NOT_SENT: ("not sent", "red", "no {verb} left this machine"),
    State.UNKNOWN: (
        *("unknown", "bold red"),
        "a {verb} left, its answer is missing: may be {done} or not",
    ),
}
_ENDS: Final[Mapping[int, str]] = {
    lox.BulkStatus.PROCESSED: "already sent",
    lox.BulkStatus.SYSTEM_ERROR: "ended by an error at LOX24",
    lox.BulkStatus.NO_RECIPIENTS: "ended without recipients",
}
_ABOUT_THE_BULK: Final = (
    *(lox.BadRequestError, lox.ConflictError),
    *(lox.UnprocessableError, lox.InvalidBulkIdError),
)
_ANSWERED: Final = (State.CANCELED, State.ACCEPTED, State.TOO_LATE, State.NOT_FOUND)


def label_of(state: lox.CancelState) -> Text:
    """Return a state as people read it, with its colour."""
    label, colour, _ = _STATES[state]
    return Text(label, style=colour)


def is_unfinished(outcome: lox.CancelOutcome) -> bool:
    """Whether trying again may help: nobody has judged the bulk itself yet."""
    if outcome.state is State.REJECTED:  # by a blocked IP, say
        return not isinstance(outcome.error, _ABOUT_THE_BULK)
    return outcome.state in (State.UNKNOWN, State.NOT_SENT)


def is_unreachable(outcome: lox.CancelOutcome) -> bool:
    """Whether the outcome says that LOX24 cannot be reached."""
    return isinstance(outcome.error, CAUSES[ExitCode.UNREACHABLE])


def _is_answered(outcome: lox.CancelOutcome) -> bool:
    """Whether LOX24 answered, and about the bulk."""
    return outcome.state in _ANSWERED or isinstance(outcome.error, _ABOUT_THE_BULK)


# --- a run


@frozen
class Run:
    """A run of cancels, or of deletes, that has come to its end.

    A delete has the states of a cancel, and CANCELED for what is done.
    """

    outcomes: Sequence[lox.CancelOutcome]
    bad_lines: int = 0
    interrupted: bool = False
    verb: str = "cancel"
    done: str = "cancelled"
    canceled: int = 0
    """How many are cancelled beside those in ``outcomes``."""

    @property
    def total(self) -> int:
        """How many ids and bad lines there were."""
        return len(self.outcomes) + self.canceled + self.bad_lines

    @property
    def left(self) -> int:
        """How many are not cancelled, or deleted."""
        return self.total - self.counts[State.CANCELED]

    @property
    def counts(self) -> Counter[lox.CancelState]:
        """How many are in each state."""
        counts = Counter(outcome.state for outcome in self.outcomes)
        counts[State.CANCELED] += self.canceled
        return counts

    @property
    def exit_code(self) -> ExitCode:
        """What ended the run counts before what came of single bulks."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if not self.left:
            return ExitCode.DONE
        return next((code for code in CAUSES if self.causes(code)), ExitCode.NOT_ALL)

    def causes(self, code: ExitCode) -> list[lox.Lox24Error]:
        """Return the errors that make this the run's exit code; those of the server first.

        One odd answer amid good ones is the matter of its bulk. It is the run's if others were
        held back because of it, or if nothing else came.
        """
        silent = not self.canceled and not any(map(_is_answered, self.outcomes))
        errors = [
            o.error
            for o in self.outcomes
            if isinstance(o.error, CAUSES[code]) and (silent or o.state is State.NOT_SENT)
        ]
        return sorted(errors, key=lambda error: not error.attempts)

    def why(self, outcome: lox.CancelOutcome) -> str:
        """Say in a few words why a bulk is in its state."""
        error = outcome.error
        if outcome.state is State.TOO_LATE and outcome.bulk is not None:
            status = outcome.bulk.status_code
            return _ENDS.get(status, f"in status {status}")
        if isinstance(error, lox.APIStatusError | lox.TransportError | lox.InvalidBulkIdError):
            return reason(error)
        return self.meaning(outcome.state) or "no answer about the bulk"

    def meaning(self, state: lox.CancelState) -> str:
        """Say what a state means."""
        return _STATES[state][2].format(verb=self.verb, done=self.done)

    def summary(self, state: lox.CancelState) -> str:
        """Say what a state means, or why these bulks are in it: the commonest reasons first."""
        if state not in (State.TOO_LATE, State.REJECTED, State.NOT_SENT):
            return self.meaning(state)
        reasons = Counter(self.why(o) for o in self.outcomes if o.state is state).most_common()
        if len(reasons) == 1:
            return reasons[0][0]
        told = [f"{count:,} {said}" for said, count in reasons[:3]]
        return ", ".join(told) + (" and others" if len(reasons) > 3 else "")


def sentences(run: Run, base_url: str, token_source: str) -> list[str]:
    """Say how the run ended, and what to do next."""
    code, cancels = run.exit_code, run.verb == "cancel"
    if code is ExitCode.DONE:
        one = f"The bulk is {run.done}."
        return [one if run.total == 1 else f"All {run.total:,} are {run.done}."]
    if run.interrupted and cancels:
        return [_interrupted(run)]
    others = Counter(o.state for o in run.outcomes if o.state is not State.CANCELED)
    told = [f"{count:,} {label_of(state)}" for state, count in others.most_common()]
    told += [f"{run.bad_lines:,} no bulk id"] if run.bad_lines else []
    said = f"{run.left:,} of {run.total:,} NOT {run.done}: {', '.join(told)}."
    if run.interrupted:
        return [f"Interrupted: {said}"]
    if code in CAUSES and not cancels:
        return [said, explain(run.causes(code)[0], base_url, token_source)]
    return [said, *(_why_not_cancelled(run, code, base_url, token_source) if cancels else ())]


def _interrupted(run: Run) -> str:
    left = Counter(o.state for o in run.outcomes if is_unfinished(o))
    accepted = sum(o.state is State.ACCEPTED for o in run.outcomes)
    told = [f"{len(run.outcomes) + run.canceled - left.total() - accepted:,} done"]
    told += [f"{accepted:,} accepted"] if accepted else []
    states = (State.UNKNOWN, State.NOT_SENT)
    told += [f"{left[state]:,} {label_of(state)}" for state in states]
    if turned_away := left[lox.CancelState.REJECTED]:
        told.append(f"{turned_away:,} rejected")
    return f"Interrupted: {', '.join(told)}."


def _why_not_cancelled(run: Run, code: ExitCode, base_url: str, token_source: str) -> Iterator[str]:
    if code in CAUSES:
        error = run.causes(code)[0]
        refused = code is ExitCode.REFUSED
        yield cause(error, base_url) + ("; after that nothing more was sent." if refused else ".")
        step = remedy(error, token_source)
        yield step + ("." if refused else "; cancelling twice does no harm.")
    elif any(map(is_unfinished, run.outcomes)):
        yield "Run the same line again: cancelling twice does no harm."
    elif any(o.state is State.ACCEPTED for o in run.outcomes):
        yield "Run the same line again in a minute, to see whether they are by then."


# --- on the console


def closing_table(run: Run, seconds: float, sent: tuple[int, float] | None = None) -> Table:
    """Return the closing table: how many bulks are in each state, and what that means.

    Args:
        run: The run.
        seconds: How long it took.
        sent: Of how many something was sent, and in how many seconds: that is the rate;
            ``None``: all, all the time.
    """
    grid = Table(box=None, show_header=False, padding=(0, 1), pad_edge=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    counts = run.counts
    for state in _STATES:
        if counts[state]:
            grid.add_row(f"{counts[state]:,}", label_of(state), run.summary(state))
    if run.bad_lines:
        grid.add_row(f"{run.bad_lines:,}", Text("no bulk id", style="red"), "named above")
    count, span = (run.total, seconds) if sent is None else sent
    rate = f", {count / span:,.0f} sent a second" if count >= span >= 1 else ""
    grid.add_row(f"{run.total:,}", "in all", f"in {seconds:.1f} s{rate}", style="bold")
    return grid


def say_others(console: Console, run: Run) -> None:
    """Name the bulks that are not cancelled or deleted, those first that may still be sending."""
    states = [state for state in reversed(_STATES) if state is not State.CANCELED]
    lines: list[Text] = []
    for outcome in (o for state in states for o in run.outcomes if o.state is state):
        line = Text.assemble(
            printable(outcome.bulk_id), "  ", label_of(outcome.state), ": ", run.why(outcome)
        )
        error = outcome.error
        if isinstance(error, lox.APIStatusError) and error.request_id and is_unfinished(outcome):
            line.append(f" (request id {error.request_id})")
        lines.append(line)
    say_some(console, lines, f" that are not {run.done}; --output csv names each.")


def as_word(text: str) -> str:
    """Return a text as one types it in a shell."""
    return shlex.quote(text)


def say_bad_lines(console: Console, bad: Sequence[Entry]) -> None:
    """Name the lines that held no id."""
    lines = [f"{entry.where}: {entry.problem}" for entry in bad]
    say_some(console, lines, " lines that hold no bulk id.", "yellow")
