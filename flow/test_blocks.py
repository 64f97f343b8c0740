"""Every block's test list on both simulators, and the comparison of what the two simulators logged.

Each run is a simulation of its own. The same test, seed, parameters and configuration must leave byte-identical
transaction logs. A run that is the same on both simulators is made once on each, by the comparison. What the runs have
covered is kept for the floor of `make test`.

`make test` makes the early runs (tb/lib/testlist.py). Marker `late`: a case that RUNS=all adds; marker `early`: one
that RUNS=all does without, because a late one does the same and more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from flow.core import floor
from flow.core.blocks import all_blocks
from flow.core.simulate import RunResult, run, transaction_logs
from tb.lib.contract import Block, RunSpec
from tb.lib.testlist import block_runs, early_runs


def _param(block: Block, spec: RunSpec, *marks: pytest.MarkDecorator) -> object:
    params = "".join(f"-{name}{value}" for name, value in spec.params.items())
    return pytest.param(block, spec, id=f"{block.name}-{spec.test}-{spec.sim}-{spec.seed}{params}", marks=marks)


def _compared(block: Block, spec: RunSpec) -> bool:
    """Whether Verilator makes the run on Icarus, too."""
    return any(
        spec.test == entry.test and "verilator" in entry.sims and spec.params in entry.params for entry in block.tests
    )


def _alone(block: Block, spec: RunSpec) -> bool:
    """Whether `make test` leaves the comparison of this run to RUNS=all: it needs a build of Verilator of its own."""
    return bool(spec.params) and _compared(block, spec)


def _on_one() -> Iterator[object]:
    """Runs that are judged by the scoreboard alone."""
    for block in all_blocks():
        compared = [replace(spec, sim="verilator") for spec in block_runs(block.tests, "icarus")]
        icarus = early_runs(block.tests, "icarus")
        done = [replace(spec, sim="verilator") for spec in icarus if not spec.params]
        early = early_runs(block.tests, "verilator")
        for spec in block_runs(block.tests, "verilator"):
            if spec not in compared:
                yield _param(block, spec, *([] if spec in early else [pytest.mark.late]))
            elif spec in early and spec not in done:
                yield _param(block, spec, pytest.mark.early)
        yield from (_param(block, spec, pytest.mark.early) for spec in icarus if _alone(block, spec))


def _on_both() -> Iterator[object]:
    """Runs on Icarus, whose logs are compared with Verilator's."""
    for block in all_blocks():
        early = early_runs(block.tests, "icarus")
        for spec in block_runs(block.tests, "icarus"):
            late = spec not in early or _alone(block, spec)
            yield _param(block, spec, *([pytest.mark.late] if late else []))


def _run(block: Block, spec: RunSpec, label: str = "") -> RunResult:
    # What other parameters than the default build is run for seconds.
    quick = bool(spec.params)
    result = run(
        block, spec.sim, spec.test, spec.seed, spec.params, spec.config, quick=quick, label=label, forked="tested"
    )
    assert result.passed, result.summary()
    floor.keep(block, spec, result)
    return result


@pytest.mark.parametrize(("block", "spec"), list(_on_one()))
def test_on_one_simulator(block: Block, spec: RunSpec) -> None:
    _run(block, spec)


@pytest.mark.parametrize(("block", "spec"), list(_on_both()))
def test_icarus_and_the_same_logs(block: Block, spec: RunSpec) -> None:
    icarus = _run(block, spec)
    if not _compared(block, spec):
        return  # these parameters are built for Icarus alone; the scoreboard has judged the run
    verilator = _run(block, RunSpec(spec.test, spec.seed, "verilator", spec.params, spec.config), "compare")
    logs = [transaction_logs(result.run_dir) for result in (icarus, verilator)]
    assert len(logs[0]) > 3
    assert sum((icarus.run_dir / name).stat().st_size for name in logs[0]) > 1000
    different = [name for name in logs[0] if logs[0][name] != logs[1].get(name)]
    assert not different, f"logs differ: {', '.join(different)}; {icarus.replay}; {verilator.replay}"
