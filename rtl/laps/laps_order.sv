// min_order of a product (docs/laps/README.md, min_order). Combinational.
module laps_order (
  input  logic [7:0]  fl_x_i,     // signed
  input  logic [7:0]  fl_w_i,
  input  logic [7:0]  fl_y_i,
  input  logic [2:0]  n_x_i,
  input  logic [2:0]  n_w_i,
  input  logic [15:0] k_i,        // at least 1
  input  logic [1:0]  most_i,
  output logic [9:0]  shift_o,    // signed
  output logic [1:0]  order_o
);
  // Bit length of K - 1.
  function automatic logic [4:0] ceil_log2(input logic [15:0] k);
    logic [15:0] less;
    less = k - 16'd1;
    ceil_log2 = '0;
    for (int i = 0; i < 16; i++) if (less[i]) ceil_log2 = 5'(i + 1);
  endfunction

  logic signed [9:0] shift;
  /* verilator lint_off UNUSEDSIGNAL */  // what lies below an order
  logic signed [11:0] twice;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [1:0] fewest, bound;
  assign shift = $signed({{2{fl_x_i[7]}}, fl_x_i}) + $signed({{2{fl_w_i[7]}}, fl_w_i}) -
      $signed({{2{fl_y_i[7]}}, fl_y_i});
  assign shift_o = shift;
  assign twice = 12'sd2 * $signed({{2{shift[9]}}, shift}) + 12'sd4 - $signed({7'd0, ceil_log2(k_i)});
  assign fewest = ((n_x_i < n_w_i) ? n_x_i[1:0] : n_w_i[1:0]) - 2'd1;
  assign bound = (most_i < fewest) ? most_i : fewest;
  assign order_o = twice[11] ? 2'd0 : (twice[10:3] > {6'd0, bound}) ? bound : twice[4:3];
endmodule
