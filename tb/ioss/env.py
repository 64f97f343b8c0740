"""UVM environment of the IOSS core: agents, trace monitors, scoreboard, virtual sequences and the test base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cocotb.triggers import FallingEdge
from pyuvm import ConfigDB

from models.ioss.config import CoreParams, GlobalCounter, RowCounter
from models.ioss.oracle import count_pairs, kept_product
from tb.ioss.coverage import sample
from tb.ioss.program import Program
from tb.ioss.scoreboard import Gemm, IossScoreboard
from tb.ioss.trace import EVENT_DTYPE, issue_dtype, prod_dtype
from tb.lib.agents import PlaySequence, StreamConfig, TraceConfig
from tb.lib.collector import CoverageCollector
from tb.lib.env import BlockEnv, EnvConfig
from tb.lib.testbase import BlockTest

SOURCES = ("desc", "tile", "vec")


def trace_configs(params: CoreParams, run_dir: Path) -> tuple[TraceConfig, ...]:
    """The traces of a bench with an IOSS core in it whose files lie in `run_dir`."""
    return (
        TraceConfig(run_dir / "issue.bin", issue_dtype(params), "issue"),
        TraceConfig(run_dir / "prod.bin", prod_dtype(params), "product"),
        TraceConfig(run_dir / "event.bin", EVENT_DTYPE, "event"),
    )


def env_config(dut: Any, params: CoreParams, run_dir: Path) -> EnvConfig:
    """The environment of a bench `dut` whose files lie in `run_dir`."""
    sinks = {"prod": params.rows, "byp": 1}
    streams = tuple(StreamConfig(dut, name, run_dir, sinks.get(name, 0)) for name in (*SOURCES, *sinks))
    return EnvConfig(params, streams, trace_configs(params, run_dir), IossScoreboard, coverage=IossCoverage)


class IossCoverage(CoverageCollector):
    """Functional coverage of a run (coverage.py)."""

    def sample(self, board: Any) -> None:
        sample(self.run_info, board.params, board)


class IossTest(BlockTest):
    """Base of the IOSS tests: plays programs and products, reads counters, judges."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"
    READ_COUNTERS = True
    OBSERVABLE = True  # what entered the core is known from the transactors, so the model can be asked

    def make_env(self) -> BlockEnv:
        params = self.run_info.params
        self.params = CoreParams(params["ROWS"], params["LANES"], params["DEPTH"])
        self.programs: list[Program] = []
        self.epoch_programs: list[Program] = []  # since the last reset
        self.gemms: list[Gemm] = []  # likewise
        self.counters: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None
        ConfigDB().set(self, "env", "CFG", env_config(self.dut, self.params, self.run_info.run_dir))
        return BlockEnv.create("env", self)

    def idle_inputs(self) -> None:
        for name in (
            "ctr_addr_i", "ctr_clear_i", "direct_i", "dtile_valid_i", "dtile_data_i", "dtile_last_i", "dvec_valid_i",
            "dvec_data_i", "dvec_last_i", "dvec_tag_i", "dvec_mask_i",
        ):  # fmt: skip
            getattr(self.dut, name).value = 0

    # ---- stimulus ----------------------------------------------------------------------------------------------------
    def program(self) -> Program:
        """A new, empty program for this core; its jobs are numbered on."""
        return Program(self.params, first_job=sum(program.jobs for program in self.epoch_programs))

    def gemm(
        self,
        program: Program,
        x: npt.NDArray[np.integer],
        w: npt.NDArray[np.integer],
        n_x: int,
        n_w: int,
        name: str = "",
        **options: Any,
    ) -> None:
        """Adds `x` @ `w` to a program (options: `Program.gemm`) and notes what must come out.

        Programs must be started in the order in which they were made.
        """
        lanes = self.params.lanes
        order, mask = options.get("min_order", 0), options.get("mask")
        program.gemm(x, w, n_x, n_w, index=len(self.gemms), **options)
        expected = kept_product(x, w, n_x, n_w, lanes, order, options.get("compensate", False), mask)
        pairs = count_pairs(x, w, n_x, n_w, lanes, order, mask)
        shape = (*x.shape, w.shape[1])
        self.gemms.append(
            Gemm(name or f"gemm{len(self.gemms)}", shape, expected, pairs, {"n_x": n_x, "n_w": n_w, **options})
        )

    async def start(self, program: Program) -> None:
        """Hands a program to the sources without waiting for its end."""
        self.programs.append(program)
        self.epoch_programs.append(program)
        bursts = {name: [burst] for name, burst in program.bursts().items()}
        await PlaySequence("program", bursts, self.env.sequencers).start()

    async def play(self, program: Program) -> bool:
        """Plays a program to its end. The bound: its own, after what was started before, one consumer waiting after
        the other."""
        await self.start(program)
        return await self.until_quiet(sum(entry.bound() for entry in self.epoch_programs) + self.held)

    async def reset(self, cycles: int = 4) -> None:
        self.epoch_programs, self.gemms = [], []
        await super().reset(cycles)

    async def before_collect(self) -> None:
        if self.READ_COUNTERS:
            await FallingEdge(self.dut.clk_i)
            self.counters = await self.read_counters(self.params.rows, RowCounter, GlobalCounter)

    def told(self) -> dict[str, Any]:
        played = {"programs": self.programs, "epoch_programs": self.epoch_programs, "gemms": self.gemms}
        return {**played, "counters": self.counters}

    @property
    def results(self) -> list[npt.NDArray[np.int64]]:
        """The products' results as they left the core, after the scoreboard has judged."""
        return self.env.scoreboard.found
