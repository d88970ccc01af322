"""What the command line says about an answer that was not LOX24's."""

from lox24_async import (
    AuthenticationError,
    IntermediaryError,
    IPBlockedError,
    NotFoundError,
    Pause,
)
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.telling.sentences import code_of, explain, explain_pause, reason

URL = "https://api.lox24.eu"
FOREIGN = IntermediaryError(
    "an intermediary (nginx) answered in LOX24's stead: 404 Not Found", status=404, attempts=3
)


def test_case_54_no_such_bulk_only_if_lox24_said_so() -> None:
    """An ingress's 404 is no word about the bulk, and LOX24 was not reached."""
    said = explain(FOREIGN, URL, "LOX24_AUTH_TOKEN")
    assert "no such bulk" not in said
    assert "an intermediary (nginx) answered in LOX24's stead: 404 Not Found" in said
    assert ExitCode.UNREACHABLE is code_of(FOREIGN)
    assert "knows no such bulk" in reason(NotFoundError("Not Found", status=404, attempts=1))


def test_case_54_who_most_likely_refused() -> None:
    """A 401 or 429 that has not LOX24's form is not told as LOX24's; the exit code stays."""
    for error in (AuthenticationError("no", status=401), IPBlockedError("no", status=429)):
        code = code_of(error)
        assert "LOX24 " in reason(error)
        error.intermediary = True
        assert reason(error).startswith(
            f"refused with HTTP {error.status}, most likely by an inter"
        )
        assert reason(error)[1:] in explain(error, URL, "LOX24_AUTH_TOKEN")
        assert code is code_of(error)


def test_case_54_a_countdown_says_who_is_waited_for() -> None:
    """While an intermediary answers, the pause is told as such."""
    said = explain_pause(Pause(61.0, FOREIGN))
    assert said == "An intermediary answers in LOX24's stead (HTTP 404): next try in 1:01"
