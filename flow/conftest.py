"""A tiny block, with a cocotb test for every way a run can end; a target called as the Makefile calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flow import cli
from flow.commands import registry
from tb.lib.contract import Block, Option, Param

RTL = """\
module flow_toy #(parameter int Width = 8) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             en_i,
  input  logic             down_i,
  output logic [Width-1:0] count_o
);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_o <= '0;
    end else if (en_i) begin
      if (down_i) begin
        count_o <= count_o - 1'b1;
      end else begin
        count_o <= count_o + 1'b1;
      end
    end
  end
endmodule
"""
BENCH = """\
module flow_toy_tb #(parameter int Width = 8) (
  input logic clk, input logic rst_n, input logic en, input logic down, input logic poke, output logic [Width-1:0] count
);
  flow_toy #(.Width(Width)) dut (.clk_i(clk), .rst_ni(rst_n), .en_i(en), .down_i(down), .count_o(count));
  flow_toy #(.Width(Width)) idle (.clk_i(clk), .rst_ni(rst_n), .en_i(1'b0), .down_i(1'b0), .count_o());
  always @(posedge clk) if (poke) $error("poked");
  always @(posedge clk) if (en && 32'(count) == 99) $display("TS_ASSERT Below99 in %m at %0t", $time);
endmodule
"""
TESTS = """\
import json, os, random, time
from pathlib import Path
import cocotb
from cocotb.triggers import Timer

async def count(dut, cycles):
    for name in ("clk", "rst_n", "en", "down", "poke"):
        getattr(dut, name).value = 0
    await Timer(1, "ns")
    dut.rst_n.value = 1
    dut.en.value = 1
    for _ in range(cycles):
        await Timer(1, "ns")
        dut.clk.value = 1
        await Timer(1, "ns")
        dut.clk.value = 0
    await Timer(1, "ns")
    return int(dut.count.value)

def finish(status, **more):
    Path(os.environ["TS_RUN_DIR"], "result.json").write_text(json.dumps({"status": status, **more}))

@cocotb.test()
async def good(dut):
    config = json.loads(Path(os.environ["TS_CONFIG"]).read_text())
    value = await count(dut, config.get("cycles", 5))
    surroundings = [name for name in ("MAKEFLAGS", "COCOTB_TESTCASE") if name in os.environ]
    facts = {"value": value, "config": config, "random": random.random(), "surroundings": surroundings}
    finish("pass", report={"value": value}, **facts)

@cocotb.test()
async def wrong(dut):
    finish("fail", error="count is wrong", first_divergence={"boundary": "count"})
    assert await count(dut, 5) == 6, "not reached by the summary"

@cocotb.test()
async def unhappy(dut):
    finish("fail", error="model differs")

@cocotb.test()
async def silent(dut):
    await count(dut, 5)

@cocotb.test()
async def crash(dut):
    finish("pass")
    print("last words", flush=True)
    os.abort()

@cocotb.test()
async def leave(dut):
    finish("pass")
    os._exit(3)

@cocotb.test()
async def hang(dut):
    finish("pass")
    print("going to sleep", flush=True)
    time.sleep(600)

@cocotb.test()
async def poke(dut):
    finish("pass")
    await count(dut, 1)
    dut.poke.value = 1
    dut.clk.value = 1
    await Timer(1, "ns")
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Block:
    """The block; its sources lie in `tmp_path`, the RTL in rtl/ of it."""
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "flow_toy.sv").write_text(RTL, encoding="utf-8")
    (tmp_path / "flow_toy_tb.sv").write_text(BENCH, encoding="utf-8")
    (tmp_path / "flow_toy_tests.py").write_text(TESTS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return Block(
        name="flow_toy",
        title="a counter",
        rtl=(str(tmp_path / "rtl" / "flow_toy.sv"),),
        tb_sources=(str(tmp_path / "flow_toy_tb.sv"),),
        rtl_top="flow_toy",
        tb_top="flow_toy_tb",
        test_module="flow_toy_tests",
        default_test="good",
        params={"WIDTH": Param(8, (4, 8), "Width")},
        options=(Option("CYCLES", "cycles", "int", 5, least=0, most=1_000_000), Option("INPUT", "a file", "in_file")),
        sim_options=lambda options: (options["TEST"] or "good", {"cycles": options["CYCLES"]}),
    )


@pytest.fixture
def as_make(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Calls a target the way the Makefile does, in this process: (exit status, stdout, stderr)."""
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)

    def call(target: str, **variables: object) -> tuple[int, str, str]:
        given = {name: str(value) for name, value in variables.items()}
        known = {str(option.envvar) for command in registry.commands().values() for option in command.params}
        definitions = " ".join(f"{name}={value}" for name, value in given.items())
        with monkeypatch.context() as patch:
            for name in (*known, "MAKELEVEL"):
                patch.delenv(name, raising=False)
            patch.setenv("MAKEFLAGS", f" -- {definitions}" if definitions else "")
            for name, value in given.items():
                patch.setenv(name, value)
            capsys.readouterr()
            return cli.main([target]), *capsys.readouterr()

    return call
