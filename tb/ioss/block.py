"""The IOSS core as a block of the flow."""

from __future__ import annotations

from models.ioss.config import LEGAL_DEPTH, LEGAL_LANES, LEGAL_ROWS
from tb.flow.blocks import Block, Param

BLOCK = Block(
    name="ioss",
    title="IOSS core: in-out slice skipping",
    rtl=(
        "rtl/common/trainslice_pkg.sv",
        "rtl/ioss/ioss_pkg.sv",
        "rtl/common/slice_unpack.sv",
        "rtl/ioss/ioss_chunk_walker.sv",
        "rtl/ioss/ioss_desc.sv",
        "rtl/ioss/ioss_banks.sv",
        "rtl/ioss/ioss_tile_loader.sv",
        "rtl/ioss/ioss_dispatch.sv",
        "rtl/ioss/ioss_tile_mem.sv",
        "rtl/ioss/ioss_slots.sv",
        "rtl/ioss/ioss_row.sv",
        "rtl/ioss/ioss_skip_count.sv",
        "rtl/ioss/ioss_counters.sv",
        "rtl/ioss/ioss_core.sv",
    ),
    tb_sources=(
        "tb/common/sv/ts_source.sv",
        "tb/common/sv/ts_sink.sv",
        "tb/common/sv/ts_stream_check.sv",
        "tb/ioss/tb_ioss.sv",
    ),
    include_dirs=("rtl/common",),
    rtl_top="ioss_core",
    tb_top="tb_ioss",
    test_module="tb.ioss.tests",
    default_test="smoke",
    params={
        "ROWS": Param(8, LEGAL_ROWS, "Rows", "rows of the array"),
        "LANES": Param(16, LEGAL_LANES, "Lanes", "outputs (multipliers) of a row"),
        "DEPTH": Param(128, LEGAL_DEPTH, "Depth", "longest vector of one row, elements"),
    },
    public_vlt="tb/ioss/tb_ioss.vlt",
)
