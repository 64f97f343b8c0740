// Statistics of two tensors, or of parts of one, as those of both: {values, overflow, zeros, max_bit, sum_abs}
// (docs/ran/README.md, Statistics). A sum stays at its largest value rather than wrap: no number of results is too large.
module stat_join (
  input  logic [trainslice_pkg::StatW-1:0] a_i,
  input  logic [trainslice_pkg::StatW-1:0] b_i,
  output logic [trainslice_pkg::StatW-1:0] both_o
);
  localparam int CountW = trainslice_pkg::StatCountW;
  localparam int SumW = trainslice_pkg::StatSumW;
  localparam int BitW = trainslice_pkg::StatBitW;

  logic [CountW:0]   values, overflow, zeros;
  logic [SumW:0]     sum_abs;
  logic [BitW-1:0]   max_a, max_b;
  assign values = {1'b0, a_i[SumW+BitW+2*CountW +: CountW]} + {1'b0, b_i[SumW+BitW+2*CountW +: CountW]};
  assign overflow = {1'b0, a_i[SumW+BitW+CountW +: CountW]} + {1'b0, b_i[SumW+BitW+CountW +: CountW]};
  assign zeros = {1'b0, a_i[SumW+BitW +: CountW]} + {1'b0, b_i[SumW+BitW +: CountW]};
  assign max_a = a_i[SumW +: BitW];
  assign max_b = b_i[SumW +: BitW];
  assign sum_abs = {1'b0, a_i[0 +: SumW]} + {1'b0, b_i[0 +: SumW]};
  assign both_o = {values[CountW-1:0] | {CountW{values[CountW]}}, overflow[CountW-1:0] | {CountW{overflow[CountW]}},
                   zeros[CountW-1:0] | {CountW{zeros[CountW]}}, (max_a > max_b) ? max_a : max_b,
                   sum_abs[SumW-1:0] | {SumW{sum_abs[SumW]}}};
endmodule
