// Constants of the RAN (docs/ran/README.md). Integers only, so that simulators and synthesis read the same file.
package ran_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no block uses every entry
  parameter int Slots = 4;          // descriptors whose jobs are under way
  parameter int DrainDepth = 4;     // jobs in the drain queue
  parameter int BypassDepth = 4;    // bypassed jobs in the order queue
  parameter int MaxJobs = 16383;    // of a descriptor: tags of all slots stay distinct
  parameter int SlotW = 2;

  parameter int ShiftW = 33;        // a product after the shift: (10 bits << 24) / 2, signed
  parameter int TreeW = 36;         // the sum of eight of them
  parameter int CodeW = 4;
  parameter int CtrW = 32;
  parameter int CtrAddrW = 9;

  parameter int RspOk = 0;
  parameter int RspBits = 1;
  parameter int RspRound = 2;
  parameter int RspShift = 3;
  parameter int RspRaw = 4;
  parameter int RspReduce = 5;
  parameter int RspLanes = 6;
  parameter int RspJobs = 7;
  parameter int RspSlices = 8;
  parameter int RspKLen = 9;
  parameter int RspBound = 10;

  parameter int Y4 = 0;
  parameter int Y8 = 1;
  parameter int Y12 = 2;
  parameter int Y16 = 3;
  parameter int YRaw32 = 4;
  parameter int YRaw64 = 5;

  parameter int RoundNearest = 0;
  parameter int RoundTruncate = 1;
  parameter int RoundStochastic = 2;

  parameter int StartZero = 0;
  parameter int StartBias = 1;
  parameter int StartPsum32 = 2;
  parameter int StartPsum64 = 3;

  // What a job's descriptor says about its way from bank to output: one word of a slot, named by its fields' lowest bits.
  parameter int CfgBits = 0;        // 3: output format
  parameter int CfgUnsigned = 3;
  parameter int CfgRelu = 4;
  parameter int CfgRound = 5;       // 2
  parameter int CfgRand = 7;        // 2
  parameter int CfgShift = 9;       // 6
  parameter int CfgStart = 15;      // 2
  parameter int CfgLanes = 17;      // 6
  parameter int CfgStatLast = 23;
  parameter int CfgW = 24;
  /* verilator lint_on UNUSEDPARAM */
endpackage
