"""What the end says is true: through outages, interruptions, and files that a hand has changed."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lox24_async import CancelJournal, JournalError, Lox24Client
from lox24_async.cli import at_once
from lox24_async.cli.at_once import read_line
from lox24_async.cli.canceling import looking, resuming
from lox24_async.testing import FakeLox24, Fault
from tests.conftest import puts

from .stage import CANARY, LOX24, STRANGER, Screen, add, free_url, journals, lox24, start, wait_for


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for what LOX24 would need."""
    monkeypatch.setattr(looking, "_SETTLING", 0.01)
    monkeypatch.setattr(looking, "_FIRST", 0.01)
    monkeypatch.setattr(resuming, "_WHILE", 0.05)


# --- for a while


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "code"), [(Fault(status=503), 5), (Fault(status=429), 4), (Fault(delay=60.0), 5)]
)
def test_for_a_while_that_was_an_outage_is_no_success(
    gateway: FakeLox24, fault: Fault, code: int
) -> None:
    """Nothing could be listed, so nobody knows whether anything meets the filter."""
    add(gateway, 5, 5)
    gateway.fail_if(lambda _: fault)
    found, out, err = lox24("cancel", "--matching", "--all", "--yes", "--for", "1s")
    assert code == found
    assert "No bulk that can still be stopped" not in out + err
    assert "Nothing was cancelled." in err


def test_for_a_while_at_a_place_where_nobody_is(gateway: FakeLox24) -> None:
    """Exit code 5, whatever the time."""
    line = ("cancel", "--matching", "--all", "--yes", "--for")
    assert 5 == lox24(*line, "1s", "--base-url", free_url())[0]
    assert gateway.requests == []


def test_for_a_while_whose_first_listing_breaks_is_asked_about(gateway: FakeLox24) -> None:
    """What was found is shown, asked for and cancelled."""
    add(gateway, *[0] * 40)
    refused = Fault(status=402)
    gateway.fail_if(lambda r: refused if "page=2" in r.path else None)
    line = ("cancel", "--matching", "--all", "--for", "1s")
    with Screen(*line) as screen:
        screen.until("Cancel these 30")
        gateway.fail_if(lambda _: None)
        screen.type("y\n")
        code, seen = screen.end()
    assert code == 0
    assert "All 40 are cancelled." in seen


@pytest.mark.parametrize(("answer", "code", "sent"), [("y\n", 0, 1), ("n\n", 1, 0)])
def test_for_a_while_is_asked_about_though_nothing_is_there_yet(
    gateway: FakeLox24, answer: str, code: int, sent: int
) -> None:
    """What comes is stopped only behind a yes; the question says until when."""
    line = ("cancel", "--matching", "--sender-is", "Shop", "--until-quiet", "1s")
    with Screen(*line) as screen:
        asked = "Cancel what else meets the filter, until nothing new comes for 1s? [y/N] "
        screen.until(asked)
        gateway.add_bulk(5, sender_id="Shop")
        screen.type(answer)
        ended, seen = screen.end()
    assert (code, sent) == (ended, len(puts(gateway))), seen
    assert ("Nothing was cancelled." in seen) is (not sent)


def test_for_a_while_is_asked_about_with_what_is_there(gateway: FakeLox24) -> None:
    """How many, and for how long."""
    add(gateway, 0, 0)
    with Screen("cancel", "--matching", "--all", "--for", "1s", "--until-quiet", "1s") as screen:
        screen.until("Cancel these 2, and what else meets the filter, for 1s? [y/N] ")
        screen.type("y\n")
        code, seen = screen.end()
    assert code == 0
    assert "All 2 are cancelled." in seen


@pytest.mark.parametrize("text", ["999999999d", "10001d"])
def test_for_longer_than_anybody_waits(gateway: FakeLox24, text: str) -> None:
    """Told as a wrong option."""
    code, _, err = lox24("cancel", "--matching", "--all", "--yes", "--for", text)
    assert 2 == code
    assert "--for" in err
    assert gateway.requests == []


# --- going on


@pytest.fixture
def cut_short(gateway: FakeLox24, soon: None) -> Path:
    """Return the journal of a run over a listing that was interrupted."""
    add(gateway, *[0] * 200)
    gateway.latency = 0.1
    with start("cancel", "--matching", "--all", "--yes", "--max-concurrency", "2") as child:
        wait_for(lambda: len(puts(gateway)) > 10)
        child.send_signal(2)
        _, err = child.communicate(timeout=60)
    assert 130 == child.returncode
    assert "The listing broke off" not in err
    assert "had not come to its end" in err
    gateway.latency = 0
    return journals()[-1]


def test_resumed_run_says_that_its_listing_was_cut_short(
    gateway: FakeLox24, cut_short: Path
) -> None:
    """Beside the verdict, each time; ``runs`` says so, too."""
    for _ in range(2):
        code, _, err = lox24("cancel", "--resume", str(cut_short))
        assert code == 0
        assert "Run that line again, too." in err.split("cancelled.")[-1]
    assert CancelJournal.read(cut_short).unfinished() == ()
    assert "NOT read to the end" in lox24("runs")[1]
    code, _, err = lox24("cancel", "--matching", "--all", "--yes")
    assert code == 0
    assert len(set(puts(gateway))) == 200
    assert "again" not in lox24("runs", "--limit", "1")[1]


def test_resumed_run_tells_the_savings_of_the_whole(gateway: FakeLox24, soon: None) -> None:
    """Its table is about all of it, and so is the sum."""
    ids = [str(gateway.add_bulk(0, msg_total_count=10).uuid) for _ in range(3)]
    stay = Fault(status=400)
    gateway.fail_if(lambda r: stay if ids[0] in r.path else None)
    assert lox24("cancel", *ids)[0] == 1
    events = journals()[0].read_text().splitlines()
    rejected = [line for line in events if ids[0] in line and '"outcome"' in line]
    kept = [line for line in events if line not in rejected]
    journals()[0].write_text("\n".join(kept) + "\n")
    gateway.fail_if(lambda _: None)
    code, _, err = lox24("cancel", "--resume", str(journals()[0]))
    assert code == 0
    assert "Stopped: at most 30 messages" in err


def test_journal_that_another_run_takes_in_the_middle_ends_nothing(
    gateway: FakeLox24, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent already is told: it is no "nothing was sent", and the run goes on without."""
    ids = add(gateway, 0, 0)
    gateway.fail_next(402, times=2, method="PUT")
    assert 1 == lox24("cancel", *ids)[0]
    for bulk_id in ids:  # accepted, and stopped later
        gateway.fail_next(body=f'{{"uuid": "{bulk_id}", "status_code": 5}}', method="PUT")
    real = Lox24Client.resolve

    def resolve(self: Any, *args: Any, journal: Any = None, **options: Any) -> Any:
        if journal is not None and len(puts(gateway)) == 4:
            raise JournalError("another run writes to this journal", path="j")
        return real(self, *args, journal=journal, **options)

    monkeypatch.setattr(Lox24Client, "resolve", resolve)
    code, _, err = lox24("cancel", "--resume")
    assert "nothing was sent" not in err
    assert "the run goes on without it" in err
    assert code == 0, err


@pytest.mark.parametrize("more", [["--for", "30m"], ["--until-quiet", "9s"], ["--all"]])
def test_resume_goes_with_no_option_of_a_filter(more: list[str]) -> None:
    """Exit code 2; nothing is ignored in silence."""
    code, _, err = lox24("cancel", "--resume", "j", *more)
    assert code == 2
    assert "--resume goes on" in err


@pytest.mark.parametrize("command", ["cancel --resume", "report"])
def test_a_file_without_a_run_is_told(gateway: FakeLox24, command: str) -> None:
    """An empty one is a journal, of which nothing can be said or done."""
    Path("j").touch()
    code, out, err = lox24(*command.split(), "j")
    assert code == (2 if "cancel" in command else 1)
    assert (out, gateway.requests) == ("", [])
    assert "No run stands in" in err


def test_a_file_that_is_no_journal_is_not_gone_on_with(gateway: FakeLox24) -> None:
    """Nothing is sent, and the file is left as it is."""
    Path("j").write_text("hello\n")
    code, _, err = lox24("cancel", "--resume", "j")
    assert (1, []) == (code, gateway.requests)
    assert "nothing was sent" in err
    assert Path("j").read_text() == "hello\n"


@pytest.mark.parametrize("broken", ["home", "names"])
def test_no_place_for_a_journal_costs_one_warning(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A user without a home; a moment at which all names are taken."""

    def no_home() -> Path:
        raise RuntimeError

    def taken(*_: object) -> int:
        raise FileExistsError

    if broken == "home":
        monkeypatch.delenv("XDG_STATE_HOME")
        monkeypatch.setattr(Path, "home", no_home)
    else:
        monkeypatch.setattr("lox24_async.cli.journals.os.open", taken)
    Path("ids.txt").write_text(add(gateway, 0)[0])
    code, _, err = lox24("cancel", "--file", "ids.txt")
    assert code == 0
    assert err.count("the run goes on without it") == 1
    assert len(puts(gateway)) == 1


def test_a_filter_holds_no_token(gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that was pasted by mistake would stand in journal and report."""
    monkeypatch.setenv("LOX24_AUTH_TOKEN", CANARY)
    code, out, err = lox24("cancel", "--matching", "--text", CANARY, "--yes")
    assert code == 2
    assert CANARY not in out + err
    assert journals() == []


def test_after_the_yes_all_pages_are_read_once_more(gateway: FakeLox24) -> None:
    """What came during the question is left alone, and told; what is older is stopped."""
    shown = add(gateway, 0, 0)
    with Screen("cancel", "--matching", "--all") as screen:
        screen.until("Cancel these 2?")
        asked = len(gateway.requests)
        add(gateway, 0, 5)
        screen.type("y\n")
        told = screen.until("All 2 are cancelled.")
    assert "2 bulks left alone" in told
    assert sorted(shown) == sorted(puts(gateway))
    assert any(r.path.startswith("/bulks?") for r in gateway.requests[asked:])


def test_journal_that_lacks_a_part_is_not_said_to_name_each(gateway: FakeLox24) -> None:
    """A disk that was full from the start: the line to go on with would be of no use."""
    add(gateway, *[0] * 20)
    gateway.fail_if(lambda r: Fault(status=503) if r.method == "PUT" else None)
    ids = [str(bulk.uuid) for bulk in gateway.bulks.values()]
    Path("ids.txt").write_text("\n".join(ids))
    line = ("cancel", "--file", "ids.txt", "--journal", "/dev/full")
    with start(*line) as child:
        wait_for(lambda: bool(puts(gateway)))
        child.send_signal(2)
        _, err = child.communicate(timeout=60)
    assert 130 == child.returncode
    assert "names each" not in err
    assert "--resume" not in err
    assert "the journal names none" in err


def test_journal_of_a_disk_that_filled_up_names_what_it_has(gateway: FakeLox24) -> None:
    """How many it names; for the others the line is to be run again."""
    ids = add(gateway, *[0] * 60)
    gateway.fail_if(lambda r: Fault(status=402) if r.method == "PUT" else None)
    small = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (6000, 6000))\n"
    program = [*LOX24[:-1], small + LOX24[-1], "cancel", "--file", "-"]
    done = subprocess.run(
        program, input="\n".join(ids), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    told = re.search(r"60 bulks unfinished; the journal names (\d+) of them\.", done.stderr)
    assert told is not None, done.stderr
    assert 0 < int(told[1]) < 60
    assert int(told[1]) == len(CancelJournal.read(journals()[0]).unfinished())
    assert "For the others run the same line again, too." in done.stderr
    report = lox24("report")[1]
    assert "for a while the journal could not be written: it may lack a part" in report


@pytest.mark.parametrize(
    ("line", "text", "told"),
    [
        (("cancel", "--file", "-"), "one", "There may be more in the listing or the input."),
        (("cancel", "--matching", "--all", "--dry-run"), "", "nothing was cancelled."),
    ],
)
def test_after_ctrl_c_it_is_told_that_there_may_be_more(
    gateway: FakeLox24, line: tuple[str, ...], text: str, told: str
) -> None:
    """A pipe that was not read to its end, a listing that was only looked at."""
    [first, *_] = add(gateway, *[0] * 40)
    with start(*line, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        if text:
            child.stdin.write(first + "\n")
            child.stdin.flush()
            wait_for(lambda: bool(puts(gateway)))
        else:
            gateway.latency = 60
            wait_for(lambda: bool(gateway.requests))
        child.send_signal(2)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert told in " ".join(err.split())


# --- files that a hand has changed

RUN = {
    "t": "2026-11-25T23:59:59.123Z",
    "event": "run",
    "format": "lox24-journal/1",
    "run": "r",
    "client_id": "1",
    "origin": "https://api.lox24.eu",
    "total": 1,
}
OUTCOME = {
    "t": "2026-11-25T23:59:59.223Z",
    "event": "outcome",
    "bulk_id": STRANGER,
    "state": "canceled",
    "status_code": 15,
    "attempts": 1,
    "messages": 5,
    "price": "1.5",
}
END = {"t": "2026-11-25T23:59:59.323Z", "event": "end", "counts": {"canceled": 1}}
ODD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (RUN, {"filter": [1]}),
    (RUN, {"origin": 7}),
    (RUN, {"origin": "http://[::1"}),
    (RUN, {"origin": "http://h:99999999"}),
    (RUN, {"note": 7}),
    (RUN, {"t": "2026-11-25T23:59:59"}),
    (RUN, {"total": "many"}),
    (OUTCOME, {"messages": "5"}),
    (OUTCOME, {"price": "sNaN"}),
    (OUTCOME, {"price": 1.5}),
    (OUTCOME, {"attempts": "1"}),
    (OUTCOME, {"error": {"type": "NotCancelableError", "message": 5}}),
    (OUTCOME, {"request_id": [1]}),
    (OUTCOME, {"t": "2026-11-25T23:59:59"}),
    (END, {"counts": ["canceled"]}),
    (END, {"seconds": "1"}),
    (END, {"seconds": float("nan")}),
    (END, {"seconds": 10**400}),
    (END, {"interrupted": "no"}),
    ({"event": "planned", "t": "?"}, {"bulk_ids": 7}),
    ({"event": "sent", "t": "?"}, {"bulk_ids": [7]}),
]


@pytest.mark.slow
@pytest.mark.every_case
@pytest.mark.parametrize(("event", "odd"), ODD, ids=lambda value: "-".join(map(str, value)))
def test_an_odd_journal_is_read_as_far_as_it_goes(
    gateway: FakeLox24, event: dict[str, Any], odd: dict[str, Any]
) -> None:
    """Neither listing the runs, nor a report of it, nor going on with another breaks."""
    ids = add(gateway, 0)
    gateway.fail_if(lambda r: Fault(status=503) if r.method == "PUT" else None)
    home = Path(os.environ["XDG_STATE_HOME"], "lox24")
    home.mkdir(parents=True)
    good = home / "20260101T000000.000Z.jsonl"
    good.write_text(
        json.dumps(RUN | {"origin": gateway.url, "client_id": gateway.token.partition(":")[0]})
        + "\n"
        + json.dumps({"event": "planned", "t": RUN["t"], "bulk_ids": ids})
        + "\n"
    )
    events = [event | odd if one is event else one for one in (RUN, OUTCOME, END)]
    if event not in (RUN, OUTCOME, END):
        events.insert(1, event | odd)
    path = home / "20270101T000000.000Z.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    for form in ("md", "html", "csv", "json"):
        code, out, err = lox24("report", str(path), "--format", form)
        assert (code, err) == (0, "")
        assert STRANGER in out
        assert "NaN" not in out  # which is no JSON
    code, out, _ = lox24("runs")
    assert code == 0
    assert path.name in out
    gateway.fail_if(lambda _: None)
    code, _, err = lox24("cancel", "--resume", str(good))
    assert (code, puts(gateway)) == (0, ids), err
    assert "broke" not in lox24("cancel", "--resume", str(path))[2]


@pytest.mark.parametrize(
    ("note", "never"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("![x](http://127.0.0.1/x)", "]("),
        ("a|b", "a|b"),
        ("a\\|b", "|b"),
    ],
)
def test_a_report_in_markdown_holds_text_alone(gateway: FakeLox24, note: str, never: str) -> None:
    """A viewer would run HTML, fetch a picture, and cut a row at a bar."""
    path = Path("j.jsonl")
    path.write_text(json.dumps(RUN | {"note": note}) + "\n")
    code, out, _ = lox24("report", str(path))
    assert code == 0
    assert "selected" in out
    assert never not in out


@pytest.mark.parametrize("client_id", [7, 7654321, ["1"], True])
def test_whose_a_journal_is_is_asked_whatever_stands_there(
    gateway: FakeLox24, client_id: object
) -> None:
    """What is no text must not pass for a run that does not say."""
    [bulk_id] = add(gateway, 0)
    path = Path("j.jsonl")
    run = RUN | {"origin": gateway.url, "client_id": client_id}
    planned = {"event": "planned", "t": RUN["t"], "bulk_ids": [bulk_id]}
    path.write_text("".join(json.dumps(event) + "\n" for event in (run, planned)))
    code, _, err = lox24("cancel", "--resume", str(path))
    assert (2, []) == (code, gateway.requests)
    assert "The journal's run was of client" in err


# --- streams and words


@pytest.mark.slow
@pytest.mark.parametrize(("line", "code"), [((), 1), (("--token-file", "wrong.txt"), 3)])
def test_doctor_keeps_its_verdict_without_a_stdout(
    gateway: FakeLox24, line: tuple[str, ...], code: int
) -> None:
    """Full: the request is made, and the exit code tells; what cannot be told is no success."""
    Path("wrong.txt").write_text(CANARY)
    with Path("/dev/full").open("wb") as full, start("doctor", *line, stdout=full) as child:
        _, err = child.communicate(timeout=60)
    assert code == child.returncode, err
    assert "stdout cannot be written" in err
    assert 1 == len(gateway.requests)


@pytest.mark.slow
def test_second_ctrl_c_leaves_though_nobody_reads_stdout(gateway: FakeLox24) -> None:
    """The first one ends the work, the second one the wait for a pipe that is full."""
    ids = add(gateway, *[0] * 900)
    Path("ids.txt").write_text("\n".join(ids))
    with start("cancel", "--file", "ids.txt", "-o", "ndjson") as child:
        wait_for(lambda: len(puts(gateway)) > 700)  # more records than the pipe takes
        child.send_signal(2)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=8)
        child.send_signal(2)
        assert 130 == child.wait(timeout=8)


def test_messages_of_a_bulk_that_nobody_knows(gateway: FakeLox24) -> None:
    """No reassurance that nothing was sent; of one that is there without messages it is said."""
    code, _, err = lox24("show", STRANGER, "--messages")
    assert code == 1
    assert "LOX24 knows no bulk" in err
    [bulk_id] = add(gateway, 0)
    assert lox24("show", bulk_id, "--messages", "--sent")[0] == 0


@pytest.mark.parametrize("word", ["--output=", "--max-concurrency=", "-o="])
def test_option_with_an_empty_value_is_no_plain_line(word: str) -> None:
    """Its next word is none of its own: the usual way says what is wrong, and nothing goes out."""
    assert read_line(["cancel", STRANGER, word, "json"]) is None


def test_line_that_cannot_be_read_after_all_is_told_to_its_end(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancels have left: whatever breaks in reading the rest of the line costs its options."""
    [bulk_id] = add(gateway, 0)
    real = at_once._read_options

    def read(words: Any) -> Any:
        if "--quiet" in words:
            raise LookupError
        return real(words)

    monkeypatch.setattr(at_once, "_read_options", read)
    assert 0 == at_once.cancel_at_once(["cancel", bulk_id, "--quiet"])
    assert puts(gateway) == [bulk_id]


@pytest.mark.slow
def test_first_line_of_ndjson_does_not_wait_for_the_second(gateway: FakeLox24) -> None:
    """Its id is cancelled before more comes."""
    [bulk_id] = add(gateway, 0)
    with start("cancel", "--file", "-", stdin=-1) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps({"uuid": bulk_id, "status_code": 0}) + "\n")
        child.stdin.flush()
        wait_for(lambda: puts(gateway) == [bulk_id])
        child.communicate(timeout=60)
    assert child.returncode == 0


@pytest.mark.slow
def test_line_without_an_end_costs_no_more_than_its_length(gateway: FakeLox24) -> None:
    """The id behind it is cancelled; a part of the line says that it holds none."""
    [bulk_id] = add(gateway, 0)
    with start("cancel", "--file", "-", stdin=-1) as child:
        _, err = child.communicate("a" * (20 << 20) + f"\n{bulk_id}\n", timeout=60)
    assert child.returncode == 1
    assert puts(gateway) == [bulk_id]
    assert "line 1: no bulk id" in err


@pytest.mark.slow
def test_watch_outlives_a_bulk_that_is_deleted(gateway: FakeLox24) -> None:
    """It asks only for what is no longer listed; what is gone is gone."""
    first, second = add(gateway, 5, 5)
    line = ("list", "--watch", "--running", "--interval", "0.1", "-o", "ndjson")
    with start(*line) as child:
        wait_for(lambda: len([r for r in gateway.requests if r.path.startswith("/bulks?")]) > 6)
        assert not [r for r in gateway.requests if not r.path.startswith("/bulks?")]
        assert lox24("delete", first, "--yes")[0] == 0
        wait_for(lambda: any(r.method == "GET" and first in r.path for r in gateway.requests))
        seen = len(gateway.requests)
        wait_for(lambda: len(gateway.requests) > seen + 5)
        assert child.poll() is None
        child.send_signal(2)
        out, _ = child.communicate(timeout=60)
    assert {json.loads(line)["uuid"] for line in out.splitlines()} == {first, second}
