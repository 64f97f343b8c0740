"""Legal values, response codes, counter addresses and stream lengths of the IOSS core."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.common.counters import counter_address
from models.ioss.config import (
    CoreParams,
    Descriptor,
    GlobalCounter,
    RowCounter,
    RspCode,
    member_lengths,
    member_tile_beats,
    member_vec_beats,
    tile_beats,
    vec_beats,
)


@pytest.mark.parametrize("bad", [{"rows": 3}, {"rows": 64}, {"lanes": 4}, {"depth": 100}, {"depth": 0}])
def test_illegal_parameters(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be one of"):
        CoreParams(**bad)


GOOD = Descriptor(2, 3, k_len=128, n_jobs=5)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, RspCode.OK),
        ({"x_slices": 0, "w_slices": 0}, RspCode.X_SLICES),
        ({"x_slices": 5}, RspCode.X_SLICES),
        ({"w_slices": 0, "reduce_factor": 3}, RspCode.W_SLICES),
        ({"w_slices": 7}, RspCode.W_SLICES),
        ({"reduce_factor": 0, "k_len": 0}, RspCode.REDUCE),
        ({"reduce_factor": 3}, RspCode.REDUCE),
        ({"reduce_factor": 8}, RspCode.REDUCE),  # only four rows below
        ({"k_len": 0, "min_order": 7}, RspCode.K_LEN),
        ({"k_len": 129}, RspCode.K_LEN),
        ({"k_len": 129, "reduce_factor": 2}, RspCode.OK),
        ({"k_len": 513, "reduce_factor": 4}, RspCode.K_LEN),
        ({"min_order": 4, "n_jobs": 0}, RspCode.ORDER),
        ({"min_order": 3}, RspCode.OK),
        ({"n_jobs": 0}, RspCode.JOBS),
    ],
)
def test_response_codes(change: dict[str, int], code: RspCode) -> None:
    assert replace(GOOD, **change).check(CoreParams(4, 16, 128)) is code


def test_counter_addresses() -> None:
    assert counter_address(RowCounter.ISSUES, 0) == 0
    assert counter_address(RowCounter.SKIP_ORDER, 31) == 0xFF
    assert counter_address(GlobalCounter.CYCLES) == 0x100
    assert counter_address(GlobalCounter.VEC_WAIT) == 0x107
    for bad in ((RowCounter.ISSUES, None), (RowCounter.ISSUES, 32), (GlobalCounter.CYCLES, 1)):
        with pytest.raises(ValueError, match="row"):
            counter_address(*bad)


def test_chunks() -> None:
    assert member_lengths(10, 1) == [10]
    assert member_lengths(10, 4) == [3, 3, 3, 1]
    assert member_lengths(9, 8) == [2, 2, 2, 2, 1, 0, 0, 0]
    assert member_lengths(1, 2) == [1, 0]
    desc = Descriptor(1, 3, k_len=70, reduce_factor=2)
    assert member_vec_beats(desc) == [2, 2]
    assert vec_beats(desc) == 4
    assert member_tile_beats(desc, CoreParams(lanes=8)) == [35, 35]
    assert tile_beats(Descriptor(1, 1, k_len=9, reduce_factor=8), CoreParams(lanes=8)) == 5
