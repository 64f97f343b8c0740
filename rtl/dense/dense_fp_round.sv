// A sum in FP32 becomes FP16: to nearest, ties to even; infinite from 65,520 on, zero below 2^-14 (docs/cells.md, The dense arrays).
module dense_fp_round (
  input  logic [31:0] acc_i,
  output logic [15:0] y_o
);
  logic        up;
  logic [17:0] rounded;   // exponent and fraction: a carry out of the fraction is one more exponent

  assign up      = acc_i[12] && (acc_i[11:0] != '0 || acc_i[13]);
  assign rounded = acc_i[30:13] + 18'(up);
  always_comb begin
    if (acc_i[30:23] < 8'd113) begin
      y_o = {acc_i[31], 15'd0};
    end else if (rounded[17:10] >= 8'd143) begin
      y_o = {acc_i[31], 5'h1f, 10'd0};
    end else begin
      y_o = {acc_i[31], 5'(rounded[17:10] - 8'd112), rounded[9:0]};
    end
  end
endmodule
