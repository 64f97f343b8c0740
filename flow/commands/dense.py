"""The dense arrays that a block is compared with in area and time (rtl/dense/, docs/cells.md)."""

from __future__ import annotations

from tb.lib.contract import Block, Param

DENSE = Block(
    name="dense",
    title="dense array of multiply-accumulators",
    rtl=(
        "rtl/dense/dense_int_mac.sv",
        "rtl/dense/dense_fp_mac.sv",
        "rtl/dense/dense_int_round.sv",
        "rtl/dense/dense_fp_round.sv",
        "rtl/dense/dense_array.sv",
    ),
    tb_sources=("tb/dense/tb_dense.sv",),
    rtl_top="dense_array",
    tb_top="tb_dense",
    test_module="tb.dense.test_dense",
    default_test="",
    params={
        "ROWS": Param(8, (1, 2, 4, 8), "Rows", "rows of the array"),
        "LANES": Param(16, (8, 16, 32), "Lanes", "outputs of a row"),
        "DEPTH": Param(128, (16, 32, 64, 128, 256), "Depth", "words of a tile"),
        "FLOATING": Param(0, (0, 1), "Floating", "FP16 with sums in FP32"),
    },
    lint_params=({"FLOATING": 1}, {"ROWS": 1, "LANES": 8, "DEPTH": 16}, {"LANES": 32, "FLOATING": 1}),
)
KINDS = {"dense int16": {"FLOATING": 0}, "dense FP16": {"FLOATING": 1}}
