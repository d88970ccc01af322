"""Imports run downwards only: the floors of docs/architecture.md, held against the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lox24_async

HOME = Path(lox24_async.__file__).parent
FLOORS = [
    {"client"},
    {"_operations"},
    {"_transport"},
    {"_guard", "_wire"},
    {"journal"},
    {"_journal"},
    {"report", "retry", "filters", "drafts", "guards"},
    {"_packed"},
    {"_checks", "_config"},
    {"errors"},
    {"models"},
    {"_log", "_printable", "_public"},
]
BESIDE = {"cli": {"testing", "_printable"}, "testing": set[str](), "__main__.py": {"cli"}}
ROOT = Path(__file__).parents[2]
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(p for p in HOME.rglob("*.py") if p.relative_to(HOME).parts[0][:-3] != "__init__")


def imported(path: Path) -> Iterator[str]:
    """Yield the rooms of the package that a file imports from; "" is the face."""
    package = ("lox24_async", *path.relative_to(HOME).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else ()
            parts = [*start, *(node.module or "").split(".")] if node.module else [*start]
            names = [".".join([*parts, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            root, _, rest = name.partition(".")
            if root == "lox24_async":
                room = rest.partition(".")[0]
                yield room if room in LEVEL or room in {"cli", "testing"} else ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_imports_run_downwards(path: Path) -> None:
    """A file imports from its own room or from a lower floor; what is beside the core, its face."""
    own = path.relative_to(HOME).parts[0].removesuffix(".py")
    for room in set(imported(path)) - {own}:
        if own in LEVEL:
            assert room in LEVEL, f"{own} imports {room or 'the face'}"
            assert LEVEL[room] > LEVEL[own], f"{own} imports {room}, which is no lower floor"
        else:
            allowed = {"", *BESIDE.get(str(path.relative_to(HOME)).partition("/")[0], ())}
            allowed |= {"_guard"} if path.name == "_isolation.py" else set()
            assert room in allowed, f"{own} imports {room}"


def test_every_room_has_a_floor() -> None:
    """No room stands outside the plan, and none is planned that is not there."""
    rooms = {path.relative_to(HOME).parts[0].removesuffix(".py") for path in FILES}
    assert set(LEVEL) | {"cli", "testing", "__main__"} == rooms


def test_one_door_to_the_http_library() -> None:
    """Only ``_transport`` knows aiohttp (the local gateway is a server of its own)."""
    for path in FILES:
        room = path.relative_to(HOME).parts[0]
        if room not in {"_transport", "testing"}:
            assert "import aiohttp" not in path.read_text(encoding="utf-8"), path


def test_the_map_agrees_with_the_floors() -> None:
    """The table of ``docs/architecture.md`` has these floors, in this order."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", MAP, re.MULTILINE)
    assert [str(number + 1) for number in range(len(FLOORS))] == [number for number, _ in rows]
    assert FLOORS == [set(re.findall(r"`(\w+)`", rooms)) for _, rooms in rows]


def defined(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """Return the names that statements define, with what stands within each."""
    names: dict[str, list[ast.stmt]] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names[node.name] = node.body
        elif isinstance(node, ast.Assign):
            names |= {target.id: [] for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] = []
    return names


def test_the_walks_name_what_is_there() -> None:
    """Every file that the page names exists, and defines the name that follows it."""
    named = re.findall(r"`([\w/]+\.py)(?:: ([\w.]+))?`", MAP)
    assert len(named) > 20
    for file, name in named:
        if file.startswith("tests/"):
            assert (ROOT / file).is_file()
            continue
        body = ast.parse((HOME / file).read_text(encoding="utf-8")).body
        for part in filter(None, name.split(".")):
            assert part in defined(body), f"{file} defines no {name}"
            body = defined(body)[part]
