// Multiplier and accumulator of the dense array: 16 x 16 bits, signed (docs/cells.md, The dense arrays).
module dense_int_mac #(
  parameter int AccW = 40
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic mul_en_i,
  input  logic [15:0] x_i,
  input  logic [15:0] w_i,
  input  logic add_en_i,
  input  logic first_i,            // the sum starts with this product
  output logic [AccW-1:0] sum_o    // with the product that is being added
);
  logic signed [31:0] x, w, product_q;
  logic [AccW-1:0]    acc_q;

  assign x     = 32'($signed(x_i));
  assign w     = 32'($signed(w_i));
  assign sum_o = (first_i ? '0 : acc_q) + AccW'(product_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      product_q <= '0;
      acc_q     <= '0;
    end else begin
      if (mul_en_i) product_q <= x * w;
      if (add_en_i) acc_q <= sum_o;
    end
  end
endmodule
