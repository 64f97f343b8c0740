// Results of a pair (docs/top/reference.md, GEMM): a beat a cycle, two cycles for one that holds two jobs, to their places in Y and their masks
// to A; or to the pass that they feed (docs/top/feeding.md).
module top_core_results
  import top_pkg::write_t, top_pkg::fed_t;
#(
  parameter int YWords = 16384,
  parameter int AWords = 1024,
  parameter int SWords = 4096
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                               chunk_i,       // pulse: a chunk begins,
  input  logic                               last_chunk_i,  // the command's last,
  input  logic [trainslice_pkg::TagW-1:0]    first_tag_i,   // with this job
  // the command
  input  logic [top_pkg::WordW-1:0]          y_first_i,     // first words of this core
  input  logic [top_pkg::WordW-1:0]          a_first_i,
  input  logic [top_pkg::WordW-1:0]          psum_first_i,
  input  logic                               keep_i,        // write masks to A
  input  logic                               narrow_i,      // results leave with eight lanes
  input  logic                               feed_i,        // results go to the optimiser
  // of the pair
  input  logic                               out_valid_i,
  output logic                               out_ready_o,
  input  logic [top_pkg::BeatW-1:0]          out_data_i,
  input  logic                               out_last_i,
  input  logic [2:0]                         out_bits_i,
  input  logic [2:0]                         out_jobs_i,
  input  logic [2*trainslice_pkg::TagW-1:0]  out_tag_i,
  input  logic [2*top_pkg::Lanes-1:0]        out_mask_i,
  // Y's and A's write port
  output logic                               r_req_o,
  input  logic                               r_gnt_i,
  output write_t                             r_y_o,
  output write_t                             r_mask_o,
  // results that feed a pass
  output logic                               f_valid_o,
  input  logic                               f_ready_i,
  output fed_t                               f_o,
  output logic                               range_o        // pulse: a word past a buffer's end was used
);
  localparam int Lanes = top_pkg::Lanes;
  localparam int TagW = trainslice_pkg::TagW;
  localparam int WordW = top_pkg::WordW;
  // Results in quarter words of Y, in words of masks in A, of the state: jobs with greater numbers lie past the buffer's end.
  localparam int PartW = $clog2(YWords) + 2;
  localparam int MaskW = $clog2(AWords) + 3;
  localparam int StateW = $clog2(SWords) - 2;
  localparam int OwnW = (PartW > MaskW) ? PartW : MaskW;
  localparam int NumW = (OwnW > StateW) ? OwnW : StateW;

  logic        second_q, r_outside, a_outside, r_beyond;
  logic [2:0]  r_beat_q;
  logic [NumW-1:0]  r_number;
  logic [NumW+4:0]  r_wide;              // quarter words up to the job's result
  logic             r_narrow, r_drop;    // eight lanes leave; this beat holds none of them
  logic [WordW-1:0] r_first, a_word;
  logic [PartW:0]   r_part;
  logic [63:0]      r_half;
  logic [top_pkg::BeatW-1:0] r_data;
  logic [7:0]       r_lanes;             // parts of the word, 16 bits each
  top_number #(
    .NumW(NumW)
  ) u_r_number (
    .clk_i,
    .rst_ni,
    .clear_i (chunk_i),
    .first_i (first_tag_i),
    .tag_i   (second_q ? out_tag_i[TagW +: TagW] : out_tag_i[0 +: TagW]),
    .take_i  (out_valid_i),
    .number_o(r_number),
    .beyond_o(r_beyond),
    /* verilator lint_off PINCONNECTEMPTY */
    .obs_newest_o(),
    .obs_passed_o()
    /* verilator lint_on PINCONNECTEMPTY */
  );
  logic             r_feeds, r_gnt;
  assign r_feeds = feed_i && last_chunk_i;
  // Without a result its fields say nothing.
  assign r_gnt = (out_valid_i && r_feeds) ? f_ready_i : r_gnt_i;
  assign f_valid_o = out_valid_i && r_feeds;
  assign f_o.number = (r_beyond || 32'(r_number) >= 32'(top_pkg::MaxFed)) ? top_pkg::JobW'(top_pkg::MaxFed) :
      top_pkg::JobW'(r_number);
  assign f_o.beat = r_beat_q[1:0];
  assign f_o.data = out_data_i;
  assign r_narrow = narrow_i && last_chunk_i;
  assign r_wide = ((NumW + 5)'(r_number) << ((out_bits_i == 3'd0) ? 3'd1 : (out_bits_i == 3'd1) ? 3'd2 :
      (out_bits_i <= 3'd3) ? 3'd3 : (out_bits_i == 3'd4) ? 3'd4 : 3'd5)) >> r_narrow;
  assign r_drop = r_narrow && ((out_bits_i == 3'd2 || out_bits_i == 3'd3) ? r_beat_q[0] :
      (out_bits_i == 3'd4) ? r_beat_q[1] : (out_bits_i == 3'd5) ? r_beat_q[2] : 1'b0);
  assign r_first = last_chunk_i ? y_first_i : psum_first_i;
  assign r_part = {1'b0, r_first[PartW-3:0], 2'b00} + {1'b0, r_wide[PartW-1:0]} + (PartW + 1)'({r_beat_q, 2'b00});
  assign r_outside = !r_drop && !r_feeds && (r_beyond || r_wide[NumW+4:PartW] != '0 ||
      r_first >= WordW'(YWords) || r_part[PartW]);
  assign r_req_o = out_valid_i && !r_feeds;
  assign r_y_o.addr = top_pkg::AddrW'(r_part[PartW-1:2]);
  assign r_half = (out_bits_i == 3'd0 && second_q) ? out_data_i[127:64] : out_data_i[63:0];
  assign r_y_o.data = r_data;
  always_comb begin
    r_data = out_data_i;
    r_lanes = 8'hff;
    if (out_bits_i == 3'd0 || (out_bits_i == 3'd1 && r_narrow)) begin
      r_data = {2{r_half}};
      r_lanes = r_part[1] ? 8'hf0 : 8'h0f;
      if (out_bits_i == 3'd0 && r_narrow) begin
        r_data = {4{r_half[31:0]}};
        r_lanes = 8'h03 << {r_part[1:0], 1'b0};
      end
    end
  end
  assign r_y_o.we = (out_valid_i && r_gnt && !r_outside && !r_drop && !r_feeds) ? r_lanes : '0;
  assign out_ready_o = r_gnt && (!out_valid_i || out_jobs_i != 3'd2 || second_q);
  top_word #(
    .ByW(NumW - 3)
  ) u_a_word (
    .word_i(a_first_i),
    .by_i  (r_number[NumW-1:3]),
    .word_o(a_word)
  );
  assign a_outside = r_beyond || a_word >= WordW'(AWords);
  assign r_mask_o.addr = a_word[top_pkg::AddrW-1:0];
  assign r_mask_o.data = {8{second_q ? out_mask_i[Lanes +: Lanes] : out_mask_i[0 +: Lanes]}};
  assign r_mask_o.we = (out_valid_i && r_gnt && keep_i && last_chunk_i && out_last_i && !a_outside) ?
      8'd1 << r_number[2:0] : '0;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      second_q <= 1'b0;
      r_beat_q <= '0;
    end else if (out_valid_i && r_gnt) begin
      second_q <= out_jobs_i == 3'd2 && !second_q;
      if (out_ready_o) r_beat_q <= out_last_i ? '0 : r_beat_q + 3'd1;
    end
  end
  assign range_o = out_valid_i && r_gnt && (r_outside || (keep_i && last_chunk_i && out_last_i && a_outside));
endmodule
