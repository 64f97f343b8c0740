"""The page of areas shows docs/cells.json, and what follows from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flow.commands.dense import KINDS
from flow.site.test_results import trained
from tb.lib.paths import ROOT

CELLS: dict[str, Any] = json.loads((ROOT / "docs/cells.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/cells.md").read_text(encoding="utf-8")


def rows(page: str) -> dict[str, list[str]]:
    """Cells of every row of every table, by the first."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")
    ]
    return {cells[0]: cells[1:] for cells in lines}


def _short(name: str) -> str:
    """A register with the module that it is in."""
    return re.sub(r"gen_\w*_u_", "u_", ".".join(name.split(".")[-2:]))


def design_row(found: Mapping[str, Any]) -> list[str]:
    """As the page shows a design."""
    areas = [f"{found[name] / 1e6:.2f}" for name in ("area_um2", "cell_area_um2", "memory_area_um2")]
    bits = [f"{found[name]:,}" for name in ("memory_bits", "memory_bits_read_without_clock")]
    return [
        *areas,
        *bits,
        f"{found['path_ns']:.1f}",
        *(f"`{_short(found[name])}`" for name in ("path_start", "path_end")),
    ]


def efficiency(cells: Mapping[str, Any], speedup: float, dense: str) -> tuple[float, float]:
    """Useful products a mm2 over those of a dense array: (at equal clocks, at the clock that each one's path allows).

    `speedup` is over as many 16 x 16-bit products a cycle as the slice multipliers can make: Rows x Lanes / 16.
    """
    designs = cells["designs"]
    pair = [designs["ioss"], designs["ran"]]
    parameters = designs["ioss"]["parameters"]
    ours = speedup * parameters["ROWS"] * parameters["LANES"] / 16 / sum(each["area_um2"] for each in pair)
    other = designs[dense]["parameters"]
    theirs = other["ROWS"] * other["LANES"] / designs[dense]["area_um2"]
    clocks = designs[dense]["path_ns"] / max(each["path_ns"] for each in pair)
    return ours / theirs, ours / theirs * clocks


def test_the_page_shows_the_designs() -> None:
    shown = rows(PAGE)
    for name, found in CELLS["designs"].items():
        assert shown[name] == design_row(found), name


def test_the_page_shows_the_area_efficiency() -> None:
    shown = rows(PAGE)
    seen = 0
    for training, speedups in CELLS["speedup"].items():
        for what, speedup in speedups.items():
            expected = [f"{speedup}"]
            for kind in KINDS:
                expected += [f"{value:.2f}" for value in efficiency(CELLS, speedup, kind)]
            assert shown[f"{training}, {what}"] == expected
            seen += 1
    assert seen == 4


def test_speed_ups_are_those_of_the_trainings() -> None:
    for training in ("MLP", "CNN"):
        row = trained(f"{training}, 1")
        assert CELLS["speedup"][training] == {"epoch 1": float(row[4]), "25 epochs": float(row[3])}


def test_another_figure_is_noticed() -> None:
    """The comparison can fail."""
    found = dict(CELLS["designs"]["laps"])
    assert rows(PAGE)["laps"] == design_row(found)
    found["path_ns"] += 0.1
    assert rows(PAGE)["laps"] != design_row(found)
