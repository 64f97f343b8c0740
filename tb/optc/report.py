"""What `make sim BLOCK=optc` prints: figures from the traces of the run, from nothing that the model says."""

from __future__ import annotations

from typing import Any

import numpy as np


def run_report(lanes: int, board: Any) -> dict[str, Any]:
    """Figures of the last epoch as a JSON-able dict; rates and latency are those of the tensors that it finished."""
    base = board.epochs[-1].base
    out, stat, log = (board.seen[name] for name in ("out_trace", "stat_trace", "in"))
    out, stat = out[out["cycle"] >= base], stat[stat["cycle"] >= base]
    taken = log.accept[log.accept >= base]
    figures: dict[str, Any] = {
        "parameters": int(stat["values"].sum()),
        "tensors": len(stat),
        "beats": len(out),
        "cycles": board.cycles - base,
    }
    if len(out):
        # While a tensor's results leave: from its first to its last one.
        ends = np.flatnonzero(out["last"])
        begins = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)[: len(ends)]
        span = int((out["cycle"][ends].astype(np.int64) - out["cycle"][begins] + 1).sum())
        if span:
            figures["results_per_lane_and_cycle"] = round(figures["parameters"] / (lanes * span), 3)
        latency = out["valid"].astype(np.int64) - taken[: len(out)]
        figures |= {"latency": int(latency.min()), "longest_latency": int(latency.max())}
    for name in ("sat_w", "sat_m", "sat_v", "sat_copy", "clipped", "eps_used"):
        figures[name] = int(stat[name].sum())
    return figures
