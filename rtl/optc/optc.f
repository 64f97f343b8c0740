// OPTC: momentum-ADAM unified optimizer core: top optc_core. Made from tb/optc/block.py by `make regs`.
+incdir+rtl/common
rtl/common/trainslice_pkg.sv
rtl/ran/ran_pkg.sv
rtl/optc/optc_pkg.sv
rtl/common/draw_mix.sv
rtl/common/draw_lanes.sv
rtl/ran/ran_round.sv
rtl/optc/optc_cfg_check.sv
rtl/optc/optc_root.sv
rtl/optc/optc_div.sv
rtl/optc/optc_lane.sv
rtl/optc/optc_left.sv
rtl/optc/optc_counts.sv
rtl/optc/optc_core.sv
