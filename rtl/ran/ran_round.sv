// Rounding of a job's sums, ReLU included (docs/ran/README.md, Rounding). Combinational.
module ran_round
  import ran_pkg::way_t;
#(
  parameter int Lanes = 16,
  parameter int AccW = 40
) (
  input  logic [Lanes*AccW-1:0]           sum_i,
  input  way_t                            cfg_i,
  input  logic [Lanes*trainslice_pkg::DrawW-1:0] draw_i,
  output logic [Lanes*AccW-1:0]           z_o
);
  localparam int DrawW = trainslice_pkg::DrawW;

  /* verilator lint_off UNUSEDSIGNAL */  // what others do
  function automatic logic [Lanes*AccW-1:0] rounded(
      input logic [Lanes*AccW-1:0] sum, input way_t cfg, input logic [Lanes*DrawW-1:0] draw);
  /* verilator lint_on UNUSEDSIGNAL */
    logic [Lanes*AccW-1:0]   out;
    logic [AccW-1:0]         s;
    logic                    odd;        // the truncated sum is: decides ties
    logic signed [AccW:0]    t;          // one bit more: the constant may carry out
    logic [AccW:0]           r;
    logic [AccW+DrawW:0]     scaled;
    logic [DrawW:0]          centred, keep;
    logic [5:0]              shift;
    shift = cfg.shift;
    case (cfg.rand_bits)
      2'd0:    keep = {8'hff, 17'd0};
      2'd1:    keep = {12'hfff, 13'd0};
      2'd2:    keep = {16'hffff, 9'd0};
      default: keep = {24'hff_ffff, 1'b0};
    endcase
    for (int l = 0; l < Lanes; l++) begin
      s = sum[AccW*l +: AccW];
      // The kept bits, then half a step.
      centred = ({draw[DrawW*l +: DrawW], 1'b0} & keep) | (((~keep >> 1) + 1'b1) & ~keep);
      odd     = ((s >> shift) & AccW'(1)) != '0;
      scaled  = (AccW+DrawW+1)'(centred) << shift;
      case (cfg.round)
        ran_pkg::RoundNearest: begin
          r = (shift == '0) ? '0 : ((AccW+1)'(1) << (shift - 6'd1)) - (AccW+1)'(!odd);
        end
        ran_pkg::RoundStochastic: r = (AccW+1)'(scaled >> (DrawW + 1));
        default: r = '0;
      endcase
      t = $signed({s[AccW-1], s}) + $signed(r);
      t = t >>> shift;
      if (cfg.relu && t[AccW]) t = '0;
      out[AccW*l +: AccW] = t[AccW-1:0];
    end
    rounded = out;
  endfunction

  assign z_o = rounded(sum_i, cfg_i, draw_i);
endmodule
