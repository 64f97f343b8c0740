`include "ts_assert.svh"

// One pair of IOSS core and RAN with its buffers X, W and M, and what feeds and empties it for a GEMM command (docs/top/README.md, GEMM): descriptors
// (D), biases and tiles (T), vectors and masks (V), partial sums (P), results (R).
//
// A chunk of K at a time. D offers the descriptors of the chunk's tiles one after the other; T and V go on with a tile whose descriptor was
// accepted. A chunk ends when all has been sent and the pair is idle. Fields of the command are stable from `start_i` to `done_o`.
module top_core #(
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
  input  logic [15:0] k_i,
  input  logic [15:0] jobs_i,           // M
  input  logic [12:0] tiles_i,          // of this core
  input  logic        has_last_i,       // the last of them is the product's last
  input  logic [5:0]  last_lanes_i,     // of that one
  input  logic [15:0] x_addr_i,
  input  logic [15:0] w_addr_i,
  input  logic [15:0] b_addr_i,
  input  logic [15:0] m_addr_i,
  input  logic [top_pkg::WordW-1:0] y_addr_i,   // of this core
  input  logic [top_pkg::WordW-1:0] a_addr_i,
  input  logic [top_pkg::WordW-1:0] p_addr_i,
  input  logic [2:0]  n_x_i,
  input  logic [2:0]  n_w_i,
  input  logic [2:0]  min_order_i,
  input  logic        x_unsigned_i,
  input  logic        w_unsigned_i,
  input  logic        compensate_i,
  input  logic [3:0]  reduce_i,
  input  logic [2:0]  y_bits_i,
  input  logic        y_unsigned_i,
  input  logic        relu_i,
  input  logic [1:0]  round_i,
  input  logic [1:0]  rand_bits_i,
  input  logic [5:0]  shift_i,
  input  logic        bias_i,
  input  logic        mask_i,
  input  logic        keep_i,           // write masks to A
  input  logic        x_windows_i,      // vectors, the rows of tiles are windows of images
  input  logic        w_windows_i,
  input  logic        narrow_i,         // results leave with eight lanes
  input  logic        feed_i,           // results go to the optimiser
  /* verilator lint_off UNUSEDSIGNAL */  // spare bits of words 10 .. 12
  input  logic [95:0] window_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [top_pkg::GeometryW-1:0] x_lengths_i,
  input  logic [top_pkg::GeometryW-1:0] w_lengths_i,
  input  logic [31:0] draw_i,           // number of the first draws of this core's first tile
  // Y's read port, for partial sums
  output logic                         p_req_o,
  output logic [top_pkg::AddrW-1:0]    p_addr_o,
  input  logic                         p_gnt_i,
  input  logic [top_pkg::BeatW-1:0]    p_data_i,
  // Y's and A's write port, for results
  output logic                         r_req_o,
  input  logic                         r_gnt_i,
  output logic [7:0]                   r_we_o,
  output logic [top_pkg::AddrW-1:0]    r_addr_o,
  output logic [top_pkg::BeatW-1:0]    r_data_o,
  output logic [7:0]                   r_mask_we_o,
  output logic [top_pkg::AddrW-1:0]    r_mask_addr_o,
  output logic [top_pkg::BeatW-1:0]    r_mask_data_o,
  // results that feed a pass: beat f_beat_o of result f_number_o
  output logic                         f_valid_o,
  input  logic                         f_ready_i,
  output logic [top_pkg::JobW-1:0]     f_number_o,
  output logic [1:0]                   f_beat_o,
  output logic [top_pkg::BeatW-1:0]    f_data_o,
  // statistics of the last chunk
  output logic [trainslice_pkg::StatW-1:0]    stat_o,
  // counters
  input  logic [9:0]                   ctr_addr_i,
  output logic [31:0]                  ctr_data_o,
  output logic                         busy_o
);
  localparam int Lanes = top_pkg::Lanes;
  localparam int TagW = trainslice_pkg::TagW;
  localparam int WordW = top_pkg::WordW;
  // Results in quarter words of Y, in words of masks in A, of the state; partial sums: jobs with greater numbers lie past the buffer's end.
  localparam int PartW = $clog2(YWords) + 2;
  localparam int MaskW = $clog2(AWords) + 3;
  localparam int StateW = $clog2(SWords) - 2;
  localparam int OwnW = (PartW > MaskW) ? PartW : MaskW;
  localparam int NumW = (OwnW > StateW) ? OwnW : StateW;
  localparam int SumW = $clog2(YWords) - 3;
  localparam logic [1:0] Idle = 2'd0, Begin = 2'd1, Offer = 2'd2, Drain = 2'd3;

  // ---- chunks ----------------
  logic [1:0]  state_q;
  logic [15:0] k_left_q, k_chunk, span, chunk;   // chunk: elements of a member
  logic        first_q, last_chunk, chunk_start, idle_pair;
  assign span = 16'(Depth) * {12'd0, reduce_i};
  assign k_chunk = (k_left_q > span) ? span : k_left_q;
  assign last_chunk = k_left_q <= span;
  assign chunk = (k_chunk + {12'd0, reduce_i} - 16'd1) >>
      ((reduce_i == 4'd8) ? 2'd3 : (reduce_i == 4'd4) ? 2'd2 : (reduce_i == 4'd2) ? 2'd1 : 2'd0);
  assign chunk_start = state_q == Begin;
  assign busy_o = state_q != Idle;

  // ---- D ----------------
  logic [12:0] offered_q, accepted_q;    // descriptors of the chunk
  logic        waiting_q;                // for an answer
  logic        desc_valid, desc_ready, desc_take, rsp_valid, sent, pair_busy;
  logic [4:0]  rsp_code;
  logic [TagW-1:0] jobs_q, first_tag_q;  // numbers of the next job, of the chunk's first
  logic        t_done, v_done;
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
        jobs_q     <= jobs_q + jobs_i;
      end
      case (state_q)
        Idle: if (start_i) begin
          k_left_q  <= k_i;
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

  // ---- T: biases, then the tile, of every accepted descriptor ----------------
  logic        t_bias_q;                 // biases of the present tile are still to come
  logic [12:0] t_tile_q;
  logic [WordW-1:0] t_addr_q, t_addr_next, b_addr_q;   // biases: at most 65,535 + 4 * 4,096
  logic        b_req, b_ready, b_mem_req, t_req, t_ready, t_mem_req, w_gnt_t, t_last, t_range, b_range;
  logic [1:0]  b_count_q;
  logic [top_pkg::AddrW-1:0] b_mem_addr, t_mem_addr;
  logic [top_pkg::BeatW-1:0] w_data, tile_data, bias_data;
  logic        tile_valid, tile_ready, tile_last, bias_valid, bias_ready, bias_last;
  logic        t_valid, t_side, tw_valid, tw_last, tw_mem_req, tw_range;
  logic [top_pkg::AddrW-1:0] tw_mem_addr;
  logic [top_pkg::BeatW-1:0] t_data, tw_data;
  logic [2:0]  t_member;
  logic [15:0] t_beat, t_len;
  logic        t_first_q, t_active, t_pass;
  assign t_done = t_tile_q == accepted_q;
  assign b_req = state_q[1] && !t_done && t_bias_q;
  assign t_active = state_q[1] && !t_done && !t_bias_q;
  assign t_req = t_active && !w_windows_i;
  logic [2:0]  unused_t_member, unused_v_member;
  logic [15:0] unused_t_beat, unused_v_beat;
  ioss_chunk_walker #(
    .ScaleLog2(4)
  ) u_tile_walker (
    .clk_i,
    .rst_ni,
    .first_i (t_first_q),
    .step_i  (t_req && t_ready),
    .k_len_i (k_chunk),
    .chunk_i (chunk),
    .slices_i(n_w_i),
    .member_o(t_member),
    .beat_o  (t_beat),
    .len_o   (t_len),
    .last_o  (t_last),
    .next_member_o(unused_t_member),
    .next_beat_o  (unused_t_beat)
  );
  top_word u_t_next (
    .word_i(t_addr_q),
    .by_i  (1'b1),
    .word_o(t_addr_next)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      t_bias_q  <= 1'b0;
      t_tile_q  <= '0;
      t_addr_q  <= '0;
      b_addr_q  <= '0;
      b_count_q <= '0;
      t_first_q <= 1'b1;
    end else begin
      if (start_i) begin
        t_addr_q <= {1'b0, w_addr_i};
        b_addr_q <= {1'b0, b_addr_i};
      end
      if (chunk_start) begin
        t_tile_q  <= '0;
        t_bias_q  <= bias_i && first_q;
        b_count_q <= '0;
        t_first_q <= 1'b1;
      end
      if (b_req && b_ready) begin
        b_addr_q  <= b_addr_q + WordW'(1);
        b_count_q <= b_count_q + 2'd1;
        if (b_count_q == 2'd3) t_bias_q <= 1'b0;
      end
      if (t_req && t_ready) begin
        t_addr_q  <= t_addr_next;
        t_first_q <= t_last;
      end
      if ((t_req && t_ready && t_last) || t_pass) begin
        t_tile_q <= t_tile_q + 13'd1;
        t_bias_q <= bias_i && first_q;
      end
    end
  end
  assign w_gnt_t = !b_mem_req;           // biases first
  top_fetch #(
    .Words(WWords),
    .SideW(1)
  ) u_bias_fetch (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .req_valid_i(b_req),
    .req_ready_o(b_ready),
    .req_addr_i (b_addr_q),
    .req_side_i (b_count_q == 2'd3),
    .mem_req_o  (b_mem_req),
    .mem_addr_o (b_mem_addr),
    .mem_gnt_i  (1'b1),
    .mem_data_i (w_data),
    .out_valid_o(bias_valid),
    .out_ready_i(bias_ready),
    .out_data_o (bias_data),
    .out_side_o (bias_last),
    .out_range_o(b_range)
  );
  top_fetch #(
    .Words(WWords),
    .SideW(1)
  ) u_tile_fetch (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .req_valid_i(t_req),
    .req_ready_o(t_ready),
    .req_addr_i (t_addr_q),
    .req_side_i (t_last),
    .mem_req_o  (t_mem_req),
    .mem_addr_o (t_mem_addr),
    .mem_gnt_i  (w_gnt_t),
    .mem_data_i (w_data),
    .out_valid_o(t_valid),
    .out_ready_i(tile_ready),
    .out_data_o (t_data),
    .out_side_o (t_side),
    .out_range_o(t_range)
  );
  top_window #(
    .Words(WWords),
    .Tile (1)
  ) u_tile_window (
    .clk_i,
    .rst_ni,
    .start_i,
    .chunk_i         (chunk_start),
    .active_i        (t_active && w_windows_i),
    .last_pass_i     (t_tile_q + 13'd1 == tiles_i),
    .pass_o          (t_pass),
    .first_i         (w_addr_i),
    .words_i         (window_i[79:64]),
    .jobs_i          (k_chunk),
    .range_i         ((n_w_i <= 3'd1) ? 13'd16 : (n_w_i == 3'd2) ? 13'd32 : 13'd64),
    .member_i        (13'(chunk)),
    .columns_i       (window_i[16:9]),
    .rows_i          (window_i[24:17]),
    .kernel_rows_i   (window_i[35:32]),
    .kernel_columns_i(window_i[39:36]),
    .pad_rows_i      (window_i[43:40]),
    .pad_columns_i   (window_i[47:44]),
    .stride_i        (window_i[51:48]),
    .lengths_i       (w_lengths_i),
    .mem_req_o       (tw_mem_req),
    .mem_addr_o      (tw_mem_addr),
    .mem_data_i      (w_data),
    .range_o         (tw_range),
    .out_valid_o     (tw_valid),
    .out_ready_i     (tile_ready),
    .out_data_o      (tw_data),
    .out_last_o      (tw_last)
  );
  assign tile_valid = w_windows_i ? tw_valid : t_valid;
  assign tile_data = w_windows_i ? tw_data : t_data;
  assign tile_last = w_windows_i ? tw_last : t_side;
  top_mem #(
    .Words(WWords)
  ) u_w (
    .clk_i,
    .re_i   (b_mem_req || t_mem_req || tw_mem_req),
    .raddr_i(b_mem_req ? b_mem_addr : tw_mem_req ? tw_mem_addr : t_mem_addr),
    .we_i   ({8{load_we_i[1]}}),
    .waddr_i(load_addr_i),
    .wdata_i(load_data_i),
    .rdata_o(w_data)
  );

  // ---- V: the chunk's vectors, again for every accepted descriptor, with their masks ----------------
  logic [12:0] v_tile_q;
  logic [15:0] v_job_q;
  logic [WordW-1:0] v_addr_q, v_addr_next, v_base_q, m_addr_q, m_addr_next;
  logic        v_req, v_ready, v_mem_req, v_last, v_first_q, v_range, last_job;
  logic [top_pkg::AddrW-1:0] v_mem_addr, m_mem_addr;
  logic [top_pkg::BeatW-1:0] x_data, vec_data, m_data, mask_word;
  logic        fetched, vec_valid, vec_ready, vec_last, vec_take, v_active, v_pass, v_valid, v_side, vw_valid, vw_last;
  logic        vw_mem_req, vw_range;
  logic [top_pkg::AddrW-1:0] vw_mem_addr;
  logic [top_pkg::BeatW-1:0] v_data, vw_data;
  logic        m_req, m_ready, m_mem_req, mask_valid, mask_next, m_range, unused_side;
  logic [2:0]  lane_q;
  logic [top_pkg::MasksW-1:0] m_left_q;  // masks not asked for yet
  logic [2:0]  v_member;
  logic [15:0] v_beat, v_len;
  assign v_done = v_tile_q == accepted_q;
  assign v_active = state_q[1] && !v_done;
  assign v_req = v_active && !x_windows_i;
  assign last_job = v_job_q + 16'd1 == jobs_i;
  ioss_chunk_walker #(
    .ScaleLog2(0)
  ) u_vector_walker (
    .clk_i,
    .rst_ni,
    .first_i (v_first_q),
    .step_i  (v_req && v_ready),
    .k_len_i (k_chunk),
    .chunk_i (chunk),
    .slices_i(n_x_i),
    .member_o(v_member),
    .beat_o  (v_beat),
    .len_o   (v_len),
    .last_o  (v_last),
    .next_member_o(unused_v_member),
    .next_beat_o  (unused_v_beat)
  );
  top_word u_v_next (
    .word_i(v_addr_q),
    .by_i  (1'b1),
    .word_o(v_addr_next)
  );
  top_word u_m_next (
    .word_i(m_addr_q),
    .by_i  (1'b1),
    .word_o(m_addr_next)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      v_tile_q  <= '0;
      v_job_q   <= '0;
      v_addr_q  <= '0;
      v_base_q  <= '0;
      v_first_q <= 1'b1;
      m_addr_q  <= '0;
      m_left_q  <= '0;
      lane_q    <= '0;
    end else begin
      if (start_i) begin
        v_addr_q <= {1'b0, x_addr_i};
        v_base_q <= {1'b0, x_addr_i};
      end
      if (chunk_start) begin
        v_tile_q  <= '0;
        v_job_q   <= '0;
        v_first_q <= 1'b1;
        v_base_q  <= v_addr_q;
        m_addr_q  <= {1'b0, m_addr_i};
        m_left_q  <= mask_i ? top_pkg::MasksW'(tiles_i) * top_pkg::MasksW'(jobs_i) : '0;
        lane_q    <= '0;
      end
      if (v_req && v_ready) begin
        v_first_q <= v_last;
        // The chunk's first vector again for the next tile; the next chunk's first after the last tile.
        v_addr_q  <= (v_last && last_job && v_tile_q + 13'd1 != tiles_i) ? v_base_q : v_addr_next;
        if (v_last) begin
          v_job_q <= last_job ? '0 : v_job_q + 16'd1;
          if (last_job) v_tile_q <= v_tile_q + 13'd1;
        end
      end
      if (v_pass) v_tile_q <= v_tile_q + 13'd1;
      if (m_req && m_ready) begin
        m_addr_q <= m_addr_next;
        m_left_q <= (m_left_q < top_pkg::MasksW'(8)) ? '0 : m_left_q - top_pkg::MasksW'(8);
      end
      if (mask_i && vec_valid && vec_ready && vec_last) lane_q <= lane_q + 3'd1;
    end
  end
  top_fetch #(
    .Words(XWords),
    .SideW(1)
  ) u_vector_fetch (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .req_valid_i(v_req),
    .req_ready_o(v_ready),
    .req_addr_i (v_addr_q),
    .req_side_i (v_last),
    .mem_req_o  (v_mem_req),
    .mem_addr_o (v_mem_addr),
    .mem_gnt_i  (1'b1),
    .mem_data_i (x_data),
    .out_valid_o(v_valid),
    .out_ready_i(vec_take),
    .out_data_o (v_data),
    .out_side_o (v_side),
    .out_range_o(v_range)
  );
  top_window #(
    .Words(XWords),
    .Tile (0)
  ) u_vector_window (
    .clk_i,
    .rst_ni,
    .start_i,
    .chunk_i         (chunk_start),
    .active_i        (v_active && x_windows_i),
    .last_pass_i     (v_tile_q + 13'd1 == tiles_i),
    .pass_o          (v_pass),
    .first_i         (x_addr_i),
    .words_i         (window_i[79:64]),
    .jobs_i,
    .range_i         (13'(k_chunk) << ((n_x_i <= 3'd1) ? 2'd0 : (n_x_i == 3'd2) ? 2'd1 : 2'd2)),
    .member_i        (13'(chunk) << ((n_x_i <= 3'd1) ? 2'd0 : (n_x_i == 3'd2) ? 2'd1 : 2'd2)),
    .columns_i       (window_i[16:9]),
    .rows_i          (window_i[24:17]),
    .kernel_rows_i   (window_i[35:32]),
    .kernel_columns_i(window_i[39:36]),
    .pad_rows_i      (window_i[43:40]),
    .pad_columns_i   (window_i[47:44]),
    .stride_i        (window_i[51:48]),
    .lengths_i       (x_lengths_i),
    .mem_req_o       (vw_mem_req),
    .mem_addr_o      (vw_mem_addr),
    .mem_data_i      (x_data),
    .range_o         (vw_range),
    .out_valid_o     (vw_valid),
    .out_ready_i     (vec_take),
    .out_data_o      (vw_data),
    .out_last_o      (vw_last)
  );
  assign vec_take = vec_ready && (!mask_i || mask_valid);
  assign fetched = x_windows_i ? vw_valid : v_valid;
  assign vec_data = x_windows_i ? vw_data : v_data;
  assign vec_last = x_windows_i ? vw_last : v_side;
  top_mem #(
    .Words(XWords)
  ) u_x (
    .clk_i,
    .re_i   (v_mem_req || vw_mem_req),
    .raddr_i(vw_mem_req ? vw_mem_addr : v_mem_addr),
    .we_i   ({8{load_we_i[0]}}),
    .waddr_i(load_addr_i),
    .wdata_i(load_data_i),
    .rdata_o(x_data)
  );
  assign m_req = state_q[1] && m_left_q != '0;
  assign vec_valid = fetched && (!mask_i || mask_valid);
  // A word of masks serves eight jobs; at a chunk's end what is left of one is dropped.
  assign mask_next = vec_valid && vec_ready && vec_last && lane_q == 3'd7;
  top_fetch #(
    .Words(MWords),
    .SideW(1)
  ) u_mask_fetch (
    .clk_i,
    .rst_ni,
    .clear_i    (chunk_start),
    .req_valid_i(m_req),
    .req_ready_o(m_ready),
    .req_addr_i (m_addr_q),
    .req_side_i (1'b0),
    .mem_req_o  (m_mem_req),
    .mem_addr_o (m_mem_addr),
    .mem_gnt_i  (1'b1),
    .mem_data_i (m_data),
    .out_valid_o(mask_valid),
    .out_ready_i(mask_next),
    .out_data_o (mask_word),
    .out_side_o (unused_side),
    .out_range_o(m_range)
  );
  top_mem #(
    .Words(MWords)
  ) u_m (
    .clk_i,
    .re_i   (m_mem_req),
    .raddr_i(m_mem_addr),
    .we_i   ({8{load_we_i[2]}}),
    .waddr_i(load_addr_i),
    .wdata_i(load_data_i),
    .rdata_o(m_data)
  );
  logic [15:0] vec_mask;
  assign vec_mask = mask_i ? mask_word[16*lane_q +: 16] : '0;

  // ---- P: partial sums, eight words a job ----------------
  logic        psum_req, psum_valid, psum_ready, psum_last, p_range, p_active_q, p_ready, p_beyond;
  logic [TagW-1:0]  psum_tag;
  logic [SumW-1:0]  p_number;
  logic [WordW-1:0] p_first, p_addr_q, p_addr_next;
  logic [2:0]       p_count_q;
  logic [top_pkg::BeatW-1:0] psum_data;
  top_number #(
    .NumW(SumW)
  ) u_p_number (
    .clk_i,
    .rst_ni,
    .clear_i (chunk_start),
    .first_i (first_tag_q),
    .tag_i   (psum_tag),
    .take_i  (psum_req),
    .number_o(p_number),
    .beyond_o(p_beyond),
    /* verilator lint_off PINCONNECTEMPTY */
    .obs_newest_o(),
    .obs_passed_o()
    /* verilator lint_on PINCONNECTEMPTY */
  );
  top_word #(
    .ByW(SumW + 3)
  ) u_p_first (
    .word_i(p_addr_i),
    .by_i  ({p_number, 3'd0}),
    .word_o(p_first)
  );
  top_word u_p_next (
    .word_i(p_addr_q),
    .by_i  (1'b1),
    .word_o(p_addr_next)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      p_active_q <= 1'b0;
      p_addr_q   <= '0;
      p_count_q  <= '0;
    end else if (!p_active_q) begin
      p_active_q <= psum_req;
      p_addr_q   <= p_beyond ? WordW'(top_pkg::Beyond) : p_first;
      p_count_q  <= '0;
    end else if (p_ready) begin
      p_addr_q   <= p_addr_next;
      p_count_q  <= p_count_q + 3'd1;
      p_active_q <= p_count_q != 3'd7;
    end
  end
  top_fetch #(
    .Words(YWords),
    .SideW(1)
  ) u_psum_fetch (
    .clk_i,
    .rst_ni,
    .clear_i    (1'b0),
    .req_valid_i(p_active_q),
    .req_ready_o(p_ready),
    .req_addr_i (p_addr_q),
    .req_side_i (p_count_q == 3'd7),
    .mem_req_o  (p_req_o),
    .mem_addr_o (p_addr_o),
    .mem_gnt_i  (p_gnt_i),
    .mem_data_i (p_data_i),
    .out_valid_o(psum_valid),
    .out_ready_i(psum_ready),
    .out_data_o (psum_data),
    .out_side_o (psum_last),
    .out_range_o(p_range)
  );

  // ---- R: results, a beat a cycle; two when a beat holds two jobs ----------------
  logic        out_valid, out_ready, out_last, second_q, r_outside, a_outside, r_beyond;
  logic [top_pkg::BeatW-1:0] out_data;
  logic [2:0]  out_bits, out_jobs, r_beat_q;
  logic [2*TagW-1:0]  out_tag;
  logic [2*Lanes-1:0] out_mask;
  logic [NumW-1:0]  r_number;
  logic [NumW+4:0]  r_wide;              // quarter words up to the job's result
  logic             r_narrow, r_drop;    // eight lanes leave; this beat holds none of them
  logic [WordW-1:0] r_first, a_word;
  logic [PartW:0]   r_part;
  logic [63:0]      r_half;
  logic [7:0]       r_lanes;             // parts of the word, 16 bits each
  top_number #(
    .NumW(NumW)
  ) u_r_number (
    .clk_i,
    .rst_ni,
    .clear_i (chunk_start),
    .first_i (first_tag_q),
    .tag_i   (second_q ? out_tag[TagW +: TagW] : out_tag[0 +: TagW]),
    .take_i  (out_valid),
    .number_o(r_number),
    .beyond_o(r_beyond),
    /* verilator lint_off PINCONNECTEMPTY */
    .obs_newest_o(),
    .obs_passed_o()
    /* verilator lint_on PINCONNECTEMPTY */
  );
  logic             r_feeds, r_gnt;
  assign r_feeds = feed_i && last_chunk;
  // Without a result its fields say nothing.
  assign r_gnt = (out_valid && r_feeds) ? f_ready_i : r_gnt_i;
  assign f_valid_o = out_valid && r_feeds;
  assign f_number_o = (r_beyond || 32'(r_number) >= 32'(top_pkg::MaxFed)) ? top_pkg::JobW'(top_pkg::MaxFed) :
      top_pkg::JobW'(r_number);
  assign f_beat_o = r_beat_q[1:0];
  assign f_data_o = out_data;
  assign r_narrow = narrow_i && last_chunk;
  assign r_wide = ((NumW + 5)'(r_number) << ((out_bits == 3'd0) ? 3'd1 : (out_bits == 3'd1) ? 3'd2 :
      (out_bits <= 3'd3) ? 3'd3 : (out_bits == 3'd4) ? 3'd4 : 3'd5)) >> r_narrow;
  assign r_drop = r_narrow && ((out_bits == 3'd2 || out_bits == 3'd3) ? r_beat_q[0] : (out_bits == 3'd4) ? r_beat_q[1] :
      (out_bits == 3'd5) ? r_beat_q[2] : 1'b0);
  assign r_first = last_chunk ? y_addr_i : p_addr_i;
  assign r_part = {1'b0, r_first[PartW-3:0], 2'b00} + {1'b0, r_wide[PartW-1:0]} + (PartW + 1)'({r_beat_q, 2'b00});
  assign r_outside = !r_drop && !r_feeds && (r_beyond || r_wide[NumW+4:PartW] != '0 ||
      r_first >= WordW'(YWords) || r_part[PartW]);
  assign r_req_o = out_valid && !r_feeds;
  assign r_addr_o = top_pkg::AddrW'(r_part[PartW-1:2]);
  assign r_half = (out_bits == 3'd0 && second_q) ? out_data[127:64] : out_data[63:0];
  always_comb begin
    r_data_o = out_data;
    r_lanes = 8'hff;
    if (out_bits == 3'd0 || (out_bits == 3'd1 && r_narrow)) begin
      r_data_o = {2{r_half}};
      r_lanes = r_part[1] ? 8'hf0 : 8'h0f;
      if (out_bits == 3'd0 && r_narrow) begin
        r_data_o = {4{r_half[31:0]}};
        r_lanes = 8'h03 << {r_part[1:0], 1'b0};
      end
    end
  end
  assign r_we_o = (out_valid && r_gnt && !r_outside && !r_drop && !r_feeds) ? r_lanes : '0;
  assign out_ready = r_gnt && (!out_valid || out_jobs != 3'd2 || second_q);
  top_word #(
    .ByW(NumW - 3)
  ) u_a_word (
    .word_i(a_addr_i),
    .by_i  (r_number[NumW-1:3]),
    .word_o(a_word)
  );
  assign a_outside = r_beyond || a_word >= WordW'(AWords);
  assign r_mask_addr_o = a_word[top_pkg::AddrW-1:0];
  assign r_mask_data_o = {8{second_q ? out_mask[Lanes +: Lanes] : out_mask[0 +: Lanes]}};
  assign r_mask_we_o = (out_valid && r_gnt && keep_i && last_chunk && out_last && !a_outside) ?
      8'd1 << r_number[2:0] : '0;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      second_q <= 1'b0;
      r_beat_q <= '0;
    end else if (out_valid && r_gnt) begin
      second_q <= out_jobs == 3'd2 && !second_q;
      if (out_ready) r_beat_q <= out_last ? '0 : r_beat_q + 3'd1;
    end
  end

  // ---- range, statistics ----------------
  logic        stat_valid;
  logic [31:0] stat_values, stat_overflow, stat_zeros;
  logic [5:0]  stat_max_bit;
  logic [47:0] stat_sum_abs;
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
      end else if ((t_valid && tile_ready && t_range) || (bias_valid && bias_ready && b_range) || tw_range ||
                   (v_valid && vec_take && v_range) || vw_range || (vec_valid && vec_ready && mask_i && m_range) ||
                   (psum_valid && psum_ready && p_range) ||
                   (out_valid && r_gnt && (r_outside || (keep_i && last_chunk && out_last && a_outside)))) begin
        range_q <= 1'b1;
      end
      if (stat_valid) stat_o <= {stat_values, stat_overflow, stat_zeros, stat_max_bit, stat_sum_abs};
    end
  end

  // ---- the pair ----------------
  logic        psum_req_valid, bias_err, psum_err, tile_err, job_err;
  logic [ioss_pkg::CodeW-1:0] job_err_code;
  logic [TagW-1:0] job_err_tag;
  assign psum_req = psum_req_valid && !p_active_q;
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
    .desc_x_slices_i     (n_x_i),
    .desc_w_slices_i     (n_w_i),
    .desc_x_unsigned_i   (x_unsigned_i),
    .desc_w_unsigned_i   (w_unsigned_i),
    .desc_min_order_i    (min_order_i),
    .desc_compensate_i   (compensate_i),
    .desc_reduce_factor_i(reduce_i),
    .desc_k_len_i        (k_chunk),
    .desc_n_jobs_i       (jobs_i),
    .desc_y_bits_i       (last_chunk ? y_bits_i : 3'(ran_pkg::YRaw64)),
    .desc_y_unsigned_i   (last_chunk && y_unsigned_i),
    .desc_relu_i         (last_chunk && relu_i),
    .desc_round_i        (last_chunk ? round_i : 2'(ran_pkg::RoundNearest)),
    .desc_rand_bits_i    (rand_bits_i),
    .desc_shift_i        (last_chunk ? shift_i : 6'd0),
    .desc_start_i        (!first_q ? 2'(ran_pkg::StartPsum64) : bias_i ? 2'(ran_pkg::StartBias) :
                          2'(ran_pkg::StartZero)),
    .desc_lanes_i        ((has_last_i && last_tile) ? last_lanes_i : 6'(Lanes)),
    .desc_stat_last_i    (last_tile),
    .desc_draw_i         (draw_i + (32'(offered_q) << (top_pkg::TileDraws + $clog2(Cores)))),
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
    .psum_req_ready_i    (!p_active_q),
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
    .stat_values_o       (stat_values),
    .stat_overflow_o     (stat_overflow),
    .stat_zeros_o        (stat_zeros),
    .stat_max_bit_o      (stat_max_bit),
    .stat_sum_abs_o      (stat_sum_abs),
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
  assign unused = ^{t_member, t_beat, t_len, v_member, v_beat, v_len, unused_side, job_err_code, job_err_tag};
  // Descriptors were checked before the command began.
  `TS_ASSERT(Accepted, !rsp_valid || rsp_code == '0)
  `TS_ASSERT(Framing, !(tile_err || bias_err || psum_err || job_err))
endmodule
