// Biases and tiles of a pair (docs/top/reference.md, GEMM): after every accepted descriptor its biases, in the first chunk, then its tile, from
// buffer W, as it lies there or as windows of images.
module top_core_tiles
  import top_pkg::gemm_t, top_pkg::chunk_t, top_pkg::lengths_t;
#(
  parameter int WWords = 8192
) (
  input  logic clk_i,
  input  logic rst_ni,
  // load
  input  logic                      load_we_i,          // W
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
  output logic                       bias_valid_o,
  input  logic                       bias_ready_i,
  output logic [top_pkg::BeatW-1:0]  bias_data_o,
  output logic                       bias_last_o,
  output logic                       tile_valid_o,
  input  logic                       tile_ready_i,
  output logic [top_pkg::BeatW-1:0]  tile_data_o,
  output logic                       tile_last_o,
  output logic                       range_o        // pulse: a word past the buffer's end was used
);
  localparam int WordW = top_pkg::WordW;

  logic        t_bias_q;                 // biases of the present tile are still to come
  logic [12:0] t_tile_q;
  logic [WordW-1:0] t_addr_q, t_addr_next, b_addr_q;   // biases: at most 65,535 + 4 * 4,096
  logic        b_req, b_ready, b_mem_req, t_req, t_ready, t_mem_req, w_gnt_t, t_last, t_range, b_range;
  logic [1:0]  b_count_q;
  logic [top_pkg::AddrW-1:0] b_mem_addr, t_mem_addr;
  logic [top_pkg::BeatW-1:0] w_data;
  logic        t_valid, t_side, tw_valid, tw_last, tw_mem_req, tw_range;
  logic [top_pkg::AddrW-1:0] tw_mem_addr;
  logic [top_pkg::BeatW-1:0] t_data, tw_data;
  logic [2:0]  t_member;
  logic [15:0] t_beat, t_len;
  logic        t_first_q, t_active, t_pass;
  assign done_o = t_tile_q == chunk_i.accepted;
  assign b_req = chunk_i.active && !done_o && t_bias_q;
  assign t_active = chunk_i.active && !done_o && !t_bias_q;
  assign t_req = t_active && !cmd_i.w_windows;
  logic [2:0]  unused_next_member;
  logic [15:0] unused_next_beat;
  ioss_chunk_walker #(
    .ScaleLog2(4)
  ) u_tile_walker (
    .clk_i,
    .rst_ni,
    .first_i (t_first_q),
    .step_i  (t_req && t_ready),
    .k_len_i (chunk_i.k),
    .chunk_i (chunk_i.member),
    .slices_i(cmd_i.n_w),
    .member_o(t_member),
    .beat_o  (t_beat),
    .len_o   (t_len),
    .last_o  (t_last),
    .next_member_o(unused_next_member),
    .next_beat_o  (unused_next_beat)
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
      if (chunk_i.start) begin
        t_addr_q <= {1'b0, cmd_i.w_addr};
        b_addr_q <= {1'b0, cmd_i.b_addr};
      end
      if (chunk_i.chunk) begin
        t_tile_q  <= '0;
        t_bias_q  <= cmd_i.bias && chunk_i.first;
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
        t_bias_q <= cmd_i.bias && chunk_i.first;
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
    .out_valid_o(bias_valid_o),
    .out_ready_i(bias_ready_i),
    .out_data_o (bias_data_o),
    .out_side_o (bias_last_o),
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
    .out_ready_i(tile_ready_i),
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
    .start_i         (chunk_i.start),
    .chunk_i         (chunk_i.chunk),
    .active_i        (t_active && cmd_i.w_windows),
    .last_pass_i     (t_tile_q + 13'd1 == tiles_i),
    .pass_o          (t_pass),
    .first_i         (cmd_i.w_addr),
    .jobs_i          (chunk_i.k),
    .range_i         ((cmd_i.n_w <= 3'd1) ? 13'd16 : (cmd_i.n_w == 3'd2) ? 13'd32 : 13'd64),
    .member_i        (13'(chunk_i.member)),
    .window_i        (cmd_i.window),
    .lengths_i,
    .mem_req_o       (tw_mem_req),
    .mem_addr_o      (tw_mem_addr),
    .mem_data_i      (w_data),
    .range_o         (tw_range),
    .out_valid_o     (tw_valid),
    .out_ready_i     (tile_ready_i),
    .out_data_o      (tw_data),
    .out_last_o      (tw_last)
  );
  assign tile_valid_o = cmd_i.w_windows ? tw_valid : t_valid;
  assign tile_data_o = cmd_i.w_windows ? tw_data : t_data;
  assign tile_last_o = cmd_i.w_windows ? tw_last : t_side;
  top_mem #(
    .Words(WWords)
  ) u_w (
    .clk_i,
    .re_i   (b_mem_req || t_mem_req || tw_mem_req),
    .raddr_i(b_mem_req ? b_mem_addr : tw_mem_req ? tw_mem_addr : t_mem_addr),
    .we_i   ({8{load_we_i}}),
    .waddr_i(load_addr_i),
    .wdata_i(load_data_i),
    .rdata_o(w_data)
  );
  assign range_o = (t_valid && tile_ready_i && t_range) || (bias_valid_o && bias_ready_i && b_range) || tw_range;

  logic unused;
  assign unused = ^{t_member, t_beat, t_len, unused_next_member, unused_next_beat};
endmodule
