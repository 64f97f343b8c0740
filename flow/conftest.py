"""A tiny block, with a cocotb test for every way a run can end; a target called as the Makefile calls it; clusters."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from flow import cli
from flow.commands import registry
from flow.core import jobs
from tb.lib.contract import Block, Option, Param
from tb.lib.paths import ROOT

T = TypeVar("T")

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


@pytest.fixture(scope="module")
def threads() -> Iterator[str]:
    """Address of a cluster of two threads of this process: no worker process has to start."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1",
                      dashboard_address="127.0.0.1:0", memory_limit=None) as cluster:  # fmt: skip
        yield cluster.scheduler_address


def wait_for(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """What `condition` gives once that is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return value


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Iterator[tuple[str, dict[int, subprocess.Popen[bytes]]]]:
    """A real scheduler and two real workers on loopback: (address, {pid: process} of the workers)."""
    dask = [sys.executable, "-m", "dask"]  # packages at the very path that they have here
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = [[*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *common]]
    commands += [[*dask, "worker", *common, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1"]] * 2
    running = []
    try:
        for number, command in enumerate(commands):
            log = (tmp_path / f"dask{number}.log").open("w", encoding="utf-8")
            running.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT))
            wait_for(file.is_file)
        yield wait_for(lambda: (jobs.read_json(file) or {}).get("address")), {each.pid: each for each in running[1:]}
    finally:
        for process in running:
            process.kill()
            process.wait()


def processes() -> Iterator[tuple[int, int, str]]:
    """(pid, parent, command line) of every process that has not ended."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if stat[0] != "Z":
            yield int(folder.name), int(stat[1]), command


def simulations(tmp_path: Path, program: str) -> dict[int, int]:
    """{process of a simulation of this test, which runs `program`: the process that started it}, behind the guard."""
    parents = {pid: parent for pid, parent, _ in processes()}
    found = {}
    for pid, parent, command in processes():
        try:
            ours = str(tmp_path) in Path(f"/proc/{pid}/environ").read_text(errors="replace", encoding="utf-8")
        except OSError:
            continue
        if ours and program in command and "guard.py" not in command:
            found[pid] = parents.get(parent, 0)
    return found
