"""Register settings of LAPS, found by trainings of the digits networks (docs/laps/README.md, "Closed loop").

Bands are in 1/256 of log2 LSBs, the signal being the mean magnitude of *all* values. At two slices it lies at 5.2 for
the pixels, at 2.3 to 4.5 for other activations, at 3.4 to 5.6 for weights, at one slice by 4 lower: the pixels go to
one slice, other activations stay at two. Weights start at one, and a layer gets a second slice when its signal falls
below 1. Errors thin out in training (at one slice from -1 to -7.5): the low end of their band only catches a tensor
that all but vanishes. Fraction lengths start so that little saturates: going down takes one update, going up `hold` for
each bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from host.closed_loop import ClassSettings, Settings
from models.laps.config import RESET_BANDS, Band, Entry, TensorClass

SETTINGS = Settings(
    {
        TensorClass.ACTIVATION: ClassSettings(RESET_BANDS[TensorClass.ACTIVATION], n=2, fl=6),
        TensorClass.WEIGHT: ClassSettings(Band(256, 2048), n=1, fl=None),
        TensorClass.ERROR: ClassSettings(RESET_BANDS[TensorClass.ERROR], n=1, fl=3),
        TensorClass.GRADIENT: ClassSettings(n=4, fl=11, pin_n=True),
    },
    pixels=Entry(n=1, fl=3, is_unsigned=True),
)


def changed(cls: TensorClass, settings: Settings = SETTINGS, **changes: Any) -> Settings:
    """`settings` with other registers of one class."""
    return replace(settings, classes={**settings.classes, cls: replace(settings.classes[cls], **changes)})


# For networks to which errors of 4 bits, and to deep ones orders left out, cost accuracy (docs/laps/study.md, "Larger
# networks").
EIGHT_BIT_ERRORS = changed(TensorClass.ERROR, n=2, fl=7, pin_n=True)
FINE_ERRORS = replace(EIGHT_BIT_ERRORS, most=0)
