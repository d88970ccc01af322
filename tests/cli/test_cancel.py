"""The ``lox24`` command from end to end, against the local gateway in another thread."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

from lox24_async import BulkStatus, CancelJournal, Lox24Client, __version__
from lox24_async.cli.commands import demo
from lox24_async.cli.running import library_log
from lox24_async.cli.telling.progress import Progress
from lox24_async.testing import FakeLox24
from tests.conftest import QUICK, puts

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
    read_until,
    start,
    wait_for,
)

# --- what is told


def test_a_cancelled_bulk_is_told_to_people_on_stderr(gateway: FakeLox24) -> None:
    """Exit code 0, a table and a sentence on stderr, nothing on stdout."""
    [bulk_id] = add(gateway, 0)
    code, out, err = lox24("cancel", bulk_id)
    assert (code, out) == (0, "")
    assert re.search(r"^ *1 +cancelled +stopped *$", err, re.MULTILINE)
    assert err.endswith("\nThe bulk is cancelled.\n")
    assert gateway.bulks[bulk_id].is_canceled


def test_the_table_tells_all_states_and_what_is_not_cancelled(gateway: FakeLox24) -> None:
    """Every bulk is in one row; those that are not cancelled are named with the reason."""
    ids = add(gateway, BulkStatus.NEW, BulkStatus.CANCELED, BulkStatus.PROCESSED)
    code, out, err = lox24("cancel", *ids, STRANGER, "rubbish")
    assert (code, out) == (1, "")
    rows = re.findall(r"^ *([\d,]+)  ([a-z ]+?)  ", err, re.MULTILINE)
    assert rows == [
        ("2", "cancelled"),
        ("1", "too late"),
        ("1", "not found"),
        ("1", "no bulk id"),
        ("5", "in all"),
    ]
    assert f"{ids[2]}  too late: already sent\n" in err
    assert f"{STRANGER}  not found: LOX24 knows no such bulk in this account\n" in err
    assert "argument 5: no bulk id: 'rubbish'\n" in err
    assert "3 of 5 NOT cancelled: 1 too late, 1 not found, 1 no bulk id.\n" in err
    assert "\x1b" not in err


def _read_json(out: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(out)
    return records


def _read_ndjson(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def _read_csv(out: str) -> list[dict[str, Any]]:
    return [
        {name: value or None for name, value in row.items()}
        | {name: int(row[name]) if row[name] else None for name in ("status_code", "attempts")}
        for row in csv.DictReader(io.StringIO(out))
    ]


@pytest.mark.parametrize(
    ("form", "read"), [("json", _read_json), ("ndjson", _read_ndjson), ("csv", _read_csv)]
)
def test_machines_get_a_record_for_each_bulk(
    gateway: FakeLox24, form: str, read: Callable[[str], list[dict[str, Any]]]
) -> None:
    """The same fields in each form, and nothing else on stdout; json is in input order."""
    late, good = add(gateway, BulkStatus.PROCESSED, BulkStatus.NEW)
    code, out, err = lox24("cancel", late, good, STRANGER, "x", "--output", form)
    records = read(out)
    told = [tuple(r[n] for n in ("bulk_id", "state", "status_code", "attempts")) for r in records]
    expected = [
        (late, "too late", 10, 1),
        (good, "canceled", 15, 1),
        (STRANGER, "not found", None, 1),
        (None, "rejected", None, 0),
    ]
    assert told == expected if form == "json" else {*told} == {*expected}
    by_state = {record["state"]: record for record in records}
    assert by_state["canceled"]["error"] is None
    assert by_state["canceled"]["request_id"]
    assert by_state["not found"]["request_id"] in by_state["not found"]["error"]
    assert by_state["rejected"]["error"] == "argument 4: no bulk id: 'x'"
    assert code == 1
    assert "3 of 4 NOT cancelled" in err


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_what_lox24_writes_it_reads_again(gateway: FakeLox24, form: str) -> None:
    """The records of one run are the input of the next."""
    ids = add(gateway, 0, 5, 0)
    _, records, _ = lox24("cancel", *ids, "-o", form)
    again, _, err = lox24("cancel", "--file", "-", stdin=records)
    assert again == 0
    assert "All 3 are cancelled." in err


def test_quiet_says_only_what_went_wrong(gateway: FakeLox24) -> None:
    """No word if all went well; else the sentence, and the records if they are asked for."""
    good, late = add(gateway, BulkStatus.NEW, BulkStatus.PROCESSED)
    assert lox24("cancel", good, "-q") == (0, "", "")
    code, out, err = lox24("cancel", good, late, "-q", "-o", "ndjson")
    assert code == 1
    assert {r["state"] for r in _read_ndjson(out)} == {"canceled", "too late"}
    assert err == "1 of 2 NOT cancelled: 1 too late.\n"


# --- where the ids come from


def test_a_bad_line_is_named_and_the_rest_is_cancelled(gateway: FakeLox24) -> None:
    """The file's good lines are cancelled, the bad one is named by number, exit code 1."""
    ids = add(gateway, 0, 0)
    Path("ids.txt").write_text(f"# for tonight\n{ids[0]}\n{ids[1][:-1]}\n\n{ids[1]}\n")
    code, _, err = lox24("cancel", "--file", "ids.txt")
    assert code == 1
    assert f"ids.txt line 3: no bulk id: '{ids[1][:-1]}'\n" in err
    assert all(bulk.is_canceled for bulk in gateway.bulks.values())


def test_ids_of_arguments_and_file_are_cancelled_once(gateway: FakeLox24) -> None:
    """Each distinct id costs one request, wherever it was named."""
    ids = add(gateway, 0, 0)
    stdin = "uuid,text\n" + "".join(f"{bulk_id},x\n" for bulk_id in ids)
    code, _, err = lox24("cancel", ids[0].upper(), "--file", "-", stdin=stdin)
    assert code == 0
    assert "1 repeated: each id is cancelled once.\n" in err
    assert sorted(ids) == sorted(puts(gateway))


def test_many_bad_lines_do_not_drown_the_rest() -> None:
    """Ten are named, the others counted; without one good line nothing is sent."""
    code, _, err = lox24("cancel", "-f", "-", "--base-url", free_url(), stdin="x\n" * 50)
    assert code == 2  # no token
    code, _, err = _with_token("cancel", "-f", "-", "--base-url", free_url(), stdin="x\n" * 50)
    assert code == 1
    assert err.count("no bulk id: 'x'") == 10
    assert "… and 40 more lines that hold no bulk id.\n" in err


def _with_token(*args: str, stdin: str | None = None) -> tuple[int, str, str]:
    Path("token").write_text("1234567:abcdefgh\n")
    return lox24(*args, "--token-file", "token", stdin=stdin)


# --- what goes wrong


@pytest.mark.parametrize(
    ("args", "environment", "told"),
    [
        (["cancel"], {}, "Error: Which bulks? Name their ids"),
        (["cancel", "--file", "gone"], {}, "Error: 'gone' cannot be read: No such file"),
        (["cancel", "--file", "-"], {}, "Error: There is no id in the input"),
        (["cancel", STRANGER], {"LOX24_AUTH_TOKEN": ""}, "Error: There is no token. Set LOX24"),
        (["cancel", STRANGER], {"LOX24_AUTH_TOKEN": "x"}, "Error: The token is not of the form"),
        (
            ["cancel", STRANGER, "--base-url", "http://lox24.eu"],
            {},
            "Error: The base URL is http: allowed only for a loopback host. Check LOX24_BASE_URL",
        ),
        (
            ["cancel", STRANGER, "--token-file", "gone"],
            {},
            "Error: The token file 'gone' cannot be read: No such file",
        ),
        (["cancel", STRANGER, "--output", "xml"], {}, "--output"),
        (["cancel", STRANGER, "--max-concurrency", "0"], {}, "--max-concurrency"),
        (["cancel", STRANGER, "--token", "1:abcdefgh"], {}, "--token"),
        (["no-such-command"], {}, "no-such-command"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    args: list[str],
    environment: dict[str, str],
    told: str,
    gateway: FakeLox24,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 2, the next step, no traceback, and nothing was sent."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, out, err = lox24(*args)
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err
    assert gateway.requests == []


def test_debug_shows_where_it_was() -> None:
    """Only ``--debug`` shows a traceback."""
    code, _, err = lox24("cancel", STRANGER, "--debug")
    assert code == 2
    assert err.startswith("Traceback")
    assert err.endswith("Error: There is no token. Set LOX24_AUTH_TOKEN, or name a --token-file.\n")


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_case_1_a_wrong_token_ends_the_run(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch, debug: list[str]
) -> None:
    """Exit code 3, one request for all ids; case 32: the token appears nowhere."""
    monkeypatch.setenv("LOX24_AUTH_TOKEN", CANARY)
    ids = add(gateway, *[0] * 50)
    code, out, err = lox24("cancel", *ids, "-o", "json", *debug)
    assert code == 3
    assert len(gateway.requests) == 1
    assert Counter(r["state"] for r in _read_json(out)) == {"rejected": 1, "not sent": 49}
    assert "50 of 50 NOT cancelled" in err
    assert "LOX24 refused the token (HTTP 401, request id " in err
    assert "Check LOX24_AUTH_TOKEN, and wait a minute" in err
    assert CANARY.partition(":")[2] not in out + err


def test_case_32_a_token_in_the_wrong_place_is_not_echoed(gateway: FakeLox24) -> None:
    """Neither as an id, nor as a file's name, nor as a file of ids, nor with a traceback."""
    Path("token").write_text(CANARY)
    for args in (
        ["cancel", CANARY],
        ["cancel", "--file", CANARY],
        ["cancel", "--file", "token"],
        ["cancel", STRANGER, "--token-file", CANARY],
        ["cancel", STRANGER, "--token", CANARY],
        ["cancel", STRANGER, f"--token={CANARY}"],
    ):
        for more in ([], ["--debug"]):
            code, out, err = lox24(*args, *more)
            assert code in (1, 2)
            assert CANARY.partition(":")[2] not in out + err, args
    assert gateway.requests == []


def test_case_32_a_server_that_echoes_the_token_shows_nothing(gateway: FakeLox24) -> None:
    """What the server says is told, the token in it is not, in no form of output."""
    [bulk_id] = add(gateway, 0)
    for form in ("table", "json", "csv"):
        body = json.dumps({"detail": f"bad header: {gateway.token}"})
        gateway.fail_next(422, body=body, headers={"X-LOX24-REQUEST-ID": gateway.token})
        gateway.fail_next(500, method="GET")  # the look that follows
        code, out, err = lox24("cancel", bulk_id, "-o", form, "--debug")
        assert code == 1
        assert "bad header" in out + err
        assert gateway.token.partition(":")[2] not in out + err


def test_a_token_file_comes_before_the_environment(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with a line end works; the environment's token is not used then."""
    Path("token").write_text(gateway.token + "\n")
    monkeypatch.setenv("LOX24_AUTH_TOKEN", CANARY)
    code, _, _ = lox24("cancel", *add(gateway, 0), "--token-file", "token")
    assert code == 0


def test_a_blocked_ip_ends_the_run(gateway: FakeLox24) -> None:
    """Exit code 4, the end of the block, and at most the first wave on the wire."""
    gateway.fail_next(429, times=100, headers={"Retry-After": "600"})
    code, _, err = lox24("cancel", *add(gateway, *[0] * 50))
    assert code == 4
    assert len(gateway.requests) == 1  # the probe of the new token
    assert "LOX24 blocks or limits this IP (HTTP 429, request id " in err
    assert "(in 10 min)" in err


@pytest.mark.slow
def test_a_host_that_is_not_there_ends_the_run(gateway: FakeLox24, impatient: None) -> None:
    """Exit code 5, the address, and what to do."""
    url = free_url()
    code, _, err = lox24("cancel", STRANGER, "--base-url", url)
    assert code == 5
    assert f"LOX24 at {url} cannot be reached: no connection" in err
    assert "Check the network" in err
    assert gateway.requests == []


def test_what_is_accepted_is_looked_at_again(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 200 that is not 15 yet is settled by one more look."""
    monkeypatch.setattr("lox24_async.cli.canceling.looking._SETTLING", 0.01)
    [bulk_id] = add(gateway, 5)
    gateway.fail_next(body=json.dumps({"uuid": bulk_id, "status_code": 5}))
    code, out, _ = lox24("cancel", bulk_id, "-o", "ndjson")
    assert code == 0
    assert [r["state"] for r in _read_ndjson(out)] == ["accepted", "canceled"]
    assert [r.method for r in gateway.requests] == ["PUT", "GET"]


def test_what_was_read_from_stdin_and_not_sent_is_kept(gateway: FakeLox24) -> None:
    """A pipe cannot be read again: the unfinished ids are in the journal."""
    ids = add(gateway, 0, 0)
    gateway.fail_next(429, headers={"Retry-After": "600"})
    code, _, err = lox24("cancel", "-f", "-", stdin="\n".join(ids))
    assert code == 4
    [rest] = journals()
    assert f"  lox24 cancel --resume {rest}\n" in err
    assert sorted(CancelJournal.read(rest).unfinished()) == sorted(ids)


def test_a_defect_is_told_without_a_traceback(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a bug of ours gives a person on call a sentence, and the exit code is not 0."""

    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("lox24_async.cli.telling.outcomes.closing_table", break_down)
    code, _, err = lox24("cancel", *add(gateway, 0))
    assert code == 1
    assert err.endswith("Error: lox24 broke (ZeroDivisionError). With --debug it shows where.\n")
    assert "Traceback" not in err


async def test_a_wait_is_told_with_its_reason(fake_lox24: FakeLox24) -> None:
    """While nothing moves, the display says why; what the library logs otherwise is no wait."""
    bulk_id = fake_lox24.add_bulk().uuid
    body = json.dumps({"uuid": str(bulk_id), "status_code": 15, "created_at": "x"})
    fake_lox24.fail_next(body=body)
    fake_lox24.fail_next(503, body='{"detail": "Down for tea"}')
    progress = Progress(2)
    with library_log(print, progress.take_warning, debug=False):
        async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url, retry=QUICK) as client:
            await client.cancel_bulk(bulk_id)
            assert progress.note == ""
            await client.cancel_bulk(bulk_id)
    assert re.fullmatch(r"waiting: Down for tea; attempt 2 of 3 in 0\.\d s", progress.note)


# --- in a process of its own


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_case_37_an_interrupted_run_goes_on_where_it_stopped(
    gateway: FakeLox24, number: signal.Signals
) -> None:
    """Exit code 130; what was in flight is finished; --resume takes the rest, once."""
    ids = add(gateway, *[0] * 150)
    gateway.latency = 0.05
    Path("ids.txt").write_text("\n".join(ids))
    with start("cancel", "--file", "ids.txt", "--max-concurrency", "4", "-o", "ndjson") as child:
        wait_for(lambda: len(gateway.requests) >= 20)
        child.send_signal(number)
        out, err = child.communicate(timeout=MOST)
    assert child.returncode == 130
    [rest] = journals()
    states = Counter(record["state"] for record in _read_ndjson(out))
    done = states["canceled"]
    assert 20 <= done < 150
    assert states == {"canceled": done, "not sent": 150 - done}
    assert f"Interrupted: {done} done, 0 unknown, {150 - done} not sent.\n" in err
    assert f"  lox24 cancel --resume {rest}\n" in err
    assert "Traceback" not in err
    assert done == len(puts(gateway))

    gateway.latency = 0
    code, _, _ = lox24("cancel", "--resume")
    assert code == 0
    assert sorted(ids) == sorted(puts(gateway))


def test_in_a_terminal_a_bar_lives_and_a_second_ctrl_c_leaves_at_once(
    gateway: FakeLox24, terminal: tuple[IO[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar says how far it is; nothing is lost even when the grace time is cut short."""
    monkeypatch.setenv("COLUMNS", "80")
    screen, theirs = terminal
    ids = add(gateway, *[0] * 30)
    Path("ids.txt").write_text("\n".join(ids))
    for bulk_id in ids[10:]:
        gateway.fail_next(delay=60, bulk_id=bulk_id)
    with start("cancel", "-f", "ids.txt", stderr=theirs) as child:
        bar = read_until(screen, b"10/30")
        assert b"\x1b[?25l" in bar  # the cursor is hidden while the bar is drawn
        assert b"cancelling" in bar
        assert b"\x1b[32mcancelled" in read_until(screen, b"cancelled")
        child.send_signal(signal.SIGINT)
        read_until(screen, b"Ctrl-C again leaves at once")
        child.send_signal(signal.SIGINT)
        told = read_until(screen, b"--resume ").decode()
        assert child.wait(3) == 130
    assert "Interrupted: 10 done, 10 unknown, 10 not sent." in told
    [rest] = journals()
    assert set(CancelJournal.read(rest).unfinished()) == set(ids[10:])


def test_no_color_leaves_the_bar_and_takes_the_colours(
    gateway: FakeLox24, terminal: tuple[IO[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With NO_COLOR there is no colour and no other style, in a terminal either."""
    monkeypatch.setenv("NO_COLOR", "1")
    screen, theirs = terminal
    with start("cancel", *add(gateway, 0, 10), stderr=theirs) as child:
        seen = read_until(screen, b"NOT cancelled")
        assert child.wait(MOST) == 1
    assert b"\x1b[?25l" in seen
    assert re.search(rb"\x1b\[[0-9;]*m", seen) is None


def test_the_demo_shows_and_checks_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0, every number right; control codes only in a terminal."""
    monkeypatch.setenv("LOX24_AUTH_TOKEN", CANARY)  # must not matter
    monkeypatch.setenv("LOX24_BASE_URL", free_url())
    with start("demo") as child, Screen("demo") as screen:
        code, seen = screen.end()
        out, err = child.communicate(timeout=MOST)
    assert (child.returncode, err) == (0, "")
    assert (0, 9, 0) == (code, seen.count("[ok]"), seen.count("[WRONG]"))
    assert b"\x1b[?25l" in screen._seen  # the bar
    assert "\x1b" not in out
    assert "\r" not in out
    rows = re.findall(r"^ *([\d,]+)  ([a-z ]+?)  ", out, re.MULTILINE)
    assert rows == [
        ("215", "cancelled"),
        ("25", "too late"),
        ("9", "not found"),
        ("1", "rejected"),
        ("250", "in all"),
        ("200", "cancelled"),
        ("200", "in all"),
    ]
    assert "[ok] requests that reached the gateway: 1\n" in out
    assert out.count("[ok]") == 9
    assert "[WRONG]" not in out
    assert "cancelling: " in out


def test_the_demo_fails_if_a_number_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo is a check: a wrong number is shown, and the exit code is 1."""

    async def play(checks: Any) -> None:
        checks.check(1, 1, "one")
        checks.check(1, 4, "requests")

    monkeypatch.setattr(demo, "_play", play)
    assert demo.demo() == 1
    assert capsys.readouterr().out == "[ok] one\n[WRONG] requests: expected 1, got 4\n"


# --- the door


def test_help_names_commands_and_exit_codes() -> None:
    """Commands and exit codes are in the help; who types no command gets it, too, and a 2."""
    code, out, _ = lox24("--help")
    assert code == 0
    for text in ("cancel ", "demo ", "  0    done\n", "  130  interrupted"):
        assert text in out
    assert lox24() == (2, out, "")


def test_the_help_of_cancel_documents_the_exit_codes() -> None:
    """Whoever scripts ``lox24 cancel`` finds the codes in its help."""
    code, out, _ = lox24("cancel", "--help")
    assert code == 0
    assert "  0    all bulks are cancelled\n" in out
    assert "  3    LOX24 refused the token\n" in out


def test_version() -> None:
    """The version is the package's."""
    assert lox24("--version") == (0, f"lox24 {__version__}\n", "")
    module = [sys.executable, "-m", "lox24_async.cli", "--version"]
    assert subprocess.check_output(module, text=True) == f"lox24 {__version__}\n"


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra_the_command_says_what_to_install(missing: str) -> None:
    """One line with the pip command, and exit code 2."""
    program = f"import sys; sys.modules[{missing!r}] = None; {LOX24[-1]}"
    done = subprocess.run([*LOX24[:-1], program], capture_output=True, text=True, check=False)
    said = done.stderr
    assert (2, "", 1) == (done.returncode, done.stdout, said.count("\n"))
    assert "pip install 'lox24_async[cli]'" in said
