"""Products of a PyTorch training as captures: FP, BP and WG of chosen layers and steps (docs/guide/pytorch.md).

    with record(model, optimizer, "captures", layers="conv*", steps=[0, 100]):
        ...  # the training as it is

PyTorch is optional: only `record` imports it. Operands are taken where autograd has them: input and weights when the
layer runs (a forward hook), errors by a hook on the tensor that it returned. Module backward hooks are not used: they
see what is left after an operation in place, and the older kind sees the last operation of a layer alone.

Errors: `RecordError`, one line.
"""

from __future__ import annotations

import fnmatch
import urllib.parse
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from host.captures import MAX_ISSUES, MOST_JOBS_OF_A_STAGE, save_capture
from host.net.backward import conv_passes, dense_passes
from host.net.lower import Lowered, LowerError, Window, lower_conv, lower_gemm, spread_rows
from host.net.quantise import Quantised, quantise
from models.common.files import FileError, check_folder
from models.common.formats import YBits
from models.common.rounding import Round
from models.common.tensors import LEGAL_BITS
from models.ioss.config import LEGAL_REDUCE, CoreParams
from models.ran.config import MAX_JOBS, RanParams, sum_bound

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]
PASSES = ("fp", "bp", "wg")
CORE, RAN = CoreParams(), RanParams()  # those of a `make sim` without parameters
ROWS, LIGHT = 64, 1_000_000  # rows of a product without `rows`, if it has at most so many slice pairs a lane
# Modules that hold products too, and are not recorded.
OTHERS = ("Conv1d", "Conv3d", "ConvTranspose", "Bilinear", "RNN", "LSTM", "GRU", "MultiheadAttention")


class RecordError(ValueError):
    """What cannot be recorded; the message is one line."""


@dataclass
class Call:
    """A call of a layer in a step: operands, each a copy; `errors` of every backward pass through it."""

    x: torch.Tensor
    w: torch.Tensor
    wants: tuple[bool, bool]  # whether autograd computes BP, WG
    errors: list[torch.Tensor] = field(default_factory=list)


@dataclass
class Recording:
    """What `record` gives. `paths`: the files so far; `skipped`: what was not recorded, and why."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    folder: Path
    layers: dict[str, torch.nn.Module]
    steps: frozenset[int]
    bits: dict[str, int]  # of x, w, dy
    rows: int | None
    skipped: list[str]
    named: bool  # whether somebody asked for these layers
    paths: list[Path] = field(default_factory=list)
    step: int = 0

    def __post_init__(self) -> None:
        self._calls: dict[str, list[Call]] = {}
        self._hooks: list[Any] = []

    # ---- hooks -------------------------------------------------------------------------------------------------------
    def __enter__(self) -> Recording:
        for name, layer in self.layers.items():
            self._hooks.append(layer.register_forward_hook(self._forward(name)))
        self._hooks.append(self.optimizer.register_step_post_hook(lambda *_: self._stepped()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for hook in self._hooks:
            hook.remove()
        self._calls.clear()
        for line in self.skipped if kind is None else []:
            warnings.warn(f"not recorded: {line}", stacklevel=2)
        missing = sorted(step for step in self.steps if step >= self.step)
        if kind is None and missing:
            raise RecordError(f"step {missing[0]} was not recorded: the optimizer made {self.step} steps")

    def _forward(self, name: str) -> Any:
        def hook(layer: torch.nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
            if self.step not in self.steps or not output.requires_grad:
                return  # the latter: an evaluation
            x, w = inputs[0], layer.weight
            wants = bool(x.requires_grad), bool(w.requires_grad)
            call = Call(x.detach().clone(), w.detach().clone(), wants)
            self._calls.setdefault(name, []).append(call)
            output.register_hook(lambda dy: call.errors.append(dy.detach().clone()))

        return hook

    def _stepped(self) -> None:
        step, calls = self.step, self._calls
        self.step, self._calls = step + 1, {}
        if step not in self.steps:
            return
        for name, layer in self.layers.items():
            if name not in calls:
                if self.named or not calls:
                    raise RecordError(f"step {step}: layer {name} did not run with gradients")
                self.skipped.append(f"step {step}, layer {name}: it did not run with gradients")
            for at, call in enumerate(calls.get(name, ())):
                self._save(step, name, layer, at, call)

    # ---- products ----------------------------------------------------------------------------------------------------
    def _save(self, step: int, name: str, layer: torch.nn.Module, at: int, call: Call) -> None:
        where = f"step {step}, layer {name}"
        x, w = self._operand(where, "x", "input", call.x), self._operand(where, "w", "weights", call.w)
        if not call.errors:
            self.skipped.append(f"{where}: BP and WG, for no gradient came to its output")
        errors = [self._operand(where, "dy", "errors", each) for each in call.errors]
        several = "" if at == 0 else f"-{at + 1}"
        for number, dy in enumerate(errors or [None]):
            again = several if number == 0 else f"{several or '-1'}.{number + 1}"
            try:
                passes = _passes(layer, x.q, w.q, None if dy is None else dy.q)
            except LowerError as error:
                raise RecordError(f"{where}: {error}") from None
            if number == 0:
                self._write(where, step, name, "fp", again, passes[0], x, w)
            if dy is not None and call.wants[0]:
                self._write(where, step, name, "bp", again, passes[1], dy, w)
            if dy is not None and call.wants[1]:
                self._write(where, step, name, "wg", again, passes[2], dy, x)

    def _operand(self, where: str, which: str, what: str, tensor: torch.Tensor) -> Quantised:
        if not tensor.is_floating_point():
            raise RecordError(f"{where}: its {what} are {tensor.dtype}; floats are recorded")
        if tensor.element_size() < 4:
            tensor = tensor.float()
        array = tensor.cpu().numpy()
        if array.size == 0:
            raise RecordError(f"{where}: its {what} are empty (shape {array.shape})")
        try:
            return quantise(array, self.bits[which])
        except ValueError:
            bad = int((~np.isfinite(array)).sum())
            raise RecordError(f"{where}: {bad} of {array.size} values of its {what} are not finite") from None

    def _write(
        self, where: str, step: int, name: str, kind: str, again: str, lowered: Lowered, x: Quantised, w: Quantised
    ) -> None:
        m, k, n = lowered.shape
        cost = k * (x.bits // 4) * (w.bits // 4) * -(-n // CORE.lanes)  # of a row, in issues
        most = most_rows(k, n, cost)
        wanted = min(m, max(1, min(ROWS, LIGHT // cost)) if self.rows is None else self.rows)
        if wanted > most:
            what = f"rows={most}" if most else "a smaller batch, or fewer bits"
            raise RecordError(
                f"{where}: {wanted} rows of its {kind.upper()} (K {k}, N {n}) are more than a run takes: record {what}"
            )
        rows = spread_rows(m, wanted)
        fields = {
            "n_x": x.bits // 4, "n_w": w.bits // 4, "x_unsigned": x.unsigned, "w_unsigned": w.unsigned,
            "min_order": 0, "compensate": False, "reduce_factor": reduce_factor(len(rows), k, x, w),
            "y_bits": YBits.RAW64, "y_unsigned": False, "relu": False, "round": Round.NEAREST, "rand_bits": 0,
            "shift": 0,
        }  # fmt: skip
        folder = self.folder / f"step{step}"
        for part in range(lowered.parts):
            group = f"-g{part}" if lowered.parts > 1 else ""
            file = folder / f"{urllib.parse.quote(name, safe='')}-{kind}{again}{group}.npz"
            origin = {
                "layer": name, "pass": kind, "step": step, "group": part, "shape": f"{m}x{k}x{n}", "rows": len(rows),
                "x_scale": x.scale, "w_scale": w.scale,
            }  # fmt: skip
            try:
                folder.mkdir(parents=True, exist_ok=True)
                save_capture(file, lowered.x(part, rows), lowered.w(part), fields, file.stem, 1, origin)
            except (OSError, FileError) as error:
                raise RecordError(f"{where}: {error}") from None
            self.paths.append(file)


def _passes(layer: torch.nn.Module, x: Array, w: Array, dy: Array | None) -> Sequence[Lowered]:
    """FP, BP and WG of a call; FP alone without errors."""
    if w.ndim == 2:
        x = x.reshape(-1, x.shape[-1])
        return [lower_gemm(x, w, trans_b=True)] if dy is None else dense_passes(x, w, dy.reshape(-1, dy.shape[-1]))
    window = window_of(layer)
    x = x.reshape(-1, *x.shape[-3:])  # a single image has no dimension of its own
    if dy is None:
        return [lower_conv(x, w, window.attributes)]
    return conv_passes(x, w, dy.reshape(-1, *dy.shape[-3:]), window)


def window_of(layer: Any) -> Window:
    """Stride, padding, dilation and groups of a Conv2d."""
    if layer.padding == "same":
        whole = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        pads = (*(each // 2 for each in whole), *(each - each // 2 for each in whole))
    else:
        pads = (0, 0, 0, 0) if layer.padding == "valid" else tuple(layer.padding) * 2
    return Window(tuple(layer.stride), pads, tuple(layer.dilation), layer.groups)


def most_rows(k: int, n: int, cost: int) -> int:
    """Rows of `cost` issues that one run of the pair takes, with its default parameters; 0: not even one."""
    most = min(MAX_JOBS, MAX_ISSUES // cost)
    return min(most, MOST_JOBS_OF_A_STAGE // -(-n // CORE.lanes)) if k > LEGAL_REDUCE[-1] * CORE.depth else most


def reduce_factor(rows: int, k: int, x: Quantised, w: Quantised) -> int:
    """The smallest with a job for every row of the array and K in one chunk, of those that no sum overflows."""
    top = (1 << RAN.acc_w - 1) - 1

    def fits(factor: int) -> bool:
        length = min(k, factor * CORE.depth)
        return sum_bound(length, x.bits // 4, w.bits // 4, x.unsigned, w.unsigned, False) <= top

    legal = [each for each in LEGAL_REDUCE if each <= CORE.rows and fits(each)] or [1]
    return next((each for each in legal if rows * each >= CORE.rows and k <= each * CORE.depth), legal[-1])


# ---- what is asked for -----------------------------------------------------------------------------------------------
def record(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    folder: str | Path,
    layers: str | Sequence[str] | None = None,
    steps: int | Iterable[int] = 0,
    x_bits: int = 8,
    w_bits: int = 8,
    dy_bits: int = 8,
    rows: int | None = None,
) -> Recording:
    """A context manager around a training: writes <folder>/step<n>/<layer>-<fp|bp|wg>.npz for each product of `layers`
    (names or patterns; every Linear and Conv2d without it) in the iterations `steps`, counted from 0 by the steps of
    `optimizer` within the context. `rows`: at most so many of each product, spread evenly; without it 64, or fewer
    where they would take more than a million slice pairs in each lane.

    Raises `RecordError`, here for what it is given, from `optimizer.step()` for what the training does, and at the end
    if a step never came.
    """
    try:
        import torch  # noqa: PLC0415, RUF100  optional
    except ImportError:
        raise RecordError("PyTorch is not installed: pip install torch") from None
    if not hasattr(torch.optim.Optimizer, "register_step_post_hook"):
        raise RecordError(f"PyTorch {torch.__version__} is too old: version 2.0 or newer is needed")
    if not isinstance(model, torch.nn.Module):
        raise RecordError(f"model is a torch.nn.Module, not {type(model).__name__}")
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise RecordError(f"optimizer is a torch.optim.Optimizer, not {type(optimizer).__name__}")
    bits = {"x": x_bits, "w": w_bits, "dy": dy_bits}
    for name, each in bits.items():
        if each not in LEGAL_BITS:
            raise RecordError(f"{name}_bits are 4, 8, 12 or 16, not {each!r}")
    if rows is not None and (type(rows) is not int or rows < 1):
        raise RecordError(f"rows is a number from 1 on, not {rows!r}")
    wanted = [steps] if isinstance(steps, int) else list(steps)
    if not wanted or not all(type(each) is int and each >= 0 for each in wanted):
        raise RecordError(f"steps are numbers from 0 on, not {steps!r}")
    try:
        check_folder(Path(folder))
    except FileError as error:
        raise RecordError(str(error)) from None
    chosen, skipped = _choose(model, layers)
    return Recording(model, optimizer, Path(folder), chosen, frozenset(wanted), bits, rows, skipped, layers is not None)


def _choose(model: torch.nn.Module, layers: str | Sequence[str] | None) -> tuple[dict[str, torch.nn.Module], list[str]]:
    """Layers by name, and lines for those that hold products and are not recorded."""
    able: dict[str, torch.nn.Module] = {}
    why: dict[str, str] = {}
    inside: dict[str, str] = {}  # parts of one of `why`
    modules = {name or type(model).__name__: module for name, module in model.named_modules()}
    for name, module in modules.items():
        reason = _unable(module)
        if owner := next((each for each in why if name.startswith(each + ".")), None):
            inside[name] = f"is a part of {owner}: {why[owner]}"
        elif reason:
            why[name] = reason
        elif reason is None:
            able[name] = module
    if layers is None:
        if not able:
            raise RecordError("the model has no Linear and no Conv2d" + "".join(f"; {n}: {r}" for n, r in why.items()))
        return able, [f"layer {name}: {reason}" for name, reason in why.items()]
    patterns = [each.strip() for each in layers.split(",")] if isinstance(layers, str) else list(layers)
    chosen, skipped = set(), []
    for pattern in patterns:
        found = {name for name in able if fnmatch.fnmatchcase(name, pattern)}
        bad = [name for name in why if fnmatch.fnmatchcase(name, pattern)]
        if not found and bad:
            raise RecordError(f"layer {bad[0]}: {why[bad[0]]}")
        if not found and pattern in inside:
            raise RecordError(f"layer {pattern} {inside[pattern]}")
        if not found and pattern in modules:
            kind = type(modules[pattern]).__name__
            raise RecordError(f"layer {pattern} ({kind}) holds no product that is recorded: only Linear and Conv2d do")
        if not found:
            raise RecordError(f"no layer is called {pattern}; those that can be recorded: {', '.join(able) or 'none'}")
        chosen |= found
        skipped += [f"layer {name}: {why[name]}" for name in bad]
    return {name: module for name, module in able.items() if name in chosen}, skipped


def _unable(module: torch.nn.Module) -> str | None:
    """Why a module is not recorded; None if it is, "" if it holds no product of its own."""
    import torch  # noqa: PLC0415, RUF100  optional

    for known in (torch.nn.Linear, torch.nn.Conv2d):
        if not isinstance(module, known):
            continue
        if type(module).forward is not known.forward:
            return f"{type(module).__name__} computes in a way of its own, only {known.__name__} itself is recorded"
        if known is torch.nn.Conv2d and module.padding_mode != "zeros":
            return f"padding_mode {module.padding_mode} is not recorded, only zeros"
        return None
    kind = type(module).__name__
    if any(kind.startswith(each) for each in OTHERS):
        return f"{kind} is not recorded, only Linear and Conv2d are"
    return ""
