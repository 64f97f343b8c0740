// Constants of the processor's engines (docs/top/README.md). Integers only, so that simulators and synthesis read the same file.
package top_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no module uses every entry
  parameter int BeatW = 128;
  parameter int CmdW = 512;
  parameter int IdW = 8;
  parameter int DoneW = 8;
  parameter int AddrW = 16;       // of words in a buffer
  parameter int Engines = 3;
  parameter int EngineLoad = 0;
  parameter int EngineCompute = 1;
  parameter int EngineStore = 2;
  parameter int QueueDepth = 4;

  parameter int OpLoad = 1;
  parameter int OpGemm = 2;
  parameter int OpOpt = 3;
  parameter int OpStore = 4;
  parameter int OpPlan = 5;

  parameter int BufX = 0;
  parameter int BufW = 1;
  parameter int BufM = 2;
  parameter int BufY = 3;
  parameter int BufA = 4;
  parameter int BufSw = 5;
  parameter int BufSm = 6;
  parameter int BufSv = 7;

  parameter int CodeW = 4;
  parameter int DetailW = 5;
  parameter int CmdOk = 0;
  parameter int CmdOperation = 1;
  parameter int CmdSize = 2;
  parameter int CmdRange = 3;
  parameter int CmdFraming = 4;
  parameter int CmdPlan = 5;
  parameter int CmdGemm = 6;
  parameter int CmdOptc = 7;
  parameter int CmdUpdate = 8;

  parameter int Lanes = 16;
  parameter int MaxJobs = 16383;
  parameter int PlanSlots = 32;
  parameter int PlanW = 46;       // {shift 10, fl y w x 24, order 2, n y w x 9, valid}
  parameter int StatW = 32 + 32 + 32 + 6 + 48;  // values, overflow, zeros, max_bit, sum_abs
  /* verilator lint_on UNUSEDPARAM */
endpackage
