`include "ts_assert.svh"

// Registers of the processor behind the register bus, and the windows to LAPS' registers and the pairs' counters (docs/top/reference.md,
// Registers; addresses and fields: top_reg_pkg).
//
// A request taken at A is answered at A + 1; what a write wrote is in force from A + 1, and pulses that it causes come at A + 1. A request
// waits for nothing but LAPS' port, in LAPS' window. Reads see everything as at A. irq_o is a register: it follows IRQ_STATUS and IRQ_ENABLE
// one cycle later. Events (done, failures) of the cycle in which a write clears them are kept.
module top_regs
  import top_pkg::failure_t, top_pkg::answer_t, top_pkg::upd_t, top_pkg::upd_words_t, top_pkg::cmd_t;
  import top_reg_pkg::status_t, top_reg_pkg::error_t, top_reg_pkg::run_t, top_reg_pkg::upd_answer_t;
  import top_reg_pkg::at_t;
#(
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
  output upd_t        upd_o,
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

  // ---- decoding ----------------
  logic [13:0] word;
  assign word = req_addr_i[15:2];

  logic in_laps, in_counters, in_core;
  logic [2:0] core;
  assign in_laps = req_addr_i[15:14] == 2'(top_reg_pkg::WindowLaps >> 14);
  assign in_counters = req_addr_i[15] == 1'(top_reg_pkg::WindowCounters >> 15);
  assign core = req_addr_i[14:12];
  assign in_core = in_counters && {1'b0, core} < 4'(Cores);

  at_t at;
  logic [top_reg_pkg::Registers-1:0] at_any;
  assign at = top_reg_pkg::at_of(word);
  assign at_any = at;

  // Numbers within arrays; 0 elsewhere, so that no select leaves its vector.
  logic [3:0] cmd_at;
  logic [2:0] upd_at, stat_at, opt_stat_at;
  assign cmd_at      = at.cmd ? 4'(word - 14'(top_reg_pkg::AddrCmd >> 2)) : '0;
  assign upd_at      = at.upd ? 3'(word - 14'(top_reg_pkg::AddrUpd >> 2)) : '0;
  assign stat_at     = at.stat ? 3'(word - 14'(top_reg_pkg::AddrStat >> 2)) : '0;
  assign opt_stat_at = at.opt_stat ? 3'(word - 14'(top_reg_pkg::AddrOptStat >> 2)) : '0;
  assign plan_addr_o = 7'(word - 14'(top_reg_pkg::AddrPlan >> 2));

  // ---- registers ----------------
  logic [3:0]   irq_status, irq_enable;
  failure_t     failure;
  logic [7:0]   fail_count;
  logic [31:0]  seed_q, cycles_q;
  logic [511:0] cmd_q;
  /* verilator lint_off UNUSEDSIGNAL */
  cmd_t         cmd;
  /* verilator lint_on UNUSEDSIGNAL */
  upd_words_t   upd_words;
  answer_t      answer;
  logic         pending;

  // ---- one access: what it may do, what it reads ----------------
  logic [1:0]  engine;
  logic        full, running, readable, writable, legal, write_ok, take, own_write;
  logic [31:0] mask, rdata;
  status_t     status;
  error_t      error;
  upd_answer_t upd_answer;
  assign cmd = cmd_q;
  assign engine = top_pkg::engine_of(cmd.head.op);
  assign running = run_left_i != '0;
  assign full = push_full_i[engine] || running;
  always_comb begin
    status = '0;
    status.busy = busy_i;
    status.run = running;
    {status.store_queued, status.compute_queued, status.load_queued} = queued_i;
    error = '0;
    error.code = failure.code;
    error.engine = failure.engine;
    error.detail = failure.detail;
    error.id = failure.id;
    error.count = fail_count;
    upd_answer = '0;
    upd_answer.fl = answer.fl;
    upd_answer.n = answer.n;
    upd_answer.events = answer.events;
    upd_answer.code = answer.code;
    upd_answer.pending = pending;
  end
  always_comb begin
    rdata = '0;
    if (at.id) rdata = top_reg_pkg::ResetId;
    else if (at.params) rdata = {8'(Layers), 8'(Lanes), 8'(Rows), 8'(Cores)};
    else if (at.status) rdata = status;
    else if (at.irq_status) rdata = {28'd0, irq_status};
    else if (at.irq_enable) rdata = {28'd0, irq_enable};
    else if (at.done) rdata = {8'd0, done_i};
    else if (at.error) rdata = error;
    else if (at.run) rdata = {16'd0, run_left_i};
    else if (at.seed) rdata = seed_q;
    else if (at.cycles) rdata = cycles_q;
    else if (at.cmd) rdata = cmd_q[{cmd_at, 5'd0} +: 32];
    else if (at.upd) rdata = upd_words[{upd_at, 5'd0} +: 32];
    else if (at.upd_answer) rdata = upd_answer;
    else if (at.stat) rdata = stat_i[{stat_at, 5'd0} +: 32];
    else if (at.opt_stat) rdata = opt_stat_i[{opt_stat_at, 5'd0} +: 32];
    else if (at.plan) rdata = plan_data_i;
  end
  assign mask = top_reg_pkg::mask_of(at);
  assign readable = (at_any & top_reg_pkg::Readable) != '0;
  assign writable = (at_any & top_reg_pkg::Writable) != '0;
  assign legal = (req_wdata_i & ~mask) == '0 && !(at.push && full) && !(at.run && running) &&
      !(at.upd_push && pending);
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
      else if (at_any == '0) code_q <= RespDecErr;
      else code_q <= (req_write_i ? write_ok : readable) ? RespOkay : RespSlvErr;
      data_q <= req_write_i ? '0 : rdata;
    end
  end
  logic [1:0] laps_code;
  assign laps_code = (laps_rsp_code_i == laps_pkg::RegOk) ? RespOkay :
      (laps_rsp_code_i == laps_pkg::RegAddress) ? RespDecErr : RespSlvErr;
  assign rsp_valid_o = taken_q;
  assign rsp_code_o = from_laps_q ? laps_code : code_q;
  assign rsp_data_o = from_laps_q ? laps_rsp_data_i : from_core_q ? ctr_data : data_q;

  // ---- interrupts, failures ----------------
  top_events u_events (
    .clk_i, .rst_ni, .done_valid_i, .fail_valid_i, .fail_code_i, .fail_detail_i, .fail_id_i,
    .status_write_i(own_write && at.irq_status), .enable_write_i(own_write && at.irq_enable),
    .fail_clear_i(own_write && at.error_clear), .wdata_i(req_wdata_i[3:0]), .irq_status_o(irq_status),
    .irq_enable_o(irq_enable), .failure_o(failure), .fail_count_o(fail_count), .irq_o
  );

  // ---- commands, seed, step, cycles ----------------
  /* verilator lint_off UNUSEDSIGNAL */
  run_t run;
  /* verilator lint_on UNUSEDSIGNAL */
  assign run = req_wdata_i;
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
      push_valid_o <= own_write && at.push;
      run_valid_o  <= own_write && at.run;
      seed_valid_o <= own_write && at.seed;
      step_o       <= own_write && at.step;
      if (own_write && at.cmd) cmd_q[{cmd_at, 5'd0} +: 32] <= req_wdata_i;
      if (own_write && at.seed) seed_q <= req_wdata_i;
      if (own_write && at.push) begin
        push_engine_o <= engine;
        push_id_o     <= req_wdata_i[7:0];
      end
      if (own_write && at.run) begin
        run_count_o <= run.count;
        run_id_o    <= run.id;
      end
    end
  end

  // ---- the host's statistics ----------------
  top_updates u_updates (
    .clk_i, .rst_ni, .write_i(own_write && at.upd), .word_i(upd_at), .wdata_i(req_wdata_i),
    .push_i(own_write && at.upd_push), .upd_words_o(upd_words), .answer_o(answer), .pending_o(pending), .upd_valid_o,
    .upd_ready_i, .upd_o, .upd_rsp_valid_i,
    .upd_rsp_i({upd_rsp_code_i, upd_rsp_events_i, upd_rsp_n_i, upd_rsp_fl_i})
  );

  logic unused;
  assign unused = ^req_addr_i[1:0];

  // LAPS answers its accesses, and nothing else, a cycle after it took them.
  `TS_ASSERT(LapsAnswers, laps_rsp_valid_i == (taken_q && from_laps_q))
endmodule
