"""Tests of the IOSS core and the RAN, joined. What they verify stands in testplan.hjson, their runs in testlist.py.

Class names are test names (`make sim BLOCK=gemm TEST=...`). The configuration of a test stands in its docstring.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyuvm

from models.common.files import read_array, save_arrays
from models.common.formats import YBits
from models.common.generator import NUMBERS, TILE_DRAWS, draws
from models.common.rounding import RAND_BITS, Round
from models.common.tensors import load_matrix
from models.ioss.config import LEGAL_REDUCE, Descriptor
from models.ran.config import RanDescriptor, Start
from models.ran.value import quantise, saturate
from tb.gemm.capture import Capture
from tb.gemm.env import GemmTest
from tb.gemm.pieces import part_of
from tb.gemm.program import GemmProgram, Product
from tb.gemm.report import product_report, sweep_entry
from tb.gemm.tensors import shipped, tensor_product
from tb.ioss.sequences import ILLEGAL as CORE_ILLEGAL
from tb.ioss.sequences import Knobs, illegal_descriptor, operands, random_program
from tb.lib.scoreboard import Verdict
from tb.lib.waves import ready_wave
from tb.ran.program import bias_beats
from tb.ran.sequences import ILLEGAL as RAN_ILLEGAL
from tb.ran.sequences import illegal_descriptor as illegal_ran

OPERAND_FORMATS = (YBits.B4, YBits.B8, YBits.B12, YBits.B16)


def random_product(rng: np.random.Generator, shape: tuple[int, int, int], n_x: int, n_w: int, **more: Any) -> Product:
    """A product of sparse operands; without a format of its own its raw sums leave."""
    (m, k, n), final = shape, more.pop("final", RanDescriptor(YBits.RAW64))
    signs = {name: bool(rng.integers(2)) for name in ("x_unsigned", "w_unsigned")}
    x = operands(rng, (m, k), n_x, signs["x_unsigned"], 0.5, 0.3)
    w = operands(rng, (k, n), n_w, signs["w_unsigned"], 0.2, 0.3)
    name = more.pop("name", "x".join(map(str, shape)))
    return Product(x, w, n_x, n_w, final, name, **signs, **more)


def random_final(rng: np.random.Generator, y_bits: int) -> RanDescriptor:
    """A legal format with any rounding."""
    if y_bits >= YBits.RAW32:
        return RanDescriptor(y_bits)
    return RanDescriptor(
        y_bits,
        bool(rng.integers(2)),
        bool(rng.integers(2)),
        int(rng.integers(3)),
        int(rng.integers(4)),
        int(rng.integers(0, 20)),
        draw=int(rng.integers(NUMBERS)),
    )


@pyuvm.test()
class smoke(GemmTest):
    """Raw sums and 8-bit results of small products."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = self.program()
        self.add(program, random_product(rng, (20, 24, 20), 2, 2))
        final = RanDescriptor(YBits.B8, shift=8, relu=True)
        self.add(program, random_product(rng, (20, 24, 24), 2, 1, final=final, bias=rng.integers(-900, 900, 24)))
        await self.play(program)


def spoilt(products: list[Product], config: Mapping[str, Any]) -> list[Product]:
    """The products, the one that `spoil` names with another weight: its results must be found wrong."""
    if "spoil" not in config:
        return products
    out = list(products)
    wrong = out[config["spoil"]].w.copy()
    wrong[0, 0] ^= 1
    out[config["spoil"]] = replace(out[config["spoil"]], w=wrong)
    return out


class Tables(GemmTest):
    """Base of the tests that report a table of products: each is played alone, from an idle pair."""

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if not verdict.divergences:
            self.report = product_report(
                self.run_info, self.params, self.env.scoreboard, self.programs[-1], self.products, self.counters
            )


@pyuvm.test()
class real_tensors(Tables):
    """The shipped products, to 8 bits.

    Config: `sets` (early, late), `gemms` (names; all), `rows` (at most so many jobs; all)."""

    async def body(self) -> None:
        config = self.run_info.config
        for which, tensors in shipped(config):
            await self.gemm(tensor_product(which, tensors, config.get("rows")))


@pyuvm.test()
class user_tensors(Tables):
    """A user's matrices. Config: x, w, bias (files; bias may be null), x_bits, w_bits, x_unsigned, w_unsigned,
    min_order, compensate, reduce_factor, final (fields of the RAN's descriptor), seed, out (whether to keep the
    result), part (`rows` and `columns`, first and end, of a product that is cut); or `example`: matrices that the test
    makes."""

    def example(self) -> dict[str, Any]:
        """The configuration of matrices that divide into no tile evenly, with a bias and stochastic rounding."""
        rng, core = self.run_info.rng("matrices"), self.params.core
        m, k, n = 2 * core.rows + 3, core.depth + 9, core.lanes + 5
        arrays = {"x": operands(rng, (m, k), 2, True, 0.4, 0.2), "w": operands(rng, (k, n), 3, False, 0.2, 0.2)}
        arrays["bias"] = rng.integers(-5000, 5000, n)
        files = {name: str(path) for name, path in save_arrays(self.run_info.run_dir, **arrays).items()}
        signs = {"x_bits": 8, "w_bits": 12, "x_unsigned": True, "w_unsigned": False}
        orders = {"min_order": 1, "compensate": True, "reduce_factor": 2}
        final = {"y_bits": int(YBits.B8), "relu": True, "round": int(Round.STOCHASTIC), "rand_bits": 1, "shift": 11}
        return {**files, **signs, **orders, "final": final, "seed": 7}

    async def body(self) -> None:
        config = self.example() if self.run_info.config.get("example") else self.run_info.config
        x = load_matrix(config["x"], config["x_bits"], config["x_unsigned"], "X")
        w = load_matrix(config["w"], config["w_bits"], config["w_unsigned"], "W")
        bias = read_array(Path(config["bias"])).astype(np.int64) if config["bias"] else None
        names = ("x_unsigned", "w_unsigned", "min_order", "compensate", "reduce_factor")
        product = Product(
            x, w, config["x_bits"] // 4, config["w_bits"] // 4, RanDescriptor(**config["final"]), "x @ w",
            **{name: config[name] for name in names}, bias=bias,
        )  # fmt: skip
        await self.gemm(*part_of(product, config["seed"], config.get("part"), self.params.core.lanes))

    def told(self) -> dict[str, Any]:
        self.products = spoilt(self.products, self.run_info.config)
        return super().told()

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        self.conclude_values(verdict)

    def conclude_values(self, verdict: Verdict) -> None:
        if not verdict.divergences:
            self.keep(self.env.scoreboard.results[0][0])


@pyuvm.test()
class captured(Tables):
    """Products from their files (capture.py), one after the other. Config: `capture` (none: one that the test makes),
    or `captures`, a list; `part` as user_tensors has it; `out` (whether to keep the result), `sums` (of a list: .npz
    that gets the result of each); `spoil` (product whose expected result is made wrong)."""

    def example(self) -> Path:
        """A capture of every field: bias, mask, orders dropped, several chunks of K, stochastic rounding."""
        rng = self.run_info.rng("capture")
        n = self.params.core.lanes + 3
        shape = (14, 2 * self.params.core.depth + 9, n)
        final = RanDescriptor(YBits.B8, True, True, Round.STOCHASTIC, 1, 9)
        mask = rng.random((shape[0], n)) < 0.2
        options = {"mask": mask, "bias": rng.integers(-5000, 5000, n), "min_order": 1}
        product = random_product(rng, shape, 2, 2, final=final, name="example", **options)
        path = self.run_info.run_dir / "example.npz"
        Capture(product, 7, {"test": self.run_info.test}).save(path)
        return path

    def paths(self) -> list[Path]:
        """The files to replay."""
        config = self.run_info.config
        given = config.get("captures") or [config.get("capture") or self.example()]
        return [Path(each) for each in given]

    async def body(self) -> None:
        origins = []
        for path in self.paths():
            capture = Capture.load(path)
            origins.append(capture.source)
            part = self.run_info.config.get("part")
            await self.gemm(*part_of(capture.product, capture.seed, part, self.params.core.lanes))
        self.origin = origins[0] if len(origins) == 1 else f"{origins[0]} and {len(origins) - 1} more"

    def told(self) -> dict[str, Any]:
        self.products = spoilt(self.products, self.run_info.config)
        return super().told()

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        self.report["origin"] = self.origin
        self.conclude_values(verdict)

    def conclude_values(self, verdict: Verdict) -> None:
        config = self.run_info.config
        if not verdict.divergences:
            results = [y for y, _ in self.env.scoreboard.results]
            if config.get("captures"):
                np.savez(config["sums"], *results)
            else:
                self.keep(results[0])


@pyuvm.test()
class reduce_sweep(GemmTest):
    """The shipped products at every reduce factor, one by one: what groups and the second bank are worth.
    Config: `sets`, `gemms`, `rows`, `factors`."""

    async def body(self) -> None:
        config = self.run_info.config
        self.marks: list[tuple[int, str, int, int, int, Any]] = []
        for factor in config.get("factors", LEGAL_REDUCE):
            if factor > self.params.core.rows:
                continue
            for which in config.get("sets", ["early", "late"]):
                first, begin = len(self.products), int(self.dut.cycle_o.value)
                for _, tensors in shipped({**config, "sets": [which]}):
                    await self.gemm(tensor_product(which, tensors, config.get("rows"), factor))
                await self.before_collect()
                self.marks.append((factor, which, first, begin, int(self.dut.cycle_o.value), self.counters))

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if not verdict.divergences:
            before = None
            entries = []
            for mark in self.marks:
                entries.append(sweep_entry(self.params, self.env.scoreboard, mark, before))
                before = mark[-1]
            self.report = {"banks": self.params.ran.banks, "sweep": entries}


@pyuvm.test()
class shapes(GemmTest):
    """Raw sums of any shape: one element, columns that do not fill the lanes, K far beyond Depth, every reduce factor,
    with and without bias. Config: `chains` (chunks of K), `factors`, `rows`."""

    async def body(self) -> None:
        rng, config = self.run_info.rng(), self.run_info.config
        depth, lanes = self.params.core.depth, self.params.core.lanes
        rows = config.get("rows", 12)
        await self.gemm(random_product(rng, (1, 1, 1), 1, 1))
        wide = rng.integers(-(1 << 31), 1 << 31, lanes + 3)
        await self.gemm(random_product(rng, (rows, depth, lanes + 3), 4, 1, bias=wide))
        await self.gemm(random_product(rng, (rows, depth + 5, lanes), 1, 2))
        for factor in config.get("factors", LEGAL_REDUCE):
            if factor > self.params.core.rows:
                continue
            k = (config.get("chains", 3) - 1) * factor * depth + 3
            n_x, n_w = (int(n) for n in rng.integers(1, 4, 2))
            n = int(rng.integers(1, 2 * lanes))
            bias = rng.integers(-1000, 1000, n) if rng.random() < 0.5 else None
            y_bits = YBits.RAW64 if factor != 2 else YBits.RAW32
            final = RanDescriptor(y_bits)
            shape = (rows, k, n)
            await self.gemm(random_product(rng, shape, n_x, n_w, reduce_factor=factor, bias=bias, final=final))


@pyuvm.test()
class formats(GemmTest):
    """Every format with every rounding, ReLU and sign, and every precision of operands. Config: `jobs`, `share`."""

    async def body(self) -> None:
        rng, config = self.run_info.rng(), self.run_info.config
        program = self.program()
        cases = list(itertools.product(OPERAND_FORMATS, (False, True), (False, True), range(3)))
        cases += [(y_bits, False, False, 0) for y_bits in (YBits.RAW32, YBits.RAW64)] * 4
        rng.shuffle(cases)
        precisions = list(itertools.product(range(1, 5), range(1, 5))) * 3
        # Every format meets every reduce factor.
        factors = [factor for factor in LEGAL_REDUCE if factor <= self.params.core.rows]
        met = dict.fromkeys(YBits, 0)
        precisions += precisions[:8]
        for case, (n_x, n_w) in zip(cases[: config.get("share", 56)], precisions, strict=False):
            y_bits, y_unsigned, relu, mode = (int(entry) for entry in case)
            width = 4 * (n_x + n_w)
            raw = y_bits >= YBits.RAW32
            shift = 0 if raw else max(0, width - 4 * y_bits - 4)
            final = RanDescriptor(y_bits, bool(y_unsigned), bool(relu), mode, int(rng.integers(4)), shift)
            factor = factors[met[YBits(y_bits)] % len(factors)]
            met[YBits(y_bits)] += 1
            shape = (config.get("jobs", 9), int(rng.integers(2, 30)), int(rng.integers(1, 20)))
            self.add(program, random_product(rng, shape, n_x, n_w, final=final, reduce_factor=factor))
        # So many draws that it shows how many bits they have.
        shape = (16 * config.get("jobs", 9), 8, 3 * self.params.core.lanes)
        for rand_bits in range(len(RAND_BITS)):
            final = RanDescriptor(YBits.B16, round=Round.STOCHASTIC, rand_bits=rand_bits, shift=14)
            self.add(program, random_product(rng, shape, 3, 3, final=final))
        await self.play(program)


@pyuvm.test()
class back_pressure(GemmTest):
    """A consumer of results that stops for thousands of cycles, and ones that stop often: it reaches the IOSS core.
    Config: `stop` (cycles), `jobs`."""

    async def body(self) -> None:
        rng, config = self.run_info.rng(), self.run_info.config
        stop, jobs = config.get("stop", 4000), config.get("jobs", 60)
        waves = [np.array([[100, stop], [1, 5], [2, stop // 4]])]
        waves += [ready_wave(rng, style, 2000) for style in ("starved", "frequent")]
        for wave in waves:
            await self.back_pressure({"out": wave})
            program = self.program()
            for y_bits in (YBits.RAW64, YBits.B8, YBits.B4):
                self.add(program, random_product(rng, (jobs, 12, 16), 2, 2, final=random_final(rng, y_bits)))
            await self.play(program)


def good_pair(rng: np.random.Generator, lanes: int) -> tuple[Descriptor, RanDescriptor]:
    """A legal joint descriptor."""
    n_x, n_w = (int(n) for n in rng.integers(1, 4, 2))
    desc = Descriptor(n_x, n_w, False, False, 0, False, 1, int(rng.integers(1, 20)), int(rng.integers(1, 6)))
    return desc, RanDescriptor(YBits.B16, shift=4, lanes=lanes)


@pyuvm.test()
class illegal_descriptors(GemmTest):
    """Every illegal field of either part alone, with products between them that come out right."""

    async def body(self) -> None:
        rng, params = self.run_info.rng(), self.params
        program = self.program()
        cases = [(True, n) for n in range(len(CORE_ILLEGAL))] + [(False, n) for n in range(len(RAN_ILLEGAL))]
        rng.shuffle(cases)
        for core, entry in cases:
            desc, ran = good_pair(rng, params.core.lanes)
            if core:
                desc = illegal_descriptor(rng, params.core, desc, int(entry))
                program.descriptor(desc, ran)
            else:
                bad = illegal_ran(params.ran, program.ran_part(ran, desc), int(entry))
                # Fields that both have go through the core's descriptor.
                shared = {name: getattr(bad, name) for name in ("x_slices", "w_slices", "reduce_factor", "k_len")}
                shared |= {name: getattr(bad, name) for name in ("x_unsigned", "w_unsigned", "compensate", "n_jobs")}
                program.descriptor(Descriptor(**{**desc.__dict__, **shared}), bad)
            if rng.random() < 0.4:
                self.add(program, random_product(rng, (5, 9, 7), 2, 2))
        # Legal for the IOSS core, too long for 40 bits.
        longest = max(1, (1 << params.ran.acc_w - 31) // params.core.depth)
        if longest in LEGAL_REDUCE and longest <= params.core.rows:
            long = Descriptor(4, 4, False, False, 0, False, longest, longest * params.core.depth, 1)
            program.descriptor(long, RanDescriptor(YBits.RAW64, lanes=params.core.lanes))
        await self.play(program)


def random_work(rng: np.random.Generator, program: GemmProgram, knobs: Knobs) -> None:
    """Random tiles and jobs for the IOSS core, framing errors among them, with a random RAN part each."""
    lanes, before = program.params.core.lanes, len(program.core.descs)
    random_program(rng, program.core, knobs)
    for desc in program.core.descs[before:]:
        ran = random_final(rng, int(rng.integers(6)))
        fields = {**ran.__dict__, "lanes": int(rng.integers(1, lanes + 1)), "stat_last": bool(rng.integers(2))}
        if rng.random() < 0.3:
            fields["start"] = Start.BIAS
        ran = program.ran_part(RanDescriptor(**fields), desc)
        program.ran.append(ran)
        if fields.get("start") == Start.BIAS and not desc.check(program.params.core):
            program.add_bias(bias_beats(rng.integers(-(1 << 31), 1 << 31, lanes)))


# K of 16-bit unsigned operands, compensated, that 40 bits hold; and what fits one row.
LONGEST = 100


@pyuvm.test()
class same_draws(GemmTest):
    """A product that rounds stochastically, again and again, with results that are held off and without: always what
    NumPy makes of sums and of the draws of row and column, in which no order occurs. Config: `rows`."""

    STYLES = ("none", "frequent", "starved")

    async def body(self) -> None:
        rng, lanes = self.run_info.rng(), self.params.core.lanes
        final = RanDescriptor(YBits.B16, round=Round.STOCHASTIC, rand_bits=3, shift=7, draw=NUMBERS - 9)
        bias = rng.integers(-1000, 1000, 2 * lanes + 3)
        for style in self.STYLES:
            await self.back_pressure({"out": ready_wave(rng, style, 2000)})
            if style == self.STYLES[0]:
                product = random_product(
                    rng, (self.run_info.config.get("rows", 30), 40, len(bias)), 2, 2, final=final, bias=bias
                )
            await self.gemm(product)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if verdict.divergences:
            return
        lanes, product = self.params.core.lanes, self.products[0]
        m, _, n = product.shape
        draw = [draws(product.final.draw + TILE_DRAWS * t + np.arange(m), lanes) for t in range(-(-n // lanes))]
        want = saturate(quantise(product.sums(lanes), product.final, np.hstack(draw)[:, :n]), product.final)[0]
        for style, (got, _) in zip(self.STYLES, self.env.scoreboard.results, strict=True):
            verdict.count("value", want.size)
            bad = np.argwhere(got != want)
            if len(bad):
                verdict.diverge(
                    "result", self.cycles, f"row, column {bad[0]}, {style}", got[*bad[0]], want[*bad[0]], len(bad)
                )


@pyuvm.test()
class refused_jobs(GemmTest):
    """Tiles and vectors with wrong framing: their jobs are cancelled in the RAN, everything else comes out right.
    Config: `tiles`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        tiles = self.run_info.config.get("tiles", 24)
        program = self.program()
        random_work(
            rng,
            program,
            Knobs(tiles, 10, min(LONGEST, self.params.core.depth), illegal=0.0, bad_tile=0.25, bad_job=0.3),
        )
        await self.play(program)


@pyuvm.test()
class reset_mid_jobs(GemmTest):
    """Resets at any moment, with every answer on its way too; what follows is as from the start. Config: `resets`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        bad, ran = good_pair(rng, self.params.core.lanes)
        for moment in range(2, 10):
            program = self.program()
            for _ in range(4):
                program.descriptor(replace(bad, x_slices=0), ran)
            await self.start(program)
            await self.cycles_pass(moment)
            await self.reset()
        for _ in range(self.run_info.config.get("resets", 8)):
            program = self.program()
            random_work(rng, program, Knobs(8, 10, LONGEST, reduce=(1, 2) if self.params.core.rows > 1 else (1,)))
            await self.start(program)
            await self.cycles_pass(int(rng.integers(20, 700)))
            await self.reset()
        program = self.program()
        self.add(program, random_product(rng, (30, 40, 20), 2, 2, final=random_final(rng, YBits.B8)))
        await self.play(program)


@pyuvm.test()
class many_jobs(GemmTest):
    """More than half as many jobs as there are numbers of jobs."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        final = RanDescriptor(YBits.B4, shift=2)
        for jobs in (16000, 17000):  # of a descriptor at most 16,383
            program = self.program()
            for first in range(0, jobs, 8000):
                rows = min(8000, jobs - first)
                self.add(program, random_product(rng, (rows, 1, self.params.core.lanes), 1, 1, final=final))
            await self.play(program)


@pyuvm.test()
class constrained_random(GemmTest):
    """Everything, with random consumers. Config: `tiles`, `jobs`, `max_beats`."""

    async def body(self) -> None:
        rng, config = self.run_info.rng(), self.run_info.config
        factors = tuple(factor for factor in LEGAL_REDUCE if factor <= self.params.core.rows)
        for name in ("out", "stat"):
            style = str(rng.choice(["none", "rare", "frequent", "starved"]))
            await self.back_pressure({name: ready_wave(rng, style, 1500)})
        program = self.program()
        reduce = (1,) if rng.random() < 0.4 else factors
        longest = min(config.get("max_k", LONGEST), self.params.core.depth)
        knobs = Knobs(config.get("tiles", 30), config.get("jobs", 14), longest, reduce=reduce)
        random_work(rng, program, knobs)
        await self.play(program)
