"""Random waveforms that every block's tests use: consumers that are not always ready, sources with idle cycles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.common import floats


def ready_wave(rng: np.random.Generator, style: str, cycles: int) -> npt.NDArray[np.int64]:
    """(cycles ready, cycles not ready) pairs of about `cycles` cycles: none, rare, frequent, long or starved."""
    mean_on, mean_off = {"none": (1, 0), "rare": (40, 2), "frequent": (3, 3), "long": (300, 900), "starved": (1, 12)}[
        style
    ]
    if style == "none":
        return np.zeros((0, 2), np.int64)
    count = max(1, cycles // (mean_on + mean_off))
    return np.stack(
        [floats.geometric(rng, 1 / mean_on, count), floats.geometric(rng, 1 / mean_off, count)], axis=1
    ).clip(1, 5000)


def gaps(rng: np.random.Generator, style: str, count: int) -> npt.NDArray[np.int64]:
    """Idle cycles before each of `count` beats: none, rare, frequent or long."""
    share, mean = {"none": (0.0, 1), "rare": (0.05, 4), "frequent": (0.5, 2), "long": (0.02, 150)}[style]
    return np.where(rng.random(count) < share, floats.geometric(rng, 1 / mean, count), 0)
