"""UVM agents that every block's environment shares: stream source, stream sink, and the monitor of a binary trace.

A driver hands whole bursts to a transactor (tb/lib/sv) and a monitor takes whole logs from it: no Python runs in a
cycle. Signals are bundled with cocotb-bus.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from cocotb.triggers import FallingEdge, gather
from cocotb_bus.bus import Bus
from pyuvm import (
    ConfigDB,
    uvm_agent,
    uvm_analysis_port,
    uvm_driver,
    uvm_monitor,
    uvm_sequence,
    uvm_sequence_item,
    uvm_sequencer,
)

from tb.lib.streams import Recording, SourceLog, Tap, read_ready, sink_records


class BurstItem(uvm_sequence_item):
    """A burst for one transactor: `records` as bytes, `count` of them; `lane` chooses a sink of several."""

    def __init__(self, name: str, records: bytes, count: int, lane: int = 0) -> None:
        super().__init__(name)
        self.records = records
        self.count = count
        self.lane = lane


class BurstSequence(uvm_sequence):
    """Sends given bursts, one after the other, to an agent's sequencer."""

    def __init__(self, name: str, bursts: list[BurstItem]) -> None:
        super().__init__(name)
        self.bursts = bursts

    async def body(self) -> None:
        for burst in self.bursts:
            await self.start_item(burst)
            await self.finish_item(burst)


class PlaySequence(uvm_sequence):
    """Virtual sequence: plays bursts on several sources at the same time, by stream, each stream's in order."""

    def __init__(self, name: str, bursts: Mapping[str, list[BurstItem]], sequencers: dict[str, uvm_sequencer]) -> None:
        super().__init__(name)
        self.bursts = bursts
        self.sequencers = sequencers

    async def body(self) -> None:
        await gather(
            *(
                BurstSequence(f"{name}_bursts", bursts).start(self.sequencers[name])
                for name, bursts in self.bursts.items()
            )
        )


class ReadySequence(uvm_sequence):
    """Virtual sequence: gives sinks their ready waveforms by (stream, lane): pairs of cycles ready, not ready."""

    def __init__(
        self, name: str, waves: dict[tuple[str, int], npt.NDArray[np.integer]], sequencers: dict[str, uvm_sequencer]
    ) -> None:
        super().__init__(name)
        self.waves = waves
        self.sequencers = sequencers

    async def body(self) -> None:
        for (stream, lane), pairs in self.waves.items():
            burst = BurstItem(stream, sink_records(pairs), len(pairs), lane)
            await BurstSequence(f"{stream}_{lane}_ready", [burst]).start(self.sequencers[stream])


@dataclass
class StreamConfig:
    """One stream agent: the bench, the stream's name (signals and files), and the number of its sinks, or of
    its sources if they are several (neither: one source)."""

    dut: Any
    name: str
    run_dir: Path
    sinks: int = 0
    sources: int = 0

    @property
    def lanes(self) -> int:
        """Transactors that have a number; 0 if there is only one, without."""
        return self.sinks or self.sources


class BurstDriver(uvm_driver):
    """Appends a burst to the transactor's file, then raises its credit at a falling clock edge."""

    cfg: StreamConfig

    def build_phase(self) -> None:
        self.cfg = ConfigDB().get(self, "", "CFG")
        signals = {"credit": "credit_i"} if self.cfg.sinks else {"credit": "credit_i", "played": "played_o"}
        self.bus = Bus(self.cfg.dut, self.cfg.name, signals)
        self.credits = [0] * max(1, self.cfg.lanes)

    def path(self, lane: int) -> Path:
        """The transactor's input file."""
        suffix = f"_{lane}" if self.cfg.lanes else ""
        return self.cfg.run_dir / f"{self.cfg.name}{suffix}.in.bin"

    async def run_phase(self) -> None:
        self.bus.credit.value = 0
        while True:
            item: BurstItem = await self.seq_item_port.get_next_item()
            self.logger.debug("%d records for lane %d", item.count, item.lane)
            await self.play(item)
            self.seq_item_port.item_done()

    async def play(self, item: BurstItem) -> None:
        """Hands one burst to the transactor."""
        with self.path(item.lane).open("ab") as file:
            file.write(item.records)
        self.credits[item.lane] += item.count
        await FallingEdge(self.cfg.dut.clk_i)
        self.bus.credit.value = sum(credit << (32 * lane) for lane, credit in enumerate(self.credits))


class StreamMonitor(uvm_monitor):
    """Publishes a transactor's log once, when `collect` is called after the run: a `SourceLog` (several sources: a
    list of them), or the `ready` waveforms (cycles, sinks) of a sink agent."""

    def build_phase(self) -> None:
        self.cfg: StreamConfig = ConfigDB().get(self, "", "CFG")
        self.ap = uvm_analysis_port("ap", self)

    def collect(self, records: list[int], cycles: int) -> None:
        """Reads the logs of `records` records each and `cycles` cycles and writes them to the analysis port."""
        folder, name = self.cfg.run_dir, self.cfg.name
        if self.cfg.sinks:
            waves = [read_ready(folder / f"{name}_{lane}.log.bin", cycles) for lane in range(self.cfg.sinks)]
            self.ap.write((name, np.stack(waves, axis=1)))
        elif self.cfg.sources:
            logs = [SourceLog.read(folder / f"{name}_{lane}.log.bin", count) for lane, count in enumerate(records)]
            self.ap.write((name, logs))
        else:
            self.ap.write((name, SourceLog.read(folder / f"{name}.log.bin", records[0])))


class Agent(uvm_agent):
    """Sequencer, driver and monitor of one port, the last two of the classes named here; its CFG is theirs."""

    DRIVER: ClassVar[type[uvm_driver]]
    MONITOR: ClassVar[type[uvm_monitor]]

    def build_phase(self) -> None:
        super().build_phase()
        cfg = ConfigDB().get(self, "", "CFG")
        for child in ("driver", "monitor"):
            ConfigDB().set(self, child, "CFG", cfg)
        self.sequencer = uvm_sequencer.create("sequencer", self)
        self.driver = self.DRIVER.create("driver", self)
        self.monitor = self.MONITOR.create("monitor", self)

    def connect_phase(self) -> None:
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)


class StreamAgent(Agent):
    """Agent of one stream."""

    DRIVER, MONITOR = BurstDriver, StreamMonitor

    def collect(self, cycles: int) -> None:
        """Publishes what the transactor logged."""
        self.monitor.collect(self.driver.credits, cycles)


@dataclass
class TraceConfig:
    """One binary trace: its file and the type of a record of 32-bit words; `in_parts`: too large to be held whole."""

    path: Path
    dtype: npt.DTypeLike
    name: str = field(default="trace")
    in_parts: bool = False


class TraceMonitor(uvm_monitor):
    """Publishes a whole binary trace as a structured array, or a `Recording` of it."""

    def build_phase(self) -> None:
        self.cfg: TraceConfig = ConfigDB().get(self, "", "CFG")
        self.ap = uvm_analysis_port("ap", self)

    def collect(self, cycles: int) -> None:
        """Reads the file and writes (name, records) to the analysis port."""
        path, dtype = self.cfg.path, np.dtype(self.cfg.dtype)
        self.ap.write((self.cfg.name, Recording(path, dtype) if self.cfg.in_parts else np.fromfile(path, dtype)))


@dataclass
class TapConfig:
    """A tap inside the device: its folder, name and words of payload; published as `name` with `prefix` before it."""

    folder: Path
    stream: str
    words: int
    prefix: str = ""

    @property
    def name(self) -> str:
        """How it is published."""
        return f"{self.prefix}{self.stream}"


class TapMonitor(uvm_monitor):
    """Publishes what a tap heard, as a `Tap`."""

    def build_phase(self) -> None:
        self.cfg: TapConfig = ConfigDB().get(self, "", "CFG")
        self.ap = uvm_analysis_port("ap", self)

    def collect(self, cycles: int) -> None:
        """Reads the files and writes (name, tap) to the analysis port."""
        self.ap.write((self.cfg.name, Tap.read(self.cfg.folder, self.cfg.stream, self.cfg.words, cycles)))
