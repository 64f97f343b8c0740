"""Tests of the processor. What they verify stands in testplan.hjson, their runs in testlist.py."""

from __future__ import annotations

import numpy as np
import pyuvm

from models.top.config import Buffer, Gemm, Issue, Load, Read, Reg, Store
from tb.top.env import TopTest


@pyuvm.test()
class smoke(TopTest):
    """One small product: loads, a GEMM, a store, a few reads."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        x = rng.integers(0, 256, (8, 16), dtype=np.uint8)
        w = rng.integers(0, 256, (16, 16), dtype=np.uint8)
        actions = [
            Read(Reg.ID),
            Issue(Load(target=Buffer.X, count=8), x, 1),
            Issue(Load(target=Buffer.W, count=16, cores=1), w, 2),
            Issue(Gemm(m=8, k=16, n=16, shift=8, y_first=0, wait_load=2), None, 3),
            Issue(Store(target=Buffer.Y, count=8, wait_compute=1), None, 4),
            Read(Reg.DONE),
            Read(Reg.STAT),
            Read(Reg.ERROR),
        ]
        await self.play(actions)
