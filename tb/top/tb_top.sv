// Test bench of the processor (docs/environment.md; docs/top/README.md): a host on AXI4-Lite, transactors on both streams, and inside the device a tap
// on every internal stream and a trace at every boundary, as the parts' own benches have them. Traces of core c lie in core<c>/, those of LAPS and the OPTC in
// laps/ and optc/.
//
//   m.bin     a record a word that left: cycle of valid, cycle, last, data (4)
//   cmd.bin   a record a command: cycle, {engine, code, detail, identifier}: when it was done
//   start.bin a record a command: cycle, {engine, 0, identifier}: when it started
//   top_event.bin  {cycle, kind and data}: 5 new value of rst_ni, 6 new value of busy_o
`include "ts_axil.svh"
`include "ts_bench.svh"
`include "ts_trace.svh"
`include "gemm_desc.svh"
`define GEMM(name) dut.gen_core[c].u_core.u_gemm.name
`define IOSS(port) `GEMM(u_ioss.port)
`define RAN(port) `GEMM(u_ran.port)
`define LAPS(port) dut.u_laps.port
`define OPTC(port) dut.u_opt.u_optc.port
module tb_top
  import ts_axil_pkg::axil_req_t, ts_axil_pkg::axil_rsp_t;
#(
  parameter int Cores = 1,
  parameter int Rows = 8,
  parameter int Depth = 128,
  parameter int AccW = 40,
  parameter int Banks = 2,
  parameter int Layers = 16,
  parameter int Unruly = 0        // 1: a host that keeps no rules, small buffers, nothing traced
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        trace_i,        // write what has lanes
  input  logic        flush_i,        // write everything out

  input  logic [31:0] host_credit_i,
  output logic [31:0] host_played_o,
  input  logic [31:0] s_credit_i,
  output logic [31:0] s_played_o,
  input  logic [31:0] m_credit_i,
  input  logic [31:0] go_i,           // unruly host: scripts that may be played, that were
  output logic [31:0] done_o,

  output logic [31:0] cycle_o,
  output logic        quiet_o         // nothing to play, nothing in the device (ts_quiet)
);
  `TS_CYCLE
  `include "top_ports.svh"

  // ---- host, streams ----------------
  axil_req_t axil_req;
  axil_rsp_t axil_rsp;
  logic      host_valid, rst_n, unruly_rst_n;
  assign `TS_AXIL_REQ = axil_req;
  assign axil_rsp = `TS_AXIL_RSP;
  assign rst_n = rst_ni && unruly_rst_n;
  if (Unruly == 0) begin : gen_host
    logic       host_ready;
    logic [6:0] unused_s;
    `TS_SOURCE_ON(host, 16, host_valid, host_ready)
    ts_axil_host u_host (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(host_valid), .ready_o(host_ready),
      .record_i(host_payload), .axil_o(axil_req), .axil_i(axil_rsp)
    );
    `TS_SOURCE_ON(s, 17, s_axis_tvalid_i, s_axis_tready_o)    // last, data
    assign {unused_s, s_axis_tlast_i, s_axis_tdata_i} = s_payload;
    `TS_SINK_ON(m, m_axis_tready_i)
    `TS_CHECK_ON(m, 129, m_axis_tvalid_o, m_axis_tready_i, {m_axis_tdata_o, m_axis_tlast_o})
    assign unruly_rst_n = 1'b1;
    assign done_o = '0;
  end else begin : gen_unruly
    ts_unruly_host u_host (
      .clk_i, .go_i, .done_o, .rst_no(unruly_rst_n), .axil_o(axil_req), .axil_i(axil_rsp),
      .s_valid_o(s_axis_tvalid_i), .s_ready_i(s_axis_tready_o), .s_data_o(s_axis_tdata_i), .s_last_o(s_axis_tlast_i),
      .m_valid_i(m_axis_tvalid_o), .m_ready_o(m_axis_tready_i), .m_data_i(m_axis_tdata_o), .m_last_i(m_axis_tlast_o),
      .busy_i(busy_o)
    );
    assign {host_valid, host_played_o, s_played_o} = '0;
  end

  trainslice_top #(
    .Cores (Cores),
    .Rows  (Rows),
    .Depth (Depth),
    .AccW  (AccW),
    .Banks (Banks),
    .Layers(Layers),
    .XWords((Unruly == 0) ? 8192 : 32),
    .WWords((Unruly == 0) ? 8192 : 128),
    .MWords((Unruly == 0) ? 1024 : 4),
    .YWords((Unruly == 0) ? 16384 : 64),
    .SWords((Unruly == 0) ? 4096 : 8)
  ) dut (
    .rst_ni(rst_n),
    .*
  );

  if (Unruly == 0) begin : gen_inside
  // ---- inside: the pairs ----------------
  for (genvar c = 0; c < Cores; c++) begin : gen_core
    localparam logic [39:0] Place = {"core", 8'(48 + c)};
    localparam int Lanes = top_pkg::Lanes;
    logic [127:0] desc;
    assign desc = 128'(`GEMM_DESC(`GEMM()));
    `TS_TAP(desc, 4, `GEMM(desc_valid_i), `GEMM(desc_ready_o), desc)
    `TS_TAP(tile, 5, `GEMM(tile_valid_i), `GEMM(tile_ready_o),
            {31'd0, `GEMM(tile_last_i), `GEMM(tile_data_i)})
    `TS_TAP(vec, 5, `GEMM(vec_valid_i), `GEMM(vec_ready_o),
            {15'd0, `GEMM(vec_last_i), `GEMM(vec_mask_i), `GEMM(vec_data_i)})
    `TS_TAP(bias, 5, `GEMM(bias_valid_i), `GEMM(bias_ready_o),
            {31'd0, `GEMM(bias_last_i), `GEMM(bias_data_i)})
    `TS_TAP(psum, 5, `GEMM(psum_valid_i), `GEMM(psum_ready_o),
            {31'd0, `GEMM(psum_last_i), `GEMM(psum_data_i)})
    `TS_TAP(req, 1, `GEMM(psum_req_valid_o), `GEMM(psum_req_ready_i), {16'd0, `GEMM(psum_req_tag_o)})
    `TS_TAP(out, 1, `GEMM(out_valid_o), `GEMM(out_ready_i), `GEMM(out_tag_o))
    `include "ioss_trace.svh"
    `include "ran_trace.svh"
    `include "gemm_trace.svh"
  end

  // ---- inside: LAPS ----------------
  if (1) begin : gen_laps
    localparam Place = "laps";
    `TS_TAP(reg, 2, `LAPS(reg_valid_i), `LAPS(reg_ready_o),
            {19'd0, `LAPS(reg_write_i), `LAPS(reg_addr_i), `LAPS(reg_wdata_i)})
    `TS_TAP(upd, 5, `LAPS(upd_valid_i), `LAPS(upd_ready_o),
            {`LAPS(upd_sum_abs_i), `LAPS(upd_max_bit_i), `LAPS(upd_zeros_i), `LAPS(upd_overflow_i),
             `LAPS(upd_values_i), `LAPS(upd_class_i), `LAPS(upd_layer_i)})
    `TS_TAP(ord, 2, `LAPS(ord_valid_i), `LAPS(ord_ready_o),
            {18'd0, `LAPS(ord_k_i), `LAPS(ord_y_i), `LAPS(ord_w_i), `LAPS(ord_x_i)})
    `TS_TAP(step, 1, `LAPS(step_i), 1'b1, cycle_q)
    `include "laps_trace.svh"
  end

  // ---- inside: OPTC ----------------
  if (1) begin : gen_optc
    localparam Place = "optc";
    localparam int Lanes = 4;
    `TS_TAP(cfg, 9, `OPTC(cfg_valid_i), `OPTC(cfg_ready_o), `OPTC(cfg_i))
    `TS_TAP(in, 16, `OPTC(in_valid_i), `OPTC(in_ready_o),
            {`OPTC(in_g_i), `OPTC(in_v_i), `OPTC(in_m_i), `OPTC(in_w_i)})
    `include "optc_trace.svh"
  end

  // ---- what left, commands that are done ----------------
  localparam Place = ".";
  `TS_FILE(m, "m", 7)
  `TS_FILE(cmd, "cmd", 2)
  `TS_FILE(start, "start", 2)
  `TS_EVENT_FILE("top_event", 2)
  `TS_LEVEL(busy)
  `TS_LEVEL(irq)
  `TS_SINCE(m, m_axis_tvalid_o, m_axis_tready_i)
  always @(posedge clk_i) begin
    `TS_EVENT_RESET
    `TS_EVENT_LEVEL(busy, 8'd6, busy_o)
    `TS_EVENT_LEVEL(irq, 8'd7, irq_o)
    `TS_RECORD(m, m_axis_tvalid_o && m_axis_tready_i, {m_axis_tdata_o, 32'(m_axis_tlast_o), cycle_q, m_since})
    for (int e = 0; e < 3; e++) begin
      `TS_RECORD(start, dut.cmd_valid[e] && !dut.busy[e], {6'd0, 2'(e), 16'd0, dut.ids[8*e +: 8], cycle_q})
      `TS_RECORD(cmd, dut.cmd_done[e],
                 {6'd0, 2'(e), 4'd0, dut.codes[4*e +: 4], 3'd0, dut.details[5*e +: 5], dut.ids[8*e +: 8], cycle_q})
    end
  end
  end

  // ---- end of work ----------------
  `TS_QUIET(busy_o || `TS_PLAYING(host, host_valid) || `TS_PLAYING(s, s_axis_tvalid_i))
endmodule
