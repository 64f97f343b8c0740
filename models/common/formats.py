"""Formats of results and of copies of weights: codes, precisions, containers.

Source: docs/ran/README.md, section "Descriptors"; docs/optc/README.md, "The copy".
"""

from __future__ import annotations

from enum import IntEnum


class YBits(IntEnum):
    """Output format (``desc_y_bits_i``)."""

    B4 = 0
    B8 = 1
    B12 = 2
    B16 = 3
    RAW32 = 4
    RAW64 = 5


# Precision and container of each format, in bits.
PRECISION = {YBits.B4: 4, YBits.B8: 8, YBits.B12: 12, YBits.B16: 16, YBits.RAW32: 32, YBits.RAW64: 64}
CONTAINER = {YBits.B4: 4, YBits.B8: 8, YBits.B12: 16, YBits.B16: 16, YBits.RAW32: 32, YBits.RAW64: 64}
