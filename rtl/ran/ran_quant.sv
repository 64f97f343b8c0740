// Quant register of the RAN: rounds a job's sums on their way in (docs/ran/README.md: Drain, Rounding, Mask).
module ran_quant
  import ran_pkg::way_t;
#(
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                      fill_i,
  input  logic                      empty_i,     // the job moves on (a fill wins)
  input  logic [Lanes*AccW-1:0]     sum_i,
  input  way_t                      cfg_i,
  input  logic [15:0]               tag_i,
  input  logic [Lanes-1:0]          dead_i,
  input  logic [ran_pkg::SlotW-1:0] slot_i,
  input  logic [31:0]               word_i,      // of its draws
  output logic                      valid_o,
  output logic [Lanes*AccW-1:0]     z_o,
  output logic [Lanes-1:0]          mask_o,      // out_mask of the result
  output logic [15:0]               tag_o,
  output logic [ran_pkg::SlotW-1:0] slot_o,
  output logic                      draw_o       // with fill_i
);
  logic [Lanes*trainslice_pkg::DrawW-1:0] draw;
  logic [Lanes*AccW-1:0]           z;
  logic [Lanes-1:0]                off;

  assign draw_o = fill_i && cfg_i.round == ran_pkg::RoundStochastic;

  draw_lanes #(.Lanes(Lanes)) u_lanes (
    .word_i,
    .draw_o(draw)
  );

  ran_round #(
    .Lanes(Lanes),
    .AccW (AccW)
  ) u_round (
    .sum_i,
    .cfg_i,
    .draw_i(draw),
    .z_o   (z)
  );

  for (genvar l = 0; l < Lanes; l++) begin : gen_off
    assign off[l] = dead_i[l] || (cfg_i.relu &&
                                  (sum_i[AccW*l + AccW - 1] || sum_i[AccW*l +: AccW] == '0));
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
      z_o     <= '0;
      mask_o  <= '0;
      tag_o   <= '0;
      slot_o  <= '0;
    end else begin
      if (fill_i) begin
        valid_o <= 1'b1;
        z_o     <= z;
        mask_o  <= off;
        tag_o   <= tag_i;
        slot_o  <= slot_i;
      end else if (empty_i) begin
        valid_o <= 1'b0;
      end
    end
  end
endmodule
