"""What a run of the processor prints: figures, and how to replay what a failed training captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tb.lib.report import print_figures


def capture_lines(result: Mapping[str, Any] | None) -> list[str]:
    """Lines about the captures of a failed training (`result.json`); none for any other run."""
    captures = ((result or {}).get("report") or {}).get("captures")
    if captures is None:
        return []
    if not captures:
        return ["no captures: the first divergence lies outside the iterations"]
    return [f"captured {each['name']}: {each['replay']}" for each in captures]


def print_report(result: dict[str, Any]) -> None:
    """Prints the table of figures, checks and mismatches, and the captures."""
    print_figures(result)
    for line in capture_lines(result):
        print(line)
