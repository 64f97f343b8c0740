"""The tensor maker without scikit-learn, and the sets that are shipped."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from host.digits import Digits, DigitsError, load_digits
from models.common.slices import split
from models.common.tensors import GemmTensors, load_set
from studies import make_tensors
from studies.make_tensors import count_issues, main, slice_density

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "digits"
SHAPES = {
    "fp1": (64, 64, 64),
    "fp2": (64, 64, 32),
    "fp3": (64, 32, 10),
    "bp2": (64, 32, 64),
    "bp3": (64, 10, 32),
    "wg1": (64, 64, 64),
    "wg2": (32, 64, 64),
    "wg3": (10, 64, 32),
}


# --------------------------------------------------------------------------------------------------------- shipped sets


@pytest.fixture(scope="module", params=["early", "late"])
def shipped(request: pytest.FixtureRequest) -> dict[str, GemmTensors]:
    return {g.name: g for g in load_set(SHIPPED / f"{request.param}.npz")}


def test_shipped_sets_are_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.npz")) < 200_000


def test_shipped_shapes_and_formats(shipped: dict[str, GemmTensors]) -> None:
    assert {name: g.shape for name, g in shipped.items()} == SHAPES
    assert list(shipped) == list(SHAPES)
    for name, g in shipped.items():
        assert g.x.dtype == g.w.dtype == np.int32
        assert (g.x_bits, g.w_bits) == (8, 8)
        assert (g.x_unsigned, g.w_unsigned) == {"fp": (True, False), "bp": (False, False), "wg": (False, True)}[
            name[:2]
        ]
        assert (g.mask is not None) == name.startswith("bp")
        for q, unsigned in ((g.x, g.x_unsigned), (g.w, g.w_unsigned)):
            low, high = (0, 255) if unsigned else (-128, 127)
            assert low <= q.min() <= q.max() <= high
            # The dynamic rule leaves no headroom; pixels have one fraction length for the whole run.
            assert np.abs(q).max() >= (128 if unsigned else 64)
            assert 0.01 < np.mean(q != 0) <= 1


def test_shipped_operands_are_shared_between_phases(shipped: dict[str, GemmTensors]) -> None:
    for layer in (1, 2, 3):
        fp, wg = shipped[f"fp{layer}"], shipped[f"wg{layer}"]
        assert np.array_equal(fp.x, wg.w)
        assert fp.x_fl == wg.w_fl
        if layer > 1:
            bp = shipped[f"bp{layer}"]
            assert np.array_equal(bp.w, fp.w.T)
            assert np.array_equal(bp.x, wg.x.T)
            assert (bp.w_fl, bp.x_fl) == (fp.w_fl, wg.x_fl)


def test_shipped_mask_is_the_relu(shipped: dict[str, GemmTensors]) -> None:
    for layer in (2, 3):
        mask = shipped[f"bp{layer}"].mask
        assert mask is not None
        activation = shipped[f"fp{layer}"].x
        assert not activation[mask].any()
        # A positive sum may still round to zero, but rarely.
        assert np.mean((activation == 0) & ~mask) < 0.02


def test_shipped_errors_follow_from_the_products(shipped: dict[str, GemmTensors]) -> None:
    """dY of the layer below is the masked product of bp, rounded either way."""
    for layer in (2, 3):
        bp, below = shipped[f"bp{layer}"], shipped[f"wg{layer - 1}"]
        exact = np.ldexp(bp.product().astype(np.float64), below.x_fl - bp.x_fl - bp.w_fl)
        assert np.abs(exact - below.x.T).max() < 1


def test_shipped_activations_follow_from_the_products(shipped: dict[str, GemmTensors]) -> None:
    """What the layer above reads, less the product, is a bias: one number a column, wherever the ReLU is open."""
    for layer in (1, 2):
        fp, above = shipped[f"fp{layer}"], shipped[f"fp{layer + 1}"]
        exact = np.ldexp(fp.product().astype(np.float64), above.x_fl - fp.x_fl - fp.w_fl)
        for column in range(above.x.shape[1]):
            open_rows = above.x[:, column] > 0
            if open_rows.any():
                bias = (above.x - exact)[open_rows, column]
                assert np.ptp(bias) <= 1 + 1e-9
                assert (exact[~open_rows, column] + bias.mean()).max(initial=-1.0) <= 1.5


def test_early_and_late_differ() -> None:
    early, late = ({g.name: g for g in load_set(SHIPPED / f"{name}.npz")} for name in ("early", "late"))
    assert not np.array_equal(early["fp2"].w, late["fp2"].w)
    errors = [np.mean(split(s["wg1"].x, 2)[1] != 0) for s in (early, late)]
    assert errors[1] < errors[0] / 2  # a trained network has few errors left


# ------------------------------------------------------------------------------------------------------------- counting


def _count_one_by_one(g: GemmTensors, lanes: int) -> int:
    x, w = split(g.x, g.x_bits // 4)[1], split(g.w, g.w_bits // 4)[1]
    m, k, n = g.shape
    total = 0
    for start in range(0, n, lanes):
        for job in range(m):
            live = [c for c in range(start, min(n, start + lanes)) if g.mask is None or not g.mask[job, c]]
            for element in range(k):
                for i in range(x.shape[-1]):
                    for j in range(w.shape[-1]):
                        total += bool(x[job, element, i] and any(w[element, c, j] for c in live))
    return total


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("lanes", [1, 3, 16])
def test_count_issues_equals_counting_one_by_one(masked: bool, lanes: int) -> None:
    rng = np.random.default_rng([lanes, masked])
    x = rng.integers(-128, 128, (5, 6)) * (rng.random((5, 6)) < 0.5)
    w = rng.integers(0, 4096, (6, 7)) * (rng.random((6, 7)) < 0.3)
    mask = rng.random((5, 7)) < 0.6 if masked else None
    g = GemmTensors("a", x, w, 8, 12, False, True, 0, 0, mask)
    count = count_issues(g, lanes)
    tiles = -(-7 // lanes)
    assert count.issues == _count_one_by_one(g, lanes)
    assert (count.dense, count.dense16) == (5 * 6 * tiles * 6, 5 * 6 * tiles * 16)


def test_count_issues_corners() -> None:
    zero = np.zeros((2, 2), np.int64)
    assert count_issues(GemmTensors("a", zero, zero, 8, 8, False, False, 0, 0)).speedup == float("inf")
    full = GemmTensors("a", zero + 17, zero + 17, 8, 8, False, False, 0, 0)
    assert count_issues(full).speedup == 4
    closed = GemmTensors("a", zero + 17, zero + 17, 8, 8, False, False, 0, 0, np.ones((2, 2), bool))
    assert count_issues(closed).issues == 0
    with pytest.raises(ValueError, match="lane"):
        count_issues(full, 0)


def test_slice_density() -> None:
    assert slice_density(np.array([[1, -16], [17, 0]]), 8) == (0.5, 0.5)


# -------------------------------------------------------------------------------------------------------------- program


def _synthetic(seed: int) -> Digits:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 17, (100, 64)) / 16
    return Digits(pixels, rng.integers(0, 10, 100), pixels[:10], rng.integers(0, 10, 10))


def test_program_writes_both_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_tensors, "load_digits", _synthetic)
    result = CliRunner().invoke(main, ["--out", str(tmp_path / "new"), "--epochs", "2", "--batch", "16"])
    assert result.exit_code == 0, result.output
    assert "accuracy" in result.output
    assert "float32" in result.output
    for name in ("early", "late"):
        gemms = load_set(tmp_path / "new" / f"{name}.npz")
        assert [g.name for g in gemms] == list(SHAPES)
        assert gemms[0].shape == (16, 64, 64)


def test_program_says_where_it_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_tensors, "load_digits", _synthetic)
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = CliRunner().invoke(main, ["--out", str(tmp_path / "file" / "sub"), "--epochs", "1", "--batch", "16"])
    assert result.exit_code == 1
    assert result.output.strip().splitlines()[-1].startswith("Error: ")


def test_without_scikit_learn_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DigitsError, match="through make") as caught:
        load_digits(1)
    assert "\n" not in str(caught.value)
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 1
    assert result.output.startswith("Error: scikit-learn, which ships the digits, is not installed")


def test_digits_split(monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in of the same shape: the split is ours, the images are not.
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 17, (1797, 64)).astype(float), rng.integers(0, 10, 1797)
    module = types.ModuleType("sklearn.datasets")
    module.load_digits = lambda return_X_y=False: (  # type: ignore[attr-defined]
        (images, labels) if return_X_y else types.SimpleNamespace(data=images, target=labels)
    )
    monkeypatch.setitem(sys.modules, "sklearn", types.ModuleType("sklearn"))
    monkeypatch.setitem(sys.modules, "sklearn.datasets", module)
    data = load_digits(1)
    assert data.train_pixels.shape == (1437, 64)
    assert data.test_pixels.shape == (360, 64)
    assert data.train_pixels.min() == 0
    assert data.train_pixels.max() == 1
    assert not np.array_equal(data.train_labels, load_digits(2).train_labels)
