"""Mapping to cells: the model of memories, equal modules, areas and paths by hand, every way it can fail."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flow.commands import mapping
from flow.commands.macros import Macro, Technology, liberty
from flow.commands.mapping import Mapped, cell_areas, map_block, path_lines, read_path
from flow.commands.netlist import counted, merge_equal, plain_cells, take_macros
from flow.commands.synth import prepare
from flow.core.targets import run_target
from flow.core.tools import yosys
from tb.lib.contract import Block
from tb.lib.errors import UserError

OSU018 = Technology.load_file()
LACKING = [name for name in mapping.PROGRAMS if shutil.which(name) is None]
needs_programs = pytest.mark.skipif(
    bool(LACKING),
    reason=f"{', '.join(LACKING)} missing, so make synth MAP=1 was NOT tested: apt-get install yosys opensta",
)
needs_library = pytest.mark.skipif(
    bool(LACKING) or not Path(OSU018.liberty).is_file(),
    reason="osu018 or a program is missing, so make synth MAP=1 was NOT tested: apt-get install qflow-tech-osu018",
)
# Delays that do not depend on load: INV .5 ns, NAND2 1 ns, BUF 1 ns, flip-flop 2 ns and .25 ns before the clock.
TINY = (
    """
library(tiny) {
  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1uA"; pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW"; capacitive_load_unit (1,pf); delay_model : table_lookup;
  slew_upper_threshold_pct_rise : 80; slew_lower_threshold_pct_rise : 20; slew_upper_threshold_pct_fall : 80;
  slew_lower_threshold_pct_fall : 20; input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50; nom_process : 1;
  nom_voltage : 1; nom_temperature : 25;
  lu_table_template(t) { variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1 ("0, 1"); index_2 ("0, 1"); }
"""
    + "".join(
        f"  cell({name}) {{ area : {area};"
        + "".join(f" pin({pin}) {{ direction : input; capacitance : 0.01; }}" for pin in pins)
        + f' pin(Y) {{ direction : output; max_capacitance : 9; function : "{function}";'
        + "".join(
            f' timing() {{ related_pin : "{pin}"; timing_sense : {sense};'
            + "".join(
                f' {kind}(t) {{ values ("{value}, {value}", "{value}, {value}"); }}'
                for kind, value in (
                    ("cell_rise", ns), ("cell_fall", ns), ("rise_transition", 0.1), ("fall_transition", 0.1)
                )
            )
            + " }"
            for pin in pins
        )
        + " } }\n"
        for name, area, pins, function, sense, ns in (
            ("INV", 1, "A", "(!A)", "negative_unate", 0.5),
            ("BUF", 2, "A", "A", "positive_unate", 1.0),
            ("NAND2", 3, "AB", "(!(A B))", "negative_unate", 1.0),
        )
    )
    + """
  cell(DFFR) { area : 10; ff (IQ, IQN) { next_state : "D"; clocked_on : "CLK"; clear : "(!R)"; }
    pin(CLK) { direction : input; clock : true; capacitance : 0.01; }
    pin(R) { direction : input; capacitance : 0.01; }
    pin(D) { direction : input; capacitance : 0.01;
      timing() { related_pin : "CLK"; timing_type : setup_rising; rise_constraint(scalar) { values ("0.25"); }
        fall_constraint(scalar) { values ("0.25"); } } }
    pin(Q) { direction : output; max_capacitance : 9; function : "IQ";
      timing() { related_pin : "CLK"; timing_type : rising_edge; timing_sense : non_unate;
        cell_rise(scalar) { values ("2"); } cell_fall(scalar) { values ("2"); }
        rise_transition(scalar) { values ("0.1"); } fall_transition(scalar) { values ("0.1"); } } } }
}
"""
)  # fmt: skip
PORTS = "input logic clk_i, input logic rst_ni, input logic a_i, input logic b_i, output logic y_o"


def write_rtl(toy: Block, text: str) -> None:
    Path(toy.rtl[0]).write_text(text, encoding="utf-8")


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own."""
    monkeypatch.setattr(mapping, "BUILD", tmp_path / "build")
    return tmp_path / "build" / "cells" / "flow_toy"


@pytest.fixture
def tiny(tmp_path: Path) -> Technology:
    """The cells above; memories as in osu018."""
    path = tmp_path / "tiny.lib"
    path.write_text(TINY, encoding="utf-8")
    return dataclasses.replace(OSU018, name="tiny", liberty=str(path), driver="BUF", load=0.0)


# ---- memories --------------------------------------------------------------------------------------------------------
def test_area_and_access_of_a_memory_by_hand() -> None:
    macro = Macro(words=128, width=136, reads=1, writes=1, masks=1, address=7, clocked=False)
    assert OSU018.area(macro) == pytest.approx(2.43 * (136 + 12 * 2) * 1.91 * 2 * (128 + 30))
    assert OSU018.access(macro) == pytest.approx(0.3 + 0.1 * math.log2(128 * 136))
    one = dataclasses.replace(macro, clocked=True, shared=True)
    assert OSU018.area(one) == pytest.approx(2.43 * (136 + 12) * 1.91 * (128 + 30))
    wider = dataclasses.replace(macro, reads=2)
    assert OSU018.area(wider) > 1.5 * OSU018.area(macro)


@pytest.mark.parametrize(("words", "width", "macro"), [(8, 64, True), (8, 63, False), (7, 100, False), (64, 8, True)])
def test_small_arrays_are_no_macros(words: int, width: int, macro: bool) -> None:
    assert OSU018.is_macro(words, width) is macro


def test_a_file_of_another_form_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.hjson"
    path.write_text('{"name": "x", "colour": "red"}', encoding="utf-8")
    with pytest.raises(UserError, match="colour") as caught:
        Technology.load_file(path)
    assert "\n" not in str(caught.value)


# ---- netlists --------------------------------------------------------------------------------------------------------
def netlist_of(text: str, folder: Path, top: str) -> dict[str, Any]:
    """As the front end reads it."""
    prepare()
    (folder / "t.sv").write_text(text, encoding="utf-8")
    command = [str(yosys()), "-q", "-p", f"read_slang -j 1 --keep-hierarchy --top {top} t.sv; write_json t.json"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, encoding="utf-8")
    found: dict[str, Any] = json.loads((folder / "t.json").read_text(encoding="utf-8"))
    return found


def test_equal_modules_become_one_and_others_do_not(tmp_path: Path) -> None:
    text = """
    module leaf #(parameter int Add = 1) (input logic clk_i, input logic en_i, output logic [3:0] q_o);
      always_ff @(posedge clk_i) if (en_i) begin if (q_o[0]) q_o <= q_o + 4'(Add); else q_o <= {q_o[2:0], en_i}; end
    endmodule
    module pair (input logic clk_i, input logic en_i, output logic [7:0] q_o);
      leaf u_a (.clk_i, .en_i, .q_o(q_o[3:0]));
      leaf u_b (.clk_i, .en_i, .q_o(q_o[7:4]));
    endmodule
    module top (input logic clk_i, input logic en_i, output logic [19:0] q_o);
      for (genvar i = 0; i < 2; i++) begin : gen_pair
        pair u_pair (.clk_i, .en_i, .q_o(q_o[8*i+:8]));
      end
      leaf #(.Add(3)) u_c (.clk_i, .en_i, .q_o(q_o[19:16]));
    endmodule
    """
    merged = plain_cells(merge_equal(netlist_of(text, tmp_path, "top")))
    assert sorted(merged["modules"]) == ["leaf", "leaf_2", "pair", "top"]
    counts = counted(merged, "top")
    assert {name: times for name, (times, _) in counts.items()} == {"leaf": 4, "leaf_2": 1, "pair": 2, "top": 1}
    cells = merged["modules"]["top"]["cells"]
    assert {cells[name]["type"] for name in ("gen_pair_0_u_pair", "gen_pair_1_u_pair")} == {"pair"}


def memory_cell(words: int, width: int, clocked: int = 0, writes: int = 1) -> dict[str, Any]:
    bits = list(range(100, 100 + width))
    values = {"SIZE": words, "WIDTH": width, "ABITS": 3, "RD_PORTS": 1, "WR_PORTS": writes, "RD_CLK_ENABLE": clocked}
    wires: dict[str, list[int | str]] = {
        "RD_ADDR": [2, 3, "x"], "RD_DATA": [*bits], "RD_EN": ["1"], "WR_ADDR": [2, 3, 4], "WR_DATA": [*bits],
        "WR_EN": [5] * (width - 1) + [6], "WR_CLK": [7],
    }  # fmt: skip
    parameters = {name: f"{value:032b}" for name, value in values.items()}
    return {"type": "$mem_v2", "parameters": parameters | {"INIT": "x"}, "attributes": {}, "connections": wires}


def test_memories_become_black_boxes() -> None:
    cells = {
        "big": memory_cell(8, 64), "clocked": memory_cell(8, 64, 1), "one_port": memory_cell(8, 64, 1),
        "rom": memory_cell(8, 64, writes=0), "small": memory_cell(8, 63),
    }  # fmt: skip
    cells["one_port"]["connections"]["RD_ADDR"] = cells["one_port"]["connections"]["WR_ADDR"]
    found, macros = take_macros({"modules": {"top": {"cells": cells}}}, OSU018)
    kinds = {name: cell["type"] for name, cell in found["modules"]["top"]["cells"].items()}
    assert kinds == {
        "big": "mem_8x64_1r1w_2m_async", "clocked": "mem_8x64_1r1w_2m_sync", "one_port": "mem_8x64_1rw_2m_sync",
        "rom": "$mem_v2", "small": "$mem_v2",
    }  # fmt: skip
    assert {macro.name for macro in macros} == {kinds["big"], kinds["clocked"], kinds["one_port"]}
    wires = cells["big"]["connections"]
    assert (wires["RD_ADDR"], wires["WR_EN"], wires["CLK"]) == ([2, 3, "0"], [5, 6], [7])
    assert "RD_EN" not in wires
    assert cells["clocked"]["connections"]["RD_EN"] == ["1"]


def test_yosys_reads_the_library_of_memories(tmp_path: Path) -> None:
    shapes = {Macro(8, 64, 1, 1, 2, 3, clocked) for clocked in (False, True)}
    (tmp_path / "m.lib").write_text(liberty(shapes, OSU018), encoding="utf-8")
    prepare()
    command = [str(yosys()), "-p", "read_liberty -lib m.lib; ls =A:blackbox"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, encoding="utf-8")
    assert all(macro.name in done.stdout for macro in shapes)


# ---- areas and paths -------------------------------------------------------------------------------------------------
def test_areas_of_a_library() -> None:
    assert cell_areas(TINY) == {"INV": 1, "BUF": 2, "NAND2": 3, "DFFR": 10}


def test_a_register_goes_by_its_wire() -> None:
    verilog = """module \\top (clk_i);
  leaf \\u_l (
    .clk_i(clk_i)
  );
endmodule
module leaf(clk_i);
  DFFR _12_ (
    .CLK(clk_i),
    .D(_3_),
    .Q(\\count_q [2]),
    .R(rst_ni)
  );
endmodule
"""
    report = "Startpoint: u_l/_12_ (rising ...)\nEndpoint: y_o[1] (output)\n  0.5  2.5 ^ u_l/_12_/Q (DFFR)\n"
    report += "   -1.25   slack (V)\n"
    path = read_path(report, 4.0, verilog, "top")
    assert path is not None
    assert (path.ns, path.start, path.end, path.steps) == (
        5.25,
        "u_l.count_q[2]",
        "y_o[1]",
        ((2.5, "u_l/_12_/Q (DFFR)"),),
    )
    assert read_path("No paths found.", 4.0, verilog, "top") is None


@needs_programs
def test_area_and_path_by_hand(toy: Block, build: Path, tiny: Technology, capsys: pytest.CaptureFixture[str]) -> None:
    write_rtl(
        toy,
        f"""module leaf ({PORTS});
          logic a_q, b_q;
          always_ff @(posedge clk_i or negedge rst_ni)
            if (!rst_ni) {{a_q, b_q, y_o}} <= '0; else {{a_q, b_q, y_o}} <= {{a_i, b_i, !(a_q && b_q)}};
        endmodule
        module flow_toy #(parameter int Width = 8) ({PORTS});
          logic [1:0] y;
          for (genvar i = 0; i < 2; i++) begin : gen_leaf
            leaf u_leaf (.clk_i, .rst_ni, .a_i, .b_i(i == 0 ? b_i : a_i), .y_o(y[i]));
          end
          assign y_o = !(y[0] && y[1]);
        endmodule""",
    )
    mapped = map_block(toy, {}, tiny)
    assert mapped.cells == {"DFFR": 6, "NAND2": 3}
    assert (mapped.area, mapped.cell_area, mapped.memory_bits) == (69, 69, 0)
    assert mapped.modules == {"leaf": (2, 33), "flow_toy": (1, 3)}
    assert mapped.inside is not None
    assert mapped.inside.ns == pytest.approx(2 + 1 + 0.25)
    assert mapped.inside.start.startswith("gen_leaf_0_u_leaf.") or mapped.inside.start.startswith("gen_leaf_1_u_leaf.")
    assert mapped.inside.end.endswith("u_leaf.y_o")
    # The output waits for the slowest register and a gate, and for no register's set-up.
    assert mapped.path is not None
    assert mapped.path.ns == pytest.approx(3.25)
    assert json.dumps(mapped.as_dict())
    assert path_lines(mapped)[0].startswith("longest path: 3.25 ns from ")
    assert "map flow_toy WIDTH=8: timing" in capsys.readouterr().out


@needs_programs
def test_what_is_not_in_the_library_is_said(toy: Block, build: Path, tiny: Technology) -> None:
    write_rtl(
        toy,
        f"""module flow_toy #(parameter int Width = 8) ({PORTS});
          always_latch if (a_i) y_o = b_i;
        endmodule""",
    )
    with pytest.raises(UserError, match="_DLATCH_") as caught:
        map_block(toy, {}, tiny)
    assert "\n" not in str(caught.value)


@needs_library
def test_the_library_that_debian_has(toy: Block, build: Path) -> None:
    write_rtl(
        toy,
        f"""module flow_toy #(parameter int Width = 8) ({PORTS.replace("input logic a_i", "input logic [6:0] a_i")});
          logic [63:0] mem_q [16], read_q;
          always_ff @(posedge clk_i) begin
            if (b_i) mem_q[a_i[3:0]] <= {{read_q[62:0], a_i[6]}};
            read_q <= mem_q[a_i[5:2]];
          end
          always_ff @(posedge clk_i or negedge rst_ni) if (!rst_ni) y_o <= '0; else y_o <= ^read_q;
        endmodule""",
    )
    mapped = map_block(toy, {}, OSU018)
    (macro,) = mapped.memories
    assert (macro.words, macro.width, macro.clocked) == (16, 64, True)
    assert (mapped.memory_bits, mapped.unclocked_bits) == (1024, 0)
    assert mapped.cells["DFFSR"] == 1
    assert mapped.memory_area == OSU018.area(macro)
    assert mapped.inside is not None
    assert mapped.inside.ns > OSU018.access(macro) + 0.8
    assert mapped.inside.end == "y_o"


# ---- what is missing -------------------------------------------------------------------------------------------------
def test_what_is_missing_is_named_with_its_package(toy: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lost = dataclasses.replace(OSU018, liberty=str(tmp_path / "none.lib"))
    with pytest.raises(UserError, match="MAP=1 needs opensta qflow-tech-osu018 yosys: install with 'apt-get install "):
        map_block(toy, {}, lost)


def test_the_command_says_what_does_not_go_together() -> None:
    for given, error in (({"DENSE": 1}, "DENSE=1 compares areas"), ({"MAP": 1, "GATES": 1}, "GATES=1 counts gates")):
        done = run_target("synth", BLOCK="laps", **given)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {error}")
        assert done.stderr.count("\n") == 1


def test_a_block_without_a_path_is_said() -> None:
    assert path_lines(Mapped({}, "tiny")) == []
