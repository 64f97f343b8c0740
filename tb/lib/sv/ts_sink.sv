// Stream sink transactor: plays a `ready` waveform that Python has written to a file (docs/bench.md, Transactors).
//
// File `<Name>_<Index>.in.bin`: records of two 16-bit numbers, most significant byte first: cycles ready, cycles not ready. Without
// credit `ready_o` is high. Log `<Name>_<Index>.log.bin`: a 32-bit word at each change, {new value, number of the first cycle that has it}.
module ts_sink #(
  parameter Name = "stream",
  parameter int Index = 0
) (
  input  logic        clk_i,
  input  logic [31:0] cycle_i,
  input  logic        flush_i,    // write the log out
  input  logic [31:0] credit_i,
  output logic        ready_o
);
  integer in_fd, log_fd, got;
  logic [31:0] record;
  logic [31:0] read_q;
  logic [15:0] on_q, off_q;
  logic        next;
  string       path;

  initial begin
    in_fd = 0;
    $sformat(path, "%s_%0d.log.bin", Name, Index);
    log_fd  = $fopen(path, "wb");
    read_q  = 0;
    on_q    = 0;
    off_q   = 0;
    ready_o = 1'b1;
  end

  // Blocking on purpose: file position and counters belong to this one process.
  /* verilator lint_off BLKSEQ */
  always @(posedge clk_i) begin
    if (in_fd == 0 && credit_i != 0) begin
      $sformat(path, "%s_%0d.in.bin", Name, Index);
      in_fd = $fopen(path, "rb");
    end
    if (on_q == 0 && off_q == 0 && read_q < credit_i) begin
      got = $fread(record, in_fd);
      if (got != 4) $display("TS_ASSERT ShortRecord in %m: %0d bytes", got);
      read_q = read_q + 1;
      on_q   = record[31:16];
      off_q  = record[15:0];
    end
    next = 1'b1;
    if (on_q != 0) begin
      on_q = on_q - 16'd1;
    end else if (off_q != 0) begin
      off_q = off_q - 16'd1;
      next  = 1'b0;
    end
    if (next != ready_o) $fwrite(log_fd, "%u", {next, 31'(cycle_i + 32'd1)});
    ready_o <= next;
  end
  /* verilator lint_on BLKSEQ */

  always @(posedge clk_i) if (flush_i) $fflush(log_fd);
endmodule
