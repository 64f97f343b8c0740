"""Configuration of the RAN: every answer, and the bound against the worst operands there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.common.counters import counter_address
from models.common.formats import YBits
from models.common.slices import operand_range
from models.ioss.oracle import kept_product
from models.ran.config import GlobalCounter, RanDescriptor, RanParams, RowCounter, RspCode, sum_bound

BASE = RanDescriptor(YBits.B8, lanes=16, n_jobs=3, k_len=10)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, RspCode.OK),
        ({"y_bits": 6}, RspCode.BITS),
        ({"round": 3}, RspCode.ROUND),
        ({"shift": 39}, RspCode.OK),
        ({"shift": 40}, RspCode.SHIFT),
        ({"y_bits": 4, "shift": 1}, RspCode.SHIFT),
        ({"y_bits": 5, "relu": True}, RspCode.RAW),
        ({"y_bits": 4, "y_unsigned": True}, RspCode.RAW),
        ({"reduce_factor": 5}, RspCode.REDUCE),
        ({"lanes": 0}, RspCode.LANES),
        ({"lanes": 17}, RspCode.LANES),
        ({"n_jobs": 16383}, RspCode.OK),
        ({"n_jobs": 16384}, RspCode.JOBS),
        ({"x_slices": 5}, RspCode.SLICES),
        ({"w_slices": 0}, RspCode.SLICES),
        ({"k_len": 0}, RspCode.K_LEN),
        ({"k_len": 511, "x_slices": 4, "w_slices": 4}, RspCode.OK),
        ({"k_len": 512, "x_slices": 4, "w_slices": 4}, RspCode.BOUND),
        ({"k_len": 480, "x_slices": 4, "w_slices": 4, "compensate": True}, RspCode.OK),
        ({"k_len": 481, "x_slices": 4, "w_slices": 4, "compensate": True}, RspCode.BOUND),
    ],
)
def test_answers(fields: dict[str, int], code: RspCode) -> None:
    assert RanDescriptor(**{**BASE.__dict__, **fields}).check(RanParams()) == code


def test_more_accumulator_bits_take_more() -> None:
    desc = RanDescriptor(YBits.RAW64, k_len=4096, x_slices=4, w_slices=4)
    assert desc.check(RanParams()) == RspCode.BOUND
    assert desc.check(RanParams(acc_w=48)) == RspCode.OK


@pytest.mark.parametrize(("x_unsigned", "w_unsigned"), list(itertools.product((False, True), repeat=2)))
def test_no_operands_pass_the_bound(x_unsigned: bool, w_unsigned: bool) -> None:
    """Corner operands at every precision and every order that is dropped, compensated."""
    for n_x, n_w in itertools.product(range(1, 5), repeat=2):
        xs, ws = operand_range(4 * n_x, x_unsigned), operand_range(4 * n_w, w_unsigned)
        for order, x, w in itertools.product(range(n_x + n_w - 1), xs, ws):
            for compensate in (False, True):
                product = kept_product(np.full((1, 5), x), np.full((5, 16), w), n_x, n_w, 16, order, compensate, None)
                bound = sum_bound(5, n_x, n_w, x_unsigned, w_unsigned, compensate)
                assert abs(int(product[0, 0])) <= bound


def test_parameters_and_addresses() -> None:
    with pytest.raises(ValueError, match="acc_w must be one of"):
        RanParams(acc_w=41)
    assert counter_address(GlobalCounter.DRAWS) == 0x10C
    assert counter_address(RowCounter.STALL_DRAIN, 5) == 43
    with pytest.raises(ValueError, match="needs a row"):
        counter_address(RowCounter.PRODUCTS)
    with pytest.raises(ValueError, match="has no row"):
        counter_address(GlobalCounter.JOBS, 1)
