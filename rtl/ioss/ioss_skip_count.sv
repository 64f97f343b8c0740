// Counts the skipped slice pairs of a vector beat by cause: mask, x, w, order (docs/ioss/README.md, Which slice pairs are issued).
// Combinational; the caller registers beat and result.
module ioss_skip_count (
  input  logic [trainslice_pkg::BeatW-1:0]      x_nz_i,  // plane i: broadcast slice i is not zero
  input  logic [trainslice_pkg::BeatW-1:0]      w_nz_i,  // plane j: stationary slice j is not zero in a live lane
  input  logic [trainslice_pkg::BeatValues-1:0] live_i,  // positions that belong to the vector
  input  logic [2:0] x_slices_i,
  input  logic [2:0] w_slices_i,
  input  logic [2:0] min_order_i,
  input  logic       masked_i,                           // every lane is masked
  output logic [ioss_pkg::SkipCauses*10-1:0] count_o     // {order, w, x, mask}, 10 bits each
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int Slices = trainslice_pkg::MaxSlices;
  localparam int CountW = 10;   // at most 32 * 4 (4 bits) or 8 * 16 (16 bits) pairs a beat, 128

  logic [CountW-1:0] elements, x_found, both, below, total;

  always_comb begin
    elements = CountW'($countones(live_i));
    x_found  = '0;
    both     = '0;
    below    = '0;
    for (int i = 0; i < Slices; i++) begin
      x_found = x_found + CountW'($countones(x_nz_i[Values * i +: Values] & live_i));
      for (int j = 0; j < Slices; j++) begin
        both = both + CountW'($countones(x_nz_i[Values * i +: Values] & w_nz_i[Values * j +: Values] & live_i));
        if (i + j < 32'(min_order_i)) begin
          below = below + CountW'($countones(x_nz_i[Values * i +: Values] & w_nz_i[Values * j +: Values] & live_i));
        end
      end
    end
    total = elements * CountW'(x_slices_i) * CountW'(w_slices_i);
  end

  assign count_o = masked_i ? {{(3 * CountW) {1'b0}}, total} :
      {below, CountW'(w_slices_i) * x_found - both, total - CountW'(w_slices_i) * x_found, {CountW{1'b0}}};
endmodule
