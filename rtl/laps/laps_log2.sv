// Logarithm with straight lines between powers of two, in 1/256 (docs/laps/README.md, Terms). Combinational; no meaning for 0.
module laps_log2 #(
  parameter int W = 48
) (
  input  logic [W-1:0]              a_i,
  output logic [laps_pkg::LogW-1:0] log_o
);
  function automatic logic [5:0] leading(input logic [W-1:0] a);
    leading = '0;
    for (int i = 0; i < W; i++) if (a[i]) leading = 6'(i);
  endfunction

  logic [5:0] exponent;
  /* verilator lint_off UNUSEDSIGNAL */  // the leading one, and what lies below 1/256
  logic [W-1:0] normal;
  /* verilator lint_on UNUSEDSIGNAL */
  assign exponent = leading(a_i);
  assign normal = a_i << (6'(W - 1) - exponent);
  assign log_o = {exponent, normal[W-2 -: 8]};
endmodule
