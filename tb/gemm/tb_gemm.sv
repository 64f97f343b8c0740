// Test bench of the IOSS core and the RAN, joined (docs/environment.md; docs/gemm/README.md): transactors on every stream, the traces of
// both parts at their ports inside, and what happens to descriptors between them (gemm_trace.svh).
`include "ts_bench.svh"
`include "ts_trace.svh"
`include "gemm_desc.svh"
`define GEMM(name) dut.name
`define IOSS(port) dut.u_ioss.port
`define RAN(port) dut.u_ran.port
module tb_gemm #(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int AccW = 40,
  parameter int Banks = 2
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        trace_i,        // write what has lanes
  input  logic        flush_i,        // write everything out

  input  logic [31:0] desc_credit_i,
  output logic [31:0] desc_played_o,
  input  logic [31:0] tile_credit_i,
  output logic [31:0] tile_played_o,
  input  logic [31:0] vec_credit_i,
  output logic [31:0] vec_played_o,
  input  logic [31:0] bias_credit_i,
  output logic [31:0] bias_played_o,
  input  logic [31:0] out_credit_i,
  input  logic [31:0] req_credit_i,
  input  logic [31:0] stat_credit_i,
  input  logic [15:0] psum_distance_i,

  output logic [31:0] cycle_o,
  output logic        quiet_o,        // nothing to play, nothing in the device (ts_quiet)

  input  logic [9:0]  ctr_addr_i,
  output logic [31:0] ctr_data_o,
  input  logic        ctr_clear_i
);
  `TS_CYCLE
  `include "gemm_ports.svh"

  // ---- streams ----------------
  `TS_SOURCE(desc, 13)
  `TS_SOURCE(tile, 17)    // last, data
  `TS_SOURCE(vec, 23)     // mask (32), tag (not used: the pair numbers its jobs), last, data
  `TS_SOURCE(bias, 17)    // last, data
  assign `GEMM_DESC() = desc_payload;
  assign {tile_last_i, tile_data_i} = tile_payload[128:0];
  assign {vec_mask_i, vec_last_i, vec_data_i} = {vec_payload[152 +: Lanes], vec_payload[128:0]};
  assign {bias_last_i, bias_data_i} = bias_payload[128:0];

  `include "ran_streams.svh"

  // ---- device ----------------
  gemm_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .Depth(Depth),
    .AccW (AccW),
    .Banks(Banks)
  ) dut (
    .*
  );

  localparam Place = ".";
  `include "ioss_trace.svh"
  `include "ran_trace.svh"
  `include "gemm_trace.svh"

  // ---- end of work ----------------
  `TS_QUIET(busy_o || `TS_PLAYING(desc, desc_valid_i) || `TS_PLAYING(tile, tile_valid_i) ||
            `TS_PLAYING(vec, vec_valid_i) || `TS_PLAYING(bias, bias_valid_i))
endmodule
