// Restoring division: 20 stages, one bit of the quotient each (docs/optc/reference.md, Timing). The divisor has its top bit set, so a
// dividend of 35 bits gives a quotient of 20.
module optc_div (
  input  logic                        clk_i,
  input  logic                        en_i,   // every stage moves
  input  logic [optc_pkg::NumW-1:0]   num_i,
  input  logic [15:0]                 den_i,
  output logic [optc_pkg::DivStages-1:0] quo_o  // DivStages moves later
);
  localparam int Stages = optc_pkg::DivStages;
  for (genvar s = 0; s < Stages; s++) begin : gen_stage
    logic [Stages-1:0] digits, digits_q;  // dividend's bits to come above, quotient's below
    /* verilator lint_off UNUSEDSIGNAL */  // the last stage leaves a remainder
    logic [15:0] rest, rest_q, den, den_q;
    /* verilator lint_on UNUSEDSIGNAL */
    if (s == 0) begin : gen_first
      assign digits = num_i[Stages-1:0];
      assign rest   = {1'b0, num_i[optc_pkg::NumW-1:Stages]};
      assign den    = den_i;
    end else begin : gen_next
      assign digits = gen_stage[s-1].digits_q;
      assign rest   = gen_stage[s-1].rest_q;
      assign den    = gen_stage[s-1].den_q;
    end
    logic [16:0] next;
    assign next = {rest, digits[Stages-1]};
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        den_q    <= den;
        rest_q   <= (next >= {1'b0, den}) ? 16'(next - {1'b0, den}) : next[15:0];
        digits_q <= {digits[Stages-2:0], next >= {1'b0, den}};
      end
    end
  end
  assign quo_o = gen_stage[Stages-1].digits_q;
endmodule
