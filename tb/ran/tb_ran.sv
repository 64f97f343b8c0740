// Test bench of the RAN: transactors on every stream and a binary trace of every boundary (docs/environment.md; docs/ran/README.md).
//
// A cancel is played when its tag's descriptor has been accepted, unless its record says at once: before that it would do nothing.
`include "ts_bench.svh"
`include "ts_trace.svh"
`define RAN(port) port
module tb_ran #(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int AccW = 40,
  parameter int Banks = 2
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        trace_i,        // write what has lanes
  input  logic        flush_i,        // write everything out

  input  logic [31:0] desc_credit_i,
  output logic [31:0] desc_played_o,
  input  logic [32*Rows-1:0] prod_credit_i,
  output logic [32*Rows-1:0] prod_played_o,
  input  logic [31:0] byp_credit_i,
  output logic [31:0] byp_played_o,
  input  logic [31:0] bias_credit_i,
  output logic [31:0] bias_played_o,
  input  logic [31:0] cancel_credit_i,
  output logic [31:0] cancel_played_o,
  input  logic [31:0] out_credit_i,
  input  logic [31:0] req_credit_i,
  input  logic [31:0] stat_credit_i,
  input  logic [15:0] psum_distance_i,

  output logic [31:0] cycle_o,
  output logic        quiet_o,        // nothing to play, nothing in the device (ts_quiet)

  input  logic [8:0]  ctr_addr_i,
  output logic [31:0] ctr_data_o,
  input  logic        ctr_clear_i
);
  localparam int ProdBytes = Lanes * 10 / 8 + 4 + 4;   // mask (32), tag, 0, last, null, bank, order, data
  `TS_CYCLE
  `include "ran_ports.svh"

  // ---- streams ----------------
  `TS_SOURCE(desc, 13)
  `TS_SOURCE(byp, 6)      // mask (32), tag
  `TS_SOURCE(bias, 17)    // last, data
  logic cancel_valid, cancel_ready;
  `TS_SOURCE_ON(cancel, 3, cancel_valid, cancel_ready)    // at once, tag
  logic [2:0] unused_min_order;     // the lowest bits of a descriptor are for the IOSS core
  assign {desc_draw_i, desc_stat_last_i, desc_lanes_i, desc_start_i, desc_shift_i, desc_rand_bits_i, desc_round_i,
          desc_relu_i, desc_y_unsigned_i, desc_y_bits_i, desc_n_jobs_i, desc_k_len_i, desc_reduce_factor_i,
          desc_x_unsigned_i, desc_w_unsigned_i, desc_compensate_i, desc_x_slices_i, desc_w_slices_i,
          unused_min_order} = desc_payload;
  assign {byp_mask_i, byp_tag_i} = byp_payload[Lanes+15:0];
  assign {bias_last_i, bias_data_i} = bias_payload[128:0];
  assign cancel_valid_i = cancel_valid && cancel_ready;
  assign cancel_tag_i = cancel_payload[15:0];
  for (genvar r = 0; r < Rows; r++) begin : gen_prod_source
    logic [8*ProdBytes-1:0] payload;
    ts_source #(.Name("prod"), .Index(r), .PayloadBytes(ProdBytes)) u_source (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(prod_credit_i[32*r +: 32]),
      .played_o(prod_played_o[32*r +: 32]), .valid_o(prod_valid_i[r]), .ready_i(prod_ready_o[r]), .payload_o(payload)
    );
    assign prod_data_i[Lanes*10*r +: Lanes*10] = payload[Lanes*10-1:0];
    assign prod_order_i[3*r +: 3]              = payload[Lanes*10 +: 3];
    assign prod_bank_i[r]                      = payload[Lanes*10 + 3];
    assign prod_null_i[r]                      = payload[Lanes*10 + 4];
    assign prod_last_i[r]                      = payload[Lanes*10 + 5];
    assign prod_tag_i[16*r +: 16]              = payload[Lanes*10 + 16 +: 16];
    assign prod_mask_i[Lanes*r +: Lanes]       = payload[Lanes*10 + 32 +: Lanes];
  end

  // Jobs of accepted descriptors so far.
  logic [15:0] n_jobs_q, accepted_q, ahead;
  initial accepted_q = 0;
  always @(posedge clk_i) begin
    if (desc_valid_i && desc_ready_o) n_jobs_q <= desc_n_jobs_i;
    if (!rst_ni) accepted_q <= 0;
    else if (rsp_valid_o && rsp_code_o == 0) accepted_q <= accepted_q + n_jobs_q;
  end
  assign ahead = cancel_tag_i - accepted_q;
  assign cancel_ready = cancel_payload[16] || ahead[15];

  `include "ran_streams.svh"

  // ---- device ----------------
  ran_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW),
    .Banks(Banks)
  ) dut (
    .*
  );

  localparam Place = ".";
  `include "ran_trace.svh"

  // ---- end of work ----------------
  `TS_QUIET(busy_o || `TS_PLAYING(desc, desc_valid_i) || `TS_PLAYING(prod, prod_valid_i != '0) ||
            `TS_PLAYING(byp, byp_valid_i) || `TS_PLAYING(bias, bias_valid_i) || `TS_PLAYING(cancel, cancel_valid))
endmodule
