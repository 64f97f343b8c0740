"""The widths of top_pkg follow from the largest legal values of a command's fields."""

from __future__ import annotations

import re

import pytest

from models.top.config import LEGAL_CORES, MAX_M
from tb.lib.paths import ROOT

COLUMNS, STEP, PARAMETERS, LANES = (1 << 16) - 1, (1 << 16) - 1, (1 << 24) - 1, 16
TILES = -(-COLUMNS // LANES)
LARGEST = {
    "StepW": STEP * (max(LEGAL_CORES) - 1),
    "TilesW": TILES,
    "JobsW": MAX_M,
    "MasksW": MAX_M * TILES,
    "BeatsW": -(-PARAMETERS // 4),
    "JobW": 2 << 16,
}


def _constants(text: str) -> dict[str, int]:
    """Integers of a package, evaluated in order."""
    found: dict[str, int] = {"clog2": 0}
    for name, value in re.findall(r"parameter int (\w+) = ([^;]+);", text):
        scope = {**found, "clog2": lambda of: (of - 1).bit_length()}
        found[name] = eval(value.replace("$clog2", "clog2"), {"__builtins__": {}}, scope)  # our own source
    return found


def _wrong(text: str) -> list[str]:
    constants = _constants(text)
    return [name for name, largest in LARGEST.items() if constants[name] != largest.bit_length()]


PACKAGE = (ROOT / "rtl/top/top_pkg.sv").read_text("utf-8")


def test_widths_hold_the_largest_values_and_no_more() -> None:
    assert _wrong(PACKAGE) == []


@pytest.mark.parametrize(
    ("bound", "less", "width"),
    [
        ("MaxTiles = 4096", "MaxTiles = 2047", "TilesW"),
        ("MaxStep = 65535", "MaxStep = 32767", "StepW"),
        ("MaxJobs = 16383", "MaxJobs = 8191", "MasksW"),
        ("MaxBeats = 4194304", "MaxBeats = 4194303", "BeatsW"),
        ("MaxFed = 131072", "MaxFed = 131071", "JobW"),
    ],
)
def test_a_bound_that_is_too_small_is_seen(bound: str, less: str, width: str) -> None:
    assert PACKAGE.count(bound) == 1
    assert width in _wrong(PACKAGE.replace(bound, less))
