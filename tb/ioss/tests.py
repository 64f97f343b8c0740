"""Tests of the IOSS core. What they verify stands in testplan.hjson, their runs in testlist.py.

Class names are test names (`make sim TEST=...`). Configuration keys that a test takes stand in its docstring.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm
from cocotb.triggers import FallingEdge, RisingEdge
from cocotb_bus.bus import Bus
from pyuvm import uvm_factory

from models.common.counters import counter_address
from models.common.files import save_arrays
from models.common.slices import operand_range
from models.common.tensors import load_matrix, load_set
from models.ioss.config import Descriptor, GlobalCounter, RowCounter
from models.ioss.oracle import kept_product
from models.ioss.value import accumulate, pack_tile
from tb.ioss.env import IossCoverage, IossTest
from tb.ioss.program import MAX_JOBS, Program, pack_jobs
from tb.ioss.report import gemm_report
from tb.ioss.scoreboard import IossScoreboard
from tb.ioss.sequences import ILLEGAL, Knobs, bad_last, illegal_descriptor, operands, random_program
from tb.ioss.trace import products
from tb.lib.collector import CoverageCollector
from tb.lib.scoreboard import Verdict
from tb.lib.waves import gaps, ready_wave

DATA = Path(__file__).parents[2] / "data" / "digits"


@pyuvm.test()
class smoke(IossTest):
    """Two small products."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = self.program()
        for n in (2, 1):
            self.gemm(program, operands(rng, (20, 24), n, zero=0.5), operands(rng, (24, 20), n), n, n)
        await self.play(program)


class Tensors(IossTest):
    """Base of the tests that report a table of products: each is played alone, from an idle core."""

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if not verdict.divergences:
            self.report = gemm_report(
                self.run_info, self.params, self.env.scoreboard, self.epoch_programs, self.gemms, self.counters
            )


@pyuvm.test()
class real_tensors(Tensors):
    """The shipped products. Config: `sets` (early, late), `gemms` (names; all), `rows` (at most so many jobs; all)."""

    async def body(self) -> None:
        config = self.run_info.config
        for which in config.get("sets", ["early", "late"]):
            for tensors in load_set(DATA / f"{which}.npz"):
                if tensors.name not in config.get("gemms", [tensors.name]):
                    continue
                rows = slice(config.get("rows"))
                program = self.program()
                self.gemm(
                    program, tensors.x[rows], tensors.w, tensors.x_bits // 4, tensors.w_bits // 4,
                    f"{which} {tensors.name}", x_unsigned=tensors.x_unsigned, w_unsigned=tensors.w_unsigned,
                    mask=None if tensors.mask is None else tensors.mask[rows],
                )  # fmt: skip
                await self.play(program)


@pyuvm.test()
class user_tensors(Tensors):
    """A user's matrices. Config: x, w (files), x_bits, w_bits, x_unsigned, w_unsigned, min_order, compensate,
    reduce_factor, out (whether to keep the result); or `example`: matrices that the test makes."""

    def example(self) -> dict[str, Any]:
        """The configuration of matrices that divide into no tile evenly, with orders dropped."""
        rng, params = self.run_info.rng("matrices"), self.params
        m, k, n = 2 * params.rows + 3, params.depth + 9, params.lanes + 5
        arrays = {"x": operands(rng, (m, k), 2, True, 0.4, 0.2), "w": operands(rng, (k, n), 3, False, 0.2, 0.2)}
        files = {name: str(path) for name, path in save_arrays(self.run_info.run_dir, **arrays).items()}
        signs = {"x_bits": 8, "w_bits": 12, "x_unsigned": True, "w_unsigned": False}
        return {**files, **signs, "min_order": 1, "compensate": True, "reduce_factor": 2}

    async def body(self) -> None:
        config = self.example() if self.run_info.config.get("example") else self.run_info.config
        x = load_matrix(config["x"], config["x_bits"], config["x_unsigned"], "X")
        w = load_matrix(config["w"], config["w_bits"], config["w_unsigned"], "W")
        program = self.program()
        self.gemm(
            program, x, w, config["x_bits"] // 4, config["w_bits"] // 4, "x @ w", x_unsigned=config["x_unsigned"],
            w_unsigned=config["w_unsigned"], min_order=config["min_order"], compensate=config["compensate"],
            reduce_factor=config["reduce_factor"],
        )  # fmt: skip
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if not verdict.divergences:
            self.keep(self.results[0])

    def conclude_values(self, verdict: Verdict) -> None:
        if not verdict.divergences:
            self.keep(self.results[0])


@pyuvm.test()
class precision_pairs(IossTest):
    """Every pair of precisions with every pair of signedness, in random order. Config: `jobs` (rows of X)."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        jobs = self.run_info.config.get("jobs", 10)
        cases = list(itertools.product(range(1, 5), range(1, 5), (False, True), (False, True)))
        rng.shuffle(cases)
        program = self.program()
        for n_x, n_w, x_unsigned, w_unsigned in cases:
            k = int(rng.integers(3, 20))
            x = operands(rng, (jobs, k), int(n_x), bool(x_unsigned), 0.3, 0.3)
            w = operands(rng, (k, self.params.lanes), int(n_w), bool(w_unsigned), 0.2, 0.3)
            self.gemm(program, x, w, int(n_x), int(n_w), x_unsigned=bool(x_unsigned), w_unsigned=bool(w_unsigned))
        await self.play(program)


@pyuvm.test()
class corner_vectors(IossTest):
    """Corner operands at every precision, K = 1 and K = Depth. Config: `slices`, `depth` (0: no K = Depth)."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        config = self.run_info.config
        lanes, depth = self.params.lanes, self.params.depth
        program = self.program()
        for n in config.get("slices", [1, 2, 3, 4]):
            low, high = operand_range(4 * n, False)
            for k in (1, 7, depth) if config.get("depth", 1) else (1, 7):
                last_only = np.zeros(k, np.int64)
                last_only[-1] = 1
                rows = [
                    np.zeros(k), last_only, last_only * low, np.full(k, low), np.full(k, high), np.full(k, -1),
                    np.full(k, 1),
                    np.where(np.arange(k) % 2, low, high),
                ]  # fmt: skip
                x = np.array(rows, np.int64)
                w = operands(rng, (k, lanes), n, zero=0.3)
                w[:, : min(6, lanes)] = np.stack([x[at] for at in (0, 1, 3, 4, 5, 7)][: min(6, lanes)], axis=1)
                self.gemm(program, x, w, n, n)
            full = np.full((3, 5), (1 << 4 * n) - 1)
            self.gemm(program, full, np.full((5, lanes), (1 << 4 * n) - 1), n, n, x_unsigned=True, w_unsigned=True)
            self.gemm(program, np.eye(6, dtype=np.int64) * low, np.zeros((6, lanes), np.int64), n, n)
        # A beat of 32 elements with four pairs each, none of which is skipped; all of which are.
        for w in (0x7777, 0):
            self.gemm(program, np.full((2, 32), 7), np.full((32, lanes), w), 1, 4)
        await self.play(program)


@pyuvm.test()
class min_order_compensation(IossTest):
    """Every legal min_order of every precision pair, with and without compensation. Config: `jobs`, `slices`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        jobs = self.run_info.config.get("jobs", 6)
        slices = self.run_info.config.get("slices", [1, 2, 3, 4])
        program = self.program()
        for n_x, n_w in itertools.product(slices, slices):
            for order in range(n_x + n_w - 1):
                x = operands(rng, (jobs, 9), n_x, zero=0.2, slice_zero=0.3)
                w = operands(rng, (9, self.params.lanes), n_w, zero=0.3, slice_zero=0.3)
                w[0] = 0
                w[1, 1:] = 0
                self.gemm(program, x, w, n_x, n_w, min_order=order, compensate=bool(rng.integers(2)))
                if order:
                    self.gemm(program, x, w, n_x, n_w, min_order=order, compensate=True)
        await self.play(program)


@pyuvm.test()
class out_masks(IossTest):
    """Masks with none, one, all but one, all and random lanes dead, over sparse tiles."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        lanes = self.params.lanes
        program = self.program()
        for n in (1, 2, 3):
            x = operands(rng, (24, 20), n, zero=0.3)
            w = operands(rng, (20, 2 * lanes), n, zero=0.7, slice_zero=0.5)
            mask = rng.random((24, 2 * lanes)) < rng.random((24, 1))
            mask[0] = True
            mask[1] = False
            for row in range(2, 10):
                mask[row] = True
                mask[row, rng.integers(lanes)] = False
                mask[row, lanes + rng.integers(lanes)] = False
            mask[10] = ~mask[9]
            self.gemm(program, x, w, n, n, mask=mask, min_order=int(rng.integers(0, 2 * n - 1)))
        await self.play(program)


@pyuvm.test()
class idle_back_pressure(IossTest):
    """Gap styles crossed with back-pressure styles. Config: `gaps`, `ready` (styles), `jobs`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        config = self.run_info.config
        styles = list(
            itertools.product(
                config.get("gaps", ["none", "rare", "frequent", "long"]),
                config.get("ready", ["none", "rare", "frequent", "starved", "long"]),
            )
        )
        rng.shuffle(styles)
        for gap_style, ready_style in styles:
            program = self.program()
            n_x, n_w = (int(n) for n in rng.integers(1, 4, 2))
            for _ in range(2):
                k, jobs = int(rng.integers(2, min(40, self.params.depth))), config.get("jobs", 24)
                desc = Descriptor(n_x, n_w, k_len=k, n_jobs=jobs)
                x = operands(rng, (jobs, k), n_x, zero=0.6)
                x[rng.random(jobs) < 0.25] = 0
                w = operands(rng, (k, self.params.lanes), n_w, zero=0.2)
                program.descriptor(desc, int(gaps(rng, gap_style, 1)[0]))
                tile = pack_tile(desc, self.params, w)
                program.tile_beats(tile, gap=gaps(rng, gap_style, len(tile)))
                beats = pack_jobs(desc, x)
                program.job_beats(
                    beats, (program.first_job + program.jobs + np.arange(jobs)) % 65536,
                    gap=gaps(rng, gap_style, beats.shape[0] * beats.shape[1]).reshape(beats.shape[:2]),
                )  # fmt: skip
                program.jobs += jobs
            span = 600
            waves = {("prod", row): ready_wave(rng, ready_style, span) for row in range(self.params.rows)}
            waves["byp", 0] = ready_wave(rng, ready_style, span)
            await self.back_pressure(waves)
            await self.play(program)


@pyuvm.test()
class bank_swap(IossTest):
    """Short tiles back to back with changing precision and length. Config: `tiles`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = self.program()
        pairs = list(itertools.product(range(1, 5), range(1, 5)))
        order = [pairs[at] for at in rng.integers(0, 16, self.run_info.config.get("tiles", 120))]
        for at, (n_x, n_w) in enumerate(order):
            k = int(rng.choice([1, 2, 5, 17, 33, min(self.params.depth, 64)]))
            jobs = int(rng.choice([1, 2, 3, 9, 17]))
            x = operands(rng, (jobs, k), n_x, bool(at & 1), 0.4, 0.2)
            self.gemm(program, x, operands(rng, (k, self.params.lanes), n_w, bool(at & 2), 0.2, 0.2), n_x, n_w,
                      x_unsigned=bool(at & 1), w_unsigned=bool(at & 2))  # fmt: skip
        await self.play(program)


@pyuvm.test()
class dispatch_patterns(IossTest):
    """Jobs of very different work on one tile, long tails of single-beat jobs, bursts that find every row busy."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = self.program()
        for _ in range(self.run_info.config.get("rounds", 6)):
            n = int(rng.integers(1, 4))
            k = int(rng.choice([4, 24, 40]))
            jobs = 4 * self.params.rows + int(rng.integers(9))
            x = operands(rng, (jobs, k), n)
            density = rng.choice([0.02, 0.1, 1.0], jobs)
            x[rng.random((jobs, k)) > density[:, None]] = 0
            self.gemm(
                program, x, operands(rng, (k, self.params.lanes), n, zero=0.1), n, n, gap=int(rng.choice([0, 0, 5]))
            )
        await self.play(program)


@pyuvm.test()
class reduce_factors(IossTest):
    """Every reduce factor, every change between two, K from 1 to RF * Depth, members without elements or work.
    Config: `rounds`, `max_k` (elements a member), `stalled` (tiles a factor under long stalls)."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        factors = [rf for rf in (1, 2, 4, 8) if rf <= self.params.rows]
        depth = min(self.params.depth, self.run_info.config.get("max_k", self.params.depth))
        program = self.program()
        changes = list(itertools.product(factors, factors))
        # Every precision of either side with every factor, whatever the seed.
        precisions = {
            rf: itertools.cycle([(n, 1 + (n + at) % 4) for at in range(4) for n in range(1, 5)]) for rf in factors
        }
        for _ in range(self.run_info.config.get("rounds", 2)):
            rng.shuffle(changes)
            for pair in changes:
                for rf in (int(rf) for rf in pair):
                    n_x, n_w = next(precisions[rf])
                    k = int(rng.choice([1, rf - 1 or 1, rf + 1, 3 * rf + 1, rf * depth, rf * depth // 2 + 1]))
                    x = operands(rng, (int(rng.integers(1, 8)), k), n_x, zero=0.5)
                    x[:, k // 2 :] *= rng.integers(0, 2)  # members that find nothing to do
                    self.gemm(
                        program, x, operands(rng, (k, self.params.lanes), n_w, zero=0.3), n_x, n_w, reduce_factor=rf
                    )
        await self.play(program)
        # Members without work under long stalls: their nulls wait.
        stalled = self.program()
        for rf in factors[1:]:
            for _ in range(self.run_info.config.get("stalled", 4)):
                k = 3 * rf
                x = operands(rng, (6, k), 1)
                x[:, 3:] = 0
                self.gemm(stalled, x, operands(rng, (k, self.params.lanes), 1, zero=0.1), 1, 1, reduce_factor=rf)
        if self.run_info.config.get("stalled", 4):
            await self.back_pressure({("prod", row): ready_wave(rng, "long", 4000) for row in range(self.params.rows)})
        await self.play(stalled)


@pyuvm.test()
class reset_mid_jobs(IossTest):
    """Reset at many moments of a busy run, then exact work. Config: `resets`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for at in range(self.run_info.config.get("resets", 12)):
            program = self.program()
            knobs = Knobs(
                tiles=6, max_k=min(40, self.params.depth), gap_style="none" if at % 3 else "frequent", reduce=(1, 1, 2)
            )
            random_program(rng, program, knobs)
            if at % 2:
                await self.back_pressure(
                    {("prod", row): ready_wave(rng, "starved", 200) for row in range(self.params.rows)}
                    | {("byp", 0): ready_wave(rng, "starved", 200)}
                )
            await self.start(program)
            await self.cycles_pass(int(rng.integers(1, 30) if at % 4 == 0 else rng.integers(30, 400)))
            await self.reset(int(rng.integers(1, 5)))
            await self.cycles_pass(int(rng.integers(200)))
        program = self.program()
        self.gemm(program, operands(rng, (30, 20), 2, zero=0.4), operands(rng, (20, self.params.lanes), 2), 2, 2)
        await self.play(program)


@pyuvm.test()
class illegal_descriptors(IossTest):
    """Every illegal field value between legal tiles."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = self.program()
        for one, other in itertools.combinations(ILLEGAL, 2):
            # The first check that fails names the code, whatever else is wrong.
            fields = {**Descriptor(2, 2, k_len=6, n_jobs=3).__dict__, **one, **other}
            over = {"k_len": self.params.depth * 15 + 1, "min_order": 7}
            program.descriptor(
                Descriptor(**{key: over[key] if fields[key] == "over" else fields[key] for key in fields})
            )
        for entry in [*range(len(ILLEGAL)), *rng.integers(0, len(ILLEGAL), 20)]:
            base = Descriptor(
                2, 2, k_len=6, n_jobs=3, reduce_factor=int(rng.choice([1, 2])), min_order=int(rng.integers(3))
            )
            program.descriptor(illegal_descriptor(rng, self.params, base, int(entry)), int(rng.integers(3)))
            if rng.random() < 0.6:
                self.gemm(program, operands(rng, (3, 6), 2, zero=0.3), operands(rng, (6, 10), 2), 2, 2)
        await self.play(program)


@pyuvm.test()
class framing_errors(IossTest):
    """Tiles and jobs with early and late last, jobs of refused tiles, and beats offered before their descriptor."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        early = self.program()
        desc = Descriptor(2, 2, k_len=20, n_jobs=4)
        w, x = operands(rng, (20, self.params.lanes), 2), operands(rng, (4, 20), 2, zero=0.3)
        early.tile_beats(pack_tile(desc, self.params, w))
        early.job_beats(pack_jobs(desc, x), np.arange(4))
        early.jobs = 4
        await self.start(early)
        await self.cycles_pass(120)
        late = self.program()
        late.descriptor(desc)
        await self.play(late)
        program = self.program()
        for at in range(self.run_info.config.get("tiles", 24)):
            rf = 2 if at % 6 == 5 else 1
            desc = Descriptor(
                int(rng.integers(1, 5)),
                int(rng.integers(1, 5)),
                k_len=int(rng.integers(1, min(40, self.params.depth))),
                n_jobs=5,
                reduce_factor=rf,
            )
            w = operands(rng, (desc.k_len, self.params.lanes), desc.w_slices, zero=0.2)
            beats, last = pack_tile(desc, self.params, w), None
            if at % 3 == 0:
                beats, last = bad_last(rng, beats)
            program.descriptor(desc)
            program.tile_beats(beats, last)
            for beats in pack_jobs(desc, operands(rng, (5, desc.k_len), desc.x_slices, zero=0.4)):
                one, job_last = (beats, None) if rng.random() < 0.5 else bad_last(rng, beats)
                program.job_beats(
                    one[None],
                    [(program.first_job + program.jobs) % 65536],
                    last=None if job_last is None else job_last[None],
                )
                program.jobs += 1
        await self.back_pressure({("byp", 0): ready_wave(rng, "starved", 300)})
        await self.play(program)


@pyuvm.test()
class counters(IossTest):
    """Clearing in the middle of work, addresses that do not exist, the sum rule."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        self.marks: list[tuple[str, int, int]] = []
        program = self.program()
        self.gemm(program, operands(rng, (40, 30), 2, zero=0.5), operands(rng, (30, self.params.lanes), 2), 2, 2)
        await self.play(program)
        rows = self.params.rows
        before = await self.row_sums()
        cycles = await self.read_counter(counter_address(GlobalCounter.CYCLES))
        for row in range(rows):
            self.marks.append((f"sum rule of row {row}", int(before[row, :4].sum()), cycles))
        self.marks.append(("issues", int(before[:, RowCounter.ISSUES].sum()), self.gemms[0].pairs.issues))
        for address in (0x108, 0x1F8, 0x110, *((rows << 3 | 1, 0xF8) if rows < 32 else ())):
            self.marks.append((f"address {address:#x}", await self.read_counter(address), 0))
        self.dut.ctr_clear_i.value = 1
        await FallingEdge(self.dut.clk_i)
        self.dut.ctr_clear_i.value = 0
        self.marks.append(("after a clear", int((await self.row_sums()).sum()), 0))
        again = self.program()
        self.gemm(again, operands(rng, (20, 9), 1, zero=0.5), operands(rng, (9, self.params.lanes), 1), 1, 1)
        await self.start(again)
        await self.cycles_pass(12)
        # A clear while work goes on: the clear wins over counting in its cycle.
        self.dut.ctr_clear_i.value = 1
        self.dut.ctr_addr_i.value = counter_address(GlobalCounter.CYCLES)
        await FallingEdge(self.dut.clk_i)
        self.dut.ctr_clear_i.value = 0
        await FallingEdge(self.dut.clk_i)
        self.marks.append(("active cycles one after a clear", int(self.dut.ctr_data_o.value), 0))
        await self.until_quiet(again.bound())
        final = await self.row_sums()
        cycles = await self.read_counter(counter_address(GlobalCounter.CYCLES))
        for row in range(rows):
            self.marks.append((f"sum rule of row {row} after a clear", int(final[row, :4].sum()), cycles))

    async def row_sums(self) -> np.ndarray:
        """All row counters (rows, 8)."""
        return np.array(
            [[await self.read_counter(counter_address(c, row)) for c in RowCounter] for row in range(self.params.rows)]
        )

    async def before_collect(self) -> None:
        # The model knows nothing of clears: the marks are the check here.
        self.counters = None

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        for what, got, want in self.marks:
            verdict.count("value", 1)
            if got != want:
                verdict.diverge("counter", self.cycles, what, got, want)


@pyuvm.test()
class constrained_random(IossTest):
    """Everything at once. Config: `tiles`, `max_k`, `jobs`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        config = self.run_info.config
        styles = ["none", "rare", "frequent"]
        knobs = Knobs(
            tiles=config.get("tiles", 40), max_k=config.get("max_k", 0), max_jobs=config.get("jobs", 14),
            reduce=tuple(rf for rf in (1, 1, 2, 4, 8) if rf <= self.params.rows), gap_style=str(rng.choice(styles)),
        )  # fmt: skip
        program = self.program()
        random_program(rng, program, knobs)
        span = 4000
        waves = {
            ("prod", row): ready_wave(rng, str(rng.choice([*styles, "starved"])), span)
            for row in range(self.params.rows)
        }
        waves["byp", 0] = ready_wave(rng, str(rng.choice(styles)), span)
        await self.back_pressure(waves)
        await self.play(program)


@pyuvm.test()
class long_tile(IossTest):
    """A tile with as many jobs as a descriptor can announce, nearly all of them without work, and one after it in
    whose middle tags wrap. Config: `jobs` (of the first tile)."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = self.program()
        jobs = self.run_info.config.get("jobs", MAX_JOBS)
        x = np.zeros((jobs + 60, 3), np.int64)
        busy = np.r_[np.arange(20), np.arange(jobs - 40, jobs + 60)]
        x[busy] = operands(rng, (len(busy), 3), 1, zero=0.3)
        program.gemm(x, operands(rng, (3, self.params.lanes), 1, zero=0.2), 1, 1)
        await self.play(program)


@pyuvm.test()
class metamorphic(IossTest):
    """One product in several disguises must give one result; relations between the issue counts must hold."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        lanes, jobs, k = self.params.lanes, 16, 30
        x = operands(rng, (jobs, k), 1, zero=0.3)
        w = operands(rng, (k, lanes), 1, zero=0.2)
        program = self.program()
        self.gemm(program, x, w, 1, 1, "plain")
        for n_x, n_w in ((2, 1), (1, 3), (4, 4)):
            self.gemm(program, x, w, n_x, n_w, f"{4 * n_x}b x {4 * n_w}b")
        wide = np.zeros((jobs, k + 13), np.int64)
        wide[:, :k] = x
        self.gemm(program, wide, np.vstack([w, operands(rng, (13, lanes), 1)]), 1, 1, "padded with zeros in x")
        tall = np.insert(w, [k // 2] * 5, 0, axis=0)
        self.gemm(program, np.insert(x, [k // 2] * 5, 7, axis=1), tall, 1, 1, "padded with zeros in w")
        order = rng.permutation(k)
        self.gemm(program, x[:, order], w[order], 1, 1, "elements in another order")
        for rf in (2, 4, 8):
            if rf <= self.params.rows:
                self.gemm(program, x, w, 1, 1, f"reduce factor {rf}", reduce_factor=rf)
        self.gemm(program, -x.clip(-7, 7), w, 1, 1, "negated")
        mask = np.zeros((jobs, lanes), bool)
        mask[:, ::2] = True
        self.gemm(program, x, w, 1, 1, "every other lane masked", mask=mask)
        self.x, self.w = x, w
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if verdict.divergences:
            return
        by_name = {gemm.name: (gemm, got) for gemm, got in zip(self.gemms, self.results, strict=True)}
        plain, result = by_name["plain"]
        for name, (gemm, got) in by_name.items():
            if name in ("negated", "every other lane masked"):
                want = (
                    -self.x.clip(-7, 7) @ self.w
                    if name == "negated"
                    else np.where(np.arange(got.shape[1]) % 2, result, 0)
                )
                same_work = name == "negated" and bool((self.x > -8).all())
            else:
                want, same_work = result, True
            verdict.count("value", got.size)
            if not np.array_equal(got, want):
                verdict.diverge("result", self.cycles, name, "another result", "that of its original")
            if same_work and gemm.pairs.issues != plain.pairs.issues:
                verdict.diverge("result", self.cycles, name, gemm.pairs.issues, f"{plain.pairs.issues} issues")


class SumScoreboard(IossScoreboard):
    """What entered did not pass a transactor, so there is no stimulus for the model: the sums of `operands`, 2 slices
    each, are the check."""

    operands: tuple[np.ndarray, np.ndarray]

    def judge(self) -> Verdict:
        x, w = self.operands
        prod, data = products(self.seen["product"])
        order = np.argsort(prod["tag"], kind="stable")
        got = accumulate(prod["tag"][order], prod["order"][order], data[order], len(x))
        self.verdict.count("value", got.size)
        self.verdict.count("slice", len(prod))
        self.verdict.count("cycle", 1)
        if not np.array_equal(got, kept_product(x, w, 2, 2, self.params.lanes)) or not self.drained:
            self.verdict.diverge("result", self.cycles, "products", "another sum", "x @ w")
        return self.verdict

    def judge_values(self) -> Verdict:
        self.least = len(self.operands[0]) * self.params.lanes
        return self.judge()


@pyuvm.test()
class withdrawn_valid(IossTest):
    """A producer on the direct ports that withdraws valid and changes its payload while it waits."""

    READ_COUNTERS = False

    def build_phase(self) -> None:
        uvm_factory().set_type_override_by_type(IossScoreboard, SumScoreboard)
        uvm_factory().set_type_override_by_type(IossCoverage, CoverageCollector)  # nothing to sample
        super().build_phase()

    async def body(self) -> None:
        rng = self.run_info.rng()
        dut, lanes = self.dut, self.params.lanes
        dut.direct_i.value = 1
        self.desc = Descriptor(2, 2, k_len=12, n_jobs=80)
        self.x = operands(rng, (80, 12), 2)
        self.w = operands(rng, (12, lanes), 2)
        only = Program(self.params)
        only.descriptor(self.desc)
        await self.start(only)
        tile = Bus(dut, "dtile", {"valid": "valid_i", "ready": "ready_o", "data": "data_i", "last": "last_i"})
        vec = Bus(
            dut, "dvec", {name: f"{name}_i" for name in ("valid", "data", "last", "tag", "mask")} | {"ready": "ready_o"}
        )
        beats = pack_tile(self.desc, self.params, self.w)
        for at, beat in enumerate(beats):
            await self.offer(rng, tile, beat, at == len(beats) - 1)
        jobs = pack_jobs(self.desc, self.x)
        for job, own in enumerate(jobs):
            vec.tag.value = job
            for at, beat in enumerate(own):
                await self.offer(rng, vec, beat, at == len(own) - 1)
        await self.cycles_pass(2000)

    async def offer(self, rng: np.random.Generator, bus: Bus, beat: np.ndarray, last: bool) -> None:
        """Offers wrong beats while the core is not ready, withdraws at random, and transfers the right one."""
        for _ in range(5000):
            if rng.random() < 0.3:
                bus.valid.value = 0
                await FallingEdge(self.dut.clk_i)
            ready = bool(int(bus.ready.value))
            right = ready and rng.random() < 0.7
            data = int.from_bytes(beat.tobytes(), "little")
            bus.valid.value = int(right or not ready)
            bus.data.value = data if right else data ^ 0xFFFF
            bus.last.value = int(last)
            if right:
                # Ready may depend on what is offered: look again before the edge.
                await RisingEdge(self.dut.clk_i)
                bus.valid.value = 0
                await FallingEdge(self.dut.clk_i)
                return
            bus.valid.value = 0 if ready else 1
            if not ready:
                # Withdrawn before the edge at which the core could become ready.
                bus.valid.value = 0
            await FallingEdge(self.dut.clk_i)
        self.drained = False

    def told(self) -> dict[str, Any]:
        return {**super().told(), "operands": (self.x, self.w)}
