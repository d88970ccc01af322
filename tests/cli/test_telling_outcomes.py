"""What the command line makes of a run: exit codes, sentences, counts. Pure, but for a clock."""

import io
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from lox24_async import (
    AccountNotActivatedError,
    AuthenticationError,
    Bulk,
    BulkStatus,
    CancelOutcome,
    CancelState,
    ClientClosedError,
    ConnectionFailedError,
    IPBlockedError,
    Lox24Error,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    UnprocessableError,
)
from lox24_async.cli.exits import CANCEL_CODES, EXIT_CODES, ExitCode
from lox24_async.cli.telling.outcomes import Run, is_unfinished, sentences
from lox24_async.cli.telling.progress import Progress, ProgressDisplay
from lox24_async.cli.telling.tables import make_console
from lox24_async.cli.text import mask

ID = "da0fa78c-4699-11ea-a637-96000028b339"
S = CancelState


def out(state: CancelState, error: Lox24Error | None = None, attempts: int = 1) -> CancelOutcome:
    """Make an outcome; its error gets the outcome's attempts."""
    if error is not None:
        error.attempts = attempts
    return CancelOutcome(ID, state, error=error, attempts=attempts)


def refused(attempts: int = 1) -> CancelOutcome:
    """Make the outcome of a refused token: the server's, or (0 attempts) the guard's."""
    error = AuthenticationError("no", status=401, request_id="r1" if attempts else None)
    return out(S.REJECTED if attempts else S.NOT_SENT, error, attempts)


def blocked(attempts: int = 1) -> CancelOutcome:
    """Make the outcome of a blocked IP."""
    end = datetime.now(UTC) + timedelta(minutes=9, seconds=30)
    error = IPBlockedError("no", status=429, retry_after=570.0, blocked_until=end)
    return out(S.REJECTED if attempts else S.NOT_SENT, error, attempts)


def down(attempts: int = 0) -> CancelOutcome:
    """Make the outcome of a host that does not answer."""
    if attempts:
        return out(S.UNKNOWN, ServerError("no", status=503), attempts)
    return out(S.NOT_SENT, ConnectionFailedError("no connection: refused"), 0)


GOOD = out(S.CANCELED)
LATE = out(S.TOO_LATE)
NONE = out(S.NOT_FOUND, NotFoundError("no", status=404))


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (Run([GOOD]), 0),
        (Run([GOOD, GOOD]), 0),
        (Run([GOOD], bad_lines=1), 1),
        (Run([], bad_lines=1), 1),
        (Run([GOOD, out(S.ACCEPTED)]), 1),
        (Run([GOOD, LATE]), 1),
        (Run([NONE]), 1),
        (Run([out(S.UNKNOWN)]), 1),
        (Run([out(S.REJECTED, UnprocessableError("no", status=422))]), 1),
        (Run([refused()]), 3),
        (Run([refused(), refused(0)]), 3),
        (Run([out(S.REJECTED, AccountNotActivatedError("no", status=403))]), 3),
        (Run([GOOD, refused(), refused(0)]), 3),
        (Run([GOOD, refused(), GOOD]), 1),  # one odd 401 amid good answers: case 4
        (Run([blocked()]), 4),
        (Run([GOOD, blocked(0)]), 4),
        (Run([refused(), blocked(0)]), 3),
        (Run([down()]), 5),
        (Run([down(3)]), 5),
        (Run([out(S.UNKNOWN, RequestTimeoutError("no"))]), 5),
        (Run([GOOD, down()]), 5),
        (Run([GOOD, down(3)]), 1),
        (Run([GOOD, out(S.UNKNOWN, TransportError("lost"))]), 1),
        (Run([down(), out(S.NOT_SENT, ClientClosedError("closed"), 0)]), 5),
        (Run([GOOD], interrupted=True), 130),
        (Run([refused()], interrupted=True), 130),
    ],
)
def test_the_exit_code_says_how_the_run_ended(run: Run, code: int) -> None:
    """0 only if all is cancelled; 3, 4 and 5 only if that is what ended the run."""
    assert code == run.exit_code


def test_all_exit_codes_are_documented() -> None:
    """The help lists each code."""
    for codes in (EXIT_CODES, CANCEL_CODES):
        documented = [int(line.split()[0]) for line in codes.splitlines()[1:]]
        assert [code.value for code in ExitCode] == documented


@pytest.mark.parametrize(
    ("outcome", "unfinished"),
    [
        (GOOD, False),
        (LATE, False),
        (NONE, False),
        (out(S.ACCEPTED), False),
        (out(S.UNKNOWN), True),
        (out(S.NOT_SENT), True),
        (refused(), True),
        (blocked(), True),
        (out(S.REJECTED), True),
        (out(S.REJECTED, UnprocessableError("no", status=422)), False),
    ],
)
def test_unfinished_is_what_nobody_has_judged(outcome: CancelOutcome, unfinished: bool) -> None:
    """The resume file takes what trying again may help, and nothing that has its verdict."""
    assert unfinished == is_unfinished(outcome)


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (Run([GOOD]), ["The bulk is cancelled."]),
        (Run([GOOD, GOOD]), ["All 2 are cancelled."]),
        (Run([GOOD, LATE], bad_lines=2), ["3 of 4 NOT cancelled: 1 too late, 2 no bulk id."]),
        (
            Run([GOOD, out(S.UNKNOWN)]),
            [
                "1 of 2 NOT cancelled: 1 unknown.",
                "Run the same line again: cancelling twice does no harm.",
            ],
        ),
        (
            Run([out(S.ACCEPTED)]),
            [
                "1 of 1 NOT cancelled: 1 accepted.",
                "Run the same line again in a minute, to see whether they are by then.",
            ],
        ),
        (
            Run([refused(0), refused()]),
            [
                "2 of 2 NOT cancelled: 1 not sent, 1 rejected.",
                (
                    "LOX24 refused the token (HTTP 401, request id r1);"
                    " after that nothing more was sent."
                ),
                (
                    "Check THE FILE, and wait a minute before you try again: more than three wrong"
                    " tries within a minute block this IP for ten."
                ),
            ],
        ),
        (
            Run([down()]),
            [
                "1 of 1 NOT cancelled: 1 not sent.",
                "LOX24 at https://x cannot be reached: no connection: refused.",
                (
                    "Check the network and the base URL, then run the same line again;"
                    " cancelling twice does no harm."
                ),
            ],
        ),
        (
            Run([GOOD, out(S.UNKNOWN), out(S.NOT_SENT), blocked()], interrupted=True),
            ["Interrupted: 1 done, 1 unknown, 1 not sent, 1 rejected."],
        ),
        (
            Run([GOOD, out(S.ACCEPTED), out(S.ACCEPTED)], interrupted=True),
            ["Interrupted: 1 done, 2 accepted, 0 unknown, 0 not sent."],
        ),
    ],
)
def test_the_end_is_told_in_plain_sentences(run: Run, told: list[str]) -> None:
    """What happened, and what to do next."""
    assert told == sentences(run, "https://x", "THE FILE")


def test_a_block_is_told_with_its_end() -> None:
    """The person on call must know how long to wait."""
    said = sentences(Run([blocked()]), "https://x", "")[1]
    assert said.startswith("LOX24 blocks or limits this IP (HTTP 429) until about ")
    assert said.endswith(" (in 9 min).")


def test_too_late_is_told_with_its_reasons() -> None:
    """The reasons are counted, the most frequent first."""
    statuses = [BulkStatus.SYSTEM_ERROR, BulkStatus.PROCESSED, BulkStatus.PROCESSED, 77]
    outcomes = [
        CancelOutcome(ID, S.TOO_LATE, Bulk(uuid=UUID(ID), status_code=status))
        for status in statuses
    ]
    told = "2 already sent, 1 ended by an error at LOX24, 1 in status 77"
    assert told == Run(outcomes).summary(S.TOO_LATE)
    assert Run(outcomes[1:3]).summary(S.TOO_LATE) == "already sent"


# --- the progress


class Clock:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left_follow_the_last_seconds() -> None:
    """After a pause the time left is told from what happens now, not from long ago."""
    clock = Clock()
    progress = Progress(10_000, clock)
    display = ProgressDisplay(make_console(io.StringIO()), progress)
    assert display._line() == "cancelling: 0 of 10,000, 0/s, --:-- left"
    for _ in range(5):
        clock.now += 1
        for _ in range(500):
            progress.count(GOOD)
        line = display._line()
    assert line == "cancelling: 2,500 of 10,000, 500/s, 00:15 left (2,500 cancelled)"
    clock.now += 5
    progress.count(GOOD)
    assert re.fullmatch(r".*, \d\d\d/s, 00:\d\d left \(.*\)", display._line())
    for _ in range(11):
        clock.now += 1
        line = display._line()
    assert line == "cancelling: 2,501 of 10,000, 0/s, --:-- left (2,501 cancelled)"


def test_a_second_look_moves_a_bulk_from_state_to_state() -> None:
    """What was settled later is counted where it belongs, and once."""
    progress = Progress(2)
    progress.count(out(S.ACCEPTED))
    progress.count(GOOD)
    progress.move(S.ACCEPTED, S.CANCELED)
    assert {S.CANCELED: 2, S.ACCEPTED: 0} == progress.counts
    assert progress.done == 2


def test_a_note_stands_until_something_comes_in() -> None:
    """A reason for waiting is not shown beside a run that goes on."""
    progress = Progress(2)
    progress.say("waiting")
    assert progress.note == "waiting"
    progress.count(GOOD)
    assert progress.note == ""


def test_a_run_without_any_answer_is_in_vain() -> None:
    """Ten ids without an answer end a run to a host that is not there; one answer saves it."""
    progress, other = Progress(100), Progress(100)
    other.count(LATE)
    for _ in range(9):
        progress.count(down())
        other.count(down())
    assert not progress.in_vain.is_set()
    progress.count(down())
    other.count(down())
    assert progress.in_vain.is_set()
    assert not other.in_vain.is_set()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("token 1234567:e3f3a759b6677959", "token ***"),
        ("'1234567:abcd'", "'***'"),
        ("http://127.0.0.1:41265/bulks", "http://127.0.0.1:41265/bulks"),
        ("at 12:30:11, line 3: no", "at 12:30:11, line 3: no"),
        (f"bulk {ID}: HTTP 503", f"bulk {ID}: HTTP 503"),
        ("?sender_id=1234567%3Ae3f3a759&page=2: 200", "?sender_id=***: 200"),
        (
            "?created_at[after]=2026-03-01T08%3A00%3A00Z",
            "?created_at[after]=2026-03-01T08%3A00%3A00Z",
        ),
        ("the secret itself", "the *** itself"),
    ],
)
def test_case_32_what_looks_like_a_token_is_blotted_out(
    text: str, masked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's token and anything of a token's form; addresses and times stay."""
    monkeypatch.setenv("LOX24_AUTH_TOKEN", "secret")
    assert masked == mask(text)
