"""The table of a run's figures, as `make sim` prints it for every block without figures of its own kind."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def print_timing(result: dict[str, Any]) -> None:
    """What CHECK=value compared, loudly, and cycles beside the model's, which it does not judge."""
    console = Console()
    table = Table("not judged", title="cycles beside the model's, for the same offers", box=box.SIMPLE)
    for name in ("this RTL", "model", "difference"):
        table.add_column(name, justify="right")
    report = result.get("report", {})
    for line in report.get("timing", []):
        table.add_row(
            line["what"], *(f"{n:,}" for n in (line["yours"], line["model"])), f"{line['yours'] - line['model']:+,}"
        )
    if table.row_count:
        console.print(table)
    made = report.get("checks", {}).get("value", 0)
    least = result.get("minimum", {}).get("value", 0)
    console.print(
        f"CHECK=value: {made:,} values compared at the outputs (at least {least:,}); mismatches: "
        f"{report.get('mismatches', 0)}; cycles, counters and observation ports were NOT judged",
        highlight=False,
        soft_wrap=not console.is_terminal,
    )


def print_figures(result: dict[str, Any]) -> None:
    """The table of `result.json`'s report: numbers and words; what else it holds is printed by who made it."""
    report = dict(result.get("report", {}))
    checks = report.pop("checks", {})
    mismatches = report.pop("mismatches", 0)
    figures = {name: value for name, value in report.items() if isinstance(value, (int, float, str))}
    console = Console()
    if figures:
        table = Table(box=box.SIMPLE)
        table.add_column("figure")
        table.add_column("value", justify="right")
        for name, value in figures.items():
            table.add_row(name.replace("_", " "), value if isinstance(value, str) else f"{value:,}")
        console.print(table)
    parts = ", ".join(f"{number:,} {kind}" for kind, number in checks.items())
    console.print(f"checks: {parts}; mismatches: {mismatches}")
