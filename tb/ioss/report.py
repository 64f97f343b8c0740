"""The figures of a run of products on the IOSS core: for result.json, and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from models.ioss.config import CoreParams, GlobalCounter, RowCounter
from tb.lib.runinfo import RunInfo

if TYPE_CHECKING:
    from tb.ioss.env import Gemm
    from tb.ioss.program import Program
    from tb.ioss.scoreboard import IossScoreboard

_COLUMNS = ("product", "MxKxN", "cycles", "issues", "speed-up", "busy", "skip x", "w", "order", "mask")
_LEGEND = (
    "cycles: from a product's first issue to its last\n"
    "speed-up: over dense 16b x 16b on the same array\n"
    "busy: share of row-cycles that issue\n"
    "skip x, w, order, mask: share of slice pairs skipped, by cause"
)
SKIPS = ("mask", "x", "w", "order")


def gemm_report(
    run_info: RunInfo,
    params: CoreParams,
    board: IossScoreboard,
    programs: list[Program],
    gemms: list[Gemm],
    counters: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None,
) -> dict[str, Any]:
    """Figures of a run, from what was observed: traces and counters (not from the model's prediction).

    `cycles` are active cycles, loads and drains included. Of each product, `busy_cycles` reach from its first to
    its last issue; `utilisation_between_jobs` looks at the cycles from its first issue to the first issue of the job
    that started last (`window`, with `window_issues`).
    """
    assert counters is not None
    rows, whole = counters
    issue = board.epochs[-1].issue
    # Issues and products stand one to one, by row and time; products carry the whole tag.
    job = board.job_of_products()
    place = np.array([at.gemm for program in programs for at in program.placements])
    number = place[job]
    cycles = int(whole[GlobalCounter.CYCLES])
    issues = int(rows[:, RowCounter.ISSUES].sum())
    dense = sum(gemm.pairs.dense for gemm in gemms)
    entries = []
    for index, gemm in enumerate(gemms):
        mine = number == index
        when, real = issue["cycle"][mine], issue["null"][mine] == 0
        entry: dict[str, Any] = {
            "name": gemm.name,
            "shape": list(gemm.shape),
            "issues": int(real.sum()),
            "issues_dense": gemm.pairs.dense,
            "skipped": {cause: getattr(gemm.pairs, cause) for cause in SKIPS},
            "busy_cycles": int(when.max() - when.min() + 1) if len(when) else 0,
            "utilisation": 0.0,
            "utilisation_between_jobs": 0.0,
            "window": 0,
            "window_issues": 0,
        }
        if len(when):
            starts = np.full(job.max() + 1, np.iinfo(np.int64).max)
            np.minimum.at(starts, job[mine], when)
            last_start = starts[np.unique(job[mine])].max()
            before = real & (when < last_start)
            entry["utilisation"] = float(real.sum() / (params.rows * entry["busy_cycles"]))
            entry["window"], entry["window_issues"] = int(last_start - when.min()), int(before.sum())
            if entry["window"]:
                entry["utilisation_between_jobs"] = entry["window_issues"] / (params.rows * entry["window"])
            entry["speedup"] = float(gemm.pairs.dense / (params.rows * entry["busy_cycles"]))
        entries.append(entry)
    busy = sum(entry["busy_cycles"] for entry in entries)
    window, within = (sum(entry[name] for entry in entries) for name in ("window", "window_issues"))
    return {
        "block": run_info.block,
        "sim": run_info.sim,
        "seed": run_info.seed,
        "rows": params.rows,
        "lanes": params.lanes,
        "depth": params.depth,
        "cycles": cycles,
        "busy_cycles": busy,
        "issues": issues,
        "issues_dense": dense,
        "utilisation": issues / (params.rows * cycles) if cycles else 0.0,
        "utilisation_between_jobs": within / (params.rows * window) if window else 0.0,
        "speedup": dense / (params.rows * busy) if busy else 0.0,
        "skipped": {cause: int(rows[:, RowCounter[f"SKIP_{cause.upper()}"]].sum()) for cause in SKIPS},
        "stalls": {
            "operand": int(rows[:, RowCounter.STALL_OPERAND].sum()),
            "ran": int(rows[:, RowCounter.STALL_RAN].sum()),
        },
        "jobs": {
            "rows": int(whole[GlobalCounter.JOBS]),
            "bypassed": int(whole[GlobalCounter.JOBS_BYPASSED]),
        },
        "gemms": entries,
    }


def print_report(result: dict[str, Any]) -> None:
    """Prints the table of products, if the test made one, and what was checked."""
    console = Console()
    report = result.get("report") or {}
    if report.get("gemms"):
        size = "x".join(str(report[name]) for name in ("rows", "lanes", "depth"))
        title = f"{report['block']} {size} on {report['sim']}, seed {report['seed']}"
        table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=0)
        for name in _COLUMNS:
            table.add_column(name, justify="left" if name in ("product", "MxKxN") else "right", no_wrap=True)
        for entry in report["gemms"]:
            pairs = entry["issues"] + sum(entry["skipped"].values())
            share = [
                f"{entry['skipped'][cause] / pairs:.1%}" if pairs else "-" for cause in ("x", "w", "order", "mask")
            ]
            table.add_row(
                entry["name"],
                "x".join(map(str, entry["shape"])),
                f"{entry['busy_cycles']:,}",
                f"{entry['issues']:,}",
                f"{entry.get('speedup', 0):.1f}x",
                f"{entry['utilisation']:.3f}",
                *share,
            )
        console.print(table)
        console.print(_LEGEND, highlight=False)
        whole = (
            f"all: {report['issues']:,} issues in {report['busy_cycles']:,} cycles, {report['speedup']:.1f}x; "
            f"{report['cycles']:,} cycles with loads and drains",
            f"rows issue in {report['utilisation']:.1%} of row-cycles, "
            f"in {report['utilisation_between_jobs']:.1%} while jobs are left",
            f"row-cycles that wait: {report['stalls']['operand']:,} for operands, {report['stalls']['ran']:,} for the "
            f"RAN; jobs without work: {report['jobs']['bypassed']:,}",
        )
        console.print("\n".join(whole), highlight=False)
    checks = result.get("checks", {})
    console.print(
        "checks: "
        + ", ".join(f"{count:,} {kind}" for kind, count in checks.items())
        + f"; mismatches: {result.get('mismatches', 0):,}"
    )
