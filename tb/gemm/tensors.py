"""The shipped products as work for the pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.formats import YBits
from models.common.rounding import Round
from models.common.tensors import GemmTensors, load_set
from models.ran.config import RanDescriptor
from tb.gemm.program import Product

DATA = Path(__file__).parents[2] / "data" / "digits"


def shipped(config: dict[str, Any]) -> list[tuple[str, GemmTensors]]:
    """The shipped products that a configuration (`sets`, `gemms`) asks for, with the names of their sets."""
    return [
        (which, tensors)
        for which in config.get("sets", ["early", "late"])
        for tensors in load_set(DATA / f"{which}.npz")
        if tensors.name in config.get("gemms", [tensors.name])
    ]


def least_shift(sums: npt.NDArray[np.int64], bits: int, unsigned: bool, relu: bool) -> int:
    """The smallest shift with which no sum saturates in results of `bits` bits, rounded to nearest. Where results are
    unsigned or ReLU is on, sums below 0 do not count."""
    largest = int(np.abs(np.maximum(sums, 0) if relu or unsigned else sums).max(initial=1))
    width = bits if unsigned else bits - 1
    shift = max(0, largest.bit_length() - width)
    # Rounding up may pass the bound that the bits alone would keep.
    return shift + int((largest + (1 << shift) // 2 >> shift) > (1 << width) - 1)


def tensor_product(which: str, tensors: GemmTensors, rows: int | None, reduce_factor: int = 1) -> Product:
    """A shipped product with results of 8 bits: the smallest shift that saturates nothing; ReLU in the forward pass."""
    part = slice(rows)
    x = tensors.x[part]
    forward = tensors.name.startswith("fp")
    exact = x.astype(np.int64) @ tensors.w
    shift = least_shift(exact, 8, forward, forward)
    return Product(
        x,
        tensors.w,
        tensors.x_bits // 4,
        tensors.w_bits // 4,
        RanDescriptor(YBits.B8, forward, forward, Round.NEAREST, shift=shift),
        f"{which} {tensors.name}",
        tensors.x_unsigned,
        tensors.w_unsigned,
        reduce_factor=reduce_factor,
        mask=None if tensors.mask is None else tensors.mask[part],
    )
