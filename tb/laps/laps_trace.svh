// verilog_syntax: parse-as-module-body
// Binary traces of LAPS' boundaries (docs/bench.md, Traces): items of a scope that has `Place`, and in which `LAPS(port) is a port of LAPS.
// Little-endian 32-bit words, written while rst_ni is high.
//   reg_rsp.bin  a record an answer: cycle, code, data
//   upd_rsp.bin  cycle, code, fl, n, events
//   obs.bin      an accepted update: cycle, entry (2 words), mean (sign-extended), tolerance, over
//   ord_rsp.bin  cycle, code, order, shift (sign-extended), n and fl of x, w, y
//   laps_event.bin  {cycle, kind and data} a record: 5 new value of rst_ni, 6 new value of busy_o
if (1) begin : gen_laps_trace
  `TS_FILE(reg_rsp, "reg_rsp", 3)
  `TS_FILE(upd_rsp, "upd_rsp", 5)
  `TS_FILE(ord_rsp, "ord_rsp", 10)
  `TS_FILE(obs, "obs", 6)
  `TS_EVENT_FILE("laps_event", 2)
  `TS_LEVEL(busy)

  function automatic logic [31:0] wide_fl(input logic [7:0] fl);
    wide_fl = {{24{fl[7]}}, fl};
  endfunction

  always @(posedge clk_i) begin
    `TS_EVENT_RESET
    `TS_EVENT_LEVEL(busy, 8'd6, `LAPS(busy_o))
    `TS_RECORD(reg_rsp, `LAPS(reg_rsp_valid_o), {`LAPS(reg_rsp_data_o), 32'(`LAPS(reg_rsp_code_o)), cycle_q})
    `TS_RECORD(upd_rsp, `LAPS(upd_rsp_valid_o),
               {32'(`LAPS(upd_rsp_events_o)), 32'(`LAPS(upd_rsp_n_o)), wide_fl(`LAPS(upd_rsp_fl_o)),
                32'(`LAPS(upd_rsp_code_o)), cycle_q})
    `TS_RECORD(ord_rsp, `LAPS(ord_rsp_valid_o),
               {wide_fl(`LAPS(ord_rsp_fl_o)[23:16]), wide_fl(`LAPS(ord_rsp_fl_o)[15:8]),
                wide_fl(`LAPS(ord_rsp_fl_o)[7:0]), 32'(`LAPS(ord_rsp_n_o)[8:6]), 32'(`LAPS(ord_rsp_n_o)[5:3]),
                32'(`LAPS(ord_rsp_n_o)[2:0]), {22{`LAPS(ord_rsp_shift_o)[9]}}, `LAPS(ord_rsp_shift_o),
                32'(`LAPS(ord_rsp_order_o)), 32'(`LAPS(ord_rsp_code_o)), cycle_q})
    `TS_RECORD(obs, `LAPS(obs_valid_o),
               {32'(`LAPS(obs_over_o)), 32'(`LAPS(obs_tolerance_o)), {16{`LAPS(obs_mean_o)[15]}}, `LAPS(obs_mean_o),
                64'(`LAPS(obs_entry_o)), cycle_q})
  end
end
