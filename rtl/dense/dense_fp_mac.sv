// Multiplier and accumulator of the dense array: FP16 x FP16, summed in FP32 (docs/cells.md, The dense arrays).
//
// Subnormal operands count as zero; there are no infinities and no NaN (exponent 31 is one more exponent). A product is exact in FP32;
// a sum is rounded to nearest, ties to even. Sums are multiples of 2^-48 below 2^128: neither subnormal nor infinite.
module dense_fp_mac (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic mul_en_i,
  input  logic [15:0] x_i,
  input  logic [15:0] w_i,
  input  logic add_en_i,
  input  logic first_i,        // the sum starts with this product
  output logic [31:0] sum_o    // with the product that is being added
);
  logic [31:0] product_q, acc_q;

  // ---- product ----------------
  logic [21:0] p;
  logic [31:0] product;
  logic [7:0]  exponent;
  assign p = 22'({1'b1, x_i[9:0]}) * 22'({1'b1, w_i[9:0]});
  assign exponent = 8'(x_i[14:10]) + 8'(w_i[14:10]) + 8'd97 + 8'(p[21]);
  always_comb begin
    if (x_i[14:10] == '0 || w_i[14:10] == '0) begin
      product = '0;
    end else begin
      product = {x_i[15] ^ w_i[15], exponent, p[21] ? {p[20:0], 2'b00} : {p[19:0], 3'b000}};
    end
  end

  // ---- sum ----------------
  logic [31:0] old, larger, smaller;
  logic        minus, carry;
  logic [7:0]  distance, top;
  logic [26:0] far, near, shifted;    // 24 bits, guard, round, sticky
  logic [27:0] total;
  logic [26:0] lined;
  logic [4:0]  zeros;
  logic [24:0] rounded;
  logic        up;

  assign old = first_i ? '0 : acc_q;
  assign {larger, smaller} = (product_q[30:0] > old[30:0]) ? {product_q, old} : {old, product_q};
  assign minus    = larger[31] ^ smaller[31];
  assign distance = larger[30:23] - smaller[30:23];
  assign near     = {larger[30:23] != '0, larger[22:0], 3'b000};
  assign far      = {smaller[30:23] != '0, smaller[22:0], 3'b000};

  function automatic logic [26:0] sticky_shift(input logic [26:0] value, input logic [7:0] by);
    logic [26:0] kept, lost;
    kept = value >> by;
    lost = value & ~(27'h7ffffff << by);
    return {kept[26:1], kept[0] | (lost != '0)};
  endfunction

  function automatic logic [4:0] leading_zeros(input logic [26:0] value);
    logic [4:0] count;
    count = 5'd27;
    for (int b = 0; b < 27; b++) if (value[b]) count = 5'(26 - b);
    return count;
  endfunction

  assign shifted = sticky_shift(far, distance);
  assign total   = minus ? {1'b0, near} - {1'b0, shifted} : {1'b0, near} + {1'b0, shifted};
  assign carry   = total[27];
  assign zeros   = leading_zeros(total[26:0]);
  assign lined   = carry ? {total[27:2], total[1] | total[0]} : total[26:0] << zeros;
  assign top     = carry ? larger[30:23] + 8'd1 : larger[30:23] - 8'(zeros);
  assign up      = lined[2] && (lined[1] || lined[0] || lined[3]);
  assign rounded = {1'b0, lined[26:3]} + 25'(up);

  always_comb begin
    if (total == '0) begin
      sum_o = '0;
    end else begin
      sum_o = {larger[31], rounded[24] ? top + 8'd1 : top, rounded[24] ? rounded[23:1] : rounded[22:0]};
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      product_q <= '0;
      acc_q     <= '0;
    end else begin
      if (mul_en_i) product_q <= product;
      if (add_en_i) acc_q <= sum_o;
    end
  end
endmodule
