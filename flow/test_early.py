"""The early runs of `make test`: every test of every block is among them, but for those in `LATE`, and every planted
fault's, so that what the whole list notices is noticed before a change lands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from flow.commands.faults import load_faults
from flow.core.blocks import all_blocks, get_block
from flow.test_blocks import _on_both, _on_one
from tb.lib.contract import Block, RunSpec
from tb.lib.testlist import BOTH, TestEntry, block_runs, early_runs

# Tests without any early run, and why nothing is lost: no fault is planted under them, no bin is theirs alone.
LATE = {
    ("top", "far_windows"): "20 s of windows far beyond every buffer; `windows` and `far` stand at the nearer limits"
}
LEAST_ON_BOTH = 4  # tests of a block whose logs `make test` compares


def findings(block: Block, late: Mapping[tuple[str, str], str] = LATE) -> list[str]:
    """What the early runs of a block lack."""
    runs = {sim: early_runs(block.tests, sim) for sim in BOTH}
    default = {sim: {spec.test for spec in runs[sim] if not spec.params} for sim in BOTH}
    tests = {spec.test for sim in BOTH for spec in runs[sim]}
    lacks = [
        f"test {entry.test} has no early run"
        for entry in block.tests
        if entry.test not in tests and (block.name, entry.test) not in late
    ]
    named = {entry.test for entry in block.tests}
    for name, test in late:
        if name == block.name and (test in tests or test not in named):
            lacks.append(f"test {test} has an early run, or is none: its reason to be late is void")
    for entry in block.tests:
        for params in entry.params:
            if params and not any(spec.params == params for sim in BOTH for spec in runs[sim]):
                lacks.append(f"parameters {dict(params)} have no early run")
    for fault in load_faults(block):
        seeds = [spec.seed for sim in BOTH for spec in runs[sim] if spec.test == fault.test]
        if fault.seed not in seeds:
            lacks.append(f"fault {fault.name} is planted under {fault.test} {fault.seed}, which is not early")
    if len(default["icarus"]) < LEAST_ON_BOTH:
        lacks.append(f"{len(default['icarus'])} tests on both simulators")
    return lacks


@pytest.mark.parametrize("block", all_blocks(), ids=lambda block: block.name)
def test_early_runs_hold_what_the_list_holds(block: Block) -> None:
    assert findings(block) == []


def test_what_they_lack_is_found() -> None:
    block = get_block("laps")
    fault = load_faults(block)[0]
    without = tuple(replace(entry, late=BOTH) if entry.test == fault.test else entry for entry in block.tests)
    lacks = findings(replace(block, tests=without))
    assert f"test {fault.test} has no early run" in lacks
    assert f"fault {fault.name} is planted under {fault.test} {fault.seed}, which is not early" in lacks
    verilator_only = tuple(replace(entry, late=("icarus",)) for entry in block.tests)
    assert "0 tests on both simulators" in findings(replace(block, tests=verilator_only))
    for test in (fault.test, "gone"):
        assert [each for each in findings(block, {("laps", test): "slow"}) if f"test {test} has an early run" in each]


def test_an_entry_says_what_is_early() -> None:
    small = {"ROWS": 4}
    entry = TestEntry("a", "", seeds=(3, 4, 5), params=({}, small), early_seeds=2)
    assert [(spec.seed, spec.params) for spec in early_runs([entry], "verilator")] == [(3, {}), (4, {})]
    early = [(spec.seed, spec.params) for spec in early_runs([entry], "icarus")]
    assert early == [(3, {}), (4, {}), (3, small)]
    late = replace(entry, late=("icarus",), sims=BOTH)
    assert early_runs([late], "icarus") == ()
    alone = replace(entry, sims=("verilator",), early_seeds=1)
    assert [spec.params for spec in early_runs([alone], "verilator")] == [{}, small]


def _made(without: str) -> set[tuple[str, str]]:
    """(block, run) of every run that the cases without this marker make, comparisons' runs on Verilator included."""
    cases = [
        [case for case in cases if without not in [mark.name for mark in case.marks]]
        for cases in (_on_one(), _on_both())
    ]
    one, both = ([case.values for case in each] for each in cases)
    runs = [*one, *both, *((block, replace(spec, sim="verilator")) for block, spec in both)]
    return {(block.name, str(spec)) for block, spec in runs}


@pytest.mark.parametrize(("without", "wanted"), [("early", block_runs), ("late", early_runs)], ids=["all", "early"])
def test_cases_make_every_run(without: str, wanted: Callable[[Sequence[TestEntry], str], tuple[RunSpec, ...]]) -> None:
    """RUNS=all leaves out nothing (what has marker `early` is done by a late case), RUNS=early no early run."""
    made = _made(without)
    for block in all_blocks():
        for sim in BOTH:
            for spec in wanted(block.tests, sim):
                assert (block.name, str(spec)) in made
