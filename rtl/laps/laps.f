// LAPS: layer-wise adaptive bit-precision scaling: top laps_core. Made from tb/laps/block.py by `make regs`.
+incdir+rtl/common
rtl/common/trainslice_pkg.sv
rtl/ran/ran_pkg.sv
rtl/laps/laps_pkg.sv
rtl/common/draw_mix.sv
rtl/common/draw_lanes.sv
rtl/laps/laps_log2.sv
rtl/laps/laps_limit.sv
rtl/laps/laps_fl_rule.sv
rtl/laps/laps_n_rule.sv
rtl/laps/laps_order.sv
rtl/laps/laps_table.sv
rtl/laps/laps_regs.sv
rtl/laps/laps_update.sv
rtl/laps/laps_core.sv
