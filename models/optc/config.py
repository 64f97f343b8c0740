"""Configuration of the OPTC: fields, legality, and the host's way to them.

Source: docs/optc/README.md, sections "Numbers" and "Configuration".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from models.common.floats import whole_power

LEGAL_LANES = (1, 2, 4, 8)
LEGAL_MODES = (1, 2, 3)
BOTH_MODES = 3
MAX_CLIP = 8 << 16
SQUARE_BITS = 44
MANT_BITS = 16
COPY_BITS = (4, 8, 12, 16)

# Fields of the configuration's word: lowest bit and width; scalars are a mantissa of 16 bits below an exponent of 8.
CFG_BITS = 288
CFG_FIELDS = {
    "mode": (0, 1), "n": (8, 24), "fl_w": (32, 8), "fl_m": (40, 8), "fl_v": (48, 8), "fl_g": (56, 8),
    "eps_mant": (160, 16), "eps_exp": (176, 8), "clip": (184, 20), "copy_format": (204, 3), "copy_round": (207, 2),
    "copy_rand_bits": (209, 2), "copy_shift": (211, 6), "pre_w": (217, 3), "pre_m": (220, 3), "pre_v": (223, 3),
    "draw": (256, 32),
}  # fmt: skip
CFG_SIGNED = ("fl_w", "fl_m", "fl_v", "fl_g", "pre_w", "pre_m", "pre_v")
CFG_SCALARS = {"c1": 64, "c2": 88, "step": 112, "wd": 136}


class Mode(IntEnum):
    """Which rule updates the tensor; SGD is momentum with c1 = 1."""

    MOMENTUM = 0
    ADAM = 1


def has_mode(modes: int, mode: Mode) -> bool:
    """Whether a core with this `Modes` has a rule: bit 0 momentum, bit 1 ADAM."""
    return bool(modes >> mode & 1)


class RspCode(IntEnum):
    """Answer to a configuration: the first check that fails. `MODE` is checked right after `BUSY`."""

    OK = 0
    BUSY = 1
    COUNT = 2
    FL = 3
    ALIGN = 4
    SQUARE = 5
    STEP = 6
    SCALAR = 7
    EPS = 8
    CLIP = 9
    COPY = 10
    MODE = 11


@dataclass(frozen=True)
class Scalar:
    """mant * 2^-exp."""

    mant: int
    exp: int

    @classmethod
    def of(cls, value: float, max_exp: int = 47) -> Scalar:
        """The nearest scalar with the longest mantissa. Raises `ValueError` for a value that has none."""
        if not 0 <= value < 1 << MANT_BITS:
            raise ValueError(f"{value} is not in 0 .. {1 << MANT_BITS}, so it is no scalar of the OPTC")
        if value == 0:
            return cls(0, 0)
        exp = min(max_exp, MANT_BITS - math.frexp(value)[1])
        mant = round(math.ldexp(value, exp))
        if mant >> MANT_BITS:  # rounded up to the next power of two
            mant, exp = mant >> 1, exp - 1
        if exp < 0:
            raise ValueError(f"{value} is too large for a scalar of the OPTC")
        return cls(mant, exp)

    @property
    def value(self) -> float:
        """As a float, exactly."""
        return math.ldexp(self.mant, -self.exp)

    def legal(self) -> bool:
        """Whether it can be c1, c2 or wd: at most 1."""
        return 0 <= self.exp <= 47 and self.mant <= 1 << self.exp


@dataclass(frozen=True)
class OptcConfig:
    """One tensor's configuration; FLs are those after the rescaling."""

    mode: Mode
    n: int
    fl_w: int
    fl_m: int
    fl_v: int
    fl_g: int
    c1: Scalar
    step: Scalar
    c2: Scalar = Scalar(0, 0)
    wd: Scalar = Scalar(0, 0)
    eps_mant: int = 1 << 15
    eps_exp: int = 15
    clip: int = MAX_CLIP
    pre_w: int = 0
    pre_m: int = 0
    pre_v: int = 0
    copy_format: int = 1
    copy_round: int = 0
    copy_rand_bits: int = 0
    copy_shift: int = 0
    draw: int = 0  # number of the first beat's draws

    @property
    def align(self) -> int:
        """Places by which g is shifted left to lie on m's grid."""
        return self.fl_m - self.fl_g

    @property
    def square_shift(self) -> int:
        """Places by which g^2 is shifted right to lie on v's grid."""
        return 2 * self.fl_g - self.fl_v

    @property
    def step_shift(self) -> int:
        """Places by which mantissa times update is shifted right to lie on w's grid."""
        return self.step.exp + (16 if self.mode == Mode.ADAM else self.fl_m) - self.fl_w

    @property
    def word(self) -> int:
        """The configuration as the core's word (`optc_pkg`): `CFG_BITS` bits."""
        word = 0
        for name, (at, width) in CFG_FIELDS.items():
            word |= (int(getattr(self, name)) & ((1 << width) - 1)) << at
        for name, at in CFG_SCALARS.items():
            scalar = getattr(self, name)
            word |= (scalar.mant & 0xFFFF) << at | (scalar.exp & 0xFF) << at + MANT_BITS
        return word

    @classmethod
    def of(cls, word: int) -> OptcConfig:
        """The inverse of `word`."""
        values: dict[str, Any] = {}
        for name, (at, width) in CFG_FIELDS.items():
            value = word >> at & ((1 << width) - 1)
            values[name] = value - (1 << width) if name in CFG_SIGNED and value >> width - 1 else value
        for name, at in CFG_SCALARS.items():
            values[name] = Scalar(word >> at & 0xFFFF, word >> at + MANT_BITS & 0xFF)
        values["mode"] = Mode(values["mode"])
        return cls(**values)

    def check(self, busy: bool = False, modes: int = BOTH_MODES) -> RspCode:
        """The answer that this configuration gets from a core with the rules in `modes` (`has_mode`)."""
        adam = self.mode == Mode.ADAM
        fls = (self.fl_w, self.fl_m, self.fl_v, self.fl_g)
        checks = (
            (RspCode.BUSY, busy),
            (RspCode.MODE, not has_mode(modes, self.mode)),
            (RspCode.COUNT, self.n == 0),
            (RspCode.FL, not all(-64 <= fl <= 63 for fl in fls) or (adam and (self.fl_v % 2 or self.pre_v % 2))),
            (RspCode.ALIGN, not -31 <= self.align <= 7),
            (RspCode.SQUARE, adam and not 0 <= self.square_shift <= 63),
            (RspCode.STEP, not 0 <= self.step_shift <= 63),
            (RspCode.SCALAR, not (self.c1.legal() and self.c2.legal() and self.wd.legal()) or self.step.exp > 63),
            (RspCode.EPS, adam and not (1 << 15 <= self.eps_mant < 1 << 16 and self.eps_exp <= 15)),
            (RspCode.CLIP, adam and not 0 < self.clip <= MAX_CLIP),
            (RspCode.COPY, self.copy_format > 3 or self.copy_round > 2 or self.copy_shift > 31),
        )
        return next((code for code, failed in checks if failed), RspCode.OK)


def eps_of(eps: float, fl_v: int) -> tuple[int, int]:
    """(eps_mant, eps_exp) of a real eps, at least the root of one unit of v; the largest there is if it is larger."""
    units = min(max(math.ldexp(eps, fl_v // 2), 1.0), float((1 << 16) - 1))
    exp = 16 - math.frexp(units)[1]
    mant = round(math.ldexp(units, exp))
    return (1 << 15, exp - 1) if mant >> 16 else (mant, exp)


def adam_step(lr: float, beta1: float, beta2: float, t: int) -> float:
    """Step of iteration t = 1, 2, ..., bias correction folded in."""
    return lr * math.sqrt(1 - whole_power(beta2, t)) / (1 - whole_power(beta1, t))
