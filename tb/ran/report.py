"""What `make sim BLOCK=ran` prints: figures from traces and counters of the run (docs/ran/README.md, Counters)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

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
    # While results leave without a pause: jobs behind jobs, not what the load leaves idle.
    return figures


def print_report(result: dict[str, Any]) -> None:
    """The table of a run."""
    report = dict(result.get("report", {}))
    checks = report.pop("checks", {})
    mismatches = report.pop("mismatches", 0)
    console = Console()
    if report:
        table = Table(box=box.SIMPLE)
        table.add_column("figure")
        table.add_column("value", justify="right")
        for name, value in report.items():
            table.add_row(name.replace("_", " "), value if isinstance(value, str) else f"{value:,}")
        console.print(table)
    parts = ", ".join(f"{number:,} {kind}" for kind, number in checks.items())
    console.print(f"checks: {parts}; mismatches: {mismatches}")
