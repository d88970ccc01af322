"""What autodoc has to be told about this package.

Every public class says that it lives in ``lox24_async``, so that pickles and hints name no file
of ours. The sources of overloads and of comments on attributes stand elsewhere.
"""

import re
from importlib import import_module
from typing import Any, Final

from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.pycode import ModuleAnalyzer

import lox24_async
from lox24_async import testing

_LITERAL: Final = re.compile(r"(?<!`)``([A-Za-z_][\w.]*)(?:\(\))?``(?!`)")


def let_public_classes_be_found() -> None:
    """Let autodoc find, under the package's name, what the sources of its modules say."""
    for package, homes in (
        (lox24_async, set(lox24_async._HOMES.values())),
        (testing, set(testing._HOMES.values())),
    ):
        face = ModuleAnalyzer.for_module(package.__name__)
        face.analyze()
        for home in sorted(homes):
            name = f"{package.__name__}.{home}"
            import_module(name)
            there = ModuleAnalyzer.for_module(name)
            there.analyze()
            for part in ("annotations", "attr_docs", "overloads", "tagorder"):
                getattr(face, part).update(getattr(there, part))
            face.finals.extend(there.finals)


def link_public_names(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Make links of the public names in a docstring, which are plain literals there."""
    del app, what, obj, options
    parts = name.split(".")

    def link(match: re.Match[str]) -> str:
        said = match[1]
        head = said.partition(".")[0]
        if head in lox24_async.__all__:
            return f":py:obj:`{said} <lox24_async.{said}>`"
        home = testing if name.startswith("lox24_async.testing") else lox24_async
        for depth in (3, 2):  # a member of the same class
            if len(parts) >= depth and parts[-2 if len(parts) > 2 else -1] in home.__all__:
                owner = getattr(home, parts[-2 if len(parts) > 2 else -1])
                if "." not in said and callable(getattr(owner, said, None)):
                    return f":py:obj:`{said} <{home.__name__}.{owner.__name__}.{said}>`"
        return match[0]

    for number, line in enumerate(lines):
        lines[number] = _LITERAL.sub(link, line)


def show_public_bases(app: Sphinx, name: str, obj: Any, options: Any, bases: list[Any]) -> None:
    """Leave private bases out."""
    del app, name, obj, options
    bases[:] = [
        base
        for base in bases
        if not str(getattr(base, "__module__", "")).startswith("lox24_async.")
    ]


class _Untyped(GoogleDocstring):
    """Our docstrings name no types: the annotations do. What precedes a colon is a word."""

    def _consume_inline_attribute(self) -> tuple[str, list[str]]:
        return "", self._dedent(self._consume_to_end())

    def _consume_returns_section(
        self, preprocess_types: bool = False
    ) -> list[tuple[str, str, list[str]]]:
        del preprocess_types
        lines = self._dedent(self._consume_to_next_section())
        return [("", "", lines)] if lines else []


def let_docstrings_name_no_types() -> None:
    """Have napoleon read docstrings so."""
    for name in ("_consume_inline_attribute", "_consume_returns_section"):
        setattr(GoogleDocstring, name, getattr(_Untyped, name))
