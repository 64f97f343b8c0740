"""UVM environment of the pair: configuration of the agents and monitors, and the test base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cocotb.triggers import FallingEdge
from pyuvm import ConfigDB

from models.ioss.config import GlobalCounter as CoreGlobal
from models.ioss.config import RowCounter as CoreRow
from models.ran.config import GlobalCounter, RowCounter
from tb.gemm.coverage import sample
from tb.gemm.program import GemmParams, GemmProgram, Product, gemm_params
from tb.gemm.scoreboard import GemmScoreboard
from tb.ioss.env import trace_configs as core_traces
from tb.lib.agents import PlaySequence, StreamConfig, TraceConfig
from tb.lib.collector import CoverageCollector
from tb.lib.env import BlockEnv, EnvConfig
from tb.lib.scoreboard import EVENT_DTYPE
from tb.lib.testbase import BlockTest
from tb.ran.env import SINKS
from tb.ran.trace import trace_configs as ran_traces

SOURCES = ("desc", "tile", "vec", "bias")
RAN_COUNTERS = 0x200


def env_config(dut: Any, params: GemmParams, run_dir: Path) -> EnvConfig:
    """The environment of a bench `dut` whose files lie in `run_dir`."""
    streams = [StreamConfig(dut, name, run_dir) for name in SOURCES]
    streams += [StreamConfig(dut, name, run_dir, sinks=1) for name in SINKS]
    joint = TraceConfig(run_dir / "gemm_event.bin", EVENT_DTYPE, "gemm_event")
    traces = (*core_traces(params.core, run_dir), *ran_traces(params.ran, run_dir), joint)
    return EnvConfig(params, tuple(streams), traces, GemmScoreboard, coverage=GemmCoverage)


class GemmCoverage(CoverageCollector):
    """Functional coverage of a run (coverage.py)."""

    def sample(self, board: Any) -> None:
        sample(self.run_info, board.params, board)


class GemmTest(BlockTest):
    """Base of the pair's tests: plays products and programs, reads counters, judges."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"

    def make_env(self) -> BlockEnv:
        self.params = gemm_params(self.run_info.params)
        self.programs: list[list[GemmProgram]] = [[]]  # by epoch
        self.products: list[Product] = []  # since the last reset
        self.counters: tuple[Any, Any] | None = None
        ConfigDB().set(self, "env", "CFG", env_config(self.dut, self.params, self.run_info.run_dir))
        return BlockEnv.create("env", self)

    def idle_inputs(self) -> None:
        for name in ("ctr_addr_i", "ctr_clear_i", "psum_distance_i"):
            getattr(self.dut, name).value = 0

    # ---- stimulus ----------------------------------------------------------------------------------------------------
    @property
    def next_job(self) -> int:
        """Number of the next job."""
        before = self.programs[-1]
        return before[-1].first_job + before[-1].core.jobs if before else 0

    def program(self) -> GemmProgram:
        """A new, empty program; its jobs are numbered on."""
        return GemmProgram(self.params, self.next_job)

    def add(self, program: GemmProgram, product: Product) -> None:
        """Adds a product with one chunk of K to a program, and notes what must come out."""
        assert product.shape[1] <= product.reduce_factor * self.params.core.depth
        program.add(product, len(self.products))
        self.products.append(product)

    async def start(self, program: GemmProgram) -> None:
        """Hands a program to the sources without waiting for its end. Programs start in the order they were made."""
        self.programs[-1].append(program)
        self.dut.psum_distance_i.value = program.distance
        await PlaySequence("program", program.bursts(), self.env.sequencers).start()

    async def play(self, program: GemmProgram) -> bool:
        """Plays a program to its end, with a bound: its own, after what was started before."""
        await self.start(program)
        return await self.until_quiet(sum(entry.bound() for entry in self.programs[-1]) + self.held)

    async def gemm(self, product: Product, seed: int | None = None) -> None:
        """Plays a product alone, chunk of K by chunk. `seed`: number of its first draws."""
        if seed is not None:
            product = replace(product, final=replace(product.final, draw=seed))
        stages = product.plan(self.params, self.next_job, len(self.products))
        self.products.append(product)
        for stage in stages:
            await self.play(stage)

    async def reset(self, cycles: int = 4) -> None:
        if self.programs[-1] or len(self.programs) > 1:
            self.programs.append([])
        self.products = []
        await super().reset(cycles)

    async def before_collect(self) -> None:
        await FallingEdge(self.dut.clk_i)
        rows = self.params.core.rows
        core = await self.read_counters(rows, CoreRow, CoreGlobal)
        ran = await self.read_counters(rows, RowCounter, GlobalCounter, RAN_COUNTERS)
        self.counters = (core, ran)

    def told(self) -> dict[str, Any]:
        return {"programs": self.programs, "products": self.products, "counters": self.counters}
