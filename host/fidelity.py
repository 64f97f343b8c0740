"""How near updates and weights of the OPTC are to the float64 optimiser that gets the same gradients.

Source: docs/optc/README.md, "Fidelity", which defines every figure. `P` parameters, `T` steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from host.optimiser import Host, Pass, Rule
from models.optc.config import Mode, OptcConfig
from models.optc.oracle import adam, momentum
from models.optc.value import Update, update

F64 = npt.NDArray[np.float64]
BARS = {"p50": 1e-4, "p99": 2e-3, "drift": 1e-2, "off_weights": 1e-2}
OFF = 1e-2  # of its own way: a weight farther from float64's is off
FEW_U = 1 / OFF  # units of u below which cutting an update to whole ones is an error above OFF
FEW_W = 0.5 / OFF  # units of w below which rounding an update to whole ones is
NAMED = 8  # weights that a reason names
U_UNIT = 2.0**-16  # of u in ADAM mode
NEAR_EPS = 100.0  # sqrt(v) and eps are near if they differ by less than this factor


@dataclass(frozen=True)
class Reference:
    """The float64 optimiser: weights after every step and its own updates, both (T, P); `root` (T, P) is ADAM's
    bias-corrected square root, zeros in momentum mode."""

    w: F64
    updates: F64
    root: F64


@dataclass(frozen=True)
class Fidelity:
    """Figures of one stream. `errors` are the relative errors of updates with a gradient, `curve` (T,) is the drift,
    `apart` (P,) how far every weight is from float64's at the end, in its own way; `causes` are the numbers of the
    weights that are off, by what makes them so (a weight can have several)."""

    compared: int
    p50: float
    p99: float
    all_compared: int
    all_p50: float
    all_p99: float
    below_u: float
    below_w: float
    near_eps: float
    drift: float
    off_weights: float
    errors: F64
    curve: F64
    apart: F64
    causes: dict[str, list[int]]

    def as_dict(self) -> dict[str, Any]:
        """The figures and causes alone, for JSON."""
        arrays = ("errors", "curve", "apart")
        return {name: value for name, value in asdict(self).items() if name not in arrays}

    def missed(self, names: tuple[str, ...] = tuple(BARS)) -> list[tuple[str, float, float]]:
        """(name, figure, bar) of every bar among `names` that is missed."""
        return [(name, getattr(self, name), BARS[name]) for name in names if not getattr(self, name) <= BARS[name]]

    def reasons(self) -> str:
        """Why figures may be far off, for a person; empty if nothing known applies."""
        parts = (
            (self.near_eps, "have sqrt(v) near EPS, where the core takes the larger and float64 the sum: lower EPS"),
            (self.below_u, "are below the 2^-16 of the step that u can hold"),
            (self.below_w, "are below half a unit of w: the weights are too large for LR"),
        )
        lines = [f"{share:.0%} of the updates {text}" for share, text in parts if share > 0.01]
        if self.off_weights > BARS["off_weights"]:
            lines += [f"{_numbered(each)} {text}" for text, each in self.causes.items() if each]
        return "; ".join(lines)


def _numbered(members: list[int]) -> str:
    """Which weights, for a person."""
    more = f" and {len(members) - NAMED} more" if len(members) > NAMED else ""
    return f"weights {', '.join(map(str, members[:NAMED]))}{more}"


def reference(rule: Rule, g: F64, w0: F64) -> Reference:
    """The float64 optimiser over gradients (T, P) from `w0` (P,)."""
    if rule.mode == Mode.MOMENTUM:
        return Reference(*momentum(g, w0, rule.lr, rule.beta1, rule.weight_decay), np.zeros_like(g))
    v, root = np.zeros_like(w0), np.zeros_like(g)
    for t, row in enumerate(g):
        v = rule.beta2 * v + (1 - rule.beta2) * row * row
        root[t] = np.sqrt(v / (1 - rule.beta2 ** (t + 1)))
    return Reference(*adam(g, w0, rule.lr, rule.beta1, rule.beta2, rule.eps, rule.weight_decay), root)


def _quantiles(errors: F64) -> tuple[float, float]:
    if not errors.size:
        return 0.0, 0.0
    p50, p99 = np.quantile(errors, (0.5, 0.99))
    return float(p50), float(p99)


def measure(rule: Rule, g: F64, w0: F64, updates: F64, w: F64, units_w: F64) -> Fidelity:
    """Figures of updates and weights (T, P) that a core gave for gradients `g` (T, P) from `w0`, the weights as the
    core held them at the start. `units_w` (T,) is one unit of w after each step."""
    ref = reference(rule, g, w0)
    moved = ref.updates != 0
    size = np.abs(ref.updates)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(updates - ref.updates) / size
    live = moved & (g != 0)
    p50, p99 = _quantiles(error[live])
    all_p50, all_p99 = _quantiles(error[moved])
    far = np.linalg.norm(w - ref.w, axis=1)
    way = np.maximum.accumulate(np.linalg.norm(ref.w - w0, axis=1))
    curve = np.where(far == 0, 0.0, far / np.where(way > 0, way, 1e-300))
    count = max(1, int(live.sum()))
    below_u = near_eps = 0.0
    if rule.mode == Mode.ADAM:
        t = np.arange(1, len(g) + 1)[:, None]
        step = rule.lr * np.sqrt(1 - rule.beta2**t) / (1 - rule.beta1**t)
        below_u = int((live & (size < U_UNIT * step)).sum()) / count
        near = (ref.root < NEAR_EPS * rule.eps) & (ref.root > rule.eps / NEAR_EPS)
        near_eps = int((live & near).sum()) / count
    below_w = int((live & (size < units_w[:, None] / 2)).sum()) / count
    own = np.abs(ref.w - w0).max(axis=0)
    last = np.abs(w[-1] - ref.w[-1])
    apart = np.where(last == 0, 0.0, last / np.where(own > 0, own, 1e-300))
    off = ~(apart <= OFF)  # what is not a number is off too
    few = {
        f"have updates below {FEW_W:.0f} units of w, whose grid the largest weight sets": size
        < FEW_W * units_w[:, None]
    }
    if rule.mode == Mode.ADAM:
        few[f"have updates below {FEW_U:.0f} units of u, 2^-16 of the step: gradients far below EPS"] = (
            size < FEW_U * U_UNIT * step
        )
        few[f"have sqrt(v) within {NEAR_EPS:.0f} times EPS"] = near
    # A cause is what holds for a quarter of a weight's updates or more.
    most = {text: off & (4 * (live & which).sum(axis=0) >= live.sum(axis=0)) for text, which in few.items()}
    causes = {text: np.flatnonzero(which).tolist() for text, which in most.items()}
    known = np.logical_or.reduce(list(most.values()))
    causes["are off for another reason"] = np.flatnonzero(off & ~known).tolist()
    return Fidelity(
        int(live.sum()), p50, p99, int(moved.sum()), all_p50, all_p99, below_u, below_w, near_eps, float(curve[-1]),
        float(off.mean()), error[live], curve, apart, causes,
    )  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A stream through the host and the model of the core."""

    host: Host
    passes: list[Pass]
    start: F64
    updates: F64
    w: F64
    units_w: F64

    def fidelity(self, g: F64) -> Fidelity:
        """Its figures."""
        return measure(self.host.rule, g, self.start, self.updates, self.w, self.units_w)


def play(host: Host, g: F64, change: Callable[[OptcConfig], OptcConfig] | None = None) -> Run:
    """Runs a stream (T, P) through the host and the value model; `change` makes a configuration worse, for a test.
    Raises `HostError`."""
    passes: list[Pass] = []
    updates, w, units = np.zeros_like(g), np.zeros_like(g), np.zeros(len(g))
    start = host.weights()

    def core(each: Pass) -> Update:
        each = replace(each, config=change(each.config)) if change else each
        passes.append(each)
        done = update(each.config, each.state, each.g)
        if each.steps:
            updates[each.step, each.members] = done.u * each.update_unit
        return done

    for t, row in enumerate(g):
        host.step(row, core)
        w[t], units[t] = host.weights(), 2.0**-host.fl_w
    return Run(host, passes, start, updates, w, units)
