// Test bench of the processor (docs/environment.md; docs/top/README.md): a host on AXI4-Lite, transactors on both streams, and inside the device a tap
// on every internal stream and a trace at every boundary, as the parts' own benches have them. Traces of core c lie in core<c>/, those of LAPS and the OPTC in
// laps/ and optc/.
//
//   m.bin     a record a word that left: cycle of valid, cycle, last, data (4)
//   cmd.bin   a record a command: cycle, {engine, code, detail, identifier}: when it was done
//   start.bin a record a command: cycle, {engine, 0, identifier}: when it started
//   top_event.bin  {cycle, kind and data}: 5 new value of rst_ni, 6 new value of busy_o
module tb_top #(
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
  logic [31:0] cycle_q;
  initial cycle_q = 0;
  always @(posedge clk_i) cycle_q <= cycle_q + 1;
  assign cycle_o = cycle_q;

  // ---- host, streams ----------------
  logic         host_valid, host_ready, s_valid, s_ready, m_valid, m_ready, m_last, irq, busy;
  logic [127:0] host_record, m_data;
  logic [135:0] s_payload;            // last, data
  logic         awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
  logic [15:0]  awaddr, araddr;
  logic [31:0]  wdata, rdata;
  logic [3:0]   wstrb;
  logic [1:0]   bresp, rresp;
  logic         rst_n, unruly_rst_n;
  assign rst_n = rst_ni && unruly_rst_n;
  if (Unruly == 0) begin : gen_host
    ts_source #(.Name("host"), .PayloadBytes(16)) u_host_source (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(host_credit_i), .played_o(host_played_o),
      .valid_o(host_valid), .ready_i(host_ready), .payload_o(host_record)
    );
    ts_axil_host u_host (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(host_valid), .ready_o(host_ready), .record_i(host_record),
      .awvalid_o(awvalid), .awready_i(awready), .awaddr_o(awaddr), .wvalid_o(wvalid), .wready_i(wready),
      .wdata_o(wdata), .wstrb_o(wstrb), .bvalid_i(bvalid), .bready_o(bready), .bresp_i(bresp),
      .arvalid_o(arvalid), .arready_i(arready), .araddr_o(araddr), .rvalid_i(rvalid), .rready_o(rready),
      .rdata_i(rdata), .rresp_i(rresp)
    );
    ts_source #(.Name("s"), .PayloadBytes(17)) u_s_source (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(s_credit_i), .played_o(s_played_o),
      .valid_o(s_valid), .ready_i(s_ready), .payload_o(s_payload)
    );
    ts_sink #(.Name("m"), .Index(0)) u_m_sink (
      .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(m_credit_i), .ready_o(m_ready)
    );
    ts_stream_check #(.PayloadW(129)) u_m_check (
      .clk_i, .rst_ni, .valid_i(m_valid), .ready_i(m_ready), .payload_i({m_data, m_last})
    );
    assign unruly_rst_n = 1'b1;
    assign done_o = '0;
  end else begin : gen_unruly
    ts_unruly_host u_host (
      .clk_i, .go_i, .done_o, .rst_no(unruly_rst_n),
      .awvalid_o(awvalid), .awready_i(awready), .awaddr_o(awaddr), .wvalid_o(wvalid), .wready_i(wready),
      .wdata_o(wdata), .wstrb_o(wstrb), .bvalid_i(bvalid), .bready_o(bready), .bresp_i(bresp),
      .arvalid_o(arvalid), .arready_i(arready), .araddr_o(araddr), .rvalid_i(rvalid), .rready_o(rready),
      .rdata_i(rdata), .rresp_i(rresp), .s_valid_o(s_valid), .s_ready_i(s_ready), .s_data_o(s_payload[127:0]),
      .s_last_o(s_payload[128]), .m_valid_i(m_valid), .m_ready_o(m_ready), .m_data_i(m_data), .m_last_i(m_last),
      .busy_i(busy)
    );
    assign {host_valid, host_ready, host_record, s_payload[135:129], host_played_o, s_played_o} = '0;
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
    .clk_i, .rst_ni(rst_n),
    .axil_awvalid_i (awvalid),
    .axil_awready_o (awready),
    .axil_awaddr_i  (awaddr),
    .axil_wvalid_i  (wvalid),
    .axil_wready_o  (wready),
    .axil_wdata_i   (wdata),
    .axil_wstrb_i   (wstrb),
    .axil_bvalid_o  (bvalid),
    .axil_bready_i  (bready),
    .axil_bresp_o   (bresp),
    .axil_arvalid_i (arvalid),
    .axil_arready_o (arready),
    .axil_araddr_i  (araddr),
    .axil_rvalid_o  (rvalid),
    .axil_rready_i  (rready),
    .axil_rdata_o   (rdata),
    .axil_rresp_o   (rresp),
    .s_axis_tvalid_i(s_valid),
    .s_axis_tready_o(s_ready),
    .s_axis_tdata_i (s_payload[127:0]),
    .s_axis_tlast_i (s_payload[128]),
    .m_axis_tvalid_o(m_valid),
    .m_axis_tready_i(m_ready),
    .m_axis_tdata_o (m_data),
    .m_axis_tlast_o (m_last),
    .irq_o          (irq),
    .busy_o         (busy)
  );

  if (Unruly == 0) begin : gen_inside
  // ---- inside: the pairs ----------------
  for (genvar c = 0; c < Cores; c++) begin : gen_core
    localparam logic [39:0] Place = {"core", 8'(48 + c)};
    logic [127:0] desc;
    assign desc = {24'd0, dut.gen_core[c].u_core.u_gemm.desc_draw_i, dut.gen_core[c].u_core.u_gemm.desc_stat_last_i,
                   dut.gen_core[c].u_core.u_gemm.desc_lanes_i,
                   dut.gen_core[c].u_core.u_gemm.desc_start_i, dut.gen_core[c].u_core.u_gemm.desc_shift_i,
                   dut.gen_core[c].u_core.u_gemm.desc_rand_bits_i, dut.gen_core[c].u_core.u_gemm.desc_round_i,
                   dut.gen_core[c].u_core.u_gemm.desc_relu_i, dut.gen_core[c].u_core.u_gemm.desc_y_unsigned_i,
                   dut.gen_core[c].u_core.u_gemm.desc_y_bits_i, dut.gen_core[c].u_core.u_gemm.desc_n_jobs_i,
                   dut.gen_core[c].u_core.u_gemm.desc_k_len_i, dut.gen_core[c].u_core.u_gemm.desc_reduce_factor_i,
                   dut.gen_core[c].u_core.u_gemm.desc_x_unsigned_i, dut.gen_core[c].u_core.u_gemm.desc_w_unsigned_i,
                   dut.gen_core[c].u_core.u_gemm.desc_compensate_i, dut.gen_core[c].u_core.u_gemm.desc_x_slices_i,
                   dut.gen_core[c].u_core.u_gemm.desc_w_slices_i, dut.gen_core[c].u_core.u_gemm.desc_min_order_i};
    ts_tap #(.Place(Place), .Name("desc"), .Words(4)) u_desc_tap (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.gen_core[c].u_core.u_gemm.desc_valid_i),
      .ready_i(dut.gen_core[c].u_core.u_gemm.desc_ready_o), .payload_i(desc)
    );
    ts_tap #(.Place(Place), .Name("tile"), .Words(5)) u_tile_tap (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.gen_core[c].u_core.u_gemm.tile_valid_i),
      .ready_i(dut.gen_core[c].u_core.u_gemm.tile_ready_o),
      .payload_i({31'd0, dut.gen_core[c].u_core.u_gemm.tile_last_i, dut.gen_core[c].u_core.u_gemm.tile_data_i})
    );
    ts_tap #(.Place(Place), .Name("vec"), .Words(5)) u_vec_tap (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.gen_core[c].u_core.u_gemm.vec_valid_i),
      .ready_i(dut.gen_core[c].u_core.u_gemm.vec_ready_o),
      .payload_i({15'd0, dut.gen_core[c].u_core.u_gemm.vec_last_i, dut.gen_core[c].u_core.u_gemm.vec_mask_i,
                  dut.gen_core[c].u_core.u_gemm.vec_data_i})
    );
    ts_tap #(.Place(Place), .Name("bias"), .Words(5)) u_bias_tap (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.gen_core[c].u_core.u_gemm.bias_valid_i),
      .ready_i(dut.gen_core[c].u_core.u_gemm.bias_ready_o),
      .payload_i({31'd0, dut.gen_core[c].u_core.u_gemm.bias_last_i, dut.gen_core[c].u_core.u_gemm.bias_data_i})
    );
    ts_tap #(.Place(Place), .Name("psum"), .Words(5)) u_psum_tap (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.gen_core[c].u_core.u_gemm.psum_valid_i),
      .ready_i(dut.gen_core[c].u_core.u_gemm.psum_ready_o),
      .payload_i({31'd0, dut.gen_core[c].u_core.u_gemm.psum_last_i, dut.gen_core[c].u_core.u_gemm.psum_data_i})
    );
    ts_tap #(.Place(Place), .Name("req"), .Words(1)) u_req_tap (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.gen_core[c].u_core.u_gemm.psum_req_valid_o),
      .ready_i(dut.gen_core[c].u_core.u_gemm.psum_req_ready_i),
      .payload_i({16'd0, dut.gen_core[c].u_core.u_gemm.psum_req_tag_o})
    );
    ts_tap #(.Place(Place), .Name("out"), .Words(1)) u_out_tap (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.gen_core[c].u_core.u_gemm.out_valid_o),
      .ready_i(dut.gen_core[c].u_core.u_gemm.out_ready_i), .payload_i(dut.gen_core[c].u_core.u_gemm.out_tag_o)
    );
    ioss_trace #(
      .Place(Place),
      .Rows (Rows),
      .Lanes(top_pkg::Lanes)
    ) u_ioss_trace (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .trace_i, .flush_i,
      .rsp_valid_i(dut.gen_core[c].u_core.u_gemm.u_ioss.rsp_valid_o),
      .rsp_code_i(dut.gen_core[c].u_core.u_gemm.u_ioss.rsp_code_o),
      .tile_err_i(dut.gen_core[c].u_core.u_gemm.u_ioss.tile_err_o),
      .job_err_valid_i(dut.gen_core[c].u_core.u_gemm.u_ioss.job_err_valid_o),
      .job_err_code_i(dut.gen_core[c].u_core.u_gemm.u_ioss.job_err_code_o),
      .job_err_tag_i(dut.gen_core[c].u_core.u_gemm.u_ioss.job_err_tag_o),
      .byp_valid_i(dut.gen_core[c].u_core.u_gemm.u_ioss.byp_valid_o),
      .byp_ready_i(dut.gen_core[c].u_core.u_gemm.u_ioss.byp_ready_i),
      .byp_tag_i(dut.gen_core[c].u_core.u_gemm.u_ioss.byp_tag_o),
      .byp_mask_i(dut.gen_core[c].u_core.u_gemm.u_ioss.byp_mask_o),
      .prod_valid_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_valid_o),
      .prod_ready_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_ready_i),
      .prod_data_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_data_o),
      .prod_order_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_order_o),
      .prod_last_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_last_o),
      .prod_null_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_null_o),
      .prod_bank_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_bank_o),
      .prod_tag_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_tag_o),
      .prod_mask_i(dut.gen_core[c].u_core.u_gemm.u_ioss.prod_mask_o),
      .issue_valid_i(dut.gen_core[c].u_core.u_gemm.u_ioss.issue_valid_o),
      .issue_null_i(dut.gen_core[c].u_core.u_gemm.u_ioss.issue_null_o),
      .issue_k_i(dut.gen_core[c].u_core.u_gemm.u_ioss.issue_k_o),
      .issue_i_i(dut.gen_core[c].u_core.u_gemm.u_ioss.issue_i_o),
      .issue_j_i(dut.gen_core[c].u_core.u_gemm.u_ioss.issue_j_o),
      .issue_x_i(dut.gen_core[c].u_core.u_gemm.u_ioss.issue_x_o),
      .issue_tag_i(dut.gen_core[c].u_core.u_gemm.u_ioss.issue_tag_o),
      .busy_i(dut.gen_core[c].u_core.u_gemm.u_ioss.busy_o)
    );
    ran_trace #(
      .Place(Place),
      .Rows (Rows),
      .Lanes(top_pkg::Lanes),
      .AccW (AccW)
    ) u_ran_trace (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .trace_i, .flush_i,
      .rsp_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.rsp_valid_o),
      .rsp_code_i(dut.gen_core[c].u_core.u_gemm.u_ran.rsp_code_o),
      .bias_err_i(dut.gen_core[c].u_core.u_gemm.u_ran.bias_err_o),
      .psum_err_i(dut.gen_core[c].u_core.u_gemm.u_ran.psum_err_o),
      .busy_i(dut.gen_core[c].u_core.u_gemm.u_ran.busy_o),
      .shift_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_shift_valid_o),
      .shift_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_shift_o),
      .tree_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_tree_valid_o),
      .tree_bank_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_tree_bank_o),
      .tree_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_tree_o),
      .swap_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_swap_valid_o),
      .swap_byp_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_swap_byp_o),
      .swap_entry_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_swap_entry_o),
      .swap_bank_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_swap_bank_o),
      .swap_tag_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_swap_tag_o),
      .swap_acc_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_swap_acc_o),
      .quant_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_quant_valid_o),
      .quant_tag_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_quant_tag_o),
      .quant_z_i(dut.gen_core[c].u_core.u_gemm.u_ran.obs_quant_z_o),
      .job_stat_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.job_stat_valid_o),
      .job_stat_overflow_i(dut.gen_core[c].u_core.u_gemm.u_ran.job_stat_overflow_o),
      .job_stat_zeros_i(dut.gen_core[c].u_core.u_gemm.u_ran.job_stat_zeros_o),
      .job_stat_max_bit_i(dut.gen_core[c].u_core.u_gemm.u_ran.job_stat_max_bit_o),
      .job_stat_sum_abs_i(dut.gen_core[c].u_core.u_gemm.u_ran.job_stat_sum_abs_o),
      .out_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.out_valid_o),
      .out_ready_i(dut.gen_core[c].u_core.u_gemm.u_ran.out_ready_i),
      .out_data_i(dut.gen_core[c].u_core.u_gemm.u_ran.out_data_o),
      .out_last_i(dut.gen_core[c].u_core.u_gemm.u_ran.out_last_o),
      .out_bits_i(dut.gen_core[c].u_core.u_gemm.u_ran.out_bits_o),
      .out_jobs_i(dut.gen_core[c].u_core.u_gemm.u_ran.out_jobs_o),
      .out_tag_i(dut.gen_core[c].u_core.u_gemm.u_ran.out_tag_o),
      .out_mask_i(dut.gen_core[c].u_core.u_gemm.u_ran.out_mask_o),
      .stat_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.stat_valid_o),
      .stat_ready_i(dut.gen_core[c].u_core.u_gemm.u_ran.stat_ready_i),
      .stat_values_i(dut.gen_core[c].u_core.u_gemm.u_ran.stat_values_o),
      .stat_overflow_i(dut.gen_core[c].u_core.u_gemm.u_ran.stat_overflow_o),
      .stat_zeros_i(dut.gen_core[c].u_core.u_gemm.u_ran.stat_zeros_o),
      .stat_max_bit_i(dut.gen_core[c].u_core.u_gemm.u_ran.stat_max_bit_o),
      .stat_sum_abs_i(dut.gen_core[c].u_core.u_gemm.u_ran.stat_sum_abs_o),
      .req_valid_i(dut.gen_core[c].u_core.u_gemm.u_ran.psum_req_valid_o),
      .req_ready_i(dut.gen_core[c].u_core.u_gemm.u_ran.psum_req_ready_i),
      .req_tag_i(dut.gen_core[c].u_core.u_gemm.u_ran.psum_req_tag_o)
    );
    gemm_trace #(
      .Place(Place)
    ) u_gemm_trace (
      .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .busy_i(dut.gen_core[c].u_core.u_gemm.busy_o),
      .rsp_valid_i(dut.gen_core[c].u_core.u_gemm.rsp_valid_o),
      .rsp_code_i(dut.gen_core[c].u_core.u_gemm.rsp_code_o),
      .ran_take_i(dut.gen_core[c].u_core.u_gemm.u_ran.desc_valid_i &&
                  dut.gen_core[c].u_core.u_gemm.u_ran.desc_ready_o),
      .ioss_take_i(dut.gen_core[c].u_core.u_gemm.u_ioss.desc_valid_i &&
                   dut.gen_core[c].u_core.u_gemm.u_ioss.desc_ready_o)
    );
  end

  // ---- inside: LAPS ----------------
  ts_tap #(.Place("laps"), .Name("reg"), .Words(2)) u_reg_tap (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.u_laps.reg_valid_i), .ready_i(dut.u_laps.reg_ready_o),
    .payload_i({19'd0, dut.u_laps.reg_write_i, dut.u_laps.reg_addr_i, dut.u_laps.reg_wdata_i})
  );
  ts_tap #(.Place("laps"), .Name("upd"), .Words(5)) u_upd_tap (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.u_laps.upd_valid_i), .ready_i(dut.u_laps.upd_ready_o),
    .payload_i({dut.u_laps.upd_sum_abs_i, dut.u_laps.upd_max_bit_i, dut.u_laps.upd_zeros_i, dut.u_laps.upd_overflow_i,
                dut.u_laps.upd_values_i, dut.u_laps.upd_class_i, dut.u_laps.upd_layer_i})
  );
  ts_tap #(.Place("laps"), .Name("ord"), .Words(2)) u_ord_tap (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.u_laps.ord_valid_i), .ready_i(dut.u_laps.ord_ready_o),
    .payload_i({18'd0, dut.u_laps.ord_k_i, dut.u_laps.ord_y_i, dut.u_laps.ord_w_i, dut.u_laps.ord_x_i})
  );
  ts_tap #(.Place("laps"), .Name("step"), .Words(1)) u_step_tap (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.u_laps.step_i), .ready_i(1'b1), .payload_i(cycle_q)
  );
  laps_trace #(
    .Place("laps")
  ) u_laps_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .busy_i(dut.u_laps.busy_o),
    .reg_rsp_valid_i(dut.u_laps.reg_rsp_valid_o), .reg_rsp_code_i(dut.u_laps.reg_rsp_code_o),
    .reg_rsp_data_i(dut.u_laps.reg_rsp_data_o), .upd_rsp_valid_i(dut.u_laps.upd_rsp_valid_o),
    .upd_rsp_code_i(dut.u_laps.upd_rsp_code_o), .upd_rsp_fl_i(dut.u_laps.upd_rsp_fl_o),
    .upd_rsp_n_i(dut.u_laps.upd_rsp_n_o), .upd_rsp_events_i(dut.u_laps.upd_rsp_events_o),
    .ord_rsp_valid_i(dut.u_laps.ord_rsp_valid_o), .ord_rsp_code_i(dut.u_laps.ord_rsp_code_o),
    .ord_rsp_order_i(dut.u_laps.ord_rsp_order_o), .ord_rsp_shift_i(dut.u_laps.ord_rsp_shift_o),
    .ord_rsp_n_i(dut.u_laps.ord_rsp_n_o), .ord_rsp_fl_i(dut.u_laps.ord_rsp_fl_o),
    .obs_valid_i(dut.u_laps.obs_valid_o), .obs_entry_i(dut.u_laps.obs_entry_o), .obs_mean_i(dut.u_laps.obs_mean_o),
    .obs_tolerance_i(dut.u_laps.obs_tolerance_o), .obs_over_i(dut.u_laps.obs_over_o)
  );

  // ---- inside: OPTC ----------------
  ts_tap #(.Place("optc"), .Name("cfg"), .Words(9)) u_cfg_tap (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.u_opt.u_optc.cfg_valid_i),
    .ready_i(dut.u_opt.u_optc.cfg_ready_o), .payload_i(dut.u_opt.u_optc.cfg_i)
  );
  ts_tap #(.Place("optc"), .Name("in"), .Words(16)) u_in_tap (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .valid_i(dut.u_opt.u_optc.in_valid_i),
    .ready_i(dut.u_opt.u_optc.in_ready_o),
    .payload_i({dut.u_opt.u_optc.in_g_i, dut.u_opt.u_optc.in_v_i, dut.u_opt.u_optc.in_m_i, dut.u_opt.u_optc.in_w_i})
  );
  optc_trace #(
    .Place("optc"),
    .Lanes(4)
  ) u_optc_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .trace_i, .flush_i,
    .rsp_valid_i(dut.u_opt.u_optc.rsp_valid_o), .rsp_code_i(dut.u_opt.u_optc.rsp_code_o),
    .busy_i(dut.u_opt.u_optc.busy_o), .moment_valid_i(dut.u_opt.u_optc.obs_moment_valid_o),
    .moment_i(dut.u_opt.u_optc.obs_moment_o), .denom_valid_i(dut.u_opt.u_optc.obs_denom_valid_o),
    .denom_i(dut.u_opt.u_optc.obs_denom_o), .update_valid_i(dut.u_opt.u_optc.obs_update_valid_o),
    .update_i(dut.u_opt.u_optc.obs_update_o), .out_valid_i(dut.u_opt.u_optc.out_valid_o),
    .out_ready_i(dut.u_opt.u_optc.out_ready_i), .out_last_i(dut.u_opt.u_optc.out_last_o),
    .out_w_i(dut.u_opt.u_optc.out_w_o), .out_m_i(dut.u_opt.u_optc.out_m_o), .out_v_i(dut.u_opt.u_optc.out_v_o),
    .out_y_i(dut.u_opt.u_optc.out_y_o), .stat_valid_i(dut.u_opt.u_optc.stat_valid_o),
    .stat_ready_i(dut.u_opt.u_optc.stat_ready_i), .stat_values_i(dut.u_opt.u_optc.stat_values_o),
    .stat_counts_i(dut.u_opt.u_optc.stat_counts_o), .stat_bits_i(dut.u_opt.u_optc.stat_bits_o)
  );

  // ---- what left, commands that are done ----------------
  localparam logic [7:0] EvReset = 8'd5;
  localparam logic [7:0] EvBusy = 8'd6;
  localparam logic [7:0] EvIrq = 8'd7;
  integer m_fd, cmd_fd, start_fd, event_fd;
  logic   rst_q, busy_q, irq_q;
  logic [31:0] m_since;
  ts_since u_m_since (.clk_i, .rst_ni, .cycle_i(cycle_q), .valid_i(m_valid), .ready_i(m_ready), .since_o(m_since));
  initial begin
    m_fd     = $fopen("m.bin", "wb");
    cmd_fd   = $fopen("cmd.bin", "wb");
    start_fd = $fopen("start.bin", "wb");
    event_fd = $fopen("top_event.bin", "wb");
    rst_q    = 1'b0;
    busy_q   = 1'b0;
    irq_q    = 1'b0;
  end
  always @(posedge clk_i) begin
    rst_q  <= rst_ni;
    busy_q <= rst_ni && busy;
    irq_q  <= rst_ni && irq;
    if (rst_ni != rst_q) $fwrite(event_fd, "%u%u", cycle_q, {EvReset, 23'd0, rst_ni});
    if (rst_ni) begin
      if (busy != busy_q) $fwrite(event_fd, "%u%u", cycle_q, {EvBusy, 23'd0, busy});
      if (irq != irq_q) $fwrite(event_fd, "%u%u", cycle_q, {EvIrq, 23'd0, irq});
      if (m_valid && m_ready) begin
        $fwrite(m_fd, "%u%u%u%u%u%u%u", m_since, cycle_q, {31'd0, m_last}, m_data[31:0], m_data[63:32], m_data[95:64],
                m_data[127:96]);
      end
      for (int e = 0; e < 3; e++) begin
        if (dut.cmd_valid[e] && !dut.busy[e]) begin
          $fwrite(start_fd, "%u%u", cycle_q, {6'd0, 2'(e), 16'd0, dut.ids[8*e +: 8]});
        end
        if (dut.cmd_done[e]) begin
          $fwrite(cmd_fd, "%u%u", cycle_q,
                  {6'd0, 2'(e), 4'd0, dut.codes[4*e +: 4], 3'd0, dut.details[5*e +: 5], dut.ids[8*e +: 8]});
        end
      end
    end
    if (flush_i) begin
      $fflush(m_fd);
      $fflush(cmd_fd);
      $fflush(start_fd);
      $fflush(event_fd);
    end
  end
  end

  // ---- end of work ----------------
  logic active, unused;
  assign active = busy || host_valid || s_valid || host_played_o != host_credit_i || s_played_o != s_credit_i;
  assign unused = ^s_payload[135:129];
  ts_quiet u_quiet (.clk_i, .rst_ni, .active_i(active), .quiet_o);
endmodule
