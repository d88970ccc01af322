"""The README's examples run, and its two commands are where they belong."""

import asyncio
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lox24_async import BulkStatus
from lox24_async.testing import FakeLox24

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL = re.findall(r"```(?:console|bash|sh|shell)\n(.*?)```", README, re.DOTALL)
ID = "da0fa78c-4699-11ea-a637-96000028b339"


def test_two_commands_come_first() -> None:
    """The first two shell blocks are the demo and the tests, one command each."""
    assert SHELL[:2] == [
        "python3 -m venv .venv && .venv/bin/pip install -q '.[cli]' && .venv/bin/lox24 demo\n",
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[cli,test]' && .venv/bin/pytest\n",
    ]


def test_ci_runs_the_test_command_to_the_letter() -> None:
    """.ci/run holds the README's second command on a line of its own (what failed, once more)."""
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert SHELL[1].strip() in [line.removesuffix(" || again") for line in lines]


def test_status_and_size() -> None:
    """That nothing was tried against the real service stands at the top; the rest is short."""
    lines = README.splitlines()
    assert "not tried against the real service" in "\n".join(lines[:10])
    assert len(lines) <= 145


def test_links_work_on_a_package_index() -> None:
    """An index shows the README alone: there no relative link leads anywhere."""
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert targets
    assert all(target.startswith("https://") for target in targets)


def test_files_that_it_names_are_there() -> None:
    """What the README names in this repository exists."""
    named = re.findall(r"`((?:docs|examples|benchmarks|\.ci)/[^`]*|[A-Z]+\.md)`", README)
    assert named
    assert [] == [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("code", [code for code in EXAMPLES if "asyncio.run" in code])
async def test_programs_run(
    code: str,
    fake_lox24: FakeLox24,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Each whole program finds its bulk on the local gateway, and stops it if it says so."""
    fake_lox24.add_bulk(BulkStatus.IN_PROGRESS, uuid=UUID(ID), sender_id="Acme")
    fake_lox24.starts_after = fake_lox24.sends_for = 0.0  # of those to come
    monkeypatch.chdir(tmp_path)  # some write a journal
    monkeypatch.setenv("LOX24_AUTH_TOKEN", fake_lox24.token)
    monkeypatch.setenv("LOX24_BASE_URL", fake_lox24.url)
    program = compile(code, "README.md", "exec")
    await asyncio.to_thread(exec, program, {"__name__": "__main__"})
    assert ("cancel" in code) is fake_lox24.bulks[ID].is_canceled
    assert ID in capsys.readouterr().out


async def test_the_users_test_passes(fake_lox24: FakeLox24) -> None:
    """The example of a user's own test is a test that passes."""
    (code,) = [code for code in EXAMPLES if "def test_" in code]
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    await names["test_stops_a_campaign"](fake_lox24)


def test_the_rest_compiles_and_runs() -> None:
    """Fragments without I/O run as they stand."""
    rest = [code for code in EXAMPLES if "asyncio.run" not in code and "def test_" not in code]
    assert rest
    for code in rest:
        exec(compile(code, "README.md", "exec"), {})
