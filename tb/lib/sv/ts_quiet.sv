// End of a bench's work: high once nothing has been active for QuietCycles cycles.
module ts_quiet (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic active_i,   // something to play, or something in the device
  output logic quiet_o
);
  localparam logic [3:0] QuietCycles = 4'd8;

  logic [3:0] quiet_q;
  initial quiet_q = 0;
  always @(posedge clk_i) begin
    if (!rst_ni || active_i) begin
      quiet_q <= 0;
    end else if (quiet_q != QuietCycles) begin
      quiet_q <= quiet_q + 1;
    end
  end
  assign quiet_o = quiet_q == QuietCycles;
endmodule
