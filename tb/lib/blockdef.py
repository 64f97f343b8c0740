"""What the definitions of blocks (tb/<block>/block.py) share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tb.lib.contract import Block
from tb.lib.errors import UserError, did_you_mean
from tb.lib.testlist import TestEntry
from tb.lib.testplan import TestplanError, findings, load_testplan, uvm_tests

TRANSACTORS = tuple(f"tb/lib/sv/ts_{name}.sv" for name in ("source", "sink", "stream_check", "since", "quiet"))
COVERAGE_GOALS = {"line": 98.0, "branch": 98.0, "toggle": 95.0}  # of every block, and of all together
INCLUDE_DIRS = ("rtl/common", "tb/lib/sv")


def listed_test(block: Block, folder: Path, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) of `make sim` without a user's tensors. Raises `UserError` for an unknown test."""
    test, params = options["TEST"] or block.default_test, options["PARAMS"]
    known = uvm_tests(folder / "tests.py")
    if test not in known:
        near = did_you_mean(test, known)
        raise UserError(f"{block.name} has no test {test}{near or f' (make list BLOCK={block.name} lists them)'}")
    # A test of a user's files without any plays its example.
    config = {"example": True} if any(entry.test == test and "example" in entry.config for entry in block.tests) else {}
    # Other parameters may leave fewer lanes to compare than the full run must.
    default = all(params[name] == param.default for name, param in block.params.items())
    return test, config if default else config | {"reduced": True}


def plan_findings(folder: Path, tests: Sequence[TestEntry]) -> list[str]:
    """Testplan, test list and tests must name the same tests: what does not fit."""
    try:
        points = load_testplan(folder / "testplan.hjson")
    except TestplanError as error:
        return [str(error)]
    return findings(points, uvm_tests(folder / "tests.py"), [entry.test for entry in tests])
