"""The benchmarks run from end to end; what they find is not judged here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.bars import Bar

ROOT = Path(__file__).parents[2]
ALL = ("race", "memory", "imports", "guard", "cycles", "journal", "fake", "layers")


def benchmark(*arguments: object, plain: bool = False) -> str:
    """Run ``python -m benchmarks`` and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--rounds", "1", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"BENCH_PLAIN": "1" if plain else ""},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (0, "") == (done.returncode, "" if done.returncode == 0 else done.stderr)
    return done.stdout


@pytest.mark.slow
def test_every_measurement_runs(tmp_path: Path) -> None:
    """Each measurement ends well, tells its verdicts, and leaves its figures and the picture."""
    told = benchmark(*ALL, "--requests", 20, "--output", tmp_path)
    for expected in ("cancel_bulks", "the guard's price", "collector frees", "dream"):
        assert expected in told
    sections = json.loads((tmp_path / "results.json").read_text())
    assert set(ALL) == set(sections)
    raced = {(figure["name"], figure["setting"]) for figure in sections["race"]["figures"]}
    assert {("by_hand", ""), ("cancel_bulks", ""), ("cancel_bulks", "tls"), ("gather", "")} <= raced
    picture = ET.parse(tmp_path / "results.svg")
    assert "lox24_async, cancel_bulks" in {text.text for text in picture.iter()}


@pytest.mark.slow
def test_nothing_is_lost_behind_a_limit(tmp_path: Path) -> None:
    """Behind each of the five limits three clients cancel; ours, both of them, cancel all."""
    assert "{attempts: ids}" in benchmark("limits", "--requests", 20, "--output", tmp_path)
    figures = json.loads((tmp_path / "results.json").read_text())["limits"]["figures"]
    assert 15 == len(figures)
    ours = [figure for figure in figures if figure["name"].startswith("lox24_async")]
    assert 10 * [[20]] == [figure["canceled"] for figure in ours]


def test_speedups_can_be_hidden() -> None:
    """``BENCH_PLAIN`` measures as if the ``speedups`` extra were not installed."""
    assert "without the speedups" in benchmark("fake", "--requests", 20, plain=True)


def test_quick_writes_nothing_unasked() -> None:
    """A quick run does not touch the published figures."""
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "benchmarks").glob("results.*")}
    benchmark("fake", "--requests", 20)
    after = {path: path.stat().st_mtime_ns for path in (ROOT / "benchmarks").glob("results.*")}
    assert before == after


@pytest.mark.parametrize(
    ("figure", "at_least", "verdict"),
    [
        (1.0, False, "met, and the dream"),
        (2.0, False, "met"),
        (2.01, False, "NOT MET"),
        (1.0, True, "NOT MET"),
        (2.0, True, "met"),
        (3.0, True, "met, and the dream"),
    ],
)
def test_verdict(figure: float, at_least: bool, verdict: str) -> None:
    """A figure on the bar meets it, in either direction."""
    bar = Bar("", 2.0, 3.0 if at_least else 1.0, at_least=at_least)
    assert verdict == bar.verdict(figure)
