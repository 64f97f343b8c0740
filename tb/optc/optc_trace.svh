// verilog_syntax: parse-as-module-body
// Binary traces of the OPTC's boundaries (docs/bench.md, Traces): items of a scope that has Lanes and `Place`, and in which `OPTC(port) is a
// port of the core. Little-endian 32-bit words, written while rst_ni is high.
//   moment.bin  a record a beat that moves on from the stage: cycle, m' and v' of every lane
//   denom.bin   cycle, {exponent, mantissa} of every lane
//   update.bin  cycle, u of every lane
//   out.bin     a record a transfer: cycle of valid, cycle, last, w', m', v', copy, a word a lane each
//   stat.bin    a record a transfer: cycle of valid, cycle, values, 6 counts, 3 bit lengths
//   optc_event.bin  {cycle, kind and data} a record: 1 answer (data: code), 5 new value of rst_ni, 6 new value of busy_o
if (1) begin : gen_optc_trace
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

  `TS_FILE(moment, "moment", 1 + 2 * Lanes)
  `TS_FILE(denom, "denom", 1 + Lanes)
  `TS_FILE(update, "update", 1 + Lanes)
  `TS_FILE(out, "out", 3 + 4 * Lanes)
  `TS_FILE(stat, "stat", 12)
  `TS_EVENT_FILE("optc_event", 2)
  `TS_LEVEL(busy)
  `TS_SINCE(out, `OPTC(out_valid_o), `OPTC(out_ready_i))
  `TS_SINCE(stat, `OPTC(stat_valid_o), `OPTC(stat_ready_i))

  always @(posedge clk_i) begin
    `TS_EVENT_RESET
    `TS_EVENT_LEVEL(busy, 8'd6, `OPTC(busy_o))
    `TS_EVENT(`OPTC(rsp_valid_o), 8'd1, `OPTC(rsp_code_o))
    `TS_RECORD(moment, trace_i && `OPTC(obs_moment_valid_o), {`OPTC(obs_moment_o), cycle_q})
    `TS_RECORD(denom, trace_i && `OPTC(obs_denom_valid_o), {wide_denom(`OPTC(obs_denom_o)), cycle_q})
    `TS_RECORD(update, trace_i && `OPTC(obs_update_valid_o), {`OPTC(obs_update_o), cycle_q})
    `TS_RECORD(out, `OPTC(out_valid_o) && `OPTC(out_ready_i),
               {wide_copy(`OPTC(out_y_o)), `OPTC(out_v_o), `OPTC(out_m_o), `OPTC(out_w_o), 32'(`OPTC(out_last_o)),
                cycle_q, out_since})
    `TS_RECORD(stat, `OPTC(stat_valid_o) && `OPTC(stat_ready_i),
               {wide_stat(`OPTC(stat_counts_o), `OPTC(stat_bits_o)), 32'(`OPTC(stat_values_o)), cycle_q, stat_since})
  end
end
