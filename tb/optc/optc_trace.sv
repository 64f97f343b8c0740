`include "ts_trace.svh"

// Binary traces of the OPTC's boundaries (docs/environment.md). Little-endian 32-bit words, written while rst_ni is high.
//   moment.bin  a record a beat that moves on from the stage: cycle, m' and v' of every lane
//   denom.bin   cycle, {exponent, mantissa} of every lane
//   update.bin  cycle, u of every lane
//   out.bin     a record a transfer: cycle of valid, cycle, last, w', m', v', copy, a word a lane each
//   stat.bin    a record a transfer: cycle of valid, cycle, values, 6 counts, 3 bit lengths
//   optc_event.bin  {cycle, kind and data} a record; kinds below
module optc_trace #(
  parameter Place = ".",          // folder of the traces
  parameter int Lanes = 4
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] cycle_i,
  input logic        trace_i,
  input logic        flush_i,
  input logic        rsp_valid_i,
  input logic [3:0]  rsp_code_i,
  input logic        busy_i,
  input logic        moment_valid_i,
  input logic [64*Lanes-1:0] moment_i,
  input logic        denom_valid_i,
  input logic [20*Lanes-1:0] denom_i,
  input logic        update_valid_i,
  input logic [32*Lanes-1:0] update_i,
  input logic        out_valid_i,
  input logic        out_ready_i,
  input logic        out_last_i,
  input logic [32*Lanes-1:0] out_w_i,
  input logic [32*Lanes-1:0] out_m_i,
  input logic [32*Lanes-1:0] out_v_i,
  input logic [16*Lanes-1:0] out_y_i,
  input logic        stat_valid_i,
  input logic        stat_ready_i,
  input logic [23:0] stat_values_i,
  input logic [143:0] stat_counts_i,
  input logic [17:0] stat_bits_i
);
  localparam logic [7:0] EvRsp = 8'd1;
  localparam logic [7:0] EvReset = 8'd5;    // data: new value of rst_ni, logged with the first cycle that has it
  localparam logic [7:0] EvBusy = 8'd6;     // data: new value of busy_o

  function automatic logic [32*Lanes-1:0] wide_denom(input logic [20*Lanes-1:0] a);
    for (int n = 0; n < Lanes; n++) wide_denom[32*n +: 32] = 32'(a[20*n +: 20]);
  endfunction
  function automatic logic [32*Lanes-1:0] wide_copy(input logic [16*Lanes-1:0] a);
    for (int n = 0; n < Lanes; n++) wide_copy[32*n +: 32] = {{16{a[16*n + 15]}}, a[16*n +: 16]};
  endfunction
  function automatic logic [32*9-1:0] wide_stat(input logic [143:0] counts, input logic [17:0] bits);
    for (int n = 0; n < 6; n++) wide_stat[32*n +: 32] = 32'(counts[24*n +: 24]);
    for (int n = 0; n < 3; n++) wide_stat[192 + 32*n +: 32] = 32'(bits[6*n +: 6]);
  endfunction

  localparam int MomentWords = 1 + 2 * Lanes;
  localparam int LaneWords = 1 + Lanes;
  localparam int OutWords = 3 + 4 * Lanes;
  logic [32*MomentWords-1:0] moment_record;
  logic [32*LaneWords-1:0]   denom_record, update_record;
  logic [32*OutWords-1:0]    out_record;
  logic [32*12-1:0]          stat_record;
  integer moment_fd, denom_fd, update_fd, out_fd, stat_fd, event_fd;
  logic   rst_q, busy_q;
  logic [31:0] out_since, stat_since;

  initial begin
    moment_fd = $fopen({Place, "/moment.bin"}, "wb");
    denom_fd  = $fopen({Place, "/denom.bin"}, "wb");
    update_fd = $fopen({Place, "/update.bin"}, "wb");
    out_fd    = $fopen({Place, "/out.bin"}, "wb");
    stat_fd   = $fopen({Place, "/stat.bin"}, "wb");
    event_fd  = $fopen({Place, "/optc_event.bin"}, "wb");
    rst_q = 1'b0;
    busy_q = 1'b0;
  end
  ts_since u_out_since (
    .clk_i, .rst_ni, .cycle_i, .valid_i(out_valid_i), .ready_i(out_ready_i), .since_o(out_since)
  );
  ts_since u_stat_since (
    .clk_i, .rst_ni, .cycle_i, .valid_i(stat_valid_i), .ready_i(stat_ready_i), .since_o(stat_since)
  );

  always @(posedge clk_i) begin
    rst_q <= rst_ni;
    if (rst_ni != rst_q) $fwrite(event_fd, "%u%u", cycle_i, {EvReset, 23'd0, rst_ni});
    if (rst_ni) begin
      busy_q <= busy_i;
      if (busy_i != busy_q) $fwrite(event_fd, "%u%u", cycle_i, {EvBusy, 23'd0, busy_i});
      if (rsp_valid_i) $fwrite(event_fd, "%u%u", cycle_i, {EvRsp, 20'd0, rsp_code_i});
      /* verilator lint_off BLKSEQ */
      if (trace_i && moment_valid_i) begin
        moment_record = {moment_i, cycle_i};
        `TS_TRACE(moment_fd, moment_record, MomentWords)
      end
      if (trace_i && denom_valid_i) begin
        denom_record = {wide_denom(denom_i), cycle_i};
        `TS_TRACE(denom_fd, denom_record, LaneWords)
      end
      if (trace_i && update_valid_i) begin
        update_record = {update_i, cycle_i};
        `TS_TRACE(update_fd, update_record, LaneWords)
      end
      if (out_valid_i && out_ready_i) begin
        out_record = {wide_copy(out_y_i), out_v_i, out_m_i, out_w_i, 31'd0, out_last_i, cycle_i, out_since};
        `TS_TRACE(out_fd, out_record, OutWords)
      end
      if (stat_valid_i && stat_ready_i) begin
        stat_record = {wide_stat(stat_counts_i, stat_bits_i), 32'(stat_values_i), cycle_i, stat_since};
        `TS_TRACE(stat_fd, stat_record, 12)
      end
      /* verilator lint_on BLKSEQ */
    end else begin
      busy_q <= 1'b0;
    end
    if (flush_i) begin
      $fflush(moment_fd);
      $fflush(denom_fd);
      $fflush(update_fd);
      $fflush(out_fd);
      $fflush(stat_fd);
      $fflush(event_fd);
    end
  end
endmodule
