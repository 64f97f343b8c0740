// The processor (docs/top/README.md): registers, queues, three engines, buffers, pairs of IOSS core and RAN, LAPS, OPTC. Vectors by engine have
// load's share lowest, then that of compute.
module trainslice_top
  import top_pkg::cmd_t, top_pkg::move_t, top_pkg::gemm_t, top_pkg::opt_t, top_pkg::ask_t, top_pkg::upd_t;
  import top_pkg::fed_t, top_pkg::write_t, top_pkg::lengths_t, laps_pkg::plan_t, trainslice_pkg::stat_t;
#(
  parameter int Cores = 1,
  parameter int Rows = 8,
  parameter int Depth = 128,
  parameter int AccW = 40,
  parameter int Banks = 2,
  parameter int Layers = 16,
  parameter int XWords = 8192,
  parameter int WWords = 8192,
  parameter int MWords = 1024,
  parameter int YWords = 16384,
  parameter int SWords = 4096
) (
  input  logic clk_i,
  input  logic rst_ni,
  // AXI4-Lite
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
  // AXI4-Stream
  input  logic         s_axis_tvalid_i,
  output logic         s_axis_tready_o,
  input  logic [127:0] s_axis_tdata_i,
  input  logic         s_axis_tlast_i,
  output logic         m_axis_tvalid_o,
  input  logic         m_axis_tready_i,
  output logic [127:0] m_axis_tdata_o,
  output logic         m_axis_tlast_o,
  output logic         irq_o,
  output logic         busy_o          // a command waits, is carried out, or is still to come
);
  localparam int AddrW = top_pkg::AddrW;
  localparam int BeatW = top_pkg::BeatW;
  localparam int CodeW = top_pkg::CodeW;
  localparam int DetailW = top_pkg::DetailW;
  localparam int StatW = $bits(stat_t);
  localparam int WriteW = $bits(write_t);

  // ---- registers ----------------
  logic        req_valid, req_ready, req_write, rsp_valid;
  logic [15:0] req_addr;
  logic [31:0] req_wdata, rsp_data;
  logic [1:0]  rsp_code;
  top_axil u_axil (
    .clk_i, .rst_ni,
    .axil_awvalid_i, .axil_awready_o, .axil_awaddr_i, .axil_wvalid_i, .axil_wready_o, .axil_wdata_i, .axil_wstrb_i,
    .axil_bvalid_o, .axil_bready_i, .axil_bresp_o, .axil_arvalid_i, .axil_arready_o, .axil_araddr_i,
    .axil_rvalid_o, .axil_rready_i, .axil_rdata_o, .axil_rresp_o,
    .req_valid_o(req_valid), .req_ready_i(req_ready), .req_write_o(req_write), .req_addr_o(req_addr),
    .req_wdata_o(req_wdata), .rsp_valid_i(rsp_valid), .rsp_code_i(rsp_code), .rsp_data_i(rsp_data)
  );

  logic [2:0]   busy, full, cmd_valid, cmd_done, fail;
  logic [8:0]   queued;
  logic [23:0]  done_q, ids;
  logic [CodeW-1:0]   load_code, compute_code, store_code;
  logic [DetailW-1:0] compute_detail;
  logic [3*CodeW-1:0]   codes;
  logic [3*DetailW-1:0] details;
  logic         host_push, run_valid, step;
  logic [1:0]   host_engine;
  logic [7:0]   host_id, run_first_id;
  logic [15:0]  run_count, run_left;
  cmd_t         host_cmd;
  logic [31:0]  seed;
  logic         host_upd_valid, host_upd_ready, laps_upd_rsp;
  upd_t         host_upd;
  logic [7:0]   laps_fl;
  logic [1:0]   laps_upd_code;
  logic [2:0]   laps_n;
  logic [4:0]   laps_events;
  stat_t        stat;
  logic [191:0] stat_words;
  logic [255:0] opt_stat;
  logic [6:0]   plan_addr;
  logic [31:0]  plan_data;
  logic         laps_reg_valid, laps_reg_ready, laps_reg_write, laps_reg_rsp;
  logic [11:0]  laps_reg_addr;
  logic [31:0]  laps_reg_wdata, laps_reg_data;
  logic [1:0]   laps_reg_code;
  logic [9:0]   ctr_addr;
  logic [32*Cores-1:0] ctr_data;
  assign codes = {store_code, compute_code, load_code};
  assign details = {DetailW'(0), compute_detail, DetailW'(0)};
  assign stat_words = top_pkg::stat_words(stat);
  top_regs #(
    .Cores (Cores),
    .Rows  (Rows),
    .Lanes (top_pkg::Lanes),
    .Layers(Layers)
  ) u_regs (
    .clk_i, .rst_ni,
    .req_valid_i(req_valid), .req_ready_o(req_ready), .req_write_i(req_write), .req_addr_i(req_addr),
    .req_wdata_i(req_wdata), .rsp_valid_o(rsp_valid), .rsp_code_o(rsp_code), .rsp_data_o(rsp_data), .irq_o,
    .busy_i(busy), .queued_i(queued), .done_i(done_q), .done_valid_i(cmd_done), .fail_valid_i(fail),
    .fail_code_i(codes), .fail_detail_i(details), .fail_id_i(ids), .push_full_i(full), .run_left_i(run_left),
    .run_valid_o(run_valid), .run_count_o(run_count), .run_id_o(run_first_id),
    .push_valid_o(host_push), .push_engine_o(host_engine), .push_id_o(host_id), .push_cmd_o(host_cmd),
    /* verilator lint_off PINCONNECTEMPTY */  // commands take SEED as they begin
    .seed_valid_o(),
    /* verilator lint_on PINCONNECTEMPTY */
    .seed_o(seed), .step_o(step),
    .upd_valid_o(host_upd_valid), .upd_ready_i(host_upd_ready), .upd_o(host_upd),
    .upd_rsp_valid_i(laps_upd_rsp), .upd_rsp_code_i(laps_upd_code), .upd_rsp_fl_i(laps_fl), .upd_rsp_n_i(laps_n),
    .upd_rsp_events_i(laps_events),
    .stat_i(stat_words), .opt_stat_i(opt_stat), .plan_addr_o(plan_addr), .plan_data_i(plan_data),
    .laps_valid_o(laps_reg_valid), .laps_ready_i(laps_reg_ready), .laps_write_o(laps_reg_write),
    .laps_addr_o(laps_reg_addr), .laps_wdata_o(laps_reg_wdata), .laps_rsp_valid_i(laps_reg_rsp),
    .laps_rsp_code_i(laps_reg_code), .laps_rsp_data_i(laps_reg_data), .ctr_addr_o(ctr_addr), .ctr_data_i(ctr_data)
  );

  // ---- commands ----------------
  logic  s_run_ready, s_load_ready;
  move_t load_cmd, store_cmd;
  logic [top_pkg::CmdW-1:0] compute_cmd;
  top_commands u_commands (
    .clk_i, .rst_ni, .push_valid_i(host_push), .push_engine_i(host_engine), .push_id_i(host_id),
    .push_cmd_i(host_cmd), .run_valid_i(run_valid), .run_count_i(run_count), .run_id_i(run_first_id),
    .run_left_o(run_left), .full_o(full), .queued_o(queued), .done_o(done_q), .s_valid_i(s_axis_tvalid_i),
    .s_ready_o(s_run_ready), .s_data_i(s_axis_tdata_i), .cmd_valid_o(cmd_valid),
    .cmd_o({store_cmd, compute_cmd, load_cmd}), .id_o(ids), .cmd_done_i(cmd_done),
    .cmd_code_i(codes), .fail_o(fail)
  );
  assign s_axis_tready_o = s_run_ready || s_load_ready;
  assign busy_o = busy != '0 || queued != '0 || run_left != '0;

  // ---- engines ----------------
  logic [AddrW-1:0] load_addr;
  logic [7:0]       load_write;
  logic [Cores-1:0] load_cores;
  logic             y_free;
  logic [2:0]       s_free;             // Sw, Sm, Sv
  top_load #(
    .Cores (Cores),
    .XWords(XWords),
    .WWords(WWords),
    .MWords(MWords),
    .YWords(YWords),
    .SWords(SWords)
  ) u_load (
    .clk_i, .rst_ni,
    .cmd_valid_i(cmd_valid[top_pkg::EngineLoad]), .cmd_i(load_cmd), .cmd_done_o(cmd_done[top_pkg::EngineLoad]),
    .cmd_code_o(load_code), .busy_o(busy[top_pkg::EngineLoad]), .s_valid_i(s_axis_tvalid_i),
    .s_ready_o(s_load_ready), .s_last_i(s_axis_tlast_i), .addr_o(load_addr), .write_o(load_write),
    .cores_o(load_cores), .y_free_i(y_free), .s_free_i(s_free)
  );

  logic [7:0]         store_read, store_grant;
  logic [AddrW-1:0]   store_addr;
  logic [5*BeatW-1:0] read_data;      // of Y, A, Sw, Sm, Sv
  logic [BeatW-1:0]   record, record_plan;
  logic [4:0]         record_slot;
  top_records u_records (
    .clk_i, .addr_i(store_addr), .stat_i(stat_words), .opt_stat_i(opt_stat), .slot_o(record_slot),
    .plan_i(record_plan), .data_o(record)
  );
  top_store #(
    .YWords(YWords),
    .AWords(MWords),
    .SWords(SWords)
  ) u_store (
    .clk_i, .rst_ni,
    .cmd_valid_i(cmd_valid[top_pkg::EngineStore]), .cmd_i(store_cmd), .cmd_done_o(cmd_done[top_pkg::EngineStore]),
    .cmd_code_o(store_code), .busy_o(busy[top_pkg::EngineStore]), .read_o(store_read), .addr_o(store_addr),
    .grant_i(store_grant), .data_i(read_data), .record_i(record),
    .m_valid_o(m_axis_tvalid_o), .m_ready_i(m_axis_tready_i), .m_data_o(m_axis_tdata_o), .m_last_o(m_axis_tlast_o)
  );

  logic                     start, opt_start, opt_done, opt_refused, opt_range, opt_busy, opt_keep;
  logic                     feed_start, feed_ready, kept_drawn;
  logic [optc_pkg::CountW-1:0] kept_n;
  logic [3:0]               opt_code;
  gemm_t                    gemm;
  logic [Cores-1:0]         core_done, core_range, has_last;
  logic [Cores*StatW-1:0]   core_stat;
  logic [Cores*13-1:0]      tiles;
  logic [5:0]               last_lanes;
  lengths_t                 x_lengths, w_lengths;
  logic                     gemm_upd_valid, gemm_upd_ready, ord_valid, ord_ready, ord_rsp_valid, laps_upd_ready;
  upd_t                     gemm_upd;
  /* verilator lint_off UNUSEDSIGNAL */  // its slot is for the plan table
  ask_t                     ord;
  /* verilator lint_on UNUSEDSIGNAL */
  plan_t                    plan;
  logic [1:0]               ord_code;
  logic                     gemm_asked_q;       // LAPS works on a GEMM's update
  top_compute #(
    .Cores(Cores),
    .Rows (Rows),
    .Depth(Depth),
    .AccW (AccW)
  ) u_compute (
    .clk_i, .rst_ni,
    .cmd_valid_i(cmd_valid[top_pkg::EngineCompute]), .cmd_i(compute_cmd),
    .cmd_done_o(cmd_done[top_pkg::EngineCompute]), .cmd_code_o(compute_code), .cmd_detail_o(compute_detail),
    .busy_o(busy[top_pkg::EngineCompute]), .start_o(start), .gemm_o(gemm), .core_done_i(core_done),
    .core_range_i(core_range), .core_stat_i(core_stat), .tiles_o(tiles), .has_last_o(has_last),
    .last_lanes_o(last_lanes), .x_lengths_o(x_lengths), .w_lengths_o(w_lengths), .stat_o(stat),
    .upd_valid_o(gemm_upd_valid), .upd_ready_i(gemm_upd_ready), .upd_o(gemm_upd),
    .upd_rsp_valid_i(laps_upd_rsp && gemm_asked_q), .upd_rsp_code_i(laps_upd_code),
    .ord_valid_o(ord_valid), .ord_ready_i(ord_ready), .ord_o(ord), .ord_rsp_valid_i(ord_rsp_valid),
    .ord_rsp_code_i(ord_code), .ord_rsp_plan_i(plan), .plan_addr_i(plan_addr), .plan_data_o(plan_data),
    .record_slot_i(record_slot), .record_plan_o(record_plan),
    .opt_start_o(opt_start), .opt_done_i(opt_done), .opt_refused_i(opt_refused), .opt_code_i(opt_code),
    .opt_range_i(opt_range), .opt_keep_o(opt_keep), .feed_start_o(feed_start), .feed_ready_i(feed_ready),
    .kept_n_i(kept_n), .kept_drawn_i(kept_drawn)
  );

  // ---- LAPS: a GEMM's update before a host's ----------------
  logic laps_upd_valid, laps_upd_gemm;
  upd_t laps_upd;
  top_update #(
    .PayloadW($bits(upd_t))
  ) u_update (
    .clk_i, .rst_ni,
    .gemm_valid_i(gemm_upd_valid), .gemm_ready_o(gemm_upd_ready), .gemm_payload_i(gemm_upd),
    .host_valid_i(host_upd_valid), .host_ready_o(host_upd_ready), .host_payload_i(host_upd),
    .valid_o(laps_upd_valid), .ready_i(laps_upd_ready), .payload_o(laps_upd), .gemm_o(laps_upd_gemm)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) gemm_asked_q <= 1'b0;
    else if (laps_upd_valid && laps_upd_ready) gemm_asked_q <= laps_upd_gemm;
  end
  logic        laps_busy;
  logic [47:0] unused_entry;
  logic [15:0] unused_mean;
  logic [16:0] unused_tolerance;
  logic        unused_obs, unused_over;
  laps_core #(
    .Layers(Layers)
  ) u_laps (
    .clk_i, .rst_ni,
    .reg_valid_i(laps_reg_valid), .reg_ready_o(laps_reg_ready), .reg_write_i(laps_reg_write),
    .reg_addr_i(laps_reg_addr), .reg_wdata_i(laps_reg_wdata), .reg_rsp_valid_o(laps_reg_rsp),
    .reg_rsp_code_o(laps_reg_code), .reg_rsp_data_o(laps_reg_data),
    .upd_valid_i(laps_upd_valid), .upd_ready_o(laps_upd_ready), .upd_layer_i(laps_upd.layer),
    .upd_class_i(laps_upd.cls), .upd_values_i(laps_upd.values), .upd_overflow_i(laps_upd.overflow),
    .upd_zeros_i(laps_upd.zeros), .upd_max_bit_i(laps_upd.max_bit), .upd_sum_abs_i(laps_upd.sum_abs),
    .upd_rsp_valid_o(laps_upd_rsp), .upd_rsp_code_o(laps_upd_code), .upd_rsp_fl_o(laps_fl), .upd_rsp_n_o(laps_n),
    .upd_rsp_events_o(laps_events),
    .ord_valid_i(ord_valid), .ord_ready_o(ord_ready), .ord_x_i(ord.x), .ord_w_i(ord.w), .ord_y_i(ord.y),
    .ord_k_i(ord.k), .ord_rsp_valid_o(ord_rsp_valid), .ord_rsp_code_o(ord_code), .ord_rsp_order_o(plan.order),
    .ord_rsp_shift_o(plan.shift), .ord_rsp_n_o({plan.n_y, plan.n_w, plan.n_x}),
    .ord_rsp_fl_o({plan.fl_y, plan.fl_w, plan.fl_x}), .step_i(step),
    .obs_valid_o(unused_obs), .obs_entry_o(unused_entry), .obs_mean_o(unused_mean),
    .obs_tolerance_o(unused_tolerance), .obs_over_o(unused_over), .busy_o(laps_busy)
  );

  // ---- draws: their numbers count from SEED and the command's own word on (docs/top/README.md, Random numbers) ----------------
  /* verilator lint_off UNUSEDSIGNAL */
  opt_t        opt;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [31:0] draw_q;
  assign opt = compute_cmd;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) draw_q <= '0;
    else if (start) draw_q <= seed + gemm.draw;
    else if (opt_start) draw_q <= seed + opt.draw;
  end

  // ---- OPTC ----------------
  logic [3:0]         o_req;
  logic [4*AddrW-1:0] o_addr;
  logic [2:0]         o_s_we;
  logic [AddrW-1:0]   o_s_addr;
  logic [3*BeatW-1:0] o_s_data;
  write_t             o_y;
  // One core's alone can feed a pass.
  logic               f_ready;
  logic [Cores-1:0]   f_valid;
  fed_t               fed [Cores];
  top_opt #(
    .YWords(YWords),
    .SWords(SWords)
  ) u_opt (
    .clk_i, .rst_ni,
    .start_i(opt_start), .cmd_i(opt), .keep_i(opt_keep), .feed_start_i(feed_start), .feed_ready_o(feed_ready),
    .kept_n_o(kept_n), .kept_drawn_o(kept_drawn), .f_valid_i(f_valid[0]), .f_ready_o(f_ready), .f_i(fed[0]),
    .done_o(opt_done), .refused_o(opt_refused), .code_o(opt_code), .range_o(opt_range), .busy_o(opt_busy),
    .draw_i(draw_q), .req_o(o_req), .addr_o(o_addr),
    .data_i({read_data[0 +: BeatW], read_data[2*BeatW +: 3*BeatW]}),
    .s_we_o(o_s_we), .s_addr_o(o_s_addr), .s_data_o(o_s_data), .y_o(o_y), .stat_o(opt_stat)
  );

  // ---- cores ----------------
  logic [Cores-1:0]        p_req, p_gnt, r_req, r_gnt, core_busy;
  logic [Cores*AddrW-1:0]  p_addr;
  logic [Cores*WriteW-1:0] r_y, r_mask;
  for (genvar c = 0; c < Cores; c++) begin : gen_core
    fed_t mine;
    assign fed[c] = mine;
    top_core #(
      .Core  (c),
      .Cores (Cores),
      .Rows  (Rows),
      .Depth (Depth),
      .AccW  (AccW),
      .Banks (Banks),
      .XWords(XWords),
      .WWords(WWords),
      .MWords(MWords),
      .YWords(YWords),
      .AWords(MWords),
      .SWords(SWords)
    ) u_core (
      .clk_i, .rst_ni,
      .load_we_i  ({load_write[2] && load_cores[c], load_write[1] && load_cores[c], load_write[0]}),
      .load_addr_i(load_addr), .load_data_i(s_axis_tdata_i),
      .start_i(start), .done_o(core_done[c]), .range_o(core_range[c]), .cmd_i(gemm), .tiles_i(tiles[13*c +: 13]),
      .has_last_i(has_last[c]), .last_lanes_i(last_lanes), .x_lengths_i(x_lengths), .w_lengths_i(w_lengths),
      .draw_i(draw_q), .p_req_o(p_req[c]), .p_addr_o(p_addr[AddrW*c +: AddrW]), .p_gnt_i(p_gnt[c]),
      .p_data_i(read_data[0 +: BeatW]), .r_req_o(r_req[c]), .r_gnt_i(r_gnt[c]), .r_y_o(r_y[WriteW*c +: WriteW]),
      .r_mask_o(r_mask[WriteW*c +: WriteW]), .f_valid_o(f_valid[c]), .f_ready_i(f_ready), .f_o(mine),
      .stat_o(core_stat[StatW*c +: StatW]), .ctr_addr_i(ctr_addr), .ctr_data_o(ctr_data[32*c +: 32]),
      .busy_o(core_busy[c])
    );
  end

  // ---- shared buffers ----------------
  top_buffers #(
    .Cores (Cores),
    .YWords(YWords),
    .AWords(MWords),
    .SWords(SWords)
  ) u_buffers (
    .clk_i, .load_write_i(load_write), .load_addr_i(load_addr), .load_data_i(s_axis_tdata_i), .y_free_o(y_free),
    .s_free_o(s_free), .store_read_i(store_read), .store_addr_i(store_addr), .store_grant_o(store_grant),
    .data_o(read_data), .p_req_i(p_req), .p_addr_i(p_addr), .p_gnt_o(p_gnt), .r_req_i(r_req), .r_gnt_o(r_gnt),
    .r_y_i(r_y), .r_mask_i(r_mask), .o_req_i(o_req), .o_addr_i(o_addr), .o_s_we_i(o_s_we), .o_s_addr_i(o_s_addr),
    .o_s_data_i(o_s_data), .o_y_i(o_y)
  );

  logic unused;
  assign unused = ^{laps_busy, unused_entry, unused_mean, unused_tolerance, unused_obs, unused_over, opt_busy,
                    core_busy, f_valid};
endmodule
