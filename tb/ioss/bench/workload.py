"""The benchmark's work: shipped GEMMs, repeated, as one program, and its file for the C++ loop (head of bench.cpp)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.common.tensors import load_set
from models.ioss.config import CoreParams, Descriptor
from models.ioss.cycle import Stimulus
from tb.ioss.program import Program

DATA = Path(__file__).parents[3] / "data" / "digits"


@dataclass(frozen=True)
class Workload:
    """`gemms` (names; empty: all) of `sets`, the whole list `repeat` times; at most `rows` jobs a tile (0: all)."""

    sets: tuple[str, ...] = ("early", "late")
    gemms: tuple[str, ...] = ()
    repeat: int = 1
    rows: int = 0

    @classmethod
    def of(cls, config: dict[str, Any]) -> Workload:
        """From a run's configuration."""
        return cls(tuple(config["sets"]), tuple(config["gemms"]), config["repeat"], config["rows"])

    def program(self, params: CoreParams) -> Program:
        """One program with everything, no gaps."""
        shipped = [entry for name in self.sets for entry in load_set(DATA / f"{name}.npz")]
        once = [entry for entry in shipped if not self.gemms or entry.name in self.gemms]
        program = Program(params)
        for index, entry in enumerate(once * self.repeat):
            rows = slice(self.rows or None)
            program.gemm(
                entry.x[rows], entry.w, entry.x_bits // 4, entry.w_bits // 4, x_unsigned=entry.x_unsigned,
                w_unsigned=entry.w_unsigned, mask=None if entry.mask is None else entry.mask[rows], index=index,
            )  # fmt: skip
        return program


# Descriptor fields in the order of bench.cpp.
DESC_FIELDS = (
    "x_slices", "w_slices", "x_unsigned", "w_unsigned", "min_order", "compensate", "reduce_factor", "k_len", "n_jobs",
)  # fmt: skip


def desc_fields(desc: Descriptor) -> tuple[int, ...]:
    """A descriptor's `DESC_FIELDS`."""
    return tuple(int(getattr(desc, name)) for name in DESC_FIELDS)


def cpp_program(program: Program) -> bytes:
    """The file that bench.cpp reads."""
    return cpp_file(program, [desc_fields(desc) for desc in program.descs], program.bound())


def cpp_file(program: Program, descs: list[tuple[int, ...]], bound: int) -> bytes:
    """The file of a bare loop (flow/bench/bench_loop.h): operands of `program`, descriptors as the block's loop has
    them."""
    tile, vec = program.tile_data.view("<u4"), program.vec_data.view("<u4")
    parts = (
        np.array([len(descs), len(tile), len(vec), bound]),
        np.array(descs),
        np.column_stack([tile, program.tile_last]),
        np.column_stack([vec, program.vec_last, program.vec_tag, program.vec_mask]),
    )
    return b"".join(part.astype("<u4").tobytes() for part in parts)


def stimulus(program: Program) -> Stimulus:
    """The program as the model's input: everything is offered from cycle 0 on, consumers are always ready.

    A beat counts as offered at cycle 0 even if its predecessor is taken later: in a stream without gaps that changes
    nothing but the counter `vec_wait`.
    """
    return Stimulus(
        descs=program.descs,
        desc_offer=np.zeros(len(program.descs), np.int64),
        tile_data=program.tile_data,
        tile_last=program.tile_last,
        tile_offer=np.zeros(len(program.tile_data), np.int64),
        vec_data=program.vec_data,
        vec_last=program.vec_last,
        vec_tag=program.vec_tag,
        vec_mask=program.vec_mask,
        vec_offer=np.zeros(len(program.vec_data), np.int64),
        horizon=program.bound(),
    )
