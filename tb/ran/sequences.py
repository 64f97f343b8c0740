"""Random material of the RAN's tests: descriptors, products, jobs over the rows of groups, whole programs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.common.formats import YBits
from models.common.generator import NUMBERS
from models.ran.config import RanDescriptor, RanParams, RspCode, Start, sum_bound
from tb.ran.program import Program

I64 = npt.NDArray[np.int64]
Products = tuple[npt.NDArray[np.int16], I64]

# One illegal field each; "over": one above the largest legal value.
ILLEGAL: tuple[dict[str, int | str], ...] = (
    {"y_bits": 6}, {"y_bits": 7}, {"round": 3}, {"shift": "over"}, {"shift": 63}, {"y_bits": YBits.RAW32, "shift": 1},
    {"y_bits": YBits.RAW64, "shift": 5}, {"y_bits": YBits.RAW32, "shift": 0, "relu": 1},
    {"y_bits": YBits.RAW64, "shift": 0, "y_unsigned": 1}, {"reduce_factor": 0}, {"reduce_factor": 3},
    {"reduce_factor": 15}, {"lanes": 0}, {"lanes": "over"}, {"lanes": 63}, {"n_jobs": 0}, {"n_jobs": 16384},
    {"n_jobs": 65535}, {"x_slices": 0}, {"x_slices": 5}, {"w_slices": 0}, {"w_slices": 7}, {"k_len": 0},
    {"k_len": "over"}, {"k_len": 65535, "x_slices": 4, "w_slices": 4, "x_unsigned": 1, "w_unsigned": 1},
    {"k_len": "compensated"},
)  # fmt: skip


def illegal_descriptor(params: RanParams, base: RanDescriptor, entry: int) -> RanDescriptor:
    """`base` with the illegal field `ILLEGAL[entry]`."""
    fields = {**base.__dict__, **ILLEGAL[entry]}
    for name, over in (("shift", params.acc_w), ("lanes", params.lanes + 1)):
        if fields[name] == "over":
            fields[name] = over
    if isinstance(fields["k_len"], str):
        compensate = fields["k_len"] == "compensated"
        # 16 bits by 16 bits, or a bit more where even 65535 elements of that fit.
        fields.update(x_slices=4, w_slices=4, x_unsigned=params.acc_w > 40, w_unsigned=params.acc_w > 40)
        one = sum_bound(1, 4, 4, params.acc_w > 40, params.acc_w > 40, False)
        most = ((1 << params.acc_w - 1) - 1) // one
        # With compensation 16/17 of it; the first length that is too long because its share is rounded up.
        shares = [k for k in range(1, most + 2) if k + -(-k // 16) > most] if compensate else [most + 1]
        fields.update(k_len=min(shares), compensate=compensate)
    desc = RanDescriptor(**fields)
    assert desc.check(params) != RspCode.OK, ILLEGAL[entry]
    return desc


@dataclass(frozen=True)
class Knobs:
    """What a constrained-random program may contain; shares are probabilities."""

    descs: int = 10
    max_jobs: int = 24
    max_products: int = 24
    reduce: tuple[int, ...] = (1,)
    new_reduce: float = 0.2
    illegal: float = 0.1
    bypass: float = 0.15
    cancel: float = 0.05
    bad_framing: float = 0.1
    gaps: float = 0.3  # of jobs that come with idle cycles


def random_descriptor(rng: np.random.Generator, params: RanParams, knobs: Knobs, reduce_factor: int) -> RanDescriptor:
    """A legal descriptor."""
    y_bits = int(rng.integers(6))
    raw = y_bits >= YBits.RAW32
    n_x, n_w = (int(n) for n in rng.integers(1, 5, 2))
    k_len = int(rng.choice([1, 16, 100, 500]))
    shifts = [0, 1, 4, 8, 12, 20, 31, params.acc_w - 1, int(rng.integers(params.acc_w))]
    return RanDescriptor(
        y_bits=y_bits,
        y_unsigned=not raw and bool(rng.integers(2)),
        relu=not raw and bool(rng.integers(2)),
        round=int(rng.integers(3)),
        rand_bits=int(rng.integers(4)),
        shift=0 if raw else int(rng.choice(shifts)),
        start=int(rng.integers(4)),
        lanes=int(rng.choice([params.lanes, params.lanes, rng.integers(1, params.lanes + 1)])),
        stat_last=bool(rng.random() < 0.6),
        reduce_factor=reduce_factor,
        n_jobs=int(rng.integers(1, knobs.max_jobs + 1)),
        x_slices=n_x,
        w_slices=n_w,
        x_unsigned=n_x < 4 and bool(rng.integers(2)),
        w_unsigned=n_w < 4 and bool(rng.integers(2)),
        compensate=k_len < 500 and bool(rng.integers(2)),
        k_len=k_len,
        # Anywhere, and just before the numbers begin again.
        draw=int(rng.choice([rng.integers(NUMBERS), NUMBERS - rng.integers(1, 20)])),
    )


def products(rng: np.random.Generator, lanes: int, count: int, orders: tuple[int, int] = (0, 6)) -> Products:
    """`count` products of any value (-465 .. 465 half units; even at order 0) with orders in a range."""
    order = rng.integers(orders[0], orders[1] + 1, count)
    data = rng.integers(-465, 466, (count, lanes))
    corner = rng.random(count) < 0.1
    data[corner] = rng.choice([-465, 465, -1, 1, 0, -450, 450], (int(corner.sum()), lanes))
    data[order == 0] &= ~1
    return data.astype(np.int16), order


def within_bound(rng: np.random.Generator, desc: RanDescriptor, lanes: int, count: int) -> Products:
    """Products whose sum cannot pass the bound that the descriptor promises."""
    # One product of order o is at most 465 * 16^o / 2; what does not fit is left out.
    data, order = products(rng, lanes, count, (0, desc.x_slices + desc.w_slices - 2))
    weight = np.abs(data).astype(np.int64).max(axis=1, initial=0) * 16**order
    keep = np.cumsum(weight) <= 2 * desc.bound // desc.reduce_factor
    return data[keep], order[keep]


def words_near(rng: np.random.Generator, desc: RanDescriptor, params: RanParams, width: int) -> I64:
    """Start values (L,): small ones, any of `width` bits, and those around the limit."""
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    limit = desc.limit(params)
    kinds = rng.integers(4, size=params.lanes)
    small = rng.integers(-1000, 1000, params.lanes)
    wide = rng.integers(low, high, params.lanes, endpoint=True)
    near = rng.choice([-1, 1], params.lanes) * (limit + rng.integers(-2, 3, params.lanes))
    return np.select([kinds == 0, kinds == 1], [small, wide], near.clip(low, high)).astype(np.int64)


def random_mask(rng: np.random.Generator, lanes: int) -> int:
    """An out_mask: mostly none."""
    return int(rng.integers(1 << lanes)) if rng.random() < 0.3 else 0


def start_values(rng: np.random.Generator, program: Program, number: int, desc: RanDescriptor, knobs: Knobs) -> None:
    """Bias or partial sums of the jobs of a descriptor."""

    def framing() -> int:
        return int(rng.choice([-1, -100, 1, 3])) if rng.random() < knobs.bad_framing else 0

    def gap() -> int:
        return int(rng.integers(1, 12)) if rng.random() < knobs.gaps else 0

    if desc.start == Start.BIAS:
        program.bias(number, words_near(rng, desc, program.params, 32), framing(), gap())
    elif desc.start != Start.ZERO:
        width = 32 if desc.start == Start.PSUM32 else 64
        for job in range(number, number + desc.n_jobs):
            program.psum(job, words_near(rng, desc, program.params, width), framing(), gap())


def random_program(rng: np.random.Generator, program: Program, knobs: Knobs) -> None:
    """Adds constrained-random descriptors and their jobs to `program`."""
    params = program.params
    rf = program.reduce_factor
    for _ in range(knobs.descs):
        if rng.random() < knobs.new_reduce or rf not in knobs.reduce:
            rf = int(rng.choice(knobs.reduce))
        desc = random_descriptor(rng, params, knobs, rf)
        if rng.random() < knobs.illegal:
            program.descriptor(illegal_descriptor(params, desc, int(rng.integers(len(ILLEGAL)))), int(rng.integers(4)))
        number = program.descriptor(desc, int(rng.integers(20)) if rng.random() < knobs.gaps else 0)
        start_values(rng, program, number, desc, knobs)
        # Groups take jobs as they come; what a group gets is a matter of chance.
        for job in range(number, number + desc.n_jobs):
            fate = rng.random()
            gap = int(rng.integers(1, 30)) if rng.random() < knobs.gaps else 0
            if fate < knobs.bypass:
                program.bypass(job, random_mask(rng, params.lanes), gap)
            elif fate < knobs.bypass + knobs.cancel:
                program.cancel(job, gap)
            else:
                group = int(rng.integers(params.rows // rf))
                counts = rng.integers(0, knobs.max_products + 1, rf) * (rng.random(rf) < 0.85)
                counts = counts if rf > 1 else np.maximum(counts, 1)
                if not counts.any():
                    counts[int(rng.integers(rf))] = 1
                parts = [within_bound(rng, desc, params.lanes, int(count)) for count in counts]
                waits = [(rng.random(max(1, len(part[0]))) < 0.1) * rng.integers(0, 6) + 0 for part in parts]
                for wait in waits:
                    wait[0] += gap
                program.job(job, group, parts, random_mask(rng, params.lanes), waits)


def dense_jobs(
    rng: np.random.Generator, program: Program, desc: RanDescriptor, counts: npt.ArrayLike, gap: int = 0
) -> int:
    """A descriptor whose jobs go round the groups, with `counts` (n_jobs, RF) products a member; its first number."""
    params = program.params
    number = program.descriptor(desc, gap)
    table = np.asarray(counts).reshape(desc.n_jobs, desc.reduce_factor)
    groups = params.rows // desc.reduce_factor
    for at, row in enumerate(table):
        parts = [within_bound(rng, desc, params.lanes, int(count)) for count in row]
        program.job(number + at, at % groups, parts)
    return number
