"""Tests of LAPS. What they verify stands in testplan.hjson, their runs in testlist.py.

Class names are test names (`make sim BLOCK=laps TEST=...`). Configuration keys that a test takes stand in its
docstring.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyuvm

from host.closed_loop import Format, Query, Request
from host.closed_loop import Update as TensorUpdate
from host.data import load_data
from host.fixed import accuracy, batches, order_rng
from host.network import load_network
from host.settings import SETTINGS
from models.common import floats
from models.laps.config import (
    ADDR_BITS,
    CLASSES,
    COUNTERS,
    MAX_STEP,
    ORDER,
    SEED,
    SLOTS,
    STEP,
    Band,
    Entry,
    Limits,
    Rules,
    Slot,
    TensorStats,
    Tolerance,
    addresses,
    place_of,
)
from models.laps.oracle import Rule, Step, violations
from tb.laps.env import LapsTest
from tb.laps.program import Program
from tb.laps.replay import (
    LoopPair,
    batch_program,
    chosen,
    compare_recording,
    final_formats,
    load_recording,
    replay_order,
    replay_program,
    settings_program,
)
from tb.laps.sequences import (
    illegal_words,
    legal_words,
    random_band,
    random_entry,
    random_limits,
    random_query,
    random_rules,
    random_settings,
    random_slot,
    random_stats,
)
from tb.lib.scoreboard import Verdict
from tb.lib.waves import gaps

STYLES = ("none", "rare", "frequent")


@pyuvm.test()
class smoke(LapsTest):
    """A few accesses, updates and queries of every class, after reset and after a configuration."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for configured in (False, True):
            program = Program()
            if configured:
                random_settings(rng, program)
            await self.play(program)
            program = Program()
            for layer in range(self.params.layers):
                for cls in range(CLASSES):
                    program.update(layer, cls, random_stats(rng, Entry()))
                program.query((layer, 0), (layer, 1), (self.params.layers - 1 - layer, 0), 64)
            program.step()
            await self.play(program)


@pyuvm.test()
class constrained_random(LapsTest):
    """Random registers, entries, statistics, queries, steps and gaps, all streams at once. Config: `rounds`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for _ in range(self.run_info.config.get("rounds", 30)):
            program = Program()
            if rng.random() < 0.5:
                random_settings(rng, program)
            layers = rng.permutation(self.params.layers)[:4].tolist()
            for layer in layers:
                for cls in range(CLASSES):
                    program.entry(layer, cls, random_entry(rng))
            for slot in range(SLOTS):
                program.schedule(slot, random_slot(rng, 40))
            program.write(STEP, int(rng.integers(0, 30)))
            program.write(SEED, int(rng.integers(1 << 32)))
            program.write(ORDER, int(rng.integers(4)))
            await self.play(program)
            program = Program()
            count = 120
            calm = float(rng.choice([0.0, 0.5, 0.95, 1.0]))
            waits = {name: gaps(rng, STYLES[int(rng.integers(3))], count).tolist() for name in ("upd", "ord")}
            for at in range(count):
                layer, cls = int(rng.choice(layers)), int(rng.integers(CLASSES))
                kind = Entry(0, int(rng.integers(1, 5)), bool(rng.integers(2))) if rng.random() < 0.8 else None
                program.update(layer, cls, random_stats(rng, kind, calm), waits["upd"][at])
                if rng.random() < 0.3:
                    program.ords.append((random_query(rng, self.params.layers), waits["ord"][at]))
            for _ in range(20):
                entry = 2 * (CLASSES * int(rng.choice(layers)) + int(rng.integers(CLASSES)))
                if rng.random() < 0.5:
                    program.read(entry + int(rng.integers(2)), int(rng.integers(60)))
                else:
                    words = random_entry(rng).words
                    word = int(rng.integers(2))
                    program.write(entry + word, words[word], int(rng.integers(60)))
            for _ in range(12):
                program.step(int(rng.integers(1, 60)))
            await self.play(program)


@pyuvm.test()
class registers(LapsTest):
    """Every address is read and written; every register at the bounds of its fields and outside each. Config: `stride`
    of the addresses without a register and of entries."""

    async def body(self) -> None:
        stride = self.run_info.config.get("stride", 1)
        layers = self.params.layers
        program = Program()
        for addr in range(0, 1 << ADDR_BITS, stride):
            program.read(addr)
        every = [addr for addr in addresses(layers) if addr >= 2 * CLASSES * layers or addr % (2 * stride) < 2]
        for addr in every:
            place = place_of(addr, layers)
            assert place is not None
            for word in illegal_words(place.layout):
                program.write(addr, word)
            program.read(addr)
            for word in legal_words(place.layout):
                program.write(addr, word)
                program.read(addr)
        for addr in range(0, 1 << ADDR_BITS, stride):
            if place_of(addr, layers) is None:
                program.write(addr, 0)
        # Walking ones and zeros through every bit of every register.
        for addr in every:
            for bit in range(32):
                program.write(addr, 1 << bit)
                program.write(addr, 0xFFFF_FFFF ^ 1 << bit)
            program.read(addr)
        await self.play(program)
        # What was written last acts.
        program = Program()
        for _ in range(3):
            for cls in range(CLASSES):
                program.update(0, cls, TensorStats(64, 1, 0, 9, 64 << 4))
                program.query((0, cls), (1, cls), (2, cls), 64)
        await self.play(program)


@pyuvm.test()
class refusals(LapsTest):
    """Every reason to refuse an update or a query, each followed by a legal one."""

    async def body(self) -> None:
        good = TensorStats(100, 0, 50, 7, 900)
        last = self.params.layers
        bad = [
            (last, 0, good), (255, 3, good),
            *((1, 1, stats) for stats in (
                TensorStats(0, 0, 0, 0, 0), TensorStats(0, 0, 0, 7, 1), TensorStats(100, 101, 50, 7, 900),
                TensorStats(100, 0, 101, 7, 900), TensorStats(100, 0, 50, 49, 900), TensorStats(100, 0, 50, 63, 900),
                TensorStats(100, 0, 100, 7, 900), TensorStats(100, 0, 50, 7, 0), TensorStats(100, 0, 99, 0, 0),
                TensorStats((1 << 32) - 1, 0, (1 << 32) - 1, 0, 1), TensorStats(1, (1 << 32) - 1, 0, 1, 1),
            )),
        ]  # fmt: skip
        edges = [
            TensorStats(1, 1, 1, 0, 0), TensorStats(100, 100, 0, 48, 1), TensorStats(1, 0, 0, 1, 1),
            TensorStats((1 << 32) - 1, 0, 0, 48, (1 << 48) - 1),
        ]  # fmt: skip
        program = Program()
        program.configure(0, Tolerance(655, 1))
        await self.play(program)
        program = Program()
        for layer, _, stats in bad:
            for cls in range(CLASSES):
                program.update(layer, cls, stats)
                program.update(0, cls, good)
        for stats in edges:
            program.update(last - 1, 3, stats)
        here = (0, 0)
        for at in range(3):
            refs = [here, here, here]
            for beyond in (last, 255):
                refs[at] = (beyond, 1)
                program.query(*refs, 64)
            program.query(here, here, here, 0)
            refs[at] = (last, 1)
            program.query(*refs, 0)
            program.query(here, here, here, 1)
        await self.play(program)


@pyuvm.test()
class thresholds(LapsTest):
    """Signals at, just below and just above the band's edges; means that swing across the whole band; overflow in the
    first and in the last update of a dwell; every n and sign; signals that rest, at every smoothing."""

    async def body(self) -> None:
        # 2^8 values: the logarithm of their mean is that of the sum, less 2048.
        values, low = 1 << 8, 256
        edges = (511, 512, 514, 2048, 8192, 8224, 8256, 1, 1 << 20)  # below, low, low + 1, ..., high - 1, high, above
        program = Program()
        for cls in range(CLASSES):
            dwell = 255 if cls == 0 else 3 + cls
            program.configure(cls, Band(low, low + 1025), Rules(0, cls % 2, dwell, 3), Tolerance(0, 0))
        await self.play(program)
        for n in range(1, 5):
            for unsigned in (False, True):
                program = Program()
                starts = [
                    Entry(10, n, unsigned, bool(pins & 1), bool(pins & 2), dwell=254 * bool(pins)) for pins in range(4)
                ]
                for layer, start in enumerate(starts):
                    for cls in range(CLASSES):
                        program.entry(layer, cls, start)
                await self.play(program)
                program = Program()
                for total in (*edges, *reversed(edges)):  # at full scale: FL stays
                    for layer, start in enumerate(starts):
                        for cls in range(CLASSES):
                            program.update(layer, cls, TensorStats(values, 0, 0, start.capacity, total))
                for at in range(40):
                    for cls in range(CLASSES):
                        overflow = int(at % 20 in (0, 3 + cls))
                        bits = starts[0].capacity + overflow - (at % 3)
                        program.update(0, cls, TensorStats(values, overflow, 0, max(bits, 1), edges[at % len(edges)]))
                for excess in (-3, -2, -1, 0, 1, 2, 14, 15, 16, 30):
                    for overflow in (0, 1):
                        bits = max(starts[0].capacity + excess, 0)
                        program.update(0, 0, TensorStats(values, overflow, 0, bits, 2048))
                await self.play(program)
        # A pinned tensor that is all zero at first, then twice the same, so that its smoothed signal rests.
        pinned = Entry(10, 2, False, True, True)
        for smooth in range(8):
            program = Program()
            program.configure(0, Rules(smooth, 0, 255, 3))
            program.entry(0, 0, pinned)
            await self.play(program)
            program = Program()
            program.update(0, 0, TensorStats(values, 0, values, 0, 0))
            for _ in range(2):
                program.update(0, 0, TensorStats(values, 0, 0, pinned.capacity, 2048))
            await self.play(program)


@pyuvm.test()
class promises(LapsTest):
    """Random settings that stay while random and swinging statistics come; what left the core, entry by entry, against
    what the rules promise. Config: `rounds`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        self.histories: list[tuple[Entry, Rule, list[int]]] = []
        self.stats: list[TensorStats] = []
        for _ in range(self.run_info.config.get("rounds", 12)):
            program = Program()
            rules = []
            for cls in range(CLASSES):
                words = random_band(rng), random_rules(rng), random_limits(rng)
                program.configure(cls, *words, Tolerance(int(rng.choice([0, 655, 65535])), cls % 2))
                rules.append(words[1:])
            mine = []
            for layer in range(2):
                for cls, (rule, bounds) in enumerate(rules):
                    fl = int(rng.integers(bounds.fl_min, bounds.fl_max + 1))
                    n = int(rng.integers(bounds.n_min, bounds.n_max + 1))
                    start = Entry(fl, n, bool(rng.integers(2)))
                    program.entry(layer, cls, start)
                    limits = (bounds.n_min, bounds.n_max, bounds.fl_min, bounds.fl_max)
                    mine.append((start, Rule(rule.hold, rule.dwell_min, *limits), []))
            await self.play(program)
            program = Program()
            for at in range(60):
                for place, (start, _, numbers) in enumerate(mine):
                    calm = 0.95 if at % 30 < 15 else 0.5
                    numbers.append(len(self.stats))
                    self.stats.append(random_stats(rng, start, calm))
                    program.update(place // CLASSES, place % CLASSES, self.stats[-1])
            self.histories += mine
            await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        obs = self.env.scoreboard.seen["obs_trace"]
        if len(obs) != len(self.stats):
            verdict.diverge("result", self.cycles, "updates observed", len(obs), len(self.stats))
            return
        for start, rule, numbers in self.histories:
            seen = [(Entry.of((int(obs["word"][at]), 0)), int(obs["tolerance"][at])) for at in numbers]
            steps = [Step(self.stats[at], e.fl, e.n, tol) for at, (e, tol) in zip(numbers, seen, strict=True)]
            verdict.count("value", len(steps))
            for text in violations(start, rule, steps)[:1]:
                verdict.diverge("result", int(obs["cycle"][numbers[-1]]), "history of an entry", text, "no violation")


@pyuvm.test()
class zeros_for_ever(LapsTest):
    """Tensors of nothing but zeros, until FL rests at its limit, then one with values. Config: `updates`."""

    async def body(self) -> None:
        program = Program()
        for cls in range(CLASSES):
            program.configure(cls, Rules(3, cls % 2, 2, 1 + cls), Limits(1, 4, -64, 63 if cls else 20))
            program.entry(0, cls, Entry(fl=10 * cls - 20, n=1 + cls))
        await self.play(program)
        program = Program()
        for _ in range(self.run_info.config.get("updates", 400)):
            for cls in range(CLASSES):
                program.update(0, cls, TensorStats(64, 0, 64, 0, 0))
        for cls in range(CLASSES):
            program.update(0, cls, TensorStats(64, 40, 0, 48, 64 << 7))
            program.update(0, cls, TensorStats(64, 0, 0, 2, 64))
        await self.play(program)


@pyuvm.test()
class limits(LapsTest):
    """FL at and outside both limits, slices outside their bounds, changes that FL's limits block, pins of both kinds,
    signals that reach the ends of their 16 bits."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        steep = TensorStats(1 << 20, 1 << 19, 0, 48, (1 << 48) - 1)
        small = TensorStats((1 << 32) - 1, 0, (1 << 32) - 2, 1, 1)
        large = TensorStats(1, 0, 0, 2, (1 << 48) - 1)
        for low, high in ((-64, 63), (-3, 3), (5, 5), (-64, -60), (60, 63)):
            program = Program()
            for cls in range(CLASSES):
                program.configure(
                    cls, Band(-600 - cls, 700), Rules(0, 0, 1 + cls % 2, 1), Limits(1 + cls % 2, 3 + cls % 2, low, high)
                )
                for layer in range(4):
                    pins = {"pin_n": layer == 2, "pin_fl": layer == 3}
                    at = Entry(int(rng.choice([low, high, -64, 63])), 1 + (cls + layer) % 4, bool(cls % 2), **pins)
                    program.entry(layer, cls, at)
            await self.play(program)
            program = Program()
            for stats in (steep, *[small] * 6, *[large] * 9, *[steep] * 9, *[small] * 9, large, small, large, small):
                for layer in range(4):
                    for cls in range(CLASSES):
                        program.update(layer, cls, stats)
            await self.play(program)
        for signal in (-(1 << 15), (1 << 15) - 1):
            for stats in (steep, small, large):
                program = Program()
                for cls in range(CLASSES):
                    program.configure(cls, Band(-500, 600), Rules(7, 0, 1 + cls, 1), Limits())
                    program.entry(0, cls, Entry(0, 2, sig_valid=True, signal=signal, dwell=255, quiet=255))
                await self.play(program)
                program = Program()
                for _ in range(12):
                    for cls in range(CLASSES):
                        program.update(0, cls, stats)
                await self.play(program)


@pyuvm.test()
class schedules(LapsTest):
    """Slots that begin, overlap and end in other slots while steps pass; steps in the cycle of a write of STEP and
    at its largest value."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = Program()
        for cls in range(CLASSES):
            program.configure(cls, Rules(0, 0, 1, 255))
            program.entry(0, cls, Entry(0, 2, pin_fl=False))
        for slot, what in enumerate(
            (Slot(3, 0b0101, 1, 3, 3), Slot(6, 0b1111, 1, 1, 1), Slot(9, 0b0011, 0, 4, 4), Slot(12, 0b1001, 1, 2, 4))
        ):
            program.schedule(slot, what)
        await self.play(program)
        for _ in range(16):
            program = Program()
            for cls in range(CLASSES):
                program.update(0, cls, TensorStats(64, 0, 0, 7, 64 << 4))
            program.step(int(rng.integers(0, 30)))
            await self.play(program)
        # Pulses in every phase of the machine, and together with writes.
        for gap in range(12):
            program = Program()
            program.write(STEP, MAX_STEP - 5, gap)
            program.read(STEP, gap % 3)
            for _ in range(4):
                program.update(0, 1, TensorStats(64, 0, 0, 7, 64 << 4))
            for _ in range(14):
                program.step(gap % 4)
            program.read(STEP, 70)
            await self.play(program)


@pyuvm.test()
class tolerances(LapsTest):
    """Tolerated overflow: counts at, below and above it, fixed and random; the mean of what was drawn. Config:
    `updates`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        updates = self.run_info.config.get("updates", 3000)
        program = Program()
        for cls, tolerance in enumerate(
            (Tolerance(656, 0), Tolerance(656, 1), Tolerance(65535, 1), Tolerance(65535, 0))
        ):
            program.configure(cls, tolerance, Rules(3, 0, 255, 255))
        program.write(SEED, int(rng.integers(1 << 32)))
        await self.play(program)
        program = Program()
        for at in range(updates):
            cls = at % CLASSES
            values = int(rng.choice([1 << 16, 100, 1 << 31]))
            share = 656 if cls < 2 else 65535
            middle = (values * share) >> 16
            overflow = min(values, max(0, middle + int(rng.integers(-2, 3))))
            if cls in (1, 2):
                overflow = int(min(values, overflow * floats.uniform(rng, 0, 2)))
            program.update(int(rng.integers(4)), cls, TensorStats(values, overflow, 0, 8, values))
        await self.play(program)
        self.least_draws = updates // CLASSES
        # The one number whose mixed word is 0; numbers that begin again.
        for first in (0x9E37_79B9, 0xFFFF_FFFE):
            program = Program()
            program.write(SEED, first)
            await self.play(program)
            program = Program()
            for _ in range(4):
                program.update(0, 1, TensorStats(100, 1, 0, 8, 100))
            await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        seen = self.env.scoreboard.seen["obs_trace"]["tolerance"].astype(np.int64)
        # 8 bits drawn: centred, so the mean is exact; four standard errors of a uniform draw.
        drawn = seen[1 : self.least_draws * CLASSES : CLASSES]
        slack = 4 * 656 / np.sqrt(3 * len(drawn)) + 1
        verdict.count("value", len(drawn))
        if len(drawn) != self.least_draws or abs(drawn.mean() - 656) > slack:
            verdict.diverge("result", self.cycles, "mean of the tolerances drawn", drawn.mean(), f"656 +- {slack:.1f}")


@pyuvm.test()
class queries(LapsTest):
    """min_order over shifts, slices, lengths and limits of orders; every result against the exact inequality."""

    async def body(self) -> None:
        lengths = [1, 2, 3, 4, 5, 16, 17, 64, 255, 256, 257, 1024, 32768, 32769, 65535]
        step = self.run_info.config.get("step", 1)
        for most in (3, 0, 1, 2):
            for shift in (*range(-4, 24, step), -191, 190, 100):
                program = Program()
                program.write(ORDER, most)
                fl_x = min(63, max(-64, shift // 2))
                fl_w = min(63, max(-64, shift - fl_x))
                fl_y = fl_x + fl_w - shift
                for n in range(1, 5):
                    program.entry((n - 1) % 4, 0, Entry(fl_x, n, True))
                    program.entry((n - 1) % 4, 1, Entry(fl_w, n))
                program.entry(0, 2, Entry(fl_y, 1))
                await self.play(program)
                program = Program()
                for k in lengths[:: 1 if most == 3 else 5]:
                    for n_x in range(4):
                        program.query((n_x, 0), ((n_x + k) % 4, 1), (0, 2), k)
                program.update(3, 3, TensorStats(64, 0, 0, 7, 64 << 4))  # the machine goes on with either
                await self.play(program)


@pyuvm.test()
class back_to_back(LapsTest):
    """Statistics of all layers and classes without a pause: an update every four cycles. Config: `rounds`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = Program()
        random_settings(rng, program)
        await self.play(program)
        program = Program()
        self.first = int(self.dut.cycle_o.value)
        for _ in range(self.run_info.config.get("rounds", 12)):
            for layer in range(self.params.layers):
                for cls in range(CLASSES):
                    program.update(layer, cls, random_stats(rng, Entry(0, 2)))
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        taken = self.env.scoreboard.seen["upd"].accept
        pauses = np.unique(np.diff(taken))
        verdict.count("value", len(taken))
        if pauses.tolist() != [4]:
            verdict.diverge("result", self.cycles, "cycles between updates", pauses.tolist(), [4])


@pyuvm.test()
class arbitration(LapsTest):
    """All three streams offer at once, in every phase of each other: order of preference, nothing lost."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for wait in range(10):
            program = Program()
            for at in range(40):
                program.update(
                    int(rng.integers(4)), int(rng.integers(4)), random_stats(rng, Entry(0, 2)), wait * (at % 3)
                )
                program.ords.append((random_query(rng, 4), (wait * 7 + at) % 9))
                for _ in range(2):
                    program.read(int(rng.integers(32)), (wait * 3 + at * 5) % 11)
            await self.play(program)


@pyuvm.test()
class reset_in_the_middle(LapsTest):
    """Resets in every phase of an update, a query and an access; what follows is as from the start. Config:
    `resets`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        moments = (*range(1, 14), *rng.integers(10, 200, self.run_info.config.get("resets", 20)).tolist())
        for at, moment in enumerate((*moments, *moments[:13])):
            program = Program()
            for slot in range(SLOTS):
                program.schedule(slot, random_slot(rng, 2))
            if at < len(moments):
                random_settings(rng, program)
            for _ in range(40):
                if at < len(moments):
                    program.update(int(rng.integers(4)), int(rng.integers(4)), random_stats(rng, Entry(0, 2)))
                program.ords.append((random_query(rng, 4), 0))
            program.step()
            await self.start(program)
            await self.cycles_pass(moment)
            await self.reset()
        program = Program()
        for addr in addresses(self.params.layers):
            program.read(addr)
        program.write(COUNTERS, 0xFFFF_FFFF)  # wraps with the next update
        program.update(0, 0, random_stats(rng, Entry(0, 2)))
        await self.play(program)


@pyuvm.test()
class recorded_statistics(LapsTest):
    """The recorded updates of a real training with its queries and steps, a request every four cycles; the answers
    against the recorded ones. Config: `iterations` (660)."""

    async def body(self) -> None:
        whole = load_recording()
        self.iterations = chosen(self.run_info.config, "iterations", whole.iterations, range(1, whole.iterations + 1))
        self.recording = whole.first(self.iterations)
        await self.play(settings_program(self.recording.writes))
        await self.play(replay_program(self.recording))

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        seen = self.env.scoreboard.seen
        compare_recording(verdict, seen["upd_rsp_trace"], self.recording, self.cycles)
        taken = np.concatenate([seen["upd"].accept, seen["ord"].accept])
        order = np.argsort(taken)
        verdict.count("value", len(taken))
        pauses = np.unique(np.diff(taken[order])).tolist()
        if pauses != [4]:
            verdict.diverge("result", self.cycles, "cycles between requests", pauses, [4])
        stream = (order >= len(seen["upd"].accept)).astype(int).tolist()
        if stream != replay_order(self.iterations, self.recording.per_iteration):
            verdict.diverge("result", self.cycles, "order of updates and queries", "another", "the trainer's")
        self.report["iterations"] = self.iterations
        self.report |= final_formats(self.recording, seen["upd_rsp_trace"])


@pyuvm.test()
class closed_loop(LapsTest):
    """The NumPy trainer with LAPS' RTL choosing its formats, beside one with the model: the same formats and min_orders
    in every iteration, the same weights at the end. Config: `iterations` (22, an epoch), `net` (mlp, cnn)."""

    async def body(self) -> None:
        net = chosen(self.run_info.config, "net", "mlp", ("mlp", "cnn"))
        iterations = chosen(self.run_info.config, "iterations", 22, range(1, 10_001))
        seed = self.run_info.seed
        network = load_network(net)
        self.data = load_data(network.data, network, seed)
        images = len(self.data.train_pixels)
        config = network.config(images, seed, epochs=iterations)  # an epoch is an iteration at least
        self.pair = LoopPair(network.lowered, config, SETTINGS)
        self.read = {"ord_rsp": 0, "upd_rsp": 0}  # records of the traces
        await self.play(settings_program(self.pair.writes))
        order = islice(batches(images, config, order_rng(config)), iterations)
        for number, (_, _, batch) in enumerate(order, start=1):
            pixels, labels = self.data.train_pixels[batch], self.data.train_labels[batch]
            if not await self.pair.iteration(number, pixels, labels, self.ask):
                break
            self.report["iterations"] = number
        self.pair.compare_weights()

    async def ask(self, requests: Sequence[Request]) -> list[Any] | None:
        """What the RTL answers; None if it refuses something or does not answer."""
        await self.play(batch_program(requests))
        self.pair.cycle = int(self.dut.cycle_o.value)
        kind = type(requests[0])
        if kind not in (Query, TensorUpdate):
            return [None] * len(requests)
        name = "ord_rsp" if kind is Query else "upd_rsp"
        table = await self.answers(name, self.read[name])
        self.read[name] += len(table)
        if len(table) != len(requests) or table["code"].any():
            return None
        if kind is Query:
            return table["order"].tolist()
        return [Format(n, fl) for n, fl in zip(table["n"].tolist(), table["fl"].tolist(), strict=True)]

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        self.pair.judge(verdict)
        share = accuracy(self.pair.asked, self.data.test_pixels, self.data.test_labels)
        self.report["test_accuracy"] = round(share, 4)
        for key, last in self.pair.asked.formats.items():
            self.report[f"final layer {key.layer} {key.cls.name.lower()}"] = f"n {last.n}, FL {last.fl}"
