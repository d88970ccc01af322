"""The package's face: what it exports, and that it costs nothing before it is used."""

import ast
import inspect
import pickle
import pydoc
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import lox24_async
from lox24_async import testing

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
        ("import lox24_async", "aiohttp attrs cattrs cyclopts rich"),
        ("from lox24_async import Lox24Client", "cyclopts rich lox24_async.testing pytest"),
        ("import lox24_async.testing.plugin", "aiohttp cattrs"),
    ],
)
def test_imports(statement: str, absent: str) -> None:
    """Nothing is imported before it is needed."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set() == set(absent.split()) & set(run.stdout.split())


def functions(cls: type) -> Iterator[Any]:
    """Yield what can be called or read of a class, as plain functions."""
    for name, value in vars(cls).items():
        if name in {"__init__", "__call__"} or not name.startswith("_"):
            found = getattr(value, "__func__", getattr(value, "fget", value))
            if inspect.isfunction(found):
                yield found


def types_in(hint: Any) -> Iterator[type]:
    """Yield the classes that a resolved hint names."""
    if isinstance(hint, type) and not typing.get_args(hint):
        yield hint
    for part in (typing.get_origin(hint), *typing.get_args(hint)):
        if isinstance(part, list):
            for one in part:
                yield from types_in(one)
        elif part is not None:
            yield from types_in(part)


@pytest.mark.parametrize("name", lox24_async.__all__)
def test_public_names_live_in_the_package(name: str) -> None:
    """Case 80: each says that it lives here; all its hints resolve, and name public types only."""
    named = getattr(lox24_async, name)
    assert named.__module__ == "lox24_async"
    hinted = [named, *functions(named)] if isinstance(named, type) else [named]
    for one in hinted:
        for hint in typing.get_type_hints(one).values():
            for found in types_in(hint):
                assert not found.__module__.startswith("lox24_async."), f"{one}: {found}"


PICKLES = """
import pickle, sys, uuid
from lox24_async import *
bulk = Bulk(uuid=uuid.uuid4(), status_code=BulkStatus.CANCELED)
linked = JsonLdBulk(uuid=bulk.uuid, status_code=5, ld_context={"hydra": "urn:x"})
cause = NotFoundError("no", status=404, headers={"A": "b"}, violations=(Violation("a", "b"),))
made = [
    bulk, linked, BulkPage((bulk,), 1), cause, IPBlockedError("no"), RetryPolicy(),
    BulkFilter(uuids=[bulk.uuid], exists={"source": True}), BulkOrder("created_at"),
    BulkDraft("a", "b", phones=["+4915112345678"]), Pause(1.0, cause),
    NotCancelableError.from_look(bulk, cause), CancelReport(), MatchReport(),
    CancelOutcome(str(bulk.uuid), CancelState.CANCELED, bulk),
    CancelFailedError("no", report=MatchReport()), JournalError("no", path="x"),
    Attempt(operation="cancel", bulk_id=None, number=1, seconds=0.1, status=404, error=cause,
            request_id=None, will_retry=False),
    CancelReport().totals[CancelState.CANCELED],
    Measurement((MessageCount(str(bulk.uuid), 1, None, cause),)),
    BulkMessage(uuid=bulk.uuid, bulk_id=bulk.uuid, extra={"ip": "192.0.2.7"}),
]
sys.stdout.buffer.write(pickle.dumps(made))
"""


def test_pickles_name_no_file() -> None:
    """What one process pickles another loads, and it names the package only."""
    run = subprocess.run([sys.executable, "-c", PICKLES], capture_output=True, check=True)
    assert b"lox24_async." not in run.stdout
    assert b"_wire" not in run.stdout
    made = pickle.loads(run.stdout)
    assert {type(one).__module__ for one in made} == {"lox24_async"}
    assert len(made) == 20


@pytest.mark.parametrize("name", [*lox24_async.__all__, *testing.__all__])
def test_help_reads_well(name: str) -> None:
    """``help()`` shows no markup that only a site understands, and names no private place."""
    named = getattr(lox24_async, name, None) or getattr(testing, name)
    text = pydoc.plain(pydoc.render_doc(named))
    assert [] == re.findall(r":[a-z]+:`", text)
    hinted = [named, *functions(named)] if isinstance(named, type) else [named]
    shown = " ".join(str(inspect.signature(one)) for one in hinted if inspect.isfunction(one))
    assert [] == re.findall(r"lox24_async\.\w*\.?_\w+", shown)


@pytest.mark.parametrize("one", [*functions(lox24_async.Lox24Client)], ids=lambda one: one.__name__)
def test_each_method_says_what_it_returns(one: Any) -> None:
    """Where types depend on the form, the overloads tell; ``help()`` says at least ``Bulk``."""
    assert inspect.signature(one).return_annotation is not Any
    assert one.__doc__ or one.__name__ == "__init__"


def test_as_a_module() -> None:
    """``python -m lox24_async`` is ``lox24``."""
    run = subprocess.run(
        [sys.executable, "-m", "lox24_async", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, f"lox24 {lox24_async.__version__}\n") == (run.returncode, run.stdout)
