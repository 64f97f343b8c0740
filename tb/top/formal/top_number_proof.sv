// Numbers of jobs from their tags, beside a count that does not wrap: for a buffer smaller than all tags, and for the largest.
module top_number_proof (
  input logic clk_i
);
  (* anyseq *) logic        clear, take;
  (* anyseq *) logic [26:0] job;         // the number of the job whose tag is given
  (* anyseq *) logic [15:0] start;
  logic        rst_n;
  logic [15:0] first;
  logic [26:0] newest;                   // the largest number that was taken
  logic [14:0] small_number;
  logic [18:0] large_number;
  logic        small_beyond, large_beyond, small_passed, large_passed;
  logic [16:0] small_newest;
  logic [19:0] large_newest;
  initial rst_n = 1'b0;
  always @(posedge clk_i) rst_n <= 1'b1;
  top_number #(.NumW(15)) u_small (
    .clk_i, .rst_ni(rst_n), .clear_i(clear), .first_i(first), .tag_i(first + job[15:0]), .take_i(take),
    .number_o(small_number), .beyond_o(small_beyond), .obs_newest_o(small_newest), .obs_passed_o(small_passed)
  );
  top_number #(.NumW(19)) u_large (
    .clk_i, .rst_ni(rst_n), .clear_i(clear), .first_i(first), .tag_i(first + job[15:0]), .take_i(take),
    .number_o(large_number), .beyond_o(large_beyond), .obs_newest_o(large_newest), .obs_passed_o(large_passed)
  );
  always @(posedge clk_i) begin
    if (!rst_n || clear) begin
      newest <= '0;
      first  <= start;
    end else if (take && job > newest) begin
      newest <= job;
    end
  end
  // Jobs under way are near; a product has fewer than 2^26.
  always @(posedge clk_i) begin
    assume (!take || (job < newest + 27'd16384 && newest < job + 27'd16384));
    assume (job < 27'h400_0000);
  end
  always @(posedge clk_i) if (rst_n) begin
    exact_small: assert (!take || (small_beyond == (job >= 27'd32768) && (small_beyond || small_number == job[14:0])));
    exact_large: assert (!take || (large_beyond == (job >= 27'd524288) && (large_beyond || large_number == job[18:0])));
    // What induction needs.
    bounded: assert (newest < 27'h400_0000);
    small_state: assert (small_passed ? newest >= 27'h1_8000 :
                         (newest < 27'h1_8000 && small_newest == newest[16:0]));
    large_state: assert (large_passed ? newest >= 27'h8_8000 :
                         (newest < 27'h8_8000 && large_newest == newest[19:0]));
    out_of_order: cover (take && job < newest && newest > 27'd40000);
    passed: cover (small_passed);
    behind: cover (take && small_beyond && job < newest && !small_passed);
  end
endmodule
