"""The package's face: what it exports, and that it costs nothing before it is used."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import lox24_async

TREE = ast.parse(Path(lox24_async.__file__).read_text(encoding="utf-8"))


def for_type_checkers() -> set[str]:
    """Return the names that type checkers see."""
    (block,) = (node for node in TREE.body if isinstance(node, ast.If))
    return {
        alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_one_list() -> None:
    """Type checkers, ``__all__`` and the lazy import know the same names."""
    assert sorted(lox24_async.__all__, key=str) == sorted(lox24_async._HOMES)
    assert for_type_checkers() == set(lox24_async.__all__)


@pytest.mark.parametrize("name", lox24_async.__all__)
def test_export(name: str) -> None:
    """Each name is what its module defines, the same object each time."""
    home = import_module(f"lox24_async.{lox24_async._HOMES[name]}")
    assert getattr(lox24_async, name) is getattr(home, name) is getattr(lox24_async, name)
    assert name in dir(lox24_async)


def test_no_such_name() -> None:
    """A name that is not there is an AttributeError, as usual."""
    with pytest.raises(AttributeError, match="no attribute 'cancel_all'"):
        lox24_async.cancel_all  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lox24_async", "aiohttp attrs cattrs typer rich"),
        ("from lox24_async import Lox24Client", "typer rich lox24_async.testing pytest"),
        ("import lox24_async.testing.plugin", "aiohttp cattrs"),
    ],
)
def test_imports(statement: str, absent: str) -> None:
    """Nothing is imported before it is needed."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set() == set(absent.split()) & set(run.stdout.split())
