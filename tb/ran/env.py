"""UVM environment of the RAN: agents, trace monitors, scoreboard and the test base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cocotb.triggers import FallingEdge
from pyuvm import ConfigDB

from models.ran.config import GlobalCounter, RanParams, RowCounter
from tb.lib.agents import PlaySequence, StreamConfig
from tb.lib.collector import CoverageCollector
from tb.lib.env import BlockEnv, EnvConfig
from tb.lib.testbase import BlockTest
from tb.ran.coverage import sample
from tb.ran.program import PSUM_RECORD, Program
from tb.ran.scoreboard import RanScoreboard
from tb.ran.trace import trace_configs

SOURCES = ("desc", "byp", "bias", "cancel")
SINKS = ("out", "req", "stat")


def env_config(dut: Any, params: RanParams, run_dir: Path) -> EnvConfig:
    """The environment of a bench `dut` whose files lie in `run_dir`."""
    streams = [StreamConfig(dut, name, run_dir) for name in SOURCES]
    streams += [StreamConfig(dut, name, run_dir, sinks=1) for name in SINKS]
    streams.append(StreamConfig(dut, "prod", run_dir, sources=params.rows))
    return EnvConfig(params, tuple(streams), trace_configs(params, run_dir), RanScoreboard, coverage=RanCoverage)


class RanCoverage(CoverageCollector):
    """Functional coverage of a run (coverage.py)."""

    def sample(self, board: Any) -> None:
        sample(self.run_info, board.params, board)


class RanTest(BlockTest):
    """Base of the RAN's tests: plays programs, reads counters, judges."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"

    def make_env(self) -> BlockEnv:
        params = self.run_info.params
        self.params = RanParams(params["ROWS"], params["LANES"], params["ACC_W"], params["BANKS"])
        self.programs: list[list[Program]] = [[]]  # by epoch
        self.cleared: int | None = None
        self.counters: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None
        ConfigDB().set(self, "env", "CFG", env_config(self.dut, self.params, self.run_info.run_dir))
        return BlockEnv.create("env", self)

    def idle_inputs(self) -> None:
        for name in ("ctr_addr_i", "ctr_clear_i", "psum_distance_i"):
            getattr(self.dut, name).value = 0

    # ---- stimulus ----------------------------------------------------------------------------------------------------
    def program(self) -> Program:
        """A new, empty program; its jobs are numbered on, and groups go on with the bank that is next."""
        before = self.programs[-1]
        if not before:
            return Program(self.params)
        last = before[-1]
        return Program(self.params, last.next, last.reduce_factor, dict(last.banks))

    async def start(self, program: Program) -> None:
        """Hands a program to the sources without waiting for its end. Programs start in the order they were made."""
        self.programs[-1].append(program)
        if program.psums:
            path = self.run_info.run_dir / "psum.in.bin"
            with path.open("r+b" if path.exists() else "w+b") as file:
                for tag, record in program.psums.items():
                    file.seek(tag * PSUM_RECORD)
                    file.write(record)
        await PlaySequence("program", program.bursts(), self.env.sequencers).start()

    async def play(self, program: Program) -> bool:
        """Plays a program to its end, with a bound: its own, after what was started before."""
        await self.start(program)
        return await self.until_quiet(sum(entry.bound() for entry in self.programs[-1]) + self.held)

    async def reset(self, cycles: int = 4) -> None:
        if self.programs[-1] or len(self.programs) > 1:
            self.programs.append([])
        await super().reset(cycles)

    async def before_collect(self) -> None:
        await FallingEdge(self.dut.clk_i)
        self.counters = await self.read_counters(self.params.rows, RowCounter, GlobalCounter)

    def told(self) -> dict[str, Any]:
        return {"programs": self.programs, "counters": self.counters, "cleared": self.cleared}
