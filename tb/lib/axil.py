"""AXI4-Lite agent: sequencer, driver and monitor of one port (a master of the device's slave).

The driver works on a cocotb-bus `Bus`; the port's signals are `<name>_awvalid_i` and so on. cocotb-bus' own
`AXI4LiteMaster` has no back-pressure on B and R, waits without a bound, and raises where an answer is not OKAY, which
here is what is tested. What passed comes from a binary trace (tb/lib/sv/ts_axil_trace.sv): no Python runs in a cycle
while the port rests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.queue import Queue
from cocotb.triggers import Event, RisingEdge
from cocotb_bus.bus import Bus
from pyuvm import (
    ConfigDB,
    uvm_analysis_port,
    uvm_driver,
    uvm_monitor,
    uvm_sequence,
    uvm_sequence_item,
)

from models.common.axil import STROBE_ALL
from tb.lib.agents import Agent

BOUND = 1000  # cycles that one transfer may take
_INPUTS = ("awvalid", "awaddr", "wvalid", "wdata", "wstrb", "bready", "arvalid", "araddr", "rready")
_OUTPUTS = ("awready", "wready", "bvalid", "bresp", "arready", "rvalid", "rdata", "rresp")

TRACE_DTYPE = np.dtype(
    [("since", "<u4"), ("cycle", "<u4"), ("channel", "u1"), ("code", "u1"), ("pad", "<u2"), ("data", "<u4")]
)


class Channel(IntEnum):
    """Channels as the trace numbers them."""

    AW = 0
    W = 1
    B = 2
    AR = 3
    R = 4


class AxilItem(uvm_sequence_item):
    """One read or write. `addr_delay` and `data_delay`: cycles that AW or AR, and W, wait before they are offered, from
    the moment their channel is free; `hold`: cycles that B or R is not taken once it is valid (0: ready before it).

    `pipelined`: the driver takes the next item at once, and `done` tells the end; otherwise the item is complete when
    `finish_item` returns. Then `code` is the answer (None: it did not come within the bound) and `data` what was read.
    """

    def __init__(
        self,
        write: bool,
        addr: int,
        data: int = 0,
        strobe: int = STROBE_ALL,
        *,
        addr_delay: int = 0,
        data_delay: int = 0,
        hold: int = 0,
        pipelined: bool = False,
    ) -> None:
        super().__init__("write" if write else "read")
        self.write, self.addr, self.data, self.strobe = write, addr, data, strobe
        self.addr_delay, self.data_delay, self.hold, self.pipelined = addr_delay, data_delay, hold, pipelined
        self.code: int | None = None
        self.done = Event()


class AxilSequence(uvm_sequence):
    """Sends given items in order and ends when all are answered."""

    def __init__(self, items: list[AxilItem]) -> None:
        super().__init__("axil_sequence")
        self.items = items

    async def body(self) -> None:
        for item in self.items:
            await self.start_item(item)
            await self.finish_item(item)
        for item in self.items:
            await item.done.wait()


@dataclass
class AxilConfig:
    """One port: the bench, the port's name (signals and trace), the bound of each transfer in cycles."""

    dut: Any
    name: str
    run_dir: Path
    bound: int = BOUND


class _Stuck(Exception):
    """A transfer did not happen within the bound."""


class AxilDriver(uvm_driver):
    """Drives all five channels. `stuck` says which transfer did not come within the bound; nothing is sent after it."""

    def build_phase(self) -> None:
        self.cfg: AxilConfig = ConfigDB().get(self, "", "CFG")
        signals = {name: f"{name}_i" for name in _INPUTS} | {name: f"{name}_o" for name in _OUTPUTS}
        self.bus = Bus(self.cfg.dut, self.cfg.name, signals)
        self.stuck = ""

    async def run_phase(self) -> None:
        for name in _INPUTS:
            getattr(self.bus, name).value = 0
        self.queues = {channel: Queue() for channel in Channel}
        for channel, work in (
            (Channel.AW, self._send_aw), (Channel.W, self._send_w), (Channel.B, self._take_b),
            (Channel.AR, self._send_ar), (Channel.R, self._take_r),
        ):  # fmt: skip
            cocotb.start_soon(self._serve(self.queues[channel], work))
        while True:
            item: AxilItem = await self.seq_item_port.get_next_item()
            self.logger.debug("%s %#x", item.get_name(), item.addr)
            await self.play(item)
            self.seq_item_port.item_done()

    async def play(self, item: AxilItem) -> None:
        """Hands one access to its channels; returns when the next one may come."""
        for channel in (Channel.AW, Channel.W, Channel.B) if item.write else (Channel.AR, Channel.R):
            self.queues[channel].put_nowait(item)
        if not item.pipelined:
            await item.done.wait()

    async def _serve(self, queue: Queue, work: Any) -> None:
        while True:
            item = await queue.get()
            try:
                if not self.stuck:
                    await work(item)
            except _Stuck as error:
                self.stuck = self.stuck or str(error)
            if self.stuck:
                item.done.set()

    async def _until(self, signal: Any, what: str) -> None:
        """Waits for the first clock edge at which `signal` is 1."""
        for _ in range(self.cfg.bound):
            await RisingEdge(self.cfg.dut.clk_i)
            if signal.value == 1:
                return
            if self.stuck:
                break
        raise _Stuck(f"no {what} within {self.cfg.bound} cycles")

    async def _edges(self, number: int) -> None:
        for _ in range(number):
            await RisingEdge(self.cfg.dut.clk_i)

    async def _offer(self, valid: Any, ready: Any, what: str, delay: int) -> None:
        await self._edges(delay)
        valid.value = 1
        try:
            await self._until(ready, what)
        finally:
            valid.value = 0

    async def _send_aw(self, item: AxilItem) -> None:
        self.bus.awaddr.value = item.addr
        await self._offer(self.bus.awvalid, self.bus.awready, f"AWREADY for {item.addr:#06x}", item.addr_delay)

    async def _send_w(self, item: AxilItem) -> None:
        self.bus.wdata.value = item.data
        self.bus.wstrb.value = item.strobe
        await self._offer(self.bus.wvalid, self.bus.wready, f"WREADY for {item.addr:#06x}", item.data_delay)

    async def _send_ar(self, item: AxilItem) -> None:
        self.bus.araddr.value = item.addr
        await self._offer(self.bus.arvalid, self.bus.arready, f"ARREADY for {item.addr:#06x}", item.addr_delay)

    async def _answer(self, valid: Any, ready: Any, what: str, hold: int) -> None:
        """Ends at the edge at which the answer is taken."""
        ready.value = int(hold == 0)
        await self._until(valid, what)
        if hold:
            await self._edges(hold - 1)
            ready.value = 1
            await self._edges(1)
        ready.value = 0

    async def _take_b(self, item: AxilItem) -> None:
        await self._answer(self.bus.bvalid, self.bus.bready, f"BVALID for {item.addr:#06x}", item.hold)
        item.code = int(self.bus.bresp.value)
        item.done.set()

    async def _take_r(self, item: AxilItem) -> None:
        await self._answer(self.bus.rvalid, self.bus.rready, f"RVALID for {item.addr:#06x}", item.hold)
        item.code, item.data = int(self.bus.rresp.value), int(self.bus.rdata.value)
        item.done.set()


@dataclass(frozen=True)
class AxilLog:
    """What passed the port, by channel in order of transfer: tables of TRACE_DTYPE (`since`: cycle of the offer,
    `cycle`: of the transfer, `data`: address or data, `code`: answer or strobe)."""

    channels: dict[Channel, npt.NDArray[np.void]]

    def __getitem__(self, channel: Channel) -> npt.NDArray[np.void]:
        return self.channels[channel]


class AxilMonitor(uvm_monitor):
    """Publishes the port's trace once, as (name, `AxilLog`), when `collect` is called after the run."""

    def build_phase(self) -> None:
        self.cfg: AxilConfig = ConfigDB().get(self, "", "CFG")
        self.ap = uvm_analysis_port("ap", self)

    def collect(self, cycles: int) -> None:
        """Reads the trace and writes it to the analysis port."""
        table = np.fromfile(self.cfg.run_dir / f"{self.cfg.name}.bin", TRACE_DTYPE)
        self.ap.write((self.cfg.name, AxilLog({each: table[table["channel"] == each] for each in Channel})))


class AxilAgent(Agent):
    """Agent of one AXI4-Lite port."""

    DRIVER, MONITOR = AxilDriver, AxilMonitor

    def collect(self, cycles: int) -> None:
        """Publishes what was traced."""
        self.monitor.collect(cycles)
