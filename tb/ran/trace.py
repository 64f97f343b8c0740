"""Binary traces of ran_trace.svh and ran_psum_memory.sv as tables of the model's types (formats: their headers)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.ran.config import RanParams
from models.ran.cycle import JOB_STAT_DTYPE, OUT_DTYPE, REQ_DTYPE, STAT_DTYPE, SWAP_DTYPE, TREE_DTYPE
from tb.lib.agents import TraceConfig
from tb.lib.scoreboard import EV_RESET, EVENT_DTYPE, RSP_DTYPE, event_levels

I64 = npt.NDArray[np.int64]
NEVER = 0xFFFF_FFFF
EV_RSP, EV_BIAS_ERR, EV_PSUM_ERR, EV_BUSY = 1, 2, 3, 6
SHIFT_DTYPE = np.dtype([("row", "u1"), ("cycle", "<i8")])
_OUT_WORDS = np.dtype(
    [("valid", "<u4"), ("cycle", "<u4"), ("head", "<u4"), ("data", "u1", 16), ("tag", "<u2", 4), ("mask", "<u4", 4)]
)
_STAT_WORDS = np.dtype(
    [*((name, "<u4") for name in ("valid", "cycle", "values", "overflow", "zeros", "max_bit")), ("sum_abs", "<u8")]
)
_REQ_WORDS = np.dtype([("valid", "<u4"), ("cycle", "<u4"), ("tag", "<u4")])
_PSUM_OFFER = np.dtype([("offer", "<u4"), ("head", "<u4"), ("data", "u1", 16)])


def trace_configs(params: RanParams, run_dir: Path) -> tuple[TraceConfig, ...]:
    """The traces of a bench with a RAN in it whose files lie in `run_dir`."""
    rows, lanes = params.rows, params.lanes
    many = ("data", "<i8", (rows, lanes))
    one = ("data", "<i8", (lanes,))
    kinds = {
        "shift": np.dtype([("cycle", "<u4"), ("valid", "<u4"), many]),
        "tree": np.dtype([("cycle", "<u4"), ("valid", "<u4"), ("bank", "<u4"), many]),
        "swap": np.dtype([("cycle", "<u4"), ("head", "<u4"), one]),
        "quant": np.dtype([*((n, "<u4") for n in ("cycle", "tag", "overflow", "zeros", "max_bit", "sum_abs")), one]),
        "out": _OUT_WORDS,
        "stat": _STAT_WORDS,
        "req": _REQ_WORDS,
        "ran_event": EVENT_DTYPE,
        "psum_offer": _PSUM_OFFER,
        "psum_accept": np.dtype("<u4"),
    }
    # Sinks of the same names publish waveforms: traces have names of their own.
    return tuple(TraceConfig(run_dir / f"{name}.bin", dtype, f"{name}_trace") for name, dtype in kinds.items())


@dataclass
class RanTraces:
    """What a run observed at the RAN's boundaries; cycles are the bench's."""

    shift: npt.NDArray[np.void]  # SHIFT_DTYPE, by row, then time
    shift_data: I64  # (Q, L)
    tree: npt.NDArray[np.void]  # TREE_DTYPE, by entry, then time
    tree_data: I64
    swap: npt.NDArray[np.void]
    swap_acc: I64
    job_stat: npt.NDArray[np.void]
    quant_z: I64
    out: npt.NDArray[np.void]
    out_data: npt.NDArray[np.uint8]
    stat: npt.NDArray[np.void]
    req: npt.NDArray[np.void]
    rsp: npt.NDArray[np.void]
    bias_err: I64
    psum_err: I64
    reset: list[tuple[int, bool]]
    busy: list[tuple[int, bool]]
    psum_offer: I64  # (B,), -1 = never
    psum_accept: I64
    psum_data: npt.NDArray[np.uint8]
    psum_last: npt.NDArray[np.bool_]
    psum_tag: npt.NDArray[np.uint16]


def _table(dtype: np.dtype, **columns: npt.ArrayLike) -> npt.NDArray[np.void]:
    first = next(iter(columns.values()))
    out = np.zeros(len(np.asarray(first)), dtype)
    for name, column in columns.items():
        out[name] = column
    return out


def _by_row(records: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and records of everything that is valid, by row, then time."""
    width = records["data"].shape[1]
    valid = (records["valid"][None, :] >> np.arange(width, dtype=np.uint32)[:, None]) & 1
    return np.nonzero(valid)


def read_traces(seen: dict[str, npt.NDArray[np.void]]) -> RanTraces:
    """The traces by name (`<name>_trace`) as tables."""
    shift, tree, swap, quant, out, stat, req, event, offer, accept = (
        seen[f"{name}_trace"]
        for name in ("shift", "tree", "swap", "quant", "out", "stat", "req", "ran_event", "psum_offer", "psum_accept")
    )
    row, at = _by_row(shift)
    entry, update = _by_row(tree)
    kind, data = event["data"] >> 24, event["data"] & 0xFF_FFFF

    accepts = np.full(len(offer), -1, np.int64)
    accepts[: len(accept)] = np.where(accept == NEVER, -1, accept.astype(np.int64))
    return RanTraces(
        shift=_table(SHIFT_DTYPE, row=row, cycle=shift["cycle"][at]),
        shift_data=shift["data"][at, row],
        tree=_table(
            TREE_DTYPE,
            entry=entry,
            cycle=tree["cycle"][update],
            bank=tree["bank"][update] >> entry.astype(np.uint32) & 1,
        ),
        tree_data=tree["data"][update, entry],
        swap=_table(
            SWAP_DTYPE,
            cycle=swap["cycle"],
            byp=swap["head"] >> 22 & 1,
            entry=swap["head"] >> 17 & 0x1F,
            bank=swap["head"] >> 16 & 1,
            tag=swap["head"] & 0xFFFF,
        ),
        swap_acc=swap["data"],
        job_stat=_table(JOB_STAT_DTYPE, **{name: quant[name] for name in JOB_STAT_DTYPE.names or ()}),
        quant_z=quant["data"],
        out=_table(
            OUT_DTYPE,
            valid_cycle=out["valid"],
            cycle=out["cycle"],
            bits=out["head"] >> 16 & 7,
            last=out["head"] >> 8 & 1,
            jobs=out["head"] & 7,
            tag=out["tag"],
            mask=out["mask"],
        ),
        out_data=out["data"],
        stat=_table(
            STAT_DTYPE,
            valid_cycle=stat["valid"],
            **{name: stat[name] for name in ("cycle", "values", "overflow", "zeros", "max_bit", "sum_abs")},
        ),
        req=_table(REQ_DTYPE, valid_cycle=req["valid"], cycle=req["cycle"], tag=req["tag"]),
        rsp=_table(RSP_DTYPE, cycle=event["cycle"][kind == EV_RSP], code=data[kind == EV_RSP] & 0xF),
        bias_err=event["cycle"][kind == EV_BIAS_ERR].astype(np.int64),
        psum_err=event["cycle"][kind == EV_PSUM_ERR].astype(np.int64),
        reset=event_levels(event, EV_RESET),
        busy=event_levels(event, EV_BUSY),
        psum_offer=offer["offer"].astype(np.int64),
        psum_accept=accepts,
        psum_data=offer["data"],
        psum_last=(offer["head"] >> 16 & 1).astype(bool),
        psum_tag=(offer["head"] & 0xFFFF).astype(np.uint16),
    )
