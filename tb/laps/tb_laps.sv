// Test bench of LAPS: transactors on every stream and a binary trace of every boundary (docs/environment.md; docs/laps/README.md).
module tb_laps #(
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
  logic [31:0] cycle_q;
  initial cycle_q = 0;
  always @(posedge clk_i) cycle_q <= cycle_q + 1;
  assign cycle_o = cycle_q;

  // ---- sources ----------------
  logic reg_valid, reg_ready, upd_valid, upd_ready, ord_valid, ord_ready, step_valid;
  logic [47:0]  request;    // 44: write, 43..32: address, 31..0: data
  logic [159:0] record;
  logic [47:0]  query;
  logic [7:0]   step;
  ts_source #(.Name("reg"), .PayloadBytes(6)) u_reg_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(reg_credit_i), .played_o(reg_played_o),
    .valid_o(reg_valid), .ready_i(reg_ready), .payload_o(request)
  );
  ts_source #(.Name("upd"), .PayloadBytes(20)) u_upd_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(upd_credit_i), .played_o(upd_played_o),
    .valid_o(upd_valid), .ready_i(upd_ready), .payload_o(record)
  );
  ts_source #(.Name("ord"), .PayloadBytes(6)) u_ord_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(ord_credit_i), .played_o(ord_played_o),
    .valid_o(ord_valid), .ready_i(ord_ready), .payload_o(query)
  );
  ts_source #(.Name("step"), .PayloadBytes(1)) u_step_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(step_credit_i), .played_o(step_played_o),
    .valid_o(step_valid), .ready_i(1'b1), .payload_o(step)
  );

  // ---- device ----------------
  logic reg_rsp_valid, upd_rsp_valid, ord_rsp_valid, obs_valid, obs_over, busy;
  logic [1:0]  reg_rsp_code, upd_rsp_code, ord_rsp_code, ord_rsp_order;
  logic [31:0] reg_rsp_data;
  logic [7:0]  upd_rsp_fl;
  logic [2:0]  upd_rsp_n;
  logic [laps_pkg::EventW-1:0] upd_rsp_events;
  logic [9:0]  ord_rsp_shift;
  logic [8:0]  ord_rsp_n;
  logic [23:0] ord_rsp_fl;
  logic [laps_pkg::EntryW-1:0]  obs_entry;
  logic [laps_pkg::SignalW-1:0] obs_mean;
  logic [laps_pkg::TolW-1:0]    obs_tolerance;
  laps_core #(
    .Layers(Layers)
  ) dut (
    .clk_i,
    .rst_ni,
    .reg_valid_i     (reg_valid),
    .reg_ready_o     (reg_ready),
    .reg_write_i     (request[44]),
    .reg_addr_i      (request[43:32]),
    .reg_wdata_i     (request[31:0]),
    .reg_rsp_valid_o (reg_rsp_valid),
    .reg_rsp_code_o  (reg_rsp_code),
    .reg_rsp_data_o  (reg_rsp_data),
    .upd_valid_i     (upd_valid),
    .upd_ready_o     (upd_ready),
    .upd_layer_i     (record[7:0]),
    .upd_class_i     (record[9:8]),
    .upd_values_i    (record[41:10]),
    .upd_overflow_i  (record[73:42]),
    .upd_zeros_i     (record[105:74]),
    .upd_max_bit_i   (record[111:106]),
    .upd_sum_abs_i   (record[159:112]),
    .upd_rsp_valid_o (upd_rsp_valid),
    .upd_rsp_code_o  (upd_rsp_code),
    .upd_rsp_fl_o    (upd_rsp_fl),
    .upd_rsp_n_o     (upd_rsp_n),
    .upd_rsp_events_o(upd_rsp_events),
    .ord_valid_i     (ord_valid),
    .ord_ready_o     (ord_ready),
    .ord_x_i         (query[9:0]),
    .ord_w_i         (query[19:10]),
    .ord_y_i         (query[29:20]),
    .ord_k_i         (query[45:30]),
    .ord_rsp_valid_o (ord_rsp_valid),
    .ord_rsp_code_o  (ord_rsp_code),
    .ord_rsp_order_o (ord_rsp_order),
    .ord_rsp_shift_o (ord_rsp_shift),
    .ord_rsp_n_o     (ord_rsp_n),
    .ord_rsp_fl_o    (ord_rsp_fl),
    .step_i          (step_valid),
    .obs_valid_o     (obs_valid),
    .obs_entry_o     (obs_entry),
    .obs_mean_o      (obs_mean),
    .obs_tolerance_o (obs_tolerance),
    .obs_over_o      (obs_over),
    .busy_o          (busy)
  );

  // Answers cannot be held off; the checkers want everything known.
  ts_stream_check #(.PayloadW(34)) u_reg_check (
    .clk_i, .rst_ni, .valid_i(reg_rsp_valid), .ready_i(1'b1), .payload_i({reg_rsp_code, reg_rsp_data})
  );
  ts_stream_check #(.PayloadW(18)) u_upd_check (
    .clk_i, .rst_ni, .valid_i(upd_rsp_valid), .ready_i(1'b1),
    .payload_i({upd_rsp_code, upd_rsp_fl, upd_rsp_n, upd_rsp_events})
  );
  ts_stream_check #(.PayloadW(47)) u_ord_check (
    .clk_i, .rst_ni, .valid_i(ord_rsp_valid), .ready_i(1'b1),
    .payload_i({ord_rsp_code, ord_rsp_order, ord_rsp_shift, ord_rsp_n, ord_rsp_fl})
  );
  ts_stream_check #(.PayloadW(82)) u_obs_check (
    .clk_i, .rst_ni, .valid_i(obs_valid), .ready_i(1'b1),
    .payload_i({obs_entry, obs_mean, obs_tolerance, obs_over})
  );

  laps_trace u_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .busy_i(busy),
    .reg_rsp_valid_i(reg_rsp_valid), .reg_rsp_code_i(reg_rsp_code), .reg_rsp_data_i(reg_rsp_data),
    .upd_rsp_valid_i(upd_rsp_valid), .upd_rsp_code_i(upd_rsp_code), .upd_rsp_fl_i(upd_rsp_fl),
    .upd_rsp_n_i(upd_rsp_n), .upd_rsp_events_i(upd_rsp_events),
    .ord_rsp_valid_i(ord_rsp_valid), .ord_rsp_code_i(ord_rsp_code), .ord_rsp_order_i(ord_rsp_order),
    .ord_rsp_shift_i(ord_rsp_shift), .ord_rsp_n_i(ord_rsp_n), .ord_rsp_fl_i(ord_rsp_fl),
    .obs_valid_i(obs_valid), .obs_entry_i(obs_entry), .obs_mean_i(obs_mean), .obs_tolerance_i(obs_tolerance),
    .obs_over_i(obs_over)
  );

  // ---- end of work ----------------
  logic active, unused;
  assign active = busy || reg_valid || upd_valid || ord_valid || step_valid || reg_played_o != reg_credit_i ||
                  upd_played_o != upd_credit_i || ord_played_o != ord_credit_i || step_played_o != step_credit_i;
  assign unused = ^{trace_i, request[47:45], query[47:46], step};
  ts_quiet u_quiet (.clk_i, .rst_ni, .active_i(active), .quiet_o);
endmodule
