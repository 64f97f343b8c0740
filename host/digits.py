"""The digits data: 1797 images of 8 x 8 pixels (0 .. 16) in 10 classes, as scikit-learn ships them, scaled to 0 .. 1
and split.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
scikit-learn is imported here and nowhere else. Errors: `DigitsError`, one line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PIXEL_MAX = 16
TEST_IMAGES = 360


class DigitsError(RuntimeError):
    """The data cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Digits:
    """pixels: float64 (images x 64) in 0 .. 1; labels: int64 (images), 0 .. 9."""

    train_pixels: npt.NDArray[np.float64]
    train_labels: npt.NDArray[np.int64]
    test_pixels: npt.NDArray[np.float64]
    test_labels: npt.NDArray[np.int64]


def load_digits(seed: int) -> Digits:
    """1437 training and 360 test images, split by a permutation that `seed` picks. DigitsError without scikit-learn."""
    try:
        from sklearn.datasets import load_digits as load
    except ImportError:
        raise DigitsError(
            "scikit-learn, which ships the digits, is not installed: run the command through make, which sets up .venv"
        ) from None
    bunch = load()
    pixels = np.asarray(bunch.data, np.float64) / PIXEL_MAX
    labels = np.asarray(bunch.target, np.int64)
    order = np.random.default_rng([seed, 3]).permutation(len(labels))
    test, train = order[:TEST_IMAGES], order[TEST_IMAGES:]
    return Digits(pixels[train], labels[train], pixels[test], labels[test])
