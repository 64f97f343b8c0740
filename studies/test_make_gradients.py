"""Recording gradients: layout, and the recorded rows against a network's own steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from host.digits import Digits
from studies import make_gradients


def _synthetic(seed: int) -> Digits:
    rng = np.random.default_rng(seed)
    pixels = rng.random((130, 64))
    return Digits(pixels, rng.integers(0, 10, 130), pixels[:10], rng.integers(0, 10, 10))


def test_rows_are_gradients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_gradients, "load_digits", _synthetic)
    seen: list[np.ndarray] = []
    step = make_gradients.Adam.update

    def spy(self, grad_w, grad_b):
        seen.append(np.concatenate([each.ravel() for each in (*grad_w, *grad_b)]))
        step(self, grad_w, grad_b)

    monkeypatch.setattr(make_gradients.Adam, "update", spy)
    out = tmp_path / "new" / "g.npz"
    done = CliRunner().invoke(make_gradients.main, ["--out", str(out), "--epochs", "2", "--keep", "300"])
    assert done.exit_code == 0, done.output
    with np.load(out) as data:
        assert data["g"].shape == (4, 300)
        assert data["w0"].shape == data["tensor"].shape == (300,)
        assert set(data["tensor"].tolist()) >= {0, 1, 2}
        assert all(np.isin(row, whole).all() for row, whole in zip(data["g"], seen, strict=True))
        assert (data["w0"][data["tensor"] > 2] == 0).all()


def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_gradients, "load_digits", _synthetic)
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = CliRunner().invoke(make_gradients.main, ["--out", str(tmp_path / "file" / "g.npz"), "--epochs", "1"])
    assert done.exit_code == 1
    assert done.output.splitlines()[-1].startswith("Error: cannot write")
