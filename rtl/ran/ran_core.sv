`include "ts_assert.svh"

// RAN: double-buffered Reconfigurable Accumulation Network (docs/ran/README.md).
//
// Three stages that never stop (shift, tree, bank) after the product streams; then order queue, drain queue, and the elastic registers
// sum, quant, pack and out. Ports of the form "R x n" are concatenated, row 0 lowest.
module ran_core
  import ran_pkg::way_t, trainslice_pkg::operands_t;
#(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int AccW = 40,
  parameter int Banks = 2
) (
  input  logic        clk_i,
  input  logic        rst_ni,

  input  logic        desc_valid_i,
  output logic        desc_ready_o,
  input  logic [2:0]  desc_y_bits_i,
  input  logic        desc_y_unsigned_i,
  input  logic        desc_relu_i,
  input  logic [1:0]  desc_round_i,
  input  logic [1:0]  desc_rand_bits_i,
  input  logic [5:0]  desc_shift_i,
  input  logic [1:0]  desc_start_i,
  input  logic [5:0]  desc_lanes_i,
  input  logic        desc_stat_last_i,
  input  logic [3:0]  desc_reduce_factor_i,
  input  logic [15:0] desc_n_jobs_i,
  input  logic [2:0]  desc_x_slices_i,
  input  logic [2:0]  desc_w_slices_i,
  input  logic        desc_x_unsigned_i,
  input  logic        desc_w_unsigned_i,
  input  logic        desc_compensate_i,
  input  logic [15:0] desc_k_len_i,
  input  logic [31:0] desc_draw_i,
  output logic        rsp_valid_o,
  output logic [ran_pkg::CodeW-1:0] rsp_code_o,

  input  logic [Rows-1:0] prod_valid_i,
  output logic [Rows-1:0] prod_ready_o,
  input  logic [Rows*Lanes*trainslice_pkg::ProdW-1:0] prod_data_i,
  input  logic [Rows*trainslice_pkg::OrderW-1:0] prod_order_i,
  input  logic [Rows-1:0] prod_last_i,
  input  logic [Rows-1:0] prod_null_i,
  input  logic [Rows-1:0] prod_bank_i,
  input  logic [Rows*trainslice_pkg::TagW-1:0] prod_tag_i,
  input  logic [Rows*Lanes-1:0] prod_mask_i,

  input  logic        byp_valid_i,
  output logic        byp_ready_o,
  input  logic [trainslice_pkg::TagW-1:0] byp_tag_i,
  input  logic [Lanes-1:0] byp_mask_i,

  input  logic        cancel_valid_i,
  input  logic [trainslice_pkg::TagW-1:0] cancel_tag_i,

  input  logic        bias_valid_i,
  output logic        bias_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] bias_data_i,
  input  logic        bias_last_i,
  output logic        psum_req_valid_o,
  input  logic        psum_req_ready_i,
  output logic [trainslice_pkg::TagW-1:0] psum_req_tag_o,
  input  logic        psum_valid_i,
  output logic        psum_ready_o,
  input  logic [trainslice_pkg::BeatW-1:0] psum_data_i,
  input  logic        psum_last_i,
  output logic        bias_err_o,
  output logic        psum_err_o,

  output logic        out_valid_o,
  input  logic        out_ready_i,
  output logic [trainslice_pkg::BeatW-1:0] out_data_o,
  output logic        out_last_o,
  output logic [2:0]  out_bits_o,
  output logic [2:0]  out_jobs_o,
  output logic [16*((Lanes < 32) ? 32/Lanes : 1)-1:0]    out_tag_o,
  output logic [Lanes*((Lanes < 32) ? 32/Lanes : 1)-1:0] out_mask_o,

  output logic        job_stat_valid_o,
  output logic [trainslice_pkg::TagW-1:0] job_stat_tag_o,
  output logic [5:0]  job_stat_overflow_o,
  output logic [5:0]  job_stat_zeros_o,
  output logic [5:0]  job_stat_max_bit_o,
  output logic [20:0] job_stat_sum_abs_o,

  output logic        stat_valid_o,
  input  logic        stat_ready_i,
  output logic [31:0] stat_values_o,
  output logic [31:0] stat_overflow_o,
  output logic [31:0] stat_zeros_o,
  output logic [5:0]  stat_max_bit_o,
  output logic [47:0] stat_sum_abs_o,

  output logic [Rows-1:0] obs_shift_valid_o,
  output logic [Rows*Lanes*ran_pkg::ShiftW-1:0] obs_shift_o,
  output logic [Rows-1:0] obs_tree_valid_o,
  output logic [Rows-1:0] obs_tree_bank_o,
  output logic [Rows*Lanes*ran_pkg::TreeW-1:0] obs_tree_o,
  output logic        obs_swap_valid_o,
  output logic        obs_swap_byp_o,
  output logic [4:0]  obs_swap_entry_o,
  output logic        obs_swap_bank_o,
  output logic [trainslice_pkg::TagW-1:0] obs_swap_tag_o,
  output logic [Lanes*AccW-1:0] obs_swap_acc_o,
  output logic        obs_quant_valid_o,
  output logic [trainslice_pkg::TagW-1:0] obs_quant_tag_o,
  output logic [Lanes*AccW-1:0] obs_quant_z_o,

  input  logic [ran_pkg::CtrAddrW-1:0] ctr_addr_i,
  output logic [ran_pkg::CtrW-1:0]     ctr_data_o,
  input  logic        ctr_clear_i,
  output logic        busy_o
);
  localparam int ProdW = trainslice_pkg::ProdW;
  localparam int OrderW = trainslice_pkg::OrderW;
  localparam int TagW = trainslice_pkg::TagW;
  localparam int SlotW = ran_pkg::SlotW;
  localparam int ShiftW = ran_pkg::ShiftW;

  // ---- slots ----------------
  logic [3:0]          reduce_factor;
  logic [15:0]         base, covered;
  logic [TagW-1:0]     next_tag, head_tag;
  logic [SlotW-1:0]    next_slot, head_slot, sum_slot, quant_slot, accept_slot, retire_slot;
  logic [1:0]          next_start, head_start;
  logic [5:0]          head_lanes;
  operands_t           desc;
  way_t                sum_cfg, quant_cfg;
  logic [AccW-2:0]     head_limit;
  logic                head_loaded, bias_wanted, bias_done, quant_take, cancelled, record_free, accept, retire;
  logic                retire_last, slots_busy;
  logic [Lanes*32-1:0] head_bias, bias_words;
  logic [31:0]         head_number;

  assign desc = {desc_x_slices_i, desc_w_slices_i, desc_x_unsigned_i, desc_w_unsigned_i, 3'd0, desc_compensate_i,
                 desc_reduce_factor_i, desc_k_len_i, desc_n_jobs_i};
  ran_slots #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_slots (
    .clk_i,
    .rst_ni,
    .desc_valid_i,
    .desc_ready_o,
    .desc_cfg_i({desc_stat_last_i, desc_lanes_i, desc_start_i, desc_shift_i, desc_rand_bits_i, desc_round_i,
                 desc_relu_i, desc_y_unsigned_i, desc_y_bits_i}),
    .desc_draw_i,
    .desc_i    (desc),
    .rsp_valid_o,
    .rsp_code_o,
    .reduce_factor_o(reduce_factor),
    .base_o         (base),
    .covered_o      (covered),
    .find_tag_i     (next_tag),
    .find_slot_o    (next_slot),
    .find_start_o   (next_start),
    .head_slot_i    (head_slot),
    .head_tag_i     (head_tag),
    .head_start_o   (head_start),
    .head_lanes_o   (head_lanes),
    .head_limit_o   (head_limit),
    .head_loaded_o  (head_loaded),
    .head_bias_o    (head_bias),
    .head_number_o  (head_number),
    .sum_slot_i     (sum_slot),
    .sum_cfg_o      (sum_cfg),
    .quant_slot_i   (quant_slot),
    .quant_cfg_o    (quant_cfg),
    .bias_wanted_o  (bias_wanted),
    .bias_done_i    (bias_done),
    .bias_words_i   (bias_words),
    .job_done_i     (quant_take),
    .cancel_valid_i,
    .cancel_tag_i,
    .cancelled_o    (cancelled),
    .record_free_i  (record_free),
    .accept_o       (accept),
    .accept_slot_o  (accept_slot),
    .retire_o       (retire),
    .retire_slot_o  (retire_slot),
    .retire_last_o  (retire_last),
    .busy_o         (slots_busy)
  );

  // ---- products: transfer, shift, tree ----------------
  logic [Rows-1:0]              bank, is_covered, is_done, all_done, take;
  logic [2*Rows-1:0]            done, group_done, complete;
  logic [Rows-1:0]              sh_valid, sh_last, sh_bank;
  logic [Rows*Lanes*ShiftW-1:0] sh_data;
  logic [Rows-1:0]              tree_last, tree_last_bank;

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    assign bank[r] = (Banks == 2) && prod_bank_i[r];
    assign is_covered[r] = 16'(prod_tag_i[TagW*r +: TagW] - base) < covered;
    assign is_done[r] = bank[r] ? done[2*r+1] : done[2*r];
    assign all_done[r] = bank[r] ? group_done[2*r+1] : group_done[2*r];
    assign prod_ready_o[r] = is_covered[r] && !is_done[r];
    assign take[r] = prod_valid_i[r] && prod_ready_o[r];

    ran_shift #(.Lanes(Lanes)) u_shift (
      .clk_i,
      .rst_ni,
      .take_i (take[r]),
      .data_i (prod_data_i[Lanes*ProdW*r +: Lanes*ProdW]),
      .order_i(prod_order_i[OrderW*r +: OrderW]),
      .last_i (prod_last_i[r]),
      .bank_i (bank[r]),
      .valid_o(sh_valid[r]),
      .last_o (sh_last[r]),
      .bank_o (sh_bank[r]),
      .shift_o(sh_data[Lanes*ShiftW*r +: Lanes*ShiftW])
    );
  end

  ran_tree #(
    .Rows (Rows),
    .Lanes(Lanes)
  ) u_tree (
    .clk_i,
    .rst_ni,
    .reduce_factor_i(reduce_factor),
    .valid_i        (sh_valid),
    .last_i         (sh_last),
    .bank_i         (sh_bank),
    .shift_i        (sh_data),
    .valid_o        (obs_tree_valid_o),
    .bank_o         (obs_tree_bank_o),
    .tree_o         (obs_tree_o),
    .last_o         (tree_last),
    .last_bank_o    (tree_last_bank)
  );
  assign obs_shift_valid_o = sh_valid;
  assign obs_shift_o = sh_data;

  // ---- banks ----------------
  logic [5:0]            next_place, head_place;
  logic [TagW-1:0]       place_tag;
  logic [Lanes-1:0]      place_mask, head_mask;
  logic                  swap, head_valid, head_byp;
  logic [Lanes*AccW-1:0] acc, contents;

  ran_banks #(
    .Rows (Rows),
    .Lanes(Lanes),
    .AccW (AccW),
    .Banks(Banks)
  ) u_banks (
    .clk_i,
    .rst_ni,
    .reduce_factor_i(reduce_factor),
    .take_i         (take),
    .last_i         (prod_last_i),
    .bank_i         (bank),
    .tag_i          (prod_tag_i),
    .mask_i         (prod_mask_i),
    .done_o         (done),
    .all_done_o     (group_done),
    .add_valid_i    (obs_tree_valid_o),
    .add_bank_i     (obs_tree_bank_o),
    .add_i          (obs_tree_o),
    .add_last_i     (tree_last),
    .add_last_bank_i(tree_last_bank),
    .complete_o     (complete),
    .find_place_i   (next_place),
    .find_tag_o     (place_tag),
    .find_mask_o    (place_mask),
    .swap_i         (swap && !head_byp),
    .place_i        (head_place),
    .acc_o          (acc)
  );

  // ---- completion order ----------------
  logic byp_covered, byp_room, next_psum;
  assign byp_covered = 16'(byp_tag_i - base) < covered;
  assign byp_ready_o = byp_covered && byp_room;
  assign next_psum = next_start == ran_pkg::StartPsum32 || next_start == ran_pkg::StartPsum64;
  assign psum_req_tag_o = next_tag;

  ran_order #(
    .Rows (Rows),
    .Lanes(Lanes)
  ) u_order (
    .clk_i,
    .rst_ni,
    .complete_i  (complete),
    .byp_valid_i (byp_valid_i && byp_covered),
    .byp_ready_o (byp_room),
    .byp_tag_i,
    .byp_mask_i,
    .next_place_o(next_place),
    .place_tag_i (place_tag),
    .place_mask_i(place_mask),
    .next_tag_o  (next_tag),
    .next_slot_i (next_slot),
    .next_psum_i (next_psum),
    .req_valid_o (psum_req_valid_o),
    .req_ready_i (psum_req_ready_i),
    .head_valid_o(head_valid),
    .head_byp_o  (head_byp),
    .head_place_o(head_place),
    .head_tag_o  (head_tag),
    .head_mask_o (head_mask),
    .head_slot_o (head_slot),
    .pop_i       (swap)
  );

  // ---- start values ----------------
  logic                head_psum, psum_full_q, psum_done, started;
  logic [Lanes*64-1:0] psum_words;

  assign bias_ready_o = bias_wanted;
  ran_words #(.Width(Lanes * 32)) u_bias (
    .clk_i,
    .rst_ni,
    .beat_i (bias_valid_i && bias_ready_o),
    .data_i (bias_data_i),
    .last_i (bias_last_i),
    .beats_i(5'(Lanes / 4)),
    .clear_i(bias_done),
    .done_o (bias_done),
    .words_o(bias_words),
    .err_o  (bias_err_o)
  );

  assign head_psum = head_start == ran_pkg::StartPsum32 || head_start == ran_pkg::StartPsum64;
  assign started = head_psum ? psum_full_q : head_loaded;
  assign psum_ready_o = head_valid && head_psum && !psum_full_q;
  ran_words #(.Width(Lanes * 64)) u_psum (
    .clk_i,
    .rst_ni,
    .beat_i (psum_valid_i && psum_ready_o),
    .data_i (psum_data_i),
    .last_i (psum_last_i),
    .beats_i((head_start == ran_pkg::StartPsum64) ? 5'(Lanes / 2) : 5'(Lanes / 4)),
    .clear_i(swap),
    .done_o (psum_done),
    .words_o(psum_words),
    .err_o  (psum_err_o)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) psum_full_q <= 1'b0;
    else psum_full_q <= psum_done || (psum_full_q && !swap);
  end

  // ---- drain: sum, quant, pack, out ----------------
  logic                  sum_valid, sum_move, quant_valid, draw, merge;
  logic [Lanes*AccW-1:0] sum;
  logic [TagW-1:0]       sum_tag, quant_tag;
  logic [Lanes-1:0]      head_dead, sum_dead, quant_mask;
  logic [5:0]            clamped;
  logic [Lanes*64-1:0]   result;
  logic [31:0]           head_word, sum_word;   // of draws

  // The start value is there, and the sum register can take the job.
  assign swap = head_valid && started && (!sum_valid || sum_move);
  assign sum_move = sum_valid && (!quant_valid || quant_take);
  assign contents = head_byp ? '0 : acc;
  for (genvar l = 0; l < Lanes; l++) begin : gen_dead
    assign head_dead[l] = head_mask[l] || 6'(l) >= head_lanes;
  end

  // Mixed while the sum is made, so that a job's draws depend on its number alone, not on when it leaves.
  draw_mix u_mix (
    .number_i(head_number),
    .word_o  (head_word)
  );

  ran_sum #(
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_sum (
    .clk_i,
    .rst_ni,
    .fill_i   (swap),
    .empty_i  (sum_move),
    .acc_i    (contents),
    .start_i  (head_start),
    .limit_i  (head_limit),
    .bias_i   (head_bias),
    .psum_i   (psum_words),
    .dead_i   (head_dead),
    .tag_i    (head_tag),
    .slot_i   (head_slot),
    .word_i   (head_word),
    .valid_o  (sum_valid),
    .sum_o    (sum),
    .tag_o    (sum_tag),
    .dead_o   (sum_dead),
    .slot_o   (sum_slot),
    .word_o   (sum_word),
    .clamped_o(clamped)
  );

  ran_quant #(
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_quant (
    .clk_i,
    .rst_ni,
    .fill_i (sum_move),
    .empty_i(quant_take),
    .sum_i  (sum),
    .cfg_i  (sum_cfg),
    .tag_i  (sum_tag),
    .dead_i (sum_dead),
    .slot_i (sum_slot),
    .word_i (sum_word),
    .valid_o(quant_valid),
    .z_o    (obs_quant_z_o),
    .mask_o (quant_mask),
    .tag_o  (quant_tag),
    .slot_o (quant_slot),
    .draw_o (draw)
  );

  ran_saturate #(
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_saturate (
    .z_i       (obs_quant_z_o),
    .cfg_i     (quant_cfg),
    .packed_o  (result),
    .overflow_o(job_stat_overflow_o),
    .zeros_o   (job_stat_zeros_o),
    .max_bit_o (job_stat_max_bit_o),
    .sum_abs_o (job_stat_sum_abs_o)
  );

  logic pack_busy;
  ran_pack #(.Lanes(Lanes)) u_pack (
    .clk_i,
    .rst_ni,
    .quant_valid_i (quant_valid),
    .quant_bits_i  (quant_cfg.y_bits),
    .quant_packed_i(result),
    .quant_tag_i   (quant_tag),
    .quant_mask_i  (quant_mask),
    .quant_take_o  (quant_take),
    .merge_o       (merge),
    .out_valid_o,
    .out_ready_i,
    .out_data_o,
    .out_last_o,
    .out_bits_o,
    .out_jobs_o,
    .out_tag_o,
    .out_mask_o,
    .busy_o        (pack_busy)
  );

  assign job_stat_valid_o = quant_take;
  assign job_stat_tag_o = quant_tag;
  assign obs_quant_valid_o = quant_take;
  assign obs_quant_tag_o = quant_tag;
  assign obs_swap_valid_o = swap;
  assign obs_swap_byp_o = head_byp;
  assign {obs_swap_entry_o, obs_swap_bank_o} = head_place;
  assign obs_swap_tag_o = head_tag;
  assign obs_swap_acc_o = contents;

  ran_stats u_stats (
    .clk_i,
    .rst_ni,
    .job_i         (quant_take),
    .job_slot_i    (quant_slot),
    .job_values_i  (quant_cfg.lanes),
    .job_overflow_i(job_stat_overflow_o),
    .job_zeros_i   (job_stat_zeros_o),
    .job_max_bit_i (job_stat_max_bit_o),
    .job_sum_abs_i (job_stat_sum_abs_o),
    .accept_i      (accept),
    .accept_slot_i (accept_slot),
    .retire_i      (retire),
    .retire_slot_i (retire_slot),
    .retire_last_i (retire_last),
    .record_free_o (record_free),
    .stat_valid_o,
    .stat_ready_i,
    .stat_values_o,
    .stat_overflow_o,
    .stat_zeros_o,
    .stat_max_bit_o,
    .stat_sum_abs_o
  );

  // ---- counters ----------------
  logic [4*Rows-1:0] row_event;
  for (genvar r = 0; r < Rows; r++) begin : gen_event
    assign row_event[4*r +: 4] = {prod_valid_i[r] && is_covered[r] && is_done[r] && all_done[r],
                                  prod_valid_i[r] && is_covered[r] && is_done[r] && !all_done[r],
                                  prod_valid_i[r] && !is_covered[r], take[r]};
  end

  assign busy_o = slots_busy || pack_busy || stat_valid_o;
  ran_counters #(.Rows(Rows)) u_counters (
    .clk_i,
    .rst_ni,
    .ctr_addr_i,
    .ctr_data_o,
    .ctr_clear_i,
    .row_event_i(row_event),
    .event_i    ({6'(draw), swap ? clamped : 6'd0, quant_take ? job_stat_overflow_o : 6'd0,
                  6'(rsp_valid_o && rsp_code_o != ran_pkg::RspOk),
                  6'(psum_req_valid_o && !psum_req_ready_i), 6'(head_valid && !started),
                  6'(out_valid_o && !out_ready_i), 6'(merge), 6'(out_valid_o && out_ready_i), 6'(cancelled),
                  6'(byp_valid_i && byp_ready_o), 6'(quant_take), 6'(busy_o)})
  );

  // What the product streams promise (docs/ioss/README.md).
  for (genvar r = 0; r < Rows; r++) begin : gen_assert
    `TS_ASSERT(NullIsLast, !(prod_valid_i[r] && prod_null_i[r]) || prod_last_i[r])
  end
endmodule
