"""What the pages say of the AXI4-Lite port: answers and strobes."""

from __future__ import annotations

from enum import IntEnum

STROBE_ALL = 0xF


class Resp(IntEnum):
    """Answers of AXI that the processor gives."""

    OKAY = 0
    SLVERR = 2
    DECERR = 3
