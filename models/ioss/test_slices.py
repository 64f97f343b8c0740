"""Packing and slices (docs/conventions.md) against integer arithmetic on the beats' bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.common.slices import check_range, container_bits, join, operand_range, pack, split, unpack, values_per_beat
from models.ioss.reference import decode


def test_table_of_the_page() -> None:
    assert [container_bits(n) for n in (1, 2, 3, 4)] == [4, 8, 16, 16]
    assert [values_per_beat(n) for n in (1, 2, 3, 4)] == [32, 16, 8, 8]
    assert operand_range(8) == (-128, 127)
    assert operand_range(12, unsigned=True) == (0, 4095)


@settings(derandomize=True, deadline=None)
@given(st.data(), st.integers(1, 4), st.booleans())
def test_pack_and_unpack(data: st.DataObject, n: int, unsigned: bool) -> None:
    low, high = operand_range(4 * n, unsigned)
    values = data.draw(st.lists(st.integers(low, high), max_size=80))
    fill = data.draw(st.integers(0, 0xFFFF))
    beats = pack(np.array(values, dtype=np.int64), n, unsigned=unsigned, pad_fill=fill, container_fill=fill & 15)
    assert beats.shape == (-(-len(values) // values_per_beat(n)), 16)
    assert beats.dtype == np.uint8
    by_bits = [q for beat in beats for q in decode(bytes(beat.tolist()), n, unsigned)]
    assert by_bits[: len(values)] == values
    back = unpack(beats, n, unsigned)
    assert back.dtype == np.int64
    assert back.tolist() == by_bits
    np.testing.assert_array_equal(unpack(beats[None], n, unsigned, np.int32)[0], back)


def test_padding_and_unused_bits() -> None:
    assert pack([1], 1, pad_fill=0xF)[0].tolist() == [0xF1] + [0xFF] * 15
    assert pack([-1], 3, container_fill=0xA, pad_fill=0x1234)[0].tolist() == [0xFF, 0xAF] + [0x34, 0x12] * 7
    assert pack([1, 2], 2, pad_fill=range(14))[0].tolist() == [1, 2, *range(14)]
    assert pack([1, -2], 1)[0, 0] == 0xE1  # the lowest-numbered value in the lowest bits


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(-(1 << 15), (1 << 16) - 1), min_size=1))
def test_split(n: int, values: list[int]) -> None:
    clipped = np.clip(values, -(1 << (4 * n - 1)), (1 << (4 * n)) - 1)
    sign, slices = split(clipped, n)
    assert slices.shape == (len(values), n)
    assert slices.max() < 16
    np.testing.assert_array_equal(sign, clipped < 0)
    np.testing.assert_array_equal(join(sign, slices), clipped)


def test_split_corners() -> None:
    sign, slices = split(np.array([0, -(1 << 15), (1 << 16) - 1], dtype=np.int64))
    assert sign.tolist() == [False, True, False]
    assert slices.tolist() == [[0, 0, 0, 0], [0, 0, 0, 8], [15, 15, 15, 15]]
    assert split(np.array([-128], dtype=np.int8), 2)[1].tolist() == [[0, 8]]
    assert split(np.zeros((2, 3), int), 2)[1].shape == (2, 3, 2)


def test_errors() -> None:
    for call in (container_bits, values_per_beat):
        for n in (0, 5):
            with pytest.raises(ValueError, match="slices must be 1, 2, 3 or 4"):
                call(n)
    with pytest.raises(ValueError, match=r"leave the range -8\.\.7 of 4 bits"):
        pack([8], 1, unsigned=False)
    with pytest.raises(ValueError, match=r"leave the range 0\.\.15 of 4 bits"):
        check_range([-1], 4, unsigned=True)
    with pytest.raises(ValueError, match=r"must be integers in -8\.\.15"):
        pack([16], 1)
    with pytest.raises(ValueError, match="must be integers"):
        check_range([0.5], 4)
    with pytest.raises(ValueError, match="does not fit 2 slices"):
        split([256], 2)
    with pytest.raises(ValueError, match="bits must be positive"):
        operand_range(0)
    with pytest.raises(ValueError, match="beats must have shape"):
        unpack(np.zeros(16, np.uint8), 1)
