"""The pages that are made from the code: errors, exit codes, environment variables, help.

Written below ``_made`` (not under version control) each time the site is built.
"""

import ast
import inspect
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sphinx.application import Sphinx
from sphinx.util import logging

import lox24_async
from lox24_async import testing
from lox24_async.cli import app as program
from lox24_async.cli import overview
from lox24_async.cli.exits import CANCEL_CODES, EXIT_CODES, ExitCode
from lox24_async.errors import STATUS_ERRORS

log: Final = logging.getLogger(__name__)

# What the code reads from the environment, in words. A name that is missing here, or one that
# the code does not read any more, fails the build.
VARIABLES: Final = {
    "LOX24_AUTH_TOKEN": "The token, `<client id>:<key>`, if `token=` is not given.",
    "LOX24_BASE_URL": "The address of the service, if `base_url=` is not given; else"
    " `https://api.lox24.eu`.",
    "LOX24_GUARD": "Who shares what is learnt: `process`, `host`, the absolute path of a"
    " directory, or a `redis://`, `rediss://` or `unix://` URL (`?egress=…`), if `guard=` is not"
    " given. The pytest plugin sets it to `process` where it is not set.",
    "LOX24_PROXY": "URL of an HTTP proxy, if `proxy=` is not given. Not for a loopback host.",
    "HTTPS_PROXY": "Not used. Where no connection comes about and it is set (or `https_proxy`,"
    " `ALL_PROXY`, `all_proxy`), the error says so.",
    "SSL_CERT_FILE": "Python's own: certificates to trust beside (or instead of) the system's.",
    "NO_COLOR": "If set, `lox24` writes no colours.",
    "TERM": "With `dumb` or `unknown`, `lox24` draws no live bar.",
    "XDG_STATE_HOME": "Where `lox24` keeps its journals (`lox24/` below it); else"
    " `~/.local/state`.",
}
_EXPECTED_ELSEWHERE: Final = {"SSL_CERT_FILE", "HTTPS_PROXY"}
_PRIVATE: Final = {"COLUMNS", "LINES", "HOME", "USER", "PATH"}
_WIDTH: Final = 96  # characters of a line of the program's help
_NUMBER: Final = re.compile(r"^\d(?:xx|\d\d): ")


def write_pages(docs: Path) -> None:
    """Write all pages that are made."""
    made = docs / "_made"
    made.mkdir(exist_ok=True)
    pages = {
        "errors": _errors(),
        "exit-codes": _exit_codes(),
        "environment": _environment(docs.parent / "lox24_async"),
        "commands": _commands(),
        "lox24": _manual(),
    }
    for name, text in pages.items():
        path = made / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# --- errors


def _errors() -> str:
    lines = [
        "# Errors",
        "",
        "Made from the classes. Every error is a {py:obj}`~lox24_async.Lox24Error`, can be",
        "pickled and copied, and holds neither the token nor an object of the HTTP library.",
        "Signatures and attributes: [](../reference/errors.md).",
        "",
        "| class | also a | HTTP status | what it says |",
        "| --- | --- | --- | --- |",
    ]
    for name in lox24_async.__all__:
        getattr(lox24_async, name)  # imported on first use; a class is known from then on
    statuses = {kind: status for status, kind in STATUS_ERRORS.items()}
    for depth, kind in _tree(lox24_async.Lox24Error):
        others = [
            base.__name__
            for base in kind.__bases__
            if not issubclass(base, lox24_async.Lox24Error) and base is not Exception
        ]
        status = next((str(statuses[one]) for one in kind.__mro__ if one in statuses), "")
        if kind is lox24_async.ServerError:
            status = "5xx"
        first = inspect.cleandoc(kind.__doc__ or "").split("\n\n", 1)[0].replace("\n", " ")
        indent = "&nbsp;" * 4 * depth
        said = _NUMBER.sub("", first.replace("``", "`"))
        named = f"{indent}{{py:obj}}`~lox24_async.{kind.__name__}`"
        lines.append(f"| {named} | {', '.join(others)} | {status} | {said} |")
    return "\n".join(lines) + "\n"


def _tree(kind: type, depth: int = 0) -> Iterator[tuple[int, type]]:
    yield depth, kind
    for below in kind.__subclasses__():
        if below.__name__ in lox24_async.__all__:
            yield from _tree(below, depth + 1)


# --- exit codes, environment


def _exit_codes() -> str:
    def rows(text: str) -> dict[int, str]:
        return {
            int(code): said for code, said in re.findall(r"^\s+(\d+)\s+(.+)$", text, re.MULTILINE)
        }

    usual, cancel = rows(EXIT_CODES), rows(CANCEL_CODES)
    missing = [code for code in ExitCode if code not in usual]
    if missing:
        raise RuntimeError(f"exit codes without a word in the help: {missing}")
    lines = ["# Exit codes", "", "Made from the program.", "", "| code | name | meaning |"]
    lines.append("| --- | --- | --- |")
    for code in ExitCode:
        said = usual[code]
        if cancel[code] != said:
            said += f"; of `lox24 cancel`: {cancel[code]}"
        lines.append(f"| {code.value} | `{code.name}` | {said} |")
    return "\n".join(lines) + "\n"


def _environment(package: Path) -> str:
    read = {name for path in package.rglob("*.py") for name in _variables(path)} - _PRIVATE
    untold = read - set(VARIABLES)
    if untold:
        raise RuntimeError(f"docs/_ext/made.py does not tell of {sorted(untold)}")
    lines = ["# Environment variables", "", "| name | what it does |", "| --- | --- |"]
    for name, said in VARIABLES.items():
        if name in read | _EXPECTED_ELSEWHERE:
            lines.append(f"| `{name}` | {said} |")
    return "\n".join(lines) + "\n"


def _variables(path: Path) -> Iterator[str]:
    """Yield the names of the variables that a file reads."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if ast.unparse(node.func) not in {"os.environ.get", "os.getenv"}:
                continue
            named = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            named = node.slice
        else:
            continue
        if isinstance(named, ast.Constant) and isinstance(named.value, str):
            yield named.value


# --- the command line


def _commands() -> str:
    lines = ["# lox24: all commands and options", "", "Made from the program's own help.", ""]
    lines += ["```text", overview.page(_WIDTH), "```", ""]
    for name in overview.COMMANDS:
        lines += [f"## lox24 {name}", "", "```text", _help(name), "```", ""]
    return "\n".join(lines)


def _help(name: str) -> str:
    import io  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    out = io.StringIO()
    console = Console(file=out, width=_WIDTH, force_terminal=False, color_system=None)
    program.app.help_print([name], console=console)
    return out.getvalue().strip()


def _manual() -> str:
    parts = "../command-line\n../runbook\ncommands"
    return f"---\norphan: true\n---\n\n# lox24\n\n```{{toctree}}\n{parts}\n```\n"


# --- after the build


def check_that_all_is_told(app: Sphinx, error: Exception | None) -> None:
    """Warn of public names that no page describes."""
    if error is not None or app.builder.name != "html":
        return
    told = {name for name, *_ in app.env.domains["py"].get_objects()}
    for package in (lox24_async, testing):
        for name in package.__all__:
            if f"{package.__name__}.{name}" not in told:
                log.warning("the reference lacks %s.%s", package.__name__, name)


def write_llms_txt(app: Sphinx, error: Exception | None) -> None:
    """Write an index of the pages' sources for programs that read: llms.txt."""
    if error is not None or app.builder.name != "html":
        return
    lines = [
        "# lox24_async",
        "",
        "> asyncio client for the LOX24 SMS gateway's Bulk API: stops campaigns (bulks), and tells",
        "> what became of each. Python 3.11 and newer. `from lox24_async import Lox24Client`.",
    ]
    groups = {
        "": "Start",
        "how-to": "How-to",
        "reference": "Reference",
        "_made": "Reference",
        "why": "Why",
    }
    pages: dict[str, list[str]] = {}
    for page, title in sorted(app.env.titles.items()):
        group = groups.get(page.rpartition("/")[0])
        if group is not None and page != "_made/lox24":
            pages.setdefault(group, []).append(f"- [{title.astext()}](_sources/{page}.md.txt)")
    for group in dict.fromkeys(groups.values()):
        lines += ["", f"## {group}", "", *pages.get(group, [])]
    (Path(app.outdir) / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- inventories


def inventories(docs: Path) -> dict[str, tuple[str, str]]:
    """Write small inventories of foreign names, so that links to them need no network."""
    mapping: dict[str, tuple[str, str]] = {}
    (docs / "_made").mkdir(exist_ok=True)
    for listed in sorted((docs / "_inventories").glob("*.txt")):
        address, *lines = listed.read_text(encoding="utf-8").split("\n")
        path = docs / "_made" / f"{listed.stem}.inv"
        entries = "".join(
            f"{name} {role} 1 {where} -\n"
            for name, role, where in (line.split() for line in lines if line)
        )
        head = f"# Sphinx inventory version 2\n# Project: {listed.stem}\n# Version: 0\n"
        head += "# The remainder of this file is compressed using zlib.\n"
        path.write_bytes(head.encode() + zlib.compress(entries.encode()))
        mapping[listed.stem] = (address, str(path))
    return mapping
