`include "ts_trace.svh"

// Listens to a stream inside a device and writes what a source and a sink of that stream would have logged (docs/bench.md, Transactors):
// `<Name>.log.bin`, two words a record, the cycle of its offer and of its transfer (NEVER if a reset or its source dropped it); `<Name>_0.log.bin`,
// changes of ready; and `<Name>.data.bin`, the payload of every offer, lowest word first. It watches the handshake law too.
module ts_tap #(
  parameter Place = ".",
  parameter Name = "stream",
  parameter int Words = 1
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] cycle_i,
  input logic        flush_i,
  input logic        valid_i,
  input logic        ready_i,
  input logic [32*Words-1:0] payload_i
);
  ts_stream_check #(.PayloadW(32 * Words)) u_check (.clk_i, .rst_ni, .valid_i, .ready_i, .payload_i);

  localparam logic [31:0] Never = 32'hffff_ffff;
  integer log_fd, ready_fd, data_fd;
  logic   open_q, ready_q;
  logic [32*Words-1:0] record;

  initial begin
    log_fd   = $fopen({Place, "/", Name, ".log.bin"}, "wb");
    ready_fd = $fopen({Place, "/", Name, "_0.log.bin"}, "wb");
    data_fd  = $fopen({Place, "/", Name, ".data.bin"}, "wb");
    open_q   = 1'b0;
    ready_q  = 1'b1;
  end

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      if (open_q) $fwrite(log_fd, "%u", Never);
      open_q <= 1'b0;
    end else begin
      // An offer that is withdrawn is a record too: nothing after it may move.
      if (open_q && !valid_i) $fwrite(log_fd, "%u", Never);
      if (valid_i && !open_q) begin
        $fwrite(log_fd, "%u", cycle_i);
        /* verilator lint_off BLKSEQ */
        record = payload_i;
        /* verilator lint_on BLKSEQ */
        `TS_TRACE(data_fd, record, Words)
      end
      if (valid_i && ready_i) $fwrite(log_fd, "%u", cycle_i);
      open_q <= valid_i && !ready_i;
      if (ready_i != ready_q) begin
        $fwrite(ready_fd, "%u", {ready_i, cycle_i[30:0]});
        ready_q <= ready_i;
      end
    end
    if (flush_i) begin
      $fflush(log_fd);
      $fflush(ready_fd);
      $fflush(data_fd);
    end
  end
endmodule
