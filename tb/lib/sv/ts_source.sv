// Stream source transactor: plays whole bursts of beats that Python has written to a file (docs/bench.md, Transactors).
//
// File `<Name>.in.bin`, or `<Name>_<Index>.in.bin` for one of several: records of 2 bytes of gap and PayloadBytes of payload, most significant byte first. `credit_i` is the number
// of records that may be played; Python raises it after writing them. A record is offered `gap` idle cycles after the one before it was
// taken (or after it could first be read). Log (`.log.bin`): two 32-bit words a record, the cycle of its offer and the cycle of
// its transfer. Reset drops what was credited and not played: those records are logged as offered and taken at cycle NEVER.
module ts_source #(
  parameter Name = "stream",
  parameter int Index = -1,       // -1: the only one
  parameter int PayloadBytes = 16
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic [31:0] cycle_i,
  input  logic        flush_i,    // write the log out
  input  logic [31:0] credit_i,
  output logic [31:0] played_o,   // records taken or dropped
  output logic        valid_o,
  input  logic        ready_i,
  output logic [8*PayloadBytes-1:0] payload_o
);
  localparam int RecordW = 16 + 8 * PayloadBytes;
  localparam logic [31:0] Never = 32'hffff_ffff;

  integer in_fd, log_fd, got;
  logic [RecordW-1:0] record;     // the record to play next
  logic [31:0] read_q;            // records read from the file
  logic        held_q;            // `record` waits for its gap to pass
  logic [15:0] gap_q;

  string path;

  initial begin
    in_fd    = 0;
    if (Index < 0) $sformat(path, "%s", Name);
    else $sformat(path, "%s_%0d", Name, Index);
    log_fd   = $fopen({path, ".log.bin"}, "wb");
    read_q   = 0;
    held_q   = 0;
    gap_q    = 0;
    played_o = 0;
    valid_o  = 0;
    payload_o = 0;
  end

  // Blocking on purpose: file position, counters and flags belong to this one process.
  /* verilator lint_off BLKSEQ */
  always @(posedge clk_i) begin
    if (in_fd == 0 && credit_i != 0) in_fd = $fopen({path, ".in.bin"}, "rb");
    if (!rst_ni) begin
      if (valid_o) begin
        $fwrite(log_fd, "%u", Never);
      end else if (held_q) begin
        $fwrite(log_fd, "%u%u", Never, Never);
      end
      held_q = 1'b0;
      valid_o <= 1'b0;
      while (read_q < credit_i) begin
        got = $fread(record, in_fd);
        read_q = read_q + 1;
        $fwrite(log_fd, "%u%u", Never, Never);
      end
      played_o <= read_q;
    end else begin
      if (valid_o && ready_i) begin
        $fwrite(log_fd, "%u", cycle_i);
        played_o <= read_q;
      end
      if (!valid_o || ready_i) begin
        if (!held_q && read_q < credit_i) begin
          got = $fread(record, in_fd);
          if (got != RecordW / 8) $display("TS_ASSERT ShortRecord in %m: %0d bytes", got);
          read_q = read_q + 1;
          held_q = 1'b1;
          gap_q  = record[RecordW-1 -: 16];
        end
        if (held_q && gap_q == 0) begin
          held_q = 1'b0;
          valid_o   <= 1'b1;
          payload_o <= record[8*PayloadBytes-1:0];
          $fwrite(log_fd, "%u", cycle_i + 32'd1);
        end else begin
          if (held_q) gap_q = gap_q - 16'd1;
          valid_o <= 1'b0;
        end
      end
    end
  end
  /* verilator lint_on BLKSEQ */

  always @(posedge clk_i) if (flush_i) $fflush(log_fd);
endmodule
