"""UVM environment of LAPS: agents, trace monitors, scoreboard and the test base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cocotb.triggers import FallingEdge
from pyuvm import ConfigDB

from models.laps.config import LapsParams, addresses
from tb.laps.coverage import sample
from tb.laps.program import Program
from tb.laps.scoreboard import LapsScoreboard
from tb.laps.trace import DTYPES
from tb.lib.agents import StreamConfig, TraceConfig
from tb.lib.collector import CoverageCollector
from tb.lib.env import BlockEnv, EnvConfig
from tb.lib.scoreboard import Verdict
from tb.lib.testbase import ProgramTest


class LapsCoverage(CoverageCollector):
    """Functional coverage of a run (coverage.py)."""

    def sample(self, board: Any) -> None:
        sample(self.run_info, board.params, board)


class LapsTest(ProgramTest):
    """Base of LAPS' tests: plays programs, reads every register at the end, judges."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"

    def make_env(self) -> BlockEnv:
        self.params = LapsParams(self.run_info.params["LAYERS"])
        folder = self.run_info.run_dir
        streams = tuple(StreamConfig(self.dut, name, folder) for name in ("reg", "upd", "ord", "step"))
        traces = tuple(TraceConfig(folder / f"{name}.bin", dtype, f"{name}_trace") for name, dtype in DTYPES.items())
        config = EnvConfig(self.params, streams, traces, LapsScoreboard, coverage=LapsCoverage)
        ConfigDB().set(self, "env", "CFG", config)
        return BlockEnv.create("env", self)

    async def answers(self, name: str, since: int) -> npt.NDArray[Any]:
        """Records of a trace from number `since` on, while the simulation goes on."""
        self.dut.flush_i.value = 1
        await FallingEdge(self.dut.clk_i)
        self.dut.flush_i.value = 0
        dtype = np.dtype(DTYPES[name])
        return np.fromfile(self.run_info.run_dir / f"{name}.bin", dtype, offset=since * dtype.itemsize)

    async def before_collect(self) -> None:
        """Every register there is is read at the end of every test: table and counters are compared as answers."""
        program = Program()
        for addr in addresses(self.params.layers):
            program.read(addr)
        await self.play(program)

    def told(self) -> dict[str, Any]:
        return {"programs": self.programs}

    def conclude(self, verdict: Verdict) -> None:
        self.report |= self.env.scoreboard.figures()
