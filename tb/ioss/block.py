"""The IOSS core as a block of the flow."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from models.ioss.config import LEGAL_DEPTH, LEGAL_LANES, LEGAL_ROWS
from tb.ioss.coverage import functional_coverage
from tb.ioss.operands import OPERAND_OPTIONS, check_operands, in_integers, operand_config, own_tensors
from tb.ioss.report import print_report
from tb.ioss.testlist import TESTS
from tb.lib.blockdef import COVERAGE_GOALS, INCLUDE_DIRS, TRANSACTORS, listed_test, plan_findings
from tb.lib.contract import Block, Option, Param, Proof
from tb.lib.testlist import block_runs

HERE = Path(__file__).parent


def sim_options(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) of `make sim`: a user's tensors if X or W is given, a listed test otherwise.

    Raises `UserError` for matrices or options that the core cannot take.
    """
    if not own_tensors(BLOCK, options):
        return listed_test(BLOCK, HERE, options)
    options, notes = in_integers(options)
    check_operands(options)
    print(*notes, sep="\n", end="\n" * bool(notes))
    return "user_tensors", operand_config(options)


RTL = (
    "rtl/common/slice_unpack.sv",
    "rtl/ioss/ioss_chunk_walker.sv",
    "rtl/ioss/ioss_desc_check.sv",
    "rtl/ioss/ioss_desc.sv",
    "rtl/ioss/ioss_banks.sv",
    "rtl/ioss/ioss_tile_loader.sv",
    "rtl/ioss/ioss_dispatch.sv",
    "rtl/ioss/ioss_map.sv",
    "rtl/ioss/ioss_tile_mem.sv",
    "rtl/ioss/ioss_slots.sv",
    "rtl/ioss/ioss_row.sv",
    "rtl/ioss/ioss_skip_count.sv",
    "rtl/ioss/ioss_counters.sv",
    "rtl/ioss/ioss_core.sv",
)
PARAMS = {
    "ROWS": Param(8, LEGAL_ROWS, "Rows", "rows of the array"),
    "LANES": Param(16, LEGAL_LANES, "Lanes", "outputs (multipliers) of a row"),
    "DEPTH": Param(128, LEGAL_DEPTH, "Depth", "longest vector of one row, elements"),
}
BLOCK = Block(
    name="ioss",
    title="IOSS core: in-out slice skipping",
    rtl=("rtl/common/trainslice_pkg.sv", "rtl/ioss/ioss_pkg.sv", *RTL),
    tb_sources=(*TRANSACTORS, "tb/ioss/tb_ioss.sv"),
    include_dirs=(*INCLUDE_DIRS, "tb/ioss"),
    rtl_top="ioss_core",
    tb_top="tb_ioss",
    test_module="tb.ioss.tests",
    default_test="real_tensors",
    params=PARAMS,
    public_vlt="tb/ioss/tb_ioss.vlt",
    testplan="tb/ioss/testplan.hjson",
    faults_dir="tb/ioss/faults",
    functional_coverage=functional_coverage,
    options=(
        *OPERAND_OPTIONS,
        Option("OUT", "write the result (M x N, int64) to this .npy file", "out_file"),
    ),
    sim_options=sim_options,
    print_report=print_report,
    lint_params=({"ROWS": 4, "LANES": 8, "DEPTH": 32}, {"ROWS": 16, "LANES": 32, "DEPTH": 512}),
    tests=TESTS,
    coverage_runs=block_runs(TESTS, "verilator", default_params_only=True),
    coverage_goals=COVERAGE_GOALS,
    proofs=(
        Proof(
            "ioss_counters",
            "ioss_counters_proof",
            (
                "rtl/common/trainslice_pkg.sv",
                "rtl/ioss/ioss_pkg.sv",
                "rtl/ioss/ioss_skip_count.sv",
                "rtl/ioss/ioss_counters.sv",
                "tb/ioss/formal/ioss_counters_proof.sv",
            ),
            depth=7,
        ),
    ),
    bench="flow.bench.ioss",
    value_check=True,
    check=partial(plan_findings, HERE, TESTS),
)
