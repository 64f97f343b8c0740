// Test bench of LAPS: transactors on every stream and a binary trace of every boundary (docs/environment.md; docs/laps/README.md).
`include "ts_bench.svh"
`include "ts_trace.svh"
`define LAPS(port) port
module tb_laps
  import laps_pkg::ref_t;
#(
  parameter int Layers = 16
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        trace_i,        // every trace is a record a transaction: nothing to leave out
  input  logic        flush_i,        // write everything out

  input  logic [31:0] reg_credit_i,
  output logic [31:0] reg_played_o,
  input  logic [31:0] upd_credit_i,
  output logic [31:0] upd_played_o,
  input  logic [31:0] ord_credit_i,
  output logic [31:0] ord_played_o,
  input  logic [31:0] step_credit_i,
  output logic [31:0] step_played_o,

  output logic [31:0] cycle_o,
  output logic        quiet_o         // nothing to play, nothing in the device (ts_quiet)
);
  `TS_CYCLE
  `include "laps_ports.svh"

  // ---- streams ----------------
  logic step_valid, unused;
  logic [2:0] unused_reg;
  logic [1:0] unused_ord;
  `TS_SOURCE(reg, 6)
  `TS_SOURCE(upd, 20)
  `TS_SOURCE(ord, 6)
  `TS_SOURCE_ON(step, 1, step_valid, 1'b1)
  assign {unused_reg, reg_write_i, reg_addr_i, reg_wdata_i} = reg_payload;
  assign {upd_sum_abs_i, upd_max_bit_i, upd_zeros_i, upd_overflow_i, upd_values_i, upd_class_i, upd_layer_i} =
      upd_payload;
  assign {unused_ord, ord_k_i, ord_y_i, ord_w_i, ord_x_i} = ord_payload;
  assign step_i = step_valid;
  assign unused = ^{trace_i, step_payload};

  // Answers cannot be held off; the checkers want everything known.
  `TS_CHECK_ON(reg, 34, reg_rsp_valid_o, 1'b1, {reg_rsp_code_o, reg_rsp_data_o})
  `TS_CHECK_ON(upd, 18, upd_rsp_valid_o, 1'b1, {upd_rsp_code_o, upd_rsp_fl_o, upd_rsp_n_o, upd_rsp_events_o})
  `TS_CHECK_ON(ord, 47, ord_rsp_valid_o, 1'b1,
               {ord_rsp_code_o, ord_rsp_order_o, ord_rsp_shift_o, ord_rsp_n_o, ord_rsp_fl_o})
  `TS_CHECK_ON(obs, 82, obs_valid_o, 1'b1, {obs_entry_o, obs_mean_o, obs_tolerance_o, obs_over_o})

  // ---- device ----------------
  laps_core #(
    .Layers(Layers)
  ) dut (
    .*
  );

  localparam Place = ".";
  `include "laps_trace.svh"

  // ---- end of work ----------------
  `TS_QUIET(busy_o || `TS_PLAYING(reg, reg_valid_i) || `TS_PLAYING(upd, upd_valid_i) ||
            `TS_PLAYING(ord, ord_valid_i) || `TS_PLAYING(step, step_valid))
endmodule
