"""Streams that are closed, full, slow, gone, or of another encoding: cases 67 to 69, and 76."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lox24_async.testing import FakeLox24
from tests.conftest import puts

from .stage import LOX24, MOST, add, journals, lox24, start, wait_for


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line in bash, in which ``lox24`` is the command."""
    begin = f'lox24() {{ {" ".join(map(_quoted, LOX24))} "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", begin + line],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        timeout=3 * MOST,
        check=False,
    )


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def test_case_67_a_reader_of_stderr_that_leaves_costs_nothing(gateway: FakeLox24) -> None:
    """Case 67: ``cancel --debug … 2>&1 >o.csv | head -1``: the run goes on, records are whole."""
    ids = add(gateway, *[0] * 200)
    Path("ids.txt").write_text("\n".join(ids))
    done = shell(
        "lox24 cancel --debug --file ids.txt -o csv 2>&1 >o.csv | head -1; exit ${PIPESTATUS[0]}"
    )
    assert done.returncode == 0
    assert sorted(ids) == sorted(puts(gateway))
    with Path("o.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    assert sorted(ids) == sorted(record["bulk_id"] for record in records)


@pytest.mark.parametrize("form", ["csv", "ndjson", "json"])
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_case_68_a_stdout_that_takes_nothing_costs_nothing(
    gateway: FakeLox24, form: str, where: str
) -> None:
    """Case 68: the work is done, the verdict told, one sentence says what could not be written."""
    ids = add(gateway, 0, 0)
    done = shell(f"lox24 cancel {' '.join(ids)} -o {form} {where}")
    assert done.returncode == 0
    assert sorted(ids) == sorted(puts(gateway))
    assert "All 2 are cancelled.\n" in done.stderr
    assert done.stderr.count("The records could not be written to stdout: ") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_case_68_without_stderr_the_verdict_is_on_stdout(gateway: FakeLox24, where: str) -> None:
    """Case 68: if there are no records on it; with records, they stay clean."""
    bulk_id = add(gateway, 10)[0]
    done = shell(f"lox24 cancel {bulk_id} {where}")
    assert (done.returncode, done.stderr) == (1, "")
    assert "1 of 1 NOT cancelled: 1 too late." in done.stdout
    done = shell(f"lox24 cancel {bulk_id} -o ndjson {where}")
    assert done.returncode == 1
    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["too late"]


def test_case_68_without_any_stream_the_work_is_done(gateway: FakeLox24) -> None:
    """Case 68: no socket and no journal is taken for a stream; the exit code tells."""
    ids = add(gateway, 0, 0)
    done = shell(f"lox24 cancel {' '.join(ids)} >&- 2>&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(ids) == sorted(puts(gateway))


@pytest.mark.slow
def test_what_has_been_done_is_told_though_stdout_is_full(gateway: FakeLox24) -> None:
    """A bulk that was created is named on stderr; a delete's exit code is the run's."""
    made = shell("lox24 create --sender Bank --text x --phone +491701234567 --yes >/dev/full")
    [bulk_id] = gateway.bulks
    assert made.returncode == 0
    assert f"The bulk is created: {bulk_id}\n" in made.stderr
    gone = shell(f"lox24 delete {bulk_id} --yes -o csv >/dev/full")
    assert gone.returncode == 0
    assert "The bulk is deleted.\n" in gone.stderr
    assert gone.stderr.count("could not be written to stdout") == 1


@pytest.mark.parametrize("command", ["list", "list -o csv", "runs -o json", "doctor"])
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_what_is_only_to_be_told_and_cannot_be_is_a_failure(
    gateway: FakeLox24, command: str, where: str
) -> None:
    """Exit code 1, one sentence."""
    add(gateway, 0)
    done = shell(f"lox24 {command} {where}")
    assert done.returncode == 1
    assert done.stderr.count("stdout cannot be written: ") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("form", ["csv", "table"])
def test_case_69_a_broken_text_is_replaced(gateway: FakeLox24, encoding: str, form: str) -> None:
    """Case 69: a text that is cut inside an emoji costs no line, in no encoding."""
    for text in ("cut \ud83d", "\u0416 Grüße", "plain"):
        gateway.add_bulk(text=text, sender_id="Bank")
    command = [*LOX24, "list", "-o", form]
    done = subprocess.run(
        command,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=MOST,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out = done.stdout.decode(encoding)
    assert len(out.splitlines()) == 4
    assert "Grüße" in out
    assert b"Traceback" not in done.stderr


def test_case_76_no_cell_is_run_by_a_spreadsheet(gateway: FakeLox24) -> None:
    """Case 76: what looks like a formula gets a quote; numbers and phone numbers stay."""
    for sender in ('=HYPERLINK("http://x","y")', "@SUM(1)", "-1+1", "+491701234567", "-12.5"):
        gateway.add_bulk(sender_id=sender, text="a\x1b[31m\x07b\x9bc\nd")
    code, out, _ = lox24("list", "-o", "csv")
    records = list(csv.DictReader(io.StringIO(out, newline="")))
    assert code == 0
    assert [record["sender_id"] for record in records] == [
        '\'=HYPERLINK("http://x","y")',
        "'@SUM(1)",
        "'-1+1",
        "+491701234567",
        "-12.5",
    ]
    assert {record["text"] for record in records} == {"a\\x1b[31m\\x07b\\x9bc\nd"}


@pytest.mark.slow
def test_a_reader_that_stands_still_does_not_stop_the_work(gateway: FakeLox24) -> None:
    """Nobody reads stdout or stderr: all is cancelled; then the records are all there."""
    ids = add(gateway, *[0] * 1500)
    Path("ids.txt").write_text("\n".join(ids))
    with start("cancel", "--file", "ids.txt", "--debug", "-o", "ndjson") as child:
        wait_for(lambda: len(set(puts(gateway))) == len(ids))
        out, _ = child.communicate(timeout=MOST)
    assert child.returncode == 0
    assert sorted(ids) == sorted(json.loads(line)["bulk_id"] for line in out.splitlines())


@pytest.mark.slow
def test_two_ctrl_c_leave_though_a_reader_hangs(gateway: FakeLox24) -> None:
    """Nobody ever reads stdout: the second Ctrl-C leaves within three seconds all the same."""
    ids = add(gateway, *[0] * 1500)
    Path("ids.txt").write_text("\n".join(ids))
    with start("cancel", "--file", "ids.txt", "-o", "ndjson", stderr=subprocess.DEVNULL) as child:
        wait_for(lambda: len(set(puts(gateway))) == len(ids))
        time.sleep(0.2)
        assert child.poll() is None  # it waits for the reader
        for _ in range(2):
            child.send_signal(signal.SIGINT)
            time.sleep(0.1)
        assert child.wait(3) == 130


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "times"),
    [
        ("canceling.tally", "Tally.take", 2),  # amid the work of one of many tasks
        ("telling.outcomes", "closing_table", 3),  # while the end is told
        ("telling.outcomes", "sentences", 1),
    ],
)
def test_ctrl_c_at_any_moment_costs_no_word_of_the_verdict(
    gateway: FakeLox24, module: str, name: str, times: int
) -> None:
    """However often it is pressed: what became of each is told, and nothing of asyncio's own."""
    press = (
        "import os, signal\n"
        f"import lox24_async.cli.{module} as module\n"
        f"plain = module.{name}\n"
        "def pressing(*given):\n"
        f"    for _ in range({times}): os.kill(os.getpid(), signal.SIGINT)\n"
        "    return plain(*given)\n"
        f"module.{name} = pressing\n"
    )
    ids = add(gateway, *[0] * 4)
    Path("ids.txt").write_text("\n".join(ids))
    gateway.fail_next(delay=60, bulk_id=ids[-1])
    program = [*LOX24[:-1], press + LOX24[-1], "cancel", "-f", "ids.txt", "--max-concurrency", "2"]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as child:
        wait_for(lambda: ids[-1] in puts(gateway) or child.poll() is not None)
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        err = child.stderr.read()
        assert child.wait(MOST) == 130
    assert re.search(r"Interrupted: \d done, \d unknown, \d not sent\.\n", err), err
    assert err.endswith(f"  lox24 cancel --resume {journals()[0]}\n")


def test_two_ctrl_c_leave_though_a_name_server_hangs(gateway: FakeLox24) -> None:
    """A thread that never ends holds up neither the verdict nor the end."""
    hang = (
        "import socket, time\n"
        "def hang(*a, **k):\n"
        "    open('hangs', 'w').close()\n"
        "    time.sleep(60)\n"
        "socket.getaddrinfo = hang\n"
    )
    program = [*LOX24[:-1], hang + LOX24[-1], "cancel", *add(gateway, 0)]
    url = gateway.url.replace("127.0.0.1", "localhost")
    with subprocess.Popen(
        [*program, "--base-url", url, "--debug"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        wait_for(Path("hangs").exists)
        for _ in range(2):
            child.send_signal(signal.SIGINT)
            time.sleep(0.3)
        begun = time.monotonic()
        _, err = child.communicate(timeout=MOST)
    assert child.returncode == 130
    assert time.monotonic() - begun < 3
    assert "Interrupted: 0 done, " in err


def test_records_come_out_as_they_are_known(gateway: FakeLox24) -> None:
    """Ndjson and csv do not wait for the end of the run."""
    first, second = add(gateway, 0, 0)
    gateway.fail_next(delay=60, bulk_id=second)
    with start("cancel", first, second, "-o", "ndjson") as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["bulk_id"] == first
        assert child.poll() is None
        child.kill()
