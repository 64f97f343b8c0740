// Parameters left of a tensor of any length up to 2^24 - 1, with 1, 4 and 8 lanes: those that passed and those left make up the tensor, and it
// takes exactly the beats that it needs. By induction from any state in which that holds.
module optc_left_one #(
  parameter int Lanes = 4
) (
  input logic clk_i,
  input logic load_i,
  input logic [optc_pkg::CountW-1:0] n_i,
  input logic wants_i
);
  logic [optc_pkg::CountW-1:0] left;
  logic        last, take, loaded_q;
  logic [31:0] n_q, passed_q;
  assign take = wants_i && left != '0;
  optc_left #(.Lanes(Lanes)) u_left (.clk_i, .rst_ni(1'b1), .load_i, .n_i, .take_i(take), .left_o(left), .last_o(last));
  initial loaded_q = 1'b0;
  always @(posedge clk_i) begin
    if (load_i) begin
      loaded_q <= 1'b1;
      n_q      <= 32'(n_i);
      passed_q <= '0;
    end else if (take) begin
      passed_q <= passed_q + Lanes;
    end
  end
  always @(posedge clk_i) if (loaded_q) begin
    largest: assert (n_q < 32'h0100_0000);
    together: assert (left == '0 || 32'(left) + passed_q == n_q);
    enough: assert (left != '0 || passed_q >= n_q);
    no_more: assert (left != '0 || passed_q < n_q + Lanes);
    last_beat: assert (!take || last == (n_q - passed_q <= Lanes));
    goes_on: cover (n_q == 32'h00ff_ffff && passed_q == 2 * Lanes && left == 24'hff_ffff - 24'(2 * Lanes));
  end
endmodule

module optc_left_proof (
  input logic clk_i
);
  (* anyseq *) logic load, wants;
  (* anyseq *) logic [optc_pkg::CountW-1:0] n;
  optc_left_one #(.Lanes(1)) u_1 (.clk_i, .load_i(load), .n_i(n), .wants_i(wants));
  optc_left_one #(.Lanes(4)) u_4 (.clk_i, .load_i(load), .n_i(n), .wants_i(wants));
  optc_left_one #(.Lanes(8)) u_8 (.clk_i, .load_i(load), .n_i(n), .wants_i(wants));
endmodule
