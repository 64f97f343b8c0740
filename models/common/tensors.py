"""GEMM operand sets: the integer tensors that the models and test benches multiply, and the files that hold them.

One `GemmTensors` is one integer matrix product ``y = x @ w``: `x` (M x K) is broadcast row by row (one row = one job),
`w` (K x N) is stationary. Operands are plain integers `q`; their value is ``q * 2**-fl`` (docs/conventions.md,
"Numbers").

A set is a compressed .npz with, for every GEMM `g`: ``g.x`` and ``g.w`` (smallest integer type that holds them),
``g.mask`` (bool, only if there is one) and ``g.meta`` (int64: x_bits, w_bits, x_unsigned, w_unsigned, x_fl, w_fl);
``names`` gives the order and ``format`` the version. Pickled data is never read.

Errors: everything a caller or a file can get wrong raises `TensorError` with a single line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.common.files import FileError, read_array, save_npz
from models.common.files import read_npz as read_archive
from models.common.slices import operand_range

IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]

LEGAL_BITS = (4, 8, 12, 16)
FORMAT = 1
_STORE_TYPES = (np.int8, np.uint8, np.int16, np.uint16)
_META_LEN = 6
_EXACT = ((np.float32, 1 << 24), (np.float64, 1 << 53))  # integers up to here have no gaps


class TensorError(ValueError):
    """A tensor or a tensor file that cannot be used; the message is one line."""


def _check_bits(bits: int) -> None:
    if bits not in LEGAL_BITS:
        raise TensorError(f"operands have 4, 8, 12 or 16 bits, not {bits}")


def check_matrix(array: npt.NDArray[np.generic], bits: int, unsigned: bool, what: str) -> npt.NDArray[np.int32]:
    """`array` as a fresh C-ordered int32 matrix, after checking type, shape and range. Raises TensorError."""
    _check_bits(bits)
    low, high = operand_range(bits, unsigned)
    if array.dtype.kind not in "iu":
        raise TensorError(
            f"{what}: elements are {array.dtype}, but operands are integers (int8 .. int64 or uint8 .. uint64)"
        )
    if array.ndim != 2:
        raise TensorError(f"{what}: a matrix has 2 dimensions, this array has {array.ndim} (shape {array.shape})")
    if array.size == 0:
        raise TensorError(f"{what}: the matrix is empty (shape {array.shape})")
    # Python integers: a uint64 compared with a negative int64 limit must not wrap.
    if int(array.min()) < low or int(array.max()) > high:
        bad = (array > high) if array.dtype.kind == "u" else (array < low) | (array > high)
        row, col = (int(i) for i in np.argwhere(bad)[0])
        kind = "unsigned" if unsigned else "signed"
        raise TensorError(
            f"{what}: value {int(array[row, col])} at [{row}, {col}] does not fit {bits} {kind} bits,"
            f" legal range {low} .. {high} ({int(np.count_nonzero(bad))} such values)"
        )
    return np.array(array, dtype=np.int32, order="C")


def exact_matmul(x: IntArray, w: IntArray) -> npt.NDArray[np.int64]:
    """``x @ w`` exactly, in the fastest type in which no sum is rounded or wraps (operands of at most 16 bits)."""
    largest = int(np.abs(x).max(initial=0)) * int(np.abs(w).max(initial=0)) * x.shape[1]
    kind = next((kind for kind, exact in _EXACT if largest <= exact), np.int64)
    return (x.astype(kind) @ w.astype(kind)).astype(np.int64)


def _low(q: npt.NDArray[np.int32], first: int, end: int) -> npt.NDArray[np.int32]:
    """The part of operands that slices `first` .. `end` - 1 make up, at its own weight and sign."""
    kept = (1 << 4 * end) - (1 << 4 * first)
    return np.sign(q) * (np.abs(q) & np.int32(min(kept, 0xFFFF)))


@dataclass(frozen=True, eq=False)
class GemmTensors:
    """Operands of one integer GEMM ``y = x @ w``, checked on construction (TensorError).

    name: for example 'fp1', 'bp2', 'wg3' (phase and layer, layers from 1)
    x: (M, K) int32, broadcast; w: (K, N) int32, stationary
    x_bits, w_bits: 4, 8, 12 or 16; x_unsigned, w_unsigned: operand has no sign; x_fl, w_fl: fraction lengths
    mask: (M, N) bool, True = output known to be zero (`out_mask`), or None
    """

    name: str
    x: npt.NDArray[np.int32]
    w: npt.NDArray[np.int32]
    x_bits: int
    w_bits: int
    x_unsigned: bool
    w_unsigned: bool
    x_fl: int
    w_fl: int
    mask: BoolArray | None = None

    def __post_init__(self) -> None:
        if not self.name or "." in self.name or not self.name.isascii() or not self.name.isprintable():
            raise TensorError(f"a GEMM's name is printable ASCII without dots, not {self.name!r}")
        x = check_matrix(np.asarray(self.x), self.x_bits, self.x_unsigned, f"{self.name}.x")
        w = check_matrix(np.asarray(self.w), self.w_bits, self.w_unsigned, f"{self.name}.w")
        if x.shape[1] != w.shape[0]:
            raise TensorError(f"{self.name}: x {x.shape} and w {w.shape} cannot be multiplied")
        frozen: dict[str, npt.NDArray[np.generic]] = {"x": x, "w": w}
        if self.mask is not None:
            mask = np.array(self.mask, order="C")
            if mask.dtype != np.bool_ or mask.shape != (x.shape[0], w.shape[1]):
                raise TensorError(
                    f"{self.name}: mask is bool {(x.shape[0], w.shape[1])}, not {mask.dtype} {mask.shape}"
                )
            frozen["mask"] = mask
        for field, value in frozen.items():
            value.flags.writeable = False
            object.__setattr__(self, field, value)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(M, K, N)."""
        return self.x.shape[0], self.x.shape[1], self.w.shape[1]

    def product(self, min_order: int = 0) -> npt.NDArray[np.int64]:
        """The exact integer result (M, N), zero where masked; its fraction length is x_fl + w_fl.

        With `min_order`, products of slices whose order is lower are left out (without compensation).
        """
        y = exact_matmul(self.x, self.w)
        for i in range(min(min_order, self.x_bits // 4)):
            # Slice i of x times what lies in w below slice min_order - i.
            y -= exact_matmul(_low(self.x, i, i + 1), _low(self.w, 0, min_order - i))
        return y if self.mask is None else np.where(self.mask, np.int64(0), y)


def compact(array: IntArray) -> IntArray:
    """The same values in the smallest type of the files."""
    low, high = int(array.min()), int(array.max())
    for store in _STORE_TYPES:
        info = np.iinfo(store)
        if info.min <= low and high <= info.max:
            return array.astype(store)
    return array.astype(np.int32)


def save_set(path: str | Path, gemms: Sequence[GemmTensors]) -> None:
    """Write a set. The same GEMMs give the same bytes (zip members carry no time stamp). Raises TensorError."""
    names = [g.name for g in gemms]
    if not names or len(set(names)) != len(names):
        raise TensorError(f"{path}: a set holds at least one GEMM and every name once, not {names}")
    arrays: dict[str, npt.NDArray[np.generic]] = {"format": np.array(FORMAT, np.int64), "names": np.array(names)}
    for g in gemms:
        arrays[f"{g.name}.x"] = compact(g.x)
        arrays[f"{g.name}.w"] = compact(g.w)
        arrays[f"{g.name}.meta"] = np.array([g.x_bits, g.w_bits, g.x_unsigned, g.w_unsigned, g.x_fl, g.w_fl], np.int64)
        if g.mask is not None:
            arrays[f"{g.name}.mask"] = g.mask
    try:
        save_npz(Path(path), arrays)
    except FileError as error:
        raise TensorError(str(error)) from None


def read_npz(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Every array of a .npz file by name. Raises TensorError: missing, foreign, damaged."""
    try:
        return read_archive(path)
    except FileError as error:
        raise TensorError(str(error)) from None


def load_set(path: str | Path) -> list[GemmTensors]:
    """Read a set in the order in which it was saved.

    Raises TensorError if the file is missing, damaged, foreign or inconsistent.
    """
    path = Path(path)
    arrays = read_npz(path)
    version, names = arrays.get("format"), arrays.get("names")
    if (
        version is None
        or names is None
        or version.shape != ()
        or version.dtype.kind not in "iu"
        or names.dtype.kind != "U"
    ):
        raise TensorError(f"{path}: not a set of GEMM tensors (no format and names)")
    if int(version) != FORMAT:
        raise TensorError(f"{path}: format {int(version)}, this program reads format {FORMAT}")
    gemms = []
    for name in (str(n) for n in names.ravel()):
        try:
            x, w, meta = arrays[f"{name}.x"], arrays[f"{name}.w"], arrays[f"{name}.meta"]
        except KeyError as error:
            raise TensorError(f"{path}: array {error} is missing") from None
        if meta.dtype.kind not in "iu" or meta.shape != (_META_LEN,):
            raise TensorError(f"{path}: {name}.meta is not {_META_LEN} integers")
        x_bits, w_bits, x_unsigned, w_unsigned, x_fl, w_fl = (int(v) for v in meta)
        try:
            gemms.append(
                GemmTensors(
                    name,
                    x,
                    w,
                    x_bits,
                    w_bits,
                    bool(x_unsigned),
                    bool(w_unsigned),
                    x_fl,
                    w_fl,
                    arrays.get(f"{name}.mask"),
                )
            )
        except TensorError as error:
            raise TensorError(f"{path}: {error}") from None
    return gemms


def load_matrix(path: str | Path, bits: int, unsigned: bool, what: str) -> npt.NDArray[np.int32]:
    """A user's own matrix from a .npy file, as int32; `what` names it in messages (for example 'x').

    Raises TensorError: file missing, not a .npy, truncated or damaged, object or non-integer elements, not 2-D, empty,
    or a value outside the range of `bits` (with value, index and range).
    """
    _check_bits(bits)
    label = f"{what} ({path})"
    try:
        array = read_array(Path(path))
    except FileError as error:
        raise TensorError(f"{label}: {error.reason}") from None
    return check_matrix(array, bits, unsigned, label)
