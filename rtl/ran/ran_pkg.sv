// Constants and records of the RAN (docs/ran/README.md).
package ran_pkg;
  /* verilator lint_off UNUSEDPARAM */  // whole tables, of which no block uses every entry
  parameter int Slots = 4;          // descriptors whose jobs are under way
  parameter int DrainDepth = 4;     // jobs in the drain queue
  parameter int BypassDepth = 4;    // bypassed jobs in the order queue
  parameter int MaxJobs = 16383;    // of a descriptor: tags of all slots stay distinct
  parameter int JobsW = 14;
  parameter int SlotW = 2;

  parameter int ShiftW = 33;        // a product after the shift: (10 bits << 24) / 2, signed
  parameter int TreeW = 36;         // the sum of eight of them
  parameter int CodeW = 4;
  parameter int CtrW = 32;
  parameter int CtrAddrW = 9;

  parameter logic [CodeW-1:0] RspOk = 4'd0;
  parameter logic [CodeW-1:0] RspBits = 4'd1;
  parameter logic [CodeW-1:0] RspRound = 4'd2;
  parameter logic [CodeW-1:0] RspShift = 4'd3;
  parameter logic [CodeW-1:0] RspRaw = 4'd4;
  parameter logic [CodeW-1:0] RspReduce = 4'd5;
  parameter logic [CodeW-1:0] RspLanes = 4'd6;
  parameter logic [CodeW-1:0] RspJobs = 4'd7;
  parameter logic [CodeW-1:0] RspSlices = 4'd8;
  parameter logic [CodeW-1:0] RspKLen = 4'd9;
  parameter logic [CodeW-1:0] RspBound = 4'd10;

  parameter logic [2:0] Y4 = 3'd0;
  parameter logic [2:0] Y8 = 3'd1;
  parameter logic [2:0] Y12 = 3'd2;
  parameter logic [2:0] Y16 = 3'd3;
  parameter logic [2:0] YRaw32 = 3'd4;
  parameter logic [2:0] YRaw64 = 3'd5;

  parameter logic [1:0] RoundNearest = 2'd0;
  parameter logic [1:0] RoundTruncate = 2'd1;
  parameter logic [1:0] RoundStochastic = 2'd2;

  parameter logic [1:0] StartZero = 2'd0;
  parameter logic [1:0] StartBias = 2'd1;
  parameter logic [1:0] StartPsum32 = 2'd2;
  parameter logic [1:0] StartPsum64 = 2'd3;
  /* verilator lint_on UNUSEDPARAM */

  // What a job's descriptor says about its way from bank to output.
  typedef struct packed {
    logic       stat_last;
    logic [5:0] lanes;
    logic [1:0] start;
    logic [5:0] shift;
    logic [1:0] rand_bits;
    logic [1:0] round;
    logic       relu;
    logic       y_unsigned;
    logic [2:0] y_bits;
  } way_t;
endpackage
