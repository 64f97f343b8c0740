"""The table of a run's figures, as `make sim` prints it for every block without figures of its own kind."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def print_figures(result: dict[str, Any]) -> None:
    """The table of `result.json`'s report: numbers alone; what else it holds is printed by who made it."""
    report = dict(result.get("report", {}))
    checks = report.pop("checks", {})
    mismatches = report.pop("mismatches", 0)
    figures = {name: value for name, value in report.items() if isinstance(value, (int, float))}
    console = Console()
    if figures:
        table = Table(box=box.SIMPLE)
        table.add_column("figure")
        table.add_column("value", justify="right")
        for name, value in figures.items():
            table.add_row(name.replace("_", " "), f"{value:,}")
        console.print(table)
    parts = ", ".join(f"{number:,} {kind}" for kind, number in checks.items())
    console.print(f"checks: {parts}; mismatches: {mismatches}")
