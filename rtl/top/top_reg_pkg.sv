// Registers of the processor: byte addresses, reset values, fields.
// Made from registers.hjson by `make regs`: change that file.
package top_reg_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no module uses every entry

  // ID, read only
  parameter int AddrId = 0;
  parameter int ResetId = 'h54534c31;
  parameter int MaskId = 'hffffffff;  // bits of fields
  parameter int IdId = 0;  // 31:0
  parameter int IdIdW = 32;

  // PARAMS, read only
  parameter int AddrParams = 4;
  parameter int ResetParams = 0;
  parameter int MaskParams = 'hffffffff;  // bits of fields
  parameter int ParamsCores = 0;  // 7:0
  parameter int ParamsCoresW = 8;
  parameter int ParamsRows = 8;  // 15:8
  parameter int ParamsRowsW = 8;
  parameter int ParamsLanes = 16;  // 23:16
  parameter int ParamsLanesW = 8;
  parameter int ParamsLayers = 24;  // 31:24
  parameter int ParamsLayersW = 8;

  // STATUS, read only
  parameter int AddrStatus = 8;
  parameter int ResetStatus = 0;
  parameter int MaskStatus = 'h777f;  // bits of fields
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

  // IRQ_STATUS, read, write 1 to clear
  parameter int AddrIrqStatus = 12;
  parameter int ResetIrqStatus = 0;
  parameter int MaskIrqStatus = 15;  // bits of fields
  parameter int IrqStatusLoad = 0;  // 0
  parameter int IrqStatusLoadW = 1;
  parameter int IrqStatusCompute = 1;  // 1
  parameter int IrqStatusComputeW = 1;
  parameter int IrqStatusStore = 2;  // 2
  parameter int IrqStatusStoreW = 1;
  parameter int IrqStatusError = 3;  // 3
  parameter int IrqStatusErrorW = 1;

  // IRQ_ENABLE, read, write
  parameter int AddrIrqEnable = 16;
  parameter int ResetIrqEnable = 0;
  parameter int MaskIrqEnable = 15;  // bits of fields
  parameter int IrqEnableEnable = 0;  // 3:0
  parameter int IrqEnableEnableW = 4;

  // DONE, read only
  parameter int AddrDone = 20;
  parameter int ResetDone = 0;
  parameter int MaskDone = 'hffffff;  // bits of fields
  parameter int DoneLoad = 0;  // 7:0
  parameter int DoneLoadW = 8;
  parameter int DoneCompute = 8;  // 15:8
  parameter int DoneComputeW = 8;
  parameter int DoneStore = 16;  // 23:16
  parameter int DoneStoreW = 8;

  // ERROR, read only
  parameter int AddrError = 24;
  parameter int ResetError = 0;
  parameter int MaskError = 'hffff1f3f;  // bits of fields
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

  // ERROR_CLEAR, write only
  parameter int AddrErrorClear = 28;
  parameter int ResetErrorClear = 0;
  parameter int MaskErrorClear = 'hffffffff;  // bits of fields
  parameter int ErrorClearClear = 0;  // 31:0
  parameter int ErrorClearClearW = 32;

  // SEED, read, write
  parameter int AddrSeed = 32;
  parameter int ResetSeed = 1;
  parameter int MaskSeed = 'hffffffff;  // bits of fields
  parameter int SeedSeed = 0;  // 31:0
  parameter int SeedSeedW = 32;

  // STEP, write only
  parameter int AddrStep = 'h24;
  parameter int ResetStep = 0;
  parameter int MaskStep = 'hffffffff;  // bits of fields
  parameter int StepStep = 0;  // 31:0
  parameter int StepStepW = 32;

  // PUSH, write only
  parameter int AddrPush = 'h28;
  parameter int ResetPush = 0;
  parameter int MaskPush = 'hff;  // bits of fields
  parameter int PushId = 0;  // 7:0
  parameter int PushIdW = 8;

  // CYCLES, read only
  parameter int AddrCycles = 'h2c;
  parameter int ResetCycles = 0;
  parameter int MaskCycles = 'hffffffff;  // bits of fields
  parameter int CyclesCycles = 0;  // 31:0
  parameter int CyclesCyclesW = 32;

  // RUN, read, write
  parameter int AddrRun = 'h30;
  parameter int ResetRun = 0;
  parameter int MaskRun = 'hff00ffff;  // bits of fields
  parameter int RunCount = 0;  // 15:0
  parameter int RunCountW = 16;
  parameter int RunId = 24;  // 31:24
  parameter int RunIdW = 8;

  // CMD, read, write
  parameter int AddrCmd = 'h40;
  parameter int CountCmd = 16;
  parameter int ResetCmd = 0;
  parameter int MaskCmd = 'hffffffff;  // bits of fields
  parameter int CmdWord = 0;  // 31:0
  parameter int CmdWordW = 32;

  // UPD, read, write
  parameter int AddrUpd = 'h80;
  parameter int CountUpd = 6;
  parameter int ResetUpd = 0;
  parameter int MaskUpd = 'hffffffff;  // bits of fields
  parameter int UpdWord = 0;  // 31:0
  parameter int UpdWordW = 32;

  // UPD_PUSH, write only
  parameter int AddrUpdPush = 'h98;
  parameter int ResetUpdPush = 0;
  parameter int MaskUpdPush = 'hffffffff;  // bits of fields
  parameter int UpdPushPush = 0;  // 31:0
  parameter int UpdPushPushW = 32;

  // UPD_ANSWER, read only
  parameter int AddrUpdAnswer = 'h9c;
  parameter int ResetUpdAnswer = 0;
  parameter int MaskUpdAnswer = 'h7ffff;  // bits of fields
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

  // STAT, read only
  parameter int AddrStat = 'ha0;
  parameter int CountStat = 6;
  parameter int ResetStat = 0;
  parameter int MaskStat = 'hffffffff;  // bits of fields
  parameter int StatWord = 0;  // 31:0
  parameter int StatWordW = 32;

  // OPT_STAT, read only
  parameter int AddrOptStat = 'hc0;
  parameter int CountOptStat = 8;
  parameter int ResetOptStat = 0;
  parameter int MaskOptStat = 'hffffffff;  // bits of fields
  parameter int OptStatWord = 0;  // 31:0
  parameter int OptStatWordW = 32;

  // PLAN, read only
  parameter int AddrPlan = 'h200;
  parameter int CountPlan = 'h80;
  parameter int ResetPlan = 0;
  parameter int MaskPlan = 'hffffffff;  // bits of fields
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
endpackage
