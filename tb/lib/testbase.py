"""Base class of every block's UVM tests: clock, reset, end of work, collection, verdict, result.json.

A block's test base gives the environment (`make_env`) and what its scoreboard is told of a run (`told`); a test gives
its stimulus (`body`) and, where it knows more than the scoreboard, a `conclude`; what it must at least compare stands
in the testplan. Sequence: docs/environment.md, A test's life.
"""

from __future__ import annotations

import contextlib
import json
import logging
import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, SimTimeoutError, Timer, with_timeout
from pyuvm import ConfigDB, uvm_analysis_port, uvm_test

from models.common.counters import GlobalIndex, RowIndex, counter_address
from models.common.files import save_array
from tb.lib.agents import BurstItem, PlaySequence, ReadySequence
from tb.lib.env import BlockEnv
from tb.lib.runinfo import CLOCK_NS, OUT_NAME, OUT_OF_BOUND, RunInfo
from tb.lib.scoreboard import CounterTables, Verdict
from tb.lib.testplan import load_testplan, minimum_checks

RESET_CYCLES = 4


class BlockTest(uvm_test):
    """One test of a block. `TESTPLAN` is the block's plan, which says what the test must at least compare."""

    TESTPLAN: ClassVar[Path]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Nobody would call it, and what it checks would pass unseen.
        if "judge" in vars(cls):
            raise TypeError(f"{cls.__name__}: a test concludes (`conclude`), its scoreboard judges")

    def build_phase(self) -> None:
        self.run_info = RunInfo.from_environment()
        reduced = bool(self.run_info.config.get("reduced"))
        self.minimum = minimum_checks(load_testplan(self.TESTPLAN), self.run_info.test, reduced)
        self.dut = cocotb.top
        self.drained = True
        self.held = 0  # cycles of not ready handed to sinks
        self.report: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        ConfigDB().set(self, "*", "RUN", self.run_info)
        self.ap = uvm_analysis_port("ap", self)
        self.env = self.make_env()

    def connect_phase(self) -> None:
        self.ap.connect(self.env.scoreboard.told)

    def end_of_elaboration_phase(self) -> None:
        """The configuration's `verbosity` (debug, info, warning, error) is that of every component."""
        if "verbosity" in self.run_info.config:
            word = str(self.run_info.config["verbosity"])
            levels = ("debug", "info", "warning", "error")
            if word not in levels:
                raise ValueError(f"verbosity {word!r} is none of {', '.join(levels)}")
            self.set_logging_level_hier(logging.getLevelName(word.upper()))

    # ---- what a block's test base supplies --------------------------------------------------------------------------
    def make_env(self) -> BlockEnv:
        """Builds the block's environment."""
        raise NotImplementedError

    def idle_inputs(self) -> None:
        """Gives every input of the bench that no agent drives its resting value."""

    async def body(self) -> None:
        """The test's stimulus."""
        raise NotImplementedError

    async def before_collect(self) -> None:
        """Reads what must be read from the running device (counters, say)."""

    def told(self) -> dict[str, Any]:
        """What the scoreboard is told of the run beside `cycles` and `drained`, by the name of its attribute."""
        return {}

    def conclude(self, verdict: Verdict) -> None:
        """Adds to the scoreboard's verdict what the test itself compares, and to `self.report` what it measured."""

    def conclude_values(self, verdict: Verdict) -> None:
        """`conclude` of CHECK=value, where the scoreboard judged values and order at the outputs alone."""

    # ---- a test's life ---------------------------------------------------------------------------------------------
    async def run_phase(self) -> None:
        self.raise_objection()
        start = time.perf_counter()
        dut = self.dut
        # From a known level, so that both simulators count the same edges.
        dut.clk_i.value = 0
        dut.rst_ni.value = 0
        dut.flush_i.value = 0
        dut.trace_i.value = 1
        self.idle_inputs()
        await Timer(CLOCK_NS, unit="ns")
        Clock(dut.clk_i, CLOCK_NS, unit="ns", impl="gpi").start()
        if self.run_info.bound:
            cocotb.start_soon(self._give_up(self.run_info.bound))
        await self.reset()
        await self.body()
        self.seconds["simulate"] = time.perf_counter() - start
        await self.before_collect()
        await FallingEdge(dut.clk_i)
        dut.flush_i.value = 1
        await FallingEdge(dut.clk_i)
        self.cycles = int(dut.cycle_o.value)
        dut.trace_i.value = 0
        self.drop_objection()

    async def _give_up(self, cycles: int) -> None:
        """Fails the test after `cycles` cycles: more than it takes on RTL without a fault."""
        await Timer(cycles * CLOCK_NS, unit="ns")
        raise AssertionError(f"{OUT_OF_BOUND} {cycles} cycles")

    async def cycles_pass(self, number: int) -> None:
        """Waits `number` cycles and ends after a falling edge."""
        if number > 0:
            await Timer(number * CLOCK_NS, unit="ns")
        await FallingEdge(self.dut.clk_i)

    async def reset(self, cycles: int = RESET_CYCLES) -> None:
        """Holds reset for `cycles` cycles."""
        await FallingEdge(self.dut.clk_i)
        self.dut.rst_ni.value = 0
        await self.cycles_pass(cycles)
        self.dut.rst_ni.value = 1

    async def back_pressure(self, waves: Mapping[str | tuple[str, int], npt.NDArray[np.integer]]) -> None:
        """Starts ready waveforms (after those that still play) by sink, or (sink, lane): pairs of cycles ready, not
        ready."""
        given = {key if isinstance(key, tuple) else (key, 0): pairs for key, pairs in waves.items() if len(pairs)}
        self.held += sum(int(pairs[:, 1].sum()) for pairs in given.values())
        await ReadySequence("ready", given, self.env.sequencers).start()

    async def read_counter(self, address: int) -> int:
        """One counter, through the read port."""
        self.dut.ctr_addr_i.value = address
        await FallingEdge(self.dut.clk_i)
        return int(self.dut.ctr_data_o.value)

    async def read_counters(
        self, rows: int, of_row: type[RowIndex], of_all: type[GlobalIndex], base: int = 0
    ) -> CounterTables:
        """All counters: of each row (rows, indices) and of the whole (indices,); `base` is added to addresses."""
        each = [[await self.read_counter(base | counter_address(one, row)) for one in of_row] for row in range(rows)]
        whole = [await self.read_counter(base | counter_address(one)) for one in of_all]
        return np.array(each, np.int64), np.array(whole, np.int64)

    async def until_quiet(self, bound: int) -> bool:
        """Waits until nothing is left to play or in the device, at most `bound` cycles, then a falling edge.

        A miss is noted as not drained."""
        await self.cycles_pass(3)
        if not int(self.dut.quiet_o.value):
            try:
                await with_timeout(RisingEdge(self.dut.quiet_o), bound * CLOCK_NS, "ns")
            except SimTimeoutError:
                self.drained = False
            await FallingEdge(self.dut.clk_i)
        return self.drained

    def extract_phase(self) -> None:
        """The test tells the scoreboard of the run, and monitors publish what they saw."""
        self.judging = time.perf_counter()
        with self._checker():
            self.ap.write({"cycles": self.cycles, "drained": self.drained, **self.told()})
            self.env.collect(self.cycles)

    def check_phase(self) -> None:
        """The scoreboard has judged: the test concludes, and writes the result."""
        board = self.env.scoreboard
        with self._checker():
            if board.failure is not None:
                raise board.failure
            verdict: Verdict = board.verdict
            if self.run_info.check == "value":
                self.minimum = {"value": max(1, board.least)}
                self.report = {"cycles": self.cycles, "timing": [asdict(line) for line in board.timing]}
                self.conclude_values(verdict)
            else:
                self.conclude(verdict)
            error = verdict.error(self.minimum)
        self.seconds["check"] = time.perf_counter() - self.judging
        result = {
            "status": "fail" if error else "pass",
            "error": error,
            "check": self.run_info.check,
            "minimum": self.minimum,
            "cycles": self.cycles,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,  # memory of this process, checks too
            **verdict.as_dict(),
            "report": {**self.report, "checks": verdict.checks, "mismatches": verdict.mismatches},
        }
        self._write(result)
        assert not error, error

    @contextlib.contextmanager
    def _checker(self) -> Iterator[None]:
        """A checker that dies is a failed check, with its reason in the result."""
        try:
            yield
        except Exception as failure:
            self._write({"status": "error", "error": f"the checker failed: {type(failure).__name__}: {failure}"})
            raise

    def keep(self, array: npt.NDArray[np.generic]) -> None:
        """Keeps the result that a user asked for (`out` in the configuration) in the run's folder, whence the command
        takes it after the run."""
        if self.run_info.config.get("out"):
            save_array(self.run_info.run_dir / OUT_NAME, array)

    def _write(self, result: dict[str, Any]) -> None:
        (self.run_info.run_dir / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


class Program(Protocol):
    """What a `ProgramTest` plays."""

    def bursts(self) -> Mapping[str, list[BurstItem]]:
        """What every source plays, by stream."""

    def bound(self) -> int:
        """Cycles after which it is over, if no sink holds."""


class ProgramTest(BlockTest):
    """A test that plays programs; `programs` are those that were started."""

    def build_phase(self) -> None:
        self.programs: list[Any] = []
        super().build_phase()

    async def start(self, program: Program) -> None:
        """Hands a program to the sources without waiting for its end."""
        self.programs.append(program)
        await PlaySequence("program", program.bursts(), self.env.sequencers).start()

    async def play(self, program: Program) -> bool:
        """Plays a program to its end, with a bound."""
        await self.start(program)
        return await self.until_quiet(program.bound() + self.held)
