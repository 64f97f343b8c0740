// Square root by digits: 16 stages, one bit of the root each (docs/optc/reference.md, Timing). The radicand is below 2^32.
module optc_root (
  input  logic        clk_i,
  input  logic        en_i,        // every stage moves
  input  logic [31:0] radicand_i,
  output logic [15:0] root_o       // RootStages moves later
);
  localparam int Stages = optc_pkg::RootStages;
  // Of each stage: what is left of the radicand's digits (2 bits a stage), remainder, root so far.
  for (genvar s = 0; s < Stages; s++) begin : gen_stage
    /* verilator lint_off UNUSEDSIGNAL */  // the last stage leaves a remainder, and it alone has a root of 16 bits
    logic [31:0] digits, digits_q;
    logic [15:0] rest, rest_q;     // remainder, at most twice the root, which has 15 bits at most before the last stage
    logic [14:0] root;
    logic [15:0] root_q;
    /* verilator lint_on UNUSEDSIGNAL */
    if (s == 0) begin : gen_first
      assign digits = radicand_i;
      assign rest   = '0;
      assign root   = '0;
    end else begin : gen_next
      assign digits = gen_stage[s-1].digits_q;
      assign rest   = gen_stage[s-1].rest_q;
      assign root   = gen_stage[s-1].root_q[14:0];
    end
    logic [17:0] next;
    logic [16:0] trial;
    assign next  = {rest, digits[31:30]};
    assign trial = {root, 2'b01};
    always_ff @(posedge clk_i) begin
      if (en_i) begin
        digits_q <= digits << 2;
        rest_q   <= (next >= {1'b0, trial}) ? 16'(next - {1'b0, trial}) : 16'(next);
        root_q   <= {root, next >= {1'b0, trial}};
      end
    end
  end
  assign root_o = gen_stage[Stages-1].root_q;
endmodule
