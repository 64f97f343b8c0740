// Test bench of the OPTC: transactors on every stream and a binary trace of every boundary (docs/environment.md; docs/optc/README.md).
//
// A configuration whose bit WaitBit is set waits until the core is not busy, as a host would; one without is offered at once.
module tb_optc #(
  parameter int Lanes = 4,
  parameter int Modes = 3
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        trace_i,        // write what has lanes
  input  logic        flush_i,        // write everything out

  input  logic [31:0] cfg_credit_i,
  output logic [31:0] cfg_played_o,
  input  logic [31:0] in_credit_i,
  output logic [31:0] in_played_o,
  input  logic [31:0] out_credit_i,
  input  logic [31:0] stat_credit_i,

  output logic [31:0] cycle_o,
  output logic        quiet_o         // nothing to play, nothing in the device (ts_quiet)
);
  localparam int CfgW = optc_pkg::CfgW;
  localparam int WaitBit = 231;   // reserved in the core

  logic [31:0] cycle_q;
  initial cycle_q = 0;
  always @(posedge clk_i) cycle_q <= cycle_q + 1;
  assign cycle_o = cycle_q;

  // ---- sources, sinks ----------------
  logic cfg_valid, cfg_ready, cfg_gate, in_valid, in_ready;
  logic out_valid, out_ready, out_last, stat_valid, stat_ready;
  logic [CfgW-1:0]      cfg;
  logic [128*Lanes-1:0] payload;      // g, v, m, w
  logic [32*Lanes-1:0]  out_w, out_m, out_v;
  logic [16*Lanes-1:0]  out_y;
  logic [23:0]          stat_values;
  logic [143:0]         stat_counts;
  logic [17:0]          stat_bits;
  logic                 busy, rsp_valid;
  logic [3:0]           rsp_code;

  assign cfg_gate = !cfg[WaitBit] || !busy;
  ts_source #(.Name("cfg"), .PayloadBytes(CfgW / 8)) u_cfg_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(cfg_credit_i), .played_o(cfg_played_o),
    .valid_o(cfg_valid), .ready_i(cfg_ready && cfg_gate), .payload_o(cfg)
  );
  ts_source #(.Name("in"), .PayloadBytes(16 * Lanes)) u_in_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(in_credit_i), .played_o(in_played_o),
    .valid_o(in_valid), .ready_i(in_ready), .payload_o(payload)
  );
  ts_sink #(.Name("out"), .Index(0)) u_out_sink (
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(out_credit_i), .ready_o(out_ready)
  );
  ts_sink #(.Name("stat"), .Index(0)) u_stat_sink (
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(stat_credit_i), .ready_o(stat_ready)
  );
  ts_stream_check #(.PayloadW(112 * Lanes + 1)) u_out_check (
    .clk_i, .rst_ni, .valid_i(out_valid), .ready_i(out_ready), .payload_i({out_w, out_m, out_v, out_y, out_last})
  );
  ts_stream_check #(.PayloadW(186)) u_stat_check (
    .clk_i, .rst_ni, .valid_i(stat_valid), .ready_i(stat_ready), .payload_i({stat_values, stat_counts, stat_bits})
  );

  // ---- device ----------------
  logic moment_valid, denom_valid, update_valid;
  logic [64*Lanes-1:0] moment;
  logic [20*Lanes-1:0] denom;
  logic [32*Lanes-1:0] update;
  optc_core #(
    .Lanes(Lanes),
    .Modes(Modes)
  ) dut (
    .clk_i,
    .rst_ni,
    .cfg_valid_i       (cfg_valid && cfg_gate),
    .cfg_ready_o       (cfg_ready),
    .cfg_i             (cfg),
    .rsp_valid_o       (rsp_valid),
    .rsp_code_o        (rsp_code),
    .in_valid_i        (in_valid),
    .in_ready_o        (in_ready),
    .in_w_i            (payload[32*Lanes-1:0]),
    .in_m_i            (payload[32*Lanes +: 32*Lanes]),
    .in_v_i            (payload[64*Lanes +: 32*Lanes]),
    .in_g_i            (payload[96*Lanes +: 32*Lanes]),
    .out_valid_o       (out_valid),
    .out_ready_i       (out_ready),
    .out_last_o        (out_last),
    .out_w_o           (out_w),
    .out_m_o           (out_m),
    .out_v_o           (out_v),
    .out_y_o           (out_y),
    .stat_valid_o      (stat_valid),
    .stat_ready_i      (stat_ready),
    .stat_values_o     (stat_values),
    .stat_counts_o     (stat_counts),
    .stat_bits_o       (stat_bits),
    .obs_moment_valid_o(moment_valid),
    .obs_moment_o      (moment),
    .obs_denom_valid_o (denom_valid),
    .obs_denom_o       (denom),
    .obs_update_valid_o(update_valid),
    .obs_update_o      (update),
    .busy_o            (busy)
  );

  optc_trace #(
    .Lanes(Lanes)
  ) u_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .trace_i, .flush_i,
    .rsp_valid_i(rsp_valid), .rsp_code_i(rsp_code), .busy_i(busy),
    .moment_valid_i(moment_valid), .moment_i(moment), .denom_valid_i(denom_valid), .denom_i(denom),
    .update_valid_i(update_valid), .update_i(update),
    .out_valid_i(out_valid), .out_ready_i(out_ready), .out_last_i(out_last), .out_w_i(out_w), .out_m_i(out_m),
    .out_v_i(out_v), .out_y_i(out_y), .stat_valid_i(stat_valid), .stat_ready_i(stat_ready),
    .stat_values_i(stat_values), .stat_counts_i(stat_counts), .stat_bits_i(stat_bits)
  );

  // ---- end of work ----------------
  logic active;
  assign active = busy || cfg_valid || in_valid || cfg_played_o != cfg_credit_i ||
                  in_played_o != in_credit_i;
  ts_quiet u_quiet (.clk_i, .rst_ni, .active_i(active), .quiet_o);
endmodule
