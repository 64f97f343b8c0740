// registers of the processor: top top_regs. Made from tb/regs/block.py by `make regs`.
+incdir+rtl/common
rtl/common/trainslice_pkg.sv
rtl/laps/laps_pkg.sv
rtl/optc/optc_pkg.sv
rtl/top/top_reg_pkg.sv
rtl/top/top_pkg.sv
rtl/top/top_axil.sv
rtl/top/top_events.sv
rtl/top/top_updates.sv
rtl/top/top_regs.sv
