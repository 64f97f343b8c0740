// Sums of addresses: what lies inside the largest buffer is exact, everything past it is Beyond, for every offset of up to 22 bits.
module top_word_proof (
  input logic clk_i
);
  (* anyseq *) logic [top_pkg::WordW-1:0] word;
  (* anyseq *) logic [21:0] by;
  logic [top_pkg::WordW-1:0] next, far;
  logic [31:0] sum;
  top_word u_next (.word_i(word), .by_i(by[0]), .word_o(next));
  top_word #(.ByW(22)) u_far (.word_i(word), .by_i(by), .word_o(far));
  assign sum = {15'd0, word} + {10'd0, by};
  always @(posedge clk_i) assume (word <= top_pkg::Beyond);
  always @(posedge clk_i) begin
    exact: assert (sum >= 32'd65536 || far == sum[16:0]);
    beyond: assert (sum < 32'd65536 || far == 17'h1_0000);
    counts: assert (next == ((word == 17'h1_0000) ? word : word + {16'd0, by[0]}));
    last: cover (far == 17'h0_ffff && by > 22'd1);
    first_beyond: cover (sum == 32'd65536 && word != 17'h1_0000);
    wraps_otherwise: cover (sum[16:0] == 17'd5 && sum[17] && far == 17'h1_0000);
  end
endmodule
