"""Functional coverage: what goes in comes out, through files, merging, reports and UCIS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from flow.core.codecov import CodeCoverage, Exclusion, Point, report
from flow.core.coverage_report import Report
from tb.lib.coverage import (
    Coverage,
    CoverageError,
    CoverGroup,
    Coverpoint,
    Cross,
    Ignore,
    RunCoverage,
    collect,
    merge,
    percent,
    read_ucis,
    summarise,
    write_ucis,
)

NEVER_TOGETHER = "red things are never huge"
GROUPS = (
    CoverGroup(
        "things",
        (
            Coverpoint("colour", ("red", "green", "blue, pale")),
            Coverpoint.ranges("size", "how large", 0, 1, 2, 8),
            Cross("both", ("colour", "size"), ignore=(Ignore(lambda c, s: c == "red" and s == "8+", NEVER_TOGETHER),)),
        ),
        "coloured things",
    ),
    CoverGroup(
        "rare",
        (
            Coverpoint("event", ("twice", "never"), at_least=2, ignore=(Ignore(lambda e: e == "never", "cannot be"),)),
            Coverpoint("half", ("a", "b"), goal=0.5),
        ),
    ),
)
SIZE = GROUPS[0].points["size"]


def sampled(colours: list[int], sizes: list[int]) -> Coverage:
    coverage = Coverage(GROUPS)
    coverage.sample("things", colour=np.array(colours), size=SIZE.index(sizes))
    return coverage


def run(coverage: Coverage, passed: bool = True, test: str = "t", seed: int = 1) -> RunCoverage:
    return RunCoverage("demo", test, seed, "verilator", passed, coverage)


# ------------------------------------------------------------------------------------------------------------- counting
def test_samples_are_counted_in_points_and_crosses() -> None:
    coverage = sampled([0, 0, 1, 2], [0, 1, 7, 100])
    assert coverage.bins("things", "colour") == {"red": 2, "green": 1, "blue, pale": 1}
    assert coverage.bins("things", "size") == {"0": 1, "1": 1, "2-7": 1, "8+": 1}
    both = coverage.bins("things", "both")
    assert {label for label, n in both.items() if n} == {
        "colour red, size 0", "colour red, size 1", "colour green, size 2-7", "colour blue, pale, size 8+",
    }  # fmt: skip
    assert sum(both.values()) == 4
    assert len(both) == 12


def test_range_bins_take_exactly_their_values() -> None:
    assert SIZE.bins == ("0", "1", "2-7", "8+")
    assert SIZE.index([-5, -1, 0, 1, 2, 7, 8, 10**9]).tolist() == [-1, -1, 0, 1, 2, 2, 3, 3]


def test_negative_indices_are_no_samples_and_weights_count() -> None:
    coverage = Coverage(GROUPS)
    coverage.sample("things", [5, 7, 9], colour=[0, -1, 1], size=[3, 3, -1])
    assert coverage.bins("things", "colour") == {"red": 5, "green": 9, "blue, pale": 0}
    assert coverage.bins("things", "size") == {"0": 0, "1": 0, "2-7": 0, "8+": 12}
    assert coverage.bins("things", "both")["colour red, size 8+"] == 5
    assert sum(coverage.bins("things", "both").values()) == 5


def test_a_point_sampled_alone_leaves_its_crosses() -> None:
    coverage = Coverage(GROUPS)
    coverage.sample("things", colour=1)
    assert coverage.bins("things", "colour")["green"] == 1
    assert not any(coverage.bins("things", "both").values())


def test_large_samples_equal_a_loop() -> None:
    rng = np.random.default_rng(5)
    colour, size = rng.integers(-1, 3, 5000), rng.integers(-1, 4, 5000)
    coverage = Coverage(GROUPS)
    coverage.sample("things", colour=colour.astype(np.int8), size=size)
    want = np.zeros((3, 4), int)
    for a, b in zip(colour, size, strict=True):
        if a >= 0 and b >= 0:
            want[a, b] += 1
    assert coverage.counts["things"]["both"].tolist() == want.reshape(-1).tolist()


def test_bad_declarations_and_samples_are_refused() -> None:
    with pytest.raises(CoverageError, match="different labels"):
        Coverpoint("p", ("a", "a"))
    with pytest.raises(CoverageError, match="goal"):
        Coverpoint("p", ("a",), goal=2)
    with pytest.raises(CoverageError, match="no point q"):
        CoverGroup("g", (Coverpoint("p", ("a",)), Cross("c", ("p", "q"))))
    with pytest.raises(CoverageError, match="one name"):
        CoverGroup("g", (Coverpoint("p", ("a",)), Coverpoint("p", ("b",))))
    coverage = Coverage(GROUPS)
    with pytest.raises(CoverageError, match="no point weight"):
        coverage.sample("things", weight=0)
    with pytest.raises(CoverageError, match=r"things\.colour: index 3"):
        coverage.sample("things", colour=3)
    with pytest.raises(CoverageError, match="labels only"):
        GROUPS[0].points["colour"].index(1)


# ----------------------------------------------------------------------------------------------------- files, merging
def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    coverage = sampled([0, 1], [0, 9])
    path = run(coverage, seed=7).write(tmp_path)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert {name: data[name] for name in ("block", "test", "seed", "sim", "passed")} == {
        "block": "demo", "test": "t", "seed": 7, "sim": "verilator", "passed": True,
    }  # fmt: skip
    assert data["groups"]["things"]["size"] == {"0": 1, "1": 0, "2-7": 0, "8+": 1}
    back = RunCoverage.read(GROUPS, path)
    assert back.coverage.as_dict() == coverage.as_dict()
    assert back.passed


def test_a_file_of_another_declaration_is_refused(tmp_path: Path) -> None:
    path = run(Coverage(GROUPS)).write(tmp_path)
    with pytest.raises(CoverageError, match=r"functional\.json.*run the test again"):
        RunCoverage.read(GROUPS[:1], path)
    changed = (CoverGroup("rare", (Coverpoint("event", ("once", "never")), Coverpoint("half", ("a", "b")))),)
    with pytest.raises(CoverageError, match=r"bins of rare\.event"):
        RunCoverage.read((GROUPS[0], *changed), path)


def test_merging_sums_runs_that_passed_and_names_the_others() -> None:
    first, second, failed = sampled([0], [0]), sampled([0, 1], [0, 1]), sampled([2], [9])
    merged = merge(GROUPS, [run(first, seed=1), run(second, seed=2), run(failed, passed=False, seed=3)])
    for group, item, counts in merged.coverage:
        assert counts.tolist() == (first.counts[group][item] + second.counts[group][item]).tolist()
    assert merged.coverage.bins("things", "colour") == {"red": 2, "green": 1, "blue, pale": 0}
    assert merged.runs == ["t seed 1 verilator", "t seed 2 verilator"]
    assert merged.notes == ["t seed 3 verilator failed: its coverage does not count"]


@dataclass
class Result:
    """What `collect` needs of a RunResult."""

    run_dir: Path
    passed: bool = True
    test: str = "t"
    seed: int = 1
    sim: str = "verilator"


def test_collect_trusts_no_file_against_the_verdict(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("good", "judged_later", "result_says_fail", "empty", "crashed")]
    for folder in folders:
        folder.mkdir()
    for folder in folders[:3]:
        run(sampled([0], [0])).write(folder)
    (folders[2] / "result.json").write_text('{"status": "fail"}', encoding="utf-8")
    results = [Result(folders[0]), Result(folders[1], passed=False), Result(folders[2]), Result(folders[3])]
    merged = collect(GROUPS, [*results, Result(folders[4], passed=False)])
    assert merged.coverage.bins("things", "colour")["red"] == 1
    assert [note.split("verilator ")[1] for note in merged.notes] == [
        "failed: its coverage does not count",
        "failed: its coverage does not count",
        "measured no functional coverage",
        "failed and left no coverage",
    ]


# -------------------------------------------------------------------------------------------------------------- summary
def test_summary_names_what_is_missing() -> None:
    coverage = sampled([0, 1, 1, 1], [0, 0, 1, 2])
    coverage.sample("rare", event=0, half=1)
    summary = summarise(merge(GROUPS, [run(coverage)]))
    assert "things.colour: blue, pale" in summary["uncovered"]
    assert "things.both: colour green, size 8+" in summary["uncovered"]
    assert "things.both: colour green, size 1" not in summary["uncovered"]
    assert "rare.event: twice" in summary["uncovered"]  # once is not at_least
    ignored = "things.both: colour red, size 8+"
    assert ignored not in summary["uncovered"]
    both = summary["groups"][0]["items"][2]
    assert (both["covered"], both["total"]) == (4, 11)
    assert both["ignored"] == [{"bin": "colour red, size 8+", "count": 0, "reason": NEVER_TOGETHER}]
    half = summary["groups"][1]["items"][1]
    assert half["passed"]  # half of its bins is its goal
    assert half["uncovered"] == ["a"]
    assert not summary["passed"]
    assert (summary["covered"], summary["total"]) == (2 + 3 + 4 + 0 + 1, 3 + 4 + 11 + 1 + 2)
    assert summary["contradictions"] == []


def everything() -> Coverage:
    coverage = Coverage(GROUPS)
    colour, size = (axis.ravel() for axis in np.indices((3, 4)))
    keep = ~((colour == 0) & (size == 3))
    coverage.sample("things", colour=colour[keep], size=size[keep])
    coverage.sample("rare", event=[0, 0], half=[0, 1])
    return coverage


def test_full_coverage_passes_and_only_with_a_run() -> None:
    full = summarise(merge(GROUPS, [run(everything())]))
    assert full["passed"]
    assert full["percent"] == 100.0
    assert full["uncovered"] == []
    for runs in ([], [run(everything(), passed=False)]):
        nothing = summarise(merge(GROUPS, runs))
        assert not nothing["passed"]
        assert nothing["percent"] == 0.0
        assert all(item["covered"] == 0 for group in nothing["groups"] for item in group["items"])


def test_a_bin_declared_unreachable_must_not_be_hit() -> None:
    coverage = everything()
    coverage.sample("things", colour=0, size=3)
    summary = summarise(merge(GROUPS, [run(coverage)]))
    assert summary["contradictions"] == ["things.both: colour red, size 8+"]
    assert not summary["passed"]


def test_shares_round_down() -> None:
    assert percent(29999, 30000) == 99.99
    assert percent(1, 3) == 33.33
    assert percent(0, 0) == 100.0


# ----------------------------------------------------------------------------------------------------------------- UCIS
def test_ucis_gives_back_what_was_written(tmp_path: Path) -> None:
    merged = merge(GROUPS, [run(sampled([0, 1, 1], [0, 9, 3])), run(sampled([2], [1]), seed=2)])
    back = read_ucis(write_ucis(tmp_path / "functional.xml", "demo", merged))
    want = merged.coverage.as_dict()
    assert want["things"]["both"].pop("colour red, size 8+") == 0  # ignored bins of crosses have no place in the format
    assert back == want


def test_ucis_names_runs_and_holds_large_counts(tmp_path: Path) -> None:
    coverage = Coverage(GROUPS)
    coverage.sample("things", 3 * 10**9, colour=1)
    path = write_ucis(tmp_path / "functional.xml", "demo", merge(GROUPS, [run(coverage, test="smoke", seed=42)]))
    assert 'logicalName="smoke seed 42 verilator"' in path.read_text(encoding="utf-8")
    assert read_ucis(path)["things"]["colour"]["green"] == 3 * 10**9


# --------------------------------------------------------------------------------------------------------------- report
def code_report(root: Path) -> object:
    source = root / "rtl" / "thing.sv"
    source.parent.mkdir()
    source.write_text("module thing;\n  assign a = b & <c>;\n  if (x) y <= 1;\nendmodule\n", encoding="utf-8")
    counts = {
        Point("line", "rtl/thing.sv", 2, 1, "block"): {"top.a": 4},
        Point("branch", "rtl/thing.sv", 3, 1, "else"): {"top.a": 0},
        Point("toggle", "rtl/thing.sv", 2, 1, "a[0]:0->1"): {"top.a": 0},
        Point("toggle", "rtl/thing.sv", 2, 1, "a[1]:0->1"): {"top.a": 0},
        Point("toggle", "rtl/thing.sv", 2, 1, "b:0->1"): {"top.a": 0},
    }
    return report(CodeCoverage(counts), [Exclusion("toggle", "rtl/thing.sv", "tied to 0", 2, None, "^b")])


@pytest.mark.parametrize("functional", [True, False])
@pytest.mark.parametrize("code", [True, False])
def test_report_files_show_what_is_missing(tmp_path: Path, functional: bool, code: bool) -> None:
    summary = summarise(merge(GROUPS, [run(sampled([0], [0])), run(sampled([2], [9]), passed=False, test="sick")]))
    page = Report(
        "demo", "a demo", summary if functional else None, code_report(tmp_path) if code else None, 2,
        ["make sim TEST=sick"], {"line": 98.0}, tmp_path,
    )  # fmt: skip
    html_path, json_path = page.write(tmp_path / "reports")
    html, data = html_path.read_text(encoding="utf-8"), json.loads(json_path.read_text(encoding="utf-8"))
    assert html_path.name == "coverage.html"
    assert json_path.name == "coverage.json"
    assert (data["block"], data["runs"], data["failed_runs"]) == ("demo", 2, ["make sim TEST=sick"])
    assert "make sim TEST=sick" in html
    # Self-contained: nothing is fetched.
    assert "http" not in html
    assert "<script" not in html
    if functional:
        assert data["functional"] == summary["percent"]
        assert "things.colour: green" in data["uncovered"]["functional"]
        assert '<a href="#things-colour">things.colour</a>' in html
        assert '<span class="chip">green</span>' in html
        assert "sick seed 1 verilator failed" in html
        assert {"what": "things.both: colour red, size 8+", "reason": NEVER_TOGETHER} in data["exclusions"]
        assert NEVER_TOGETHER in html
    else:
        assert data["functional"] is None
        assert "Functional coverage was not measured" in html
    if code:
        assert (data["line"], data["branch"], data["toggle"], data["expr"]) == (100.0, 0.0, 0.0, None)
        assert data["uncovered"]["toggle"] == ["rtl/thing.sv:2: toggle a[1:0] 0->1"]
        assert data["uncovered"]["branch"] == ["rtl/thing.sv:3: branch else"]
        assert data["exclusions"][0]["reason"] == "tied to 0"
        assert "assign a = b &amp; &lt;c&gt;;" in html
        assert "if (x) y &lt;= 1;" in html
    else:
        assert data["line"] is None
        assert "Code coverage was not measured" in html
    # What is missing comes before what was measured.
    assert html.index('id="missing"') < min(
        html.find(f'id="{name}"') % len(html) for name in ("functional", "code", "runs")
    )


def test_report_of_full_coverage(tmp_path: Path) -> None:
    html_path, json_path = Report("demo", "", summarise(merge(GROUPS, [run(everything())])), None, 1).write(tmp_path)
    assert "Every functional bin has been seen" in html_path.read_text(encoding="utf-8")
    assert json.loads(json_path.read_text(encoding="utf-8"))["uncovered"]["functional"] == []
