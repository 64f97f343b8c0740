// verilog_syntax: parse-as-module-body
// Binary trace of what happens to descriptors of a pair between its port and its parts (docs/bench.md, Traces): items of a scope in which
// `GEMM(name) is a port of the pair, or a part of it.
//
// gemm_event.bin: {cycle, kind and data} a record: 1 answer (data: code), 2 transfer to the RAN, 3 transfer to the IOSS core, 6 new value
// of busy_o.
if (1) begin : gen_gemm_trace
  `TS_EVENT_FILE("gemm_event", 2)
  `TS_LEVEL(busy)
  always @(posedge clk_i) begin
    `TS_EVENT_LEVEL(busy, 8'd6, `GEMM(busy_o))
    `TS_EVENT(`GEMM(rsp_valid_o), 8'd1, `GEMM(rsp_code_o))
    `TS_EVENT(`GEMM(u_ran.desc_valid_i) && `GEMM(u_ran.desc_ready_o), 8'd2, 24'd0)
    `TS_EVENT(`GEMM(u_ioss.desc_valid_i) && `GEMM(u_ioss.desc_ready_o), 8'd3, 24'd0)
  end
end
