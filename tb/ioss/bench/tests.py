"""The two simulations under cocotb that the benchmark measures: this project's environment, and a conventional one.

Configuration of both: the fields of `Workload`. The conventional one is written as such environments usually are:
coroutines that await every clock edge, signals read and driven through cocotb-bus, one object per transfer, a
scoreboard that compares object by object with queues of what is expected. Config `corrupt` (number of a product of row
0, -1: none) falsifies one expectation.
"""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import pyuvm
from cocotb.clock import Clock
from cocotb.queue import Queue
from cocotb.triggers import Event, FallingEdge, RisingEdge, Timer
from cocotb_bus.bus import Bus
from pyuvm import uvm_factory

from models.ioss.config import CoreParams
from models.ioss.cycle import predict
from tb.ioss.bench.workload import Workload, stimulus
from tb.ioss.env import IossCoverage, IossTest
from tb.ioss.trace import events
from tb.lib.collector import CoverageCollector
from tb.lib.runinfo import CLOCK_NS, RunInfo
from tb.lib.scoreboard import Verdict
from tb.lib.testbase import RESET_CYCLES


@pyuvm.test()
class environment(IossTest):
    """The environment as every test uses it. The stimulus is made before the clock runs."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"

    def build_phase(self) -> None:
        # The verdict does not need functional coverage.
        uvm_factory().set_type_override_by_type(IossCoverage, CoverageCollector)
        super().build_phase()
        self.work = Workload.of(self.run_info.config).program(self.params)

    async def body(self) -> None:
        await self.play(self.work)

    def conclude(self, verdict: Verdict) -> None:
        board = self.env.scoreboard
        first = [int(board.seen[name].offer[0]) for name in ("desc", "tile", "vec")]
        assert min(first) == max(first), "the streams do not begin together"
        quiet, level = events(board.seen["event"]).busy[-1]
        assert not level, "the core is still busy"
        self.report = {"cycles": quiet - first[0], "issues": int((board.epochs[-1].issue["null"] == 0).sum())}


@dataclass(frozen=True)
class Beat:
    """An item of the tile or the vector stream."""

    data: int
    last: int
    tag: int = 0
    mask: int = 0


@dataclass(frozen=True)
class Product:
    """A transfer on a row's product stream."""

    row: int
    order: int
    tag: int
    data: int


class Driver:
    """Takes items from its queue and plays them on a valid/ready stream."""

    def __init__(self, dut: Any, name: str, fields: list[str]) -> None:
        self.clock = dut.clk_i
        self.fields = fields
        self.bus = Bus(dut, name, {field: f"{field}_i" for field in ("valid", *fields)} | {"ready": "ready_o"})
        self.queue: Queue[Beat] = Queue()
        self.bus.valid.value = 0

    async def run(self) -> None:
        """Plays forever."""
        edge = RisingEdge(self.clock)
        while True:
            if self.queue.empty():
                self.bus.valid.value = 0
            item = await self.queue.get()
            for field in self.fields:
                getattr(self.bus, field).value = getattr(item, field)
            self.bus.valid.value = 1
            await edge
            while not self.bus.ready.value:
                await edge


class Monitor:
    """Watches the product streams of all rows in every cycle and hands each transfer to a callback."""

    def __init__(self, dut: Any, params: CoreParams, callback: Any) -> None:
        self.clock = dut.clk_i
        self.params = params
        self.callback = callback
        self.bus = Bus(dut, "prod", {field: f"{field}_o" for field in ("valid", "ready", "data", "order", "tag")})
        self.cycles = 0

    async def run(self) -> None:
        """Watches forever."""
        edge, bus = RisingEdge(self.clock), self.bus
        width = 10 * self.params.lanes
        while True:
            await edge
            self.cycles += 1
            transfer = bus.valid.value.to_unsigned() & bus.ready.value.to_unsigned()
            data, order, tag = (signal.value.to_unsigned() for signal in (bus.data, bus.order, bus.tag))
            for row in range(self.params.rows):
                if transfer >> row & 1:
                    lanes = data >> width * row & (1 << width) - 1
                    self.callback(Product(row, order >> 3 * row & 7, tag >> 16 * row & 0xFFFF, lanes))


class Scoreboard:
    """Compares the products of each row, in order, with those expected."""

    def __init__(self, expected: list[deque[Product]]) -> None:
        self.expected = expected
        self.left = sum(map(len, expected))
        self.compared = 0
        self.mismatches: list[str] = []
        self.done = Event()

    def write(self, got: Product) -> None:
        """One transfer."""
        queue = self.expected[got.row]
        want = queue.popleft() if queue else None
        self.compared += 1
        if got != want:
            self.mismatches.append(f"observed {got}, expected {want}")
        self.left -= 1
        if self.left <= 0:
            self.done.set()


def expected_products(params: CoreParams, workload: Workload) -> list[deque[Product]]:
    """Every row's products in order, from the model."""
    prediction = predict(params, stimulus(workload.program(params)))
    rows: list[deque[Product]] = [deque() for _ in range(params.rows)]
    shifts = 10 * np.arange(params.lanes)
    for entry, lanes in zip(prediction.prod, prediction.prod_data, strict=True):
        data = sum((int(lane) & 0x3FF) << int(shift) for lane, shift in zip(lanes, shifts, strict=True))
        rows[entry["row"]].append(Product(int(entry["row"]), int(entry["order"]), int(entry["tag"]), data))
    return rows


@cocotb.test()
async def conventional(dut: Any) -> None:
    """Every cycle in Python; only the descriptors, a handful, go through their transactor."""
    run_info = RunInfo.from_environment()
    params = CoreParams(*(run_info.params[name] for name in ("ROWS", "LANES", "DEPTH")))
    workload = Workload.of(run_info.config)
    program = workload.program(params)
    expected = expected_products(params, workload)
    corrupt = run_info.config.get("corrupt", -1)
    if corrupt >= 0:
        victim = expected[0][corrupt]
        expected[0][corrupt] = Product(victim.row, victim.order, victim.tag, victim.data ^ 1)
    board = Scoreboard(expected)
    for stream in ("desc", "tile", "vec", "prod", "byp"):
        getattr(dut, f"{stream}_credit_i").value = 0
    for signal in (dut.trace_i, dut.flush_i, dut.ctr_addr_i, dut.ctr_clear_i):
        signal.value = 0
    dut.direct_i.value = 1
    dut.clk_i.value = 0
    dut.rst_ni.value = 0
    tile = Driver(dut, "dtile", ["data", "last"])
    vec = Driver(dut, "dvec", ["data", "last", "tag", "mask"])
    monitor = Monitor(dut, params, board.write)
    descs = program.bursts()["desc"]
    (run_info.run_dir / "desc.in.bin").write_bytes(descs.records)
    await Timer(CLOCK_NS, unit="ns")

    start = time.perf_counter()
    Clock(dut.clk_i, CLOCK_NS, unit="ns").start()
    for _ in range(RESET_CYCLES):
        await FallingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    await FallingEdge(dut.clk_i)
    dut.desc_credit_i.value = descs.count
    # The source offers its first descriptor after the next rising edge; so do the drivers.
    await RisingEdge(dut.clk_i)
    for data, last in zip(program.tile_data, program.tile_last, strict=True):
        tile.queue.put_nowait(Beat(int.from_bytes(data.tobytes(), "little"), int(last)))
    for data, last, tag, mask in zip(
        program.vec_data, program.vec_last, program.vec_tag, program.vec_mask, strict=True
    ):
        vec.queue.put_nowait(Beat(int.from_bytes(data.tobytes(), "little"), int(last), int(tag), int(mask)))
    for agent in (tile, vec, monitor):
        cocotb.start_soon(agent.run())
    await board.done.wait()
    seconds = time.perf_counter() - start
    error = board.mismatches[0] if board.mismatches else ""
    result = {
        "status": "fail" if error else "pass",
        "error": error,
        "report": {
            "cycles": monitor.cycles,
            "compared": board.compared,
            "mismatches": len(board.mismatches),
            "seconds": seconds,
        },
    }
    (run_info.run_dir / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    assert not error, error
