"""Data to train with: layouts, IDX files, splits, and a line for each mistake."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from host import data
from host.data import DataError, load_data, read_idx
from host.network import Conv, Dense, Network, ReLU

NET = Network((4, 4, 2), [Conv(2), ReLU(), Dense(3)], batch=4)
FLAT = Network((6,), [Dense(3)], batch=4)
RNG = np.random.default_rng(2)
GOOD = {
    "x_train": RNG.integers(0, 256, (10, 4, 4, 2), np.uint8), "y_train": np.arange(10) % 3,
    "x_test": RNG.integers(0, 256, (5, 4, 4, 2), np.uint8), "y_test": np.arange(5) % 3,
}  # fmt: skip


def _idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def _save(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_arrays(tmp_path: Path) -> None:
    got = load_data(_save(tmp_path / "a.npz", **GOOD), NET, 1)
    assert got.train_pixels.shape == (10, 32)
    assert got.test_pixels.shape == (5, 32)
    assert np.array_equal(got.train_pixels, GOOD["x_train"].reshape(10, -1).astype(np.float32) / np.float32(255))
    few = load_data(str(tmp_path / "a.npz"), NET, 1, (8,))
    assert (len(few.train_labels), len(few.test_labels)) == (8, 2)
    few = load_data(str(tmp_path / "a.npz"), NET, 1, (8, 3))
    assert np.array_equal(few.test_labels, GOOD["y_test"][:3])


def test_without_test_images_the_seed_picks_a_fifth(tmp_path: Path) -> None:
    x = np.arange(60, dtype=np.float64).reshape(10, 6)
    path = _save(tmp_path / "a.npz", x_train=x, y_train=np.arange(10) % 3)
    got, again, other = (load_data(path, FLAT, seed) for seed in (1, 1, 2))
    assert (len(got.train_labels), len(got.test_labels)) == (8, 2)
    assert np.array_equal(np.sort(np.concatenate([got.train_pixels, got.test_pixels])[:, 0]), x[:, 0])
    assert np.array_equal(got.test_pixels, again.test_pixels)
    assert not np.array_equal(got.test_pixels, other.test_pixels)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files(tmp_path: Path, packed: bool) -> None:
    images = {name: array[..., 0] for name, array in GOOD.items() if name.startswith("x")}
    for name, stem in data.IDX_FILES.items():
        content = _idx(images.get(name, GOOD[name]).astype(np.uint8))
        path = tmp_path / (f"{stem}.gz" if packed else stem)
        path.write_bytes(gzip.compress(content) if packed else content)
    got = load_data(str(tmp_path), Network((4, 4, 1), [Dense(3)], batch=4), 1)
    assert np.array_equal(got.train_pixels * 255, images["x_train"].reshape(10, 16))
    assert np.array_equal(got.test_labels, GOOD["y_test"])
    assert len(data.files_of(str(tmp_path))) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no IDX file of unsigned bytes"),
        (b"\0\0\x0d\1\0\0\0\1\0\0\0\0", "no IDX file of unsigned bytes"),
        (_idx(np.zeros((2, 3), np.uint8))[:-1], "5 bytes of data, and its head says 2 x 3"),
        (gzip.compress(b"hello")[:-6], "a.idx: "),
    ],
)
def test_idx_files_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.idx").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "a.idx")


NAN = np.where(np.arange(10)[:, None, None, None] == 3, np.nan, np.ones((10, 4, 4, 2)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": NAN}, "x_train holds 32 values that are NaN or infinite"),
        ({"x_train": -GOOD["x_train"].astype(float)}, "inputs are unsigned; shift them to 0 and above"),
        ({"x_train": GOOD["x_train"].astype(complex)}, "elements of type complex128"),
        ({"x_train": GOOD["x_train"][0, 0, 0]}, r"x_train has shape \(2,\)"),
        ({"x_train": GOOD["x_train"][:3], "y_train": GOOD["y_train"][:3]}, "3 training images, and a batch takes 4"),
        ({"x_train": GOOD["x_train"][:9]}, "x_train has 9 images, y_train 10 labels"),
        (
            {"x_train": GOOD["x_train"].transpose(0, 3, 1, 2)},
            "training images of 2 x 4 x 4, and the network takes 4 x 4 x 2",
        ),
        ({"x_test": GOOD["x_test"][:, :3]}, r"test images of 3 x 4 x 2.*\(rows x columns x channels\)"),
        ({"y_train": GOOD["y_train"] + 1}, "labels 1 to 3, and the network has 3 outputs, for 0 to 2"),
        ({"y_train": GOOD["y_train"] * 1.0}, "y_train is float64 of shape"),
        ({"y_train": None}, "no array y_train; it holds x_test, x_train, y_test"),
        ({"y_test": None}, "x_test and y_test come together or not at all"),
    ],
)
def test_arrays_that_do_not_do(tmp_path: Path, changes: dict[str, np.ndarray | None], message: str) -> None:
    arrays = {name: array for name, array in {**GOOD, **changes}.items() if array is not None}
    with pytest.raises(DataError, match=message) as caught:
        load_data(_save(tmp_path / "a.npz", **arrays), NET, 1)
    assert "\n" not in str(caught.value)


def test_places_without_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK")
    monkeypatch.setattr(data, "FASHION", tmp_path / "none")
    for what, message in (
        ("", "this network names no data: give DATA="),
        ("fashion-mnist", "apt install dataset-fashion-mnist"),
        (str(tmp_path), "no train-images-idx3-ubyte"),
        (str(tmp_path / "a.csv"), "choose digits, fashion-mnist, a folder"),
        (str(tmp_path / "b.npz"), "no such file"),
        (str(tmp_path / "a.npz"), "a.npz: "),
    ):
        with pytest.raises(DataError, match=message):
            load_data(what, NET, 1)
    with pytest.raises(DataError, match="digits has 1437 training images, not 2000"):
        load_data("digits", Network((64,), [Dense(10)]), 1, (2000,))


def test_fashion_mnist() -> None:
    network = Network((28, 28, 1), [Dense(10)])
    if not data.FASHION.is_dir():  # a line that says how to get it, then
        with pytest.raises(DataError, match="apt install"):
            load_data("fashion-mnist", network, 1)
        return
    got = load_data("fashion-mnist", network, 1, (640, 100))
    assert got.train_pixels.shape == (640, 784)
    assert got.train_pixels.max() == 1
    assert set(got.test_labels.tolist()) == set(range(10))
