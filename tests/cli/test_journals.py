"""The journal of the command line: ``--journal``, ``--resume``, ``runs``, ``report``."""

import fcntl
import json
import os
import re
import shlex
import signal
import stat
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lox24_async import BulkStatus, CancelJournal, CancelState
from lox24_async.cli.canceling import looking, resuming
from lox24_async.testing import FakeLox24, Fault
from tests.conftest import puts

from .stage import LOX24, STRANGER, add, journals, lox24, start, wait_for


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for what LOX24 would need."""
    monkeypatch.setattr(looking, "_SETTLING", 0.01)
    monkeypatch.setattr(looking, "_FIRST", 0.01)
    monkeypatch.setattr(resuming, "_WHILE", 0.05)


def states(path: Path) -> Counter[str]:
    """Return how many bulks are in each state."""
    counts = CancelJournal.read(path).counts
    return Counter({state.value: count for state, count in counts.items() if count})


def test_each_run_has_its_journal_in_the_usual_place(gateway: FakeLox24, tmp_path: Path) -> None:
    """Named by its start, for this user only, below XDG_STATE_HOME; it says what it was about."""
    lox24("cancel", *add(gateway, 0))
    lox24("cancel", "--matching", "--all", "--yes")  # nothing is left: that leaves no journal
    lox24("cancel", *add(gateway, 0), "--journal", "none")
    [journal] = journals()
    assert journal.parent == tmp_path / "state" / "lox24"
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z\.jsonl", journal.name)
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.parent.stat().st_mode) == 0o700
    [run] = CancelJournal.runs_of(journal)
    assert run.note == "lox24 cancel 1 id"
    assert gateway.token.partition(":")[2] not in journal.read_text()


def test_a_journal_has_the_name_that_is_given_and_the_filter(gateway: FakeLox24) -> None:
    """--journal FILE; the filter of --matching stands in it."""
    gateway.add_bulk(sender_id="Bank")
    code, _, _ = lox24("cancel", "--matching", "--sender", "bank", "--yes", "--journal", "j")
    assert code == 0
    [run] = CancelJournal.runs_of("j")
    assert run.filter is not None
    assert run.filter["sender_id"] == "bank"
    assert run.note == "lox24 cancel --matching --sender bank"
    assert journals() == []


def test_nothing_to_cancel_leaves_no_journal(gateway: FakeLox24) -> None:
    """An empty or closed stdin, a wrong token's format, a dry run: exit code 2 or 0, no file."""
    assert lox24("cancel", "--file", "-")[0] == 2
    assert lox24("cancel", "--file", "-", stdin="# none\n\n")[0] == 2
    closed = shlex.join([*LOX24, "cancel", "--file", "-"]) + " <&-"
    assert subprocess.run(["sh", "-c", closed], check=False).returncode == 2
    assert lox24("cancel", STRANGER, "--dry-run")[0] == 0
    assert journals() == []
    assert gateway.requests == []


@pytest.mark.parametrize("place", ["/dev/full/x", "gone/j"])
def test_a_journal_that_cannot_be_made_costs_one_warning(gateway: FakeLox24, place: str) -> None:
    """The run goes on without."""
    code, _, err = lox24("cancel", *add(gateway, 0), "--journal", place)
    assert code == 0
    assert err.count("the run goes on without it.") == 1
    assert len(puts(gateway)) == 1


def test_a_full_disk_costs_one_warning(gateway: FakeLox24) -> None:
    """The journal that cannot be written is named at the end, once."""
    code, _, err = lox24("cancel", *add(gateway, 0), "--journal", "/dev/full")
    assert code == 0
    assert err.count("/dev/full") == 1
    assert "All" in err or "The bulk is cancelled." in err


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Be another run that writes to a journal."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_journal_that_another_run_holds_is_left_to_it(gateway: FakeLox24) -> None:
    """One warning, and on without; --resume is refused, exit code 1, and sends nothing."""
    path = Path("j")
    gateway.fail_next(429, headers={"Retry-After": "600"})
    lox24("cancel", *add(gateway, 0), "--journal", "j")
    count = len(gateway.requests)
    with held(path):
        code, _, err = lox24("cancel", "--resume", "j")
        assert code == 1
        assert "Another run writes to this journal" in err
        assert len(gateway.requests) == count
    size = path.stat().st_size
    gateway.stop_failing()
    with held(path):
        code, _, err = lox24("cancel", STRANGER, "--journal", "j")
        assert "Another run writes to this journal" in err
        assert err.count("the run goes on without it") == 1
    assert path.stat().st_size == size


def test_another_account_or_place_is_refused(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, and nothing is sent."""
    gateway.fail_next(429, headers={"Retry-After": "600"})
    lox24("cancel", *add(gateway, 0), "--journal", "j")
    count = len(gateway.requests)
    code, _, err = lox24("cancel", "--resume", "j", "--base-url", "http://127.0.0.1:1")
    assert code == 2
    assert "Name that with --base-url" in err
    monkeypatch.setenv("LOX24_AUTH_TOKEN", "7654321:abcdefgh")
    code, _, err = lox24("cancel", "--resume", "j")
    assert code == 2
    assert "of client 1234567" in err
    code, _, err = lox24("cancel", STRANGER, "--journal", "j")
    assert code == 2
    assert "of client 1234567" in err
    assert lox24("cancel", "--resume", "gone")[0] == 2
    assert len(gateway.requests) == count


def test_case_74_what_is_accepted_is_named_and_looked_at(gateway: FakeLox24, soon: None) -> None:
    """Case 74: after Ctrl-C the accepted stand where the rest is; --resume looks at them first."""
    ids = add(gateway, *[5] * 30)
    gateway.stops_after = 3600.0
    held = {f"/bulks/{bulk_id}/cancel" for bulk_id in ids[12:]}
    gateway.fail_if(lambda request: Fault(delay=0.4) if request.path in held else None)
    with start("cancel", *ids, "--max-concurrency", "4") as child:
        wait_for(lambda: len(puts(gateway)) >= 13)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    [journal] = journals()
    before = states(journal)
    assert before["accepted"] >= 12
    assert before["accepted"] + before["not sent"] == 30
    assert (
        f"30 bulks unfinished; the journal names each. To go on:\n  lox24 cancel --resume {journal}"
        in err
    )

    gateway.stop_failing()
    for bulk_id in ids[:12]:
        gateway.set_status(bulk_id, BulkStatus.CANCELED)
    gateway.stops_after = 0.0
    sent = Counter(puts(gateway))
    gateway.requests.clear()
    code, _, err = lox24("cancel", "--resume", "-o", "ndjson")
    assert code == 0, err
    assert gateway.requests[0].method == "GET"
    assert not {*ids[:12]} & {*puts(gateway)}  # a look was enough
    assert states(journal) == {"canceled": 30}
    assert max((sent + Counter(puts(gateway))).values()) <= 2
    assert "All 30 are cancelled." in err


def test_case_75_after_a_kill_the_journal_goes_on(gateway: FakeLox24, soon: None) -> None:
    """Case 75: kill -9: each id is named, ndjson held what was known, --resume does the rest."""
    ids = add(gateway, *[0] * 300)
    gateway.latency = 0.02
    Path("ids.txt").write_text("\n".join(ids))
    with start("cancel", "--file", "ids.txt", "-o", "ndjson") as child:
        wait_for(lambda: len(puts(gateway)) >= 100)
        child.kill()
        out, _ = child.communicate(timeout=20)
    lines = [line for line in out.splitlines() if line.endswith("}")]
    told = {json.loads(line)["bulk_id"] for line in lines}
    assert len(told) >= 50
    gateway.latency = 0.0
    [journal] = journals()
    assert {outcome.bulk_id for outcome in CancelJournal.read(journal).outcomes} == {*ids}
    arrived = {*puts(gateway)}
    assert {*CancelJournal.read(journal).unresolved()} | told >= arrived
    code, _, err = lox24("cancel", "--resume")
    assert code == 0, err
    assert {*puts(gateway)} == {*ids}
    assert states(journal) == {"canceled": 300}
    code, _, err = lox24("cancel", "--resume")
    assert (code, err) == (2, "Error: There is no run that is unfinished.\n")


def test_what_stays_accepted_is_cancelled_again(gateway: FakeLox24, soon: None) -> None:
    """Only after a while; unknown and not sent at once."""
    accepted, waiting = add(gateway, 5, 0)
    gateway.stops_after = 3600.0
    gateway.fail_next(429, bulk_id=waiting, headers={"Retry-After": "600"})
    assert lox24("cancel", accepted, "--journal", "j")[0] == 1
    assert puts(gateway) == [accepted]
    gateway.stop_failing()
    code, _, _ = lox24("cancel", "--resume", "j")
    assert code == 1
    assert puts(gateway) == [accepted, accepted]
    gateway.set_status(accepted, 15)
    assert lox24("cancel", "--resume", "j")[0] == 0
    assert puts(gateway) == [accepted, accepted]


@pytest.mark.parametrize(
    "more",
    [[STRANGER], ["--file", "-"], ["--matching", "--all"], ["--journal", "k"], ["--dry-run"]],
)
def test_resume_goes_with_nothing_that_says_which_bulks(more: list[str]) -> None:
    """Exit code 2."""
    code, _, err = lox24("cancel", "--resume", "j", *more)
    assert code == 2
    assert "--resume goes on" in err


# --- runs and report


@pytest.fixture
def done(gateway: FakeLox24) -> Path:
    """Run once; return the journal."""
    first = gateway.add_bulk(0, msg_total_count=100, sender_id="<b>|Shop")
    late = gateway.add_bulk(10, msg_total_count=7)
    lox24("cancel", str(first.uuid), str(late.uuid), STRANGER)
    return journals()[-1]


def test_runs_are_listed_newest_first(gateway: FakeLox24, done: Path) -> None:
    """When, what became of them, whether finished, and the file; also as records."""
    gateway.fail_next(429, headers={"Retry-After": "600"})
    lox24("cancel", *add(gateway, 0))
    code, out, err = lox24("runs")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "1 UNFINISHED: 1 rejected" in lines[0] or "1 UNFINISHED: 1 not sent" in lines[0]
    assert "finished: 1 cancelled, 1 too late, 1 not found" in lines[3]
    assert lines[5].strip() == str(done)
    records = json.loads(lox24("runs", "-o", "json")[1])
    assert [record["finished"] for record in records] == [False, True]
    assert records[1]["canceled"] == 1


def test_without_runs_there_is_nothing_to_list_or_report() -> None:
    """A sentence."""
    assert lox24("runs") == (0, "", "There is no journal of a run.\n")
    code, _, err = lox24("report")
    assert (code, err) == (2, "Error: There is no journal of a run. Name the file.\n")
    Path("x").write_text("no journal\n")
    assert lox24("report", "x")[0] == 1


@pytest.mark.parametrize("form", ["md", "html", "csv", "json"])
def test_two_reports_give_the_same_bytes(done: Path, form: str) -> None:
    """And name each bulk with its state, its time and its request id."""
    first = lox24("report", "--format", form)
    assert first == lox24("report", str(done), "--format", form)
    code, out, err = first
    assert (code, err) == (0, "")
    for outcome in CancelJournal.read(done).outcomes:
        line = next(part for part in out.split("\n") if outcome.bulk_id in part)
        if form != "json":
            assert outcome.request_id is not None
            assert outcome.request_id in line
            assert re.search(r"\d\d:\d\d:\d\d\.\d{3}", line)


def test_a_report_says_who_when_what_and_how_much(done: Path) -> None:
    """For people: md on stdout by default."""
    _, out, _ = lox24("report")
    assert "- **selected**: lox24 cancel 3 ids\n" in out
    assert f"- **account**: client 1234567 at {os.environ['LOX24_BASE_URL']}\n" in out
    assert "- **stopped**: 1 of 3 bulks; at most 100 messages" in out
    assert "- **finished**: yes\n" in out
    assert "| cancelled | 1 |" in out
    told = json.loads(lox24("report", "--format", "json")[1])
    assert told["counts"][CancelState.CANCELED.value] == 1
    assert told["stopped"]["messages"] == 100


def test_the_html_is_one_page_that_fetches_nothing(done: Path) -> None:
    """Well-formed, with a chart, and a style for print."""
    _, out, _ = lox24("report", "--format", "html")

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: Counter[str] = Counter()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags[tag] += 1
            assert not {"src", "href"} & {name for name, _ in attrs}

    reader = Reader()
    reader.feed(out)
    assert reader.tags["svg"] == 1
    assert reader.tags["script"] == 0
    assert "@media print" in out
    chart = ElementTree.fromstring(out[out.index("<svg") : out.index("</svg>") + 6])
    assert len(chart.findall("rect")) >= 1
