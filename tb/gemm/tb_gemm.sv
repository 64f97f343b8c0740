// Test bench of the IOSS core and the RAN, joined (docs/environment.md; docs/gemm/README.md): transactors on every stream, the traces of
// both parts at their ports inside, and what happens to descriptors between them (gemm_trace.sv).
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
  localparam int Places = (Lanes < 32) ? 32 / Lanes : 1;

  logic [31:0] cycle_q;
  initial cycle_q = 0;
  always @(posedge clk_i) cycle_q <= cycle_q + 1;
  assign cycle_o = cycle_q;

  // ---- sources ----------------
  logic        desc_valid, desc_ready, tile_valid, tile_ready, vec_valid, vec_ready, bias_valid, bias_ready;
  logic [103:0] desc_payload;      // tb_ran.sv; the lowest three bits are min_order
  logic [8*17-1:0] tile_payload;  // last, data
  logic [8*23-1:0] vec_payload;   // mask (32), tag (not used: the pair numbers its jobs), last, data
  logic [135:0] bias_payload;     // last, data

  ts_source #(.Name("desc"), .PayloadBytes(13)) u_desc_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(desc_credit_i), .played_o(desc_played_o),
    .valid_o(desc_valid), .ready_i(desc_ready), .payload_o(desc_payload)
  );
  ts_source #(.Name("tile"), .PayloadBytes(17)) u_tile_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(tile_credit_i), .played_o(tile_played_o),
    .valid_o(tile_valid), .ready_i(tile_ready), .payload_o(tile_payload)
  );
  ts_source #(.Name("vec"), .PayloadBytes(23)) u_vec_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(vec_credit_i), .played_o(vec_played_o),
    .valid_o(vec_valid), .ready_i(vec_ready), .payload_o(vec_payload)
  );
  ts_source #(.Name("bias"), .PayloadBytes(17)) u_bias_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(bias_credit_i), .played_o(bias_played_o),
    .valid_o(bias_valid), .ready_i(bias_ready), .payload_o(bias_payload)
  );

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
  logic       rsp_valid, busy;
  logic [4:0] rsp_code;

  // What is open here is seen by the traces, inside.
  /* verilator lint_off PINCONNECTEMPTY */
  gemm_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .Depth(Depth),
    .AccW (AccW),
    .Banks(Banks)
  ) dut (
    .clk_i,
    .rst_ni,
    .desc_valid_i(desc_valid),
    .desc_ready_o(desc_ready),
    .desc_x_slices_i(desc_payload[8:6]),
    .desc_w_slices_i(desc_payload[5:3]),
    .desc_x_unsigned_i(desc_payload[11]),
    .desc_w_unsigned_i(desc_payload[10]),
    .desc_min_order_i(desc_payload[2:0]),
    .desc_compensate_i(desc_payload[9]),
    .desc_reduce_factor_i(desc_payload[15:12]),
    .desc_k_len_i(desc_payload[31:16]),
    .desc_n_jobs_i(desc_payload[47:32]),
    .desc_y_bits_i(desc_payload[50:48]),
    .desc_y_unsigned_i(desc_payload[51]),
    .desc_relu_i(desc_payload[52]),
    .desc_round_i(desc_payload[54:53]),
    .desc_rand_bits_i(desc_payload[56:55]),
    .desc_shift_i(desc_payload[62:57]),
    .desc_start_i(desc_payload[64:63]),
    .desc_lanes_i(desc_payload[70:65]),
    .desc_stat_last_i(desc_payload[71]),
    .desc_draw_i(desc_payload[103:72]),
    .rsp_valid_o(rsp_valid),
    .rsp_code_o(rsp_code),
    .tile_valid_i(tile_valid),
    .tile_ready_o(tile_ready),
    .tile_data_i(tile_payload[127:0]),
    .tile_last_i(tile_payload[128]),
    .tile_err_o(),
    .vec_valid_i(vec_valid),
    .vec_ready_o(vec_ready),
    .vec_data_i(vec_payload[127:0]),
    .vec_last_i(vec_payload[128]),
    .vec_mask_i(vec_payload[152 +: Lanes]),
    .job_err_valid_o(),
    .job_err_code_o(),
    .job_err_tag_o(),
    .bias_valid_i(bias_valid),
    .bias_ready_o(bias_ready),
    .bias_data_i(bias_payload[127:0]),
    .bias_last_i(bias_payload[128]),
    .psum_req_valid_o(req_valid),
    .psum_req_ready_i(req_ready),
    .psum_req_tag_o(req_tag),
    .psum_valid_i(psum_valid),
    .psum_ready_o(psum_ready),
    .psum_data_i(psum_data),
    .psum_last_i(psum_last),
    .bias_err_o(),
    .psum_err_o(),
    .out_valid_o(out_valid),
    .out_ready_i(out_ready),
    .out_data_o(out_data),
    .out_last_o(out_last),
    .out_bits_o(out_bits),
    .out_jobs_o(out_jobs),
    .out_tag_o(out_tag),
    .out_mask_o(out_mask),
    .job_stat_valid_o(),
    .job_stat_tag_o(),
    .job_stat_overflow_o(),
    .job_stat_zeros_o(),
    .job_stat_max_bit_o(),
    .job_stat_sum_abs_o(),
    .stat_valid_o(stat_valid),
    .stat_ready_i(stat_ready),
    .stat_values_o(stat_values),
    .stat_overflow_o(stat_overflow),
    .stat_zeros_o(stat_zeros),
    .stat_max_bit_o(stat_max_bit),
    .stat_sum_abs_o(stat_sum_abs),
    .issue_valid_o(),
    .issue_null_o(),
    .issue_k_o(),
    .issue_i_o(),
    .issue_j_o(),
    .issue_x_o(),
    .issue_tag_o(),
    .obs_shift_valid_o(),
    .obs_shift_o(),
    .obs_tree_valid_o(),
    .obs_tree_bank_o(),
    .obs_tree_o(),
    .obs_swap_valid_o(),
    .obs_swap_byp_o(),
    .obs_swap_entry_o(),
    .obs_swap_bank_o(),
    .obs_swap_tag_o(),
    .obs_swap_acc_o(),
    .obs_quant_valid_o(),
    .obs_quant_tag_o(),
    .obs_quant_z_o(),
    .ctr_addr_i,
    .ctr_data_o,
    .ctr_clear_i,
    .busy_o(busy)
  );
  /* verilator lint_on PINCONNECTEMPTY */

  // ---- traces ----------------
  ioss_trace #(
    .Rows (Rows),
    .Lanes(Lanes)
  ) u_ioss_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .trace_i, .flush_i, .rsp_valid_i(dut.u_ioss.rsp_valid_o),
    .rsp_code_i(dut.u_ioss.rsp_code_o), .tile_err_i(dut.u_ioss.tile_err_o),
    .job_err_valid_i(dut.u_ioss.job_err_valid_o), .job_err_code_i(dut.u_ioss.job_err_code_o),
    .job_err_tag_i(dut.u_ioss.job_err_tag_o), .byp_valid_i(dut.u_ioss.byp_valid_o),
    .byp_ready_i(dut.u_ioss.byp_ready_i), .byp_tag_i(dut.u_ioss.byp_tag_o), .byp_mask_i(dut.u_ioss.byp_mask_o),
    .prod_valid_i(dut.u_ioss.prod_valid_o), .prod_ready_i(dut.u_ioss.prod_ready_i),
    .prod_data_i(dut.u_ioss.prod_data_o), .prod_order_i(dut.u_ioss.prod_order_o),
    .prod_last_i(dut.u_ioss.prod_last_o), .prod_null_i(dut.u_ioss.prod_null_o), .prod_bank_i(dut.u_ioss.prod_bank_o),
    .prod_tag_i(dut.u_ioss.prod_tag_o), .prod_mask_i(dut.u_ioss.prod_mask_o),
    .issue_valid_i(dut.u_ioss.issue_valid_o), .issue_null_i(dut.u_ioss.issue_null_o),
    .issue_k_i(dut.u_ioss.issue_k_o), .issue_i_i(dut.u_ioss.issue_i_o), .issue_j_i(dut.u_ioss.issue_j_o),
    .issue_x_i(dut.u_ioss.issue_x_o), .issue_tag_i(dut.u_ioss.issue_tag_o), .busy_i(dut.u_ioss.busy_o)
  );
  ran_trace #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_ran_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .trace_i, .flush_i, .rsp_valid_i(dut.u_ran.rsp_valid_o),
    .rsp_code_i(dut.u_ran.rsp_code_o), .bias_err_i(dut.u_ran.bias_err_o), .psum_err_i(dut.u_ran.psum_err_o),
    .busy_i(dut.u_ran.busy_o), .shift_valid_i(dut.u_ran.obs_shift_valid_o), .shift_i(dut.u_ran.obs_shift_o),
    .tree_valid_i(dut.u_ran.obs_tree_valid_o), .tree_bank_i(dut.u_ran.obs_tree_bank_o),
    .tree_i(dut.u_ran.obs_tree_o), .swap_valid_i(dut.u_ran.obs_swap_valid_o), .swap_byp_i(dut.u_ran.obs_swap_byp_o),
    .swap_entry_i(dut.u_ran.obs_swap_entry_o), .swap_bank_i(dut.u_ran.obs_swap_bank_o),
    .swap_tag_i(dut.u_ran.obs_swap_tag_o), .swap_acc_i(dut.u_ran.obs_swap_acc_o),
    .quant_valid_i(dut.u_ran.obs_quant_valid_o), .quant_tag_i(dut.u_ran.obs_quant_tag_o),
    .quant_z_i(dut.u_ran.obs_quant_z_o), .job_stat_valid_i(dut.u_ran.job_stat_valid_o),
    .job_stat_overflow_i(dut.u_ran.job_stat_overflow_o), .job_stat_zeros_i(dut.u_ran.job_stat_zeros_o),
    .job_stat_max_bit_i(dut.u_ran.job_stat_max_bit_o), .job_stat_sum_abs_i(dut.u_ran.job_stat_sum_abs_o),
    .out_valid_i(dut.u_ran.out_valid_o), .out_ready_i(dut.u_ran.out_ready_i), .out_data_i(dut.u_ran.out_data_o),
    .out_last_i(dut.u_ran.out_last_o), .out_bits_i(dut.u_ran.out_bits_o), .out_jobs_i(dut.u_ran.out_jobs_o),
    .out_tag_i(dut.u_ran.out_tag_o), .out_mask_i(dut.u_ran.out_mask_o), .stat_valid_i(dut.u_ran.stat_valid_o),
    .stat_ready_i(dut.u_ran.stat_ready_i), .stat_values_i(dut.u_ran.stat_values_o),
    .stat_overflow_i(dut.u_ran.stat_overflow_o), .stat_zeros_i(dut.u_ran.stat_zeros_o),
    .stat_max_bit_i(dut.u_ran.stat_max_bit_o), .stat_sum_abs_i(dut.u_ran.stat_sum_abs_o),
    .req_valid_i(dut.u_ran.psum_req_valid_o), .req_ready_i(dut.u_ran.psum_req_ready_i),
    .req_tag_i(dut.u_ran.psum_req_tag_o)
  );

  gemm_trace u_gemm_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .busy_i(busy), .rsp_valid_i(rsp_valid), .rsp_code_i(rsp_code),
    .ran_take_i(dut.u_ran.desc_valid_i && dut.u_ran.desc_ready_o),
    .ioss_take_i(dut.u_ioss.desc_valid_i && dut.u_ioss.desc_ready_o)
  );

  // ---- end of work ----------------
  logic active;
  assign active = busy || desc_valid || tile_valid || vec_valid || bias_valid ||
                  desc_played_o != desc_credit_i || tile_played_o != tile_credit_i || vec_played_o != vec_credit_i ||
                  bias_played_o != bias_credit_i;
  ts_quiet u_quiet (.clk_i, .rst_ni, .active_i(active), .quiet_o);
endmodule
