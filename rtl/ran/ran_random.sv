// Random bits for stochastic rounding: a Galois LFSR with a polynomial of its own for every lane (docs/ran/README.md, Random numbers).
module ran_random #(
  parameter int Lanes = 16
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        seed_valid_i,
  input  logic [31:0] seed_i,
  input  logic        draw_i,
  output logic [Lanes*ran_pkg::DrawW-1:0] draw_o   // the next draw
);
  // A draw takes LeapSteps steps: a linear map, so bit b of the state after it is the parity of bits of the state before it, those of mask b.
  // Step by step it would be a chain of as many exclusive-ors.
  function automatic logic [32*32-1:0] leap_masks(input logic [31:0] poly);
    logic [32*32-1:0] masks;
    logic [31:0]      state;
    for (int from = 0; from < 32; from++) begin
      state = 32'd1 << from;
      for (int i = 0; i < ran_pkg::LeapSteps; i++) state = (state >> 1) ^ (state[0] ? poly : 32'd0);
      for (int b = 0; b < 32; b++) masks[32*b + from] = state[b];
    end
    return masks;
  endfunction

  function automatic logic [31:0] parities(input logic [31:0] from, input logic [32*32-1:0] masks);
    logic [31:0] state;
    for (int b = 0; b < 32; b++) state[b] = ^(from & masks[32*b +: 32]);
    return state;
  endfunction

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    localparam logic [31:0] Poly = ran_pkg::LfsrPoly[32*l +: 32];
    localparam logic [31:0] Offset = 32'(l + 1) * ran_pkg::LaneSeed;
    localparam logic [32*32-1:0] Masks = leap_masks(Poly);
    localparam logic [31:0] Reset = parities(ran_pkg::ResetSeed ^ Offset, Masks);
    logic [31:0] state_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        state_q <= Reset;
      end else if (seed_valid_i) begin
        state_q <= parities((seed_i == Offset) ? 32'hffff_ffff : seed_i ^ Offset, Masks);
      end else if (draw_i) begin
        state_q <= parities(state_q, Masks);
      end
    end
    assign draw_o[ran_pkg::DrawW*l +: ran_pkg::DrawW] = state_q[31:8];
  end
endmodule
