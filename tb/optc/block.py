"""The OPTC as a block of the flow."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from models.optc.config import BOTH_MODES, LEGAL_LANES, LEGAL_MODES
from tb.lib.blockdef import COVERAGE_GOALS, INCLUDE_DIRS, TRANSACTORS, listed_test, plan_findings
from tb.lib.contract import Block, Param, Proof
from tb.lib.errors import UserError
from tb.lib.report import print_figures
from tb.lib.testlist import block_runs
from tb.optc.coverage import functional_coverage
from tb.optc.fidelity import print_streams
from tb.optc.options import OPTIONS, stream_options
from tb.optc.testlist import TESTS

HERE = Path(__file__).parent
# Tests that keep to the rules which the core has.
ANY_MODES = ("smoke", "constrained_random", "stopped_consumer", "reset_in_the_middle", "single_mode")
PACKAGES = ("rtl/common/trainslice_pkg.sv", "rtl/ran/ran_pkg.sv", "rtl/optc/optc_pkg.sv")
RTL = (
    "rtl/common/draw_mix.sv",
    "rtl/common/draw_lanes.sv",
    "rtl/ran/ran_round.sv",
    "rtl/optc/optc_cfg_check.sv",
    "rtl/optc/optc_root.sv",
    "rtl/optc/optc_div.sv",
    "rtl/optc/optc_lane.sv",
    "rtl/optc/optc_left.sv",
    "rtl/optc/optc_counts.sv",
    "rtl/optc/optc_core.sv",
)


def sim_options(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) of `make sim`: gradients if MODE or G is given, a listed test otherwise.

    Raises `UserError` for an unknown test, one that needs both rules, and for gradients or hyperparameters that the
    core cannot take.
    """
    test, config = stream_options(options) or listed_test(BLOCK, HERE, options)
    if options["PARAMS"]["MODES"] != BOTH_MODES and test not in ANY_MODES:
        raise UserError(f"TEST={test} needs both rules: take MODES=3, or TEST={', '.join(ANY_MODES)}")
    return test, config


def print_run(result: dict[str, Any]) -> None:
    """The figures of a run, and of the gradients that it played."""
    print_streams(result)
    print_figures(result)


BLOCK = Block(
    name="optc",
    title="OPTC: momentum-ADAM unified optimizer core",
    rtl=(*PACKAGES, *RTL),
    tb_sources=(*TRANSACTORS, "tb/optc/tb_optc.sv"),
    include_dirs=(*INCLUDE_DIRS, "tb/optc"),
    rtl_top="optc_core",
    tb_top="tb_optc",
    test_module="tb.optc.tests",
    default_test="constrained_random",
    params={
        "LANES": Param(4, LEGAL_LANES, "Lanes", "parameters a cycle"),
        "MODES": Param(BOTH_MODES, LEGAL_MODES, "Modes", "rules: 1 momentum, 2 ADAM, 3 both"),
    },
    public_vlt="tb/optc/tb_optc.vlt",
    testplan="tb/optc/testplan.hjson",
    faults_dir="tb/optc/faults",
    options=OPTIONS,
    proofs=(
        *(
            Proof(
                name,
                f"{name}_proof",
                ("rtl/optc/optc_pkg.sv", f"rtl/optc/{name}.sv", f"tb/optc/formal/{name}_proof.sv"),
            )
            for name in ("optc_left", "optc_counts")
        ),
    ),
    sim_options=sim_options,
    print_report=print_run,
    lint_params=({"LANES": 1}, {"LANES": 8}, {"MODES": 1}, {"MODES": 2}),
    synth_variants={"momentum only": {"MODES": 1}, "ADAM only": {"MODES": 2}},
    tests=TESTS,
    coverage_runs=block_runs(TESTS, "verilator", default_params_only=True),
    functional_coverage=functional_coverage,
    coverage_goals=COVERAGE_GOALS,
    no_value_check="which configurations it refuses and which random numbers a value gets depends on cycles",
    check=partial(plan_findings, HERE, TESTS),
)
