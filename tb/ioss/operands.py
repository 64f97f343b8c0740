"""The make variables of a user's matrices, and their check: for every block that multiplies them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from host.captures import MAX_ISSUES
from host.net.quantise import quantise
from models.common.files import FileError, read_array, save_array
from models.common.tensors import TensorError, load_matrix
from models.ioss.config import LEGAL_REDUCE
from models.ioss.oracle import slices
from tb.lib.contract import Block, Option
from tb.lib.errors import UserError
from tb.lib.paths import BUILD

MOST_BYTES = 2 << 30  # of memory that a run's process takes
LANES, BYTES_AN_ISSUE = 16, 350  # of it that an issue takes with so many lanes: traces, model, comparison
BITS = (4, 8, 12, 16)
OPERAND_OPTIONS = (
    Option("X", "broadcast matrix (M x K), .npy of integers, or of floats", "in_file"),
    Option("W", "stationary matrix (K x N), .npy of integers, or of floats", "in_file"),
    Option("X_BITS", "precision of X", "int", 8, BITS),
    Option("W_BITS", "precision of W", "int", 8, BITS),
    Option("X_UNSIGNED", "X is unsigned", "flag", False),
    Option("W_UNSIGNED", "W is unsigned", "flag", False),
    Option("MIN_ORDER", "lowest order i + j that is issued", "int", 0, least=0, most=6),
    Option("COMPENSATE", "compensate what MIN_ORDER drops", "flag", False),
    Option("REDUCE_FACTOR", "rows that share a job's K", "int", 1, LEGAL_REDUCE),
)


def in_integers(options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The same options, with matrices of floats quantised by the rule of docs/net.md; a line for each.

    Their integers go to build/quantised/, by their content. Raises `UserError` for NaN and infinity, and for a sign
    that the options deny.
    """
    options, notes = dict(options), []
    for name in ("X", "W"):
        try:
            array = read_array(options[name])
        except FileError:
            continue  # the check of the operands says so, too
        if array.dtype.kind != "f" or not array.size:
            continue
        try:
            made = quantise(array, options[f"{name}_BITS"])
        except ValueError:
            raise UserError(f"{name} ({options[name]}) holds values that are NaN or infinite") from None
        if options[f"{name}_UNSIGNED"] and not made.unsigned:
            raise UserError(f"{name}_UNSIGNED=1, and {name} holds negative values: leave {name}_UNSIGNED out")
        digest = hashlib.sha256(repr(made.q.shape).encode() + made.q.tobytes()).hexdigest()[:16]
        path = BUILD / "quantised" / f"{name.lower()}-{digest}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_array(path, made.q)
        options |= {name: path, f"{name}_UNSIGNED": made.unsigned}
        kind = "unsigned" if made.unsigned else "signed"
        notes.append(f"{name}: floats as {made.bits} bits, {kind}; value = integer * {made.scale:.9g}")
    return options, notes


def own_tensors(block: Block, options: dict[str, Any]) -> bool:
    """Whether the user gives matrices of their own. Raises `UserError` for a call that is neither that nor a test, and
    for variables of `block` that only matrices have a use for."""
    test, given = options["TEST"], [options[name] is not None for name in ("X", "W")]
    if not any(given):
        beside = [each.name for each in block.options if options[each.name] != each.default]
        if beside:
            belongs = "belongs" if len(beside) == 1 else "belong"
            raise UserError(f"{', '.join(beside)} {belongs} to matrices of your own: give X and W, the .npy files")
        if test == "user_tensors" and not options.get("SEVERAL"):
            raise UserError("TEST=user_tensors needs X= and W=, the .npy files of the matrices")
        return False
    if test not in (None, "user_tensors"):
        raise UserError(f"TEST={test} does not take X and W: leave TEST out")
    if not all(given):
        raise UserError("X and W belong together: give both .npy files")
    return True


def operand_config(options: dict[str, Any]) -> dict[str, Any]:
    """The test's configuration that says what the matrices are."""
    names = ("X_BITS", "W_BITS", "X_UNSIGNED", "W_UNSIGNED", "MIN_ORDER", "COMPENSATE", "REDUCE_FACTOR")
    values = {name.lower(): options[name] for name in names}
    return {"x": str(options["X"]), "w": str(options["W"]), **values, "out": bool(options["OUT"])}


def load_operands(options: dict[str, Any]) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
    """X and W, loaded and checked with their options, of any size. Raises `UserError` for what the core cannot take."""
    params = options["PARAMS"]
    n_x, n_w, order, factor = (
        options["X_BITS"] // 4,
        options["W_BITS"] // 4,
        options["MIN_ORDER"],
        options["REDUCE_FACTOR"],
    )
    if not 0 <= order <= n_x + n_w - 2:
        raise UserError(f"MIN_ORDER={order} is not legal for these precisions: choose 0..{n_x + n_w - 2}")
    if factor > params["ROWS"]:
        raise UserError(f"REDUCE_FACTOR={factor} needs at least {factor} rows, ROWS is {params['ROWS']}")
    try:
        x = load_matrix(options["X"], options["X_BITS"], options["X_UNSIGNED"], "X")
        w = load_matrix(options["W"], options["W_BITS"], options["W_UNSIGNED"], "W")
    except TensorError as error:
        raise UserError(str(error)) from error
    if x.shape[1] != w.shape[0]:
        raise UserError(f"X {x.shape} and W {w.shape} cannot be multiplied: the columns of X must be the rows of W")
    return x, w


def check_operands(options: dict[str, Any]) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
    """The same, of a size that one run of the IOSS core's bench takes. Raises `UserError`."""
    x, w = load_operands(options)
    params, n_x, n_w = options["PARAMS"], options["X_BITS"] // 4, options["W_BITS"] // 4
    most = x.size * n_x * n_w * -(-w.shape[1] // params["LANES"])
    if most > MAX_ISSUES:
        raise UserError(
            f"X @ W could take {most:,} issues, more than the {MAX_ISSUES:,} that one run traces: split X by rows"
        )
    lanes = params["LANES"]
    issues = count_issues(x, w, n_x, n_w, lanes, options["MIN_ORDER"])
    if issues > (most := most_issues(lanes)):
        raise UserError(
            f"X @ W takes {issues:,} issues; beyond {most:,} a run's traces and checks need more than 2 GiB: split X "
            "by rows; BLOCK=gemm cuts products itself"
        )
    return x, w


def count_issues(
    x: npt.NDArray[np.integer], w: npt.NDArray[np.integer], n_x: int, n_w: int, lanes: int, min_order: int = 0
) -> int:
    """Issues of a whole product (M, K) x (K, N), with nothing masked."""
    on = [(each != 0).sum(axis=0, dtype=np.int64) for each in slices(x, n_x)]  # rows, by element of K
    edges = range(0, w.shape[1], lanes)
    live = [np.logical_or.reduceat(each != 0, edges, axis=1).sum(axis=1) for each in slices(w, n_w)]  # tiles, the same
    return sum(int(on[i] @ live[j]) for i in range(n_x) for j in range(n_w) if i + j >= min_order)


def most_issues(lanes: int, bytes_an_issue: int = BYTES_AN_ISSUE) -> int:
    """Issues with which a run takes `MOST_BYTES`, at `bytes_an_issue` with up to `LANES` lanes."""
    return MOST_BYTES * LANES // (bytes_an_issue * max(lanes, LANES))
