"""The host's side of the OPTC: float gradients into integer passes, groups of parameters and fraction lengths that
follow the state.

Source: docs/optc/README.md, "Host rule". It uses only what a host has: its gradients, and the state that comes back
from the core between passes. `P` parameters, `T` steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.common.floats import whole_power
from models.optc.config import MAX_CLIP, Mode, OptcConfig, RspCode, Scalar, adam_step, eps_of
from models.optc.value import S32, State, Update, round_nearest

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
FL_RANGE = (-64, 63)
PRE_RANGE = (-4, 3)
SLACK = 2  # places that must be free before a state is moved up, so that it does not move to and fro
WIDTH = 4  # places of magnitude that a group spans
HOLD = 1  # places by which a parameter may sink below its group before it leaves
FADE = 1 - 2.0**-8  # of the running magnitude of a gradient in momentum mode, a step
M_OVER_ROOT = 16  # ADAM: places by which m is at most finer than the root of v; u has 16 fraction bits
COPY_SHIFT = 24  # the copy is w's highest 8 bits
MARGIN = 1.001  # on the bound of a state, for what rounding adds
LARGEST_GRADIENT = 1e100
LARGEST_WEIGHT = 1e30


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
            "LR": (self.lr, 1e-30 <= self.lr < 1024, "from 1e-30 up, below 1024"),
            "BETA1": (self.beta1, 0 <= self.beta1 <= 1 - 1e-6, "0 .. 1 - 1e-6"),
            "BETA2": (self.beta2, 0 <= self.beta2 <= 1 - 1e-6, "0 .. 1 - 1e-6"),
            "EPS": (self.eps, 1e-60 <= self.eps < 1024, "from 1e-60 up, below 1024"),
            "WEIGHT_DECAY": (self.weight_decay, 0 <= self.lr * self.weight_decay <= 1, "such that LR * it is 0 .. 1"),
        }
        for name, (value, good, text) in ranges.items():
            if not good:
                raise HostError(f"{name}={value:g} is not legal: it must be {text}")
        first = (1 - self.beta1) / math.sqrt(1 - self.beta2)
        if self.mode == Mode.ADAM and first > MAX_CLIP / 65536:
            raise HostError(
                f"BETA1={self.beta1:g} with BETA2={self.beta2:g} is not legal: the first m / sqrt(v) is {first:.3g}, "
                "and the core clips at 8; raise BETA1 or lower BETA2"
            )


@dataclass(frozen=True)
class Pass:
    """One tensor that goes through the core. `members` (n,) are its parameters' numbers; `state` and `g` its words.

    `config` holds the FLs as the core is told them, `fl_w`, `fl_m`, `fl_v` those that the words after the pass have.
    `step` counts from 0; a pass that only rescales is not `steps`.
    """

    step: int
    members: I64
    config: OptcConfig
    state: State
    g: I64
    fl_w: int
    fl_m: int
    fl_v: int
    steps: bool

    @property
    def update_unit(self) -> float:
        """What one unit of u changes in w, as a float."""
        return math.ldexp(self.config.step.mant, -self.config.step_shift - self.fl_w)


Core = Callable[[Pass], Update]


@dataclass
class Totals:
    """Of all passes so far; `moved` counts parameters that changed their group."""

    passes: int = 0
    rescales: int = 0
    groups: int = 0  # most in a step
    moved: int = 0
    follows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("pre_w", "pre_m", "pre_v"), 0))
    sat_w: int = 0
    sat_m: int = 0
    sat_v: int = 0
    sat_g: int = 0
    clipped: int = 0
    eps_used: int = 0


def exponent(value: float) -> int:
    """Exponent e with 2^(e-1) <= value < 2^e. `value` must be above 0."""
    return math.frexp(value)[1]


def _limited(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def _even(fl: int) -> int:
    return fl & ~1


def _follow(fl: int, target: int, up: int) -> int:
    """Next FL of a state that fits up to `target`: down at once, up by at most `up` when there is slack."""
    if target <= fl:
        return target
    return fl + min(target - fl, up) if target - fl >= SLACK else fl


def _to_zero(low: int, high: int) -> int:
    """The number of smallest magnitude in low .. high."""
    return _limited(0, low, high)


class Host:
    """One vector's optimisation: `step` makes the passes of a step and takes their results.

    `width`: places of magnitude that a group spans; None: one group.
    """

    def __init__(self, rule: Rule, w0: F64, width: int | None = WIDTH) -> None:
        rule.check()
        top = float(np.abs(w0).max(initial=0.0))
        if not top <= LARGEST_WEIGHT:
            raise HostError(f"the weights must be finite and at most {LARGEST_WEIGHT:g}")
        self.rule, self.width = rule, width
        self.t = 0
        self.totals = Totals()
        self.fl_w = 31 - exponent(MARGIN * max(top, self._change(1, 0.0), 1e-60))
        w = np.rint(np.ldexp(w0, self.fl_w)).astype(np.int64)
        self.state = State(w, np.zeros_like(w), np.zeros_like(w))
        self.fl_m, self.fl_v = np.zeros_like(w), np.zeros_like(w)
        self.group = np.zeros_like(w)
        self.seen = np.zeros(len(w), bool)  # parameters whose group says something
        self.size = np.zeros(len(w))  # momentum: running magnitude of the gradients

    def weights(self) -> F64:
        """Weights as floats (P,), exactly."""
        return np.ldexp(self.state.w.astype(np.float64), -self.fl_w)

    def _step_size(self, t: int) -> float:
        rule = self.rule
        return adam_step(rule.lr, rule.beta1, rule.beta2, t) if rule.mode == Mode.ADAM else rule.lr

    def _change(self, t: int, m_top: float) -> float:
        """The most that an update can change a weight."""
        return self._step_size(t) * (MAX_CLIP / 65536 if self.rule.mode == Mode.ADAM else m_top)

    # ---- groups ----------------
    def _grouped(self, size: F64) -> list[I64]:
        """Members of every group; a parameter's group goes by the exponent of `size`. One that never had a gradient
        (0) joins the lowest."""
        if self.width is None:
            return [np.arange(len(size))]
        live = size > 0
        if not live.any():
            return [np.arange(len(size))]
        e = np.frexp(size)[1].astype(np.int64)
        held = self.seen & (e <= (self.group + 1) * self.width) & (e > self.group * self.width - HOLD)
        group = np.where(held, self.group, (e - 1) // self.width)
        group = np.where(live, group, group[live].min())
        self.totals.moved += int((self.seen & live & (group != self.group)).sum())
        self.group, self.seen = group, live
        return [np.flatnonzero(group == each) for each in np.unique(group)]

    def _home(self, members: I64) -> tuple[int, int]:
        """(fl_m, fl_v) that most members have."""
        pairs, counts = np.unique(np.stack([self.fl_m[members], self.fl_v[members]]), axis=1, return_counts=True)
        m, v = pairs[:, int(np.argmax(counts))].tolist()
        return m, v

    # ---- a step ----------------
    def step(self, g: F64, core: Core) -> None:
        """One step: `core` runs a pass and returns what left the core. Raises `HostError` for gradients that fit no
        legal pass."""
        top = float(np.abs(g).max(initial=0.0))
        if not top <= LARGEST_GRADIENT:
            raise HostError(f"the gradients of step {self.t + 1} must be finite and at most {LARGEST_GRADIENT:g}")
        self.t += 1
        rule, adam = self.rule, self.rule.mode == Mode.ADAM
        big = np.abs(g)
        m_abs = np.ldexp(np.abs(self.state.m).astype(np.float64), -self.fl_m)
        v_top = np.zeros_like(big)
        # What the states are and can become in this step: both must fit.
        if adam:
            m_top = np.maximum(m_abs, rule.beta1 * m_abs + (1 - rule.beta1) * big)
            v_abs = np.ldexp(self.state.v.astype(np.float64), -self.fl_v)
            v_top = np.maximum(v_abs, rule.beta2 * v_abs + (1 - rule.beta2) * big * big)
            live = (v_top > 0) | (m_abs > 0)
            # eps is a number on v's grid, too
            v_top = np.maximum(v_top, rule.eps * rule.eps * (1 - whole_power(rule.beta2, self.t)))
            size = np.where(live, np.sqrt(v_top), 0.0)
        else:
            m_top = np.maximum(m_abs, rule.beta1 * m_abs + big)
            self.size = size = np.maximum(big, FADE * self.size)
        w_top = float(np.abs(self.state.w).max(initial=0)) * 2.0**-self.fl_w
        change = self._change(self.t, float(m_top.max(initial=0.0)))
        target_w = 31 - exponent(MARGIN * max(w_top + change, 1e-60))
        if not w_top:  # zeros have any FL
            self.fl_w = target_w
        fl_w = _follow(self.fl_w, target_w, PRE_RANGE[1])
        groups = self._grouped(size)
        self.totals.groups = max(self.totals.groups, len(groups))
        for members in groups:
            self._group_step(members, g, fl_w, m_top, v_top, core)
        self.fl_w = fl_w

    def _group_step(self, members: I64, g: F64, fl_w: int, m_top: F64, v_top: F64, core: Core) -> None:
        adam = self.rule.mode == Mode.ADAM
        big, m_most, v_most = (float(x[members].max()) for x in (np.abs(g), m_top, v_top))
        fl_g = 31 - exponent(big * (1 + 2.0**-30)) if big else None
        home_m, home_v = self._home(members)
        # The finest FLs at which nothing overflows and that a configuration can express.
        if adam:
            target_v = 32 - exponent(MARGIN * v_most)
            if fl_g is not None:
                target_v = min(target_v, 2 * fl_g, 44 - exponent(big * big) if big * big else target_v)
            target_v = _even(target_v)
            target_m = target_v // 2 + M_OVER_ROOT
            if m_most:
                target_m = min(target_m, 31 - exponent(MARGIN * m_most))
        else:
            target_v = home_v
            # Without a first moment any FL does; this one makes the step's shift legal.
            target_m = 31 - exponent(MARGIN * m_most) if m_most else fl_w + exponent(self.rule.lr) + 15
        if fl_g is not None:
            target_m = min(target_m, fl_g + 7)
        state = [x[members] for x in self.state]
        newcomer = (self.fl_m[members] != home_m) | (self.fl_v[members] != home_v)
        # FLs of a state of zeros are free.
        fl_m = _follow(home_m, target_m, PRE_RANGE[1]) if state[1][~newcomer].any() else target_m
        fl_v = _follow(home_v, target_v, 2) if state[2][~newcomer].any() else target_v
        if newcomer.any():  # nothing moves up while words come in
            fl_m, fl_v = min(fl_m, home_m), min(fl_v, home_v)
        if adam:  # one FL of the gradients must serve both
            fl_v = min(fl_v, 2 * (fl_m + 31))
            fl_m = min(fl_m, fl_v // 2 + 30)
        home_m = home_m if state[1][~newcomer].any() else fl_m
        home_v = home_v if state[2][~newcomer].any() else fl_v
        at_w, at_m, at_v = self._rescale(members, newcomer, state, (home_m, home_v), (fl_w, fl_m, fl_v), core)
        if newcomer.any():
            self._bring(members, newcomer, state, at_w, at_m, at_v)
        config = self._config(len(members), (fl_w, fl_m, fl_v, fl_g), (fl_w - at_w, fl_m - at_m, fl_v - at_v), True)
        real_g = self._real_fl_g(fl_m, fl_v, fl_g)
        q = np.rint(np.ldexp(g[members], real_g))
        self.totals.sat_g += int((np.abs(q) > S32[1]).sum())
        q = np.clip(q, *S32).astype(np.int64)
        done = self._run(Pass(self.t - 1, members, config, State(*state), q, fl_w, fl_m, fl_v, True), core)
        for mine, new in zip(self.state, done.state, strict=True):
            mine[members] = new
        self.fl_m[members], self.fl_v[members] = fl_m, fl_v

    def _rescale(
        self,
        members: I64,
        newcomer: npt.NDArray[np.bool_],
        state: list[I64],
        home: tuple[int, int],
        goal: tuple[int, int, int],
        core: Core,
    ) -> tuple[int, int, int]:
        """Passes that only rescale, of those who are at home, until the step's own pass can do the rest (all of it, for
        m and v, where newcomers join). Returns the FLs that are reached."""
        at = [self.fl_w, *home]
        stay = np.flatnonzero(~newcomer)
        while True:
            pre = [0, 0, 0]
            for place, (fl, end) in enumerate(zip(at, goal, strict=True)):
                late = place > 0 and newcomer.any() and end < fl
                if end - fl < PRE_RANGE[0] or late:
                    pre[place] = max(PRE_RANGE[0], end - fl)
            if self.rule.mode == Mode.ADAM:  # m waits for v where one FL of the gradients could not serve both
                pre[1] = max(pre[1], (at[2] + pre[2]) // 2 - 31 - at[1]) if pre[1] else 0
            if not any(pre):
                return at[0], at[1], at[2]
            at = [fl + more for fl, more in zip(at, pre, strict=True)]
            words = State(*(x[stay] for x in state))
            fl_m, fl_v = at[1:]
            if self.rule.mode == Mode.ADAM:  # zeros are where the other moment needs them
                fl_m = fl_m if words.m.any() else _limited(fl_m, -(-fl_v // 2) - 31, fl_v // 2 + 30)
                fl_v = fl_v if words.v.any() else _limited(fl_v, 2 * (fl_m - 30), 2 * (fl_m + 31))
            config = self._config(len(stay), (at[0], fl_m, fl_v, None), tuple(pre), False)
            zero = np.zeros(len(stay), np.int64)
            done = self._run(Pass(self.t - 1, members[stay], config, words, zero, at[0], fl_m, fl_v, False), core)
            for x, new in zip(state, done.state, strict=True):
                x[stay] = new

    def _bring(
        self, members: I64, newcomer: npt.NDArray[np.bool_], state: list[I64], at_w: int, at_m: int, at_v: int
    ) -> None:
        """Newcomers' words at the FLs of the group that they join: rounded once, by the host."""
        for place in np.flatnonzero(newcomer).tolist():
            here = members[place]
            fls = ((self.fl_w, at_w), (int(self.fl_m[here]), at_m), (int(self.fl_v[here]), at_v))
            for x, (old, new) in zip(state, fls, strict=True):
                if x[place]:
                    x[place] = round_nearest(x[place : place + 1], old - new)[0]

    def _real_fl_g(self, fl_m: int, fl_v: int, fl_g: int | None) -> int:
        """The FL of the gradients that lies nearest to `fl_g` (None: any does) of those that a configuration allows."""
        low, high = fl_m - 7, fl_m + 31
        if self.rule.mode == Mode.ADAM:
            low, high = max(low, -(-fl_v // 2)), min(high, (fl_v + 63) // 2)
        return _limited(fl_m if fl_g is None else fl_g, low, high)

    def _config(self, n: int, fls: tuple[int, int, int, int | None], pre: tuple[int, ...], steps: bool) -> OptcConfig:
        """The configuration of a pass. Only differences of FLs matter to the core, so that those outside its range are
        moved into it together."""
        rule, adam = self.rule, self.rule.mode == Mode.ADAM
        fl_w, fl_m, fl_v, _ = fls
        fl_g = self._real_fl_g(fl_m, fl_v, fls[3])
        step = self._step_size(self.t)
        scalar = Scalar.of(step, 1 << 20)
        shift = scalar.exp + (16 if adam else fl_m) - fl_w
        over = max(0, shift - 63)
        mant = round(math.ldexp(scalar.mant, -over)) if steps else 0
        shift = min(shift, 63) if steps else _limited(shift, 0, 63)
        low, high = FL_RANGE
        if adam:
            move = _to_zero(
                max(low - fl_m, low - fl_g, -(-(low - fl_v) // 2)),
                min(high - fl_m, high - fl_g, (high - 1 - fl_v) // 2),
            )
            told_v = fl_v + 2 * move
        else:
            move = _to_zero(max(low - fl_m, low - fl_g), min(high - fl_m, high - fl_g))
            told_v = 0
        told_m = fl_m + move
        base = 16 if adam else told_m
        told_w = _limited(fl_w, max(low, base - shift), min(high, base - shift + 63))
        zero = Scalar(0, 0)
        config = OptcConfig(
            rule.mode, n, told_w, told_m, told_v, fl_g + move,
            Scalar.of(1 - rule.beta1) if steps else zero,
            Scalar(mant, shift + told_w - base),
            Scalar.of(1 - rule.beta2) if adam and steps else zero,
            Scalar.of(rule.lr * rule.weight_decay) if steps else zero,
            *(eps_of(rule.eps * math.sqrt(1 - whole_power(rule.beta2, self.t)), fl_v) if adam else ()),
            pre_w=pre[0], pre_m=pre[1], pre_v=pre[2], copy_shift=COPY_SHIFT,
        )  # fmt: skip
        code = config.check()
        if code != RspCode.OK:
            raise HostError(
                f"step {self.t} has no legal pass (Rsp{code.name.title()}): its step size, weights and gradients lie "
                "too many orders of magnitude apart"
            )
        return config

    def _run(self, each: Pass, core: Core) -> Update:
        done, totals = core(each), self.totals
        totals.passes += 1
        totals.rescales += not each.steps
        for name in totals.follows:
            totals.follows[name] += getattr(each.config, name) != 0
        stats = done.statistics
        totals.sat_w += stats.sat_w
        totals.sat_m += stats.sat_m
        totals.sat_v += stats.sat_v
        if each.steps:
            totals.clipped += stats.clipped
            totals.eps_used += stats.eps_used
        return done
