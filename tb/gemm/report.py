"""The figures of a run of products on the pair: for result.json, and as tables (docs/gemm/README.md, Figures)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from models.ioss.config import RowCounter as CoreRow
from models.ran.config import GlobalCounter, RowCounter
from tb.ioss.env import Gemm
from tb.ioss.report import gemm_report
from tb.ioss.report import print_report as print_core
from tb.lib.runinfo import RunInfo

if TYPE_CHECKING:
    from tb.gemm.program import GemmParams, GemmProgram, Product
    from tb.gemm.scoreboard import GemmScoreboard

EV_BUSY = 6
RAN_FIGURES = (
    GlobalCounter.JOBS, GlobalCounter.JOBS_BYPASSED, GlobalCounter.JOBS_CANCELLED, GlobalCounter.BEATS,
    GlobalCounter.MERGES, GlobalCounter.OVERFLOWS, GlobalCounter.CLAMPED, GlobalCounter.DRAWS,
)  # fmt: skip
RAN_STALLS = (GlobalCounter.STALL_OUT, GlobalCounter.STALL_START, GlobalCounter.STALL_REQUEST)


def busy_cycles(board: GemmScoreboard, begin: int = 0, end: int | None = None) -> int:
    """Cycles with `busy_o` from cycle `begin` on, before `end`."""
    event = board.seen["gemm_event"]
    event = event[event["data"] >> 24 == EV_BUSY]
    total, since = 0, None
    for cycle, level in zip(event["cycle"].tolist(), (event["data"] & 1).tolist(), strict=True):
        if level:
            since = cycle
        elif since is not None:
            total += max(0, min(cycle, end or cycle) - max(since, begin))
            since = None
    return total


def product_report(
    run_info: RunInfo,
    params: GemmParams,
    board: GemmScoreboard,
    programs: list[GemmProgram],
    products: list[Product],
    counters: Any,
) -> dict[str, Any]:
    """Figures of a run, from traces and counters."""
    lanes = params.core.lanes
    gemms = [
        Gemm(p.name, p.shape, np.zeros((0, 0), np.int64), p.pairs(lanes), {"n_x": p.n_x, "n_w": p.n_w})
        for p in products
    ]
    report = gemm_report(run_info, params.core, board.core, [program.core for program in programs], gemms, counters[0])
    rows, whole = counters[1]
    report["cycles_core"] = report["cycles"]
    report["cycles"] = busy_cycles(board)
    report["utilisation"] = report["issues"] / (params.core.rows * report["cycles"])
    report["acc_w"], report["banks"] = params.ran.acc_w, params.ran.banks
    report["ran"] = {counter.name.lower(): int(whole[counter]) for counter in RAN_FIGURES}
    report["stalls"] |= {counter.name.lower(): int(whole[counter]) for counter in RAN_STALLS}
    stalls = (RowCounter.STALL_DESC, RowCounter.STALL_MEMBER, RowCounter.STALL_DRAIN)
    report["stalls"] |= {counter.name.lower(): int(rows[:, counter].sum()) for counter in stalls}
    report["outputs_per_beat"] = round(report["ran"]["jobs"] * lanes / max(1, report["ran"]["beats"]), 2)
    return report


def _sum(values: list[Any]) -> Any:
    """Numbers that add up, in dictionaries too; of anything else the first."""
    first = values[0]
    if isinstance(first, dict):
        return {name: _sum([each[name] for each in values]) for name in first}
    return sum(values) if isinstance(first, int | float) and not isinstance(first, bool) else first


def add_up(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One result.json of those of the pieces of one product."""
    first, reports = results[0], [each["report"] for each in results]
    out = {**first, **{name: _sum([each[name] for each in results]) for name in ("checks", "cycles", "seconds")}}
    out["mismatches"] = sum(each["mismatches"] for each in results)
    out["peak_mib"] = max(each["peak_mib"] for each in results)
    report = out["report"] = dict(reports[0])
    report |= {name: out[name] for name in ("checks", "mismatches") if name in report}
    if "timing" in report:  # CHECK=value
        report["cycles"] = out["cycles"]
        keys = ("yours", "model")
        report["timing"] = [
            {**lines[0], **{key: sum(line[key] for line in lines) for key in keys}}
            for lines in zip(*(each["timing"] for each in reports), strict=True)
        ]
        return out
    counted = ("cycles", "cycles_core", "busy_cycles", "issues", "issues_dense", "skipped", "stalls", "jobs", "ran")
    report |= {name: _sum([each[name] for each in reports]) for name in counted}
    gemms = [each["gemms"][0] for each in reports]
    counted = ("issues", "issues_dense", "skipped", "busy_cycles", "window", "window_issues")
    gemm = {**gemms[0], **{name: _sum([each[name] for each in gemms]) for name in counted}}
    array = report["rows"]

    def share(issues: int, cycles: int) -> float:
        return issues / (array * cycles) if cycles else 0.0

    speedup, within = share(gemm["issues_dense"], gemm["busy_cycles"]), share(gemm["window_issues"], gemm["window"])
    gemm |= {"utilisation": share(gemm["issues"], gemm["busy_cycles"]), "utilisation_between_jobs": within}
    gemm["speedup"] = speedup
    report |= {"gemms": [gemm], "utilisation": share(report["issues"], report["cycles"]), "speedup": speedup}
    report["utilisation_between_jobs"] = within
    report["outputs_per_beat"] = round(report["ran"]["jobs"] * report["lanes"] / max(1, report["ran"]["beats"]), 2)
    return out


def sweep_entry(params: GemmParams, board: GemmScoreboard, mark: Any, before: Any) -> dict[str, Any]:
    """One line of the sweep: products of one set at one reduce factor, by counters read before and after."""
    factor, which, _, begin, end, counters = mark
    (core, _), (rows, whole) = (
        (now[0] - (then[0] if before else 0), now[1] - (then[1] if before else 0))
        for now, then in zip(counters, before or counters, strict=True)
    )
    cycles = busy_cycles(board, begin, end)
    issues = int(core[:, CoreRow.ISSUES].sum())
    everything = params.core.rows * cycles
    return {
        "reduce_factor": factor,
        "set": which,
        "cycles": cycles,
        "issues": issues,
        "utilisation": issues / everything,
        "nulls": int(core[:, CoreRow.NULLS].sum()) / everything,
        "stall_operand": int(core[:, CoreRow.STALL_OPERAND].sum()) / everything,
        "stall_member": int(rows[:, RowCounter.STALL_MEMBER].sum()) / everything,
        "stall_drain": int(rows[:, RowCounter.STALL_DRAIN].sum()) / everything,
        "beats": int(whole[GlobalCounter.BEATS]),
    }


def print_report(result: dict[str, Any]) -> None:
    """Prints the tables that the test made, and what was checked."""
    report = result.get("report") or {}
    console = Console()
    if report.get("origin"):
        console.print(f"captured from: {report['origin']}", highlight=False)
    if report.get("sweep"):
        title = f"share of row-cycles, loads and drains included; {report['banks']} bank(s) a group"
        table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=0)
        names = (
            "RF",
            "set",
            "cycles",
            "issues",
            "util",
            "nulls",
            "wait operand",
            "wait member",
            "wait drain",
        )
        for name in names:
            table.add_column(name, justify="right", no_wrap=True)
        for entry in report["sweep"]:
            shares = ("utilisation", "nulls", "stall_operand", "stall_member", "stall_drain")
            table.add_row(
                str(entry["reduce_factor"]), entry["set"], f"{entry['cycles']:,}", f"{entry['issues']:,}",
                *(f"{entry[name]:.3f}" for name in shares),
            )  # fmt: skip
        console.print(table)
    if report.get("ran"):
        stalls = ", ".join(
            f"{count:,} {name.removeprefix('stall_')}"
            for name, count in report["stalls"].items()
            if name not in ("ran", "operand")
        )
        ran = report["ran"]
        console.print(
            f"RAN: {ran['jobs']:,} jobs in {ran['beats']:,} beats ({report['outputs_per_beat']} outputs a beat, "
            f"{ran['merges']:,} jobs merged), {ran['overflows']:,} overflows, {ran['clamped']:,} clamped, "
            f"{ran['jobs_cancelled']:,} cancelled; cycles stalled: {stalls}",
            highlight=False,
        )
    print_core(result)
