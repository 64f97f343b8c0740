// Test bench of the OPTC: transactors on every stream and a binary trace of every boundary (docs/environment.md; docs/optc/README.md).
//
// A configuration whose bit WaitBit is set waits until the core is not busy, as a host would; one without is offered at once.
`include "ts_bench.svh"
`include "ts_trace.svh"
`define OPTC(port) port
module tb_optc
  import optc_pkg::config_t;
#(
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
  `TS_CYCLE
  `include "optc_ports.svh"

  // ---- streams ----------------
  logic cfg_valid, cfg_gate;
  `TS_SOURCE_ON(cfg, CfgW / 8, cfg_valid, cfg_ready_o && cfg_gate)
  assign cfg_gate = !cfg_payload[WaitBit] || !busy_o;
  `TS_SOURCE(in, 16 * Lanes)    // g, v, m, w
  assign cfg_i = cfg_payload;
  assign cfg_valid_i = cfg_valid && cfg_gate;
  assign {in_g_i, in_v_i, in_m_i, in_w_i} = in_payload;

  `TS_SINK(out)
  `TS_SINK(stat)
  `TS_CHECK(out, 112 * Lanes + 1, {out_w_o, out_m_o, out_v_o, out_y_o, out_last_o})
  `TS_CHECK(stat, 186, {stat_values_o, stat_counts_o, stat_bits_o})

  // ---- device ----------------
  optc_core #(
    .Lanes(Lanes),
    .Modes(Modes)
  ) dut (
    .*
  );

  localparam Place = ".";
  `include "optc_trace.svh"

  // ---- end of work ----------------
  `TS_QUIET(busy_o || `TS_PLAYING(cfg, cfg_valid) || `TS_PLAYING(in, in_valid_i))
endmodule
