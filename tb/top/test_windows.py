"""Windows of images: what they hold, which lengths their widths must hold, when their pieces move."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from host.layers import Conv
from host.mapper import RAW32, MapError, Mapper, ModelBackend, Operand, Product
from models.top.config import WINDOW_SPAN, Buffer, Gemm, TopParams, Windows
from models.top.value import Processor
from tb.lib.paths import ROOT
from tb.top.windows import BEFORE, FAR, Walk, run_pass

NEVER = 1 << 40
CONVS = (
    Conv((4, 5), 8, 16), Conv((8, 8), 1, 8), Conv((5, 4), 2, 3, kernel=(3, 5), padding=(1, 2)),
    Conv((7, 6), 4, 8, kernel=(2, 3), padding=(0, 1)), Conv((7, 7), 5, 2, stride=(2, 2)),
)  # fmt: skip


@pytest.mark.parametrize("conv", CONVS)
def test_images_give_the_matrices_of_a_convolution(conv: Conv) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 16, (3, conv.features[0]))
    dy = rng.integers(-8, 8, (3 * conv.places, conv.channels_out))
    for images, matrix in ((conv.images(x), conv.columns(x)), (conv.back_images(dy), conv.back_columns(dy))):
        if images is None:
            assert conv.stride != (1, 1)
            continue
        made = images.windows.take(images.values, np.arange(len(matrix)), 0, len(images.order))
        assert np.array_equal(made, matrix[:, images.order])
    assert conv.images(x) is not None


def _product(conv: Conv, side: str) -> tuple[Product, Any]:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 16, (4, conv.features[0]))
    columns = Operand(conv.columns(x), 1, True)
    if side == "x":
        w = Operand(rng.integers(-7, 8, conv.shape), 1)
        whole = Product(columns, w, RAW32, x_images=conv.images(x))
    else:
        dy = Operand(rng.integers(-7, 8, (conv.channels_out, len(columns.q))), 1)
        whole = Product(dy, columns, RAW32, w_images=conv.images(x))
    return whole, whole.x.q.astype(np.int64) @ whole.w.q


@pytest.mark.parametrize("side", ["x", "w"])
@pytest.mark.parametrize("conv", CONVS[:2])
def test_the_mapper_loads_images_and_gets_the_same_product(conv: Conv, side: str) -> None:
    whole, want = _product(conv, side)
    words = {}
    for name, product in (("images", whole), ("matrix", replace(whole, x_images=None, w_images=None))):
        mapper, moved = Mapper(TopParams()), []
        program = mapper.program()
        outcome = mapper.product(program, product)
        backend = ModelBackend(Processor(TopParams()), seen=lambda _, result, to=moved: to.append(result.activity))
        assert np.array_equal(outcome.result(backend.run(program.actions)).y, want)
        buffer = Buffer.X if side == "x" else Buffer.W
        words[name] = sum(each.reads[buffer] + each.writes[buffer] for each in moved)
    assert words["images"] < words["matrix"] / 2


def test_images_of_another_matrix_are_refused() -> None:
    whole, _ = _product(CONVS[0], "x")
    wrong = replace(whole, x=replace(whole.x, q=whole.x.q[::-1]))
    mapper = Mapper(TopParams())
    with pytest.raises(MapError, match="X is not what the windows of its images are"):
        mapper.product(mapper.program(), wrong)


def test_lengths_hold_the_largest_fields() -> None:
    """Of fields at their limits, and of positions at theirs: the declared widths, and not one bit less where a field
    alone decides."""
    channels, columns, rows, kernel = 511, 255, 255, 15
    column = 4 * channels
    line = column * columns
    largest = {
        "column": column, "step": column * 15, "line": line, "row_step": line * 15, "image": line * rows,
        "segment": column * kernel, "left": column * 15, "span": line * 15 + column * 15,
        "ahead": line * 15 + column * 15, "right": line + column * 15, "wide": columns + 2 * 15, "high": rows + 2 * 15,
    }  # fmt: skip
    text = (ROOT / "rtl/top/top_geometry.sv").read_text(encoding="utf-8")
    declared = {
        name: int(width) + 1 for width, names in re.findall(r"^  logic \[(\d+):0\]\s+([\w, ]+);", text, re.MULTILINE)
        for name in names.split(", ")
    }  # fmt: skip
    assert declared.keys() == largest.keys()
    for name, value in largest.items():
        assert value < 1 << declared[name], name
        assert name in ("span",) or value >= 1 << declared[name] - 2, name
    last = FAR + WINDOW_SPAN + 4 * 65535 + 64  # a piece of the farthest window
    assert last < 1 << 24
    assert (FAR + 31 + WINDOW_SPAN) // 32 + 1 < 1 << 18
    assert 65535 + FAR // 32 + 16 < 1 << 18
    assert 4 * 65535 + 64 < 1 << 20


def test_a_window_fits_the_ring_wherever_it_begins() -> None:
    for begin in range(32):
        assert (begin + WINDOW_SPAN - 1) // 32 + 1 < BEFORE
    assert Windows(448, 1, 1, 1, 1).fit(1)
    assert not Windows(449, 1, 1, 1, 1).fit(1)
    assert not Windows(512, 1, 1, 1, 1).fit(1)


def test_pieces_wait_for_words_and_beats() -> None:
    """Three windows of a beat each, in two words: by hand."""
    windows = Windows(channels=16, columns=4, rows=1, kernel_rows=1, kernel_columns=2)
    gemm = Gemm(m=3, k=32, n=1, n_x=1, n_w=1, x_windows=True, image_words=2, **vars(windows))
    walk = Walk(gemm, (0, 32), tile=False)
    free = run_pass(walk, 0, 10, [0, 0, 0], -1, NEVER)
    # Word 16 is asked for at 10, 17 at 11: usable at 12 and 13; the last piece waits for words 18 and 19 too.
    assert free.filled[:2] == [12, 13]
    assert free.filled[2] == free.end
    held = run_pass(walk, 0, 10, [20, 30, 31], -1, NEVER)
    assert held.filled[:3] == [12, 20, 30]
    assert run_pass(walk, 0, 10, [20, NEVER, NEVER], -1, NEVER).filled == [12, 20, NEVER]


def test_two_pieces_of_a_beat_move_in_a_cycle() -> None:
    """By hand: rows of a tile of half a beat each (two windows in a beat), then windows of two rows of the kernel."""
    rows = Windows(channels=16, columns=8, rows=1, kernel_rows=1, kernel_columns=1)
    gemm = Gemm(m=1, k=8, n=16, n_x=1, n_w=1, w_windows=True, image_words=4, **vars(rows))
    free = run_pass(Walk(gemm, (0, 8), tile=True), 0, 10, [0] * 4, -1, NEVER)
    # Each word serves two windows. 16 and 17 are asked for at 10 and 11; 18, with window 2, at 13; 19, with window 4,
    # at 14; 20, which the last piece waits for, with window 6 at 16.
    assert free.filled == [12, 13, 15, 18]
    held = run_pass(Walk(gemm, (0, 8), tile=True), 0, 10, [20, 30, 31, 32], -1, NEVER)
    assert held.filled == [12, 20, 30, 31]
    square = Windows(channels=8, columns=2, rows=2, kernel_rows=2, kernel_columns=2)
    gemm = Gemm(m=1, k=32, n=1, n_x=1, n_w=1, x_windows=True, image_words=1, **vars(square))
    assert run_pass(Walk(gemm, (0, 32), tile=False), 0, 10, [0], -1, NEVER).filled == [13]
    # Half a beat waits with its second piece for the third word: 12 + 1 + 1.
    long = Windows(channels=16, columns=3, rows=2, kernel_rows=2, kernel_columns=1)
    gemm = Gemm(m=1, k=32, n=1, n_x=1, n_w=1, x_windows=True, image_words=3, **vars(long))
    assert run_pass(Walk(gemm, (0, 32), tile=False), 0, 10, [0], -1, NEVER).filled == [14]
