"""Coverage counts: what went in must come out, kind by kind."""

import dataclasses
from pathlib import Path

import pytest

from flow.core import codecov
from flow.core.blocks import all_blocks
from flow.core.codecov import (
    CodeCoverage,
    Exclusion,
    Point,
    Totals,
    grouped,
    joint,
    load_exclusions,
    merge,
    report,
    write_lcov,
)
from flow.core.simulate import run
from tb.lib.errors import UserError
from tb.lib.paths import ROOT


def write_dat(path, records):
    lines = ["# SystemC::Coverage-3"]
    for count, fields in records:
        text = "".join(f"\x01{key}\x02{value}" for key, value in fields.items())
        lines.append(f"C '{text}' {count}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def record(root, kind, line, comment, instance="tb.dut", file="rtl/a.sv", **more):
    return {"f": root / file, "l": line, "n": 3, "page": f"v_{kind}/a", "o": comment, "h": instance, **more}


@pytest.fixture
def dat(tmp_path):
    records = [
        (5, record(tmp_path, "line", 10, "block", S="10-11,13")),
        (0, record(tmp_path, "line", 20, "case", S="20")),
        (2, record(tmp_path, "branch", 12, "if")),
        (0, record(tmp_path, "branch", 12, "else")),
        (0, record(tmp_path, "toggle", 4, "x[0]:0->1", "tb.dut0")),
        (7, record(tmp_path, "toggle", 4, "x[0]:0->1", "tb.dut1")),
        (0, record(tmp_path, "toggle", 4, "x[1]:0->1", "tb.dut0")),
        (0, record(tmp_path, "toggle", 4, "x[2]:0->1", "tb.dut0")),
        (1, record(tmp_path, "expr", 12, "(it's==0) => 0")),
        (9, record(tmp_path, "line", 1, "block", file="tb/bench.sv")),
    ]
    return write_dat(tmp_path / "coverage.dat", records)


def test_kinds_stay_apart(dat, tmp_path):
    result = report(merge([dat], tmp_path))
    assert result.kinds == {"line": Totals(1, 2), "branch": Totals(1, 2), "toggle": Totals(1, 3), "expr": Totals(1, 1)}
    assert list(result.files) == ["rtl/a.sv"]
    assert result.instances["tb.dut0"]["toggle"] == Totals(0, 3)
    assert result.instances["tb.dut1"]["toggle"] == Totals(1, 1)
    assert [(point.kind, point.line, point.comment) for point in result.uncovered] == [
        ("branch", 12, "else"),
        ("line", 20, "case"),
        ("toggle", 4, "x[1]:0->1"),
        ("toggle", 4, "x[2]:0->1"),
    ]
    assert result.as_dict()["kinds"]["toggle"] == {"covered": 1, "total": 3, "excluded": 0, "percent": 33.33}


def test_runs_add_up(dat, tmp_path):
    other = write_dat(tmp_path / "other.dat", [(4, record(tmp_path, "branch", 12, "else"))])
    merged = merge([dat, other, dat], tmp_path)
    counts = {(point.kind, point.comment): merged.count(point) for point in merged.counts}
    assert counts["branch", "else"] == 4
    assert counts["branch", "if"] == 4
    assert counts["line", "block"] == 10
    assert counts["toggle", "x[0]:0->1"] == 14


def test_what_is_not_understood_is_refused(tmp_path):
    odd = write_dat(tmp_path / "odd.dat", [(1, record(tmp_path, "newkind", 1, "x"))])
    with pytest.raises(UserError, match=r"unknown kind 'v_newkind/a' at rtl/a.sv:1"):
        merge([odd], tmp_path)
    odd.write_text("something else\n", encoding="utf-8")
    with pytest.raises(UserError, match="not a coverage file"):
        merge([odd], tmp_path)
    odd.write_text("# SystemC::Coverage-3\nC 'cut off\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"odd.dat:2: not a coverage record"):
        merge([odd], tmp_path)


def exclusions(tmp_path, text):
    path = tmp_path / "exclusions.hjson"
    path.write_text(f"{{\na: {text}\nb: []\n}}", encoding="utf-8")
    return load_exclusions("a", path)


def test_exclusions_remove_uncovered_points(dat, tmp_path):
    found = exclusions(
        tmp_path,
        r"""[
          {kind: "toggle", file: "rtl/a.sv", pattern: "^x\\[[012]\\]", reason: "x is constant"}
          {kind: "line", file: "rtl/a.sv", line: "18-20", reason: "defensive default"}
        ]""",
    )
    result = report(merge([dat], tmp_path), found)
    assert result.kinds["toggle"] == Totals(1, 1, 2)
    assert result.kinds["line"] == Totals(1, 1, 1)
    assert result.kinds["branch"] == Totals(1, 2)
    assert {reason for _, reason in result.excluded} == {"x is constant", "defensive default"}


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ("{kind: line, file: rtl/a.sv, line: 20}", "exclusion 1 has no reason"),
        ('{kind: line, file: rtl/a.sv, line: 20, reason: " "}', "exclusion 1 has no reason"),
        ("{kind: lines, file: rtl/a.sv, line: 20, reason: r}", "kind must be one of"),
        ("{kind: line, file: rtl/a.sv, reason: r}", "line, text or pattern"),
        ("{kind: line, file: rtl/a.sv, line: x, reason: r}", "line must be a number"),
        ('{kind: line, file: rtl/a.sv, pattern: "(", reason: r}', "not a regular expression"),
        ('{kind: line, file: rtl/a.sv, text: "(", reason: r}', "text is not a regular expression"),
        ("{kind: line, file: rtl/a.sv, lines: 20, reason: r}", "unknown key lines"),
        ("{kind: line, file: rtl/a.sv, line: 1, reason: not simulated}", r"not what is done \('simulated'\)"),
        ("{kind: line, file: rtl/a.sv, line: 1, reason: 2^14 jobs are more than the runs have}", "'runs'"),
        ("{kind: line, file: rtl/a.sv, line: 1, reason: the RAN's own tests see it}", "'tests'"),
    ],
)
def test_unfit_exclusions(tmp_path, entry, error):
    # Hjson ends an unquoted string only at the end of the line.
    with pytest.raises(UserError, match=error):
        exclusions(tmp_path, "[" + entry.replace(", ", "\n").replace("}", "\n}") + "]")


def test_an_exclusion_by_text_follows_its_line():
    file = "rtl/laps/laps_pkg.sv"
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines, start=1) if "package laps_pkg" in line)
    here, there = (CodeCoverage({Point("line", file, number, 1, "block"): {"u": 0}}) for number in (at, at + 1))
    found = [Exclusion("line", file, "r", text="^package laps_pkg")]
    assert not report(here, found).idle
    assert report(there, found).idle


@pytest.mark.parametrize("where", ["line: 10", "line: 99", 'pattern: "^nothing"'])
def test_idle_exclusions_are_named(dat, tmp_path, where):
    entry = f"{{kind: line\nfile: rtl/a.sv\n{where}\nreason: r\n}}"
    idle = report(merge([dat], tmp_path), exclusions(tmp_path, f"[{entry}\n{entry}]")).idle
    assert len(idle) == 2  # all of them, not the first alone
    assert all("excludes nothing uncovered: remove it" in line for line in idle)


def test_exclusions_are_of_one_block_and_all_are_checked(tmp_path):
    path = tmp_path / "exclusions.hjson"
    path.write_text("{a: [{kind: line\nfile: rtl/a.sv\nline: 1\nreason: r\n}]\nb: [{kind: line\n}]}", encoding="utf-8")
    with pytest.raises(UserError, match="b, exclusion 1 has no reason"):
        load_exclusions("a", path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="must give every block a list"):
        load_exclusions("a", path)
    assert load_exclusions("no such block") == []


def test_shipped_exclusions_say_what_cannot_be():
    """All of them are read, whichever block is asked for; a reason of the kind 'not simulated' would raise. Proofs that
    they name are there."""
    proofs = {proof.name for block in all_blocks() for proof in block.proofs}
    named = {each.proof for block in all_blocks() for each in load_exclusions(block.name)} - {""}
    assert named
    assert named <= proofs


def test_only_the_files_of_a_block_count(tmp_path):
    one, two = (Point("line", file, 1, 1, "block") for file in ("rtl/a.sv", "rtl/b.sv"))
    both = CodeCoverage({one: {"t": 1}, two: {"t": 0}})
    assert both.of(()).counts.keys() == {one, two}
    assert both.of(("rtl/b.sv",)).counts == {two: {"t": 0}}


def test_blocks_together():
    points = [Point("line", "rtl/a.sv", line, 1, "block") for line in range(4)]
    mine = CodeCoverage({point: {"t": int(point.line == 0)} for point in points[:3]})
    other = CodeCoverage({point: {"t": int(point.line == 1)} for point in points[1:]})
    left_out = [Exclusion("line", "rtl/a.sv", "cannot be", 1, 2)]
    parts = {"x": (mine, report(mine, left_out)), "y": (other, report(other))}
    together = joint(parts)
    # Line 0 by x, line 1 by y although x excludes it, line 2 excluded by x, line 3 by none.
    assert together.kinds["line"] == Totals(2, 3, 1)
    assert [point.line for point in together.uncovered] == [3]
    assert [(point.line, why) for point, why in together.excluded] == [(2, "cannot be")]
    assert set(together.instances) == {"x: t", "y: t"}


def test_grouped_toggles():
    points = [Point("toggle", "rtl/a.sv", 4, 1, f"x[{bit}]:0->1") for bit in (0, 1, 2, 5)]
    points += [Point("toggle", "rtl/a.sv", 5, 1, "en:1->0"), Point("branch", "rtl/a.sv", 6, 1, "else")]
    assert grouped(points) == [
        "rtl/a.sv:6: branch else",
        "rtl/a.sv:4: toggle x[5,2:0] 0->1",
        "rtl/a.sv:5: toggle en 1->0",
    ]


def test_lcov_has_a_file_per_kind(dat, tmp_path):
    paths = {
        path.stem: path.read_text(encoding="utf-8") for path in write_lcov(merge([dat], tmp_path), tmp_path / "lcov")
    }
    assert set(paths) == set(codecov.KINDS)
    assert [line for line in paths["line"].splitlines() if line.startswith("DA:")] == [
        "DA:10,5", "DA:11,5", "DA:13,5", "DA:20,0"
    ]  # fmt: skip
    assert "BRDA" not in paths["line"]
    assert "BRF:2\nBRH:1\n" in paths["branch"]
    assert "BRF:3\nBRH:1\n" in paths["toggle"]


def test_counts_of_a_real_run(toy, tmp_path):
    """5 rising edges count up; the second instance is never enabled: every count below follows from that."""
    block = dataclasses.replace(toy, rtl=("rtl/flow_toy.sv",))
    result = run(block, "verilator", "good", 1, None, {"cycles": 5}, coverage=True, src_root=tmp_path, quick=True)
    assert result.passed
    assert result.coverage.parent == result.run_dir
    merged = merge([result.coverage], tmp_path)
    source = Path(tmp_path, "rtl/flow_toy.sv").read_text(encoding="utf-8").splitlines()

    def line_of(text):
        return next(number for number, line in enumerate(source, start=1) if text in line)

    counts = {(point.kind, point.line, point.comment): merged.counts[point] for point in merged.counts}
    dut, idle = "flow_toy_tb.dut", "flow_toy_tb.idle"
    assert counts["branch", line_of("if (down_i)"), "if"] == {dut: 0, idle: 0}
    assert counts["branch", line_of("if (down_i)"), "else"] == {dut: 5, idle: 0}
    assert counts["branch", line_of("if (en_i)"), "else"] == {dut: 0, idle: 5}
    port = line_of("count_o\n".strip())
    ups = [counts["toggle", port, f"count_o[{bit}]:0->1"][dut] for bit in range(8)]
    downs = [counts["toggle", port, f"count_o[{bit}]:1->0"][dut] for bit in range(8)]
    assert ups == [3, 1, 1, 0, 0, 0, 0, 0]
    assert downs == [2, 1, 0, 0, 0, 0, 0, 0]
    assert all(counts["toggle", port, f"count_o[{bit}]:0->1"][idle] == 0 for bit in range(8))
    assert counts["toggle", line_of("clk_i"), "clk_i:0->1"] == {dut: 5, idle: 5}
    assert {point.kind for point in merged.counts} == set(codecov.KINDS)
    assert {point.file for point in merged.counts} == {"rtl/flow_toy.sv"}
    summary = report(merged)
    assert summary.kinds["branch"].covered == 3
    assert summary.kinds["branch"].total == 4


def test_toggles_of_wide_signals_are_mended(tmp_path):
    # Bit 3 toggled 5 times and bit 40 twice: Verilator also counts bit 3 at bits 35 and 67, and bit 40 at bit 72.
    seen = dict.fromkeys(range(80), 0) | {3: 5, 35: 5, 67: 5, 40: 2, 72: 2}
    wide = [(count, record(tmp_path, "toggle", 4, f"w[{bit}]:0->1")) for bit, count in seen.items()]
    narrow = [(1, record(tmp_path, "toggle", 5, f"n[{bit}]:0->1")) for bit in range(64)]
    merged = merge([write_dat(tmp_path / "wide.dat", wide + narrow)], tmp_path)
    counts = {point.comment: merged.count(point) for point in merged.counts}
    assert {name: count for name, count in counts.items() if count and name[0] == "w"} == {
        "w[3]:0->1": 5,
        "w[40]:0->1": 2,
    }
    assert all(counts[f"n[{bit}]:0->1"] == 1 for bit in range(64))
