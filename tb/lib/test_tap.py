"""The tap inside a device reports what breaks the handshake law, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flow.core.tools import require_programs
from tb.lib.paths import ROOT

BENCH = """
module bench;
  logic clk = 0, rst_n = 0, valid, ready;
  logic [31:0] payload;
  ts_tap #(.Words(1)) u_tap (.clk_i(clk), .rst_ni(rst_n), .cycle_i(32'd0), .flush_i(1'b0), .valid_i(valid),
                             .ready_i(ready), .payload_i(payload));
  task step(input logic v, input logic r, input logic [31:0] p);
    valid = v; ready = r; payload = p;
    #1 clk = 1;
    #1 clk = 0;
  endtask
  initial begin
    step(0, 0, 0);
    rst_n = 1;
    STEPS
    $finish;
  end
endmodule
"""


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("step(1, 0, 5); step(1, 0, 5); step(1, 1, 5); step(1, 1, 6); step(0, 0, 7);", ""),
        ("step(1, 0, 5); step(1, 1, 6);", "PayloadChanged"),
        ("step(1, 0, 5); step(0, 0, 5);", "ValidDropped"),
        ("step(1, 0, 5); rst_n = 0; step(1, 0, 6); rst_n = 1; step(1, 1, 7);", ""),
        ("step(1, 1, 32'hx);", "Unknown"),
    ],
)
def test_what_a_tap_reports(tmp_path: Path, steps: str, said: str) -> None:
    require_programs({"iverilog": "iverilog", "vvp": "iverilog"}, "this test")
    (tmp_path / "bench.sv").write_text(BENCH.replace("STEPS", steps), encoding="utf-8")
    folder = ROOT / "tb/lib/sv"
    sources = [folder / "ts_stream_check.sv", folder / "ts_tap.sv", tmp_path / "bench.sv"]
    subprocess.run(["iverilog", "-g2012", f"-I{folder}", "-s", "bench", "-o", tmp_path / "bench", *sources], check=True)
    done = subprocess.run(["vvp", "bench"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("TS_ASSERT")]
    assert [line.split()[1] for line in lines] == ([said] if said else [])
