"""Stimuli of LAPS' tests: random registers, entries, statistics and queries; words that are illegal in one field."""

from __future__ import annotations

import numpy as np

from models.common import floats
from models.laps.config import (
    CLASSES,
    FL_MAX,
    FL_MIN,
    LAYOUTS,
    MAX_STEP,
    Band,
    Entry,
    Limits,
    Rules,
    Slot,
    TensorStats,
    Tolerance,
)
from models.laps.cycle import Query
from tb.laps.program import Program

SLICE = 1024


def random_stats(rng: np.random.Generator, entry: Entry | None = None, calm: float = 0.5) -> TensorStats:
    """A legal record. With `entry`, one whose values lie about its capacity, with overflow in a share 1 - `calm`."""
    values = (
        int(min(floats.geometric(rng, 1e-4), (1 << 32) - 1)) if rng.random() < 0.8 else int(rng.integers(1, 1 << 32))
    )
    if rng.random() < 0.08:
        return TensorStats(values, 0, values, 0, 0)
    zeros = int(rng.integers(0, values)) if rng.random() < 0.7 else 0
    live = values - zeros
    if entry is None:
        max_bit = int(rng.integers(0, 49))
        overflow = int(rng.integers(0, values + 1)) if rng.random() > calm else 0
        top = (1 << 48) - 1
        return TensorStats(values, overflow, zeros, max_bit, int(rng.integers(1, top + 1)))
    cap = entry.capacity
    if rng.random() > calm:
        max_bit, overflow = cap + int(rng.integers(0, 4)), int(min(values, floats.geometric(rng, 0.01)))
    else:
        max_bit, overflow = max(1, cap - int(rng.integers(0, 4))), 0
    mean = float(floats.power(2.0, floats.uniform(rng, -6, max_bit)))
    return TensorStats(values, overflow, zeros, max_bit, max(1, min(int(live * mean), (1 << 48) - 1)))


def random_entry(rng: np.random.Generator) -> Entry:
    """A legal entry of any kind."""
    flags = rng.random(4) < (0.5, 0.1, 0.1, 0.7)
    return Entry(
        int(rng.integers(FL_MIN, FL_MAX + 1)),
        int(rng.integers(1, 5)),
        *flags.tolist(),
        int(rng.integers(0, 256)),
        int(rng.integers(0, 256)),
        int(rng.integers(-(1 << 15), 1 << 15)),
    )


def random_band(rng: np.random.Generator) -> Band:
    """A legal band, narrow ones among them."""
    low = int(rng.integers(-(1 << 13), 1 << 12))
    return Band(low, low + SLICE + (1 if rng.random() < 0.3 else int(rng.integers(1, 3000))))


def random_rules(rng: np.random.Generator) -> Rules:
    """Legal rules, most of them quick."""
    quick = (1, 2, 3, 8, 255)
    return Rules(
        int(rng.integers(8)),
        int(rng.integers(2)),
        int(rng.choice(quick)),
        int(rng.choice(quick, p=(0.3, 0.3, 0.2, 0.15, 0.05))),
    )


def random_bounds(rng: np.random.Generator) -> tuple[int, int]:
    """Legal (n_min, n_max)."""
    low, high = np.sort(rng.integers(1, 5, 2)).tolist()
    return low, high


def random_limits(rng: np.random.Generator) -> Limits:
    """Legal limits, tight ones among them."""
    low, high = np.sort(rng.integers(FL_MIN, FL_MAX + 1, 2)).tolist()
    return Limits(*random_bounds(rng), low, high) if rng.random() < 0.3 else Limits(*random_bounds(rng))


def random_settings(
    rng: np.random.Generator, program: Program, classes: tuple[int, ...] = tuple(range(CLASSES))
) -> None:
    """Writes all registers of classes at random."""
    for cls in classes:
        tolerance = Tolerance(int(rng.choice([0, 1, 655, 65535])), int(rng.integers(2)))
        program.configure(cls, random_band(rng), random_rules(rng), random_limits(rng), tolerance)


def random_slot(rng: np.random.Generator, steps: int) -> Slot:
    """A slot of the schedule that acts within `steps` steps."""
    return Slot(int(rng.integers(0, steps)), int(rng.integers(16)), int(rng.random() < 0.8), *random_bounds(rng))


def random_query(rng: np.random.Generator, layers: int) -> Query:
    """A legal query."""
    refs = [(int(rng.integers(layers)), int(rng.integers(CLASSES))) for _ in range(3)]
    return Query(*refs, int(rng.integers(1, 1 << int(rng.integers(1, 17)))))


def illegal_words(layout: str) -> list[int]:
    """Words that a register refuses, each for one reason: a field outside its bounds, an unused bit, fields that do not
    go together. Built from a legal word."""
    fields = LAYOUTS[layout]
    base = {field.name: field.reset for field in fields.fields}
    used = 0
    words: list[int] = []
    for field in fields.fields:
        used |= ((1 << field.width) - 1) << field.low
        if field.bounds is not None:
            low, high = field.bounds
            for value in (low - 1, high + 1):
                if field.span[0] <= value <= field.span[1]:
                    words.append(fields.pack(base | {field.name: value}))
    words += [fields.pack(base) | 1 << bit for bit in range(32) if not used >> bit & 1]
    pairs = {
        "BAND": ({"low": 0, "high": SLICE}, {"low": 5, "high": -5}, {"low": -(1 << 15), "high": SLICE - (1 << 15)}),
        "LIMITS": ({"n_min": 3, "n_max": 2}, {"fl_min": 1, "fl_max": 0}),
        "SCHEDULE_WHAT": ({"n_min": 4, "n_max": 3},),
    }
    words += [fields.pack(base | change) for change in pairs.get(layout, ())]
    return words


def legal_words(layout: str) -> list[int]:
    """Words at the bounds of every field."""
    fields = LAYOUTS[layout]
    base = {field.name: field.reset for field in fields.fields}
    words = [fields.pack(base)]
    for field in fields.fields:
        words += [fields.pack(base | {field.name: value}) for value in field.bounds or field.span]
    words += {
        "BAND": [fields.pack({"low": 0, "high": SLICE + 1}), fields.pack({"low": -(1 << 15), "high": (1 << 15) - 1})],
        "SCHEDULE_WHEN": [fields.pack({"from_step": MAX_STEP, "classes": 15, "enable": 1})],
    }.get(layout, [])
    return [word for word in dict.fromkeys(words) if fields.legal(word)]
