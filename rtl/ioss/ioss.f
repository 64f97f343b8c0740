// IOSS core: in-out slice skipping: top ioss_core. Made from tb/ioss/block.py by `make regs`.
+incdir+rtl/common
rtl/common/trainslice_pkg.sv
rtl/ioss/ioss_pkg.sv
rtl/common/slice_unpack.sv
rtl/ioss/ioss_chunk_walker.sv
rtl/ioss/ioss_desc_check.sv
rtl/ioss/ioss_desc.sv
rtl/ioss/ioss_banks.sv
rtl/ioss/ioss_tile_loader.sv
rtl/ioss/ioss_dispatch.sv
rtl/ioss/ioss_map.sv
rtl/ioss/ioss_tile_mem.sv
rtl/ioss/ioss_slots.sv
rtl/ioss/ioss_row.sv
rtl/ioss/ioss_skip_count.sv
rtl/ioss/ioss_counters.sv
rtl/ioss/ioss_core.sv
