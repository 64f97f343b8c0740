// The address of a word that lies `by_i` words after another. No buffer has more than Beyond words, so every address from there on is
// Beyond: sums of addresses stay there instead of wrapping (docs/top/README.md, Buffers).
module top_word #(
  parameter int ByW = 1
) (
  input  logic [top_pkg::WordW-1:0] word_i,   // 0 .. Beyond
  input  logic [ByW-1:0]            by_i,
  output logic [top_pkg::WordW-1:0] word_o
);
  localparam int SumW = ((ByW > top_pkg::WordW) ? ByW : top_pkg::WordW) + 1;
  logic [SumW-1:0] sum;
  assign sum = SumW'(word_i) + SumW'(by_i);
  assign word_o = (sum >= SumW'(top_pkg::Beyond)) ? top_pkg::WordW'(top_pkg::Beyond) : sum[top_pkg::WordW-1:0];
endmodule
