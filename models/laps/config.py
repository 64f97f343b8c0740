"""Parameters, codes, addresses and words of LAPS.

Source: docs/laps/README.md, sections "Entry", "Update" (events), "Registers", "Refused updates and queries". One table,
`LAYOUTS`, says which fields a word has; packing, unpacking, legality and reset values come from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Self

LEGAL_LAYERS = (4, 16, 64)
CLASSES = 4
SLOTS = 4
MAX_SLICES = 4
FL_MIN, FL_MAX = -64, 63
MAX_BIT = 48  # of a statistics record: the RAN's accumulators have no more
MAX_STEP = (1 << 24) - 1
RESET_SEED = 1
ADDR_BITS, WORD_BITS = 12, 32


class TensorClass(IntEnum):
    """What a tensor is for (``upd_class_i``)."""

    ACTIVATION = 0
    WEIGHT = 1
    ERROR = 2
    GRADIENT = 3


class RegCode(IntEnum):
    """Answer to a register access (``reg_rsp_code_o``)."""

    OK = 0
    ADDRESS = 1
    VALUE = 2


class RspCode(IntEnum):
    """Answer to an update or a query: the first check that fails."""

    OK = 0
    LAYER = 1
    STATS = 2
    LENGTH = 3


class Event(IntFlag):
    """What an update did (``upd_rsp_events_o``)."""

    FL_DOWN = 1
    FL_UP = 2
    N_UP = 4
    N_DOWN = 8
    LIMITED = 16


class Counter(IntEnum):
    """Place of a counter after `COUNTERS`."""

    UPDATES = 0
    FL_DOWN = 1
    FL_UP = 2
    N_UP = 3
    N_DOWN = 4
    LIMITED = 5
    REFUSED = 6


# ---- addresses -------------------------------------------------------------------------------------------------------
BAND, RULES, LIMITS, TOLERANCE = 0x200, 0x201, 0x202, 0x203  # of class 0
CLASS_STRIDE = 8
SCHEDULE_WHEN, SCHEDULE_WHAT = 0x240, 0x241  # of slot 0
SLOT_STRIDE = 2
STEP, SEED, ORDER = 0x250, 0x251, 0x252
COUNTERS = 0x258


# ---- words -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Field:
    """Bits `low` .. `low` + `width` - 1 of a word; `bounds` are the legal values, None if all are."""

    name: str
    low: int
    width: int
    signed: bool = False
    bounds: tuple[int, int] | None = None
    reset: int = 0

    @property
    def span(self) -> tuple[int, int]:
        """Smallest and largest value that the bits hold."""
        return (-(1 << self.width - 1), (1 << self.width - 1) - 1) if self.signed else (0, (1 << self.width) - 1)


Values = Mapping[str, int]


@dataclass(frozen=True)
class Layout:
    """Fields of a word and what must hold between them."""

    fields: tuple[Field, ...]
    between: Callable[[Values], bool] = lambda _: True

    def pack(self, values: Mapping[str, Any]) -> int:
        """The word of these fields, 0 for those not named; others are ignored. Illegal values that fit pass.

        Raises `ValueError` for a value that does not fit its bits.
        """
        word = 0
        for field in self.fields:
            value = int(values.get(field.name, 0))
            low, high = field.span
            if not low <= value <= high:
                raise ValueError(f"{field.name} is {value}; its {field.width} bits hold {low} .. {high}")
            word |= (value & ((1 << field.width) - 1)) << field.low
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """The fields of a word."""
        out = {}
        for field in self.fields:
            value = word >> field.low & ((1 << field.width) - 1)
            out[field.name] = value - (1 << field.width) if value > field.span[1] else value
        return out

    def legal(self, word: int) -> bool:
        """Whether a host may write this word."""
        values = self.unpack(word)
        return (
            word == self.pack(values)  # unused bits are 0
            and all(f.bounds is None or f.bounds[0] <= values[f.name] <= f.bounds[1] for f in self.fields)
            and self.between(values)
        )

    @property
    def reset(self) -> int:
        """The word after reset (that of a signed entry, for word 0 of entries; of a class in `RESET_BANDS`, for
        BAND)."""
        return self.pack({field.name: field.reset for field in self.fields})


_FL = (FL_MIN, FL_MAX)
_N = (1, MAX_SLICES)
_SLICES = (Field("n_min", 0, 3, bounds=_N, reset=1), Field("n_max", 4, 3, bounds=_N, reset=4))
LAYOUTS = {
    "ENTRY0": Layout((
        Field("fl", 0, 8, signed=True, bounds=_FL), Field("n", 8, 3, bounds=_N, reset=2), Field("is_unsigned", 11, 1),
        Field("pin_n", 12, 1), Field("pin_fl", 13, 1), Field("sig_valid", 14, 1), Field("quiet", 16, 8),
        Field("dwell", 24, 8),
    )),
    "ENTRY1": Layout((Field("signal", 0, 16, signed=True),)),
    "BAND": Layout(
        (Field("low", 0, 16, signed=True), Field("high", 16, 16, signed=True, reset=2048)),
        lambda v: v["high"] - v["low"] > 1024,
    ),
    "RULES": Layout((
        Field("smooth", 0, 3, reset=3), Field("nonzero", 4, 1), Field("dwell_min", 8, 8, bounds=(1, 255), reset=16),
        Field("hold", 16, 8, bounds=(1, 255), reset=8),
    )),
    "LIMITS": Layout(
        (
            *_SLICES, Field("fl_min", 8, 8, signed=True, bounds=_FL, reset=FL_MIN),
            Field("fl_max", 16, 8, signed=True, bounds=_FL, reset=FL_MAX),
        ),
        lambda v: v["n_min"] <= v["n_max"] and v["fl_min"] <= v["fl_max"],
    ),
    "TOLERANCE": Layout((Field("tolerance", 0, 16), Field("random", 16, 1))),
    "SCHEDULE_WHEN": Layout((Field("from_step", 0, 24), Field("classes", 24, 4), Field("enable", 28, 1))),
    "SCHEDULE_WHAT": Layout(_SLICES, lambda v: v["n_min"] <= v["n_max"]),
    "STEP": Layout((Field("step", 0, 24),)),
    "SEED": Layout((Field("seed", 0, 32, reset=RESET_SEED),)),
    "ORDER": Layout((Field("most", 0, 2, reset=3),)),
    "COUNTER": Layout((Field("count", 0, 32),)),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where an address leads: the name of its layout, and which entry, class, slot or counter."""

    layout: str
    index: int = 0


def place_of(addr: int, layers: int) -> Place | None:
    """What lies at an address, None if there is no register."""
    if 0 <= addr < 2 * CLASSES * layers:
        return Place(f"ENTRY{addr & 1}", addr >> 1)
    index, offset = divmod(addr - BAND, CLASS_STRIDE)
    if 0 <= index < CLASSES and offset < 4:
        return Place(("BAND", "RULES", "LIMITS", "TOLERANCE")[offset], index)
    index, offset = divmod(addr - SCHEDULE_WHEN, SLOT_STRIDE)
    if 0 <= index < SLOTS:
        return Place(("SCHEDULE_WHEN", "SCHEDULE_WHAT")[offset], index)
    if addr in (STEP, SEED, ORDER):
        return Place({STEP: "STEP", SEED: "SEED", ORDER: "ORDER"}[addr])
    if 0 <= addr - COUNTERS < len(Counter):
        return Place("COUNTER", addr - COUNTERS)
    return None


def addresses(layers: int) -> list[int]:
    """Every address with a register, in order."""
    return [addr for addr in range(1 << ADDR_BITS) if place_of(addr, layers)]


# ---- what words say --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Entry:
    """What the table keeps of a layer and class; defaults are those of reset, except for activations."""

    fl: int = 0
    n: int = 2
    is_unsigned: bool = False
    pin_n: bool = False
    pin_fl: bool = False
    sig_valid: bool = False
    quiet: int = 0
    dwell: int = 0
    signal: int = 0

    @classmethod
    def of(cls, words: tuple[int, int]) -> Self:
        """The entry of its two words."""
        fields = LAYOUTS["ENTRY0"].unpack(words[0])
        flags = {name: bool(fields.pop(name)) for name in ("is_unsigned", "pin_n", "pin_fl", "sig_valid")}
        return cls(**fields, **flags, **LAYOUTS["ENTRY1"].unpack(words[1]))

    @property
    def words(self) -> tuple[int, int]:
        """Words 0 and 1."""
        values = vars(self)
        return LAYOUTS["ENTRY0"].pack(values), LAYOUTS["ENTRY1"].pack(values)

    @property
    def bits(self) -> int:
        """As ``obs_entry_o``: 48 bits, word 1's 16 above word 0."""
        return self.words[1] << WORD_BITS | self.words[0]

    @property
    def capacity(self) -> int:
        """Bits of a magnitude."""
        return 4 * self.n - (not self.is_unsigned)


class Word:
    """A register of one word whose fields are the dataclass' own."""

    layout: str
    address: int  # of class 0

    @classmethod
    def of(cls, word: int) -> Self:
        """What the word says."""
        return cls(**LAYOUTS[cls.layout].unpack(word))

    @property
    def word(self) -> int:
        """The word."""
        return LAYOUTS[self.layout].pack(vars(self))


@dataclass(frozen=True)
class Band(Word):
    """Between which signals (1/256) n stays; defaults are those of weights and gradients."""

    layout = "BAND"
    address = BAND
    low: int = 0
    high: int = 2048


@dataclass(frozen=True)
class Rules(Word):
    """How fast a class moves."""

    layout = "RULES"
    address = RULES
    smooth: int = 3
    nonzero: int = 0
    dwell_min: int = 16
    hold: int = 8


@dataclass(frozen=True)
class Limits(Word):
    """Between what a class moves."""

    layout = "LIMITS"
    address = LIMITS
    n_min: int = 1
    n_max: int = 4
    fl_min: int = FL_MIN
    fl_max: int = FL_MAX


@dataclass(frozen=True)
class Tolerance(Word):
    """Permissible overflow in 2^-16 of the values; `random`: on average."""

    layout = "TOLERANCE"
    address = TOLERANCE
    tolerance: int = 0
    random: int = 0


CLASS_WORDS = (Band, Rules, Limits, Tolerance)
RESET_BANDS = {
    TensorClass.ACTIVATION: Band(128, 1280),
    TensorClass.WEIGHT: Band(0, 2048),
    TensorClass.ERROR: Band(-3072, 0),
    TensorClass.GRADIENT: Band(0, 2048),
}


@dataclass(frozen=True)
class Slot:
    """One slot of the schedule: from `from_step` on, the classes whose bits are set get these bounds of n."""

    from_step: int = 0
    classes: int = 0
    enable: int = 0
    n_min: int = 1
    n_max: int = 4

    @property
    def words(self) -> tuple[int, int]:
        """``SCHEDULE_WHEN`` and ``SCHEDULE_WHAT``."""
        values = vars(self)
        return LAYOUTS["SCHEDULE_WHEN"].pack(values), LAYOUTS["SCHEDULE_WHAT"].pack(values)

    @classmethod
    def of(cls, words: tuple[int, int]) -> Self:
        """The slot of its two words."""
        return cls(**LAYOUTS["SCHEDULE_WHEN"].unpack(words[0]), **LAYOUTS["SCHEDULE_WHAT"].unpack(words[1]))


@dataclass(frozen=True)
class LapsParams:
    """Parameters of an instance."""

    layers: int = 16

    def __post_init__(self) -> None:
        if self.layers not in LEGAL_LAYERS:
            raise ValueError(f"layers must be one of {LEGAL_LAYERS}, not {self.layers}")


@dataclass(frozen=True)
class TensorStats:
    """The RAN's record of a tensor (docs/ran/README.md, section "Statistics")."""

    values: int
    overflow: int = 0
    zeros: int = 0
    max_bit: int = 0
    sum_abs: int = 0

    def check(self) -> bool:
        """Whether an update takes it."""
        return (
            self.values > 0
            and self.overflow <= self.values
            and self.zeros <= self.values
            and self.max_bit <= MAX_BIT
            and (self.zeros == self.values) == (self.sum_abs == 0)
        )
