"""Gradient streams on make's command line: the variables, and their check."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from host.optimiser import LARGEST_GRADIENT, LARGEST_WEIGHT, HostError, Rule
from models.common.files import FileError, read_array
from models.optc.config import Mode
from tb.lib.contract import Option
from tb.lib.errors import UserError

F64 = npt.NDArray[np.float64]
# What a run's traces and tables fit into on a small machine (about 300 bytes a value; a pass is 70 cycles at least).
MAX_VALUES, MAX_STEPS = 2_000_000, 20_000
MODES = {"adam": Mode.ADAM, "momentum": Mode.MOMENTUM, "sgd": Mode.MOMENTUM}
HYPERPARAMETERS = ("LR", "BETA1", "BETA2", "EPS", "WEIGHT_DECAY")
OPTIONS = (
    Option("MODE", "rule of the update; alone it plays the recorded gradients", "str", None, tuple(MODES)),
    Option("G", "gradients (T x P), .npy of floats", "in_file"),
    Option("W0", "first weights (P), .npy of floats (default: zeros)", "in_file"),
    Option("LR", "learning rate of G", "float"),
    Option("BETA1", "decay of the first moment, or of momentum (default: 0.9)", "float"),
    Option("BETA2", "ADAM: decay of the second moment (default: 0.999)", "float"),
    Option("EPS", "ADAM: least denominator (default: 1e-8)", "float"),
    Option("WEIGHT_DECAY", "decoupled weight decay (default: 0)", "float"),
    Option("OUT", "write the weights after every step (T x P, float64) to this .npy file", "out_file"),
)


def _load(path: Path, name: str, dims: int, largest: float) -> F64:
    """A float array. Raises `UserError` for a file that is none, or with values that are not finite or too large."""
    try:
        array = read_array(path)
    except FileError as error:
        raise UserError(f"{name}={error}") from error
    shape = "a matrix (steps x parameters)" if dims == 2 else "a vector, one value a parameter"
    if array.dtype.kind not in "fiu" or array.ndim != dims:
        raise UserError(f"{name} must be {shape} of floats; {path.name} holds {array.ndim} dimensions of {array.dtype}")
    if 0 in array.shape:
        raise UserError(f"{name} is empty: {path.name} has the shape {' x '.join(map(str, array.shape))}")
    if dims == 2 and (array.size > MAX_VALUES or len(array) > MAX_STEPS):
        raise UserError(
            f"{name} has {len(array):,} steps of {array.shape[1]:,} parameters; one run takes at most {MAX_STEPS:,} "
            f"steps and {MAX_VALUES:,} values: split it by parameters"
        )
    values = np.array(array, np.float64)
    if not (np.abs(values) <= largest).all():
        raise UserError(f"{name} holds values that are not finite, or larger than {largest:g}")
    return values


def load_stream(g: Path, w0: Path | None) -> tuple[F64, F64]:
    """Gradients (T, P) and first weights (P,) of a user. Raises `UserError`."""
    gradients = _load(g, "G", 2, LARGEST_GRADIENT)
    if w0 is None:
        return gradients, np.zeros(gradients.shape[1])
    weights = _load(w0, "W0", 1, LARGEST_WEIGHT)
    if weights.shape[0] != gradients.shape[1]:
        raise UserError(f"W0 has {len(weights)} values, G has {gradients.shape[1]} parameters a step")
    return gradients, weights


def _rule(options: dict[str, Any]) -> Rule:
    """The rule that a user asks for. Raises `UserError`."""
    mode = options["MODE"]
    foreign = {"adam": (), "momentum": ("BETA2", "EPS"), "sgd": ("BETA1", "BETA2", "EPS")}[mode]
    for name in foreign:
        if options[name] is not None:
            raise UserError(f"{name} is nothing that MODE={mode} has: leave it out")
    if options["LR"] is None:
        raise UserError("G needs LR, the learning rate")
    given = {name.lower(): options[name] for name in HYPERPARAMETERS if options[name] is not None}
    if mode == "sgd":
        given["beta1"] = 0.0
    rule = Rule(MODES[mode], **given)
    try:
        rule.check()
    except HostError as error:
        raise UserError(str(error)) from error
    return rule


def stream_options(options: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """(test, configuration) of a call that plays gradients; None if it is none. Raises `UserError`."""
    test, mode = options["TEST"], options["MODE"]
    out = bool(options["OUT"])
    if options["G"] is None:
        for name in ("W0", *HYPERPARAMETERS):
            if options[name] is not None:
                raise UserError(f"{name} belongs to gradients of your own: give G, the .npy file of them")
        if mode is None:
            if out or test == "user_gradients":
                raise UserError(f"{'OUT' if out else 'TEST=user_gradients'} needs MODE and G, the gradients to play")
            return None
        if test not in (None, "recorded_stream"):
            raise UserError(f"TEST={test} does not take MODE: leave one of them out")
        # One rule alone compares less than the full run must.
        return "recorded_stream", {"modes": [mode], "out": out, "picture": True, "reduced": True}
    if test not in (None, "user_gradients"):
        raise UserError(f"TEST={test} does not take G: leave TEST out")
    if mode is None:
        raise UserError(f"G needs MODE, one of {', '.join(MODES)}")
    rule = _rule(options)
    load_stream(options["G"], options["W0"])
    files = {name.lower(): str(options[name]) if options[name] else None for name in ("G", "W0")}
    rule_config = {name: value for name, value in asdict(rule).items() if name != "mode"}
    return "user_gradients", {**files, "mode": mode, "rule": rule_config, "out": out, "picture": True}
