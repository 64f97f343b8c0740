"""Tensor sets and users' matrices: what is accepted, and one clear line for everything else."""

from __future__ import annotations

import contextlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.common.tensors import GemmTensors, TensorError, load_matrix, load_set, save_set


def _gemm(name: str = "fp1", mask: bool = False) -> GemmTensors:
    rng = np.random.default_rng(1)
    x, w = rng.integers(0, 256, (3, 5)), rng.integers(-128, 128, (5, 4))
    return GemmTensors(name, x, w, 8, 8, True, False, 7, -3, rng.random((3, 4)) < 0.5 if mask else None)


def _same(a: GemmTensors, b: GemmTensors) -> bool:
    fields = ("name", "x_bits", "w_bits", "x_unsigned", "w_unsigned", "x_fl", "w_fl")
    masks = (a.mask is None and b.mask is None) or (
        a.mask is not None and b.mask is not None and np.array_equal(a.mask, b.mask)
    )
    arrays = np.array_equal(a.x, b.x) and np.array_equal(a.w, b.w) and a.x.dtype == b.x.dtype == np.int32
    return masks and arrays and all(getattr(a, f) == getattr(b, f) for f in fields)


def _one_line_error(call: Callable[[], object]) -> str:
    with pytest.raises(TensorError) as caught:
        call()
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


# ----------------------------------------------------------------------------------------------------------------- sets


def test_set_round_trip_keeps_everything(tmp_path: Path) -> None:
    wide = GemmTensors("w16", [[65535, 0]], [[-32768], [32767]], 16, 16, True, False, 0, 15)  # type: ignore[arg-type]
    gemms = [_gemm("wg3"), _gemm("bp2", mask=True), wide]
    save_set(tmp_path / "a.npz", gemms)
    back = load_set(tmp_path / "a.npz")
    assert [g.name for g in back] == ["wg3", "bp2", "w16"]
    assert all(_same(a, b) for a, b in zip(gemms, back, strict=True))


def test_same_gemms_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_set(tmp_path / name, [_gemm(mask=True)])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_product_is_exact_and_masked() -> None:
    g = _gemm(mask=True)
    assert g.mask is not None
    exact = [[sum(int(a) * int(b) for a, b in zip(row, col, strict=True)) for col in g.w.T] for row in g.x]
    assert np.array_equal(g.product(), np.where(g.mask, 0, exact))
    assert g.shape == (3, 5, 4)


def test_operands_cannot_be_changed_behind_the_check() -> None:
    g = _gemm()
    with pytest.raises(ValueError, match="read-only"):
        g.x[0, 0] = 1000


def test_gemm_refuses_what_does_not_fit_together() -> None:
    x, w = np.zeros((2, 3), np.int64), np.zeros((3, 4), np.int64)
    assert "multiplied" in _one_line_error(lambda: GemmTensors("a", x, w.T, 8, 8, False, False, 0, 0))
    assert "bits" in _one_line_error(lambda: GemmTensors("a", x, w, 10, 8, False, False, 0, 0))
    assert "mask" in _one_line_error(lambda: GemmTensors("a", x, w, 8, 8, False, False, 0, 0, np.zeros((4, 2), bool)))
    assert "mask" in _one_line_error(
        lambda: GemmTensors("a", x, w, 8, 8, False, False, 0, 0, np.zeros((2, 4), np.int8))  # type: ignore[arg-type]
    )
    assert "-1 at [0, 0]" in _one_line_error(lambda: GemmTensors("a", x - 1, w, 8, 8, True, False, 0, 0))
    assert "name" in _one_line_error(lambda: GemmTensors("a.b", x, w, 8, 8, False, False, 0, 0))


def test_save_set_refuses_doubles_and_bad_places(tmp_path: Path) -> None:
    assert "once" in _one_line_error(lambda: save_set(tmp_path / "a.npz", [_gemm(), _gemm()]))
    assert "at least one" in _one_line_error(lambda: save_set(tmp_path / "a.npz", []))
    assert "written" in _one_line_error(lambda: save_set(tmp_path / "none" / "a.npz", [_gemm()]))


def test_load_set_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    assert "no such file" in _one_line_error(lambda: load_set(path))
    assert "cannot be read" in _one_line_error(lambda: load_set(tmp_path))
    path.write_bytes(b"hello")
    assert "not a .npz" in _one_line_error(lambda: load_set(path))
    np.savez(path, x=np.zeros(3))
    assert "not a set" in _one_line_error(lambda: load_set(path))
    np.savez(path, format=np.array(99), names=np.array(["a"]))
    assert "format 99" in _one_line_error(lambda: load_set(path))
    np.savez(path, format=np.array(1), names=np.array(["a"]))
    assert "'a.x' is missing" in _one_line_error(lambda: load_set(path))
    zero = np.zeros((2, 2), np.int8)
    np.savez(path, format=np.array(1), names=np.array(["a"]), **{"a.x": zero, "a.w": zero, "a.meta": np.zeros(3)})
    assert "meta" in _one_line_error(lambda: load_set(path))
    meta = np.array([4, 4, 0, 0, 0, 0])
    np.savez(path, format=np.array(1), names=np.array(["a"]), **{"a.x": zero + 8, "a.w": zero, "a.meta": meta})
    assert "value 8 at [0, 0]" in _one_line_error(lambda: load_set(path))
    np.savez(path, format=np.array(1), names=np.array(["a"]), **{"a.x": np.array([[None]])}, allow_pickle=True)
    assert "damaged" in _one_line_error(lambda: load_set(path))


def test_load_set_survives_any_damage(tmp_path: Path) -> None:
    save_set(tmp_path / "a.npz", [_gemm(mask=True)])
    whole = (tmp_path / "a.npz").read_bytes()
    path = tmp_path / "b.npz"
    rng = np.random.default_rng(2)
    for cut in rng.integers(1, len(whole), 30):
        path.write_bytes(whole[:cut])
        _one_line_error(lambda: load_set(path))
    for position in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(bytes(damaged))
        with contextlib.suppress(TensorError):  # a flipped bit in an unused field does no harm
            load_set(path)


# ------------------------------------------------------------------------------------------------------------- matrices


@pytest.mark.parametrize("dtype", ["int8", "uint8", ">i2", "<u2", "int32", "int64", "uint64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_load_matrix_takes_every_integer_type(tmp_path: Path, dtype: str, order: str) -> None:
    values = np.arange(12).reshape(3, 4)
    np.save(tmp_path / "m.npy", np.asarray(values, dtype=dtype, order=order))  # type: ignore[call-overload]
    back = load_matrix(tmp_path / "m.npy", 8, False, "x")
    assert back.dtype == np.int32
    assert np.array_equal(back, values)


@pytest.mark.parametrize(
    ("bits", "unsigned", "low", "high"),
    [(4, False, -8, 7), (4, True, 0, 15), (12, False, -2048, 2047), (16, True, 0, 65535)],
)
def test_load_matrix_range(tmp_path: Path, bits: int, unsigned: bool, low: int, high: int) -> None:
    path = tmp_path / "m.npy"
    np.save(path, np.array([[low, high]]))
    assert load_matrix(path, bits, unsigned, "x").tolist() == [[low, high]]
    for bad in (low - 1, high + 1):
        np.save(path, np.array([[0, 0, 0], [low, bad, bad]]))
        message = _one_line_error(lambda: load_matrix(path, bits, unsigned, "x"))
        assert f"value {bad} at [1, 1]" in message
        assert f"{low} .. {high}" in message
        assert message.startswith("x (")


def test_load_matrix_extreme_values(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    np.save(path, np.array([[1, 2**64 - 1]], np.uint64))
    assert "18446744073709551615 at [0, 1]" in _one_line_error(lambda: load_matrix(path, 8, False, "w"))
    np.save(path, np.array([[-(2**63)]]))
    assert "-9223372036854775808 at [0, 0]" in _one_line_error(lambda: load_matrix(path, 16, True, "w"))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2)), "float64"),
        (np.zeros((2, 2), np.float16), "float16"),
        (np.zeros((2, 2), np.complex64), "complex64"),
        (np.zeros((2, 2), bool), "bool"),
        (np.array([["a"]]), "<U1"),
        (np.zeros((2, 2), [("a", "i4")]), "integers"),
        (np.zeros(4, np.int8), "2 dimensions"),
        (np.array(3), "2 dimensions"),
        (np.zeros((2, 2, 2), np.int8), "2 dimensions"),
        (np.zeros((0, 4), np.int8), "empty"),
        (np.zeros((4, 0), np.int8), "empty"),
    ],
)
def test_load_matrix_refuses_other_arrays(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "m.npy", array)
    assert words in _one_line_error(lambda: load_matrix(tmp_path / "m.npy", 8, False, "x"))


class _Bomb:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (pytest.fail, ("a pickle was opened",))


def test_load_matrix_never_opens_a_pickle(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    np.save(path, np.array([[_Bomb()]], dtype=object), allow_pickle=True)
    assert "objects" in _one_line_error(lambda: load_matrix(path, 8, False, "x"))
    path.write_bytes(pickle.dumps(_Bomb()))
    assert "not a .npy" in _one_line_error(lambda: load_matrix(path, 8, False, "x"))


def test_load_matrix_refuses_other_files(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    assert "no such file" in _one_line_error(lambda: load_matrix(path, 8, False, "x"))
    assert "cannot be read" in _one_line_error(lambda: load_matrix(tmp_path, 8, False, "x"))
    for content in (b"", b"1 2 3\n4 5 6\n", b"PK\x03\x04"):
        path.write_bytes(content)
        assert "not a .npy" in _one_line_error(lambda: load_matrix(path, 8, False, "x"))
    assert "bits, not 7" in _one_line_error(lambda: load_matrix(path, 7, False, "x"))


def test_load_matrix_truncated_and_padded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((3, 4), np.int16))
    whole = buffer.getvalue()
    path = tmp_path / "m.npy"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        _one_line_error(lambda: load_matrix(path, 8, False, "x"))
    path.write_bytes(whole[:-1])
    assert "truncated" in _one_line_error(lambda: load_matrix(path, 8, False, "x"))
    path.write_bytes(whole + b"\0")
    assert "damaged" in _one_line_error(lambda: load_matrix(path, 8, False, "x"))


@pytest.mark.parametrize("shape", ["(9999999999, 9999999999)", "(-1, -4)", "(3, 'a')", "3 4", "(((", "(1e9, 4)"])
def test_load_matrix_lying_header(tmp_path: Path, shape: str) -> None:
    text = f"{{'descr': '<i2', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    path = tmp_path / "m.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(24))
    _one_line_error(lambda: load_matrix(path, 8, False, "x"))


def test_load_matrix_takes_every_format_version(tmp_path: Path) -> None:
    path = tmp_path / "m.npy"
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(path, "wb") as file:
            np.lib.format.write_array(file, np.ones((2, 2), np.int8), version=version)
        assert load_matrix(path, 8, False, "x").sum() == 4
    path.write_bytes(b"\x93NUMPY\x09\x00" + bytes(100))
    _one_line_error(lambda: load_matrix(path, 8, False, "x"))
