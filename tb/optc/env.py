"""UVM environment of the OPTC: agents, trace monitors, scoreboard and the test base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pyuvm import ConfigDB

from models.optc.config import Mode, has_mode
from tb.lib.agents import StreamConfig, TraceConfig
from tb.lib.collector import CoverageCollector
from tb.lib.env import BlockEnv, EnvConfig
from tb.lib.scoreboard import EVENT_DTYPE, Verdict
from tb.lib.testbase import ProgramTest
from tb.optc.coverage import sample
from tb.optc.report import run_report
from tb.optc.scoreboard import STAT_DTYPE, OptcScoreboard, lane_dtype, out_dtype


def trace_dtypes(lanes: int) -> dict[str, np.dtype]:
    """Records of the traces of a bench with an OPTC in it (optc_trace.svh), by name."""
    return {
        "moment": np.dtype([("cycle", "<u4"), ("mv", "<u4", (lanes, 2))]),
        "denom": lane_dtype(lanes, "d"),
        "update": lane_dtype(lanes, "u"),
        "out": out_dtype(lanes),
        "stat": STAT_DTYPE,
        "optc_event": EVENT_DTYPE,
    }


class OptcCoverage(CoverageCollector):
    """Functional coverage of a run (coverage.py)."""

    def sample(self, board: Any) -> None:
        sample(self.run_info, board)


class OptcTest(ProgramTest):
    """Base of the OPTC's tests: plays programs, judges."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"

    def make_env(self) -> BlockEnv:
        lanes = self.lanes = self.run_info.params["LANES"]
        self.modes = self.run_info.params["MODES"]
        self.rules = [mode for mode in Mode if has_mode(self.modes, mode)]
        self.only = self.rules[0] if len(self.rules) == 1 else None
        folder = self.run_info.run_dir
        streams = [StreamConfig(self.dut, name, folder) for name in ("cfg", "in")]
        streams += [StreamConfig(self.dut, name, folder, sinks=1) for name in ("out", "stat")]
        kinds = trace_dtypes(lanes).items()
        traces = tuple(TraceConfig(folder / f"{name}.bin", dtype, f"{name}_trace") for name, dtype in kinds)
        config = EnvConfig(lanes, tuple(streams), traces, OptcScoreboard, coverage=OptcCoverage)
        ConfigDB().set(self, "env", "CFG", config)
        return BlockEnv.create("env", self)

    def told(self) -> dict[str, Any]:
        return {"programs": self.programs, "modes": self.modes}

    def conclude(self, verdict: Verdict) -> None:
        self.report |= run_report(self.lanes, self.env.scoreboard)
