// Draws of all lanes from a mixed word: lane l adds five copies of it, each rotated by places of its own
// (docs/ran/README.md, Random numbers). Combinational.
module draw_lanes #(
  parameter int Lanes = 16
) (
  input  logic [31:0] word_i,
  output logic [Lanes*trainslice_pkg::DrawW-1:0] draw_o
);
  localparam int DrawW = trainslice_pkg::DrawW;
  localparam int Taps = trainslice_pkg::LaneTaps;
  /* verilator lint_off UNUSEDSIGNAL */  // ends that no lane rotates to
  logic [63:0] twice;
  /* verilator lint_on UNUSEDSIGNAL */
  assign twice = {word_i, word_i};
  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    localparam logic [5*Taps-1:0] Places = trainslice_pkg::LanePlaces[5*Taps*l +: 5*Taps];
    assign draw_o[DrawW*l +: DrawW] =
        twice[32'(Places[0 +: 5]) + 32 - DrawW +: DrawW] ^ twice[32'(Places[5 +: 5]) + 32 - DrawW +: DrawW] ^
        twice[32'(Places[10 +: 5]) + 32 - DrawW +: DrawW] ^ twice[32'(Places[15 +: 5]) + 32 - DrawW +: DrawW] ^
        twice[32'(Places[20 +: 5]) + 32 - DrawW +: DrawW];
  end
endmodule
