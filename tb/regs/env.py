"""UVM environment of the registers: AXI4-Lite agent with the register layer on it, events, traces, scoreboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyuvm import ConfigDB, uvm_check_e, uvm_door_e, uvm_predict_e

from models.common.axil import Resp
from models.regs.cycle import Shape
from models.regs.events import EventRecord
from models.regs.map import load_map
from tb.lib.agents import BurstSequence, StreamConfig, TraceConfig
from tb.lib.axil import AxilAgent, AxilConfig, AxilItem, AxilSequence
from tb.lib.collector import CoverageCollector
from tb.lib.env import BlockEnv, EnvConfig
from tb.lib.scoreboard import Verdict
from tb.lib.testbase import BlockTest
from tb.regs.coverage import sample
from tb.regs.events import event_burst
from tb.regs.ral import TopRegisters
from tb.regs.scoreboard import DTYPES, RegsScoreboard


@dataclass(frozen=True, kw_only=True)
class RegsEnvConfig(EnvConfig):
    """With the AXI4-Lite port."""

    axil: AxilConfig


class RegsEnv(BlockEnv):
    """The streams' agents and the port's; `ral`: the registers through the port."""

    cfg: RegsEnvConfig

    def build_phase(self) -> None:
        super().build_phase()
        ConfigDB().set(self, "axil_agent", "CFG", self.cfg.axil)
        self.axil = AxilAgent.create("axil_agent", self)
        self.ral = TopRegisters(load_map(), self.cfg.params.fields)

    def connect_phase(self) -> None:
        super().connect_phase()
        self.axil.monitor.ap.connect(self.scoreboard.imp)
        dut = self.cfg.axil.dut
        self.ral.connect(self.axil.sequencer, lambda: int(dut.cycle_o.value))

    def collect(self, cycles: int) -> None:
        super().collect(cycles)
        self.axil.collect(cycles)


class RegsCoverage(CoverageCollector):
    """Functional coverage of a run (coverage.py)."""

    def sample(self, board: Any) -> None:
        sample(self.run_info, board)


class RegsTest(BlockTest):
    """Base of the registers' tests."""

    TESTPLAN = Path(__file__).parent / "testplan.hjson"
    env: RegsEnv

    def make_env(self) -> BlockEnv:
        params = self.run_info.params
        self.params = Shape(cores=params["CORES"], layers=params["LAYERS"])
        self.regs = load_map()
        self.records: list[EventRecord] = []
        folder = self.run_info.run_dir
        streams = (
            StreamConfig(self.dut, "event", folder),
            *(StreamConfig(self.dut, name, folder, sinks=1) for name in ("laps_ready", "upd_ready")),
        )
        traces = tuple(TraceConfig(folder / f"{name}.bin", dtype, f"{name}_trace") for name, dtype in DTYPES.items())
        config = RegsEnvConfig(
            self.params, streams, traces, RegsScoreboard, coverage=RegsCoverage,
            axil=AxilConfig(self.dut, "axil", folder),
        )  # fmt: skip
        ConfigDB().set(self, "env", "CFG", config)
        return RegsEnv.create("env", self)

    # ---- stimulus --------------------------------------------------------------------------------------------------
    @property
    def ral(self) -> TopRegisters:
        """The register layer."""
        return self.env.ral

    async def play(self, items: Sequence[AxilItem]) -> list[AxilItem]:
        """Sends items to the port and waits for all answers (each wait is bounded by the driver). What was written is
        mirrored in the register layer."""
        sent = list(items)
        await AxilSequence(sent).start(self.env.axil.sequencer)
        for item in sent:
            place = self.regs.at(item.addr)
            if item.write and item.code == Resp.OKAY and place is not None:
                register = self.ral.reg(place[0].name, place[1])
                register.predict(item.data, kind=uvm_predict_e.UVM_PREDICT_WRITE, path=uvm_door_e.UVM_FRONTDOOR)
        return sent

    async def events(self, records: Sequence[EventRecord]) -> None:
        """Hands events to the bench without waiting for their end."""
        self.records += records
        await BurstSequence("events", [event_burst(records)]).start(self.env.sequencers["event"])

    async def settle(self) -> bool:
        """Waits until the bench is quiet, with a bound."""
        bound = 200 + sum(record.gap + 1 for record in self.records)
        return await self.until_quiet(bound)

    async def read(self, name: str, index: int = 0) -> int:
        """A register's value, through the register layer."""
        _, value = await self.ral.reg(name, index).read()
        return value

    async def write(self, name: str, value: int, index: int = 0) -> bool:
        """Writes a register through the register layer; whether it was answered with OKAY."""
        return (await self.ral.reg(name, index).write(value)).name == "UVM_IS_OK"

    def expect(self, what: str, got: int, want: int) -> None:
        """Notes a comparison that a test makes by itself; none once the port is stuck, which is a failure already."""
        if self.env.axil.driver.stuck:
            return
        self.ral.checked += 1
        if got != want:
            self.ral.differences.append((self.ral.now(), what, got, want))

    async def before_collect(self) -> None:
        """Every readable register is read at the end of every test: what is not volatile is compared with the mirror,
        everything with the model."""
        await self.settle()
        for register in self.regs.registers:
            for index in range(0, register.count, 1 if register.count <= 16 else 16):
                if register.readable:
                    await self.ral.reg(register.name, index).mirror(uvm_check_e.UVM_CHECK)

    def told(self) -> dict[str, Any]:
        layer = {"checked": self.ral.checked, "differences": self.ral.differences}
        return {"regs": self.regs, "records": self.records, "stuck": self.env.axil.driver.stuck, **layer}

    def conclude(self, verdict: Verdict) -> None:
        self.report |= self.env.scoreboard.figures()
