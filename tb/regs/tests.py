"""Tests of the processor's registers. What they verify stands in testplan.hjson, their runs in testlist.py.

Class names are test names (`make sim BLOCK=regs TEST=...`). Configuration keys that a test takes stand in its
docstring.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pyuvm
from pyuvm import uvm_check_e, uvm_status_e

from models.common.axil import STROBE_ALL, Resp
from models.regs.events import ENGINES, Answer, EventRecord, Failure, Levels
from models.regs.map import ADDRESS_BITS, WORD_BITS, WORD_BYTES, Register
from tb.lib.axil import AxilItem
from tb.lib.waves import gaps
from tb.regs.env import RegsTest
from tb.regs.sequences import random_answer, random_event, random_item, random_levels, word

CHECK = uvm_check_e.UVM_CHECK
OK, NOT_OK = uvm_status_e.UVM_IS_OK, uvm_status_e.UVM_NOT_OK
ACTS = ("PUSH", "RUN", "UPD_PUSH")  # what they answer depends on more than the value


class PolicyTest(RegsTest):
    """What tests of many registers share."""

    async def mirror(self, register: Register, index: int) -> None:
        """Reads a register: what is not volatile against the mirror, a write-only one refused."""
        status = await self.ral.reg(register.name, index).mirror(CHECK)
        self.expect(f"{register.name} {index} read", int(status == OK), int(register.readable))

    async def put(self, register: Register, index: int, value: int) -> None:
        """Writes `value`: OKAY if it is legal, otherwise the mirror stays as it is."""
        status = await self.ral.reg(register.name, index).write(value)
        if register.name not in ACTS:
            self.expect(f"{register.name} {index} <- {value:#x}", int(status == OK), int(register.legal(value)))


@pyuvm.test()
class smoke(PolicyTest):
    """Reset values of all registers, then a command pushed for each engine, a run, a seed, a step, an update."""

    async def body(self) -> None:
        for register in self.regs.registers:
            for index in range(register.count):
                await self.mirror(register, index)
        shape = self.regs.register("PARAMS").pack(**self.params.fields)
        self.expect("PARAMS", await self.read("PARAMS"), shape)
        for operation in (1, 2, 4):
            for index in range(16):
                await self.write("CMD", operation if index == 0 else 0x1111_1111 * index, index)
            await self.write("PUSH", 0x40 + operation)
        await self.write("RUN", 0x4200_0003)
        await self.write("SEED", 0xDEAD_BEEF)
        await self.write("STEP", 0)
        for index in range(6):
            await self.write("UPD", 0x0102_0304 * (index + 1), index)
        await self.write("UPD_PUSH", 1)
        await self.events([EventRecord(done=5, failures={1: Failure(3, 17, 0x42)}, answer=Answer(0, 200, 3, 5))])
        await self.settle()
        await self.write("IRQ_ENABLE", 8)
        error = self.regs.register("ERROR").pack(code=3, engine=1, detail=17, id=0x42, count=1)
        self.expect("ERROR", await self.read("ERROR"), error)
        answer = self.regs.register("UPD_ANSWER").pack(fl=200, n=3, events=5)
        self.expect("UPD_ANSWER", await self.read("UPD_ANSWER"), answer)
        self.expect("IRQ_STATUS", await self.read("IRQ_STATUS"), 0xD)
        for index in range(4):
            await self.play([AxilItem(False, self.regs.window("LAPS").offset + 4 * index)])
            await self.play([AxilItem(False, self.regs.window("COUNTERS").offset + 4 * index)])


@pyuvm.test()
class access_policies(PolicyTest):
    """Every bit of every register by walking ones and zeros: what is legal, what stays, what is refused. Config:
    `stride` of the registers that there are more than 16 of, `bits`: step from bit to bit."""

    async def body(self) -> None:
        config = self.run_info.config
        for register in self.regs.registers:
            for index in range(0, register.count, config.get("stride", 7) if register.count > 16 else 1):
                for bit in range(0, WORD_BITS, config.get("bits", 1)):
                    for value in (1 << bit, (1 << WORD_BITS) - 1 ^ 1 << bit):
                        await self.put(register, index, value)
                        await self.mirror(register, index)
                await self.put(register, index, register.mask)
                await self.mirror(register, index)
                await self.put(register, index, 0)
                await self.mirror(register, index)
        # What one register holds no other one does.
        held = [each for each in self.regs.registers if each.access == "rw"]
        values = {(each.name, index): word(7 * at + index) & each.mask
                  for at, each in enumerate(held) for index in range(each.count)}  # fmt: skip
        for (name, index), value in values.items():
            await self.put(self.regs.register(name), index, value)
        for name, index in values:
            await self.mirror(self.regs.register(name), index)


@pyuvm.test()
class addresses(RegsTest):
    """The whole address space: every word is read and written, and misaligned addresses between. Config: `stride` in
    words."""

    async def body(self) -> None:
        stride = self.run_info.config.get("stride", 1)
        items = []
        await self.events([EventRecord(levels=Levels(full=7, pattern=0x1357_9BDF))])
        for address in range(0, 1 << ADDRESS_BITS, WORD_BYTES * stride):
            for low in {0, address // WORD_BYTES % WORD_BYTES}:
                items.append(AxilItem(False, address + low, pipelined=True))
                items.append(AxilItem(True, address + low, word(address + low), pipelined=True))
        # Both sides of every border.
        borders = [r.addresses[0] for r in self.regs.registers] + [r.addresses[-1] + 4 for r in self.regs.registers]
        borders += [w.offset + at * w.size for w in self.regs.windows for at in range(w.count)]
        for address in {at & 0xFFFF for border in borders for at in (border - WORD_BYTES, border)}:
            items.append(AxilItem(False, address, pipelined=True))
            items.append(AxilItem(True, address, word(address), pipelined=True))
        await self.play(items)
        for one in items:
            if self.regs.at(one.addr) is None and self.regs.window_at(one.addr) is None:
                self.expect(f"answer at {one.addr:#06x}", one.code if one.code is not None else -1, Resp.DECERR)


@pyuvm.test()
class strobes(RegsTest):
    """Every pattern of byte strobes, with aligned and misaligned addresses; a refused write changes nothing."""

    async def body(self) -> None:
        for name, index in (("SEED", 0), ("CMD", 3), ("ERROR_CLEAR", 0), ("ID", 0)):
            base = self.regs.address(name, index)
            for strobe, low in itertools.product(range(STROBE_ALL + 1), range(WORD_BYTES)):
                item = AxilItem(True, base + low, word(strobe + 16 * low), strobe)
                await self.play([item])
                legal = Resp.OKAY if name != "ID" else Resp.SLVERR
                want = Resp.DECERR if low else legal if strobe == STROBE_ALL else Resp.SLVERR
                self.expect(f"{name} strobe {strobe:#x} + {low}", -1 if item.code is None else item.code, want)
                await self.play([AxilItem(False, base)])
        nowhere = self.regs.registers[-1].addresses[-1] + WORD_BYTES
        for address in (nowhere, *(window.offset + 8 for window in self.regs.windows)):
            await self.play([AxilItem(True, address, 5, strobe) for strobe in range(STROBE_ALL + 1)])


@pyuvm.test()
class port_orders(RegsTest):
    """AW before W, after it and with it at every distance, reads beside, answers held; reads and writes that become
    complete in the same cycle and a cycle apart. Config: `reach` of the distances."""

    async def body(self) -> None:
        reach = self.run_info.config.get("reach", 6)
        seed, scratch = self.regs.address("SEED"), self.regs.address("CMD", 5)
        for addr_delay, data_delay, hold in itertools.product(range(reach), range(reach), (0, 1, 4)):
            value = word(addr_delay + 8 * data_delay + 64 * hold)
            delays = {"addr_delay": addr_delay, "data_delay": data_delay, "hold": hold, "pipelined": True}
            # A write and a read of the same register that meet.
            for read_delay in range(reach + 1):
                await self.play([
                    AxilItem(True, seed, value, **delays),
                    AxilItem(False, seed, addr_delay=read_delay, hold=hold, pipelined=True),
                ])  # fmt: skip
            # Several of each in flight.
            await self.play([
                *(AxilItem(True, scratch, value ^ n, **delays) for n in range(3)),
                *(AxilItem(False, scratch, addr_delay=n, hold=4 - hold, pipelined=True) for n in range(3)),
            ])  # fmt: skip


@pyuvm.test()
class traffic(RegsTest):
    """Random reads and writes, pipelined, with random delays, strobes and back-pressure, beside random events and
    stalls of LAPS' port. Config: `rounds`, `accesses` a round."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        count = self.run_info.config.get("accesses", 250)
        for at in range(self.run_info.config.get("rounds", 8)):
            slow = ("none", "rare", "frequent")[at % 3]
            stalls = np.stack([rng.integers(1, 30, count // 4), rng.integers(0, 12, count // 4)], axis=1)
            await self.back_pressure({"laps_ready": stalls, "upd_ready": rng.permutation(stalls)})
            waits = gaps(rng, "frequent", count)
            await self.events([random_event(rng, int(gap)) for gap in waits])
            await self.play([random_item(rng, self.regs, slow, pipelined=True) for _ in range(count)])
            await self.settle()


@pyuvm.test()
class interrupts(PolicyTest):
    """Events of every kind against every enable; a clear in each cycle around an event; bits clear one by one."""

    async def body(self) -> None:
        everything = [EventRecord(done=1 << engine) for engine in range(len(ENGINES))]
        everything += [EventRecord(failures={engine: Failure(1 + engine, 2, 3)}) for engine in range(len(ENGINES))]
        for enable in range(16):
            await self.write("IRQ_ENABLE", enable)
            for event in everything:
                await self.write("IRQ_STATUS", 0xF)
                await self.events([event])
                await self.settle()
                await self.write("IRQ_STATUS", ~enable & 0xF)
                await self.read("IRQ_STATUS")
        await self.write("IRQ_ENABLE", 0xF)
        for gap in range(14):
            for value in (1, 2, 4, 8, 0xF, 0):
                await self.events([EventRecord(gap, done=7, failures={0: Failure(9, 8, 7)})])
                await self.write("IRQ_STATUS", value)
                await self.read("IRQ_STATUS")
                await self.settle()
                await self.write("IRQ_STATUS", value)
            for engines in range(1, 8):
                await self.events([EventRecord(gap, done=engines)])
                await self.write("IRQ_STATUS", 0xF)
                await self.settle()
        # Off and on again by enable alone.
        for enable in (0, 2, 0, 0xF, 0):
            await self.write("IRQ_ENABLE", enable)
            await self.settle()


@pyuvm.test()
class failures(PolicyTest):
    """Every set of engines that fail at once, on a clear and on a kept record; a clear in each cycle around a failure;
    more failures than the count can hold."""

    async def body(self) -> None:
        rng = self.run_info.rng()

        def failed(engines: int) -> dict[int, Failure]:
            each = rng.integers((16, 32, 256), size=(len(ENGINES), 3)).tolist()
            return {engine: Failure(*each[engine]) for engine in range(len(ENGINES)) if engines >> engine & 1}

        for first in range(1, 8):
            for second in range(8):
                await self.write("ERROR_CLEAR", second)
                await self.events(
                    [EventRecord(failures=failed(first)), EventRecord(second % 2, failures=failed(second))]
                )
                await self.settle()
                await self.read("ERROR")
        for gap in range(14):
            for engines in range(1, 8):
                await self.events([EventRecord(failures=failed(5)), EventRecord(gap, failures=failed(engines))])
                await self.write("ERROR_CLEAR", 0)
                await self.read("ERROR")
                await self.settle()
                await self.read("ERROR")
        await self.write("ERROR_CLEAR", 0)
        total = 0
        for engines, number in ((7, 84), (3, 1), (1, 1), *((engines, 1) for engines in range(1, 8))):
            await self.events([EventRecord(failures=failed(engines)) for _ in range(number)])
            await self.settle()
            total = min(total + number * bin(engines).count("1"), 255)
            self.expect("count", await self.read("ERROR") >> 24, total)
        await self.write("ERROR_CLEAR", 0)
        await self.read("ERROR")


@pyuvm.test()
class pushes(PolicyTest):
    """Every operation against every set of full queues, and while commands come from the stream in; identifiers; CMD
    written in the cycles around a push; RUN with every number, and while it is not 0."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        engine_of = {1: 0, 4: 2}
        for index in range(1, 16):
            await self.write("CMD", word(index), index)
        for full, run in (*((full, 0) for full in range(8)), (0, 1), (5, 0xFFFF)):
            await self.events([EventRecord(levels=replace(random_levels(rng, full), run=run))])
            await self.settle()
            for operation in range(16):
                await self.write("CMD", word(operation) & ~0xF | operation, 0)
                accepted = await self.write("PUSH", int(rng.integers(256)))
                good = not run and not full >> engine_of.get(operation, 1) & 1
                self.expect(f"push of {operation}, full {full}, {run} to come", int(accepted), int(good))
            for name in ("STATUS", "DONE"):
                await self.read(name)
        await self.events([EventRecord(levels=Levels())])
        push, cmd = self.regs.address("PUSH"), self.regs.address("CMD")
        items = []
        for at in range(40):
            items.append(AxilItem(True, cmd + 4 * (at % 16), word(3 * at) if at % 16 else at // 16 + 1, pipelined=True))
            items.append(AxilItem(True, push, at, pipelined=True))
        items.append(AxilItem(True, push, 256, pipelined=True))
        await self.play(items)
        # A queue that fills up in each cycle around a push.
        for gap in range(10):
            await self.events([EventRecord(gap, levels=Levels(full=7)), EventRecord(20, levels=Levels())])
            await self.write("PUSH", gap)
            await self.settle()
        # Commands from the stream in: of every number of them, of none too; a bit of no field.
        for left in (0, 1, 0x8000, 0xFFFF):
            await self.events([EventRecord(levels=Levels(run=left))])
            await self.settle()
            for value in (*(1 << bit for bit in range(WORD_BITS)), 0, 0xFF00_FFFF, 0xFFFF, 0x0001_FFFF):
                good = not left and self.regs.register("RUN").legal(value)
                self.expect(f"RUN <- {value:#x}, {left} to come", int(await self.write("RUN", value)), int(good))
            self.expect("RUN", await self.read("RUN"), left)
            self.expect("STATUS", await self.read("STATUS"), 8 * (left > 0))
        # What ends, and begins, in each cycle around a write of RUN and a push.
        for gap in range(10):
            for before, after in ((5, 0), (0, 5)):
                await self.events([EventRecord(levels=Levels(run=before))])
                await self.settle()
                await self.events([EventRecord(gap, levels=Levels(run=after)), EventRecord(20, levels=Levels())])
                await self.write(("RUN", "PUSH")[gap % 2], gap)
                await self.settle()


@pyuvm.test()
class updates(PolicyTest):
    """Statistics of a host: pushed while LAPS waits, pushed again while pending, answered; answers of GEMMs in every
    cycle around it; UPD written while an update is on its way."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for stall, gap, behind in itertools.product((0, 1, 20), range(12), (0, 5)):
            for index in range(6):
                await self.write("UPD", int(rng.integers(1 << 32)), index)
            if stall:
                await self.back_pressure({"upd_ready": np.array([[0, 5 + stall]])})
            records = [EventRecord(gap, answer=random_answer(rng)), EventRecord(behind, answer=random_answer(rng))]
            await self.events(records)
            await self.write("UPD_PUSH", gap)
            await self.write("UPD", 0x5A5A_5A5A, gap % 6)
            await self.read("UPD_ANSWER")
            await self.write("UPD_PUSH", 1)
            await self.read("UPD_ANSWER")
            await self.settle()
            await self.read("UPD_ANSWER")
            # Whatever is still pending is answered now.
            await self.events([EventRecord(answer=random_answer(rng))])
            await self.settle()
            await self.read("UPD_ANSWER")
        self.expect("pending", await self.read("UPD_ANSWER") >> 18, 0)


@pyuvm.test()
class records(PolicyTest):
    """Everything that is read from elsewhere: statistics, plan table, status, counters of every pair, LAPS' port with
    its codes and stalls. Config: `rounds`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        laps, counters = self.regs.window("LAPS"), self.regs.window("COUNTERS")
        for at in range(self.run_info.config.get("rounds", 6)):
            await self.events([EventRecord(levels=random_levels(rng, at % 8))])
            await self.settle()
            for register in self.regs.registers:
                if register.access == "ro":
                    for index in range(register.count):
                        await self.read(register.name, index)
            await self.back_pressure({"laps_ready": rng.integers(0, 9, (40, 2))})
            items = []
            for _ in range(60):
                at_laps = laps.offset + 4 * int(rng.integers(laps.size // 4))
                items.append(AxilItem(bool(rng.integers(2)), at_laps, int(rng.integers(1 << 32)), pipelined=True))
                core = int(rng.integers(counters.count))
                at_core = counters.offset + counters.size * core + 4 * int(rng.integers(counters.size // 4))
                items.append(AxilItem(False, at_core, pipelined=True))
                items.append(AxilItem(True, at_core, int(rng.integers(1 << 32)), pipelined=True))
            await self.play(items)


@pyuvm.test()
class reset_between(PolicyTest):
    """Resets after random work, with events still to come: every register is as after the first reset, what is
    pending is forgotten. Config: `resets`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for _ in range(self.run_info.config.get("resets", 8)):
            await self.write("IRQ_ENABLE", 0xF)
            await self.events([random_event(rng, int(rng.integers(4))) for _ in range(40)])
            await self.play([random_item(rng, self.regs, "none", pipelined=True) for _ in range(60)])
            await self.back_pressure({"upd_ready": np.array([[0, 30]])})
            await self.write("UPD_PUSH", 0)
            await self.reset()
            self.ral.reset()
            for register in self.regs.registers:
                for index in range(0, register.count, 16 if register.count > 16 else 1):
                    await self.mirror(register, index)
            await self.settle()
