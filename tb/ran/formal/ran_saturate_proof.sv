// Saturation and statistics of two lanes against their definition (docs/ran/README.md: Saturation, Formats, Statistics), for every sum.
module ran_saturate_proof
  import ran_pkg::way_t;
(
  input logic clk_i
);
  localparam int AccW = 40;
  localparam int Lanes = 2;
  (* anyseq *) logic [Lanes*AccW-1:0]    z;
  (* anyseq *) way_t cfg;
  logic [Lanes*64-1:0] packed_y;
  logic [5:0]  overflow, zeros, max_bit, lanes;
  logic [20:0] sum_abs;
  ran_saturate #(.Lanes(Lanes), .AccW(AccW)) u_saturate (
    .z_i(z), .cfg_i(cfg), .packed_o(packed_y), .overflow_o(overflow), .zeros_o(zeros), .max_bit_o(max_bit),
    .sum_abs_o(sum_abs)
  );
  logic [2:0] format;
  logic       is_unsigned, raw;
  logic [6:0] bits;                      // of a result
  logic signed [65:0] low, high, given0, given1, want0, want1, size0, size1, result0, result1;
  assign format = cfg.y_bits;
  assign is_unsigned = cfg.y_unsigned;
  assign lanes = cfg.lanes;
  assign raw = format >= ran_pkg::YRaw32;
  always_comb begin
    case (format)
      3'd0: bits = 7'd4;
      3'd1: bits = 7'd8;
      3'd2: bits = 7'd12;
      3'd3: bits = 7'd16;
      3'd4: bits = 7'd32;
      default: bits = 7'd64;
    endcase
    high = is_unsigned ? (66'sd1 <<< bits) - 66'sd1 : (66'sd1 <<< (bits - 7'd1)) - 66'sd1;
    low = is_unsigned ? 66'sd0 : -(66'sd1 <<< (bits - 7'd1));
    given0 = 66'($signed(z[AccW-1:0]));
    given1 = 66'($signed(z[2*AccW-1:AccW]));
    want0 = (given0 > high) ? high : (given0 < low) ? low : given0;
    want1 = (given1 > high) ? high : (given1 < low) ? low : given1;
    size0 = (given0 < 0) ? -given0 : given0;
    size1 = (given1 < 0) ? -given1 : given1;
    // As the container holds it; 12 bits lie in one of 16.
    case (format)
      3'd0: {result1, result0} = {66'(packed_y[7:4]), 66'(packed_y[3:0])};
      3'd1: {result1, result0} = {66'(packed_y[15:8]), 66'(packed_y[7:0])};
      3'd2: {result1, result0} = {66'(packed_y[27:16]), 66'(packed_y[11:0])};
      3'd3: {result1, result0} = {66'(packed_y[31:16]), 66'(packed_y[15:0])};
      3'd4: {result1, result0} = {66'(packed_y[63:32]), 66'(packed_y[31:0])};
      default: {result1, result0} = {66'(packed_y[127:64]), 66'(packed_y[63:0])};
    endcase
    if (!is_unsigned && result0 > high) result0 = result0 - (66'sd1 <<< bits);
    if (!is_unsigned && result1 > high) result1 = result1 - (66'sd1 <<< bits);
  end
  always @(posedge clk_i) begin
    // Raw sums are signed; lanes that are not live hold 0.
    assume (format <= ran_pkg::YRaw64 && !(raw && is_unsigned));
    assume ((lanes == 6'd1 && given1 == 0) || lanes == 6'd2);
    lane_0: assert (result0 == want0);
    lane_1: assert (result1 == want1);
    overflows: assert (overflow == 6'(want0 != given0) + 6'(want1 != given1));
    zero: assert (zeros == 6'(want0 == 0) + 6'(want1 == 0 && lanes == 6'd2));
    length_enough: assert (size0 < (66'sd1 <<< max_bit) && size1 < (66'sd1 <<< max_bit));
    length_least: assert (max_bit == '0 || size0 >= (66'sd1 <<< (max_bit - 6'd1)) ||
                          size1 >= (66'sd1 <<< (max_bit - 6'd1)));
    magnitudes: assert (66'(sum_abs) ==
                        (raw ? 66'sd0 : ((want0 < 0) ? -want0 : want0) + ((want1 < 0) ? -want1 : want1)));
    lowest: cover (given0 == -(66'sd1 <<< (AccW - 1)) && !is_unsigned && format == ran_pkg::Y16);
    both_ways: cover (given0 > high && given1 < low);
  end
endmodule
