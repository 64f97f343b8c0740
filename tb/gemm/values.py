"""CHECK=value of the pair: what its two parts and their bench need to be judged by value, whatever the cycles.

The IOSS core is judged at its products (tb/ioss/values.py), the RAN at its results (tb/ran/values.py), which it must
make of the products that it took. What the RAN's jobs are made of is not observed: it follows from the operands, by the
model of the IOSS core.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.ioss.cycle import Prediction
from models.ioss.value import accumulate
from models.ran.cycle import BYP_IN_DTYPE, PROD_IN_DTYPE
from tb.gemm.program import GemmProgram
from tb.ioss.trace import job_numbers
from tb.ran.program import Program

I64 = npt.NDArray[np.int64]
REFUSED = 2  # kind of such a job in `Prediction.jobs`


def jobs_of(programs: Sequence[GemmProgram], want: Prediction) -> Program:
    """The jobs of a span between resets as a program of the RAN: descriptors, masks and sums by number from 0 on.

    `want`: all that the model of the IOSS core makes of the operands.
    """
    out = Program(programs[0].params.ran)
    for program in programs:
        for desc, code in zip(program.ran, program.codes(), strict=True):
            if code == 0:
                out.descriptor(desc)
    if not out.work:
        return out
    number = job_numbers(want.prod["tag"], want.prod["row"])
    sums = accumulate(number, want.prod["order"], want.prod_data, len(out.work))
    masks = np.zeros(len(out.work), np.int64)
    masks[number] = want.prod["mask"]
    masks[job_numbers(want.byp["tag"], np.zeros(len(want.byp), np.uint8))] = want.byp["mask"]
    refused = set(np.flatnonzero(want.jobs["kind"] == REFUSED).tolist())
    for at, entry in enumerate(out.work):
        entry.mask, entry.total = int(masks[at]), None if at in refused else sums[at]
    return out


def taken(prod: npt.NDArray[np.void], byp: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
    """Products and bypassed jobs that the RAN took, as inputs of it that were offered when they were taken."""
    out = np.zeros(len(prod), PROD_IN_DTYPE), np.zeros(len(byp), BYP_IN_DTYPE)
    for table, seen in zip(out, (prod, byp), strict=True):
        for name in table.dtype.names or ():
            table[name] = seen["cycle" if name == "offer" else name]
    return out
