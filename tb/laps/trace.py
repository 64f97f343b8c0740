"""Binary traces of laps_trace.svh: their records (formats: its header) and the tables that the model's answers give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.laps.config import LAYOUTS, RegCode, RspCode
from models.laps.value import OrderAnswer, UpdateAnswer
from tb.lib.scoreboard import EVENT_DTYPE, Unpack, named

__all__ = ["DTYPES", "UNPACK", "obs_table", "order_table", "register_table", "update_table"]

REG_DTYPE = np.dtype([("cycle", "<u4"), ("code", "<u4"), ("data", "<u4")])
UPD_DTYPE = np.dtype([("cycle", "<u4"), ("code", "<u4"), ("fl", "<i4"), ("n", "<u4"), ("events", "<u4")])
ORD_DTYPE = np.dtype(
    [("cycle", "<u4"), ("code", "<u4"), ("order", "<u4"), ("shift", "<i4"), ("n", "<u4", (3,)), ("fl", "<i4", (3,))]
)
OBS_DTYPE = np.dtype(
    [("cycle", "<u4"), ("word", "<u4"), ("signal", "<u4"), ("mean", "<i4"), ("tolerance", "<u4"), ("over", "<u4")]
)
DTYPES = {
    "reg_rsp": REG_DTYPE, "upd_rsp": UPD_DTYPE, "ord_rsp": ORD_DTYPE, "obs": OBS_DTYPE, "laps_event": EVENT_DTYPE,
}  # fmt: skip
# What packed columns hold, by trace.
UNPACK: dict[str, dict[str, Unpack]] = {
    "reg_rsp": {"code": named(RegCode)},
    "upd_rsp": {"code": named(RspCode)},
    "ord_rsp": {"code": named(RspCode)},
    "obs": {"word": LAYOUTS["ENTRY0"].unpack, "signal": LAYOUTS["ENTRY1"].unpack},
}


def _table(rows: list[tuple[Any, ...]], dtype: np.dtype) -> npt.NDArray[np.void]:
    return np.array(rows, dtype)


def register_table(cycles: Sequence[int], answers: Sequence[Any]) -> npt.NDArray[np.void]:
    """Answers to register accesses at given cycles."""
    return _table([(at, each.code, each.data) for at, each in zip(cycles, answers, strict=True)], REG_DTYPE)


def update_table(cycles: Sequence[int], answers: Sequence[UpdateAnswer]) -> npt.NDArray[np.void]:
    """Answers to updates."""
    rows = [(at, a.code, a.fl, a.n, int(a.events)) for at, a in zip(cycles, answers, strict=True)]
    return _table(rows, UPD_DTYPE)


def obs_table(cycles: Sequence[int], answers: Sequence[UpdateAnswer]) -> npt.NDArray[np.void]:
    """What the observation ports show of accepted updates."""
    rows = []
    for at, a in zip(cycles, answers, strict=True):
        if a.entry is not None:
            word, signal = a.entry.words
            rows.append((at, word, signal, a.mean, a.tolerance, a.over))
    return _table(rows, OBS_DTYPE)


def order_table(cycles: Sequence[int], answers: Sequence[OrderAnswer]) -> npt.NDArray[np.void]:
    """Answers to queries."""
    rows = [(at, a.code, a.order, a.shift, a.n, a.fl) for at, a in zip(cycles, answers, strict=True)]
    return _table(rows, ORD_DTYPE)
