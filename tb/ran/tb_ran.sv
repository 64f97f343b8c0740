// Test bench of the RAN: transactors on every stream and a binary trace of every boundary (docs/environment.md; docs/ran/README.md).
//
// A cancel is played when its tag's descriptor has been accepted, unless its record says at once: before that it would do nothing.
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
  localparam int Places = (Lanes < 32) ? 32 / Lanes : 1;
  localparam int ProdBytes = Lanes * 10 / 8 + 4 + 4;   // mask (32), tag, 0, last, null, bank, order, data

  logic [31:0] cycle_q;
  initial cycle_q = 0;
  always @(posedge clk_i) cycle_q <= cycle_q + 1;
  assign cycle_o = cycle_q;

  // ---- sources ----------------
  logic        desc_valid, desc_ready, byp_valid, byp_ready, bias_valid, bias_ready;
  logic        cancel_valid, cancel_ready;
  logic [103:0] desc_payload;
  logic [47:0] byp_payload;     // mask (32), tag
  logic [135:0] bias_payload;   // last, data
  logic [23:0] cancel_payload;  // at once, tag
  logic [Rows-1:0] prod_valid, prod_ready, prod_last, prod_null, prod_bank;
  logic [Rows*Lanes*10-1:0] prod_data;
  logic [Rows*3-1:0]     prod_order;
  logic [Rows*16-1:0]    prod_tag;
  logic [Rows*Lanes-1:0] prod_mask;

  ts_source #(.Name("desc"), .PayloadBytes(13)) u_desc_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(desc_credit_i), .played_o(desc_played_o),
    .valid_o(desc_valid), .ready_i(desc_ready), .payload_o(desc_payload)
  );
  for (genvar r = 0; r < Rows; r++) begin : gen_prod_source
    logic [8*ProdBytes-1:0] payload;
    ts_source #(.Name("prod"), .Index(r), .PayloadBytes(ProdBytes)) u_source (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(prod_credit_i[32*r +: 32]),
      .played_o(prod_played_o[32*r +: 32]), .valid_o(prod_valid[r]), .ready_i(prod_ready[r]), .payload_o(payload)
    );
    assign prod_data[Lanes*10*r +: Lanes*10] = payload[Lanes*10-1:0];
    assign prod_order[3*r +: 3]              = payload[Lanes*10 +: 3];
    assign prod_bank[r]                      = payload[Lanes*10 + 3];
    assign prod_null[r]                      = payload[Lanes*10 + 4];
    assign prod_last[r]                      = payload[Lanes*10 + 5];
    assign prod_tag[16*r +: 16]              = payload[Lanes*10 + 16 +: 16];
    assign prod_mask[Lanes*r +: Lanes]       = payload[Lanes*10 + 32 +: Lanes];
  end
  ts_source #(.Name("byp"), .PayloadBytes(6)) u_byp_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(byp_credit_i), .played_o(byp_played_o),
    .valid_o(byp_valid), .ready_i(byp_ready), .payload_o(byp_payload)
  );
  ts_source #(.Name("bias"), .PayloadBytes(17)) u_bias_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(bias_credit_i), .played_o(bias_played_o),
    .valid_o(bias_valid), .ready_i(bias_ready), .payload_o(bias_payload)
  );
  ts_source #(.Name("cancel"), .PayloadBytes(3)) u_cancel_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(cancel_credit_i), .played_o(cancel_played_o),
    .valid_o(cancel_valid), .ready_i(cancel_ready), .payload_o(cancel_payload)
  );

  // Jobs of accepted descriptors so far.
  logic        rsp_valid;
  logic [3:0]  rsp_code;
  logic [15:0] n_jobs_q, accepted_q, ahead;
  initial accepted_q = 0;
  always @(posedge clk_i) begin
    if (desc_valid && desc_ready) n_jobs_q <= desc_payload[47:32];
    if (!rst_ni) accepted_q <= 0;
    else if (rsp_valid && rsp_code == 0) accepted_q <= accepted_q + n_jobs_q;
  end
  assign ahead = cancel_payload[15:0] - accepted_q;
  assign cancel_ready = cancel_payload[16] || ahead[15];

  // ---- sinks, partial sums ----------------
  logic        req_valid, req_ready, psum_valid, psum_ready, psum_last, out_valid, out_ready, out_last;
  logic        stat_valid, stat_ready;
  logic [15:0] req_tag;
  logic [127:0] psum_data, out_data;
  logic [2:0]  out_bits, out_jobs;
  logic [16*Places-1:0] out_tag;
  logic [Lanes*Places-1:0] out_mask;
  logic [31:0] stat_values, stat_overflow, stat_zeros;
  logic [5:0]  stat_max_bit;
  logic [47:0] stat_sum_abs;

  ts_sink #(.Name("req"), .Index(0)) u_req_sink (
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(req_credit_i), .ready_o(req_ready)
  );
  ts_sink #(.Name("out"), .Index(0)) u_out_sink (
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(out_credit_i), .ready_o(out_ready)
  );
  ts_sink #(.Name("stat"), .Index(0)) u_stat_sink (
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(stat_credit_i), .ready_o(stat_ready)
  );
  ts_stream_check #(.PayloadW(16)) u_req_check (
    .clk_i, .rst_ni, .valid_i(req_valid), .ready_i(req_ready), .payload_i(req_tag)
  );
  ts_stream_check #(.PayloadW(128 + 7 + 16*Places + Lanes*Places)) u_out_check (
    .clk_i, .rst_ni, .valid_i(out_valid), .ready_i(out_ready),
    .payload_i({out_data, out_last, out_bits, out_jobs, out_tag, out_mask})
  );
  ts_stream_check #(.PayloadW(150)) u_stat_check (
    .clk_i, .rst_ni, .valid_i(stat_valid), .ready_i(stat_ready),
    .payload_i({stat_values, stat_overflow, stat_zeros, stat_max_bit, stat_sum_abs})
  );
  ran_psum_memory #(.Lanes(Lanes)) u_psum_memory (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .distance_i(psum_distance_i),
    .req_valid_i(req_valid), .req_ready_i(req_ready), .req_tag_i(req_tag),
    .valid_o(psum_valid), .ready_i(psum_ready), .data_o(psum_data), .last_o(psum_last),
    .out_valid_i(out_valid), .out_ready_i(out_ready), .out_data_i(out_data), .out_last_i(out_last),
    .out_bits_i(out_bits), .out_tag_i(out_tag[15:0])
  );

  // ---- device ----------------
  logic busy, bias_err, psum_err;
  logic job_stat_valid, swap_valid, swap_byp, swap_bank, quant_valid;
  logic [4:0]  swap_entry;
  logic [15:0] job_stat_tag, swap_tag, quant_tag;
  logic [5:0]  job_stat_overflow, job_stat_zeros, job_stat_max_bit;
  logic [20:0] job_stat_sum_abs;
  logic [Rows-1:0] shift_valid, tree_valid, tree_bank;
  logic [Rows*Lanes*ran_pkg::ShiftW-1:0] shift;
  logic [Rows*Lanes*ran_pkg::TreeW-1:0]  tree;
  logic [Lanes*AccW-1:0] swap_acc, quant_z;

  ran_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW),
    .Banks(Banks)
  ) dut (
    .clk_i,
    .rst_ni,
    .desc_valid_i        (desc_valid),
    .desc_ready_o        (desc_ready),
    .desc_y_bits_i       (desc_payload[50:48]),
    .desc_y_unsigned_i   (desc_payload[51]),
    .desc_relu_i         (desc_payload[52]),
    .desc_round_i        (desc_payload[54:53]),
    .desc_rand_bits_i    (desc_payload[56:55]),
    .desc_shift_i        (desc_payload[62:57]),
    .desc_start_i        (desc_payload[64:63]),
    .desc_lanes_i        (desc_payload[70:65]),
    .desc_stat_last_i    (desc_payload[71]),
    .desc_draw_i         (desc_payload[103:72]),
    .desc_reduce_factor_i(desc_payload[15:12]),
    .desc_n_jobs_i       (desc_payload[47:32]),
    .desc_x_slices_i     (desc_payload[8:6]),
    .desc_w_slices_i     (desc_payload[5:3]),
    .desc_x_unsigned_i   (desc_payload[11]),
    .desc_w_unsigned_i   (desc_payload[10]),
    .desc_compensate_i   (desc_payload[9]),
    .desc_k_len_i        (desc_payload[31:16]),
    .rsp_valid_o         (rsp_valid),
    .rsp_code_o          (rsp_code),
    .prod_valid_i        (prod_valid),
    .prod_ready_o        (prod_ready),
    .prod_data_i         (prod_data),
    .prod_order_i        (prod_order),
    .prod_last_i         (prod_last),
    .prod_null_i         (prod_null),
    .prod_bank_i         (prod_bank),
    .prod_tag_i          (prod_tag),
    .prod_mask_i         (prod_mask),
    .byp_valid_i         (byp_valid),
    .byp_ready_o         (byp_ready),
    .byp_tag_i           (byp_payload[15:0]),
    .byp_mask_i          (byp_payload[16 +: Lanes]),
    .cancel_valid_i      (cancel_valid && cancel_ready),
    .cancel_tag_i        (cancel_payload[15:0]),
    .bias_valid_i        (bias_valid),
    .bias_ready_o        (bias_ready),
    .bias_data_i         (bias_payload[127:0]),
    .bias_last_i         (bias_payload[128]),
    .psum_req_valid_o    (req_valid),
    .psum_req_ready_i    (req_ready),
    .psum_req_tag_o      (req_tag),
    .psum_valid_i        (psum_valid),
    .psum_ready_o        (psum_ready),
    .psum_data_i         (psum_data),
    .psum_last_i         (psum_last),
    .bias_err_o          (bias_err),
    .psum_err_o          (psum_err),
    .out_valid_o         (out_valid),
    .out_ready_i         (out_ready),
    .out_data_o          (out_data),
    .out_last_o          (out_last),
    .out_bits_o          (out_bits),
    .out_jobs_o          (out_jobs),
    .out_tag_o           (out_tag),
    .out_mask_o          (out_mask),
    .job_stat_valid_o    (job_stat_valid),
    .job_stat_tag_o      (job_stat_tag),
    .job_stat_overflow_o (job_stat_overflow),
    .job_stat_zeros_o    (job_stat_zeros),
    .job_stat_max_bit_o  (job_stat_max_bit),
    .job_stat_sum_abs_o  (job_stat_sum_abs),
    .stat_valid_o        (stat_valid),
    .stat_ready_i        (stat_ready),
    .stat_values_o       (stat_values),
    .stat_overflow_o     (stat_overflow),
    .stat_zeros_o        (stat_zeros),
    .stat_max_bit_o      (stat_max_bit),
    .stat_sum_abs_o      (stat_sum_abs),
    .obs_shift_valid_o   (shift_valid),
    .obs_shift_o         (shift),
    .obs_tree_valid_o    (tree_valid),
    .obs_tree_bank_o     (tree_bank),
    .obs_tree_o          (tree),
    .obs_swap_valid_o    (swap_valid),
    .obs_swap_byp_o      (swap_byp),
    .obs_swap_entry_o    (swap_entry),
    .obs_swap_bank_o     (swap_bank),
    .obs_swap_tag_o      (swap_tag),
    .obs_swap_acc_o      (swap_acc),
    .obs_quant_valid_o   (quant_valid),
    .obs_quant_tag_o     (quant_tag),
    .obs_quant_z_o       (quant_z),
    .ctr_addr_i,
    .ctr_data_o,
    .ctr_clear_i,
    .busy_o              (busy)
  );

  logic by_value;
  initial if (!$value$plusargs("ts_check_value=%b", by_value)) by_value = 1'b0;
  always @(posedge clk_i) begin
    if (rst_ni && !by_value && quant_valid && job_stat_tag != quant_tag)
      $display("TS_ASSERT TagOfStatistics in %m at %0t", $time);
  end

  ran_trace #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .trace_i, .flush_i,
    .rsp_valid_i(rsp_valid), .rsp_code_i(rsp_code), .bias_err_i(bias_err), .psum_err_i(psum_err), .busy_i(busy),
    .shift_valid_i(shift_valid), .shift_i(shift), .tree_valid_i(tree_valid), .tree_bank_i(tree_bank), .tree_i(tree),
    .swap_valid_i(swap_valid), .swap_byp_i(swap_byp), .swap_entry_i(swap_entry), .swap_bank_i(swap_bank),
    .swap_tag_i(swap_tag), .swap_acc_i(swap_acc), .quant_valid_i(quant_valid),
    .quant_tag_i(by_value ? job_stat_tag : quant_tag),
    .quant_z_i(quant_z), .job_stat_valid_i(job_stat_valid), .job_stat_overflow_i(job_stat_overflow),
    .job_stat_zeros_i(job_stat_zeros), .job_stat_max_bit_i(job_stat_max_bit), .job_stat_sum_abs_i(job_stat_sum_abs),
    .out_valid_i(out_valid), .out_ready_i(out_ready), .out_data_i(out_data), .out_last_i(out_last),
    .out_bits_i(out_bits), .out_jobs_i(out_jobs), .out_tag_i(out_tag), .out_mask_i(out_mask),
    .stat_valid_i(stat_valid), .stat_ready_i(stat_ready), .stat_values_i(stat_values),
    .stat_overflow_i(stat_overflow), .stat_zeros_i(stat_zeros), .stat_max_bit_i(stat_max_bit),
    .stat_sum_abs_i(stat_sum_abs), .req_valid_i(req_valid), .req_ready_i(req_ready), .req_tag_i(req_tag)
  );

  // ---- end of work ----------------
  logic active;
  assign active = busy || desc_valid || prod_valid != '0 || byp_valid || bias_valid || cancel_valid ||
                  desc_played_o != desc_credit_i || prod_played_o != prod_credit_i || byp_played_o != byp_credit_i ||
                  bias_played_o != bias_credit_i || cancel_played_o != cancel_credit_i;
  ts_quiet u_quiet (.clk_i, .rst_ni, .active_i(active), .quiet_o);
endmodule
