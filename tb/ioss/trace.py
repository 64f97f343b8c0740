"""Binary traces of ioss_trace.svh as tables of the model's types (formats: its header)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.ioss.config import CoreParams
from models.ioss.cycle import BYP_DTYPE, ISSUE_DTYPE, JOB_ERR_DTYPE, PROD_DTYPE
from tb.ioss.program import TAGS
from tb.lib.scoreboard import EV_RESET, RSP_DTYPE, bits, event_levels

EVENT_DTYPE = np.dtype([("cycle", "<u4"), ("data", "<u4"), ("mask", "<u4")])
EV_RSP, EV_TILE_ERR, EV_JOB_ERR, EV_BYP, EV_BUSY = 1, 2, 3, 4, 6
ISSUE_TAG_BITS = 11
ISSUE_UNPACK = {"x": bits(("slice", 4), ("sign", 1))}  # what a packed column of issues holds
# Fields of a product that the trace holds: all but the cycle in which valid rose.
PROD_FIELDS = [name for name in PROD_DTYPE.names or () if name != "valid_cycle"]
TRACE_PROD_DTYPE = np.dtype([(name, PROD_DTYPE[name]) for name in PROD_FIELDS])


def issue_dtype(params: CoreParams) -> np.dtype:
    """Record of issue.bin."""
    return np.dtype([("cycle", "<u4"), ("row", "<u4", (params.rows,))])


def prod_dtype(params: CoreParams) -> np.dtype:
    """Record of prod.bin."""
    row = np.dtype([("meta", "<u4"), ("mask", "<u4"), ("data", "<i2", (params.lanes,))])
    return np.dtype([("cycle", "<u4"), ("row", row, (params.rows,))])


def issues(records: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Issues and nulls by row, then time; `tag` holds the lower 11 bits."""
    words = np.ascontiguousarray(records["row"].T)  # (rows, records)
    row, at = np.nonzero(words >> 30)
    word = words[row, at]
    out = np.zeros(len(word), ISSUE_DTYPE)
    out["row"], out["cycle"] = row, records["cycle"][at]
    out["null"] = word >> 30 & 1
    out["k"], out["i"], out["j"] = word >> 20 & 0x3FF, word >> 18 & 3, word >> 16 & 3
    out["x"], out["tag"] = word >> 11 & 0x1F, word & 0x7FF
    return out


def products(records: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int16]]:
    """Products transferred, by row, then time, and their data (Q, L) in half units."""
    rows = records["row"]
    words = np.ascontiguousarray(rows["meta"].T)  # (rows, records)
    row, at = np.nonzero(words & 0x80)
    meta = words[row, at]
    out = np.zeros(len(meta), TRACE_PROD_DTYPE)
    out["row"], out["cycle"] = row, records["cycle"][at]
    out["order"], out["bank"] = meta & 7, meta >> 4 & 1
    out["null"], out["last"] = meta >> 5 & 1, meta >> 6 & 1
    out["tag"], out["mask"] = meta >> 16, rows["mask"][at, row]
    # A product's lanes as one opaque item: gathered several times faster than an axis of small numbers.
    lanes = rows.dtype["data"].shape[0]
    items = rows.view([("head", "V8"), ("data", f"V{2 * lanes}")])["data"][at, row]
    return out, items.view("<i2").reshape(-1, lanes)


@dataclass(frozen=True)
class Events:
    """The event trace, by kind."""

    rsp: npt.NDArray[np.void]  # cycle, code
    tile_err: npt.NDArray[np.int64]
    job_err: npt.NDArray[np.void]
    byp: npt.NDArray[np.void]
    reset: list[tuple[int, bool]]  # first cycle with the new value of rst_ni
    busy: list[tuple[int, bool]]


TRACE_BYP_DTYPE = np.dtype([(name, BYP_DTYPE[name]) for name in ("cycle", "tag", "mask")])


def events(records: npt.NDArray[np.void]) -> Events:
    """Splits event.bin by kind."""
    kind, data = records["data"] >> 24, records["data"] & 0xFF_FFFF

    def table(which: int, dtype: np.dtype, **columns: npt.NDArray[np.generic]) -> npt.NDArray[np.void]:
        at = kind == which
        out = np.zeros(int(at.sum()), dtype)
        out["cycle"] = records["cycle"][at]
        for name, column in columns.items():
            out[name] = column[at]
        return out

    return Events(
        rsp=table(EV_RSP, RSP_DTYPE, code=data & 0xF),
        tile_err=records["cycle"][kind == EV_TILE_ERR].astype(np.int64),
        job_err=table(EV_JOB_ERR, JOB_ERR_DTYPE, code=data >> 16 & 0xF, tag=data & 0xFFFF),
        byp=table(EV_BYP, TRACE_BYP_DTYPE, tag=data & 0xFFFF, mask=records["mask"]),
        reset=event_levels(records, EV_RESET),
        busy=event_levels(records, EV_BUSY),
    )


def job_numbers(tags: npt.NDArray[np.uint16], rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Running job numbers behind 16-bit tags (Q,), sorted by row, then time: along a row they only grow."""
    number = tags.astype(np.int64)
    for row in np.unique(rows):
        mine = number[slice(*np.searchsorted(rows, [row, row + 1]))]
        mine[1:] = mine[0] + np.cumsum(np.diff(mine) % TAGS)
    return number
