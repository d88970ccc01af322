"""The head start of ``lox24 cancel ID…``: which lines it takes, and that they are told as ever."""

import json
import subprocess
from pathlib import Path

import pytest

from lox24_async.cli.app import bind
from lox24_async.cli.at_once import read_line
from lox24_async.cli.canceling.typed import CancelOptions
from lox24_async.testing import FakeLox24
from tests.conftest import puts

from .stage import LOX24, MOST, STRANGER, add, journals, start

OTHER = "11111111-2222-3333-4444-55555555555A"


@pytest.mark.parametrize(
    "line",
    [
        STRANGER,
        f"{STRANGER} {OTHER}",
        f"--yes {STRANGER} -q",
        f"{STRANGER} --wait -y --wait-out-block --keep-trying",
        f"{STRANGER} --output json --journal none",
        f"{STRANGER} -o csv --output=ndjson --journal=none",
        f"-o table --max-concurrency 3 {STRANGER} --base-url http://127.0.0.1:1 --quiet",
        f"{STRANGER} --proxy http://u:p@proxy:3128 --token-file t.txt",
    ],
)
def test_a_plain_line_is_read_as_the_whole_program_reads_it(line: str) -> None:
    """Both understand the same."""
    words = ["cancel", *line.split()]
    taken = read_line(words)
    assert taken is not None
    ids, options = taken
    bound = bind(words)[1]
    typed = bound.arguments.get("typed") or CancelOptions()
    assert list(ids) == [word.lower() for word in bound.args]
    found = {
        "--yes": typed.yes,
        "--quiet": typed.connection.quiet,
        "--wait": typed.wait,
        "--wait-out-block": typed.wait_out_block,
        "--keep-trying": typed.keep_trying,
    }
    assert found == {name: name in options for name in found}
    token_file = typed.connection.token_file
    values = {
        "--output": typed.output.value,
        "--journal": typed.journal,
        "--max-concurrency": str(typed.max_concurrency),
        "--base-url": typed.connection.base_url,
        "--proxy": typed.connection.proxy,
        "--token-file": None if token_file is None else str(token_file),
    }
    default = {"--output": "table", "--max-concurrency": "10"}
    assert values == {name: options.get(name, default.get(name)) for name in values}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "rubbish",
        f"{STRANGER} {STRANGER}",
        f"{STRANGER} --file x",
        f"{STRANGER} --journal",
        f"{STRANGER} --journal run.jsonl",
        f"{STRANGER} --output yaml",
        f"{STRANGER} --yes=no",
        f"{STRANGER} --max-concurrency 0",
        f"{STRANGER} --token-file -x",
        f"{STRANGER} --debug",
        f"{STRANGER} --dry-run",
        f"{STRANGER} --help",
        f"--resume {STRANGER}",
        " ".join(f"{STRANGER[:-3]}{n:03}" for n in range(101)),
    ],
)
def test_what_is_not_plain_is_left_to_the_usual_way(line: str) -> None:
    """Nothing is guessed."""
    assert read_line(["cancel", *line.split()]) is None
    assert read_line(["delete", STRANGER]) is None


def test_options_count_though_the_cancel_has_left(gateway: FakeLox24) -> None:
    """Records, silence, no journal: as the line says."""
    [one, two] = add(gateway, 0, 10)
    with start("cancel", one, two, "-o", "json", "--quiet", "--journal", "none") as child:
        out, err = child.communicate(timeout=MOST)
    assert child.returncode == 1
    assert [record["state"] for record in json.loads(out)] == ["canceled", "too late"]
    assert err.splitlines()[-1].startswith("1 of 2 NOT cancelled: 1 too late.")
    assert "in all" not in err
    assert journals() == []


@pytest.mark.parametrize("more", [[], ["--yes"], ["-o", "json"], ["--journal", "none"]])
def test_what_reads_options_and_tells_the_end_is_imported_behind_the_first_request(
    gateway: FakeLox24, more: list[str]
) -> None:
    """At the first connection neither is there: that is what the head start is worth."""
    block = (
        "import os, sys\n"
        "def look(event, args):\n"
        "    if event == 'socket.connect' and args[1][0] == '127.0.0.1':\n"
        "        late = {'cyclopts', 'rich', 'csv', 'lox24_async.cli.app'}\n"
        "        open('early', 'w').write(' '.join(late & {*sys.modules}))\n"
        "sys.addaudithook(look)\n"
    )
    program = [*LOX24[:-1], block + LOX24[-1], "cancel", *add(gateway, 0), *more]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=MOST)
    assert done.returncode == 0, done.stderr
    assert len(puts(gateway)) == 1
    assert Path("early").read_text() == ""
