// Beats of a pass: all its parameters fit, and one beat fewer would not hold them, for every n up to 2^24 - 1.
module top_beats_proof (
  input logic clk_i
);
  (* anyseq *) logic [optc_pkg::CountW-1:0] n;
  logic [top_pkg::BeatsW-1:0] beats;
  logic [31:0] count, room;
  top_beats u_beats (.n_i(n), .beats_o(beats));
  assign count = {{(32 - optc_pkg::CountW){1'b0}}, n};
  assign room = {{(30 - top_pkg::BeatsW){1'b0}}, beats, 2'b00};
  always @(posedge clk_i) begin
    enough: assert (room >= count);
    no_more: assert (room < count + 32'd4);
    largest: cover (n == '1 && beats == 23'h40_0000);
    none: cover (n == '0 && beats == '0);
  end
endmodule
