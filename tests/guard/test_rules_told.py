"""The table of the guard's rules in the manual says what the rules do, and the machine plays it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lox24_async import (
    ConnectionFailedError,
    Lox24Error,
    RequestTimeoutError,
    ResponseDecodeError,
    TransportError,
)
from lox24_async._guard import rules
from lox24_async._guard.record import Record
from lox24_async.errors import APIStatusError, error_class

from . import test_machine as machine
from .model import MINUTE

PAGE = Path(__file__).parents[2] / "docs" / "why" / "guard.md"
TOKEN, CANCEL, READ = "token", "cancel", "read"
WORDS: dict[str, Callable[[], Lox24Error | None]] = {
    "2xx": lambda: None,
    "whatever its body": lambda: ResponseDecodeError("no bulk", status=200, attempts=1),
    "a lost line": lambda: TransportError("lost", attempts=1),
    "no answer in time": lambda: RequestTimeoutError("slow", attempts=1),
    "no connection": lambda: ConnectionFailedError("refused"),
}


def rows(*heads: str) -> list[list[str]]:
    """Return the cells of a table of the page, found by its heads."""
    table = PAGE.read_text(encoding="utf-8").partition(f"| {' | '.join(heads)} |\n")[2]
    lines = table.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def ends_in(cell: str) -> list[Lox24Error | None]:
    """Return the ends of requests that a cell names."""
    named = re.findall("|".join([*WORDS, r"(?<![\dx])\d{3}"]), cell)
    assert named
    return [
        WORDS[one]() if one in WORDS else error_class(int(one))("", status=int(one), attempts=1)
        for one in named
    ]


ENDS = rows("end of the request", "its place", "its token")


def play(record: Record, error: Lox24Error | None, at: float, *, proven: bool = False) -> None:
    """Let a request out and let it end so."""
    name = f"claim at {at}"
    found = rules.claim(record, TOKEN, CANCEL, at, proven=proven, name=name, lease=30.0)
    assert found.ask_at <= at
    verdict = rules.verdict_of(error)
    rules.settle(record, TOKEN, CANCEL, verdict, at, name=name if found.place else "", fresh=proven)


def token_told(record: Record, now: float) -> str:
    """Say how the token stands, in the words of the table."""
    facts = record.tokens.get(TOKEN)
    if facts is not None and facts.closed:
        seconds = facts.probe_at - now
        return f"refused for {seconds:.0f} s" if facts.refused else f"probed after {seconds:.0f} s"
    if facts is not None and CANCEL in facts.operations and facts.operations[CANCEL].closed:
        found = rules.examine(record, TOKEN, CANCEL, now, proven=True)
        assert rules.examine(record, TOKEN, READ, now, proven=True).ask_at <= now
        return f"this operation closed for {found.ask_at - now:.0f} s"
    return "proven" if facts is not None and facts.proven_at == now else "as before"


@pytest.mark.parametrize(("end", "place", "token"), ENDS, ids=[row[0] for row in ENDS])
def test_the_table_says_what_an_end_does(end: str, place: str, token: str) -> None:
    """Each end that a row names does to place and token what the row says."""
    for error in ends_in(end):
        record, now, worked = Record(), 1_000.0, "had worked" in end
        if worked:
            play(record, None, now - 10)
        if "twice" in end:
            play(record, error, now)
        play(record, error, now, proven=worked or "twice" in end)
        kept = record.places[-1].until - now if record.places else 0.0
        assert place == (f"kept for {kept:.0f} s" if kept else "given back"), error
        assert token == token_told(record, now), error


def test_the_machine_plays_the_ends_of_the_table() -> None:
    """What the machine takes for an end that nobody saw, or that is good, the table does, too."""
    cells = {place + token: end for end, place, token in ENDS if "403" not in end}

    def statuses(endings: list[machine.Ending]) -> set[int]:
        errors = [ending() for ending in endings]
        return {one.status for one in errors if isinstance(one, APIStatusError)}

    def told(cell: str) -> set[int]:
        return {one.status for one in ends_in(cell) if isinstance(one, APIStatusError)}

    assert statuses(machine.UNSEEN) == told(cells["kept for 60 sas before"])
    assert statuses(machine.NEVER_ARRIVED) <= told(cells["given backas before"])
    assert statuses(machine.ANSWERED_WELL) <= told(cells["given backproven"]) | {200}


def test_the_table_has_the_numbers_of_the_rules() -> None:
    """And the machine's."""
    told = [[float(n) for n in re.findall(r"\d+", cells[1])] for cells in rows("what", "how much")]
    assert told == [
        [rules.PLACES],
        [*rules.NEXT_PROBE_AFTER[1:]],
        [rules.ARRIVAL + rules.WINDOW],
        [rules.BLOCK],
        [rules.REST_MOST],
        [rules.PROOF_SHARED],
    ]
    assert (machine.BLOCK, MINUTE) == (rules.BLOCK, rules.WINDOW)
