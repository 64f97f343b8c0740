"""Functional coverage of the pair: what only the two together can show; the parts have bins of their own.

Sampled after the verdict, from products and from what the scoreboard observed between the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.ioss.config import LEGAL_REDUCE
from models.ioss.config import RowCounter as CoreRow
from models.ioss.config import RspCode as CoreCode
from models.ran.config import RspCode, Start
from tb.gemm.program import RAN_CODE, GemmParams
from tb.lib.coverage import Coverage, CoverGroup, Coverpoint, Cross, Ignore, functional, write_run
from tb.lib.paths import REPORTS
from tb.lib.runinfo import RunInfo

FORMATS = ("4", "8", "12", "16", "raw 32", "raw 64")
REDUCE = tuple(str(factor) for factor in LEGAL_REDUCE)
SLICES = ("1", "2", "3", "4")
NO_YES = ("no", "yes")
CORE_CODES = tuple(f"IOSS {code.name}" for code in CoreCode if code)
# What the IOSS core refuses first never shows as the RAN's answer.
RAN_CODES = tuple(
    f"RAN {code.name}" for code in RspCode if code not in (RspCode.OK, RspCode.REDUCE, RspCode.SLICES, RspCode.K_LEN)
)

WORK = CoverGroup(
    "work",
    (
        Coverpoint("y_bits", FORMATS, "format of accepted descriptors"),
        Coverpoint("factor", REDUCE, "reduce factor"),
        Cross("formats_by_factor", ("y_bits", "factor")),
        Coverpoint("x_slices", SLICES),
        Coverpoint("w_slices", SLICES),
        Cross("precisions", ("x_slices", "w_slices")),
        Coverpoint("start", ("zero", "bias", "psum 32", "psum 64"), ignore=(
            Ignore(lambda s: s == "psum 32", "chains of K use exact sums; the RAN's own tests have 32 bits"),
        )),
        Coverpoint.ranges("chunks", "chunks of K of a product", 1, 2, 3),
        Coverpoint("columns", ("fill the lanes", "do not"), "of a tile"),
    ),
    "tiles and products",
)  # fmt: skip

JOINT = CoverGroup(
    "joint",
    (
        Coverpoint("code", ("OK", *CORE_CODES, *RAN_CODES), "answers"),
        Coverpoint.ranges("ran_wait", "cycles that a good descriptor waits for the RAN", 0, 1, 100),
        Coverpoint.ranges("ioss_wait", "cycles that it then waits for the IOSS core", 0, 1, 100),
        Coverpoint("cancelled", NO_YES, "jobs of an epoch that the IOSS core refused"),
        Coverpoint("rows_held", NO_YES, "rows of the IOSS core held by the RAN, in a run"),
        Coverpoint("reset", NO_YES, "an epoch that a reset ended with work under way"),
    ),
    "between the parts",
)
GROUPS = (WORK, JOINT)


def _code(code: int) -> int:
    name = f"IOSS {CoreCode(code).name}" if code < RAN_CODE else f"RAN {RspCode(code - RAN_CODE).name}"
    return JOINT.points["code"].bin("OK" if code == 0 else name)


def sample_run(params: GemmParams, board: Any, counters: Any) -> Coverage:
    """Coverage of one run that its scoreboard has judged."""
    out = Coverage(GROUPS)
    taken = board.seen["desc"].accept >= 0
    out.sample("joint", code=[_code(int(code)) for code in board.codes[taken]])
    for at, epoch in enumerate(board.epochs):
        descs = [desc for desc, cycle in zip(epoch.stim.descs, epoch.prediction.desc_accept, strict=True) if cycle >= 0]
        if descs:
            out.sample(
                "work",
                y_bits=[int(desc.y_bits) for desc in descs],
                factor=[LEGAL_REDUCE.index(desc.reduce_factor) for desc in descs],
                x_slices=[desc.x_slices - 1 for desc in descs],
                w_slices=[desc.w_slices - 1 for desc in descs],
                start=[int(Start(desc.start)) for desc in descs],
                columns=[int(desc.lanes < params.core.lanes) for desc in descs],
            )
            held = epoch.held[(epoch.held >= 0).all(axis=1)]
            for n, name in enumerate(("ran_wait", "ioss_wait")):
                out.sample("joint", **{name: JOINT.points[name].index(held[:, n])})
        out.sample("joint", cancelled=int(len(epoch.stim.cancel) > 0))
        ended = at < len(board.epochs) - 1
        jobs = sum(desc.n_jobs for desc in descs)
        out.sample("joint", reset=int(ended and len(epoch.prediction.job_stat) + len(epoch.stim.cancel) < jobs))
    for product in board.products:
        chunks = -(-product.shape[1] // (product.reduce_factor * params.core.depth))
        out.sample("work", chunks=WORK.points["chunks"].index(chunks))
    if counters is not None:
        out.sample("joint", rows_held=int(np.any(counters[0][0][:, CoreRow.STALL_RAN] > 0)))
    return out


def sample(run_info: RunInfo, params: GemmParams, board: Any) -> None:
    """Samples a run; one that diverged counts nothing."""
    passed = board.verdict.first is None
    write_run(run_info, sample_run(params, board, board.counters) if passed else Coverage(GROUPS), passed)


def functional_coverage(results: Sequence[Any], folder: Path = REPORTS / "gemm") -> dict[str, Any]:
    """The hook of `Block`."""
    return functional("gemm", GROUPS, results, folder)
