`include "ts_trace.svh"

// Binary traces of LAPS' boundaries (docs/environment.md). Little-endian 32-bit words, written while rst_ni is high.
//   reg_rsp.bin  a record an answer: cycle, code, data
//   upd_rsp.bin  cycle, code, fl, n, events
//   obs.bin      an accepted update: cycle, entry (2 words), mean (sign-extended), tolerance, over
//   ord_rsp.bin  cycle, code, order, shift (sign-extended), n and fl of x, w, y
//   laps_event.bin  {cycle, kind and data} a record; kinds below
module laps_trace #(
  parameter Place = "."           // folder of the traces
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic [31:0] cycle_i,
  input logic        flush_i,
  input logic        busy_i,
  input logic        reg_rsp_valid_i,
  input logic [1:0]  reg_rsp_code_i,
  input logic [31:0] reg_rsp_data_i,
  input logic        upd_rsp_valid_i,
  input logic [1:0]  upd_rsp_code_i,
  input logic [7:0]  upd_rsp_fl_i,
  input logic [2:0]  upd_rsp_n_i,
  input logic [laps_pkg::EventW-1:0] upd_rsp_events_i,
  input logic        ord_rsp_valid_i,
  input logic [1:0]  ord_rsp_code_i,
  input logic [1:0]  ord_rsp_order_i,
  input logic [9:0]  ord_rsp_shift_i,
  input logic [8:0]  ord_rsp_n_i,
  input logic [23:0] ord_rsp_fl_i,
  input logic        obs_valid_i,
  input logic [laps_pkg::EntryW-1:0]  obs_entry_i,
  input logic [laps_pkg::SignalW-1:0] obs_mean_i,
  input logic [laps_pkg::TolW-1:0]    obs_tolerance_i,
  input logic        obs_over_i
);
  localparam logic [7:0] EvReset = 8'd5;    // data: new value of rst_ni, logged with the first cycle that has it
  localparam logic [7:0] EvBusy = 8'd6;     // data: new value of busy_o

  integer reg_fd, upd_fd, ord_fd, obs_fd, event_fd;
  logic   rst_q, busy_q;
  logic [32*3-1:0]  reg_record;
  logic [32*5-1:0]  upd_record;
  logic [32*10-1:0] ord_record;
  logic [32*6-1:0]  obs_record;

  initial begin
    reg_fd   = $fopen({Place, "/reg_rsp.bin"}, "wb");
    upd_fd   = $fopen({Place, "/upd_rsp.bin"}, "wb");
    ord_fd   = $fopen({Place, "/ord_rsp.bin"}, "wb");
    obs_fd   = $fopen({Place, "/obs.bin"}, "wb");
    event_fd = $fopen({Place, "/laps_event.bin"}, "wb");
    rst_q = 1'b0;
    busy_q = 1'b0;
  end

  always @(posedge clk_i) begin
    rst_q <= rst_ni;
    if (rst_ni != rst_q) $fwrite(event_fd, "%u%u", cycle_i, {EvReset, 23'd0, rst_ni});
    if (rst_ni) begin
      busy_q <= busy_i;
      if (busy_i != busy_q) $fwrite(event_fd, "%u%u", cycle_i, {EvBusy, 23'd0, busy_i});
      /* verilator lint_off BLKSEQ */
      if (reg_rsp_valid_i) begin
        reg_record = {reg_rsp_data_i, 30'd0, reg_rsp_code_i, cycle_i};
        `TS_TRACE(reg_fd, reg_record, 3)
      end
      if (upd_rsp_valid_i) begin
        upd_record = {27'd0, upd_rsp_events_i, 29'd0, upd_rsp_n_i, {24{upd_rsp_fl_i[7]}}, upd_rsp_fl_i, 30'd0,
                      upd_rsp_code_i, cycle_i};
        `TS_TRACE(upd_fd, upd_record, 5)
      end
      if (ord_rsp_valid_i) begin
        ord_record = {{24{ord_rsp_fl_i[23]}}, ord_rsp_fl_i[23:16], {24{ord_rsp_fl_i[15]}}, ord_rsp_fl_i[15:8],
                      {24{ord_rsp_fl_i[7]}}, ord_rsp_fl_i[7:0], 29'd0, ord_rsp_n_i[8:6], 29'd0, ord_rsp_n_i[5:3],
                      29'd0, ord_rsp_n_i[2:0], {22{ord_rsp_shift_i[9]}}, ord_rsp_shift_i, 30'd0, ord_rsp_order_i,
                      30'd0, ord_rsp_code_i, cycle_i};
        `TS_TRACE(ord_fd, ord_record, 10)
      end
      if (obs_valid_i) begin
        obs_record = {31'd0, obs_over_i, 15'd0, obs_tolerance_i, {16{obs_mean_i[15]}}, obs_mean_i,
                      16'd0, obs_entry_i, cycle_i};
        `TS_TRACE(obs_fd, obs_record, 6)
      end
      /* verilator lint_on BLKSEQ */
    end else begin
      busy_q <= 1'b0;
    end
    if (flush_i) begin
      $fflush(reg_fd);
      $fflush(upd_fd);
      $fflush(ord_fd);
      $fflush(obs_fd);
      $fflush(event_fd);
    end
  end
endmodule
