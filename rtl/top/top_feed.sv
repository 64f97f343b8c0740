`include "ts_assert.svh"

// Places of the parameters of a pass that a product feeds (docs/top/feeding.md). Jobs end in any order: from a result's number follow its words in
// the state and among the copies. The OPTC gives results in the order in which it took parameters, so places wait here meanwhile.
module top_feed
  import top_pkg::place_t;
#(
  parameter int Depth = 64             // a power of two above the OPTC's latency
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic [15:0]                  s_addr_i,     // first words of state and copies
  input  logic [15:0]                  c_addr_i,
  input  logic [1:0]                   format_i,     // of copies
  // the beat that is offered: beat `beat_i` of result `number_i`
  input  logic [top_pkg::JobW-1:0]     number_i,
  input  logic [1:0]                   beat_i,
  output place_t                       place_o,
  // places in the OPTC
  input  logic                         push_i,
  input  place_t                       place_i,
  input  logic                         pop_i,
  output place_t                       oldest_o
);
  localparam int WordW = top_pkg::WordW;
  localparam int IndexW = $clog2(Depth);
  logic [WordW-1:0] s_word, c_word;
  logic [top_pkg::JobW+1:0] beats;
  assign beats = {number_i, beat_i};
  top_word #(
    .ByW(top_pkg::JobW + 2)
  ) u_s_word (
    .word_i({1'b0, s_addr_i}),
    .by_i  (beats),
    .word_o(s_word)
  );
  // Four copies are an eighth of a word, a quarter or half of one.
  logic [top_pkg::JobW:0]   words;
  logic [2:0]               part;
  assign words = (format_i == 2'd0) ? {2'd0, beats[top_pkg::JobW+1:3]} :
      (format_i == 2'd1) ? {1'b0, beats[top_pkg::JobW+1:2]} : beats[top_pkg::JobW+1:1];
  assign part = (format_i == 2'd0) ? beats[2:0] : (format_i == 2'd1) ? {1'b0, beats[1:0]} : {2'd0, beats[0]};
  top_word #(
    .ByW(top_pkg::JobW + 1)
  ) u_c_word (
    .word_i({1'b0, c_addr_i}),
    .by_i  (words),
    .word_o(c_word)
  );
  assign place_o = {part, c_word, s_word};

  place_t            place_q [Depth];
  logic [IndexW-1:0] write_q, read_q;
  assign oldest_o = place_q[read_q];
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q  <= '0;
    end else begin
      if (push_i) write_q <= write_q + IndexW'(1);
      if (pop_i) read_q <= read_q + IndexW'(1);
    end
  end
  always_ff @(posedge clk_i) if (push_i) place_q[write_q] <= place_i;

  logic [IndexW-1:0] held;             // a full ring would look empty
  assign held = write_q - read_q;
  `TS_ASSERT(Room, !push_i || pop_i || held != IndexW'(Depth - 1))
endmodule
