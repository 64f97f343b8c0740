"""The dense arrays on Icarus against NumPy: every bit of every result, with and without pauses on all ports."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.dense.value import fp_product, int_product
from tb.lib.paths import ROOT

SOURCES = [*sorted((ROOT / "rtl" / "dense").glob("*.sv")), ROOT / "tb" / "dense" / "tb_dense.sv"]
ROWS, LANES, DEPTH = 2, 8, 16
Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Product:
    """X (M x K) times W (K x LANES); M is a multiple of ROWS."""

    x: Array
    w: Array


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The bench compiled for integers (0) and FP16 (1)."""
    folder = tmp_path_factory.mktemp("dense")
    return {floating: compiled(folder / f"{floating}.vvp", floating, SOURCES) for floating in (0, 1)}


def compiled(path: Path, floating: int, sources: list[Path]) -> Path:
    values = {"Rows": ROWS, "Lanes": LANES, "Depth": DEPTH, "Floating": floating}
    command = ["iverilog", "-g2012", "-s", "tb_dense", "-o", str(path)]
    command += [f"-Ptb_dense.{name}={value}" for name, value in values.items()]
    subprocess.run([*command, *map(str, sources)], check=True, capture_output=True, encoding="utf-8")
    return path


def packed(values: Array) -> int:
    """16-bit values, the first in the lowest bits."""
    return sum(int(bits) << 16 * at for at, bits in enumerate(values.view(np.uint16).ravel()))


def played(program: Path, folder: Path, products: list[Product], shift: int, pauses: bool, seed: int) -> Array:
    """Results, (sum of M) x LANES, as 16-bit patterns."""
    tiles, xs, ys = [], [], 0
    for product in products:
        rows, depth = product.x.shape
        tiles += [((k == depth - 1) << 128) | packed(product.w[k]) for k in range(depth)]
        for row in range(0, rows, ROWS):
            for k in range(depth):
                last = k == depth - 1
                free = last and row + ROWS == rows
                xs.append((free << 16 * ROWS + 1) | (last << 16 * ROWS) | packed(product.x[row : row + ROWS, k]))
        ys += rows
    for name, words in (("tiles", tiles), ("xs", xs)):
        (folder / f"{name}.hex").write_text("".join(f"{word:x}\n" for word in words), encoding="utf-8")
    given = {"tiles": len(tiles), "xs": len(xs), "ys": ys, "shift": shift, "pauses": int(pauses), "seed": seed}
    plusargs = [f"+{name}={value}" for name, value in given.items()]
    done = subprocess.run(
        ["vvp", "-n", str(program), *plusargs],
        cwd=folder,
        check=True,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert "DONE" in done.stdout, done.stdout + done.stderr
    lines = (folder / "ys.hex").read_text(encoding="utf-8").split()
    return np.array([[int(line, 16) >> 16 * lane & 0xFFFF for lane in range(LANES)] for line in lines], np.uint16)


def compared(program: Path, folder: Path, products: list[Product], expected: list[Array]) -> None:
    """With pauses, at a shift of 1."""
    got = played(program, folder, products, 1, True, 5)
    np.testing.assert_array_equal(got, np.concatenate(expected).view(np.uint16))


def int_products(rng: np.random.Generator) -> list[Product]:
    """Every depth, the extreme values among them."""
    out = []
    for depth in range(1, DEPTH + 1):
        x, w = (rng.integers(-32768, 32768, shape, np.int16) for shape in ((2 * ROWS, depth), (depth, LANES)))
        x[0], w[:, 0] = -32768, -32768
        x[1], w[:, 1] = 32767, -32768
        x[2] >>= rng.integers(0, 16)
        out.append(Product(x, w))
    return out


def fp_values(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float16]:
    """Any finite FP16: subnormals, zeros, the largest; one in two near 1, so that sums cancel."""
    bits = rng.integers(0, 0x10000, shape, np.uint16)
    bits[(bits & 0x7C00) == 0x7C00] ^= 0x4000
    near = (bits & 0x83FF) | rng.integers(14, 17, shape, np.uint16) << 10
    bits = np.where(rng.random(shape) < 0.5, near.astype(np.uint16), bits)
    bits[rng.random(shape) < 0.05] = 0x7BFF
    return bits.view(np.float16)


def fp_products(rng: np.random.Generator) -> list[Product]:
    """Every depth; rows that cancel to the last bit, ties at the end."""
    out = []
    for depth in range(1, DEPTH + 1):
        x, w = fp_values(rng, (4 * ROWS, depth)), fp_values(rng, (depth, LANES))
        x[0, depth // 2 :], w[depth // 2 :, 0] = -x[0, : depth - depth // 2], w[: depth - depth // 2, 0]
        x[1:4], w[:, 1:4] = np.float16(1) + x[1:4] * np.float16(2**-10), np.float16(1)
        x[4] = np.float16(2.0**-9)
        if depth >= 3:  # 2^20 + (1 + 2^-10) / 16 - 2^20: the last bit of the second operand decides
            x[5, :3], w[:3, 5] = (2.0**10, 2.0**-2 + 2.0**-12, -(2.0**10)), (2.0**10, 2.0**-2, 2.0**10)
            x[5, 3:] = 0
        out.append(Product(x, w))
    return out


@pytest.mark.parametrize("pauses", [False, True])
@pytest.mark.parametrize("shift", [0, 1, 15, 16, 31])
def test_integers_are_those_of_numpy(build: dict[int, Path], tmp_path: Path, pauses: bool, shift: int) -> None:
    products = int_products(np.random.default_rng(shift))
    got = played(build[0], tmp_path, products, shift, pauses, 77 + shift)
    expected = np.concatenate([int_product(each.x, each.w, shift) for each in products])
    assert got.size == DEPTH * 2 * ROWS * LANES
    np.testing.assert_array_equal(got.view(np.int16), expected)


@pytest.mark.parametrize("pauses", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_fp16_is_that_of_numpy(build: dict[int, Path], tmp_path: Path, pauses: bool, seed: int) -> None:
    products = fp_products(np.random.default_rng(seed))
    got = played(build[1], tmp_path, products, 0, pauses, 99 + seed)
    expected = np.concatenate([fp_product(each.x, each.w) for each in products])
    assert got.size == DEPTH * 4 * ROWS * LANES
    np.testing.assert_array_equal(got, expected.view(np.uint16))
    kinds = np.abs(expected)
    assert np.isinf(kinds).any()
    assert (kinds == 0).any()
    assert ((kinds > 0) & (kinds < 2.0**-10)).any()


def test_a_sum_starts_anew_without_a_bubble(build: dict[int, Path], tmp_path: Path) -> None:
    """An element of each row's vector a cycle: the time of a run without pauses is its elements', fill and drain."""
    w = np.ones((DEPTH, LANES), np.int16)
    x = np.ones((20 * ROWS, DEPTH), np.int16)
    played(build[0], tmp_path, [Product(x, w)], 0, False, 1)
    log = subprocess.run(
        ["vvp", "-n", str(build[0]), f"+tiles={DEPTH}", f"+xs={20 * DEPTH}", f"+ys={20 * ROWS}", "+shift=0",
         "+pauses=0", "+seed=1"], cwd=tmp_path, check=True, capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    cycles = int(log.stdout.split("DONE ")[1].split()[0])
    assert cycles <= DEPTH + 20 * DEPTH + 2 * ROWS + 8


@pytest.mark.parametrize(
    ("floating", "file", "old", "new"),
    [
        (0, "dense_int_round.sv", "(more || kept[0])", "more"),
        (0, "dense_int_mac.sv", "first_i ? '0 : acc_q", "acc_q"),
        (1, "dense_fp_mac.sv", "lined[0] || lined[3]", "lined[3]"),
        (1, "dense_fp_mac.sv", "| (lost != '0)", ""),
        (1, "dense_fp_round.sv", "|| acc_i[13]", ""),
        (1, "dense_array.sv", "(left_q == RowW'(1) && leave)", "1'b1"),
    ],
)
def test_a_planted_fault_is_seen(tmp_path: Path, floating: int, file: str, old: str, new: str) -> None:
    text = (ROOT / "rtl" / "dense" / file).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (tmp_path / file).write_text(text.replace(old, new), encoding="utf-8")
    sources = [tmp_path / file if path.name == file else path for path in SOURCES]
    program = compiled(tmp_path / "bad.vvp", floating, sources)
    rng = np.random.default_rng(1)
    products = (fp_products if floating else int_products)(rng)
    expected = [fp_product(p.x, p.w) if floating else int_product(p.x, p.w, 1) for p in products]
    with pytest.raises(AssertionError):  # another result, or one too few
        compared(program, tmp_path, products, expected)
