// Another quant register of the RAN (docs/ran/reference.md, Drain), a lane a module; quant.f names its files.
module ran_quant
  import ran_pkg::way_t;
#(
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      fill_i,
  input  logic                      empty_i,
  input  logic [Lanes*AccW-1:0]     sum_i,
  input  way_t                      cfg_i,
  input  logic [15:0]               tag_i,
  input  logic [Lanes-1:0]          dead_i,
  input  logic [ran_pkg::SlotW-1:0] slot_i,
  input  logic [31:0]               word_i,
  output logic                      valid_o,
  output logic [Lanes*AccW-1:0]     z_o,
  output logic [Lanes-1:0]          mask_o,
  output logic [15:0]               tag_o,
  output logic [ran_pkg::SlotW-1:0] slot_o,
  output logic                      draw_o
);
  logic relu;
  assign relu = cfg_i.relu;
  assign draw_o = fill_i && cfg_i.round == 2'd2;

  logic [Lanes*AccW-1:0] z;
  logic [Lanes-1:0]      off;
  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    logic [AccW-1:0] sum, rounded;
    assign sum = sum_i[AccW*l +: AccW];
    assign z[AccW*l +: AccW] = rounded;
    assign off[l] = dead_i[l] || (relu && $signed(sum) <= 0);
    lane_quant #(
      .Lane(l),
      .AccW(AccW)
    ) u_lane (
      .word_i,
      .sum_i      (sum),
      .shift_i    (cfg_i.shift),
      .round_i    (cfg_i.round),
      .rand_bits_i(cfg_i.rand_bits),
      .relu_i     (relu),
      .z_o        (rounded)
    );
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_o <= 1'b0;
    else valid_o <= fill_i || (valid_o && !empty_i);
  end
  always_ff @(posedge clk_i) begin
    if (fill_i) {z_o, mask_o, tag_o, slot_o} <= {z, off, tag_i, slot_i};
  end
endmodule
