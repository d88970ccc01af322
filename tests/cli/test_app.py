"""``lox24 sandbox``, and the door: help, version, completion, what is imported for them."""

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lox24_async import __version__
from lox24_async.cli.app import app

from .stage import LOX24, MOST, Screen, lox24, start

DOCS = Path(__file__).parents[2] / "docs" / "command-line.md"
COMMANDS = (
    *("cancel", "list", "runs", "report", "show", "status", "create", "simulate", "delete"),
    *("doctor", "sandbox", "demo"),
)
HEAVY = ("aiohttp", "cattrs")


@contextmanager
def sandbox(*args: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run the sandbox on a free port; give its process, and the environment that it says."""
    with start("sandbox", "--port", "0", "--latency", "0", *args) as child:
        try:
            assert child.stdout is not None
            lines = [shlex.split(child.stdout.readline()) for _ in range(2)]
            assert ["export", "export"] == [line[0] for line in lines]
            yield child, dict(line[1].split("=", 1) for line in lines)
        finally:
            child.kill()


def live_in(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what the sandbox says: export these."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


# --- the sandbox


def test_the_sandbox_can_be_tried_with_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it prints is all that one needs; each request is a line; Ctrl-C is no failure."""
    with sandbox("--bulks", "20", "--page-size", "7") as (child, environment):
        live_in(environment, monkeypatch)
        code, out, _ = lox24("list", "-o", "ndjson")
        bulks = [json.loads(line) for line in out.splitlines()]
        assert (code, len(bulks)) == (0, 20)
        assert {b["status_code"] for b in bulks} == {0, 5, 10, 15, 20}
        assert lox24("status", "-f", "-", stdin=out)[0] == 0
        draft = ("--sender", "Bank", "--text", "x", "--group", "7117")
        assert lox24("simulate", *draft)[0] == 0
        code, out, _ = lox24("create", *draft, "--yes")
        assert code == 0
        assert re.search("^messages +250$", lox24("show", out.strip())[1], re.MULTILINE)
        assert lox24("cancel", out.strip(), "--wait")[0] == 0
        assert lox24("delete", out.strip(), "--yes")[0] == 0
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=MOST)
    assert child.returncode == 0
    lines = err.splitlines()
    assert re.fullmatch(r"A gateway with 20 bulks runs at \S+ until Ctrl-C\. .*", lines[0])
    assert lines[-1] == "The sandbox has ended."
    log = [line.split(" ", 2)[1:] for line in lines[2:-1]]
    assert ["GET", "POST", "PUT", "DELETE"] == list(dict.fromkeys(method for method, _ in log))
    assert environment["LOX24_AUTH_TOKEN"].partition(":")[2] not in err


def test_a_kill_ends_it_as_ctrl_c_does() -> None:
    """The last word is said, exit code 0."""
    with sandbox("--bulks", "0") as (child, _):
        child.terminate()
        _, err = child.communicate(timeout=MOST)
    assert child.returncode == 0
    assert err.endswith("The sandbox has ended.\n")


@pytest.mark.slow
def test_the_examples_of_the_docs_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every console block of docs/command-line.md, line by line as it stands."""
    text = DOCS.read_text(encoding="utf-8")
    blocks = [
        [line.removeprefix("$ ") for line in block.splitlines()]
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    ]
    used = {word for block in blocks for word in re.findall(r"lox24 ([a-z]+)", "\n".join(block))}
    assert used == {*COMMANDS} - {"sandbox", "demo"}
    assert blocks[-1][-1].startswith("lox24 delete ")
    with sandbox("--starts-after", "600", "--sends-for", "600") as (_, there):
        live_in(there, monkeypatch)
        for line in chain.from_iterable(blocks):
            code, err = run_line(line)
            assert code == 0, (line, err)
            assert not re.findall("^Error|Traceback", err, re.MULTILINE), (line, err)


def run_line(line: str) -> tuple[int, str]:
    """Run what is typed: in this process, unless it needs a shell; return exit code and stderr."""
    words = shlex.split(line)
    if words[0] == "lox24" and not {"|", ">"} & {*words}:
        code, _, err = lox24(*words[1:])
        return code, err
    begin = f'lox24() {{ {shlex.join(LOX24)} "$@"; }}\nset -o pipefail\n'
    done = subprocess.run(
        ["bash", "-c", begin + line],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=MOST,
        check=False,
    )
    return done.returncode, done.stderr


def test_its_bulks_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """New bulks begin to be sent and are processed, so that there is something to watch."""
    with sandbox("--bulks", "10", "--starts-after", "0.2", "--sends-for", "0.2") as (_, there):
        live_in(there, monkeypatch)
        _, out, _ = lox24("list", "--delivery-to", "now", "-o", "ndjson")
        args = ("status", "-f", "-", "-w", "--interval", "0.1", "-o", "ndjson")
        code, out, _ = lox24(*args, stdin=out)
    told = [json.loads(line) for line in out.splitlines()]
    ends = {record["uuid"]: record["status_code"] for record in told}
    assert code == 0
    assert [10] * 6 + [15, 20] == sorted(ends.values())  # 2 were new, 3 in progress, 1 processed


def test_it_speaks_to_any_program() -> None:
    """Plain HTTP: another language needs the URL and the token, nothing of ours."""
    with sandbox("--bulks", "3") as (_, there):
        request = urllib.request.Request(
            f"{there['LOX24_BASE_URL']}/bulks",
            headers={
                "X-LOX24-AUTH-TOKEN": there["LOX24_AUTH_TOKEN"],
                "Accept": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=MOST) as answer:
            assert len(json.load(answer)) == 3


def test_its_bulks_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that an example can be repeated."""
    ids: list[list[str]] = []
    for _ in range(2):
        with sandbox("--bulks", "5", "-q") as (child, there):
            live_in(there, monkeypatch)
            _, out, _ = lox24("list", "-o", "ndjson")
            ids.append([json.loads(line)["uuid"] for line in out.splitlines()])
            child.send_signal(signal.SIGINT)
            assert "GET" not in child.communicate(timeout=MOST)[1]
    assert sorted(ids[0]) == sorted(ids[1])


def test_a_port_that_is_taken_is_told() -> None:
    """Exit code 2, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = lox24("sandbox", "--port", str(port))
    assert (code, out) == (2, "")
    assert re.fullmatch(
        rf"Error: Port {port} cannot be used: .*\. Name another --port; 0 is any\.\n", err
    )


def test_in_a_terminal_ctrl_c_ends_it() -> None:
    """^C on the keyboard: the last word is said, exit code 0."""
    with Screen("sandbox", "--port", "0", "--bulks", "1") as screen:
        screen.until("export LOX24_AUTH_TOKEN=")
        screen.until("lox24 list")
        screen.type("\x03")
        code, seen = screen.end()
    assert code == 0
    assert "A gateway with 1 bulk runs at http://127.0.0.1:" in seen
    assert seen.endswith("The sandbox has ended.\n")


# --- the door


def python(program: str, *args: str) -> str:
    """Run a program in a fresh interpreter; return what it writes."""
    return subprocess.check_output([sys.executable, "-c", program, *args], text=True, timeout=MOST)


def loaded(program: str) -> set[str]:
    """Return the top-level modules that a program has loaded at its end."""
    told = python(
        "import sys, io, json\nout, sys.stdout = sys.stdout, io.StringIO()\n"
        f"try:\n    {program}\nexcept SystemExit: pass\n"
        "json.dump(sorted(sys.modules), out)"
    )
    return set(json.loads(told))


def test_the_help_loads_nothing_heavy() -> None:
    """So that it is there at once, for all as for each command."""
    program = (
        "import io, json, sys\n"
        "from lox24_async.cli import main\n"
        "out, loaded = sys.stdout, {}\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    sys.argv[1:] = [*filter(None, [command]), '--help']\n"
        "    sys.stdout = io.StringIO()\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        "    assert 'Usage: ' in sys.stdout.getvalue()\n"
        "    loaded[command] = [*sys.modules]\n"
        "json.dump(loaded, out)"
    )
    told: dict[str, list[str]] = json.loads(python(program, json.dumps(["", *COMMANDS])))
    assert ["", *COMMANDS] == list(told)
    for command, modules in told.items():
        assert set() == {*HEAVY} & {*modules}, command
        if not command:  # nothing is loaded that only commands need
            needless = {"cyclopts", "rich", "asyncio", "logging", "lox24_async.cli.app"}
            assert set() == needless & {*modules}


@pytest.mark.parametrize(
    "program", ["import lox24_async", "from lox24_async import Lox24Client, CancelReport"]
)
def test_the_library_loads_nothing_of_the_command_line(program: str) -> None:
    """Who only uses the library pays for neither cyclopts nor rich."""
    assert set() == {"cyclopts", "rich", "lox24_async.cli"} & loaded(program)


def test_the_help_names_the_commands_in_the_order_of_need() -> None:
    """What stops a campaign comes first; each command has a help of its own."""
    code, out, _ = lox24("--help")
    assert code == 0
    listed = re.findall(r"^  ([a-z]+)  +[A-Z]", out.partition("Commands:")[2], re.MULTILINE)
    assert list(COMMANDS) == listed
    explained = re.findall(r"^  (--[a-z-]+)", out, re.MULTILINE)
    assert sorted(explained) == sorted(name for name in app if name.startswith("--"))
    for command in COMMANDS:
        code, out, _ = lox24(command, "--help")
        assert code == 0
        assert re.search(rf"^Usage: lox24 {command} .*\[OPTIONS\]", out)
        options = out.partition("Exit codes:")[0]
        assert "None" not in options
        listed = re.findall(r"^  (--.*)", options, re.MULTILINE)
        assert listed
        assert [line for line in listed if not re.search(r"  \S", line)] == []  # all explained


def test_the_version_is_the_package_s() -> None:
    """``lox24 --version`` is one line."""
    assert lox24("--version") == (0, f"lox24 {__version__}\n", "")


def test_each_help_has_examples_and_groups() -> None:
    """The emergency first; what, filter, output and connection apart."""
    for command in COMMANDS:
        code, out, _ = lox24(command, "--help")
        assert code == 0
        assert "Examples:" in out, command
        assert f"  lox24 {command}" in out, command
    out = lox24("cancel", "--help")[1]
    titles = ["What to cancel:", "Filters:", "How:", "Connection:", "What is told:"]
    places = [out.find(f"{title}\n") for title in titles]
    assert -1 not in places
    assert places == sorted(places)


def test_bash_gets_a_completion_that_completes() -> None:
    """``--show-completion`` prints a script; bash gets from it what may be typed next."""
    with start("--show-completion", "bash") as child:
        script, err = child.communicate(timeout=MOST)
    assert (child.returncode, err) == (0, "")
    asked = "COMP_CWORD={}; COMP_WORDS=({}); _lox24; echo ${{COMPREPLY[@]}}\n"
    lines = asked.format(1, "lox24 s") + asked.format(3, "lox24 list --output nd")
    lines += asked.format(3, "lox24 cancel --status in")
    bash = ["bash", "-c", f"complete() {{ :; }}\n{script}\n{lines}"]
    told = subprocess.check_output(bash, text=True, timeout=MOST).splitlines()
    assert told == ["show status simulate sandbox", "ndjson", "in-progress"]


def test_the_picture_of_the_docs_shows_a_run_and_nothing_else() -> None:
    """It is well-formed, fetches nothing, and names no place of the machine that recorded it."""
    svg = DOCS.with_suffix(".svg").read_text(encoding="utf-8")
    text = "".join(ElementTree.fromstring(svg).itertext()).replace("\xa0", " ")
    for told in ("lox24 list --sender bank", "lox24 cancel --matching", "[y/N] y", "All 200 are"):
        assert told in text
    assert re.search(r"url\(\W?http|<image|<script", svg) is None
    assert re.search(r"/(home|root|tmp|usr|work)\b", svg) is None
