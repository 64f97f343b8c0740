"""The README's tables of numbers, filled in from docs/results.json by `make regs`: a figure is edited in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flow.core.made import write_stale
from tb.lib.errors import UserError
from tb.lib.paths import ROOT

README = ROOT / "README.md"
RESULTS = ROOT / "docs/results.json"
_CELLS = re.compile(r"(?<!\\)\|")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELLS.split(line.strip("|"))] if line.startswith("|") else []


def filled(readme: str, results: Mapping[str, Any]) -> str:
    """`readme` with the rows of its figures, and of the comparison, as the results have them.

    Raises `UserError` for a figure, a row or a column that the README has no place for.
    """
    lines, head = readme.split("\n"), [""]
    figures = {figure["name"]: figure for figure in results["figures"]}
    compared = {name: dict(values) for name, values in results["compared"].items()}
    for at, line in enumerate(lines):
        cells = _cells(line)
        if at and not lines[at - 1].startswith("|"):
            head = cells
        if not cells:
            continue
        if figure := figures.pop(cells[0], None):
            values = (figure["value"], "") if "value" in figure else (figure["mlp"], figure["cnn"])
            command = " ".join(figure["command"].split()[:2])
            lines[at] = f"| {' | '.join((figure['name'], *values))} | [`{command}`]({figure['page']}) |".replace(
                "|  |", "| |"
            )
        elif row := compared.pop(cells[0], None):
            for column in [name for name in row if name in head]:
                cells[head.index(column)] = row.pop(column)
            if row:
                raise UserError(f"README.md: the table of {cells[0]} has no column {', '.join(row)}")
            lines[at] = f"| {' | '.join(cells)} |"
    if figures or compared:
        raise UserError(f"README.md has no row {', '.join([*figures, *compared])}")
    return "\n".join(lines)


def page() -> dict[Path, str]:
    """The README as it has to be."""
    return {README: filled(README.read_text(encoding="utf-8"), json.loads(RESULTS.read_text(encoding="utf-8")))}


def make_page() -> list[Path]:
    """Writes the README if a number in it is another one; what was written."""
    return write_stale(page())
