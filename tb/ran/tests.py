"""Tests of the RAN. What they verify stands in testplan.hjson, their runs in testlist.py.

Class names are test names (`make sim BLOCK=ran TEST=...`). Configuration keys that a test takes stand in its docstring.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pyuvm
from cocotb.triggers import FallingEdge

from models.common.formats import YBits
from models.common.generator import NUMBERS
from models.common.rounding import Round
from models.common.tensors import load_set
from models.ioss.config import CoreParams
from models.ioss.cycle import predict as ioss_predict
from models.ran.config import LEGAL_REDUCE, MAX_JOBS, TAGS, RanDescriptor, Start
from models.ran.reference import simulate
from tb.ioss.bench.workload import stimulus
from tb.ioss.program import Program as IossProgram
from tb.lib.scoreboard import Verdict
from tb.lib.waves import ready_wave
from tb.ran.env import RanTest
from tb.ran.report import run_report
from tb.ran.sequences import (
    ILLEGAL,
    Knobs,
    dense_jobs,
    illegal_descriptor,
    products,
    random_program,
    within_bound,
)
from tb.ran.sequences import (
    start_values as give_start_values,
)

DATA = Path(__file__).parents[2] / "data" / "digits"
FORMATS = tuple(YBits)


@pyuvm.test()
class smoke(RanTest):
    """Every format once, two descriptors under way at a time; jobs whose lanes all overflow, are 0, are clamped, so
    that what is counted of a job is at its largest."""

    async def body(self) -> None:
        rng, lanes = self.run_info.rng(), self.params.lanes
        program = self.program()
        for y_bits in FORMATS:
            desc = RanDescriptor(
                y_bits, shift=0 if y_bits >= YBits.RAW32 else 6, lanes=lanes, stat_last=True, n_jobs=12, k_len=100,
                x_slices=4, w_slices=4,
            )  # fmt: skip
            number = program.descriptor(desc)
            for job in range(number, number + desc.n_jobs):
                parts = [within_bound(rng, desc, lanes, int(rng.integers(1, 12)))]
                program.job(job, int(rng.integers(self.params.rows)), parts)
        for bias in ((1 << 31) - 1, 0):
            desc = RanDescriptor(YBits.B16, True, start=Start.BIAS, lanes=lanes, k_len=1, stat_last=True)
            number = program.descriptor(desc)
            program.bias(number, np.full(lanes, bias))
            program.bypass(number)
        desc = RanDescriptor(YBits.RAW64, start=Start.PSUM64, lanes=lanes, n_jobs=2, k_len=1, stat_last=True)
        number = program.descriptor(desc)
        for job, word in enumerate(((1 << 63) - 1, -(1 << 63))):
            program.psum(number + job, np.full(lanes, word))
            program.bypass(number + job)
        await self.play(program)


@pyuvm.test()
class real_tensors(RanTest):
    """Products of the shipped tensors as the IOSS core's model makes them, requantised to 8 bits.

    Config: `sets` (early, late), `gemms` (names; all), `rows` (at most so many jobs; all)."""

    async def body(self) -> None:
        config, params = self.run_info.config, self.params
        core = CoreParams(params.rows, params.lanes)
        for which in config.get("sets", ["early", "late"]):
            for tensors in load_set(DATA / f"{which}.npz"):
                if tensors.name not in config.get("gemms", [tensors.name]):
                    continue
                rows = slice(config.get("rows"))
                source = IossProgram(core)
                mask = None if tensors.mask is None else tensors.mask[rows]
                source.gemm(
                    tensors.x[rows], tensors.w, tensors.x_bits // 4, tensors.w_bits // 4,
                    x_unsigned=tensors.x_unsigned, w_unsigned=tensors.w_unsigned, mask=mask,
                )  # fmt: skip
                await self._play(source, tensors.name.startswith("fp"))

    async def _play(self, source: IossProgram, relu: bool) -> None:
        want = ioss_predict(source.params, stimulus(source))
        totals = np.abs((want.prod_data.astype(np.int64) << 4 * want.prod["order"].astype(np.int64)[:, None]) // 2)
        shift = max(0, int(totals.max(initial=1)).bit_length() - 5)
        program = self.program()
        number = program.next
        for at, desc in enumerate(source.descs):
            program.descriptor(
                RanDescriptor(
                    YBits.B8,
                    relu,
                    relu,
                    Round.NEAREST,
                    0,
                    shift,
                    Start.ZERO,
                    self.params.lanes,
                    at == len(source.descs) - 1,
                    1,
                    desc.n_jobs,
                    desc.x_slices,
                    desc.w_slices,
                    desc.x_unsigned,
                    desc.w_unsigned,
                    False,
                    desc.k_len,
                )
            )
        # Rows deliver what the core's rows would, with its pauses.
        for row in range(self.params.rows):
            mine = np.flatnonzero(want.prod["row"] == row)
            table, data = want.prod[mine], want.prod_data[mine]
            gaps = np.maximum(np.diff(table["valid_cycle"], prepend=table["valid_cycle"][:1] - 1) - 1, 0)
            ends = np.flatnonzero(table["last"]) + 1
            for lo, hi in itertools.pairwise([0, *ends.tolist()]):
                parts = [(data[lo:hi], table["order"][lo:hi].astype(np.int64))]
                program.job(number + int(table["tag"][lo]), row, parts, int(table["mask"][lo]), [gaps[lo:hi]])
        for entry in want.byp:
            program.bypass(number + int(entry["tag"]), int(entry["mask"]))
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        self.report = run_report(self.params, self.env.scoreboard, self.counters)


@pyuvm.test()
class rounding_modes(RanTest):
    """Every rounding with many shifts, around ties and around the bounds of every format.

    Config: `shifts`, `formats`."""

    async def body(self) -> None:
        rng, lanes = self.run_info.rng(), self.params.lanes
        config = self.run_info.config
        program = self.program()
        cases = itertools.product(
            config.get("formats", range(6)),
            (False, True),
            (False, True),
            (*((mode, 0) for mode in (0, 1)), *((2, bits) for bits in range(4))),
        )
        for y_bits, y_unsigned, relu, (mode, rand_bits) in cases:
            raw = y_bits >= YBits.RAW32
            if raw and (y_unsigned or relu):
                continue
            shifts = [0] if raw else config.get("shifts", [0, 1, 2, 7, 8, 13, 25, 39])
            for shift in shifts:
                desc = RanDescriptor(
                    y_bits, y_unsigned, relu, mode, rand_bits, shift, Start.PSUM64, lanes, bool(rng.random() < 0.2), 1,
                    2, 1, 1, draw=int(rng.integers(NUMBERS)),
                )  # fmt: skip
                number = program.descriptor(desc)
                bits = (4, 8, 12, 16, 32, 40)[y_bits]
                for job in (number, number + 1):
                    # Around every bound, in steps of an eighth, ties among them.
                    edges = [0, 0, 1, (1 << bits - 1), -(1 << bits - 1), (1 << bits), 3]
                    near = rng.choice(edges, lanes) * (1 << shift) + rng.integers(-4, 5, lanes) * (
                        1 << max(0, shift - 3)
                    )
                    near += rng.integers(-1, 2, lanes) * (rng.random(lanes) < 0.5)
                    limit = desc.limit(self.params)
                    program.psum(job, near.clip(-limit, limit))
                    program.bypass(job)
        # As large as sums get: 16 bits by 16 bits, every product the largest there is.
        desc = RanDescriptor(YBits.RAW64, lanes=lanes, n_jobs=2, k_len=511, x_slices=4, w_slices=4)
        number = program.descriptor(desc)
        for job, value in ((number, 450), (number + 1, -450)):
            program.job(job, 0, [(np.full((60, lanes), value, np.int16), np.full(60, 6))])
        await self.play(program)


@pyuvm.test()
class format_transitions(RanTest):
    """Every ordered pair of formats between consecutive jobs, one job a descriptor and several, with and without a
    consumer that stops. Config: `rounds`."""

    async def body(self) -> None:
        rng, lanes = self.run_info.rng(), self.params.lanes
        for n in range(self.run_info.config.get("rounds", 4)):
            program = self.program()
            await self.back_pressure({"out": ready_wave(rng, ("none", "frequent", "starved", "rare")[n % 4], 1500)})
            pairs = list(itertools.product(FORMATS, FORMATS))
            rng.shuffle(pairs)
            for y_bits in itertools.chain.from_iterable(pairs):
                y_bits = int(y_bits)
                desc = RanDescriptor(
                    y_bits, shift=0 if y_bits >= YBits.RAW32 else int(rng.integers(12)), lanes=lanes,
                    n_jobs=int(rng.integers(1, 6)), k_len=100, x_slices=2, w_slices=2,
                )  # fmt: skip
                number = program.descriptor(desc)
                for job in range(number, number + desc.n_jobs):
                    if rng.random() < 0.4:
                        program.bypass(job)
                    else:
                        group = int(rng.integers(self.params.rows))
                        program.job(job, group, [within_bound(rng, desc, lanes, int(rng.integers(1, 5)))])
            await self.play(program)


@pyuvm.test()
class reduce_factors(RanTest):
    """Every reduce factor and every change; members of a group end in every order, or have nothing at all; the largest
    products of all members at once. Config: `rounds`, `jobs`."""

    async def body(self) -> None:
        rng, lanes = self.run_info.rng(), self.params.lanes
        config = self.run_info.config
        factors = [factor for factor in LEGAL_REDUCE if factor <= self.params.rows]
        for _ in range(config.get("rounds", 2)):
            program = self.program()
            changes = list(itertools.product(factors, factors))
            rng.shuffle(changes)
            for factor in itertools.chain.from_iterable(changes):
                factor = int(factor)
                ends = list(itertools.permutations(range(min(factor, 4)))) if factor > 1 else [(0,)]
                rng.shuffle(ends)
                ends = ends[: config.get("jobs", 24)]
                desc = RanDescriptor(
                    YBits.B16, shift=12, lanes=lanes, reduce_factor=factor, n_jobs=len(ends) + 4, k_len=500, x_slices=4,
                    w_slices=4, stat_last=True,
                )  # fmt: skip
                number = program.descriptor(desc)
                groups = self.params.rows // factor
                for at in range(desc.n_jobs):
                    if at < len(ends):
                        counts = [2 + 3 * int(ends[at][m % len(ends[at])]) + m // 4 for m in range(factor)]
                    else:  # all but one have nothing, or a random part
                        counts = (rng.random(factor) < (0.0 if at % 2 else 0.5)) * rng.integers(1, 9, factor)
                        counts[int(rng.integers(factor))] = int(rng.integers(1, 9))
                    parts = [products(rng, lanes, int(count), (0, 4)) for count in counts]
                    program.job(number + at, at % groups, parts, int(rng.integers(1 << lanes)) if at % 3 == 0 else 0)
            await self.play(program)
        # Twice the largest product of the highest order from every member, and the smallest, in the same cycles.
        program = self.program()
        data = np.repeat(np.where(np.arange(lanes) % 2, 465, -465)[None], 2, axis=0)
        for factor in factors:
            desc = RanDescriptor(
                YBits.RAW64, lanes=lanes, reduce_factor=factor, n_jobs=2, k_len=127, x_slices=4, w_slices=4,
                x_unsigned=True, w_unsigned=True,
            )  # fmt: skip
            number = program.descriptor(desc)
            for job, sign in enumerate((1, -1)):
                part = ((sign * data).astype(np.int16), np.full(2, 6))
                program.job(number + job, 0, [part] * factor)
        await self.play(program)


@pyuvm.test()
class ragged_load(RanTest):
    """One row with ten times the work of the others, and one member of a group. Config: `jobs`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        jobs = self.run_info.config.get("jobs", 60)
        for factor in (1, 2, 8):
            if factor > params.rows:
                continue
            program = self.program()
            desc = RanDescriptor(
                YBits.B8, shift=16, lanes=params.lanes, reduce_factor=factor, n_jobs=jobs, k_len=500, x_slices=4,
                w_slices=4,
            )  # fmt: skip
            groups = params.rows // factor
            counts = rng.integers(2, 6, (jobs, factor))
            if factor == 1:
                counts[::groups] *= 10
            else:
                counts[:, 1] *= 10
            dense_jobs(rng, program, desc, counts)
            await self.play(program)


@pyuvm.test()
class stopped_consumer(RanTest):
    """The consumers of results, requests and statistics stop for thousands of cycles, at moments that hurt.

    Config: `stop` (cycles)."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        stop = self.run_info.config.get("stop", 3000)
        knobs = Knobs(descs=8, illegal=0, bypass=0.4, reduce=tuple(f for f in (1, 2) if f <= params.rows), gaps=0.05)
        for sinks in (("out",), ("req",), ("stat",), ("out", "req", "stat")):
            for on in (1, 17, 60):
                pairs = np.array([[on, stop], [3, 40], [1, 1]] + [[1, 2]] * 20)
                await self.back_pressure(dict.fromkeys(sinks, pairs))
                program = self.program()
                random_program(rng, program, knobs)
                await self.play(program)
        # Every format meets a stop.
        for y_bits in FORMATS:
            await self.back_pressure({"out": np.array([[6, stop // 20], [1, stop // 2]])})
            program = self.program()
            desc = RanDescriptor(y_bits, lanes=params.lanes, n_jobs=24, k_len=20)
            dense_jobs(rng, program, desc, rng.integers(1, 4, 24))
            await self.play(program)
        await self.all_places()

    async def all_places(self) -> None:
        """As many sets as the order queue must hold: bypassed jobs fill the way to a stopped consumer and wait, then a
        job of every place completes in a cycle of its own."""
        rng, params = self.run_info.rng("places"), self.params
        await self.back_pressure({"out": np.array([[1, 1000]])})
        program = self.program()
        bypassed, places = 16, 2 * params.rows
        desc = RanDescriptor(YBits.RAW64, lanes=params.lanes, n_jobs=bypassed + places, k_len=100)
        number = program.descriptor(desc)
        for job in range(number, number + bypassed):
            program.bypass(job)
        for at in range(places):
            gap = 60 + 5 * at if at < params.rows else 5 * params.rows
            part = within_bound(rng, desc, params.lanes, 1)
            program.job(number + bypassed + at, at % params.rows, [part], 0, [[gap]])
        await self.play(program)


@pyuvm.test()
class reset_full_banks(RanTest):
    """Resets while both banks of every row are occupied, and at any moment; work after them is as from the start.
    Config: `resets`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        for n in range(self.run_info.config.get("resets", 12)):
            program = self.program()
            if n % 2 == 0:  # nobody takes results: banks fill up
                await self.back_pressure({"out": np.array([[1, 600]])})
                desc = RanDescriptor(YBits.RAW64, lanes=params.lanes, n_jobs=8 * params.rows, k_len=100)
                dense_jobs(rng, program, desc, rng.integers(1, 4, 8 * params.rows))
                moment = 200
            else:
                random_program(rng, program, Knobs(reduce=tuple(f for f in (1, 2, 4) if f <= params.rows)))
                moment = int(rng.integers(5, 300))
            await self.start(program)
            await self.cycles_pass(moment)
            await self.reset()
            # A sink goes on with its waveform: the last epoch waits for it.
        # And one when everything is over.
        self.held += 700 * 12
        for last in (False, True):
            program = self.program()
            random_program(rng, program, Knobs(descs=4))
            await self.play(program)
            if not last:
                await self.reset()


@pyuvm.test()
class start_values(RanTest):
    """Zero, bias and partial sums of both widths, mixed; at and beyond the limit; wrong framing; the largest and the
    smallest sum that there is. Config: `descs`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        knobs = Knobs(bad_framing=0.2)
        kinds = list(itertools.product(Start, Start))
        rng.shuffle(kinds)
        program = self.program()
        await self.back_pressure({"req": ready_wave(rng, "frequent", 1500)})
        for kind in [int(k) for k in itertools.chain.from_iterable(kinds)][: self.run_info.config.get("descs", 32)]:
            desc = RanDescriptor(
                int(rng.choice([YBits.B16, YBits.RAW32, YBits.RAW64])), start=kind, lanes=params.lanes,
                n_jobs=int(rng.integers(1, 8)), k_len=int(rng.choice([1, 100, 500])), x_slices=4, w_slices=4,
                stat_last=bool(rng.integers(2)),
            )  # fmt: skip
            number = program.descriptor(desc)
            give_start_values(rng, program, number, desc, knobs)
            for job in range(number, number + desc.n_jobs):
                mask = int(rng.integers(1 << params.lanes)) if rng.random() < 0.4 else 0
                if rng.random() < 0.3:
                    program.bypass(job, mask)
                else:
                    count = int(rng.integers(1, 9))
                    program.job(
                        job, int(rng.integers(params.rows)), [within_bound(rng, desc, params.lanes, count)], mask
                    )
        # Several slots that wait for a slow bias at the same time.
        for _ in range(6):
            desc = RanDescriptor(YBits.RAW64, start=Start.BIAS, lanes=params.lanes, n_jobs=2, k_len=1)
            number = program.descriptor(desc)
            program.bias(number, rng.integers(-1000, 1000, params.lanes), gap=int(rng.integers(3, 20)))
            program.bypass(number)
            program.bypass(number + 1)
        # Products of KB, all that their descriptor promises, on a start value that is clamped to LIMIT.
        desc = RanDescriptor(
            YBits.RAW64, start=Start.PSUM64, lanes=params.lanes, n_jobs=2, k_len=127, x_slices=4, w_slices=4,
            x_unsigned=True, w_unsigned=True,
        )  # fmt: skip
        number = program.descriptor(desc)
        whole, rest = divmod(2 * desc.bound >> 24, 465)  # half units of order 6
        data = np.full((whole + 1, params.lanes), 465, np.int16)
        data[-1] = rest
        for job, sign in ((number, 1), (number + 1, -1)):
            program.psum(job, np.full(params.lanes, sign * ((1 << 63) - 1)))
            program.job(job, job % params.rows, [(sign * data, np.full(len(data), 6))])
        await self.play(program)


@pyuvm.test()
class psum_chain(RanTest):
    """Raw sums return as partial sums, exactly, through a memory at the output. Config: `jobs`, `chunks`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        jobs, chunks = self.run_info.config.get("jobs", 40), self.run_info.config.get("chunks", 5)
        self.dut.psum_distance_i.value = jobs
        program = self.program()
        sums = np.zeros((jobs, params.lanes), np.int64)
        for chunk in range(chunks):
            last = chunk == chunks - 1
            desc = RanDescriptor(
                YBits.RAW32 if last else YBits.RAW64, start=Start.PSUM64 if chunk else Start.ZERO, lanes=params.lanes,
                n_jobs=jobs, k_len=100, x_slices=3, w_slices=3,
            )  # fmt: skip
            number = dense_jobs(rng, program, desc, rng.integers(1, 10, jobs))
            for at in range(jobs):
                work = program.work[number + at - program.first]
                work.start = sums[at].copy()
                assert work.total is not None
                sums[at] += work.total
        await self.play(program)


@pyuvm.test()
class bypass_and_cancel(RanTest):
    """Jobs that have no products and jobs that never come, alone and among others, many at once; cancels of tags that
    nobody announced do nothing. Config: `descs`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        program = self.program()
        for n in range(self.run_info.config.get("descs", 24)):
            desc = RanDescriptor(
                YBits(int(rng.integers(4))), lanes=params.lanes, n_jobs=int(rng.integers(1, 30)), k_len=100,
                stat_last=True, x_slices=2, w_slices=2,
            )  # fmt: skip
            number = program.descriptor(desc)
            share = ((0, 1), (1, 0), (0.5, 0.5), (0.3, 0.3))[n % 4]  # bypassed, cancelled
            if n % 3 == 0:
                program.cancel(number + desc.n_jobs + 30000, at_once=True)
            for job in range(number, number + desc.n_jobs):
                fate = rng.random()
                if fate < share[0]:
                    program.bypass(job, gap=int(rng.integers(3)))
                elif fate < share[0] + share[1]:
                    program.cancel(job, int(rng.integers(4)))
                else:
                    work = within_bound(rng, desc, params.lanes, int(rng.integers(1, 4)))
                    program.job(job, int(rng.integers(params.rows)), [work])
        await self.play(program)


@pyuvm.test()
class illegal_descriptors(RanTest):
    """Every illegal field alone, a bound of more bits than K, and the largest legal values; work goes on."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        program = self.program()
        base = RanDescriptor(YBits.B8, shift=3, lanes=params.lanes, n_jobs=3, k_len=10, stat_last=True)
        # 16 bits by 16 bits up to the bound: 2^(AccW - 31) - 1 elements are legal.
        longest = min((1 << params.acc_w - 31) - 1, 0xFFFF)
        legal = [
            base,
            RanDescriptor(YBits.B16, shift=params.acc_w - 1, lanes=1, n_jobs=2, k_len=longest, x_slices=4, w_slices=4),
            RanDescriptor(YBits.B4, True, True, 2, 3, 5, lanes=params.lanes, n_jobs=1, k_len=1, x_slices=1, w_slices=1),
        ]
        for entry in rng.permutation(len(ILLEGAL)):
            for _ in range(1 + int(entry) % 2):
                program.descriptor(illegal_descriptor(params, base, int(entry)), int(rng.integers(3)))
            desc = legal[int(entry) % len(legal)]
            dense_jobs(rng, program, desc, rng.integers(1, 4, desc.n_jobs))
        # 65,537 terms of 32 bits, which have a bit more than K and the widest legal sum: one term would be legal.
        wide = dataclasses.replace(
            base, k_len=61681, compensate=True, x_slices=4, w_slices=4, x_unsigned=True, w_unsigned=True
        )
        program.descriptor(wide)
        dense_jobs(rng, program, base, rng.integers(1, 4, base.n_jobs))
        await self.play(program)


@pyuvm.test()
class statistics(RanTest):
    """Tensors of one to five descriptors, of every format, padded and masked, with a consumer of records that waits.
    Config: `tensors`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        for style in ("none", "long", "starved"):
            await self.back_pressure({"stat": ready_wave(rng, style, 3000)})
            program = self.program()
            for _ in range(self.run_info.config.get("tensors", 10)):
                parts = int(rng.integers(1, 6))
                for part in range(parts):
                    y_bits = int(rng.integers(6))
                    desc = RanDescriptor(
                        y_bits, shift=0 if y_bits >= YBits.RAW32 else int(rng.integers(12)),
                        lanes=int(rng.integers(1, params.lanes + 1)), n_jobs=int(rng.integers(1, 8)), k_len=30,
                        stat_last=part == parts - 1, x_slices=2, w_slices=2, relu=y_bits < 4 and bool(rng.integers(2)),
                    )  # fmt: skip
                    number = program.descriptor(desc)
                    for job in range(number, number + desc.n_jobs):
                        mask = int(rng.integers(1 << params.lanes)) if rng.random() < 0.3 else 0
                        fate = rng.random()
                        if fate < 0.1:
                            program.cancel(job)
                        elif fate < 0.3:
                            program.bypass(job, mask)
                        else:
                            work = within_bound(rng, desc, params.lanes, int(rng.integers(1, 6)))
                            program.job(job, int(rng.integers(params.rows)), [work], mask)
            await self.play(program)


@pyuvm.test()
class long_tensor(RanTest):
    """A tensor of more jobs than there are tags: tags wrap with work of every kind under way, and every sum of the
    tensor's statistics is as large as jobs of the largest results make it. Config: `behind` (jobs beyond the wrap).

    Up to the wrap jobs have no products and differ by their bias alone: two descriptors whose lanes all overflow
    downwards (the largest |y| there is), then two of zeros.
    """

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        program = self.program()
        first = RanDescriptor(YBits.B16, start=Start.BIAS, lanes=params.lanes, n_jobs=MAX_JOBS, k_len=1)
        for value in (-(1 << 31), -(1 << 31), 0, 0):
            number = program.descriptor(first)
            program.bias(number, np.full(params.lanes, value))
            for job in range(number, number + MAX_JOBS):
                program.bypass(job)
        await self.play(program)
        # Only now: a product that waits would find the tag of its job, modulo 2^16, among those above.
        # A descriptor with the wrap inside, two after it: products, bypasses, cancels, partial sums.
        program = self.program()
        behind = self.run_info.config.get("behind", 120)
        for start, jobs, last in ((Start.PSUM64, 8, False), (Start.ZERO, behind, False), (Start.PSUM32, 40, True)):
            desc = RanDescriptor(
                YBits.B8, shift=4, start=start, lanes=params.lanes, n_jobs=jobs, k_len=100, stat_last=last
            )
            number = program.descriptor(desc)
            for job in range(number, number + jobs):
                if start != Start.ZERO:
                    program.psum(job, rng.integers(-3000, 3000, params.lanes))
                if job % 5 == 0:
                    program.bypass(job)
                elif job % 7 == 0:
                    program.cancel(job)
                else:
                    work = within_bound(rng, desc, params.lanes, int(rng.integers(1, 6)))
                    program.job(job, int(rng.integers(params.rows)), [work])
        assert program.next > TAGS
        # What is before has ended: this program's own bound is enough.
        await self.start(program)
        await self.until_quiet(program.bound() + self.held)


@pyuvm.test()
class draws(RanTest):
    """Draws belong to numbers: jobs of equal numbers and sums have equal results, whether they overtake each other or
    not, whatever came before, with consumers that stop and without; numbers go on across descriptors and past 2^32.
    Config: `rounds`."""

    JOBS = 160

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        first, sums = int(rng.integers(NUMBERS)), rng.integers(-(1 << 24), 1 << 24, params.lanes)
        # Numbers from the middle on, again in two parts, and around the end of all numbers.
        half = self.JOBS // 2
        parts = ((first, self.JOBS), (first + half, half), (first, half), (NUMBERS - half, self.JOBS), (0, half),
                 (first, 1))  # fmt: skip
        self.numbers: dict[int, int] = {}  # of each job
        for turn in range(self.run_info.config.get("rounds", 4)):
            await self.back_pressure({"out": ready_wave(rng, ("none", "frequent")[turn % 2], 2000)})
            program = self.program()
            for draw, jobs in parts:
                desc = RanDescriptor(
                    YBits.B16, round=Round.STOCHASTIC, rand_bits=3, shift=12, lanes=params.lanes, n_jobs=jobs,
                    start=Start.BIAS, k_len=100, draw=draw % NUMBERS,
                )  # fmt: skip
                number = program.descriptor(desc)
                program.bias(number, sums)
                for job in range(number, number + jobs):
                    self.numbers[job] = (draw + job - number) % NUMBERS
                    if rng.random() < turn / 4:
                        program.bypass(job)
                        continue
                    # Products of zeros: the longer ones are overtaken.
                    count = int(rng.choice([1, 2, 40]))
                    zeros = (np.zeros((count, params.lanes), np.int16), np.zeros(count, np.int64))
                    program.job(job, int(rng.integers(params.rows)), [zeros])
            await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if verdict.divergences:
            return
        seen: dict[int, tuple[int, np.ndarray]] = {}
        again = 0
        for job, number in self.numbers.items():
            y = self.env.scoreboard.found[job][0]
            other, wanted = seen.setdefault(number, (job, y))
            again += other != job
            verdict.count("value", y.size)
            for lane in np.flatnonzero(y != wanted)[:1]:
                what = f"job {job} lane {lane}, whose number job {other} had"
                verdict.diverge("result", self.cycles, what, y[lane], wanted[lane])
        left = self.env.scoreboard.epochs[-1].prediction.jobs["tag"].astype(np.int64)
        self.report = {"numbers": len(seen), "again": again, "overtaken": int((np.diff(left) < 0).sum())}
        if self.report["overtaken"] < len(left) // 10:
            verdict.diverge(
                "result", self.cycles, "jobs that leave before an earlier one", self.report["overtaken"], "more"
            )


@pyuvm.test()
class stochastic_unbiased(RanTest):
    """Mean error of stochastic rounding over many draws of every lane, and independence of the lanes, from what left
    the RTL. Config: `jobs` (a case).

    Every case rounds the same sums over and over: each lane has a fraction of its own, negative ones among them. The
    mean over N draws must lie within four standard errors sqrt(f (1 - f) / N) of the exact value; with b random bits
    and fractions on the grid of 2^-b the expectation is exact; off it (16 and 24 bits) the centred step leaves at most
    2^-(b + 1), far below a standard error.
    """

    SHIFT = 20

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        jobs = self.run_info.config.get("jobs", 16000)
        program = self.program()
        first = int(rng.integers(NUMBERS))
        self.cases: list[tuple[int, int, np.ndarray]] = []
        for code, bits in enumerate((8, 12, 16, 24)):
            grid = min(bits, self.SHIFT)
            fraction = rng.integers(1, 1 << grid, params.lanes) << self.SHIFT - grid
            if bits >= 16:  # any position at all
                fraction = rng.integers(1, 1 << self.SHIFT, params.lanes)
            sums = (rng.integers(-100, 100, params.lanes) << self.SHIFT) + fraction
            desc = RanDescriptor(
                YBits.B16, round=Round.STOCHASTIC, rand_bits=code, shift=self.SHIFT, lanes=params.lanes, n_jobs=jobs,
                start=Start.BIAS, draw=(first + code * jobs) % NUMBERS,
            )  # fmt: skip
            number = program.descriptor(desc)
            program.bias(number, sums)
            for job in range(number, number + jobs):
                program.bypass(job)
            self.cases.append((number, bits, sums))
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if verdict.divergences:
            return
        jobs = self.run_info.config.get("jobs", 16000)
        draws = 0
        for number, bits, sums in self.cases:
            y = np.stack([self.env.scoreboard.found[number + n][0] for n in range(jobs)])
            exact = sums / 2.0**self.SHIFT
            fraction = exact - np.floor(exact)
            error = y.mean(axis=0) - exact
            allowed = 4 * np.sqrt(fraction * (1 - fraction) / jobs)
            draws += y.size
            verdict.count("value", y.shape[1])
            for lane in np.flatnonzero(np.abs(error) > allowed):
                what = f"mean error of lane {lane}, {bits} random bits"
                verdict.diverge("result", self.cycles, what, error[lane], f"at most {allowed[lane]:.6f}")
            # Neighbours: correlation of their rounding over all draws, at several distances in time.
            up = (y - np.floor(exact)) - fraction
            up = up / np.sqrt(fraction * (1 - fraction))
            for lag in (0, 1, 2, 3):
                other = np.roll(up, -1, axis=1)
                mine = (up[: jobs - lag] * other[lag:]).mean(axis=0)
                verdict.count("value", len(mine))
                for lane in np.flatnonzero(np.abs(mine) > 4.5 / np.sqrt(jobs - lag)):
                    what = f"correlation of lane {lane} with the next, lag {lag}, {bits} random bits"
                    verdict.diverge("result", self.cycles, what, mine[lane], f"at most {4.5 / np.sqrt(jobs - lag):.5f}")
        self.report = {"draws": draws}


@pyuvm.test()
class full_rate(RanTest):
    """A job, L outputs, leaves the quantisers in every cycle at 4 and 8 bits. Config: `jobs` (a format)."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        jobs = self.run_info.config.get("jobs", 400)
        for y_bits in (YBits.B4, YBits.B8):
            program = self.program()
            desc = RanDescriptor(y_bits, lanes=params.lanes, n_jobs=jobs, start=Start.BIAS, shift=3)
            number = program.descriptor(desc)
            program.bias(number, rng.integers(-1000, 1000, params.lanes))
            for job in range(number, number + jobs):
                program.bypass(job)
            await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if not verdict.divergences:
            when = self.env.scoreboard.epochs[-1].traces.job_stat["cycle"]
            # The second format begins where the program before it had ended: the one pause there is.
            pauses = int((np.diff(when) > 1).sum())
            verdict.count("cycle", len(when))
            if pauses != 1:
                verdict.diverge("result", self.cycles, "pauses between jobs", pauses, 1)
            busy = int(np.ptp(when)) + 1 - int(np.diff(when).max() - 1)
            self.report = {"outputs_per_cycle": len(when) * self.params.lanes / busy}


@pyuvm.test()
class counters(RanTest):
    """A clear in the middle of work: what is counted afterwards is what happens afterwards. Config: `moment`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        await self.back_pressure({"out": ready_wave(rng, "frequent", 900), "req": ready_wave(rng, "frequent", 900)})
        program = self.program()
        random_program(rng, program, Knobs(descs=16))
        await self.start(program)
        await self.cycles_pass(self.run_info.config.get("moment", 300))
        self.dut.ctr_clear_i.value = 1
        await FallingEdge(self.dut.clk_i)
        self.dut.ctr_clear_i.value = 0
        # The edge before this falling one ended the cycle of the clear: what it would have counted is lost, too.
        self.cleared = int(self.dut.cycle_o.value)
        await self.until_quiet(program.bound() + self.held)
        # Rows and counters that there are not, some of them a bit away from those that count.
        for address in (4 << 3, 16 << 3, 31 << 3 | 4, 4, 7, 0x10D, 0x1FF):
            if address >> 3 < params.rows and address & 7 < 4:
                continue
            if await self.read_counter(address):
                raise AssertionError(f"counter {address:#x} does not exist and is not 0")


@pyuvm.test()
class constrained_random(RanTest):
    """Everything, with random consumers. Config: `descs`, `programs`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        config = self.run_info.config
        factors = tuple(factor for factor in LEGAL_REDUCE if factor <= params.rows)
        for _ in range(config.get("programs", 3)):
            styles = rng.choice(["none", "rare", "frequent", "long", "starved"], 3)
            waves = {
                name: ready_wave(rng, str(s), 1200) for name, s in zip(("out", "req", "stat"), styles, strict=True)
            }
            await self.back_pressure(waves)
            program = self.program()
            reduce = (1,) if rng.random() < 0.4 else factors
            random_program(rng, program, Knobs(descs=config.get("descs", 24), reduce=reduce))
            await self.play(program)


@pyuvm.test()
class second_reading(RanTest):
    """The model itself: a second one, of another structure and stepping every cycle, must say the same.
    Config: `descs`."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        waves = {name: ready_wave(rng, "frequent", 600) for name in ("out", "req", "stat")}
        await self.back_pressure(waves)
        factors = tuple(factor for factor in LEGAL_REDUCE if factor <= params.rows)
        program = self.program()
        random_program(rng, program, Knobs(descs=self.run_info.config.get("descs", 14), max_products=8, reduce=factors))
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        for epoch in self.env.scoreboard.epochs:
            second = simulate(self.params, epoch.stim)
            # What a RAN keeps at rest only the first one says.
            for field in (each for each in dataclasses.fields(second) if each.name != "rest"):
                mine, other = (np.asarray(getattr(each, field.name)) for each in (epoch.prediction, second))
                verdict.count("cycle", mine.size)
                if mine.shape != other.shape or not (mine == other).all():
                    same = mine.shape == other.shape
                    at = int(np.argwhere(mine != other)[0][0]) if same else -1
                    values = (mine[at], other[at]) if at >= 0 else (mine.shape, other.shape)
                    verdict.diverge("model", epoch.base, f"{field.name} {at}", *values)
