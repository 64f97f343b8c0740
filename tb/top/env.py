"""UVM environment of the processor: agents, monitors of taps and traces, scoreboard and the test base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cocotb.triggers import FallingEdge
from pyuvm import ConfigDB

from models.common.counters import counter_address
from models.ioss.config import GlobalCounter as CoreGlobal
from models.ioss.config import RowCounter as CoreRow
from models.ran.config import GlobalCounter as RanGlobal
from models.ran.config import RowCounter as RanRow
from models.top.config import Action, Answer, Reg, Store, TopParams
from models.top.config import Issue as IssueAction
from tb.gemm.env import RAN_COUNTERS
from tb.lib.agents import PlaySequence, StreamConfig
from tb.lib.collector import CoverageCollector
from tb.lib.env import BlockEnv, EnvConfig
from tb.lib.scoreboard import Verdict
from tb.lib.testbase import BlockTest
from tb.top.coverage import sample
from tb.top.program import READ, Program
from tb.top.scoreboard import TopScoreboard
from tb.top.trace import AXIL_DTYPE, M_DTYPE, folders, tap_configs, trace_configs

PARAMS = {"CORES": "cores", "ROWS": "rows", "DEPTH": "depth", "ACC_W": "acc_w", "BANKS": "banks", "LAYERS": "layers"}
_KINDS = ((CoreRow, CoreGlobal, 0), (RanRow, RanGlobal, RAN_COUNTERS))


def counters_program(params: TopParams, staged: list[int | None]) -> Program:
    """Reads of every counter of every pair, in the order of `counters_read`."""
    program = Program(staged=staged)
    for core in range(params.cores):
        for of_row, of_all, base in _KINDS:
            numbers = [counter_address(one, row) for row in range(params.rows) for one in of_row]
            numbers += [counter_address(one) for one in of_all]
            for each in numbers:
                program.access(READ, Reg.COUNTERS + 0x1000 * core + 4 * (base | each))
    return program


def counters_read(params: TopParams, read: Sequence[int]) -> list[Any] | None:
    """Of every pair: those of the IOSS core, of the RAN (rows, whole). None if the processor did not answer all."""
    per_core = sum(params.rows * len(of_row) + len(of_all) for of_row, of_all, _ in _KINDS)
    if len(read) < params.cores * per_core:
        return None
    answer = iter(read)
    return [
        tuple(
            (
                np.array([[next(answer) for _ in of_row] for _ in range(params.rows)], np.int64),
                np.array([next(answer) for _ in of_all], np.int64),
            )
            for of_row, of_all, _ in _KINDS
        )
        for _ in range(params.cores)
    ]


class TopCoverage(CoverageCollector):
    """Functional coverage of a run (coverage.py)."""

    def sample(self, board: Any) -> None:
        sample(self.run_info, board)


class TopTest(BlockTest):
    """Base of the processor's tests: plays a host's actions, hands back what the processor answered, judges."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"
    BOUND = 3_000_000  # cycles of a batch at most
    STREAMED = False  # commands come from the stream in

    def make_env(self) -> BlockEnv:
        given = self.run_info.params
        self.params = TopParams(**{field: given[name] for name, field in PARAMS.items()})
        folder = self.run_info.run_dir
        for name in folders(self.params):
            (folder / name).mkdir(exist_ok=True)
        self.batches: list[list[Action]] = [[]]
        self.marks: tuple[int, ...] = ()  # of the scoreboard
        self.programs: list[list[Program]] = [[]]
        self.staged: list[int | None] = Program().staged
        self.running = False  # what was started may not be over
        self.counters: list[Any] | None = None
        self.taken = {"axil": 0, "m": 0}  # records of these traces that were handed on
        streams = (
            StreamConfig(self.dut, "host", folder),
            StreamConfig(self.dut, "s", folder),
            StreamConfig(self.dut, "m", folder, sinks=1),
        )
        traces, taps = trace_configs(self.params, folder), tap_configs(self.params, folder)
        config = EnvConfig(self.params, streams, traces, TopScoreboard, taps, TopCoverage)
        ConfigDB().set(self, "env", "CFG", config)
        return BlockEnv.create("env", self)

    async def start(self, actions: Sequence[Action], gap: int = 0, streamed: bool | None = None) -> Program:
        """Hands actions to the transactors without waiting for their end. `streamed`: commands come from the stream in;
        None: as usual in this test."""
        streamed = self.STREAMED if streamed is None else streamed
        program = Program(staged=self.staged, streamed=streamed, running=self.running)
        self.running = True
        program.add(actions, gap)
        self.batches[-1] += actions
        self.programs[-1].append(program)
        await PlaySequence("program", program.bursts(), self.env.sequencers).start()
        return program

    async def play(self, actions: Sequence[Action], gap: int = 0, streamed: bool | None = None) -> Answer:
        """Plays actions to their end, with a bound; words of every store and data of every read."""
        program = await self.start(actions, gap, streamed)
        await self.until_quiet(self.BOUND)
        self.running = False
        return await self._answer(actions, program)

    async def _answer(self, actions: Sequence[Action], program: Program) -> Answer:
        self.dut.flush_i.value = 1
        await FallingEdge(self.dut.clk_i)
        self.dut.flush_i.value = 0
        new = {}
        for name, dtype in (("axil", AXIL_DTYPE), ("m", M_DTYPE)):
            records = np.fromfile(
                self.run_info.run_dir / f"{name}.bin", dtype, offset=self.taken[name] * dtype.itemsize
            )
            self.taken[name] += len(records)
            new[name] = records
        answer = Answer(read=new["axil"]["data"][new["axil"]["op"] >> 16 == READ].tolist())
        ends = np.flatnonzero(new["m"]["last"])
        words = np.split(new["m"]["data"], ends + 1)
        stores = [each for each in actions if isinstance(each, IssueAction) and isinstance(each.command, Store)]
        answer.stored = words[: len(stores)]
        return answer

    async def before_collect(self) -> None:
        self.counters = await self.read_counters_now()

    async def read_counters_now(self) -> list[Any] | None:
        """Counters of every pair, through the host's port: of the IOSS core, of the RAN (rows, whole)."""
        program = counters_program(self.params, self.staged)
        self.programs[-1].append(program)
        await PlaySequence("counters", program.bursts(), self.env.sequencers).start()
        await self.until_quiet(self.BOUND)
        return counters_read(self.params, (await self._answer([], program)).read)

    async def reset(self, cycles: int = 4) -> None:
        if self.batches[-1] or len(self.batches) > 1:
            self.batches.append([])
            self.programs.append([])
        self.staged, self.running = Program().staged, False
        await super().reset(cycles)

    def told(self) -> dict[str, Any]:
        played = {"batches": self.batches, "programs": self.programs, "marks": self.marks}
        return {**played, "counters": self.counters}

    def conclude(self, verdict: Verdict) -> None:
        self.report |= {"cycles": self.cycles, "commands": len(self.env.scoreboard.seen["top_cmd"])}
