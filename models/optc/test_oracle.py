"""The float64 oracles against PyTorch's optimisers (data/optc/torch_vectors.npz), which nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from models.optc.oracle import adam, momentum
from studies.make_torch_vectors import CASES, stream
from tb.lib.paths import ROOT


@pytest.fixture(scope="module")
def vectors() -> Iterator[np.lib.npyio.NpzFile]:
    with np.load(ROOT / "data" / "optc" / "torch_vectors.npz") as data:
        yield data


def _oracle(case: str, g: np.ndarray, w0: np.ndarray) -> np.ndarray:
    name, arguments = CASES[case]
    if name == "SGD":
        return momentum(g, w0, arguments["lr"], arguments["momentum"])[0]
    beta1, beta2 = arguments["betas"]
    return adam(g, w0, arguments["lr"], beta1, beta2, arguments["eps"], arguments.get("weight_decay", 0.0))[0]


@pytest.mark.parametrize("case", CASES)
def test_oracle_equals_pytorch(case, vectors):
    """Both decays are the decoupled one of the old weight; PyTorch multiplies first, so only roundings differ."""
    got = _oracle(case, vectors["g"], vectors["w0"])
    np.testing.assert_allclose(got, vectors[case], rtol=1e-12, atol=0)


def test_another_rule_would_show(vectors):
    """What is told apart: decay that is coupled to the gradient, and another eps."""
    g, w0, want = vectors["g"], vectors["w0"], vectors["adamw"]
    coupled = adam(g + 0.1 * w0, w0, 1e-2, 0.9, 0.999, 1e-8)[0]
    assert np.abs(coupled - want).max() > 1e-3
    assert np.abs(adam(g, w0, 1e-2, 0.9, 0.999, 1e-7, 0.1)[0] - want).max() > 1e-6


def test_the_stream_is_the_recorded_one(vectors):
    g, w0 = stream()
    assert np.array_equal(g, vectors["g"])
    assert np.array_equal(w0, vectors["w0"])
    assert str(vectors["version"]).startswith("2.13.0")
