// Rounding against its definition in integers that have room (docs/ran/README.md, Rounding), for every sum, shift below AccW and draw.
module ran_round_proof
  import ran_pkg::way_t;
(
  input logic clk_i
);
  localparam int AccW = 40;
  localparam int WideW = AccW + 2 * trainslice_pkg::DrawW + AccW;
  (* anyseq *) logic [AccW-1:0]          sum;
  (* anyseq *) way_t cfg;
  (* anyseq *) logic [trainslice_pkg::DrawW-1:0] draw;
  logic [AccW-1:0] z;
  ran_round #(.Lanes(1), .AccW(AccW)) u_round (.sum_i(sum), .cfg_i(cfg), .draw_i(draw), .z_o(z));

  logic [5:0] shift;
  logic [1:0] round;
  logic       relu, tie;
  logic [trainslice_pkg::DrawW:0]  centred;     // the bits that are kept, then half of a step
  logic signed [WideW-1:0]  exact, low, whole, part, step, drawn;
  assign shift = cfg.shift;
  assign round = cfg.round;
  assign relu = cfg.relu;
  always_comb begin
    case (cfg.rand_bits)
      2'd0:    centred = {draw[23:16], 1'b1, 16'd0};
      2'd1:    centred = {draw[23:12], 1'b1, 12'd0};
      2'd2:    centred = {draw[23:8], 1'b1, 8'd0};
      default: centred = {draw, 1'b1};
    endcase
    exact = WideW'($signed(sum));
    low = exact >>> shift;                       // rounded down
    part = exact - (low <<< shift);              // what that leaves
    tie = (part <<< 1) == (WideW'(1) <<< shift);
    // Up with the draw's share of a step or more.
    step = $signed({1'b0, centred});
    drawn = (exact <<< (trainslice_pkg::DrawW + 1)) + (step <<< shift);
    drawn = drawn >>> (7'(shift) + 7'(trainslice_pkg::DrawW + 1));
    case (round)
      ran_pkg::RoundNearest:    whole = low + WideW'((part <<< 1) > (WideW'(1) <<< shift) || (tie && low[0]));
      ran_pkg::RoundStochastic: whole = drawn;
      default:                      whole = low;
    endcase
    if (relu && whole < 0) whole = '0;
  end
  always @(posedge clk_i) begin
    assume (shift < AccW && round <= ran_pkg::RoundStochastic);
    rounded: assert (WideW'($signed(z)) == whole);
    ties_to_even: cover (round == ran_pkg::RoundNearest && tie && !low[0] && shift > 6'd2);
    by_chance: cover (round == ran_pkg::RoundStochastic && drawn != low && shift > 6'd2);
    clipped: cover (relu && exact < 0);
  end
endmodule
