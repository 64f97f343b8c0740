"""The same bits on every machine: a training of two epochs under other settings of NumPy and its BLAS.

Each setting makes them take the code that another processor would: NPY_DISABLE_CPU_FEATURES (AVX2 and AVX-512 off),
OPENBLAS_CORETYPE (kernels of an old processor), OPENBLAS_NUM_THREADS. A child, as all of them act when NumPy is loaded.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.common.floats import FINGERPRINT

ROOT = Path(__file__).resolve().parents[1]
# Of every operand of two epochs, seed 1 (studies.digest); also seen with Python 3.12 and 3.13.
EXPECTED = {
    "mlp": "8e4e4676fde046a46a877c957b8a148c5d7c77db538bc2e4ebf9c20ddf4cfce7",
    "cnn": "f64ffd757cf9e196ce259261c6fb9d1f0048a6017f557ea23cd351d2faf7e900",
}
OLD = {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"}
NEW = {"OPENBLAS_NUM_THREADS": "2"}


SHOW = "import numpy; print(*numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', []))"


@functools.cache
def _features() -> str:
    """All that NumPy can be told not to use on this machine, whatever this process was told."""
    return _child(["-c", SHOW], NPY_DISABLE_CPU_FEATURES="")


def _child(arguments: list[str], **variables: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NPY_", "OPENBLAS_"))} | variables
    if "NPY_DISABLE_CPU_FEATURES" not in env:
        env["NPY_DISABLE_CPU_FEATURES"] = _features()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, encoding="utf-8", timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("net", "settings"), [("mlp", OLD), ("cnn", NEW)], ids=["mlp", "cnn"])
def test_a_training_without_features(net: str, settings: dict[str, str]) -> None:
    assert _child(["-m", "studies.digest", net, "2"], **settings) == EXPECTED[net]


def test_a_training_as_this_machine_is() -> None:
    assert _child(["-m", "studies.digest", "mlp", "2"], NPY_DISABLE_CPU_FEATURES="") == EXPECTED["mlp"]


def test_fingerprint_without_features() -> None:
    code = "from models.common import floats; print(floats.fingerprint())"
    assert _child(["-c", code], **OLD) == FINGERPRINT


def test_features_are_really_off() -> None:
    """Otherwise the tests above would compare a machine with itself."""
    assert _child(["-c", SHOW]) == ""
