"""`make bench BLOCK=gemm`: as for the IOSS core (flow/bench/ioss.py). The conventional environment drives the
pair's own ports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flow.bench.common import publish
from flow.bench.ioss import measure
from flow.core.blocks import get_block
from tb.gemm.bench.workload import cpp_program
from tb.ioss.bench.workload import Workload
from tb.lib.paths import ROOT

HERE = ROOT / "tb/gemm/bench"
MAIN = Workload(repeat=8)
PART = Workload(sets=("early",), gemms=("fp1",))


def bench(report: Path | None) -> int:
    """The command: measures, prints, writes the JSON to `report`."""
    block = replace(get_block("gemm"), test_module="tb.gemm.bench.tests")
    rival = replace(block, tb_sources=(), tb_top="gemm_core", public_vlt=None)
    publish(measure(MAIN, PART, block=block, folder=HERE, stimulus_of=cpp_program, rival=rival), report)
    return 0
