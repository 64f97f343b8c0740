`include "ts_assert.svh"

// One pair of IOSS core and RAN with its buffers X, W and M, and what feeds and empties it for a GEMM command (docs/top/README.md, GEMM):
// descriptors here, biases and tiles, vectors and masks, partial sums, results in top_core_*.
//
// A chunk of K at a time. The descriptors of the chunk's tiles are offered one after the other; tiles and vectors go on with a tile whose
// descriptor was accepted. A chunk ends when all has been sent and the pair is idle. Fields of the command are stable from `start_i` to `done_o`.
module top_core
  import top_pkg::gemm_t, top_pkg::lengths_t, top_pkg::write_t, top_pkg::fed_t, top_pkg::chunk_t;
  import trainslice_pkg::stat_t;
#(
  parameter int Core = 0,
  parameter int Cores = 1,
  parameter int Rows = 8,
  parameter int Depth = 128,
  parameter int AccW = 40,
  parameter int Banks = 2,
  parameter int XWords = 8192,
  parameter int WWords = 8192,
  parameter int MWords = 1024,
  parameter int YWords = 16384,
  parameter int AWords = 1024,
  parameter int SWords = 4096
) (
  input  logic clk_i,
  input  logic rst_ni,
  // load
  input  logic [2:0]                   load_we_i,     // X, W, M
  input  logic [top_pkg::AddrW-1:0]    load_addr_i,
  input  logic [top_pkg::BeatW-1:0]    load_data_i,
  // the command
  input  logic        start_i,          // pulse
  output logic        done_o,           // pulse
  output logic        range_o,
  input  gemm_t       cmd_i,
  input  logic [12:0] tiles_i,          // of this core
  input  logic        has_last_i,       // the last of them is the product's last
  input  logic [5:0]  last_lanes_i,     // of that one
  input  lengths_t    x_lengths_i,      // of windows
  input  lengths_t    w_lengths_i,
  input  logic [31:0] draw_i,           // number of the command's first draws
  // Y's read port, for partial sums
  output logic                         p_req_o,
  output logic [top_pkg::AddrW-1:0]    p_addr_o,
  input  logic                         p_gnt_i,
  input  logic [top_pkg::BeatW-1:0]    p_data_i,
  // Y's and A's write port, for results
  output logic                         r_req_o,
  input  logic                         r_gnt_i,
  output write_t                       r_y_o,
  output write_t                       r_mask_o,
  // results that feed a pass
  output logic                         f_valid_o,
  input  logic                         f_ready_i,
  output fed_t                         f_o,
  // statistics of the last chunk
  output stat_t                        stat_o,
  // counters
  input  logic [9:0]                   ctr_addr_i,
  output logic [31:0]                  ctr_data_o,
  output logic                         busy_o
);
  localparam int Lanes = top_pkg::Lanes;
  localparam int StepW = top_pkg::StepW;
  localparam int TagW = trainslice_pkg::TagW;
  localparam logic [1:0] Idle = 2'd0, Begin = 2'd1, Offer = 2'd2, Drain = 2'd3;

  // ---- first words of this core: a step is never more than StepW bits hold ----------------
  logic [top_pkg::WordW-1:0] y_first, a_first, p_first;
  top_word #(
    .ByW(StepW)
  ) u_y_first (
    .word_i({1'b0, cmd_i.y_addr}), .by_i(StepW'(cmd_i.y_step) * StepW'(Core)), .word_o(y_first)
  );
  top_word #(
    .ByW(StepW)
  ) u_a_first (
    .word_i({1'b0, cmd_i.a_addr}), .by_i(StepW'(cmd_i.a_step) * StepW'(Core)), .word_o(a_first)
  );
  top_word #(
    .ByW(StepW)
  ) u_p_first (
    .word_i({1'b0, cmd_i.p_addr}), .by_i(StepW'(cmd_i.p_step) * StepW'(Core)), .word_o(p_first)
  );

  // ---- chunks ----------------
  logic [1:0]  state_q;
  logic [15:0] k_left_q, k_chunk, span, member;   // member: elements of one
  logic        first_q, last_chunk, chunk_start, idle_pair;
  chunk_t      chunk;
  assign span = 16'(Depth) * {12'd0, cmd_i.reduce};
  assign k_chunk = (k_left_q > span) ? span : k_left_q;
  assign last_chunk = k_left_q <= span;
  assign member = (k_chunk + {12'd0, cmd_i.reduce} - 16'd1) >>
      ((cmd_i.reduce == 4'd8) ? 2'd3 : (cmd_i.reduce == 4'd4) ? 2'd2 : (cmd_i.reduce == 4'd2) ? 2'd1 : 2'd0);
  assign chunk_start = state_q == Begin;
  assign busy_o = state_q != Idle;

  // ---- descriptors ----------------
  logic [12:0] offered_q, accepted_q;    // descriptors of the chunk
  logic        waiting_q;                // for an answer
  logic        desc_valid, desc_ready, desc_take, rsp_valid, sent, pair_busy;
  logic [4:0]  rsp_code;
  logic [TagW-1:0] jobs_q, first_tag_q;  // numbers of the next job, of the chunk's first
  logic        t_done, v_done;
  assign chunk = {start_i, chunk_start, state_q[1], first_q, accepted_q, k_chunk, member};
  assign desc_valid = state_q == Offer && !waiting_q && offered_q != tiles_i;
  assign desc_take = desc_valid && desc_ready;
  assign sent = state_q == Drain && t_done && v_done && !waiting_q;
  assign idle_pair = sent && !pair_busy;
  assign done_o = (state_q == Drain && idle_pair && last_chunk) || (start_i && tiles_i == '0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q     <= Idle;
      k_left_q    <= '0;
      first_q     <= 1'b0;
      offered_q   <= '0;
      accepted_q  <= '0;
      waiting_q   <= 1'b0;
      jobs_q      <= '0;
      first_tag_q <= '0;
    end else begin
      if (rsp_valid) begin
        waiting_q  <= 1'b0;
        accepted_q <= accepted_q + 13'd1;
        jobs_q     <= jobs_q + cmd_i.jobs;
      end
      case (state_q)
        Idle: if (start_i) begin
          k_left_q  <= cmd_i.k;
          first_q   <= 1'b1;
          if (tiles_i != '0) state_q <= Begin;
        end
        Begin: begin
          offered_q   <= '0;
          accepted_q  <= '0;
          first_tag_q <= jobs_q;
          state_q     <= Offer;
        end
        Offer: begin
          if (desc_take) begin
            offered_q <= offered_q + 13'd1;
            waiting_q <= 1'b1;
          end
          if (!waiting_q && offered_q == tiles_i) state_q <= Drain;
        end
        default: if (idle_pair) begin
          k_left_q <= k_left_q - k_chunk;
          first_q  <= 1'b0;
          state_q  <= last_chunk ? Idle : Begin;
        end
      endcase
    end
  end

  // ---- what feeds and empties the pair ----------------
  logic        tile_valid, tile_ready, tile_last, bias_valid, bias_ready, bias_last, t_range;
  logic        vec_valid, vec_ready, vec_last, v_range;
  logic        psum_req_valid, psum_req_ready, psum_valid, psum_ready, psum_last, p_range;
  logic        out_valid, out_ready, out_last, r_range;
  logic [top_pkg::BeatW-1:0] tile_data, bias_data, vec_data, psum_data, out_data;
  logic [15:0]        vec_mask;
  logic [TagW-1:0]    psum_tag;
  logic [2:0]         out_bits, out_jobs;
  logic [2*TagW-1:0]  out_tag;
  logic [2*Lanes-1:0] out_mask;
  top_core_tiles #(
    .WWords(WWords)
  ) u_tiles (
    .clk_i, .rst_ni, .load_we_i(load_we_i[1]), .load_addr_i, .load_data_i, .chunk_i(chunk), .cmd_i, .tiles_i,
    .lengths_i(w_lengths_i), .done_o(t_done), .bias_valid_o(bias_valid), .bias_ready_i(bias_ready),
    .bias_data_o(bias_data), .bias_last_o(bias_last), .tile_valid_o(tile_valid), .tile_ready_i(tile_ready),
    .tile_data_o(tile_data), .tile_last_o(tile_last), .range_o(t_range)
  );
  top_core_vectors #(
    .XWords(XWords),
    .MWords(MWords)
  ) u_vectors (
    .clk_i, .rst_ni, .load_we_i({load_we_i[2], load_we_i[0]}), .load_addr_i, .load_data_i, .chunk_i(chunk), .cmd_i,
    .tiles_i, .lengths_i(x_lengths_i), .done_o(v_done), .vec_valid_o(vec_valid), .vec_ready_i(vec_ready),
    .vec_data_o(vec_data), .vec_last_o(vec_last), .vec_mask_o(vec_mask), .range_o(v_range)
  );
  top_core_psums #(
    .YWords(YWords)
  ) u_psums (
    .clk_i, .rst_ni, .chunk_i(chunk_start), .first_tag_i(first_tag_q), .first_i(p_first),
    .req_valid_i(psum_req_valid), .req_ready_o(psum_req_ready), .req_tag_i(psum_tag), .psum_valid_o(psum_valid),
    .psum_ready_i(psum_ready), .psum_data_o(psum_data), .psum_last_o(psum_last), .mem_req_o(p_req_o),
    .mem_addr_o(p_addr_o), .mem_gnt_i(p_gnt_i), .mem_data_i(p_data_i), .range_o(p_range)
  );
  top_core_results #(
    .YWords(YWords),
    .AWords(AWords),
    .SWords(SWords)
  ) u_results (
    .clk_i, .rst_ni, .chunk_i(chunk_start), .last_chunk_i(last_chunk), .first_tag_i(first_tag_q),
    .y_first_i(y_first), .a_first_i(a_first), .psum_first_i(p_first), .keep_i(cmd_i.keep), .narrow_i(cmd_i.narrow),
    .feed_i(cmd_i.feed), .out_valid_i(out_valid), .out_ready_o(out_ready), .out_data_i(out_data),
    .out_last_i(out_last), .out_bits_i(out_bits), .out_jobs_i(out_jobs), .out_tag_i(out_tag),
    .out_mask_i(out_mask), .r_req_o, .r_gnt_i, .r_y_o, .r_mask_o, .f_valid_o, .f_ready_i, .f_o, .range_o(r_range)
  );

  // ---- range, statistics ----------------
  logic        stat_valid;
  stat_t       stat;
  logic        range_q;
  assign range_o = range_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      range_q <= 1'b0;
      stat_o  <= '0;
    end else begin
      if (start_i) begin
        range_q <= 1'b0;
        stat_o  <= '0;
      end else if (t_range || v_range || p_range || r_range) begin
        range_q <= 1'b1;
      end
      if (stat_valid) stat_o <= stat;
    end
  end

  // ---- the pair ----------------
  logic        bias_err, psum_err, tile_err, job_err;
  logic [ioss_pkg::CodeW-1:0] job_err_code;
  logic [TagW-1:0] job_err_tag;
  logic        last_tile;
  assign last_tile = offered_q + 13'd1 == tiles_i;
  /* verilator lint_off PINCONNECTEMPTY */  // observation ports
  gemm_core #(
    .Rows (Rows),
    .Lanes(Lanes),
    .Depth(Depth),
    .AccW (AccW),
    .Banks(Banks)
  ) u_gemm (
    .clk_i,
    .rst_ni,
    .desc_valid_i        (desc_valid),
    .desc_ready_o        (desc_ready),
    .desc_x_slices_i     (cmd_i.n_x),
    .desc_w_slices_i     (cmd_i.n_w),
    .desc_x_unsigned_i   (cmd_i.x_unsigned),
    .desc_w_unsigned_i   (cmd_i.w_unsigned),
    .desc_min_order_i    (cmd_i.min_order),
    .desc_compensate_i   (cmd_i.compensate),
    .desc_reduce_factor_i(cmd_i.reduce),
    .desc_k_len_i        (k_chunk),
    .desc_n_jobs_i       (cmd_i.jobs),
    .desc_y_bits_i       (last_chunk ? cmd_i.y_bits : ran_pkg::YRaw64),
    .desc_y_unsigned_i   (last_chunk && cmd_i.y_unsigned),
    .desc_relu_i         (last_chunk && cmd_i.relu),
    .desc_round_i        (last_chunk ? cmd_i.round : ran_pkg::RoundNearest),
    .desc_rand_bits_i    (cmd_i.rand_bits),
    .desc_shift_i        (last_chunk ? cmd_i.shift : 6'd0),
    .desc_start_i        (!first_q ? ran_pkg::StartPsum64 : cmd_i.bias ? ran_pkg::StartBias :
                          ran_pkg::StartZero),
    .desc_lanes_i        ((has_last_i && last_tile) ? last_lanes_i : 6'(Lanes)),
    .desc_stat_last_i    (last_tile),
    .desc_draw_i         (draw_i + 32'(Core << top_pkg::TileDraws) +
                          (32'(offered_q) << (top_pkg::TileDraws + $clog2(Cores)))),
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
    .vec_mask_i          (vec_mask),
    .job_err_valid_o     (job_err),
    .job_err_code_o      (job_err_code),
    .job_err_tag_o       (job_err_tag),
    .bias_valid_i        (bias_valid),
    .bias_ready_o        (bias_ready),
    .bias_data_i         (bias_data),
    .bias_last_i         (bias_last),
    .psum_req_valid_o    (psum_req_valid),
    .psum_req_ready_i    (psum_req_ready),
    .psum_req_tag_o      (psum_tag),
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
    .job_stat_valid_o    (),
    .job_stat_tag_o      (),
    .job_stat_overflow_o (),
    .job_stat_zeros_o    (),
    .job_stat_max_bit_o  (),
    .job_stat_sum_abs_o  (),
    .stat_valid_o        (stat_valid),
    .stat_ready_i        (1'b1),
    .stat_values_o       (stat.values),
    .stat_overflow_o     (stat.overflow),
    .stat_zeros_o        (stat.zeros),
    .stat_max_bit_o      (stat.max_bit),
    .stat_sum_abs_o      (stat.sum_abs),
    .issue_valid_o       (),
    .issue_null_o        (),
    .issue_k_o           (),
    .issue_i_o           (),
    .issue_j_o           (),
    .issue_x_o           (),
    .issue_tag_o         (),
    .obs_shift_valid_o   (),
    .obs_shift_o         (),
    .obs_tree_valid_o    (),
    .obs_tree_bank_o     (),
    .obs_tree_o          (),
    .obs_swap_valid_o    (),
    .obs_swap_byp_o      (),
    .obs_swap_entry_o    (),
    .obs_swap_bank_o     (),
    .obs_swap_tag_o      (),
    .obs_swap_acc_o      (),
    .obs_quant_valid_o   (),
    .obs_quant_tag_o     (),
    .obs_quant_z_o       (),
    .ctr_addr_i,
    .ctr_data_o,
    .ctr_clear_i         (1'b0),
    .busy_o              (pair_busy)
  );
  /* verilator lint_on PINCONNECTEMPTY */

  // Framing is this module's own, so that the pair never complains.
  logic unused;
  assign unused = ^{job_err_code, job_err_tag};
  // Descriptors were checked before the command began.
  `TS_ASSERT(Accepted, !rsp_valid || rsp_code == '0)
  `TS_ASSERT(Framing, !(tile_err || bias_err || psum_err || job_err))
endmodule
