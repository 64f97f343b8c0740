// The processor (docs/top/README.md): registers, queues, three engines, buffers, pairs of IOSS core and RAN, LAPS, OPTC.
module trainslice_top #(
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
  localparam int CmdW = top_pkg::CmdW;
  localparam int RefW = laps_pkg::RefW;
  localparam int StatW = trainslice_pkg::StatW;

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
  logic [11:0]  codes;
  logic [14:0]  details;
  logic         host_push, run_push, run_valid, step;
  logic [1:0]   host_engine, run_engine;
  logic [7:0]   host_id, run_id, run_first_id;
  logic [15:0]  run_count, run_left;
  logic [CmdW-1:0]   host_cmd, run_cmd;
  logic [3*CmdW-1:0] cmds;
  logic [31:0]  seed;
  logic         host_upd_valid, host_upd_ready, laps_upd_rsp;
  logic [7:0]   host_upd_layer, laps_fl;
  logic [1:0]   host_upd_class, laps_upd_code;
  logic [31:0]  host_upd_values, host_upd_overflow, host_upd_zeros;
  logic [5:0]   host_upd_max_bit;
  logic [47:0]  host_upd_sum_abs;
  logic [2:0]   laps_n;
  logic [4:0]   laps_events;
  logic [StatW-1:0] stat;
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
    .run_valid_o(run_valid), .run_count_o(run_count), .run_id_o(run_first_id), .push_valid_o(host_push),
    .push_engine_o(host_engine), .push_id_o(host_id), .push_cmd_o(host_cmd),
    /* verilator lint_off PINCONNECTEMPTY */  // commands take SEED as they begin
    .seed_valid_o(),
    /* verilator lint_on PINCONNECTEMPTY */
    .seed_o(seed), .step_o(step),
    .upd_valid_o(host_upd_valid), .upd_ready_i(host_upd_ready), .upd_layer_o(host_upd_layer),
    .upd_class_o(host_upd_class), .upd_values_o(host_upd_values), .upd_overflow_o(host_upd_overflow),
    .upd_zeros_o(host_upd_zeros), .upd_max_bit_o(host_upd_max_bit), .upd_sum_abs_o(host_upd_sum_abs),
    .upd_rsp_valid_i(laps_upd_rsp), .upd_rsp_code_i(laps_upd_code), .upd_rsp_fl_i(laps_fl), .upd_rsp_n_i(laps_n),
    .upd_rsp_events_i(laps_events),
    .stat_i(stat_words),
    .opt_stat_i(opt_stat), .plan_addr_o(plan_addr), .plan_data_i(plan_data),
    .laps_valid_o(laps_reg_valid), .laps_ready_i(laps_reg_ready), .laps_write_o(laps_reg_write),
    .laps_addr_o(laps_reg_addr), .laps_wdata_o(laps_reg_wdata), .laps_rsp_valid_i(laps_reg_rsp),
    .laps_rsp_code_i(laps_reg_code), .laps_rsp_data_i(laps_reg_data), .ctr_addr_o(ctr_addr), .ctr_data_i(ctr_data)
  );

  // ---- commands from the stream in ----------------
  // PUSH is refused from the cycle on in which RUN is not 0 until it is 0 again: the two never push in one cycle.
  logic         s_run_ready, s_load_ready, push_valid;
  logic [1:0]   push_engine;
  logic [7:0]   push_id;
  logic [CmdW-1:0] push_cmd;
  top_run u_run (
    .clk_i, .rst_ni, .run_valid_i(run_valid), .run_count_i(run_count), .run_id_i(run_first_id), .left_o(run_left),
    .load_idle_i(queued[2:0] == '0), .full_i(full), .s_valid_i(s_axis_tvalid_i), .s_ready_o(s_run_ready),
    .s_data_i(s_axis_tdata_i), .push_valid_o(run_push), .push_engine_o(run_engine), .push_id_o(run_id),
    .push_cmd_o(run_cmd)
  );
  assign s_axis_tready_o = s_run_ready || s_load_ready;
  assign push_valid = host_push || run_push;
  assign push_engine = run_push ? run_engine : host_engine;
  assign push_id = run_push ? run_id : host_id;
  assign push_cmd = run_push ? run_cmd : host_cmd;

  // ---- queues and engines ----------------
  for (genvar e = 0; e < top_pkg::Engines; e++) begin : gen_queue
    top_queue u_queue (
      .clk_i, .rst_ni,
      .push_i    (push_valid && push_engine == 2'(e)),
      .push_cmd_i(push_cmd),
      .push_id_i (push_id),
      .full_o    (full[e]),
      .queued_o  (queued[3*e +: 3]),
      .done_i    (done_q),
      .valid_o   (cmd_valid[e]),
      .cmd_o     (cmds[CmdW*e +: CmdW]),
      .id_o      (ids[8*e +: 8]),
      .pop_i     (cmd_done[e])
    );
    assign fail[e] = cmd_done[e] && codes[4*e +: 4] != '0;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        done_q[8*e +: 8] <= '0;
      end else if (cmd_done[e]) begin
        done_q[8*e +: 8] <= done_q[8*e +: 8] + 8'd1;
      end
    end
  end
  assign busy_o = busy != '0 || queued != '0 || run_left != '0;

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
    .cmd_valid_i(cmd_valid[0]), .cmd_i(cmds[0 +: CmdW]), .cmd_done_o(cmd_done[0]), .cmd_code_o(codes[3:0]),
    .busy_o(busy[0]), .s_valid_i(s_axis_tvalid_i), .s_ready_o(s_load_ready), .s_last_i(s_axis_tlast_i),
    .addr_o(load_addr), .write_o(load_write), .cores_o(load_cores), .y_free_i(y_free), .s_free_i(s_free)
  );
  assign details[4:0] = '0;

  logic [7:0]         store_read, store_grant;
  logic [AddrW-1:0]   store_addr;
  logic [5*BeatW-1:0] read_data;      // of Y, A, Sw, Sm, Sv
  logic [BeatW-1:0]   record, record_plan;
  logic [4:0]         record_slot;
  assign stat_words = {26'd0, stat[53:48], 16'd0, stat[47:32], stat[31:0], stat[85:54], stat[117:86], stat[149:118]};
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
    .cmd_valid_i(cmd_valid[2]), .cmd_i(cmds[2*CmdW +: CmdW]), .cmd_done_o(cmd_done[2]), .cmd_code_o(codes[11:8]),
    .busy_o(busy[2]), .read_o(store_read), .addr_o(store_addr), .grant_i(store_grant), .data_i(read_data),
    .record_i(record),
    .m_valid_o(m_axis_tvalid_o), .m_ready_i(m_axis_tready_i), .m_data_o(m_axis_tdata_o), .m_last_o(m_axis_tlast_o)
  );
  assign details[14:10] = '0;

  logic                     start, gemm, opt_start, opt_done, opt_refused, opt_range, opt_busy;
  logic                     opt_keep, feed, feed_start, feed_ready, kept_drawn;
  logic [optc_pkg::CountW-1:0] kept_n;
  logic [3:0]               opt_code;
  logic [Cores-1:0]         core_done, core_range, has_last;
  logic [Cores*StatW-1:0]   core_stat;
  logic [Cores*13-1:0]      tiles;
  logic [5:0]               last_lanes, shift;
  logic [2:0]               n_x, n_w, min_order, y_bits;
  logic [top_pkg::GeometryW-1:0] x_lengths, w_lengths;
  logic [StatW-1:0]         gemm_upd_stat;
  logic                     gemm_upd_valid, gemm_upd_ready, ord_valid, ord_ready, ord_rsp_valid, laps_upd_ready;
  logic [RefW-1:0]          gemm_upd_ref, ord_x, ord_w, ord_y;
  logic [15:0]              ord_k;
  logic [1:0]               ord_code, ord_order;
  logic [9:0]               ord_shift;
  logic [8:0]               ord_n;
  logic [23:0]              ord_fl;
  logic                     gemm_asked_q;       // LAPS works on a GEMM's update
  top_compute #(
    .Cores(Cores),
    .Rows (Rows),
    .Depth(Depth),
    .AccW (AccW)
  ) u_compute (
    .clk_i, .rst_ni,
    .cmd_valid_i(cmd_valid[1]), .cmd_i(cmds[CmdW +: CmdW]), .cmd_done_o(cmd_done[1]), .cmd_code_o(codes[7:4]),
    .cmd_detail_o(details[9:5]), .busy_o(busy[1]), .gemm_o(gemm), .start_o(start), .core_done_i(core_done),
    .core_range_i(core_range), .core_stat_i(core_stat),
    .tiles_o(tiles), .has_last_o(has_last), .last_lanes_o(last_lanes), .n_x_o(n_x), .n_w_o(n_w),
    .min_order_o(min_order), .y_bits_o(y_bits), .shift_o(shift), .stat_o(stat),
    .x_lengths_o(x_lengths), .w_lengths_o(w_lengths),
    .upd_valid_o(gemm_upd_valid), .upd_ready_i(gemm_upd_ready), .upd_ref_o(gemm_upd_ref), .upd_stat_o(gemm_upd_stat),
    .upd_rsp_valid_i(laps_upd_rsp && gemm_asked_q), .upd_rsp_code_i(laps_upd_code),
    .ord_valid_o(ord_valid), .ord_ready_i(ord_ready), .ord_x_o(ord_x), .ord_w_o(ord_w), .ord_y_o(ord_y),
    .ord_k_o(ord_k), .ord_rsp_valid_i(ord_rsp_valid), .ord_rsp_code_i(ord_code),
    .ord_rsp_plan_i({ord_shift, ord_fl, ord_order, ord_n}), .plan_addr_i(plan_addr), .plan_data_o(plan_data),
    .record_slot_i(record_slot), .record_plan_o(record_plan),
    .opt_start_o(opt_start), .opt_done_i(opt_done), .opt_refused_i(opt_refused), .opt_code_i(opt_code),
    .opt_range_i(opt_range), .opt_keep_o(opt_keep), .feed_start_o(feed_start), .feed_ready_i(feed_ready),
    .feed_o(feed), .kept_n_i(kept_n), .kept_drawn_i(kept_drawn)
  );

  // ---- LAPS: a GEMM's update before a host's ----------------
  localparam int UpdW = RefW + StatW;
  logic            laps_upd_valid, laps_upd_gemm;
  logic [UpdW-1:0] laps_upd;
  top_update #(
    .PayloadW(UpdW)
  ) u_update (
    .clk_i, .rst_ni,
    .gemm_valid_i(gemm_upd_valid), .gemm_ready_o(gemm_upd_ready), .gemm_payload_i({gemm_upd_ref, gemm_upd_stat}),
    .host_valid_i(host_upd_valid), .host_ready_o(host_upd_ready),
    .host_payload_i({host_upd_layer, host_upd_class, host_upd_values, host_upd_overflow, host_upd_zeros,
                     host_upd_max_bit, host_upd_sum_abs}),
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
    .upd_valid_i(laps_upd_valid), .upd_ready_o(laps_upd_ready),
    .upd_layer_i(laps_upd[StatW + 2 +: 8]), .upd_class_i(laps_upd[StatW +: 2]), .upd_values_i(laps_upd[149:118]),
    .upd_overflow_i(laps_upd[117:86]), .upd_zeros_i(laps_upd[85:54]), .upd_max_bit_i(laps_upd[53:48]),
    .upd_sum_abs_i(laps_upd[47:0]),
    .upd_rsp_valid_o(laps_upd_rsp), .upd_rsp_code_o(laps_upd_code), .upd_rsp_fl_o(laps_fl), .upd_rsp_n_o(laps_n),
    .upd_rsp_events_o(laps_events),
    .ord_valid_i(ord_valid), .ord_ready_o(ord_ready), .ord_x_i(ord_x), .ord_w_i(ord_w), .ord_y_i(ord_y),
    .ord_k_i(ord_k), .ord_rsp_valid_o(ord_rsp_valid), .ord_rsp_code_o(ord_code), .ord_rsp_order_o(ord_order),
    .ord_rsp_shift_o(ord_shift), .ord_rsp_n_o(ord_n), .ord_rsp_fl_o(ord_fl), .step_i(step),
    .obs_valid_o(unused_obs), .obs_entry_o(unused_entry), .obs_mean_o(unused_mean),
    .obs_tolerance_o(unused_tolerance), .obs_over_o(unused_over), .busy_o(laps_busy)
  );

  // ---- draws: their numbers count from SEED and the command's own word on (docs/top/README.md, Random numbers) ----------------
  logic [31:0] draw_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) draw_q <= '0;
    else if (start) draw_q <= seed + cmds[CmdW + 32*top_pkg::DrawWordGemm +: 32];
    else if (opt_start) draw_q <= seed + cmds[CmdW + 32*top_pkg::DrawWordOpt +: 32];
  end

  // ---- OPTC ----------------
  logic [3:0]         o_req;
  logic [4*AddrW-1:0] o_addr;
  logic [2:0]         o_s_we;
  logic [AddrW-1:0]   o_s_addr, o_y_addr;
  logic [3*BeatW-1:0] o_s_data;
  logic [7:0]         o_y_we;
  logic [BeatW-1:0]   o_y_data;
  // One core's alone can feed a pass.
  logic                     f_ready;
  logic [Cores-1:0]         f_valid;
  logic [Cores*top_pkg::JobW-1:0] f_number;
  logic [Cores*2-1:0]       f_beat;
  logic [Cores*BeatW-1:0]   f_data;
  top_opt #(
    .YWords(YWords),
    .SWords(SWords)
  ) u_opt (
    .clk_i, .rst_ni,
    .start_i(opt_start), .cmd_i(cmds[CmdW +: CmdW]), .keep_i(opt_keep), .feed_start_i(feed_start),
    .feed_ready_o(feed_ready), .kept_n_o(kept_n), .kept_drawn_o(kept_drawn), .f_valid_i(f_valid[0]),
    .f_ready_o(f_ready),
    .f_number_i(f_number[0 +: top_pkg::JobW]), .f_beat_i(f_beat[1:0]), .f_data_i(f_data[0 +: BeatW]),
    .done_o(opt_done), .refused_o(opt_refused), .code_o(opt_code),
    .range_o(opt_range), .busy_o(opt_busy), .draw_i(draw_q), .req_o(o_req), .addr_o(o_addr),
    .data_i({read_data[0 +: BeatW], read_data[4*BeatW +: BeatW], read_data[3*BeatW +: BeatW],
             read_data[2*BeatW +: BeatW]}),
    .s_we_o(o_s_we), .s_addr_o(o_s_addr), .s_data_o(o_s_data), .y_we_o(o_y_we), .y_addr_o(o_y_addr),
    .y_data_o(o_y_data), .stat_o(opt_stat)
  );

  // ---- cores ----------------
  /* verilator lint_off UNUSEDSIGNAL */  // fields of other commands
  logic [CmdW-1:0] cmd;
  /* verilator lint_on UNUSEDSIGNAL */
  assign cmd = cmds[CmdW +: CmdW];
  logic [Cores-1:0]       p_req, p_gnt, r_req, r_gnt, core_busy;
  logic [Cores*AddrW-1:0] p_addr, r_addr, r_mask_addr;
  logic [Cores*8-1:0]     r_we, r_mask_we;
  logic [Cores*BeatW-1:0] r_data, r_mask_data;
  for (genvar c = 0; c < Cores; c++) begin : gen_core
    if (c == 0) begin : gen_first
      assign p_gnt[c] = 1'b1;
      assign r_gnt[c] = 1'b1;
    end else begin : gen_next
      assign p_gnt[c] = p_req[c-1:0] == '0;
      assign r_gnt[c] = r_req[c-1:0] == '0;
    end
    // First words of this core: a step is never more than StepW bits hold.
    logic [top_pkg::WordW-1:0] y_first, a_first, p_first;
    top_word #(
      .ByW(top_pkg::StepW)
    ) u_y_first (
      .word_i({1'b0, cmd[159:144]}), .by_i(top_pkg::StepW'(cmd[207:192]) * top_pkg::StepW'(c)), .word_o(y_first)
    );
    top_word #(
      .ByW(top_pkg::StepW)
    ) u_a_first (
      .word_i({1'b0, cmd[175:160]}), .by_i(top_pkg::StepW'(cmd[223:208]) * top_pkg::StepW'(c)), .word_o(a_first)
    );
    top_word #(
      .ByW(top_pkg::StepW)
    ) u_p_first (
      .word_i({1'b0, cmd[191:176]}), .by_i(top_pkg::StepW'(cmd[239:224]) * top_pkg::StepW'(c)), .word_o(p_first)
    );
    top_core #(
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
      .start_i(start), .done_o(core_done[c]), .range_o(core_range[c]),
      .k_i(cmd[47:32]), .jobs_i(cmd[63:48]), .tiles_i(tiles[13*c +: 13]), .has_last_i(has_last[c]),
      .last_lanes_i(last_lanes), .x_addr_i(cmd[95:80]), .w_addr_i(cmd[111:96]), .b_addr_i(cmd[127:112]),
      .m_addr_i(cmd[143:128]),
      .y_addr_i(y_first), .a_addr_i(a_first), .p_addr_i(p_first),
      .n_x_i(n_x), .n_w_i(n_w), .min_order_i(min_order), .x_unsigned_i(cmd[265]), .w_unsigned_i(cmd[266]),
      .compensate_i(cmd[267]), .reduce_i(cmd[271:268]), .y_bits_i(y_bits), .y_unsigned_i(cmd[275]),
      .relu_i(cmd[276]), .round_i(cmd[278:277]), .rand_bits_i(cmd[280:279]), .shift_i(shift), .bias_i(cmd[287]),
      .mask_i(cmd[288]), .keep_i(cmd[306]), .x_windows_i(cmd[307]), .w_windows_i(cmd[308]),
      .narrow_i(cmd[309]), .feed_i(feed), .window_i(cmd[415:320]), .x_lengths_i(x_lengths), .w_lengths_i(w_lengths),
      .draw_i(draw_q + 32'(c << top_pkg::TileDraws)),
      .p_req_o(p_req[c]), .p_addr_o(p_addr[AddrW*c +: AddrW]), .p_gnt_i(p_gnt[c]), .p_data_i(read_data[0 +: BeatW]),
      .r_req_o(r_req[c]), .r_gnt_i(r_gnt[c]), .r_we_o(r_we[8*c +: 8]), .r_addr_o(r_addr[AddrW*c +: AddrW]),
      .r_data_o(r_data[BeatW*c +: BeatW]), .r_mask_we_o(r_mask_we[8*c +: 8]),
      .r_mask_addr_o(r_mask_addr[AddrW*c +: AddrW]), .r_mask_data_o(r_mask_data[BeatW*c +: BeatW]),
      .f_valid_o(f_valid[c]), .f_ready_i(f_ready), .f_number_o(f_number[top_pkg::JobW*c +: top_pkg::JobW]),
      .f_beat_o(f_beat[2*c +: 2]), .f_data_o(f_data[BeatW*c +: BeatW]),
      .stat_o(core_stat[StatW*c +: StatW]), .ctr_addr_i(ctr_addr), .ctr_data_o(ctr_data[32*c +: 32]),
      .busy_o(core_busy[c])
    );
  end

  // The core that has the port: the lowest that wants it.
  function automatic logic [AddrW-1:0] pick_addr(input logic [Cores-1:0] req, input logic [Cores*AddrW-1:0] addr);
    pick_addr = '0;
    for (int c = Cores - 1; c >= 0; c--) if (req[c]) pick_addr = addr[AddrW*c +: AddrW];
  endfunction
  function automatic logic [7:0] pick_we(input logic [Cores-1:0] req, input logic [Cores*8-1:0] we);
    pick_we = '0;
    for (int c = Cores - 1; c >= 0; c--) if (req[c]) pick_we = we[8*c +: 8];
  endfunction
  function automatic logic [BeatW-1:0] pick_data(input logic [Cores-1:0] req, input logic [Cores*BeatW-1:0] data);
    pick_data = '0;
    for (int c = Cores - 1; c >= 0; c--) if (req[c]) pick_data = data[BeatW*c +: BeatW];
  endfunction

  // ---- shared buffers: compute first ----------------
  logic y_read, y_write;
  assign y_read = p_req != '0 || o_req[3];
  assign y_write = r_req != '0 || o_y_we != '0;
  assign y_free = !y_write;
  assign s_free = ~o_s_we;
  assign store_grant = {!o_req[2], !o_req[1], !o_req[0], 1'b1, !y_read, 3'b000};
  top_mem #(
    .Words(YWords)
  ) u_y (
    .clk_i,
    .re_i   (y_read || store_read[3]),
    .raddr_i((p_req != '0) ? pick_addr(p_req, p_addr) : o_req[3] ? o_addr[3*AddrW +: AddrW] : store_addr),
    .we_i   ((r_req != '0) ? pick_we(r_req, r_we) : (o_y_we != '0) ? o_y_we : {8{load_write[3]}}),
    .waddr_i((r_req != '0) ? pick_addr(r_req, r_addr) : (o_y_we != '0) ? o_y_addr : load_addr),
    .wdata_i((r_req != '0) ? pick_data(r_req, r_data) : (o_y_we != '0) ? o_y_data : s_axis_tdata_i),
    .rdata_o(read_data[0 +: BeatW])
  );
  top_mem #(
    .Words(MWords)
  ) u_a (
    .clk_i,
    .re_i   (store_read[4]),
    .raddr_i(store_addr),
    .we_i   (pick_we(r_req, r_mask_we)),
    .waddr_i(pick_addr(r_req, r_mask_addr)),
    .wdata_i(pick_data(r_req, r_mask_data)),
    .rdata_o(read_data[BeatW +: BeatW])
  );
  for (genvar s = 0; s < 3; s++) begin : gen_state
    top_mem #(
      .Words(SWords)
    ) u_s (
      .clk_i,
      .re_i   (o_req[s] || store_read[5 + s]),
      .raddr_i(o_req[s] ? o_addr[AddrW*s +: AddrW] : store_addr),
      .we_i   ({8{o_s_we[s] || load_write[5 + s]}}),
      .waddr_i(o_s_we[s] ? o_s_addr : load_addr),
      .wdata_i(o_s_we[s] ? o_s_data[BeatW*s +: BeatW] : s_axis_tdata_i),
      .rdata_o(read_data[BeatW*(2 + s) +: BeatW])
    );
  end

  logic unused;
  assign unused = ^{gemm, laps_busy, unused_entry, unused_mean, unused_tolerance, unused_obs, unused_over, opt_busy,
                    core_busy, store_read[2:0], load_write[4], f_valid, f_number, f_beat, f_data};
endmodule
