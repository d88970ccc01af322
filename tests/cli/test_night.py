"""The operator's night: stop at once, see what is stopped, and look: cases 70 to 73, and 77."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from lox24_async import AuthenticationError, ConnectionFailedError, HeldBackError
from lox24_async.cli.canceling import outlasting
from lox24_async.cli.exits import CommandError
from lox24_async.cli.reading.moments import read_span
from lox24_async.cli.telling.sentences import cause, explain
from lox24_async.testing import FakeLox24, Fault, ReceivedRequest
from tests.conftest import puts

from .stage import (
    CANARY,
    LOX24,
    MOST,
    STRANGER,
    Screen,
    add,
    free_url,
    journals,
    lox24,
    start,
    wait_for,
)
from .test_app import live_in, sandbox

B = "11111111-2222-3333-4444-555555555555"


# --- what goes in


def test_case_70_the_bulk_of_a_message_is_its_bulk_id(gateway: FakeLox24) -> None:
    """Case 70: LOX24's messages have a uuid, too; a word says what was taken."""
    [bulk_id] = add(gateway, 0)
    Path("m.csv").write_text(f"uuid,bulk_id\n{STRANGER},{bulk_id}\n")
    code, _, err = lox24("cancel", "--file", "m.csv")
    assert code == 0
    assert puts(gateway) == [bulk_id]
    assert "Taken from the column 'bulk_id'.\n" in err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sep=;\nx;uuid\n1;{0}\n", ""),
        ("ID\n{0}\n", "Taken from the column 'ID'."),
        ("Bulk ID;text\n{0};a, b\n", "Taken from the column 'Bulk ID'."),
        ("1;{0};x\n2;" + B + ";y\n", "No header: taken from column 2 of 3."),
        ("nr,campaign,x\n1,{0},y\n", "Taken from column 2, 'campaign'."),
    ],
)
def test_case_71_what_excel_writes_is_read(gateway: FakeLox24, text: str, told: str) -> None:
    """Case 71: with a word about what was taken."""
    gateway.add_bulk(uuid=UUID(B))
    [bulk_id] = add(gateway, 0)
    Path("f.csv").write_text(text.format(bulk_id))
    code, _, err = lox24("cancel", "--file", "f.csv")
    assert code == 0, err
    assert bulk_id in puts(gateway)
    assert told in err


@pytest.mark.parametrize("start_of", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
@pytest.mark.parametrize("how", ["file", "stdin"])
def test_case_71_a_workbook_is_named_as_one(gateway: FakeLox24, start_of: bytes, how: str) -> None:
    """Case 71: exit code 2, with what to do."""
    data = start_of + b"\x00" * 100
    Path("ids.xlsx").write_bytes(data)
    file = "ids.xlsx" if how == "file" else "-"
    code, _, err = lox24("cancel", "--file", file, stdin=data)
    assert code == 2
    assert "is a workbook (.xlsx" in err
    assert "Save the sheet as CSV" in err
    assert gateway.requests == []


def test_case_73_a_pipe_is_read_while_it_is_written(gateway: FakeLox24) -> None:
    """Case 73: the first id is cancelled before the second is there; both are told."""
    one, two = add(gateway, 0, 0)
    with start("cancel", "--file", "-", "-o", "ndjson", stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.write(f"{one}\n")
        child.stdin.flush()
        wait_for(lambda: puts(gateway) == [one])
        assert child.poll() is None
        out, err = child.communicate(f"rubbish\n{two}", timeout=MOST)
    assert child.returncode == 1
    assert puts(gateway) == [one, two]
    assert [json.loads(line)["bulk_id"] for line in out.splitlines()].count(None) == 1
    assert "stdin line 2: no bulk id: 'rubbish'\n" in err


@pytest.mark.parametrize(
    "text",
    ["{0}\r\n{1}\r\n", 'uuid,text\n{0},"two\nlines"\n{1},x\n', '[{{"uuid": "{0}"}},\n"{1}"]'],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_pipe_may_hold_what_a_file_may(gateway: FakeLox24, text: str, encoding: str) -> None:
    """Lines, CSV and JSON, in the encodings of other systems, cut anywhere."""
    ids = add(gateway, 0, 0)
    with subprocess.Popen([*LOX24, "cancel", "--file", "-"], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        for byte in text.format(*ids).encode(encoding):
            os.write(child.stdin.fileno(), bytes([byte]))
        child.communicate(timeout=MOST)
    assert child.returncode == 0
    assert sorted(ids) == sorted(puts(gateway))


# --- what matches


def test_case_72_the_first_cancel_follows_the_first_page(gateway: FakeLox24) -> None:
    """Case 72: 2,100 bulks, 100 ms a page: it does not wait for the other pages."""
    for number in range(2_100):
        gateway.add_bulk(0, msg_total_count=number)
    gateway.fail_if(lambda request: Fault(delay=0.1) if request.method == "GET" else None)
    with start("cancel", "--matching", "--all", "--yes") as child:
        wait_for(lambda: bool(puts(gateway)))
        pages = [r for r in gateway.requests if r.method == "GET"]
        assert len(pages) <= 2  # the first, and the next that is being read
        child.kill()


def test_what_is_sending_and_large_goes_first(gateway: FakeLox24) -> None:
    """Of a page: bulks in progress first, then by messages."""
    ids = [
        str(gateway.add_bulk(status, msg_total_count=count).uuid)
        for status, count in ((0, 10), (0, 500), (5, 20), (5, 300))
    ]
    args = ("cancel", "--matching", "--all", "--yes", "--max-concurrency", "1")
    assert lox24(*args)[0] == 0
    assert puts(gateway) == [ids[3], ids[2], ids[1], ids[0]]


def test_after_the_question_the_listing_is_read_on(gateway: FakeLox24) -> None:
    """Asked after the forward pass; what slipped through is cancelled, what came later is not."""
    gateway.page_size = 3
    ids = [str(gateway.add_bulk(0, msg_total_count=100 - n).uuid) for n in range(12)]
    with Screen("cancel", "--matching", "--all") as screen:
        screen.until("A cancel cannot be undone.")
        screen.until("Cancel these 12? [y/N] ")
        assert puts(gateway) == []
        screen.type("y\n")
        code, seen = screen.end()
    assert code == 0
    assert "All 12 are cancelled." in seen
    assert {*ids} == {*puts(gateway)}


def test_of_a_listing_that_breaks_it_is_asked(gateway: FakeLox24) -> None:
    """Without --yes: what was found is shown and asked about, and the end says that it broke."""
    gateway.page_size = 2
    add(gateway, *[0] * 5)

    def fail(request: ReceivedRequest) -> Fault | None:
        return Fault(status=400) if "page=2" in request.path else None

    gateway.fail_if(fail)
    with Screen("cancel", "--matching", "--all") as screen:
        screen.until("Cancel these 2? [y/N] ")
        screen.type("y\n")
        code, seen = screen.end()
    assert code == 1
    assert len(puts(gateway)) == 2
    assert "The listing broke off: " in " ".join(seen.split())


@pytest.mark.parametrize("columns", [80, 40])
def test_case_77_sender_and_text_are_in_sight(
    gateway: FakeLox24, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 77: at 80 columns in each row, at 40 in a row of its own; and a summary by sender."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    for number in range(12):
        gateway.add_bulk(
            5 if number % 2 else 0,
            sender_id="Acme Bank" if number % 3 else "Shop",
            text="Your card was used abroad, call us",
            msg_total_count=1000 + number,
            price=Decimal("65.5"),
        )
    for command in (("cancel", "--matching", "--all"), ("list",)):
        with Screen(*command) as screen:
            if command[0] == "cancel":
                screen.until("[y/N] ")
                screen.type("n\n")
            _, seen = screen.end()
        rows = [line for line in seen.splitlines() if re.search("Acme Bank.*Your|Shop.*Your", line)]
        assert len(rows) == (10 if command[0] == "cancel" else 12)
        assert all(len(line) <= columns for line in rows)
        assert re.search(r"^sender +bulks +messages +cost *$", seen, re.MULTILINE)
        assert re.search(r"^Acme Bank +8 +8,0\d\d +524\.00 *$", seen, re.MULTILINE)


def test_the_exact_sender_is_no_other(gateway: FakeLox24) -> None:
    """--sender-is NAME, for list and cancel."""
    acme = str(gateway.add_bulk(0, sender_id="Acme").uuid)
    gateway.add_bulk(0, sender_id="Acme Bank")
    assert lox24("cancel", "--matching", "--sender-is", "Acme", "--yes")[0] == 0
    assert puts(gateway) == [acme]
    out = lox24("list", "--sender-is", "Acme", "-o", "ndjson")[1]
    assert [json.loads(line)["uuid"] for line in out.splitlines()] == [acme]


@pytest.mark.slow
def test_for_a_while_what_comes_is_stopped(gateway: FakeLox24) -> None:
    """--for keeps stopping what a producer goes on creating; --until-quiet ends it."""
    gateway.add_bulk(0, sender_id="Shop")
    args = ("cancel", "--matching", "--sender", "shop", "--yes", "--for", "1m", "--until-quiet")
    with start(*args, "2s", "-o", "ndjson") as child:
        wait_for(lambda: len(puts(gateway)) == 1)
        gateway.add_bulk(5, sender_id="Shop")
        wait_for(lambda: len(puts(gateway)) == 2)
        out, err = child.communicate(timeout=MOST)
    assert child.returncode == 0, err
    assert len(out.splitlines()) == 2
    assert "All 2 are cancelled." in err


@pytest.mark.parametrize(
    ("word", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400)]
)
def test_spans_have_units(word: str, seconds: float) -> None:
    """s, m, h and d; anything else is told."""
    assert read_span(word, "--for") == seconds
    with pytest.raises(CommandError, match="--for: 'soon' is no time"):
        read_span("soon", "--for")


def test_503s_in_a_row_end_no_run(gateway: FakeLox24, impatient: None) -> None:
    """Who probes for all has not used up its attempts: the run's patience counts."""
    gateway.fail_next(503, times=12)
    assert lox24("cancel", *add(gateway, 0))[0] == 0


def test_keep_trying_outlasts_an_outage(
    gateway: FakeLox24, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever failed while it lasted is cancelled behind it: by ids, and where it is listed."""
    monkeypatch.setattr(outlasting, "_PAUSE", 0.01)
    for line in (add(gateway, *[0] * 15), ["--matching", "--all", "--yes"]):
        add(gateway, *[0] * 15)
        left = 60  # of more requests than the attempts of one call

        def fail(_: ReceivedRequest) -> Fault | None:
            nonlocal left
            left -= 1
            return Fault(status=503) if left >= 0 else None

        gateway.fail_if(fail)
        code, _, err = lox24("cancel", *line, "--keep-trying")
        assert code == 0, err
        assert "All 15 are cancelled." in err or "All 30 are cancelled." in err
        assert left < 0


@pytest.mark.slow
@pytest.mark.parametrize("width", ["1", "10"])
def test_keep_trying_ends_though_one_id_always_fails(
    gateway: FakeLox24, impatient: None, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    """LOX24 answers, so it is no outage: told as unknown when a call's patience ends; code 1."""
    monkeypatch.setattr(outlasting, "_PAUSE", 0.01)
    ids = add(gateway, *[0] * 12)
    gateway.fail_if(lambda r: Fault(status=503) if ids[-1] in r.path else None)
    code, _, err = lox24("cancel", *ids, "--keep-trying", "--max-concurrency", width)
    assert code == 1
    assert "1 of 12 NOT cancelled: 1 unknown" in err
    assert {*ids[:-1]} == {str(b.uuid) for b in gateway.bulks.values() if b.is_canceled}


def test_what_was_left_alone_behind_the_question_is_told(gateway: FakeLox24) -> None:
    """What is newer than the question, or without a time of creation, was shown to nobody."""
    gateway.page_size = 2
    day = datetime(2026, 3, 1, tzinfo=UTC)
    for count in range(12):
        gateway.add_bulk(0, msg_total_count=100 - count, created_at=day)
    pages = list[int]()

    def come(request: ReceivedRequest) -> None:
        """Let two more come when the listing is read backwards, which it is ahead of the answer."""
        pages.append(int(parse_qs(urlsplit(request.path).query).get("page", ["0"])[0]))
        if pages[-2:] == [6, 5]:
            gateway.add_bulk(0, msg_total_count=500, created_at=None)
            gateway.add_bulk(0, msg_total_count=500, created_at=day + timedelta(days=1))

    gateway.fail_if(come)
    with Screen("cancel", "--matching", "--all") as screen:
        screen.until("Cancel these 12? [y/N] ")
        screen.type("y\n")
        code, seen = screen.end()
    assert code == 0
    assert len(puts(gateway)) == 12
    assert "2 bulks left alone: as new as the newest one shown, or newer" in " ".join(seen.split())


# --- looking


def test_list_shows_the_newest_fifty_in_a_terminal(gateway: FakeLox24) -> None:
    """And says how many more there are; --limit and --all say otherwise; in a pipe all."""
    ids = add(gateway, *[0] * 60)
    for more, count in (((), 50), (("--all",), 60), (("--limit", "3"), 3)):
        with Screen("list", *more) as screen:
            code, seen = screen.end()
        assert code == 0
        assert len(re.findall("^[0-9a-f]{8}-", seen, re.MULTILINE)) == count
        assert ("There are 10 more: --all, or --limit N." in seen) is (not more)
    assert len(lox24("list", "-o", "ndjson")[1].splitlines()) == len(ids)


def test_all_and_a_limit_do_not_go_together() -> None:
    """Exit code 2."""
    code, _, err = lox24("list", "--all", "--limit", "3")
    assert code == 2
    assert "--all and --limit do not go together." in err


def test_of_many_senders_the_others_are_summed_up(gateway: FakeLox24) -> None:
    """The largest by name, and in one row how many more there are, with what they hold."""
    for count in range(14):
        gateway.add_bulk(0, sender_id=f"Shop{count}", msg_total_count=100 - count, price=Decimal(1))
    gateway.add_bulk(0, sender_id="Free", msg_total_count=1, price=None)
    code, _, err = lox24("list")
    assert code == 0
    [row] = [line for line in err.splitlines() if "5 other senders" in line]
    assert re.search(r"\b5\b.*\b355\b.*\b4\b", row.replace("5 other senders", "")), row


def test_list_running_is_what_is_not_over(gateway: FakeLox24) -> None:
    """Status new and in-progress."""
    ids = add(gateway, 0, 5, 10, 15, 20)
    out = lox24("list", "--running", "-o", "ndjson")[1]
    assert {json.loads(line)["uuid"] for line in out.splitlines()} == {*ids[:2]}
    assert lox24("list", "--running", "--status", "new")[0] == 2


def test_list_watch_tells_what_is_new_and_what_changes(gateway: FakeLox24) -> None:
    """A line for each, until Ctrl-C."""
    [first] = add(gateway, 0)
    args = ("list", "--watch", "--running", "--interval", "0.1", "-o", "ndjson")
    with start(*args) as child:
        assert child.stdout is not None

        def next_line() -> tuple[str, int]:
            assert child.stdout is not None
            record = json.loads(child.stdout.readline())
            return record["uuid"], record["status_code"]

        assert next_line() == (first, 0)
        [second] = add(gateway, 5)
        assert next_line() == (second, 5)
        gateway.set_status(first, 15)
        assert next_line() == (first, 15)
        child.kill()


def test_the_messages_behind_a_bulk_are_shown(gateway: FakeLox24) -> None:
    """All, those that were sent, or those that were not; for people and as records."""
    phones = [f"+4917012345{n:02}" for n in range(10)]
    bulk_id = str(
        gateway.add_bulk(5, phones=tuple(phones), msg_total_count=10, sent=4, text="Hi").uuid
    )
    for more, count in (((), 10), (("--sent",), 4), (("--unsent",), 6)):
        code, out, err = lox24("show", bulk_id, "--messages", *more)
        assert code == 0
        assert len(out.splitlines()) == count + 1
        assert err.startswith(f"{count} messages: ")
        out = lox24("show", bulk_id, "--messages", *more, "-o", "ndjson")[1]
        assert {json.loads(line)["bulk_id"] for line in out.splitlines()} == {bulk_id}
    assert lox24("show", bulk_id, "--sent")[0] == 2
    assert lox24("show", bulk_id, "--messages", "--sent", "--unsent")[0] == 2
    assert lox24("show", bulk_id, "-o", "csv")[0] == 2


@pytest.mark.parametrize("columns", [80, 40])
def test_the_closing_words_fit_a_terminal(
    gateway: FakeLox24, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stopped, the second phase in its own words; no line longer than the screen."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    gateway.stops_after = 0.1
    ids = [str(gateway.add_bulk(s, msg_total_count=30, price=Decimal(2)).uuid) for s in (0, 5, 10)]
    with Screen("cancel", *ids) as screen:
        code, seen = screen.end()
    assert code == 1
    told = " ".join(seen.split())
    assert "Stopped: at most 60 messages, 4.00 in the account's currency." in told
    assert "looked again at 2 of 2" in told
    assert "1 of 3 NOT cancelled: 1 too late" in told
    assert all(len(line.rstrip()) <= columns for line in seen.splitlines())


def test_the_line_that_goes_on_can_be_copied(gateway: FakeLox24) -> None:
    """However narrow the terminal is, no line break is put into it."""
    gateway.stops_after = 3600.0
    with Screen("cancel", *add(gateway, 5)) as screen:
        code, seen = screen.end()
    assert code == 1
    assert f"\n  lox24 cancel --resume {journals()[0]}\n" in seen


# --- doctor, proxy, guard


def test_the_doctor_sends_one_request(gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tells what there is to know, but no key and no proxy's password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://u:geheim@proxy:3128")
    code, out, err = lox24("doctor")
    assert (code, err) == (0, "LOX24 answers, and takes the token.\n")
    assert len(gateway.requests) == 1
    for text in ("version", gateway.url, "client 1234567", "HTTPS_PROXY is set", "process", "ms"):
        assert text in out
    assert re.search("^clock +as LOX24's$", out, re.MULTILINE)
    assert gateway.token.partition(":")[2] not in out
    assert "geheim" not in out


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault(status=401), 3), (Fault(status=429), 4), (Fault(status=503), 5)]
)
def test_the_doctor_s_exit_code_says_what_it_is(
    gateway: FakeLox24, fault: Fault, code: int
) -> None:
    """As that of cancel; one request."""
    gateway.fail_if(lambda _: fault)
    assert lox24("doctor")[0] == code
    assert len(gateway.requests) == 1
    assert lox24("doctor", "--base-url", free_url())[0] == 5


def test_the_doctor_knows_this_machine(gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its address: what is sent there goes past the proxy, and shares no guard."""
    monkeypatch.setenv("LOX24_PROXY", "http://proxy:3128")
    monkeypatch.delenv("LOX24_GUARD", raising=False)
    _, out, _ = lox24("doctor", "--base-url", free_url().replace("127.0.0.1", "127.0.0.2"))
    assert gateway.requests == []
    assert re.search("^proxy +none$", out, re.MULTILINE)
    assert re.search("^guard +process$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(90, "90 s behind LOX24's: set it"), (-30, "30 s ahead of LOX24's$"), (None, "no date$")],
)
def test_the_doctor_tells_how_wrong_the_clock_is(
    gateway: FakeLox24, seconds: int | None, said: str
) -> None:
    """By the date of LOX24's answer, to some seconds."""
    date = "soon"
    if seconds is not None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    gateway.fail_if(lambda _: Fault(status=404, headers={"Date": date}))
    code, out, _ = lox24("doctor")
    found = re.search("^clock +(.*)", out, re.MULTILINE)
    assert code == 0
    assert found is not None
    told = re.sub(r"(8[89]|9[0-5])( s behind)", r"90\2", found[1])
    assert re.search(said, re.sub(r"(2[5-9]|3[0-2])( s ahead)", r"30\2", told)), told


def test_the_doctor_shows_no_password_of_the_guard(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is named without its password, and so is the proxy."""
    monkeypatch.setenv("LOX24_GUARD", "redis://u:geheim@127.0.0.1:1/0")
    line = ("--proxy", "http://u:geheim@127.0.0.1:1", "--base-url", "https://localhost:1")
    code, out, err = lox24("doctor", *line)
    assert code == 5
    assert "redis://127.0.0.1:1 (LOX24_GUARD)" in out
    assert "http://127.0.0.1:1 (--proxy)" in out
    assert "geheim" not in out + err
    assert gateway.requests == []


def test_the_doctor_names_what_the_environment_says(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy without its password, a guard behind a socket, and that the URL is the default."""
    monkeypatch.delenv("LOX24_BASE_URL")
    monkeypatch.setenv("LOX24_PROXY", free_url().replace("http://", "http://u:geheim@"))
    monkeypatch.setenv("LOX24_GUARD", "unix:///gone/redis.sock?db=1")
    code, out, err = lox24("doctor")
    assert code == 5
    assert re.search(r"^base URL +https://api\.lox24\.eu \(the default\)$", out, re.MULTILINE)
    assert re.search(r"^proxy +http://127\.0\.0\.1:\d+ \(LOX24_PROXY\)$", out, re.MULTILINE)
    assert re.search(r"^guard +unix:///gone/redis\.sock \(LOX24_GUARD\)$", out, re.MULTILINE)
    assert "geheim" not in out + err
    assert gateway.requests == []


def test_the_doctor_says_where_a_guard_is_named_that_cannot_work(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the token: in the environment, and what to install."""
    monkeypatch.setenv("LOX24_GUARD", "redis://127.0.0.1:1/0")
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    code, _, err = lox24("doctor")
    assert (2, []) == (code, gateway.requests)
    assert "install lox24_async[redis]. Check LOX24_GUARD; nothing was sent." in err


def test_a_proxy_is_named_by_an_option(gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong one is told as such; HTTPS_PROXY is no proxy, but gives a hint."""
    code, _, err = lox24("list", "--proxy", "socks5://x")
    assert (code, "Check LOX24_PROXY or --proxy" in err) == (2, True)
    monkeypatch.setenv("HTTPS_PROXY", "http://u:geheim@proxy:3128")
    refused = free_url().replace("http:", "https:")
    code, _, err = lox24("doctor", "--base-url", refused)
    assert code == 5
    assert "HTTPS_PROXY is set, but ignored: name it with --proxy or LOX24_PROXY" in err
    assert "geheim" not in err


def test_what_another_process_found_out_is_said(
    gateway: FakeLox24, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 49: the second lox24 sends nothing, and says who was refused when, and when to try."""
    monkeypatch.setenv("LOX24_GUARD", str(tmp_path / "guard"))
    monkeypatch.setenv("LOX24_AUTH_TOKEN", CANARY)
    for number in range(2):
        with start("cancel", STRANGER) as child:
            _, err = child.communicate(timeout=MOST)
        assert child.returncode == 3
        told = "another lox24 on this machine was told so"
        assert (told in err) is bool(number), err
    assert re.search(r"; the next try is possible at \d\d:\d\d:\d\d", err)
    assert len(gateway.requests) == 1


def test_a_certificate_that_is_not_trusted_gives_a_hint() -> None:
    """Behind a proxy that reads along: the file of its CA."""
    error = ConnectionFailedError("x", tls=True)
    said = explain(error, "https://x", "LOX24_AUTH_TOKEN")
    assert "name its CA file with SSL_CERT_FILE" in said


def test_held_back_is_no_block() -> None:
    """The sentence says so, and when the next try is possible."""
    said = explain(HeldBackError("x", status=429, retry_after=20.0), "http://x", "LOX24_AUTH_TOKEN")
    assert said.startswith("Nothing is blocked, but held back")
    assert "the next try is possible at" in said
    refused = AuthenticationError("x", status=401, retry_after=40.0)
    assert "was told so 20 s ago" in cause(refused, "http://x")


# --- the sandbox


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--answer", "402"], 1, "enough funds"),
        (["--balancer-page", "502", "--every", "5"], 0, ""),
        (["--ingress-404", "0.02"], 0, ""),  # with full jitter two pauses may be that short: 0.04 %
        (["--rate-limit", "200", "--burst", "2"], 0, ""),
        (["--connection-limit", "2", "--refuse-with", "429", "--latency", "0.01"], 0, ""),
    ],
)
def test_the_sandbox_goes_wrong_as_it_is_told(
    options: list[str], code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands before it answers, and each request is logged all the same."""
    with sandbox("--bulks", "4", *options) as (child, there):
        live_in(there, monkeypatch)
        ended, _, err = lox24("cancel", "--matching", "--all", "--yes")
        assert ended == code, err
        assert told in err
        child.terminate()
        assert "GET /bulks" in child.communicate(timeout=MOST)[1]


@pytest.mark.slow
def test_ten_thousand_ids_of_a_pipe_in_flat_memory(gateway: FakeLox24) -> None:
    """What is read and not sent yet waits in the pipe, not here."""
    ids = add(gateway, *[0] * 10_000)
    measured = (
        "import resource, threading, time\n"
        "def watch():\n"
        "    while True:\n"
        "        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "        open('rss', 'a').write(f'{now}\\n')\n"
        "        time.sleep(0.1)\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
    )
    program = [*LOX24[:-1], measured + LOX24[-1], "cancel", "--file", "-", "-o", "ndjson"]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        out, err = child.communicate("\n".join(ids), timeout=5 * MOST)
    assert child.returncode == 0, err
    assert len(out.splitlines()) == 10_000
    assert "All 10,000 are cancelled." in err
    sizes = [int(line) for line in Path("rss").read_text().split()]
    assert sizes[-1] - sizes[len(sizes) // 5] < 16 * 1024  # KiB, of which the report is the most
