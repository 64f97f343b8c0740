// Test bench of the processor's registers: AXI4-Lite port and register file, with a source of engine events, and stubs of LAPS' register port,
// of the pairs' counters, of the records and of the plan table (tb/regs/events.py has the stubs' answers).
module tb_regs #(
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
  logic [31:0] cycle_q;
  initial cycle_q = 0;
  always @(posedge clk_i) cycle_q <= cycle_q + 1;
  assign cycle_o = cycle_q;

  // ---- events of the engines, levels ----------------
  logic event_valid;
  logic [167:0] record;
  logic [2:0] done_valid, fail_valid;
  logic       upd_rsp_valid;
  ts_source #(.Name("event"), .PayloadBytes(21)) u_event_source (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .credit_i(event_credit_i), .played_o(event_played_o),
    .valid_o(event_valid), .ready_i(1'b1), .payload_o(record)
  );
  assign done_valid = event_valid ? record[2:0] : '0;
  assign fail_valid = event_valid ? record[5:3] : '0;
  assign upd_rsp_valid = event_valid && record[6];

  logic [2:0]  busy_q, full_q;
  logic [8:0]  queued_q;
  logic [23:0] done_q;
  logic [31:0] pattern_q;
  logic [15:0] run_left_q;
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {run_left_q, pattern_q, full_q, done_q, queued_q, busy_q} <= '0;
    end else if (event_valid && record[7]) begin
      {run_left_q, pattern_q, full_q, done_q, queued_q, busy_q} <= record[163:77];
    end
  end

  // ---- device ----------------
  logic        req_valid, req_ready, req_write, rsp_valid;
  logic [15:0] req_addr;
  logic [31:0] req_wdata, rsp_data;
  logic [1:0]  rsp_code;
  top_axil u_axil (
    .clk_i,
    .rst_ni,
    .axil_awvalid_i,
    .axil_awready_o,
    .axil_awaddr_i,
    .axil_wvalid_i,
    .axil_wready_o,
    .axil_wdata_i,
    .axil_wstrb_i,
    .axil_bvalid_o,
    .axil_bready_i,
    .axil_bresp_o,
    .axil_arvalid_i,
    .axil_arready_o,
    .axil_araddr_i,
    .axil_rvalid_o,
    .axil_rready_i,
    .axil_rdata_o,
    .axil_rresp_o,
    .req_valid_o(req_valid),
    .req_ready_i(req_ready),
    .req_write_o(req_write),
    .req_addr_o (req_addr),
    .req_wdata_o(req_wdata),
    .rsp_valid_i(rsp_valid),
    .rsp_code_i (rsp_code),
    .rsp_data_i (rsp_data)
  );

  logic         irq, push_valid, run_valid, seed_valid, step, upd_valid, upd_ready;
  logic [1:0]   push_engine, upd_class;
  logic [7:0]   push_id, run_id, upd_layer;
  logic [15:0]  run_count;
  logic [511:0] push_cmd;
  logic [31:0]  seed, upd_values, upd_overflow, upd_zeros;
  logic [5:0]   upd_max_bit;
  logic [47:0]  upd_sum_abs;
  logic [191:0] stat;
  logic [255:0] opt_stat;
  logic [6:0]   plan_addr;
  logic [31:0]  plan_data;
  logic         laps_valid, laps_ready, laps_write, laps_rsp_valid_q;
  logic [11:0]  laps_addr;
  logic [31:0]  laps_wdata, laps_rsp_data_q;
  logic [1:0]   laps_rsp_code_q;
  logic [9:0]   ctr_addr;
  logic [32*Cores-1:0] ctr_data_q;
  top_regs #(
    .Cores (Cores),
    .Layers(Layers)
  ) dut (
    .clk_i,
    .rst_ni,
    .req_valid_i     (req_valid),
    .req_ready_o     (req_ready),
    .req_write_i     (req_write),
    .req_addr_i      (req_addr),
    .req_wdata_i     (req_wdata),
    .rsp_valid_o     (rsp_valid),
    .rsp_code_o      (rsp_code),
    .rsp_data_o      (rsp_data),
    .irq_o           (irq),
    .busy_i          (busy_q),
    .queued_i        (queued_q),
    .done_i          (done_q),
    .done_valid_i    (done_valid),
    .fail_valid_i    (fail_valid),
    .fail_code_i     (record[19:8]),
    .fail_detail_i   (record[34:20]),
    .fail_id_i       (record[58:35]),
    .push_full_i     (full_q),
    .run_left_i      (run_left_q),
    .run_valid_o     (run_valid),
    .run_count_o     (run_count),
    .run_id_o        (run_id),
    .push_valid_o    (push_valid),
    .push_engine_o   (push_engine),
    .push_id_o       (push_id),
    .push_cmd_o      (push_cmd),
    .seed_valid_o    (seed_valid),
    .seed_o          (seed),
    .step_o          (step),
    .upd_valid_o     (upd_valid),
    .upd_ready_i     (upd_ready),
    .upd_layer_o     (upd_layer),
    .upd_class_o     (upd_class),
    .upd_values_o    (upd_values),
    .upd_overflow_o  (upd_overflow),
    .upd_zeros_o     (upd_zeros),
    .upd_max_bit_o   (upd_max_bit),
    .upd_sum_abs_o   (upd_sum_abs),
    .upd_rsp_valid_i (upd_rsp_valid),
    .upd_rsp_code_i  (record[60:59]),
    .upd_rsp_fl_i    (record[68:61]),
    .upd_rsp_n_i     (record[71:69]),
    .upd_rsp_events_i(record[76:72]),
    .stat_i          (stat),
    .opt_stat_i      (opt_stat),
    .plan_addr_o     (plan_addr),
    .plan_data_i     (plan_data),
    .laps_valid_o    (laps_valid),
    .laps_ready_i    (laps_ready),
    .laps_write_o    (laps_write),
    .laps_addr_o     (laps_addr),
    .laps_wdata_o    (laps_wdata),
    .laps_rsp_valid_i(laps_rsp_valid_q),
    .laps_rsp_code_i (laps_rsp_code_q),
    .laps_rsp_data_i (laps_rsp_data_q),
    .ctr_addr_o      (ctr_addr),
    .ctr_data_i      (ctr_data_q)
  );

  // ---- stubs ----------------
  ts_sink #(.Name("laps_ready")) u_laps_sink (
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(laps_ready_credit_i), .ready_o(laps_ready)
  );
  ts_sink #(.Name("upd_ready")) u_upd_sink (
    .clk_i, .cycle_i(cycle_q), .flush_i, .credit_i(upd_ready_credit_i), .ready_o(upd_ready)
  );
  for (genvar k = 0; k < 6; k++) begin : gen_stat
    assign stat[32*k +: 32] = pattern_q ^ (32'h0101_0101 * (k + 1));
  end
  for (genvar k = 0; k < 8; k++) begin : gen_opt_stat
    assign opt_stat[32*k +: 32] = ~pattern_q ^ (32'h1010_1010 * (k + 1));
  end
  assign plan_data = pattern_q ^ {plan_addr, 5'd0, plan_addr, 6'd0, plan_addr};
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      laps_rsp_valid_q <= 1'b0;
      laps_rsp_code_q <= '0;
      laps_rsp_data_q <= '0;
    end else begin
      laps_rsp_valid_q <= laps_valid && laps_ready;
      laps_rsp_code_q <= (laps_addr[11:10] == 2'd3) ? 2'd1 : (laps_write && laps_wdata[31:30] == 2'd3) ? 2'd2 : 2'd0;
      laps_rsp_data_q <= (laps_write || laps_addr[11:10] == 2'd3) ? '0 : {laps_addr, 8'hc3, laps_addr};
    end
  end
  for (genvar c = 0; c < Cores; c++) begin : gen_counters
    always @(posedge clk_i) ctr_data_q[32*c +: 32] <= {8'(160 + c), 14'd0, ctr_addr ^ 10'h155};
  end

  // ---- traces and checks ----------------
  ts_axil_trace u_axil_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i,
    .awvalid_i(axil_awvalid_i), .awready_i(axil_awready_o), .awaddr_i(axil_awaddr_i),
    .wvalid_i(axil_wvalid_i), .wready_i(axil_wready_o), .wdata_i(axil_wdata_i), .wstrb_i(axil_wstrb_i),
    .bvalid_i(axil_bvalid_o), .bready_i(axil_bready_i), .bresp_i(axil_bresp_o),
    .arvalid_i(axil_arvalid_i), .arready_i(axil_arready_o), .araddr_i(axil_araddr_i),
    .rvalid_i(axil_rvalid_o), .rready_i(axil_rready_i), .rdata_i(axil_rdata_o), .rresp_i(axil_rresp_o)
  );
  ts_stream_check #(.PayloadW(13)) u_laps_check (
    .clk_i, .rst_ni, .valid_i(laps_valid), .ready_i(laps_ready), .payload_i({laps_write, laps_addr})
  );
  ts_stream_check #(.PayloadW(160)) u_upd_check (
    .clk_i, .rst_ni, .valid_i(upd_valid), .ready_i(upd_ready),
    .payload_i({upd_layer, upd_class, upd_values, upd_overflow, upd_zeros, upd_max_bit, upd_sum_abs})
  );
  ts_stream_check #(.PayloadW(522)) u_push_check (
    .clk_i, .rst_ni, .valid_i(push_valid), .ready_i(1'b1), .payload_i({push_engine, push_id, push_cmd})
  );
  ts_stream_check #(.PayloadW(59)) u_pulse_check (
    .clk_i, .rst_ni, .valid_i(1'b1), .ready_i(1'b1), .payload_i({run_valid, run_id, run_count, step, seed_valid, seed})
  );
  regs_trace u_trace (
    .clk_i, .rst_ni, .cycle_i(cycle_q), .flush_i, .irq_i(irq),
    .push_valid_i(push_valid), .push_engine_i(push_engine), .push_id_i(push_id), .push_cmd_i(push_cmd),
    .seed_valid_i(seed_valid), .seed_i(seed), .step_i(step), .run_valid_i(run_valid), .run_count_i(run_count),
    .run_id_i(run_id),
    .laps_valid_i(laps_valid), .laps_ready_i(laps_ready), .laps_write_i(laps_write), .laps_addr_i(laps_addr),
    .laps_wdata_i(laps_wdata),
    .upd_valid_i(upd_valid), .upd_ready_i(upd_ready), .upd_layer_i(upd_layer), .upd_class_i(upd_class),
    .upd_values_i(upd_values), .upd_overflow_i(upd_overflow), .upd_zeros_i(upd_zeros), .upd_max_bit_i(upd_max_bit),
    .upd_sum_abs_i(upd_sum_abs)
  );

  // ---- end of work ----------------
  logic active, unused;
  assign active = event_valid || event_played_o != event_credit_i || upd_valid || axil_awvalid_i || axil_wvalid_i ||
                  axil_arvalid_i || axil_bvalid_o || axil_rvalid_o || req_valid || rsp_valid || push_valid || step ||
                  seed_valid || run_valid;
  assign unused = trace_i ^ (^record[167:164]);
  ts_quiet u_quiet (.clk_i, .rst_ni, .active_i(active), .quiet_o);
endmodule
