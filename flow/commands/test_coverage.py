"""All blocks' coverage on one page: measured blocks are made up, merging and reports are real."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flow.commands import coverage
from flow.core import codecov
from flow.core.codecov import CodeCoverage, Point
from tb.lib.coverage import Coverage, CoverGroup, Coverpoint, Merged, summarise
from tb.lib.errors import UserError

LINE, OTHER = (Point("line", "rtl/a.sv", number, 1, "block") for number in (1, 2))


def measured(name: str, bins: tuple[int, ...], counts: dict[Point, dict[str, int]]) -> Any:
    """What a block has covered: of two bins those named, of the code `counts`."""
    out = Coverage([CoverGroup("work", (Coverpoint("size", ("one", "two")),))])
    out.sample("work", size=list(bins))
    block = SimpleNamespace(name=name, title=f"block {name}", coverage_goals={"line": 98.0})
    code = codecov.report(CodeCoverage(counts))
    summary = summarise(Merged(out, ["smoke seed 1 verilator"]))
    missed = [] if summary["passed"] else ["functional coverage misses its goal"]
    return coverage._Covered(block, summary, CodeCoverage(counts), code, 1, [], missed)  # type: ignore[arg-type]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Blocks by name; an error is raised when its turn comes."""
    blocks: dict[str, Any] = {}

    def measure(name: str, jobs: int) -> Any:
        if isinstance(blocks[name], UserError):
            raise blocks[name]
        return blocks[name]

    monkeypatch.setattr(coverage, "block_names", lambda: sorted(blocks))
    monkeypatch.setattr(coverage, "get_block", lambda name: name)
    monkeypatch.setattr(coverage, "_measure", measure)
    monkeypatch.setattr(coverage, "REPORTS", tmp_path)
    return blocks


def test_blocks_fill_each_others_gaps_in_code_but_not_in_bins(made_up: dict[str, Any], tmp_path: Path) -> None:
    made_up["a"] = measured("a", (0, 1), {LINE: {"t": 1}, OTHER: {"t": 0}})
    made_up["b"] = measured("b", (0,), {OTHER: {"t": 3}})
    content = coverage.cover_all(1)
    assert (content["line"], content["functional"]) == (100.0, 75.0)
    assert content["uncovered"]["functional"] == ["b.work.size: two"]
    assert content["missed"] == ["b: functional coverage misses its goal", "all: functional coverage misses its goal"]
    assert content["blocks"]["a"]["line"] == 50.0
    assert content["runs"] == 2
    assert json.loads((tmp_path / "all" / "coverage.json").read_text(encoding="utf-8")) == content
    page = (tmp_path / "all" / "coverage.html").read_text(encoding="utf-8")
    assert page.index("Not covered</h2>") < page.index("b.work.size") < page.index("Functional coverage</h2>")
    assert (tmp_path / "a" / "coverage.html").exists()


def test_all_blocks_covered_pass(made_up: dict[str, Any]) -> None:
    made_up["a"] = measured("a", (0, 1), {LINE: {"t": 1}})
    content = coverage.cover_all(1)
    assert (content["missed"], content["status"]) == ([], "pass")


def test_a_line_that_no_block_covers_misses_the_goal(made_up: dict[str, Any]) -> None:
    made_up["a"] = measured("a", (0, 1), {LINE: {"t": 1}, OTHER: {"t": 0}})
    assert coverage.cover_all(1)["missed"] == ["all: line coverage is 50.0 %, the goal 98.0 %"]


def test_a_block_that_cannot_be_measured_does_not_end_the_others(made_up: dict[str, Any]) -> None:
    made_up["a"] = UserError("names no runs")
    made_up["b"] = measured("b", (0, 1), {LINE: {"t": 1}})
    content = coverage.cover_all(1)
    assert content["missed"] == ["a: names no runs"]
    assert set(content["blocks"]) == {"b"}
    del made_up["b"]
    with pytest.raises(UserError, match="no block could be measured: a: names no runs"):
        coverage.cover_all(1)
