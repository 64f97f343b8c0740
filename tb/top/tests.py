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

from models.ioss.config import RowCounter as CoreRow
from models.laps.config import Entry
from models.ran.config import YBits
from models.top.config import (
    Buffer,
    Gemm,
    Issue,
    Load,
    Opt,
    Plan,
    Read,
    Reg,
    Store,
    Unknown,
)
from models.train.digits import load_digits
from models.train.on_processor import Batches
from tb.common.scoreboard import Verdict
from tb.common.waves import ready_wave
from tb.optc.sequences import PLAIN
from tb.top.env import TopTest
from tb.top.sequences import (
    Serial,
    entry_writes,
    fill,
    random_pass,
    random_product,
    random_words,
    store_results,
    together,
)
from tb.top.trace import M_DTYPE
from tb.top.training import (
    TEST_BATCH,
    Span,
    batch_of,
    counter_record,
    cycles_by_phase,
    load_checkpoint,
    save_captures,
    save_checkpoint,
    segment_seed,
    span_at,
    step_record,
    totals,
)
from tb.top.training import (
    Plan as TrainPlan,
)

STATUS_READS = (*range(Reg.STAT, Reg.STAT + 24, 4), Reg.ERROR, Reg.DONE, Reg.IRQ_STATUS)


class BoundedTest(TopTest):
    """The longest batch of these tests takes 25,000 cycles."""

    BOUND = 200_000


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
    """Random products of every format, in chunks of K too, with biases, masks and seeds. Config: `rounds`, `products`
    of each."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial = Serial()
        for _ in range(self.run_info.config.get("rounds", 3)):
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
            await self.play(serial.take(), int(rng.integers(3)))


@pyuvm.test()
class passes(BoundedTest):
    """Optimiser passes of both rules: random configurations and states, state, copies and records. Config: `passes`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        serial = Serial()
        for _ in range(self.run_info.config.get("passes", 16)):
            n = int(rng.integers(1, 200))
            serial.write(Reg.SEED, int(rng.integers(1 << 32)))
            opt = random_pass(rng, serial, n)
            serial.add(opt)
            beats = -(-n // 4)
            for buffer in (Buffer.SW, Buffer.SM, Buffer.SV):
                serial.store(buffer, opt.state, beats)
            serial.store(Buffer.Y, opt.copies, -(-beats // 2))
            serial.actions += [Read(Reg.OPT_STAT + 4 * at) for at in range(8)]
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
        rng = self.run_info.rng()
        serial = Serial()
        fill(rng, serial, self.params)
        good = random_product(rng, serial, self.params, m=3, n=20, k=30, reduce_factor=1)
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
        for target in (0, 1, 2, 8, 12):
            serial.add(Store(target=target, count=1))
        serial.add(Store(target=Buffer.Y, count=0))
        for buffer in (Buffer.Y, Buffer.A, Buffer.SW):
            serial.store(buffer, params.words_of(buffer), 2)
            if buffer != Buffer.A:  # the last word alone is outside
                serial.store(buffer, params.words_of(buffer) - 1, 2)
        serial.add(Store(target=Buffer.SV, first=65535, count=3))
        for code in (0, 6, 9, 15):
            serial.add(Unknown(code=code))
        serial.add(replace(good, target=3))
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
            {"update": True, "y": 4 * params.layers, "y_bits": 1, "shift": 3},
            {"update": True, "y": 4 * params.layers, "y_bits": 1, "shift": 3, "y_first": params.y_words - 1},
            {"update": True, "y_bits": 5, "shift": 0, "relu": False, "y_unsigned": False},
        )  # fmt: skip
        for change in changes[:: self.run_info.config.get("changes", 1)]:
            serial.add(replace(good, **change))
            serial.add(good)
            store_results(serial, good, params)
            serial.actions += [Read(Reg.ERROR), Read(Reg.IRQ_STATUS)]
            serial.write(Reg.ERROR_CLEAR, 0)
            serial.write(Reg.IRQ_STATUS, 15)
        serial.add(Plan(x=4 * params.layers, k=3, slot=9))
        serial.add(Plan(k=0, slot=9))
        serial.actions += [Read(Reg.ERROR), Read(Reg.PLAN + 16 * 9)]
        # A shift below 0, and one of 64 and more.
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
        opt = random_pass(rng, serial, 9)
        for change in ({"n": 0}, {"fl_w": 64}, {"clip": 0}):
            serial.add(
                Opt(
                    state=opt.state,
                    gradients=opt.gradients,
                    copies=opt.copies,
                    config=replace(PLAIN, n=9, **change) if "n" not in change else replace(PLAIN, n=0),
                )
            )
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
        serial.actions += [Read(address) for address in STATUS_READS]
        await self.play(serial.take())


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
            # A round: a load, a store behind it, a refused command behind the store, in any order of pushing.
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
class training(TopTest):
    """A segment of a real training of a digits network, every product and every update done by the processor. Config:
    `plan` (fields of training.Plan), `first` and `stop` (iterations, 0 and 2), `checkpoint_in`, `checkpoint_out`,
    `evaluate` (accuracy on the test images behind it), `progress` (a file that gets a line an iteration), `capture`
    (folder that gets the products of iteration `capture_at`), `spoil` (iteration whose first word that left is
    falsified before it is checked), `lose` (batch whose stored words the host does not get): such runs must fail."""

    END = 1 << 32  # of an iteration that was not over: behind every cycle

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
        data = load_digits(plan.seed)
        if config.get("checkpoint_in"):
            trainer = load_checkpoint(Path(config["checkpoint_in"]))
            await self.drive(trainer.resume(segment_seed(plan, first)))
        else:
            trainer = plan.trainer(self.params)
            await self.drive(trainer.start(segment_seed(plan, first)))
        start = int(self.dut.cycle_o.value)
        steps = []
        for iteration in range(first, stop):
            chosen = batch_of(plan, iteration, len(data.train_labels))
            begin = int(self.dut.cycle_o.value)
            self.under_way = iteration, begin, trainer
            step = await self.drive(trainer.iteration(data.train_pixels[chosen], data.train_labels[chosen]))
            steps.append(step_record(step, trainer))
            end = int(self.dut.cycle_o.value)
            self.spans.append(Span(iteration, begin, end, step.products, tuple(trainer.gemm_commands)))
            self.under_way = None
            if config.get("capture") and iteration == config["capture_at"]:
                self._capture(Path(config["capture"]), self.spans[-1])
            if config.get("progress"):
                with Path(config["progress"]).open("a") as file:
                    print(json.dumps({"iteration": iteration, "loss": step.loss}), file=file)
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

    def judge(self, cycles: int) -> Verdict:
        if "spoil" in self.run_info.config:
            self._spoil(self.run_info.config["spoil"])
        verdict = super().judge(cycles)
        if self.failure and verdict.first is None:
            verdict.diverge("host", cycles, "training", self.failure, "an answer that the host can take")
        if verdict.first is not None:
            span = span_at(self.spans, verdict.first.cycle)
            self.report["captures"] = self._capture(self.run_info.run_dir / "captures", span) if span else []
        if self.failure:
            return verdict
        counts = self.env.scoreboard.meter.counts
        counts.issues = sum(int(core[0][:, CoreRow.ISSUES].sum()) for (core, _) in self.counters or [])
        self.report["segment"]["energy_counts"] = asdict(counts)
        self.report["segment"]["phases"] = cycles_by_phase(self.env.scoreboard.sequence, self.spans)
        if verdict.first is None and hasattr(self, "suspended"):
            trainer, path = self.suspended
            save_checkpoint(path, trainer)
        return verdict
