"""Random material of the IOSS tests: sparse operands, ready waveforms, gaps, constrained-random programs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.common.slices import operand_range
from models.ioss.config import CoreParams, Descriptor
from models.ioss.value import pack_tile
from tb.ioss.program import Program, pack_jobs
from tb.lib.waves import gaps

I64 = npt.NDArray[np.int64]
ILLEGAL = (
    {"x_slices": 0}, {"x_slices": 5}, {"x_slices": 7}, {"w_slices": 0}, {"w_slices": 6}, {"reduce_factor": 0},
    {"reduce_factor": 3}, {"reduce_factor": 6}, {"reduce_factor": 15}, {"k_len": 0}, {"k_len": "over"},
    {"k_len": 0xFFFF}, {"min_order": "over"}, {"min_order": 7}, {"n_jobs": 0},
)  # fmt: skip


def operands(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    n: int,
    unsigned: bool = False,
    zero: float = 0.0,
    slice_zero: float = 0.0,
) -> I64:
    """Integers of `n` slices over the whole range; a share `zero` of them is 0, a share `slice_zero` of all slices."""
    low, high = operand_range(4 * n, unsigned)
    q = rng.integers(low, high + 1, shape)
    if slice_zero:
        keep = np.zeros(shape, np.int64)
        for i in range(n):
            keep |= np.where(rng.random(shape) < slice_zero, 0, 0xF << 4 * i)
        q = np.sign(q) * (np.abs(q) & keep)
    return np.where(rng.random(shape) < zero, 0, q)


@dataclass(frozen=True)
class Knobs:
    """What a constrained-random program may contain; shares are probabilities."""

    tiles: int = 12
    max_jobs: int = 14
    max_k: int = 0  # 0: RF * Depth
    reduce: tuple[int, ...] = (1,)
    new_reduce: float = 0.15
    illegal: float = 0.1
    bad_tile: float = 0.08
    bad_job: float = 0.08
    gap_style: str = "rare"
    max_beats: int = 1 << 30  # of a tile: keeps runs on a slow simulator short


def illegal_descriptor(rng: np.random.Generator, params: CoreParams, base: Descriptor, entry: int) -> Descriptor:
    """`base` with the illegal field `ILLEGAL[entry]`, and sometimes a second illegal one."""
    fields = {**base.__dict__, **ILLEGAL[entry]}
    if rng.random() < 0.3:
        fields.update(ILLEGAL[int(rng.integers(len(ILLEGAL)))])
    if fields["k_len"] == "over":
        fields["k_len"] = params.depth * base.reduce_factor + 1
    if fields["min_order"] == "over":
        fields["min_order"] = base.x_slices + base.w_slices - 1
    return Descriptor(**fields)


def random_descriptor(rng: np.random.Generator, params: CoreParams, knobs: Knobs, reduce_factor: int) -> Descriptor:
    """A legal descriptor."""
    n_x, n_w = (int(n) for n in rng.integers(1, 5, 2))
    span = knobs.max_k or params.depth * reduce_factor
    k_len = int(
        rng.choice([1, span, params.depth, int(rng.integers(1, span + 1)), int(rng.integers(1, min(span, 24) + 1))])
    )
    order = int(rng.integers(0, n_x + n_w - 1)) if rng.random() < 0.5 else 0
    return Descriptor(
        n_x, n_w, bool(rng.integers(2)), bool(rng.integers(2)), order, bool(rng.integers(2)), reduce_factor,
        min(k_len, span), int(rng.integers(1, knobs.max_jobs + 1)),
    )  # fmt: skip


def bad_last(
    rng: np.random.Generator, beats: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Beats (B, 16) cut short or run long, and their last flags."""
    if len(beats) > 1 and rng.random() < 0.5:
        beats = beats[: int(rng.integers(1, len(beats)))]
    else:
        extra = rng.integers(0, 256, (int(rng.integers(1, 4)), 16)).astype(np.uint8)
        beats = np.concatenate([beats, extra])
    last = np.zeros(len(beats), bool)
    last[-1] = True
    return beats, last


def random_masks(rng: np.random.Generator, lanes: int, count: int) -> npt.NDArray[np.uint32]:
    """out_masks: mostly none, some random, one live lane, or all masked."""
    full = (1 << lanes) - 1
    kind = rng.random(count)
    mask = rng.integers(0, 1 << lanes, count, dtype=np.uint64)
    mask = np.where(kind < 0.6, 0, mask)
    mask = np.where((kind >= 0.85) & (kind < 0.93), full ^ (1 << rng.integers(0, lanes, count)), mask)
    return np.where(kind >= 0.93, full, mask).astype(np.uint32)


def random_program(rng: np.random.Generator, program: Program, knobs: Knobs) -> None:
    """Adds constrained-random tiles and jobs to `program`."""
    params = program.params
    rf = int(rng.choice(knobs.reduce))
    for _ in range(knobs.tiles):
        if rng.random() < knobs.new_reduce:
            rf = int(rng.choice(knobs.reduce))
        desc = random_descriptor(rng, params, knobs, rf)
        if rng.random() < knobs.illegal:
            program.descriptor(
                illegal_descriptor(rng, params, desc, int(rng.integers(len(ILLEGAL)))), int(rng.integers(4))
            )
        program.descriptor(desc, int(gaps(rng, knobs.gap_style, 1)[0]))
        w = operands(
            rng,
            (desc.k_len, params.lanes),
            desc.w_slices,
            desc.w_unsigned,
            rng.random() ** 2,
            rng.choice([0, 0.5, 0.9]),
        )
        if rng.random() < 0.3:
            w[rng.random(desc.k_len) < 0.5] = 0
        beats = pack_tile(desc, params, w, pad_fill=int(rng.integers(1 << 16)), container_fill=int(rng.integers(16)))
        last = None
        bad = rng.random() < knobs.bad_tile
        if bad:
            beats, last = bad_last(rng, beats)
        program.tile_beats(beats, last, gaps(rng, knobs.gap_style, len(beats)))
        x = operands(
            rng, (desc.n_jobs, desc.k_len), desc.x_slices, desc.x_unsigned, rng.random(), rng.choice([0, 0.5, 0.9])
        )
        x[rng.random(desc.n_jobs) < 0.1] = 0
        masks = random_masks(rng, params.lanes, desc.n_jobs)
        jobs = pack_jobs(desc, x, pad_fill=int(rng.integers(16)), container_fill=int(rng.integers(16)))
        for job in range(desc.n_jobs):
            tag = (program.first_job + program.jobs) % (1 << 16)
            program.jobs += 1
            one, job_last = jobs[job], None
            if rng.random() < knobs.bad_job:
                one, job_last = bad_last(rng, one)
                job_last = job_last[None]
            program.job_beats(one[None], [tag], [masks[job]], job_last, gaps(rng, knobs.gap_style, len(one))[None])
