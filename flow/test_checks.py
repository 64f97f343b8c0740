"""Planted faults, lint and set-up."""

import dataclasses
import difflib
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from flow.commands import faults, lint
from flow.core import objcache
from flow.core.blocks import all_blocks
from tb.lib.errors import UserError
from tb.lib.paths import ROOT, SOURCES, source_files

HEADER = "# title: counts by two\n# test: wrong\n# seed: 2\n# boundary: count, other\n"


def write_fault(toy, folder, old="+ 1'b1", new="+ 2'd2", header=HEADER):
    source = Path(toy.rtl[0]).read_text(encoding="utf-8")
    assert old in source
    names = ("a/rtl/flow_toy.sv", "b/rtl/flow_toy.sv")
    diff = difflib.unified_diff(source.splitlines(True), source.replace(old, new).splitlines(True), *names)
    path = folder / "fault.patch"
    path.write_text(header + "".join(diff), encoding="utf-8")
    return path


def test_header(toy, tmp_path):
    fault = faults.load_fault(write_fault(toy, tmp_path, header=HEADER + "# params: WIDTH=4\n"))
    assert (fault.name, fault.test, fault.seed, fault.boundaries) == ("fault", "wrong", 2, ("count", "other"))
    assert fault.params == {"WIDTH": 4}
    with pytest.raises(UserError, match="header lacks boundary"):
        faults.load_fault(write_fault(toy, tmp_path, header=HEADER.rpartition("# boundary")[0]))
    with pytest.raises(UserError, match="must be numbers"):
        faults.load_fault(write_fault(toy, tmp_path, header=HEADER.replace("2", "two")))


def test_plant(toy, tmp_path):
    fault = faults.load_fault(write_fault(toy, tmp_path))
    faults.plant(fault, tmp_path / "copy", tmp_path)
    assert "+ 2'd2" in (tmp_path / "copy/rtl/flow_toy.sv").read_text(encoding="utf-8")
    assert "+ 2'd2" not in Path(toy.rtl[0]).read_text(encoding="utf-8")
    # Inside this repository too, where git would take the paths from the repository's root.
    inside = ROOT / "build" / "flow_toy" / "planted"
    faults.plant(fault, inside, tmp_path)
    assert "+ 2'd2" in (inside / "rtl/flow_toy.sv").read_text(encoding="utf-8")


@pytest.mark.parametrize("change", ["context", "elsewhere", "empty"])
def test_patch_must_apply_exactly(toy, tmp_path, change):
    path = write_fault(toy, tmp_path)
    text = path.read_text(encoding="utf-8")
    if change == "context":
        path.write_text(
            text.replace("-        count_o <= count_o + 1'b1;", "-        count_o <= count_o + 1'b0;"), encoding="utf-8"
        )
    elif change == "elsewhere":
        path.write_text(text.replace("rtl/flow_toy.sv", "rtl/no_such.sv"), encoding="utf-8")
    else:
        path.write_text(HEADER, encoding="utf-8")
    with pytest.raises(UserError, match=r"fault.patch (does not apply|changes nothing)"):
        faults.plant(faults.load_fault(path), tmp_path / "copy", tmp_path)


@pytest.mark.parametrize(
    ("test", "boundary", "outcome"),
    [
        ("wrong", "count", "caught"),
        ("wrong", "issue", "wrong boundary"),
        ("crash", "count", "wrong boundary"),
        ("good", "count", "survived"),
    ],
)
def test_outcomes(toy, tmp_path, monkeypatch, test, boundary, outcome):
    header = f"# title: t\n# test: {test}\n# seed: 2\n# boundary: {boundary}\n"
    fault = faults.load_fault(write_fault(toy, tmp_path, header=header))
    block = dataclasses.replace(toy, rtl=("rtl/flow_toy.sv",))
    plant, run = faults.plant, faults.run
    monkeypatch.setattr(faults, "plant", lambda fault, folder: plant(fault, folder, tmp_path))
    monkeypatch.setattr(faults, "BUILD", tmp_path)  # one folder a test: they may run at the same time
    monkeypatch.setattr(faults, "run", lambda block, sim, *args, **more: run(block, "icarus", *args, **more))
    result = faults.try_fault(block, fault)
    assert (result.outcome, result.boundary) == (outcome, "count" if test == "wrong" else None)


def test_fault_that_does_not_build_is_an_error(toy, tmp_path, monkeypatch):
    fault = faults.load_fault(write_fault(toy, tmp_path, new="+ 1 1"))
    plant = faults.plant
    monkeypatch.setattr(faults, "plant", lambda fault, folder: plant(fault, folder, tmp_path))
    monkeypatch.setattr(faults, "BUILD", tmp_path)
    result = faults.try_fault(dataclasses.replace(toy, rtl=("rtl/flow_toy.sv",)), fault)
    assert result.outcome == "error"
    assert result.detail.startswith("does not build")


def test_faults_need_tests_that_pass_without_them_and_each_is_told(toy, tmp_path, monkeypatch):
    fault = faults.load_fault(write_fault(toy, tmp_path))
    both = [fault, dataclasses.replace(fault, name="other", test="good")]
    clean = {"wrong": SimpleNamespace(passed=True, summary=lambda: "PASS wrong\nwaves: no")}
    clean["good"] = SimpleNamespace(passed=True, summary=lambda: "PASS good")
    monkeypatch.setattr(faults, "load_faults", lambda block: both)
    monkeypatch.setattr(faults, "_run", lambda block, test, *_, **__: clean[test])
    monkeypatch.setattr(
        faults, "try_fault", lambda block, each, sim: faults.FaultResult(each.name, "t", "caught", ("count",), "count")
    )
    said: list[str] = []
    assert [each.name for each in faults.try_faults(toy, 1, say=said.append)] == ["fault", "other"]
    assert said == [
        "without a fault: PASS good",
        "without a fault: PASS wrong",
        "1 of 2: fault caught, first at count",
        "2 of 2: other caught, first at count",
    ]
    # The toy's list has no run on Icarus: nothing is planted there, and that is said.
    assert faults.try_faults(toy, 1, say=said.append, sim="icarus") == []
    assert said[-1] == "left out, as the list does not run their tests on icarus: fault, other"
    clean["good"] = SimpleNamespace(passed=False, error="it is bad", replay="make sim", summary=lambda: "FAIL good")
    with pytest.raises(UserError, match="good fails without a fault: it is bad; make sim"):
        faults.try_faults(toy, 1, say=said.append)


def test_lint_of_rtl(toy):
    assert lint.lint_rtl(toy, {}) == []
    rtl = Path(toy.rtl[0])
    rtl.write_text(rtl.read_text(encoding="utf-8").replace("+ 1'b1", "+ 2'd2"), encoding="utf-8")
    assert any("WIDTHEXPAND" in line for line in lint.lint_rtl(toy, {"WIDTH": 4}))


def test_lint_of_sources(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    block = dataclasses.replace(toy, rtl=("rtl/flow_toy.sv",))
    assert lint.lint_sources([block]) == []
    (tmp_path / "rtl" / "stray.sv").write_text(
        "module stray;\n// verilator coverage_off\nendmodule\n", encoding="utf-8"
    )
    findings = lint.lint_sources([block])
    assert findings[0] == "rtl/stray.sv: belongs to no block, so nothing checks it"
    assert findings[1].startswith("rtl/stray.sv:2: coverage exclusions belong")


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("open('x')", True),
        ("open('x', 'w')", True),
        ("path.open()", True),
        ("path.open(mode='a')", True),
        ("path.read_text()", True),
        ("path.write_text('y')", True),
        ("path.read_text(errors='replace')", True),
        ("subprocess.run('x', text=True)", True),
        ("open('x', 'rb')", False),
        ("open('x', encoding='utf-8')", False),
        ("path.open('wb')", False),
        ("path.read_text('utf-8')", False),
        ("path.write_text('y', encoding='utf-8')", False),
        ("subprocess.run('x', capture_output=True)", False),
        ("os.open('x', 0)", False),
        ("open('x', **given)", False),
    ],
)
def test_lint_of_encodings(tmp_path, monkeypatch, call, found):
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    (tmp_path / "tb").mkdir()
    (tmp_path / "tb" / "a.py").write_text(f"# ä\n{call}\n", encoding="utf-8")
    assert lint.lint_encodings() == (["tb/a.py:2: text without encoding="] if found else [])


def test_litter_of_editors_and_file_managers_is_no_source(tmp_path):
    kept = {"tb/x.py", "tb/block/faults/a.patch", "rtl/x.sv", "requirements.txt"}
    litter = {"tb/.x.py.swp", "tb/.#x.py", "tb/#x.py#", "tb/x.py~", "tb/x.py.orig", "tb/x.py.rej", "tb/._x.py"}
    litter |= {"tb/.DS_Store", "tb/.ipynb_checkpoints/x.py", "tb/__pycache__/x.pyc", "rtl/x.sv.bak", "rtl/4913"}
    for name in kept | litter:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    (tmp_path / "rtl" / ".#x.sv").symlink_to("user@host.1234")  # Emacs' lock: it leads nowhere
    (tmp_path / "rtl" / "gone.sv").symlink_to("nowhere")
    found = source_files(("tb", "rtl", "requirements.txt"), root=tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == sorted(kept)


def test_what_blocks_and_pages_are_made_of_is_a_source():
    found = set(source_files(SOURCES))
    for block in all_blocks():
        own = [*block.rtl, *block.tb_sources, block.public_vlt, block.testplan, f"tb/{block.name}/tests.py"]
        assert {ROOT / name for name in own if name} <= found
    others = ("data/digits/early.npz", "data/energy/horowitz45.hjson", "rtl/common/ts_assert.svh", "rtl/verible.rules")
    others += (
        "flow/commands/regress_report.html.j2",
        "flow/core/report_style.css",
        "flow/core/jobs.py",
        "models/ran/config.py",
    )
    assert {ROOT / name for name in others} <= found
    assert any(path.suffix == ".cpp" for path in found)


def test_objects_of_the_runtime_are_shared(tmp_path, monkeypatch):
    root = tmp_path / "verilator"
    (root / "include").mkdir(parents=True)
    source = root / "include" / "verilated.cpp"
    source.write_text("source", encoding="utf-8")
    log = tmp_path / "log"
    compiler = tmp_path / "c++"
    compiler.write_text(
        f'#!/bin/sh\necho call >> {log}\nwhile [ "$1" != -o ]; do shift; done\necho object > "$2"\n', encoding="utf-8"
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("VERILATOR_ROOT", str(root))
    monkeypatch.setenv("TS_OBJCACHE", str(tmp_path / "cache"))
    for name, flag in (("a.o", "-O1"), ("b.o", "-O1"), ("c.o", "-O2")):
        assert objcache.main([str(compiler), flag, "-c", "-o", str(tmp_path / name), str(source)]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8") == "object\n"
    assert log.read_text(encoding="utf-8").count("call") == 2
    other = tmp_path / "Vtop.cpp"
    for _ in range(2):
        assert objcache.main([str(compiler), "-c", "-o", str(tmp_path / "d.o"), str(other)]) == 0
    assert log.read_text(encoding="utf-8").count("call") == 4


@pytest.fixture
def setup(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("# nothing\n", encoding="utf-8")
    return runpy.run_path(str(ROOT / "flow/core/setup_env.py"))["main"]


def test_setup_says_what_is_missing(setup, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert "apt-get install python3-venv" in setup()
    assert not (tmp_path / ".venv").exists()
    os.unlink("requirements.txt")
    assert "root of the clone" in setup()


def test_setup_makes_anew_what_was_interrupted(setup, tmp_path, monkeypatch, capsys):
    calls = []
    python = tmp_path / ".venv" / "bin" / "python"

    def call(command, **_):
        calls.append(command)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text("", encoding="utf-8")
        return 0

    monkeypatch.setattr("subprocess.call", call)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "half").write_text("interrupted", encoding="utf-8")
    assert setup() is None
    assert len(calls) == 3
    assert capsys.readouterr().out == "setting up .venv ...\n"
    assert not (tmp_path / ".venv" / "half").exists()
    assert setup() is None
    assert len(calls) == 3
    assert capsys.readouterr().out == ""
    (tmp_path / "requirements.txt").write_text("# changed\n", encoding="utf-8")
    assert setup() is None
    assert len(calls) == 6


def test_a_warning_of_slang_needs_a_waiver_and_a_waiver_a_warning(tmp_path):
    path = tmp_path / "toy.sv"
    path.write_text(
        "module toy (input logic [1:0] a_i, output logic y_o);\n  assign y_o = a_i == $signed(2'd1);\nendmodule\n",
        encoding="utf-8",
    )
    block = SimpleNamespace(name="toy", rtl=(str(path),), rtl_top="toy", include_dirs=())
    found = lint.lint_slang([block])
    assert (
        f"{path}:2: comparison of differently signed types ('logic[1:0]' and 'bit signed[1:0]') [sign-compare]"
        not in found
    )
    report = {"toy": f"{path}:2:1: warning: signs differ [-Wsign-compare]\nx.sv:3:1: error: no such module\n"}
    signs = lint.Waiver("sign-compare", "r")
    assert lint.slang_findings(report, [signs]) == ["x.sv:3: no such module [error]"]
    assert lint.slang_findings(report, []) == [
        f"{path}:2: signs differ [sign-compare]",
        "x.sv:3: no such module [error]",
    ]
    other = lint.Waiver("sign-compare", "r", "y.sv")
    assert (
        lint.slang_findings(report, [signs, other])[-1] == "rtl/slang.hjson: no warning sign-compare needs its waiver"
    )
    path.write_text("module toy (input logic a_i, output logic y_o);\n  assign y_o = b;\nendmodule\n", encoding="utf-8")
    assert any("use of undeclared identifier 'b'" in line for line in lint.lint_slang([block]))


@pytest.mark.parametrize(("index", "found"), [("a_i + 4'd1", 1), ("a_i - 4'd1", 1), ("4'd2 + 4'd1", 0), ("next", 0)])
def test_a_sum_in_an_index_of_an_array_is_found(tmp_path, index, found):
    """Icarus 11 reads x from `ring[a + 4'd1]` where the sum wraps; bits of a vector and a loop's it takes right."""
    path = tmp_path / "toy.sv"
    text = """
module toy (input logic clk_i, input logic [3:0] a_i, input logic [15:0] v_i, output logic [7:0] y_o, output logic b_o);
  logic [7:0] ring [16];
  logic [3:0] next;
  assign next = a_i + 4'd1;
  always_ff @(posedge clk_i) for (int i = 0; i < 15; i++) ring[i] <= ring[i + 1];
  assign b_o = v_i[a_i + 4'd1];
  assign y_o = ring[INDEX];
endmodule
"""
    path.write_text(text.replace("INDEX", index), encoding="utf-8")
    block = SimpleNamespace(name="toy", rtl=(str(path),), rtl_top="toy", include_dirs=())
    said = [line.partition("toy.sv")[2] for line in lint.lint_slang([block]) if "sum in an index" in line]
    assert said == [":8: a sum in an index: give it a name of its width [sum-in-index]"] * found
