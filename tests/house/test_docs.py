"""What the manual shows is true: its code runs, its console lines run, its links lead somewhere."""

import asyncio
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lox24_async import BulkStatus, CancelJournal, CancelState
from lox24_async.testing import FakeLox24

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if path.relative_to(DOCS).parts[0] != "_made")
ID = "da0fa78c-4699-11ea-a637-96000028b339"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a page in a language."""
    text = page.read_text(encoding="utf-8")
    return [code for said, code in BLOCK.findall(text) if said == language]


def pages_with(language: str) -> list[Any]:
    """Return the pages that have blocks in a language."""
    slow = {DOCS / "how-to" / "tests.md"} if language == "python" else set()  # it runs pytest
    return [
        pytest.param(page, marks=[pytest.mark.slow] if page in slow else [])
        for page in PAGES
        if blocks(page, language)
    ]


def name_of(page: Path) -> str:
    """Return what a page is called in the names of tests."""
    return str(page.relative_to(DOCS))


@pytest.mark.timeout(300)  # a page may start pytest four times
@pytest.mark.parametrize("page", pages_with("python"), ids=name_of)
async def test_python_runs(
    page: Path,
    fake_lox24: FakeLox24,
    monkeypatch: pytest.MonkeyPatch,
    pytester: pytest.Pytester,
    request: pytest.FixtureRequest,
) -> None:
    """Each Python block of a page is a program, or a test module, and runs as it stands.

    One after the other, in one directory (pytester's). What a program says it stops is stopped
    in the end.
    """
    fake_lox24.add_bulk(
        BulkStatus.IN_PROGRESS, uuid=UUID(ID), sender_id="Acme", created_at=fake_lox24.now
    )
    stops = False
    request.addfinalizer(metrics_forgotten())
    for code in blocks(page, "python"):
        for needed in re.findall(r"(prometheus_client|opentelemetry|Redis)", code):
            pytest.importorskip(needed.lower())
        if "def test_" in code:
            await asyncio.to_thread(run_tests, pytester, code)
            continue
        program = "asyncio.run(" in code or "stopper = " in code
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("error")
            if program:
                patch.setenv("LOX24_AUTH_TOKEN", fake_lox24.token)
                patch.setenv("LOX24_BASE_URL", fake_lox24.url)
                stops |= "cancel" in code
            await asyncio.to_thread(exec, compile(code, page, "exec"), {"__name__": "__main__"})
    assert stops is fake_lox24.bulks[ID].is_canceled


def metrics_forgotten() -> Callable[[], None]:
    """Return what takes metrics out of the process's registry that are not there yet."""
    registry = pytest.importorskip("prometheus_client").REGISTRY
    before = set(registry._collector_to_names)

    def forget() -> None:
        for collector in set(registry._collector_to_names) - before:
            registry.unregister(collector)

    return forget


async def test_the_journals_page_says_what_comes_out(
    fake_lox24: FakeLox24,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first program stops a bulk and leaves its journal; the second goes on in it."""
    fake_lox24.add_bulk(BulkStatus.IN_PROGRESS, uuid=UUID(ID))
    monkeypatch.setenv("LOX24_AUTH_TOKEN", fake_lox24.token)
    monkeypatch.setenv("LOX24_BASE_URL", fake_lox24.url)
    monkeypatch.chdir(tmp_path)
    for program in blocks(DOCS / "journal.md", "python"):
        code = compile(program, "journal.md", "exec")
        await asyncio.to_thread(exec, code, {"__name__": "__main__"})
    out = capsys.readouterr().out
    assert out == "<CancelReport: 1 canceled> unfinished: 0\n<CancelReport: 1 canceled>\n"
    assert CancelJournal.read("stop.jsonl")[ID].state is CancelState.CANCELED


def run_tests(pytester: pytest.Pytester, code: str) -> None:
    """Run a test module as a user does whose pytest-asyncio is in strict mode."""
    pytester.makepyfile(test_of_page=code)
    unset = "ignore::pytest.PytestDeprecationWarning"  # pytest-asyncio's, of its own options
    result = pytester.runpytest_subprocess("-W", "error", "-W", unset, "-o", "asyncio_mode=strict")
    result.assert_outcomes(passed=code.count("def test_"))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Run ``lox24 sandbox``; give the environment of a second terminal."""
    binary = tmp_path / "bin"
    binary.mkdir()
    (binary / "lox24").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lox24_async "$@"\n')
    (binary / "lox24").chmod(0o755)
    environment = os.environ | {
        "PATH": f"{binary}{os.pathsep}{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "lox24_async", "sandbox", "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        assert running.stdout is not None
        for line in (running.stdout.readline(), running.stdout.readline()):
            name, value = line.removeprefix("export ").strip().split("=", 1)
            environment[name] = value
        yield environment
        running.terminate()


@pytest.mark.skipif(sys.platform == "win32", reason="the lines are for a POSIX shell")
@pytest.mark.parametrize("page", pages_with("console"), ids=name_of)
def test_console_lines_run(page: Path, sandbox: dict[str, str], tmp_path: Path) -> None:
    """The console lines of a page run one after the other against the sandbox."""
    if page.name in {"command-line.md", "runbook.md"}:
        pytest.skip("run by the tests of the command line")
    said = "".join(blocks(page, "console"))
    lines = re.findall(r"^\$ (.*)$", said, re.MULTILINE)
    assert lines
    for line in lines:
        done = subprocess.run(
            ["/bin/sh", "-c", line], env=sandbox, cwd=tmp_path, capture_output=True, check=False
        )
        assert 0 == done.returncode, f"{line}\n{done.stderr.decode()}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file leads to a file of this repository, or to a page that is made."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|#", target):
            continue
        name = target.partition("#")[0]
        if "_made/" in name:
            continue
        there = DOCS / name[1:] if name.startswith("/") else page.parent / name
        assert there.exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_it_names_are_there(page: Path) -> None:
    """What a page names of this repository exists."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:docs|examples|benchmarks|tests)/[\w./-]+\.\w+)`", text):
        assert (ROOT / name).exists(), name
