"""UVM environment of the RAN: agents, trace monitors, scoreboard and the test base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cocotb.triggers import FallingEdge
from pyuvm import ConfigDB, uvm_env, uvm_sequencer

from models.ran.config import GlobalCounter, RanParams, RowCounter, counter_address
from tb.common.agents import PlaySequence, ReadySequence, StreamAgent, StreamConfig, TraceConfig, TraceMonitor
from tb.common.scoreboard import Verdict
from tb.common.testbase import BlockTest
from tb.ran.program import PSUM_RECORD, Program
from tb.ran.scoreboard import RanScoreboard
from tb.ran.trace import trace_configs

SOURCES = ("desc", "byp", "bias", "cancel", "seed")
SINKS = ("out", "req", "stat")


@dataclass(frozen=True)
class RanEnvConfig:
    """Configuration of the environment, with those of its agents and monitors."""

    params: RanParams
    streams: tuple[StreamConfig, ...]
    traces: tuple[TraceConfig, ...]

    @classmethod
    def of(cls, dut: Any, params: RanParams, run_dir: Path) -> RanEnvConfig:
        """The environment of a bench `dut` whose files lie in `run_dir`."""
        streams = [StreamConfig(dut, name, run_dir) for name in SOURCES]
        streams += [StreamConfig(dut, name, run_dir, sinks=1) for name in SINKS]
        streams.append(StreamConfig(dut, "prod", run_dir, sources=params.rows))
        return cls(params, tuple(streams), trace_configs(params, run_dir))


class RanEnv(uvm_env):
    """One agent a stream, one monitor a trace, the scoreboard behind all of them."""

    def build_phase(self) -> None:
        self.cfg: RanEnvConfig = ConfigDB().get(self, "", "CFG")
        self.agents: dict[str, StreamAgent] = {}
        self.traces: list[TraceMonitor] = []
        for stream in self.cfg.streams:
            ConfigDB().set(self, f"{stream.name}_agent", "CFG", stream)
            self.agents[stream.name] = StreamAgent(f"{stream.name}_agent", self)
        for trace in self.cfg.traces:
            ConfigDB().set(self, f"{trace.name}_monitor", "CFG", trace)
            self.traces.append(TraceMonitor(f"{trace.name}_monitor", self))
        self.scoreboard = RanScoreboard("scoreboard", self)
        self.scoreboard.params = self.cfg.params

    def connect_phase(self) -> None:
        for monitor in (*(agent.monitor for agent in self.agents.values()), *self.traces):
            monitor.ap.connect(self.scoreboard.imp)

    @property
    def sequencers(self) -> dict[str, uvm_sequencer]:
        """The agents' sequencers by stream."""
        return {name: agent.sequencer for name, agent in self.agents.items()}

    def collect(self, cycles: int) -> None:
        """Lets every monitor publish."""
        for monitor in (*self.agents.values(), *self.traces):
            monitor.collect(cycles)


class RanTest(BlockTest):
    """Base of the RAN's tests: plays programs, reads counters, judges."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"

    def make_env(self) -> RanEnv:
        params = self.run_info.params
        self.params = RanParams(params["ROWS"], params["LANES"], params["ACC_W"], params["BANKS"])
        self.programs: list[list[Program]] = [[]]  # by epoch
        self.held = 0  # cycles of not ready handed to sinks
        self.cleared: int | None = None
        self.counters: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None
        ConfigDB().set(self, "env", "CFG", RanEnvConfig.of(self.dut, self.params, self.run_info.run_dir))
        return RanEnv("env", self)

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
        """Plays a program to its end, with a bound: its own, behind what was started before."""
        await self.start(program)
        return await self.until_quiet(sum(entry.bound() for entry in self.programs[-1]) + self.held)

    async def reset(self, cycles: int = 4) -> None:
        if self.programs[-1] or len(self.programs) > 1:
            self.programs.append([])
        await super().reset(cycles)

    async def back_pressure(self, waves: dict[str, npt.NDArray[np.integer]]) -> None:
        """Starts ready waveforms by sink: pairs of cycles ready, not ready."""
        given = {(name, 0): pairs for name, pairs in waves.items() if len(pairs)}
        self.held += sum(int(pairs[:, 1].sum()) for pairs in given.values())
        await ReadySequence("ready", given, self.env.sequencers).start()

    async def read_counter(self, address: int) -> int:
        """One counter, through the read port."""
        self.dut.ctr_addr_i.value = address
        await FallingEdge(self.dut.clk_i)
        return int(self.dut.ctr_data_o.value)

    async def before_collect(self) -> None:
        await FallingEdge(self.dut.clk_i)
        rows = np.zeros((self.params.rows, len(RowCounter)), np.int64)
        for row in range(self.params.rows):
            for counter in RowCounter:
                rows[row, counter] = await self.read_counter(counter_address(counter, row))
        whole = np.array([await self.read_counter(counter_address(counter)) for counter in GlobalCounter], np.int64)
        self.counters = (rows, whole)

    def judge(self, cycles: int) -> Verdict:
        board = self.env.scoreboard
        board.programs, board.cycles, board.counters, board.drained = self.programs, cycles, self.counters, self.drained
        board.cleared = self.cleared
        self.env.collect(cycles)
        return board.judge()
