// Cycle in which the offer that stands on a stream began: the cycle of valid in traces of transfers.
module ts_since (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [31:0] cycle_i,
  input  logic        valid_i,
  input  logic        ready_i,
  output logic [31:0] since_o
);
  logic        waiting_q;
  logic [31:0] since_q;

  initial waiting_q = 1'b0;
  always @(posedge clk_i) begin
    waiting_q <= rst_ni && valid_i && !ready_i;
    since_q   <= since_o;
  end
  assign since_o = waiting_q ? since_q : cycle_i;
endmodule
