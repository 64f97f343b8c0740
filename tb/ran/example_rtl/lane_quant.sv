// One lane of another quant register: its random numbers and its rounding (docs/ran/README.md: Rounding, Random numbers).
//
// Quotient and remainder, and whether to go up; a draw's bits as sums of bits, worked out at elaboration.
module lane_quant #(
  parameter int Lane = 0,
  parameter int AccW = 40
) (
  input  logic [31:0]     word_i,
  input  logic [AccW-1:0] sum_i,
  input  logic [5:0]      shift_i,
  input  logic [1:0]      round_i,
  input  logic [1:0]      rand_bits_i,
  input  logic            relu_i,
  output logic [AccW-1:0] z_o
);
  // Bit b of the draw adds bits b + places of the mixed word: a mask, worked out at elaboration.
  function automatic logic [31:0] mask_of(input int b);
    mask_of = '0;
    for (int t = 0; t < trainslice_pkg::LaneTaps; t++) begin
      mask_of = mask_of ^ (32'd1 << ((b + 32'(trainslice_pkg::LanePlaces[5*(5*Lane+t) +: 5])) % 32));
    end
  endfunction
  logic [31:0] state;
  for (genvar b = 0; b < 32; b++) begin : gen_bit
    localparam logic [31:0] Mask = mask_of(b);
    assign state[b] = ^(word_i & Mask);
  end

  // The fraction that decides, in 25 bits: the upper bits of the draw, then a 1, then zeros.
  logic [24:0] fraction;
  always_comb begin
    case (rand_bits_i)
      2'd0:    fraction = {state[31:24], 1'b1, 16'd0};
      2'd1:    fraction = {state[31:20], 1'b1, 12'd0};
      2'd2:    fraction = {state[31:16], 1'b1, 8'd0};
      default: fraction = {state[31:8], 1'b1};
    endcase
  end

  logic signed [AccW-1:0] sum, quotient;
  logic [AccW-1:0]        rest, step, half, random;
  logic [AccW+24:0]       wide;
  logic                   up;
  assign sum = sum_i;
  assign quotient = sum >>> shift_i;
  assign rest = sum - (quotient <<< shift_i);       // 0 .. step - 1
  assign step = AccW'(1) << shift_i;
  assign half = step >> 1;
  assign wide = (AccW+25)'(fraction) << shift_i;
  assign random = wide[AccW+24:25];
  always_comb begin
    case (round_i)
      2'd0:    up = shift_i != '0 && (rest > half || (rest == half && quotient[0]));
      2'd2:    up = rest >= step - random;
      default: up = 1'b0;
    endcase
    z_o = quotient + AccW'(up);
    if (relu_i && z_o[AccW-1]) z_o = '0;
  end
endmodule
