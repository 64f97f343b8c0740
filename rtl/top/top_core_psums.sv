// Partial sums of a pair (docs/top/reference.md, GEMM): eight words of Y for every job that asks.
module top_core_psums #(
  parameter int YWords = 16384
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                               chunk_i,       // pulse: a chunk begins,
  input  logic [trainslice_pkg::TagW-1:0]    first_tag_i,   // with this job
  input  logic [top_pkg::WordW-1:0]          first_i,       // first word of this core
  // requests of the pair
  input  logic                               req_valid_i,
  output logic                               req_ready_o,
  input  logic [trainslice_pkg::TagW-1:0]    req_tag_i,
  output logic                               psum_valid_o,
  input  logic                               psum_ready_i,
  output logic [top_pkg::BeatW-1:0]          psum_data_o,
  output logic                               psum_last_o,
  // Y's read port
  output logic                               mem_req_o,
  output logic [top_pkg::AddrW-1:0]          mem_addr_o,
  input  logic                               mem_gnt_i,
  input  logic [top_pkg::BeatW-1:0]          mem_data_i,
  output logic                               range_o        // pulse: a word past the buffer's end was used
);
  // Jobs with greater numbers lie past the buffer's end.
  localparam int SumW = $clog2(YWords) - 3;
  localparam int WordW = top_pkg::WordW;

  logic        take, p_range, p_active_q, p_ready, p_beyond;
  logic [SumW-1:0]  p_number;
  logic [WordW-1:0] p_first, p_addr_q, p_addr_next;
  logic [2:0]       p_count_q;
  top_number #(
    .NumW(SumW)
  ) u_p_number (
    .clk_i,
    .rst_ni,
    .clear_i (chunk_i),
    .first_i (first_tag_i),
    .tag_i   (req_tag_i),
    .take_i  (take),
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
    .word_i(first_i),
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
      p_active_q <= take;
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
    .mem_req_o,
    .mem_addr_o,
    .mem_gnt_i,
    .mem_data_i,
    .out_valid_o(psum_valid_o),
    .out_ready_i(psum_ready_i),
    .out_data_o (psum_data_o),
    .out_side_o (psum_last_o),
    .out_range_o(p_range)
  );
  assign req_ready_o = !p_active_q;
  assign take = req_valid_i && req_ready_o;
  assign range_o = psum_valid_o && psum_ready_i && p_range;
endmodule
