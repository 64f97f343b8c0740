"""Images or features to train with: the digits, Fashion-MNIST, IDX files, and a user's arrays (.npz).

A .npz holds, channels last:

======= ============================================================================ ==============================
x_train (images, features), (images, rows, columns) or (images, rows, columns,       uint8, divided by 255, or floats
        channels)                                                                    >= 0 and finite, taken as they are
y_train (images,)                                                                    whole numbers, 0 .. classes - 1
x_test, the same; without them a fifth of the training images, which the seed picks
y_test
======= ============================================================================ ==============================

A folder holds the four files of MNIST and its kin (train-images-idx3-ubyte, ...), compressed by gzip or not.
Errors: `DataError`, one line.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from host import digits
from host.digits import Digits
from host.network import Network
from models.common.files import FileError, read_npz

FASHION = Path("/usr/share/datasets/fashion-mnist")
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
IDX_BYTES = 8  # type of the elements in an IDX file: unsigned bytes
Images = Sequence[int]
Arrays = dict[str, npt.NDArray[np.generic]]


class DataError(ValueError):
    """Data that cannot be used; the message is one line."""


def load_data(what: str, network: Network, seed: int, images: Images | None = None) -> Digits:
    """Data for a network.

    Args:
        what: "digits", "fashion-mnist", a folder of IDX files, or a .npz.
        network: what it must fit.
        seed: splits data that has no test images.
        images: how many training and test images are taken, the first ones; None: all. Without a number of test
            images, a quarter of that of training images, or all.
    """
    if not what:
        raise DataError("this network names no data: give DATA=digits, fashion-mnist, a folder of IDX files or a .npz")
    if what == "digits":
        data = digits.load_digits(seed)
    else:
        data = _split(_arrays(what), what, seed)
    if images is not None:
        train = images[0]
        test = images[1] if len(images) > 1 else min(len(data.test_labels), max(1, train // 4))
        for name, wanted, there in (("training", train, len(data.train_labels)), ("test", test, len(data.test_labels))):
            if wanted > there:
                raise DataError(f"{what} has {there} {name} images, not {wanted}")
        data = Digits(
            data.train_pixels[:train], data.train_labels[:train], data.test_pixels[:test], data.test_labels[:test]
        )
    return _fitting(data, what, network)


def files_of(what: str) -> list[Path]:
    """Files that data comes from; none for the digits."""
    if what in ("", "digits"):
        return []
    path = FASHION if what == "fashion-mnist" else Path(what)
    return sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]


def _arrays(what: str) -> Arrays:
    if what == "fashion-mnist":
        if not FASHION.is_dir():
            raise DataError(
                "fashion-mnist is not installed: apt install dataset-fashion-mnist (Debian), or give DATA= a folder "
                "with its IDX files"
            )
        return _idx_folder(FASHION)
    path = Path(what)
    if path.is_dir():
        return _idx_folder(path)
    if path.suffix != ".npz":
        raise DataError(f"DATA={what}: choose digits, fashion-mnist, a folder of IDX files or a .npz")
    try:
        return read_npz(path)
    except FileError as error:
        raise DataError(str(error)) from None


def _idx_folder(folder: Path) -> Arrays:
    out: Arrays = {}
    for name, stem in IDX_FILES.items():
        found = next((path for path in (folder / stem, folder / f"{stem}.gz") if path.is_file()), None)
        if found is not None:
            out[name] = read_idx(found)
        elif name.endswith("train"):
            raise DataError(f"{folder}: no {stem} or {stem}.gz")
    return out


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An IDX file of unsigned bytes, compressed by gzip or not. Raises `DataError`."""
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != IDX_BYTES or not 1 <= data[3] <= 4:
        raise DataError(f"{path}: no IDX file of unsigned bytes")
    head = 4 + 4 * data[3]
    shape = tuple(np.frombuffer(data[4:head], ">u4").tolist())
    if len(data) - head != int(np.prod(shape)):
        raise DataError(f"{path}: {len(data) - head} bytes of data, and its head says {' x '.join(map(str, shape))}")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _split(arrays: Arrays, what: str, seed: int) -> Digits:
    for name in ("x_train", "y_train"):
        if name not in arrays:
            raise DataError(f"{what}: no array {name}; it holds {', '.join(sorted(arrays)) or 'nothing'}")
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise DataError(f"{what}: x_test and y_test come together or not at all")
    train = _values(arrays["x_train"], f"{what}: x_train"), _labels(arrays["y_train"], f"{what}: y_train")
    _match(*train, what, "train")
    if "x_test" in arrays:
        test = _values(arrays["x_test"], f"{what}: x_test"), _labels(arrays["y_test"], f"{what}: y_test")
        _match(*test, what, "test")
        return Digits(*train, *test)
    order = np.random.default_rng([seed, 3]).permutation(len(train[1]))
    rest, mine = order[: len(order) // 5], order[len(order) // 5 :]
    return Digits(train[0][mine], train[1][mine], train[0][rest], train[1][rest])


def _values(x: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.float32]:
    if x.ndim not in (2, 3, 4):
        raise DataError(f"{what} has shape {x.shape}: it is (images, features) or (images, rows, columns[, channels])")
    if x.dtype == np.uint8:
        values = x.astype(np.float32)
        values /= np.float32(255)
        return values
    if x.dtype.kind not in "fiu":
        raise DataError(f"{what} has elements of type {x.dtype}: take uint8 or floats")
    values = x.astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{what} holds {int((~np.isfinite(values)).sum())} values that are NaN or infinite")
    if values.min(initial=0) < 0:
        raise DataError(f"{what} holds values down to {values.min():g}: inputs are unsigned; shift them to 0 and above")
    return values


def _labels(y: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.int64]:
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(f"{what} is {y.dtype} of shape {y.shape}: it is whole numbers, one an image")
    return y.astype(np.int64)


def _match(x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], what: str, which: str) -> None:
    if len(x) != len(y):
        raise DataError(f"{what}: x_{which} has {len(x)} images, y_{which} {len(y)} labels")


def _fitting(data: Digits, what: str, network: Network) -> Digits:
    """The same, an image a row, after checks."""
    for name, x, y in (
        ("training", data.train_pixels, data.train_labels),
        ("test", data.test_pixels, data.test_labels),
    ):
        least = network.batch if name == "training" else 1
        if len(y) < least:
            raise DataError(f"{what}: {len(y)} {name} images, and a {'batch' if least > 1 else 'test'} takes {least}")
        given, wanted = x.shape[1:], network.inputs
        if int(np.prod(given)) != int(np.prod(wanted)) or (len(given) == 3 and len(wanted) == 3 and given != wanted):
            raise DataError(
                f"{what}: {name} images of {_shown(given)}, and the network takes {_shown(wanted)}"
                + (" (rows x columns x channels)" if len(wanted) == 3 else "")
            )
        if y.min() < 0 or y.max() >= network.classes:
            raise DataError(
                f"{what}: labels {y.min()} to {y.max()}, and the network has {network.classes} outputs, for 0 to "
                f"{network.classes - 1}"
            )
    train, test = (x.reshape(len(x), -1) for x in (data.train_pixels, data.test_pixels))
    return Digits(train, data.train_labels, test, data.test_labels)


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
