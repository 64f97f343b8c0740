"""The host's side of the OPTC: float gradients into integer passes, fraction lengths that follow the state.

Source: docs/optc/README.md, "Numbers" and "Configuration". It uses only what a host has: its gradients, and bit lengths
of the core's statistics records. `P` parameters, `T` steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.optc.config import Mode, OptcConfig, RspCode, Scalar, adam_step, eps_of
from models.optc.value import State, Statistics

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
FL_RANGE = (-64, 63)
PRE_RANGE = (-4, 3)
SLACK = 2  # places that must be free before a state is moved up, so that it does not move to and fro


class HostError(ValueError):
    """Hyperparameters or tensors that no pass of the core can serve."""


@dataclass(frozen=True)
class Rule:
    """An update rule in floats. `beta1` is momentum's decay (0 in plain SGD); decay is decoupled."""

    mode: Mode
    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def check(self) -> None:
        """Raises `HostError` for values outside their range."""
        ranges = {
            "LR": (self.lr, 0 < self.lr < 1024, "above 0 and below 1024"),
            "BETA1": (self.beta1, 0 <= self.beta1 < 1, "0 or more, below 1"),
            "BETA2": (self.beta2, 0 <= self.beta2 < 1, "0 or more, below 1"),
            "EPS": (self.eps, 0 <= self.eps < 1024, "0 or more, below 1024"),
            "WEIGHT_DECAY": (self.weight_decay, 0 <= self.lr * self.weight_decay <= 1, "such that LR * it is 0..1"),
        }
        for name, (value, good, text) in ranges.items():
            if not good:
                raise HostError(f"{name}={value} is not legal: it must be {text}")


def exponent(value: float) -> int:
    """Exponent e with 2^(e-1) <= value < 2^e; a very small one for 0."""
    return math.frexp(value)[1] if value > 0 else -200


def _limited(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


class Host:
    """One tensor's optimisation: `step` gives the next pass, `done` takes what came back."""

    def __init__(self, rule: Rule, w0: F64) -> None:
        rule.check()
        if not np.isfinite(w0).all():
            raise HostError("the weights are not finite")
        self.rule = rule
        self.t = 0
        self.fl_w = _limited(28 - exponent(max(float(np.abs(w0).max(initial=0.0)), 8 * rule.lr)), *FL_RANGE)
        self.fl_m: int | None = None  # set by the first gradient that is not zero
        self.fl_v = 0
        w = np.rint(np.ldexp(w0, self.fl_w)).astype(np.int64)
        self.state = State(w, np.zeros_like(w), np.zeros_like(w))
        self.bits = (int(np.abs(w).max(initial=0)).bit_length(), 0, 0)
        self.saturated_g = 0

    def weights(self) -> F64:
        """Weights as floats (P,), exactly."""
        return np.ldexp(self.state.w.astype(np.float64), -self.fl_w)

    def _moved(self, fl: int, bits: int, target: int, even: bool = False) -> int:
        """Next FL of a state of `bits` bits that may go up to `target`: down at once, up when there is slack."""
        if bits == 0:
            fl = _limited(target, *FL_RANGE)
            return fl & ~1 if even else fl
        pre = _limited(target - fl, *PRE_RANGE)
        pre = 0 if 0 <= pre < SLACK else pre
        return _limited(fl + (pre & ~1 if even else pre), FL_RANGE[0], FL_RANGE[1] - even)

    def step(self, g: F64) -> tuple[OptcConfig, I64]:
        """(configuration, integer gradients (P,)) of the next pass. Raises `HostError` for gradients or a step size
        that fit no legal pass."""
        if not np.isfinite(g).all():
            raise HostError(f"gradients of step {self.t + 1} are not finite")
        self.t += 1
        rule, adam = self.rule, self.rule.mode == Mode.ADAM
        big = float(np.abs(g).max(initial=0.0))
        w_bits, m_bits, v_bits = self.bits
        known = self.fl_m if self.fl_m is not None else (_limited(30 - exponent(big), *FL_RANGE) if big else 28)
        m_top = math.ldexp(1.0, m_bits - known) if m_bits else 0.0
        # What the states can reach in this step: they must fit behind it.
        m_top = rule.beta1 * m_top + ((1 - rule.beta1) if adam else 1.0) * big
        fl_m = self._moved(known, m_bits, 31 - exponent(1.001 * m_top)) if m_top else known
        fl_v = self.fl_v
        if adam:
            v_top = rule.beta2 * (math.ldexp(1.0, v_bits - fl_v) if v_bits else 0.0) + (1 - rule.beta2) * big * big
            if v_top:
                room = min(32 - exponent(1.001 * v_top), 44 - exponent(big * big))
                fl_v = self._moved(fl_v, v_bits, room, True)
        step = adam_step(rule.lr, rule.beta1, rule.beta2, self.t) if adam else rule.lr
        change = step * (8.0 if adam else m_top)
        w_top = math.ldexp(1.0, w_bits - self.fl_w) + change
        fl_w = self._moved(self.fl_w, max(w_bits, 1), 30 - exponent(w_top))
        low, high = fl_m - 7, fl_m + 31
        if adam:
            low, high = max(low, -(-fl_v // 2)), min(high, (fl_v + 63) // 2)
        fl_g = _limited(30 - exponent(big), max(low, FL_RANGE[0]), min(high, FL_RANGE[1]))
        q = np.rint(np.ldexp(g, fl_g))
        self.saturated_g += int((np.abs(q) > (1 << 31) - 1).sum())
        eps = rule.eps * math.sqrt(1 - rule.beta2**self.t) if adam else 1.0
        most = 63 - (16 if adam else fl_m) + fl_w  # the step's shift must not exceed 63
        scalar = Scalar.of(step, _limited(most, 0, 63))
        config = OptcConfig(
            rule.mode, len(g), fl_w, fl_m, fl_v, fl_g, Scalar.of(1 - rule.beta1), scalar,
            Scalar.of(1 - rule.beta2) if adam else Scalar(0, 0), Scalar.of(rule.lr * rule.weight_decay),
            *(eps_of(eps, fl_v) if adam else ()),
            pre_w=fl_w - self.fl_w if w_bits else 0,
            pre_m=fl_m - known if m_bits else 0,
            pre_v=fl_v - self.fl_v if v_bits else 0,
        )  # fmt: skip
        code = config.check()
        if code != RspCode.OK:
            raise HostError(
                f"step {self.t} has no legal pass (Rsp{code.name.title()}): its step size, weights and gradients lie "
                "too many orders of magnitude apart"
            )
        self.fl_w, self.fl_m, self.fl_v = fl_w, (fl_m if m_bits or big else None), fl_v
        return config, np.clip(q, -(1 << 31), (1 << 31) - 1).astype(np.int64)

    def done(self, state: State, statistics: Statistics) -> None:
        """Takes a pass's result."""
        self.state = state
        self.bits = (statistics.bits_w, statistics.bits_m, statistics.bits_v)
