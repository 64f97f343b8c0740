`include "ts_assert.svh"

// Registers of the processor behind the register bus, and the windows to LAPS' registers and the pairs' counters (docs/top/reference.md,
// Registers; addresses and fields: top_reg_pkg).
//
// A request taken at A is answered at A + 1; what a write wrote is in force from A + 1, and pulses that it causes come at A + 1. A request
// waits for nothing but LAPS' port, in LAPS' window. Reads see everything as at A. irq_o is a register: it follows IRQ_STATUS and IRQ_ENABLE
// one cycle later. Events (done, failures) of the cycle in which a write clears them are kept.
module top_regs #(
  parameter int Cores = 1,
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int Layers = 16
) (
  input  logic clk_i,
  input  logic rst_ni,
  // register bus
  input  logic        req_valid_i,
  output logic        req_ready_o,
  input  logic        req_write_i,
  input  logic [15:0] req_addr_i,       // the lowest two bits are 0
  input  logic [31:0] req_wdata_i,
  output logic        rsp_valid_o,      // pulse
  output logic [1:0]  rsp_code_o,       // 0 OKAY, 2 SLVERR, 3 DECERR
  output logic [31:0] rsp_data_o,
  output logic        irq_o,
  // engines: load, compute, store, lowest first
  input  logic [2:0]  busy_i,
  input  logic [8:0]  queued_i,         // 3 x 3: commands that wait
  input  logic [23:0] done_i,           // 3 x 8: counters
  input  logic [2:0]  done_valid_i,     // pulses: a command is done
  input  logic [2:0]  fail_valid_i,     // pulses: it failed
  input  logic [11:0] fail_code_i,      // 3 x 4
  input  logic [14:0] fail_detail_i,    // 3 x 5
  input  logic [23:0] fail_id_i,        // 3 x 8
  // commands
  input  logic [2:0]  push_full_i,      // no room, by engine
  input  logic [15:0] run_left_i,       // commands still to come from the stream in
  output logic        run_valid_o,      // pulse: RUN was written
  output logic [15:0] run_count_o,
  output logic [7:0]  run_id_o,         // of the first one
  output logic        push_valid_o,     // pulse
  output logic [1:0]  push_engine_o,
  output logic [7:0]  push_id_o,
  output logic [511:0] push_cmd_o,      // word 0 lowest
  // SEED, LAPS' step
  output logic        seed_valid_o,     // pulse
  output logic [31:0] seed_o,
  output logic        step_o,           // pulse
  // a host's statistics for LAPS
  output logic        upd_valid_o,
  input  logic        upd_ready_i,
  output logic [7:0]  upd_layer_o,
  output logic [1:0]  upd_class_o,
  output logic [31:0] upd_values_o,
  output logic [31:0] upd_overflow_o,
  output logic [31:0] upd_zeros_o,
  output logic [5:0]  upd_max_bit_o,
  output logic [47:0] upd_sum_abs_o,
  input  logic        upd_rsp_valid_i,  // pulse: LAPS answers an update, of the host or of a GEMM
  input  logic [1:0]  upd_rsp_code_i,
  input  logic [7:0]  upd_rsp_fl_i,
  input  logic [2:0]  upd_rsp_n_i,
  input  logic [4:0]  upd_rsp_events_i,
  // records
  input  logic [191:0] stat_i,          // word 0 lowest
  input  logic [255:0] opt_stat_i,
  output logic [6:0]  plan_addr_o,      // word of the plan table,
  input  logic [31:0] plan_data_i,      // read in the same cycle
  // LAPS' register port
  output logic        laps_valid_o,
  input  logic        laps_ready_i,
  output logic        laps_write_o,
  output logic [11:0] laps_addr_o,
  output logic [31:0] laps_wdata_o,
  input  logic        laps_rsp_valid_i, // the cycle after the access was taken
  input  logic [1:0]  laps_rsp_code_i,
  input  logic [31:0] laps_rsp_data_i,
  // counters of the pairs
  output logic [9:0]  ctr_addr_o,
  input  logic [32*Cores-1:0] ctr_data_i // of the address of one cycle before
);
  localparam logic [1:0] RespOkay = 2'd0;
  localparam logic [1:0] RespSlvErr = 2'd2;
  localparam logic [1:0] RespDecErr = 2'd3;
  localparam logic [3:0] OpLoad = 4'd1;
  localparam logic [3:0] OpStore = 4'd4;
  localparam logic [1:0] EngineLoad = 2'd0;
  localparam logic [1:0] EngineCompute = 2'd1;
  localparam logic [1:0] EngineStore = 2'd2;

  // ---- decoding ----------------
  // Words from a register's address on, in the map's own part.
  function automatic logic in_range(input logic [13:0] at, input logic [15:0] base, input logic [15:0] count);
    in_range = {2'b00, at} >= (base >> 2) && {2'b00, at} < (base >> 2) + count;
  endfunction
  logic [13:0] word;
  assign word = req_addr_i[15:2];

  logic in_laps, in_counters, in_core, own_exists;
  logic [2:0] core;
  assign in_laps = req_addr_i[15:14] == 2'(top_reg_pkg::WindowLaps >> 14);
  assign in_counters = req_addr_i[15] == 1'(top_reg_pkg::WindowCounters >> 15);
  assign core = req_addr_i[14:12];
  assign in_core = in_counters && {1'b0, core} < 4'(Cores);

  logic at_id, at_params, at_status, at_irq_status, at_irq_enable, at_done, at_error, at_error_clear, at_seed, at_step;
  logic at_push, at_run, at_cycles, at_cmd, at_upd, at_upd_push, at_upd_answer, at_stat, at_opt_stat, at_plan;
  assign at_id          = in_range(word, 16'(top_reg_pkg::AddrId), 16'd1);
  assign at_params      = in_range(word, 16'(top_reg_pkg::AddrParams), 16'd1);
  assign at_status      = in_range(word, 16'(top_reg_pkg::AddrStatus), 16'd1);
  assign at_irq_status  = in_range(word, 16'(top_reg_pkg::AddrIrqStatus), 16'd1);
  assign at_irq_enable  = in_range(word, 16'(top_reg_pkg::AddrIrqEnable), 16'd1);
  assign at_done        = in_range(word, 16'(top_reg_pkg::AddrDone), 16'd1);
  assign at_error       = in_range(word, 16'(top_reg_pkg::AddrError), 16'd1);
  assign at_error_clear = in_range(word, 16'(top_reg_pkg::AddrErrorClear), 16'd1);
  assign at_seed        = in_range(word, 16'(top_reg_pkg::AddrSeed), 16'd1);
  assign at_step        = in_range(word, 16'(top_reg_pkg::AddrStep), 16'd1);
  assign at_push        = in_range(word, 16'(top_reg_pkg::AddrPush), 16'd1);
  assign at_run         = in_range(word, 16'(top_reg_pkg::AddrRun), 16'd1);
  assign at_cycles      = in_range(word, 16'(top_reg_pkg::AddrCycles), 16'd1);
  assign at_cmd         = in_range(word, 16'(top_reg_pkg::AddrCmd), 16'(top_reg_pkg::CountCmd));
  assign at_upd         = in_range(word, 16'(top_reg_pkg::AddrUpd), 16'(top_reg_pkg::CountUpd));
  assign at_upd_push    = in_range(word, 16'(top_reg_pkg::AddrUpdPush), 16'd1);
  assign at_upd_answer  = in_range(word, 16'(top_reg_pkg::AddrUpdAnswer), 16'd1);
  assign at_stat        = in_range(word, 16'(top_reg_pkg::AddrStat), 16'(top_reg_pkg::CountStat));
  assign at_opt_stat    = in_range(word, 16'(top_reg_pkg::AddrOptStat), 16'(top_reg_pkg::CountOptStat));
  assign at_plan        = in_range(word, 16'(top_reg_pkg::AddrPlan), 16'(top_reg_pkg::CountPlan));

  // Numbers within arrays; 0 elsewhere, so that no select leaves its vector.
  logic [3:0] cmd_at;
  logic [2:0] upd_at, stat_at, opt_stat_at;
  assign cmd_at      = at_cmd ? 4'(word - 14'(top_reg_pkg::AddrCmd >> 2)) : '0;
  assign upd_at      = at_upd ? 3'(word - 14'(top_reg_pkg::AddrUpd >> 2)) : '0;
  assign stat_at     = at_stat ? 3'(word - 14'(top_reg_pkg::AddrStat >> 2)) : '0;
  assign opt_stat_at = at_opt_stat ? 3'(word - 14'(top_reg_pkg::AddrOptStat >> 2)) : '0;
  assign plan_addr_o = 7'(word - 14'(top_reg_pkg::AddrPlan >> 2));

  // ---- registers ----------------
  logic [3:0]   irq_status_q, irq_enable_q;
  logic [3:0]   fail_code_q;
  logic [1:0]   fail_engine_q;
  logic [4:0]   fail_detail_q;
  logic [7:0]   fail_id_q, fail_count_q;
  logic [31:0]  seed_q, cycles_q;
  logic [511:0] cmd_q;
  logic [191:0] upd_q, sent_q;                  // as written, and as pushed
  logic [1:0]   upd_code_q;
  logic [7:0]   upd_fl_q;
  logic [2:0]   upd_n_q;
  logic [4:0]   upd_events_q;
  logic         upd_pending_q, upd_taken_q;     // the host's: pushed; taken by LAPS

  // ---- one access: what it may do, what it reads ----------------
  logic [1:0]  engine;
  logic        full, running, readable, writable, legal, write_ok, take, own_write;
  logic [31:0] mask, rdata;
  always_comb begin
    engine = EngineCompute;
    if (cmd_q[3:0] == OpLoad) engine = EngineLoad;
    if (cmd_q[3:0] == OpStore) engine = EngineStore;
  end
  assign running = run_left_i != '0;
  assign full = push_full_i[engine] || running;

  always_comb begin
    mask = '1;
    rdata = '0;
    readable = 1'b1;
    writable = 1'b0;
    own_exists = 1'b1;
    if (at_id) begin
      rdata = top_reg_pkg::ResetId;
    end else if (at_params) begin
      rdata = {8'(Layers), 8'(Lanes), 8'(Rows), 8'(Cores)};
    end else if (at_status) begin
      rdata[top_reg_pkg::StatusBusy +: 3] = busy_i;
      rdata[top_reg_pkg::StatusRun] = running;
      rdata[top_reg_pkg::StatusLoadQueued +: 3] = queued_i[2:0];
      rdata[top_reg_pkg::StatusComputeQueued +: 3] = queued_i[5:3];
      rdata[top_reg_pkg::StatusStoreQueued +: 3] = queued_i[8:6];
    end else if (at_irq_status) begin
      writable = 1'b1;
      mask = top_reg_pkg::MaskIrqStatus;
      rdata = {28'd0, irq_status_q};
    end else if (at_irq_enable) begin
      writable = 1'b1;
      mask = top_reg_pkg::MaskIrqEnable;
      rdata = {28'd0, irq_enable_q};
    end else if (at_done) begin
      rdata = {8'd0, done_i};
    end else if (at_error) begin
      rdata[top_reg_pkg::ErrorCode +: 4] = fail_code_q;
      rdata[top_reg_pkg::ErrorEngine +: 2] = fail_engine_q;
      rdata[top_reg_pkg::ErrorDetail +: 5] = fail_detail_q;
      rdata[top_reg_pkg::ErrorId +: 8] = fail_id_q;
      rdata[top_reg_pkg::ErrorCount +: 8] = fail_count_q;
    end else if (at_error_clear || at_step || at_upd_push) begin
      readable = 1'b0;
      writable = 1'b1;
    end else if (at_push) begin
      readable = 1'b0;
      writable = 1'b1;
      mask = top_reg_pkg::MaskPush;
    end else if (at_run) begin
      writable = 1'b1;
      mask = top_reg_pkg::MaskRun;
      rdata[top_reg_pkg::RunCount +: 16] = run_left_i;
    end else if (at_seed) begin
      writable = 1'b1;
      rdata = seed_q;
    end else if (at_cycles) begin
      rdata = cycles_q;
    end else if (at_cmd) begin
      writable = 1'b1;
      rdata = cmd_q[{cmd_at, 5'd0} +: 32];
    end else if (at_upd) begin
      writable = 1'b1;
      rdata = upd_q[{upd_at, 5'd0} +: 32];
    end else if (at_upd_answer) begin
      rdata[top_reg_pkg::UpdAnswerFl +: 8] = upd_fl_q;
      rdata[top_reg_pkg::UpdAnswerN +: 3] = upd_n_q;
      rdata[top_reg_pkg::UpdAnswerEvents +: 5] = upd_events_q;
      rdata[top_reg_pkg::UpdAnswerCode +: 2] = upd_code_q;
      rdata[top_reg_pkg::UpdAnswerPending] = upd_pending_q;
    end else if (at_stat) begin
      rdata = stat_i[{stat_at, 5'd0} +: 32];
    end else if (at_opt_stat) begin
      rdata = opt_stat_i[{opt_stat_at, 5'd0} +: 32];
    end else if (at_plan) begin
      rdata = plan_data_i;
    end else begin
      readable = 1'b0;
      own_exists = 1'b0;
    end
  end
  assign legal = (req_wdata_i & ~mask) == '0 && !(at_push && full) && !(at_run && running) &&
      !(at_upd_push && upd_pending_q);
  assign write_ok = writable && legal;

  // ---- taking and answering ----------------
  assign laps_valid_o = req_valid_i && in_laps;
  assign laps_write_o = req_write_i;
  assign laps_addr_o  = req_addr_i[13:2];
  assign laps_wdata_o = req_wdata_i;
  assign ctr_addr_o   = req_addr_i[11:2];
  assign req_ready_o  = !in_laps || laps_ready_i;
  assign take = req_valid_i && req_ready_o;
  assign own_write = take && req_write_i && write_ok;

  logic        taken_q, from_laps_q, from_core_q;
  logic [2:0]  core_q;
  logic [1:0]  code_q;
  logic [31:0] data_q, ctr_data;
  always_comb begin
    ctr_data = '0;
    for (int c = 0; c < Cores; c++) if (core_q == 3'(c)) ctr_data = ctr_data_i[32*c +: 32];
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) taken_q <= 1'b0;
    else taken_q <= take;
  end
  always_ff @(posedge clk_i) begin
    if (take) begin
      from_laps_q <= in_laps;
      from_core_q <= in_core && !req_write_i;
      core_q <= core;
      if (in_core) code_q <= req_write_i ? RespSlvErr : RespOkay;
      else if (!own_exists) code_q <= RespDecErr;
      else code_q <= (req_write_i ? write_ok : readable) ? RespOkay : RespSlvErr;
      data_q <= req_write_i ? '0 : rdata;
    end
  end
  logic [1:0] laps_code;
  assign laps_code = (laps_rsp_code_i == 2'(laps_pkg::RegOk)) ? RespOkay :
      (laps_rsp_code_i == 2'(laps_pkg::RegAddress)) ? RespDecErr : RespSlvErr;
  assign rsp_valid_o = taken_q;
  assign rsp_code_o = from_laps_q ? laps_code : code_q;
  assign rsp_data_o = from_laps_q ? laps_rsp_data_i : from_core_q ? ctr_data : data_q;

  // ---- interrupts, failures ----------------
  logic [3:0] irq_set, irq_clear;
  logic       fail_any, fail_clear, fail_first;
  logic [1:0] fails;
  logic [7:0] fail_count;
  logic [8:0] fail_sum;
  assign fail_any = fail_valid_i != '0;
  assign fails = {1'b0, fail_valid_i[0]} + {1'b0, fail_valid_i[1]} + {1'b0, fail_valid_i[2]};
  assign irq_set = {fail_any, done_valid_i};
  assign irq_clear = (own_write && at_irq_status) ? req_wdata_i[3:0] : '0;
  assign fail_clear = own_write && at_error_clear;
  assign fail_count = fail_clear ? '0 : fail_count_q;
  assign fail_sum = {1'b0, fail_count} + {7'd0, fails};
  assign fail_first = fail_any && fail_count == '0;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      irq_status_q  <= '0;
      irq_enable_q  <= 4'(top_reg_pkg::ResetIrqEnable);
      irq_o         <= 1'b0;
      fail_code_q   <= '0;
      fail_engine_q <= '0;
      fail_detail_q <= '0;
      fail_id_q     <= '0;
      fail_count_q  <= '0;
    end else begin
      irq_status_q <= (irq_status_q & ~irq_clear) | irq_set;
      if (own_write && at_irq_enable) irq_enable_q <= req_wdata_i[3:0];
      irq_o <= (irq_status_q & irq_enable_q) != '0;
      fail_count_q <= fail_sum[8] ? '1 : fail_sum[7:0];
      if (fail_first) begin
        if (fail_valid_i[0]) begin
          fail_engine_q <= EngineLoad;
          fail_code_q   <= fail_code_i[3:0];
          fail_detail_q <= fail_detail_i[4:0];
          fail_id_q     <= fail_id_i[7:0];
        end else if (fail_valid_i[1]) begin
          fail_engine_q <= EngineCompute;
          fail_code_q   <= fail_code_i[7:4];
          fail_detail_q <= fail_detail_i[9:5];
          fail_id_q     <= fail_id_i[15:8];
        end else begin
          fail_engine_q <= EngineStore;
          fail_code_q   <= fail_code_i[11:8];
          fail_detail_q <= fail_detail_i[14:10];
          fail_id_q     <= fail_id_i[23:16];
        end
      end else if (fail_clear) begin
        fail_code_q   <= '0;
        fail_engine_q <= '0;
        fail_detail_q <= '0;
        fail_id_q     <= '0;
      end
    end
  end

  // ---- commands, seed, step, cycles ----------------
  assign push_cmd_o = cmd_q;
  assign seed_o = seed_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cmd_q         <= '0;
      seed_q        <= top_reg_pkg::ResetSeed;
      cycles_q      <= '0;
      push_valid_o  <= 1'b0;
      push_engine_o <= '0;
      push_id_o     <= '0;
      run_valid_o   <= 1'b0;
      run_count_o   <= '0;
      run_id_o      <= '0;
      seed_valid_o  <= 1'b0;
      step_o        <= 1'b0;
    end else begin
      cycles_q     <= cycles_q + 32'd1;
      push_valid_o <= own_write && at_push;
      run_valid_o  <= own_write && at_run;
      seed_valid_o <= own_write && at_seed;
      step_o       <= own_write && at_step;
      if (own_write && at_cmd) cmd_q[{cmd_at, 5'd0} +: 32] <= req_wdata_i;
      if (own_write && at_seed) seed_q <= req_wdata_i;
      if (own_write && at_push) begin
        push_engine_o <= engine;
        push_id_o     <= req_wdata_i[7:0];
      end
      if (own_write && at_run) begin
        run_count_o <= req_wdata_i[top_reg_pkg::RunCount +: 16];
        run_id_o    <= req_wdata_i[top_reg_pkg::RunId +: 8];
      end
    end
  end

  // ---- the host's statistics ----------------
  logic upd_push;
  assign upd_push = own_write && at_upd_push;
  assign upd_valid_o    = upd_pending_q && !upd_taken_q;
  assign upd_values_o   = sent_q[31:0];
  assign upd_overflow_o = sent_q[63:32];
  assign upd_zeros_o    = sent_q[95:64];
  assign upd_sum_abs_o  = sent_q[143:96];
  assign upd_class_o    = sent_q[161:160];
  assign upd_layer_o    = sent_q[169:162];
  assign upd_max_bit_o  = sent_q[175:170];
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      upd_q         <= '0;
      upd_pending_q <= 1'b0;
      upd_taken_q   <= 1'b0;
      upd_code_q    <= '0;
      upd_fl_q      <= '0;
      upd_n_q       <= '0;
      upd_events_q  <= '0;
    end else begin
      if (own_write && at_upd) upd_q[{upd_at, 5'd0} +: 32] <= req_wdata_i;
      // LAPS answers in the order in which it takes: an answer that comes before the host's update was taken is a GEMM's.
      if (upd_push) upd_pending_q <= 1'b1;
      else if (upd_rsp_valid_i && upd_taken_q) upd_pending_q <= 1'b0;
      if (upd_valid_o && upd_ready_i) upd_taken_q <= 1'b1;
      else if (upd_rsp_valid_i) upd_taken_q <= 1'b0;
      if (upd_rsp_valid_i) begin
        upd_code_q   <= upd_rsp_code_i;
        upd_fl_q     <= upd_rsp_fl_i;
        upd_n_q      <= upd_rsp_n_i;
        upd_events_q <= upd_rsp_events_i;
      end
    end
  end
  always_ff @(posedge clk_i) if (upd_push) sent_q <= upd_q;

  logic unused;
  assign unused = ^{req_addr_i[1:0], sent_q[159:144], sent_q[191:176]};

  // LAPS answers its accesses, and nothing else, a cycle after it took them.
  `TS_ASSERT(LapsAnswers, laps_rsp_valid_i == (taken_q && from_laps_q))
endmodule
