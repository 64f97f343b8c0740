"""Parameters, descriptors, response codes and counter addresses of the RAN.

Source: docs/ran/README.md, sections "Parameters", "Descriptors", "Counters".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from models.common.counters import GlobalIndex, RowIndex
from models.common.formats import CONTAINER, YBits
from models.common.rounding import Round
from models.ioss.config import LEGAL_LANES, LEGAL_REDUCE, LEGAL_ROWS

LEGAL_ACC_W = (40, 48)
LEGAL_BANKS = (1, 2)
SLOTS = 4
MAX_JOBS = 16383
DRAIN_DEPTH = 4
BYPASS_DEPTH = 4
TAGS = 1 << 16


class Start(IntEnum):
    """Start value of a job (``desc_start_i``)."""

    ZERO = 0
    BIAS = 1
    PSUM32 = 2
    PSUM64 = 3


class RspCode(IntEnum):
    """Answer to a descriptor (``rsp_code_o``)."""

    OK = 0
    BITS = 1
    ROUND = 2
    SHIFT = 3
    RAW = 4
    REDUCE = 5
    LANES = 6
    JOBS = 7
    SLICES = 8
    K_LEN = 9
    BOUND = 10


class RowCounter(RowIndex):
    """Index of a row counter."""

    PRODUCTS = 0
    STALL_DESC = 1
    STALL_MEMBER = 2
    STALL_DRAIN = 3


class GlobalCounter(GlobalIndex):
    """Index of a global counter."""

    CYCLES = 0
    JOBS = 1
    JOBS_BYPASSED = 2
    JOBS_CANCELLED = 3
    BEATS = 4
    MERGES = 5
    STALL_OUT = 6
    STALL_START = 7
    STALL_REQUEST = 8
    DESCS_REFUSED = 9
    OVERFLOWS = 10
    CLAMPED = 11
    DRAWS = 12


@dataclass(frozen=True)
class RanParams:
    """Parameters of an instance."""

    rows: int = 8
    lanes: int = 16
    acc_w: int = 40
    banks: int = 2

    def __post_init__(self) -> None:
        for name, legal in (
            ("rows", LEGAL_ROWS),
            ("lanes", LEGAL_LANES),
            ("acc_w", LEGAL_ACC_W),
            ("banks", LEGAL_BANKS),
        ):
            if getattr(self, name) not in legal:
                raise ValueError(f"{name} must be one of {legal}, not {getattr(self, name)}")

    @property
    def places(self) -> int:
        """Most jobs in a beat (PM of the page)."""
        return max(1, 32 // self.lanes)


def sum_bound(k_len: int, x_slices: int, w_slices: int, x_unsigned: bool, w_unsigned: bool, compensate: bool) -> int:
    """KB: the largest magnitude that `k_len` products can add up to."""
    terms = k_len + (-(-k_len // 16) if compensate else 0)
    return terms << (4 * x_slices - (not x_unsigned)) + (4 * w_slices - (not w_unsigned))


@dataclass(frozen=True)
class RanDescriptor:
    """How the next `n_jobs` jobs are finished. Illegal values are legal stimuli: :meth:`check` gives the answer."""

    y_bits: int = YBits.B8
    y_unsigned: bool = False
    relu: bool = False
    round: int = Round.NEAREST
    rand_bits: int = 2
    shift: int = 0
    start: int = Start.ZERO
    lanes: int = 16
    stat_last: bool = False
    reduce_factor: int = 1
    n_jobs: int = 1
    x_slices: int = 2
    w_slices: int = 2
    x_unsigned: bool = False
    w_unsigned: bool = False
    compensate: bool = False
    k_len: int = 1
    draw: int = 0  # number of the first job's draws

    @property
    def raw(self) -> bool:
        """Whether the format is a raw sum."""
        return self.y_bits in (YBits.RAW32, YBits.RAW64)

    @property
    def bound(self) -> int:
        """KB of this descriptor."""
        return sum_bound(self.k_len, self.x_slices, self.w_slices, self.x_unsigned, self.w_unsigned, self.compensate)

    def limit(self, params: RanParams) -> int:
        """LIMIT: start values are clamped to plus and minus this."""
        return (1 << params.acc_w - 1) - 1 - self.bound

    def check(self, params: RanParams) -> RspCode:
        """Code of the first check that fails, in the order of the page."""
        if self.y_bits > YBits.RAW64:
            return RspCode.BITS
        if self.round > Round.STOCHASTIC:
            return RspCode.ROUND
        if self.shift >= params.acc_w or (self.raw and self.shift != 0):
            return RspCode.SHIFT
        if self.raw and (self.relu or self.y_unsigned):
            return RspCode.RAW
        if self.reduce_factor not in LEGAL_REDUCE or self.reduce_factor > params.rows:
            return RspCode.REDUCE
        if not 1 <= self.lanes <= params.lanes:
            return RspCode.LANES
        if not 1 <= self.n_jobs <= MAX_JOBS:
            return RspCode.JOBS
        if not (1 <= self.x_slices <= 4 and 1 <= self.w_slices <= 4):
            return RspCode.SLICES
        if self.k_len == 0:
            return RspCode.K_LEN
        if self.bound > (1 << params.acc_w - 1) - 1:
            return RspCode.BOUND
        return RspCode.OK

    def places(self, params: RanParams) -> int:
        """P: jobs that can share a beat."""
        return max(1, 128 // (params.lanes * CONTAINER[YBits(self.y_bits)]))

    def beats(self, params: RanParams) -> int:
        """Beats of a job (1 if jobs share one)."""
        return max(1, params.lanes * CONTAINER[YBits(self.y_bits)] // 128)

    def start_beats(self, params: RanParams) -> int:
        """Beats of one start value (0 for zero)."""
        return {Start.ZERO: 0, Start.BIAS: params.lanes // 4, Start.PSUM32: params.lanes // 4}.get(
            Start(self.start), params.lanes // 2
        )
