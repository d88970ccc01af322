"""``lox24 cancel`` with filters, in pipes and in terminals: what is shown, asked and sent."""

import asyncio
import io
import json
import re
import subprocess
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lox24_async import (
    BulkFilter,
    BulkStatus,
    CancelJournal,
    CancelOutcome,
    CancelReport,
    CancelState,
)
from lox24_async.cli.canceling import looking
from lox24_async.cli.reading.answers import ask
from lox24_async.cli.telling.progress import Progress
from lox24_async.report import note
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import puts

from .stage import CANARY, LOX24, STRANGER, Screen, add, journals, lox24, start, wait_for

CANCELABLE = (BulkStatus.NEW, BulkStatus.IN_PROGRESS)


def stock(gateway: FakeLox24) -> list[str]:
    """Put bulks of two senders into the gateway; return the ids that ACME can still stop."""
    wanted = []
    for number, status in enumerate([0, 5, 10, 0, 15]):
        for sender in ("ACME", "Other"):
            bulk = gateway.add_bulk(
                status, sender_id=sender, msg_total_count=1_000 + number, price=Decimal("65.5")
            )
            if sender == "ACME" and status in CANCELABLE:
                wanted.append(str(bulk.uuid))
    return wanted


def canceled(gateway: FakeLox24) -> set[str]:
    """Return the ids of the bulks that a request has cancelled."""
    return {bulk_id for bulk_id in puts(gateway) if gateway.bulks[bulk_id].is_canceled}


# --- what goes together


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--sender", "ACME"], "Filters and --all need --matching"),
        ([STRANGER, "--id", STRANGER], "Filters and --all need --matching"),
        (["--all"], "Filters and --all need --matching"),
        (["--matching"], "--matching without a filter means every bulk of the account."),
        (["--matching", "--yes"], "add --all if you mean that"),
        (["--matching", "--dry-run"], "add --all if you mean that"),
        (["--matching", "--all", "--text", "x"], "--all means no filter"),
        (["--matching", "--all", STRANGER], "not both"),
        (["--matching", "--all", "--file", "-"], "not both"),
        (["--matching", "--status", "processed"], "only bulks that are new or in-progress"),
        (["--matching", "--status", "gone"], "--status: there is no state 'gone'"),
        (["--matching", "--created-from", "soon"], "--created-from: 'soon' is no time"),
        (["--matching", "--min-messages", "-1"], "--min-messages"),
        (["--matching", "--sender", "ACME"], "There is no terminal to ask at. Add --yes"),
        (["--matching", "--all"], "There is no terminal to ask at. Add --yes"),
    ],
)
def test_what_does_not_go_together_sends_nothing(
    gateway: FakeLox24, args: list[str], told: str
) -> None:
    """Exit code 2, a sentence, and not even a look at LOX24."""
    stock(gateway)
    code, out, err = lox24("cancel", *args)
    assert (code, out) == (2, "")
    assert told in " ".join(err.split())
    assert gateway.requests == []


def test_where_nobody_can_answer_nothing_is_sent(gateway: FakeLox24) -> None:
    """A screen alone is no person: without a keyboard behind it, exit code 2."""
    stock(gateway)
    args = ("cancel", "--matching", "--all")
    with Screen(*args, stdin=subprocess.DEVNULL, owner=False) as screen:
        code, seen = screen.end()
    assert code == 2
    assert "There is no terminal to ask at." in seen
    assert gateway.requests == []


# --- looking


def _ids_of(out: str, form: str) -> list[str]:
    if form == "json":
        return [record["uuid"] for record in json.loads(out)]
    if form == "ndjson":
        return [json.loads(line)["uuid"] for line in out.splitlines()]
    return [line.split(",")[0] for line in out.splitlines()[1:]]


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_a_dry_run_shows_what_matches_and_the_next_run_takes_it(
    gateway: FakeLox24, form: str
) -> None:
    """Bulks, messages and cost on stderr, the bulks on stdout, nothing cancelled; then it is."""
    wanted = stock(gateway)
    code, out, err = lox24("cancel", "--matching", "--sender", "ACME", "--dry-run", "-o", form)
    assert code == 0
    assert wanted == _ids_of(out, form)
    assert "3 bulks to cancel: 3,004 messages, 196.50 in the account's currency.\n" in err
    assert "1 in progress: some of their messages may be sent already.\n" in err
    assert {"GET"} == {request.method for request in gateway.requests}

    code, _, err = lox24("cancel", "--file", "-", stdin=out)
    assert (0, True) == (code, "All 3 are cancelled." in err)
    assert set(wanted) == canceled(gateway)
    assert 3 == len(puts(gateway))


def test_a_dry_run_says_what_lox24_does_not(gateway: FakeLox24) -> None:
    """Bulks without a price or a number of messages are told, and not counted as free."""
    gateway.add_bulk(msg_total_count=None, price=None)
    gateway.add_bulk(msg_total_count=7, price=Decimal("0.4555"))
    code, out, err = lox24("cancel", "--matching", "--all", "--dry-run")
    assert (0, "") == (code, out)
    assert "2 bulks to cancel: 7 messages, 0.4555 in the account's currency.\n" in err
    assert "For 1 LOX24 gives no number of messages; not counted.\n" in err
    assert "For 1 LOX24 gives no price; not counted.\n" in err


def test_what_is_shown_is_harmless_and_short(gateway: FakeLox24) -> None:
    """Ten bulks are named, and no control code of a sender gets to the screen."""
    for _ in range(12):
        gateway.add_bulk(sender_id="\x1b[31mACME", text="a\nb")
    _, out, err = lox24("cancel", "--matching", "--all", "--dry-run")
    assert out == ""
    assert 11 == err.count("\\x1b[31mACME")  # ten bulks, and the summary by sender
    assert 10 == err.count("a\\nb\n")
    assert "… and 2 more; --dry-run --output csv names each.\n" in err
    assert "\x1b" not in err


def test_a_dry_run_with_ids_sends_nothing_at_all(gateway: FakeLox24) -> None:
    """Named bulks are told and written down; LOX24 hears nothing."""
    ids = add(gateway, 0, 10)
    code, out, err = lox24("cancel", *ids, ids[0], "--dry-run", "-o", "ndjson")
    assert code == 0
    assert ids == _ids_of(out, "ndjson")
    assert f"2 cancels would go to {gateway.url}. Nothing was sent.\n" in err
    assert lox24("cancel", *ids, "x", "--dry-run", "-q") == (
        1,
        "",
        "argument 3: no bulk id: 'x'\n",
    )
    assert gateway.requests == []


def test_what_lox24_lists_against_the_filter_is_told_and_left_alone(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ignores a filter stops nobody's campaign."""
    wanted = stock(gateway)
    monkeypatch.setattr(BulkFilter, "matches", lambda _, bulk: str(bulk.uuid) == wanted[0])
    _, out, err = lox24("cancel", "--matching", "--all", "--dry-run", "-o", "ndjson")
    assert [wanted[0]] == _ids_of(out, "ndjson")
    assert "5 more were listed, but do not meet the filter; left alone.\n" in err


def test_nothing_that_matches_is_a_good_end(gateway: FakeLox24) -> None:
    """Exit code 0, a sentence, no question, and records that are none."""
    add(gateway, 10, 15)
    for more in ([], ["--dry-run"]):
        code, out, err = lox24("cancel", "--matching", "--all", "--yes", "-o", "json", *more)
        assert (0, []) == (code, json.loads(out))
        assert err == "No bulk that can still be stopped meets the filter.\n"
    assert puts(gateway) == []


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (Fault(status=400, body='{"detail": "no"}'), 1, "HTTP 400: no"),
        (Fault(status=401), 3, "LOX24 refused the token"),
        (Fault(status=429, headers={"Retry-After": "600"}), 4, "blocks or limits this IP"),
        (Fault(status=503, headers={"Retry-After": "600"}), 5, "fails: "),
    ],
)
def test_case_72_a_listing_that_breaks_off_costs_nothing_that_was_found(
    gateway: FakeLox24, fault: Fault, code: int, told: str
) -> None:
    """Case 72: what was found is cancelled; the end and the exit code say why there may be more."""
    stock(gateway)
    gateway.page_size = 2

    def fail(request: ReceivedRequest) -> Fault | None:
        return fault if "page=2" in request.path else None

    gateway.fail_if(fail)
    ended, out, err = lox24("cancel", "--matching", "--all", "--yes", "-o", "ndjson")
    assert code == ended
    assert {json.loads(line)["bulk_id"] for line in out.splitlines()} == {*puts(gateway)}
    assert 2 == len(puts(gateway))
    assert "The listing broke off: " in err
    assert told in err.partition("The listing broke off: ")[2]
    assert "Traceback" not in err


@pytest.mark.parametrize("more", [["--yes"], ["--dry-run"]])
def test_a_listing_of_which_nothing_came_cancels_nothing(
    gateway: FakeLox24, more: list[str]
) -> None:
    """There is no journal then, and the exit code says why."""
    stock(gateway)
    gateway.fail_next(401)
    code, out, err = lox24("cancel", "--matching", "--all", "-o", "ndjson", *more)
    assert (code, out) == (3, "")
    assert err.endswith("Nothing was cancelled.\n")
    assert journals() == []


# --- cancelling what matches


def test_with_yes_what_matches_is_cancelled_unasked(gateway: FakeLox24) -> None:
    """In a pipe: exactly these, exit code 0, a record each; with --quiet not a word."""
    wanted = stock(gateway)
    args = ("cancel", "--matching", "--sender", "ACME", "--yes", "--quiet", "-o", "ndjson")
    code, out, err = lox24(*args)
    assert (0, "") == (code, err)
    assert set(wanted) == {json.loads(line)["bulk_id"] for line in out.splitlines()}
    assert set(wanted) == set(puts(gateway)) == canceled(gateway)


def test_filters_narrow_what_is_cancelled(gateway: FakeLox24) -> None:
    """Every filter counts: a bulk that misses one of them stays."""
    stock(gateway)
    [bulk_id] = [
        str(bulk.uuid)
        for bulk in gateway.bulks.values()
        if (bulk.sender_id, bulk.status_code) == ("Other", 5)
    ]
    code, _, _ = lox24(
        *("cancel", "--matching", "--yes", "--sender", "other", "--status", "in-progress"),
        *("--status", "processed", "--created-from", "1h", "--created-to", "now"),
        *("--min-messages", "1000", "--max-messages", "1002"),
    )
    assert code == 0
    assert [bulk_id] == puts(gateway)


def test_what_matches_and_was_not_sent_is_kept(gateway: FakeLox24) -> None:
    """The journal names the unfinished: to search again may find more than was shown."""
    wanted = stock(gateway)
    gateway.fail_next(429, method="PUT", times=20, headers={"Retry-After": "600"})
    code, _, err = lox24("cancel", "--matching", "--sender", "ACME", "--yes")
    assert code == 4
    [rest] = journals()
    assert f"  lox24 cancel --resume {rest}\n" in err
    assert set(wanted) == set(CancelJournal.read(rest).unfinished())


# --- in a terminal: the question


def test_yes_cancels_exactly_what_was_shown(gateway: FakeLox24) -> None:
    """A bulk that comes while the question stands is not stopped unseen."""
    wanted = stock(gateway)
    with Screen("cancel", "--matching", "--sender", "ACME") as screen:
        shown = screen.until("Cancel these 3? [y/N] ")
        late = str(gateway.add_bulk(sender_id="ACME").uuid)
        assert set(wanted) == set(re.findall(r"^([0-9a-f-]{36}) ", shown, re.MULTILINE))
        assert "3 bulks to cancel: 3,004 messages, 196.50" in shown
        assert puts(gateway) == []
        screen.type("y\n")
        code, seen = screen.end()
    assert code == 0
    assert "All 3 are cancelled." in seen
    assert set(wanted) == set(puts(gateway)) == canceled(gateway)
    assert not gateway.bulks[late].is_canceled


@pytest.mark.parametrize(
    ("keys", "code", "told"),
    [
        ("yeah\n", 1, "Nothing was cancelled."),
        ("\x04", 1, "Nothing was cancelled."),
        ("\x03", 130, "Interrupted: nothing was cancelled."),
    ],
)
def test_anything_but_yes_is_no(gateway: FakeLox24, keys: str, code: int, told: str) -> None:
    """Another word, Ctrl-D and Ctrl-C cancel nothing; nor does --quiet hide the question."""
    stock(gateway)
    with Screen("cancel", "--matching", "--all", "--quiet") as screen:
        screen.until("[y/N] ")
        screen.type(keys)
        ended, seen = screen.end()
    assert code == ended
    assert seen.endswith(f"\n{told}\n")
    assert puts(gateway) == []


@pytest.mark.parametrize(
    ("typed", "agreed"),
    [
        *[(f"{word}\n", True) for word in ("y", "Y", "yes", "YES", " yes ")],
        *[(f"{word}\n", False) for word in ("", " ", "n", "no", "yeah", "ye s", "1", "j")],
        ("", False),
        ("y", True),
    ],
)
def test_only_yes_is_yes(typed: str, agreed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """For every command that asks; the cursor never stays behind the question."""
    assert agreed is ask("Sure?", io.StringIO(typed))
    out, err = capsys.readouterr()
    assert ("", "Sure? [y/N] ") == (out, err.rstrip("\n"))
    assert typed.endswith("\n") != err.endswith("\n")


def test_what_was_typed_ahead_is_no_answer(gateway: FakeLox24) -> None:
    """A ``y`` that was typed before the question does not answer it."""
    stock(gateway)
    gateway.fail_next(delay=0.5, method="GET")
    with Screen("cancel", "--matching", "--all") as screen:
        wait_for(lambda: bool(gateway.requests))
        screen.type("y\n")
        screen.until("[y/N] ")
        screen.type("n\n")
        code, _ = screen.end()
    assert code == 1
    assert puts(gateway) == []


def test_the_answer_comes_from_the_terminal_and_not_from_a_pipe(gateway: FakeLox24) -> None:
    """``yes | lox24 cancel`` asks all the same: who sees the question answers it."""
    stock(gateway)
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as pipe:
        with Screen("cancel", "--matching", "--all", stdin=pipe.stdout) as screen:
            screen.until("[y/N] ")
            screen.type("no\n")
            code, _ = screen.end()
        pipe.kill()
    assert code == 1
    assert puts(gateway) == []


def test_records_of_a_terminal_run_stay_clean(gateway: FakeLox24, tmp_path: Path) -> None:
    """With stdout in a file, the question and the bar are on the screen and nowhere else."""
    wanted = stock(gateway)
    with (tmp_path / "out").open("wb") as out:
        args = ("cancel", "--matching", "--sender", "ACME", "-o", "ndjson")
        with Screen(*args, stdout=out) as screen:
            screen.until("[y/N] ")
            screen.type("YES\n")
            code, seen = screen.end()
    records = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert code == 0
    assert set(wanted) == {record["bulk_id"] for record in records}
    assert "{" not in seen


# --- Ctrl-C


def test_ctrl_c_in_the_search_cancels_nothing(gateway: FakeLox24) -> None:
    """A search has nothing to lose: it ends at once, exit code 130."""
    stock(gateway)
    gateway.fail_next(delay=60, method="GET")
    with Screen("cancel", "--matching", "--all") as screen:
        screen.until("searching: 0 found")
        wait_for(lambda: bool(gateway.requests))
        screen.type("\x03")
        code, seen = screen.end()
    assert code == 130
    assert seen.endswith("Interrupted: nothing was cancelled.\n")
    assert "requests in flight" not in seen


def test_ctrl_c_in_mid_run_loses_nothing_and_the_file_goes_on(gateway: FakeLox24) -> None:
    """What is in flight is finished; by the gateway's books every bulk is cancelled once."""
    ids = add(gateway, *[0] * 120)
    Path("ids.txt").write_text("\n".join(ids))
    # The last ones in flight are answered after the Ctrl-C only.
    held = {f"/bulks/{bulk_id}/cancel" for bulk_id in ids[30:]}
    gateway.fail_if(lambda request: Fault(delay=3) if request.path in held else None)
    with Screen("cancel", "--file", "ids.txt", "--max-concurrency", "5") as screen:
        screen.until("30/120")
        screen.type("\x03")
        screen.until("Ctrl-C again leaves at once")
        code, seen = screen.end()
    assert code == 130
    arrived = puts(gateway)
    done = len(arrived)
    assert 30 < done < 120
    assert set(arrived) == canceled(gateway)
    assert f"Interrupted: {done} done, 0 unknown, {120 - done} not sent.\n" in seen
    assert "Traceback" not in seen
    [rest] = journals()
    assert set(ids) - set(arrived) == set(CancelJournal.read(rest).unfinished())

    gateway.stop_failing()
    assert lox24("cancel", "--resume", str(rest))[0] == 0
    assert Counter(ids) == Counter(puts(gateway))
    assert set(ids) == canceled(gateway)


def test_ctrl_c_while_waiting_tells_what_is_accepted(gateway: FakeLox24) -> None:
    """All is sent by then: exit code 130 at once, and the journal names what is accepted."""
    ids = add(gateway, 5, 5)
    gateway.stops_after = 3600.0
    soon = "from lox24_async.cli.canceling import looking; looking._SETTLING = 0.01; main()"
    program = LOX24[-1].replace("main()", soon)
    with Screen("cancel", *ids, "--wait", program=program) as screen:
        screen.until("waiting for 2 to stop")
        screen.type("\x03")
        code, seen = screen.end()
    assert code == 130
    assert "Interrupted: 0 done, 2 accepted, 0 unknown, 0 not sent.\n" in seen
    [journal] = journals()
    assert set(CancelJournal.read(journal).unfinished()) == set(ids)


@pytest.mark.parametrize(
    "module",
    ["cyclopts", "lox24_async.cli.app", "lox24_async.cli.commands.cancel", "rich", "aiohttp"],
)
@pytest.mark.parametrize("place", ["", "in_set_name"])
def test_case_83_ctrl_c_while_the_program_still_loads_is_told_by_its_exit_code(
    gateway: FakeLox24, module: str, place: str
) -> None:
    """Case 83: even before anything begins there is no traceback, and it is exit code 130."""
    block = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def __set_name__(self, *_): os.kill(os.getpid(), signal.SIGINT)\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        f"            if {place!r}: type('Owner', (), {{'it': Interrupt()}})\n"
        "            else: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    program = [*LOX24[:-1], block + LOX24[-1], "cancel", *add(gateway, 0), "--debug"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)
    assert gateway.requests == []


def test_case_83_ctrl_c_behind_the_first_request_loses_nothing(gateway: FakeLox24) -> None:
    """Case 83: ids alone go out before the rest is imported; a Ctrl-C then is told in full."""
    [bulk_id] = add(gateway, 0)
    block = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'lox24_async.cli.commands.cancel':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    program = [*LOX24[:-1], block + LOX24[-1], "cancel", bulk_id]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=20)
    assert (130, "") == (done.returncode, done.stdout)
    assert "Interrupted: 1 done, 0 unknown, 0 not sent.\n" in done.stderr
    assert [bulk_id] == puts(gateway)
    [journal] = journals()
    assert CancelJournal.read(journal).counts[CancelState.CANCELED] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "code", "told"),
    [
        ("", 2, "There is no token."),
        ("x", 2, "The token is not of the form"),
        (CANARY, 3, "Check LOX24_AUTH_TOKEN, and wait a minute"),
    ],
)
def test_ids_alone_are_told_as_ever(
    gateway: FakeLox24, token: str, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head start changes neither sentences nor exit codes; the journal is there."""
    ids = add(gateway, 0, 10)
    with start("cancel", *ids) as child:
        _, err = child.communicate(timeout=20)
    assert child.returncode == 1
    assert "1 of 2 NOT cancelled: 1 too late." in err
    [run] = CancelJournal.runs_of(journals()[0])
    assert run.note == "lox24 cancel 2 ids"
    monkeypatch.setenv("LOX24_AUTH_TOKEN", token)
    with start("cancel", *ids) as child:
        _, err = child.communicate(timeout=20)
    assert (child.returncode, told in err) == (code, True), err


# --- --wait


def test_wait_ends_when_all_have_stopped(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted cancels are looked at until the bulks are in a final state, whichever it is."""
    monkeypatch.setattr(looking, "_SETTLING", 0.01)
    monkeypatch.setattr(looking, "_FIRST", 0.01)
    stopped, processed = add(gateway, 5, 5)
    gateway.stops_after = 3600.0
    looks: Counter[str] = Counter()

    def look(request: ReceivedRequest) -> None:
        bulk_id = request.path.split("/")[2]
        if request.method == "GET":
            looks[bulk_id] += 1
            if looks[bulk_id] == 3:
                gateway.set_status(bulk_id, 15 if bulk_id == stopped else 10)

    gateway.fail_if(look)
    code, out, err = lox24("cancel", stopped, processed, "--wait", "-o", "ndjson")
    assert code == 1
    states = Counter(json.loads(line)["state"] for line in out.splitlines())
    assert states == {"accepted": 2, "canceled": 1, "too late": 1}  # a later look, a second line
    assert {stopped: 3, processed: 3} == looks
    assert "1 of 2 NOT cancelled: 1 too late.\n" in err


def test_wait_ends_after_its_time(gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk that does not stop is accepted, no more: exit code 1, and what to do."""
    monkeypatch.setattr(looking, "_SETTLING", 0.01)
    monkeypatch.setattr(looking, "_FIRST", 0.01)
    monkeypatch.setattr(looking, "_PATIENCE", 0.1)
    gateway.stops_after = 3600.0
    code, out, err = lox24("cancel", *add(gateway, 5), "--wait", "-o", "ndjson")
    assert code == 1
    assert json.loads(out)["state"] == "accepted"
    assert "Run the same line again in a minute" in err
    assert len(gateway.requests) > 2


@pytest.mark.looptime
async def test_wait_looks_less_and_less_often() -> None:
    """At first after two seconds, at last every thirty, for ten minutes: no run on the gateway."""
    clock = asyncio.get_running_loop().time
    begun, looks = clock(), []

    class Client:
        async def resolve(self, report: CancelReport, **_: object) -> None:
            looks.append(clock() - begun)

    report = CancelReport()
    note(report, STRANGER, CancelOutcome(STRANGER, CancelState.ACCEPTED))

    async def plainly(call: Any) -> None:
        await call(None)

    session = SimpleNamespace(client=Client())
    job: Any = SimpleNamespace(
        report=report, progress=Progress(1), session=session, with_journal=plainly
    )
    await looking.wait_until_stopped(job)
    gaps = [after - before for before, after in pairwise([0.0, *looks])]
    assert pytest.approx([2, 3, 4.5, 6.75]) == gaps[:4]
    assert pytest.approx([30] * 12) == gaps[8:20]
    assert pytest.approx(600) == looks[-1]


def test_without_wait_one_more_look_is_all(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is accepted is looked at once, and then told as accepted."""
    monkeypatch.setattr(looking, "_SETTLING", 0.01)
    gateway.stops_after = 3600.0
    code, _, err = lox24("cancel", *add(gateway, 5))
    assert code == 1
    assert ["PUT", "GET"] == [request.method for request in gateway.requests]
    assert "1 of 1 NOT cancelled: 1 accepted.\n" in err


# --- a block


@pytest.mark.slow
def test_a_block_is_counted_down_and_then_it_goes_on(gateway: FakeLox24) -> None:
    """While all calls are held the screen says why and for how long; then all are cancelled."""
    ids = add(gateway, *[0] * 5)
    gateway.fail_next(429, headers={"Retry-After": "3"})
    with Screen("cancel", *ids) as screen:
        code, seen = screen.end()
    assert code == 0
    told = re.findall(r"LOX24 blocks or limits this IP: next try in 0:0(\d)", seen)
    assert sorted(told, reverse=True) == told
    assert len(set(told)) >= 2  # which ones, a busy machine says
    assert "All 5 are cancelled." in seen
    assert 6 == len(gateway.requests)


@pytest.mark.parametrize("more", [[], ["--wait-out-block"]])
def test_429s_in_a_row_end_no_run(gateway: FakeLox24, impatient: None, more: list[str]) -> None:
    """Who probes for all has not used up its attempts: the run's patience counts."""
    gateway.fail_next(429, times=3, headers={"Retry-After": "0"})
    assert 0 == lox24("cancel", *add(gateway, 0), *more)[0]


# --- 10,000 ids

_MEASURED = (
    "import json, statistics, time\n"
    "from lox24_async.cli.telling import progress\n"
    "draw, costs, begun = progress.Live.update, [], time.monotonic()\n"
    "def measured(*args, **more):\n"
    "    start = time.thread_time()\n"
    "    draw(*args, **more)\n"
    "    costs.append(time.thread_time() - start)\n"
    "progress.Live.update = measured\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    # The median: another load on the machine, or a collection of garbage, is not the bar's.
    "    spent = statistics.median(costs) * len(costs)\n"
    "    figures = {'pictures': len(costs), 'spent': spent, 'all': time.process_time(),\n"
    "        'seconds': time.monotonic() - begun}\n"
    "    json.dump(figures, open('figures', 'w'))\n"
)


@pytest.mark.slow
def test_10_000_ids_under_a_live_bar_that_costs_little(gateway: FakeLox24) -> None:
    """Each is cancelled once; under 5 % of the time, and of what is computed, is the bar's."""
    ids = add(gateway, *[0] * 10_000)
    Path("ids.txt").write_text("\n".join(ids))
    program = LOX24[-1].replace("main()", _MEASURED)
    with Screen("cancel", "--file", "ids.txt", program=program) as screen:
        screen.until("/10,000")
        code, seen = screen.end()
    figures: dict[str, Any] = json.loads(Path("figures").read_text())
    assert code == 0
    assert "All 10,000 are cancelled." in seen
    assert Counter(ids) == Counter(puts(gateway))
    assert figures["pictures"] > 5
    assert figures["spent"] < 0.05 * figures["seconds"]
    assert figures["spent"] < 0.05 * figures["all"]


# --- secrets


def test_case_32_no_phase_shows_the_token(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Search, list, summary and failure keep it, with --debug too."""
    gateway.token = CANARY
    monkeypatch.setenv("LOX24_AUTH_TOKEN", CANARY)
    gateway.add_bulk(sender_id="ACME")
    for more in (["--dry-run"], ["--yes"], ["--dry-run", "--sender", CANARY]):
        where = [] if "--sender" in more else ["--all"]
        _, out, err = lox24("cancel", "--matching", *where, *more, "--debug", "-o", "json")
        assert CANARY.partition(":")[2] not in out + err
