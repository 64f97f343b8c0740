"""The two simulations under cocotb that the pair's benchmark measures (tb/ioss/bench/tests.py describes both kinds).

Configuration: the fields of `Workload`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import pyuvm
from cocotb.clock import Clock
from cocotb.triggers import Event, FallingEdge, RisingEdge, Timer
from cocotb_bus.bus import Bus

from models.ran.value import unpack_results
from tb.gemm.bench.workload import RAN_FIELDS, gemm_program, products
from tb.gemm.env import GemmTest
from tb.gemm.program import gemm_params
from tb.gemm.report import EV_BUSY
from tb.ioss.bench.workload import DESC_FIELDS, Workload, desc_fields
from tb.lib.runinfo import CLOCK_NS, RunInfo
from tb.lib.scoreboard import Verdict
from tb.lib.testbase import RESET_CYCLES


@pyuvm.test()
class environment(GemmTest):
    """The environment as every test uses it. The stimulus is made before the clock runs."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"

    def build_phase(self) -> None:
        super().build_phase()
        self.products = products(Workload.of(self.run_info.config))
        self.work = gemm_program(self.params, self.products)

    async def reset(self, cycles: int = RESET_CYCLES) -> None:
        work = self.products
        await super().reset(cycles)
        self.products = work

    async def body(self) -> None:
        await self.play(self.work)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        board = self.env.scoreboard
        first = [int(board.seen[name].offer[0]) for name in ("desc", "tile", "vec")]
        assert min(first) == max(first), "the streams do not begin together"
        event = board.seen["gemm_event"]
        last = event[event["data"] >> 24 == EV_BUSY][-1]
        assert not last["data"] & 1, "the pair is still busy"
        issues = int((board.core.epochs[-1].issue["null"] == 0).sum())
        self.report = {"cycles": int(last["cycle"]) - first[0], "issues": issues}


async def drive(dut: Any, name: str, fields: tuple[str, ...], items: list[tuple[int, ...]]) -> None:
    """Plays items on a valid/ready stream, one await an edge."""
    bus = Bus(dut, name, {field: f"{field}_i" for field in ("valid", *fields)} | {"ready": "ready_o"})
    edge = RisingEdge(dut.clk_i)
    for item in items:
        for field, value in zip(fields, item, strict=True):
            getattr(bus, field).value = value
        bus.valid.value = 1
        await edge
        while not bus.ready.value:
            await edge
    bus.valid.value = 0


@cocotb.test()
async def conventional(dut: Any) -> None:
    """Every cycle in Python: three drivers, a monitor of the output, a scoreboard of jobs by tag."""
    run_info = RunInfo.from_environment()
    params = gemm_params(dict(run_info.params))
    lanes = params.core.lanes
    work = products(Workload.of(run_info.config))
    program = gemm_program(params, work)
    expected = {
        job: np.pad(work[place.gemm].expected(lanes)[0], ((0, 0), (0, lanes)))[place.m, place.n0 : place.n0 + lanes]
        for job, place in enumerate(program.placements)
    }
    descs = {}
    for desc in program.ran:
        descs |= dict.fromkeys(range(len(descs), len(descs) + desc.n_jobs), desc)
    for name in ("bias_valid", "psum_valid", "desc_draw", "ctr_addr", "ctr_clear", "desc_start", "desc_valid",
                 "tile_valid", "vec_valid"):  # fmt: skip
        getattr(dut, f"{name}_i").value = 0
    for name in ("out_ready", "stat_ready", "psum_req_ready"):
        getattr(dut, f"{name}_i").value = 1
    dut.clk_i.value = 0
    dut.rst_ni.value = 0
    core = program.core
    items = {
        "desc": [
            (*desc_fields(d), *(int(getattr(r, n)) for n in RAN_FIELDS))
            for d, r in zip(core.descs, program.ran, strict=True)
        ],
        "tile": [
            (int.from_bytes(data.tobytes(), "little"), int(last))
            for data, last in zip(core.tile_data, core.tile_last, strict=True)
        ],
        "vec": [
            (int.from_bytes(data.tobytes(), "little"), int(last), int(mask))
            for data, last, mask in zip(core.vec_data, core.vec_last, core.vec_mask, strict=True)
        ],
    }
    fields = {"desc": (*DESC_FIELDS, *RAN_FIELDS), "tile": ("data", "last"), "vec": ("data", "last", "mask")}
    done, wrong, cycles, compared = Event(), [], 0, 0

    async def monitor() -> None:
        nonlocal cycles, compared
        bus = Bus(dut, "out", {name: f"{name}_o" for name in ("valid", "data", "last", "bits", "jobs", "tag")})
        edge, left = RisingEdge(dut.clk_i), len(expected)
        while left:
            await edge
            cycles += 1
            if not bus.valid.value:
                continue
            data = np.frombuffer(bus.data.value.to_unsigned().to_bytes(16, "little"), np.uint8)
            tag = bus.tag.value.to_unsigned() & 0xFFFF  # results of 8 bits: a job a beat at 16 lanes
            y = unpack_results(data[None], bus.bits.value.to_unsigned(), descs[tag].y_unsigned, lanes)[0]
            compared += 1
            left -= 1
            if not np.array_equal(y, expected[tag]):
                wrong.append(f"tag {tag}: observed {y}, expected {expected[tag]}")
        done.set()

    await Timer(CLOCK_NS, unit="ns")
    start = time.perf_counter()
    Clock(dut.clk_i, CLOCK_NS, unit="ns").start()
    for _ in range(RESET_CYCLES):
        await FallingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    await FallingEdge(dut.clk_i)
    cocotb.start_soon(monitor())
    for name, stream in items.items():
        cocotb.start_soon(drive(dut, name, fields[name], stream))
    await done.wait()
    seconds = time.perf_counter() - start
    error = wrong[0] if wrong else ""
    report = {"cycles": cycles, "compared": compared, "mismatches": len(wrong), "seconds": seconds}
    result = {"status": "fail" if error else "pass", "error": error, "report": report}
    (run_info.run_dir / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    assert not error, error
