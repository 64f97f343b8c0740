// Watches one stream for the handshake law (docs/conventions.md): once valid is high, valid and payload stay until the transfer. On a
// simulator with unknown values it also wants everything known: traces would show an x as 0.
module ts_stream_check #(
  parameter int PayloadW = 1
) (
  input logic clk_i,
  input logic rst_ni,
  input logic valid_i,
  input logic ready_i,
  input logic [PayloadW-1:0] payload_i
);
  logic                waiting_q;
  logic [PayloadW-1:0] payload_q;

  initial waiting_q = 1'b0;

  always @(posedge clk_i) begin
    waiting_q <= rst_ni && valid_i && !ready_i;
    if (valid_i && !ready_i) payload_q <= payload_i;
    if (rst_ni && waiting_q) begin
      if (!valid_i) $display("TS_ASSERT ValidDropped in %m at %0t", $time);
      else if (payload_i != payload_q) $display("TS_ASSERT PayloadChanged in %m at %0t", $time);
    end
`ifndef VERILATOR
    if (rst_ni && (valid_i === 1'bx || (valid_i && ^payload_i === 1'bx))) begin
      $display("TS_ASSERT Unknown in %m at %0t", $time);
    end
`endif
  end
endmodule
