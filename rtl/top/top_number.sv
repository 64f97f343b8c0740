`include "ts_assert.svh"

// The number of a job among those of its chunk on its core, from its tag, which counts modulo 2^TagW. Jobs come out of order, but never
// half the tags apart, as the pair has far fewer under way: a tag's number is the one nearest to the largest number so far. Numbers from 2^NumW
// on lie past the end of every buffer and need not be told apart.
module top_number #(
  parameter int NumW = 15
) (
  input  logic                               clk_i,
  input  logic                               rst_ni,
  input  logic                               clear_i,    // a chunk begins
  input  logic [trainslice_pkg::TagW-1:0]    first_i,    // tag of its job 0
  input  logic [trainslice_pkg::TagW-1:0]    tag_i,
  input  logic                               take_i,     // `tag_i` is that of a job
  output logic [NumW-1:0]                    number_o,
  output logic                               beyond_o,   // 2^NumW or more
  // Observation, for the proof: the largest number so far, and that no number below 2^EndW can come any more
  output logic [((NumW > trainslice_pkg::TagW) ? NumW : trainslice_pkg::TagW):0] obs_newest_o,
  output logic                               obs_passed_o
);
  localparam int TagW = trainslice_pkg::TagW;
  localparam int EndW = (NumW > TagW) ? NumW : TagW;     // numbers are exact up to 2^EndW + 2^(TagW-1)
  logic [EndW:0]   newest_q, number;
  logic            passed_q;
  logic [TagW-1:0] ahead;
  assign ahead = tag_i - first_i - newest_q[TagW-1:0];
  assign number = newest_q + {{(EndW + 1 - TagW){ahead[TagW-1]}}, ahead};
  assign number_o = number[NumW-1:0];
  assign obs_newest_o = newest_q;
  assign obs_passed_o = passed_q;
  assign beyond_o = passed_q || number[EndW:NumW] != '0;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      newest_q <= '0;
      passed_q <= 1'b0;
    end else if (clear_i) begin
      newest_q <= '0;
      passed_q <= 1'b0;
    end else if (take_i && !ahead[TagW-1]) begin
      newest_q <= number;
      passed_q <= passed_q || (number[EndW] && number[TagW-1]);
    end
  end

  // Jobs under way are far fewer than half the tags.
  `TS_ASSERT(Near, !take_i || ahead[TagW-1] == ahead[TagW-2])
endmodule
