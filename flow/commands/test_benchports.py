"""A bench declares its device's ports as the RTL has them, and forgets none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from flow.commands import benchports
from flow.core.blocks import get_block
from tb.lib.contract import Block
from tb.lib.errors import UserError

DEVICE = """module toy_core #(parameter int W = 4) (
  input  logic clk_i,   // not this one
  input  logic [W-1:0] in_data_i,
  input  logic in_valid_i, output logic in_ready_o,
  output toy_t [1:0] out_o
);
endmodule
"""
BENCH = """`define DRIVE(name) assign name``_valid_i = go_i;
module tb_toy (input logic clk_i, input logic go_i);
  `include "toy_ports.svh"
  `DRIVE(in)
  toy_core dut (.*);
endmodule
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Block:
    (tmp_path / "toy_core.sv").write_text(DEVICE, encoding="utf-8")
    (tmp_path / "tb_toy.sv").write_text(BENCH, encoding="utf-8")
    monkeypatch.setattr(benchports, "ROOT", tmp_path)
    block = dataclasses.replace(
        get_block("laps"), name="toy", rtl=("toy_core.sv",), tb_sources=("tb_toy.sv",), include_dirs=(".",),
        rtl_top="toy_core", tb_top="tb_toy",
    )  # fmt: skip
    monkeypatch.setattr(benchports, "all_blocks", lambda: [block])
    return block


def test_the_ports_are_written_once(toy: Block, tmp_path: Path) -> None:
    path = tmp_path / "toy_ports.svh"
    assert benchports.findings()[0] == f"{path}: is not what the ports of the RTL say: run `make regs`"
    assert benchports.make_files() == [path]
    assert path.read_text(encoding="utf-8").splitlines()[2:] == [
        "logic [W-1:0] in_data_i;",
        "logic in_valid_i;",
        "logic in_ready_o;",
        "toy_t [1:0] out_o;",
    ]
    assert benchports.make_files() == []


def test_an_input_that_nothing_drives_is_found(toy: Block, tmp_path: Path) -> None:
    benchports.make_files()
    assert benchports.findings() == ["tb/toy/tb_toy.sv: nothing drives in_data_i of toy_core"]
    bench = BENCH.replace("endmodule", "assign in_data_i = '1;\nendmodule")
    (tmp_path / "tb_toy.sv").write_text(bench, encoding="utf-8")
    assert benchports.findings() == []


def test_a_device_without_such_ports_is_refused(toy: Block, tmp_path: Path) -> None:
    (tmp_path / "toy_core.sv").write_text("module toy_core;\nendmodule\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"toy_core\.sv: finds no ports of toy_core; declare them"):
        benchports.made_files()
