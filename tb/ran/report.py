"""What `make sim BLOCK=ran` prints: figures from traces and counters of the run (docs/ran/reference.md, Counters)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.ran.config import GlobalCounter, RanParams, RowCounter

I64 = npt.NDArray[np.int64]


def run_report(params: RanParams, board: Any, counters: tuple[I64, I64] | None) -> dict[str, Any]:
    """Figures of the whole run as a JSON-able dict."""
    assert counters is not None
    rows, whole = counters
    figures: dict[str, Any] = {counter.name.lower(): int(whole[counter]) for counter in GlobalCounter}
    figures |= {counter.name.lower(): int(rows[:, counter].sum()) for counter in RowCounter}
    out = board.epochs[-1].traces.out
    figures["outputs_per_beat"] = round(figures["jobs"] * params.lanes / max(1, len(out)), 2)
    # While results leave without a pause: job after job, not what the load leaves idle.
    return figures
