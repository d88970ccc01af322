"""The programs in docs/ run as they stand."""

import asyncio
import re
from pathlib import Path
from uuid import UUID

import pytest

from lox24_async import BulkStatus, CancelJournal, CancelState
from lox24_async.testing import FakeLox24

DOCS = Path(__file__).parents[2] / "docs"
ID = "da0fa78c-4699-11ea-a637-96000028b339"


def programs(name: str) -> list[str]:
    """Return the Python programs in a page."""
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


async def test_the_journals_page(
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
    for program in programs("journal.md"):
        code = compile(program, "journal.md", "exec")
        await asyncio.to_thread(exec, code, {"__name__": "__main__"})
    out = capsys.readouterr().out
    assert out == "<CancelReport: 1 canceled> unfinished: 0\n<CancelReport: 1 canceled>\n"
    assert CancelJournal.read("stop.jsonl")[ID].state is CancelState.CANCELED


@pytest.mark.parametrize("name", ["metrics-prometheus.md", "metrics-opentelemetry.md"])
def test_the_metrics_pages(name: str) -> None:
    """Their fragments run as they stand."""
    pytest.importorskip("prometheus_client" if "prometheus" in name else "opentelemetry")
    (program,) = programs(name)
    names: dict[str, object] = {}
    try:
        exec(compile(program, name, "exec"), names)
    finally:
        if "prometheus" in name:
            from prometheus_client import REGISTRY  # noqa: PLC0415

            for metric in ("SECONDS", "RETRIES"):
                REGISTRY.unregister(names[metric])  # type: ignore[arg-type]
