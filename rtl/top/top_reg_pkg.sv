// Registers of the processor: byte addresses, reset values, fields.
// Made from registers.hjson by `make regs`: change that file.
package top_reg_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no module uses every entry

  // ID, read only
  parameter logic [15:0] AddrId = 16'd0;
  parameter logic [31:0] ResetId = 32'h54534c31;
  parameter logic [31:0] MaskId = 32'hffffffff;  // bits of fields
  parameter int IdId = 0;  // 31:0
  parameter int IdIdW = 32;

  // PARAMS, read only
  parameter logic [15:0] AddrParams = 16'd4;
  parameter logic [31:0] ResetParams = 32'd0;
  parameter logic [31:0] MaskParams = 32'hffffffff;  // bits of fields
  parameter int ParamsCores = 0;  // 7:0
  parameter int ParamsCoresW = 8;
  parameter int ParamsRows = 8;  // 15:8
  parameter int ParamsRowsW = 8;
  parameter int ParamsLanes = 16;  // 23:16
  parameter int ParamsLanesW = 8;
  parameter int ParamsLayers = 24;  // 31:24
  parameter int ParamsLayersW = 8;
  typedef struct packed {
    logic [7:0] layers;
    logic [7:0] lanes;
    logic [7:0] rows;
    logic [7:0] cores;
  } params_t;

  // STATUS, read only
  parameter logic [15:0] AddrStatus = 16'd8;
  parameter logic [31:0] ResetStatus = 32'd0;
  parameter logic [31:0] MaskStatus = 32'h777f;  // bits of fields
  parameter int StatusBusy = 0;  // 2:0
  parameter int StatusBusyW = 3;
  parameter int StatusRun = 3;  // 3
  parameter int StatusRunW = 1;
  parameter int StatusLoadQueued = 4;  // 6:4
  parameter int StatusLoadQueuedW = 3;
  parameter int StatusComputeQueued = 8;  // 10:8
  parameter int StatusComputeQueuedW = 3;
  parameter int StatusStoreQueued = 12;  // 14:12
  parameter int StatusStoreQueuedW = 3;
  typedef struct packed {
    logic [16:0] spare15;
    logic [2:0] store_queued;
    logic spare11;
    logic [2:0] compute_queued;
    logic spare7;
    logic [2:0] load_queued;
    logic run;
    logic [2:0] busy;
  } status_t;

  // IRQ_STATUS, read, write 1 to clear
  parameter logic [15:0] AddrIrqStatus = 16'd12;
  parameter logic [31:0] ResetIrqStatus = 32'd0;
  parameter logic [31:0] MaskIrqStatus = 32'd15;  // bits of fields
  parameter int IrqStatusLoad = 0;  // 0
  parameter int IrqStatusLoadW = 1;
  parameter int IrqStatusCompute = 1;  // 1
  parameter int IrqStatusComputeW = 1;
  parameter int IrqStatusStore = 2;  // 2
  parameter int IrqStatusStoreW = 1;
  parameter int IrqStatusError = 3;  // 3
  parameter int IrqStatusErrorW = 1;
  typedef struct packed {
    logic [27:0] spare4;
    logic error;
    logic store;
    logic compute;
    logic load;
  } irq_status_t;

  // IRQ_ENABLE, read, write
  parameter logic [15:0] AddrIrqEnable = 16'd16;
  parameter logic [31:0] ResetIrqEnable = 32'd0;
  parameter logic [31:0] MaskIrqEnable = 32'd15;  // bits of fields
  parameter int IrqEnableEnable = 0;  // 3:0
  parameter int IrqEnableEnableW = 4;

  // DONE, read only
  parameter logic [15:0] AddrDone = 16'd20;
  parameter logic [31:0] ResetDone = 32'd0;
  parameter logic [31:0] MaskDone = 32'hffffff;  // bits of fields
  parameter int DoneLoad = 0;  // 7:0
  parameter int DoneLoadW = 8;
  parameter int DoneCompute = 8;  // 15:8
  parameter int DoneComputeW = 8;
  parameter int DoneStore = 16;  // 23:16
  parameter int DoneStoreW = 8;
  typedef struct packed {
    logic [7:0] spare24;
    logic [7:0] store;
    logic [7:0] compute;
    logic [7:0] load;
  } done_t;

  // ERROR, read only
  parameter logic [15:0] AddrError = 16'd24;
  parameter logic [31:0] ResetError = 32'd0;
  parameter logic [31:0] MaskError = 32'hffff1f3f;  // bits of fields
  parameter int ErrorCode = 0;  // 3:0
  parameter int ErrorCodeW = 4;
  parameter int ErrorEngine = 4;  // 5:4
  parameter int ErrorEngineW = 2;
  parameter int ErrorDetail = 8;  // 12:8
  parameter int ErrorDetailW = 5;
  parameter int ErrorId = 16;  // 23:16
  parameter int ErrorIdW = 8;
  parameter int ErrorCount = 24;  // 31:24
  parameter int ErrorCountW = 8;
  typedef struct packed {
    logic [7:0] count;
    logic [7:0] id;
    logic [2:0] spare13;
    logic [4:0] detail;
    logic [1:0] spare6;
    logic [1:0] engine;
    logic [3:0] code;
  } error_t;

  // ERROR_CLEAR, write only
  parameter logic [15:0] AddrErrorClear = 16'd28;
  parameter logic [31:0] ResetErrorClear = 32'd0;
  parameter logic [31:0] MaskErrorClear = 32'hffffffff;  // bits of fields
  parameter int ErrorClearClear = 0;  // 31:0
  parameter int ErrorClearClearW = 32;

  // SEED, read, write
  parameter logic [15:0] AddrSeed = 16'd32;
  parameter logic [31:0] ResetSeed = 32'd1;
  parameter logic [31:0] MaskSeed = 32'hffffffff;  // bits of fields
  parameter int SeedSeed = 0;  // 31:0
  parameter int SeedSeedW = 32;

  // STEP, write only
  parameter logic [15:0] AddrStep = 16'h24;
  parameter logic [31:0] ResetStep = 32'd0;
  parameter logic [31:0] MaskStep = 32'hffffffff;  // bits of fields
  parameter int StepStep = 0;  // 31:0
  parameter int StepStepW = 32;

  // PUSH, write only
  parameter logic [15:0] AddrPush = 16'h28;
  parameter logic [31:0] ResetPush = 32'd0;
  parameter logic [31:0] MaskPush = 32'hff;  // bits of fields
  parameter int PushId = 0;  // 7:0
  parameter int PushIdW = 8;

  // CYCLES, read only
  parameter logic [15:0] AddrCycles = 16'h2c;
  parameter logic [31:0] ResetCycles = 32'd0;
  parameter logic [31:0] MaskCycles = 32'hffffffff;  // bits of fields
  parameter int CyclesCycles = 0;  // 31:0
  parameter int CyclesCyclesW = 32;

  // RUN, read, write
  parameter logic [15:0] AddrRun = 16'h30;
  parameter logic [31:0] ResetRun = 32'd0;
  parameter logic [31:0] MaskRun = 32'hff00ffff;  // bits of fields
  parameter int RunCount = 0;  // 15:0
  parameter int RunCountW = 16;
  parameter int RunId = 24;  // 31:24
  parameter int RunIdW = 8;
  typedef struct packed {
    logic [7:0] id;
    logic [7:0] spare16;
    logic [15:0] count;
  } run_t;

  // CMD, read, write
  parameter logic [15:0] AddrCmd = 16'h40;
  parameter logic [15:0] CountCmd = 16'd16;
  parameter logic [31:0] ResetCmd = 32'd0;
  parameter logic [31:0] MaskCmd = 32'hffffffff;  // bits of fields
  parameter int CmdWord = 0;  // 31:0
  parameter int CmdWordW = 32;

  // UPD, read, write
  parameter logic [15:0] AddrUpd = 16'h80;
  parameter logic [15:0] CountUpd = 16'd6;
  parameter logic [31:0] ResetUpd = 32'd0;
  parameter logic [31:0] MaskUpd = 32'hffffffff;  // bits of fields
  parameter int UpdWord = 0;  // 31:0
  parameter int UpdWordW = 32;

  // UPD_PUSH, write only
  parameter logic [15:0] AddrUpdPush = 16'h98;
  parameter logic [31:0] ResetUpdPush = 32'd0;
  parameter logic [31:0] MaskUpdPush = 32'hffffffff;  // bits of fields
  parameter int UpdPushPush = 0;  // 31:0
  parameter int UpdPushPushW = 32;

  // UPD_ANSWER, read only
  parameter logic [15:0] AddrUpdAnswer = 16'h9c;
  parameter logic [31:0] ResetUpdAnswer = 32'd0;
  parameter logic [31:0] MaskUpdAnswer = 32'h7ffff;  // bits of fields
  parameter int UpdAnswerFl = 0;  // 7:0
  parameter int UpdAnswerFlW = 8;
  parameter int UpdAnswerN = 8;  // 10:8
  parameter int UpdAnswerNW = 3;
  parameter int UpdAnswerEvents = 11;  // 15:11
  parameter int UpdAnswerEventsW = 5;
  parameter int UpdAnswerCode = 16;  // 17:16
  parameter int UpdAnswerCodeW = 2;
  parameter int UpdAnswerPending = 18;  // 18
  parameter int UpdAnswerPendingW = 1;
  typedef struct packed {
    logic [12:0] spare19;
    logic pending;
    logic [1:0] code;
    logic [4:0] events;
    logic [2:0] n;
    logic [7:0] fl;
  } upd_answer_t;

  // STAT, read only
  parameter logic [15:0] AddrStat = 16'ha0;
  parameter logic [15:0] CountStat = 16'd6;
  parameter logic [31:0] ResetStat = 32'd0;
  parameter logic [31:0] MaskStat = 32'hffffffff;  // bits of fields
  parameter int StatWord = 0;  // 31:0
  parameter int StatWordW = 32;

  // OPT_STAT, read only
  parameter logic [15:0] AddrOptStat = 16'hc0;
  parameter logic [15:0] CountOptStat = 16'd8;
  parameter logic [31:0] ResetOptStat = 32'd0;
  parameter logic [31:0] MaskOptStat = 32'hffffffff;  // bits of fields
  parameter int OptStatWord = 0;  // 31:0
  parameter int OptStatWordW = 32;

  // PLAN, read only
  parameter logic [15:0] AddrPlan = 16'h200;
  parameter logic [15:0] CountPlan = 16'h80;
  parameter logic [31:0] ResetPlan = 32'd0;
  parameter logic [31:0] MaskPlan = 32'hffffffff;  // bits of fields
  parameter int PlanWord = 0;  // 31:0
  parameter int PlanWordW = 32;

  // window LAPS, read, write
  parameter int WindowLaps = 'h4000;
  parameter int WindowLapsSize = 'h4000;
  parameter int WindowLapsCount = 1;

  // window COUNTERS, read only
  parameter int WindowCounters = 'h8000;
  parameter int WindowCountersSize = 'h1000;
  parameter int WindowCountersCount = 8;
  /* verilator lint_on UNUSEDPARAM */

  // A register, a bit each: the one that is accessed, none if there is none at the address.
  typedef struct packed {
    logic plan;
    logic opt_stat;
    logic stat;
    logic upd_answer;
    logic upd_push;
    logic upd;
    logic cmd;
    logic run;
    logic cycles;
    logic push;
    logic step;
    logic seed;
    logic error_clear;
    logic error;
    logic done;
    logic irq_enable;
    logic irq_status;
    logic status;
    logic params;
    logic id;
  } at_t;
  /* verilator lint_off UNUSEDPARAM */  // by the port alone
  parameter int Registers = 20;
  parameter logic [19:0] Readable = 20'hf797f;
  parameter logic [19:0] Writable = 20'hf798;
  /* verilator lint_on UNUSEDPARAM */

  function automatic at_t at_of(input logic [13:0] word);
    at_of = {
      word >= 14'h80 && word < 14'h100,
      word >= 14'h30 && word < 14'h38,
      word >= 14'h28 && word < 14'h2e,
      word == 14'h27,
      word == 14'h26,
      word >= 14'h20 && word < 14'h26,
      word >= 14'h10 && word < 14'h20,
      word == 14'hc,
      word == 14'hb,
      word == 14'ha,
      word == 14'h9,
      word == 14'h8,
      word == 14'h7,
      word == 14'h6,
      word == 14'h5,
      word == 14'h4,
      word == 14'h3,
      word == 14'h2,
      word == 14'h1,
      word == 14'h0
    };
  endfunction

  // Bits that may be written as 1.
  /* verilator lint_off UNUSEDSIGNAL */  // those whose bits are all of fields
  function automatic logic [31:0] mask_of(input at_t at);
    mask_of = '1;
    if (at.irq_status) mask_of = MaskIrqStatus;
    if (at.irq_enable) mask_of = MaskIrqEnable;
    if (at.push) mask_of = MaskPush;
    if (at.run) mask_of = MaskRun;
  endfunction
  /* verilator lint_on UNUSEDSIGNAL */
endpackage
