"""Stimulus of the pair as data: joint descriptors, operands, biases; and how a product is cut into them.

A `Product` is Y = X W + bias with its formats; `plan` gives the programs that compute it, one after the other: one a
chunk of K, every one of them with all tiles of columns (docs/gemm/README.md, Using it for a product).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from host.captures import MOST_JOBS_OF_A_STAGE
from models.common.formats import YBits
from models.common.generator import NUMBERS, TILE_DRAWS
from models.ioss.config import CoreParams, Descriptor
from models.ioss.oracle import PairCount, count_pairs, kept_product
from models.ran.config import MAX_JOBS, RanDescriptor, RanParams, RspCode, Start
from tb.ioss.program import Placement
from tb.ioss.program import Program as CoreProgram
from tb.lib.agents import BurstItem
from tb.ran.program import bias_beats, bias_burst, desc_burst, desc_words
from tb.ran.scoreboard import exact_range

I64 = npt.NDArray[np.int64]
RAN_CODE = 16


def drawn(final: RanDescriptor, tile: int) -> RanDescriptor:
    """The descriptor of a tile of columns, whose draws' numbers are `TILE_DRAWS` away from those of the next."""
    return replace(final, draw=(final.draw + TILE_DRAWS * tile) % NUMBERS)


@dataclass(frozen=True)
class GemmParams:
    """Parameters of the pair."""

    core: CoreParams = field(default_factory=CoreParams)
    ran: RanParams = field(default_factory=RanParams)


def gemm_params(params: Mapping[str, int]) -> GemmParams:
    """Parameters of the pair by make variable."""
    core = CoreParams(params["ROWS"], params["LANES"], params["DEPTH"])
    return GemmParams(core, RanParams(params["ROWS"], params["LANES"], params["ACC_W"], params["BANKS"]))


@dataclass
class Product:
    """Y = X W + bias. `final` says how results leave (format, shift, rounding, ReLU; the rest is filled in).

    Errors: `ValueError` where a stage would have more jobs than the bench can chain.
    """

    x: npt.NDArray[np.integer]  # (M, K)
    w: npt.NDArray[np.integer]  # (K, N)
    n_x: int
    n_w: int
    final: RanDescriptor
    name: str = ""
    x_unsigned: bool = False
    w_unsigned: bool = False
    min_order: int = 0
    compensate: bool = False
    reduce_factor: int = 1
    mask: npt.NDArray[np.bool_] | None = None  # (M, N)
    bias: I64 | None = None  # (N,)
    gap: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, K, N."""
        return (*self.x.shape, self.w.shape[1])

    @property
    def options(self) -> dict[str, Any]:
        """What the IOSS core's program takes."""
        names = ("x_unsigned", "w_unsigned", "min_order", "compensate", "reduce_factor", "gap")
        return {name: getattr(self, name) for name in names}

    def sums(self, lanes: int) -> I64:
        """Exact sums (M, N), 0 where masked: by the oracle of the IOSS core, a plain product if nothing is dropped."""
        out = kept_product(
            self.x, self.w, self.n_x, self.n_w, lanes, self.min_order, self.compensate, self.mask
        ).astype(np.int64)
        if self.bias is not None:
            out = out + self.bias
        return out if self.mask is None else np.where(self.mask, 0, out)

    def expected(self, lanes: int) -> tuple[I64, I64, npt.NDArray[np.bool_]]:
        """Smallest and largest legal results (M, N), and the mask that leaves with them."""
        sums = self.sums(lanes)
        off = np.zeros(sums.shape, bool) if self.mask is None else self.mask
        return *exact_range(sums, self.final), off | (self.final.relu & (sums <= 0))

    def pairs(self, lanes: int) -> PairCount:
        """Slice pairs from the definition."""
        return count_pairs(self.x, self.w, self.n_x, self.n_w, lanes, self.min_order, self.mask)

    def plan(self, params: GemmParams, first_job: int, index: int) -> list[GemmProgram]:
        """The programs that compute it; jobs are numbered from `first_job` on, results belong to product `index`."""
        span = self.reduce_factor * params.core.depth
        k_total = self.x.shape[1]
        edges = [*range(0, k_total, span), k_total]
        stages: list[GemmProgram] = []
        for at, (lo, hi) in enumerate(itertools.pairwise(edges)):
            program = GemmProgram(params, first_job)
            program.add(self, index, lo, hi, first=at == 0, last=hi == k_total)
            first_job += program.core.jobs
            stages.append(program)
        if len(stages) > 1 and max(stage.core.jobs for stage in stages) > MOST_JOBS_OF_A_STAGE:
            raise ValueError(f"{self.name}: more than {MOST_JOBS_OF_A_STAGE} jobs in a chunk of K")
        return stages


@dataclass
class GemmProgram:
    """What the sources play: `core` has the operands, `ran` the RAN's part of each descriptor of `core.descs`."""

    params: GemmParams
    first_job: int = 0
    ran: list[RanDescriptor] = field(default_factory=list)
    final: set[int] = field(default_factory=set)  # jobs whose result is one of the product's
    distance: int = 0  # of partial sums, in jobs; 0: there are none
    _bias: list[npt.NDArray[np.uint8]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.core = CoreProgram(self.params.core, first_job=self.first_job)

    def add(
        self,
        product: Product,
        index: int = 0,
        k_lo: int = 0,
        k_hi: int | None = None,
        first: bool = True,
        last: bool = True,
    ) -> None:
        """Adds elements `k_lo` .. `k_hi` - 1 of a product: one chunk of K, every tile of columns."""
        lanes = self.params.core.lanes
        x, w = product.x[:, k_lo:k_hi], product.w[k_lo:k_hi]
        before, job = len(self.core.descs), self.core.first_job + self.core.jobs
        self.core.gemm(x, w, product.n_x, product.n_w, mask=product.mask, index=index, **product.options)
        if not last or not first:
            self.distance = self.core.jobs
        descs = self.core.descs[before:]
        assert max(desc.n_jobs for desc in descs) <= MAX_JOBS, "a tile has more jobs than the RAN takes"
        for at, desc in enumerate(descs):
            place = self.core.placements[job - self.core.first_job]
            width = min(lanes, w.shape[1] - place.n0)
            start = Start.PSUM64 if not first else Start.BIAS if product.bias is not None else Start.ZERO
            base = drawn(product.final, place.n0 // lanes) if last else RanDescriptor(YBits.RAW64)
            self.ran.append(
                self.ran_part(replace(base, start=start, lanes=width, stat_last=at == len(descs) - 1), desc)
            )
            if start == Start.BIAS:
                words = np.zeros(lanes, np.int64)
                words[:width] = product.bias[place.n0 : place.n0 + width]  # type: ignore[index]
                self.add_bias(bias_beats(words))
            if last:
                self.final.update(range(job, job + desc.n_jobs))
            job += desc.n_jobs

    @staticmethod
    def ran_part(ran: RanDescriptor, desc: Descriptor) -> RanDescriptor:
        """The RAN's descriptor with the fields that both have."""
        shared = ("x_slices", "w_slices", "x_unsigned", "w_unsigned", "compensate", "reduce_factor", "k_len", "n_jobs")
        return replace(ran, **{name: getattr(desc, name) for name in shared})

    def add_bias(self, beats: npt.NDArray[np.uint8]) -> None:
        """The bias (L / 4, 16) of the descriptor that is next to want one."""
        self._bias.append(beats)

    def descriptor(self, desc: Descriptor, ran: RanDescriptor, gap: int = 0) -> None:
        """Adds a joint descriptor, legal or not, without anything else."""
        self.core.descriptor(desc, gap)
        self.ran.append(self.ran_part(ran, desc))

    def codes(self) -> list[int]:
        """The answer to each descriptor."""
        out = []
        for desc, ran in zip(self.core.descs, self.ran, strict=True):
            core, own = desc.check(self.params.core), ran.check(self.params.ran)
            out.append(int(core) if core else RAN_CODE + own if own != RspCode.OK else 0)
        return out

    @property
    def placements(self) -> list[Placement]:
        """Where each job's result belongs."""
        return self.core.placements

    @property
    def bias_data(self) -> npt.NDArray[np.uint8]:
        """(B, 16)."""
        return np.concatenate(self._bias) if self._bias else np.zeros((0, 16), np.uint8)

    @property
    def bias_last(self) -> npt.NDArray[np.bool_]:
        """(B,)."""
        each = np.zeros(self.params.core.lanes // 4, bool)
        each[-1] = True
        return np.tile(each, len(self._bias))

    def bound(self) -> int:
        """Cycles after which this program is over with every consumer always ready, however badly it goes."""
        return self.core.bound() + 60 * self.core.jobs + 40 * len(self.ran) + 300

    def bursts(self) -> dict[str, list[BurstItem]]:
        """Bursts for each source that has something to play."""
        out = {name: [burst] for name, burst in self.core.bursts().items()}
        if self.ran:
            words = [desc_words(ran, desc.min_order) for desc, ran in zip(self.core.descs, self.ran, strict=True)]
            out["desc"] = [desc_burst(words, self.core.desc_gap)]
        if self._bias:
            out["bias"] = [bias_burst(self.bias_data, self.bias_last, 0)]
        return out
