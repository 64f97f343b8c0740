"""Words of the processor's commands: operations, engines and where the fields lie (docs/top/README.md, Commands).

Here, so that the registers, which only pass commands on, can tell their fields too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

CMD_WORDS = 16


class Engine(IntEnum):
    """Who carries a command out (`ERROR.engine`, bits of `STATUS.busy`)."""

    LOAD = 0
    COMPUTE = 1
    STORE = 2


class Operation(IntEnum):
    """Word 0, bits 3:0."""

    LOAD = 1
    GEMM = 2
    OPT = 3
    STORE = 4
    PLAN = 5
    UPDATE = 6


@dataclass(frozen=True)
class Bits:
    """A field: word, lowest bit, width."""

    word: int
    low: int
    width: int


HEAD = {
    "target": Bits(0, 4, 4), "wait_load": Bits(0, 8, 8), "wait_compute": Bits(0, 16, 8), "wait_store": Bits(0, 24, 8),
}  # fmt: skip
# By operation; word 0 apart.
FIELDS: Mapping[int, Mapping[str, Bits]] = {
    Operation.LOAD: {"first": Bits(1, 0, 16), "cores": Bits(1, 16, 4), "count": Bits(2, 0, 16)},
    Operation.STORE: {"first": Bits(1, 0, 16), "count": Bits(2, 0, 16)},
    Operation.PLAN: {
        "x": Bits(1, 0, 10),
        "w": Bits(1, 10, 10),
        "slot": Bits(1, 20, 5),
        "y": Bits(2, 0, 10),
        "k": Bits(2, 16, 16),
    },
    Operation.UPDATE: {
        "values": Bits(1, 0, 32),
        "overflow": Bits(2, 0, 32),
        "zeros": Bits(3, 0, 32),
        "sum_low": Bits(4, 0, 32),
        "sum_high": Bits(5, 0, 16),
        "y": Bits(6, 0, 10),
        "max_bit": Bits(6, 10, 6),
    },
    Operation.OPT: {
        "state": Bits(1, 0, 16),
        "gradients": Bits(1, 16, 16),
        "copies": Bits(2, 0, 16),
        "fed": Bits(2, 16, 1),
    },
    Operation.GEMM: {
        "k": Bits(1, 0, 16),
        "m": Bits(1, 16, 16),
        "n": Bits(2, 0, 16),
        "x_first": Bits(2, 16, 16),
        "w_first": Bits(3, 0, 16),
        "bias_first": Bits(3, 16, 16),
        "mask_first": Bits(4, 0, 16),
        "y_first": Bits(4, 16, 16),
        "a_first": Bits(5, 0, 16),
        "psum_first": Bits(5, 16, 16),
        "y_step": Bits(6, 0, 16),
        "a_step": Bits(6, 16, 16),
        "psum_step": Bits(7, 0, 16),
        "n_x": Bits(8, 0, 3),
        "n_w": Bits(8, 3, 3),
        "min_order": Bits(8, 6, 3),
        "x_unsigned": Bits(8, 9, 1),
        "w_unsigned": Bits(8, 10, 1),
        "compensate": Bits(8, 11, 1),
        "reduce_factor": Bits(8, 12, 4),
        "y_bits": Bits(8, 16, 3),
        "y_unsigned": Bits(8, 19, 1),
        "relu": Bits(8, 20, 1),
        "round": Bits(8, 21, 2),
        "rand_bits": Bits(8, 23, 2),
        "shift": Bits(8, 25, 6),
        "biases": Bits(8, 31, 1),
        "masks": Bits(9, 0, 1),
        "planned": Bits(9, 1, 1),
        "slot": Bits(9, 2, 5),
        "update": Bits(9, 7, 1),
        "y": Bits(9, 8, 10),
        "write_masks": Bits(9, 18, 1),
        "x_windows": Bits(9, 19, 1),
        "w_windows": Bits(9, 20, 1),
        "narrow": Bits(9, 21, 1),
        "feeds": Bits(9, 22, 1),
        "channels": Bits(10, 0, 9),
        "columns": Bits(10, 9, 8),
        "rows": Bits(10, 17, 8),
        "kernel_rows": Bits(11, 0, 4),
        "kernel_columns": Bits(11, 4, 4),
        "pad_rows": Bits(11, 8, 4),
        "pad_columns": Bits(11, 12, 4),
        "stride": Bits(11, 16, 4),
        "image_words": Bits(12, 0, 16),
        "draw": Bits(15, 0, 32),
    },
}


def word_layouts(operation: int) -> list[tuple[tuple[str, int], ...]]:
    """Fields (name, width) of each of the sixteen words of a command, lowest bit first; the name "" is for bits without
    one. A word that only bits without a name make up is empty."""
    words: list[list[tuple[str, int]]] = [[] for _ in range(CMD_WORDS)]
    fields = {"operation": Bits(0, 0, 4), **HEAD, **FIELDS.get(operation, {})}
    for name, bits in sorted(fields.items(), key=lambda item: (item[1].word, item[1].low)):
        at = sum(width for _, width in words[bits.word])
        words[bits.word] += [("", bits.low - at)] * (bits.low > at) + [(name, bits.width)]
    return [tuple(word) for word in words]
