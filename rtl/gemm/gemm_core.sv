`include "ts_assert.svh"

// IOSS core and RAN, joined: one descriptor for both, jobs numbered here (docs/gemm/README.md).
module gemm_core
  import ran_pkg::way_t, trainslice_pkg::operands_t;
#(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int AccW = 40,
  parameter int Banks = 2
) (
  input  logic clk_i,
  input  logic rst_ni,

  // Descriptors
  input  logic desc_valid_i,
  output logic desc_ready_o,
  input  logic [2:0] desc_x_slices_i,
  input  logic [2:0] desc_w_slices_i,
  input  logic desc_x_unsigned_i,
  input  logic desc_w_unsigned_i,
  input  logic [2:0] desc_min_order_i,
  input  logic desc_compensate_i,
  input  logic [3:0] desc_reduce_factor_i,
  input  logic [15:0] desc_k_len_i,
  input  logic [15:0] desc_n_jobs_i,
  input  logic [2:0] desc_y_bits_i,
  input  logic desc_y_unsigned_i,
  input  logic desc_relu_i,
  input  logic [1:0] desc_round_i,
  input  logic [1:0] desc_rand_bits_i,
  input  logic [5:0] desc_shift_i,
  input  logic [1:0] desc_start_i,
  input  logic [5:0] desc_lanes_i,
  input  logic desc_stat_last_i,
  input  logic [31:0] desc_draw_i,
  output logic rsp_valid_o,
  output logic [4:0] rsp_code_o,

  // Tiles and vectors
  input  logic tile_valid_i,
  output logic tile_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] tile_data_i,
  input  logic tile_last_i,
  output logic tile_err_o,
  input  logic vec_valid_i,
  output logic vec_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] vec_data_i,
  input  logic vec_last_i,
  input  logic [Lanes-1:0] vec_mask_i,
  output logic job_err_valid_o,
  output logic [ioss_pkg::CodeW-1:0] job_err_code_o,
  output logic [trainslice_pkg::TagW-1:0] job_err_tag_o,

  // Start values, results, statistics
  input  logic bias_valid_i,
  output logic bias_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] bias_data_i,
  input  logic bias_last_i,
  output logic psum_req_valid_o,
  input  logic psum_req_ready_i,
  output logic [trainslice_pkg::TagW-1:0] psum_req_tag_o,
  input  logic psum_valid_i,
  output logic psum_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] psum_data_i,
  input  logic psum_last_i,
  output logic bias_err_o,
  output logic psum_err_o,
  output logic out_valid_o,
  input  logic out_ready_i,
  output logic [trainslice_pkg::BeatW-1:0] out_data_o,
  output logic out_last_o,
  output logic [2:0] out_bits_o,
  output logic [2:0] out_jobs_o,
  output logic [16*((Lanes < 32) ? 32/Lanes : 1)-1:0] out_tag_o,
  output logic [Lanes*((Lanes < 32) ? 32/Lanes : 1)-1:0] out_mask_o,
  output logic job_stat_valid_o,
  output logic [trainslice_pkg::TagW-1:0] job_stat_tag_o,
  output logic [5:0] job_stat_overflow_o,
  output logic [5:0] job_stat_zeros_o,
  output logic [5:0] job_stat_max_bit_o,
  output logic [20:0] job_stat_sum_abs_o,
  output logic stat_valid_o,
  input  logic stat_ready_i,
  output logic [31:0] stat_values_o,
  output logic [31:0] stat_overflow_o,
  output logic [31:0] stat_zeros_o,
  output logic [5:0] stat_max_bit_o,
  output logic [47:0] stat_sum_abs_o,

  // Observation
  output logic [Rows-1:0] issue_valid_o,
  output logic [Rows-1:0] issue_null_o,
  output logic [Rows*ioss_pkg::KIdxW-1:0] issue_k_o,
  output logic [Rows*2-1:0] issue_i_o,
  output logic [Rows*2-1:0] issue_j_o,
  output logic [Rows*5-1:0] issue_x_o,
  output logic [Rows*trainslice_pkg::TagW-1:0] issue_tag_o,
  output logic [Rows-1:0] obs_shift_valid_o,
  output logic [Rows*Lanes*ran_pkg::ShiftW-1:0] obs_shift_o,
  output logic [Rows-1:0] obs_tree_valid_o,
  output logic [Rows-1:0] obs_tree_bank_o,
  output logic [Rows*Lanes*ran_pkg::TreeW-1:0] obs_tree_o,
  output logic obs_swap_valid_o,
  output logic obs_swap_byp_o,
  output logic [4:0] obs_swap_entry_o,
  output logic obs_swap_bank_o,
  output logic [trainslice_pkg::TagW-1:0] obs_swap_tag_o,
  output logic [Lanes*AccW-1:0] obs_swap_acc_o,
  output logic obs_quant_valid_o,
  output logic [trainslice_pkg::TagW-1:0] obs_quant_tag_o,
  output logic [Lanes*AccW-1:0] obs_quant_z_o,

  input  logic [9:0] ctr_addr_i,   // bit 9: the RAN's
  output logic [31:0] ctr_data_o,
  input  logic ctr_clear_i,

  output logic busy_o
);

  localparam int TagW = trainslice_pkg::TagW;

  // ---- descriptors ----------------
  logic            ran_desc_valid, ran_desc_ready, ioss_desc_valid, ioss_desc_ready, desc_busy;
  operands_t       desc, held;
  assign desc = {desc_x_slices_i, desc_w_slices_i, desc_x_unsigned_i, desc_w_unsigned_i, desc_min_order_i,
                 desc_compensate_i, desc_reduce_factor_i, desc_k_len_i, desc_n_jobs_i};
  way_t            held_cfg;
  logic [31:0]     held_draw;

  gemm_desc #(
    .Rows (Rows),
    .Lanes(Lanes),
    .Depth(Depth),
    .AccW (AccW)
  ) u_desc (
    .clk_i,
    .rst_ni,
    .desc_valid_i,
    .desc_ready_o,
    .desc_i    (desc),
    .desc_cfg_i({desc_stat_last_i, desc_lanes_i, desc_start_i, desc_shift_i, desc_rand_bits_i, desc_round_i,
                 desc_relu_i, desc_y_unsigned_i, desc_y_bits_i}),
    .desc_draw_i,
    .rsp_valid_o,
    .rsp_code_o,
    .ran_valid_o (ran_desc_valid),
    .ran_ready_i (ran_desc_ready),
    .ioss_valid_o(ioss_desc_valid),
    .ioss_ready_i(ioss_desc_ready),
    .held_o      (held),
    .held_cfg_o  (held_cfg),
    .held_draw_o (held_draw),
    .busy_o      (desc_busy)
  );

  // ---- job numbers ----------------
  logic [TagW-1:0] number_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) number_q <= '0;
    else if (vec_valid_i && vec_ready_o && vec_last_i) number_q <= number_q + 1'b1;
  end

  // ---- the parts ----------------
  logic [Rows-1:0] prod_valid;
  logic [Rows-1:0] prod_ready;
  logic [Rows*Lanes*trainslice_pkg::ProdW-1:0] prod_data;
  logic [Rows*trainslice_pkg::OrderW-1:0] prod_order;
  logic [Rows-1:0] prod_last;
  logic [Rows-1:0] prod_null;
  logic [Rows-1:0] prod_bank;
  logic [Rows*trainslice_pkg::TagW-1:0] prod_tag;
  logic [Rows*Lanes-1:0] prod_mask;
  logic byp_valid;
  logic byp_ready;
  logic [trainslice_pkg::TagW-1:0] byp_tag;
  logic [Lanes-1:0] byp_mask;
  logic ioss_rsp_valid, ran_rsp_valid, ioss_busy, ran_busy;
  logic [ioss_pkg::CodeW-1:0] ioss_rsp_code;
  logic [ran_pkg::CodeW-1:0]  ran_rsp_code;
  logic [31:0] ioss_ctr_data, ran_ctr_data;

  ioss_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .Depth(Depth)
  ) u_ioss (
    .clk_i,
    .rst_ni,
    .desc_valid_i(ioss_desc_valid),
    .desc_ready_o(ioss_desc_ready),
    .desc_x_slices_i(held.x_slices),
    .desc_w_slices_i(held.w_slices),
    .desc_x_unsigned_i(held.x_unsigned),
    .desc_w_unsigned_i(held.w_unsigned),
    .desc_min_order_i(held.min_order),
    .desc_compensate_i(held.compensate),
    .desc_reduce_factor_i(held.reduce_factor),
    .desc_k_len_i(held.k_len),
    .desc_n_jobs_i(held.n_jobs),
    .rsp_valid_o(ioss_rsp_valid),
    .rsp_code_o(ioss_rsp_code),
    .tile_valid_i,
    .tile_ready_o,
    .tile_data_i,
    .tile_last_i,
    .tile_err_o,
    .vec_valid_i,
    .vec_ready_o,
    .vec_data_i,
    .vec_last_i,
    .vec_tag_i(number_q),
    .vec_mask_i,
    .job_err_valid_o,
    .job_err_code_o,
    .job_err_tag_o,
    .prod_valid_o(prod_valid),
    .prod_ready_i(prod_ready),
    .prod_data_o(prod_data),
    .prod_order_o(prod_order),
    .prod_last_o(prod_last),
    .prod_null_o(prod_null),
    .prod_bank_o(prod_bank),
    .prod_tag_o(prod_tag),
    .prod_mask_o(prod_mask),
    .byp_valid_o(byp_valid),
    .byp_ready_i(byp_ready),
    .byp_tag_o(byp_tag),
    .byp_mask_o(byp_mask),
    .issue_valid_o,
    .issue_null_o,
    .issue_k_o,
    .issue_i_o,
    .issue_j_o,
    .issue_x_o,
    .issue_tag_o,
    .ctr_addr_i(ctr_addr_i[8:0]),
    .ctr_data_o(ioss_ctr_data),
    .ctr_clear_i,
    .busy_o(ioss_busy)
  );

  ran_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW),
    .Banks(Banks)
  ) u_ran (
    .clk_i,
    .rst_ni,
    .desc_valid_i(ran_desc_valid),
    .desc_ready_o(ran_desc_ready),
    .desc_y_bits_i(held_cfg.y_bits),
    .desc_y_unsigned_i(held_cfg.y_unsigned),
    .desc_relu_i(held_cfg.relu),
    .desc_round_i(held_cfg.round),
    .desc_rand_bits_i(held_cfg.rand_bits),
    .desc_shift_i(held_cfg.shift),
    .desc_start_i(held_cfg.start),
    .desc_lanes_i(held_cfg.lanes),
    .desc_stat_last_i(held_cfg.stat_last),
    .desc_reduce_factor_i(held.reduce_factor),
    .desc_n_jobs_i(held.n_jobs),
    .desc_x_slices_i(held.x_slices),
    .desc_w_slices_i(held.w_slices),
    .desc_x_unsigned_i(held.x_unsigned),
    .desc_w_unsigned_i(held.w_unsigned),
    .desc_compensate_i(held.compensate),
    .desc_k_len_i(held.k_len),
    .desc_draw_i(held_draw),
    .rsp_valid_o(ran_rsp_valid),
    .rsp_code_o(ran_rsp_code),
    .prod_valid_i(prod_valid),
    .prod_ready_o(prod_ready),
    .prod_data_i(prod_data),
    .prod_order_i(prod_order),
    .prod_last_i(prod_last),
    .prod_null_i(prod_null),
    .prod_bank_i(prod_bank),
    .prod_tag_i(prod_tag),
    .prod_mask_i(prod_mask),
    .byp_valid_i(byp_valid),
    .byp_ready_o(byp_ready),
    .byp_tag_i(byp_tag),
    .byp_mask_i(byp_mask),
    .cancel_valid_i(job_err_valid_o),
    .cancel_tag_i(job_err_tag_o),
    .bias_valid_i,
    .bias_ready_o,
    .bias_data_i,
    .bias_last_i,
    .psum_req_valid_o,
    .psum_req_ready_i,
    .psum_req_tag_o,
    .psum_valid_i,
    .psum_ready_o,
    .psum_data_i,
    .psum_last_i,
    .bias_err_o,
    .psum_err_o,
    .out_valid_o,
    .out_ready_i,
    .out_data_o,
    .out_last_o,
    .out_bits_o,
    .out_jobs_o,
    .out_tag_o,
    .out_mask_o,
    .job_stat_valid_o,
    .job_stat_tag_o,
    .job_stat_overflow_o,
    .job_stat_zeros_o,
    .job_stat_max_bit_o,
    .job_stat_sum_abs_o,
    .stat_valid_o,
    .stat_ready_i,
    .stat_values_o,
    .stat_overflow_o,
    .stat_zeros_o,
    .stat_max_bit_o,
    .stat_sum_abs_o,
    .obs_shift_valid_o,
    .obs_shift_o,
    .obs_tree_valid_o,
    .obs_tree_bank_o,
    .obs_tree_o,
    .obs_swap_valid_o,
    .obs_swap_byp_o,
    .obs_swap_entry_o,
    .obs_swap_bank_o,
    .obs_swap_tag_o,
    .obs_swap_acc_o,
    .obs_quant_valid_o,
    .obs_quant_tag_o,
    .obs_quant_z_o,
    .ctr_addr_i(ctr_addr_i[8:0]),
    .ctr_data_o(ran_ctr_data),
    .ctr_clear_i,
    .busy_o(ran_busy)
  );

  // ---- counters: the address of one cycle before chooses the part ----------------
  logic ctr_ran_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) ctr_ran_q <= 1'b0;
    else ctr_ran_q <= ctr_addr_i[9];
  end
  assign ctr_data_o = ctr_ran_q ? ran_ctr_data : ioss_ctr_data;
  assign busy_o = desc_busy || ioss_busy || ran_busy;

  // What was accepted here is not refused later.
  `TS_ASSERT(IossAccepts, !ioss_rsp_valid || ioss_rsp_code == ioss_pkg::RspOk)
  `TS_ASSERT(RanAccepts, !ran_rsp_valid || ran_rsp_code == ran_pkg::RspOk)
endmodule
