// Test bench of the IOSS core: transactors on every stream, a binary trace of every boundary, and, for the conventional driver and
// protocol abuse, a direct way to the tile and vector streams (docs/environment.md; docs/ioss/README.md).
`include "ts_bench.svh"
`include "ts_trace.svh"
`define IOSS(port) port
module tb_ioss #(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int Depth = 128
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        trace_i,        // write issue and product traces
  input  logic        flush_i,        // write everything out

  input  logic [31:0] desc_credit_i,
  output logic [31:0] desc_played_o,
  input  logic [31:0] tile_credit_i,
  output logic [31:0] tile_played_o,
  input  logic [31:0] vec_credit_i,
  output logic [31:0] vec_played_o,
  input  logic [32*Rows-1:0] prod_credit_i,
  input  logic [31:0] byp_credit_i,

  output logic [31:0] cycle_o,
  output logic        quiet_o,        // nothing to play, nothing in the core (ts_quiet)

  input  logic [8:0]  ctr_addr_i,
  output logic [31:0] ctr_data_o,
  input  logic        ctr_clear_i,

  // Direct drive
  input  logic        direct_i,
  input  logic        dtile_valid_i,
  output logic        dtile_ready_o,
  input  logic [127:0] dtile_data_i,
  input  logic        dtile_last_i,
  input  logic        dvec_valid_i,
  output logic        dvec_ready_o,
  input  logic [127:0] dvec_data_i,
  input  logic        dvec_last_i,
  input  logic [15:0] dvec_tag_i,
  input  logic [Lanes-1:0] dvec_mask_i,

  // What a conventional monitor samples
  output logic [Rows-1:0] prod_valid_o,
  output logic [Rows-1:0] prod_ready_o,
  output logic [Rows*Lanes*10-1:0] prod_data_o,
  output logic [Rows*3-1:0] prod_order_o,
  output logic [Rows*16-1:0] prod_tag_o
);
  `TS_CYCLE
  `include "ioss_ports.svh"

  // ---- sources ----------------
  logic stile_valid, svec_valid;
  `TS_SOURCE(desc, 6)
  `TS_SOURCE_ON(tile, 17, stile_valid, tile_ready_o)    // last, data
  `TS_SOURCE_ON(vec, 23, svec_valid, vec_ready_o)       // mask (32), tag, last, data
  assign {desc_n_jobs_i, desc_k_len_i, desc_reduce_factor_i, desc_x_unsigned_i, desc_w_unsigned_i, desc_compensate_i,
          desc_x_slices_i, desc_w_slices_i, desc_min_order_i} = desc_payload;

  // Direct drive, taken over at every change. With an edge in its list this is no combinational logic to Verilator, which
  // would evaluate everything behind the inputs several times a cycle, used or not: a third of the simulation's time.
  logic         direct_q, dtile_valid_q, dtile_last_q, dvec_valid_q, dvec_last_q;
  logic [127:0] dtile_data_q, dvec_data_q;
  logic [15:0]  dvec_tag_q;
  logic [Lanes-1:0] dvec_mask_q;
  initial direct_q = 1'b0;
  always @(posedge direct_i or negedge direct_i or dtile_valid_i or dtile_data_i or dtile_last_i or dvec_valid_i or
           dvec_data_i or dvec_last_i or dvec_tag_i or dvec_mask_i) begin
    direct_q <= direct_i;
    {dtile_valid_q, dtile_data_q, dtile_last_q} <= {dtile_valid_i, dtile_data_i, dtile_last_i};
    {dvec_valid_q, dvec_data_q, dvec_last_q} <= {dvec_valid_i, dvec_data_i, dvec_last_i};
    {dvec_tag_q, dvec_mask_q} <= {dvec_tag_i, dvec_mask_i};
  end

  assign tile_valid_i = direct_q ? dtile_valid_q : stile_valid;
  assign tile_data_i  = direct_q ? dtile_data_q : tile_payload[127:0];
  assign tile_last_i  = direct_q ? dtile_last_q : tile_payload[128];
  assign vec_valid_i  = direct_q ? dvec_valid_q : svec_valid;
  assign vec_data_i   = direct_q ? dvec_data_q : vec_payload[127:0];
  assign vec_last_i   = direct_q ? dvec_last_q : vec_payload[128];
  assign vec_tag_i    = direct_q ? dvec_tag_q : vec_payload[151:136];
  assign vec_mask_i   = direct_q ? dvec_mask_q : vec_payload[152 +: Lanes];
  assign dtile_ready_o = tile_ready_o;
  assign dvec_ready_o  = vec_ready_o;

  // ---- device ----------------
  ioss_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .Depth(Depth)
  ) dut (
    .*
  );

  // ---- sinks, handshake checks, traces ----------------
  for (genvar r = 0; r < Rows; r++) begin : gen_sink
    ts_sink #(.Name("prod"), .Index(r)) u_sink (
      .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(prod_credit_i[32*r +: 32]), .ready_o(prod_ready_i[r])
    );
    ts_stream_check #(.PayloadW(Lanes * 10 + 3 + 3 + 16 + Lanes)) u_check (
      .clk_i, .rst_ni, .valid_i(prod_valid_o[r]), .ready_i(prod_ready_i[r]),
      .payload_i({prod_data_o[Lanes*10*r +: Lanes*10], prod_order_o[3*r +: 3], prod_last_o[r], prod_null_o[r],
                  prod_bank_o[r], prod_tag_o[16*r +: 16], prod_mask_o[Lanes*r +: Lanes]})
    );
  end
  assign prod_ready_o = prod_ready_i;
  `TS_SINK(byp)
  `TS_CHECK(byp, 16 + Lanes, {byp_tag_o, byp_mask_o})

  localparam Place = ".";
  `include "ioss_trace.svh"

  // ---- end of work ----------------
  `TS_QUIET(busy_o || `TS_PLAYING(desc, desc_valid_i) || `TS_PLAYING(tile, tile_valid_i) ||
            `TS_PLAYING(vec, vec_valid_i))
endmodule
