// Sums of statistics against arithmetic that has room (docs/ran/README.md, Statistics): proved with `make prove BLOCK=ran`.
module stat_join_proof (
  input logic clk_i
);
  localparam int CountW = trainslice_pkg::StatCountW;
  localparam int SumW = trainslice_pkg::StatSumW;
  localparam logic [63:0] MostCount = (64'd1 << CountW) - 64'd1;
  localparam logic [63:0] MostSum = (64'd1 << SumW) - 64'd1;

  (* anyseq *) logic [CountW-1:0] values_a, values_b, overflow_a, overflow_b, zeros_a, zeros_b;
  (* anyseq *) logic [5:0]        max_a, max_b;
  (* anyseq *) logic [SumW-1:0]   sum_a, sum_b;
  logic [CountW-1:0] values, overflow, zeros;
  logic [5:0]        max_bit;
  logic [SumW-1:0]   sum_abs;
  stat_join u_join (
    .a_i({values_a, overflow_a, zeros_a, max_a, sum_a}), .b_i({values_b, overflow_b, zeros_b, max_b, sum_b}),
    .both_o({values, overflow, zeros, max_bit, sum_abs})
  );

  logic [63:0] all_values, all_overflow, all_zeros, all_sum;
  assign all_values = 64'(values_a) + 64'(values_b);
  assign all_overflow = 64'(overflow_a) + 64'(overflow_b);
  assign all_zeros = 64'(zeros_a) + 64'(zeros_b);
  assign all_sum = 64'(sum_a) + 64'(sum_b);
  always @(posedge clk_i) begin
    values_add: assert (64'(values) == ((all_values > MostCount) ? MostCount : all_values));
    overflow_adds: assert (64'(overflow) == ((all_overflow > MostCount) ? MostCount : all_overflow));
    zeros_add: assert (64'(zeros) == ((all_zeros > MostCount) ? MostCount : all_zeros));
    sum_abs_adds: assert (64'(sum_abs) == ((all_sum > MostSum) ? MostSum : all_sum));
    larger_max_bit: assert (max_bit >= max_a && max_bit >= max_b && (max_bit == max_a || max_bit == max_b));
  end

  // Not vacuous: sums that fit, with their top bits set, and sums that do not.
  always @(posedge clk_i) begin
    sums_fit: cover (values[CountW-1] && all_values < MostCount && sum_abs[SumW-1] && all_sum < MostSum);
    count_limited: cover (all_values > MostCount && all_zeros > MostCount && all_overflow > MostCount);
    sum_limited: cover (all_sum > MostSum);
  end
endmodule
