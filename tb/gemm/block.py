"""The IOSS core and the RAN, joined, as a block of the flow."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.common.files import FileError, read_array
from models.common.formats import YBits
from models.common.rounding import RAND_BITS, Round
from models.common.tensors import TensorError, exact_matmul
from models.ran.config import MAX_JOBS, RanDescriptor, sum_bound
from tb.gemm.capture import MAX_BIAS, Capture
from tb.gemm.coverage import functional_coverage
from tb.gemm.pieces import MOST_ISSUES, Piece, as_config, part_of, parts
from tb.gemm.program import MOST_JOBS_OF_A_STAGE, GemmParams, Product, gemm_params
from tb.gemm.report import add_up, print_report
from tb.gemm.tensors import least_shift
from tb.gemm.testlist import TESTS
from tb.ioss.block import PARAMS as CORE_PARAMS
from tb.ioss.block import RTL as CORE_RTL
from tb.ioss.operands import (
    OPERAND_OPTIONS,
    count_issues,
    in_integers,
    load_operands,
    most_issues,
    operand_config,
    own_tensors,
)
from tb.lib.blockdef import COVERAGE_GOALS, INCLUDE_DIRS, TRANSACTORS, listed_test, plan_findings
from tb.lib.contract import Block, Option
from tb.lib.errors import UserError
from tb.lib.testlist import block_runs
from tb.ran.block import PARAMS as RAN_PARAMS
from tb.ran.block import RTL as RAN_RTL

HERE = Path(__file__).parent
RTL = ("rtl/gemm/gemm_desc.sv", "rtl/gemm/gemm_core.sv")  # beside that of the parts
BYTES_AN_ISSUE = 1450  # of memory that a run takes for an issue with 16 lanes
FORMATS = {4: YBits.B4, 8: YBits.B8, 12: YBits.B12, 16: YBits.B16, 32: YBits.RAW32, 64: YBits.RAW64}
ROUNDS = {"nearest": Round.NEAREST, "truncate": Round.TRUNCATE, "stochastic": Round.STOCHASTIC}


def _final(options: dict[str, Any]) -> dict[str, Any]:
    """Fields of the RAN's descriptor. Raises `UserError` for what a raw format cannot do."""
    y_bits = FORMATS[options["Y_BITS"]]
    if y_bits >= YBits.RAW32:
        for name in ("SHIFT", "RELU", "Y_UNSIGNED"):
            if options[name]:
                raise UserError(f"Y_BITS={options['Y_BITS']} gives raw sums: leave {name} out, or take Y_BITS=4..16")
    most = options["PARAMS"]["ACC_W"] - 1
    if not 0 <= options["SHIFT"] <= most:
        raise UserError(f"SHIFT={options['SHIFT']} is not legal: choose 0..{most}")
    return {
        "y_bits": int(y_bits),
        "y_unsigned": options["Y_UNSIGNED"],
        "relu": options["RELU"],
        "round": int(ROUNDS[options["ROUND"]]),
        "rand_bits": RAND_BITS.index(options["RAND_BITS"]),
        "shift": options["SHIFT"],
    }


def _shift(options: dict[str, Any]) -> int:
    """What SHIFT=auto stands for."""
    x, w = load_operands(options)
    sums = exact_matmul(x, w)
    if options["BIAS"]:
        _check_bias(options["BIAS"], w.shape[1])
        sums += read_array(options["BIAS"]).astype(np.int64)
    return least_shift(sums, options["Y_BITS"], options["Y_UNSIGNED"], options["RELU"])


def _check_bias(path: Path, columns: int) -> int:
    """Loads a bias and gives its largest magnitude. Raises `UserError` for a file that is none."""
    try:
        bias = read_array(path)
    except FileError as error:
        raise UserError(f"BIAS={error}") from error
    if bias.dtype.kind not in "iu" or bias.shape != (columns,):
        raise UserError(f"BIAS must be a vector of {columns} integers, one a column of W; {path.name} is not")
    if bias.size and not -MAX_BIAS <= int(bias.min()) <= int(bias.max()) < MAX_BIAS:
        raise UserError("BIAS does not fit 32 signed bits")
    return int(np.abs(bias.astype(np.int64)).max(initial=0))


def _pieces(product: Product, params: GemmParams) -> list[Piece]:
    """Nothing if one run takes the product, or its pieces. Raises `UserError` for one with a job that is too long."""
    (m, k, n), lanes = product.shape, params.core.lanes
    longest = most_issues(lanes, BYTES_AN_ISSUE)  # of a run
    if product.mask is None:
        issues = count_issues(product.x, product.w, product.n_x, product.n_w, lanes, product.min_order)
    else:
        issues = product.pairs(lanes).issues
    jobs, one_chunk = m * -(-n // lanes), k <= product.reduce_factor * params.core.depth
    if issues <= longest and m <= MAX_JOBS and (one_chunk or jobs <= MOST_JOBS_OF_A_STAGE):
        return []
    pieces = parts(product, params, min(MOST_ISSUES, longest))
    if (worst := max(piece.issues for piece in pieces)) > longest:
        raise UserError(f"a row of X with {lanes} columns of W takes {worst:,} issues, more than a run: split K")
    return pieces if len(pieces) > 1 else []


def _in_pieces(what: str, pieces: list[Piece]) -> dict[str, Any]:
    """What the flow wants to know of a product that takes several runs; says so."""
    if not pieces:
        return {}
    issues = sum(piece.issues for piece in pieces)
    print(f"{what} takes {issues:,} issues: {len(pieces)} pieces, a run each; the same command resumes", flush=True)
    return {"pieces": [as_config(piece) for piece in pieces]}


def _captured(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) that replays a capture. Raises `UserError` for a bad file, or options beside it."""
    others = [each.name for each in BLOCK.options if each.name not in ("CAPTURE", "OUT")]
    defaults = {each.name: each.default for each in BLOCK.options}
    beside = [name for name in others if options[name] != defaults[name]]
    if beside:
        raise UserError(f"CAPTURE already says what {', '.join(beside)} would: leave that out")
    if options["TEST"] not in (None, "captured"):
        raise UserError(f"TEST={options['TEST']} does not take CAPTURE: leave TEST out")
    lanes = options["PARAMS"]["LANES"]
    try:
        capture, params = Capture.load(options["CAPTURE"]), gemm_params(options["PARAMS"])
        pieces = _pieces(capture.product, params)
        for piece in pieces or [None]:
            part = as_config(piece) if piece else None
            replace(capture, product=part_of(capture.product, 0, part, lanes)[0]).check(params)
    except TensorError as error:
        text = str(error).removeprefix(f"{options['CAPTURE']}: ")
        raise UserError(f"CAPTURE={options['CAPTURE']}: {text}") from error
    # One product alone may leave fewer lanes to compare than the run of the test list must.
    config = {"capture": str(options["CAPTURE"]), "out": bool(options["OUT"]), "reduced": True}
    return "captured", config | _in_pieces(f"CAPTURE={options['CAPTURE']}", pieces)


def sim_options(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(test, configuration) of `make sim`: a capture, a user's tensors if X or W is given, a listed test otherwise.

    Raises `UserError` for captures, matrices or options that the pair cannot take.
    """
    if options["CAPTURE"] is not None:
        return _captured(options)
    if not own_tensors(BLOCK, options):
        return listed_test(BLOCK, HERE, options)
    options, notes = in_integers(options)
    params = options["PARAMS"]
    x, w = load_operands(options)
    if options["SHIFT"] == "auto" and FORMATS[options["Y_BITS"]] < YBits.RAW32:
        options["SHIFT"] = _shift(options)
        notes.append(f"SHIFT={options['SHIFT']}: the smallest with which no sum saturates")
    final = _final(options)
    bias = _check_bias(options["BIAS"], w.shape[1]) if options["BIAS"] else 0
    k, n_x, n_w = x.shape[1], options["X_BITS"] // 4, options["W_BITS"] // 4
    bound = sum_bound(k, n_x, n_w, options["X_UNSIGNED"], options["W_UNSIGNED"], options["COMPENSATE"]) + bias
    if bound > (1 << params["ACC_W"] - 1) - 1:
        raise UserError(
            f"sums of {k} products of {options['X_BITS']} x {options['W_BITS']} bits could overflow accumulators of "
            f"{params['ACC_W']} bits: take ACC_W=48, fewer bits, or fewer elements"
        )
    product = Product(
        x, w, n_x, n_w, RanDescriptor(**final), "x @ w", options["X_UNSIGNED"], options["W_UNSIGNED"],
        options["MIN_ORDER"], options["COMPENSATE"], options["REDUCE_FACTOR"],
    )  # fmt: skip
    bias_file = str(options["BIAS"]) if options["BIAS"] else None
    print(*notes, sep="\n", end="\n" * bool(notes))
    own = {"bias": bias_file, "final": final, "seed": options["STOCHASTIC_SEED"]}
    pieces = _in_pieces("X @ W", _pieces(product, gemm_params(params)))
    return "user_tensors", {**operand_config(options), **own, **pieces}


BLOCK = Block(
    name="gemm",
    title="IOSS core and RAN, joined",
    rtl=(
        "rtl/common/trainslice_pkg.sv",
        "rtl/ioss/ioss_pkg.sv",
        "rtl/ran/ran_pkg.sv",
        *CORE_RTL,
        *RAN_RTL,
        *RTL,
    ),
    tb_sources=(
        *TRANSACTORS,
        "tb/ran/ran_psum_memory.sv",
        "tb/gemm/tb_gemm.sv",
    ),
    include_dirs=(*INCLUDE_DIRS, "tb/ioss", "tb/ran", "tb/gemm"),
    rtl_top="gemm_core",
    tb_top="tb_gemm",
    test_module="tb.gemm.tests",
    default_test="real_tensors",
    params={**CORE_PARAMS, **{name: RAN_PARAMS[name] for name in ("ACC_W", "BANKS")}},
    public_vlt="tb/gemm/tb_gemm.vlt",
    testplan="tb/gemm/testplan.hjson",
    faults_dir="tb/gemm/faults",
    options=(
        *OPERAND_OPTIONS,
        Option("Y_BITS", "precision of the results; 32: sums, saturated, 64: exact sums", "int", 64, tuple(FORMATS)),
        Option("Y_UNSIGNED", "results are unsigned", "flag", False),
        Option(
            "SHIFT",
            "results are sums / 2^SHIFT, rounded; auto: none saturates",
            "int",
            0,
            least=0,
            most=63,
            words=("auto",),
        ),
        Option("ROUND", "rounding", "str", "nearest", tuple(ROUNDS)),
        Option("RAND_BITS", "random bits of stochastic rounding", "int", 16, RAND_BITS),
        Option("STOCHASTIC_SEED", "where the numbers of draws begin", "int", 1, least=0, most=(1 << 32) - 1),
        Option("RELU", "ReLU", "flag", False),
        Option("BIAS", "vector (N), .npy of integers that fit 32 bits, added to every row of the sums", "in_file"),
        Option("CAPTURE", "product of a training, .npz as `make train CAPTURE=` saves it, replayed alone", "in_file"),
        Option("OUT", "write the result (M x N, int64) to this .npy file", "out_file"),
    ),
    functional_coverage=functional_coverage,
    sim_options=sim_options,
    print_report=print_report,
    add_up=add_up,
    lint_params=({"ROWS": 4, "LANES": 8, "DEPTH": 32},),
    tests=TESTS,
    coverage_runs=block_runs(TESTS, "verilator", default_params_only=True),
    coverage_files=RTL,
    coverage_goals=COVERAGE_GOALS,
    bench="flow.bench.gemm",
    value_check=True,
    check=partial(plan_findings, HERE, TESTS),
)
