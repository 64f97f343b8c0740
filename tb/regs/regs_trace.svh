// verilog_syntax: parse-as-module-body
// Binary traces of what leaves the register file (docs/bench.md, Traces): items of the bench, whose signals have the names of the file's ports.
// Little-endian 32-bit words, written while rst_ni is high.
//   push.bin   a record a push: cycle, engine, identifier, 16 words of the command
//   pulse.bin  cycle, kind (0 seed, 1 step, 2 run), seed, 0, or {identifier, 0, commands}
//   laps.bin   an access at LAPS' port: cycle of the transfer, of the offer, write, address, data of a write or 0
//   upd.bin    an update taken: cycle of the transfer, of the offer, layer, class, values, overflow, zeros, max_bit, sum_abs (2 words)
//   regs_event.bin  {cycle, kind and data} a record: 5 new value of rst_ni, 7 new value of irq_o
if (1) begin : gen_regs_trace
  `TS_FILE(push, "push", 19)
  `TS_FILE(pulse, "pulse", 3)
  `TS_FILE(laps, "laps", 5)
  `TS_FILE(upd, "upd", 10)
  `TS_EVENT_FILE("regs_event", 2)
  `TS_LEVEL(irq)
  `TS_SINCE(laps, laps_valid_o, laps_ready_i)
  `TS_SINCE(upd, upd_valid_o, upd_ready_i)

  always @(posedge clk_i) begin
    `TS_EVENT_RESET
    `TS_EVENT_LEVEL(irq, 8'd7, irq_o)
    `TS_RECORD(push, push_valid_o, {push_cmd_o, 32'(push_id_o), 32'(push_engine_o), cycle_q})
    `TS_RECORD(pulse, seed_valid_o, {seed_o, 32'd0, cycle_q})
    `TS_RECORD(pulse, step_o, {32'd0, 32'd1, cycle_q})
    `TS_RECORD(pulse, run_valid_o, {run_id_o, 8'd0, run_count_o, 32'd2, cycle_q})
    `TS_RECORD(laps, laps_valid_o && laps_ready_i,
               {laps_write_o ? laps_wdata_o : 32'd0, 32'(laps_addr_o), 32'(laps_write_o), laps_since, cycle_q})
    `TS_RECORD(upd, upd_valid_o && upd_ready_i,
               {64'(upd_o.sum_abs), 32'(upd_o.max_bit), upd_o.zeros, upd_o.overflow, upd_o.values, 32'(upd_o.cls),
                32'(upd_o.layer), upd_since, cycle_q})
  end
end
