// Vectors of a pair and their masks (docs/top/reference.md, GEMM): the chunk's, again for every accepted descriptor, from buffer X as they lie
// there or as windows of images; masks from buffer M, eight jobs a word.
module top_core_vectors
  import top_pkg::gemm_t, top_pkg::chunk_t, top_pkg::lengths_t;
#(
  parameter int XWords = 8192,
  parameter int MWords = 1024
) (
  input  logic clk_i,
  input  logic rst_ni,
  // load
  input  logic [1:0]                load_we_i,          // X, M
  input  logic [top_pkg::AddrW-1:0]  load_addr_i,
  input  logic [top_pkg::BeatW-1:0]  load_data_i,
  // chunk and command
  /* verilator lint_off UNUSEDSIGNAL */  // fields of others
  input  chunk_t      chunk_i,
  input  gemm_t       cmd_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [12:0] tiles_i,          // of this core
  input  lengths_t    lengths_i,        // of windows
  output logic        done_o,           // all accepted descriptors have been served
  // to the pair
  output logic                       vec_valid_o,
  input  logic                       vec_ready_i,
  output logic [top_pkg::BeatW-1:0]  vec_data_o,
  output logic                       vec_last_o,
  output logic [15:0]                vec_mask_o,
  output logic                       range_o        // pulse: a word past a buffer's end was used
);
  localparam int WordW = top_pkg::WordW;

  logic [12:0] v_tile_q;
  logic [15:0] v_job_q;
  logic [WordW-1:0] v_addr_q, v_addr_next, v_base_q, m_addr_q, m_addr_next;
  logic        v_req, v_ready, v_mem_req, v_last, v_first_q, v_range, last_job;
  logic [top_pkg::AddrW-1:0] v_mem_addr, m_mem_addr;
  logic [top_pkg::BeatW-1:0] x_data, m_data, mask_word;
  logic        fetched, vec_take, v_active, v_pass, v_valid, v_side, vw_valid, vw_last;
  logic        vw_mem_req, vw_range;
  logic [top_pkg::AddrW-1:0] vw_mem_addr;
  logic [top_pkg::BeatW-1:0] v_data, vw_data;
  logic        m_req, m_ready, m_mem_req, mask_valid, mask_next, m_range, unused_side;
  logic [2:0]  lane_q;
  logic [top_pkg::MasksW-1:0] m_left_q;  // masks not asked for yet
  logic [2:0]  v_member;
  logic [15:0] v_beat, v_len;
  logic [2:0]  unused_next_member;
  logic [15:0] unused_next_beat;
  assign done_o = v_tile_q == chunk_i.accepted;
  assign v_active = chunk_i.active && !done_o;
  assign v_req = v_active && !cmd_i.x_windows;
  assign last_job = v_job_q + 16'd1 == cmd_i.jobs;
  ioss_chunk_walker #(
    .ScaleLog2(0)
  ) u_vector_walker (
    .clk_i,
    .rst_ni,
    .first_i (v_first_q),
    .step_i  (v_req && v_ready),
    .k_len_i (chunk_i.k),
    .chunk_i (chunk_i.member),
    .slices_i(cmd_i.n_x),
    .member_o(v_member),
    .beat_o  (v_beat),
    .len_o   (v_len),
    .last_o  (v_last),
    .next_member_o(unused_next_member),
    .next_beat_o  (unused_next_beat)
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
      if (chunk_i.start) begin
        v_addr_q <= {1'b0, cmd_i.x_addr};
        v_base_q <= {1'b0, cmd_i.x_addr};
      end
      if (chunk_i.chunk) begin
        v_tile_q  <= '0;
        v_job_q   <= '0;
        v_first_q <= 1'b1;
        v_base_q  <= v_addr_q;
        m_addr_q  <= {1'b0, cmd_i.m_addr};
        m_left_q  <= cmd_i.mask ? top_pkg::MasksW'(tiles_i) * top_pkg::MasksW'(cmd_i.jobs) : '0;
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
      if (cmd_i.mask && vec_valid_o && vec_ready_i && vec_last_o) lane_q <= lane_q + 3'd1;
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
    .start_i         (chunk_i.start),
    .chunk_i         (chunk_i.chunk),
    .active_i        (v_active && cmd_i.x_windows),
    .last_pass_i     (v_tile_q + 13'd1 == tiles_i),
    .pass_o          (v_pass),
    .first_i         (cmd_i.x_addr),
    .jobs_i          (cmd_i.jobs),
    .range_i         (13'(chunk_i.k) << ((cmd_i.n_x <= 3'd1) ? 2'd0 : (cmd_i.n_x == 3'd2) ? 2'd1 : 2'd2)),
    .member_i        (13'(chunk_i.member) << ((cmd_i.n_x <= 3'd1) ? 2'd0 : (cmd_i.n_x == 3'd2) ? 2'd1 : 2'd2)),
    .window_i        (cmd_i.window),
    .lengths_i,
    .mem_req_o       (vw_mem_req),
    .mem_addr_o      (vw_mem_addr),
    .mem_data_i      (x_data),
    .range_o         (vw_range),
    .out_valid_o     (vw_valid),
    .out_ready_i     (vec_take),
    .out_data_o      (vw_data),
    .out_last_o      (vw_last)
  );
  assign vec_take = vec_ready_i && (!cmd_i.mask || mask_valid);
  assign fetched = cmd_i.x_windows ? vw_valid : v_valid;
  assign vec_data_o = cmd_i.x_windows ? vw_data : v_data;
  assign vec_last_o = cmd_i.x_windows ? vw_last : v_side;
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
  assign m_req = chunk_i.active && m_left_q != '0;
  assign vec_valid_o = fetched && (!cmd_i.mask || mask_valid);
  // A word of masks serves eight jobs; at a chunk's end what is left of one is dropped.
  assign mask_next = vec_valid_o && vec_ready_i && vec_last_o && lane_q == 3'd7;
  top_fetch #(
    .Words(MWords),
    .SideW(1)
  ) u_mask_fetch (
    .clk_i,
    .rst_ni,
    .clear_i    (chunk_i.chunk),
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
    .we_i   ({8{load_we_i[1]}}),
    .waddr_i(load_addr_i),
    .wdata_i(load_data_i),
    .rdata_o(m_data)
  );
  assign vec_mask_o = cmd_i.mask ? mask_word[16*lane_q +: 16] : '0;
  assign range_o = (v_valid && vec_take && v_range) || vw_range ||
      (vec_valid_o && vec_ready_i && cmd_i.mask && m_range);

  logic unused;
  assign unused = ^{v_member, v_beat, v_len, unused_side, unused_next_member, unused_next_beat};
endmodule
