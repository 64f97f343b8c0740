"""Every block's test list on both simulators, and the comparison of what the two simulators logged.

Each run is a simulation of its own. The same test, seed, parameters and configuration must leave byte-identical
transaction logs. A run that is the same on both simulators is made once on each, by the comparison. What the runs have
covered is kept for the floor of `make test`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from flow.core import floor
from flow.core.blocks import all_blocks
from flow.core.simulate import RunResult, run, transaction_logs
from tb.lib.contract import Block, RunSpec
from tb.lib.testlist import block_runs


def _cases(sim: str) -> list:
    out = []
    for block in all_blocks():
        compared = [replace(spec, sim="verilator") for spec in block_runs(block.tests, "icarus")]
        for spec in block_runs(block.tests, sim):
            if spec in compared:
                continue
            params = "".join(f"-{name}{value}" for name, value in spec.params.items())
            out.append(pytest.param(block, spec, id=f"{block.name}-{spec.test}-{sim}-{spec.seed}{params}"))
    return out


def _run(block: Block, spec: RunSpec, label: str = "") -> RunResult:
    # What other parameters than the default build is run for seconds.
    quick = bool(spec.params)
    result = run(block, spec.sim, spec.test, spec.seed, spec.params, spec.config, quick=quick, label=label)
    assert result.passed, result.summary()
    floor.keep(block, spec, result)
    return result


@pytest.mark.parametrize(("block", "spec"), _cases("verilator"))
def test_verilator(block: Block, spec: RunSpec) -> None:
    _run(block, spec)


@pytest.mark.parametrize(("block", "spec"), _cases("icarus"))
def test_icarus_and_the_same_logs(block: Block, spec: RunSpec) -> None:
    icarus = _run(block, spec)
    if not any(
        spec.test == entry.test and "verilator" in entry.sims and spec.params in entry.params for entry in block.tests
    ):
        return  # these parameters are built for Icarus alone; the scoreboard has judged the run
    verilator = _run(block, RunSpec(spec.test, spec.seed, "verilator", spec.params, spec.config), "compare")
    logs = [transaction_logs(result.run_dir) for result in (icarus, verilator)]
    assert len(logs[0]) > 3
    assert sum((icarus.run_dir / name).stat().st_size for name in logs[0]) > 1000
    different = [name for name in logs[0] if logs[0][name] != logs[1].get(name)]
    assert not different, f"logs differ: {', '.join(different)}; {icarus.replay}; {verilator.replay}"
