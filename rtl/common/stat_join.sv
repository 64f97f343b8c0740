// Statistics of two tensors, or of parts of one, as those of both (docs/ran/README.md, Statistics). A sum stays at its largest value rather than
// wrap: no number of results is too large.
module stat_join
  import trainslice_pkg::stat_t;
(
  input  stat_t a_i,
  input  stat_t b_i,
  output stat_t both_o
);
  localparam int CountW = trainslice_pkg::StatCountW;
  localparam int SumW = trainslice_pkg::StatSumW;

  logic [CountW:0]   values, overflow, zeros;
  logic [SumW:0]     sum_abs;
  assign values = {1'b0, a_i.values} + {1'b0, b_i.values};
  assign overflow = {1'b0, a_i.overflow} + {1'b0, b_i.overflow};
  assign zeros = {1'b0, a_i.zeros} + {1'b0, b_i.zeros};
  assign sum_abs = {1'b0, a_i.sum_abs} + {1'b0, b_i.sum_abs};
  assign both_o = {values[CountW-1:0] | {CountW{values[CountW]}}, overflow[CountW-1:0] | {CountW{overflow[CountW]}},
                   zeros[CountW-1:0] | {CountW{zeros[CountW]}}, (a_i.max_bit > b_i.max_bit) ? a_i.max_bit : b_i.max_bit,
                   sum_abs[SumW-1:0] | {SumW{sum_abs[SumW]}}};
endmodule
