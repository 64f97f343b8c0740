"""Tests of the IOSS core. Their list, with seeds and simulators, is testlist.py; what they verify is testplan.hjson."""

from __future__ import annotations

import numpy as np
import pyuvm

from tb.ioss.env import IossTest


@pyuvm.test()
class smoke(IossTest):
    """Two small products, 8 bits and 4 bits."""

    MINIMUM = {"value": 1000, "slice": 100, "cycle": 100}

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = self.program()
        for bits in (8, 4):
            low = -(1 << bits - 1)
            x = rng.integers(low, -low, (20, 24)) * (rng.random((20, 24)) < 0.5)
            w = rng.integers(low, -low, (24, 20))
            program.gemm(x, w, bits // 4, bits // 4)
        await self.play(program)
