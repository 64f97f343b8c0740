"""A user's RTL in place of a block's: what a list may say, what it replaces, how it builds and what is said if not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flow.core.blocks import all_blocks, get_block
from flow.core.building import BuildError, build
from flow.core.ownrtl import OwnRtl, declared
from flow.core.simulate import run
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import ROOT

COUNTER = (
    "module flow_toy #(parameter int Width = 8) (input logic clk_i, rst_ni, en_i, down_i, output logic [Width-1:0] "
    "count_o);\n  {body}\nendmodule\n"
)
GOOD = COUNTER.format(
    body='`include "step.svh"\n  always_ff @(posedge clk_i or negedge rst_ni) if (!rst_ni) count_o <= \'0; '
    "else count_o <= count_o + (en_i ? down_i ? -`STEP : `STEP : '0);"
)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A list in a folder of its own, with a counter, a folder of included files and a list inside."""
    folder = tmp_path / "mine"
    (folder / "inc").mkdir(parents=True)
    (folder / "inc" / "step.svh").write_text("`define STEP Width'(`BY)\n", encoding="utf-8")
    (folder / "counter.sv").write_text(GOOD, encoding="utf-8")
    (folder / "more.f").write_text("# from here\n+define+BY=1\ncounter.sv counter.sv\n", encoding="utf-8")
    (folder / "files.f").write_text("// a counter\n+incdir+inc // with its step\n-f more.f\n", encoding="utf-8")
    return folder / "files.f"


@pytest.mark.parametrize("sim", ["verilator", "icarus"])
def test_a_list_replaces_a_module(toy: Block, mine: Path, sim: str) -> None:
    own = OwnRtl.read(mine)
    assert own.files == (mine.parent / "counter.sv",)
    assert (own.include_dirs, own.defines) == ((mine.parent / "inc",), ("BY=1",))
    first = run(toy, sim, "good", rtl=own, config={"cycles": 7}, variables={"CYCLES": 7})
    assert first.passed, first.summary()
    assert first.result is not None
    assert first.result["value"] == 7
    assert first.rtl == str(mine)
    assert f" RTL={mine} " in first.replay
    assert f" RTL={mine}" in first.summary().splitlines()[0]
    assert build(toy, sim).path != build(toy, sim, rtl=own).path
    if sim == "icarus":
        (mine.parent / "inc" / "step.svh").write_text(
            "`define STEP Width'(3)\n", encoding="utf-8"
        )  # seen through the include
        again = run(toy, sim, "good", rtl=OwnRtl.read(mine), config={"cycles": 7})
        assert again.result is not None
        assert again.result["value"] == 21
        assert again.run_dir != run(toy, sim, "good", config={"cycles": 7}).run_dir
        (mine.parent / "more.f").write_text("+define+BY=2\ncounter.sv", encoding="utf-8")
        assert OwnRtl.read(mine).digest() != own.digest()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", r"RTL=.*files\.f names no source file"),
        ("// nothing\n# at all\n", "names no source file"),
        ("counter.sv\nnosuch.sv\n", r"files\.f:2: cannot read nosuch\.sv"),
        ("-y lib counter.sv", r"files\.f:1: cannot take -y: a list has source files, \+incdir\+"),
        ("+incdir+nosuch counter.sv", r"files\.f:1: there is no folder nosuch"),
        ("-f nosuch.f", r"files\.f:1: -f needs a list that can be read, not nosuch\.f"),
        ("counter.sv -f", "-f needs a list that can be read, not nothing"),
        ("counter.sv -f files.f", r"files\.f lists itself with -f"),
    ],
)
def test_a_list_that_cannot_be_used(mine: Path, text: str, error: str) -> None:
    mine.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=error) as caught:
        OwnRtl.read(mine)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("module other; endmodule", r"declares other, which replaces nothing of flow_toy \(flow_toy\)"),
        ("// module flow_toy", "declares nothing, which replaces nothing"),
        (GOOD + "module flow_toy_tb; endmodule", r"flow_toy_tb belongs to the bench \(.*flow_toy_tb\.sv\): rename"),
    ],
)
def test_sources_that_do_not_fit_the_block(toy: Block, mine: Path, text: str, error: str) -> None:
    (mine.parent / "counter.sv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=error):
        build(toy, "icarus", rtl=OwnRtl.read(mine))


def test_names_that_stand_twice_or_are_missing(toy: Block, mine: Path) -> None:
    (mine.parent / "again.sv").write_text("module flow_toy; endmodule", encoding="utf-8")
    mine.write_text("+incdir+inc -f more.f again.sv", encoding="utf-8")
    with pytest.raises(UserError, match=r"flow_toy is declared in .*counter\.sv and in .*again\.sv"):
        build(toy, "icarus", rtl=OwnRtl.read(mine))
    mine.write_text("again.sv", encoding="utf-8")
    rtl = Path(toy.rtl[0])
    rtl.write_text(rtl.read_text(encoding="utf-8") + "module flow_helper; endmodule\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"takes the place of .*flow_toy\.sv, which also declares flow_helper"):
        build(toy, "icarus", rtl=OwnRtl.read(mine))


@pytest.mark.parametrize("sim", ["verilator", "icarus"])
@pytest.mark.parametrize(
    ("text", "error"),
    [
        (COUNTER.format(body="nonsense"), r"counter\.sv:3.*syntax error"),
        (COUNTER.format(body="flow_part part (.clk_i);"), "module flow_part is declared neither by the list nor by"),
        ("module flow_toy (input logic clk_i); endmodule", "error"),
    ],
)
def test_sources_that_do_not_build(toy: Block, mine: Path, sim: str, text: str, error: str) -> None:
    (mine.parent / "counter.sv").write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=rf"(?i)^RTL=.* does not build for flow_toy on {sim}: .*{error}") as caught:
        build(toy, sim, rtl=OwnRtl.read(mine))
    assert "\n" not in str(caught.value)
    assert "(log: " in str(caught.value)


def test_what_a_file_declares(tmp_path: Path) -> None:
    path = tmp_path / "a.sv"
    path.write_text(
        "// module not_this\n/* package nor_this; */ package automatic p; endpackage : p\n"
        'module a; initial $display("module no"); virtual interface bus v; endmodule module b; endmodule\n'
        "interface static i; endinterface\n",
        encoding="utf-8",
    )
    assert declared(path) == {"p": "package", "a": "module", "b": "module", "i": "interface"}


def test_packages_come_before_modules(toy: Block, tmp_path: Path) -> None:
    """A replaced package stands where it stood, with what the list has before it; what stays keeps its order."""
    for name, text in {
        "base.sv": "package base; endpackage", "of.sv": "package of; endpackage", "core.sv": "module core; endmodule",
        "part.sv": "module part; endmodule", "new_of.sv": "package of; import extra::*; endpackage",
        "extra.sv": "package extra; endpackage", "new_core.sv": "module core; endmodule",
        "macros.sv": "`define A 1\n",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "list.f").write_text("macros.sv extra.sv new_core.sv new_of.sv", encoding="utf-8")
    block = replace(toy, rtl=tuple(str(tmp_path / f"{name}.sv") for name in ("base", "of", "part", "core")))
    order = [Path(source).stem for source in OwnRtl.read(tmp_path / "list.f").applied(block).rtl]
    assert order == ["base", "macros", "extra", "new_of", "new_core", "part"]


@pytest.mark.parametrize("block", all_blocks(), ids=lambda block: block.name)
def test_every_file_of_every_block_can_be_replaced(block: Block, tmp_path: Path) -> None:
    assert block.rtl_top in {name for source in block.rtl for name in declared(ROOT / source)}
    for source in block.rtl:
        copy = shutil.copy(ROOT / source, tmp_path)
        (tmp_path / "list.f").write_text(Path(copy).name, encoding="utf-8")
        own = OwnRtl.read(tmp_path / "list.f").applied(block)
        assert sorted(own.rtl) == sorted([str(copy), *(other for other in block.rtl if other != source)])
        packages = ["package" in declared(ROOT / name).values() for name in own.rtl]
        assert packages == sorted(packages, reverse=True)


def test_a_package_and_a_core_of_a_block_build(tmp_path: Path) -> None:
    for name in ("rtl/laps/laps_pkg.sv", "rtl/laps/laps_core.sv"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "list.f").write_text("laps_core.sv laps_pkg.sv", encoding="utf-8")
    assert build(get_block("laps"), "icarus", rtl=OwnRtl.read(tmp_path / "list.f")).path.is_dir()


def test_a_top_needs_every_port(tmp_path: Path) -> None:
    text = (ROOT / "rtl/laps/laps_core.sv").read_text(encoding="utf-8")
    (tmp_path / "laps_core.sv").write_text(text.replace("obs_over_o", "over_o"), encoding="utf-8")
    (tmp_path / "list.f").write_text("laps_core.sv", encoding="utf-8")
    with pytest.raises(UserError, match=r"laps_core has no port obs_over_o \(tb/laps/laps_ports\.svh lists them\)"):
        OwnRtl.read(tmp_path / "list.f").applied(get_block("laps"))
