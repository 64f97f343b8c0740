`include "ts_trace.svh"

// Binary traces of what leaves the register file (docs/environment.md). Little-endian 32-bit words, written while rst_ni is high.
//   push.bin   a record a push: cycle, engine, identifier, 16 words of the command
//   pulse.bin  cycle, kind (0 seed, 1 step, 2 run), seed, 0, or {identifier, 0, commands}
//   laps.bin   an access at LAPS' port: cycle of the transfer, of the offer, write, address, data of a write or 0
//   upd.bin    an update taken: cycle of the transfer, of the offer, layer, class, values, overflow, zeros, max_bit, sum_abs (2 words)
//   regs_event.bin  {cycle, kind and data} a record; kinds below
module regs_trace (
  input logic         clk_i,
  input logic         rst_ni,
  input logic [31:0]  cycle_i,
  input logic         flush_i,
  input logic         irq_i,
  input logic         push_valid_i,
  input logic [1:0]   push_engine_i,
  input logic [7:0]   push_id_i,
  input logic [511:0] push_cmd_i,
  input logic         seed_valid_i,
  input logic [31:0]  seed_i,
  input logic         step_i,
  input logic         run_valid_i,
  input logic [15:0]  run_count_i,
  input logic [7:0]   run_id_i,
  input logic         laps_valid_i,
  input logic         laps_ready_i,
  input logic         laps_write_i,
  input logic [11:0]  laps_addr_i,
  input logic [31:0]  laps_wdata_i,
  input logic         upd_valid_i,
  input logic         upd_ready_i,
  input logic [7:0]   upd_layer_i,
  input logic [1:0]   upd_class_i,
  input logic [31:0]  upd_values_i,
  input logic [31:0]  upd_overflow_i,
  input logic [31:0]  upd_zeros_i,
  input logic [5:0]   upd_max_bit_i,
  input logic [47:0]  upd_sum_abs_i
);
  localparam logic [7:0] EvReset = 8'd5;    // data: new value of rst_ni, logged with the first cycle that has it
  localparam logic [7:0] EvIrq = 8'd7;      // data: new value of irq_o

  integer push_fd, pulse_fd, laps_fd, upd_fd, event_fd;
  logic   rst_q, irq_q;
  logic [31:0] laps_since, upd_since;
  logic [32*19-1:0] push_record;
  logic [32*3-1:0]  pulse_record;
  logic [32*5-1:0]  laps_record;
  logic [32*10-1:0] upd_record;

  ts_since u_laps_since (
    .clk_i, .rst_ni, .cycle_i, .valid_i(laps_valid_i), .ready_i(laps_ready_i), .since_o(laps_since)
  );
  ts_since u_upd_since (
    .clk_i, .rst_ni, .cycle_i, .valid_i(upd_valid_i), .ready_i(upd_ready_i), .since_o(upd_since)
  );

  initial begin
    push_fd  = $fopen("push.bin", "wb");
    pulse_fd = $fopen("pulse.bin", "wb");
    laps_fd  = $fopen("laps.bin", "wb");
    upd_fd   = $fopen("upd.bin", "wb");
    event_fd = $fopen("regs_event.bin", "wb");
    rst_q = 1'b0;
    irq_q = 1'b0;
  end

  always @(posedge clk_i) begin
    rst_q <= rst_ni;
    if (rst_ni != rst_q) $fwrite(event_fd, "%u%u", cycle_i, {EvReset, 23'd0, rst_ni});
    if (rst_ni) begin
      irq_q <= irq_i;
      if (irq_i != irq_q) $fwrite(event_fd, "%u%u", cycle_i, {EvIrq, 23'd0, irq_i});
      /* verilator lint_off BLKSEQ */
      if (push_valid_i) begin
        push_record = {push_cmd_i, 24'd0, push_id_i, 30'd0, push_engine_i, cycle_i};
        `TS_TRACE(push_fd, push_record, 19)
      end
      if (seed_valid_i) begin
        pulse_record = {seed_i, 32'd0, cycle_i};
        `TS_TRACE(pulse_fd, pulse_record, 3)
      end
      if (step_i) begin
        pulse_record = {32'd0, 32'd1, cycle_i};
        `TS_TRACE(pulse_fd, pulse_record, 3)
      end
      if (run_valid_i) begin
        pulse_record = {run_id_i, 8'd0, run_count_i, 32'd2, cycle_i};
        `TS_TRACE(pulse_fd, pulse_record, 3)
      end
      if (laps_valid_i && laps_ready_i) begin
        laps_record = {laps_write_i ? laps_wdata_i : 32'd0, 20'd0, laps_addr_i, 31'd0, laps_write_i, laps_since,
                       cycle_i};
        `TS_TRACE(laps_fd, laps_record, 5)
      end
      if (upd_valid_i && upd_ready_i) begin
        upd_record = {16'd0, upd_sum_abs_i, 26'd0, upd_max_bit_i, upd_zeros_i, upd_overflow_i, upd_values_i,
                      30'd0, upd_class_i, 24'd0, upd_layer_i, upd_since, cycle_i};
        `TS_TRACE(upd_fd, upd_record, 10)
      end
      /* verilator lint_on BLKSEQ */
    end else begin
      irq_q <= 1'b0;
    end
    if (flush_i) begin
      $fflush(push_fd);
      $fflush(pulse_fd);
      $fflush(laps_fd);
      $fflush(upd_fd);
      $fflush(event_fd);
    end
  end
endmodule
