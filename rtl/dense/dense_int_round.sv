// A sum becomes 16 bits: shifted right by `shift_i`, to nearest, ties to even, saturated (docs/cells.md, The dense arrays).
module dense_int_round #(
  parameter int AccW = 40
) (
  input  logic [AccW-1:0] acc_i,
  input  logic [4:0]      shift_i,
  output logic [15:0]     y_o
);
  logic signed [AccW-1:0] kept, rounded;
  logic [AccW-1:0]        lost;
  logic                   half, more;

  assign kept = $signed(acc_i) >>> shift_i;
  assign lost = acc_i & ~({AccW{1'b1}} << shift_i);
  assign half = (shift_i != '0) && (((lost << 1) >> shift_i) != '0);
  assign more = (shift_i != '0) && ((lost << 1) & ~({AccW{1'b1}} << shift_i)) != '0;
  assign rounded = kept + AccW'(half && (more || kept[0]));
  always_comb begin
    if (rounded[AccW-1:15] == '0 || rounded[AccW-1:15] == '1) begin
      y_o = rounded[15:0];
    end else begin
      y_o = {rounded[AccW-1], {15{!rounded[AccW-1]}}};
    end
  end
endmodule
