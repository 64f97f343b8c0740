// A quant register of the RAN, written from docs/ran/README.md alone: it takes the place of rtl/ran/ran_quant.sv.
lane_quant.sv
ran_quant.sv
