// Constants of the processor's engines (docs/top/README.md). Integers only, so that simulators and synthesis read the same file.
package top_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no module uses every entry
  parameter int BeatW = 128;
  parameter int CmdW = 512;
  parameter int IdW = 8;
  parameter int DoneW = 8;
  parameter int AddrW = 16;       // of words in a buffer
  parameter int Beyond = 65536;   // 2^AddrW: every address past the largest buffer (top_word.sv)
  parameter int WordW = 17;       // 0 .. Beyond
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
  parameter int OpUpdate = 6;

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
  parameter int CmdWindow = 9;
  parameter int CmdFeed = 10;

  // Windows: words of the ring; the longest one, so that it fits wherever it begins, with a word asked for ahead; lengths (top_geometry).
  parameter int WindowRing = 16;
  parameter int WindowSpan = 448;
  parameter int GeometryW = 181;

  parameter int Lanes = 16;
  parameter int MaxJobs = 16383;
  // Widths follow from the largest legal values of fields: M up to MaxJobs, N up to 65,535, steps up to 65,535, n up to 2^24 - 1.
  parameter int MaxTiles = 4096;                          // ceil(65,535 / Lanes)
  parameter int MaxStep = 65535;
  parameter int MaxCores = 4;
  parameter int MaxBeats = 4194304;                       // ceil((2^24 - 1) / 4)
  parameter int StepW = $clog2(MaxStep * (MaxCores - 1) + 1);
  parameter int TilesW = $clog2(MaxTiles + 1);            // of a core
  parameter int JobsW = $clog2(MaxJobs + 1);
  parameter int MasksW = $clog2(MaxJobs * MaxTiles + 1);
  parameter int BeatsW = $clog2(MaxBeats + 1);
  // A result that feeds a pass: its number up to 2^17, from which on it lies past every buffer; its place.
  parameter int MaxFed = 131072;                          // copies of 4 bits: two results a word
  parameter int JobW = $clog2(MaxFed + 1);
  parameter int PlaceW = 2 * WordW + 3;
  // Draws: the words of a GEMM and of an OPT that say where they begin; tiles of columns are 2^TileDraws numbers apart.
  parameter int DrawWordGemm = 15;
  parameter int DrawWordOpt = 11;
  parameter int TileDraws = 16;
  parameter int PlanSlots = 32;
  // Records, as a STORE reads them: STAT, OPT_STAT, the plan table.
  parameter int StatWords = 2;    // of each of the first two
  parameter int RecordWords = 2 * StatWords + PlanSlots;
  parameter int PlanW = 46;       // {shift 10, fl y w x 24, order 2, n y w x 9, valid}
  /* verilator lint_on UNUSEDPARAM */
endpackage
