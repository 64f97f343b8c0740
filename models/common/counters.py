"""Addresses of the counters that every core has on its read port (docs/ioss/README.md and docs/ran/README.md,
"Counters").

A block's enumerations of counters derive from `RowIndex` (one of each in every row) and `GlobalIndex` (one of each).
"""

from __future__ import annotations

from enum import IntEnum


class RowIndex(IntEnum):
    """Index of a row counter."""


class GlobalIndex(IntEnum):
    """Index of a global counter."""


def counter_address(counter: RowIndex | GlobalIndex, row: int | None = None) -> int:
    """Nine-bit address: ``{global, row[4:0], index[2:0]}`` of a row counter, which needs its `row`, or
    ``{global, index[7:0]}``. ValueError for a row that is missing, illegal or too much."""
    if isinstance(counter, GlobalIndex):
        if row is not None:
            raise ValueError(f"global counter {counter.name} has no row")
        return 0x100 | int(counter)
    if row is None or not 0 <= row < 32:
        raise ValueError(f"row counter {counter.name} needs a row in 0..31, not {row}")
    return (row << 3) | int(counter)
