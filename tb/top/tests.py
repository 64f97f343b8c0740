"""Tests of the processor. What they verify stands in testplan.hjson, their runs in testlist.py.

Class names are test names (`make sim BLOCK=top TEST=...`). Configuration keys that a test takes stand in its
docstring.
"""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm

from host.mapper import Format, Mapper, ModelBackend, Operand, Product
from host.trainer import Batches
from models.common.formats import YBits
from models.common.generator import TILE_DRAWS
from models.common.rounding import Round
from models.common.slices import operand_range
from models.ioss.config import LEGAL_REDUCE
from models.ioss.config import RowCounter as CoreRow
from models.ioss.value import pack_jobs, pack_tile
from models.laps.config import Entry
from models.optc.config import Mode, Scalar
from models.top.config import (
    CMD_WORDS,
    LANES,
    RECORD_WORDS,
    RECORDS,
    STATES,
    Buffer,
    Command,
    Gemm,
    Issue,
    Load,
    Opt,
    Plan,
    Read,
    Reg,
    Store,
    TopParams,
    Unknown,
    Update,
    Write,
    command_of,
)
from models.top.value import Processor, mask_bits, mask_bytes
from tb.ioss.sequences import operands
from tb.lib.scoreboard import Verdict
from tb.lib.waves import ready_wave
from tb.optc.sequences import PLAIN
from tb.top.abuse.base import KEPT, AbuseTest
from tb.top.abuse.program import read_program
from tb.top.env import TopTest
from tb.top.sequences import (
    STATUS_READS,
    Serial,
    a_few,
    entry_writes,
    every_pair,
    fill,
    full_queues,
    host_update,
    in_one_cycle,
    mixed,
    random_feed,
    random_gemm,
    random_issue,
    random_pass,
    random_product,
    random_window_product,
    random_words,
    result_words,
    store_results,
    supply,
    together,
)
from tb.top.trace import AXIL_DTYPE, CMD_DTYPE, M_DTYPE
from tb.top.training import (
    PLANNED,
    TEST_BATCH,
    Span,
    batch_of,
    counter_record,
    cycles_by_phase,
    least_checks,
    load_checkpoint,
    save_captures,
    save_checkpoint,
    segment_seed,
    span_at,
    step_record,
    totals,
    words_of,
)
from tb.top.training import (
    Plan as TrainPlan,
)

LOADS = (Buffer.X, Buffer.W, Buffer.M, Buffer.Y, Buffer.SW, Buffer.SM, Buffer.SV)
STORES = (Buffer.Y, Buffer.A, Buffer.SW, Buffer.SM, Buffer.SV, RECORDS)
FREE = {  # where words lie that products and passes do not touch
    Buffer.X: 7000, Buffer.W: 7600, Buffer.M: 600, Buffer.Y: 13000, Buffer.A: 0,
    Buffer.SW: 3000, Buffer.SM: 3000, Buffer.SV: 3000, RECORDS: 12,
}  # fmt: skip
TOLD = Update(values=100, overflow=1, zeros=10, sum_low=3000, y=4, max_bit=9)  # statistics that LAPS takes
# A window of 449 units of 4 bits is one too long, of 448 it is not.
PLAIN_WINDOWS = {
    "channels": 8, "columns": 9, "rows": 5, "kernel_rows": 3, "kernel_columns": 3, "pad_rows": 1, "pad_columns": 1,
    "stride": 1, "n_x": 1, "n_w": 1, "image_words": 20,
}  # fmt: skip
FEEDING = {"feeds": True, "y_bits": 4, "shift": 0, "relu": False, "y_unsigned": False, "write_masks": False}
WRONG_WINDOWS = (
    {"channels": 0}, {"columns": 0}, {"rows": 0}, {"kernel_rows": 0}, {"kernel_columns": 0}, {"stride": 0},
    {"pad_rows": 2}, {"pad_columns": 2}, {"pad_rows": 8, "kernel_rows": 1}, {"pad_columns": 8, "kernel_columns": 1},
    {"rows": 1, "kernel_rows": 4}, {"columns": 1, "kernel_columns": 4},
    {"channels": 449, "kernel_rows": 1, "kernel_columns": 1, "pad_rows": 0, "pad_columns": 0},
    {"channels": 225, "kernel_rows": 1, "kernel_columns": 1, "pad_rows": 0, "pad_columns": 0, "n_x": 2},
)  # fmt: skip
SHORT = {"m": 3, "k": 20, "n": 20, "reduce_factor": 1}


class BoundedTest(TopTest):
    """The longest batch of these tests takes 25,000 cycles."""

    BOUND = 100_000


@pyuvm.test()
class smoke(BoundedTest):
    """One small product: loads, a GEMM, a store, a few reads."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        x, w = random_words(rng, 8), random_words(rng, 64)
        actions = [
            Read(Reg.ID),
            Issue(Load(target=Buffer.X, count=8), x, 1),
            Issue(Load(target=Buffer.W, count=64, cores=15), w, 2),
            Issue(Gemm(m=8, k=16, n=64, shift=8, y_step=100, wait_load=2), None, 3),
            Issue(Store(target=Buffer.Y, count=8, wait_compute=1), None, 4),
            Read(Reg.PARAMS),
            *map(Read, STATUS_READS),
        ]
        await self.play(actions)


@pyuvm.test()
class constrained_random(BoundedTest):
    """Random products of every format, in chunks of K too, with biases, masks and seeds; of three rounds the commands
    of the second come from the stream in. Config: `rounds`, `products` of each."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial = Serial()
        for number in range(self.run_info.config.get("rounds", 3)):
            fill(rng, serial, self.params)
            for _ in range(self.run_info.config.get("products", 6)):
                if rng.random() < 0.5:
                    serial.write(Reg.SEED, int(rng.integers(1 << 32)))
                gemm = random_product(rng, serial, self.params)
                serial.add(gemm)
                store_results(serial, gemm, self.params)
                serial.actions += [Read(address) for address in STATUS_READS]
            # Jobs that end in consecutive cycles: two share a beat.
            short = {"k": 3, "m": 20, "n_x": 1, "n_w": 1, "reduce_factor": 1, "y_bits": int(YBits.B4), "shift": 2}
            gemm = random_product(rng, serial, self.params, **short, relu=True, masks=True, write_masks=True)
            serial.add(gemm)
            store_results(serial, gemm, self.params)
            await self.play(serial.take(), int(rng.integers(3)), streamed=number % 3 == 1)


@pyuvm.test()
class passes(BoundedTest):
    """Optimiser passes of both rules: random configurations and states, state, copies and records. Config: `passes`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial = Serial()
        for at in range(self.run_info.config.get("passes", 16)):
            n = int(rng.integers(1, 200))
            serial.write(Reg.SEED, int(rng.integers(1 << 32)))
            opt = random_pass(rng, serial, n)
            if at == 0:  # the shortest run has a pass that draws, too
                opt = replace(opt, config=replace(opt.config, copy_round=int(Round.STOCHASTIC), copy_format=0))
            serial.add(opt)
            beats = -(-n // 4)
            for buffer in (Buffer.SW, Buffer.SM, Buffer.SV):
                serial.store(buffer, opt.state, beats)
            serial.store(Buffer.Y, opt.copies, -(-beats // 2))
            serial.actions += [Read(Reg.OPT_STAT + 4 * word) for word in range(8)]
        await self.play(serial.take())


@pyuvm.test()
class planned(BoundedTest):
    """Formats from LAPS: plans, products by plan, updates by their statistics, a host's updates, steps.
    Config: `slots`: how many."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial = Serial()
        fill(rng, serial, self.params)
        await self.play(serial.take())
        for slot in (0, 31, 7, 7, 12)[: self.run_info.config.get("slots")]:
            fls = rng.integers(2, 9, 2).tolist()
            n_x, n_w, n_y = rng.integers(1, 5, 3).tolist()
            layer = int(rng.integers(4))
            for cls, entry in (
                (0, Entry(fls[0], n_x, True)),
                (1, Entry(fls[1], n_w)),
                (2, Entry(int(rng.integers(0, 4)), n_y)),
            ):
                serial.actions += entry_writes(layer, cls, entry)
            x, w, y = (4 * layer + cls for cls in range(3))
            serial.add(Plan(x=x, w=w, y=y, k=60, slot=slot))
            serial.actions += [Read(Reg.PLAN + 16 * slot + 4 * at) for at in range(4)]
            for raw in (False, True):
                gemm = random_product(
                    rng, serial, self.params, k=60, reduce_factor=1, n_x=n_x, n_w=n_w, x_unsigned=True, w_unsigned=False
                )
                bits = YBits.RAW32 if raw else n_y - 1
                extra = (
                    {"shift": 0, "relu": False, "y_unsigned": False} if raw else {"shift": fls[0] + fls[1] - entry.fl}
                )
                gemm = replace(gemm, planned=True, slot=slot, update=not raw, y=y, y_bits=int(bits), **extra)
                serial.add(gemm)
                store_results(serial, gemm, self.params)
                serial.actions += [Read(Reg.UPD_ANSWER), Read(Reg.LAPS + 8 * y), Read(Reg.LAPS + 8 * y + 4)]
                serial.actions += [Read(address) for address in STATUS_READS]
            # A host's own statistics.
            words = (100, 1, 10, 3000, 0, 9 << 10 | y)
            for at, word in enumerate(words):
                serial.write(Reg.UPD + 4 * at, word)
            serial.write(Reg.UPD_PUSH, 1)
            serial.actions.append(Read(Reg.UPD_ANSWER))
            serial.write(Reg.STEP, 0)
            await self.play(serial.take())


@pyuvm.test()
class refusals(BoundedTest):
    """Every code of every engine, each followed by a legal command that must be right. Config: `changes`: every how
    many of those that a GEMM is refused for."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        serial = Serial()
        fill(rng, serial, params)
        good = random_gemm(rng, params, m=3, n=20, k=30, reduce_factor=1)
        # What runs until its first word outside reads more than a product that is right.
        supply(rng, serial, params, replace(good, k=300, n_x=4, n_w=4))
        self.loads(rng, serial)
        self.stores(serial)
        for code in (0, 7, 9, 15):
            serial.add(Unknown(code=code))
        serial.add(replace(good, target=3))
        self.products(serial, good)
        self.plans(serial, good)
        self.passes(rng, serial)
        serial.actions += [Read(address) for address in STATUS_READS]
        await self.play(serial.take())

    def loads(self, rng: np.random.Generator, serial: Serial) -> None:
        """Targets and ranges that are not there, TLAST early and late."""
        params = self.params
        word = random_words(rng, 1)
        for target in (Buffer.A, 8, 15):
            serial.add(Load(target=int(target), count=1), None)
        serial.add(Load(target=Buffer.X, count=0))
        for buffer in (Buffer.W, Buffer.M):
            serial.add(Load(target=buffer, count=1, cores=0))
        for buffer in (Buffer.X, Buffer.W, Buffer.M, Buffer.Y, Buffer.SW, Buffer.SM, Buffer.SV):
            serial.load(buffer, params.words_of(buffer) - 5, random_words(rng, 7))
        serial.load(Buffer.SM, 65535, random_words(rng, 2))
        for given, count in ((3, 5), (5, 3), (1, 2), (2, 1)):  # TLAST early, late
            serial.add(Load(target=Buffer.X, first=7000, count=count), random_words(rng, given))
            serial.load(Buffer.X, 7100, word)
        for given in (3, 6):  # with a range error too
            last = params.words_of(Buffer.X) - 2
            serial.add(Load(target=Buffer.X, first=last, count=5), random_words(rng, given))
            serial.load(Buffer.X, 7100, word)

    def stores(self, serial: Serial) -> None:
        """Targets and ranges that are not there."""
        params = self.params
        for target in (0, 1, 2, 8, 12):
            serial.add(Store(target=target, count=1))
        serial.add(Store(target=Buffer.Y, count=0))
        for buffer in (Buffer.Y, Buffer.A, Buffer.SW):
            serial.store(buffer, params.words_of(buffer), 2)
            if buffer != Buffer.A:  # the last word alone is outside
                serial.store(buffer, params.words_of(buffer) - 1, 2)
        serial.add(Store(target=Buffer.SV, first=65535, count=3))

    def products(self, serial: Serial, good: Gemm) -> None:
        """Whatever a product is refused for; after each, `good` itself."""
        params = self.params
        full = {"n_x": 4, "n_w": 4, "k": 128, "x_unsigned": True, "w_unsigned": True}
        changes = (
            {"m": 0}, {"k": 0}, {"n": 0}, {"m": 16384}, {"n_x": 0}, {"n_w": 5}, {"reduce_factor": 3},
            {"reduce_factor": 0}, {"min_order": 7}, {"y_bits": 6}, {"y_bits": 7}, {"round": 3},
            {"y_bits": 1, "shift": 40}, {"y_bits": 4, "shift": 1}, {"y_bits": 5, "relu": True, "shift": 0}, full,
            {"k": 300, "round": 3}, {"k": 300, "n_x": 0}, {"planned": True, "slot": 9},
            {"x_first": params.x_words - 2}, {"w_first": params.w_words - 5},
            {"bias_first": params.w_words - 1, "biases": True},
            {"mask_first": params.m_words - 1, "masks": True, "m": 9}, {"y_first": params.y_words - 1},
            {"a_first": params.a_words - 1, "write_masks": True, "m": 9},
            {"k": 300, "psum_first": params.y_words - 5},
            *({"x_windows": True, **PLAIN_WINDOWS, **wrong} for wrong in WRONG_WINDOWS),
            {"w_windows": True, **PLAIN_WINDOWS, "stride": 0},
            {"w_windows": True, **PLAIN_WINDOWS, "n_w": 3, "n_x": 1, "columns": 10, "k": 30},
            {"update": True, "y": 4 * params.layers, "y_bits": 1, "shift": 3},
            {"update": True, "y": 4 * params.layers, "y_bits": 1, "shift": 3, "y_first": params.y_words - 1},
            {"update": True, "y_bits": 5, "shift": 0, "relu": False, "y_unsigned": False},
            *({**FEEDING, **wrong} for wrong in ({}, {"y_bits": 5}, {"narrow": True}, {"write_masks": True})),
        )  # fmt: skip
        for change in changes[:: self.run_info.config.get("changes", 1)]:
            serial.add(replace(good, **change))
            serial.add(good)
            store_results(serial, good, params)
            serial.actions += [Read(Reg.ERROR), Read(Reg.IRQ_STATUS)]
            serial.write(Reg.ERROR_CLEAR, 0)
            serial.write(Reg.IRQ_STATUS, 15)
        # Every address past the end: near 65536 and beyond it.
        for far in (65530, 43690):
            places = ("x", "w", "bias", "mask", "y", "a", "psum")
            wide = {f"{place}_first": far for place in places} | {"biases": True, "masks": True, "write_masks": True}
            serial.add(replace(good, **wide, k=300, m=9, n=40))

    def plans(self, serial: Serial, good: Gemm) -> None:
        """Plans that are refused, and products whose plan gives a shift below 0, or of 64 and more."""
        params = self.params
        serial.add(Plan(x=4 * params.layers, k=3, slot=9))
        serial.add(Plan(k=0, slot=9))
        serial.add(Plan(target=1, slot=9))
        serial.actions += [Read(Reg.ERROR), Read(Reg.PLAN + 16 * 9)]
        for change in ({"y": 4 * params.layers}, {"overflow": 101}, {"target": 1}, {}):
            serial.add(replace(TOLD, **change))
            serial.actions += [Read(Reg.ERROR), Read(Reg.UPD_ANSWER)]
            serial.write(Reg.ERROR_CLEAR, 0)
        for fl in (63, -64):
            serial.actions += [
                *entry_writes(0, 0, Entry(0, 2, True)),
                *entry_writes(0, 1, Entry(0, 2)),
                *entry_writes(0, 2, Entry(fl, 2)),
            ]
            serial.add(Plan(x=0, w=1, y=2, k=30, slot=9))
            serial.add(replace(good, planned=True, slot=9, y_bits=1))
            serial.add(replace(good, planned=True, slot=9, y_bits=4, shift=0, relu=False, y_unsigned=False))
            serial.add(replace(good, planned=True, slot=9, y_bits=6))

    def passes(self, rng: np.random.Generator, serial: Serial) -> None:
        """Optimiser passes that are refused, then one that is right."""
        params = self.params
        opt = random_pass(rng, serial, 9)
        for change in (
            {"n": 0}, {"fl_w": 64}, {"fl_m": PLAIN.fl_g + 8}, {"fl_g": -64, "fl_m": -64, "fl_v": 62},
            {"step": Scalar(1, 0), "fl_w": 63}, {"c1": Scalar(1, 255)}, {"eps_mant": 1}, {"clip": 0},
            {"copy_shift": 32},
        ):  # fmt: skip
            serial.add(replace(opt, config=replace(PLAIN, **{"n": 9, **change})))
        for change in (
            {"state": params.s_words - 1},
            {"gradients": params.y_words - 1},
            {"copies": params.y_words - 1},
            {"state": 65535},
        ):
            serial.add(replace(opt, **change))
        serial.add(replace(opt, target=1))
        serial.add(opt)
        serial.store(Buffer.SW, opt.state, 3)


@pyuvm.test()
class overlapped(BoundedTest):
    """Loads of the next product's operands and stores of the last one's results while one computes. Config:
    `products`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial = Serial()
        half, cores = 2048, 15
        for at in range(self.run_info.config.get("products", 10)):
            side = at % 2
            waits = {"wait_compute": max(0, at - 1) % 256, "wait_store": max(0, at - 1) % 256}
            x, w = random_words(rng, 120), random_words(rng, 200)
            serial.actions += [
                Issue(Load(target=Buffer.X, first=side * half, count=120, **waits), x, 3 * at % 256),
                Issue(Load(target=Buffer.W, first=side * half, count=200, cores=cores, **waits), w, (3 * at + 1) % 256),
                Issue(
                    Gemm(
                        m=24, k=60, n=16 * self.params.cores * 2, shift=7, x_first=side * half, w_first=side * half,
                        y_first=side * half, y_step=100, wait_load=(2 * at + 2) % 256, wait_store=max(0, at - 1) % 256,
                    ),
                    None, (3 * at + 2) % 256,
                ),
                Issue(
                    Store(target=Buffer.Y, first=side * half, count=48, wait_compute=(at + 1) % 256), None, at % 256
                ),
            ]  # fmt: skip
        await self.back_pressure({"m": ready_wave(rng, "frequent", 2000)})
        await self.play(serial.take())


@pyuvm.test()
class back_pressure(BoundedTest):
    """The stream out is held off, the stream in has pauses, and compute has ports that load and store want. Config:
    `styles` of holding off, `products` of each."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial = Serial()
        # What stores read and nothing else writes.
        serial.load(Buffer.Y, 13000, np.zeros((600, 16), np.uint8))
        serial.load(Buffer.SM, 2000, random_words(rng, 60))
        for style in ("rare", "frequent", "starved")[: self.run_info.config.get("styles")]:
            await self.back_pressure({"m": ready_wave(rng, style, 4000)})
            fill(rng, serial, self.params)
            for _ in range(self.run_info.config.get("products", 3)):
                bits = int(rng.choice([1, 4, 5]))
                gemm = random_product(
                    rng, serial, self.params, y_bits=bits, shift=0, relu=False, y_unsigned=False, reduce_factor=1
                )
                serial.add(gemm)
                # While it computes: words into and out of Y where nothing of it lies.
                serial.load(Buffer.Y, 12000, random_words(rng, 200), waits=False)
                serial.store(Buffer.Y, 13000, 200, waits=False)
                store_results(serial, gemm, self.params)
                serial.add(random_pass(rng, serial, 150))
                serial.load(Buffer.SW, 2000, random_words(rng, 60), waits=False)
                serial.store(Buffer.SM, 2000, 60, waits=False)
                serial.store(Buffer.SW, 2000, 60)
            # Stores that begin with compute: of Y while partial sums and gradients are read, of the state.
            n = 16 * self.params.cores
            gemm = random_product(
                rng, serial, self.params, m=8, k=200, n=n, n_x=1, n_w=1, reduce_factor=1, y_first=14000
            )
            together(serial, gemm, Store(target=Buffer.Y, first=13000, count=600))
            for buffer, first in ((Buffer.SM, 2000), (Buffer.Y, 13000)):
                together(serial, random_pass(rng, serial, 150), Store(target=buffer, first=first, count=60))
            await self.play(serial.take(), int(rng.integers(1, 4)))


@pyuvm.test()
class counters(BoundedTest):
    """Done counters that pass 127 and wrap, with every kind of wait; queues that are full. Config: `rounds`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial = Serial()
        for at in range(self.run_info.config.get("rounds", 270)):
            # A round: a load, a store after it, a refused command after the store, in any order of pushing.
            loads, computes, stores = serial.done
            first = int(rng.integers(64))
            now = {"wait_load": loads % 256, "wait_compute": computes % 256, "wait_store": stores % 256}
            behind_load = {**now, "wait_load": (loads + 1) % 256}
            issues = [
                Issue(Load(target=Buffer.Y, first=first, count=1, **now), random_words(rng, 1), at % 256),
                Issue(Store(target=Buffer.Y, first=first, count=1, **behind_load), None, at % 256),
                Issue(Unknown(code=0, **{**behind_load, "wait_store": (stores + 1) % 256}), None, at % 256),
            ]
            serial.actions += [issues[n] for n in rng.permutation(3)]
            serial.done = [loads + 1, computes + 1, stores + 1]
        serial.actions.append(Read(Reg.DONE))
        # Loads wait for one another: only their identifiers are written, and the queue fills.
        for at in range(12):
            serial.load(Buffer.X, 100, random_words(rng, 20), waits=False)
            if at % 4 == 3:
                serial.store(Buffer.Y, first, 1, waits=False)
        serial.load(Buffer.X, 0, random_words(rng, 8))
        serial.load(Buffer.W, 0, random_words(rng, 16))
        serial.add(Gemm(m=8, k=16, n=16, shift=8))
        serial.store(Buffer.Y, 0, 8)
        serial.actions += [Read(address) for address in STATUS_READS]
        await self.play(serial.take(), 3)


@pyuvm.test()
class reset_in_the_middle(BoundedTest):
    """Resets at any moment of loads, products, passes and stores; what follows is as from the start. Config:
    `resets`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for moment in (300, *rng.integers(100, 4000, self.run_info.config.get("resets", 6)).tolist()):
            serial = Serial()
            fill(rng, serial, self.params)
            gemm = random_product(rng, serial, self.params)
            serial.add(gemm)
            store_results(serial, gemm, self.params)
            serial.add(random_pass(rng, serial, 100))
            await self.start(serial.take())
            await self.cycles_pass(moment)
            await self.reset()
        serial = Serial()
        fill(rng, serial, self.params)
        gemm = random_product(rng, serial, self.params, m=16, k=120, n=40, n_x=2, n_w=3, reduce_factor=1)
        serial.add(gemm)
        store_results(serial, gemm, self.params)
        serial.actions += [Read(address) for address in STATUS_READS]
        await self.play(serial.take())


@pyuvm.test()
class run(BoundedTest):
    """Commands from the stream in: of all kinds, words with pauses, a load's data after its command, queues that are
    full, loads that wait for compute; PUSH and RUN that are refused meanwhile; commands of PUSH before and after;
    resets in the middle. Config: `products`, `resets`."""

    BOUND = 12_000  # the longest batch takes 4,000

    async def body(self) -> None:
        rng, config, serial = self.run_info.rng(), self.run_info.config, Serial()
        for at, moment in enumerate(rng.integers(20, 3000, config.get("resets", 6)).tolist()):
            serial = Serial()
            if at:
                mixed(rng, serial, self.params)
                await self.start(serial.take(), int(moment % 3), streamed=True)
            else:  # within a command, whose words are far apart
                a_few(rng, serial)
                await self.start(serial.take(), 200, streamed=True)
            await self.cycles_pass(moment if at else 500)
            await self.reset()
        # As many as there can be, none of which comes.
        serial.actions += [Write(Reg.RUN, 0xFF00_FFFF), Read(Reg.RUN)]
        await self.start(serial.take())
        await self.cycles_pass(60)
        await self.reset()
        serial = Serial()
        serial.number = 200  # so that identifiers wrap
        serial.write(Reg.RUN, 0)
        serial.actions.append(Write(Reg.RUN, 1 << 16, refused=True))
        for gap in range(config.get("products", 6)):
            mixed(rng, serial, self.params)
            await self.play(serial.take(), gap % 3, streamed=True)
        serial.store(Buffer.Y, 1490, 3)  # alone
        await self.play(serial.take(), streamed=True)
        full_queues(rng, serial, self.params)
        await self.back_pressure({"m": ready_wave(rng, "starved", 2000)})
        await self.play(serial.take(), streamed=True)
        # Commands of both sources, none of which waits for what was there before; words so slow that RUN is not 0 yet.
        a_few(rng, serial)
        await self.start(serial.take(), streamed=False)
        a_few(rng, serial)
        for address in (Reg.PUSH, Reg.RUN):
            serial.actions.append(Write(address, 1, at_once=True, refused=True))
        await self.start(serial.take(), 30, streamed=True)
        a_few(rng, serial)
        await self.start(serial.take(), streamed=False)
        a_few(rng, serial)
        serial.actions += [Read(address) for address in (Reg.RUN, *STATUS_READS)]
        await self.play(serial.take(), streamed=True)


@pyuvm.test()
class shapes(BoundedTest):
    """Products of every shape: tiles, chunks of K with every reduce factor; formats and precisions one after the
    other. Config: `factors`: how many; `pairs`: how many products in the sequence of formats; `tiles` of the longest
    product."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        raw = {"y_bits": int(YBits.RAW32), "shift": 0, "relu": False, "y_unsigned": False}
        small = {"m": 1, "n_x": 1, "n_w": 1, "compensate": False, "min_order": 0}
        for factor in LEGAL_REDUCE[: self.run_info.config.get("factors")]:
            span = factor * params.depth
            for chunks in (1, 2, 3):
                for k in (chunks * span, chunks * span - 5):
                    fixed = {**raw, **small, "k": k, "n": 16, "reduce_factor": factor, "masks": chunks > 1}
                    gemm = random_product(rng, serial, params, **fixed)
                    serial.add(gemm)
                    store_results(serial, gemm, params)
            fixed = {**raw, **small, "k": span, "n": 16, "reduce_factor": factor, "n_x": 3, "n_w": 4}
            wide = {**fixed, "x_unsigned": False, "w_unsigned": False, "y_bits": int(YBits.RAW64)}
            serial.add(random_product(rng, serial, params, **wide, masks=False, biases=False, write_masks=False))
            for bits in range(6):  # of one tile, in part
                rest = raw if bits >= YBits.RAW32 else {"relu": False, "y_unsigned": False, "shift": 3}
                fixed = {**small, "k": 9, "n": 7, "reduce_factor": factor, **rest, "y_bits": bits}
                serial.add(random_product(rng, serial, params, **fixed))
        for tiles in (1, 2, 3):
            for chunks in (1, 2, 3):
                for ragged in (0, 3):
                    fixed = {**raw, **small, "k": chunks * params.depth, "reduce_factor": 1, "biases": bool(ragged)}
                    n = 16 * params.cores * tiles - ragged
                    gemm = random_product(
                        rng, serial, params, **fixed, n=n, update=True, y=4 + chunks, write_masks=bool(ragged)
                    )
                    serial.add(gemm)
                    store_results(serial, gemm, params)
        await self.play(serial.take())
        many = {**small, "k": 1, "reduce_factor": 1, "y_bits": int(YBits.B4), "shift": 1, "biases": False}
        tiles = self.run_info.config.get("tiles", 520)
        n = 16 * tiles * params.cores
        gemm = random_product(rng, serial, params, **many, n=n, masks=False, write_masks=False)
        serial.add(gemm)
        await self.play(serial.take())
        # Every format and every precision after every other.
        slices = [*every_pair(4), *every_pair(4)[1:], *range(8)]
        for at, bits in enumerate(every_pair(6)[: self.run_info.config.get("pairs")]):
            rest = raw if bits >= YBits.RAW32 else {"shift": 4}
            rounding = int(rng.integers(3))
            gemm = random_product(
                rng, serial, params, m=(1, 3, 8, 9)[at % 4], k=7, n=20, reduce_factor=1, compensate=at % 2 == 0,
                n_x=slices[at % len(slices)] % 4 + 1, n_w=slices[(at + 5) % len(slices)] % 4 + 1, min_order=0,
                **{"round": rounding, **rest, "y_bits": bits},
            )  # fmt: skip
            serial.add(gemm)
            store_results(serial, gemm, params)
        await self.play(serial.take())


@pyuvm.test()
class transfers(BoundedTest):
    """Loads into every buffer and stores of every one: lengths, places at the end, TLAST; beside every command of
    compute, while the stream out is held off. Config: `kinds` of commands, `jobs` of the product that fills A."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        for buffer in LOADS:
            first, size = FREE[buffer], params.words_of(buffer)
            for count in (1, 7, 20, 260):
                serial.load(buffer, first, random_words(rng, count))
                serial.load(buffer, size - count // 2 - 1, random_words(rng, count))
            serial.load(buffer, size - 1, random_words(rng, 2), 1)
            serial.load(buffer, size, random_words(rng, 2))
            for given in (2, 6):
                serial.add(Load(target=buffer, first=first, count=4, cores=1), random_words(rng, given))
        # What A holds comes from a product: of M jobs of one tile, and one that goes beyond its end.
        jobs = self.run_info.config.get("jobs", 2100)
        for first, m in ((0, jobs), (params.a_words - 2, 16), (params.a_words - 1, 20)):
            fixed = {"m": m, "n": 16 * params.cores, "k": 1, "n_x": 1, "n_w": 1, "reduce_factor": 1, "shift": 3}
            rest = {"y_bits": 0, "a_first": first, "masks": False, "biases": False, "min_order": 0}
            serial.add(random_product(rng, serial, params, **fixed, **rest, write_masks=True))
        for buffer in STORES:
            first, size = FREE[buffer], params.words_of(buffer)
            for count in (1, 7, 20, 260):
                if buffer != Buffer.A or 8 * count <= jobs:
                    serial.store(buffer, first, count)
            serial.store(buffer, size - 1, 3)
            serial.store(buffer, size, 3)
            serial.store(buffer, size, 1)
        serial.store(Buffer.Y, FREE[Buffer.Y], 1)
        serial.store(Buffer.Y, params.y_words, 1)  # fails after one that does well, a refused one after it
        serial.add(Store(target=Buffer.X))
        serial.load(Buffer.X, params.x_words, random_words(rng, 1))
        serial.add(Load(target=Buffer.A))
        await self.play(serial.take())
        await self.back_pressure({"m": ready_wave(rng, "starved", 60_000)})
        for kind in ("GEMM", "OPT", "PLAN", "UPDATE")[: self.run_info.config.get("kinds")]:
            for at, buffer in enumerate(LOADS):
                compute: Any = Plan(x=1, w=2, y=3, k=9, slot=at)
                if kind == "GEMM":
                    fixed = {"m": 16, "n": 33, "k": 200, "reduce_factor": 1, "min_order": 0}
                    compute = random_product(rng, serial, params, **fixed, write_masks=False)
                elif kind == "OPT":
                    compute = random_pass(rng, serial, 600)
                elif kind == "UPDATE":
                    compute = TOLD
                store = STORES[at % len(STORES)]
                # All wait for what is before them, none for another.
                waits = serial.waits()
                counts = {"count": {Buffer.A: 12, RECORDS: 24}.get(store, 60)}
                serial.add(Store(target=store, first=FREE[store], **counts, **waits), waits=False)
                into = 3500 if buffer >= Buffer.SW else FREE[buffer]
                words = random_words(rng, 250)
                serial.add(Load(target=buffer, first=into, count=250, cores=15, **waits), words, waits=False)
                serial.add(replace(compute, **waits), waits=False)
            await self.play(serial.take(), int(rng.integers(2)))


@pyuvm.test()
class windows(BoundedTest):
    """Products of windows of images: vectors, rows of tiles, both; images at the end of a buffer and past it; results
    of eight lanes. Then the same results by the definition of a convolution. Config: `products` of each kind."""

    async def body(self) -> None:
        rng, params, config = self.run_info.rng(), self.params, self.run_info.config
        serial = Serial()
        fill(rng, serial, params)
        kinds = ("x", "w", "both") if params.cores == 1 else ("x",)
        for number in range(config.get("products", 24)):
            for kind in kinds:
                if number % 8 == 7:
                    serial.known.clear()
                gemm = random_window_product(rng, serial, params, kind)
                serial.add(gemm)
                store_results(serial, gemm, params)
                beyond = gemm.y_first + result_words(gemm, params, 0)
                if params.cores == 1 and beyond < params.y_words:  # which no beat without lanes may change
                    serial.store(Buffer.Y, beyond, 1)
                if number % 6 == 5:  # the last images end with the buffer, or a word after it
                    place, size = ("x", params.x_words) if kind == "x" else ("w", params.w_words)
                    at = size - gemm.image_words + int(rng.integers(2))
                    moved = replace(gemm, **{f"{place}_first": at})
                    serial.load(Buffer.X if kind == "x" else Buffer.W, at, random_words(rng, max(1, gemm.image_words)))
                    serial.add(moved)
                    store_results(serial, moved, params)
                    serial.actions += [Read(Reg.ERROR)]
                    serial.write(Reg.ERROR_CLEAR, 0)
            await self.play(serial.take())
            if number % 6 == 1:
                await self.back_pressure({"m": ready_wave(rng, "starved", 60_000)})


@pyuvm.test()
class feeding(BoundedTest):
    """Products that feed passes of both rules: formats of copies, chunks of K, biases, masks, windows; a pass that is
    fed twice, or after other commands; state and copies that end with a buffer or past it; loads and stores beside;
    refusals, whose code is the OPTC's or the product's own; a reset. Config: `products`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        serial = Serial()
        fill(rng, serial, params)
        # A reset during a pass that is fed: nothing is kept after it.
        gemm, opt = random_feed(rng, serial, params)
        await self.play(serial.take())
        for command in (opt, gemm, gemm, gemm):
            serial.add(command)
        await self.start(serial.take())
        await self.cycles_pass(1000)
        await self.reset()
        serial = Serial()
        fill(rng, serial, params)
        serial.add(gemm)
        for buffer in (*STATES, Buffer.Y):
            serial.load(buffer, FREE[buffer], random_words(rng, 60))
        for number in range(self.run_info.config.get("products", 30)):
            serial.write(Reg.SEED, int(rng.integers(1 << 32)))
            chunks = {"m": 5, "k": (2 - number) * params.depth + 9, "reduce_factor": 1} if number < 2 else {}
            gemm, opt = random_feed(rng, serial, params, number % 5 == 4, **chunks)
            if number % 6 == 1:
                opt = replace(opt, state=params.s_words - opt.config.n // 4 + int(rng.integers(2)))
            if number % 6 == 2:
                opt = replace(opt, copies=params.y_words - opt.copy_words + int(rng.integers(2)))
            serial.add(opt)
            if number % 6 == 3:  # what is kept stays
                serial.add(random_pass(rng, serial, 9))
                serial.add(Plan(x=0, w=1, y=2, k=3, slot=9))
                serial.add(random_product(rng, serial, params, **SHORT))
            before = serial.waits()
            serial.add(gemm)
            if number % 6 == 4:  # ports of state that the pass wants, and of Y
                for buffer in (*STATES, Buffer.Y):
                    load = Load(target=buffer, first=FREE[buffer] + 64, count=60, **before)
                    serial.add(load, random_words(rng, 60), waits=False)
                    serial.add(Store(target=buffer, first=FREE[buffer], count=60, **before), waits=False)
            if number % 6 == 5:
                serial.add(gemm)
            if number % 7 == 6:
                for wrong in ({"n": opt.config.n + 1}, {"copy_shift": 32}, {"copy_round": 2}):
                    serial.add(replace(opt, config=replace(opt.config, **wrong)))
                    serial.add(gemm)
                serial.add(opt)
            words = opt.config.n // 4
            for buffer in STATES:
                serial.store(buffer, min(opt.state, params.s_words - words), words)
            serial.store(Buffer.Y, min(opt.copies, params.y_words - opt.copy_words), opt.copy_words)
            serial.actions += [Read(Reg.OPT_STAT + 4 * at) for at in range(8)]
            serial.actions += [Read(address) for address in STATUS_READS]
            serial.write(Reg.ERROR_CLEAR, 0)
            await self.play(serial.take())


@pyuvm.test()
class ports(BoundedTest):
    """Short commands beside long ones, so that a port is wanted for a cycle: single results and parameters beside
    loads, words beside partial sums, gradients and state. Config: `rounds`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        serial.load(Buffer.Y, 13000, random_words(rng, 400))
        for buffer in STATES:
            serial.load(buffer, 3000, random_words(rng, 400))
        small = {"m": 1, "n": 16, "n_x": 1, "n_w": 1, "reduce_factor": 1, "y_bits": 1, "shift": 3, "min_order": 0}
        one = random_product(rng, serial, params, **small, k=4, biases=False, masks=False, write_masks=False)
        long = {**small, "m": 8, "k": 6 * params.depth, "y_bits": 5, "shift": 0, "relu": False, "y_unsigned": False}
        sums = random_product(rng, serial, params, **long, y_first=200)
        for n in (1, 2, 4, 30)[: self.run_info.config.get("rounds")]:
            opts = [random_pass(rng, serial, n, mode) for mode in Mode]
            pairs = ((Buffer.Y, Buffer.Y), (Buffer.SM, Buffer.SM), (Buffer.SW, Buffer.SV), (Buffer.SV, Buffer.SW))
            for into, store in pairs:
                waits = serial.waits()
                words = random_words(rng, 360)
                serial.add(
                    Load(target=into, first=14000 if into == Buffer.Y else 3500, count=360, **waits), words, False
                )
                from_ = 13000 if store == Buffer.Y else 3000
                serial.add(Store(target=store, first=from_, count=360, **waits), waits=False)
                for command in (one, *opts, one):
                    serial.add(replace(command, **{**waits, "wait_compute": serial.done[1] % 256}), waits=False)
        waits = serial.waits()
        serial.add(replace(sums, **waits), waits=False)
        for _ in range(60):
            serial.add(Store(target=Buffer.Y, first=13000, **waits), waits=False)
        await self.play(serial.take())


@pyuvm.test()
class cores(BoundedTest):
    """Several cores: loads that some of them take, products that leave some without a tile, such in which all want Y,
    and one that would feed a pass. Config: `narrow`: products of several chunks have one tile only."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        for buffer in (Buffer.W, Buffer.M):
            for some in range(1, 1 << params.cores):
                serial.load(buffer, FREE[buffer], random_words(rng, 5), some)
        small = {"m": 3, "n_x": 1, "n_w": 1, "reduce_factor": 1, "min_order": 0, "compensate": False}
        raw = {"y_bits": int(YBits.RAW32), "shift": 0, "relu": False, "y_unsigned": False}
        for chunks in (1, 2, 3):
            narrow = chunks > 1 and self.run_info.config.get("narrow", False)
            for n in (5,) if narrow else (5, 16, 16 * params.cores, 16 * params.cores + 5):
                fixed = {**small, **raw, "k": chunks * params.depth, "n": n, "biases": n % 2 == 1}
                gemm = random_product(rng, serial, params, **fixed)
                serial.add(gemm)
                store_results(serial, gemm, params)
            if narrow:
                continue
            many = {**small, "m": 12, "k": chunks * params.depth, "n": 16 * params.cores, "y_bits": 3, "shift": 4}
            gemm = random_product(rng, serial, params, **many)
            serial.add(gemm)
            store_results(serial, gemm, params)
        gemm, opt = random_feed(rng, serial, params, m=1, k=9, n=16)
        serial.add(opt)
        serial.add(gemm)  # several cores: refused
        serial.actions += [Read(Reg.ERROR)]
        await self.play(serial.take())


@pyuvm.test()
class same_draws(BoundedTest):
    """Stochastic rounding belongs to product, row and column: results are those of one core in the model, which knows
    of no order, however many cores there are, with a stream out that is held off and without, in one command and in
    several. Config: `seeds`, how many."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        m, k, n = 14, 9, 4 * LANES + 5
        x, w = (operands(rng, shape, 2, zero=0.3) for shape in ((m, k), (k, n)))
        out = Format(YBits.B8, round=Round.STOCHASTIC, rand_bits=3, shift=6)
        noisy = Product(Operand(x, 2), Operand(w, 2), out, bias=rng.integers(-3000, 3000, n))
        short = replace(noisy, out=replace(out, y_bits=YBits.B4, relu=True, shift=9))
        self.wrong: list[str] = []
        for seed in (0xFFFF_FFF0, self.run_info.seed)[: self.run_info.config.get("seeds")]:
            wanted = await self._results(None, seed, [noisy, short, noisy])
            self._expect("the same product again", not np.array_equal(wanted[0], wanted[2]))
            for style in ("none", "starved"):
                await self.back_pressure({"m": ready_wave(rng, style, 4000)})
                got = await self._results(self.params, seed, [noisy, short, noisy])
                for at, (mine, want) in enumerate(zip(got, wanted, strict=True)):
                    self._expect(f"product {at + 1} of seed {seed:#x}, {style}", np.array_equal(mine, want))
        # In several commands: of half the rows, of all but the first tile.
        whole = (await self._results(None, 5, [noisy]))[0]
        mapper = Mapper(self.params)
        mapper.scheduler = self.scheduler
        program = mapper.program()
        mapper.seed(program, 5)
        half = replace(noisy, x=Operand(x[7:], 2), draw=7)
        tail = replace(noisy, w=Operand(w[:, LANES:], 2), bias=noisy.bias[LANES:], draw=TILE_DRAWS)  # type: ignore[index]
        outcomes = [mapper.product(program, each) for each in (half, tail)]
        answer = await self.play(program.actions)
        self._expect("the lower half", np.array_equal(outcomes[0].result(answer).y, whole[7:]))
        self._expect("all but the first tile", np.array_equal(outcomes[1].result(answer).y, whole[:, LANES:]))

    async def _results(self, params: TopParams | None, seed: int, products: list[Product]) -> list[Any]:
        """Of products after a seed, on the device; without `params` on the model of one core."""
        mapper = Mapper(params or TopParams())
        if params is not None:
            mapper.scheduler = self.scheduler = getattr(self, "scheduler", mapper.scheduler)
        program = mapper.program()
        # Words of a core that has fewer tiles than another are x on Icarus otherwise.
        program.load(Buffer.Y, 0, np.zeros((512, 16), np.uint8))
        mapper.seed(program, seed)
        outcomes = [mapper.product(program, each) for each in products]
        answer = (
            ModelBackend(Processor(TopParams())).run(program.actions)
            if params is None
            else await self.play(program.actions)
        )
        return [each.result(answer).y for each in outcomes]

    def _expect(self, what: str, good: bool) -> None:
        if not good:
            self.wrong.append(what)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        for what in self.wrong:
            verdict.diverge("store", self.cycles, what, "another", "that of one core in the model")


@pyuvm.test()
class in_step(BoundedTest):
    """Commands of several engines that start, end and fail in the same cycle; waits for far earlier commands; long
    waits; interrupts. Config: `rounds`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        serial.load(Buffer.Y, 0, random_words(rng, 4))
        serial.load(Buffer.X, 0, random_words(rng, 4))
        serial.load(Buffer.W, 0, random_words(rng, 4))
        serial.write(Reg.IRQ_ENABLE, 15)
        load, store = Load(target=Buffer.X, first=7000, count=2), Store(target=Buffer.Y, count=2)
        bad_load, bad_store, bad = Load(target=Buffer.X, count=0), Store(target=Buffer.Y, count=0), Unknown(code=0)
        groups = (
            (load, bad), (load, store), (bad, store), (load, bad, store),
            (bad_load, bad), (bad_load, bad_store), (bad, bad_store), (bad_load, bad, bad_store),
        )  # fmt: skip
        for at, group in enumerate(groups):
            in_one_cycle(serial, *group)
            serial.actions += [Read(Reg.ERROR), Read(Reg.IRQ_STATUS)]
            serial.write(Reg.IRQ_ENABLE, 15 ^ 1 << at % 4)
            serial.write(Reg.IRQ_STATUS, (5, 10, 15, 0)[at % 4])
            serial.actions += [Read(Reg.IRQ_STATUS), Read(Reg.IRQ_ENABLE)]
            if at % 3 != 2:
                serial.write(Reg.ERROR_CLEAR, 0)
                serial.actions.append(Read(Reg.ERROR))
        # A third engine that waits for two commands that are done in one cycle.
        for two, third in (((bad_load, bad), store), ((bad_load, bad_store), bad), ((bad, bad_store), load)):
            in_one_cycle(serial, *two)
            stream = random_words(rng, 2) if third is load else None
            waits = serial.waits()
            serial.add(replace(third, **waits), stream, waits=False)
        await self.play(serial.take())
        # Every engine waits for every other one, long; and for a counter that is far ahead.
        for _ in range(self.run_info.config.get("rounds", 70)):
            for command in (load, bad, store):
                serial.add(command, random_words(rng, 2) if command is load else None)
        waits = serial.waits(70)
        for command in (load, bad, store):
            stream = random_words(rng, 2) if command is load else None
            serial.add(replace(command, **waits), stream, waits=False)
        serial.actions += [Read(address) for address in STATUS_READS]
        await self.play(serial.take())
        # After a product that takes a thousand cycles.
        fill(rng, serial, params)
        gemm = random_product(rng, serial, params, m=40, k=100, n=16, n_x=2, n_w=2, reduce_factor=1, min_order=0)
        for order in ((store, load, bad), (load, bad, store)):
            serial.add(gemm)
            behind = serial.done[1] % 256
            for command in order:
                stream = random_words(rng, 2) if command is load else None
                serial.add(replace(command, wait_compute=behind), stream, waits=False)
        await self.play(serial.take())


@pyuvm.test()
class any_words(BoundedTest):
    """Commands of random words, those refused that do nothing; bits that mean nothing set in good ones; every slot of
    the plan table, a host's updates of any numbers. Config: `commands`, `slots`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        for _ in range(self.run_info.config.get("commands", 250)):
            operation = int(rng.choice([0, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5, 6, 9, 15]))
            issue = random_issue(rng, serial, params, operation)
            if issue is not None:
                serial.issue(issue)
        # Good ones.
        good: list[tuple[Any, Any]] = [
            (Load(target=Buffer.Y, first=13000, count=3), random_words(rng, 3)),
            (Store(target=Buffer.Y, first=13000, count=3), None),
            (random_pass(rng, serial, 3), None),
            (random_product(rng, serial, params, k=20, m=3, reduce_factor=1), None),
            (Plan(x=1, w=2, y=3, k=4), None),
        ]
        for _ in range(12):
            for command, stream in good:
                command = replace(command, **serial.waits())
                spare = int.from_bytes(rng.bytes(64), "little")
                words = [spare >> 32 * at & 0xFFFF_FFFF for at in range(CMD_WORDS)]
                words[0] = words[0] & ~0xF | int(command.operation)
                mine = sum(word << 32 * at for at, word in enumerate(command_of(words).words()))
                whole = sum(word << 32 * at for at, word in enumerate(words))
                serial.issue(Issue(command, stream, serial.number % 256, whole & ~mine))
        await self.play(serial.take())
        slots = range(self.run_info.config.get("slots", 32))
        lengths = [(*rng.integers(10, 64, 2).tolist(), int(rng.integers(-64, 0))) for _ in slots]
        for turn in range(3):  # every bit of a plan both ways
            for slot, fls in zip(slots, lengths, strict=True):
                for cls, fl in enumerate(fls):
                    entry = Entry(-1 - fl, 3) if turn == 1 else Entry(fl, 4)
                    serial.actions += entry_writes(slot % 16, cls, entry)
                x, w, y = (4 * (slot % 16) + cls for cls in range(3))
                serial.add(Plan(x=x, w=w, y=y, k=(5, 65535, 9)[turn], slot=slot))
                serial.actions += [Read(Reg.PLAN + 16 * slot + 4 * word) for word in range(3)]
        for _ in range(self.run_info.config.get("slots", 60)):
            values, overflow, zeros = sorted((int(n) for n in rng.integers(0, 1 << 32, 3)), reverse=True)
            mean = int(rng.integers(0, 1 << 15))
            total = (values - zeros) * mean
            words = (values, overflow, zeros, total & 0xFFFF_FFFF, total >> 32, int(rng.integers(16, 49)))
            entry = int(rng.integers(256)), int(rng.integers(4))
            host_update(serial, *entry, words)
            serial.actions.append(Read(Reg.UPD_ANSWER))
            numbers = dict(zip(("values", "overflow", "zeros", "sum_low", "sum_high", "max_bit"), words, strict=True))
            serial.add(Update(**numbers, y=4 * entry[0] + entry[1]))
            at = Reg.LAPS + 8 * (4 * (entry[0] % 16) + entry[1])
            serial.actions += [Read(Reg.UPD_ANSWER), Read(at), Read(at + 4)]
        await self.play(serial.take())


@pyuvm.test()
class updates(BoundedTest):
    """A host's updates of LAPS around those of products, to the cycle; both refused too; plans of every outcome.
    Config: `around`: cycles before and after that are tried, every `step`-th."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        fixed = {"m": 1, "k": 4, "n": 4, "n_x": 1, "n_w": 1, "reduce_factor": 1, "y_bits": 1, "shift": 2}
        gemm = random_product(
            rng, serial, params, **fixed, masks=False, biases=False, write_masks=False, update=True, y=4 * 2 + 1,
            min_order=0,
        )  # fmt: skip
        host_update(serial, 1, 0)
        serial.add(gemm)
        await self.play(serial.take())
        span = self._cycles_of_last()
        around, step = (self.run_info.config.get(name, n) for name, n in (("around", 16), ("step", 1)))
        for gap in range(max(0, span - around), span + around, step):
            serial.add(gemm)
            serial.actions.append(Write(Reg.UPD_PUSH, 1, at_once=True, gap=gap))
        for gap in range(0, around, step):
            serial.add(TOLD)
            serial.actions.append(Write(Reg.UPD_PUSH, 1, at_once=True, gap=gap))
        serial.actions += [Read(Reg.LAPS + 8 * 9), Read(Reg.LAPS + 8 * 4)]
        each = (gemm, random_pass(rng, serial, 9), Plan(x=0, w=1, y=2, k=3, slot=7), TOLD, Unknown(code=0))
        for at in every_pair(len(each)):
            serial.add(each[at])
        serial.store(RECORDS, 0, RECORD_WORDS)
        # Refused: a layer that is not there, statistics that cannot be.
        host_update(serial, params.layers, 0)
        host_update(serial, 1, 0, (10, 11, 0, 0, 0, 9))
        serial.actions.append(Read(Reg.UPD_ANSWER))
        serial.write(Reg.IRQ_ENABLE, 0)
        await self.play(serial.take())
        for slot in (0, 5, 31):
            serial.add(
                replace(gemm, update=False, planned=True, slot=slot, y_bits=4, shift=0, y_unsigned=False, relu=False)
            )
        for at, (slot, n_x, n_w, n_y, fls, uses) in enumerate((
            (0, 4, 4, 4, (10, 10, 0), 0), (5, 1, 1, 1, (1, 1, 0), 1), (31, 2, 2, 2, (8, 8, 0), 2),
            (0, 3, 3, 3, (12, 12, 0), 2), (5, 2, 3, 1, (0, 0, 5), 1), (31, 4, 2, 2, (60, 60, -5), 2),
            (7, 3, 1, 4, (2, 3, 4), 1),
        )):  # fmt: skip
            for cls, (n, fl) in enumerate(zip((n_x, n_w, n_y), fls, strict=True)):
                serial.actions += entry_writes(3, cls, Entry(fl, n, False))
            serial.add(Plan(x=12, w=13, y=14, k=4, slot=slot))
            serial.actions += [Read(Reg.PLAN + 16 * slot + 4 * word) for word in range(4)]
            for raw in range(uses):
                planned = replace(
                    gemm, planned=True, slot=slot, update=bool(at % 2), y_bits=5 if raw else 1, shift=0,
                    relu=False, y_unsigned=False, k=(4, 200, 300)[max(0, at - 4)], x_unsigned=False,
                    w_unsigned=False,
                )  # fmt: skip
                supply(rng, serial, params, replace(planned, n_x=4, n_w=4))
                serial.add(planned)
        serial.add(replace(gemm, planned=True, slot=9))
        await self.play(serial.take())

    def _cycles_of_last(self) -> int:
        """Cycles from the push of the last command to its end."""
        folder = self.run_info.run_dir
        axil, ends = np.fromfile(folder / "axil.bin", AXIL_DTYPE), np.fromfile(folder / "cmd.bin", CMD_DTYPE)
        return int(ends["cycle"][-1]) - int(axil["cycle"][axil["address"] == Reg.PUSH][-1])


@pyuvm.test()
class resets(BoundedTest):
    """Resets while given engines work, alone and together, with and without commands that wait. Config: `cases`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        params = self.params
        cases = ("", "L", "G", "O", "S", "LG", "LS", "GS", "LOS", "LGSq", "K", "Kq")[
            : self.run_info.config.get("cases")
        ]
        for case in cases:
            serial = Serial()
            serial.load(Buffer.Y, 13000, np.zeros((700, 16), np.uint8))
            fixed = {"m": 60, "k": 200, "n": 40, "n_x": 2, "n_w": 2, "reduce_factor": 1, "min_order": 0}
            gemm = random_product(rng, serial, params, **fixed, masks=False, biases=False)
            opt = random_pass(rng, serial, 1600)
            # Eight chunks, each of some hundred cycles.
            chunked = random_product(
                rng, serial, params, **{**fixed, "m": 8, "k": 8 * params.depth, "n": 16}, masks=False, biases=False
            )
            commands: dict[str, tuple[Any, Any]] = {
                "G": (gemm, None), "K": (chunked, None), "O": (opt, None),
                "S": (Store(target=Buffer.Y, first=13000, count=700), None),
                "L": (Load(target=Buffer.X, first=7000, count=700), np.zeros((600, 16), np.uint8)),
            }  # fmt: skip
            await self.play(serial.take())
            for letter in case.replace("q", ""):
                serial.add(commands[letter][0], commands[letter][1], waits=False)
            if "q" in case:
                for _ in range(2):
                    serial.add(commands[case[0]][0], commands[case[0]][1], waits=False)
            await self.start(serial.take())
            await self.cycles_pass(900 if "K" in case else 400)
            await self.reset()
        serial = Serial()
        fill(rng, serial, params)
        gemm = random_product(rng, serial, params, m=4, k=20, n=40, n_x=2, n_w=3, reduce_factor=1)
        serial.add(gemm)
        store_results(serial, gemm, params)
        await self.play(serial.take())


@pyuvm.test()
class training(TopTest):
    """A segment of a real training of a digits network, every product and every update done by the processor. Config:
    `plan` (fields of training.Plan), `first` and `stop` (iterations, 0 and 2), `checkpoint_in`, `checkpoint_out`,
    `evaluate` (accuracy on the test images after it), `progress` (a file that gets a line an iteration), `capture`
    (folder that gets the products of iteration `capture_at`), `spoil` (iteration whose first word that left is
    falsified before it is checked), `lose` (batch whose stored words the host does not get): such runs must fail."""

    END = 1 << 32  # of an iteration that was not over: after every cycle
    STREAMED = True

    async def drive(self, work: Batches) -> Any:
        """Runs a trainer's generator on the RTL; what it returns."""
        answer = None
        while True:
            try:
                actions = work.send(answer)  # type: ignore[arg-type]
            except StopIteration as end:
                return end.value
            answer = await self.play(actions)
            self.played += 1
            if self.played == self.run_info.config.get("lose"):
                answer.stored = []

    async def body(self) -> None:
        """A host that stumbles over an answer stops; the verdict then says where the processor went wrong."""
        self.failure, self.played = "", 0
        self.spans = list[Span]()
        self.under_way: tuple[int, int, Any] | None = None  # iteration, cycle at which it began, trainer
        try:
            await self.train()
        except Exception as error:
            traceback.print_exc()
            self.failure = f"{type(error).__name__}: {error}"
            if self.under_way is not None:
                iteration, begin, trainer = self.under_way
                self.spans.append(Span(iteration, begin, self.END, tuple(trainer.products)))

    async def train(self) -> None:
        """The segment."""
        config = self.run_info.config
        plan = TrainPlan(**{"seed": self.run_info.seed, **config.get("plan", {})})
        first, stop = config.get("first", 0), config.get("stop", 2)
        self.plan, self.first = plan, first
        data = plan.load()
        if config.get("checkpoint_in"):
            trainer = load_checkpoint(Path(config["checkpoint_in"]))
            await self.drive(trainer.resume(segment_seed(plan, first)))
        else:
            trainer = plan.trainer(self.params, len(data.train_labels))
            await self.drive(trainer.start(segment_seed(plan, first)))
        start = int(self.dut.cycle_o.value)
        marks = [self._commands()]
        steps, done = [], []
        for iteration in range(first, stop):
            chosen = batch_of(plan, iteration, len(data.train_labels))
            begin = int(self.dut.cycle_o.value)
            self.under_way = iteration, begin, trainer
            step = await self.drive(trainer.iteration(data.train_pixels[chosen], data.train_labels[chosen]))
            steps.append(step_record(step, trainer))
            done.append(step)
            end = int(self.dut.cycle_o.value)
            self.spans.append(Span(iteration, begin, end, step.products, tuple(trainer.gemm_commands)))
            self.under_way = None
            if config.get("capture") and iteration == config["capture_at"]:
                self._capture(Path(config["capture"]), self.spans[-1])
            if config.get("progress"):
                with Path(config["progress"]).open("a", encoding="utf-8") as file:
                    print(json.dumps({"iteration": iteration, "loss": step.loss}), file=file)
        if plan.net not in PLANNED:  # the testplan speaks of the digits
            self.minimum = least_checks(done)
        self.marks = (*marks, self._commands())
        record: dict[str, Any] = {
            "first": first, "stop": stop, "train_cycles": int(self.dut.cycle_o.value) - start, "steps": steps,
            "counters": counter_record(await self.read_counters_now() or []),
        }  # fmt: skip
        if config.get("evaluate"):
            logits = []
            for at in range(0, len(data.test_labels), TEST_BATCH):
                logits.append(await self.drive(trainer.logits(data.test_pixels[at : at + TEST_BATCH])))
            record["accuracy"] = float((np.concatenate(logits).argmax(axis=1) == data.test_labels).mean())
        if config.get("checkpoint_out"):
            await self.drive(trainer.suspend())
            self.suspended = trainer, Path(config["checkpoint_out"])
        record["totals"] = totals(trainer)
        self.report["segment"] = record

    def _commands(self) -> int:
        """Commands so far."""
        return sum(isinstance(action, Issue) for action in self.batches[-1])

    def _capture(self, folder: Path, span: Span) -> list[dict[str, str]]:
        info, seed = self.run_info, segment_seed(self.plan, self.first)
        return save_captures(folder, self.plan, span, seed, info.params, info.sim)

    def _spoil(self, iteration: int) -> None:
        """Falsifies the trace of the first word that left in an iteration."""
        path = self.run_info.run_dir / "m.bin"
        words = np.fromfile(path, M_DTYPE)
        span = next(each for each in self.spans if each.iteration == iteration)
        words["data"][np.searchsorted(words["cycle"], span.begin), 0] ^= 1
        words.tofile(path)

    def told(self) -> dict[str, Any]:
        if "spoil" in self.run_info.config:
            self._spoil(self.run_info.config["spoil"])
        return super().told()

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if self.failure and verdict.first is None:
            verdict.diverge("host", self.cycles, "training", self.failure, "an answer that the host can take")
        if verdict.first is not None:
            span = span_at(self.spans, verdict.first.cycle)
            self.report["captures"] = self._capture(self.run_info.run_dir / "captures", span) if span else []
        if self.failure:
            return
        if verdict.first is None:
            before, after = self.env.scoreboard.marked
            counts = after.since(before)
            counts.issues = self.report["segment"]["counters"]["issues"]  # there are none before the first iteration
            self.report["segment"]["energy_counts"] = asdict(counts)
            self.report["segment"]["words"] = words_of(counts)
            self.report["segment"]["phases"] = cycles_by_phase(self.env.scoreboard.run, self.spans)
        if verdict.first is None and hasattr(self, "suspended"):
            trainer, path = self.suspended
            save_checkpoint(path, trainer)


@pyuvm.test()
class limits(BoundedTest):
    """Addresses at their limits: the last word of a buffer and the first after it, by first words, steps between
    cores and lengths; and so far away that a narrower sum would wrap into the buffer. Config: `every`: takes every
    n-th product and pass."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        cores = params.cores
        fixed = {"m": 3, "n_x": 1, "n_w": 1, "reduce_factor": 1, "min_order": 0, "compensate": False, "masks": False}
        raw = {"y_bits": int(YBits.RAW32), "shift": 0, "relu": False, "y_unsigned": False}
        one = random_product(rng, serial, params, **fixed, **raw, k=8, n=16 * cores, biases=False, write_masks=True)
        two = random_product(rng, serial, params, **fixed, **raw, k=2 * params.depth, n=16 * cores, write_masks=False)
        every = self.run_info.config.get("every", 1)
        # Of the last core's results, masks and partial sums the last word is the buffer's last, or the first after it.
        changed: list[Command] = []
        for name, words, size, base in (
            ("y", 4 * one.m, params.y_words, one), ("a", 1, params.a_words, one),
            ("psum", 8 * two.m, params.y_words, two),
        ):  # fmt: skip
            for over in (0, 1):
                place = size - words + over
                step = place // max(1, cores - 1)
                changed.append(
                    replace(base, **{f"{name}_first": place - (cores - 1) * step, f"{name}_step": step})
                    if cores > 1
                    else replace(base, **{f"{name}_first": place})
                )
            # Products of steps and cores beyond 16 bits, and sums beyond 17.
            changed += [
                replace(base, **{f"{name}_first": first, f"{name}_step": step})
                for first, step in ((2, 32768), (0, 21846), (65535, 65535), (2, 43691), (65535, 1), (32768, 32768))
            ]
        # Passes whose last word is the last of the state, of the gradients, of the copies, and one parameter more.
        for buffer in STATES:
            serial.load(buffer, 0, random_words(rng, 4))
            serial.load(buffer, params.s_words - 3, random_words(rng, 3))
        serial.load(Buffer.Y, params.y_words - 3, random_words(rng, 3))
        for name, words, size in (
            ("state", 3, params.s_words), ("gradients", 3, params.y_words), ("copies", 6, params.y_words),
            ("copies", 12, params.y_words), ("copies", 24, params.y_words),
        ):  # fmt: skip
            for place in (size - 3, 65535):
                for n in (4 * words, 4 * words + 1):
                    opt = random_pass(rng, serial, n)
                    bits = {6: 3, 12: 1, 24: 0}.get(words, opt.config.copy_format)
                    changed.append(replace(opt, **{name: place}, config=replace(opt.config, copy_format=bits)))
        for command in changed[::every]:
            serial.add(command)
            # What a wrong address would have changed: the begin of Y and A, the state's; how the command ended.
            serial.store(Buffer.Y, 0, 64)
            serial.store(Buffer.A, 0, 2)
            if isinstance(command, Opt):
                serial.store(Buffer.SW, 0, 4)
            serial.actions += [Read(Reg.ERROR)]
            serial.write(Reg.ERROR_CLEAR, 0)
        await self.play(serial.take())


@pyuvm.test()
class far(TopTest):
    """Operands and results so long that a narrower address or number would begin anew: from word 131,072 of vectors,
    tiles and partial sums on, from result 65,536 on. The largest M, N and K: as many jobs, tiles and chunks as there
    can be."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        small = {
            "n_x": 1, "n_w": 1, "min_order": 0, "compensate": False, "masks": False, "biases": False,
            "write_masks": False, "y_bits": 0,
        }  # fmt: skip
        x = {"m": 514, "k": 1024, "reduce_factor": 8, "n_x": 4, "x_first": 65535}
        w = {"k": 1024, "n": 16 * 34 * params.cores, "reduce_factor": 8, "n_w": 4, "w_first": 65535}
        psum = {"m": 8194, "k": 2 * params.depth, "psum_first": 65535}
        results = {"m": 8192, "n": 16 * 9 * params.cores}
        jobs = {"m": 16383, "k": 1, "n": 16 * params.cores}
        tiles = {"m": 1, "k": 1, "n": 65535, "biases": True, "bias_first": 65535}
        chunks = {"m": 1, "k": 65535, "n": 16 * params.cores, "reduce_factor": 8, "y_bits": int(YBits.RAW32)}
        # The words of results at the limit: those of jobs 512, 32, 8192, 65,536, 16,382, 4095 and 0 of core 0.
        for fields, first in ((x, 256), (w, 0), (psum, 4096), (results, 0), (jobs, 8160), (tiles, 2016), (chunks, 0)):
            gemm = Gemm(**{**small, **fields})
            supply(rng, serial, params, replace(gemm, x_first=0, w_first=0, m=20, n=16 * params.cores))
            serial.add(gemm)
            serial.store(Buffer.Y, first, 32)
            serial.actions += [Read(Reg.ERROR)]
            serial.write(Reg.ERROR_CLEAR, 0)
            await self.play(serial.take())


@pyuvm.test()
class far_windows(TopTest):
    """Windows as far as fields allow: K and N far beyond a window's values, positions of images beyond every buffer."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial, params = Serial(), self.params
        fill(rng, serial, params)
        plain = {**PLAIN_WINDOWS, "y_bits": int(YBits.RAW32), "reduce_factor": 8, "n_w": 1}
        small = {**plain, "channels": 1, "columns": 5, "rows": 5, "kernel_rows": 2, "kernel_columns": 2, "pad_rows": 0,
                 "pad_columns": 0}  # fmt: skip
        far = {**plain, "channels": 112, "columns": 255, "rows": 255, "kernel_rows": 1, "kernel_columns": 1,
               "pad_rows": 0, "pad_columns": 0, "stride": 15}  # fmt: skip
        long = {**small, "x_windows": True, "n_x": 4, "m": 2, "k": 65535, "n": 16 * params.cores}
        jobs = {**far, "x_windows": True, "m": 16383, "k": 1, "n": 16 * params.cores, "y_bits": int(YBits.B4)}
        wide = {**small, "w_windows": True, "n_w": 4, "m": 1, "k": 2, "n": 65535}
        for fields in (long, jobs, wide)[: 3 if params.cores == 1 else 2]:
            gemm = Gemm(**fields)
            serial.known.clear()
            near = {"m": min(gemm.m, 20), "k": min(gemm.k, 2000), "n": min(gemm.n, 16 * params.cores)}
            supply(rng, serial, params, replace(gemm, x_windows=False, w_windows=False, **near))
            serial.add(gemm)
            serial.store(Buffer.Y, 0, 32)
            serial.actions += [Read(Reg.ERROR)]
            serial.write(Reg.ERROR_CLEAR, 0)
            await self.play(serial.take())


@pyuvm.test()
class padding(BoundedTest):
    """Padding lanes of the last tile that hold 0, anything, and anything behind masks: at 4 bits with an odd M, where
    tiles begin in the middle of a word, by the definition of a product; and with compensation, where they matter.
    Config: `kinds`: how many of both."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        serial = Serial()
        fill(rng, serial, params)
        await self.play(serial.take())
        self.wrong: list[tuple[str, str, str]] = []
        m, k, live = 3, 30, 5
        tiles = 2 * params.cores + 1  # the last one is core 0's
        base = Gemm(m=m, k=k, n=LANES * (tiles - 1) + live, y_step=1500, a_step=64, biases=True, bias_first=7000,
                    write_masks=True)  # fmt: skip
        x = operands(rng, (m, k), 2, zero=0.2)
        w = operands(rng, (k, base.n), 2, zero=0.2)
        w[:, -live:] = rng.integers(-7, 8, (k, live))  # the upper slice is 0: only padding lanes want it
        bias = rng.integers(-3000, 3000, base.n)
        kinds = {
            "results of 4 bits": replace(base, y_bits=int(YBits.B4), shift=11),
            "compensated sums": replace(base, y_bits=int(YBits.RAW32), min_order=1, compensate=True),
        }
        for kind, gemm in list(kinds.items())[: self.run_info.config.get("kinds")]:
            seen = {}
            for fill_with in ("zeros", "anything", "anything behind masks"):
                seen[fill_with] = await self._product(
                    rng, serial, replace(gemm, masks="masks" in fill_with), x, w, bias, fill_with != "zeros"
                )
            (zeros, issues), (garbage, more), (masked, same) = seen.values()
            self._expect(f"{kind}: padding behind masks", np.array_equal(masked, zeros) and same == issues)
            self._expect(f"{kind}: issues with anything in padding lanes", more > issues)
            self._expect(f"{kind}: padding lanes", not garbage[:, base.n :].any() and not zeros[:, base.n :].any())
            if gemm.compensate:
                self._expect(f"{kind}: live lanes of the last tile", not np.array_equal(garbage, zeros))
                self._expect(f"{kind}: other tiles", np.array_equal(garbage[:, :-LANES], zeros[:, :-LANES]))
            else:
                low, high = operand_range(4)
                want = np.rint((x @ w + bias) / 2**gemm.shift).clip(low, high)
                self._expect(f"{kind}: the product", np.array_equal(zeros[:, : base.n], want))
                self._expect(f"{kind}: anything in padding lanes", np.array_equal(garbage, zeros))

    def _expect(self, what: str, good: bool) -> None:
        if not good:
            self.wrong.append((what, "another", "as the page says"))

    async def _product(
        self, rng: np.random.Generator, serial: Serial, gemm: Gemm, x: Any, w: Any, bias: Any, anything: bool
    ) -> tuple[Any, int]:
        """Results (M, 16 tiles), and issues of core 0. With `anything` padding lanes have values and biases."""
        params = self.params
        desc, _ = gemm.descriptors(params, 0)
        extra = LANES * gemm.tiles - gemm.n
        wide, offsets = np.pad(w, ((0, 0), (0, extra))), np.pad(bias, (0, extra))
        if anything:
            wide[:, gemm.n :] = rng.integers(*operand_range(8), (gemm.k, extra))
            offsets[gemm.n :] = rng.integers(-(1 << 31), 1 << 31, extra)
        dead = np.arange(LANES * gemm.tiles) >= gemm.n
        serial.load(Buffer.X, 0, pack_jobs(desc, x).reshape(-1, 16))
        for core in range(params.cores):
            mine = [slice(LANES * tile, LANES * tile + LANES) for tile in gemm.tiles_of(core, params.cores)]
            serial.load(
                Buffer.W, 0, np.concatenate([pack_tile(desc, params.core, wide[:, at]) for at in mine]), 1 << core
            )
            words = np.concatenate([offsets[at] for at in mine]).astype("<i4").view(np.uint8)
            serial.load(Buffer.W, gemm.bias_first, words.reshape(-1, 16), 1 << core)
            masks = mask_bytes(np.repeat([dead[at] for at in mine], gemm.m, axis=0))
            serial.load(Buffer.M, 0, np.pad(masks, (0, -len(masks) % 16)).reshape(-1, 16), 1 << core)
        await self.play(serial.take())
        before = await self._issues()
        serial.add(gemm)
        store_results(serial, gemm, params)
        stored = (await self.play(serial.take())).stored
        y = np.zeros((gemm.m, LANES * gemm.tiles), np.int64)
        for core, (words, kept) in enumerate(zip(stored[::2], stored[1::2], strict=True)):
            # Jobs one after the other, whatever tile they belong to.
            jobs = len(gemm.tiles_of(core, params.cores)) * gemm.m
            raw = words.reshape(-1)
            if gemm.y_bits == YBits.B4:
                nibbles = np.stack([raw & 15, raw >> 4], axis=-1).reshape(-1, LANES)[:jobs].astype(np.int64)
                lanes = nibbles - 16 * (nibbles > 7)
            else:
                lanes = raw.view("<i4").reshape(-1, LANES)[:jobs].astype(np.int64)
            for at, tile in enumerate(gemm.tiles_of(core, params.cores)):
                here, own = slice(LANES * tile, LANES * tile + LANES), slice(gemm.m * at, gemm.m * (at + 1))
                y[:, here] = lanes[own]
                off = mask_bits(kept, jobs)[own]
                self._expect(f"masks of tile {tile}", np.array_equal(off, np.tile(dead[here], (gemm.m, 1))))
        return y, await self._issues() - before

    async def _issues(self) -> int:
        """Of core 0 so far."""
        counters = await self.read_counters_now()
        return int(counters[0][0][0][:, CoreRow.ISSUES].sum()) if counters else -1

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        for what, observed, expected in self.wrong:
            verdict.diverge("store", self.cycles, what, observed, expected)


@pyuvm.test()
class abuse(AbuseTest):
    """Random programs of a host that keeps no rules. Config: `mix` of items, `programs`; `program`: a file."""


@pyuvm.test()
class abuse_kept(AbuseTest):
    """Programs that failed once."""

    async def abuse(self) -> None:
        for path in sorted(KEPT.glob("*.txt")):
            await self.kept(path.stem, read_program(path))
