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
  output logic [ioss_pkg::SkipCauses*ioss_pkg::CountW-1:0] count_o  // {order, w, x, mask}
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int Slices = trainslice_pkg::MaxSlices;
  localparam int CountW = ioss_pkg::CountW;

  logic [CountW-1:0] both, below, total, dense;
  logic [5:0]        elements, x_found;   // 32 elements at 4 bits, 8 of four slices at 16
  logic [4:0]        pairs;

  // Ones of 32 bits by halves: added one after the other they would be a chain of 31 adders.
  function automatic logic [5:0] ones(input logic [Values-1:0] bits);
    logic [2*16-1:0] twos;
    logic [3*8-1:0]  fours;
    logic [4*4-1:0]  eights;
    logic [5*2-1:0]  halves;
    for (int n = 0; n < 16; n++) twos[2*n +: 2] = 2'(bits[2*n]) + 2'(bits[2*n+1]);
    for (int n = 0; n < 8; n++) fours[3*n +: 3] = 3'(twos[4*n +: 2]) + 3'(twos[4*n+2 +: 2]);
    for (int n = 0; n < 4; n++) eights[4*n +: 4] = 4'(fours[6*n +: 3]) + 4'(fours[6*n+3 +: 3]);
    for (int n = 0; n < 2; n++) halves[5*n +: 5] = 5'(eights[8*n +: 4]) + 5'(eights[8*n+4 +: 4]);
    ones = 6'(halves[4:0]) + 6'(halves[9:5]);
  endfunction

  // The sum of 16 numbers, by halves; of all of them, 128 at most.
  function automatic logic [CountW-1:0] sum(input logic [6*16-1:0] numbers);
    logic [7*8-1:0] of_two;
    logic [8*4-1:0] of_four;
    logic [8*2-1:0] of_eight;
    for (int n = 0; n < 8; n++) of_two[7*n +: 7] = 7'(numbers[12*n +: 6]) + 7'(numbers[12*n+6 +: 6]);
    for (int n = 0; n < 4; n++) of_four[8*n +: 8] = 8'(of_two[14*n +: 7]) + 8'(of_two[14*n+7 +: 7]);
    for (int n = 0; n < 2; n++) of_eight[8*n +: 8] = of_four[16*n +: 8] + of_four[16*n+8 +: 8];
    sum = of_eight[7:0] + of_eight[15:8];
  endfunction

  logic [6*16-1:0] met, met_below, x_met;   // of each pair of slices; of each slice of x
  for (genvar i = 0; i < Slices; i++) begin : gen_x
    logic [Values-1:0] x;
    assign x = x_nz_i[Values * i +: Values] & live_i;
    assign x_met[6*i +: 6] = ones(x);
    for (genvar j = 0; j < Slices; j++) begin : gen_pair
      logic [Values-1:0] both_nz;
      logic [5:0]        found;
      assign both_nz = x & w_nz_i[Values * j +: Values];
      assign found = ones(both_nz);
      assign met[6*(4*i+j) +: 6] = found;
      assign met_below[6*(4*i+j) +: 6] = (3'(i + j) < min_order_i) ? found : 6'd0;
    end
  end
  assign x_met[6*16-1:6*Slices] = '0;
  assign elements = ones(live_i);
  assign x_found  = 6'(sum(x_met));
  assign both     = sum(met);
  assign below    = sum(met_below);
  assign pairs = 5'(x_slices_i) * 5'(w_slices_i);
  assign total = CountW'(elements) * CountW'(pairs);
  assign dense = CountW'(w_slices_i) * CountW'(x_found);

  assign count_o = masked_i ? {{(3 * CountW) {1'b0}}, total} : {below, dense - both, total - dense, {CountW{1'b0}}};
endmodule
