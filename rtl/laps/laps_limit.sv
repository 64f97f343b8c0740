// Limits a signed number to the 16 bits of the signal. Combinational.
module laps_limit #(
  parameter int W = 18
) (
  input  logic [W-1:0]                 x_i,   // signed
  output logic [laps_pkg::SignalW-1:0] y_o
);
  localparam int S = laps_pkg::SignalW;
  logic fits;
  assign fits = x_i[W-1:S-1] == '0 || x_i[W-1:S-1] == '1;
  assign y_o = fits ? x_i[S-1:0] : {x_i[W-1], {(S - 1){!x_i[W-1]}}};
endmodule
