"""Independent oracles of the OPTC: float64 ADAM and momentum from their textbook definitions, and exact fractions.

ADAM: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1; decoupled weight decay:
Loshchilov and Hutter, ICLR 2019. Nothing here is shared with the value model.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from models.optc.config import Mode, OptcConfig

F64 = npt.NDArray[np.float64]


def adam(
    g: F64, w0: F64, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float = 0.0
) -> tuple[F64, F64]:
    """Weights (T, P) and updates without decay (T, P) over gradients (T, P)."""
    w, m, v = w0.astype(np.float64), np.zeros_like(w0), np.zeros_like(w0)
    out, steps = np.zeros_like(g), np.zeros_like(g)
    for t, grad in enumerate(g, start=1):
        m = beta1 * m + (1 - beta1) * grad
        v = beta2 * v + (1 - beta2) * grad * grad
        steps[t - 1] = lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        w = w - steps[t - 1] - lr * weight_decay * w
        out[t - 1] = w
    return out, steps


def momentum(g: F64, w0: F64, lr: float, beta: float, weight_decay: float = 0.0) -> tuple[F64, F64]:
    """As `adam`, for momentum."""
    w, m = w0.astype(np.float64), np.zeros_like(w0)
    out, steps = np.zeros_like(g), np.zeros_like(g)
    for t, grad in enumerate(g):
        m = beta * m + grad
        steps[t] = lr * m
        w = w - steps[t] - lr * weight_decay * w
        out[t] = w
    return out, steps


def nearest(value: Fraction, low: int, high: int) -> int:
    """Rounded to the nearest integer, ties to even, and limited."""
    return min(high, max(low, round(value)))


def exact(config: OptcConfig, w: int, m: int, v: int, g: int) -> tuple[int, int, int, int]:
    """(w', m', v', u) of one parameter by fractions; no rescaling (pre shifts of 0)."""
    adam_mode = config.mode == Mode.ADAM
    c1 = Fraction(config.c1.mant, 1 << config.c1.exp)
    gm = round(Fraction(g) * Fraction(2) ** (config.fl_m - config.fl_g))
    change = c1 * (gm - m) if adam_mode else -c1 * m
    m2 = min(2**31 - 1, max(-(2**31), m + (0 if adam_mode else gm) + round(change)))
    v2, u = v, m2
    grid = config.fl_m
    if adam_mode:
        gs = nearest(Fraction(g * g, 1 << (2 * config.fl_g - config.fl_v)), 0, 2**44 - 1)
        v2 = nearest(v + Fraction(round(Fraction(config.c2.mant, 1 << config.c2.exp) * (gs - v))), 0, 2**32 - 1)
        n = 0
        while v2 and v2 * 4 ** (n + 1) < 2**32:
            n += 1
        root = Fraction(math.isqrt(v2 * 4**n), 2**n)
        divisor = max(root, Fraction(config.eps_mant, 1 << config.eps_exp))
        real = Fraction(abs(m2)) * Fraction(2) ** (config.fl_v // 2 - config.fl_m + 16) / divisor
        u = min(config.clip, real.numerator // real.denominator) * (-1 if m2 < 0 else 1)
        grid = 16
    step = round(Fraction(config.step.mant * u) * Fraction(2) ** (config.fl_w - grid - config.step.exp))
    decay = round(Fraction(config.wd.mant * w, 1 << config.wd.exp))
    return min(2**31 - 1, max(-(2**31), w - step - decay)), m2, v2, u
