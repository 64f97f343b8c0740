"""Parameters, descriptors, response codes and counter addresses of the IOSS core.

Source: docs/ioss/README.md, sections "Parameters", "Work: tiles and jobs", "Descriptors", "Vector stream", "Counters".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from models.common.counters import GlobalIndex, RowIndex
from models.common.slices import values_per_beat

LEGAL_ROWS = (1, 2, 4, 8, 16, 32)
LEGAL_LANES = (8, 16, 32)
LEGAL_DEPTH = (32, 64, 128, 256, 512)
LEGAL_REDUCE = (1, 2, 4, 8)


class RspCode(IntEnum):
    """Answer to a descriptor (``rsp_code_o``)."""

    OK = 0
    X_SLICES = 1
    W_SLICES = 2
    REDUCE = 3
    K_LEN = 4
    ORDER = 5
    JOBS = 6


class JobErr(IntEnum):
    """Why a job was refused (``job_err_code_o``)."""

    EARLY_LAST = 1
    LATE_LAST = 2
    TILE = 3


class RowCounter(RowIndex):
    """Index of a row counter."""

    ISSUES = 0
    NULLS = 1
    STALL_OPERAND = 2
    STALL_RAN = 3
    SKIP_MASK = 4
    SKIP_X = 5
    SKIP_W = 6
    SKIP_ORDER = 7


class GlobalCounter(GlobalIndex):
    """Index of a global counter."""

    CYCLES = 0
    TILES = 1
    TILES_REFUSED = 2
    JOBS = 3
    JOBS_BYPASSED = 4
    JOBS_REFUSED = 5
    DESCS_REFUSED = 6
    VEC_WAIT = 7


@dataclass(frozen=True)
class CoreParams:
    """Parameters of a core instance."""

    rows: int = 8
    lanes: int = 16
    depth: int = 128

    def __post_init__(self) -> None:
        for name, legal in (("rows", LEGAL_ROWS), ("lanes", LEGAL_LANES), ("depth", LEGAL_DEPTH)):
            if getattr(self, name) not in legal:
                raise ValueError(f"{name} must be one of {legal}, not {getattr(self, name)}")


@dataclass(frozen=True)
class Descriptor:
    """A tile descriptor. Illegal field values are legal stimuli: :meth:`check` gives the core's answer."""

    x_slices: int
    w_slices: int
    x_unsigned: bool = False
    w_unsigned: bool = False
    min_order: int = 0
    compensate: bool = False
    reduce_factor: int = 1
    k_len: int = 1
    n_jobs: int = 1

    def check(self, params: CoreParams) -> RspCode:
        """Code of the first check that fails, in the order of the page."""
        if not 1 <= self.x_slices <= 4:
            return RspCode.X_SLICES
        if not 1 <= self.w_slices <= 4:
            return RspCode.W_SLICES
        if self.reduce_factor not in LEGAL_REDUCE or self.reduce_factor > params.rows:
            return RspCode.REDUCE
        if not 1 <= self.k_len <= params.depth * self.reduce_factor:
            return RspCode.K_LEN
        if self.min_order > self.x_slices + self.w_slices - 2:
            return RspCode.ORDER
        if self.n_jobs == 0:
            return RspCode.JOBS
        return RspCode.OK


def member_lengths(k_len: int, reduce_factor: int) -> list[int]:
    """Elements of every member's chunk (``len_m``), member 0 first."""
    chunk = -(-k_len // reduce_factor)
    return [min(chunk, max(0, k_len - m * chunk)) for m in range(reduce_factor)]


def member_tile_beats(desc: Descriptor, params: CoreParams) -> list[int]:
    """Beats of every member chunk of the tile."""
    per_beat = values_per_beat(desc.w_slices)
    return [-(-length * params.lanes // per_beat) for length in member_lengths(desc.k_len, desc.reduce_factor)]


def member_vec_beats(desc: Descriptor) -> list[int]:
    """Beats of every member chunk of a job."""
    per_beat = values_per_beat(desc.x_slices)
    return [-(-length // per_beat) for length in member_lengths(desc.k_len, desc.reduce_factor)]


def tile_beats(desc: Descriptor, params: CoreParams) -> int:
    """Beats of the whole tile."""
    return sum(member_tile_beats(desc, params))


def vec_beats(desc: Descriptor) -> int:
    """Beats of one job."""
    return sum(member_vec_beats(desc))
