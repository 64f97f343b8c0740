// Test bench of the processor's registers: AXI4-Lite port and register file, with a source of engine events, and stubs of LAPS' register port,
// of the pairs' counters, of the records and of the plan table (tb/regs/events.py has the stubs' answers).
`include "ts_axil.svh"
`include "ts_bench.svh"
`include "ts_trace.svh"
module tb_regs
  import top_pkg::upd_t, ts_axil_pkg::axil_req_t, ts_axil_pkg::axil_rsp_t;
#(
  parameter int Cores = 1,
  parameter int Layers = 16
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        trace_i,        // every trace is a record a transaction: nothing to leave out
  input  logic        flush_i,        // write everything out

  input  logic        axil_awvalid_i,
  output logic        axil_awready_o,
  input  logic [15:0] axil_awaddr_i,
  input  logic        axil_wvalid_i,
  output logic        axil_wready_o,
  input  logic [31:0] axil_wdata_i,
  input  logic [3:0]  axil_wstrb_i,
  output logic        axil_bvalid_o,
  input  logic        axil_bready_i,
  output logic [1:0]  axil_bresp_o,
  input  logic        axil_arvalid_i,
  output logic        axil_arready_o,
  input  logic [15:0] axil_araddr_i,
  output logic        axil_rvalid_o,
  input  logic        axil_rready_i,
  output logic [31:0] axil_rdata_o,
  output logic [1:0]  axil_rresp_o,

  input  logic [31:0] event_credit_i,
  output logic [31:0] event_played_o,
  input  logic [31:0] laps_ready_credit_i,
  input  logic [31:0] upd_ready_credit_i,

  output logic [31:0] cycle_o,
  output logic        quiet_o         // nothing to play, nothing in the device (ts_quiet)
);
  `TS_CYCLE
  `include "regs_ports.svh"

  // ---- events of the engines, levels ----------------
  logic event_valid;
  logic [3:0]  unused_event;
  logic [86:0] levels, levels_q;
  logic [2:0]  done, fail;
  logic        change, upd_rsp;
  `TS_SOURCE_ON(event, 21, event_valid, 1'b1)
  assign {unused_event, levels, upd_rsp_events_i, upd_rsp_n_i, upd_rsp_fl_i, upd_rsp_code_i, fail_id_i, fail_detail_i,
          fail_code_i, change, upd_rsp, fail, done} = event_payload;
  assign done_valid_i = event_valid ? done : '0;
  assign fail_valid_i = event_valid ? fail : '0;
  assign upd_rsp_valid_i = event_valid && upd_rsp;
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) levels_q <= '0;
    else if (event_valid && change) levels_q <= levels;
  end
  logic [31:0] pattern_q;
  assign {run_left_i, pattern_q, push_full_i, done_i, queued_i, busy_i} = levels_q;

  // ---- device ----------------
  top_axil u_axil (
    .req_valid_o(req_valid_i),
    .req_ready_i(req_ready_o),
    .req_write_o(req_write_i),
    .req_addr_o (req_addr_i),
    .req_wdata_o(req_wdata_i),
    .rsp_valid_i(rsp_valid_o),
    .rsp_code_i (rsp_code_o),
    .rsp_data_i (rsp_data_o),
    .*
  );
  top_regs #(
    .Cores (Cores),
    .Layers(Layers)
  ) dut (
    .*
  );

  // ---- stubs ----------------
  `TS_SINK_ON(laps_ready, laps_ready_i)
  `TS_SINK_ON(upd_ready, upd_ready_i)
  for (genvar k = 0; k < 6; k++) begin : gen_stat
    assign stat_i[32*k +: 32] = pattern_q ^ (32'h0101_0101 * (k + 1));
  end
  for (genvar k = 0; k < 8; k++) begin : gen_opt_stat
    assign opt_stat_i[32*k +: 32] = ~pattern_q ^ (32'h1010_1010 * (k + 1));
  end
  assign plan_data_i = pattern_q ^ {plan_addr_o, 5'd0, plan_addr_o, 6'd0, plan_addr_o};
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      laps_rsp_valid_i <= 1'b0;
      laps_rsp_code_i <= '0;
      laps_rsp_data_i <= '0;
    end else begin
      laps_rsp_valid_i <= laps_valid_o && laps_ready_i;
      laps_rsp_code_i <=
          (laps_addr_o[11:10] == 2'd3) ? 2'd1 : (laps_write_o && laps_wdata_o[31:30] == 2'd3) ? 2'd2 : 2'd0;
      laps_rsp_data_i <= (laps_write_o || laps_addr_o[11:10] == 2'd3) ? '0 : {laps_addr_o, 8'hc3, laps_addr_o};
    end
  end
  for (genvar c = 0; c < Cores; c++) begin : gen_counters
    always @(posedge clk_i) ctr_data_i[32*c +: 32] <= {8'(160 + c), 14'd0, ctr_addr_o ^ 10'h155};
  end

  // ---- traces and checks ----------------
  axil_req_t axil_req;
  axil_rsp_t axil_rsp;
  assign axil_req = `TS_AXIL_REQ;
  assign axil_rsp = `TS_AXIL_RSP;
  ts_axil_trace u_axil_trace (.clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .req_i(axil_req), .rsp_i(axil_rsp));
  `TS_CHECK(laps, 13, {laps_write_o, laps_addr_o})
  `TS_CHECK(upd, 160, upd_o)
  `TS_CHECK_ON(push, 522, push_valid_o, 1'b1, {push_engine_o, push_id_o, push_cmd_o})
  `TS_CHECK_ON(pulse, 59, 1'b1, 1'b1, {run_valid_o, run_id_o, run_count_o, step_o, seed_valid_o, seed_o})
  localparam Place = ".";
  `include "regs_trace.svh"

  // ---- end of work ----------------
  logic unused;
  assign unused = trace_i ^ (^unused_event);
  `TS_QUIET(`TS_PLAYING(event, event_valid) || upd_valid_o || axil_awvalid_i || axil_wvalid_i || axil_arvalid_i ||
            axil_bvalid_o || axil_rvalid_o || req_valid_i || rsp_valid_o || push_valid_o || step_o || seed_valid_o ||
            run_valid_o)
endmodule
