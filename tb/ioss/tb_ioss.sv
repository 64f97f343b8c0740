// Test bench of the IOSS core: transactors on every stream, a binary trace of every boundary, and, for the conventional driver and
// protocol abuse, a direct way to the tile and vector streams (docs/environment.md; docs/ioss/README.md).
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

  logic [31:0] cycle_q;
  initial cycle_q = 0;
  always @(posedge clk_i) cycle_q <= cycle_q + 1;
  assign cycle_o = cycle_q;

  // ---- sources ----------------
  logic        desc_valid, desc_ready, tile_valid, tile_ready, vec_valid, vec_ready;
  logic        stile_valid, svec_valid;
  logic [47:0] desc_payload;    // n_jobs, k_len, 00, reduce_factor, x_unsigned, w_unsigned, compensate, x, w, min_order
  logic [8*17-1:0] stile_payload;   // last, data
  logic [8*23-1:0] svec_payload;    // mask (32), tag, last, data
  logic [127:0] tile_data, vec_data;
  logic        tile_last, vec_last;
  logic [15:0] vec_tag;
  logic [Lanes-1:0] vec_mask;

  ts_source #(.Name("desc"), .PayloadBytes(6)) u_desc_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(desc_credit_i), .played_o(desc_played_o),
    .valid_o(desc_valid), .ready_i(desc_ready), .payload_o(desc_payload)
  );
  ts_source #(.Name("tile"), .PayloadBytes(17)) u_tile_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(tile_credit_i), .played_o(tile_played_o),
    .valid_o(stile_valid), .ready_i(tile_ready), .payload_o(stile_payload)
  );
  ts_source #(.Name("vec"), .PayloadBytes(23)) u_vec_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(vec_credit_i), .played_o(vec_played_o),
    .valid_o(svec_valid), .ready_i(vec_ready), .payload_o(svec_payload)
  );

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

  assign tile_valid = direct_q ? dtile_valid_q : stile_valid;
  assign tile_data  = direct_q ? dtile_data_q : stile_payload[127:0];
  assign tile_last  = direct_q ? dtile_last_q : stile_payload[128];
  assign vec_valid  = direct_q ? dvec_valid_q : svec_valid;
  assign vec_data   = direct_q ? dvec_data_q : svec_payload[127:0];
  assign vec_last   = direct_q ? dvec_last_q : svec_payload[128];
  assign vec_tag    = direct_q ? dvec_tag_q : svec_payload[151:136];
  assign vec_mask   = direct_q ? dvec_mask_q : svec_payload[152 +: Lanes];
  assign dtile_ready_o = tile_ready;
  assign dvec_ready_o  = vec_ready;

  // ---- device ----------------
  logic            rsp_valid, tile_err, job_err_valid, byp_valid, byp_ready, busy;
  logic [3:0]      rsp_code, job_err_code;
  logic [15:0]     job_err_tag, byp_tag;
  logic [Lanes-1:0] byp_mask;
  logic [Rows-1:0] prod_last, prod_null, prod_bank, issue_valid, issue_null;
  logic [Rows*Lanes-1:0] prod_mask;
  logic [Rows*10-1:0] issue_k;
  logic [Rows*2-1:0] issue_i, issue_j;
  logic [Rows*5-1:0] issue_x;
  logic [Rows*16-1:0] issue_tag;

  ioss_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .Depth(Depth)
  ) dut (
    .clk_i,
    .rst_ni,
    .desc_valid_i        (desc_valid),
    .desc_ready_o        (desc_ready),
    .desc_x_slices_i     (desc_payload[8:6]),
    .desc_w_slices_i     (desc_payload[5:3]),
    .desc_x_unsigned_i   (desc_payload[11]),
    .desc_w_unsigned_i   (desc_payload[10]),
    .desc_min_order_i    (desc_payload[2:0]),
    .desc_compensate_i   (desc_payload[9]),
    .desc_reduce_factor_i(desc_payload[15:12]),
    .desc_k_len_i        (desc_payload[31:16]),
    .desc_n_jobs_i       (desc_payload[47:32]),
    .rsp_valid_o         (rsp_valid),
    .rsp_code_o          (rsp_code),
    .tile_valid_i        (tile_valid),
    .tile_ready_o        (tile_ready),
    .tile_data_i         (tile_data),
    .tile_last_i         (tile_last),
    .tile_err_o          (tile_err),
    .vec_valid_i         (vec_valid),
    .vec_ready_o         (vec_ready),
    .vec_data_i          (vec_data),
    .vec_last_i          (vec_last),
    .vec_tag_i           (vec_tag),
    .vec_mask_i          (vec_mask),
    .job_err_valid_o     (job_err_valid),
    .job_err_code_o      (job_err_code),
    .job_err_tag_o       (job_err_tag),
    .prod_valid_o        (prod_valid_o),
    .prod_ready_i        (prod_ready_o),
    .prod_data_o         (prod_data_o),
    .prod_order_o        (prod_order_o),
    .prod_last_o         (prod_last),
    .prod_null_o         (prod_null),
    .prod_bank_o         (prod_bank),
    .prod_tag_o          (prod_tag_o),
    .prod_mask_o         (prod_mask),
    .byp_valid_o         (byp_valid),
    .byp_ready_i         (byp_ready),
    .byp_tag_o           (byp_tag),
    .byp_mask_o          (byp_mask),
    .issue_valid_o       (issue_valid),
    .issue_null_o        (issue_null),
    .issue_k_o           (issue_k),
    .issue_i_o           (issue_i),
    .issue_j_o           (issue_j),
    .issue_x_o           (issue_x),
    .issue_tag_o         (issue_tag),
    .ctr_addr_i,
    .ctr_data_o,
    .ctr_clear_i,
    .busy_o              (busy)
  );

  // ---- sinks and handshake checks ----------------
  for (genvar r = 0; r < Rows; r++) begin : gen_sink
    ts_sink #(.Name("prod"), .Index(r)) u_sink (
      .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(prod_credit_i[32*r +: 32]), .ready_o(prod_ready_o[r])
    );
    ts_stream_check #(.PayloadW(Lanes * 10 + 3 + 3 + 16 + Lanes)) u_check (
      .clk_i, .rst_ni, .valid_i(prod_valid_o[r]), .ready_i(prod_ready_o[r]),
      .payload_i({prod_data_o[Lanes*10*r +: Lanes*10], prod_order_o[3*r +: 3], prod_last[r], prod_null[r], prod_bank[r],
                  prod_tag_o[16*r +: 16], prod_mask[Lanes*r +: Lanes]})
    );
  end
  ts_sink #(.Name("byp"), .Index(0)) u_byp_sink (
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(byp_credit_i), .ready_o(byp_ready)
  );
  ts_stream_check #(.PayloadW(16 + Lanes)) u_byp_check (
    .clk_i, .rst_ni, .valid_i(byp_valid), .ready_i(byp_ready), .payload_i({byp_tag, byp_mask})
  );

  // ---- trace ----------------
  ioss_trace #(
    .Rows (Rows),
    .Lanes(Lanes)
  ) u_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .trace_i, .flush_i,
    .rsp_valid_i(rsp_valid), .rsp_code_i(rsp_code), .tile_err_i(tile_err),
    .job_err_valid_i(job_err_valid), .job_err_code_i(job_err_code), .job_err_tag_i(job_err_tag),
    .byp_valid_i(byp_valid), .byp_ready_i(byp_ready), .byp_tag_i(byp_tag), .byp_mask_i(byp_mask),
    .prod_valid_i(prod_valid_o), .prod_ready_i(prod_ready_o), .prod_data_i(prod_data_o), .prod_order_i(prod_order_o),
    .prod_last_i(prod_last), .prod_null_i(prod_null), .prod_bank_i(prod_bank), .prod_tag_i(prod_tag_o),
    .prod_mask_i(prod_mask), .issue_valid_i(issue_valid), .issue_null_i(issue_null), .issue_k_i(issue_k),
    .issue_i_i(issue_i), .issue_j_i(issue_j), .issue_x_i(issue_x), .issue_tag_i(issue_tag), .busy_i(busy)
  );

  // ---- end of work ----------------
  logic active;
  assign active = busy || desc_valid || tile_valid || vec_valid || desc_played_o != desc_credit_i ||
                  tile_played_o != tile_credit_i || vec_played_o != vec_credit_i;
  ts_quiet u_quiet (.clk_i, .rst_ni, .active_i(active), .quiet_o);
endmodule
