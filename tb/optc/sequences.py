"""Stimuli of the OPTC's tests: random legal configurations, random and corner states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.common import floats
from models.common.generator import NUMBERS
from models.optc.config import MAX_CLIP, Mode, OptcConfig, RspCode, Scalar

I64 = npt.NDArray[np.int64]
PLAIN = OptcConfig(
    Mode.ADAM, 1, 28, 30, 30, 29, Scalar.of(0.1), Scalar.of(1e-3, 63), Scalar.of(1e-3), Scalar.of(1e-4), copy_shift=20
)
CORNERS = np.array([0, 1, -1, 2, 3, 1 << 15, 1 << 30, (1 << 31) - 1, -(1 << 31), 1 - (1 << 31)])


def random_config(rng: np.random.Generator, n: int, mode: Mode | None = None) -> OptcConfig:
    """A legal configuration of a tensor of `n` parameters."""
    while True:
        fl_g = int(rng.integers(-20, 50))
        config = OptcConfig(
            Mode(int(rng.integers(2))) if mode is None else mode,
            n,
            int(rng.integers(10, 32)),
            fl_g + int(rng.integers(-31, 8)),
            2 * (fl_g - int(rng.integers(0, 22))) if rng.random() < 0.7 else 2 * int(rng.integers(-32, 32)),
            fl_g,
            Scalar.of(float(rng.choice([1.0, 0.1, 0.5, 0.01, 0.0]))),
            Scalar.of(float(floats.power(10.0, floats.uniform(rng, -6, 2))), 63),
            Scalar.of(float(rng.choice([1.0, 0.1, 1e-3, 1e-4, 0.0]))),
            Scalar.of(float(rng.choice([0.0, 0.0, 1e-4, 0.5, 1.0]))),
            int(rng.integers(1 << 15, 1 << 16)),
            int(rng.integers(16)),
            int(rng.choice([1, 1 << 16, 4 << 16, MAX_CLIP])),
            *rng.integers(-4, 4, 2).tolist(),
            2 * int(rng.integers(-2, 2)),
            int(rng.integers(4)),
            int(rng.integers(3)),
            int(rng.integers(4)),
            int(rng.integers(32)),
        )
        if config.check() == RspCode.OK:
            # Anywhere, and just before the numbers begin again.
            first = rng.choice([rng.integers(NUMBERS), NUMBERS - rng.integers(1, 20)])
            return replace(config, draw=int(first))


def random_state(rng: np.random.Generator, n: int) -> tuple[I64, I64, I64, I64]:
    """w, m, v, g of every magnitude, corners among them: v of 0 and next to powers of four, m most negative."""

    def signed() -> I64:
        wide = rng.integers(-(1 << 31), 1 << 31, n) >> rng.integers(0, 31, n)
        return np.where(rng.random(n) < 0.15, rng.choice(CORNERS, n), wide)

    power = np.left_shift(np.int64(1), 2 * rng.integers(0, 16, n)) + rng.integers(-1, 2, n)
    v = rng.integers(0, 1 << 32, n) >> rng.integers(0, 32, n)
    v = np.where(rng.random(n) < 0.15, power, np.where(rng.random(n) < 0.05, 0, v))
    return signed(), signed(), v, signed()


def corner_config(rng: np.random.Generator, n: int, mode: Mode) -> OptcConfig:
    """A legal configuration of `n` parameters whose fields lie at their limits more often than not."""

    def scalar() -> Scalar:
        exp = int(rng.choice([0, 1, 16, 17, 46, 47, rng.integers(48)]))
        most = min(1 << exp, (1 << 16) - 1)
        return Scalar(int(rng.choice([0, 1, most, rng.integers(most + 1)])), exp)

    def fl() -> int:
        return int(rng.choice([-64, -1, 0, 1, 63, *rng.integers(-64, 64, 5)]))

    while True:
        fl_w, fl_g = fl(), fl()
        fl_m = fl_g + int(rng.choice([-31, -30, -1, 0, 1, 7, rng.integers(-31, 8)]))
        fl_v = 2 * fl_g - 2 * int(rng.choice([0, 1, 31, rng.integers(32)])) if mode == Mode.ADAM else fl()
        step_shift = int(rng.choice([0, 1, 15, 16, 62, 63, rng.integers(64)]))
        config = OptcConfig(
            mode,
            n,
            fl_w,
            fl_m,
            fl_v,
            fl_g,
            scalar(),
            Scalar(
                int(rng.choice([0, 1, (1 << 16) - 1, rng.integers(1 << 16)])),
                step_shift - (16 if mode == Mode.ADAM else fl_m) + fl_w,
            ),
            scalar(),
            scalar(),
            int(rng.choice([1 << 15, (1 << 16) - 1, rng.integers(1 << 15, 1 << 16)])),
            int(rng.choice([0, 15, rng.integers(16)])),
            int(rng.choice([1, MAX_CLIP, rng.integers(1, MAX_CLIP)])),
            *rng.integers(-4, 4, 2).tolist(),
            2 * int(rng.integers(-2, 2)) if mode == Mode.ADAM else int(rng.integers(-4, 4)),
            int(rng.integers(4)),
            int(rng.integers(3)),
            int(rng.integers(4)),
            int(rng.choice([0, 1, 30, 31, rng.integers(32)])),
        )
        if mode == Mode.MOMENTUM:  # what ADAM alone needs may be anything
            config = replace(
                config,
                eps_mant=int(rng.integers(1 << 16)),
                eps_exp=int(rng.integers(256)),
                clip=int(rng.integers(1 << 20)),
            )
        if config.step.exp >= 0 and config.check() == RspCode.OK:
            return config


def corner_states() -> tuple[I64, I64, I64, I64]:
    """w, m, v, g of every combination of corner values."""
    signed = [-(1 << 31), -(1 << 20) - 3, -5, 0, 1, (1 << 21) + 1, (1 << 31) - 1]
    v = [0, 1, 3, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 12345678, (1 << 32) - 1]
    w, m, v, g = (axis.ravel().astype(np.int64) for axis in np.meshgrid(signed, signed, v, signed, indexing="ij"))
    return w, m, v, g
